# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of scrapes at random offsets: false rollbacks, detection and ramps with samples every 2, 15 and 30 s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_size import certification_scale
from ansible_collections.progressive.delivery.tests.simulation.bulk import ALL_RUNS, CERTIFIED, INCIDENT_BACK, MAX_HOLD, ONE_LOOK, Bulk
from ansible_collections.progressive.delivery.tests.simulation.figures import Cell, quantile, share
from ansible_collections.progressive.delivery.tests.simulation.releases import MAX_RATE, Ended
from ansible_collections.progressive.delivery.tests.simulation.scrapes import Pods, Scraped
from ansible_collections.progressive.delivery.tests.simulation.traffic import measured_dispersion

Array = Any
Random = np.random.Generator

RULE = Rule((Gate("errors", MAX_RATE),))
CLUSTERED = "Said of the whole rule with looks of 5 and 15 s: 1.2–1.5 % with clusters of 10–30, the worst cell known; above the 1 % of α."
# what happens, and at most how many percent are rolled back on evidence
HEALTHY: dict[str, tuple[dict[str, Any], float]] = {
    "healthy": ({}, 1.0),
    "stable near the limit, 0.9 %": ({"canary_rate": 0.009, "stable_rate": 0.009}, 1.0),
    "shared outage 3 % × 2 min": ({"outage": (0.03, 120)}, 1.0),
    "shared outage 50 % × 1 min": ({"outage": (0.5, 60)}, 1.0),
    "shared outage 100 % × 20 s": ({"outage": (1.0, 20)}, 1.0),
    "the first of them, one canary and three stable pods": ({"outage": (0.5, 60), "pods": (1, 3)}, 1.0),
    "clusters of 3": ({"cluster": 3}, 1.0),
    "clusters of 10": ({"cluster": 10}, 1.5),
    "clusters of 30": ({"cluster": 30}, 1.5),
    "uneven pods": ({"sigma": 0.5}, 1.0),
    "pods restart (12 an hour each)": ({"restarts": 12.0}, 1.0),
    "a tenth of the scrapes late": ({"late": 0.1}, 1.0),
    "two retries, outage 3 % × 2 min": ({"retries": 2, "outage": (0.03, 120)}, 1.0),
    "restarts, late scrapes and an outage": ({"restarts": 12.0, "late": 0.1, "outage": (0.03, 120)}, 1.0),
}
BAD: dict[str, dict[str, Any]] = {
    "bad 5 %": {"canary_rate": 0.05},
    "bad 20 %": {"canary_rate": 0.2},
    "bad 50 %": {"canary_rate": 0.5},
    "bad 50 %, two retries, late scrapes, restarts": {"canary_rate": 0.5, "retries": 2, "late": 0.1, "restarts": 12.0},
}
RAMP = (10.0, 20.0, 30.0, 40.0, 50.0)
TABLE = "Scrapes at random offsets, a look a second, 150 requests/s, 2 canary and 8 stable pods, φ from the hour before"


def scraped(every: int, runs: int, random: Random) -> Iterator[Cell]:
    """At 10 % for five minutes; then ramps. every: seconds between two scrapes of a pod."""
    column = f"every {every} s"
    for row, (changes, most) in HEALTHY.items():
        ended = release(Scraped(every=every).but(**changes), runs, random)
        yield Cell(TABLE, f"{row}: returned", column, (share(ended.returned, at_most=most),), CLUSTERED if most > 1.0 else "")
    for row, changes in BAD.items():
        ended = release(Scraped(every=every).but(**changes), max(60, runs // 3), random)
        seconds = ended.seconds[ended.returned]
        after = (quantile(seconds, unit=" s", prefix="@ "), quantile(seconds, 0.99, unit=" s", prefix="p99 "))
        yield Cell(TABLE, f"{row}: returned", column, (share(ended.returned, at_least=99.0), *after))
    for row, rate in (("healthy", 0.001), ("near the limit, 0.9 %", 0.009)):
        service = Scraped(every=every, canary_rate=rate, stable_rate=rate, seconds=1500)
        ended = release(service, max(40, runs // 5), random, weights=RAMP)
        figures = (share(ended.advanced, at_least=99.0), quantile(ended.seconds[ended.advanced], unit=" s", prefix="@ "))
        yield Cell(TABLE, f"ramp 10–50 %, {row}: promoted", column, figures)


def release(service: Scraped, runs: int, random: Random, *, weights: tuple[float, ...] = (10.0,)) -> Ended:
    """One release a run: up the weights, then past the last; at a single weight advances are passed over."""
    steps = np.array(weights)
    climbs = len(steps) > 1
    scales = np.array([certification_scale(following) for following in (*weights[1:], 100.0)])
    pods = Pods(service, runs, random)
    many = Bulk(replace(RULE, max_hold_seconds=1e9), runs, measured_dispersion(pods.hour()))
    place: Array = np.zeros(runs, int)
    many.enter_step(ALL_RUNS, 0.0, steps[place], scales[place])
    ended = Ended.none(runs)
    for second in range(1, service.seconds + 1):
        pods.pass_second(second, steps[place] / 100.0)
        canary, stable, closes, _new = pods.read(second)
        cause = many.look(float(second), canary[None], stable[None], closes)
        pods.next_block(closes)
        last = place == len(steps) - 1
        ends = (cause >= ONE_LOOK) | (climbs & ((cause == INCIDENT_BACK) | (cause == MAX_HOLD) | ((cause == CERTIFIED) & last)))
        first = ends & (ended.cause < 0)
        ended.cause[first], ended.seconds[first] = cause[first], second
        if (ended.cause >= 0).all():
            break
        rising = np.flatnonzero(climbs & (cause == CERTIFIED) & ~last & (ended.cause < 0))
        if len(rising):
            place[rising] += 1
            many.enter_step(rising, float(second), steps[place[rising]], scales[place[rising]])
            pods.next_block(rising)
    return ended
