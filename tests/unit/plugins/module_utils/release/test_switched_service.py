# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that switches stable's own Service: nobody is sent back to pods that are not there."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.rollback import STABLE_READY_SECONDS
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

SWITCH = {"release_strategy": "blue_green", "release_steps": None, "release_traffic": {"provider": "service", "service": "shop"}}


@pytest.fixture
def world():
    return World()


def selector(world):
    return world.stored("Service", "eu", "shop")["spec"]["selector"]


def test_a_good_version_is_switched_to_and_promoted(world):
    seen = []
    world.at["verify"] = lambda: seen.append(selector(world))
    assert world.start(**SWITCH)["outcome"] == "promoted"
    assert seen == [{"app": "shop-canary"}]
    assert selector(world) == {"app": "shop"}
    world.assert_home("shop:2")


def test_traffic_stays_on_the_canary_while_stable_has_no_pods(world):
    def stable_goes():
        found = world.stored("Deployment", "eu", "shop")
        found["spec"]["replicas"] = 0
        world.put(found)
        world.stop = "the job was cancelled"

    began = world.seconds
    world.at = {"verify": stable_goes}
    result = world.start(**SWITCH)
    held = [line for line in world.lines if "no ready endpoint; the canary keeps the traffic" in line]
    assert len(held) == 1
    assert result["outcome"] == "rolled_back"
    assert selector(world) == {"app": "shop"}
    assert world.seconds - began > STABLE_READY_SECONDS


def test_traffic_returns_at_once_while_stable_stands(world):
    def cancel():
        world.stop = "the job was cancelled"

    world.at = {"verify": cancel}
    assert world.start(**SWITCH)["outcome"] == "rolled_back"
    assert not [line for line in world.lines if "no ready endpoint" in line]
    world.assert_home("shop:1")
