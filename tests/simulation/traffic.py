# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulated services: how many requests and errors each arm has in a look, for many runs at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.dispersion import BLOCKS_OF_AN_HOUR, BUSIEST_SHARE_DROPPED

Array = Any


@dataclass(frozen=True)
class Traffic:
    """One service. Rates are errors per request; weight is the canary's share.

    cluster: mean size of geometric clusters that errors come in. pods: of the canary and of stable; each pod's own rate is lognormal with
    this sigma around the arm's. outage: rate and seconds of one that both arms suffer at a random time.
    """

    per_second: float = 100.0
    weight: float = 0.05
    stable_rate: float = 0.001
    canary_rate: float = 0.001
    cluster: int = 1
    sigma: float = 0.0
    pods: tuple[int, int] = (1, 9)
    outage: tuple[float, float] | None = None
    look_seconds: float = 60.0
    looks: int = 20

    def but(self, **changes: Any) -> Traffic:
        """The same service with something else."""
        return replace(self, **changes)


def arm(random: np.random.Generator, requests: Array, rates: Array, cluster: int = 1) -> Array:
    """Requests (Poisson) and errors of one arm in one look, a row a run; errors alone, or in clusters at the same overall rate."""
    seen = random.poisson(requests, len(rates))
    if cluster == 1:
        return np.stack([seen, random.binomial(seen, np.minimum(rates, 1.0))], axis=1)
    clusters = random.binomial(seen, np.minimum(rates / cluster, 1.0))
    more = np.where(clusters > 0, random.negative_binomial(np.maximum(clusters, 1), 1.0 / cluster), 0)
    return np.stack([seen, np.minimum(seen, clusters + more)], axis=1)


def measured_dispersion(hours: Array) -> Array:
    """analysis.dispersion of each run's hour; hours: minute, run, requests and events."""
    if len(hours) < BLOCKS_OF_AN_HOUR:
        raise ValueError("an hour has sixty minutes")
    x, n = hours[..., 1].astype(float), hours[..., 0].astype(float)
    events = x[:-1] + x[1:]
    used = (events > 0) & (n[:-1] > 0) & (n[1:] > 0)
    part = n[:-1] / np.maximum(n[:-1] + n[1:], 1.0)
    squares = (x[:-1] - events * part) ** 2 / np.where(used, events * part * (1.0 - part), 1.0)
    order = np.argsort(np.where(used, events, np.inf), axis=0, kind="stable")
    squares = np.take_along_axis(squares, order, axis=0)
    pairs = used.sum(axis=0)
    kept = pairs - (pairs * BUSIEST_SHARE_DROPPED).astype(int)
    sums = np.where(np.arange(len(squares))[:, None] < kept, squares, 0.0).sum(axis=0)
    return np.where(kept > 0, np.maximum(1.0, sums / np.maximum(kept, 1)), 1.0)


def pod_factors(random: np.random.Generator, runs: int, pods: int, sigma: float) -> Array:
    """How many times its usual rate an arm of so many uneven pods has, a row a run."""
    return np.exp(random.normal(0.0, sigma, (runs, pods))).mean(axis=1) if sigma else np.ones(runs)


class Service:
    """The arms of one traffic in many runs, a look at a time."""

    def __init__(self, traffic: Traffic, runs: int, random: np.random.Generator) -> None:
        self.traffic = traffic
        self._random = random
        self._factors = [pod_factors(random, runs, pods, traffic.sigma) for pods in traffic.pods]
        lasts = traffic.outage[1] if traffic.outage else 0.0
        self._outage_at = random.uniform(0.0, max(1.0, traffic.looks * traffic.look_seconds - lasts), runs)
        self.runs = np.arange(runs)

    def hour(self) -> Array:
        """Stable's minutes of the hour before, as measured_dispersion takes them."""
        traffic = self.traffic
        rates = traffic.stable_rate * self._factors[1]
        return np.stack([arm(self._random, 60.0 * traffic.per_second, rates, traffic.cluster) for _minute in range(BLOCKS_OF_AN_HOUR)])

    def keep(self, which: Array) -> None:
        """Go on with these runs only."""
        self._factors = [each[which] for each in self._factors]
        self._outage_at, self.runs = self._outage_at[which], self.runs[which]

    def look(self, at: float, weight: Array | float | None = None) -> tuple[Array, Array]:
        """Requests and errors of canary and stable in the look that ends at this time."""
        traffic = self.traffic
        share = traffic.weight if weight is None else weight
        requests = traffic.per_second * traffic.look_seconds
        rates = [rate * factor for rate, factor in zip((traffic.canary_rate, traffic.stable_rate), self._factors, strict=True)]
        if traffic.outage:
            hit = (self._outage_at < at) & (at <= self._outage_at + traffic.outage[1])
            rates = [np.where(hit, traffic.outage[0], rate) for rate in rates]
        return (
            arm(self._random, requests * share, rates[0], traffic.cluster),
            arm(self._random, requests * (1.0 - share), rates[1], traffic.cluster),
        )
