# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the calendars of a release: what its variables say, and the files on the control node that they name, each time anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import calendar_spec, ical
from .calendar_spec import DENIED, FREEZES, CalendarSpec
from .freeze import Rule
from .values import Problem, Reader, yaml

JSON = dict[str, Any]
LARGEST_BYTES = 4 * 1024 * 1024


class Unreadable(Exception):
    """A file says nothing that can be trusted. problems says which and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def rules(spec: CalendarSpec) -> list[Rule]:
    """Every freeze. Raises Unreadable: nobody knows then whether there is one."""
    found: list[Rule] = []
    for index, entry in enumerate(spec.freezes):
        field = f"{FREEZES}[{index}]"
        if "file" in entry:
            found += [calendar_spec.rule_of(one) for one in _entries(f"{field}.file", entry["file"], calendar_spec.freezes)]
        elif "ical" in entry:
            found += _calendar(f"{field}.ical", entry)
        else:
            found.append(calendar_spec.rule_of(entry))
    return found


def denied(spec: CalendarSpec, digest: str) -> str | None:
    """Why this digest is not to be released; None when nothing is said against it. Raises Unreadable."""
    for index, entry in enumerate(spec.denied):
        listed: tuple[JSON, ...] = (entry,)
        if "file" in entry:
            listed = _entries(f"{DENIED}[{index}].file", entry["file"], calendar_spec.denied)
        for one in listed:
            if one["digest"] == digest.rpartition("@")[2]:
                return one["reason"] or "no reason given"
    return None


def _calendar(field: str, entry: JSON) -> list[Rule]:
    text = entry["ical"]
    if text.startswith("/"):
        text = _text(field, text)
    try:
        return ical.freezes(text, entry["timezone"])
    except ValueError as error:
        raise Unreadable([Problem(field, entry["ical"][:80], f"a calendar that can be read: {error}")]) from error


def _entries(field: str, path: str, check: Callable[..., tuple[JSON, ...]]) -> tuple[JSON, ...]:
    """The checked entries of a file of YAML."""
    try:
        found = yaml.safe_load(_text(field, path))
    except yaml.YAMLError as error:
        raise Unreadable([Problem(field, path, f"a file of YAML: {' '.join(str(error).split())[:200]}")]) from error
    read = Reader()
    made = check(read, path, found if found is not None else [], in_file=True)
    if read.problems:
        raise Unreadable(read.problems)
    return made


def _text(field: str, path: str) -> str:
    try:
        if Path(path).stat().st_size > LARGEST_BYTES:
            raise Unreadable([Problem(field, path, f"a file of at most {LARGEST_BYTES // 1024 // 1024} MiB")])
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable([Problem(field, path, f"a file that can be read on the control node: {error}")]) from error
