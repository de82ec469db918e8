# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release beside an autoscaler: stable never shrinks below what it serves, and the floor is what it was at every ending."""

import math

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import Reading
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Answer, GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, record
from ansible_collections.progressive.delivery.plugins.module_utils.release.ending import PARKED, TurnBack
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.plugins.module_utils.workload.autoscaler import KINDS
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

HPA, KEDA = "HorizontalPodAutoscaler", "ScaledObject"


class Killed(BaseException):
    """What a process does that is killed: nothing more."""


class Scaled(World):
    """The world of fake_world with an autoscaler that gives stable a pod for each quarter of the traffic, within its bounds."""

    def __init__(self, kind=HPA, **spec):
        super().__init__()
        self.kind, self.sizes, self.load = kind, [], 4.0
        spec = spec or {"minReplicas": 1, "maxReplicas": 10}
        self.put({"kind": kind, "metadata": {"name": "auto", "namespace": "eu"}, "spec": {"scaleTargetRef": {"name": "shop"}, **spec}})
        self.controllers.insert(0, self._scale)

    @property
    def floor(self):
        return self.stored(self.kind, "eu", "auto")["spec"].get(KINDS[self.kind].least)

    def set_floor(self, value):
        found = self.stored(self.kind, "eu", "auto")
        found["spec"][KINDS[self.kind].least] = value
        self.put(found)

    def _scale(self):
        found = self.objects.get((self.kind, "eu", "auto"))
        share = next((one.get("weight", 100) for one in self.route if one["destination"]["host"] == "shop"), 0)
        desired = math.ceil(self.load * share / 100)
        if found:
            least = found["spec"].get(KINDS[self.kind].least) or 0
            shop = self.objects["Deployment", "eu", "shop"]
            shop["spec"]["replicas"] = max(least, desired)
            self.sizes.append(shop["spec"]["replicas"])

    def kill_at(self, word):
        """The runner is gone when it says that word; the Lease of a dead process may be taken."""

        def die():
            self.dead = True
            raise Killed

        self.at[word] = die

    def request(self, *arguments, **options):
        if getattr(self, "dead", False):
            raise Killed
        return super().request(*arguments, **options)

    def killed(self, word, **changed):
        self.kill_at(word)
        with pytest.raises(Killed):
            self.start(**changed)
        self.dead = False
        self.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""

    def assert_restored(self, floor=1):
        assert self.floor == floor
        assert EPOCH not in (self.stored(self.kind, "eu", "auto")["metadata"].get("annotations") or {})
        assert record.load(self, "eu", "shop").state.floors == []


@pytest.fixture
def world():
    return Scaled()


def raising(error):
    def act():
        raise error

    return act


@pytest.mark.parametrize(
    ("kind", "spec", "floor"),
    [
        (HPA, {"minReplicas": 1, "maxReplicas": 4}, 1),
        (KEDA, {"minReplicaCount": 2}, 2),
        (KEDA, {}, None),
    ],
    ids=["HPA", "KEDA", "KEDA without a floor"],
)
@pytest.mark.parametrize("strategy", ["canary", "blue_green"])
def test_stable_keeps_its_pods_and_the_floor_is_what_it_was(kind, spec, floor, strategy):
    world = Scaled(kind, **(spec or {"maxReplicaCount": 9}))
    steps = {"release_steps": [10, 100]} if strategy == "canary" else {"release_steps": None}
    assert world.start(release_strategy=strategy, **steps)["outcome"] == "promoted"
    assert min(world.sizes) == 4
    world.assert_home("shop:2")
    world.assert_restored(floor)


def test_without_the_raised_floor_this_autoscaler_would_shrink_stable(world):
    world.at["verify"] = lambda: world.set_floor(1)
    world.start()
    assert min(world.sizes) == 1


@pytest.mark.parametrize("outcome", ["rolled_back", "aborted"])
def test_a_release_that_goes_back_restores_the_floor_after_its_traffic(world, outcome):
    world.at["50 %"] = raising(TurnBack("test", "enough", outcome=outcome))
    assert world.start()["outcome"] == outcome
    writes = world.writes()
    assert writes.index("DELETE Deployment/shop-canary") < len(writes) - 1 - writes[::-1].index(f"PATCH {HPA}/auto")
    assert min(world.sizes) == 4
    world.assert_restored()


def test_a_parked_release_keeps_the_floor_raised_and_the_next_run_restores_it(world):
    world.at["50 %"] = raising(TurnBack("max_hold", "nobody knows", outcome=PARKED))
    assert world.start()["outcome"] == "parked"
    assert world.floor == 4
    assert world.start()["outcome"] == "promoted"
    world.assert_restored()


def test_an_abort_of_a_parked_release_restores_the_floor(world):
    world.at["50 %"] = raising(TurnBack("max_hold", "nobody knows", outcome=PARKED))
    world.start()
    assert native.abort(world, "eu", "shop", world.caller, by="mia", reason="")["outcome"] == "aborted"
    world.assert_restored()


@pytest.mark.parametrize("word", ["is 4 while", "10 %", "verify", "takes shop:2 while", "canary removed", "is 1 again"])
def test_after_a_kill_the_next_run_restores_the_floor(world, word):
    world.killed(word)
    assert world.start()["outcome"] == "promoted"
    assert min(world.sizes) == 4
    world.assert_home("shop:2")
    world.assert_restored()


@pytest.mark.parametrize("word", ["10 %", "canary removed", "is 1 again"])
def test_after_a_kill_an_abort_restores_the_floor(world, word):
    world.killed(word)
    native.abort(world, "eu", "shop", world.caller, by="mia", reason="")
    world.assert_home("shop:1" if word == "10 %" else "shop:2")
    world.assert_restored()


def test_a_kill_between_the_journal_and_the_raise_leaves_nothing_to_warn_of(world):
    def die():
        world.dead = True
        raise Killed

    def watch():
        if any("raise minReplicas" in str(one.body) for one in world.requests):
            world.just_before("PATCH", HPA, die)
            world.controllers.remove(watch)

    world.controllers.append(watch)
    with pytest.raises(Killed):
        world.start()
    world.dead = False
    assert (world.floor, record.load(world, "eu", "shop").state.floors[0]["raised"]) == (1, [4])
    world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""
    assert world.start()["outcome"] == "promoted"
    assert not any("somebody else" in line for line in world.lines)
    world.assert_restored()


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("word", ["canary:", "canary removed"], ids=["raising", "restoring"])
def test_a_lost_answer_changes_nothing(world, applied, word):
    world.at[word] = lambda: world.lose("PATCH", HPA, applied=applied)
    assert world.start()["outcome"] == "promoted"
    assert min(world.sizes) == 4
    assert not any("somebody else" in line for line in world.lines)
    world.assert_restored()


@pytest.mark.parametrize("word", ["10 %", "verify", "promote"])
def test_who_changes_the_floor_meanwhile_keeps_theirs_and_is_told_once(world, word):
    world.at[word] = lambda: world.set_floor(3)
    world.start()
    assert world.floor == 3
    assert sum("changed by somebody else to 3" in line for line in world.lines) == 1


def written_by(world, manager):
    found = world.stored(HPA, "eu", "auto")
    found["metadata"]["managedFields"] = [
        {"manager": "hpa-status", "fieldsV1": {"f:status": {}}},
        {"manager": manager, "fieldsV1": {"f:spec": {"f:minReplicas": {}}}},
    ]
    world.put(found)


@pytest.mark.parametrize(("manager", "floor"), [("kubectl-patch", 4), ("progressive.delivery", 1)], ids=["somebody else", "ours"])
@pytest.mark.parametrize("word", ["10 %", "verify", "promote"])
def test_who_writes_the_value_that_we_had_written_keeps_it_too(world, word, manager, floor):
    world.at[word] = lambda: written_by(world, manager)
    assert world.start()["outcome"] == "promoted"
    assert world.floor == floor


@pytest.mark.parametrize("theirs", [1, 2, 6])
@pytest.mark.parametrize("ending", ["promoted", "rolled_back"])
def test_their_last_value_wins_however_often_they_change_it(world, theirs, ending):
    world.at["10 %"] = lambda: world.set_floor(3)
    world.at["50 %"] = lambda: world.set_floor(theirs)
    if ending == "rolled_back":
        world.at["promote"] = raising(TurnBack("promote", "no"))
    assert world.start()["outcome"] == ending
    assert world.floor == theirs


def test_a_change_just_before_our_raise_is_what_is_restored(world):
    world.at["canary:"] = lambda: world.just_before("PATCH", HPA, lambda: world.set_floor(2))
    assert world.start()["outcome"] == "promoted"
    assert world.stored("Deployment", "eu", "shop")["spec"]["replicas"] == 4
    assert not any("somebody else" in line for line in world.lines)
    world.assert_restored(2)


def test_an_autoscaler_that_somebody_deletes_stops_nothing(world):
    world.at["10 %"] = lambda: world.objects.pop((HPA, "eu", "auto"))
    assert world.start()["outcome"] == "promoted"
    world.assert_home("shop:2")


@pytest.mark.parametrize("word", ["canary:", "canary removed"], ids=["raising", "restoring"])
def test_an_autoscaler_that_is_deleted_just_before_we_change_it_stops_nothing(world, word):
    world.at[word] = lambda: world.just_before("PATCH", HPA, lambda: world.objects.pop((HPA, "eu", "auto")))
    assert world.start()["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_pods_that_the_autoscaler_adds_meanwhile_are_kept_too_and_the_canary_grows_with_them(world):
    sizes = []

    def more():
        world.load = 9.0
        world.set_floor(world.floor)

    world.at["10 %"] = more
    world.at["50 %"] = lambda: sizes.append((world.floor, world.stored("Deployment", "eu", "shop-canary")["spec"]["replicas"]))
    assert world.start()["outcome"] == "promoted"
    assert sizes == [(9, 5)]
    world.assert_restored()


def test_a_minimum_that_is_high_enough_is_not_touched():
    world = Scaled(minReplicas=4, maxReplicas=10)
    world.start()
    world.assert_restored(4)
    assert not any("while the release runs (was" in line for line in world.lines)


def test_the_floor_stays_until_the_autoscaler_has_seen_the_traffic_that_came_home(world):
    found = world.stored(HPA, "eu", "auto")
    found["status"] = {
        "conditions": [
            {"type": "ScalingActive", "status": "True"},
            {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas"},
        ]
    }
    world.put(found)
    times = {}
    world.at["canary removed"] = lambda: times.update(home=world.clock())
    world.at["is 1 again"] = lambda: times.update(restored=world.clock())
    assert world.start()["outcome"] == "promoted"
    assert 90 <= times["restored"] - times["home"] < 100


def test_a_floor_that_may_not_be_restored_is_said_with_its_value(world):
    world.at["canary removed"] = lambda: world.refuse("PATCH", HPA, Rejected("denied by policy"))
    assert world.start()["outcome"] == "promoted"
    assert any("set it back to 1: denied by policy" in line for line in world.lines)


def test_a_runner_that_was_only_asleep_cannot_raise_the_floor_of_a_release_that_has_ended(world):
    def others_end_it():
        world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""
        native.abort(world, "eu", "shop", world.caller, by="mia", reason="")

    def sleep():
        world.just_before("PATCH", HPA, others_end_it)

    world.at["canary:"] = sleep
    assert world.start()["outcome"] == "aborted"
    world.assert_home("shop:1")
    world.assert_restored()


class Quiet:
    """A source that sees a hundred good requests of each arm every second."""

    quiet_seconds = 0.0

    def prepare(self):
        pass

    def poll(self, **_):
        return Answer({"errors": (Counts(100, 0), Counts(100, 0))}, True)

    def begin_block(self):
        pass

    def read(self):
        return Reading()


def test_a_shadow_takes_nothing_from_stable_and_leaves_the_floor_alone(world, monkeypatch):
    reading = MetricsPreflight({"errors": GateReading(9000, 0, 100.0)}, "http", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda *_: Quiet())
    given = {"release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}], "release_prometheus": {"url": "http://p"}}
    assert world.start(**given, release_strategy="shadow")["outcome"] == "passed"
    assert not any("minReplicas" in line for line in world.lines)
    world.assert_restored()


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        (HPA, {"minReplicas": 1, "maxReplicas": 3}, "auto has maxReplicas 3; raise it to 4"),
        (KEDA, {"maxReplicaCount": 2}, "auto has maxReplicaCount 2; raise it to 4"),
        (KEDA, {"idleReplicaCount": 0}, "remove idleReplicaCount"),
    ],
)
def test_an_autoscaler_that_cannot_keep_stable_is_refused(kind, spec, words):
    world = Scaled(kind, **spec)
    world.controllers.pop(0)
    with pytest.raises(Refused, match=words):
        world.start()
    assert world.writes() == []


def test_rights_on_the_autoscaler_are_needed_only_where_there_is_one(world):
    world.denied = {("patch", "horizontalpodautoscalers")}
    with pytest.raises(Refused, match=r"may patch HorizontalPodAutoscaler objects \(auto scales shop\)"):
        world.start()
    plain = World()
    plain.denied = {("patch", "horizontalpodautoscalers")}
    assert plain.start()["outcome"] == "promoted"


def test_who_may_not_list_kedas_objects_needs_it_only_where_keda_scales_the_workload(world):
    world.denied = {("list", "scaledobjects")}
    assert world.start(release_stop_after="validate")["outcome"] == "running"
    kedas = Scaled()
    kedas.denied = world.denied
    found = kedas.stored(HPA, "eu", "auto")
    found["metadata"]["ownerReferences"] = [{"kind": KEDA}]
    kedas.put(found)
    with pytest.raises(Refused, match=r"may list ScaledObject objects \(auto scales shop\)"):
        kedas.start()
    kedas.denied = {("list", "horizontalpodautoscalers")}
    with pytest.raises(Refused, match="may list HorizontalPodAutoscaler objects"):
        kedas.start()


def test_an_autoscaler_that_gitops_reverts_is_refused(world):
    found = world.stored(HPA, "eu", "auto")
    found["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    world.put(found)
    with pytest.raises(Refused, match="Argo CD owns HorizontalPodAutoscaler auto"):
        world.start()


def test_the_plan_shows_the_floor(world):
    result = native.start(world, parse(GIVEN), world.caller, check_mode=True)
    (shown,) = [one for one in result["diff"] if one["after_header"].startswith(HPA)]
    assert '"minReplicas": 1' in shown["before"] and '"minReplicas": 4' in shown["after"]
    assert any("minReplicas 1 is at least 4 while the release runs" in line for line in world.lines)
    assert world.writes() == []
