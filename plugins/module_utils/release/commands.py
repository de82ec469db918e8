# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command does to a release: one pure function, asked by who gives it (is it possible, would it change anything) and by the runner.

What stands of the commands is State.control: obeyed (the number of the last one), log, pause, skip, approvals, waiting,
parked, stuck, words and outside (release.approval_words), and of a pause: zeroed (traffic was returned), stopped (a rolling update was).
A command is JSON: number, command, by, reason, at, and its options.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..cluster.errors import Conflict, Superseded
from ..cluster.patch import expect, pointer, replace
from ..cluster.session import Session
from ..traffic.route import EPOCH
from .approval_words import COMMAND_LINE, asked_at, decided, stands, unix, with_word
from .approvals import Approval
from .plan import TRAFFIC, Step
from .record import COMMANDS, Record
from .record import load as load_record

JSON = dict[str, Any]
WAITS = ("bake", "analyze", "verify")  # kinds of step that a promote ends
TOO_LATE = ("promote", "clean_up")  # kinds of step in which the version is on its way to everybody
PARKED_STEP = "parked"  # what an approval of a release is called that was parked by its gates
KEPT = 20
ATTEMPTS = 8


@dataclass(frozen=True)
class Moment:
    """Where a release is when a command meets it. now is Unix time."""

    phase: str
    steps: Sequence[Step]
    index: int
    now: float
    pause_seconds: float
    on_pause_end: str

    @property
    def step(self) -> Step:
        """The present step."""
        return self.steps[min(self.index, len(self.steps) - 1)]

    @property
    def has_swapped(self) -> bool:
        """Whether, by a swap, the new Deployment has taken the old one's place."""
        return self.step.kind in ("warm", "clean_up") and any(step.kind == "warm" for step in self.steps)


@dataclass
class Effect:
    """What a command leads to. control is what stands afterwards; said tells people; refused says why it is impossible."""

    control: JSON
    said: str = ""
    refused: str = ""
    changed: bool = True
    ends_step: bool = False  # the present step stops waiting; the runner sees what comes next
    rejected: str = ""  # traffic returns, for this reason
    step: str = ""  # the approval that was meant


def effect(control: Mapping[str, Any], command: Mapping[str, Any], moment: Moment) -> Effect:
    """What command does at this moment. Pure; a command that asks for what stands already changes nothing."""
    if moment.phase in ("returning", "ended"):
        return Effect(dict(control), refused=f"a release that is running or parked; this one is {moment.phase}", changed=False)
    return _EFFECTS[command["command"]](dict(control), command, moment)


def _pause(control: JSON, command: Mapping[str, Any], moment: Moment) -> Effect:
    if moment.step.kind in TOO_LATE and not control.get("pause"):  # a pause holds the step that comes next
        return Effect(control, refused="not possible any more: stable takes the version already; let it end, or abort", changed=False)
    if moment.phase == "parked":
        return Effect(control, refused="nothing: a parked release stands still; go on with retry, or abort", changed=False)
    if command.get("weight_percent") == 0 and any(step.kind == "roll" for step in moment.steps):
        return Effect(
            control, refused="a release that steers a route: new pods of a rolling update keep their share; abort it", changed=False
        )
    if command.get("weight_percent") == 0 and moment.has_swapped:
        why = "the new Deployment has the old one's place, and the old one gets traffic again only when the release goes back; abort it"
        return Effect(control, refused=f"a release that has not swapped yet: {why}", changed=False)
    now: JSON = control.get("pause") or {}
    asked = {"for_seconds": command.get("for_seconds"), "then": command.get("then"), "to_zero": command.get("weight_percent") == 0}
    if now and all(value in (None, False, now["asked"][key]) for key, value in asked.items()):
        return Effect(control, said="it is paused already", changed=False)
    seconds = asked["for_seconds"] or moment.pause_seconds
    control["pause"] = {
        "by": command["by"],
        "reason": command["reason"],
        "since": now.get("since", moment.now),
        "until": moment.now + seconds,
        "then": asked["then"] or moment.on_pause_end,
        "to_zero": asked["to_zero"] or now.get("to_zero", False),
        "asked": asked,
    }
    where = "with all traffic on stable" if control["pause"]["to_zero"] else "where it is"
    said = f"paused {where} until {clock_time(moment.now + seconds)}, then {control['pause']['then']}"
    return Effect(control, said, ends_step=asked["to_zero"] or moment.step.kind not in (*WAITS, "experiment", "approve", "warm"))


def _resume(control: JSON, command: Mapping[str, Any], moment: Moment) -> Effect:
    if not control.pop("pause", None):
        return Effect(control, said="it is not paused", changed=False)
    return Effect(control, "goes on")


def _promote(control: JSON, command: Mapping[str, Any], moment: Moment) -> Effect:
    if any(step.kind == "experiment" for step in moment.steps):
        return Effect(
            control, refused="a release that makes no experiment: one ends by what it shows; to end it now, abort it", changed=False
        )
    if moment.step.kind in TOO_LATE or moment.has_swapped:
        if control.pop("pause", None):
            return Effect(control, "goes on")
        return Effect(control, said="it is being promoted already", changed=False)
    shares = [number for number, step in enumerate(moment.steps) if step.kind in TRAFFIC]
    found = (_promote_to_the_end if command.get("full") else _promote_once)(control, command, moment, shares)
    if not found.changed:
        return found
    found.control = {key: value for key, value in found.control.items() if key != "pause"}
    found.ends_step = skips(found.control, moment.steps, moment.index)
    return found


def _promote_to_the_end(control: JSON, command: Mapping[str, Any], moment: Moment, shares: list[int]) -> Effect:
    last = shares[-1]
    if (control.get("skip") or {}).get("full") or moment.index > last:
        return Effect(control, said=f"it is on its way to {moment.steps[last].name} or past it already", changed=False)
    skip = {"full": True, "until": last, "by": command["by"], "reason": command["reason"]}
    return Effect({**control, "skip": skip}, f"goes straight to {moment.steps[last].name}; evidence of harm still returns traffic")


def _promote_once(control: JSON, command: Mapping[str, Any], moment: Moment, shares: list[int]) -> Effect:
    now: JSON = control.get("skip") or {}
    at = max((number for number in shares if number <= moment.index), default=None)
    if at is None:
        return Effect(control, refused="a release whose canary has traffic: there is no wait to skip yet; or say full: true", changed=False)
    name, named = moment.steps[at].name, command.get("step")
    if named and named != name:
        return Effect(control, said=f"{named} is over or to come: the release is at {name}", changed=False)
    if moment.step.kind == "approve":
        return Effect(control, refused=f"nothing: {moment.step.name} waits for an approval; approve it", changed=False)
    if (now.get("full") and moment.index <= now["until"]) or now.get("at") == at:
        return Effect(control, said="it skips this wait already", changed=False)
    skip = {"full": False, "at": at, "by": command["by"], "reason": command["reason"]}
    return Effect({**control, "skip": skip}, f"skips what is left of the waits after {name}; evidence of harm still returns traffic")


def _approve(control: JSON, command: Mapping[str, Any], moment: Moment) -> Effect:
    approvals: JSON = control.get("approvals") or {}
    name, refusal = _asked_step(control, command, moment)
    if refusal and approvals:
        name = command.get("step") or next(reversed(approvals))
    if refusal and name not in approvals:
        return Effect(control, refused=refusal, changed=False)
    if name in approvals:
        return Effect(control, said=f"{name} is approved by {approvals[name]['by']} already", changed=False)
    word = Approval(command["by"], command["reason"], unix(command["at"]), COMMAND_LINE)
    before = stands(control, moment.steps, name, moment.now)
    if not before.rejected and word.by in [one.by for one in before.counted]:
        return Effect(control, said=f"{word.by} has approved {name} already: {before.said}", changed=False)
    heard = with_word(control, name, word)
    found = stands(heard, moment.steps, name, moment.now)
    if word not in found.counted:
        why = next((why for one, why in found.ignored if one == word), "it does not count")
        return Effect(control, refused=f"an approval of {name} by somebody who is asked: {why}", changed=False)
    heard = decided(heard, name, found)
    return Effect(heard, f"{name} is approved" if found.enough else f"{name} has {found.said}", step=name)


def _reject(control: JSON, command: Mapping[str, Any], moment: Moment) -> Effect:
    name, refusal = _asked_step(control, command, moment)
    if refusal:
        return Effect(control, refused=refusal, changed=False)
    asked, by = asked_at(moment.steps, name), command["by"]
    if asked.of and by not in asked.of:
        allowed = f"a rejection by one of {', '.join(asked.of)}; {by} is not asked, but may abort the release"
        return Effect(control, refused=allowed, changed=False)
    why = f"{name} was rejected by {by}: {command['reason'] or 'no reason given'}"
    return Effect(control, "rejected; traffic returns", rejected=why, step=name)


def _asked_step(control: JSON, command: Mapping[str, Any], moment: Moment) -> tuple[str, str]:
    """The approval that is meant, and why there is none."""
    names = [step.name for number, step in enumerate(moment.steps) if step.kind == "approve" and number >= moment.index]
    waiting = (control.get("waiting") or {}).get("step")
    if moment.phase == "parked":
        name = command.get("step") or waiting or PARKED_STEP
        names = [*names, waiting or PARKED_STEP]
    elif command.get("step") == PARKED_STEP:
        return PARKED_STEP, ""  # it was parked when it was approved, and runs again
    else:
        name = command.get("step") or waiting or (moment.step.name if moment.step.kind == "approve" else "")
    if name in names:
        return name, ""
    if not name:
        ahead = f"; still to come: {', '.join(names)} (name one as step)" if names else ""
        return "", f"a release that waits for an approval{ahead}"
    return "", f"a step that an approval is asked for: {', '.join(names) or 'there is none any more'}"


_EFFECTS: dict[str, Callable[[JSON, Mapping[str, Any], Moment], Effect]] = {
    "pause": _pause,
    "resume": _resume,
    "promote": _promote,
    "approve": _approve,
    "reject": _reject,
}


def skips(control: Mapping[str, Any], steps: Sequence[Step], index: int) -> bool:
    """Whether a promote leaves out the step at index. Approvals, the shares themselves and what is no wait are never left out, unless
    a full one goes straight to the last share."""
    skip = control.get("skip")
    if not skip:
        return False
    kind = steps[index].kind
    if skip["full"]:
        return index < skip["until"] and kind in (*TRAFFIC, "bake", "analyze")
    at = max((number for number, step in enumerate(steps[: index + 1]) if step.kind in TRAFFIC), default=None)
    return kind in WAITS and at == skip["at"]


def foreseen(control: Mapping[str, Any], commands: Sequence[JSON], moment: Moment) -> JSON:
    """What will stand of the commands when those are obeyed that still lie there."""
    found = dict(control)
    for command in unobeyed(control, commands):
        found = effect(found, command, moment).control
    return found


def logged(control: Mapping[str, Any], command: Mapping[str, Any], said: str) -> JSON:
    """control with the command noted as obeyed, so that nobody obeys it twice."""
    entry = {**{key: command.get(key) for key in ("number", "command", "by", "reason", "at")}, "said": said}
    return {**control, "obeyed": command["number"], "log": [*(control.get("log") or []), entry][-KEPT:]}


def unobeyed(control: Mapping[str, Any], commands: Sequence[JSON]) -> list[JSON]:
    """Those that no runner has obeyed or refused yet, oldest first."""
    return [one for one in commands if one["number"] > control.get("obeyed", 0)]


def ask(session: Session, known: Record, command: JSON) -> int:
    """Leave a command on the record; its number. The patch tests the epoch. Raises Superseded when the release ended meanwhile."""
    here = pointer("metadata", "annotations", COMMANDS)
    for _attempt in range(ATTEMPTS):
        waiting = unobeyed(known.state.control, known.commands)
        number = max([known.state.control.get("obeyed", 0), *(one["number"] for one in known.commands)]) + 1
        text = json.dumps([*waiting, {**command, "number": number}], sort_keys=True)
        before = expect(here, json.dumps(known.commands, sort_keys=True))
        operations = [expect(pointer("metadata", "annotations", EPOCH), known.fence), before, replace(here, text)]
        try:
            session.patch("ConfigMap", known.namespace, known.name, operations)
            return number
        except Conflict:
            again = load_record(session, known.namespace, known.name.removeprefix("release-"))
            if again is None or again.state.release_id != known.state.release_id:
                raise Superseded("the release has ended meanwhile, and another one has begun") from None
            known = again
    raise Conflict(f"{known.name} changes all the time; try again")


def clock_time(moment: float) -> str:
    """A Unix time as people read it, with its zone."""
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
