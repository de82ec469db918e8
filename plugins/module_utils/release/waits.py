# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for people while a release runs: commands are obeyed, pauses and approvals last, and a release that is stuck says so.

While people are waited for the gates look on, and evidence of harm returns traffic; only gates that cannot decide have time.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from ..analysis.verdict import INCONCLUSIVE, Verdict
from ..cluster.errors import Unreachable
from ..cluster.patch import add
from ..workload.kinds import SETS
from .approval_places import Places, about_of
from .approval_words import COMMAND_LINE, asked_at, decided, is_stale, rejection, stands, with_outside
from .approvals import ANYBODY, Standing
from .approvals import Approval as Word
from .commands import Moment, clock_time, effect, logged, skips, unobeyed
from .context import Context
from .control_spec import PARK, RESUME
from .ending import PARKED, ROLLED_BACK, StepEnded, TurnBack
from .plan import TRAFFIC, Step, plan
from .record import now
from .values import spoken_seconds

JSON = dict[str, Any]
STUCK = "stuck"
HAS_ITS_OWN_LIMIT = ("check",)


class Judged(Protocol):
    """What is needed of the watch."""

    verdict: Verdict | None


def moment_of(context: Context) -> Moment:
    """Where the release is now."""
    spec, state = context.spec.control, context.state
    return Moment(state.phase, plan(context.spec), state.step, context.process.clock(), spec.pause_seconds, spec.on_pause_end)


def obey(context: Context, commands: list[JSON]) -> None:
    """Do what the commands say that were not obeyed yet, and acknowledge them in the record. Raises StepEnded, TurnBack."""
    ends_step = False
    for command in unobeyed(context.state.control, commands):
        found = effect(context.state.control, command, moment_of(context))
        said = f"refused: {found.refused}" if found.refused else found.said
        context.state.control = logged(found.control, command, said)
        reason = f" ({command['reason']})" if command["reason"] else ""
        context.live.say(command["command"], f"{said}; by {command['by']}{reason}", by=command["by"], reason=command["reason"])
        with contextlib.suppress(Unreachable):  # the next change is journaled with it
            context.write(context.state.doing)
        if found.rejected:
            raise TurnBack("rejected", found.rejected, gentle=True)
        ends_step = ends_step or found.ends_step
    _end_of_pause(context)
    if ends_step:
        raise StepEnded


def how_to(context: Context, verb: str) -> str:
    """The command to type."""
    return f"ansible-playbook progressive.delivery.{verb} -e release_name={context.spec.name} -l {context.live.target}"


class Pause:
    """A pause while it lasts. A runner that resumes goes on with it: its end is in the record."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._said: JSON | None = None

    @property
    def to_zero(self) -> bool:
        """Whether all traffic is to be on stable meanwhile."""
        return bool((self._context.state.control.get("pause") or {}).get("to_zero"))

    def is_over(self) -> bool:
        """Whether somebody ended it, or its time did."""
        context, pause = self._context, self._context.state.control.get("pause")
        if pause and pause != self._said:
            words = f"at {context.route} until {clock_time(pause['until'])}, then {pause['then']}; go on: {how_to(context, 'resume')}"
            context.live.say("paused", words)
            self._said = pause
        return not pause


def _end_of_pause(context: Context) -> None:
    """When nobody ended a pause in time: go on, or TurnBack, as its policy says."""
    pause = context.state.control.get("pause")
    if not pause or context.process.clock() < pause["until"]:
        return
    words = f"paused by {pause['by']}, nobody ended it within {spoken_seconds(context.process.clock() - pause['since'])}"
    if pause["then"] != RESUME:
        raise _nobody_came(context, "pause", words, pause["then"])
    context.state.control.pop("pause")
    context.live.say("resume", f"{words}: goes on")
    with contextlib.suppress(Unreachable):
        context.write(context.state.doing)


class Approval:
    """An approval while it is waited for. A runner that resumes goes on waiting: its end is in the record."""

    def __init__(self, context: Context, step: Step) -> None:
        self._context = context
        self._name = step.name
        self._steps = plan(context.spec)
        self._places = Places(
            context.session,
            context.spec.control.sources,
            about_of(context, step),
            context.process.clock,
            lambda words: context.live.say("warning", words),
        )
        self._said, self._missing = "", 0
        self._ignored: list[Word] = []
        control = context.state.control
        if is_stale(control, self._steps, self._name, context.process.clock()):
            context.live.say(
                "approve", f"{self._name} was approved by {control['approvals'].pop(self._name)['by']}; that has expired meanwhile"
            )
        if self._name in (control.get("approvals") or {}):
            return
        if (control.get("waiting") or {}).get("step") != self._name:
            began = context.process.clock()
            control["waiting"] = {"step": self._name, "since": began, "until": began + context.spec.control.approval_seconds}
            context.write(self._name)
        until = clock_time(control["waiting"]["until"])
        found = stands(control, self._steps, self._name, context.process.clock())
        self._said, self._missing = found.said, found.missing
        asked = f" ({self._said})" if step.approval else ""
        context.live.say(
            "approve", f"{self._name} waits at {context.route} until {until}{asked}: {how_to(context, 'approve')} (or reject, abort)"
        )

    def is_over(self) -> bool:
        """Whether enough people approved. Raises TurnBack when one rejected, or they did not in time."""
        context = self._context
        self._hear()
        control = context.state.control
        given = (control.get("approvals") or {}).get(self._name)
        if given:
            control.pop("waiting", None)
            return True
        waiting = control["waiting"]
        if context.process.clock() < waiting["until"]:
            return False
        missing = f": {self._said}" if asked_at(self._steps, self._name) != ANYBODY else ""
        words = f"nobody approved {self._name} within {spoken_seconds(waiting['until'] - waiting['since'])}{missing}"
        raise _nobody_came(context, "no_approval", words, context.spec.control.on_no_approval)

    def _hear(self) -> None:
        """What the other places say, and what it comes to. Raises TurnBack when somebody rejected."""
        context, name = self._context, self._name
        before = context.state.control
        if name in (before.get("approvals") or {}):
            return
        heard = self._places.hear()
        after = before if heard is None else with_outside(before, name, heard, context.process.clock())
        found = stands(after, self._steps, name, context.process.clock())
        context.state.control = decided(after, name, found)
        if found.rejected:
            raise TurnBack("rejected", rejection(name, found.rejected), gentle=True)
        self._tell(found, is_news=after != before or found.missing > self._missing)
        if context.state.control != before:
            with contextlib.suppress(Unreachable):  # the next change is journaled with it
                context.write(context.state.doing)

    def _tell(self, found: Standing, *, is_news: bool) -> None:
        """Where it stands, when that is news: a command's effect was told with the command. And once, whose word does not count."""
        say = self._context.live.say
        if found.said != self._said and is_news:
            say("approve", f"{self._name} has {found.said}")
        self._said, self._missing = found.said, found.missing
        for one, why in found.ignored:
            if one.source != COMMAND_LINE and one not in self._ignored:
                self._ignored.append(one)
                say("approve", f"{one.by}'s word from {one.source} does not count: {why}")


def _nobody_came(context: Context, cause: str, words: str, policy: str) -> TurnBack:
    outcome = PARKED if policy == PARK else ROLLED_BACK
    return TurnBack(cause, words, outcome=outcome, gentle=True, weight_percent=context.spec.control.parked_weight)


def stop_rolling(context: Context) -> None:
    """A Deployment's rolling update that is paused makes no new pods meanwhile. Those of sets wait for us at every share anyway."""
    target = context.target
    if target.revision is None or target.workload_kind in SETS or not context.state.stable_changed:
        return
    found = context.session.get("Deployment", context.namespace, target.workload)
    if not found["spec"].get("paused"):
        context.state.control["stopped"] = True
        context.write("pause: the rolling update stands still")
        context.patch_deployment(target.workload, [add("/spec/paused", True)])


def go_on(context: Context, steps: list[Step]) -> None:
    """After a pause: undo what it did. A canary that lost its share gets it again, and is judged there again."""
    control, index = context.state.control, context.state.step
    if control.pop("stopped", False):
        context.patch_deployment(context.target.workload, [add("/spec/paused", False)])
    if control.pop("zeroed", False):
        context.state.step = max((at for at, step in enumerate(steps[: index + 1]) if step.kind in TRAFFIC), default=index)


def leave_out(context: Context, steps: list[Step]) -> bool:
    """Whether a promote leaves the present step out; then the next one is the present one."""
    state = context.state
    step = steps[state.step]
    if not skips(state.control, steps, state.step):
        return False
    skip = state.control["skip"]
    entry = {"name": step.name, "started_at": now(), "ended_at": now(), "note": f"left out: promoted by {skip['by']}"}
    state.steps = [*(one for one in state.steps if one["name"] != step.name), entry]
    context.live.say("promote", f"{step.name} is left out")
    state.step += 1
    return True


def on_whose_word(control: JSON) -> str:
    """For the ending's reason: who began a release in another way than by releasing, or sent it straight to 100 %."""
    begun, skip = control.get("begun") or {}, control.get("skip") or {}
    said = f"; rollback from {begun['from']}, {_word(begun)}" if "from" in begun else ""
    return said + (f"; straight to 100 %, {_word(skip)}" if skip.get("full") else "")


def _word(of: JSON) -> str:
    return f"on the word of {of['by']}: {of['reason'] or 'no reason given'}"


class Stuck:
    """Says once that a step makes no progress for release_stuck_seconds beyond what was asked of it, and follows the policy."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._step: Step | None = None
        self._since = 0.0
        self._said = False
        self.patient = False  # an approval is waited for

    @property
    def is_patient(self) -> bool:
        """Whether people are waited for: whoever cannot decide has time."""
        return self.patient or bool(self._context.state.control.get("pause"))

    def begin(self, step: Step) -> None:
        """A step begins: that is progress."""
        self._step, self._since, self._said = step, self._context.process.clock(), False
        self._context.state.control.pop(STUCK, None)

    def check(self, watch: Judged) -> None:
        """Raises TurnBack as release_on_inconclusive says; with promote a step that waits for evidence goes on."""
        context, moment = self._context, self._context.process.clock()
        if self.is_patient or self._step is None or self._step.kind in HAS_ITS_OWN_LIMIT:
            self._since = moment
            return
        if moment - self._since < context.spec.control.stuck_seconds + _planned(context, self._step):
            return
        policy = context.spec.on_inconclusive
        why = f" ({watch.verdict.reason})" if watch.verdict else ""
        words = f"no progress in {self._step.name} for {spoken_seconds(moment - self._since)} (release_stuck_seconds){why}"
        if not self._said:
            self._said = True
            context.state.control[STUCK] = {"step": self._step.name, "since": self._since, "reason": words}
            with contextlib.suppress(Unreachable):
                context.write(context.state.doing)
            context.live.say(STUCK, f"{words}; release_on_inconclusive is {policy}", cause=STUCK)
        if policy != "promote":
            raise TurnBack(STUCK, words, outcome=PARKED if policy == "ask" else ROLLED_BACK, gentle=True)
        if self._step.kind == "analyze":
            watch.verdict = Verdict(INCONCLUSIVE, STUCK, words)


def _planned(context: Context, step: Step) -> float:
    """Seconds that a step may take by the plan. The gates' own clock stands still without data: they shall decide first."""
    if step.kind == "experiment" and context.spec.ab:
        return context.spec.ab.longest_seconds
    return context.spec.minimum_step_seconds + context.spec.no_data_seconds if step.kind == "analyze" else step.seconds
