# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulation's threshold and Mann-Whitney judges roll back at the very look at which the real ones do."""

from __future__ import annotations

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.limits import Limit, ThresholdGate, ThresholdRule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney import HIGH, compare
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import INCREASE, Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.threshold import Threshold
from ansible_collections.progressive.delivery.tests.simulation.rivals import failed_looks, mann_whitney_look, threshold_look
from ansible_collections.progressive.delivery.tests.simulation.traffic import Service, Traffic

RUNS, LOOKS = 40, 20
TRAFFIC = [
    Traffic(per_second=10.0),
    Traffic(per_second=1.0, canary_rate=0.05, stable_rate=0.02),
    Traffic(per_second=100.0, canary_rate=0.005),
    Traffic(per_second=100.0, canary_rate=0.02, stable_rate=0.01, cluster=3),
]


def counted(traffic):
    service = Service(traffic, RUNS, np.random.default_rng(11))
    looks = [service.look(60.0 * number) for number in range(1, LOOKS + 1)]
    return np.stack([canary for canary, _stable in looks]), np.stack([stable for _canary, stable in looks])


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize(("threshold", "consecutive"), [(1, False), (3, True), (5, False)])
def test_threshold(traffic, threshold, consecutive):
    canary, stable = counted(traffic)
    rule = ThresholdRule((ThresholdGate("errors", "share", Limit(most=0.01)),), threshold=threshold, consecutive=consecutive)
    found = threshold_look(failed_looks(canary, 0.01), threshold, consecutive=consecutive)
    for run in range(RUNS):
        judge = Threshold(rule)
        state, back = judge.enter_step(judge.start(), StepEntry(5.0, 0.0)), -1
        for number in range(LOOKS):
            metric = MetricLook("errors", Counts(*map(int, canary[number, run])), Counts(*map(int, stable[number, run])))
            state, verdict = judge.look(state, Look(number + 1, 60.0 * (number + 1), 5.0, (metric,), True))
            if verdict.decision == "roll_back":
                back = number
                break
        assert found[run] == back
    assert traffic is not TRAFFIC[3] or threshold == 3 or (found >= 0).any()


@pytest.mark.parametrize("traffic", TRAFFIC)
@pytest.mark.parametrize("first", [5, 20])
def test_mann_whitney(traffic, first):
    canary, stable = counted(traffic)
    options = Options(direction=INCREASE)
    found = mann_whitney_look(canary, stable, options, first=first)
    rates = [arm[..., 1] / np.maximum(arm[..., 0], 1) for arm in (canary, stable)]
    for run in range(RUNS):
        verdicts = [compare(rates[0][:number, run], rates[1][:number, run], options).verdict for number in range(first, LOOKS + 1)]
        assert found[run] == (first - 1 + verdicts.index(HIGH) if HIGH in verdicts else -1)
    assert traffic.per_second < 100.0 or (found >= 0).any()
