# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error budget lets a release do. Pure.

Before the start the budget that is left and the present burn choose how to go; while the release runs it may cost only a small part
of what is left. Budgets and ratios are shares of one, weights percentages.
"""

from __future__ import annotations

from dataclasses import dataclass

from .burn_rate import FAST, too_fast

NORMAL, CAREFUL, ASK, REFUSE = "normal", "careful", "ask", "refuse"
PLENTY, SOME = 0.5, 0.2  # above: normal; below: ask; between: careful
LOOKS_TO_SEE = 2.0  # a version that is wholly broken is seen in so many looks


@dataclass(frozen=True)
class Choice:
    """How to go (normal, careful, ask, refuse), and why in one sentence with the numbers."""

    word: str
    why: str


def remaining(error_ratio: float, budget: float) -> float:
    """The share of the budget that is left when this share of the period's requests has failed; below 0 when it is overspent."""
    return 1.0 - error_ratio / budget


def choose(left: float, long_burn: float, short_burn: float) -> Choice:
    """How to go with this share of the budget left, burning so over one hour and over five minutes."""
    numbers = f"{100 * left:.3g} % of the error budget is left, it burns {_times(long_burn)} (1 h) and {_times(short_burn)} (5 min)"
    if left <= 0.0:
        return Choice(REFUSE, f"{numbers}: nothing is left to spend")
    if too_fast(FAST, long_burn, short_burn):
        return Choice(REFUSE, f"{numbers}: {FAST:g} times or more over both is an incident")
    if left < SOME:
        return Choice(ASK, f"{numbers}: below {100 * SOME:g} % somebody must want it")
    if left <= PLENTY:
        return Choice(CAREFUL, f"{numbers}: up to {100 * PLENTY:g} % rises are half as large and need twice the requests")
    return Choice(NORMAL, numbers)


def allowance(share: float, left: float, budget: float, requests: float) -> float:
    """The failures beyond stable's that one release may cause: a share of what is left of the period's budget (in requests)."""
    return share * max(0.0, left) * budget * requests


def largest_first_weight(allowed: float, per_second: float, look_seconds: float) -> float:
    """The weight (percent, at most 100) at which a version that fails every request costs the allowance before it is seen."""
    cost = LOOKS_TO_SEE * per_second * look_seconds
    return 100.0 if cost <= 0.0 else min(100.0, 100.0 * allowed / cost)


def halved(weights: tuple[int, ...]) -> tuple[int, ...]:
    """The same weights with every rise in two: 10, 50, 100 becomes 5, 10, 30, 50, 75, 100. A rise of one percent stays whole."""
    steps: list[int] = []
    before = 0
    for weight in weights:
        middle = (before + weight) // 2
        steps += [middle, weight] if middle > before else [weight]
        before = weight
    return tuple(steps)


def _times(rate: float) -> str:
    return f"{rate:.3g} times"
