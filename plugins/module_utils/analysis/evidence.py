# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that may be looked at any number of times: mixtures of likelihood ratios.

Each test keeps one log-likelihood ratio per alternative. Their mean is a non-negative supermartingale under the null
hypothesis that starts at 1, so the chance that it ever reaches 1/alpha is at most alpha (Ville's inequality). Counts that
vary ``dispersion`` times more than independent requests would are allowed for by raising each ratio to 1/dispersion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

from .look import Counts

RATIOS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0, 100.0)
"""Alternatives of the harm test by ratio, as multiples of the margin."""
EXCESSES = (1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 18.0, 27.0, 40.0, 60.0)
"""Alternatives of the harm test by rate, as multiples of max_rate."""
SHORTFALLS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Alternatives of both promote tests, as multiples of max_rate or max_ratio."""

LARGEST = 1e300
WHOLE_RELEASE_SHARE = 0.99


class Counted(Protocol):
    """Requests of an arm and how many events there were."""

    @property
    def requests(self) -> int: ...

    @property
    def events(self) -> int: ...


def relative_log_ratios(canary: Counted, baseline: Counted, null_ratio: float, factors: Sequence[float]) -> tuple[float, ...]:
    """Log-likelihood ratios of one look of "ratio = null_ratio * factor" against "ratio = null_ratio".

    Given an event, it is the canary's with probability q = ratio*n_c/(ratio*n_c + n_b): any rate common to both arms, however
    it moves, cancels. Exact for Poisson counts, conservative for Bernoulli counts (Hoeffding 1963). An arm without requests
    contributes nothing. Source: Lindon & Malek, NeurIPS 2022 (arXiv 2011.03567), with a grid for the Beta mixture.
    """
    events = canary.events + baseline.events
    if not (events and canary.requests and baseline.requests):
        return (0.0,) * len(factors)
    split = null_ratio * (canary.requests / baseline.requests)
    return tuple(canary.events * math.log(factor) + events * math.log((1.0 + split) / (1.0 + split * factor)) for factor in factors)


@lru_cache(maxsize=1024)
def _bernoulli_steps(null_rate: float, factors: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """Per alternative: what one event and one clean request add to the log-likelihood ratio."""
    largest_rate = (1.0 + null_rate) / 2.0
    rates = (min(null_rate * factor, largest_rate) for factor in factors)
    return tuple((math.log(rate / null_rate), math.log1p(-rate) - math.log1p(-null_rate)) for rate in rates)


def rate_log_ratios(counts: Counts, null_rate: float, factors: tuple[float, ...]) -> tuple[float, ...]:
    """Log-likelihood ratios of "rate = null_rate * factor" against "rate = null_rate" for Bernoulli counts.

    Depends on the totals only, so looks need not be kept. An alternative never exceeds halfway from null_rate to 1.
    """
    clean = counts.requests - counts.events
    return tuple(counts.events * event + clean * no_event for event, no_event in _bernoulli_steps(null_rate, factors))


def log_mixture(log_ratios: Sequence[float], dispersion: float = 1.0) -> float:
    """Log of the mean of the likelihood ratios, each raised to 1/dispersion: ln E."""
    top = max(log_ratios) / dispersion
    return top + math.log(sum(math.exp(each / dispersion - top) for each in log_ratios) / len(log_ratios))


def log_weighted_mean(weighted: Sequence[tuple[float, float]]) -> float:
    """Log of sum(weight * exp(log_value)); an average of e-processes is one. ``-inf`` when nothing has weight."""
    present = [(weight, value) for weight, value in weighted if weight > 0.0]
    if not present:
        return -math.inf
    top = max(value for _weight, value in present)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(weight * math.exp(value - top) for weight, value in present))


def with_fresh_start(log_whole: float, log_step: float, step: int) -> float:
    """Log of 0.99*E(whole release) + v*E(this step alone), v = 0.01/(k*(k-1)) at the k-th step, and what later steps keep.

    A long good time must not pay for a version that turns bad at a later weight: every clean request lowers the evidence
    of the whole release. Each step's own process starts at 1, stops with the step, and the shares sum to 1 over all steps,
    so the average is still a supermartingale; what earlier steps' processes ended with is left out, which only lowers it.
    """
    later = (1.0 - WHOLE_RELEASE_SHARE) / max(step, 1)
    own = later / (step - 1) if step > 1 else 0.0
    return log_weighted_mean([(WHOLE_RELEASE_SHARE, log_whole), (own, log_step), (later, 0.0)])


def as_number(log_value: float) -> float:
    """exp(log_value), kept finite so that it fits into JSON."""
    return min(math.exp(log_value), LARGEST) if log_value < 690.0 else LARGEST


def clean_requests_to_certify(seen: Counts, null_rate: float, dispersion: float, threshold: float) -> int:
    """Clean requests still missing until the promote test rejects "rate >= null_rate"; 0 when it already does."""
    needed = math.log(threshold)

    def certifies(more: int) -> bool:
        counts = Counts(seen.requests + more, seen.events)
        return log_mixture(rate_log_ratios(counts, null_rate, SHORTFALLS), dispersion) >= needed

    if certifies(0):
        return 0
    enough = 1
    while not certifies(enough):
        enough *= 2
    short = enough // 2
    while enough - short > 1:
        middle = (short + enough) // 2
        short, enough = (short, middle) if certifies(middle) else (middle, enough)
    return enough
