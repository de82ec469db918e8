# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast an error budget burns, and when that is too fast. Pure.

The budget is the share of requests that may fail, 1 - objective. At burn 1 it lasts exactly for the period, at burn 14.4 of 30 days
for two days. An alert needs a long and a short window above its factor: the long one is sure, the short one falls silent soon after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

HOUR, DAY = 3600.0, 86400.0
FAST = 14.4  # spends 2 % of a 30 days' budget in an hour
SHORT_PART = 12.0  # a short window is this part of its long one
# share of the budget that a window may spend, and the window's length
SPENT = ((0.02, HOUR), (0.05, 6 * HOUR), (0.10, DAY), (0.10, 3 * DAY))
# Pyrra: long and short window at a period of 28 days, and the factor, which it keeps whatever the period
PYRRA_PERIOD = 28 * DAY
PYRRA = ((HOUR, 300.0, 14.0), (6 * HOUR, 1800.0, 7.0), (DAY, 2 * HOUR, 2.0), (4 * DAY, 6 * HOUR, 1.0))
ROUNDING = 1e-9


@dataclass(frozen=True)
class Window:
    """A pair of windows in seconds, and the burn rate at which both together are too much."""

    long_seconds: float
    short_seconds: float
    factor: float


def budget_of(objective: float) -> float:
    """The share of requests that may fail. objective: the share that must be good, above 0 and below 1, else ValueError."""
    if not 0.0 < objective < 1.0:
        raise ValueError(f"an objective lies between 0 and 1, not {objective}")
    return round(1.0 - objective, 12)


def burn(error_ratio: float, budget: float) -> float:
    """How many times faster than it may the budget is spent at this share of failed requests."""
    return error_ratio / budget


def spent(burn_rate: float, window_seconds: float, period_seconds: float) -> float:
    """The share of the whole budget that a window spends at a burn rate, where traffic is even."""
    return burn_rate * window_seconds / period_seconds


def factor(share: float, window_seconds: float, period_seconds: float) -> float:
    """The burn rate that spends this share of the budget in a window."""
    return share * period_seconds / window_seconds


def windows(period_seconds: float) -> tuple[Window, ...]:
    """The four pairs of windows of an objective: fixed lengths, factors that follow the period (30 days: 14.4, 6, 3 and 1)."""
    return tuple(Window(long, long / SHORT_PART, factor(share, long, period_seconds)) for share, long in SPENT)


def pyrra_windows(period_seconds: float) -> tuple[Window, ...]:
    """The four pairs of Pyrra: fixed factors, lengths that follow the period, rounded to minutes as its recorded series are."""

    def scaled(seconds: float) -> float:
        return 60.0 * math.floor(seconds * period_seconds / PYRRA_PERIOD / 60.0 + 0.5)

    return tuple(Window(scaled(long), scaled(short), limit) for long, short, limit in PYRRA)


def too_fast(limit: float, long_burn: float, short_burn: float) -> bool:
    """Whether both windows burn at the limit or above it."""
    return min(long_burn, short_burn) >= limit * (1.0 - ROUNDING)
