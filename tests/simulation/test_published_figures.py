# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default rule, run on simulated traffic, must give the figures that the documentation promises.

The engine itself runs here, look by look; only the traffic is simulated. A figure is reproduced when ours lies within a
99.9 % interval around the published one: sampling error of both simulations and the rounding of the published figure.
`pytest tests/simulation -s` prints the table; `SIMULATION_EFFORT=10` multiplies the runs. Seeds are fixed.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.dispersion import dispersion
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Gate, Rule, Sequential
from scipy.stats import binom

MAX_RATE = 0.01
EFFORT = float(os.environ.get("SIMULATION_EFFORT", "1"))
WORKERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class Traffic:
    """One simulated service: rates are errors per request, `outage` is (rate, seconds) that both arms suffer once."""

    per_second: float = 100.0
    weight: float = 0.05
    stable_rate: float = 0.001
    canary_rate: float = 0.001
    cluster: int = 1
    outage: tuple[float, float] | None = None
    look_seconds: float = 60.0
    looks: int = 20


def counts(random: np.random.Generator, requests: float, rate: float, cluster: int) -> Counts:
    """Poisson many requests; errors come alone, or in geometric clusters of that mean size at the same overall rate."""
    seen = int(random.poisson(requests))
    if cluster == 1:
        return Counts(seen, int(random.binomial(seen, rate)))
    clusters = int(random.binomial(seen, rate / cluster))
    errors = clusters + (int(random.negative_binomial(clusters, 1.0 / cluster)) if clusters else 0)
    return Counts(seen, min(seen, errors))


def measured_dispersion(random: np.random.Generator, traffic: Traffic) -> float:
    minute = traffic.per_second * 60.0
    return dispersion([counts(random, minute, traffic.stable_rate, traffic.cluster) for _minute in range(60)]).value


def fixed_weight(traffic: Traffic, seed: int) -> tuple[str, int, float]:
    """Looks at one weight until evidence rolls back: (cause, canary requests, seconds); advances and incidents are passed over."""
    random = np.random.default_rng(seed)
    engine = Sequential(Rule(gates=(Gate("errors", MAX_RATE, dispersion=measured_dispersion(random, traffic)),)))
    state = engine.enter_step(engine.start(), weight_percent=100 * traffic.weight, at_seconds=0.0)
    per_look = traffic.per_second * traffic.look_seconds
    outage_at = random.uniform(0.0, traffic.looks * traffic.look_seconds)
    requests, incident = 0, ""
    for number in range(1, traffic.looks + 1):
        at = number * traffic.look_seconds
        canary_rate, stable_rate = traffic.canary_rate, traffic.stable_rate
        if traffic.outage and outage_at < at <= outage_at + traffic.outage[1]:
            canary_rate = stable_rate = traffic.outage[0]
        canary = counts(random, per_look * traffic.weight, canary_rate, traffic.cluster)
        stable = counts(random, per_look * (1.0 - traffic.weight), stable_rate, traffic.cluster)
        requests += canary.requests
        state, finding = engine.judge(state, Look(number, at, 100 * traffic.weight, (MetricLook("errors", canary, stable),), True))
        if finding.decision == "roll_back" and "evidence" in finding.cause:
            return finding.cause, requests, at
        if finding.decision == "roll_back":
            incident = finding.cause
    return incident, requests, traffic.looks * traffic.look_seconds


def ramp(per_second: float, canary_rate: float, risk_scaled: bool, seed: int) -> tuple[str, float, float]:
    """10-20-30-40-50 %, looks of 5 s, without one-look rule and absolute test: (outcome, seconds, failures beyond baseline).

    Dispersion 1, as the published medians need; a measured one (1.0 to 1.3 on independent requests) costs one more look.
    """
    random = np.random.default_rng(seed)
    stable_rate = Traffic().stable_rate
    gate = Gate("errors", MAX_RATE)
    alpha, none = 0.008, 1e-14
    engine = Sequential(
        Rule((gate,), alpha=alpha + none, relative_share=alpha / (alpha + none), one_look_events=10**9, risk_scaled=risk_scaled)
    )
    state, at, number, beyond = engine.start(), 0.0, 0, 0.0
    weights = (10.0, 20.0, 30.0, 40.0, 50.0, 100.0)
    for weight, following in pairwise(weights):
        state = engine.enter_step(state, weight_percent=weight, at_seconds=at, next_weight_percent=following)
        decision = "hold"
        while decision == "hold":
            at += 5.0
            number += 1
            canary = counts(random, per_second * 5.0 * weight / 100.0, canary_rate, 1)
            stable = counts(random, per_second * 5.0 * (1.0 - weight / 100.0), stable_rate, 1)
            beyond += canary.events - canary.requests * stable_rate
            state, finding = engine.judge(state, Look(number, at, weight, (MetricLook("errors", canary, stable),), True))
            decision = finding.decision
        if decision != "advance":
            return decision, at, beyond
    return "promoted", at, beyond


@dataclass(frozen=True)
class Published:
    """A share of runs in percent as published, rounded to `rounding`, of so many runs; and a median, when there is one."""

    name: str
    traffic: Traffic
    percent: float
    runs: int
    rounding: float = 0.1
    median: float | None = None
    median_unit: str = "requests"
    published_runs: int = 20_000


SLOW = Traffic(per_second=10.0)
FAST = Traffic(look_seconds=2.0, looks=600)


def _with(traffic: Traffic, **changes: object) -> Traffic:
    return Traffic(**{**traffic.__dict__, **changes})  # type: ignore[arg-type]


OUTAGE = (0.03, 180.0)
MINUTE_LOOKS = [
    Published("100 rps healthy 0.1 %", Traffic(), 0.0, 1500),
    Published("100 rps healthy 0.9 %", Traffic(stable_rate=0.009, canary_rate=0.009), 0.0, 1500),
    Published("100 rps shared outage", Traffic(outage=OUTAGE), 0.0, 1500),
    Published("100 rps clusters of 3", Traffic(cluster=3), 0.4, 3000),
    Published("100 rps to 0.5 %", Traffic(canary_rate=0.005), 89, 1500, 1, 2797),
    Published("100 rps to 1 %", Traffic(canary_rate=0.01), 100, 1500, 1, 902),
    Published("100 rps to 5 %", Traffic(canary_rate=0.05), 100, 1500, 1, 600),
    Published("10 rps healthy 0.1 %", SLOW, 0.0, 1500),
    Published("10 rps healthy 0.9 %", _with(SLOW, stable_rate=0.009, canary_rate=0.009), 0.0, 1500),
    Published("10 rps shared outage", _with(SLOW, outage=OUTAGE), 0.0, 1500),
    Published("10 rps clusters of 3", _with(SLOW, cluster=3), 0.5, 3000),
    Published("10 rps to 0.5 %", _with(SLOW, canary_rate=0.005), 7.5, 1500, 0.1, 358),
    Published("10 rps to 1 %", _with(SLOW, canary_rate=0.01), 46, 1500, 1, 354),
    Published("10 rps to 5 %", _with(SLOW, canary_rate=0.05), 100, 1500, 1, 88),
]
TWO_SECOND_LOOKS = [
    Published("2 s, healthy", FAST, 0.03, 150, 0.01, published_runs=3000),
    Published("2 s, healthy, 10 rps", _with(FAST, per_second=10.0), 0.10, 150, 0.01, published_runs=3000),
    Published("2 s, clusters of 3", _with(FAST, cluster=3), 0.57, 150, 0.01, published_runs=3000),
    Published("2 s, clusters of 10", _with(FAST, cluster=10), 0.0, 150, 0.01, published_runs=3000),
    Published("2 s, clusters of 30", _with(FAST, cluster=30), 0.03, 150, 0.01, published_runs=3000),
    Published("2 s, outage 3 % x 3 min", _with(FAST, outage=OUTAGE), 0.07, 150, 0.01, published_runs=3000),
    Published("2 s, outage 50 % x 1 min", _with(FAST, outage=(0.5, 60.0)), 0.03, 150, 0.01, published_runs=3000),
    Published("2 s, bad 5 %", _with(FAST, canary_rate=0.05), 100, 600, 1, 14, "s", 3000),
    Published("2 s, bad 50 %", _with(FAST, canary_rate=0.5), 100, 600, 1, 4, "s", 3000),
    Published("2 s, bad 50 %, weight 10 %", _with(FAST, canary_rate=0.5, weight=0.1), 100, 600, 1, 4, "s", 3000),
    Published("2 s, bad 50 %, 10 rps", _with(FAST, canary_rate=0.5, per_second=10.0), 100, 600, 1, 12, "s", 3000),
    Published("2 s, bad 100 %", _with(FAST, canary_rate=1.0), 100, 600, 1, 4, "s", 3000),
    Published(
        "2 s, bad 20 %, 200 rps, weight 10 %",
        _with(FAST, canary_rate=0.2, per_second=200.0, weight=0.1),
        100,
        600,
        1,
        4,
        "s",
        3000,
    ),
]
# rps, canary rate, risk scaled, promoted %, rounding, median seconds, mean failures beyond baseline (None: not published)
RAMPS = [
    (150.0, 0.001, False, 100, 1, 50.0, None),
    (150.0, 0.001, True, 100, 1, 35.0, None),
    (150.0, 0.003, False, 92.5, 0.1, 80.0, 4.5),
    (150.0, 0.003, True, 95, 1, 45.0, 3.7),
    (150.0, 0.005, False, 40, 1, None, 10.0),
    (150.0, 0.005, True, 54, 1, None, 10.0),
    (150.0, 0.01, False, 0.2, 0.1, None, 7.9),
    (150.0, 0.01, True, 0.3, 0.1, None, 9.7),
    (150.0, 0.05, False, 0, 1, None, 7.9),
    (150.0, 0.05, True, 0, 1, None, 7.9),
]
RAMP_RUNS = int(600 * EFFORT)
RAMP_PUBLISHED_RUNS = 2000
TAIL = 0.0005


def bounds(percent: float, rounding: float, published_runs: int, runs: int) -> tuple[int, int]:
    """The least and greatest number of our runs that agree with the published share at 99.9 %.

    Both simulations have sampling error, so ours is compared as if it had n*N/(n+N) runs.
    """
    together = round(runs * published_runs / (runs + published_runs))
    low, high = (min(1.0, max(0.0, (percent + half) / 100.0)) for half in (-rounding / 2.0, rounding / 2.0))
    least, most = binom.ppf(TAIL, together, low) / together, binom.ppf(1.0 - TAIL, together, high) / together
    return math.floor(least * runs), math.ceil(most * runs)


def median_interval(values: list[float]) -> tuple[float, float]:
    """A 99.9 % interval for the median from the order statistics."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return ordered[max(0, int(binom.ppf(TAIL, last, 0.5)))], ordered[min(last, int(binom.ppf(1.0 - TAIL, last, 0.5)) + 1)]


def seed_of(name: str, run: int) -> int:
    return zlib.crc32(name.encode()) * 100_000 + run


def run_fixed(published: Published) -> list[tuple[str, int, float]]:
    return [fixed_weight(published.traffic, seed_of(published.name, run)) for run in range(int(published.runs * EFFORT))]


def run_ramp(row: tuple[float, float, bool, float, float, float | None, float | None]) -> list[tuple[str, float, float]]:
    return [ramp(row[0], row[1], row[2], seed_of(repr(row[:3]), run)) for run in range(RAMP_RUNS)]


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("fork")) as workers:
        yield workers


def check_fixed(table: list[Published], pool: ProcessPoolExecutor) -> list[str]:
    misses = []
    print(f"\n{'column':40} {'published':>16} {'ours':>16} {'agrees within':>16}  incident roll backs")
    for row, results in zip(table, pool.map(run_fixed, table), strict=True):
        runs = len(results)
        fired = [each for each in results if "evidence" in each[0]]
        low, high = bounds(row.percent, row.rounding, row.published_runs, runs)
        agrees = low <= len(fired) <= high
        ours, theirs = f"{100 * len(fired) / runs:.2f} %", f"{row.percent:g} %"
        if row.median is not None:
            values = [float(each[1]) if row.median_unit == "requests" else each[2] for each in fired]
            least, most = median_interval(values)
            look = row.traffic.look_seconds
            if row.median_unit == "requests":
                look *= row.traffic.per_second * row.traffic.weight * 0.1
            agrees = agrees and least - look <= row.median <= most + look
            ours += f" @{statistics.median(values):.0f}"
            theirs += f" @{row.median:.0f}"
        incidents = 100 * sum(each[0] == "shared_incident_after_rise" for each in results) / runs
        limits = f"{100 * low / runs:.2f}-{100 * high / runs:.2f}"
        print(f"{row.name:40} {theirs:>16} {ours:>16} {limits:>16}  {incidents:.1f} %{'' if agrees else '   MISS'}")
        if not agrees:
            misses.append(f"{row.name}: published {theirs}, ours {ours}")
    return misses


def test_looks_of_a_minute(pool):
    assert not check_fixed(MINUTE_LOOKS, pool)


def test_looks_of_two_seconds(pool):
    assert not check_fixed(TWO_SECOND_LOOKS, pool)


def test_ramp(pool):
    misses = []
    print(f"\n{'ramp':40} {'published':>22} {'ours':>22} {'agrees within':>16}")
    for row, results in zip(RAMPS, pool.map(run_ramp, RAMPS), strict=True):
        per_second, rate, scaled, percent, rounding, median, failures = row
        promoted = [each for each in results if each[0] == "promoted"]
        low, high = bounds(percent, rounding, RAMP_PUBLISHED_RUNS, RAMP_RUNS)
        agrees = low <= len(promoted) <= high
        theirs, ours = f"{percent:g} %", f"{100 * len(promoted) / RAMP_RUNS:.1f} %"
        if median is not None:
            least, most = median_interval([each[1] for each in promoted])
            agrees = agrees and least <= median <= most
            theirs += f" {median:.0f} s"
            ours += f" {statistics.median(each[1] for each in promoted):.0f} s"
        if failures is not None:
            beyond = [each[2] for each in results]
            error = 3.29 * statistics.stdev(beyond) * math.sqrt(1.0 / RAMP_RUNS + 1.0 / RAMP_PUBLISHED_RUNS)
            agrees = agrees and abs(statistics.mean(beyond) - failures) <= error + 0.05
            theirs += f" {failures:.1f} failures"
            ours += f" {statistics.mean(beyond):.1f} failures"
        name = f"{per_second:.0f} rps, {100 * rate:g} %, {'risk-scaled' if scaled else 'full test'}"
        limits = f"{100 * low / RAMP_RUNS:.1f}-{100 * high / RAMP_RUNS:.1f}"
        print(f"{name:40} {theirs:>22} {ours:>22} {limits:>16}{'' if agrees else '   MISS'}")
        if not agrees:
            misses.append(f"{name}: published {theirs}, ours {ours}")
    assert not misses
