# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Business hours in the time of a place: when they open next, and which opening is the first whole one. Pure.

Such as "Mon-Fri 08:00-18:00 Europe/Dublin", or with several parts "Mon-Thu 08:00-18:00, Fri 08:00-15:00 Europe/Dublin".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from .freeze import local, unix, zone_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PART = re.compile(r"([a-z]{3}(?:-[a-z]{3})?(?:/[a-z]{3}(?:-[a-z]{3})?)*)\s+(\d{2}:\d{2})-(\d{2}:\d{2})")
EXAMPLE = "such as 'Mon-Fri 08:00-18:00 Europe/Dublin' or 'Mon-Thu 08:00-18:00, Fri/Sat 08:00-15:00 Europe/Dublin'"
WEEK = 7


@dataclass(frozen=True)
class BusinessHours:
    """For each day of the week, Monday first, the times from which to which it is open, in minutes since midnight."""

    days: tuple[tuple[tuple[int, int], ...], ...]
    zone: str


def parse(text: str) -> BusinessHours:
    """Business hours as they are written. Raises ValueError with what may be written."""
    hours, _space, zone = text.strip().rpartition(" ")
    zone_of(zone)
    days: list[list[tuple[int, int]]] = [[] for _day in DAYS]
    for part in hours.split(","):
        matched = PART.fullmatch(part.strip().lower())
        if not matched:
            raise ValueError(f"{part.strip()!r} is not read; hours are {EXAMPLE}")
        opens, closes = _minutes(matched.group(2)), _minutes(matched.group(3))
        if opens >= closes:
            raise ValueError(f"{part.strip()!r} closes before it opens; write a night as two parts, of two days")
        for day in _named(matched.group(1)):
            if any(opens < end and begin < closes for begin, end in days[day]):
                raise ValueError(f"{DAYS[day]} is open twice at the same time")
            days[day].append((opens, closes))
    return BusinessHours(tuple(tuple(sorted(one)) for one in days), zone)


def next_open(spec: BusinessHours, now: float) -> float:
    """When it is open: now, or the Unix time at which it opens next."""
    for begin, end in _openings(spec, now):
        if end > now:
            return max(begin, now)
    raise AssertionError("two weeks without an opening")


def whole(spec: BusinessHours, since: float) -> tuple[float, float]:
    """From when to when it is open for the first time after a moment that lies before all of it, as Unix times."""
    return next((begin, end) for begin, end in _openings(spec, since) if begin >= since)


def never_closes(spec: BusinessHours) -> bool:
    """Whether it is open all the time, so that there is no whole opening."""
    return all(sum(closes - opens for opens, closes in day) == 24 * 60 for day in spec.days)


def _openings(spec: BusinessHours, since: float) -> list[tuple[float, float]]:
    """The openings from the day before a moment to more than two weeks after it, as Unix times; those that touch are one."""
    first = local(since, spec.zone).date() - timedelta(days=1)
    found: list[tuple[float, float]] = []
    for day in (first + timedelta(days=number) for number in range(2 * WEEK + 3)):
        for opens, closes in spec.days[day.weekday()]:
            begin, end = (unix(_at(day, minutes), spec.zone) for minutes in (opens, closes))
            if begin < end:
                found.append((begin, end))
    found.sort()
    joined = found[:1]
    for begin, end in found[1:]:
        if begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _at(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def _minutes(text: str) -> int:
    hours, minutes = int(text[:2]), int(text[3:])
    if minutes > 59 or 60 * hours + minutes > 24 * 60:
        raise ValueError(f"{text!r} is no time of a day; hours are {EXAMPLE}")
    return 60 * hours + minutes


def _named(text: str) -> list[int]:
    """The days of Mon-Fri, Sat-Mon or Tue/Thu."""
    found: list[int] = []
    for part in text.split("/"):
        first, _dash, last = part.partition("-")
        for name in (first, last or first):
            if name not in DAYS:
                raise ValueError(f"{name!r} is no day of {', '.join(DAYS)}; hours are {EXAMPLE}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [number % WEEK for number in range(begin, begin + (end - begin) % WEEK + 1)]
    return found
