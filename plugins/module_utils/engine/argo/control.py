# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a release that Argo Rollouts moves: what the table says of the Rollout's phase, written as Argo's own kubectl plugin writes it.

They go to the Rollout at once, and to the record, so that its runner tells them and keeps who gave them and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ...cluster.errors import ClusterError, Conflict, Superseded
from ...cluster.session import Session
from ...release import record
from ...release.command import OPTIONS, Command
from ...release.commands import ask
from ...release.ending import ABORTED, PROMOTED, ROLLED_BACK, TurnBack
from ...release.record import Record
from ...release.saved import spec_from
from ...release.spec import is_pinned_or_tagged
from ...release.target import Refused
from ...release.values import Problem
from .. import native
from ..assemble import Caller
from ..table import NOTHING, REFUSED, Effect
from . import api, back, engine, table
from .phase import INCONCLUSIVE_REASON, PAUSED_APPROVAL, PAUSED_BY_HAND, fully_promoted, phase_of, step_index, steps_of
from .summary import summary

JSON = dict[str, Any]
ATTEMPTS = 8
POLL_SECONDS = 0.25
PREVIOUS = "previous"
UNKNOWN = {
    "for_seconds": "a Rollout is paused until somebody resumes it",
    "then": "a Rollout is paused until somebody resumes it",
    "weight_percent": "a Rollout that is paused keeps its weight; abort returns it",
    "step": "a Rollout waits at one place at a time",
}


@dataclass(frozen=True)
class Order:
    """A command, and all that obeying it needs."""

    session: Session
    command: Command
    caller: Caller
    known: Record
    rollout: JSON | None
    effect: Effect

    def problem(self, allowed: str, field: str = "command", value: Any = None) -> Refused:
        """The refusal of the command."""
        return Refused([Problem(field, value or self.command.command, allowed)])

    def result(self, *, changed: bool, said: str = "") -> JSON:
        """What the verb gives back, of the record and the Rollout as they are now."""
        known = record.load(self.session, self.known.namespace, self.command.name) or self.known
        return {**summary(self.session, known), "changed": changed, "said": said or self.effect.said, "acknowledged": True}


def control(session: Session, command: Command, caller: Caller, *, check_mode: bool = False) -> JSON:
    """Give a release a command. Raises Refused when it is impossible, with nothing changed."""
    known = native.known_release(session, command.namespace, command.name)
    _options(command)
    for _attempt in range(ATTEMPTS):
        rollout = session.find(api.ROLLOUT, known.namespace, known.target["rollout"])
        effect = table.effect_of(command.command, _met(command, rollout), full=command.full)
        order = Order(session, command, caller, known, rollout, effect)
        if effect.kind == REFUSED:
            raise order.problem(effect.said)
        if effect.kind == NOTHING:
            return order.result(changed=False)
        try:
            if check_mode and effect.act not in (table.RUN, table.BACK):
                return order.result(changed=_would_change(order))
            return _ACTS[effect.act](order, check_mode)
        except Conflict:
            session.sleep(POLL_SECONDS)
            known = native.known_release(session, command.namespace, command.name)
    raise ClusterError(f"Rollout {known.target['rollout']} changes all the time; try again")


def _met(command: Command, rollout: JSON | None) -> str:
    """The phase that a command meets. A pause by hand over an approval does not let promote pass that."""
    phase = phase_of(rollout)
    if rollout is None or phase != PAUSED_BY_HAND or command.command != "promote" or command.full:
        return phase
    beneath = phase_of({**rollout, "spec": {**rollout["spec"], "paused": False}})
    return beneath if beneath == PAUSED_APPROVAL else phase


def _options(command: Command) -> None:
    """Options that Argo has no word for."""
    problems = [
        Problem(option, getattr(command, option), f"nothing: {why}")
        for option, why in UNKNOWN.items()
        if getattr(command, option) is not None and option in OPTIONS
    ]
    if problems:
        raise Refused(problems)


def _would_change(order: Order) -> bool:
    if order.effect.act == table.END:
        return order.known.unfinished
    return True


def _rollout(order: Order) -> JSON:
    if order.rollout is None:
        raise order.problem("a Rollout: it is gone")
    return order.rollout


def _pause(order: Order, _check: bool) -> JSON:
    api.patch_spec(order.session, _rollout(order), {"paused": True})
    return _noted(order)


def _resume(order: Order, _check: bool) -> JSON:
    api.patch_spec(order.session, _rollout(order), {"paused": False})
    return _noted(order)


def _skip(order: Order, _check: bool) -> JSON:
    """As `kubectl argo rollouts promote`: what holds it is taken off; where nothing does, the step counts as done."""
    rollout = _rollout(order)
    status = rollout.get("status") or {}
    was_inconclusive = INCONCLUSIVE_REASON in [one.get("reason") for one in status.get("pauseConditions") or []]
    if rollout["spec"].get("paused"):
        rollout = api.patch_spec(order.session, rollout, {"paused": False})
    changes: JSON = {}
    if status.get("pauseConditions"):
        changes["pauseConditions"] = None
    if was_inconclusive:
        changes["controllerPause"] = False
    index = step_index(rollout)
    if index is not None and (was_inconclusive or not status.get("pauseConditions")):
        changes["currentStepIndex"] = min(index + 1, len(steps_of(rollout)))
    if changes:
        api.patch_status(order.session, rollout, changes)
    return _noted(order)


def _clear(order: Order, _check: bool) -> JSON:
    api.patch_status(order.session, _rollout(order), {"pauseConditions": None})
    return _noted(order)


def _promote_full(order: Order, _check: bool) -> JSON:
    rollout = _rollout(order)
    if (rollout.get("status") or {}).get("promoteFull") and not rollout["spec"].get("paused"):
        return order.result(changed=False, said="it is being promoted to the end already")
    if rollout["spec"].get("paused"):
        rollout = api.patch_spec(order.session, rollout, {"paused": False})
    if not fully_promoted(rollout):
        api.patch_status(order.session, rollout, {"promoteFull": True})
    return _noted(order)


def _abort(order: Order, _check: bool) -> JSON:
    """Argo's abort at once, then the rest by the runner; by ourselves where it does not answer, or where there is none."""
    session, command, known = order.session, order.command, order.known
    is_rejected = command.command == "reject"
    verb, outcome = ("rejected", ROLLED_BACK) if is_rejected else ("aborted", ABORTED)
    request = {"by": command.by, "reason": command.reason, "at": record.now(), "verb": verb, "outcome": outcome}
    if known.unfinished:
        record.ask_abort(session, known, request)
    changed = back.abort(session, order.rollout)
    if not known.unfinished:
        return order.result(
            changed=changed, said=f"{order.effect.said}; the release of this record is over, so its template is left as it is"
        )
    if _await_ending(order) is None:
        return _end_it(order, TurnBack(verb, f"{verb} by {command.by}: {command.reason or 'no reason given'}", outcome=outcome))
    return order.result(changed=True)


def _end(order: Order, _check: bool) -> JSON:
    """End a record that stands open though nothing is under way."""
    if not order.known.unfinished:
        return order.result(changed=False)
    return _abort(order, _check)


def _end_it(order: Order, why: TurnBack) -> JSON:
    """Take the release over and return it from here. Raises ClusterError while traffic is not home."""
    known = record.load(order.session, order.known.namespace, order.command.name)
    if known is None or not known.unfinished:
        return order.result(changed=True)
    try:
        held = engine.take_over(order.session, known, order.caller, by_force=True)
        back.go_back(held, why)
    except Superseded:
        return order.result(changed=True, said="another runner returns it just now")
    return order.result(changed=True)


def _await_ending(order: Order) -> Record | None:
    """The ended record; None when no runner has begun to return traffic after five seconds, or none lives."""
    process, began = order.caller.process, order.caller.process.clock()
    while process.clock() - began < native.ABORT_SECONDS:
        known = record.load(order.session, order.known.namespace, order.command.name)
        if known is None or not known.unfinished:
            return known or order.known
        if native.runner_is_dead(order.session, known):
            return None
        if known.state.phase == "running" and process.clock() - began > native.ACKNOWLEDGE_SECONDS:
            return None
        process.sleep(POLL_SECONDS)
    return None


def _run(order: Order, check_mode: bool) -> JSON:
    """Run it again, or go on with one that nobody runs."""
    known, begun = order.known, _begun(order.command)
    if not known.unfinished and known.state.outcome == PROMOTED:
        return order.result(changed=False, said="it was promoted: there is nothing to retry")
    if known.state.phase == "returning":
        raise order.problem("a release that is not on its way back; finish that with abort")
    if known.unfinished and native.runner_lives(order.session, known, order.caller):
        if (order.rollout or {}).get("status", {}).get("abort"):
            raise order.problem("a release that nobody returns just now: its runner has seen the abort; retry it when it has ended")
        return order.result(changed=False, said="its runner is alive and goes on with it")
    if order.rollout is not None and order.rollout.get("status", {}).get("abort") and known.unfinished and not check_mode:
        api.patch_status(order.session, order.rollout, {"abort": False})
    return engine.start(order.session, spec_from(known.spec), order.caller, check_mode=check_mode, begun=begun)


def _back(order: Order, check_mode: bool) -> JSON:
    """Release an earlier version by the same Rollout, fully promoted: no step and no analysis keeps it back."""
    known, command = order.known, order.command
    if known.unfinished:
        raise order.problem(f"a release that has ended; this one is {known.state.phase}: abort returns its traffic")
    begun, to = known.state.control.get("begun") or {}, command.to or PREVIOUS
    if to == PREVIOUS and (known.state.outcome != PROMOTED or begun.get("command") == "rollback"):
        serves = known.state.image if known.state.outcome == PROMOTED else known.target["stable_image"]
        return order.result(changed=False, said=f"{serves} serves already: the release was {known.state.outcome}")
    spec = spec_from(known.spec)
    if to == PREVIOUS and spec.template_patch:
        raise order.problem("an image: this release changed more than that", "to", PREVIOUS)
    image = known.target["stable_image"] if to == PREVIOUS else to
    if not is_pinned_or_tagged(image):
        raise order.problem("previous, or an image reference with a tag or a digest", "to", to)
    order.caller.live_emit(f"rollback of {spec.name} from {known.state.image} to {image}, as a release of its own")
    backward = replace(spec, image=image, template_patch=None)
    return engine.start(order.session, backward, order.caller, check_mode=check_mode, begun={**_begun(command), "from": known.state.image})


def _forget(order: Order, _check: bool) -> JSON:
    """Remove the record. The Rollout owns the pods that users get: it stays, with its Services and templates."""
    known, command = order.known, order.command
    if known.unfinished:
        if native.runner_lives(order.session, known, order.caller):
            raise order.problem(f"a release that nobody runs: abort it first ({order.caller.next_abort})")
        _end_it(order, TurnBack("cleanup", f"cleaned up by {command.by}: {command.reason or 'no reason given'}", outcome=ABORTED))
    told = order.result(changed=True)
    order.session.delete("ConfigMap", known.namespace, known.name)
    return {**told, "next_commands": []}


def _noted(order: Order) -> JSON:
    """Leave the command on the record of a release under way: its runner tells it."""
    if order.known.unfinished:
        try:
            ask(order.session, order.known, order.command.asked(record.now()))
        except Superseded:
            return order.result(changed=True)
    return order.result(changed=True)


def _begun(command: Command) -> JSON:
    return {"command": command.command, "by": command.by, "reason": command.reason}


_ACTS: dict[str, Callable[[Order, bool], JSON]] = {
    table.PAUSE: _pause,
    table.RESUME: _resume,
    table.SKIP: _skip,
    table.FULL: _promote_full,
    table.CLEAR: _clear,
    table.ABORT: _abort,
    table.END: _end,
    table.RUN: _run,
    table.BACK: _back,
    table.FORGET: _forget,
}
