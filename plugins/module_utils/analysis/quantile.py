# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A quantile from the buckets of a classic histogram, as Prometheus' histogram_quantile has it."""

from __future__ import annotations

import math
from collections.abc import Sequence


def bucket_quantile(quantile: float, buckets: Sequence[tuple[float, float]]) -> float:
    """The value below which a share ``quantile`` (0 to 1) of the requests lies, by linear interpolation inside its bucket.

    ``buckets``: (upper bound, requests up to it), growing, the last bound infinite. Inside a bucket the answer is a guess: a limit
    should be a bucket's bound, where it is exact. Above the largest finite bound nothing is known: that bound is the answer,
    so that a limit there could never be passed. NaN without requests, or without a finite bound.
    Raises ValueError for a quantile outside 0..1 or without an infinite bound.
    """
    if not 0.0 <= quantile <= 1.0:
        raise ValueError(f"a quantile lies between 0 and 1, not {quantile}")
    if not buckets or not math.isinf(buckets[-1][0]):
        raise ValueError("the last bucket must be the infinite one")
    counts: list[float] = []
    for _bound, count in buckets:
        counts.append(max(count, counts[-1]) if counts else count)  # scrapes of two pods may not be of one moment
    if len(buckets) < 2 or counts[-1] <= 0:
        return math.nan
    rank = quantile * counts[-1]
    place = next(index for index, count in enumerate(counts) if count >= rank or index == len(counts) - 1)
    if place == len(buckets) - 1:
        return buckets[-2][0]
    end, start = buckets[place][0], buckets[place - 1][0] if place else 0.0
    if place == 0 and end <= 0.0:
        return end
    before = counts[place - 1] if place else 0.0
    inside = counts[place] - before
    return start + (end - start) * ((rank - before) / inside if inside else 0.0)
