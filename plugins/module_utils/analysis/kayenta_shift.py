# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shift interval with the limited precision of Kayenta's, for results that must be the same as its own. Pure.

Kayenta looks for the shift at which the rank test gives way with Brent's method (R. P. Brent, Algorithms for Minimization without
Derivatives, 1973, chapter 4) and stops at an absolute 1e-4, whatever the unit. The shifts between two jumps of the statistic, or
those closer than 1e-4, are not told apart, and the result depends on the path: the steps below are therefore those of the book.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Callable

from .rank import pairs_above, rank_spread, tie_sizes

ABSOLUTE_TOLERANCE = 1e-4
NOISE = 1e-5
MOST_STEPS = 1000
MACHINE_PRECISION = 2.0**-52

_Function = Callable[[float], float]


def kayenta_shift(xs: Sequence[float], ys: Sequence[float], z: float) -> tuple[float, float, float] | None:
    """(low, estimate, high) of the shift of ``xs`` against ``ys``, with quantile ``z`` of the normal distribution.

    None when every rank is tied at an end of the search, as with one sample in each arm.
    """
    if xs[0] == xs[-1] and ys[0] == ys[-1]:
        xs, ys = with_noise(xs), with_noise(ys)
    low, high = xs[0] - ys[-1], xs[-1] - ys[0]
    at_low, at_high = rank_statistic(xs, ys, low), rank_statistic(xs, ys, high)
    if at_low is None or at_high is None:
        return None

    def excess(quantile: float) -> _Function:
        return lambda shift: (rank_statistic(xs, ys, shift) or 0.0) - quantile

    def end(quantile: float) -> float:
        if at_low - quantile <= 0.0:
            return low
        if at_high - quantile >= 0.0:
            return high
        return brent_root(excess(quantile), low, high)

    return end(z), brent_root(excess(0.0), low, high), end(-z)


def with_noise(values: Sequence[float]) -> list[float]:
    """Equal values pulled apart by the quantiles of a normal distribution with a relative deviation of 1e-5.

    Kayenta draws at random; here the same samples give the same result.
    """
    normal = NormalDist()
    deviation = abs(values[0]) * NOISE
    return [value + deviation * normal.inv_cdf((number + 0.5) / len(values)) for number, value in enumerate(values)]


def rank_statistic(xs: Sequence[float], ys: Sequence[float], shift: float) -> float | None:
    """Mann and Whitney's statistic of xs - shift against ys in standard deviations, corrected for continuity and ties.

    None when all values are tied.
    """
    moved = [x - shift for x in xs]
    spread = rank_spread(len(xs), len(ys), tie_sizes(sorted([*moved, *ys])))
    if not spread:
        return None
    surplus = pairs_above(moved, ys) - len(xs) * len(ys) / 2.0
    return (surplus - math.copysign(0.5, surplus) if surplus else 0.0) / spread


def brent_root(function: _Function, low: float, high: float, tolerance: float = ABSOLUTE_TOLERANCE) -> float:
    """A root of the function between low and high by Brent's method; an end at which the function is 0 is one."""
    previous, best = low, high
    f_previous, f_best = function(previous), function(best)
    if f_previous == 0.0:
        return previous
    if f_best == 0.0:
        return best
    other, f_other = previous, f_previous
    for _step in range(MOST_STEPS):
        last_step = best - previous
        if abs(f_other) < abs(f_best):
            previous, best, other = best, other, best
            f_previous, f_best, f_other = f_best, f_other, f_best
        precision = 2.0 * MACHINE_PRECISION * abs(best) + tolerance / 2.0
        half = (other - best) / 2.0
        if abs(half) <= precision or f_best == 0.0:
            break
        step = half
        if abs(last_step) >= precision and abs(f_previous) > abs(f_best):
            step = _interpolated((previous, best, other), (f_previous, f_best, f_other), precision, last_step)
        if abs(step) < precision:
            step = math.copysign(precision, step)
        previous, f_previous = best, f_best
        best += step
        f_best = function(best)
        if (f_best > 0.0) == (f_other > 0.0):
            other, f_other = previous, f_previous
    return best


def _interpolated(at: tuple[float, float, float], values: tuple[float, float, float], precision: float, last_step: float) -> float:
    """The step to the root of a line through two points or of an inverse parabola through three, else half of the interval."""
    previous, best, other = at
    f_previous, f_best, f_other = values
    width = other - best
    if previous == other:
        ratio = f_best / f_previous
        numerator, denominator = width * ratio, 1.0 - ratio
    else:
        q, r, s = f_previous / f_other, f_best / f_other, f_best / f_previous
        numerator = s * (width * q * (q - r) - (best - previous) * (r - 1.0))
        denominator = (q - 1.0) * (r - 1.0) * (s - 1.0)
    if numerator > 0.0:
        denominator = -denominator
    numerator = abs(numerator)
    small = numerator < 0.75 * width * denominator - abs(precision * denominator) / 2.0
    return numerator / denominator if small and numerator < abs(last_step * denominator / 2.0) else width / 2.0
