# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranks of two samples without ranking them: counts of pairs, the spread of the rank sum, the k-th of all differences. Pure.

Both samples are sorted in ascending order and hold finite numbers. What is called a difference is one of the n*m values x - y.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby


def tie_sizes(ascending: Iterable[float]) -> list[int]:
    """How many values are equal, for each distinct value."""
    return [sum(1 for _value in same) for _key, same in groupby(ascending)]


def rank_spread(n: int, m: int, ties: Iterable[int] = ()) -> float:
    """Standard deviation of the number of pairs with x > y when both samples are of one distribution.

    sqrt(n*m/12 * (N + 1 - sum(t^3 - t)/(N*(N - 1)))), N = n + m, t the sizes of ties; 0.0 when all N values are tied.
    """
    total = n + m
    tied = sum(size**3 - size for size in ties)
    return math.sqrt(max(0.0, n * m / 12.0 * (total + 1 - tied / (total * (total - 1)))))


def pairs_above(xs: Iterable[float], ys: Sequence[float]) -> float:
    """Pairs with x > y, a tie counting one half: Mann and Whitney's U of the first sample."""
    return sum(bisect_left(ys, x) + bisect_right(ys, x) for x in xs) / 2.0


def kth_difference(xs: Sequence[float], ys: Sequence[float], k: int) -> float:
    """The k-th smallest of all differences (1 is the smallest), in O((n + m) * bits) and without storing them."""
    low, high = xs[0] - ys[-1], xs[-1] - ys[0]
    while low < high:
        middle = low + (high - low) / 2.0
        count, below, above = _split(xs, ys, middle if middle < high else low)
        if count >= k:
            high = below
        else:
            low = above
    return low


def _split(xs: Sequence[float], ys: Sequence[float], limit: float) -> tuple[int, float, float]:
    """How many differences are at most ``limit``, the largest of those and the smallest of the others.

    As x grows, the y's whose difference exceeds the limit only become more: one walk over both samples.
    """
    count, below, above = 0, -math.inf, math.inf
    larger = 0
    for x in xs:
        while larger < len(ys) and x - ys[larger] > limit:
            larger += 1
        count += len(ys) - larger
        if larger < len(ys):
            below = max(below, x - ys[larger])
        if larger:
            above = min(above, x - ys[larger - 1])
    return count, below, above
