# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated scrapes count is what metrics/counters.py counts, second by second, and the p99 of buckets is the judge's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.quantile import bucket_quantile
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import (
    CANARY,
    STABLE,
    Counters,
    PodCounters,
    Reading,
    errors,
)
from ansible_collections.progressive.delivery.tests.simulation.scrapes import Pods, Scraped
from ansible_collections.progressive.delivery.tests.simulation.slow_requests import bucket_p99

RUNS, SECONDS = 6, 240
SERVICES = [
    Scraped(every=2, cluster=10),
    Scraped(every=15, late=0.3, retries=2, stable_rate=0.05),
    Scraped(every=30, restarts=60.0, canary_rate=0.2),
    Scraped(every=15, restarts=120.0, late=0.2, sigma=0.5, outage=(0.5, 60)),
]


@pytest.mark.parametrize("service", SERVICES)
def test_scrapes_count_as_the_counters_do(service):
    pods = Pods(service, RUNS, np.random.default_rng(17))
    readers = [Counters() for _run in range(RUNS)]
    last = [
        Reading(0.0, {_key(service, pod): PodCounters(0.0, {"code:200": 0, "code:500": 0}) for pod in range(10)}) for _run in range(RUNS)
    ]
    for reader, reading in zip(readers, last, strict=True):
        reader.start(reading)
    ended = 0
    for second in range(1, SECONDS + 1):
        pods.pass_second(second, np.full(RUNS, 0.1))
        canary, stable, closes, new = pods.read(second)
        for run, reader in enumerate(readers):
            for pod in np.flatnonzero(new[run]):
                answered, failed = map(float, pods.counters[run, pod])
                last[run].pods[_key(service, int(pod))] = PodCounters(float(second), {"code:200": answered, "code:500": failed})
            now = Reading(float(second), {key: pod for key, pod in last[run].pods.items() if pod.at_seconds})
            assert reader.add(now) == closes[run]
            for arm, counts in ((CANARY, canary[run]), (STABLE, stable[run])):
                assert (errors(reader.block.increases[arm]) or Counts(0, 0)) == Counts(*map(int, counts))
            if closes[run]:
                reader.next_block()
                ended += 1
        pods.next_block(closes)
    assert ended > SECONDS / service.every / 4


def _key(service, pod):
    return (CANARY if pod < service.pods[0] else STABLE, f"pod-{pod}")


def test_the_p99_of_buckets_is_that_of_the_threshold_judge():
    random = np.random.default_rng(23)
    bounds = (5.0, 50.0, 100.0, 250.0)
    parts = [0.3, 0.5, 0.15, 0.04, 0.01]
    up_to = random.multinomial(random.integers(0, 400, 300), parts).cumsum(axis=1)
    found = bucket_p99(up_to, bounds)
    for counts, ours in zip(up_to, found, strict=True):
        exact = bucket_quantile(0.99, list(zip((*bounds, math.inf), map(float, counts), strict=True)))
        assert ours == pytest.approx(0.0 if math.isnan(exact) else exact)
