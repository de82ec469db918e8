# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked at every poll while a release runs: abort, Lease, parent, deadline, the twin's pods, the gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..analysis.look import Counts, Look, MetricLook
from ..analysis.sequential import Gate, Rule, Sequential, State
from ..analysis.verdict import MAX_HOLD, SHARE_MISSED, Verdict
from ..cluster.errors import ClusterError, Superseded, Unreachable
from ..metrics.source import Answer
from ..workload.deployment import Health
from .context import Context
from .ending import ABORTED, PARKED, TurnBack
from .plan import Step
from .share import ArrivedShare
from .spec import Spec
from .webhooks import Standing

POLL_SECONDS = 1.0
LEAST_PAUSE_SECONDS = 0.2
QUIET_SECONDS = 15.0
EVENT_WORDS = {"error_rate": "errors", "latency": "slow requests"}


def rule_of(spec: Spec, dispersion: dict[str, float]) -> Rule:
    """The decision rule for a spec's gates."""
    gates = tuple(
        Gate(name=gate.name, max_rate=gate.max_share, dispersion=dispersion.get(gate.name, 1.0), event_word=EVENT_WORDS[gate.kind])
        for gate in spec.gates
    )
    longest = spec.ab.longest_seconds if spec.ab else 0.0  # an experiment is held by its own end
    return Rule(
        gates=gates,
        minimum_seconds=spec.minimum_step_seconds,
        max_hold_seconds=max(spec.max_hold_seconds, longest),
        no_data_seconds=spec.no_data_seconds,
        fix_forward=spec.fix_forward,
    )


class Watch:
    """Polls, at most once a second, and raises TurnBack as soon as something says that traffic must return."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._health = Health()
        self._judge = Sequential(rule_of(context.spec, context.target.dispersion)) if context.source else None
        self._state: State | None = None
        if self._judge:
            saved = context.state.judge
            self._state = State.from_dict(saved) if saved else self._judge.start()
        self._arrived = ArrivedShare(context)
        self.standing = Standing(context)
        self.patient = False  # webhooks are waited for: gates that cannot decide have time
        self._number = context.state.looks[-1]["number"] if context.state.looks else 0
        self._silent_since: float | None = None
        self._said: tuple[str, float] = ("", 0.0)
        self._checked_at = 0.0
        self._serving = False  # the canary gets requests of any sort
        self._canary_expected = self._stable_expected = True
        self._share = 0
        self.verdict: Verdict | None = None
        self.stable_requests: int | None = None  # in the last closed look of this step

    def prepare(self) -> None:
        """The traffic is about to move: a source that reads for itself takes its zero before, or the first second would be lost."""
        if self._context.source is not None:
            self._context.source.prepare()

    def enter(self, step: Step) -> None:
        """Judge what follows as part of this step: the weight has just become its weight."""
        matched_only = step.kind == "match" or (
            step.kind == "ab" and not step.weight_percent
        )  # who they are and how many is not ours to say: judged by the limits alone
        self._serving = True
        self._checked_at = self._context.process.clock()
        self._share = step.weight_percent or step.mirror_percent
        self._canary_expected = not matched_only
        self._stable_expected = step.weight_percent < 100
        self.verdict = self.stable_requests = None
        self._arrived.enter(step)
        self.standing.renew()
        if self._judge and self._state is not None:
            if self._context.source is not None:
                self._context.source.begin_block()
            self._state = self._judge.enter_step(
                self._state,
                weight_percent=self._share,
                at_seconds=self._context.process.clock(),
                next_weight_percent=step.next_weight_percent,
                absolute_only=matched_only or step.weight_percent >= 100,
            )

    def leave_traffic(self) -> None:
        """The twin gets no requests any more: its pods and counters decide nothing now."""
        self._serving = False

    def wait(
        self, condition: Callable[[], bool], *, timeout_seconds: float, what: str, cause: str, why: Callable[[], str] = lambda: ""
    ) -> None:
        """Poll until condition holds; TurnBack with cause when it does not in time. why may add what is in the way."""
        began = self._context.process.clock()
        while not self._holds(condition):
            if self._context.process.clock() - began > timeout_seconds:
                raise TurnBack(cause, f"{what} within {timeout_seconds:.0f} s{why()}")
            self.poll()

    def linger(self, seconds: float) -> None:
        """Poll for a while."""
        until = self._context.process.clock() + seconds
        while (left := until - self._context.process.clock()) > 0:
            self.poll(pause=min(POLL_SECONDS, left))

    def poll(self, pause: float = POLL_SECONDS) -> None:
        """Check everything once, pause seconds after the last check began: what that took is no delay of its own.

        Raises TurnBack or Superseded.
        """
        process = self._context.process
        spent = min(max(0.0, process.clock() - self._checked_at), pause)
        process.sleep(max(pause - spent, min(LEAST_PAUSE_SECONDS, pause)))
        self.check()

    def check(self) -> None:
        """Check everything once."""
        context = self._context
        self._checked_at = context.process.clock()
        stop = context.process.why_stop()
        if stop:
            raise TurnBack("runner_stopped", stop, gentle=True)
        if context.process.clock() > context.deadline_at:
            late = f"not finished within release_deadline_seconds ({context.spec.deadline_seconds:.0f} s)"
            raise TurnBack("deadline", late, gentle=True)
        try:
            self._lease_and_abort()
        except Unreachable as error:
            self._api_is_silent(error)
            return
        self.standing.check(serving=self._serving)
        self.harm()

    def harm(self) -> None:
        """Check the canary's pods and the gates alone. Raises TurnBack; a gentle one says that the gates cannot decide."""
        context = self._context
        try:
            if self._serving:
                self._pods()
        except Unreachable as error:
            self._api_is_silent(error)
            return
        self._silent_since = None
        if self._serving and context.source is not None:
            self._look(context.source.poll(canary_expected=self._canary_expected, stable_expected=self._stable_expected))

    def _holds(self, condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except Unreachable as error:
            self._api_is_silent(error)
            return False

    def _lease_and_abort(self) -> None:
        context = self._context
        request = context.journal.poll()
        if request is not None:
            who, why = request.get("by", "somebody"), request.get("reason") or "no reason given"
            raise TurnBack("aborted", f"aborted by {who}: {why}", outcome=ABORTED, gentle=True, asked=request)
        context.keep_lease()

    def _pods(self) -> None:
        trouble = self._health.judge(self._context.twin_pods())
        if trouble:
            raise TurnBack("pods", f"canary {trouble}")

    def _api_is_silent(self, error: ClusterError) -> None:
        now = self._context.process.clock()
        if self._silent_since is None:
            self._silent_since = now
            self._context.live.say("hold", f"the API server does not answer; the route stays at {self._context.route} ({error})")

    def _look(self, answer: Answer) -> None:
        if not (answer.new or answer.problem) or self._judge is None or self._state is None:
            return
        if not self._canary_expected and not any(canary and canary.requests for canary, _stable in answer.counts.values()):
            return  # no matched request has come yet
        context = self._context
        if answer.closes_block:
            self._number += 1
            self.stable_requests = max((stable.requests for _canary, stable in answer.counts.values() if stable), default=0)
            self._arrived.block(*answer.counts[context.spec.gates[0].name])
        look = Look(
            number=self._number + (0 if answer.closes_block else 1),
            at_seconds=context.process.clock(),
            weight_percent=self._share,
            metrics=tuple(MetricLook(gate, canary, stable) for gate, (canary, stable) in answer.counts.items()),
            closes_block=answer.closes_block,
            problem=answer.problem,
            problem_detail=answer.detail,
        )
        self._state, verdict = self._judge.look(self._state, look)
        self.verdict = self._arrived.judge(verdict)
        self._tell(look, self.verdict)
        self._act(self.verdict)

    def _tell(self, look: Look, verdict: Verdict) -> None:
        context = self._context
        now = context.process.clock()
        if look.problem:
            if self._said[0] != verdict.cause or now - self._said[1] >= QUIET_SECONDS:
                context.live.say("hold", f"{verdict.reason}", cause=verdict.cause)
                self._said = (verdict.cause, now)
            return
        if look.closes_block or verdict.decision == "roll_back":
            self._said = ("", now)
            counts = " · ".join(f"{one.gate} {_versus(one.canary, one.baseline)}" for one in look.metrics)
            context.live.say(
                "look",
                f"{look.number:4d}   {counts}   {verdict.reason}",
                decision=verdict.decision,
                cause=verdict.cause,
                evidence=verdict.evidence,
            )
            context.state.looks.append(
                {
                    "number": look.number,
                    "at": look.at_seconds,
                    "weight": look.weight_percent,
                    "counts": counts,
                    "decision": verdict.decision,
                }
            )
            context.state.judge = self._state.to_dict() if self._state else None
            context.state.evidence = verdict.evidence
            if verdict.decision != "roll_back":
                self._journal()

    def _journal(self) -> None:
        try:
            self._context.write(self._context.state.doing)
        except Superseded:
            raise
        except ClusterError as error:
            self._api_is_silent(error)

    def _act(self, verdict: Verdict) -> None:
        if verdict.decision == "roll_back":
            raise TurnBack(verdict.cause, verdict.reason, evidence=verdict.evidence)
        if verdict.cause == "shared_incident_after_rise":
            raise TurnBack(verdict.cause, verdict.reason, evidence=verdict.evidence)
        if verdict.decision == "inconclusive":
            if self.patient and verdict.cause in (MAX_HOLD, SHARE_MISSED):
                return
            policy = self._context.spec.on_inconclusive
            if policy == "promote":
                return
            outcome = PARKED if policy == "ask" else "rolled_back"
            words = f"{verdict.reason}; release_on_inconclusive is {policy}"
            raise TurnBack(verdict.cause, words, outcome=outcome, evidence=verdict.evidence, gentle=True)


def _versus(canary: Counts | None, stable: Counts | None) -> str:
    def one(counts: Counts | None) -> str:
        return "no data" if counts is None else f"{counts.events:,}/{counts.requests:,}"

    return one(canary) if stable is None else f"{one(canary)} vs {one(stable)}"


def may_go_on(verdict: Verdict | None, policy: str) -> bool:
    """Whether a verdict lets the weight rise."""
    if verdict is None:
        return False
    return verdict.decision == "advance" or (verdict.decision == "inconclusive" and policy == "promote")


__all__: list[Any] = ["Watch", "may_go_on", "rule_of"]
