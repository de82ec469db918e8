# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router by replicas alone: which pods are members, what it reads, what it makes of lost answers and late endpoints."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Superseded, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Asked
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.providers import ROUTERS, router
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.recover import Unclear, home_selector
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.replicas import WEIGHT
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import HOME, TWIN, Route, RouteEdited, RouteError
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_replicas import ReplicaWorld

TOKEN = "shop-a1b2c3.1"
OWN = {TWIN: "shop-canary"}


@pytest.fixture
def world():
    """Four pods of stable, four of the canary that are no members yet."""
    made = ReplicaWorld()
    template = {"metadata": {"labels": {"app": "shop-canary", **OWN}}, "spec": {"containers": [{"name": "app", "image": "shop:2"}]}}
    meta = {"name": "shop-canary", "namespace": "eu"}
    made.put({"kind": "Deployment", "metadata": meta, "spec": {"replicas": 4, "selector": {"matchLabels": OWN}, "template": template}})
    return made


@pytest.fixture
def steers(world):
    place = ROUTERS["replicas"].find(world, Asked("eu", "shop", switch_label="app", workload="shop"))
    made = router(world, "eu", place, matches=(), sleep=world.sleep)
    made.claim(TOKEN, may_replace=lambda fence: False)
    return made


@pytest.mark.parametrize(("percent", "share"), [(20, (1, 4)), (33, (2, 4)), (50, (4, 4)), (99, (4, 4)), (100, (4, 0)), (0, (0, 4))])
@pytest.mark.parametrize("before", [0, 20, 50, 100])
def test_from_any_weight_to_any_other(world, steers, before, percent, share):
    steers.change(Route(before), TOKEN)
    world.shares = world.shares[-1:]
    steers.change(Route(percent), TOKEN)
    assert (world.share, steers.read().route) == (share, Route(percent))
    low, high = sorted((world.shares[0][0], share[0]))
    if 100 not in (before, percent):
        assert all(low <= canary <= high and stable == 4 for canary, stable in world.shares), "never beyond either"
    assert all(canary + stable >= 4 for canary, stable in world.shares)


def test_a_change_that_stands_already_writes_nothing(world, steers):
    steers.change(Route(50), TOKEN)
    before = world.writes()
    steers.change(Route(50), TOKEN)
    assert world.writes() == before


@pytest.mark.parametrize("percent", [20, 50, 100])
@pytest.mark.parametrize("kind", ["Pod", "Service"])
@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_settled_by_reading(world, steers, percent, kind, applied):
    world.lose("PATCH", kind, applied=applied)
    steers.change(Route(percent), TOKEN)
    assert steers.read().route == Route(percent)
    world.lose("PATCH", kind, applied=applied)
    assert steers.give_back(TOKEN).route == HOME
    assert (world.share, steers.read().names_canary) == ((0, 4), False)


def test_a_pod_that_will_not_leave_does_not_keep_the_others(world, steers):
    steers.change(Route(50), TOKEN)
    stubborn = next(one for one in world.names("Pod") if one.startswith("shop-canary"))
    original = world.patch

    def patch(kind, namespace, name, operations, **more):
        if name == stubborn:
            raise Unreachable("no answer", call="PATCH")
        return original(kind, namespace, name, operations, **more)

    world.patch = patch
    with pytest.raises(Unreachable, match="did not take the return"):
        steers.give_back(TOKEN)
    assert world.share == (1, 4)
    assert WEIGHT not in world.stored("Service", "eu", "shop")["metadata"]["annotations"]
    assert steers.read().names_canary


def test_only_ready_pods_that_stay_become_members(world, steers):
    names = [one for one in world.names("Pod") if one.startswith("shop-canary")]
    world.objects["Pod", "eu", names[0]]["status"]["conditions"][0]["status"] = "False"
    world.objects["Pod", "eu", names[1]]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    steers.change(Route(50), TOKEN)
    members = [one for one in names if world.stored("Pod", "eu", one)["metadata"]["labels"]["app"] == "shop"]
    assert members == names[2:]


def test_endpoints_that_come_late_are_awaited_and_those_that_never_come_are_told(world, steers):
    world.controllers.remove(world._endpoints)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 4:
            world._endpoints()

    steers._sleep = sleep
    steers.change(Route(50), TOKEN)
    assert (world.share, len(slept)) == ((4, 4), 4)
    with pytest.raises(RouteError, match="still with shop-canary"):
        steers.change(Route(20), TOKEN)
    with pytest.raises(RouteError, match="still with shop-"):
        steers.change(Route(100), TOKEN)


def test_who_does_not_hold_the_fence_moves_nobody(world, steers):
    for act in (
        lambda: steers.change(Route(50), "other.1"),
        lambda: steers.give_back("other.1"),
        lambda: steers.keep(Route(50), "other.1"),
    ):
        with pytest.raises(Superseded):
            act()
    assert world.shares == [(0, 4)]


def test_the_share_that_is_told_is_the_one_of_the_endpoints(world, steers):
    assert steers.real_percent(33) == pytest.approx(100 / 3)
    steers.change(Route(33), TOKEN)
    found = world.stored("Deployment", "eu", "shop")
    found["spec"]["replicas"] = 6
    world.put(found)
    assert steers.real_percent(33) == 25.0
    assert steers.reached(33) == "2 of 8 pods, 25 % (33 % asked)"
    assert [steers.real_percent(percent) for percent in (0, 100)] == [0, 100]


def test_more_pods_of_stable_ask_for_more_members(world, steers):
    steers.change(Route(20), TOKEN)
    found = world.stored("Deployment", "eu", "shop")
    found["spec"]["replicas"] = 8
    world.put(found)
    steers.keep(Route(20), TOKEN)
    assert world.share == (2, 8)


def test_a_selector_that_is_nobodys_is_no_way_to_go_on(world, steers):
    found = world.stored("Service", "eu", "shop")
    found["spec"]["selector"] = {"app": "other"}
    world.put(found)
    with pytest.raises(RouteEdited, match="was edited"):
        steers.change(Route(20), TOKEN)
    assert steers.read().route is None


def test_the_small_verbs_do_not_take_the_canarys_selector_for_stables():
    with pytest.raises(Unclear, match="a release alone"):
        home_selector(OWN, OWN)
