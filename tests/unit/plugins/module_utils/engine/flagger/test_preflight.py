# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster must be like before Flagger is given a release: owners that would fight, kinds, rights; nothing is changed."""

import copy
import hashlib

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_flagger import FlaggerWorld

CANARY = {
    "kind": "Canary",
    "metadata": {"name": "theirs", "namespace": "eu"},
    "spec": {
        "provider": "istio",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
        "service": {"name": "shop", "port": 80},
        "analysis": {"interval": "10s", "threshold": 1, "stepWeights": [50]},
    },
}
ADOPTS = {"release_adopt": True, "release_gates": None, "release_steps": None, "release_traffic": None}
HPA = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "scaler", "namespace": "eu"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}, "minReplicas": 4, "maxReplicas": 9},
}


@pytest.fixture
def world():
    return FlaggerWorld()


def refused(world, **changed):
    """field -> allowed of the refusal; nothing was written."""
    before = len(world.writes())
    with pytest.raises(Refused) as caught:
        world.release(**changed)
    assert len(world.writes()) == before
    return {one.field: one.allowed for one in caught.value.problems}


def test_an_adopted_canary_is_driven_as_it_is(world):
    world.put(CANARY)
    world.sleep(10)
    found = world.release(**ADOPTS)
    assert (found["outcome"], world.primary_image) == ("promoted", "shop:2")
    assert world.stored("Canary", "eu", "theirs")["spec"] == CANARY["spec"]
    assert not [one for one in world.writes() if "MetricTemplate" in one]


def test_there_must_be_a_canary_to_adopt(world):
    assert "there is none" in refused(world, **ADOPTS)["release_adopt"]


def test_an_adopted_canary_has_gates_of_its_own(world):
    world.put(CANARY)
    assert "own webhooks" in refused(world, **ADOPTS, release_approve=["promote"])["release_approve"]


def test_a_canary_of_somebody_else_is_adopted_or_deleted(world):
    world.put(CANARY)
    assert "release_adopt: true" in refused(world)["release_workload"]


def test_two_canaries_on_one_workload_fight(world):
    for name in ("theirs", "shop"):
        world.put({**CANARY, "metadata": {"name": name, "namespace": "eu"}})
    assert "one Canary targets; shop, theirs do" in refused(world)["release_workload"]


def test_the_name_may_be_taken_by_a_canary_of_another_workload(world):
    other = copy.deepcopy(CANARY)
    other["metadata"]["name"], other["spec"]["targetRef"]["name"] = "shop", "cart"
    world.put(other)
    assert "for cart" in refused(world)["release_name"]


def test_a_suspended_canary_releases_nothing(world):
    world.put({**CANARY, "spec": {**CANARY["spec"], "suspend": True}})
    assert "suspend" in refused(world, **ADOPTS)["release_engine"]


def test_a_canary_at_work_is_left_alone(world):
    world.put({**CANARY, "status": {"phase": "Progressing"}})
    assert "Progressing" in refused(world, **ADOPTS)["release_engine"]


def test_an_autoscaler_is_named_in_the_canary(world):
    world.put(HPA)
    world.release()
    assert world.canary["spec"]["autoscalerRef"]["name"] == "scaler"


def test_an_adopted_canary_must_name_the_autoscaler(world):
    world.put(HPA)
    world.put(CANARY)
    assert "spec.autoscalerRef: {apiVersion: autoscaling/v2" in refused(world, **ADOPTS)["release_workload"]


def test_flagger_must_be_installed(world):
    world.versions = []
    assert "install" in refused(world)["release_engine"]


def test_an_older_version_of_its_kinds_is_refused(world):
    world.versions = ["flagger.app/v1alpha3"]
    assert "this cluster has flagger.app/v1alpha3" in refused(world)["release_engine"]


def test_a_kind_may_be_missing(world):
    world.kinds = ["canaries"]
    assert "metrictemplates" in refused(world)["release_engine"]


@pytest.mark.parametrize(
    "right", [("patch", "canaries/status"), ("list", "events"), ("patch", "virtualservices"), ("patch", "deployments")]
)
def test_a_missing_right_is_named(world, right):
    world.denied = {right}
    assert " ".join(right).partition("/")[0].split()[0] in refused(world)["release_namespace"]


def test_flagger_must_be_able_to_tell_the_pods(world):
    one = world.stored("Deployment", "eu", "shop")
    one["spec"]["selector"] = {"matchLabels": {"run": "shop"}}
    world.put(one)
    assert "app, name, app.kubernetes.io/name" in refused(world)["release_workload"]


def test_a_second_rule_of_the_route_would_be_lost(world):
    one = world.stored("VirtualService", "eu", "shop")
    one["spec"]["http"].append({"name": "internal", "route": []})
    world.put(one)
    assert "one rule" in refused(world)["release_traffic.virtual_service"]


def test_all_problems_of_the_options_come_at_once(world):
    world.denied = {("patch", "canaries")}
    found = refused(world, release_fix_forward=True, release_rollback="capacity_first")
    assert {"release_fix_forward", "release_rollback", "release_namespace"} <= set(found)


def test_a_record_must_hold_the_template(world):
    one = world.stored("Deployment", "eu", "shop")
    noise = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(2000))
    one["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": noise}]
    world.put(one)
    assert "fit into a record" in refused(world)["release_workload"]
