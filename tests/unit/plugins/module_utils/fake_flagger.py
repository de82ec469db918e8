# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace where Flagger works: its scheduler as its source has it, one tick for each interval of the double's clock.

alive: whether the controller runs. bad: images whose checks fail. online: whether it gets answers from Prometheus.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import error_for
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import canary as canaries
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_command
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed, MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE

GIVEN = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_engine": "flagger", "release_gates": [], "release_steps": [25, 100], "release_looks": None, "release_drain_seconds": 1,
    "release_traffic": {"provider": "istio", "service": "shop"},
}  # fmt: skip
INTERVAL = 10.0
GROUP = "/apis/flagger.app"


class FlaggerWorld(MortalWorld):
    """The shop of World, with Flagger."""

    def __init__(self):
        super().__init__()
        self.alive, self.bad, self.online, self.room = True, set(), True, True
        self.versions = ["flagger.app/v1beta1"]
        self.kinds = ["canaries", "metrictemplates"]
        self._next_tick = self.seconds + INTERVAL
        vs = self.objects["VirtualService", "eu", "shop"]
        vs["spec"] |= {"hosts": ["shop.example"], "gateways": ["public"]}

    # -- the API server

    def request(self, method, path, **more):
        if path.startswith(GROUP) and "/namespaces/" not in path:
            if not self.versions:
                raise error_for(404, "NotFound", "the server could not find the requested resource", path)
            if path == GROUP:
                return {"versions": [{"groupVersion": one} for one in self.versions]}
            return {"resources": [{"name": one} for one in self.kinds]}
        return super().request(method, path, **more)

    def sleep(self, seconds):
        """Time passes, and Flagger looks at each interval."""
        end = self.seconds + seconds
        while self._next_tick <= end:
            self.seconds = self._next_tick
            self._next_tick += INTERVAL
            if self.alive:
                self._tick()
        self.seconds = end

    # -- Flagger

    def _tick(self):
        for one in self._kind("Canary"):
            found = copy.deepcopy(one)
            status = found.setdefault("status", {})
            phase = status.get("phase", "")
            if found["spec"].get("suspend"):
                self._event(found, "skipping canary run as object is suspended")
                continue
            getattr(self, "_" + {"": "initializing"}.get(phase, _snake(phase)))(found, status)

    def _event(self, canary, text, kind="Normal"):
        name = f"event-{len(self._kind('Event'))}"
        body = {
            "kind": "Event",
            "metadata": {"name": name, "namespace": "eu"},
            "type": kind,
            "message": text,
            "lastTimestamp": self._stamp(),
            "involvedObject": {"kind": "Canary", "name": canary["metadata"]["name"]},
        }
        self.put(body)

    def _stamp(self):
        return datetime.fromtimestamp(self.seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _template(self, name="shop"):
        return json.dumps(self.objects["Deployment", "eu", name]["spec"]["template"], sort_keys=True)

    def _set(self, canary, **status):
        """Flagger's UpdateStatus: a new condition where the phase is another one."""
        now = canary.setdefault("status", {})
        if status.get("phase", now.get("phase")) != now.get("phase"):
            status["conditions"] = [{"type": "Promoted", "reason": status["phase"], "lastUpdateTime": self._stamp(), "message": "m"}]
        now.update(status, lastTransitionTime=self._stamp())
        self.put(canary)

    def _write_route(self, canary, weight):
        meta = {"name": "shop", "namespace": "eu"}
        route = [
            {"destination": {"host": "shop-primary"}, "weight": 100 - weight},
            {"destination": {"host": "shop-canary"}, "weight": weight},
        ]
        self.put({"kind": "VirtualService", "metadata": meta, "spec": {"hosts": ["shop.example"], "http": [{"route": route}]}})

    def _scale(self, name, replicas):
        found = copy.deepcopy(self.objects["Deployment", "eu", name])
        found["spec"]["replicas"] = replicas
        self.put(found)

    def _copy_to_primary(self):
        primary = copy.deepcopy(self.objects["Deployment", "eu", "shop-primary"])
        primary["spec"]["template"] = copy.deepcopy(self.objects["Deployment", "eu", "shop"]["spec"]["template"])
        primary["spec"]["template"]["metadata"]["labels"] = {"app": "shop-primary"}
        self.put(primary)

    def _initializing(self, canary, status):
        if ("Deployment", "eu", "shop-primary") not in self.objects:
            primary = copy.deepcopy(self.objects["Deployment", "eu", "shop"])
            primary["metadata"] = {"name": "shop-primary", "namespace": "eu"}
            primary["spec"]["selector"] = {"matchLabels": {"app": "shop-primary"}}
            primary["spec"]["template"]["metadata"]["labels"] = {"app": "shop-primary"}
            self.put(primary)
        if not self.room:  # as seen: a primary that is not ready in time is given all traffic
            since = self.since = getattr(self, "since", self.seconds)
            self._set(canary, phase="Initializing")
            if self.seconds - since > canary["spec"]["progressDeadlineSeconds"]:
                self._roll_back(canary)
            return
        self._scale("shop", 0)
        self._write_route(canary, 0)
        applied = self._template()
        self._set(canary, phase="Initialized", lastAppliedSpec=applied, lastPromotedSpec=applied)
        self._event(canary, "Initialization done! shop.eu")

    def _idle(self, canary, status):
        before, here = status.get("lastAppliedSpec"), self._template()
        if status["phase"] == "Failed":
            self._set(canary, lastAppliedSpec=here)
        if here in (status.get("lastPromotedSpec"), before):
            return
        if self._gate(canary, "confirm-rollout"):
            self._set(canary, phase="Waiting")
            return
        self._begin(canary, here)

    _initialized = _succeeded = _failed = _idle

    def _waiting(self, canary, status):
        if not self._gate(canary, "confirm-rollout"):
            self._begin(canary, self._template())

    def _begin(self, canary, here):
        self._scale("shop", 4)
        self._event(canary, "New revision detected! Scaling up shop.eu")
        self._set(canary, phase="Progressing", lastAppliedSpec=here, canaryWeight=0, failedChecks=0, iterations=0)

    def _gate(self, canary, kind):
        return any(one["type"] == kind for one in canary["spec"]["analysis"].get("webhooks", []))

    def _weight(self):
        return self.route[1]["weight"]

    def _progressing(self, canary, status):
        spec, analysis = canary["spec"], canary["spec"]["analysis"]
        if spec.get("skipAnalysis"):
            self._write_route(canary, 0)
            self._copy_to_primary()
            self._scale("shop", 0)
            self._set(canary, phase="Succeeded", lastPromotedSpec=status["lastAppliedSpec"], canaryWeight=0)
            self._event(canary, "Promotion completed! Canary analysis was skipped for shop.eu")
            return
        if status["phase"] == "Progressing" and self._template() not in (status["lastAppliedSpec"], status["lastPromotedSpec"]):
            self._write_route(canary, 0)
            self._begin(canary, self._template())
            return
        if status.get("failedChecks", 0) >= analysis.get("threshold", 1):
            self._roll_back(canary)
            return
        weight = self._weight()
        if weight and not self._check(canary, status):
            return
        weights = analysis.get("stepWeights", [])
        if weight < weights[-1]:
            after = next(one for one in weights if one > weight)
            self._write_route(canary, after)
            self._set(canary, canaryWeight=after)
            self._event(canary, f"Advance shop.eu canary weight {after}")
        elif self._gate(canary, "confirm-promotion"):
            self._set(canary, phase="WaitingPromotion", canaryWeight=0, iterations=-1)
            self._event(canary, "Halt shop.eu advancement waiting for promotion approval approval", "Warning")
        else:
            self._event(canary, "Copying shop.eu template spec to shop-primary.eu")
            self._copy_to_primary()
            self._set(canary, phase="Promoting")

    _waiting_promotion = _progressing

    def _check(self, canary, status):
        image = self.objects["Deployment", "eu", "shop"]["spec"]["template"]["spec"]["containers"][0]["image"]
        text = ""
        if not self.online:
            text = "Metric query failed for errors: request failed: connection refused"
        elif image in self.bad:
            text = "Halt shop.eu advancement errors 5.20 > 1"
        if text:
            self._set(canary, failedChecks=status.get("failedChecks", 0) + 1)
            self._event(canary, text, "Warning")
        return not text

    def _roll_back(self, canary):
        self._write_route(canary, 0)
        self._event(canary, "Canary failed! Scaling down shop.eu", "Warning")
        self._scale("shop", 0)
        self._set(canary, phase="Failed", lastAppliedSpec=self._template(), canaryWeight=0, failedChecks=0, iterations=0)

    def _promoting(self, canary, status):
        self._write_route(canary, 0)
        self._set(canary, phase="Finalising", canaryWeight=0)

    def _finalising(self, canary, status):
        self._scale("shop", 0)
        self._set(canary, phase="Succeeded", lastPromotedSpec=status["lastAppliedSpec"])
        self._event(canary, "Promotion completed! Scaling down shop.eu")

    # -- what tests ask and do

    def release(self, **changed):
        """Run a release to its ending."""
        return engines.start(self, parse({**GIVEN, "release_looks": None, **changed}), self.caller)

    def command(self, verb, **options):
        """Give a command as release_control does."""
        given = {"command": verb, "release_name": "shop", "release_namespace": "eu", "by": "mia", **options}
        return engines.control(self, parse_command(given), self.caller)

    def status(self):
        return engines.status(self, "eu", "shop")[0]

    @property
    def canary(self):
        return self.stored("Canary", "eu", "shop")

    @property
    def phase(self):
        return canaries.view(self.canary).phase

    def when(self, phase, action):
        """Do something once, when the release is seen in a phase."""
        self.at[f"phase      {phase}"] = action

    def begin_and_die(self, phase="Progressing", **changed):
        """A release whose runner dies without a word when it sees a phase: no write of it arrives any more."""
        self.when(phase, self.die)
        with pytest.raises(Killed):
            self.release(**changed)
        self.bury("gone/1/1")

    @property
    def primary_image(self):
        return self.stored("Deployment", "eu", "shop-primary")["spec"]["template"]["spec"]["containers"][0]["image"]

    def assert_returned(self, image="shop:1"):
        """All traffic on the primary, which runs the image; the workload has no pods and that template; nothing would send traffic away."""
        assert self._weight() == 0
        assert (self.primary_image, self.image) == (image, image)
        assert self.stored("Deployment", "eu", "shop")["spec"]["replicas"] == 0
        assert (self.phase, self.canary["spec"].get("suspend") or False) == ("Failed", False)
        assert self.names("Lease") == []


def refusal(action):
    """What an action that is refused says."""
    with pytest.raises(Refused) as caught:
        action()
    return str(caught.value)


def _snake(phase):
    return "".join("_" + one.lower() if one.isupper() and number else one.lower() for number, one in enumerate(phase))


__all__ = ["GIVEN", "STABLE", "FlaggerWorld", "refusal"]
