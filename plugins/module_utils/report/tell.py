# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a story of what was read: the records of the targets, the results of the verb release, the JSON lines, the fleet's record. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import story
from .course import events_of_lines, events_of_record, weights_of
from .limits import limits
from .looks import looks_of_lines, looks_of_record
from .spoken import unix
from .story import Event, Gate, Look, Region, Step, Story, Told, Wave

JSON = dict[str, Any]
# what the record of a fleet calls the states of its targets, where that says more than the target's own record
FLEET_STATES = {
    "waiting": story.UNTOUCHED,
    "skipped": story.UNTOUCHED,
    "returned": story.ROLLED_BACK,
    "unreachable": story.UNREACHABLE,
}
SAME_SECONDS = 2.0
RETURNED = (story.ROLLED_BACK, story.ABORTED)


@dataclass(frozen=True)
class Read:
    """What was read of one target. record: a release_info's dictionary; result: the verb release's; lines: of the log."""

    record: JSON | None = None
    result: JSON | None = None
    lines: tuple[JSON, ...] = ()
    cut_lines: int = 0


def story_of(found: Mapping[str, Read], fleet: Mapping[str, Any] | None = None) -> Story:
    """One release everywhere. Raises ValueError where there is nothing to tell of."""
    given = fleet or {}
    waves = tuple(_wave(one) for one in given.get("waves") or ())
    regions = {target: region_of(target, read) for target, read in found.items()}
    for one in given.get("waves") or ():
        regions.update({told["target"]: _of_fleet(told, regions.get(told["target"])) for told in one.get("targets") or ()})
    if not regions:
        raise ValueError("no release in any target")
    outcomes = {region.outcome for region in regions.values()}
    outcome = given.get("outcome") or next(word for word in story.WORST_FIRST if word in outcomes)
    return Story(
        name=given.get("name") or next((region.release_name for region in regions.values() if region.release_name), "release"),
        release_id=given.get("release_id") or "",
        outcome=outcome,
        reason=given.get("reason") or "",
        regions=tuple(regions.values()),
        waves=waves or (Wave("all at once", outcome, tuple(regions)),),
        started_at=unix(given.get("started_at")),
        ended_at=unix(given.get("ended_at")),
        stopped=_stopped(given.get("stopped")),
        is_fleet=bool(waves),
    )


def _of_fleet(told: Mapping[str, Any], region: Region | None) -> Region:
    """A target as the fleet saw it: it may have been returned by a release of its own after it was promoted, or never had its turn."""
    known = region or Region(told["target"], told.get("outcome") or story.RUNNING, release_id=told.get("release_id") or "")
    seen = FLEET_STATES.get(told.get("state") or "")
    outcome = known.outcome if seen is None or (seen in RETURNED and known.outcome in RETURNED) else seen
    failed = told.get("failed", outcome == known.outcome)
    return replace(known, outcome=outcome, reason=told.get("reason") or known.reason, followed=outcome in RETURNED and not failed)


def region_of(target: str, read: Read) -> Region:
    """A release in one target."""
    record, result = read.record or {}, read.result or {}
    if not record:
        return _without_record(target, result)
    phase, outcome = record.get("phase"), record.get("outcome")
    ended = phase == "ended"
    known = outcome if ended and outcome else story.PARKED if phase == "parked" else story.RUNNING
    steps = tuple(
        Step(one["name"], unix(one.get("started_at")), unix(one.get("ended_at")), one.get("note") or "")
        for one in record.get("steps") or ()
    )
    looks = looks_of_lines(read.lines) or looks_of_record(record.get("looks") or ())
    updated_at = unix(record.get("updated_at"))
    ended_at = updated_at if ended else None
    strategy = record.get("strategy") or _spec(read.lines).get("strategy") or ""
    weights = weights_of(read.lines, steps, strategy, _returned_at(known, looks, updated_at))
    events = events_of_lines(read.lines) or events_of_record(record, steps, looks, updated_at if phase != "running" else None)
    return Region(
        target,
        known,
        record.get("reason") or "",
        release_id=record.get("release_id") or "",
        release_name=record.get("release_name") or "",
        namespace=record.get("namespace") or "",
        workload=record.get("workload") or "",
        image=record.get("image") or "",
        digest=record.get("digest") or "",
        stable_image=record.get("stable_image") or "",
        strategy=strategy,
        started_at=unix(record.get("started_at")),
        ended_at=ended_at,
        updated_at=updated_at,
        open_until=unix((record.get("parked") or {}).get("until")),
        weight_percent=record.get("weight_percent") or 0,
        highest_percent=max((percent for _at, percent in weights), default=0),
        gates=_gates(record, read.lines, looks),
        looks=looks,
        weights=weights,
        events=events,
        steps=steps,
        people=_people(record),
        costs=record.get("costs") or {},
        webhooks=tuple(_refusal(one) for one in record.get("webhooks") or ()),
        history=tuple(record.get("history") or ()),
        next=tuple(record.get("next") or ()),
        lines=len(read.lines),
        cut_lines=read.cut_lines,
    )


def _without_record(target: str, result: Mapping[str, Any]) -> Region:
    """A release that was refused before it began, or whose record nobody could read."""
    told = result.get("outcome") or story.UNTOUCHED
    reason = result.get("reason") or result.get("msg") or "nothing is known of it"
    following = result.get("next") or {}
    return Region(
        target,
        told if told in story.SPOKEN else story.RUNNING,
        reason,
        release_name=result.get("release_name") or "",
        image=result.get("image") or "",
        problems=tuple(result.get("problems") or ()),
        next=tuple(following.values()) if isinstance(following, Mapping) else tuple(following),
    )


def _returned_at(outcome: str, looks: Sequence[Look], updated_at: float | None) -> float | None:
    """About when traffic returned, where only the record tells: at the look that said so, else at the last sign."""
    if outcome not in (*RETURNED, story.PARKED):
        return None
    return looks[-1].at if looks and looks[-1].decision == "roll_back" else updated_at


def _spec(lines: Sequence[Mapping[str, Any]]) -> JSON:
    return next((line["spec"] for line in reversed(lines) if line.get("event") == "judges"), {})


def _gates(record: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], looks: Sequence[Look]) -> tuple[Gate, ...]:
    """The gates with their limits; of an older record that does not tell them, their names."""
    known = record.get("gates") or limits(_spec(lines).get("gates") or ())
    found = {one["name"]: Gate(**one) for one in known}
    for look in looks:
        for name, reading in look.readings.items():
            found.setdefault(name, Gate(name, is_share=reading.canary_so_far is not None))
    return tuple(found.values())


def _people(record: Mapping[str, Any]) -> tuple[Told, ...]:
    """Commands, approvals that came another way or let the wave begin, the abort, and freezes that were waited for or overridden, by time."""
    asked, override = record.get("abort_requested"), record.get("freeze_override")
    commands = [*(record.get("commands") or ()), *({**one, "said": "not answered yet"} for one in record.get("commands_pending") or ())]
    commands += [{**asked, "command": "abort", "said": "traffic returned"}] if asked else []
    found = [_told(one, one.get("command") or "", one.get("said") or "") for one in commands]
    for approval in record.get("approvals") or ():
        what = f"approve {approval.get('step')}"
        counted = [_told(one, what, f"counts, by {one.get('source')}") for one in approval.get("given") or ()]
        ignored = [_told(one, what, f"does not count: {one.get('why')}") for one in approval.get("ignored") or ()]
        found += [one for one in counted if not any(_same(one, other) for other in found)] + ignored
    crossing = record.get("crossing") or {}
    for one in (crossing.get("approved") or {}).get("given") or ():
        found.append(_told(one, f"approve wave {crossing.get('wave')}", f"counts, by {one.get('source')}"))
    if crossing.get("freeze"):
        found.append(Told(unix(crossing.get("at")), f"wave {crossing.get('wave')}", "", "", f"waited for {crossing['freeze']}"))
    if override:
        until = f"freeze {override.get('freeze')}, until {override.get('until')}"
        found.append(_told({"at": record.get("started_at"), **override}, "override", until))
    return tuple(sorted(found, key=lambda told: told.at or 0.0))


def _told(one: Mapping[str, Any], what: str, said: str) -> Told:
    return Told(unix(one.get("at")), what, one.get("by") or "", one.get("reason") or "", said)


def _same(approval: Told, command: Told) -> bool:
    """Whether an approval was given by a command, which is told already; an approval's time has whole seconds."""
    at = (approval.at or 0.0, command.at or 0.0)
    return command.what == "approve" and command.by == approval.by and abs(at[0] - at[1]) < SAME_SECONDS


def _refusal(one: Mapping[str, Any]) -> Event:
    times = one.get("times") or 1
    return Event(unix(one.get("at")) or 0.0, "webhook", f"{one.get('said')}{f' ({times} times)' if times > 1 else ''}")


def _wave(one: Mapping[str, Any]) -> Wave:
    return Wave(
        one["group"],
        one.get("state") or "",
        tuple(told["target"] for told in one.get("targets") or ()),
        one.get("share_percent"),
        one.get("bake_seconds"),
        unix(one.get("started_at")),
        unix(one.get("ended_at")),
    )


def _stopped(one: Mapping[str, Any] | None) -> Told | None:
    return None if not one else Told(unix(one.get("at")), "stop", one.get("by") or "", one.get("reason") or "")
