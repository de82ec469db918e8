# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods whose counters are scraped at random offsets, for many runs at once, second by second.

Each pod has its own offset; scrapes come late, pods restart and begin again at 0, callers try again after a failure. What a look reads
is what metrics/counters.py makes of such counters; test_scrapes.py proves it with the real one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = Any
OK, FAILED = 0, 1


@dataclass(frozen=True)
class Scraped:
    """A service and its scrapes. late: chance that a scrape is missed. restarts: of each pod in an hour. retries: further tries of a failure.

    Errors come in geometric clusters of this mean size, each at one pod within a second. outage: rate and seconds of one that all suffer.
    """

    every: int = 15
    per_second: float = 150.0
    weight: float = 0.1
    canary_rate: float = 0.001
    stable_rate: float = 0.001
    cluster: int = 1
    sigma: float = 0.0
    outage: tuple[float, int] | None = None
    late: float = 0.0
    restarts: float = 0.0
    retries: int = 0
    pods: tuple[int, int] = (2, 8)
    seconds: int = 300

    def but(self, **changes: Any) -> Scraped:
        """The same with something else."""
        return replace(self, **changes)


class Pods:
    """All pods of both arms in many runs. Pods are numbered through, the canary's first."""

    def __init__(self, service: Scraped, runs: int, random: np.random.Generator) -> None:
        self.service, self._random = service, random
        self._canaries = service.pods[0]
        shape = (runs, sum(service.pods))
        self._factors = np.exp(random.normal(0.0, service.sigma, shape)) if service.sigma else np.ones(shape)
        self.offsets = random.integers(0, service.every, shape)
        self.counters: Array = np.zeros((*shape, 2), int)  # as the pods would say now: answered, failed
        self._last: Array = np.zeros((*shape, 2), int)
        self._last_at = np.zeros(shape)
        self._gap = np.full(shape, 60.0)
        self._grown: Array = np.zeros((*shape, 2), int)
        self._fresh: Array = np.zeros(shape, bool)
        self._outage_at = random.uniform(0.0, service.seconds - (service.outage[1] if service.outage else 0), runs)

    def hour(self) -> Array:
        """Stable's minutes of the hour before: minute, run, requests and events."""
        minutes = []
        for _minute in range(60):
            grown = self._served(60, 0.0, np.zeros(len(self.offsets)))[:, self._canaries :].sum(axis=1)
            minutes.append(np.stack([grown.sum(axis=1), grown[:, FAILED]], axis=1))
        return np.stack(minutes)

    def pass_second(self, second: int, share: Array) -> None:
        """What the pods serve until this second, and which of them begin again."""
        if self.service.restarts:
            begin_again = self._random.random(self.offsets.shape) < self.service.restarts / 3600.0
            self.counters[begin_again] = 0
        self.counters += self._served(1, second, share)

    def read(self, second: int) -> tuple[Array, Array, Array, Array]:
        """Counts of the open block (run, requests and events: canary, stable), which blocks end, and which samples are new."""
        due = (second - self.offsets) % self.service.every == 0
        new = due & (self._random.random(due.shape) >= self.service.late)
        grown = np.where(self.counters >= self._last, self.counters - self._last, self.counters)
        self._grown += np.where(new[..., None], grown, 0)
        self._gap = np.where(new & (self._last_at > 0), second - self._last_at, self._gap)
        self._last = np.where(new[..., None], self.counters, self._last)
        self._last_at = np.where(new, second, self._last_at)
        self._fresh |= new
        live = (second - self._last_at <= np.maximum(8.0, 2.5 * self._gap)) & (self._last_at > 0)
        closes = live.any(axis=1) & (~live | self._fresh).all(axis=1)
        arms = [self._grown[:, each].sum(axis=1) for each in (slice(self._canaries), slice(self._canaries, None))]
        canary, stable = (np.stack([arm.sum(axis=1), arm[:, FAILED]], axis=1) for arm in arms)
        return canary, stable, closes, new

    def next_block(self, which: Array) -> None:
        """A new block begins in these runs."""
        self._grown[which] = 0
        self._fresh[which] = False

    def _served(self, seconds: int, at: float, share: Array) -> Array:
        """Answered and failed by each pod in so many seconds."""
        service = self.service
        runs = len(self.offsets)
        parts = np.repeat(np.stack([share, 1.0 - share], axis=1) / np.array(service.pods), service.pods, axis=1)
        requests: Array = self._random.poisson(service.per_second * seconds * parts)
        rates = np.repeat(np.array([[service.canary_rate, service.stable_rate]]), runs, axis=0).repeat(service.pods, axis=1) * self._factors
        if service.outage and seconds == 1:
            hit = (self._outage_at < at) & (at <= self._outage_at + service.outage[1])
            rates = np.where(hit[:, None], service.outage[0], rates)
        rates = np.minimum(rates, 1.0)
        failed = self._failures(requests, rates)
        tried, again = requests.copy(), failed.sum(axis=1)
        for _retry in range(service.retries):
            more = self._random.multinomial(again, parts)
            failed_again = self._random.binomial(more, rates)
            tried, failed, again = tried + more, failed + failed_again, failed_again.sum(axis=1)
        return np.stack([tried - failed, failed], axis=-1)

    def _failures(self, requests: Array, rates: Array) -> Array:
        if self.service.cluster == 1:
            return self._random.binomial(requests, rates)
        size = self.service.cluster
        clusters = self._random.poisson(requests * rates / size)
        more = np.where(clusters > 0, self._random.negative_binomial(np.maximum(clusters, 1), 1.0 / size), 0)
        np.maximum(requests, clusters + more, out=requests)  # a batch that failed was asked for
        return clusters + more
