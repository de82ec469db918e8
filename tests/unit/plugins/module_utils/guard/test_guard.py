# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: a runner dies, and nobody runs the release again."""

import json
from functools import partial

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Superseded
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.guard import in_cluster
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import LEASE, Killed, MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_guard import (
    GUARD,
    Idle,
    announces,
    guards,
    orders,
    watch,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_replicas import RATIO, ReplicaWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE, World

HOME = [STABLE]


class GuardedWorld(MortalWorld):
    def __init__(self):
        super().__init__()
        self.controllers.append(partial(announces, self))

    def killed(self, word, **changed):
        """As in MortalWorld; the Lease keeps its holder, which runs on a machine that nobody sees."""
        self.at[word] = self.die
        with pytest.raises(Killed):
            self.start(**GUARD, **changed)
        self.dead = False
        self.objects[LEASE]["spec"]["holderIdentity"] = "far/1/1"

    def record(self):
        return native.status(self, "eu", "shop")[0]


class GuardedReplicas(GuardedWorld, ReplicaWorld):
    pass


def share(world):
    return sum(one.get("weight", 0) for one in world.route if one["destination"]["host"] == "shop-canary")


@pytest.mark.parametrize("weight", [10, 50, 100])
def test_a_dead_runners_traffic_comes_home_after_the_limit_and_not_before(weight):
    world = GuardedWorld()
    world.killed(f" {weight} %  ")
    died = world.clock()
    assert share(world) == weight
    assert "returned by the guard at" in watch(world)
    assert world.route == HOME
    assert 30 <= world.clock() - died <= 36


def test_the_record_says_what_the_guard_did_and_the_next_run_tidies():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    watch(world)
    told = world.record()
    assert (told["phase"], told["weight_percent"], told["guard"]["did"]) == ("returning", 0, "returned")
    assert told["reason"].endswith("its runner gave no sign for 30 s")
    assert world.names("Deployment") == ["shop", "shop-canary"]
    result = world.start(**GUARD)
    assert (result["outcome"], "returned by the guard" in result["reason"]) == ("rolled_back", True)
    world.assert_home("shop:1")
    assert orders_are_gone(world)


def orders_are_gone(world):
    """The double has no garbage collector: what belongs to a guard goes with its ConfigMap."""
    return not [name for name in world.names("ConfigMap") if name.startswith("guard-")]


def test_a_release_that_lives_is_never_touched_however_slow_it_is():
    world = GuardedWorld()
    world.killed(" 50 %  ")

    def renew():
        if int(world.clock()) % 28 < 2:
            world.objects[LEASE]["spec"]["renewTime"] = str(world.clock())

    before = world.stored("VirtualService", "eu", "shop")
    with pytest.raises(Idle):
        watch(world, seconds=1000, meanwhile=renew)
    assert world.stored("VirtualService", "eu", "shop") == before


def test_a_guard_that_cannot_see_the_lease_does_not_take_its_runner_for_dead():
    world = GuardedWorld()
    world.killed(" 50 %  ")

    def outage():
        world.silence(1)

    with pytest.raises(Idle):
        watch(world, seconds=300, meanwhile=outage)
    assert share(world) == 50


def test_a_runner_that_was_only_asleep_can_change_nothing():
    """It sleeps in the middle of a poll; the guard acts; it wakes up."""
    world = GuardedWorld()
    seen = []

    def asleep():
        world.objects[LEASE]["spec"]["holderIdentity"] = "far/1/1"
        watch(world)
        seen.append(world.stored("VirtualService", "eu", "shop"))

    world.at[" 50 %  "] = asleep
    result = world.start(**GUARD)
    assert (result["outcome"], "returned by the guard" in result["reason"]) == ("rolled_back", True)
    assert "another runner holds this release now" in world.lines[-1]
    assert seen == [world.stored("VirtualService", "eu", "shop")] and world.route == HOME


def test_a_runner_that_wakes_with_a_change_in_its_hand_is_refused_by_every_object():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    stale = world.stored("VirtualService", "eu", "shop")["metadata"]["annotations"][EPOCH]
    watch(world)
    for kind, name in (("VirtualService", "shop"), ("Deployment", "shop"), ("Deployment", "shop-canary"), ("ConfigMap", "release-shop")):
        fence = world.stored(kind, "eu", name)["metadata"]["annotations"][EPOCH]
        assert fence != stale and int(fence.rpartition(".")[2]) == int(stale.rpartition(".")[2]) + 1
    assert world.objects[LEASE]["spec"]["holderIdentity"] == ""


def test_between_the_orders_and_the_change_both_states_are_covered():
    """Killed after the orders were rewritten, before and after the route was."""
    for applied in (False, True):
        world = GuardedWorld()
        world.at[" 50 %  "] = lambda: None

        def arm(world=world, applied=applied):
            world.lose("PATCH", "VirtualService", applied=applied)
            world.just_before("GET", "VirtualService", world.die, times=99)

        world.at["analyze"] = arm
        world.at[" 10 %  "] = arm
        with pytest.raises(Killed):
            world.start(**GUARD)
        world.dead, world._faults = False, []
        world.objects[LEASE]["spec"]["holderIdentity"] = "far/1/1"
        ways = orders(world, guards(world)[-1])["traffic"][0]["tries"]
        assert share(world) in (10, 50) and len(ways) >= 2
        watch(world)
        assert world.route == HOME


def test_matched_requests_come_home_too():
    world = GuardedWorld()
    world.killed(" 10 %  ", release_match=[{"headers": {"x-cell": "staff"}}])
    assert len(world.stored("VirtualService", "eu", "shop")["spec"]["http"]) == 2
    watch(world)
    assert world.stored("VirtualService", "eu", "shop")["spec"]["http"] == [{"name": "main", "route": HOME}]


def test_pods_that_joined_stables_service_leave_it():
    world = GuardedReplicas()
    world.killed("50 % asked", **RATIO)
    assert world.shares[-1][0] > 0
    watch(world)
    assert world.shares[-1] == (0, 4)
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop"}


def test_a_route_that_somebody_else_edited_is_left_and_told():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    found = world.stored("VirtualService", "eu", "shop")
    found["spec"]["http"][0]["route"] = [{"destination": {"host": "another"}}]
    world.put(found)
    assert watch(world) == "left: the route was edited by somebody else"
    assert world.route == [{"destination": {"host": "another"}}]
    assert (world.record()["guard"]["did"], world.record()["weight_percent"]) == ("left", 10)  # the last share that its runner could note


def test_a_retry_that_others_set_meanwhile_stays():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    found = world.stored("VirtualService", "eu", "shop")
    found["spec"]["http"][0]["retries"] = {"attempts": 3}
    world.put(found)
    watch(world)
    assert world.stored("VirtualService", "eu", "shop")["spec"]["http"] == [{"name": "main", "route": HOME, "retries": {"attempts": 3}}]


def test_while_stable_takes_the_new_template_traffic_stays_where_it_is_whole():
    world = GuardedWorld()
    world.killed("takes shop:2 while the canary serves")
    with pytest.raises(Idle):
        watch(world)
    assert (share(world), world.record()["guard"]["did"]) == (100, "left")
    assert "stable was taking the new template" in world.record()["guard"]["why"]
    world.bury()
    assert world.start(**GUARD)["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_when_the_canary_dies_during_that_traffic_returns_to_stables_ready_pods():
    world = GuardedWorld()
    world.killed("takes shop:2 while the canary serves")
    canary = world.stored("Deployment", "eu", "shop-canary")
    canary["spec"]["replicas"] = 0
    world.put(canary)
    watch(world)
    assert world.route == HOME
    world.bury()
    assert world.start(**GUARD)["outcome"] == "rolled_back"
    world.assert_home("shop:1")


@pytest.mark.parametrize(("policy", "home"), [("return", True), ("keep", False)])
def test_a_stable_without_ready_pods_gets_no_traffic_while_the_canary_has_some(policy, home):
    world = GuardedWorld()
    world.killed(" 50 %  ", release_on_no_stable=policy)
    world.controllers.append(lambda: world.objects["Deployment", "eu", "shop"]["status"].update(readyReplicas=0))
    began = world.clock()
    if home:
        watch(world)
        assert world.route == HOME and world.clock() - began > 120
    else:
        with pytest.raises(Idle):
            watch(world)
        assert share(world) == 50


def test_floors_are_restored_once_the_load_has_come_home():
    world = GuardedWorld()
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    spec = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 9}
    world.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop", "namespace": "eu"}, "spec": spec})
    world.killed(" 50 %  ")
    assert world.stored("HorizontalPodAutoscaler", "eu", "shop")["spec"]["minReplicas"] == 4
    watch(world)
    assert world.stored("HorizontalPodAutoscaler", "eu", "shop")["spec"]["minReplicas"] == 2


def test_a_runner_that_comes_while_the_guard_is_about_to_act_wins():
    world = GuardedWorld()
    world.killed(" 50 %  ")

    def another():
        held = world.objects[LEASE]["spec"]
        held.update(holderIdentity="near/2/2", renewTime=str(world.clock()), leaseTransitions=held["leaseTransitions"] + 1)
        world.put(world.objects[LEASE])

    world.just_before("PATCH", "Lease", another)
    with pytest.raises(Idle):
        watch(world, seconds=45)
    assert share(world) == 50 and world.objects[LEASE]["spec"]["holderIdentity"] == "near/2/2"


def test_a_guard_whose_orders_are_gone_ends():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    name = guards(world)[-1]
    with pytest.raises(in_cluster.Missing):
        watch(world, name, meanwhile=lambda: world.objects.pop(("ConfigMap", "eu", name), None))
    assert share(world) == 50


def test_an_ended_release_is_over():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    found = world.objects["ConfigMap", "eu", "release-shop"]
    found["data"]["state"] = json.dumps({**json.loads(found["data"]["state"]), "phase": "ended"})
    assert watch(world) == "the release is over"
    assert share(world) == 50


def test_superseded_is_what_a_renewal_says_after_the_guard():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    lease = world.objects[LEASE]["spec"]
    held = native.leases.Lease(world, "eu", LEASE[2], "far/1/1", lease["leaseTransitions"], "uid")
    held.renew()
    watch(world)
    with pytest.raises(Superseded):
        held.renew()


class UnguardedWorld(World):
    """Its guard's pod never runs."""


def test_no_traffic_moves_before_the_guard_watches():
    world = UnguardedWorld()
    result = world.start(**GUARD, release_ready_timeout_seconds=20)
    assert result["outcome"] == "rolled_back"
    assert "did not begin to watch within 20 s" in result["reason"]
    assert not [line for line in world.lines if " 10 %  " in line]
    world.assert_home("shop:1")


def test_a_guard_that_nobody_may_have_is_refused_before_anything_changes():
    world = GuardedWorld()
    world.denied.add(("create", "rolebindings"))
    with pytest.raises(native.Refused, match="create RoleBinding objects"):
        world.start(**GUARD)
    assert world.writes() == []


def test_a_good_release_leaves_nothing_of_its_guard():
    world = GuardedWorld()
    assert world.start(**GUARD)["outcome"] == "promoted"
    assert orders_are_gone(world)
    world.assert_home("shop:2")


def test_the_next_runner_has_a_guard_of_its_own_and_removes_the_one_before():
    world = GuardedWorld()
    world.killed(" 50 %  ")
    (first,) = guards(world)
    world.bury()
    seen = []
    world.at[" 100 %  "] = lambda: seen.extend(name for name in world.names("ConfigMap") if name.startswith("guard-"))
    assert world.start(**GUARD)["outcome"] == "promoted"
    assert len(seen) == 1 and seen != [first] and seen[0].rpartition("-")[0] == first.rpartition("-")[0]
