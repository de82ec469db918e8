# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judges threshold and mann_whitney on many runs at once; test_rivals.py proves that they say what the real ones say."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rank import rank_spread
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.samples import ROUNDING

Array = Any


def failed_looks(canary: Array, max_share: float) -> Array:
    """Which looks fail: counts are look, run, requests and events. Without requests a look neither fails nor passes: NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = canary[..., 1] / canary[..., 0]
    return np.where(canary[..., 0] > 0, share > max_share, math.nan)


def threshold_look(failed: Array, threshold: int, *, consecutive: bool = False) -> Array:
    """The look (from 0) at which each run is rolled back, -1 for never."""
    total, row = np.zeros(failed.shape[1], int), np.zeros(failed.shape[1], int)
    found = np.full(failed.shape[1], -1)
    for look, outcome in enumerate(failed):
        total += outcome == 1.0
        row = np.where(outcome == 0.0, 0, row + (outcome == 1.0))
        over = (row if consecutive else total) >= threshold
        found = np.where((found < 0) & over, look, found)
    return found


def is_high(canary: Array, baseline: Array, options: Options) -> Array:
    """Whether mann_whitney.compare calls the canary high; samples are run, sample, and finite. Direction increase, no compatibility."""
    n, m = canary.shape[1], baseline.shape[1]
    pairs = n * m
    z = -NormalDist().inv_cdf((1.0 - options.confidence) / 2.0)
    if (pairs - 1) / 2.0 < z * rank_spread(n, m):
        return np.zeros(len(canary), bool)
    differences = np.sort((canary[:, :, None] - baseline[:, None, :]).reshape(len(canary), pairs), axis=1)
    total = n + m
    tied = _tied(canary) + _tied(baseline)
    spread = np.sqrt(np.maximum(0.0, n * m / 12.0 * (total + 1 - tied / (total * (total - 1)))))
    rank = np.maximum(1, np.ceil((pairs - 1) / 2.0 - z * spread)).astype(int)
    low = np.take_along_axis(differences, rank[:, None] - 1, axis=1)[:, 0]
    estimate = (differences[:, (pairs - 1) // 2] + differences[:, pairs // 2]) / 2.0
    largest = np.maximum(np.abs(canary).max(axis=1), np.abs(baseline).max(axis=1))
    means = [arm.mean(axis=1) for arm in (canary, baseline)]
    usable = (means[0] > ROUNDING * largest) & (means[1] > ROUNDING * largest)
    effect = np.where(usable, means[0] / np.where(usable, means[1], 1.0), math.nan)
    sized = np.isnan(effect) | (effect >= options.limit("allowed_increase") * (1.0 - ROUNDING))
    return (low > options.tolerance * np.abs(estimate) + ROUNDING * largest) & sized


def mann_whitney_look(canary: Array, baseline: Array, options: Options, *, first: int) -> Array:
    """The look (from 0) at which each run is rolled back when samples so far are compared from the first-th look on, -1 for never."""
    found = np.full(canary.shape[1], -1)
    rates = [np.ascontiguousarray((arm[..., 1] / np.maximum(arm[..., 0], 1)).T) for arm in (canary, baseline)]
    for number in range(first, len(canary) + 1):
        going = np.flatnonzero(found < 0)
        high = is_high(rates[0][going, :number], rates[1][going, :number], options)
        found[going[high]] = number - 1
    return found


def _tied(samples: Array) -> Array:
    """The sum of t^3 - t over the ties of each run."""
    same = (samples[:, :, None] == samples[:, None, :]).sum(axis=2)
    return (same**2 - 1).sum(axis=1)
