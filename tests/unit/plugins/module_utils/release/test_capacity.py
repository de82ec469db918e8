# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas without room are refused before anything changes; a rise waits for room that is gone meanwhile."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE, World


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


def rising(world, hard, used, **changed):
    """A quota has room when the release starts, and none once the first weight stands."""
    world.at[changed.pop("at", " 10 %")] = lambda: quota(world, hard, used)
    return world.start(**changed)


SHORT = (
    "no room for 1 more pod of the canary: ResourceQuota team: requests.cpu 500m more on top of 4500m used, 4500m allowed (500m missing); "
    "see kubectl -n eu describe resourcequota team"
)


def test_a_rise_waits_for_room_in_the_quota_and_makes_no_pod_that_would_only_wait(world):
    def room():
        sizes.append(world.stored("Deployment", "eu", "shop-canary")["spec"]["replicas"])
        quota(world, {"requests.cpu": "9"}, {"requests.cpu": "4500m"})

    sizes = []
    world.at["no room"] = room
    assert rising(world, {"requests.cpu": "4500m"}, {"requests.cpu": "4500m"})["outcome"] == "promoted"
    assert sizes == [1]
    (line,) = [line for line in world.lines if "no room" in line]
    assert SHORT in line
    assert sum("there is room for 1 more pod of the canary now" in line for line in world.lines) == 1


@pytest.mark.parametrize(("policy", "outcome"), [("roll_back", "rolled_back"), ("ask", "parked")])
def test_room_that_never_comes_is_decided_by_policy(world, policy, outcome):
    began = world.seconds
    given = {"release_max_hold_seconds": 60, "release_on_inconclusive": policy}
    result = rising(world, {"requests.cpu": "4500m"}, {"requests.cpu": "4500m"}, **given)
    assert result["outcome"] == outcome
    assert f"{SHORT}; held for 60 s (release_max_hold_seconds), release_on_inconclusive is {policy}" in result["reason"]
    assert 60 <= world.seconds - began < 100
    assert world.route == [STABLE]


def test_a_release_that_waits_for_room_is_aborted_at_once(world):
    def stop():
        world.stop = "the job was cancelled"
        began.append(world.seconds)

    began = []
    world.at["no room"] = stop
    assert rising(world, {"requests.cpu": "4500m"}, {"requests.cpu": "4500m"})["outcome"] == "rolled_back"
    assert world.route == [STABLE]
    assert world.seconds - began[0] < 20


def test_a_route_that_is_edited_while_room_is_missing_ends_the_release(world):
    world.at["no room"] = lambda: world.objects.pop(("VirtualService", "eu", "shop"))
    assert rising(world, {"pods": "1"}, {"pods": "5"})["reason"] == "VirtualService eu/shop is gone"


def test_where_policy_promotes_the_pods_are_asked_for_all_the_same(world):
    given = {"release_max_hold_seconds": 60, "release_on_inconclusive": "promote"}
    assert rising(world, {"requests.cpu": "1"}, {"requests.cpu": "4500m"}, **given)["outcome"] == "promoted"
    assert any("warning" in line and "no room for 1 more pod of the canary" in line for line in world.lines)


def test_the_rolling_update_of_stable_waits_for_room_before_it_begins(world):
    images = []
    world.at["no room"] = lambda: (images.append(world.image), world.objects.pop(("ResourceQuota", "eu", "team")))
    assert rising(world, {"pods": "8"}, {"pods": "8"}, at="verify")["outcome"] == "promoted"
    assert images == ["shop:1"]
    assert any(
        "no room for 1 more pod of shop's rolling update: ResourceQuota team: pods 1 more on top of 8" in line for line in world.lines
    )


def test_the_objects_that_a_release_has_made_already_are_not_asked_of_the_quota_again(world):
    hard = {"count/deployments.apps": "2", "services": "2", "pods": "50"}
    assert rising(world, hard, {"count/deployments.apps": "2", "services": "2", "pods": "5"})["outcome"] == "promoted"
    assert not any("no room" in line for line in world.lines)


def test_room_on_nodes_is_awaited_for_a_minute_for_only_pods_that_wait_make_some_autoscalers_act(world):
    shifts = []
    world.controllers.append(lambda: shifts.append(world.seconds) if world.route[-1].get("weight") == 50 else None)
    began = []
    world.at[" 10 %"] = lambda: (node(world, "400m"), began.append(world.seconds))
    assert world.start()["outcome"] == "promoted"
    words = "the nodes take 0 of 1, each cpu 500m; see kubectl describe nodes"
    assert any(f"no room for 1 more pod of the canary: {words}" in line for line in world.lines)
    assert any(f"still {words}; going on: a cluster autoscaler only adds nodes" in line for line in world.lines)
    assert 60 <= shifts[0] - began[0] < 80


def test_room_that_a_node_gets_in_time_is_used_at_once(world):
    world.at[" 10 %"] = lambda: node(world, "400m")
    world.at["no room"] = lambda: node(world, "4")
    assert world.start()["outcome"] == "promoted"
    assert not any("going on: a cluster" in line for line in world.lines)


def test_nodes_of_a_large_cluster_are_not_counted_between_looks(world):
    def many():
        node(world, "1m")
        one = world.stored("Node", "", "one")
        for number in range(10):
            world.put({**one, "metadata": {"name": f"node-{number}"}})

    world.at[" 10 %"] = many
    assert world.start()["outcome"] == "promoted"
    assert not any("no room" in line for line in world.lines)


def budget(world, allowed, selector):
    status = {"disruptionsAllowed": allowed, "currentHealthy": 4, "desiredHealthy": 4}
    spec = {"selector": {"matchLabels": selector}, "minAvailable": 4}
    world.put({"kind": "PodDisruptionBudget", "metadata": {"name": "keep", "namespace": "eu"}, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("most", "words"),
    [
        ("25%", "does not ask it and may take 1 of 4 pods away before new ones are ready"),
        (0, "does not ask it and takes no pod away before a new one is ready"),
    ],
)
def test_a_budget_that_allows_no_disruption_is_told_before_promotion_and_drain(world, most, words):
    shop = world.stored("Deployment", "eu", "shop")
    shop["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": most}}
    world.put(shop)
    budget(world, 0, {"app": "shop"})
    assert world.start()["outcome"] == "promoted"
    told = [line for line in world.lines if "PodDisruptionBudget keep allows no disruption now (4 healthy, 4 needed)" in line]
    assert len(told) == 2
    assert f"the rolling update of shop {words}" in told[0]
    assert "shop-canary goes all the same" in told[1]
    assert all("see kubectl -n eu get poddisruptionbudget keep" in line for line in told)


@pytest.mark.parametrize(("allowed", "selector"), [(1, {"app": "shop"}), (0, {"app": "other"})])
def test_a_budget_with_room_or_of_other_pods_is_not_mentioned(world, allowed, selector):
    budget(world, allowed, selector)
    assert world.start()["outcome"] == "promoted"
    assert not any("PodDisruptionBudget" in line for line in world.lines)
