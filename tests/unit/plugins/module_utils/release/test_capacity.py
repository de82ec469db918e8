# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas without room are refused before anything changes; what the nodes have left is only told."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World


@pytest.fixture
def world():
    """Stable has 4 pods of half a CPU."""
    made = World()
    shop = made.stored("Deployment", "eu", "shop")
    shop["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "500m"}}
    made.put(shop)
    return made


def quota(world, hard, used):
    meta = {"name": "team", "namespace": "eu"}
    world.put({"kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}, "status": {"hard": hard, "used": used}})


def test_a_quota_that_fits_is_fine(world):
    quota(world, {"requests.cpu": "4500m", "pods": "9"}, {"requests.cpu": "2", "pods": "4"})
    assert world.start()["outcome"] == "promoted"


@pytest.mark.parametrize(
    ("hard", "used", "words"),
    [
        ({"requests.cpu": "4499m"}, {"requests.cpu": "2"}, "requests.cpu 2500m more on top of 2 used, 4499m allowed"),
        ({"pods": "8"}, {"pods": "4"}, "pods 5 more on top of 4 used, 8 allowed"),
        ({"count/deployments.apps": "1"}, {"count/deployments.apps": "1"}, "count/deployments.apps 1 more on top of 1 used, 1 allowed"),
    ],
)
def test_a_quota_without_room_for_the_canary_and_the_rolling_update_is_refused_with_the_numbers(world, hard, used, words):
    quota(world, hard, used)
    with pytest.raises(Refused) as caught:
        world.start()
    (problem,) = caught.value.problems
    assert problem.field == "release_namespace"
    assert f"room for 4 pods of the canary and 1 of the rolling update of shop: ResourceQuota team: {words}" in problem.allowed
    assert world.writes() == []


def test_resources_of_the_new_version_are_what_counts(world):
    quota(world, {"requests.cpu": "6"}, {"requests.cpu": "2"})
    bigger = {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}}
    with pytest.raises(Refused, match=r"requests\.cpu 5 more"):
        world.start(release_template_patch=bigger)
    wrong = {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "much"}}}]}}
    with pytest.raises(Refused, match="'much' is no Kubernetes quantity"):
        world.start(release_template_patch=wrong)


def test_a_quota_that_may_not_be_read_is_told(world):
    quota(world, {"pods": "1"}, {"pods": "4"})
    world.denied = {("list", "resourcequotas")}
    assert world.start()["outcome"] == "promoted"
    assert any("you may not list ResourceQuota" in line for line in world.lines)


def node(world, cpu):
    status = {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}, "conditions": [{"type": "Ready", "status": "True"}]}
    world.put({"kind": "Node", "metadata": {"name": "one"}, "spec": {}, "status": status})


def test_nodes_without_room_are_told_and_no_reason_to_refuse(world):
    node(world, "1500m")
    assert world.start()["outcome"] == "promoted"
    assert any("nodes: cpu 1500m free of 2 needed by the canary at full size" in line for line in world.lines)


@pytest.mark.parametrize("denied", [set(), {("list", "nodes")}, {("list", "pods")}], ids=["room enough", "no nodes", "no pods"])
def test_nothing_is_told_of_nodes_that_have_room_or_may_not_be_seen(world, denied):
    node(world, "100m" if denied else "2")
    world.denied = {one for one in denied if one[1] == "nodes"}
    if ("list", "pods") in denied:
        allowed = world.allowed
        world.allowed = lambda verb, kind, namespace, **part: (kind, namespace) != ("Pod", "") and allowed(verb, kind, namespace, **part)
    assert world.start()["outcome"] == "promoted"
    assert not any("nodes:" in line for line in world.lines)


def test_room_that_cannot_be_counted_is_told(world):
    node(world, "1")
    world.refuse("GET", "Node", Rejected("expired"))
    assert world.start()["outcome"] == "promoted"
    assert any("the room on the nodes could not be counted" in line for line in world.lines)
