# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the freezes of its targets mean to a wave: they are waited for at its border, and foreseen before the fleet begins.

Calendars come from the checks of the targets, each by its own variables, and reach the border by the playbook. Files they name are read each time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..release import business_hours
from ..release.calendar_files import Unreadable
from ..release.calendar_spec import FREEZES, CalendarSpec, calendar_from
from ..release.control_spec import PARK, ROLL_BACK
from ..release.freeze import Window, spoken
from ..release.freezes import OVERRIDE, blocking
from ..release.values import Problem, spoken_seconds
from .spec import FleetSpec, Wave

JSON = dict[str, Any]
NAMED = 3  # so many targets are called by their names
MOST_IN_A_ROW = 50  # freezes that follow each other before a wave


@dataclass(frozen=True)
class Calendar:
    """What some targets of a wave have in common. seconds: how long their releases take by their plans, at least; infinite: nobody knows."""

    targets: tuple[str, ...]
    spec: CalendarSpec
    seconds: float

    @property
    def who(self) -> str:
        """The targets, as people read it."""
        more = len(self.targets) - NAMED
        return ", ".join(self.targets[:NAMED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Frozen:
    """A freeze that keeps a wave from beginning. until: Unix time, infinite where a calendar cannot be read; policies: of who is kept back."""

    who: str
    name: str
    until: float
    said: str
    policies: frozenset[str]

    def too_long(self, now: float, patience: float) -> str:
        """Why it is not waited for; empty when it is. patience: seconds that it may last from now."""
        if self.until - now <= patience:
            return ""
        return f"{self.said}; that is longer than release_freeze_seconds ({spoken_seconds(patience)})"


def of_targets(targets: Sequence[str], admissions: Mapping[str, JSON]) -> list[JSON]:
    """The calendars of a wave as JSON, each once, with those who follow it: {targets, calendar, seconds}; seconds is None for no end."""
    found: list[JSON] = []
    for target in targets:
        one = admissions.get(target) or {}
        if not one.get("calendar"):
            continue
        same = next((known for known in found if known["calendar"] == one["calendar"]), None)
        if same is None:
            found.append({"targets": [target], "calendar": one["calendar"], "seconds": one["seconds"]})
            continue
        same["targets"].append(target)
        same["seconds"] = None if None in (same["seconds"], one["seconds"]) else max(same["seconds"], one["seconds"])
    return found


def read(given: Sequence[JSON] | None) -> tuple[Calendar, ...]:
    """The calendars that of_targets has made."""
    return tuple(
        Calendar(tuple(one["targets"]), calendar_from(one["calendar"]), math.inf if one["seconds"] is None else float(one["seconds"]))
        for one in given or ()
    )


def frozen(calendars: Sequence[Calendar], now: float) -> Frozen | None:
    """The freeze that keeps a wave from beginning now; of several the one that lasts longest, with the policies of all."""
    found = [one for one in (_frozen(calendar, now) for calendar in calendars) if one is not None]
    if not found:
        return None
    last = max(found, key=lambda one: one.until)
    policies = frozenset[str]().union(*(one.policies for one in found))
    return Frozen(last.who, last.name, last.until, last.said, policies)


def _frozen(calendar: Calendar, now: float) -> Frozen | None:
    policies = frozenset([calendar.spec.on_freeze])
    try:
        window = blocking(calendar.spec, now, calendar.seconds)
    except Unreadable as error:
        return Frozen(calendar.who, "", math.inf, f"whether {calendar.who} is in a freeze is not known: {error}", policies)
    return None if window is None else Frozen(calendar.who, window.name, window.end, _said(calendar, window, now), policies)


def _said(calendar: Calendar, window: Window, now: float) -> str:
    freeze = f"freeze {window.name} of {calendar.who}"
    if window.begin <= now:
        return f"{freeze}, until {window.until()}"
    takes = spoken_seconds(calendar.seconds)
    return f"{freeze}, which begins {window.since()} before a release of about {takes} would be over, until {window.until()}"


def goes_back(found: Frozen) -> bool:
    """Whether everybody goes back for a freeze that is not waited for: when one of those whom it keeps back says so."""
    return ROLL_BACK in found.policies


@dataclass(frozen=True)
class Foreseen:
    """What freezes mean to a fleet that is about to begin: lines of its plan, and what keeps it from beginning."""

    lines: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def foresee(fleet: FleetSpec, calendars: Mapping[str, Sequence[Calendar]], now: float, patience: float) -> Foreseen:
    """Where each wave would be if people took no time: a freeze that it could not wait for is a problem, unless its targets say park.

    A first wave that begins at once waits for no freeze: nothing has changed yet. After a wave that asks people nobody knows the time, so
    that nothing is refused any more. calendars: of each wave by its group.
    """
    at, lines, problems, is_known = now, list[str](), list[Problem](), True
    for number, wave in enumerate(fleet.waves):
        is_known = is_known and wave.approve is None
        mine = calendars.get(wave.group) or ()
        begins, met = _begins(wave, mine, at)
        if met is not None and number == 0 and not wave.waits:
            problems.append(_at_once(met))
        elif met is not None:
            begin = _opens(wave, at)
            why = met.too_long(begin, patience)
            then = "goes back there" if goes_back(met) else "parks there"
            lines.append(f"  {wave.group:<12} waits for {met.said}" + (f"; the fleet {then}" if why else ""))
            if why and is_known and PARK not in met.policies:
                problems.append(_not_in_time(wave, met, begin, why))
        takes = max((one.seconds for one in mine if not math.isinf(one.seconds)), default=0.0)
        at = wave.bake_until(begins + takes)
    return Foreseen(tuple(lines), tuple(problems))


def _opens(wave: Wave, at: float) -> float:
    return business_hours.next_open(business_hours.parse(wave.begin), at) if wave.begin else at


def _begins(wave: Wave, calendars: Sequence[Calendar], at: float) -> tuple[float, Frozen | None]:
    """When a wave begins at the earliest, and the first freeze that it meets; it is not foreseen beyond one that nobody can read."""
    begins, first = _opens(wave, at), None
    for _turn in range(MOST_IN_A_ROW):
        found = frozen(calendars, begins)
        first = first or found
        if found is None or math.isinf(found.until):
            break
        begins = _opens(wave, found.until)
    return begins, first


def _at_once(met: Frozen) -> Problem:
    return Problem(f"{met.who}: {FREEZES}", met.name or None, f"a time outside of it: {met.said}; wait, or {OVERRIDE}")


def _not_in_time(wave: Wave, met: Frozen, begins: float, why: str) -> Problem:
    allowed = (
        f"a calendar that lets {wave.group} begin: at the earliest it would on {spoken(begins, 'UTC')}, in {why}; begin the fleet later, let "
        f"the wave wait for it with release_freeze_seconds, let the fleet park there with release_on_freeze: park, or {OVERRIDE}"
    )
    return Problem(f"{met.who}: {FREEZES}", met.name or None, allowed)
