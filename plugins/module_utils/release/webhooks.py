# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks and tells the webhooks of a release, as release_webhooks says: steps that wait for them, and those asked all the time.

What stands of them is State.webhooks: waiting (step, since, agreed: what a runner that resumes does not ask again), refusals
(of rollout webhooks, counted over the whole release) and answers (the last refusals, as people read them).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from ..cluster.errors import Unreachable
from .asking import Asking, Checks, beside
from .context import Context
from .ending import PARKED, ROLLED_BACK, StepEnded, TurnBack
from .plan import Step
from .record import now
from .spec import Spec
from .values import Problem, spoken_seconds
from .webhook_client import Reply, longest_seconds, post_patiently
from .webhook_messages import PROGRESSING, SUCCEEDED, final_phase, message, of, phase_of, request
from .webhooks_spec import (
    CONFIRM_INCREASE,
    CONFIRM_PROMOTION,
    CONFIRM_ROLLOUT,
    FIELD,
    PARK,
    POST_ROLLOUT,
    PRE_ROLLOUT,
    ROLLBACK,
    ROLLOUT,
    WebhookSpec,
)

JSON = dict[str, Any]
STEPS = (CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT, CONFIRM_INCREASE, CONFIRM_PROMOTION)  # kinds of step that ask
KEPT_ANSWERS = 10
QUIET_SECONDS = 300.0  # before the same refusal is said again
PAUSE_SECONDS = 1.0  # between two polls of the watch


class Patience(Protocol):
    """What is needed of what says that a release is stuck."""

    patient: bool


class Watches(Checks, Protocol):
    """What is needed of the watch."""

    standing: Standing

    @property
    def stuck(self) -> Patience:
        """Whoever cannot decide has time while it is patient."""

    def poll(self, pause: float = PAUSE_SECONDS) -> None:
        """Check everything once, pause seconds after the last check began."""


def problems(spec: Spec) -> list[Problem]:
    """Files of certificates that cannot be read."""
    found = []
    for index, hook in enumerate(spec.webhooks):
        for option in ("ca_cert", "client_cert", "client_key"):
            path = getattr(hook, option)
            if path and not os.access(path, os.R_OK):
                found.append(Problem(f"{FIELD}[{index}].{option}", path, "a file that can be read where the release runs"))
    return found


def ask(context: Context, step: Step, watch: Watches, between: Callable[[], None]) -> None:
    """Run a step that asks: go on when its webhooks agree. between is called while it waits. Raises TurnBack when they never do."""
    watch.stuck.patient = True
    try:
        if step.kind == ROLLOUT:
            while not watch.standing.agrees:
                watch.poll()
                between()
            return
        _waiting(context, step)
        for hook in of(context.spec, step.kind):
            if hook.name not in context.state.webhooks["waiting"]["agreed"]:
                (_once if step.kind == PRE_ROLLOUT else _until_it_agrees)(context, hook, watch, between)
                context.state.webhooks["waiting"]["agreed"].append(hook.name)
                _journal(context)
                context.live.say("webhook", f"{hook.title} agrees")
        context.state.webhooks.pop("waiting")
    except StepEnded:
        context.state.webhooks.get("waiting", {}).pop("since", None)  # a pause: its time is not the webhook's
        raise
    finally:
        watch.stuck.patient = False


def _waiting(context: Context, step: Step) -> None:
    """Since when the step waits: a runner that resumes goes on waiting."""
    waiting = context.state.webhooks.get("waiting")
    if waiting is None or waiting["step"] != step.name:
        waiting = context.state.webhooks["waiting"] = {"step": step.name, "agreed": []}
    waiting.setdefault("since", context.process.clock())


def _once(context: Context, hook: WebhookSpec, watch: Watches, between: Callable[[], None]) -> None:
    reply = _reply(context, hook, watch, PROGRESSING)
    if not reply.agrees:
        words = _note(context, hook, reply)
        raise TurnBack("webhook", f"nothing was switched: {words}", gentle=True, evidence=_evidence(hook, reply))


def _until_it_agrees(context: Context, hook: WebhookSpec, watch: Watches, between: Callable[[], None]) -> None:
    began = context.state.webhooks["waiting"]["since"]
    until = began + hook.deadline_seconds
    said = ("", 0.0)
    phase = PROGRESSING
    while not (reply := _reply(context, hook, watch, phase)).agrees:
        phase = phase_of(context.spec, context.state) if hook.type == CONFIRM_ROLLOUT else PROGRESSING
        words = _note(context, hook, reply)
        moment = context.process.clock()
        if moment >= until:
            raise _nobody_agreed(context, hook, reply, f"{words}; it did not agree within {spoken_seconds(hook.deadline_seconds)}")
        if words != said[0] or moment - said[1] >= QUIET_SECONDS:
            last = datetime.fromtimestamp(until).strftime("%H:%M:%S")
            again = f"asked again every {spoken_seconds(hook.interval_seconds)} until {last}, then {hook.on_deadline}"
            _journal(context)
            context.live.say("hold", f"{words} ({again})", muted=hook.mute_alert)
            said = (words, moment)
        wake = min(moment + hook.interval_seconds, until)
        while (left := wake - context.process.clock()) > 0:
            watch.poll(min(PAUSE_SECONDS, left))
            between()


def _nobody_agreed(context: Context, hook: WebhookSpec, reply: Reply, words: str) -> TurnBack:
    context.state.webhooks.pop("waiting")
    outcome = PARKED if hook.on_deadline == PARK else ROLLED_BACK
    kept = context.spec.control.parked_weight
    return TurnBack("not_confirmed", words, outcome=outcome, gentle=True, evidence=_evidence(hook, reply), weight_percent=kept)


class Inquiry:
    """A webhook that is asked again and again beside the release, one question at a time."""

    def __init__(self, context: Context, hook: WebhookSpec) -> None:
        self._context = context
        self.hook = hook
        self._asking: Asking[Reply] | None = None
        self._outdated = False
        self._next_at = 0.0
        self.last: Reply | None = None  # of an answer that counts
        self.left_out = False

    @property
    def agrees(self) -> bool:
        """Whether its last answer was a yes, or nobody listens to it any more."""
        return self.left_out or (self.last is not None and self.last.agrees)

    def renew(self) -> None:
        """What was agreed to has changed: ask at once, and let no answer count to a question from before."""
        self.last, self._next_at, self._outdated = None, 0.0, self._asking is not None

    def poll(self) -> Reply | None:
        """An answer that has come since the last poll. Asks when it is time."""
        context, moment = self._context, self._context.process.clock()
        if self._asking is None and moment >= self._next_at:
            self._next_at = moment + self.hook.interval_seconds
            phase = phase_of(context.spec, context.state) if self.hook.type == ROLLBACK else PROGRESSING
            self._asking = _question(context, self.hook, phase)
        if self._asking is None or not self._asking.is_over():
            return None
        reply, self._asking = self._asking.answer(_late(self.hook)), None
        if self._outdated:
            self._outdated = False
            return None
        self.last = reply
        return reply


class Standing:
    """The webhooks that are asked all the time: rollback as long as the release runs, rollout while the canary has requests."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rollback = [Inquiry(context, hook) for hook in of(context.spec, ROLLBACK)]
        self._rollout = [Inquiry(context, hook) for hook in of(context.spec, ROLLOUT)]
        self._silent: set[str] = set()

    @property
    def agrees(self) -> bool:
        """Whether every rollout webhook agrees to the present share."""
        return all(one.agrees for one in self._rollout)

    def renew(self) -> None:
        """The canary has another share now: its webhooks are to agree to it."""
        for one in self._rollout:
            one.renew()

    def check(self, *, serving: bool) -> None:
        """Hear what was answered, ask where it is time. Raises TurnBack when a rollback is asked for or refusals are too many."""
        for one in self._rollback:
            reply = one.poll()
            if reply is not None:
                self._signal(one.hook, reply)
        for one in self._rollout if serving else ():
            before, reply = one.last, one.poll()
            if reply is not None and reply.agrees and before is not None and not before.agrees:
                self._context.live.say("webhook", f"{one.hook.title} agrees again", muted=one.hook.mute_alert)
            elif reply is not None and not reply.agrees and not one.left_out:
                self._refused(one, reply)

    def _signal(self, hook: WebhookSpec, reply: Reply) -> None:
        """A refusal is the usual answer here; that nobody answers is told once."""
        if reply.agrees:
            words = f"{hook.title} at {hook.shown} asks for it: {reply}"
            raise TurnBack("rollback_webhook", words, evidence=_evidence(hook, reply))
        if reply.status is not None:
            self._silent.discard(hook.name)
        elif hook.name not in self._silent:
            self._silent.add(hook.name)
            self._context.live.say("warning", _note(self._context, hook, reply), muted=hook.mute_alert)

    def _refused(self, one: Inquiry, reply: Reply) -> None:
        """Hold; at the threshold a no returns traffic, and silence ends by release_on_inconclusive."""
        context, hook, policy = self._context, one.hook, self._context.spec.on_inconclusive
        refusals = context.state.webhooks.setdefault("refusals", {})
        refusals[hook.name] = refusals.get(hook.name, 0) + 1
        words = f"{_note(context, hook, reply)} (refusal {refusals[hook.name]} of {hook.threshold})"
        if refusals[hook.name] < hook.threshold:
            _journal(context)
            context.live.say("hold", words, muted=hook.mute_alert)
            return
        if reply.status is not None:
            raise TurnBack("webhook", words, evidence=_evidence(hook, reply))
        if policy == "promote":
            one.left_out = True
            context.live.say("warning", f"{words}; release_on_inconclusive is promote: goes on without it", muted=hook.mute_alert)
            return
        refusals.pop(hook.name)
        outcome = PARKED if policy == "ask" else ROLLED_BACK
        words = f"{words}; release_on_inconclusive is {policy}"
        raise TurnBack("webhook", words, outcome=outcome, gentle=True, evidence=_evidence(hook, reply))


def tell_ending(context: Context, outcome: str, reason: str) -> None:
    """Tell post-rollout and event webhooks how the release ended. Traffic is home by now; nothing in here changes the ending."""
    phase = final_phase(outcome)
    asked = [(hook, _question(context, hook, phase)) for hook in of(context.spec, POST_ROLLOUT)]
    for hook, asking in asked:
        while not asking.is_over(PAUSE_SECONDS):
            with contextlib.suppress(Unreachable):
                context.keep_lease()
        reply = asking.answer(_late(hook))
        if reply.agrees:
            context.live.say("webhook", f"{hook.title} was told")
        else:
            context.live.say("warning", f"{_note(context, hook, reply)}; the ending stands", muted=hook.mute_alert)
    lost = [hook.title for hook in context.spec.webhooks if hook.lost_secrets]
    if lost:
        context.live.say("warning", f"not told, for the record has only hashes of their URLs: {', '.join(lost)}")
    context.events.tell(f"{outcome}: {reason}", phase=phase, warning=phase != SUCCEEDED)


def flush(context: Context) -> None:
    """Let events that are still to be sent go out, for a little while."""
    for trouble in context.events.flush():
        context.live.say("warning", trouble, muted=True)


def _question(context: Context, hook: WebhookSpec, phase: str) -> Asking[Reply]:
    """Ask beside the release. The message is made here: what a thread reads must not change meanwhile."""
    asked, body = request(hook, context.state.release_id), message(context.spec, context.target, hook, phase)
    seconds = longest_seconds(hook.timeout_seconds, hook.retries)
    return Asking(lambda: post_patiently(asked, body, hook.retries), seconds=seconds)


def _reply(context: Context, hook: WebhookSpec, watch: Watches, phase: str) -> Reply:
    """Ask, and check everything until there is an answer."""
    return beside(watch, _question(context, hook, phase), late=_late(hook))


def _late(hook: WebhookSpec) -> Reply:
    return Reply(None, f"not within {longest_seconds(hook.timeout_seconds, hook.retries):g} s")


def _note(context: Context, hook: WebhookSpec, reply: Reply) -> str:
    """Put a refusal into the record's memory; its words."""
    words = f"{hook.title}: POST to {hook.shown}: {reply}"
    answers = context.state.webhooks.setdefault("answers", [])
    if answers and answers[-1]["said"] == words:
        answers[-1].update(last_at=now(), times=answers[-1]["times"] + 1)
    else:
        answers.append({"said": words, "at": now(), "last_at": now(), "times": 1})
    del answers[:-KEPT_ANSWERS]
    return words


def _evidence(hook: WebhookSpec, reply: Reply) -> JSON:
    return {"webhook": hook.name, "type": hook.type, "url": hook.shown, "status": reply.status, "answer": reply.text}


def _journal(context: Context) -> None:
    """The release does not stop because its record cannot be written just now."""
    with contextlib.suppress(Unreachable):
        context.write(context.state.doing)
