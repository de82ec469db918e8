# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary/baseline rate ratio and an interval for it that holds however often it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Callable

from .evidence import RATIOS, log_mixture, relative_log_ratios
from .state import Stratum

LARGEST_RATIO = 1e6
HALVINGS = 24

_Test = Callable[[float], bool]


def ratio_estimate(strata: Sequence[Stratum]) -> float | None:
    """Mantel-Haenszel rate ratio over the weights used so far; None until the baseline has an event."""
    canary_part = baseline_part = 0.0
    for each in strata:
        total = each.canary.requests + each.baseline.requests
        if total:
            canary_part += each.canary.events * each.baseline.requests / total
            baseline_part += each.baseline.events * each.canary.requests / total
    return canary_part / baseline_part if baseline_part else None


def ratio_interval(strata: Sequence[Stratum], dispersion: float, threshold: float) -> tuple[float, float | None]:
    """Ratios whose one-sided tests have not reached ``threshold``: each end is certain to 1 - 1/threshold at any time.

    The upper end is None while it is not bounded. Evidence is taken from the totals at each weight, which is the same as look
    by look as long as the split at one weight does not move.
    """
    needed = math.log(threshold)
    upward = RATIOS
    downward = tuple(1.0 / factor for factor in RATIOS)

    def rejects(ratio: float, factors: Sequence[float]) -> bool:
        columns = zip(*(relative_log_ratios(each.canary, each.baseline, ratio, factors) for each in strata))
        return log_mixture([math.fsum(column) for column in columns], dispersion) >= needed

    if not strata:
        return 0.0, None
    low = _boundary(lambda ratio: rejects(ratio, upward), 1.0 / LARGEST_RATIO, LARGEST_RATIO)
    high = _boundary(lambda ratio: rejects(ratio, downward), LARGEST_RATIO, 1.0 / LARGEST_RATIO)
    return (0.0 if low is None else low), high


def _boundary(rejects: _Test, rejected_end: float, open_end: float) -> float | None:
    """Where rejection ends, searched on the logarithm from the end that should be rejected; None when that one is not."""
    if not rejects(rejected_end):
        return None
    outside, inside = math.log(rejected_end), math.log(open_end)
    for _halving in range(HALVINGS):
        middle = (outside + inside) / 2.0
        if rejects(math.exp(middle)):
            outside = middle
        else:
            inside = middle
    return math.exp(outside)
