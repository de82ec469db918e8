# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the allowance of an error budget returns versions that are no worse, and those that bleed slowly."""

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.budget import allowance
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.spending import Burning, Excess

MONTH = 30 * 86400
RUNS = 1000
LOOK_SECONDS, LOOKS = 15, 20  # a step of five minutes
BUDGET = 0.001


def returned(chance, per_second, rate, ratio):
    """Whether a release at 10 to 50 % costs its allowance, with little more than a fifth of the budget left."""
    allowed = allowance(0.001, 0.21, BUDGET, per_second * MONTH)
    excess = Excess()
    for weight in (0.1, 0.2, 0.3, 0.4, 0.5):
        requests = [chance.poisson(per_second * LOOK_SECONDS * share, LOOKS) for share in (weight, 1 - weight)]
        failed = [chance.binomial(arm, min(1.0, share)) for arm, share in zip(requests, (rate * ratio, rate), strict=True)]
        for look in range(LOOKS):
            excess = excess.add(*(Counts(int(arm[look]), int(bad[look])) for arm, bad in zip(requests, failed, strict=True)))
            if excess.is_over(allowed, 1.0):
                return True
    return False


@pytest.mark.parametrize("per_second", [1, 10, 100])
@pytest.mark.parametrize("rate", [0.0005, 0.0008])
def test_a_version_that_is_no_worse_is_hardly_ever_returned(per_second, rate):
    chance = np.random.default_rng(7)
    assert sum(returned(chance, per_second, rate, 1.0) for _run in range(RUNS)) <= 0.015 * RUNS


@pytest.mark.parametrize(("per_second", "least"), [(1, 0.4), (10, 0.99), (100, 0.99)])
def test_one_that_fails_ten_times_as_often_is_returned_though_the_gate_would_let_it_pass(per_second, least):
    chance = np.random.default_rng(7)
    assert sum(returned(chance, per_second, 0.001, 10.0) for _run in range(200)) >= least * 200


@pytest.mark.parametrize("per_second", [1, 10, 100])
def test_a_service_that_just_keeps_its_objective_stays_after_the_switch(per_second):
    chance = np.random.default_rng(7)
    wrong = 0
    for _run in range(RUNS // 5):
        burning = Burning(0.0)
        for look in range(1, 241):
            requests = int(chance.poisson(per_second * LOOK_SECONDS))
            burning = burning.add(look * LOOK_SECONDS, Counts(requests, int(chance.binomial(requests, BUDGET))), 3600.0)
            if burning.is_too_fast(3600.0, BUDGET):
                wrong += 1
                break
    assert wrong <= 0.01 * RUNS // 5
