# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a metric's samples are higher or lower with the canary: the rank test that Kayenta made known for canaries. Pure.

Meant for gauges (CPU, memory, a queue's length) that both versions show at the same times. Errors and latency belong to the
sequential rule: a minute's error rate says nothing about how many requests made it.

The shift interval holds all shifts that a two-sided Mann-Whitney test (normal approximation, corrected for continuity and ties) does
not reject. It runs between two of the ordered differences canary - baseline, and the estimate is their median (Hodges and Lehmann,
1963), so all three change with the unit exactly as the samples do, and no tolerance is needed. The metric is high when the interval's
lower end is above tolerance*|estimate| and the effect size reaches allowed_increase; low is the mirror image.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from .kayenta_shift import kayenta_shift
from .mann_whitney_options import CLES, DECREASE, INCREASE, Options
from .rank import kth_difference, pairs_above, rank_spread, tie_sizes
from .samples import REPLACE, ROUNDING, Samples, largest, prepare

PASS, HIGH, LOW, NODATA, NODATA_FAIL = "Pass", "High", "Low", "Nodata", "NodataFailMetric"

NO_SAMPLES = "no_samples"
TOO_FEW_SAMPLES = "too_few_samples"
SAME_SAMPLES = "same_samples"
NOT_CERTAIN = "not_certain"
WITHIN_LIMIT = "within_limit"
OTHER_DIRECTION = "other_direction"
SHIFTED = "shifted"


@dataclass(frozen=True)
class Shift:
    """How much higher the canary is, in the metric's unit, with the ends of the interval at the chosen confidence."""

    low: float
    estimate: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """What the samples say. ``effect`` is NaN where a ratio has no meaning, 1.0 where nothing was compared; ``shift`` may be None."""

    verdict: str
    cause: str
    canary: Samples
    baseline: Samples
    critical: bool = False
    effect: float = 1.0
    shift: Shift | None = None


def compare(canary: Sequence[float], baseline: Sequence[float], options: Options) -> Comparison:
    """Judge one metric. NaN, infinities, empty, constant and huge samples are all judged; nothing is raised."""
    xs, ys = (
        prepare(values, nan_strategy=options.nan_strategy, outliers=options.outliers, outlier_factor=options.outlier_factor)
        for values in (canary, baseline)
    )
    if not (xs.values and ys.values):
        if options.kayenta_compatible and options.nan_strategy == REPLACE:
            return Comparison(PASS, NO_SAMPLES, xs, ys)
        return _no_data(NO_SAMPLES, xs, ys, options)
    if xs.values == ys.values or (xs.is_constant and ys.is_constant and xs.values[0] == ys.values[0]):
        return Comparison(PASS, SAME_SAMPLES, xs, ys)
    z = -NormalDist().inv_cdf((1.0 - options.confidence) / 2.0)
    found = _kayenta(xs, ys, z) if options.kayenta_compatible else shift_interval(xs.values, ys.values, z)
    if found is None:
        return _no_data(TOO_FEW_SAMPLES, xs, ys, options)
    return _verdict(xs, ys, found, options)


def shift_interval(xs: Sequence[float], ys: Sequence[float], z: float) -> Shift | None:
    """The shift of ascending xs against ascending ys; ``z`` is the quantile of the confidence. None with too few samples for it."""
    pairs = len(xs) * len(ys)
    if (pairs - 1) / 2.0 < z * rank_spread(len(xs), len(ys)):
        return None
    exponent = math.frexp(largest(xs, ys))[1]
    xs, ys = ([math.ldexp(value, -exponent) for value in values] for values in (xs, ys))
    spread = rank_spread(len(xs), len(ys), [*tie_sizes(xs), *tie_sizes(ys)])
    rank = max(1, math.ceil((pairs - 1) / 2.0 - z * spread))
    low, high = kth_difference(xs, ys, rank), kth_difference(xs, ys, pairs + 1 - rank)
    middle = kth_difference(xs, ys, (pairs + 1) // 2)
    if pairs % 2 == 0:
        middle = (middle + kth_difference(xs, ys, pairs // 2 + 1)) / 2.0
    return Shift(*(_times_power_of_two(value, exponent) for value in (low, middle, high)))


def samples_needed(confidence: float) -> int:
    """Samples in each arm from which on so much confidence can be reached at all."""
    z = -NormalDist().inv_cdf((1.0 - confidence) / 2.0)
    needed = 1
    while (needed * needed - 1) / 2.0 < z * rank_spread(needed, needed):
        needed += 1
    return needed


def mean_ratio(xs: Samples, ys: Samples, *, signed: bool = False) -> float:
    """The canary's mean by the baseline's. NaN where one is 0 or, unless ``signed``, negative."""
    canary, baseline = xs.mean or 0.0, ys.mean or 0.0
    least = ROUNDING * largest(xs.values, ys.values)
    usable = canary and baseline if signed else canary > least and baseline > least
    return canary / baseline if usable else math.nan


def superiority(xs: Samples, ys: Samples) -> float:
    """The share of pairs in which the canary's sample is the higher one, a tie counting one half (CLES)."""
    return pairs_above(xs.values, ys.values) / (len(xs.values) * len(ys.values))


def effect_of(xs: Samples, ys: Samples, options: Options) -> float:
    """The effect size that the options name."""
    return superiority(xs, ys) if options.effect_size == CLES else mean_ratio(xs, ys, signed=options.kayenta_compatible)


def _kayenta(xs: Samples, ys: Samples, z: float) -> Shift | None:
    if not math.isfinite(4.0 * largest(xs.values, ys.values)):  # beyond what its subtractions can hold
        return shift_interval(xs.values, ys.values, z)
    found = kayenta_shift(xs.values, ys.values, z)
    return Shift(*found) if found else None


def _no_data(cause: str, xs: Samples, ys: Samples, options: Options) -> Comparison:
    fails = options.must_have_data and not options.critical
    return Comparison(NODATA_FAIL if fails else NODATA, cause, xs, ys, critical=options.critical)


def _verdict(xs: Samples, ys: Samples, shift: Shift, options: Options) -> Comparison:
    effect = effect_of(xs, ys, options)
    slack = 0.0 if options.kayenta_compatible else ROUNDING
    bound = options.tolerance * abs(shift.estimate) + slack * largest(xs.values, ys.values)

    def at_least(name: str) -> bool:
        return math.isnan(effect) or effect >= options.limit(name) * (1.0 - slack)

    def at_most(name: str) -> bool:
        return math.isnan(effect) or effect <= options.limit(name) * (1.0 + slack)

    verdict, cause, critical = PASS, NOT_CERTAIN, False
    if shift.low > bound:
        cause = OTHER_DIRECTION if options.direction == DECREASE else WITHIN_LIMIT
        if cause == WITHIN_LIMIT and at_least("allowed_increase"):
            verdict, cause, critical = HIGH, SHIFTED, options.critical and at_least("critical_increase")
    elif shift.high < -bound:
        cause = OTHER_DIRECTION if options.direction == INCREASE else WITHIN_LIMIT
        if cause == WITHIN_LIMIT and at_most("allowed_decrease"):
            verdict, cause, critical = LOW, SHIFTED, options.critical and at_most("critical_decrease")
    return Comparison(verdict, cause, xs, ys, critical=critical, effect=effect, shift=shift)


def _times_power_of_two(value: float, exponent: int) -> float:
    """value*2^exponent, or the largest number that there is."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(sys.float_info.max, value)
