# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A figure of a simulation, its sampling error, and whether it agrees with what was published or promised.

A published figure is reproduced when ours lies within a 99.99 % interval around it (3.9 standard errors): sampling error of both
simulations and the rounding of the published one. With some 400 figures that leaves one false miss in 25 suites; seeds are fixed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

Array = Any
TAIL = 0.00005
SIGMAS = 3.89


@dataclass(frozen=True)
class Figure:
    """ours ± error, as text of this unit; published and limits in the same unit; wrong says what does not agree, empty when all does."""

    ours: float
    error: float
    unit: str
    published: str = ""
    limit: str = ""
    wrong: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        if math.isnan(self.ours):
            said = f"{self.prefix}–"
        else:
            digits = _digits(self.error)
            said = f"{self.prefix}{self.ours:,.{digits}f} ± {self.error:,.{digits}f}{self.unit}"
        known = "; ".join(each for each in (f"published {self.published}" if self.published else "", self.limit) if each)
        return f"{said} ({known})" if known else said


@dataclass(frozen=True)
class Cell:
    """The figures of one row and column of a table. differs: why they need not agree with the published ones, in a sentence."""

    table: str
    row: str
    column: str
    figures: tuple[Figure, ...]
    differs: str = ""

    @property
    def misses(self) -> list[str]:
        """What does not agree."""
        return [f"{self.table}, {self.row}, {self.column}: {each.wrong}" for each in self.figures if each.wrong]


def share(
    hits: Array,
    published: str | None = None,
    *,
    published_runs: int = 20_000,
    at_most: float | None = None,
    at_least: float | None = None,
    compare: bool = True,
) -> Figure:
    """Runs in which something happened, in percent. at_most, at_least: what the rule promises. compare: published must be met."""
    runs, count = len(hits), int(np.sum(hits))
    # the error of no hit at all is that of one
    error = 100.0 * math.sqrt(max(count, 1) * max(runs - count, 1)) / runs**1.5
    wrong = []
    if published is not None and compare:
        low, high = _share_bounds(published, published_runs, runs)
        if not low <= count <= high:
            wrong.append(
                f"{100 * count / runs:.2f} % is not within {100 * low / runs:.2f}–{100 * high / runs:.2f} % (published {published})"
            )
    if at_most is not None and count > binom.ppf(1.0 - TAIL, runs, at_most / 100.0):
        wrong.append(f"{100 * count / runs:.2f} % is more than {at_most:g} %")
    if at_least is not None and count < binom.ppf(TAIL, runs, at_least / 100.0):
        wrong.append(f"{100 * count / runs:.2f} % is less than {at_least:g} %")
    limits = [f"at most {at_most:g} %"] if at_most is not None else []
    limits += [f"at least {at_least:g} %"] if at_least is not None else []
    return Figure(100.0 * count / runs, error, " %", published or "", ", ".join(limits), "; ".join(wrong))


def quantile(
    values: Array,
    part: float = 0.5,
    published: float | None = None,
    *,
    unit: str = "",
    published_runs: int = 20_000,
    slack: float = 0.0,
    compare: bool = True,
    prefix: str = "",
) -> Figure:
    """The median, or another quantile. slack: half a step of values that only come in steps (looks), and rounding."""
    if len(values) < 10:
        return Figure(math.nan, math.nan, unit, "" if published is None else f"{published:,g}", prefix=prefix)
    ordered = np.sort(values)
    together = len(values) * published_runs / (len(values) + published_runs)
    spread = math.sqrt(part * (1.0 - part) / together)
    low, high = (_at(ordered, part + sign * SIGMAS * spread) for sign in (-1.0, 1.0))
    one = math.sqrt(part * (1.0 - part) / len(values))
    error = (_at(ordered, part + one) - _at(ordered, part - one)) / 2.0
    wrong = ""
    if published is not None and compare and not low - slack <= published <= high + slack:
        wrong = f"published {published:,g} is not within {low:,.4g}–{high:,.4g}{unit}"
    return Figure(_at(ordered, part), error, unit, "" if published is None else f"{published:,g}", wrong=wrong, prefix=prefix)


def mean(
    values: Array,
    published: float | None = None,
    *,
    unit: str = "",
    published_runs: int = 20_000,
    rounding: float = 0.1,
    compare: bool = True,
    prefix: str = "",
) -> Figure:
    """The mean of all runs."""
    deviation = float(np.std(values))
    error = deviation / math.sqrt(len(values))
    allowed = SIGMAS * deviation * math.sqrt(1.0 / len(values) + 1.0 / published_runs) + rounding / 2.0
    ours = float(np.mean(values)) + 0.0
    wrong = ""
    if published is not None and compare and abs(ours - published) > allowed:
        wrong = f"{ours:.2f} is not within {allowed:.2f} of the published {published:g}{unit}"
    return Figure(ours, error, unit, "" if published is None else f"{published:g}", wrong=wrong, prefix=prefix)


def _share_bounds(published: str, published_runs: int, runs: int) -> tuple[int, int]:
    """The least and the greatest number of our runs that agree; both simulations err, so ours counts as n*N/(n + N) runs."""
    half = 0.5 * 10.0 ** -(len(published.partition(".")[2]))
    together = max(1, round(runs * published_runs / (runs + published_runs)))
    low, high = (min(1.0, max(0.0, (float(published) + sign * half) / 100.0)) for sign in (-1.0, 1.0))
    return math.floor(binom.ppf(TAIL, together, low) / together * runs), math.ceil(binom.ppf(1.0 - TAIL, together, high) / together * runs)


def _at(ordered: Array, part: float) -> float:
    return float(ordered[min(len(ordered) - 1, max(0, round(part * (len(ordered) - 1))))])


def _digits(error: float) -> int:
    """So many digits after the point that the error has one or two."""
    return max(0, min(3, 1 - math.floor(math.log10(error)))) if error > 0.0 and error < 10.0 else 0


def as_markdown(cells: list[Cell]) -> str:
    """The tables, each with its rows and columns in the order they came, and why a row differs below it."""
    lines: list[str] = []
    for table in dict.fromkeys(cell.table for cell in cells):
        mine = [cell for cell in cells if cell.table == table]
        columns = list(dict.fromkeys(cell.column for cell in mine))
        lines += [f"## {table}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        reasons = list(dict.fromkeys(cell.differs for cell in mine if cell.differs))
        for row in dict.fromkeys(cell.row for cell in mine):
            texts = {cell.column: _text(cell, reasons) for cell in mine if cell.row == row}
            lines.append(f"| {row} | {' | '.join(texts.get(column, '') for column in columns)} |")
        lines += ["", *(f"{_mark(index)} {reason}" + "\n" for index, reason in enumerate(reasons))]
    return "\n".join(lines)


def _text(cell: Cell, reasons: list[str]) -> str:
    mark = _mark(reasons.index(cell.differs)) if cell.differs else ""
    missed = " **MISS**" if cell.misses else ""
    return "; ".join(map(str, cell.figures)) + (f" {mark}" if mark else "") + missed


def _mark(index: int) -> str:
    return f"[{chr(ord('a') + index)}]"
