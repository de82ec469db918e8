# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches a Rollout to its ending: one line a change, the requests of people read at every poll. Writes nothing but the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...cluster.errors import ClusterError, NotFound, Superseded, Unreachable
from ...release.approval_words import iso
from ...release.commands import logged, unobeyed
from ...release.ending import ABORTED, TurnBack
from ...release.record import now
from ...report.live import weight_bar
from . import analysis, api
from .held import Held, edits_of
from .phase import (
    ABORTED as PHASE_ABORTED,
)
from .phase import (
    DEGRADED,
    GONE,
    HEALTHY,
    INCONCLUSIVE,
    INVALID,
    PAUSED_APPROVAL,
    PAUSED_BY_HAND,
    PROGRESSING,
    UNOBSERVED,
    canary_weight,
    fully_promoted,
    invalid_because,
    phase_of,
    seen_workload,
    step_index,
    step_name,
    steps_of,
)

JSON = dict[str, Any]
POLL_SECONDS = 1.0
CONTROLLER_SECONDS = 10.0  # between two looks at the controller; so long a new spec may stay unseen
SILENCE_SECONDS = 180.0
WAITS = (PAUSED_APPROVAL, PAUSED_BY_HAND, INCONCLUSIVE)


@dataclass
class Seen:
    """What was told already."""

    weight: int | None = None
    step: int | None = None
    phase: str = ""
    measured: set[tuple[str, str, int]] = field(default_factory=set)
    runs: dict[str, str] = field(default_factory=dict)
    moved_at: float = 0.0  # Unix time of the last change
    asked_at: float = 0.0  # of the last look at the controller
    dead_since: float | None = None
    edited: list[str] = field(default_factory=list)


def follow(held: Held) -> None:
    """Come back when the new version is everywhere. Raises TurnBack for everything else, Superseded when somebody took over."""
    seen = Seen(moved_at=held.process.clock(), asked_at=held.process.clock())
    answered_at = held.process.clock()
    while True:
        try:
            if _once(held, seen):
                return
            answered_at = held.process.clock()
        except Unreachable as error:
            if held.process.clock() - answered_at > SILENCE_SECONDS:
                raise TurnBack("api_server", f"the API server did not answer for {SILENCE_SECONDS:.0f} s: {error}") from error
            _own_signs(held)
        except Superseded:
            raise
        except NotFound as error:
            raise TurnBack("record", f"the record was deleted while the release ran ({error})") from error
        except ClusterError as error:
            raise TurnBack("cluster", str(error)) from error
        held.process.sleep(POLL_SECONDS)


def _once(held: Held, seen: Seen) -> bool:
    """One look; whether the release is over and well."""
    held.keep_lease()
    signs(held)
    rollout, holder = held.rollout(), held.holder()
    if rollout is None:
        raise TurnBack("gone", f"Rollout {held.place.rollout} was deleted while the release ran", outcome=ABORTED)
    _edited(held, holder)
    _spec_edited(held, seen, rollout)
    runs = api.runs_of(held.session, rollout) if (rollout.get("status") or {}).get("currentPodHash") != held.stable_hash else []
    changed = _tell(held, seen, rollout, runs)
    phase = phase_of(rollout)
    if held.place.workload_kind == "Deployment" and phase == HEALTHY and not seen_workload(rollout, holder):
        phase = UNOBSERVED
    _controller(held, seen, phase, changed=changed)
    _ends(held, rollout, runs, phase)
    return phase == HEALTHY and fully_promoted(rollout) and rollout["status"]["stableRS"] != held.stable_hash


def _ends(held: Held, rollout: JSON, runs: list[JSON], phase: str) -> None:
    """Raises TurnBack where a Rollout will not get any further by itself."""
    why = analysis.evidence(runs)
    told = analysis.sentence(why) if why else ""
    message = (rollout.get("status") or {}).get("message", "")
    if phase == PHASE_ABORTED and (rollout.get("status") or {}).get("currentPodHash") != held.stable_hash:
        raise TurnBack("analysis" if why else "aborted_by_argo", f"Argo Rollouts aborted it: {told or message}", evidence=why)
    if phase == INVALID:
        raise TurnBack("invalid_spec", f"the controller refuses Rollout {held.place.rollout}: {invalid_because(rollout)}")
    if phase == DEGRADED and "Deadline" in message:
        raise TurnBack("not_ready", f"Rollout {held.place.rollout}: {message}")
    if phase == INCONCLUSIVE and not held.place.adopted:
        raise TurnBack("inconclusive", f"an analysis is inconclusive: {told or message} (release_on_inconclusive)", evidence=why)


def signs(held: Held) -> None:
    """What people, the deadline and our own process ask for. Raises TurnBack."""
    asked, commands = held.journal.requests()
    for command in unobeyed(held.state.control, commands):
        said = f"{command['command']} by {command['by']}{': ' if command.get('reason') else ''}{command.get('reason') or ''}"
        held.state.control = logged(held.state.control, command, said)
        if command["command"] == "approve":
            entry = {key: command.get(key) for key in ("by", "reason", "at")}
            name = command.get("step") or f"approval {len(held.state.control.get('approvals') or {}) + 1}"
            held.state.control["approvals"] = {**(held.state.control.get("approvals") or {}), name: entry}
        held.live.say("command", said)
        held.write()
    if asked:
        verb = asked.get("verb") or "aborted"
        why = f"{verb} by {asked.get('by')}: {asked.get('reason') or 'no reason given'}"
        raise TurnBack(verb, why, outcome=asked.get("outcome") or ABORTED, asked=asked)
    _own_signs(held)


def _own_signs(held: Held) -> None:
    stop = held.process.why_stop()
    if stop:
        raise TurnBack("runner_stopped", stop, outcome=ABORTED)
    if held.process.clock() > held.deadline_at:
        raise TurnBack("deadline", f"not done within {held.spec.deadline_seconds:.0f} s (release_deadline_seconds)")


def _edited(held: Held, holder: JSON | None) -> None:
    """Raises TurnBack where somebody else has put another version into the template."""
    image = held.image_of(holder)
    if image != held.spec.image:
        where = f"{held.place.workload_kind} {held.place.workload}"
        told = f"{where} names {image} by now" if image else f"{where} is gone"
        raise TurnBack(
            "edited", f"somebody else has changed the version: {told}; this release put {held.spec.image} there", outcome=ABORTED
        )


def _spec_edited(held: Held, seen: Seen, rollout: JSON) -> None:
    """Tell what others change of steps, route or analyses: Argo Rollouts goes by it from now on."""
    found = edits_of(held.state, rollout)
    if found and found != seen.edited:
        held.live.say("warning", f"somebody else changed Rollout {held.place.rollout}: {', '.join(found)}")
    seen.edited = found


def _tell(held: Held, seen: Seen, rollout: JSON, runs: list[JSON]) -> bool:
    """Lines for what has changed; whether anything has."""
    state, before = held.state, (seen.weight, seen.step, seen.phase, len(seen.measured), dict(seen.runs))
    under_way = (rollout.get("status") or {}).get("currentPodHash") != held.stable_hash
    weight, index, phase = canary_weight(rollout) if under_way else 0, step_index(rollout) if under_way else None, phase_of(rollout)
    if weight != seen.weight and (weight or seen.weight):
        held.live.say("weight", f"{weight:3d} %  {weight_bar(weight)}", weight_percent=weight)
    if index is not None and index != seen.step:
        _step(held, rollout, index)
    if phase != seen.phase and (phase in WAITS or seen.phase in WAITS):
        _waits(held, phase)
    _runs(held, seen, runs)
    seen.weight, seen.step, seen.phase = weight, index, phase
    if before == (seen.weight, seen.step, seen.phase, len(seen.measured), seen.runs):
        return False
    state.weight_percent, state.step = weight, index or 0
    held.write()
    seen.moved_at = held.process.clock()
    return True


def _step(held: Held, rollout: JSON, index: int) -> None:
    """Note the step in the record, and tell it."""
    steps, moment = steps_of(rollout), now()
    listed = held.state.steps
    if listed and not listed[-1].get("ended_at"):
        listed[-1]["ended_at"] = moment
    if index >= len(steps):
        held.live.say("step", f"all {len(steps)} steps are done; the version becomes stable")
        return
    name = step_name(steps[index])
    held.state.steps = [*listed, {"name": f"{index + 1}/{len(steps)} {name}", "started_at": moment}]
    if "setWeight" not in steps[index]:  # which its line with the bar tells
        held.live.say("step", f"{index + 1}/{len(steps)} {name}")


def _waits(held: Held, phase: str) -> None:
    """Tell whom it waits for, and what to type."""
    control = held.state.control
    if phase not in WAITS:
        control.pop("waiting", None)
        held.live.say("resume", "goes on")
        return
    what = {PAUSED_APPROVAL: "waits for an approval", PAUSED_BY_HAND: "paused by hand"}.get(
        phase, "an analysis is inconclusive: waits for people"
    )
    verb = "resume" if phase == PAUSED_BY_HAND else "approve or reject"
    if phase != PAUSED_BY_HAND:
        control["waiting"] = {"step": "approval", "since": held.process.clock(), "until": held.deadline_at}
    held.live.say("pause", f"{what}; {verb} it, until {iso(held.deadline_at)} at the latest")


def _runs(held: Held, seen: Seen, runs: list[JSON]) -> None:
    """A line for every new measurement, and for every run that begins or ends."""
    for run in runs:
        name, phase = run["metadata"]["name"], (run.get("status") or {}).get("phase", "Pending")
        for one in analysis.measurements(run):
            key = (name, one.metric, one.number)
            if key not in seen.measured:
                seen.measured.add(key)
                held.live.say("look", one.line, **one.to_dict())
                held.state.looks = [*held.state.looks, one.to_dict()]
                held.state.evidence = {**held.state.evidence, one.metric: one.to_dict()}
        if seen.runs.get(name) != phase and phase not in ("Pending",):
            seen.runs[name] = phase
            message = (run.get("status") or {}).get("message", "")
            held.live.say("analysis", f"{name}: {phase}{': ' if message else ''}{message}")


def _controller(held: Held, seen: Seen, phase: str, *, changed: bool) -> None:
    """Say when the controller goes and comes. Raises TurnBack when it stays away for release_max_hold_seconds."""
    moment = held.process.clock()
    if changed or moment - seen.asked_at < CONTROLLER_SECONDS:
        return
    seen.asked_at = moment
    alive = api.alive(held.session)
    if alive and seen.dead_since is not None:
        seen.dead_since, seen.moved_at = None, moment
        held.live.say("note", "a controller of Argo Rollouts is ready again")
    if alive is False and seen.dead_since is None:
        seen.dead_since = moment
        held.live.say(
            "warning", "no controller of Argo Rollouts is ready: nothing moves, and no analysis watches. Abort returns traffic all the same"
        )
    if seen.dead_since is not None and moment - seen.dead_since > held.spec.max_hold_seconds:
        held_for = f"{held.spec.max_hold_seconds:.0f} s (release_max_hold_seconds)"
        raise TurnBack("controller", f"no controller of Argo Rollouts was ready for {held_for}")
    if phase in (PROGRESSING, UNOBSERVED, GONE, DEGRADED) and moment - seen.moved_at > held.spec.control.stuck_seconds:
        message = (held.rollout() or {}).get("status", {}).get("message", "")
        raise TurnBack(
            "stuck", f"nothing has moved for {held.spec.control.stuck_seconds:.0f} s (release_stuck_seconds): {phase}, {message}"
        )


def summary_of(held: Held) -> Mapping[str, Any]:
    """What a runner's verb gives back."""
    state = held.state
    return {
        "changed": True,
        "outcome": state.outcome if state.phase == "ended" else "running",
        "reason": state.reason,
        "weight_percent": state.weight_percent,
        "release_id": state.release_id,
        "serves": f"Rollout/{held.place.rollout}",
        "image": state.image,
        "digest": state.digest,
        "steps": state.steps,
        "costs": {},
        "evidence": state.evidence,
    }
