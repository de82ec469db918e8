# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolling StatefulSets and DaemonSets: share by share, back from every place, and the user's updateStrategy at every ending."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.doctor import diagnose
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.workload import config
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.sets_world import (
    SIZE,
    SetsWorld,
)

SHARES = {"release_steps": [25, 50, 100]}
OLD, NEW = "shop:1", "shop:2"
FROM_PODS = {
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    "release_metrics_source": "pods",
    "release_pods": {"family": "http"},
}


@pytest.fixture(params=["StatefulSet", "DaemonSet"])
def world(request):
    return SetsWorld(request.param)


def new_pods(world):
    return [sum(image == NEW for image in shape) for shape in world.shapes]


def test_pods_are_replaced_share_by_share_and_the_update_strategy_comes_back(world):
    stood = []
    for word in ("1 of 4 ready pods", "2 of 4 ready pods"):
        world.at[word] = lambda: stood.append((world.images.count(NEW), copy.deepcopy(world.strategy)))
    result = world.start(**SHARES)
    assert (result["outcome"], result["weight_percent"]) == ("promoted", 0)
    during = [{"type": "RollingUpdate", "rollingUpdate": {"partition": p}} for p in (3, 2)] if world.kind == "StatefulSet" else None
    assert stood == list(zip((1, 2), during or [{"type": "OnDelete"}] * 2, strict=True))
    assert world.least_ready == SIZE - 1, "one at a time"
    world.assert_whole(NEW)


def test_ordinals_are_replaced_from_the_highest_down_and_back_in_the_order_of_kubernetes():
    world = SetsWorld("StatefulSet")
    world.at["2 of 4 ready pods"] = lambda: setattr(world, "stop", "told to stop")
    assert world.start(release_steps=[{"weight": 50, "bake_seconds": 5}, 100])["outcome"] == "rolled_back"
    assert world.shapes[:4] == [[OLD] * 4, [OLD, OLD, OLD, None], [OLD, OLD, OLD, NEW], [OLD, OLD, None, NEW]]
    assert world.shapes[-5:] == [
        [OLD, OLD, NEW, NEW],
        [OLD, OLD, NEW, None],
        [OLD, OLD, NEW, OLD],
        [OLD, OLD, None, OLD],
        [OLD, OLD, OLD, OLD],
    ]
    world.assert_whole(OLD)


@pytest.mark.parametrize("where", ["1 of 4 ready pods", "2 of 4 ready pods", "  verify  "])
def test_a_stop_brings_every_pod_and_the_update_strategy_back(world, where):
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    result = world.start(**SHARES, release_rolling={"min_ready_seconds": 3})
    assert (result["outcome"], "minReadySeconds" in world.set["spec"]) == ("rolled_back", False)
    world.assert_whole(OLD)


def test_a_release_is_held_between_two_shares_for_as_long_as_it_takes(world):
    assert world.start(**SHARES, release_stop_after="roll-50")["outcome"] == "running"
    stood = world.images
    for _second in range(50):
        world.sleep(1)
    assert (world.images, stood.count(NEW)) == (stood, 2)
    assert world.start(**SHARES)["outcome"] == "promoted"
    world.assert_whole(NEW)


def test_a_release_that_is_held_can_be_undone(world):
    world.start(**SHARES, release_stop_after="roll-50")
    for one in world._kind("Lease"):
        one["spec"]["holderIdentity"] = ""
    result = native.abort(world, "eu", "shop", world.caller, by="somebody", reason="enough")
    assert result["outcome"] == "aborted"
    assert [one["workload"] for one in native.status(world, "eu")] == [f"{world.kind}/shop"]
    world.assert_whole(OLD)


def test_a_version_that_never_becomes_ready_costs_one_pod_and_is_replaced_though_kubernetes_would_wait(world):
    world.broken.add(NEW)
    result = world.start(**SHARES, release_ready_timeout_seconds=20)
    assert result["outcome"] == "rolled_back"
    assert "0 of 1 new pods are ready after 20 s" in result["reason"]
    assert max(new_pods(world)) == 1
    world.assert_whole(OLD)


def test_a_broken_pod_goes_even_where_a_budget_would_keep_it_for_ever(world):
    world.broken.add(NEW)
    world.at["ROLL BACK"] = lambda: world.budget(0)
    assert world.start(**SHARES, release_ready_timeout_seconds=20)["outcome"] == "rolled_back"
    assert any("though its eviction was blocked (PodDisruptionBudget keep wants 4 healthy pods and has 4)" in line for line in world.lines)
    world.assert_whole(OLD)


@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fate", ["good", "broken"])
def test_whatever_write_the_runner_dies_at_the_next_run_ends_the_release(request, fate, applied):
    for kind in ("StatefulSet", "DaemonSet"):
        number, killed = 1, True
        while killed:
            world = SetsWorld(kind)
            if fate == "broken":
                world.broken.add(NEW)
            changed = {**SHARES, "release_ready_timeout_seconds": 20}
            killed = world.killed_at(number, applied=applied, **changed)
            known = record.load(world, "eu", "shop")
            outcome = world.start(**changed)["outcome"]
            if killed:
                assert outcome == ("promoted" if fate == "good" else "rolled_back"), (kind, number)
                world.assert_whole(NEW if fate == "good" else OLD, tidied=known is None or known.unfinished)
                assert record.load(world, "eu", "shop").state.phase == "ended"
            number += 1
        assert number > 12, "every write of a whole release was one to die at"


@pytest.mark.parametrize("step", ["roll-25", "roll-50", "roll-100"])
def test_after_a_kill_an_abort_brings_everything_back(world, step):
    world.start(**SHARES, release_stop_after=step)
    assert world.killed_at(3, applied=True, **SHARES)
    native.abort(world, "eu", "shop", world.caller, by="somebody", reason="enough")
    world.assert_whole(OLD)


def test_a_blocked_eviction_waits_and_says_whose_budget_it_is():
    world = SetsWorld("DaemonSet")
    world.budget(0)
    world.at["cannot be evicted"] = lambda: world.at.update({"never": None})
    result = world.start(**SHARES, release_ready_timeout_seconds=20)
    assert result["outcome"] == "rolled_back"
    assert "PodDisruptionBudget keep wants 4 healthy pods and has 4" in result["reason"]
    assert len([line for line in world.lines if "cannot be evicted" in line and "  hold " in line]) == 1
    assert new_pods(world)[-1] == 0
    world.assert_whole(OLD)


def test_an_eviction_that_was_blocked_goes_on_when_the_budget_allows_it():
    world = SetsWorld("DaemonSet")
    world.budget(0)
    world.at["  hold "] = lambda: world.budget(1)
    assert world.start(**SHARES)["outcome"] == "promoted"
    world.assert_whole(NEW)


def test_a_way_back_that_a_budget_blocks_is_left_to_kubernetes_when_the_time_is_over():
    world = SetsWorld("DaemonSet")
    world.at["2 of 4 ready pods"] = lambda: (world.budget(0), setattr(world, "stop", "told to stop"))
    world.start(**SHARES, release_ready_timeout_seconds=20)
    assert any("2 pods are still new; pod" in line for line in world.lines)
    for _second in range(20):
        world.sleep(1)
    world.assert_whole(OLD)


def test_a_runner_that_lost_the_daemon_set_evicts_nothing_any_more():
    world = SetsWorld("DaemonSet")

    def take_over():
        world.set["metadata"]["annotations"]["progressive.delivery/epoch"] += "0"

    world.at["takes shop:2"] = take_over
    assert world.start(**SHARES)["outcome"] == "aborted"
    assert not [write for write in world.writes() if write.startswith(("POST Pod", "DELETE Pod"))]
    assert world.images == [OLD] * SIZE


def test_more_than_one_pod_goes_at_a_time_where_that_is_asked_for():
    world = SetsWorld("DaemonSet")
    world.start(release_steps=[50, 100], release_rolling={"max_unavailable": "50%"})
    assert world.least_ready == SIZE - 2
    world.assert_whole(NEW)


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_on_delete_of_the_user_comes_back_too(kind):
    world = SetsWorld(kind, strategy={"type": "OnDelete"})
    assert world.start(**SHARES)["outcome"] == "promoted"
    world.assert_whole(NEW)
    world.at["2 of 4 ready pods"] = lambda: setattr(world, "stop", "told to stop")
    assert world.start(**SHARES, release_image="shop:3")["outcome"] == "rolled_back"
    world.assert_whole(NEW)


def test_an_update_strategy_that_somebody_else_changes_ends_the_release_and_stays(world):
    theirs = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}} if world.kind == "DaemonSet" else {"type": "OnDelete"}

    def edit():
        found = world.stored(world.kind, "eu", "shop")
        found["spec"]["updateStrategy"] = theirs
        world.put(found)

    world.at["1 of 4 ready pods"] = edit
    result = world.start(**SHARES, release_ready_timeout_seconds=20)
    assert (result["outcome"], "updateStrategy" in result["reason"], world.strategy) == ("rolled_back", True, theirs)
    assert world.image == OLD


def test_a_share_stands_when_its_pods_have_been_ready_for_their_minimum(world):
    available = []
    for word in ("1 of 4 ready pods", "2 of 4 ready pods"):
        world.at[word] = lambda: available.append((world.set["status"]["availableReplicas"], world.set["status"]["updatedReplicas"]))
    world.start(**SHARES, release_rolling={"min_ready_seconds": 30})
    assert available == [(4, 1), (4, 2)]
    world.assert_whole(NEW)


def test_each_further_pod_has_the_whole_time_to_become_ready(world):
    for pod in world._kind("Pod"):
        pod["age"] = 1000
    world.slow = 40
    began = world.clock()
    assert world.start(release_steps=[100], release_ready_timeout_seconds=20)["outcome"] == "promoted"
    assert world.clock() - began > 2 * 20
    world.assert_whole(NEW)


def test_the_minimum_of_ready_seconds_stays_with_the_version(world):
    world.start(**SHARES, release_rolling={"min_ready_seconds": 3})
    assert world.set["spec"]["minReadySeconds"] == 3
    world.assert_whole(NEW)


def test_a_version_that_fails_requests_is_told_from_stable_by_the_revision_of_its_pods(world):
    world.failing.add(NEW)
    result = world.start(**SHARES, **FROM_PODS)
    assert result["outcome"] == "rolled_back"
    assert "stable's" in result["reason"]
    assert max(new_pods(world)) == 1
    world.assert_whole(OLD)


def test_a_good_version_is_judged_good_though_its_pods_have_the_names_of_old_ones(world):
    assert world.start(**SHARES, **FROM_PODS)["outcome"] == "promoted"
    world.assert_whole(NEW)


def test_a_last_pod_that_takes_its_time_is_no_silence_of_stable(world):
    seconds = {"release_rolling": {"min_ready_seconds": 90}, "release_no_data_seconds": 15}
    assert world.start(release_steps=[25, 100], **seconds, **FROM_PODS)["outcome"] == "promoted"
    world.assert_whole(NEW)


@pytest.mark.parametrize(
    ("status", "strategy", "says"),
    [
        ({"readyReplicas": 3, "numberReady": 3}, None, "that is whole; 3 of 4 pods are ready"),
        ({"updatedReplicas": 3, "updatedNumberScheduled": 3}, None, "kubectl -n eu rollout status"),
        ({"observedGeneration": 0}, None, "kubectl -n eu rollout status"),
    ],
)
def test_a_set_that_is_not_whole_is_refused_with_what_to_do(world, status, strategy, says):
    world.controllers = []
    world.set["status"].update(status)
    with pytest.raises(Refused, match=says):
        world.start(**SHARES)
    assert world.writes() == []


@pytest.mark.parametrize(
    ("strategy", "current", "says"),
    [
        ({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}, "1", "whose partition is 0: pods below its partition, 2"),
        ({"type": "OnDelete"}, "0", "which it does with RollingUpdate alone: kubectl"),
    ],
)
def test_a_stateful_set_whose_pods_could_come_back_as_others_is_refused(strategy, current, says):
    world = SetsWorld("StatefulSet", strategy)
    world.current = current
    world.tick()
    with pytest.raises(Refused, match=says):
        world.start(**SHARES)


def test_two_budgets_for_one_pod_are_refused_for_then_none_can_be_evicted(world):
    world.budget(1)
    world.objects["PodDisruptionBudget", "eu", "too"] = {
        **world.objects["PodDisruptionBudget", "eu", "keep"],
        "metadata": {"name": "too", "namespace": "eu"},
    }
    with pytest.raises(Refused, match="keep, too select shop's"):
        world.start(**SHARES)


def test_only_the_rights_that_a_set_needs_are_asked_for(world):
    plural = f"{world.kind.lower()}s"
    world.denied |= {("create", "deployments"), ("get", "deployments"), ("create", "services"), ("list", "replicasets")}
    world.start(**SHARES)
    world.assert_whole(NEW)
    for right in (("patch", plural), ("create", "pods/eviction"), ("delete", "pods"), ("list", "poddisruptionbudgets")):
        world.denied = {right}
        with pytest.raises(Refused, match=right[0]):
            world.start(**SHARES, release_image="shop:3")


@pytest.mark.parametrize(("where", "copies"), [("nowhere", 1), ("2 of 4 ready pods", 0)], ids=["good", "stopped"])
def test_configuration_travels_with_the_pods_of_a_set_and_belongs_to_it(world, where, copies):
    world.set["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "env"}}]
    world.put({"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": "5"}})
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    world.start(**SHARES, release_config={})
    made = [name for name in world.names("ConfigMap") if name.startswith("env-")]
    assert len(made) == copies
    assert config.references(world.set["spec"]["template"]) == {("ConfigMap", made[0] if made else "env"): True}
    owners = [(one["kind"], one["name"]) for name in made for one in world.stored("ConfigMap", "eu", name)["metadata"]["ownerReferences"]]
    assert owners == [(world.kind, "shop")] * copies


def test_a_copy_that_a_kept_revision_refers_to_stays(world):
    world.set["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "env"}}]
    world.put({"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": "5"}})
    world.start(**SHARES, release_config={})
    (first,) = [name for name in world.names("ConfigMap") if name.startswith("env-")]
    template = world.stored(world.kind, "eu", "shop")["spec"]["template"]
    meta = {"name": "shop-b", "namespace": "eu"}
    for kept, image in ((True, "shop:3"), (False, "shop:4")):
        if kept:
            world.put({"kind": "ControllerRevision", "metadata": meta, "data": {"spec": {"template": template}}})
        else:
            del world.objects["ControllerRevision", "eu", "shop-b"]
        world.start(**SHARES, release_image=image, release_config={"data": {"env": {"LIMIT": image[-1]}}})
        assert (first in world.names("ConfigMap")) == kept


def test_the_doctor_looks_at_the_set_and_not_at_what_only_a_canary_would_meet(world):
    given = {"release_namespace": "eu", "release_workload": f"{world.kind}/shop", "release_strategy": "rolling", "release_gates": []}
    found = diagnose(world, given)["findings"]
    assert {one["check"] for one in found} == {"readiness_probe"}
    assert (found[0]["object"], f"patch {world.kind.lower()} shop" in found[0]["fix"]) == (f"{world.kind} shop", True)
    world.denied.add(("patch", f"{world.kind.lower()}s"))
    assert "rights" in {one["check"] for one in diagnose(world, given)["findings"]}


def test_the_plan_says_how_a_set_is_rolled(world):
    spec = parse({**GIVEN, **SHARES, "release_workload": f"{world.kind}/shop", "release_strategy": "rolling"})
    shown = native.start(world, spec, world.caller, check_mode=True)
    wanted = "partition goes from 4 down to 0" if world.kind == "StatefulSet" else "node by node, 1 missing at most"
    assert any(wanted in line for line in world.lines)
    assert [one["after_header"] for one in shown["diff"]] == [f"{world.kind}/shop when promoted"]
    assert (world.images, world.writes()) == ([OLD] * SIZE, [])
