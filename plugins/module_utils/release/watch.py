# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked at every poll while a release runs: abort, Lease, parent, deadline, the twin's pods, the gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..analysis.look import Look
from ..analysis.panel import PanelState, StepEntry
from ..analysis.verdict import MAX_HOLD, SHARE_MISSED, Verdict
from ..cluster.errors import ClusterError, Superseded, Unreachable
from ..metrics.looks import counts_of, look_of
from ..metrics.source import Answer
from ..workload.deployment import Health
from .alert_watch import AlertWatch
from .context import Context
from .costs import ERRORS, Costs
from .ending import ABORTED, PARKED, TurnBack
from .freezes import CalendarWatch
from .guards import Guards
from .judges import panel_of
from .plan import Step
from .presence import missing
from .proceedings import Proceedings
from .samples_spec import RESTARTS
from .silence import Silencer
from .waits import Stuck, obey
from .webhooks import Standing

POLL_SECONDS = 1.0
LEAST_PAUSE_SECONDS = 0.2
QUIET_SECONDS = 15.0


class Watch:
    """Polls, at most once a second, and raises TurnBack as soon as something says that traffic must return."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._health = Health(counted=bool(context.spec.judged_by(RESTARTS)))
        self._panel = panel_of(context.spec, context.target.dispersion) if context.source or context.queries else None
        self._state: PanelState | None = None
        if self._panel:
            saved = context.state.judge
            self._state = self._panel.from_dict(saved) if saved else self._panel.start()
            self._proceedings = Proceedings(context, self._panel, self._state)
        self._guards, self._alerts, self._silencer = Guards(context), AlertWatch(context), Silencer(context)
        self.standing = Standing(context)
        self._calendar = CalendarWatch(context)
        self._number = context.state.looks[-1]["number"] if context.state.looks else 0
        self._silent_since: float | None = None
        self._said: tuple[str, float] = ("", 0.0)
        self._checked_at = 0.0
        self._serving = False  # the canary gets requests of any sort
        self._canary_expected = self._stable_expected = True
        self._share: float = 0
        self.stuck = Stuck(context)
        self._patient = False
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
        self._share = self._context.real_percent(step.weight_percent) or step.mirror_percent
        self._canary_expected = not matched_only
        self._stable_expected = step.weight_percent < 100
        self.verdict = self.stable_requests = None
        now = self._context.process.clock()
        self._guards.enter(step, now)
        self.standing.renew()
        if self._panel and self._state is not None:
            if self._context.source is not None:
                self._context.source.begin_block()
            absolute_only = matched_only or step.weight_percent >= 100
            following = None if step.next_weight_percent is None else self._context.real_percent(step.next_weight_percent)
            entry = StepEntry(self._share, self._context.process.clock(), following, absolute_only)
            self._state = self._panel.enter_step(self._state, entry)
            self._proceedings.entered(step, entry, now)

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
        if context.fleet is not None:
            context.fleet.check()
        try:
            self._lease_and_abort()
            self._silencer.check()
            self._calendar.check()
        except Unreachable as error:
            self._api_is_silent(error)
            return
        self._time_for_people()
        self.standing.check(serving=self._serving)
        self.harm()
        self.stuck.check(self)

    def harm(self) -> None:
        """Check the canary's pods and the gates alone. Raises TurnBack; a gentle one says that the gates cannot decide."""
        try:
            if self._serving:
                self._pods()
        except Unreachable as error:
            self._api_is_silent(error)
            return
        self._silent_since = None
        if self._serving:
            self._alerts.check()
        if self._serving and self._panel is not None:
            self._look(self._read())

    def _read(self) -> Answer:
        """What the source of counters says; nothing new where no gate is judged by requests."""
        if self._context.source is None:
            return Answer({}, False, new=False)
        return self._context.source.poll(canary_expected=self._canary_expected, stable_expected=self._stable_expected)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        try:
            return condition()
        except Unreachable as error:
            self._api_is_silent(error)
            return False

    def _lease_and_abort(self) -> None:
        context = self._context
        request, commands = context.journal.requests()
        if request is not None:
            who, why = request.get("by", "somebody"), request.get("reason") or "no reason given"
            raise TurnBack("aborted", f"aborted by {who}: {why}", outcome=ABORTED, gentle=True, asked=request)
        context.keep_lease()
        obey(context, commands)

    def _time_for_people(self) -> None:
        """The time that people took is not one that the gates needed."""
        before, self._patient = self._patient, self.stuck.is_patient
        if before and not self._patient and self._panel is not None and self._state is not None:
            now = self._context.process.clock()
            self._state = self._panel.after_people(self._state, now)
            self._proceedings.people(now)

    def _pods(self) -> None:
        trouble = self._health.judge(self._context.twin_pods())
        if trouble:
            raise TurnBack("pods", f"canary {trouble}")
        gone = missing(self._context)
        if gone:
            raise TurnBack("no_canary", gone)

    def _api_is_silent(self, error: ClusterError) -> None:
        self._context.is_silent()
        now = self._context.process.clock()
        if self._silent_since is None:
            self._silent_since = now
            self._context.live.say("hold", f"the API server does not answer; the route stays at {self._context.route} ({error})")

    def _look(self, answer: Answer) -> None:
        context = self._context
        if self._panel is None or self._state is None:
            return
        has_counts = answer.new or bool(answer.problem)
        if context.source is not None and not has_counts:
            return
        if (
            not self._canary_expected
            and answer.counts
            and not any(canary and canary.requests for canary, _stable in answer.counts.values())
        ):
            return  # no matched request has come yet
        now = context.process.clock()
        due = self._panel.due(self._state, now, closes_block=answer.closes_block or bool(answer.problem))
        compare = self._canary_expected and self._stable_expected
        scalars = context.queries.read(due, compare=compare) if due and context.queries else ()
        ends = answer.closes_block or bool(scalars)
        if answer.closes_block:
            self.stable_requests = max((stable.requests for _canary, stable in answer.counts.values() if stable), default=0)
            self._guards.block(answer.counts, now)
            counted = [answer.counts[gate.name] for gate in context.spec.gates if gate.kind == ERRORS and gate.name in answer.counts]
            context.state.costs = Costs.of(context.state.costs).counted(counted).to_dict()
        self._number += ends
        number = self._number + (0 if ends else 1)
        look = look_of(answer, scalars, number=number, at_seconds=now, weight_percent=self._share)
        said = self._panel.look(self._state, look)
        self._state, silence = said[0], self._alerts.silence
        self.verdict = self._guards.judge(said[1], silence, now)
        self._proceedings.judged(look, said, self.verdict, silence)
        if context.fleet is not None and look.closes_block:
            context.fleet.looked(self._panel, self._state, look)
        self._tell(look, self.verdict)
        self._act(self.verdict)

    def _tell(self, look: Look, verdict: Verdict) -> None:
        context = self._context
        now = context.process.clock()
        unanswered = not look.closes_block and any(scalar.problem for scalar in look.scalars)
        if (look.problem or unanswered) and verdict.decision != "roll_back":
            if self._said[0] != verdict.cause or now - self._said[1] >= QUIET_SECONDS:
                context.live.say("hold", f"{verdict.reason}", cause=verdict.cause)
                self._said = (verdict.cause, now)
            return
        if look.closes_block or look.scalars or verdict.decision == "roll_back":
            self._said = ("", now)
            counts = counts_of(look)
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
            if self._panel and self._state:
                self._proceedings.keep(self._state)
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
            if self.stuck.is_patient and verdict.cause in (MAX_HOLD, SHARE_MISSED):
                return
            policy = self._context.spec.on_inconclusive
            if policy == "promote":
                return
            outcome = PARKED if policy == "ask" else "rolled_back"
            words = f"{verdict.reason}; release_on_inconclusive is {policy}"
            raise TurnBack(verdict.cause, words, outcome=outcome, evidence=verdict.evidence, gentle=True)


def may_go_on(verdict: Verdict | None, policy: str) -> bool:
    """Whether a verdict lets the weight rise."""
    if verdict is None:
        return False
    return verdict.decision == "advance" or (verdict.decision == "inconclusive" and policy == "promote")


__all__: list[Any] = ["Watch", "may_go_on"]
