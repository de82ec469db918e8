# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in one target, in its order: out of its JSON lines or, where there are none, out of its record. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .spoken import unix
from .story import ABORTED, ROLLED_BACK, Event, Look, Step

JSON = dict[str, Any]
Weights = tuple[tuple[float, float], ...]
COMMANDS = ("abort", "pause", "resume", "promote", "approve", "reject")
DECISIVE = ("advance", "ROLL BACK", "PARK", "END", "watch", "stuck", "VIOLATION", "paused", "result", "ended", *COMMANDS)
# a look whose verdict has one of these causes is no wait for more requests: something is wrong
ALARMING = ("watching", "shared_incident", "failed_look", "no_data", "bad_query", "too_little_data", "share_missed", "budget_burn", "alert")
HOME = "100 % stable"
COPIES = ("shadow", "rolling")  # their shares are no weights of a route
_BAR = re.compile(r"\s*▕.*?▏\s*")
_ONWARD = re.compile(r"^(\d+ %|the end)\s\s+")
_SHARE = re.compile(r"(?:weight|mirror|roll|ab)-(\d+)")


def events_of_lines(lines: Iterable[Mapping[str, Any]]) -> tuple[Event, ...]:
    """Every line that people saw but the looks; of these only one that is the first to find something wrong."""
    found, before = [], ""
    for line in lines:
        if "text" not in line:
            continue
        word, text = str(line["event"]), _BAR.sub(" · ", str(line["text"])).strip()
        if word == "look":
            cause = str(line.get("cause") or "")
            if line.get("decision") == "hold" and cause in ALARMING and cause != before:
                found.append(Event(line["at"], "watch", text.rpartition("   ")[2]))  # its number and its counts are in the list of looks
            before = cause
            continue
        found.append(Event(line["at"], word, _ONWARD.sub(r"to \1: ", text) if word == "advance" else text))
    return _numbered(found)


def events_of_record(record: Mapping[str, Any], steps: Sequence[Step], looks: Sequence[Look], ended_at: float | None) -> tuple[Event, ...]:
    """Steps, looks that changed their mind, commands and the ending: less than was said, but all that the record knows."""
    found = [Event(step.started_at, "step", f"{step.name}{': ' + step.note if step.note else ''}") for step in steps if step.started_at]
    before = ("", 0.0)
    for look in looks:
        if look.decision == "advance" and (look.decision, look.weight) != before:
            found.append(Event(look.at, "advance", f"from {look.weight:g} %: {look.counts}"))
        before = (look.decision, look.weight)
    for command in record.get("commands") or ():
        reason = f" ({command['reason']})" if command.get("reason") else ""
        if (at := unix(command.get("at"))) is not None:
            found.append(Event(at, command["command"], f"{command.get('said') or command['command']}; by {command.get('by')}{reason}"))
    if ended_at is not None and record.get("outcome"):
        word = "ROLL BACK" if record["outcome"] in (ROLLED_BACK, ABORTED) else "ended"
        found.append(Event(ended_at, word, str(record.get("reason") or record["outcome"])))
    return _numbered(sorted(found, key=lambda event: event.at))


def _numbered(events: Sequence[Event]) -> tuple[Event, ...]:
    """With the decisions numbered."""
    found, mark = [], 0
    for event in events:
        decides = event.word in DECISIVE
        mark += decides
        found.append(replace(event, mark=mark if decides else 0))
    return tuple(found)


def weights_of(lines: Sequence[Mapping[str, Any]], steps: Sequence[Step], strategy: str, returned_at: float | None) -> Weights:
    """(time, percentage of the users, or of their requests, with the new version), as it changed.

    returned_at: when traffic was with stable again, for a record without lines; None when it was not.
    """
    found = [] if strategy in COPIES else [change for line in lines if (change := _change(line)) is not None]
    if not any(share for _at, share in found):  # no log, or nothing but the way home
        found = [(at, share) for step in steps if (share := _share(step)) is not None and (at := step.ended_at or step.started_at)]
        homes = [line["at"] for line in lines if _is_home(line)]
        back = homes[-1] if homes else returned_at
        found += [(back, 0.0)] if found and back is not None else []
    return tuple(sorted(found, key=lambda change: change[0]))


def _change(line: Mapping[str, Any]) -> tuple[float, float] | None:
    if "weight_percent" in line and "text" in line:
        return line["at"], float(line["weight_percent"])
    if _is_home(line):
        return line["at"], 0.0
    return (line["at"], 100.0) if line.get("event") == "traffic" and str(line.get("text")).startswith("100 %") else None


def _is_home(line: Mapping[str, Any]) -> bool:
    return line.get("event") == "traffic" and str(line.get("text")).startswith(HOME)


def _share(step: Step) -> float | None:
    """The share that a step gives to the new version; None for one that leaves it as it is."""
    if found := _SHARE.fullmatch(step.name):
        return float(found[1])
    return 100.0 if step.name == "switch" else None
