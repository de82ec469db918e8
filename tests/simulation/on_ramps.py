# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of releases that climb: five weights with either certification, six weights beside thresholds, and who gets to 100 %."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.tests.simulation.figures import Cell, Figure, mean, quantile, share
from ansible_collections.progressive.delivery.tests.simulation.releases import MAX_RATE, RECOMMENDED, ramp, relative_alone
from ansible_collections.progressive.delivery.tests.simulation.rivals import failed_looks
from ansible_collections.progressive.delivery.tests.simulation.traffic import Service, Traffic

Array = Any
Random = np.random.Generator

RATES = (0.001, 0.003, 0.005, 0.01, 0.02, 0.05)
# promoted @ median seconds ; failures beyond stable's, mean / p99
ADVANCE = {
    (150.0, False): "100@50 92.5@80;4.5/17 40;10/31 0.2;7.9/17 0;6.3/11 0;7.9/15",
    (150.0, True): "100@35 95@45;3.7/16 54;10/31 0.3;9.7/25 0;6.4/13 0;7.9/15",
    (20.0, False): "99.9@215 94@445;2.5/12 53;6.6/20 1.7;7.2/18 0;5.4/10 0;4.5/8",
    (20.0, True): "99.9@130 96@220;2.2/13 65;7.4/29 3.0;9.0/27 0;5.5/11 0;4.5/8",
}


def advance(runs: int, random: Random) -> Iterator[Cell]:
    """10-20-30-40-50 %, looks of 5 s, φ = 1, without the one-look rule and the test by the rate, as published."""
    for (per_second, scaled), texts in ADVANCE.items():
        rule = relative_alone(1.5, 0.008, risk_scaled=scaled)
        for rate, text in zip(RATES, texts.split(), strict=True):
            ended = ramp(Traffic(per_second=per_second, canary_rate=rate, look_seconds=5.0, looks=1500), rule, runs, random)
            promoted, _semicolon, failures = text.partition(";")
            percent, _at, seconds = promoted.partition("@")
            figures: list[Figure] = [share(ended.advanced, percent, published_runs=2000)]
            if seconds:
                figures.append(
                    quantile(ended.seconds[ended.advanced], 0.5, float(seconds), unit=" s", published_runs=2000, slack=2.5, prefix="@ ")
                )
            if failures:
                average, last = map(float, failures.split("/"))
                figures.append(mean(ended.beyond, average, published_runs=2000, rounding=1.0 if average >= 10 else 0.1, prefix="failures "))
                figures.append(quantile(ended.beyond, 0.99, last, published_runs=2000, slack=0.5, prefix="p99 "))
            column = f"{per_second:g} requests/s, {'risk-scaled' if scaled else 'full test'}"
            table = "Ramp 10-20-30-40-50 %, looks of 5 s: promoted @ median, failures beyond stable's in the whole run"
            yield Cell(table, f"{100 * rate:g} %", column, tuple(figures))


STEPS = (5.0, 10.0, 20.0, 30.0, 40.0, 50.0)
SIX = {
    "threshold 1": "0.6 15;63 57;67 100@2.1;6 100@1.0;15",
    "threshold 5": "0 0;75 0.4;150 100@10.7;47 100@5.0;73",
    "the default rule without its one-look rule": "- - - - 100@2.0;29",
    "**the default rule**": "0@24 93@18.5;44 100@8.3;16 100@3.4;9 100@2.0;29",
}
ONE_LOOK = "Our rule returns such a version in a single look where that suffices; the published run always waited for the second one."


def six_weights(runs: int, random: Random) -> Iterator[Cell]:
    """5-10-20-30-40-50 %, four good looks of a minute at each, 100 requests/s."""
    for row, texts in SIX.items():
        for rate, text in zip((0.001, 0.003, 0.005, 0.01, 0.05), texts.split(), strict=True):
            if text == "-":
                continue
            traffic = Traffic(canary_rate=rate, looks=300)
            if row.startswith("threshold"):
                back, minutes, beyond = _under_threshold(traffic, int(row[-1]), runs, random)
            else:
                rule = replace(RECOMMENDED, one_look_events=10**9) if "without" in row else RECOMMENDED
                ended = ramp(traffic, rule, runs, random, weights=STEPS, history=True, minimum_seconds=240.0)
                back, minutes, beyond = ended.returned, ended.seconds / 60.0, ended.beyond
            first, _semicolon, failures = text.partition(";")
            percent, _at, published = first.partition("@")
            differs = ONE_LOOK if row.startswith("**") and rate == 0.05 else ""
            figures = [share(back, percent, published_runs=5000)]
            if published:
                figures.append(
                    mean(minutes, float(published), unit=" min", published_runs=5000, rounding=0.2, compare=not differs, prefix="@ ")
                )
            if failures:
                figures.append(mean(beyond, float(failures), published_runs=5000, rounding=1.0, compare=not differs, prefix="failures "))
            table = (
                "Ramp 5-10-20-30-40-50 %, four good looks of a minute a step, 100 requests/s: rolled back @ mean, failures beyond stable's"
            )
            yield Cell(table, row, f"{100 * rate:g} %", tuple(figures), differs)


def _under_threshold(traffic: Traffic, threshold: int, runs: int, random: Random) -> tuple[Array, Array, Array]:
    """Rolled back, minutes, failures beyond stable's: a failed look only stops the climb until so many have failed."""
    service = Service(traffic, runs, random)
    failed: Array = np.zeros(runs, int)
    good: Array = np.zeros(runs, int)
    minutes, beyond = np.zeros(runs), np.zeros(runs)
    going: Array = np.ones(runs, bool)
    while going.any():
        weight = np.array(STEPS)[np.minimum(good // 4, len(STEPS) - 1)] / 100.0
        canary, _stable = service.look(0.0, weight)
        minutes += going
        beyond += going * (canary[:, 1] - canary[:, 0] * traffic.stable_rate)
        fails = failed_looks(canary[None], MAX_RATE)[0] == 1.0
        failed += going & fails
        good += going & ~fails
        going &= (failed < threshold) & (good < 4 * len(STEPS))
    return failed >= threshold, minutes, beyond


PROMOTED: dict[str, tuple[dict[str, Any], float, float]] = {
    "healthy, 0.1 %": ({}, 99.0, 1.0),
    "healthy, stable near the limit, 0.9 %": ({"stable_rate": 0.009, "canary_rate": 0.009}, 99.0, 1.0),
    "better than stable, 0.9 → 0.3 %": ({"stable_rate": 0.009, "canary_rate": 0.003}, 99.0, 1.0),
    "healthy, clusters of 3": ({"cluster": 3}, 98.0, 2.0),
    "healthy, clusters of 10": ({"cluster": 10}, 98.0, 2.0),
    "healthy, uneven pods": ({"sigma": 0.5}, 97.0, 2.0),
    "shared outage 3 % × 2 min": ({"outage": (0.03, 120.0)}, 0.0, 1.0),
}
SHARED = (
    "An outage that begins within five minutes of our own rise and lasts two returns traffic by design: the canary may be its cause. "
    "Those are not counted as false alarms; they are what is missing to 100 %."
)


def promoted(runs: int, random: Random) -> Iterator[Cell]:
    """The default rule as it is delivered: φ from the hour before, one-look rule, both tests, thirty minutes of patience a step."""
    rule = Rule((Gate("errors", MAX_RATE),))
    for row, (changes, least, most) in PROMOTED.items():
        for per_second in (150.0, 20.0):
            traffic = Traffic(per_second=per_second, look_seconds=5.0, looks=2500).but(**changes)
            ended = ramp(traffic, rule, runs, random, history=True)
            figures = (
                share(ended.advanced, at_least=least) if not traffic.outage else share(ended.advanced),
                quantile(ended.seconds[ended.advanced], unit=" s", prefix="@ "),
                replace(share(ended.returned, at_most=most), prefix="returned "),
            )
            yield Cell(
                "Healthy releases that go on to 100 % (10-20-30-40-50 %, looks of 5 s): promoted @ median; rolled back on evidence",
                row,
                f"{per_second:g} requests/s",
                figures,
                SHARED if traffic.outage else "",
            )
