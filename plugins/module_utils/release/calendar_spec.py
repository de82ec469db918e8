# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_freezes, release_freeze_override, release_on_freeze and release_denied_digests: from what a user wrote to checked values. Pure.

Entries stay dictionaries of plain values, as a record and a file hold them; what a file says is read when it is needed, for it may change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from . import ical
from .control_spec import PARK, ROLL_BACK
from .freeze import LONGEST_DAYS, Length, Rule, local, recurrence, unix, zone_of
from .values import Reader

JSON = dict[str, Any]
FREEZES, DENIED = "release_freezes", "release_denied_digests"
GO_ON = "go_on"
# every variable of this file -> what it is when it is left out
DEFAULTS: JSON = {FREEZES: [], "release_freeze_override": None, "release_on_freeze": GO_ON, DENIED: []}
WINDOW, RECURRING, ICAL, FILE = ("name", "from", "to", "timezone"), ("name", "rrule", "start", "duration", "timezone"), "ical", "file"
SHAPES = (
    "{name, from, to, timezone}, {name, rrule, start, duration, timezone}, {ical: path or text, timezone} or {file: path}; "
    "times such as 2026-12-23 18:00"
)
MOST_ENTRIES = 500
LONGEST_ICAL = 32 * 1024  # of a text in a variable; a file may be longer
LONGEST_NAME = 80
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class CalendarSpec:
    """When not to release, what not to release, and who said to release all the same. It may differ when a release is taken up again."""

    freezes: tuple[JSON, ...] = ()
    override: str | None = None  # the reason
    on_freeze: str = GO_ON  # of a release that runs when a freeze begins: go_on, park or roll_back
    denied: tuple[JSON, ...] = ()

    def to_dict(self) -> JSON:
        """As the record keeps it."""
        return asdict(self)


def calendar_from(saved: Mapping[str, Any] | None) -> CalendarSpec:
    """What a record keeps of it."""
    return CalendarSpec() if not saved else CalendarSpec(**{**saved, "freezes": tuple(saved["freezes"]), "denied": tuple(saved["denied"])})


def calendar(read: Reader, values: Mapping[str, Any]) -> CalendarSpec:
    """The options of this file."""
    return CalendarSpec(
        freezes=freezes(read, FREEZES, values[FREEZES]),
        override=read.text("release_freeze_override", values["release_freeze_override"]),
        on_freeze=read.choice("release_on_freeze", values["release_on_freeze"], (GO_ON, PARK, ROLL_BACK), GO_ON),
        denied=denied(read, DENIED, values[DENIED]),
    )


def freezes(read: Reader, field: str, value: Any, *, in_file: bool = False) -> tuple[JSON, ...]:
    """Checked entries; in_file: a file names no other file."""
    made = []
    for index, item in enumerate(_listed(read, field, value)):
        one = _freeze(read, f"{field}[{index}]", item, in_file=in_file)
        if one is not None:
            made.append(one)
    return tuple(made)


def denied(read: Reader, field: str, value: Any, *, in_file: bool = False) -> tuple[JSON, ...]:
    """Checked entries: {digest, reason} or {file}."""
    made: list[JSON] = []
    for index, item in enumerate(_listed(read, field, value)):
        here = f"{field}[{index}]"
        found = read.mapping(here, item, ("digest", "reason") if in_file else ("digest", "reason", FILE))
        if found is None:
            continue
        if not in_file and FILE in found:
            path = _path(read, f"{here}.file", found[FILE])
            if path:
                made.append({FILE: path})
            continue
        digest, reason = found.get("digest"), read.text(f"{here}.reason", found.get("reason"), "")
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            read.refuse(f"{here}.digest", digest, "sha256: and 64 hexadecimal digits in lower case")
            continue
        made.append({"digest": digest, "reason": reason})
    return tuple(made)


def rule_of(entry: Mapping[str, Any]) -> Rule:
    """The rule of a checked entry that is neither a file nor a calendar."""
    length = Length(entry["days"], entry["seconds"])
    return Rule(entry["name"], datetime.fromisoformat(entry["begin"]), length, entry["timezone"], entry.get("rrule", ""))


def _listed(read: Reader, field: str, value: Any) -> list[Any]:
    listed = read.sequence(field, value) or []
    if len(listed) > MOST_ENTRIES:
        read.refuse(field, f"{len(listed)} entries", f"at most {MOST_ENTRIES}; put more into a file")
        return []
    return listed


def _freeze(read: Reader, field: str, item: Any, *, in_file: bool) -> JSON | None:
    """One entry with checked values, or None and a problem."""
    found = read.mapping(field, item)
    if found is None:
        return None
    problems = len(read.problems)
    if FILE in found and not in_file:
        read.known_keys(field, found, (FILE,))
        made: JSON = {FILE: _path(read, f"{field}.file", found[FILE])}
    elif ICAL in found and not in_file:
        read.known_keys(field, found, (ICAL, "timezone"))
        made = _ical(read, field, found)
    elif "rrule" in found or "from" in found:
        read.known_keys(field, found, RECURRING if "rrule" in found else WINDOW)
        made = _named(read, field, found)
    else:
        read.refuse(field, found, f"one of {SHAPES}")
        return None
    return made if len(read.problems) == problems else None


def _ical(read: Reader, field: str, found: Mapping[str, Any]) -> JSON:
    zone = _zone(read, f"{field}.timezone", found.get("timezone") or "UTC")
    text = found[ICAL]
    if not isinstance(text, str) or "BEGIN:VCALENDAR" not in text.upper():
        return {ICAL: _path(read, f"{field}.ical", text), "timezone": zone}
    if len(text) > LONGEST_ICAL:
        read.refuse(f"{field}.ical", f"{len(text)} characters", f"at most {LONGEST_ICAL} as text; name the path of a file")
    try:
        ical.freezes(text, zone or "UTC")
    except ValueError as error:
        read.refuse(f"{field}.ical", None, f"cannot be read: {error}")
    return {ICAL: text, "timezone": zone}


def _named(read: Reader, field: str, found: Mapping[str, Any]) -> JSON:
    """A plain window or a recurring one."""
    name = read.text(f"{field}.name", found.get("name"), "") or ""
    if not name or len(name) > LONGEST_NAME or "," in name or not name.isprintable():
        read.refuse(
            f"{field}.name", found.get("name"), f"a name of at most {LONGEST_NAME} characters without a comma, by which people know it"
        )
    if found.get("timezone") is None:
        read.refuse(f"{field}.timezone", None, "is required: an IANA time zone, such as Europe/Dublin or UTC")
    zone = _zone(read, f"{field}.timezone", found.get("timezone") or "UTC") or "UTC"
    first = "start" if "rrule" in found else "from"
    begin = _local(read, f"{field}.{first}", found.get(first), zone)
    made: JSON = {"name": name, "timezone": zone, "begin": begin and begin.isoformat(), "days": 0, "seconds": 0.0}
    if "rrule" in found:
        made.update(_length(read, f"{field}.duration", found.get("duration")), rrule=str(found["rrule"]))
        try:
            recurrence(made["rrule"], begin or datetime(2026, 1, 1), zone)
        except ValueError as error:
            read.refuse(f"{field}.rrule", None, str(error))
        return made
    end = _local(read, f"{field}.to", found.get("to"), zone, includes_day=True)
    if begin and end:
        made["seconds"] = unix(end, zone) - unix(begin, zone)
        if made["seconds"] <= 0:
            read.refuse(f"{field}.to", str(found["to"]), f"a time after from ({found['from']})")
    return made


def _length(read: Reader, field: str, value: Any) -> JSON:
    """Whole days as 2d are those of the calendar, all else is by the clock."""
    if value is None:
        read.refuse(field, None, "is required: how long each lasts, such as 24h (by the clock) or 1d (a day of the calendar)")
    seconds = read.seconds(field, value, least=60, most=LONGEST_DAYS * 86400, default=86400)
    if isinstance(value, str) and re.fullmatch(r"\d+\s*d", value.strip()):
        return {"days": int(seconds // 86400), "seconds": 0.0}
    return {"days": 0, "seconds": seconds}


def _local(read: Reader, field: str, value: Any, zone: str, *, includes_day: bool = False) -> datetime | None:
    """A local time. A day alone is its beginning, or with includes_day its end. What has an offset is turned into local time."""
    if isinstance(value, str):
        try:
            is_day = bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip()))
            found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        except ValueError:
            found = None
    else:
        is_day = isinstance(value, date) and not isinstance(value, datetime)
        found = datetime(value.year, value.month, value.day) if is_day else value
    if not isinstance(found, datetime):
        read.refuse(field, value, "is required: a time such as 2026-12-23 18:00" if value is None else "a time such as 2026-12-23 18:00")
        return None
    if found.tzinfo is not None:
        return local(found.timestamp(), zone)
    return found + timedelta(days=1) if is_day and includes_day else found


def _zone(read: Reader, field: str, value: Any) -> str | None:
    name = read.text(field, value)
    try:
        return None if name is None else zone_of(name).key
    except ValueError as error:
        read.refuse(field, None, str(error))
        return None


def _path(read: Reader, field: str, value: Any) -> str | None:
    path = read.text(field, value)
    if value is None:
        read.refuse(field, None, "is required")
    if path and not path.startswith("/"):
        read.refuse(field, path, "an absolute path on the control node, such as {{ playbook_dir }}/freezes.yml")
        return None
    return path
