# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promotion by swap, whole: good versions, bad ones, and runners killed at every single write, for each way to tell versions apart."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.ending import PARKED, TurnBack
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_swap import SWAP, SwapWorld, world
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

__all__ = ["world"]
MOST_WRITES = 200


def state_of(world):
    return record.load(world, "eu", "shop").state


def raising(error):
    def act():
        raise error

    return act


def test_the_steps_of_a_swap_read_as_its_story():
    names = " ".join(step.name for step in plan(parse({**GIVEN, **SWAP})))
    assert names == "validate deploy weight-10 weight-50 weight-100 verify promote warm clean_up"


def test_the_new_deployment_takes_the_old_ones_place(world):
    began = world.clock()
    result = world.begin()
    assert (result["outcome"], result["weight_percent"], result["serves"]) == ("promoted", 0, "Deployment/shop-v2")
    world.assert_swapped()
    assert (state_of(world).phase, state_of(world).serves) == ("ended", "shop-v2")
    assert world.clock() - began >= 20
    again = world.begin()
    assert (again["changed"], again["reason"]) == (False, "shop-v2 runs shop:2 already")


def test_until_the_old_deployment_goes_it_is_whole(world):
    sizes = []
    for word in ("  verify  ", "  warm  "):
        world.at[word] = lambda: sizes.append({one["metadata"]["name"]: one["spec"]["replicas"] for one in world._kind("Deployment")})
    world.begin()
    assert sizes == [{"shop-v1": 4, "shop-v2": 4}] * 2


def test_the_next_release_starts_from_the_new_deployment(world):
    world.begin()
    subsets = {"release_traffic": {"subsets": {"stable": "v2", "canary": "v3"}}} if world.way == "subsets" else {}
    result = world.begin(release_workload="Deployment/shop-v2", release_image="shop:3", release_swap={"workload": "shop-v3"}, **subsets)
    assert (result["outcome"], result["serves"]) == ("promoted", "Deployment/shop-v3")
    assert world.served() == {"shop-v3": 4}
    assert state_of(world).history[0]["serves"] == "shop-v2"


def test_kept_the_old_deployment_is_scaled_to_nothing(world):
    assert world.begin(release_swap={"workload": "shop-v2", "keep": True})["outcome"] == "promoted"
    world.assert_swapped(kept=True)
    assert world.stored("Deployment", "eu", "shop-v1")["spec"] == {**world.original["spec"], "replicas": 0}


@pytest.mark.parametrize("where", ["  deploy  ", "  verify  ", "  warm  "])
def test_a_stop_before_the_old_one_goes_returns_everything_to_it(world, where):
    world.add_scaler()
    before = world.scaler()
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    assert (world.begin()["outcome"], world.scaler()) == ("rolled_back", before)
    world.assert_returned()
    assert state_of(world).serves == "shop-v1"


def test_harm_after_the_swap_returns_with_one_patch(world):
    writes = []

    def harm():
        writes.append(len(world.writes()))
        raise TurnBack("errors", "too many errors")

    world.at["  warm  "] = harm
    assert world.begin()["reason"] == "too many errors"
    world.assert_returned()
    rest = [one for one in world.writes()[writes[0] :] if "ConfigMap" not in one]
    first = "PATCH VirtualService/shop" if world.way == "subsets" else "PATCH Service/shop"
    assert rest[0] == first


def test_what_scales_the_old_deployment_scales_the_new_one_and_its_floor_is_restored(world):
    world.add_scaler()
    assert world.begin()["outcome"] == "promoted"
    scaler = world.scaler()
    assert (scaler["scaleTargetRef"]["name"], scaler["minReplicas"], scaler["maxReplicas"]) == ("shop-v2", 2, 9)
    world.assert_swapped()


def test_an_autoscaler_that_makes_the_old_one_larger_makes_the_new_one_as_large(world):
    def grow():
        found = world.stored("Deployment", "eu", "shop-v1")
        found["spec"]["replicas"] = 6
        world.put(found)

    world.at["  verify  "] = grow
    world.begin()
    assert world.served() == {"shop-v2": 6}


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_runner_killed_at_any_write_is_resumed_to_the_same_end(applied):
    for way in ("hosts", "subsets", "service"):
        for number in range(1, MOST_WRITES):
            world = SwapWorld(way)
            world.add_scaler()
            if not world.killed_at(number, applied=applied):
                break
            found = record.load(world, "eu", "shop")
            assert world.begin()["outcome"] == "promoted", (way, number)
            assert world.served() == {"shop-v2": 4}
            if found is None or found.unfinished:  # else only fences are left, which bind nobody and go with the next release
                world.assert_swapped()
            assert world.scaler()["scaleTargetRef"]["name"] == "shop-v2"
            assert world.scaler()["minReplicas"] == 2
        assert 30 < number < MOST_WRITES - 1


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_release_killed_at_any_write_is_returned_by_an_abort_or_finished_where_there_is_no_way_back(applied):
    for way in ("hosts", "subsets", "service"):
        endings = set()
        for number in range(1, MOST_WRITES):
            world = SwapWorld(way)
            world.add_scaler()
            if not world.killed_at(number, applied=applied):
                break
            found = world.stored("ConfigMap", "eu", "release-shop")
            if found is None or not record.load(world, "eu", "shop").unfinished:
                continue
            retiring = record.load(world, "eu", "shop").state.retiring
            outcome = world.abort()["outcome"]
            endings.add((outcome, world.scaler()["scaleTargetRef"]["name"]))
            if outcome == "aborted":
                assert not retiring
                world.assert_returned()
            else:
                world.assert_swapped()
        assert endings == {("aborted", "shop-v1"), ("promoted", "shop-v2")}


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
def test_a_return_killed_at_any_write_is_finished_by_the_next_run(applied):
    for way in ("hosts", "subsets", "service"):
        returned = 0
        for number in range(1, MOST_WRITES):
            world = SwapWorld(way)
            world.add_scaler()
            world.at["  warm  "] = lambda world=world: setattr(world, "stop", "told to stop")
            if not world.killed_at(number, applied=applied):
                break
            world.stop = None
            found = record.load(world, "eu", "shop")
            if found is None or found.state.phase != "returning":
                continue
            assert world.begin()["outcome"] == "rolled_back", (way, number)
            world.assert_returned()
            assert world.scaler()["scaleTargetRef"]["name"] == "shop-v1"
            returned += 1
        assert returned > 5


@pytest.mark.parametrize("where", ["  traffic  ", "  retired  "])
def test_whatever_is_raised_returns_before_the_old_one_goes_and_finishes_after(where):
    world = SwapWorld()
    world.at["weight-100" if where == "  traffic  " else where] = lambda: None
    world.at["100 % shop-v2" if where == "  traffic  " else where] = raising(RuntimeError("bug"))
    with pytest.raises(RuntimeError):
        world.begin()
    if where == "  traffic  ":
        world.assert_returned()
    else:
        world.assert_swapped()
        assert (state_of(world).outcome, state_of(world).serves) == ("promoted", "shop-v2")


def test_a_parked_release_is_home_on_the_old_deployment_and_goes_on_from_all_traffic(world):
    world.at["  warm  "] = raising(TurnBack("max_hold", "nobody knows", outcome=PARKED))
    assert world.begin()["outcome"] == "parked"
    assert (world.served(), state_of(world).serves) == ({"shop-v1": 4}, "shop-v1")
    assert world.begin()["outcome"] == "promoted"
    world.assert_swapped()


def test_an_edit_of_the_service_after_the_swap_ends_the_release():
    world = SwapWorld()

    def edit():
        found = world.stored("Service", "eu", "shop")
        found["spec"]["selector"]["version"] = "v1"
        world.put(found)

    world.at["  warm  "] = edit
    result = world.begin()
    assert (result["outcome"], "Service shop was edited by somebody else: it selects version=v1" in result["reason"]) == (
        "rolled_back",
        True,
    )
    world.assert_returned()


def test_an_old_deployment_that_somebody_deletes_is_nothing_to_return_to():
    world = SwapWorld()

    def delete():
        world.objects.pop(("Deployment", "eu", "shop-v1"))
        world.stop = "told to stop"

    world.at["  warm  "] = delete
    result = world.begin()
    assert (result["outcome"], world.served()) == ("parked", {"shop-v2": 4})
    assert "Deployment shop-v1 is gone" in result["reason"]


def test_an_old_deployment_that_may_not_be_deleted_stays_and_is_told():
    world = SwapWorld()
    world.refuse("DELETE", "Deployment", Rejected("forbidden by a policy"))
    assert world.begin()["outcome"] == "promoted"
    assert (world.served(), world.names("Deployment")) == ({"shop-v2": 4}, ["shop-v1", "shop-v2"])
    assert any("shop-v1 could not be retired: forbidden by a policy" in line for line in world.lines)


def test_a_run_that_lost_the_release_does_not_delete_the_old_deployment():
    world = SwapWorld()

    def take_over():
        found = world.stored("Deployment", "eu", "shop-v1")
        found["metadata"]["annotations"]["progressive.delivery/epoch"] += "0"
        world.put(found)

    world.at["  warm  "] = take_over
    world.begin()
    assert "DELETE Deployment/shop-v1" not in world.writes()


def test_copies_of_configuration_stay_with_the_new_deployment():
    world = SwapWorld()
    found = world.stored("Deployment", "eu", "shop-v1")
    found["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "env"}}]
    world.put(found)
    world.put({"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": "5"}})
    assert world.begin(release_config={})["outcome"] == "promoted"
    (copied,) = [one for one in world._kind("ConfigMap") if one["metadata"]["name"].startswith("env-")]
    uid = world.stored("Deployment", "eu", "shop-v2")["metadata"]["uid"]
    assert uid in [one["uid"] for one in copied["metadata"]["ownerReferences"]]


def test_the_plan_tells_who_takes_whose_place_and_changes_nothing(world):
    world.add_scaler()
    before = copy.deepcopy(world.objects)
    shown = world.plan()
    assert world.objects == before
    (said,) = [line for line in world.lines if "promotion by swap" in line]
    assert "shop-v2 (version=v2) takes the place of shop-v1, which is deleted after 20 s and its drain" in said
    headers = [one["before_header"] for one in shown["diff"]]
    assert "HorizontalPodAutoscaler/shop when promoted" in headers
    assert headers[-1] == "Deployment/shop-v1 at the end"
    assert ("Service/shop when promoted" in headers) == (world.way == "hosts")
    assert ("DestinationRule/shop from the deployment on" in headers) == (world.way == "subsets")
