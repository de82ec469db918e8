# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many canary requests, and seconds, a decision will take: printed before a release starts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

from .evidence import RATIOS, SHORTFALLS

ALTERNATIVES_THAT_COUNT = 4
LEAST_WEIGHT_PERCENT = 0.01


def requests_to_detect(
    baseline_rate: float,
    ratio: float,
    *,
    weight_percent: float = 5.0,
    margin: float = 1.5,
    alpha: float = 0.008,
    dispersion: float = 1.0,
) -> float:
    """Canary requests until a canary that fails ``ratio`` times as often as stable is rolled back, in the mean.

    phi*(ln(1/alpha) + ln 4)/(p_b*(r*ln(f) - (r + B)*ln((1 + s*f)/(1 + s)))) with f = r/margin, B stable requests for each of the
    canary's and s = margin/B: the information of one canary request about whose an error is. Four of the alternatives are near
    enough to any ratio to count. Within 10 % of simulation at ratios 5 to 10 and weights of 5 and 10 %.
    ``inf`` when the ratio is within the margin (that is never called harm) and without a baseline (weight 100).
    Raises ValueError unless 0 < baseline_rate < 1.
    """
    if not 0.0 < baseline_rate < 1.0:
        raise ValueError(f"baseline_rate must lie between 0 and 1, not {baseline_rate}")
    if ratio <= margin or weight_percent >= 100.0:
        return math.inf
    weight = max(weight_percent, LEAST_WEIGHT_PERCENT)
    stable = (100.0 - weight) / weight
    factor, split = ratio / margin, margin / stable
    information = ratio * math.log(factor) - (ratio + stable) * math.log1p(split * (factor - 1.0) / (1.0 + split))
    return dispersion * (math.log(1.0 / alpha) + math.log(ALTERNATIVES_THAT_COUNT)) / (baseline_rate * information)


def chance_to_detect(
    baseline_rate: float,
    ratio: float,
    parts: Iterable[tuple[float, float]],
    *,
    margin: float = 1.5,
    alpha: float = 0.008,
    dispersion: float = 1.0,
) -> float:
    """The least chance to roll back a canary that fails ``ratio`` times as often as stable, by the end of ``parts``.

    parts: canary requests, and the weight in percent at which they come. Of the alternatives the one that shows most: its log-likelihood
    ratio is normal, with the mean and the variance of two Poisson counts; ``alpha`` and four alternatives as in requests_to_detect. That
    evidence may suffice before the end and fall back is left out: simulation gives up to 13 points more, at most 3 less.
    Raises ValueError unless 0 < baseline_rate < 1.
    """
    if not 0.0 < baseline_rate < 1.0:
        raise ValueError(f"baseline_rate must lie between 0 and 1, not {baseline_rate}")
    compared = [
        (requests / dispersion, max(weight, LEAST_WEIGHT_PERCENT)) for requests, weight in parts if weight < 100.0 and requests > 0.0
    ]
    if not compared:
        return 0.0
    needed = math.log(1.0 / alpha) + math.log(ALTERNATIVES_THAT_COUNT)
    best = 0.0
    for factor in RATIOS:
        mean = variance = 0.0
        for requests, weight in compared:
            stable = (100.0 - weight) / weight
            split = margin / stable
            lost = math.log1p(split * (factor - 1.0) / (1.0 + split))  # by one event of stable
            won = math.log(factor) - lost  # by one of the canary
            canary_events, stable_events = requests * baseline_rate * ratio, requests * baseline_rate * stable
            mean += canary_events * won - stable_events * lost
            variance += canary_events * won**2 + stable_events * lost**2
        best = max(best, NormalDist(mean, math.sqrt(variance)).cdf(2.0 * mean - needed))
    return best


def requests_to_certify(expected_rate: float, max_rate: float, *, beta: float = 0.05, scale: float = 1.0, dispersion: float = 1.0) -> float:
    """Canary requests until a canary that fails at ``expected_rate`` is certified to stay below ``max_rate * scale``.

    phi*(ln(1/beta) + ln K')/(m - p + p*ln(p/m)) with m = max_rate*scale, K' alternatives. ``inf`` when p >= m.
    Raises ValueError unless 0 <= expected_rate and 0 < max_rate < 1.
    """
    if expected_rate < 0.0 or not 0.0 < max_rate < 1.0:
        raise ValueError(f"rates out of range: expected {expected_rate}, max {max_rate}")
    limit = max_rate * scale
    if expected_rate >= limit:
        return math.inf
    information = limit - expected_rate
    if expected_rate > 0.0:
        information += expected_rate * math.log(expected_rate / limit)
    return dispersion * (math.log(1.0 / beta) + math.log(len(SHORTFALLS))) / information


def seconds_for(requests: float, *, requests_per_second: float, weight_percent: float) -> float:
    """Seconds until the canary has had so many requests; ``inf`` without traffic."""
    canary_per_second = requests_per_second * weight_percent / 100.0
    return requests / canary_per_second if canary_per_second > 0.0 else math.inf


def certification_scale(next_weight_percent: float | None) -> float:
    """How much weaker a rise to this weight may be certified: min(10, 50/weight), 1 from 50 % on or when it is not known.

    Harm is weight times rate, so a small weight tolerates a proportionally larger rate.
    """
    if next_weight_percent is None or next_weight_percent >= 50.0:
        return 1.0
    return 10.0 if next_weight_percent <= 5.0 else 50.0 / next_weight_percent
