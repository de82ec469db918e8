# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots over time as SVG inside a page: its styles are the page's (report.style), so they follow light, dark and print. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .markup import Markup, joined, tag
from .spoken import clock

WIDTH, LEFT, RIGHT = 960, 64, 112  # the right margin has the labels of the lines
TICK_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
MOST_TICKS = 8
LABEL_GAP = 14
BADGE_GAP = 20
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """A decision to be marked. number: as in the table of decisions; sort: a class of report.style (good, bad, wait, plain)."""

    at: float
    number: int
    sort: str
    text: str


@dataclass(frozen=True)
class Frame:
    """The area of a plot: what is at its edges, in seconds (Unix time) and in the unit of the values, which begin at 0."""

    begin: float
    end: float
    top_value: float
    height: int
    top: int = 30  # room for the numbers of the decisions

    @property
    def floor(self) -> int:
        """Where the value 0 is drawn."""
        return self.top + self.height

    def x(self, at: float) -> float:
        """Where a time is drawn; one outside at the edge."""
        part = (min(max(at, self.begin), self.end) - self.begin) / max(self.end - self.begin, 1e-9)
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        """Where a value is drawn; one outside at the edge."""
        part = min(max(value / self.top_value, 0.0), 1.0) if self.top_value > 0 else 0.0
        return round(self.floor - part * self.height, 1)


def drawing(frame: Frame, name: str, title: str, description: str, *parts: Markup | None) -> Markup:
    """A whole plot. name is its id in the page, title and description are for those who cannot see it."""
    height = frame.floor + 26
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *parts,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="plot",
    )


def grid(frame: Frame, values: Iterable[float], label: Callable[[float], str]) -> Markup:
    """Lines at values, and the times below."""
    right = WIDTH - RIGHT
    lines = [
        joined(
            tag("line", x1=LEFT, x2=right, y1=frame.y(value), y2=frame.y(value), class_="grid"),
            tag("text", label(value), x=LEFT - 8, y=frame.y(value) + 4, class_="tick end"),
        )
        for value in values
    ]
    return joined(*lines, *(_time(frame, at, seconds) for at, seconds in time_ticks(frame.begin, frame.end)))


def _time(frame: Frame, at: float, with_seconds: bool) -> Markup:
    x = frame.x(at)
    return joined(
        tag("line", x1=x, x2=x, y1=frame.floor, y2=frame.floor + 4, class_="grid"),
        tag("text", clock(at, seconds=with_seconds), x=x, y=frame.floor + 18, class_="tick middle"),
    )


def time_ticks(begin: float, end: float) -> list[tuple[float, bool]]:
    """Round moments between begin and end, at most eight, and whether they need their seconds told."""
    step = next((one for one in TICK_SECONDS if (end - begin) / one <= MOST_TICKS), TICK_SECONDS[-1])
    first = -(-begin // step) * step
    count = min(int((end - first) // step) + 1, 4 * MOST_TICKS) if end >= first else 0
    return [(first + number * step, step < 60) for number in range(count)]


def value_ticks(top: float) -> list[float]:
    """Round values from 0 to top, three to six of them."""
    if top <= 0:
        return [0.0]
    size = 10.0 ** math.floor(math.log10(top))
    step = next(size * part for part in (2, 1, 0.5, 0.2) if top / (size * part) >= 3)
    return [step * number for number in range(int(top / step + 1e-9) + 1)]


def line(frame: Frame, points: Points, sort: str) -> Markup | None:
    """A line through points."""
    return tag("polyline", points=_path(frame, points), class_=f"line {sort}") if len(points) > 1 else None


def staircase(frame: Frame, changes: Points) -> Markup:
    """What changes at once and stays: an area with its edge."""
    path: list[tuple[float, float]] = [(frame.begin, 0.0)]
    for at, value in changes:
        path += [(at, path[-1][1]), (at, value)]
    path.append((frame.end, path[-1][1]))
    area = [*path, (frame.end, 0.0)]
    return joined(
        tag("polygon", points=_path(frame, area), class_="area"),
        tag("polyline", points=_path(frame, path), class_="line canary"),
    )


def dots(frame: Frame, points: Points, sort: str) -> Markup:
    """A dot at each point; one beyond the top is a triangle there."""
    found = []
    for at, value in points:
        x, y = frame.x(at), frame.y(value)
        if value > frame.top_value:
            found.append(tag("path", d=f"M{x - 4} {y + 8}L{x + 4} {y + 8}L{x} {y + 1}Z", class_=f"dot {sort}"))
        else:
            found.append(tag("circle", cx=x, cy=y, r=3, class_=f"dot {sort}"))
    return joined(*found)


def limit(frame: Frame, value: float) -> Markup:
    """The line that must not be crossed."""
    return tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=frame.y(value), y2=frame.y(value), class_="line limit")


def labels(frame: Frame, named: Iterable[tuple[float, str, str]]) -> Markup:
    """(value, text, sort) at the right end of what they name, moved apart where they would touch."""
    found, free = [], float("inf")
    for value, text, sort in sorted(named, key=lambda one: one[0]):
        y = min(frame.y(value) + 4, free)
        free = y - LABEL_GAP
        found.append(tag("text", text, x=WIDTH - RIGHT + 8, y=round(y, 1), class_=f"label {sort}"))
    return joined(*found)


def marks(frame: Frame, decisions: Sequence[Mark], *, numbered: bool) -> Markup:
    """Decisions as lines from top to floor; numbered as in the table, or without their numbers."""
    found, last = [], 0.0
    for mark in decisions:
        x = frame.x(mark.at)
        found.append(tag("line", x1=x, x2=x, y1=frame.top - (10 if numbered else 0), y2=frame.floor, class_=f"mark {mark.sort}"))
        last = max(x, last + BADGE_GAP)
        if numbered and last < WIDTH - BADGE_GAP:  # of more decisions than there is room for, the last ones are in the table alone
            badge = tag("circle", cx=last, cy=10, r=9, class_=f"badge {mark.sort}")
            text = tag("text", mark.number, x=last, y=14, class_=f"number middle {mark.sort}")
            found.append(tag("g", tag("title", f"{mark.number}: {mark.text}"), badge, text))
    return joined(*found)


def note(frame: Frame, x: float, text: str, sort: str) -> Markup:
    """A few words beside a decision's line, on the side where there is room."""
    is_left = x > WIDTH - RIGHT - 60
    return tag("text", text, x=x - 5 if is_left else x + 5, y=frame.top + 10, class_=f"note {sort}{' end' if is_left else ''}")


def _path(frame: Frame, points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{frame.x(at)},{frame.y(value)}" for at, value in points)
