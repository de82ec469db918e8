# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How often the rank judge returns a version that is no different, over a whole release, and how soon it finds one that is."""

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Look, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rank_judge import RankGate, RankJudge

RUNS = 300
LEVEL = 0.02  # of a whole release, however often it is judged


def release(canary, stable, options, judgements=3):
    """Whether a release with these samples, one of each version a moment, is returned; after how many."""
    gate = RankGate("cpu", options, min_samples=len(canary), judgements=judgements, sample_seconds=60.0)
    judge = RankJudge(gate, minimum_seconds=0.0, no_data_seconds=120.0)
    state = judge.enter_step(judge.start(), StepEntry(10, 0.0, 100))
    for moment, pair in enumerate(zip(canary, stable, strict=True)):
        scalar = ScalarLook("cpu", float(pair[0]), float(pair[1]))
        state, verdict = judge.look(state, Look(moment, 60.0 * moment, 10, (), False, scalars=(scalar,), has_counts=False))
        if verdict.decision == "roll_back":
            return moment + 1
    return 0


def returned(seed, options, *, times=1.0, drift=0.0, pods=0.0, judgements=3, runs=RUNS):
    """The share of releases that are returned. drift: of both alike; pods: how much the two versions' pods differ by themselves."""
    chance = np.random.default_rng(seed)
    found = []
    for _run in range(runs):
        shared = drift * np.sin(np.linspace(0.0, 6.0, 50))
        canary, stable = (np.exp(shared + chance.normal(0.0, 0.1, 50) + chance.normal(0.0, pods)) for _arm in range(2))
        found.append(release(times * canary, stable, options, judgements))
    return sum(map(bool, found)) / runs, float(np.median([one for one in found if one] or [0]))


@pytest.mark.parametrize("judgements", [3, 10])
def test_equal_versions_are_returned_within_the_stated_level_however_often_they_are_judged(judgements):
    share, _samples = returned(11, Options(tolerance=0.0), judgements=judgements)
    assert share <= LEVEL + 3 * (LEVEL / RUNS) ** 0.5


def test_a_load_that_changes_for_both_alike_is_no_difference():
    assert returned(12, Options(tolerance=0.0), drift=0.5)[0] <= LEVEL + 3 * (LEVEL / RUNS) ** 0.5


def test_pods_that_differ_by_themselves_need_a_limit_and_with_it_are_within_the_level():
    assert returned(13, Options(tolerance=0.0), pods=0.05, runs=200)[0] > 0.1, "one pod's own size is no chance to a rank test"
    assert returned(13, Options(allowed_increase=1.2, allowed_decrease=0.8), pods=0.05, runs=200)[0] <= LEVEL


def test_half_as_much_again_is_found_at_the_first_occasion():
    share, samples = returned(14, Options(allowed_increase=1.2), times=1.5, runs=200)
    assert (share, samples) == (1.0, 17)
