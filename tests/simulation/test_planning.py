# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan prints before a release is what its simulation needs: within the 10 % that are promised, and sampling error."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_size import chance_to_detect, requests_to_detect
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading
from ansible_collections.progressive.delivery.plugins.module_utils.release.gate_lines import gate_lines
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.simulation.releases import RECOMMENDED, fixed
from ansible_collections.progressive.delivery.tests.simulation.traffic import Traffic

RUNS = 400
PROMISED = 0.10


def simulated(rate, ratio, weight, *, per_second=200.0, history=False):
    """Mean canary requests until harm is called, and its standard error; a look each second."""
    traffic = Traffic(
        per_second=per_second, weight=weight / 100.0, stable_rate=rate, canary_rate=rate * ratio, look_seconds=1.0, looks=4000
    )
    ended = fixed(traffic, RECOMMENDED, RUNS, np.random.default_rng(29), history=history)
    assert ended.returned.all()
    return ended.requests.mean(), ended.requests.std() / np.sqrt(RUNS)


@pytest.mark.parametrize("weight", [5.0, 10.0])
@pytest.mark.parametrize(("rate", "ratio"), [(0.001, 5.0), (0.001, 10.0), (0.002, 10.0)])
def test_requests_to_detect(rate, ratio, weight):
    mean, error = simulated(rate, ratio, weight)
    predicted = requests_to_detect(rate, ratio, weight_percent=weight)
    assert abs(mean / predicted - 1.0) <= PROMISED + 3.0 * error / predicted


@pytest.mark.parametrize("weight", [5, 10])
def test_the_line_of_the_plan(weight):
    spec = parse({
        "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
        "release_prometheus": {"url": "http://p"}, "release_steps": [weight, 50, 100],
        "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    })  # fmt: skip
    reading = GateReading(60_000, 60, 200.0)
    found = SimpleNamespace(gates={"errors": reading}, target=SimpleNamespace(stable_replicas=4, dispersion={"errors": 1.0}))
    (line,) = gate_lines(spec, found)
    requests, seconds = re.search(r"10 times stable's shows after ([\d,]+) canary requests, (\d+) s", line).groups()
    mean, error = simulated(0.001, 10.0, float(weight))
    predicted = float(requests.replace(",", ""))
    assert abs(mean / predicted - 1.0) <= PROMISED + 3.0 * error / predicted
    per_second = 200.0 * weight / 100.0
    assert abs(mean / per_second / float(seconds) - 1.0) <= PROMISED + 3.0 * error / predicted + 0.02


@pytest.mark.parametrize("seconds", [30, 120])
@pytest.mark.parametrize("weight", [5.0, 30.0])
@pytest.mark.parametrize(("rate", "ratio"), [(0.001, 2.0), (0.001, 5.0), (0.001, 10.0), (0.003, 5.0)])
def test_the_chance_to_detect_is_what_simulation_gives_or_a_little_less(rate, ratio, weight, seconds):
    traffic = Traffic(per_second=200.0, weight=weight / 100.0, stable_rate=rate, canary_rate=rate * ratio, look_seconds=1.0, looks=seconds)
    share = fixed(traffic, RECOMMENDED, RUNS, np.random.default_rng(31), history=False).returned.mean()
    predicted = chance_to_detect(rate, ratio, [(200.0 * weight / 100.0 * seconds, weight)])
    error = np.sqrt(max(predicted * (1.0 - predicted), 1.0 / RUNS) / RUNS)
    assert predicted - 0.03 - 3.0 * error <= share <= predicted + 0.13 + 3.0 * error
