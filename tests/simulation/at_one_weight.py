# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of releases that stay at one weight: gates compared, requests to detect, 2,000 looks, three ways to end, looks of 2 s."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import INCREASE, Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Rule
from ansible_collections.progressive.delivery.tests.simulation.figures import Cell, Figure, mean, quantile, share
from ansible_collections.progressive.delivery.tests.simulation.releases import (
    MARGIN_125,
    MAX_RATE,
    PLAIN,
    RECOMMENDED,
    Ended,
    fixed,
)
from ansible_collections.progressive.delivery.tests.simulation.rivals import failed_looks, mann_whitney_look, threshold_look
from ansible_collections.progressive.delivery.tests.simulation.traffic import Service, Traffic

Array = Any
Random = np.random.Generator

OUTAGE = (0.03, 180.0)
COLUMNS: dict[str, dict[str, Any]] = {
    "false, 0.1 %": {},
    "false, base 0.9 %": {"stable_rate": 0.009, "canary_rate": 0.009},
    "false, shared outage": {"outage": OUTAGE},
    "false, clusters of 3": {"cluster": 3},
    "false, uneven pods": {"sigma": 0.5},
    "→ 0.5 %": {"canary_rate": 0.005},
    "→ 1 %": {"canary_rate": 0.01},
    "→ 5 %": {"canary_rate": 0.05},
}
GATES = {
    100.0: {
        "threshold 1": "3.3 100 100 52 7.4 93@1522 100@574 100@300",
        "3 consecutive": "0.0 55 97 0.1 0.0 2.9@3482 71@2657 100@900",
        "threshold 5": "0.0 94 0.0 0.1 0.0 9.2@5094 99@3029 100@1500",
        "Mann-Whitney once": "0.0 0.1 0.0 0.0 0.6 73@6000 99.8@6000 100@6000",
        "Mann-Whitney each look ≥ 5": "0.1 1.0 0.1 0.0 1.8 83@2439 99.9@1568 100@1500",
        "e-process, margin 1, no φ": "0.2 0.1 0.2 15 3.8 99.5@1764 100@607 100@300",
        "**the default rule**": "0.0 0.0 0.0 0.4 0.8 89@2797 100@902 100@600",
        "same, margin 1.25": "0.0 0.0 0.0 0.6 1.7 96@2389 100@873 100@600",
        "same as default, looks of 15 s": "0.0 - - - - 90@2618 100@732 100@152",
    },
    10.0: {
        "threshold 1": "45 99.5 96 18 46 95@143 99.7@87 100@32",
        "3 consecutive": "0.0 17 23 0.0 0.1 4.1@342 22@331 99.8@115",
        "threshold 5": "0.0 53 2.5 0.0 0.2 14@508 62@451 100@186",
        "Mann-Whitney once": "0.0 0.0 0.0 0.0 0.0 0.0 0.0 73@602",
        "Mann-Whitney each look ≥ 5": "0.0 0.1 0.0 0.0 0.0 0.0 0.1 83@249",
        "e-process, margin 1, no φ": "0.2 0.1 0.2 6.2 0.5 19@347 68@311 100@67",
        "**the default rule**": "0.0 0.0 0.0 0.5 0.1 7.5@358 46@354 100@88",
    },
}
RULES: dict[str, tuple[Rule, dict[str, Any]]] = {
    "e-process, margin 1, no φ": (PLAIN, {"history": False}),
    "**the default rule**": (RECOMMENDED, {}),
    "same, margin 1.25": (MARGIN_125, {}),
    "same as default, looks of 15 s": (RECOMMENDED, {}),
}


def gates(per_second: float, runs: int, random: Random) -> Iterator[Cell]:
    """False rollbacks and detection of every gate at this traffic."""
    for row, texts in GATES[per_second].items():
        for (column, changes), text in zip(COLUMNS.items(), texts.split(), strict=True):
            if text == "-":
                continue
            traffic = Traffic(per_second=per_second).but(**changes)
            if "15 s" in row:
                traffic = traffic.but(look_seconds=15.0, looks=80)
            fired, requests = _fired(row, traffic, runs, random)
            percent, _at, median = text.partition("@")
            promised = 1.0 if row in ("**the default rule**", "same as default, looks of 15 s") and column.startswith("false") else None
            figures: list[Figure] = [share(fired, percent, at_most=promised)]
            if median:
                look = per_second * traffic.weight * traffic.look_seconds
                figures.append(quantile(requests[fired], 0.5, float(median), slack=0.12 * look, prefix="@ "))
            yield Cell(f"Gates at {per_second:g} requests/s, canary 5 %, 20 looks of a minute", row, column, tuple(figures))


def _fired(row: str, traffic: Traffic, runs: int, random: Random) -> tuple[Array, Array]:
    """Which runs were rolled back, and the canary's requests by then."""
    if row in RULES:
        rule, options = RULES[row]
        ended = fixed(traffic, rule, runs, random, **options)
        return ended.returned, ended.requests
    service = Service(traffic, runs, random)
    looks = [service.look(traffic.look_seconds * number) for number in range(1, traffic.looks + 1)]
    canary, stable = (np.stack([look[side] for look in looks]) for side in (0, 1))
    if "Mann" in row:
        at = mann_whitney_look(canary, stable, Options(direction=INCREASE), first=traffic.looks if "once" in row else 5)
    else:
        at = threshold_look(failed_looks(canary, MAX_RATE), int(row.replace(" consecutive", "")[-1]), consecutive="consecutive" in row)
    requests = canary[..., 0].cumsum(axis=0)
    return at >= 0, requests[np.maximum(at, 0), np.arange(runs)]


DETECT: dict[str, tuple[Rule, dict[str, Any], str]] = {
    "e-process, margin 1": (PLAIN, {"history": False}, "2500/3280(1664) 780/1000(514) 100/120(72)"),
    "e-process, margin 1.5": (
        replace(PLAIN, gates=(replace(PLAIN.gates[0], margin=1.5),)),
        {"history": False},
        "4180/5360(2766) 1060/1360(684) 100/140(79)",
    ),
    "the default rule": (RECOMMENDED, {}, "4720/6000(3142) 1160/1480(762) 120/160(88)"),
}


def requests_to_detect(runs: int, random: Random) -> Iterator[Cell]:
    """Looks every 20 canary requests at 5 %; alpha 1 %."""
    for row, (rule, options, texts) in DETECT.items():
        for rate, text in zip((0.005, 0.01, 0.05), texts.split(), strict=True):
            traffic = Traffic(per_second=20.0, look_seconds=20.0, canary_rate=rate, looks=1200)
            requests = fixed(traffic, rule, runs, random, **options).requests
            quantiles, _bracket, average = text.rstrip(")").partition("(")
            eighty, ninety = map(float, quantiles.split("/"))
            yield Cell(
                "Canary requests to detect, α 1 %, a look every 20 canary requests (80 % and 90 % of runs have fired by; mean)",
                row,
                f"→ {100 * rate:g} %",
                (
                    quantile(requests, 0.8, eighty, published_runs=4000, slack=20.0, prefix="80 % "),
                    quantile(requests, 0.9, ninety, published_runs=4000, slack=20.0, prefix="90 % "),
                    mean(requests, float(average), published_runs=4000, rounding=20.0, prefix="mean "),
                ),
            )


def nothing_wrong(runs: int, random: Random) -> Iterator[Cell]:
    """2,000 looks of a minute at equal rates: ever fired."""
    table = "2,000 looks, nothing wrong (ever rolled back)"
    traffics = {
        "100 requests/s": Traffic(looks=2000),
        "10 requests/s": Traffic(per_second=10.0, looks=2000),
        "10 requests/s, 5 % errors": Traffic(per_second=10.0, looks=2000, stable_rate=0.05, canary_rate=0.05),
    }
    rows: list[tuple[str, Rule, str, dict[str, Any]]] = [
        ("e-process, margin 1, no φ", PLAIN, "0.3 0.5 0.1", {"history": False}),
        ("**the default rule**", RECOMMENDED, "0.0 0.05 0.0", {}),
    ]
    for row, rule, texts, options in rows:
        for (column, traffic), text in zip(traffics.items(), texts.split(), strict=True):
            fired = fixed(traffic, rule, runs, random, **options).returned
            yield Cell(table, row, column, (share(fired, text, published_runs=2000, at_most=1.0),))
    for per_second, text in ((100.0, "0.01"), (10.0, "0.00")):
        traffic = Traffic(per_second=per_second, stable_rate=0.2, canary_rate=0.2)
        fired = fixed(traffic, PLAIN, 5 * runs, random, history=False).returned
        row, column = "e-process, margin 1, no φ, 20 looks", f"20 % errors, {per_second:g} requests/s"
        yield Cell(table, row, column, (share(fired, text, at_most=1.0),))


THREE_WAY = {
    100.0: "0.0/100@2 5/95 50@7/50@5 98.8@3/1.2 100@2/0 100@2/0",
    10.0: "0.0/99.96@14 5/95 44/56 97@21/2.9 99.9@8/0.1 100@3/0",
}


def three_ways(runs: int, random: Random) -> Iterator[Cell]:
    """Roll back, or certify the limit, at a fixed 5 % for up to four hours."""
    for per_second, texts in THREE_WAY.items():
        for rate, text in zip((0.001, 0.003, 0.005, 0.01, 0.02, 0.05), texts.split(), strict=True):
            traffic = Traffic(per_second=per_second, canary_rate=rate, looks=240)
            ended = fixed(traffic, RECOMMENDED, runs, random, until_advance=True)
            figures = []
            for which, one in zip((ended.returned, ended.advanced), text.split("/"), strict=True):
                percent, _at, minutes = one.partition("@")
                figures.append(share(which, percent, published_runs=5000))
                if minutes:
                    figures.append(
                        quantile(ended.seconds[which] / 60.0, 0.5, float(minutes), unit=" min", published_runs=5000, slack=1.0, prefix="@ ")
                    )
            table = "Back / promote at a fixed 5 %, limit 1 %, up to four hours (minutes are medians)"
            yield Cell(table, f"{100 * rate:g} %", f"{per_second:g} requests/s", tuple(figures))


FAST = Traffic(look_seconds=2.0, looks=600)
SECONDS: list[tuple[str, Traffic, str]] = [
    ("healthy", FAST, "0.03"),
    ("healthy, 10 requests/s", FAST.but(per_second=10.0), "0.10"),
    ("healthy, clusters of 3", FAST.but(cluster=3), "0.57"),
    ("healthy, clusters of 10", FAST.but(cluster=10), "0.00"),
    ("healthy, clusters of 30", FAST.but(cluster=30), "0.03"),
    ("shared outage 3 % × 3 min", FAST.but(outage=OUTAGE), "0.07"),
    ("shared outage 50 % × 1 min", FAST.but(outage=(0.5, 60.0)), "0.03"),
    ("bad 5 %", FAST.but(canary_rate=0.05), "100@14/50"),
    ("bad 50 %", FAST.but(canary_rate=0.5), "100@4/6"),
    ("bad 50 %, weight 10 %", FAST.but(canary_rate=0.5, weight=0.1), "100@4/4"),
    ("bad 50 %, 10 requests/s", FAST.but(canary_rate=0.5, per_second=10.0), "100@12/38"),
    ("bad 100 %", FAST.but(canary_rate=1.0), "100@4/4"),
    ("bad 20 %, 200 requests/s, weight 10 %", FAST.but(canary_rate=0.2, per_second=200.0, weight=0.1), "100@4/4"),
]


def two_second_looks(runs: int, random: Random) -> Iterator[Cell]:
    """Twenty minutes of looks of 2 s, φ measured on blocks of a minute."""
    for row, traffic, text in SECONDS:
        ended: Ended = fixed(traffic, RECOMMENDED, runs, random)
        percent, _at, times = text.partition("@")
        healthy = traffic.canary_rate == traffic.stable_rate
        figures = [share(ended.returned, percent, published_runs=3000, at_most=1.0 if healthy else None)]
        for part, published in zip((0.5, 0.99), times.split("/") if times else (), strict=False):
            seconds = ended.seconds[ended.returned]
            figures.append(
                quantile(seconds, part, float(published), unit=" s", published_runs=3000, slack=2.0, prefix="@ " if part == 0.5 else "p99 ")
            )
        yield Cell(
            "Looks of 2 s over 20 minutes, canary 5 %, 100 requests/s unless said (median and p99 of the time)",
            row,
            "rolled back",
            tuple(figures),
        )
