# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Rollout that others delete or change while it releases, and a Prometheus that does not answer Argo: what comes back, what is told."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster import lease as leases
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import back
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo.api import HASH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_argo import ArgoWorld

AT_TEN = " 10 %  ▕"


@pytest.fixture
def world():
    return ArgoWorld()


def deployment(world):
    return world.stored("Deployment", "eu", "shop")


def selector(world):
    return world.stored("Service", "eu", "shop")["spec"]["selector"]


def select_by_argo(world):
    """The label that Argo adds to the selector of stable's Service."""
    service = world.stored("Service", "eu", "shop")
    service["spec"]["selector"][HASH] = world.rollout["status"]["stableRS"]
    world.put(service)


def delete(world, *, orphans=False):
    """What somebody's kubectl does: the pods go, too, unless they are orphaned."""

    def deleted():
        select_by_argo(world)
        if orphans:
            labels = {"app": "shop", HASH: world.rollout["status"]["stableRS"]}
            world.put({"kind": "Pod", "metadata": {"name": "shop-old", "namespace": "eu", "labels": labels}})
        world.objects.pop(("Rollout", "eu", "shop"))

    return deleted


def test_a_deleted_rollout_gives_route_template_pods_and_service_back(world):
    world.at[AT_TEN] = delete(world)
    found = world.start()
    assert (found["outcome"], found["weight_percent"]) == ("aborted", 0)
    assert [target.get("weight") for target in world.route] == [100, 0]
    assert deployment(world)["spec"]["replicas"] == 4
    assert deployment(world)["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:1"
    assert selector(world) == {"app": "shop"}
    for said in (
        "Rollout shop was deleted",
        "returned VirtualService shop",
        "Deployment shop has its 4 pods again",
        "Service shop leads to",
    ):
        assert said in found["reason"]


@pytest.mark.parametrize("verb", ["start", "retry", "abort"])
def test_a_rollout_that_went_while_no_runner_watched_is_not_made_anew_with_the_version_as_stable(world, monkeypatch, verb):
    class Died(BaseException):
        pass

    def dies():
        delete(world)()
        raise Died

    world.at[AT_TEN] = dies
    with monkeypatch.context() as killed, pytest.raises(Died):
        killed.setattr(back, "go_back", lambda held, why: "")  # nothing of it runs any more
        world.start()
    monkeypatch.setattr(leases, "is_dead", lambda holder: True)
    found = world.start() if verb == "start" else world.control(verb)
    assert (found["outcome"], world.rollout) == ("aborted", None)
    assert deployment(world)["spec"]["replicas"] == 4
    assert deployment(world)["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:1"
    assert world.start()["outcome"] == "promoted"


def test_pods_that_live_on_without_their_rollout_keep_their_service(world):
    world.at[AT_TEN] = delete(world, orphans=True)
    found = world.start()
    assert HASH in selector(world)
    assert "live on without it" in found["reason"]
    assert deployment(world)["spec"]["replicas"] == 4


def test_without_the_right_to_patch_services_the_ending_says_what_to_do_by_hand(world):
    def deleted():
        delete(world)()
        world.denied.add(("patch", "services"))

    world.at[AT_TEN] = deleted
    found = world.start()
    assert HASH in selector(world)
    assert f"take {HASH} out of the selector of Service shop" in found["reason"]


def test_a_rollout_with_the_template_in_it_cannot_be_replaced_and_that_is_said(world):
    world.start()
    rollout = world.rollout
    rollout["spec"]["template"] = deployment(world)["spec"]["template"]
    del rollout["spec"]["workloadRef"]
    world.put(rollout)
    world.at[AT_TEN] = lambda: world.objects.pop(("Rollout", "eu", "shop"))
    options = dict.fromkeys(("release_steps", "release_traffic", "release_gates"))
    found = world.start(release_image="shop:3", release_adopt=True, release_workload="Rollout/shop", **options)
    assert (found["outcome"], "make it again, nothing else has it" in found["reason"]) == ("aborted", True)


def test_a_rollout_that_others_change_is_told_with_its_fields_and_followed(world):
    told = {}

    def edit():
        rollout = world.rollout
        rollout["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 10}, {"setWeight": 100}]
        rollout["spec"]["replicas"] = 7
        world.put(rollout)
        told.update(world.status())

    world.at[AT_TEN] = edit
    assert world.start()["outcome"] == "promoted"
    assert [one for one in told["warnings"] if "strategy.canary.steps" in one] == [
        "somebody else changed Rollout shop: spec.strategy.canary.steps; Argo Rollouts follows what is there now"
    ]
    assert sum("somebody else changed Rollout shop: spec.strategy.canary.steps" in line for line in world.lines) == 1


def test_verbs_change_a_rollout_and_nobody_else_is_blamed(world):
    world.at[AT_TEN] = lambda: (world.control("pause"), world.control("resume"))
    assert world.start()["outcome"] == "promoted"
    assert not [line for line in world.lines if "somebody else" in line]


REFUSED = 'Post "http://prometheus.monitoring.svc:9090/api/v1/query": dial tcp 10.0.0.1:9090: connect: connection refused'
EMPTY = "reflect: slice index out of range"


@pytest.mark.parametrize(("message", "told"), [(REFUSED, True), (EMPTY, False)])
def test_a_prometheus_that_does_not_answer_argo_is_told_and_no_data_yet_is_not(world, message, told):
    seen = {}

    def ask():
        rollout = world.rollout
        measured = {"phase": "Error", "message": message, "finishedAt": "2026-01-01T00:00:00Z"}
        run = {
            "kind": "AnalysisRun",
            "metadata": {
                "name": "shop-2-watch",
                "namespace": "eu",
                "labels": {HASH: rollout["status"]["currentPodHash"]},
                "ownerReferences": [{"uid": rollout["metadata"]["uid"]}],
            },
            "spec": {"metrics": [{"name": "errors", "successCondition": "result[0] <= 0.01"}]},
            "status": {
                "phase": "Running",
                "metricResults": [{"name": "errors", "phase": "Running", "error": 1, "measurements": [measured]}],
            },
        }
        world.put(run)
        seen.update(world.status())

    world.at[AT_TEN] = ask
    world.start()
    assert any(f"gets no answer for the metric errors: {message}" in one for one in seen["warnings"]) is told
