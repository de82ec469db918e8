# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People and hours at the border of a wave: what keeps it from beginning, by the same rules as a step inside a release. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..release import business_hours, control_spec
from ..release.approval_sources_spec import SourceSpec, sources
from ..release.approval_words import is_stale, stands
from ..release.approvals import DAY
from ..release.commands import Moment, clock_time
from ..release.control_spec import PARK, ROLL_BACK
from ..release.freeze import spoken
from ..release.plan import Step
from ..release.spec import SpecError
from ..release.values import Reader
from .calendars import Frozen
from .record import FleetRecord, waves_left

JSON = dict[str, Any]
FREEZE_SECONDS = 3600.0
GRACE_SECONDS = 120.0  # from who has watched until a wave might begin to its beginning: the next task of the playbook


@dataclass(frozen=True)
class PeopleSpec:
    """How long people are waited for, what follows when they do not come, and where their words are looked for."""

    approval_seconds: float
    on_no_approval: str  # park or roll_back
    sources: tuple[SourceSpec, ...]
    freeze_seconds: float = FREEZE_SECONDS  # that a wave waits for a freeze to end


@dataclass(frozen=True)
class Border:
    """Whether a wave may begin. said: what it waits for. is_late: people had their time, and did not agree. is_frozen: by a freeze alone."""

    is_open: bool
    said: str = ""
    is_late: bool = False
    is_frozen: bool = False


def people_spec(given: Mapping[str, Any]) -> PeopleSpec:
    """The options of a release that count at the border of a wave, too. Raises SpecError."""
    read = Reader()
    value = {name: default if given.get(name) is None else given[name] for name, default in control_spec.DEFAULTS.items()}
    found = PeopleSpec(
        read.seconds("release_approval_seconds", value["release_approval_seconds"], least=1, most=30 * DAY, default=3600),
        read.choice("release_on_no_approval", value["release_on_no_approval"], (PARK, ROLL_BACK), PARK),
        sources(read, value["release_approval_sources"]),
        read.seconds("release_freeze_seconds", given.get("release_freeze_seconds"), least=0, most=30 * DAY, default=FREEZE_SECONDS),
    )
    if read.problems:
        raise SpecError(read.problems)
    return found


def steps_of(record: FleetRecord) -> list[Step]:
    """The waves as steps: those that somebody has to agree to are approvals by the name of their group."""
    return [Step("approve" if wave.approve else "wave", wave.group, approval=wave.approve) for wave in record.fleet.waves]


def moment_of(record: FleetRecord, now: float) -> Moment:
    """Where the fleet is when a word meets it."""
    left = waves_left(record)
    return Moment(record.progress.phase, steps_of(record), left[0] if left else len(record.fleet.waves) - 1, now, 0.0, PARK)


def fresh(record: FleetRecord, people: JSON, now: float) -> JSON:
    """What people said without what was agreed to ahead and has expired before its wave began."""
    steps = steps_of(record)
    given = (people.get("approvals") or {}).items()
    kept = {name: one for name, one in given if has_begun(record, name) or not is_stale(people, steps, name, now)}
    return {**people, "approvals": kept} if "approvals" in people else people


def has_begun(record: FleetRecord, group: str) -> bool:
    """Whether a wave has crossed its border."""
    return bool(record.progress.waves[record.fleet.number_of(group)].get("crossing"))


def agreed(record: FleetRecord, group: str, now: float) -> JSON | None:
    """Who has agreed to a wave; None while not enough have."""
    return (fresh(record, record.people, now).get("approvals") or {}).get(group)


def border(record: FleetRecord, number: int, now: float, *, grace: float = 0.0) -> Border:
    """What keeps a wave from beginning, as its record and the time have it. now is Unix time; grace: how long ago its hours may be over."""
    wave = record.fleet.waves[number]
    waits, freeze = [], freeze_of(record, wave.group, now)
    if opens := closed_until(record, number, now, grace):
        waits.append(f"its hours, {wave.begin}: they begin {spoken(opens, business_hours.parse(wave.begin).zone)}")
        freeze = None  # it is asked for when they begin
    elif freeze:
        waits.append(freeze["said"])
    if not awaits_people(record, number, now):
        return Border(not waits, "; ".join(waits), is_frozen=bool(freeze))
    said = stands(fresh(record, record.people, now), steps_of(record), wave.group, now).said
    waiting = waiting_for(record, wave.group)
    until = f" until {clock_time(waiting['until'])}" if waiting else ""
    is_late = waiting is not None and now >= waiting["until"]
    return Border(False, "; ".join([*waits, f"an approval{until} ({said})"]), is_late, bool(freeze))


def freeze_of(record: FleetRecord, group: str, now: float) -> JSON | None:
    """The freeze that a wave waits for, as its run has noted it: step, said and until (Unix time; None: nobody knows)."""
    found = record.people.get("freeze") or {}
    return found if found.get("step") == group and (found["until"] is None or now < found["until"]) else None


def waited_for(people: JSON, group: str, now: float) -> str:
    """The freeze that a wave has waited for to its end, in words; empty where there was none."""
    found = people.get("freeze") or {}
    is_over = found.get("step") == group and found["until"] is not None and found["until"] <= now
    return str(found["said"]) if is_over else ""


def with_freeze(people: JSON, group: str, met: Frozen | None, now: float) -> JSON:
    """What stands of people, with the freeze that keeps a wave from beginning. One that was waited for to its end stays; it binds nobody."""
    if met is None and waited_for(people, group, now):
        return people
    others = {key: value for key, value in people.items() if key != "freeze"}
    if met is None:
        return others
    return {**others, "freeze": {"step": group, "said": met.said, "until": None if math.isinf(met.until) else met.until}}


def closed_until(record: FleetRecord, number: int, now: float, grace: float = 0.0) -> float:
    """When the hours begin in which a wave may; 0.0 where they have, or it has none."""
    wave = record.fleet.waves[number]
    if not wave.begin:
        return 0.0
    hours = business_hours.parse(wave.begin)
    is_open = any(business_hours.next_open(hours, then) == then for then in (now, now - grace))
    return 0.0 if is_open else business_hours.next_open(hours, now)


def awaits_people(record: FleetRecord, number: int, now: float) -> bool:
    """Whether a wave may begin only once people agree, and not enough have."""
    wave = record.fleet.waves[number]
    return wave.approve is not None and agreed(record, wave.group, now) is None


def waiting_for(record: FleetRecord, group: str) -> JSON | None:
    """Since and until when a wave waits for people; None while it does not."""
    found = record.people.get("waiting") or {}
    return found if found.get("step") == group else None
