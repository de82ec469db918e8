# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of fake_world with pods that keep their labels while they run, and endpoints that follow those labels."""

from __future__ import annotations

import json
import zlib

from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import TWIN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import MortalWorld

RATIO = {"release_traffic": {"provider": "service", "service": "shop"}, "release_steps": [20, 50, 100]}


class ReplicaWorld(MortalWorld):
    """Four pods of stable behind one Service; a Deployment makes pods of its template and owns them by its selector."""

    def __init__(self, replicas=4):
        self.shares = []  # (canary, stable) ready endpoints of the Service, each time that they changed
        self.born = 0
        super().__init__()
        self.controllers = [self._deployments, self._run_pods, self._endpoints]
        found = self.stored("Deployment", "eu", "shop")
        found["spec"]["replicas"] = replicas
        self.put(found)
        self.shares = self.shares[-1:]

    def _run_pods(self):
        wanted = {}
        for one in self._kind("Deployment"):
            template = one["spec"]["template"]
            text = zlib.crc32(json.dumps(template, sort_keys=True).encode())
            wanted[f"{one['metadata']['name']}-{text:08x}"] = (one["spec"]["replicas"], template)
        for key in [key for key in self.objects if key[0] == "Pod"]:
            owner = self.objects[key]["metadata"]["owner"]
            owned = sorted(one["metadata"]["name"] for one in self._kind("Pod") if one["metadata"]["owner"] == owner)
            if owned.index(key[2]) >= wanted.get(owner, (0, None))[0]:
                del self.objects[key]
        for owner, (count, template) in wanted.items():
            missing = count - sum(1 for one in self._kind("Pod") if one["metadata"]["owner"] == owner)
            for _each in range(missing):
                self._bear(owner, template)

    def _bear(self, owner, template):
        self.born += 1
        name = f"{owner}-{self.born:05d}"
        meta = {
            "name": name, "namespace": "eu", "uid": name, "owner": owner, "resourceVersion": f"born-{self.born}",
            "generation": 1, "labels": dict(template["metadata"]["labels"]),
        }  # fmt: skip
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.objects["Pod", "eu", name] = {"kind": "Pod", "metadata": meta, "spec": {"containers": []}, "status": status}

    def _endpoints(self):
        for service in self._kind("Service"):
            name, wanted = service["metadata"]["name"], service["spec"]["selector"].items()
            pods = [one for one in self._kind("Pod") if wanted <= one["metadata"]["labels"].items()]
            endpoints = [{"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": one["metadata"]["name"]}} for one in pods]
            meta = {"name": name, "namespace": "eu", "labels": {"kubernetes.io/service-name": name}}
            self.objects["EndpointSlice", "eu", name] = {"metadata": meta, "endpoints": endpoints}
            if name == "shop":
                self._note(pods)

    def _note(self, pods):
        canary = sum(1 for one in pods if TWIN in one["metadata"]["labels"])
        if self.shares[-1:] != [(canary, len(pods) - canary)]:
            self.shares.append((canary, len(pods) - canary))

    @property
    def share(self):
        return self.shares[-1]

    @property
    def selector(self):
        return self.stored("Service", "eu", "shop")["spec"]["selector"]

    def evict(self, share_of=TWIN):
        """A pod of the canary goes; its ReplicaSet makes another one."""
        name = next(one["metadata"]["name"] for one in self._kind("Pod") if share_of in one["metadata"]["labels"])
        del self.objects["Pod", "eu", name]
        self._reconcile()

    def ratio(self, **changed):
        return self.start(**{**RATIO, **changed})

    def assert_whole_and_home(self, image):
        """Every endpoint is stable's, which runs the image; the Service is what it was."""
        self.assert_home(image)
        service = self.stored("Service", "eu", "shop")
        assert service["spec"]["selector"] == {"app": "shop"}
        assert not service["metadata"].get("annotations")
        assert self.share == (0, 4)
        assert len(self.names("Pod")) == 4
