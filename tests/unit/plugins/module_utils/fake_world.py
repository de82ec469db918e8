# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A namespace with one shop on the double of the API server, and a caller whose clock is the double's."""

from __future__ import annotations

from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

STABLE = {"destination": {"host": "shop"}}
GIVEN = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_gates": [], "release_steps": [10, 50, 100], "release_verify_seconds": 5, "release_drain_seconds": 1,
}  # fmt: skip


class World(FakeApi):
    """A namespace with one shop behind one route; its Deployments are ready as soon as they are written."""

    def __init__(self):
        super().__init__()
        self.lines = []
        self.stop = None
        self.at = {}  # word of a line -> what happens when it is said
        self.controllers = [self._deployments, self._endpoints]
        for name in ("eu", "kube-system"):
            self.put({"kind": "Namespace", "metadata": {"name": name}})
        pod = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "app", "image": "shop:1"}]}}
        meta = {"name": "shop", "namespace": "eu"}
        self.put({"kind": "Service", "metadata": meta, "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]}})
        self.put(
            {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "shop"}}, "template": pod}}
        )
        self.put({"kind": "VirtualService", "metadata": meta, "spec": {"http": [{"name": "main", "route": [STABLE]}]}})

    def _kind(self, kind):
        return [obj for (one, _namespace, _name), obj in self.objects.items() if one == kind]

    def _deployments(self):
        for one in self._kind("Deployment"):
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), one["spec"]["replicas"])
            one["status"] = {"observedGeneration": one["metadata"]["generation"], **counts}

    def _endpoints(self):
        for key in [key for key in self.objects if key[0] == "EndpointSlice" and ("Service", *key[1:]) not in self.objects]:
            del self.objects[key]
        for service in self._kind("Service"):
            name, wanted = service["metadata"]["name"], service["spec"]["selector"].items()
            pods = [
                f"{deployment['metadata']['name']}-{number}"
                for deployment in self._kind("Deployment")
                if wanted <= deployment["spec"]["template"]["metadata"]["labels"].items()
                for number in range(deployment["spec"]["replicas"])
            ]
            meta = {"name": name, "namespace": "eu", "labels": {"kubernetes.io/service-name": name}}
            endpoints = [{"targetRef": {"name": pod}, "conditions": {"ready": True}} for pod in pods]
            self.objects["EndpointSlice", "eu", name] = {"metadata": meta, "endpoints": endpoints}

    def emit(self, line):
        self.lines.append(line)
        for word in [word for word in self.at if word in line]:
            self.at.pop(word)()

    @property
    def caller(self):
        process = Process(clock=self.clock, sleep=self.sleep, why_stop=lambda: self.stop)
        return native.Caller(self.emit, "eu", None, process, "status", "abort")

    def start(self, **changed):
        return native.start(self, parse({**GIVEN, **changed}), self.caller)

    @property
    def route(self):
        return self.stored("VirtualService", "eu", "shop")["spec"]["http"][0]["route"]

    @property
    def image(self):
        return self.stored("Deployment", "eu", "shop")["spec"]["template"]["spec"]["containers"][0]["image"]

    def names(self, kind):
        return sorted(one["metadata"]["name"] for one in self._kind(kind))

    def assert_home(self, image):
        """All traffic on stable, which runs the image; nothing of ours is left but the record."""
        assert (self.route, self.image) == ([STABLE], image)
        assert (self.names("Deployment"), self.names("Service"), self.names("Lease")) == (["shop"], ["shop"], [])
        for kind in ("VirtualService", "Deployment"):
            assert EPOCH not in (self.stored(kind, "eu", "shop")["metadata"].get("annotations") or {})
