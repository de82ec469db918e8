# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezes out of an iCalendar file (RFC 5545): the events of a calendar, each of which is a time in which nobody is to release. Pure.

Read are VEVENTs with SUMMARY, DTSTART, DTEND or DURATION, RRULE, RDATE and EXDATE, moved and cancelled single ones (RECURRENCE-ID,
STATUS:CANCELLED), days and times, in UTC, in an IANA zone (TZID) or floating. What it does not know of these it refuses, and never skips.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from .freeze import Length, Rule, local, recurrence, unix, zone_of

MOST_EVENTS = 2000
DATE = re.compile(r"\d{8}")
DATE_TIME = re.compile(r"(\d{8}T\d{6})(Z?)")
DURATION = re.compile(r"\+?P(?:(\d+)W|(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)")
PROPERTY = re.compile(r"([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:\"[^\"]*\"|[^\";:,]*)(?:,(?:\"[^\"]*\"|[^\";:,]*))*)*):(.*)", re.DOTALL)
PARAMETER = re.compile(r";([A-Za-z0-9-]+)=(\"[^\"]*\"|[^;]*)")
KNOWN = ("UID", "SUMMARY", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS")
OFTEN = ("RDATE", "EXDATE")  # may come more than once
UNHEARD = ("EXRULE",)  # of the RFC before: leaving it out would change when a freeze is


@dataclass(frozen=True)
class Property:
    """One line: its parameters and its value as they are written."""

    value: str
    parameters: dict[str, str]


@dataclass
class Event:
    """One VEVENT as it is written."""

    number: int
    properties: dict[str, list[Property]] = field(default_factory=dict)

    def one(self, name: str) -> Property | None:
        """A property that comes once."""
        found = self.properties.get(name)
        return found[0] if found else None

    def text(self, name: str, default: str = "") -> str:
        """The value of a property of text."""
        found = self.one(name)
        if found is None:
            return default
        return re.sub(r"\\(.)", lambda one: "\n" if one.group(1) in "nN" else one.group(1), found.value).strip() or default

    @property
    def title(self) -> str:
        """What a freeze is called."""
        return " ".join(self.text("SUMMARY", f"event {self.number}").split()).replace(",", "")


def freezes(text: str, zone: str) -> list[Rule]:
    """The freezes of a calendar; zone is that of floating times and of days. Raises ValueError with the event that is wrong."""
    found = list(_events(text))
    if len(found) > MOST_EVENTS:
        raise ValueError(f"more than {MOST_EVENTS} events")
    made: list[tuple[str, Rule]] = []
    changed: dict[str, list[tuple[datetime, str, bool]]] = {}
    for event in found:
        uid = event.text("UID", f"event {event.number}")
        try:
            moved = event.one("RECURRENCE-ID")
            if moved is not None:
                changed.setdefault(uid, []).append(_moment(moved, moved.value, zone))
            if event.text("STATUS").upper() != "CANCELLED":
                made.append((uid if moved is None else "", _rule(event, zone)))
        except ValueError as error:
            raise ValueError(f"{event.title}: {error}") from error
    rules = [
        replace(rule, without=(*rule.without, *(_there(*one, begin=rule.begin, place=rule.zone) for one in changed.get(uid, ()))))
        for uid, rule in made
    ]
    return [one for one in rules if not one.length.is_nothing]


def _events(text: str) -> Iterator[Event]:
    if "BEGIN:VCALENDAR" not in text.upper():
        raise ValueError("it does not begin with BEGIN:VCALENDAR")
    inside: list[str] = []
    event: Event | None = None
    number = 0
    for line in re.sub(r"\r?\n[ \t]", "", text).replace("\r\n", "\n").split("\n"):
        if not line.strip():
            continue
        matched = PROPERTY.fullmatch(line)
        if not matched:
            raise ValueError(f"not a line of a calendar: {line[:80]!r}")
        name, value = matched.group(1).upper(), matched.group(3)
        if name == "BEGIN":
            inside.append(value.strip().upper())
            if inside[-1] == "VEVENT":
                number += 1
                event = Event(number)
        elif name == "END":
            if not inside or inside.pop() != value.strip().upper():
                raise ValueError(f"END:{value} without its BEGIN")
            if value.strip().upper() == "VEVENT" and event is not None:
                yield event
                event = None
        elif event is not None and inside[-1] == "VEVENT":
            _add(event, name, Property(value, {key.upper(): text.strip('"') for key, text in PARAMETER.findall(matched.group(2))}))
    if inside:
        raise ValueError(f"it ends within {inside[-1]}")


def _add(event: Event, name: str, found: Property) -> None:
    if name in UNHEARD:
        raise ValueError(f"{event.title}: {name} is not understood")
    if name in KNOWN:
        listed = event.properties.setdefault(name, [])
        if listed and name not in OFTEN:
            raise ValueError(f"{event.title}: more than one {name}")
        listed.append(found)


def _rule(event: Event, zone: str) -> Rule:
    start = event.one("DTSTART")
    if start is None:
        raise ValueError("DTSTART is missing")
    begin, place, is_day = _moment(start, start.value, zone)
    rule = event.one("RRULE")
    made = Rule(
        name=event.title,
        begin=begin,
        length=_length(event, begin, place, zone, is_day=is_day),
        zone=place,
        recurrence=rule.value if rule else "",
        without=tuple(_all(event, "EXDATE", place, begin, zone)),
        also=tuple(_all(event, "RDATE", place, begin, zone)),
    )
    if made.recurrence:
        recurrence(made.recurrence, begin, place)
    return made


def _length(event: Event, begin: datetime, place: str, zone: str, *, is_day: bool) -> Length:
    """How long each lasts: by DTEND the same time of the clock, by DURATION and of days those of the calendar (RFC 5545, 3.8.5.3)."""
    ends, lasts = event.one("DTEND"), event.one("DURATION")
    if ends is not None:
        end, there, ends_with_day = _moment(ends, ends.value, zone)
        if ends_with_day != is_day:
            raise ValueError("DTSTART and DTEND have to be both days or both times")
        made = Length(days=(end - begin).days) if is_day else Length(seconds=unix(end, there) - unix(begin, place))
        if made.days < 0 or made.seconds < 0:
            raise ValueError("DTEND is before DTSTART")
        return made
    if lasts is None:
        return Length(days=1) if is_day else Length()
    matched = DURATION.fullmatch(lasts.value.strip())
    if not matched or not any(matched.groups()):
        raise ValueError(f"{lasts.value!r} is no DURATION such as P1D, PT90M or P2W")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in matched.groups())
    return Length(7 * weeks + days, 3600.0 * hours + 60 * minutes + seconds)


def _all(event: Event, name: str, place: str, begin: datetime, zone: str) -> Iterator[datetime]:
    """The local times of a list, in the zone of the event. A day means the event of that day."""
    for found in event.properties.get(name, []):
        if found.parameters.get("VALUE", "").upper() == "PERIOD":
            raise ValueError(f"{name} of periods is not understood")
        for text in found.value.split(","):
            moment, there, is_day = _moment(found, text, zone)
            yield _there(moment, there, is_day, begin=begin, place=place)


def _there(moment: datetime, zone: str, is_day: bool, *, begin: datetime, place: str) -> datetime:
    """A time of one zone in that of an event; of a day the event's own time."""
    if is_day:
        return datetime.combine(moment.date(), begin.time())
    return moment if zone == place else local(unix(moment, zone), place)


def _moment(found: Property, text: str, zone: str) -> tuple[datetime, str, bool]:
    """A local time, its zone, and whether it is a day."""
    plain = text.strip()
    if DATE.fullmatch(plain):
        return datetime.strptime(plain, "%Y%m%d"), zone, True
    matched = DATE_TIME.fullmatch(plain)
    if not matched:
        raise ValueError(f"{plain!r} is no day such as 20260304 and no time such as 20260304T170000Z")
    place = "UTC" if matched.group(2) else found.parameters.get("TZID", zone).lstrip("/")
    zone_of(place)
    return datetime.strptime(matched.group(1), "%Y%m%dT%H%M%S"), place, False
