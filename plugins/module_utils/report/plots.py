# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two plots of a target: the share of the new version over time, and below it what each gate read, with its limit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from . import svg
from .markup import Markup
from .spoken import clock, count, percent
from .story import Event, Gate, Look, Reading, Region

WEIGHT_HEIGHT, GATE_HEIGHT = 120, 130
LEAST_SECONDS = 1.0
HEADROOM, LIMIT_ROOM = 1.2, 1.6
NUMBERS_GAP = 84  # between two texts beside decisions
SORTS = {"advance": "good", "ended": "good", "END": "good", "ROLL BACK": "bad", "VIOLATION": "bad", "abort": "bad", "reject": "bad"}
SORTS |= {"watch": "wait", "stuck": "wait", "PARK": "wait", "paused": "wait"}


def sort_of(event: Event) -> str:
    """good, bad, wait or plain: how a decision is coloured, beside what its words say."""
    return SORTS.get(event.word, "plain")


def can_be_drawn(region: Region) -> bool:
    """Whether there is a time to draw anything over."""
    return region.started_at is not None and bool(region.weights or region.looks)


def weight_plot(region: Region, name: str) -> Markup:
    """The share of the new version over time, decisions marked with their numbers."""
    frame = _frame(region, 100.0, WEIGHT_HEIGHT)
    told = ", ".join(f"{value:g} % at {clock(at)}" for at, value in region.weights) or "none at any time"
    return svg.drawing(
        frame,
        name,
        f"Share of the new version in {region.target} over time",
        f"Its share was {told}. Times are UTC.",
        svg.grid(frame, (0.0, 50.0, 100.0), lambda value: f"{value:g} %"),
        svg.staircase(frame, region.weights),
        svg.marks(frame, _marks(region), numbered=True),
    )


def gate_plot(region: Region, gate: Gate, name: str) -> Markup:
    """What a gate read over time: both versions so far as lines, the new version's single looks as dots, and the limit."""
    readings = [(look, look.readings[gate.name]) for look in region.looks if gate.name in look.readings]
    single = [(look.at, reading.canary) for look, reading in readings if reading.canary is not None]
    canary, stable = _series(readings, _canary), _series(readings, _stable)
    frame = _frame(region, _top(gate, [*canary, *stable, *([] if gate.is_share else single)]), GATE_HEIGHT, top=16)
    show = _shown(gate)
    named = [(points[-1][1], f"{word} {show(points[-1][1])}", word) for points, word in ((canary, "new"), (stable, "stable")) if points]
    bounds = [(value, f"{word} {show(value)}") for value, word in ((gate.most, "limit"), (gate.least, "at least")) if value is not None]
    return svg.drawing(
        frame,
        name,
        f"Gate {gate.name} in {region.target} over time",
        _described(gate, canary, stable, [text for _value, text in bounds]),
        svg.grid(frame, svg.value_ticks(frame.top_value), show),
        svg.marks(frame, _marks(region), numbered=False),
        *(svg.limit(frame, value) for value, _text in bounds),
        svg.line(frame, stable, "stable"),
        svg.line(frame, canary, "canary"),
        svg.dots(frame, single, "canary"),
        svg.labels(frame, [*named, *((value, text, "limit") for value, text in bounds)]),
        _numbers(frame, region, gate, readings) if gate.is_share else None,
    )


def _frame(region: Region, top_value: float, height: int, top: int = 30) -> svg.Frame:
    begin = region.started_at or 0.0
    ends = [region.ended_at or region.updated_at or begin, *(look.at for look in region.looks), *(at for at, _value in region.weights)]
    return svg.Frame(begin, max(*ends, begin + LEAST_SECONDS), top_value, height, top)


def _marks(region: Region) -> list[svg.Mark]:
    return [svg.Mark(event.at, event.mark, sort_of(event), event.text) for event in region.decisions]


def _series(readings: Sequence[tuple[Look, Reading]], value: Callable[[Reading], float | None]) -> list[tuple[float, float]]:
    return [(look.at, found) for look, reading in readings if (found := value(reading)) is not None]


def _canary(reading: Reading) -> float | None:
    return reading.canary_so_far.share if reading.canary_so_far else reading.canary


def _stable(reading: Reading) -> float | None:
    return reading.stable_so_far.share if reading.stable_so_far else reading.stable


def _top(gate: Gate, points: Sequence[tuple[float, float]]) -> float:
    """What is at the upper edge: the limit and the lines fit below it."""
    bounds = [LIMIT_ROOM * bound for bound in (gate.most, gate.least) if bound]
    return max([*bounds, *(HEADROOM * value for _at, value in points)], default=0.0) or 1.0


def _shown(gate: Gate) -> Callable[[float], str]:
    return percent if gate.is_share else partial(_with_unit, gate.unit)


def _with_unit(unit: str, value: float) -> str:
    return f"{value:.4g} {unit}".rstrip()


def _described(gate: Gate, canary: svg.Points, stable: svg.Points, bounds: Sequence[str]) -> str:
    show = _shown(gate)
    said = [
        f"{word}: from {show(points[0][1])} to {show(points[-1][1])}"
        for points, word in ((canary, "New version"), (stable, "stable"))
        if points
    ]
    return f"{'; '.join([*said, *bounds]) or 'No numbers'}. Every look is in the table of looks."


def _numbers(frame: svg.Frame, region: Region, gate: Gate, readings: Sequence[tuple[Look, Reading]]) -> Markup:
    """Beside decisions, the counts that they rest on: events of requests of the new version so far. A gate within its limit alarms nobody."""
    found, last = [], float("-inf")
    for event in region.decisions:
        known = [reading.canary_so_far for look, reading in readings if look.at <= event.at and reading.canary_so_far]
        x = frame.x(event.at)
        if event.word not in SORTS or not known or x - last < NUMBERS_GAP:
            continue
        within = gate.most is not None and (known[-1].share or 0.0) <= gate.most
        sort = "plain" if within and sort_of(event) != "good" else sort_of(event)
        found.append(svg.note(frame, x, f"{count(known[-1].events)} of {count(known[-1].requests)}", sort))
        last = x
    return Markup("".join(found))
