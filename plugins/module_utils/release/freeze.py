# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When nobody is to release: plain windows of time and recurring ones (RFC 5545), in the time of a place. Pure.

A recurrence is worked out in local time, as RFC 5545 wants it: every Friday at 17:00 stays at 17:00 when the clocks change. A local
time that a change of the clocks leaves out is read as if they had not been changed yet; of one that comes twice the first is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

try:
    from dateutil.rrule import rrule, rruleset, rrulestr
except ImportError:  # only where a module runs on a target without the Kubernetes client, which needs it
    rrulestr = None  # type: ignore[assignment]

DAY = timedelta(days=1)
LONGEST_DAYS = 366
HORIZON_SECONDS = 400 * 86400.0  # how far ahead anybody looks
FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY")
UNTIL = re.compile(r"UNTIL=(\d{8})(T\d{6})?(Z)?", re.IGNORECASE)


@dataclass(frozen=True)
class Length:
    """How long something lasts: days of the calendar, which may have 23 or 25 hours, and seconds of the clock."""

    days: int = 0
    seconds: float = 0.0

    @property
    def is_nothing(self) -> bool:
        """Whether it is over when it begins."""
        return self.days <= 0 and self.seconds <= 0


@dataclass(frozen=True)
class Rule:
    """A freeze, once or again and again. begin, without and also are local times of the zone, without a zone of their own."""

    name: str
    begin: datetime
    length: Length
    zone: str  # IANA
    recurrence: str = ""  # an RRULE's value
    without: tuple[datetime, ...] = ()  # beginnings that fall out
    also: tuple[datetime, ...] = ()  # more beginnings


@dataclass(frozen=True)
class Window:
    """One freeze as it happens; begin and end are Unix times."""

    name: str
    begin: float
    end: float
    zone: str

    def until(self) -> str:
        """Its end in its zone and in UTC."""
        return f"{spoken(self.end, self.zone)} ({spoken(self.end, 'UTC')})" if self.zone != "UTC" else spoken(self.end, "UTC")

    def since(self) -> str:
        """Its beginning in its zone and in UTC."""
        return f"{spoken(self.begin, self.zone)} ({spoken(self.begin, 'UTC')})" if self.zone != "UTC" else spoken(self.begin, "UTC")


def spoken(moment: float, zone: str) -> str:
    """Such as: Fri 2026-03-06 17:00 Europe/Dublin."""
    return f"{datetime.fromtimestamp(moment, zone_of(zone)):%a %Y-%m-%d %H:%M} {zone}"


def zone_of(name: str) -> ZoneInfo:
    """An IANA time zone. Raises ValueError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"{name!r} is no IANA time zone such as Europe/Dublin or UTC (or this machine lacks the package tzdata)"
        ) from error


def unix(local: datetime, zone: str) -> float:
    """Unix time of a local time."""
    return local.replace(tzinfo=zone_of(zone)).timestamp()


def local(moment: float, zone: str) -> datetime:
    """The local time at a Unix time, without its zone."""
    return datetime.fromtimestamp(moment, zone_of(zone)).replace(tzinfo=None)


def recurrence(text: str, begin: datetime, zone: str) -> rrule | rruleset:
    """An RRULE's value as dateutil's rule over local times. Raises ValueError with what is wrong."""
    if rrulestr is None:
        raise ValueError("a recurrence needs the Python package python-dateutil, which the Kubernetes client brings")
    plain = text.strip().upper().removeprefix("RRULE:")
    frequency = re.search(r"(?:^|;)FREQ=([A-Z]+)(?:;|$)", plain)
    if not frequency or frequency.group(1) not in FREQUENCIES or re.search(r"[\s:]", plain):
        raise ValueError(
            f"{text!r} is no recurrence rule (RFC 5545) with FREQ={', '.join(FREQUENCIES)}, such as FREQ=WEEKLY;BYDAY=FR,SA,SU"
        )
    try:
        found = rrulestr(UNTIL.sub(lambda one: _until(one, zone), plain), dtstart=begin)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise ValueError(f"{text!r} is no recurrence rule (RFC 5545): {error}") from error
    return found


def _until(found: re.Match[str], zone: str) -> str:
    """UNTIL in local time; a day alone includes that day."""
    day, clock, is_utc = found.groups()
    if not clock:
        return f"UNTIL={day}T235959"
    moment = datetime.strptime(day + clock, "%Y%m%dT%H%M%S")
    if is_utc:
        moment = local(moment.replace(tzinfo=timezone.utc).timestamp(), zone)
    return f"UNTIL={moment:%Y%m%dT%H%M%S}"


def windows(rules: Iterable[Rule], after: float, until: float) -> list[Window]:
    """Everything that overlaps the time from after to until (Unix times), by its beginning."""
    found = []
    for rule in rules:
        for begin in _beginnings(rule, after, until):
            started = unix(begin, rule.zone)
            ended = unix(begin + timedelta(days=rule.length.days), rule.zone) + rule.length.seconds
            if started < until and ended > after and ended > started:
                found.append(Window(rule.name, started, ended, rule.zone))
    return sorted(found, key=lambda one: (one.begin, one.end, one.name))


def _beginnings(rule: Rule, after: float, until: float) -> list[datetime]:
    """Local times at which it may begin; some lie outside of what was asked for."""
    back = timedelta(days=rule.length.days, seconds=rule.length.seconds) + 2 * DAY
    first, last = local(after, rule.zone) - back, local(until, rule.zone) + 2 * DAY
    found = [rule.begin]
    if rule.recurrence:
        found = recurrence(rule.recurrence, rule.begin, rule.zone).between(first, last, inc=True)
    everything = {*found, *rule.also} - set(rule.without)
    return [one for one in everything if first <= one <= last]


def joined(found: Iterable[Window]) -> list[Window]:
    """Windows that touch or overlap made one: who waits, waits for the last of them."""
    made: list[Window] = []
    for one in sorted(found, key=lambda window: window.begin):
        if made and one.begin <= made[-1].end:
            last = made[-1]
            names = ", ".join(dict.fromkeys([*last.name.split(", "), *one.name.split(", ")]))
            made[-1] = Window(names, last.begin, max(last.end, one.end), one.zone if one.end > last.end else last.zone)
        else:
            made.append(one)
    return made


def next_freeze(rules: Iterable[Rule], now: float) -> Window | None:
    """The freeze that lasts now, or else the next one within 400 days."""
    return next((one for one in joined(windows(rules, now, now + HORIZON_SECONDS)) if one.end > now), None)
