# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release says it has cost: extra pods over their time, the switch, requests that failed."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.costs import Costs
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World


@pytest.fixture
def world():
    return World()


def test_pods_count_for_as_long_as_they_are_there_whoever_runs_the_release():
    costs = Costs().sized(2, 100.0).sized(4, 110.0)
    costs = Costs.of(json.loads(json.dumps(costs.to_dict())))  # another runner
    assert costs.sized(0, 130.0).told() == {"switch_ms": None, "requests": None, "failed_requests": None, "extra_pod_seconds": 100}


def test_requests_of_both_versions_add_up_and_only_the_first_switch_counts():
    costs = Costs().counted([(Counts(50, 3), Counts(950, 1)), (Counts(50, 9), None)]).counted([(None, Counts(10, 0))]).counted([])
    costs = costs.switched(81.26).switched(7.0)
    assert costs.told() == {"switch_ms": 81.3, "requests": 1010, "failed_requests": 4, "extra_pod_seconds": 0}


def test_blue_green_says_what_it_took(world):
    result = world.start(release_steps=None, release_strategy="blue_green", release_verify_seconds=20)
    known = native.status(world, "eu", "shop")[0]
    assert result["costs"] == known["costs"]
    assert result["costs"]["switch_ms"] >= 0.0
    assert result["costs"]["failed_requests"] is None  # no gate counts
    assert result["costs"]["extra_pod_seconds"] >= 4 * 20  # green is as large as blue, and was watched for so long


def test_a_release_that_returned_has_no_switch_but_its_pods_cost_something(world):
    world.at["5 s at 50 %"] = lambda: setattr(world, "stop", "the job was cancelled")
    result = world.start(release_steps=[{"weight": 50, "bake_seconds": 5}, 100])
    assert (result["outcome"], result["costs"]["switch_ms"]) == ("rolled_back", None)
    assert result["costs"]["extra_pod_seconds"] > 0
