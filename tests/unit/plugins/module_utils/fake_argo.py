# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace with one shop, and a controller of Argo Rollouts that moves a step whenever time passes."""

from __future__ import annotations

import copy
import json
import zlib

from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo.phase import WORKLOAD_GENERATION
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_command
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import MortalWorld

HASH = "rollouts-pod-template-hash"
GIVEN = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_engine": "argo_rollouts", "release_gates": [], "release_steps": [10, 50, 100], "release_verify_seconds": 5, "release_drain_seconds": 1,
    "release_traffic": {"provider": "istio", "service": "shop"},
}  # fmt: skip


def hash_of(template):
    """What the controller calls a version."""
    return f"{zlib.crc32(json.dumps(template, sort_keys=True).encode()):x}"


class ArgoWorld(MortalWorld):
    """The controller obeys spec.paused, status.abort, promoteFull and pauses without a duration; alive=False: it does nothing."""

    def __init__(self):
        super().__init__()
        self.alive = True
        self.verdict = "Successful"  # of the AnalysisRun of a version
        self.is_reconciling = False
        self.controllers.append(self._notice)
        meta = {"name": "argo-rollouts", "namespace": "argo-rollouts", "labels": {"app.kubernetes.io/name": "argo-rollouts"}}
        pod = {"metadata": {"labels": {"app": "argo"}}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}}
        self.put(
            {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "argo"}}, "template": pod}}
        )

    def kill_controller(self):
        found = self.stored("Deployment", "argo-rollouts", "argo-rollouts")
        found["spec"]["replicas"] = 0
        self.alive = False
        self.put(found)

    @property
    def rollout(self):
        return self.stored("Rollout", "eu", "shop")

    def start(self, **changed):
        return engines.start(self, parse({**GIVEN, **changed}), self.caller)

    def control(self, command, **options):
        given = {"release_name": "shop", "release_namespace": "eu", "command": command, "by": "ann", **options}
        return engines.control(self, parse_command(given), self.caller)

    def status(self):
        return engines.status(self, "eu", "shop")[0]

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.alive:
            for one in self._kind("Rollout"):
                self._step(one)

    def _notice(self):
        """What the controller sees at once: a new Rollout, a new version, an abort."""
        if not self.alive or self.is_reconciling:
            return
        self.is_reconciling = True
        try:
            for one in self._kind("Rollout"):
                self._observe(one)
        finally:
            self.is_reconciling = False

    def _template(self, rollout):
        ref = rollout["spec"].get("workloadRef")
        if not ref:
            return rollout["spec"]["template"], None
        holder = self.objects["Deployment", rollout["metadata"]["namespace"], ref["name"]]
        return holder["spec"]["template"], holder

    def _observe(self, rollout):
        template, holder = self._template(rollout)
        status = rollout.setdefault("status", {})
        status["observedGeneration"] = str(rollout["metadata"]["generation"])
        current = hash_of(template)
        if holder is not None:
            rollout["metadata"].setdefault("annotations", {})[WORKLOAD_GENERATION] = str(holder["metadata"]["generation"])
            status["workloadObservedGeneration"] = str(holder["metadata"]["generation"])
        if "stableRS" not in status:
            status.update(stableRS=current, phase="Healthy", currentStepIndex=99)
            if holder is not None:
                holder["spec"]["replicas"] = 0
        if current != status.get("currentPodHash", current):
            status.update(currentStepIndex=0, phase="Progressing", abort=False, promoteFull=False)
            status.pop("pauseConditions", None)
        status["currentPodHash"] = current
        if current == status["stableRS"]:
            status.update(phase="Healthy", message="", abort=False)
            self._weigh(rollout, 0)
        elif status.get("abort"):
            status.update(phase="Degraded", message="RolloutAborted: Rollout aborted update to revision 2")
            self._weigh(rollout, 0)

    def _step(self, rollout):
        status, spec = rollout["status"], rollout["spec"]
        if status.get("abort") or status["currentPodHash"] == status["stableRS"]:
            return None
        if status.get("promoteFull"):
            return self._promote(rollout)
        if spec.get("paused"):
            status["phase"] = "Paused"
            return None
        self._analyse(rollout)
        steps = spec["strategy"]["canary"]["steps"]
        index = status["currentStepIndex"]
        if status.get("abort"):
            return self._notice()
        if status.get("pauseConditions"):
            return None
        if index >= len(steps):
            return self._promote(rollout)
        if status.get("controllerPause"):  # its condition was taken off: the pause is over
            status.update(controllerPause=False, currentStepIndex=index + 1, phase="Progressing")
        elif steps[index].get("pause") == {}:
            status.update(pauseConditions=[{"reason": "CanaryPauseStep"}], controllerPause=True, phase="Paused")
        else:
            if "setWeight" in steps[index]:
                self._weigh(rollout, steps[index]["setWeight"])
            status["currentStepIndex"] = index + 1
        return None

    def _analyse(self, rollout):
        if "analysis" not in rollout["spec"]["strategy"]["canary"] or self.verdict is None:
            return
        status, meta = rollout["status"], rollout["metadata"]
        labels = {HASH: status["currentPodHash"]}
        value = {"Failed": "[0.5]", "Successful": "[0.001]"}[self.verdict]
        measurement = {"phase": self.verdict, "value": value, "finishedAt": "2026-01-01T00:00:00Z"}
        result = {"name": "errors", "phase": self.verdict, "measurements": [measurement], self.verdict.lower(): 1}
        metrics = [{"name": "errors", "successCondition": "result[0] <= 0.01"}]
        owner = {"ownerReferences": [{"uid": meta["uid"]}]}
        body = {
            "kind": "AnalysisRun",
            "metadata": {"name": f"shop-{status['currentPodHash']}-2", "namespace": "eu", "labels": labels, **owner},
        }
        self.objects["AnalysisRun", "eu", body["metadata"]["name"]] = {
            **body, "spec": {"metrics": metrics}, "status": {"phase": self.verdict, "metricResults": [result]},
        }  # fmt: skip
        if self.verdict == "Failed":
            status["abort"] = True

    def _promote(self, rollout):
        status = rollout["status"]
        status.update(stableRS=status["currentPodHash"], phase="Healthy", promoteFull=False, controllerPause=False)
        status.pop("pauseConditions", None)
        self._weigh(rollout, 0)

    def _weigh(self, rollout, weight):
        canary = rollout["spec"]["strategy"].get("canary") or {}
        virtual = ((canary.get("trafficRouting") or {}).get("istio") or {}).get("virtualService")
        rollout["status"].setdefault("canary", {})["weights"] = {"canary": {"weight": weight}, "stable": {"weight": 100 - weight}}
        key = ("VirtualService", "eu", (virtual or {}).get("name", ""))
        if key in self.objects:
            found = copy.deepcopy(self.objects[key])
            for target in found["spec"]["http"][0]["route"]:
                target["weight"] = weight if target["destination"]["host"] == "shop-canary" else 100 - weight
            if found != self.objects[key]:
                self.put(found)
