# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rolling: the Deployment's own pods are replaced share by share; the way back puts the template and every knob back."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.rolling import pods_for
from ansible_collections.progressive.delivery.plugins.module_utils.workload import config
from ansible_collections.progressive.delivery.plugins.module_utils.workload.revision import knobs_for, revision_of
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

ROLLING = {"release_strategy": "rolling", "release_steps": [25, 50, 100], "release_rolling": {"max_surge": 1, "max_unavailable": 0}}
BEFORE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}


class RollingWorld(World):
    """A Deployment replaces one pod at a write or a second, unless it is paused; its pods and ReplicaSets can be listed."""

    def __init__(self):
        super().__init__()
        self.new_pods = 0
        self.never_ready = False
        self.shapes = []
        found = self.stored("Deployment", "eu", "shop")
        found["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "1"}
        found["spec"]["strategy"] = copy.deepcopy(BEFORE)
        self.put(found)
        owner = {"kind": "Deployment", "name": "shop", "uid": self.stored("Deployment", "eu", "shop")["metadata"]["uid"]}
        meta = {
            "name": "shop-old", "namespace": "eu", "labels": {"pod-template-hash": "old"}, "ownerReferences": [owner],
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        }  # fmt: skip
        self.put({"kind": "ReplicaSet", "metadata": meta, "spec": {"template": found["spec"]["template"]}})
        self.controllers = [self._roll, self._endpoints]
        self._roll()

    def sleep(self, seconds):
        super().sleep(seconds)
        self._roll()

    def _roll(self):
        one = self.objects["Deployment", "eu", "shop"]
        spec = one["spec"]
        is_new = spec["template"]["spec"]["containers"][0]["image"] == "shop:2"
        if not spec.get("paused"):
            self.new_pods = min(self.new_pods + 1, 4) if is_new else max(self.new_pods - 1, 0)
        updated = self.new_pods if is_new else 4 - self.new_pods
        ready = 4 - self.new_pods if self.never_ready and is_new else 4
        counts = {"replicas": 4, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready}
        one["status"] = {"observedGeneration": one["metadata"]["generation"], **counts}
        self.shapes.append((self.new_pods, bool(spec.get("paused"))))
        for number in range(4):
            new = number < self.new_pods
            condition = {"type": "Ready", "status": "False" if new and self.never_ready else "True"}
            meta = {
                "name": f"shop-{number}", "namespace": "eu", "uid": f"{number}-{new}",
                "labels": {"app": "shop", "pod-template-hash": "new" if new else "old"},
            }  # fmt: skip
            self.objects["Pod", "eu", f"shop-{number}"] = {
                "metadata": meta, "spec": {"containers": []}, "status": {"conditions": [condition]},
            }  # fmt: skip


@pytest.fixture
def world():
    return RollingWorld()


def test_pods_are_replaced_up_to_each_share_and_the_rollout_stands_still_there(world):
    result = world.start(**ROLLING)
    assert (result["outcome"], result["weight_percent"]) == ("promoted", 0)
    assert {(1, True), (2, True)} <= set(world.shapes)
    assert not {(3, True), (4, True)} & set(world.shapes)
    found = world.stored("Deployment", "eu", "shop")["spec"]
    assert (found["strategy"]["rollingUpdate"], found.get("paused", False)) == ({"maxSurge": 1, "maxUnavailable": 0}, False)
    assert (world.image, world.names("Deployment"), world.names("Service")) == ("shop:2", ["shop"], ["shop"])
    assert any("1 of 4 ready pods are new" in line for line in world.lines)


@pytest.mark.parametrize("where", ["1 of 4 ready pods", "2 of 4 ready pods", "  verify  "])
def test_a_stop_brings_the_template_and_every_knob_back(world, where):
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    assert world.start(**ROLLING)["outcome"] == "rolled_back"
    found = world.stored("Deployment", "eu", "shop")["spec"]
    assert (world.image, found["strategy"], "paused" in found, world.new_pods) == ("shop:1", BEFORE, False, 0)
    assert record.load(world, "eu", "shop").state.phase == "ended"


@pytest.mark.parametrize(("where", "copies"), [("nowhere", 1), ("2 of 4 ready pods", 0)], ids=["good", "stopped"])
def test_configuration_travels_with_pods_that_are_replaced_and_goes_back_with_the_template(world, where, copies):
    found = world.stored("Deployment", "eu", "shop")
    found["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "env"}}]
    world.put(found)
    world.put({"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": "5"}})
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    world.start(**ROLLING, release_config={})
    template = world.stored("Deployment", "eu", "shop")["spec"]["template"]
    made = [name for name in world.names("ConfigMap") if name.startswith("env-")]
    assert len(made) == copies
    assert config.references(template) == {("ConfigMap", made[0] if made else "env"): True}


def test_pods_that_never_become_ready_are_taken_back(world):
    world.never_ready = True
    result = world.start(**ROLLING, release_ready_timeout_seconds=20)
    assert (result["outcome"], world.image) == ("rolled_back", "shop:1")
    assert "0 of 1 new pods are ready after 20 s" in result["reason"]


def test_a_template_that_somebody_edited_meanwhile_is_not_overwritten(world):
    def edit():
        found = world.stored("Deployment", "eu", "shop")
        found["spec"]["template"]["metadata"]["labels"]["by"] = "somebody"
        world.put(found)

    world.at["  start  "] = edit
    result = world.start(**ROLLING)
    assert (result["outcome"], "edited by somebody else" in result["reason"]) == ("rolled_back", True)


@pytest.mark.parametrize(("percent", "replicas", "pods"), [(1, 4, 1), (25, 4, 1), (26, 4, 2), (50, 3, 2), (100, 3, 3), (10, 1, 1)])
def test_a_share_is_reached_with_whole_pods(percent, replicas, pods):
    assert pods_for(percent, replicas) == pods


def test_a_deployment_that_was_recreated_is_rolled_with_what_was_asked():
    assert knobs_for({"strategy": {"type": "Recreate"}, "minReadySeconds": 1}, {"maxSurge": 2, "minReadySeconds": 5}) == {
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2}},
        "minReadySeconds": 5,
    }


def test_the_present_revision_is_the_one_the_deployment_owns_and_numbers(world):
    found = world.stored("Deployment", "eu", "shop")
    assert revision_of(world, found) == "old"
    found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"
    assert revision_of(world, found) is None
