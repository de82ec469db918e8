# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All tables by name: what simulates them, with how many runs in the tests and with how many in the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from ansible_collections.progressive.delivery.tests.simulation import at_one_weight, on_ramps, slow_requests, with_scrapes
from ansible_collections.progressive.delivery.tests.simulation.figures import Cell


@dataclass(frozen=True)
class Table:
    """simulate(runs, random) gives the cells; runs for the tests, deep_runs for the benchmark."""

    simulate: Callable[[int, np.random.Generator], Iterator[Cell]]
    runs: int
    deep_runs: int


TABLES = {
    "gates-100": Table(partial(at_one_weight.gates, 100.0), 1500, 20_000),
    "gates-10": Table(partial(at_one_weight.gates, 10.0), 1500, 20_000),
    "requests-to-detect": Table(at_one_weight.requests_to_detect, 500, 4000),
    "nothing-wrong": Table(at_one_weight.nothing_wrong, 100, 2000),
    "three-ways": Table(at_one_weight.three_ways, 1000, 5000),
    "two-second-looks": Table(at_one_weight.two_second_looks, 250, 3000),
    "advance": Table(on_ramps.advance, 300, 2000),
    "six-weights": Table(on_ramps.six_weights, 500, 5000),
    "promoted": Table(on_ramps.promoted, 250, 2000),
    "scrapes-2": Table(partial(with_scrapes.scraped, 2), 150, 1000),
    "scrapes-15": Table(partial(with_scrapes.scraped, 15), 150, 1000),
    "scrapes-30": Table(partial(with_scrapes.scraped, 30), 150, 1000),
    "latency": Table(slow_requests.latency, 800, 20_000),
}
