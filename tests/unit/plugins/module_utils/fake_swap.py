# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of fake_death with versioned Deployments, shop-v1 and its successors, told apart by the label version."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed, MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

SWAP = {"release_workload": "Deployment/shop-v1", "release_promotion": "swap", "release_swap": {"workload": "shop-v2", "warm_seconds": 20}}
LABELS = {"app": "shop", "version": "v1"}
RULE = {
    "host": "shop",
    "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}, "outlierDetection": {"consecutive5xxErrors": 5}},
    "subsets": [{"name": "old", "labels": {"version": "v0"}}, {"name": "v1", "labels": {"version": "v1"}, "trafficPolicy": {"x": 1}}],
}
BY_SUBSETS = {**SWAP, "release_traffic": {"subsets": {"stable": "v1", "canary": "v2", "destination_rule": "shop"}}}
BY_SERVICE = {
    **SWAP, "release_strategy": "blue_green", "release_steps": None, "release_traffic": {"provider": "service", "service": "shop"},
}  # fmt: skip
WAYS = {"hosts": SWAP, "subsets": BY_SUBSETS, "service": BY_SERVICE}


class SwapWorld(MortalWorld):
    """shop-v1 behind one route. Whatever is written, users must be led to ready pods: that is checked after every write."""

    def __init__(self, way="hosts"):
        super().__init__()
        self.way, self.dies_at, self.written, self.watched = way, None, 0, True
        self.objects.pop(("Deployment", "eu", "shop"))
        pod = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "app", "image": "shop:1"}]}}
        meta = {"name": "shop-v1", "namespace": "eu", "labels": {**LABELS, "team": "shop"}, "annotations": {"owner": "mia"}}
        self.put({"kind": "Deployment", "metadata": meta, "spec": {"replicas": 4, "selector": {"matchLabels": LABELS}, "template": pod}})
        meta = {"name": "shop", "namespace": "eu"}
        selector = {"app": "shop"} if way == "subsets" else LABELS
        self.put({"kind": "Service", "metadata": meta, "spec": {"selector": selector, "ports": [{"port": 80}]}})
        if way == "subsets":
            self.put({"kind": "DestinationRule", "metadata": meta, "spec": RULE})
            self.put({"kind": "VirtualService", "metadata": meta, "spec": {"http": [{"name": "main", "route": [self.home("v1")]}]}})
        if way == "service":
            self.objects.pop(("VirtualService", "eu", "shop"))
        self.original = self.stored("Deployment", "eu", "shop-v1")
        self.controllers.append(self._users_are_served)

    @property
    def given(self):
        return WAYS[self.way]

    def begin(self, **changed):
        return self.start(**{**self.given, **changed})

    def plan(self, **changed):
        return native.start(self, parse({**GIVEN, **self.given, **changed}), self.caller, check_mode=True)

    def home(self, version):
        """Where all traffic goes when a version is at home."""
        return {"destination": {"host": "shop", **({"subset": version} if self.way == "subsets" else {})}}

    def rewrite(self, kind, name, change):
        """Somebody changes the spec of an object before the release; that it may not fit the others yet is no fault."""
        self.watched = False
        found = self.stored(kind, "eu", name)
        change(found["spec"])
        self.put(found)
        self.watched = True

    def add_scaler(self):
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop-v1"}
        spec = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 9}
        self.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "shop", "namespace": "eu"}, "spec": spec})

    def scaler(self):
        return self.stored("HorizontalPodAutoscaler", "eu", "shop")["spec"]

    def served(self):
        """Deployment -> how many of its pods users can get, as route, subsets and selectors say."""
        pods = {}
        for service, subset in self._destinations():
            wanted = dict(self.objects["Service", "eu", service]["spec"]["selector"])
            if subset:
                rules = self.objects["DestinationRule", "eu", "shop"]["spec"]["subsets"]
                wanted.update(next(one["labels"] for one in rules if one["name"] == subset))
            for one in self._kind("Deployment"):
                if wanted.items() <= one["spec"]["template"]["metadata"]["labels"].items():
                    pods[one["metadata"]["name"]] = one["spec"]["replicas"]
        return pods

    def _destinations(self):
        if self.way == "service":
            return [("shop", None)]
        targets = self.route
        return [(t["destination"]["host"], t["destination"].get("subset")) for t in targets if len(targets) == 1 or t.get("weight")]

    def _users_are_served(self):
        if not self.watched:
            return
        served = self.served()
        assert served, "no pod behind what users are led to"
        assert min(served.values()) > 0, served

    def request(self, method, path, **options):
        if self.dead or self.dies_at is None or method == "GET" or "selfsubject" in path or (options.get("query") or {}).get("dryRun"):
            return super().request(method, path, **options)
        self.written += 1
        if self.written < self.dies_at[0]:
            return super().request(method, path, **options)
        if self.dies_at[1]:
            super().request(method, path, **options)
        self.dead = True
        raise Killed

    def killed_at(self, number, *, applied):
        """Run until the write of that number, where the runner is killed, before or after the server has done it; False beyond the last."""
        self.dies_at, self.written = (number, applied), 0
        try:
            self.begin()
        except Killed:
            self.bury()
            return True
        finally:
            self.dies_at = None
        return False

    def bury(self):
        self.dead = False
        for key in [key for key in self.objects if key[0] == "Lease"]:
            self.objects[key]["spec"]["holderIdentity"] = ""

    def abort(self):
        return native.abort(self, "eu", "shop", self.caller, by="mia", reason="enough")

    def assert_swapped(self, *, to="shop-v2", value="v2", kept=False):
        """The new Deployment is its owner's and serves alone; nothing of the release is left."""
        assert self.served() == {to: 4}
        new = self.stored("Deployment", "eu", to)
        assert new["metadata"]["labels"] == {"app": "shop", "version": value, "team": "shop"}
        assert new["metadata"]["annotations"] == {"owner": "mia"}
        assert new["spec"]["selector"]["matchLabels"] == {"app": "shop", "version": value}
        assert new["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:2"
        assert self.names("Deployment") == ([*["shop-v1"][: int(kept)], to])
        self._nothing_left()
        if self.way != "service":
            assert self.route == [self.home(value)]
        if self.way == "subsets":
            rule = copy.deepcopy(RULE)
            rule["subsets"].append({"name": value, "labels": {"version": value}, "trafficPolicy": {"x": 1}})
            assert self.stored("DestinationRule", "eu", "shop")["spec"] == rule

    def assert_returned(self):
        """The old Deployment serves as before, and nothing of it, of its Service or of its route has changed."""
        assert self.served() == {"shop-v1": 4}
        assert self.names("Deployment") == ["shop-v1"]
        old = self.stored("Deployment", "eu", "shop-v1")
        assert (old["spec"], old["metadata"]["generation"]) == (self.original["spec"], self.original["metadata"]["generation"])
        assert old["metadata"]["annotations"] == {"owner": "mia"}
        self._nothing_left()
        if self.way != "service":
            assert self.route == [self.home("v1")]
        if self.way == "subsets":
            assert self.stored("DestinationRule", "eu", "shop")["spec"] == RULE

    def _nothing_left(self):
        assert (self.names("Service"), self.names("Lease")) == (["shop"], [])
        assert self.names("DestinationRule") == (["shop"] if self.way == "subsets" else [])
        for (kind, _namespace, name), one in self.objects.items():
            assert kind == "ConfigMap" or EPOCH not in (one["metadata"].get("annotations") or {}), (kind, name)


@pytest.fixture(params=WAYS)
def world(request):
    """A world for each way to tell the versions apart."""
    return SwapWorld(request.param)


__all__ = ["SWAP", "WAYS", "SwapWorld", "world"]
