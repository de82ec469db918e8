# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a release that Flagger drives: what the table says of the phase that its Canary is in, done to the Canary itself.

Nobody waits for a runner: Flagger obeys its object whether a runner of ours lives or not. Only abort asks a living runner first.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...cluster.errors import Conflict, NotFound, Superseded
from ...cluster.patch import Operation, replace
from ...cluster.session import Session
from ...release import record
from ...release.command import Command
from ...release.commands import ask, clock_time
from ...release.ending import ABORTED, PASSED, PROMOTED, ROLLED_BACK, TurnBack
from ...release.record import Record
from ...release.saved import spec_from
from ...release.spec import is_pinned_or_tagged
from ...release.target import Refused
from ...release.values import Problem
from .. import native
from ..assemble import Caller
from ..commands import backward
from ..table import DOES, NOTHING, Effect
from . import approvals, run, table
from .canary import INITIALIZED, READY, View, view
from .drive import APPROVED, PAUSED, SKIPS, amend, annotate, put
from .summary import summary

JSON = dict[str, Any]
PREVIOUS = "previous"
OF_A_RUNNING_ONE = ("pause", "resume", "promote", "approve", "reject")


@dataclass(frozen=True)
class Given:
    """A command, and the release that it meets."""

    session: Session
    command: Command
    caller: Caller
    known: Record
    here: View

    def problem(self, allowed: str, *, field: str = "command", value: Any = None) -> Refused:
        """A refusal."""
        return Refused([Problem(field, value or self.command.command, allowed)])

    def answer(self, changed: bool, said: str) -> JSON:
        """What came of it, with where the release stands now."""
        known = native.known_release(self.session, self.command.namespace, self.command.name)
        now = self.caller.process.clock()
        return {**summary(self.session, known, now=now), "changed": changed, "said": said, "acknowledged": True}

    def amend(self, change: Callable[[JSON], list[Operation]]) -> None:
        """Patch the Canary."""
        name = self.known.target["canary"]
        amend(self.session, "Canary", self.known.namespace, name, change, sleep=self.caller.process.sleep)

    def note(self, said: str) -> None:
        """Leave the command on the record, so that it is remembered who gave it. One that has ended meanwhile needs no note."""
        body = {**self.command.asked(record.now()), "said": said}
        with contextlib.suppress(Superseded, Conflict, NotFound):
            ask(self.session, self.known, body)


def control(session: Session, command: Command, caller: Caller, *, check_mode: bool = False) -> JSON:
    """Give a release a command. Raises Refused when it is impossible, with nothing changed."""
    known = native.known_release(session, command.namespace, command.name)
    here = view(session.find("Canary", known.namespace, known.target["canary"]))
    given = Given(session, command, caller, known, here)
    effect = table.effect_of(command.command, column(known, here), ended=not known.unfinished)
    if said := _settled(given):
        return given.answer(False, said)
    how = "" if known.unfinished or command.command not in ("abort", *OF_A_RUNNING_ONE) else f": {known.state.outcome}"
    if effect.kind == NOTHING:
        return given.answer(False, effect.said + how)
    if effect.kind != DOES:
        raise given.problem(effect.said + how)
    return ACTS[effect.act](given, effect, check_mode)


def column(known: Record, here: View) -> str:
    """The phase by which the table is read. What stands of an earlier release while Flagger has not seen this one is no ending."""
    stamp = (known.state.control.get("flagger") or {}).get("stamp")
    if known.unfinished and here.phase in READY and (stamp is None or here.stamp == stamp):
        return INITIALIZED
    return here.phase


def _settled(given: Given) -> str:
    """What is so already by the record alone; empty where the table decides. Raises Refused."""
    state, verb, unfinished = given.known.state, given.command.command, given.known.unfinished
    if verb in OF_A_RUNNING_ONE and unfinished and given.known.abort:
        raise given.problem(f"nothing but abort: {given.known.abort.get('by')} is aborting release {state.release_id}")
    if verb == "retry" and state.phase == "ended" and state.outcome in (PROMOTED, PASSED):
        return f"it was {state.outcome}: there is nothing to retry"
    if verb == "retry" and unfinished and native.runner_lives(given.session, given.known, given.caller):
        return "its runner is alive and goes on with it"
    return ""


def _suspend(given: Given, effect: Effect, check_mode: bool) -> JSON:
    command, control_spec = given.command, spec_from(given.known.spec).control
    if command.weight_percent is not None:
        raise given.problem("nothing: a suspended Canary keeps its weight; abort returns traffic", field="weight_percent", value=0)
    if not check_mode:
        now = given.caller.process.clock()
        until = now + (command.for_seconds or control_spec.pause_seconds)
        then = command.then or control_spec.on_pause_end
        mark = {"by": command.by, "reason": command.reason, "since": now, "until": until, "then": then}
        given.amend(lambda found: [*put(found, "suspend", True), *annotate(found, {PAUSED: json.dumps(mark, sort_keys=True)})])
        given.note(f"{effect.said}, or until {clock_time(until)}, then {then}")
    return given.answer(True, effect.said)


def _unsuspend(given: Given, effect: Effect, check_mode: bool) -> JSON:
    if not check_mode:
        given.amend(lambda found: [*put(found, "suspend", False), *annotate(found, {PAUSED: None})])
        given.note(effect.said)
    return given.answer(True, effect.said)


def _skip_analysis(given: Given, effect: Effect, check_mode: bool) -> JSON:
    if not given.command.full:
        allowed = "full: true, or nothing: Flagger cannot skip the rest of one weight, it stays one interval at each"
        raise given.problem(allowed, field="full", value=False)
    spec = spec_from(given.known.spec)
    if approvals.only_reports(spec):
        raise given.problem("a release that promotes: this A/B test only reports; abort ends it")
    if waits := approvals.open_ones(spec, _approved(given)):
        raise given.problem(f"a release without open approvals; approve {', '.join(waits)} first")
    mark = {SKIPS: given.known.state.release_id, PAUSED: None}
    found = given.session.find("Canary", given.known.namespace, given.known.target["canary"]) or {"metadata": {}, "spec": {}}
    if not [*put(found, "skipAnalysis", True), *put(found, "suspend", False), *annotate(found, mark)]:
        return given.answer(False, "Flagger is to skip its analysis already")
    if not check_mode:
        given.amend(lambda found: [*put(found, "skipAnalysis", True), *put(found, "suspend", False), *annotate(found, mark)])
        given.note(effect.said)
    return given.answer(True, effect.said)


def _approved(given: Given) -> JSON:
    found = given.session.find("Canary", given.known.namespace, given.known.target["canary"]) or {"metadata": {}}
    approved: JSON = json.loads((found["metadata"].get("annotations") or {}).get(APPROVED) or "{}")
    return approved


def _approve(given: Given, effect: Effect, check_mode: bool) -> JSON:
    name, approved = _meant(given), _approved(given)
    if name in approved:
        return given.answer(False, f"{name} is approved by {approved[name]['by']} already")
    after = {**approved, name: {key: getattr(given.command, key) for key in ("by", "reason")} | {"at": record.now()}}
    spec = spec_from(given.known.spec)

    def change(found: JSON) -> list[Operation]:
        kept = {key: value for key, value in found["spec"]["analysis"].items() if f"spec.analysis.{key}" not in approvals.FIELDS}
        analysis = kept | approvals.analysis(spec, after)
        return [replace("/spec/analysis", analysis), *annotate(found, {APPROVED: json.dumps(after, sort_keys=True)})]

    said = f"{name}: {effect.said}"
    if not check_mode:
        given.amend(change)
        given.note(said)
    return given.answer(True, said)


def _meant(given: Given) -> str:
    """The approval that is meant: the one that is named, or the next one. Raises Refused."""
    spec = spec_from(given.known.spec)
    every, approved = approvals.asked(spec), _approved(given)
    if not every:
        where = "the webhooks of the adopted Canary are its own gates: open them there" if spec.adopt else "this one asks for none"
        raise given.problem(f"a release that asks for approvals; {where}")
    named = given.command.step
    if named and named not in every:
        raise given.problem(f"a step that an approval is asked for: {', '.join(every)}", field="step", value=named)
    waits = approvals.open_ones(spec, approved)
    if not named and not waits:
        return every[-1]
    return named or waits[0]


def _return_traffic(given: Given, effect: Effect, check_mode: bool) -> JSON:
    """Ask the runner, and do it from here when it has not begun to within five seconds, or is dead."""
    command, known = given.command, given.known
    rejects = command.command == "reject"
    step = _meant(given) if rejects else ""
    if rejects and step in _approved(given):
        raise given.problem(f"an approval that nobody has given; {step} is approved: abort returns traffic")
    if check_mode:
        return given.answer(True, effect.said)
    said = command.reason or "no reason given"
    reason = f"{step} was rejected by {command.by}: {said}" if rejects else f"aborted by {command.by}: {said}"
    request = {"by": command.by, "reason": command.reason, "at": record.now()}
    if rejects:
        request |= {"said": reason, "outcome": ROLLED_BACK}
    record.ask_abort(given.session, known, request)
    alive = not native.runner_is_dead(given.session, known)
    ended = native.await_ending(given.session, known.namespace, command.name, given.caller.process) if alive else None
    if ended is not None:
        return given.answer(True, effect.said)
    again = native.known_release(given.session, known.namespace, command.name)
    drive = run.take_over(given.session, spec_from(again.spec), again, given.caller, by_force=True)
    run.back(drive, TurnBack("aborted", f"{reason} (no runner answered)", outcome=ROLLED_BACK if rejects else ABORTED))
    return given.answer(True, effect.said)


def _start(given: Given, effect: Effect, check_mode: bool) -> JSON:
    spec, earlier = spec_from(given.known.spec), given.known.state.control.get("begun") or {}
    if spec.prometheus_access.lost_secrets and spec.gates:
        raise given.problem(
            "a release whose record holds all that it needs; of what lets us into Prometheus it holds hashes: run your playbook"
        )
    begun = {**_begun(given), **({"command": "rollback"} if earlier.get("command") == "rollback" else {})}
    return run.start(given.session, spec, given.caller, check_mode=check_mode, begun=begun)


def _begun(given: Given) -> JSON:
    return {"command": given.command.command, "by": given.command.by, "reason": given.command.reason}


def _release_earlier(given: Given, effect: Effect, check_mode: bool) -> JSON:
    """Release an earlier version through the same Canary, without its analysis."""
    state, to = given.known.state, given.command.to or PREVIOUS
    begun = state.control.get("begun") or {}
    if to == PREVIOUS and (state.outcome != PROMOTED or begun.get("command") == "rollback"):
        serves = state.image if state.outcome == PROMOTED else given.known.target["stable_image"]
        return given.answer(False, f"{serves} serves already: the release was {state.outcome}")
    spec = spec_from(given.known.spec)
    if to == PREVIOUS and spec.template_patch:
        raise given.problem("an image: this release changed more than that", field="to", value=PREVIOUS)
    image = given.known.target["stable_image"] if to == PREVIOUS else to
    if not is_pinned_or_tagged(image):
        raise given.problem("previous, or an image reference with a tag or a digest", field="to", value=to)
    given.caller.live_emit(f"rollback of {spec.name} from {state.image} to {image}: {effect.said}")
    begun = {**_begun(given), "from": state.image}
    return run.start(given.session, backward(spec, image), given.caller, check_mode=check_mode, begun=begun)


def _forget(given: Given, effect: Effect, check_mode: bool) -> JSON:
    """Remove the record. The Canary owns the primary and the route: it stays."""
    known, before = given.known, summary(given.session, given.known, now=given.caller.process.clock())
    if known.unfinished and native.runner_lives(given.session, known, given.caller):
        raise given.problem(f"a release that nobody runs: abort it first ({given.caller.next_abort})")
    result = {**before, "changed": True, "said": effect.said, "next_commands": []}
    if not check_mode:
        drive = run.take_over(given.session, spec_from(known.spec), known, given.caller)
        run.let_go(drive)
        given.session.delete("ConfigMap", known.namespace, known.name)
        drive.lease.release()
    return result


ACTS: dict[str, Callable[[Given, Effect, bool], JSON]] = {
    table.SUSPEND: _suspend,
    table.UNSUSPEND: _unsuspend,
    table.SKIP: _skip_analysis,
    table.APPROVE: _approve,
    table.RETURN: _return_traffic,
    table.START: _start,
    table.BACK: _release_earlier,
    table.FORGET: _forget,
}
