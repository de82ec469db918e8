# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promotion by swap and subsets beside what else a release can do: sets, canaries by replicas, commands, queries, manifests, room."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.query import names_of
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_hooks import HookedWorld, Receiver
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_swap import SWAP, WAYS, SwapWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

BY_REPLICAS = {"release_traffic": {"provider": "service", "service": "shop"}}
SUBSETS = {"stable": "v1", "canary": "v2"}
POD = {"metadata": {"labels": {"app": "shop", "version": "v1"}}, "spec": {"containers": [{"name": "app", "image": "shop:2"}]}}
MANIFESTS = [{"kind": "Deployment", "metadata": {"name": "shop-v1"}, "spec": {"template": POD}}]


class SwapPeople(SwapWorld, People):
    """A swap, and people who give commands meanwhile."""

    def killed(self, word, **changed):
        """As in MortalWorld, in this world's way."""
        super().killed(word, **{**self.given, **changed})

    def told(self, command, **options):
        """Why a command is refused; nothing is written by it."""
        before = len(self.writes())
        with pytest.raises(Refused) as caught:
            self.tell(command, **options)
        assert len(self.writes()) == before
        return str(caught.value)


class HookedSwap(SwapWorld, HookedWorld):
    """A swap whose webhooks are asked."""


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(params=WAYS)
def world(request):
    return SwapPeople(request.param)


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"release_workload": "StatefulSet/shop-v1"}, "release_workload", "nobody can make a second StatefulSet"),
        ({"release_workload": "StatefulSet/shop-v1", "release_strategy": "rolling"}, "release_promotion", "strategy rolling knows nothing"),
        ({"release_workload": "DaemonSet/shop-v1", "release_strategy": "blue_green"}, "release_workload", "use release_strategy: rolling"),
        ({"release_strategy": "rolling"}, "release_promotion", "twin: strategy rolling knows nothing else"),
        (BY_REPLICAS, "release_promotion", "shares by replicas"),
        ({"release_traffic": {**BY_REPLICAS["release_traffic"], "subsets": SUBSETS}}, "release_traffic.subsets", "they are Istio's"),
    ],
    ids=str,
)
def test_what_makes_no_sense_together_is_refused_by_its_field(given, field, words):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, **SWAP, **given})
    assert words in {one.field: one.allowed for one in caught.value.problems}[field]


def test_subsets_of_a_canary_by_replicas_are_refused_without_a_swap_too_and_rolling_needs_none():
    by_replicas = {"release_traffic": {**BY_REPLICAS["release_traffic"], "subsets": SUBSETS}}
    with pytest.raises(SpecError, match="provider service knows no subsets"):
        parse({**GIVEN, **by_replicas})
    assert parse({**GIVEN, "release_strategy": "rolling", "release_traffic": {"subsets": SUBSETS}}).subsets is None


def test_a_release_that_has_swapped_is_not_rolled_back_onto_the_deployment_that_is_gone(world):
    world.begin()
    words = "Deployment shop-v2 has taken the place of shop-v1. Release shop:1 from there, with release_workload: Deployment/shop-v2"
    assert words in world.told("rollback")
    assert "Release shop:0 from there" in world.told("rollback", to="shop:0")
    assert world.tell("retry")["said"] == "it was promoted: there is nothing to retry"
    assert world.tell("retry")["next_commands"] == []
    world.assert_swapped()


def test_a_swap_that_was_aborted_is_retried_from_its_record(world):
    world.when("  warm  ", "abort")
    assert world.begin()["outcome"] == "aborted"
    world.assert_returned()
    assert world.tell("retry")["outcome"] == "promoted"
    world.assert_swapped()


def test_a_rollback_where_the_old_deployment_still_serves_swaps_as_the_release_would_have(world):
    world.when("  verify  ", "abort")
    world.begin(release_image="shop:3")
    assert world.tell("rollback", to="shop:2")["serves"] == "Deployment/shop-v2"
    world.assert_swapped()


@pytest.mark.parametrize("word", ["100 % shop-v2", "the way back is one patch"])
def test_a_dead_swap_goes_on_by_a_retry(world, word):
    world.killed(word)
    assert world.state.swapped
    assert world.tell("retry")["outcome"] == "promoted"
    world.assert_swapped()


def test_a_pause_keeps_the_old_deployment_whole_and_cannot_give_it_traffic(world):
    refusals = []
    world.at["  warm  "] = lambda: refusals.append(world.told("pause", weight_percent=0))
    world.when("the way back is one patch", "pause", for_seconds=600, then="resume")
    sizes = []
    world.at["  paused  "] = lambda: sizes.append(world.stored("Deployment", "eu", "shop-v1")["spec"]["replicas"])
    began = world.clock()
    assert world.begin()["outcome"] == "promoted"
    assert "a release that has not swapped yet" in refusals[0]
    assert (sizes, world.clock() - began >= 600) == ([4], True)
    world.assert_swapped()


def test_what_changes_while_a_pause_holds_the_old_deployment_returns_everything_to_it():
    world = SwapPeople()
    world.when("  warm  ", "pause", for_seconds=600, then="resume")

    def edit():
        found = world.stored("Service", "eu", "shop")
        found["spec"]["selector"]["version"] = "v1"
        world.put(found)

    world.at["  paused  "] = edit
    assert world.begin()["outcome"] == "rolled_back"
    world.assert_returned()


def test_a_pause_that_nobody_ends_parks_a_swap_with_all_traffic_on_the_old_deployment(world):
    world.when("  warm  ", "pause", for_seconds=60, then="park")
    weight = {"release_parked_weight": 0 if world.way == "service" else 10}
    assert world.begin(**weight)["outcome"] == "parked"
    assert (world.served(), world.state.swapped) == ({"shop-v1": 4}, False)
    assert world.begin(**weight)["outcome"] == "promoted"
    world.assert_swapped()


def test_a_promote_does_not_shorten_the_warm_time():
    world = SwapPeople()
    world.when("  warm  ", "promote")
    began = []
    world.at["the way back is one patch"] = lambda: began.append(world.clock())
    world.begin(release_swap={"workload": "shop-v2", "warm_seconds": 300})
    assert (world.answers[0]["changed"], world.answers[0]["said"]) == (False, "it is being promoted already")
    assert world.clock() - began[0] >= 300


def test_cleanup_of_a_swap_that_has_ended_leaves_both_versions_alone(world):
    world.refuse("DELETE", "Service", Rejected("forbidden"))
    world.begin(release_swap={"workload": "shop-v2", "keep": True})
    assert "shop-canary" in world.names("Service")
    world.tell("cleanup")
    world.assert_swapped(kept=True)
    assert world.names("ConfigMap") == []


def test_cleanup_is_refused_while_the_new_deployment_takes_the_place(world):
    world.killed("the way back is one patch")
    refusal = world.told("cleanup")
    assert "abort it first" in refusal
    assert world.abort()["outcome"] == "aborted"
    world.assert_returned()


def test_a_query_asks_for_the_new_deployment_by_its_name():
    names = names_of("eu", "shop-v1", "shop", 30.0, canary="shop-v2")
    assert (names["stable"], names["canary"], names["canary_service"]) == ("shop-v1", "shop-v2", "shop-canary")
    assert names["canary_pods"].startswith("shop-v2-[")


def test_pods_are_found_whatever_labels_the_version_changes(world):
    patch = {"metadata": {"labels": {"chart": "shop-2"}}}
    world.begin(release_template_patch=patch)
    assert record.load(world, "eu", "shop").target["pod_labels"] == {"app": "shop", "version": "v2"}


def test_manifests_that_have_swapped_are_running_already():
    world = SwapPeople()
    assert world.begin(release_manifests=MANIFESTS)["outcome"] == "promoted"
    world.assert_swapped()
    again = world.begin(release_manifests=MANIFESTS)
    assert (again["changed"], again["reason"]) == (False, "shop-v2 runs shop:2 already")


def test_without_counters_the_old_deployment_drains_as_long_as_any_canary():
    world = SwapPeople()
    times = []
    world.at["  warm  "] = world.at["  retired  "] = lambda: times.append(world.clock())
    world.begin(release_swap={"workload": "shop-v2", "warm_seconds": 0})
    assert times[1] - times[0] >= 10


def test_a_rise_at_the_swap_waits_for_room_and_ends_where_there_is_none():
    world = SwapPeople()

    def grow():
        found = world.stored("Deployment", "eu", "shop-v1")
        found["spec"]["replicas"] = 6
        world.put(found)
        quota = {"hard": {"pods": "10"}, "used": {"pods": "10"}}
        world.put({"kind": "ResourceQuota", "metadata": {"name": "team", "namespace": "eu"}, "spec": quota, "status": quota})

    world.at["  verify  "] = grow
    result = world.begin(release_max_hold_seconds=60)
    assert result["outcome"] == "rolled_back"
    assert "no room for 2 more pods of shop-v2: ResourceQuota team" in result["reason"]
    assert (world.served(), world.names("Deployment")) == ({"shop-v1": 6}, ["shop-v1"])


def test_an_old_deployment_that_somebody_replaced_is_retired_all_the_same():
    world = SwapPeople()

    def replace():
        found = world.stored("Deployment", "eu", "shop-v1")
        del found["metadata"]["annotations"][EPOCH]
        world.put(found)

    world.at["the way back is one patch"] = replace
    assert world.begin()["outcome"] == "promoted"
    world.assert_swapped()


def test_webhooks_are_asked_before_a_swap_and_know_the_warm_time_as_a_part_of_the_promotion(receiver):
    world = HookedSwap()
    hooks = [receiver.hook(kind) for kind in ("confirm-promotion", "rollback", "post-rollout")]
    receiver.answers["rollback/gate"] = [(403, "no")]
    assert world.begin(release_webhooks=hooks)["outcome"] == "promoted"
    assert [one["name"] for one in world.state["steps"]][-5:] == ["verify", "confirm-promotion", "promote", "warm", "clean_up"]
    assert list(dict.fromkeys(one["phase"] for one in receiver.bodies("rollback/gate")))[-1] == "Promoting"
    assert [one["phase"] for one in receiver.bodies("post-rollout/gate")] == ["Succeeded"]
    world.assert_swapped()


@pytest.mark.parametrize("way", WAYS)
def test_a_rollback_webhook_that_agrees_in_the_warm_time_returns_everything_to_the_old_deployment(way, receiver):
    world = HookedSwap(way)
    receiver.answers["rollback/gate"] = [(403, "no")]
    world.at["  warm  "] = lambda: receiver.answers.update({"rollback/gate": [(200, "it burns")]})
    result = world.begin(release_webhooks=[receiver.hook("rollback", interval="1s")])
    assert (result["outcome"], "it burns" in result["reason"]) == ("rolled_back", True)
    world.assert_returned()
