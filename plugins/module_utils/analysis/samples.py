# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples of one metric before they are compared: what is no number, outliers, means. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

REMOVE, REPLACE, KEEP = "remove", "replace", "keep"
ROUNDING = 1e-12
"""Two numbers that differ by less than this part of the largest sample are equal: a change of unit rounds every sample anew."""


@dataclass(frozen=True)
class Samples:
    """Finite values in ascending order, and how many of those given were no numbers or outliers."""

    values: tuple[float, ...]
    not_numbers: int = 0
    outliers: int = 0

    @property
    def mean(self) -> float | None:
        """In the unit of the samples; None without any."""
        return scaled_mean(self.values) if self.values else None

    @property
    def is_constant(self) -> bool:
        """Whether there are samples and all have the same value."""
        return bool(self.values) and self.values[0] == self.values[-1]


def prepare(values: Sequence[float], *, nan_strategy: str = REMOVE, outliers: str = KEEP, outlier_factor: float = 3.0) -> Samples:
    """Samples as they are compared: NaN and infinities removed or replaced by 0.0, then outliers, if asked, removed."""
    finite = [value + 0.0 for value in values if math.isfinite(value)]  # no -0.0, which would depend on the order
    not_numbers = len(values) - len(finite)
    if nan_strategy == REPLACE:
        finite += [0.0] * not_numbers
    finite.sort()
    inside = within_fences(finite, outlier_factor) if outliers == REMOVE else finite
    return Samples(tuple(inside), not_numbers, len(finite) - len(inside))


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Linear interpolation between the two nearest of n values, at (n - 1)*percent/100 (R's type 7)."""
    position = (len(ascending) - 1) * percent / 100.0
    below = math.floor(position)
    above = min(below + 1, len(ascending) - 1)
    part = position - below
    return ascending[below] * (1.0 - part) + ascending[above] * part if part else ascending[below]


def within_fences(ascending: Sequence[float], factor: float, *, reduce_sensitivity: bool = True) -> list[float]:
    """The values from Q1 - factor*IQR to Q3 + factor*IQR.

    With ``reduce_sensitivity`` nothing from the 1st to the 99th percentile is an outlier.
    """
    if not ascending:
        return []
    first, third = percentile(ascending, 25.0), percentile(ascending, 75.0)
    low, high = first - factor * (third - first), third + factor * (third - first)
    if reduce_sensitivity:
        low, high = min(low, percentile(ascending, 1.0)), max(high, percentile(ascending, 99.0))
    slack = ROUNDING * largest(ascending)
    return [value for value in ascending if low - slack <= value <= high + slack]


def largest(*samples: Sequence[float]) -> float:
    """The largest absolute value, 0.0 without values."""
    return max((abs(value) for values in samples for value in values), default=0.0)


def scaled_mean(values: Sequence[float]) -> float:
    """The mean; does not overflow and does not depend on the order. Raises ValueError without values."""
    if not values:
        raise ValueError("a mean needs at least one value")
    size = largest(values)
    if not size:
        return 0.0
    exponent = math.frexp(size)[1]
    return math.ldexp(math.fsum(math.ldexp(value, -exponent) for value in values) / len(values), exponent)
