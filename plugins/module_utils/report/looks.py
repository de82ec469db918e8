# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The looks of a release, out of its JSON lines or, where there are none, out of its record. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from .story import Count, Look, Reading

JSON = dict[str, Any]
Pair = tuple[Optional[Count], Optional[Count]]
NO_DATA = "no data"
_COUNTED = re.compile(rf"(.+?) ({NO_DATA}|[\d,]+/[\d,]+)(?: vs ({NO_DATA}|[\d,]+/[\d,]+))?")
_ANSWERED = re.compile(rf"(.+?) ({NO_DATA}|[-+.\deinfa]+)(?: vs ({NO_DATA}|[-+.\deinfa]+))?")


def looks_of_lines(lines: Iterable[Mapping[str, Any]]) -> tuple[Look, ...]:
    """Those that ended a block, or decided something: report.live prints the same ones."""
    so_far: dict[str, Pair] = {}
    found = []
    for line in lines:
        if line.get("event") != "judged":
            continue
        look, verdict = line["look"], line.get("final") or line["verdict"]
        closes = bool(look.get("closes_block"))
        counts = {one["gate"]: (_count(one["canary"]), _count(one["baseline"])) for one in look["metrics"]}
        summed = {gate: _sum(so_far.get(gate, (None, None)), pair) for gate, pair in counts.items()}
        if closes:
            so_far.update(summed)
        if not (closes or look["scalars"] or verdict["decision"] == "roll_back"):
            continue
        readings = {gate: _counted(pair, summed[gate]) for gate, pair in counts.items()}
        readings |= {one["gate"]: Reading(_number(one["canary"]), _number(one["baseline"])) for one in look["scalars"]}
        words = (verdict["decision"], verdict["cause"], verdict["reason"])
        found.append(Look(look["number"], look["at_seconds"], look["weight_percent"], _told(counts), *words, readings))
    return tuple(found)


def looks_of_record(looks: Sequence[Mapping[str, Any]]) -> tuple[Look, ...]:
    """The last ones, as a record keeps them: their numbers are in a sentence."""
    so_far: dict[str, Pair] = {}
    found = []
    for look in looks:
        readings = {}
        for part in str(look.get("counts") or "").split(" · "):
            if counted := _COUNTED.fullmatch(part):
                gate, pair = counted[1], (_fraction(counted[2]), _fraction(counted[3]))
                so_far[gate] = _sum(so_far.get(gate, (None, None)), pair)
                readings[gate] = _counted(pair, so_far[gate])
            elif answered := _ANSWERED.fullmatch(part):
                readings[answered[1]] = Reading(_number(answered[2]), _number(answered[3]))
        found.append(Look(look["number"], look["at"], look["weight"], str(look.get("counts") or ""), look["decision"], readings=readings))
    return tuple(found)


def _counted(pair: Pair, summed: Pair) -> Reading:
    canary, stable = pair
    return Reading(canary.share if canary else None, stable.share if stable else None, *summed)


def _sum(before: Pair, now: Pair) -> Pair:
    def one(old: Count | None, new: Count | None) -> Count | None:
        return old + new if old and new else new or old

    return one(before[0], now[0]), one(before[1], now[1])


def _told(counts: Mapping[str, Pair]) -> str:
    def one(count: Count | None) -> str:
        return NO_DATA if count is None else f"{count.events:,}/{count.requests:,}"

    return " · ".join(f"{gate} {one(canary)}" + (f" vs {one(stable)}" if stable else "") for gate, (canary, stable) in counts.items())


def _count(pair: Sequence[int] | None) -> Count | None:
    return None if pair is None else Count(pair[0], pair[1])


def _fraction(text: str | None) -> Count | None:
    if text in (None, NO_DATA):
        return None
    events, _slash, requests = str(text).replace(",", "").partition("/")
    return Count(int(requests), int(events))


def _number(value: Any) -> float | None:
    """A finite number; None for no data and for what cannot be drawn."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < float("inf") else None
