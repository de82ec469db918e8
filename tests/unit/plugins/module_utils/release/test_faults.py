# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else deletes or replaces what a release stands on, or an answer is lost: it ends at a safe place and says why."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE, World

BAKING = {"release_steps": [{"weight": 50, "bake_seconds": 30}, 100]}


class Busy(World):
    """A world whose canary may lose its ready pods, and whose writes are counted."""

    canary_ready = stable_ready = 99
    written = 0
    lost = None  # the number of the write whose answer is lost
    silent = 0  # and how many requests after it get none

    def _endpoints(self):
        super()._endpoints()
        for name, most in (("shop", self.stable_ready), ("shop-canary", self.canary_ready)):
            if ("EndpointSlice", "eu", name) in self.objects:
                self.objects["EndpointSlice", "eu", name]["endpoints"][most:] = []

    def request(self, method, path, **options):
        if method != "GET" and (options.get("query") or {}).get("dryRun") != "All" and "selfsubject" not in path:
            self.written += 1
            if self.written == self.lost:
                self.lose(method, self._kind_of(path), applied=True)
                try:
                    return super().request(method, path, **options)
                finally:
                    self.silence(self.silent)
        return super().request(method, path, **options)

    def _kind_of(self, path):
        kinds = {"configmaps": "ConfigMap", "virtualservices": "VirtualService", "deployments": "Deployment", "services": "Service"}
        return next((kind for word, kind in kinds.items() if f"/{word}" in path), "Lease")

    def heal(self):
        self._faults.clear()

    def remove(self, kind, name):
        del self.objects[kind, "eu", name]
        self._reconcile()

    def scale(self, name, replicas):
        found = self.stored("Deployment", "eu", name)
        found["spec"]["replicas"] = replicas
        self.put(found)

    def evict(self, canary, stable=99):
        self.canary_ready, self.stable_ready = canary, stable
        self._reconcile()

    def replace(self, kind, name, **spec):
        """What kubectl replace does: the object as in the user's file, without our mark."""
        found = self.stored(kind, "eu", name)
        found["metadata"].pop("annotations", None)
        found["spec"] = {**found["spec"], **spec}
        self.put(found)


@pytest.fixture
def world():
    return Busy()


def reason(world):
    state = record.load(world, "eu", "shop").state
    assert (state.phase, state.weight_percent) == ("ended", 0)
    return state.reason


LOST = {
    "the twin deleted": (lambda world: world.remove("Deployment", "shop-canary"), "Deployment shop-canary was deleted by somebody else"),
    "the twin scaled to 0": (lambda world: world.scale("shop-canary", 0), "Deployment shop-canary was scaled to 0 by somebody else"),
    "the Service deleted": (lambda world: world.remove("Service", "shop-canary"), "Service shop-canary was deleted by somebody else"),
    "its pods evicted": (lambda world: world.evict(canary=0), "the canary has no ready pod any more"),
}


@pytest.mark.parametrize("where", ["bake", "verify", "promote"])
@pytest.mark.parametrize("fault", LOST)
def test_a_canary_that_is_gone_gives_its_traffic_back_at_once(world, fault, where):
    act, words = LOST[fault]
    since = []
    world.at[where] = lambda: (act(world), since.append(world.seconds))
    world.controllers.append(lambda: world.route == [STABLE] and len(since) == 1 and since.append(world.seconds))
    assert world.start(**BAKING)["outcome"] == "rolled_back"
    world.assert_home("shop:1")
    assert reason(world) == words
    assert since[1] - since[0] <= 2.0, "traffic to nobody lasts no longer than two polls"


def test_a_canary_that_is_lost_while_stable_is_undone_keeps_no_traffic(world):
    def stuck():
        deployment = world.objects["Deployment", "eu", "shop"]
        deployment["status"] = {**deployment["status"], "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}

    home = []
    world.controllers.append(lambda: home.append(world.seconds) if world.route == [STABLE] and world.image == "shop:1" else None)
    world.at["promote"] = lambda: (world.controllers.insert(1, stuck), setattr(world, "stop", "the job was cancelled"))
    world.at["undo"] = lambda: (home.clear(), world.evict(canary=0), setattr(world, "began", world.seconds))
    assert world.start(release_ready_timeout_seconds=60)["outcome"] == "rolled_back"
    assert home[0] - world.began <= 2.0
    assert any("traffic returns to the ready pods of shop before all are undone" in line for line in world.lines)
    world.assert_home("shop:1")


def test_a_pod_that_is_replaced_between_two_weights_is_awaited_before_the_next(world):
    def one_short():
        twin = world.objects.get(("Deployment", "eu", "shop-canary"))
        if twin and world.seconds < back_at[0]:
            twin["status"].update(readyReplicas=3, availableReplicas=3)

    def evicted():
        back_at[0] = world.seconds + 40
        world._reconcile()

    back_at, shifted, plain = [0.0], [], world.sleep
    world.controllers.append(one_short)
    world.controllers.append(lambda: shifted.append(world.seconds) if world.route[-1].get("weight") == 100 else None)
    world.sleep = lambda seconds: (plain(seconds), world._reconcile())
    world.at["bake"] = evicted
    given = {"release_steps": [{"weight": 90, "bake_seconds": 5}, 100]}  # 4 pods for both
    assert world.start(**given)["outcome"] == "promoted"
    assert shifted[0] >= back_at[0] > 0


@pytest.mark.parametrize("where", ["bake", "50 %", "verify", "promote"])
def test_a_deleted_route_ends_the_release_and_leaves_nothing_behind(world, where):
    world.at[where] = lambda: world.remove("VirtualService", "shop")
    assert world.start(**BAKING)["outcome"] == "rolled_back"
    assert reason(world) == "VirtualService eu/shop is gone"
    assert (world.names("Deployment"), world.names("Service"), world.names("Lease")) == (["shop"], ["shop"], [])
    assert world.image == "shop:1"


@pytest.mark.parametrize("where", ["bake", "verify", "promote"])
@pytest.mark.parametrize("names_canary", [False, True], ids=["as it was before", "with the weights of just now"])
def test_a_route_that_is_replaced_without_our_mark_is_no_take_over(world, where, names_canary):
    spec = {} if names_canary else {"http": [{"name": "main", "route": [STABLE]}]}
    world.at[where] = lambda: world.replace("VirtualService", "shop", **spec)
    assert world.start(**BAKING)["outcome"] == "rolled_back"
    assert reason(world) == "VirtualService eu/shop lost the mark of this release: somebody else has replaced it"
    world.assert_home("shop:1")


def test_a_route_without_any_mark_stays_untouched_where_another_runner_holds_the_lease(world):
    def taken_over_and_ended():
        world.replace("VirtualService", "shop")
        world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["leaseTransitions"] = 2
        before.append((copy.deepcopy(world.route), len(world.writes())))

    before = []
    world.at["bake"] = taken_over_and_ended
    assert world.start(**BAKING)["outcome"] == "aborted"
    assert world.route == before[0][0]
    later = [one for one in world.writes()[before[0][1] :] if "Lease" not in one and "ConfigMap" not in one]
    assert later == []


def test_a_replaced_deployment_gets_our_mark_again_and_is_promoted(world):
    world.at["verify"] = lambda: world.replace("Deployment", "shop")
    assert world.start(**BAKING)["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_a_replaced_deployment_of_another_runner_stays_untouched(world):
    def taken_over():
        world.replace("Deployment", "shop")
        world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["leaseTransitions"] = 2

    world.at["stable stays whole"] = taken_over
    assert world.start(**BAKING, release_verify_seconds=0)["outcome"] == "aborted"
    assert world.image == "shop:1"
    assert EPOCH not in (world.stored("Deployment", "eu", "shop")["metadata"].get("annotations") or {})


@pytest.mark.parametrize("silent", [0, 1, 4, 12])
def test_no_lost_answer_to_any_write_harms_a_release(world, silent):
    """The server did it, nobody heard of it, and the next requests get no answer either: it restarts."""
    assert world.start(**BAKING)["outcome"] == "promoted"
    every = world.written
    assert every > 20
    for number in range(1, every + 1):
        again = Busy()
        again.lost, again.silent = number, silent
        try:
            result = again.start(**BAKING)
        except Unreachable:  # it had not begun: Lease, record and claim of the route are its first three writes
            assert (again.route, again.image, number <= 3) == ([STABLE], "shop:1", True)
            again.heal()
            result = again.start(**BAKING)
        assert (number, result["outcome"]) == (number, "promoted")
        again.assert_home("shop:2")


def when(world, kind, seen):
    """The moments at which something of a kind was gone or had appeared."""
    world.controllers.append(lambda: seen.append((world.seconds, len(world._kind(kind)))))


@pytest.mark.parametrize(("asked", "least"), [(0, 10), (1, 10), (25, 25)])
def test_without_gates_the_canary_stays_for_a_stated_time_after_its_traffic(world, asked, least):
    home, sizes = [], []
    when(world, "Deployment", sizes)
    world.at["traffic   "] = lambda: home.append(world.seconds)
    assert world.start(release_drain_seconds=asked)["outcome"] == "promoted"
    gone = next(at for at, count in sizes if count == 1 and at >= home[0])
    assert least <= gone - home[0] <= least + 2
    assert any(f"{least} s: without gates nothing counts" in line for line in world.lines)


def test_new_pods_and_the_drain_get_longer_after_an_api_server_that_was_silent(world):
    shifts = []
    world.controllers.append(lambda: shifts.append(world.seconds) if world.route[-1].get("weight") == 50 else None)
    silent = []
    world.at[" 10 %"] = lambda: (world.silence(3), silent.append(world.seconds))
    assert world.start()["outcome"] == "promoted"
    assert 30 <= shifts[0] - silent[0] <= 40
    assert any("s: the API server did not answer lately" in line for line in world.lines)


def test_an_api_server_that_is_silent_while_the_canary_drains_prolongs_the_drain(world):
    world.at["without gates nothing counts"] = lambda: (world.silence(1), setattr(world, "began", world.seconds))
    assert world.start(release_drain_seconds=20)["outcome"] == "promoted"
    assert any("s more: the API server did not answer meanwhile" in line for line in world.lines)
    assert world.seconds - world.began >= 30
