# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shop that is a StatefulSet or a DaemonSet, with controllers that do what Kubernetes' own do, one thing at a time."""

from __future__ import annotations

import copy

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

SIZE = 4
STRATEGIES = {
    "StatefulSet": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "DaemonSet": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
}


class Killed(BaseException):
    """What a process does that is killed: nothing more."""


class SetsWorld(World):
    """The world of fake_world with a set in the place of the Deployment; broken images never become ready."""

    def __init__(self, kind, strategy=None):
        super().__init__()
        self.kind = kind
        self.broken = set()
        self.slow = 1  # ticks until a pod is ready
        self.failing = set()  # images that fail every request
        self.shapes = []  # images of the pods, after every change of them, by ordinal or node
        self.least_ready = SIZE
        self.made = 0
        self.die_at = None
        found = self.objects.pop(("Deployment", "eu", "shop"))
        spec = {**found["spec"], "updateStrategy": copy.deepcopy(strategy or STRATEGIES[kind])}
        if kind == "DaemonSet":
            spec.pop("replicas")
        self.controllers = []
        self.put({"kind": kind, "metadata": {"name": "shop", "namespace": "eu"}, "spec": spec})
        self.controllers = [self.tick]
        self.current = "1"
        self.behind = self._metrics
        for _second in range(3 * SIZE):
            self.tick()
        self.shapes.clear()
        self.least_ready = SIZE

    # -- what tests ask

    @property
    def set(self):
        return self.objects[self.kind, "eu", "shop"]

    @property
    def image(self):
        return self.set["spec"]["template"]["spec"]["containers"][0]["image"]

    @property
    def strategy(self):
        return self.set["spec"]["updateStrategy"]

    @property
    def images(self):
        """Of the pods, by ordinal or node; None where there is none."""
        return [pod and pod["spec"]["containers"][0]["image"] for pod in map(self._pod, range(SIZE))]

    def assert_whole(self, image, *, tidied=True):
        """All pods of one image and ready, the updateStrategy as it was, and, when tidied, nothing left but the record."""
        assert self.images == [image] * SIZE
        assert all(map(_is_ready, self._kind("Pod")))
        assert (self.image, self.strategy) == (image, self.before)
        if not tidied:
            return
        assert self.names("Lease") == []
        assert "progressive.delivery/epoch" not in (self.set["metadata"].get("annotations") or {})

    def budget(self, allowed):
        selector = {"matchLabels": {"app": "shop"}}
        status = {"disruptionsAllowed": allowed, "desiredHealthy": SIZE, "currentHealthy": SIZE}
        meta = {"name": "keep", "namespace": "eu"}
        self.objects["PodDisruptionBudget", "eu", "keep"] = {"metadata": meta, "spec": {"selector": selector}, "status": status}

    def start(self, **changed):
        self.before = getattr(self, "before", copy.deepcopy(self.strategy))
        return super().start(**{"release_workload": f"{self.kind}/shop", "release_strategy": "rolling", "release_traffic": {}, **changed})

    # -- a runner that dies

    def request(self, method, path, **options):
        if self.die_at is not None and method != "GET" and "accessreviews" not in path and not (options.get("query") or {}).get("dryRun"):
            self.die_at -= 1
            if self.die_at <= 0:
                if self.die_at == 0 and self.answers_last:
                    super().request(method, path, **options)
                raise Killed
        return super().request(method, path, **options)

    def killed_at(self, number, *, applied, **changed):
        """Whether a runner was killed at its write of that number, before or after the server did it; False: it had ended before."""
        self.die_at, self.answers_last = number, applied
        try:
            self.start(**changed)
        except Killed:
            return True
        finally:
            self.die_at = None
            for one in self._kind("Lease"):
                one["spec"]["holderIdentity"] = ""
        return False

    # -- Kubernetes

    def sleep(self, seconds):
        super().sleep(seconds)
        self.tick()

    def tick(self):
        """One thing that the controllers and the kubelet would do."""
        self._note()
        self._make_ready()
        (self._stateful if self.kind == "StatefulSet" else self._daemon)()
        self._tell()
        self._note()

    def _note(self):
        self.least_ready = min(self.least_ready, sum(map(_is_ready, self._kind("Pod"))))
        if not self.shapes or self.shapes[-1] != self.images:
            self.shapes.append(self.images)

    def _make_ready(self):
        for pod in self._kind("Pod"):
            bad = pod["spec"]["containers"][0]["image"] in self.broken
            pod["status"]["conditions"] = [{"type": "Ready", "status": "False" if bad or pod["age"] < self.slow else "True"}]
            pod["age"] += 1

    def _stateful(self):
        update, strategy = self._update, self.strategy
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0) if strategy["type"] == "RollingUpdate" else 0
        for number in range(SIZE):
            pod = self._pod(number)
            if pod is None:
                return self._create(number, self.current if number < partition else update)
            if not _is_ready(pod):
                return None  # OrderedReady: a broken pod is waited for, even when it is of a template that is gone
        if strategy["type"] == "OnDelete":
            return None
        for number in reversed(range(partition, SIZE)):
            if self._revision(number) != update:
                return self._remove(number)
        if partition == 0:
            self.current = update
        return None

    def _daemon(self):
        for number in range(SIZE):
            if self._pod(number) is None:
                return self._create(number, self._update)
        if self.strategy["type"] == "RollingUpdate":
            old = [number for number in range(SIZE) if self._revision(number) != self._update]
            whole = all(_is_ready(self._pod(number)) for number in range(SIZE) if number not in old)
            for number in old:
                if whole or not _is_ready(self._pod(number)):
                    return self._remove(number)
        return None

    @property
    def _update(self):
        return self.image.partition(":")[2]

    def _pod(self, number):
        return next((pod for pod in self._kind("Pod") if pod["number"] == number), None)

    def _revision(self, number):
        return self._pod(number)["metadata"]["labels"]["controller-revision-hash"]

    def _create(self, number, revision):
        self.made += 1
        name = f"shop-{number}" if self.kind == "StatefulSet" else f"shop-a{self.made:04d}"
        labels = {"app": "shop", "controller-revision-hash": revision}
        meta = {"name": name, "namespace": "eu", "uid": f"uid-{self.made}", "labels": labels, "resourceVersion": "1"}
        containers = [{"name": "app", "image": f"shop:{revision}", "ports": [{"containerPort": 8080}]}]
        spec = {"containers": containers, "nodeName": f"node-{number}"}
        status = {"phase": "Running", "conditions": []}
        self.objects["Pod", "eu", name] = {
            "kind": "Pod", "number": number, "age": 0, "metadata": meta, "spec": spec, "status": status,
        }  # fmt: skip

    def _remove(self, number):
        del self.objects["Pod", "eu", self._pod(number)["metadata"]["name"]]

    def _tell(self):
        pods = self._kind("Pod")
        ready = sum(map(_is_ready, pods))
        seconds = self.set["spec"].get("minReadySeconds", 0)
        available = sum(_is_ready(pod) and pod["age"] > self.slow + seconds for pod in pods)
        updated = sum(pod["metadata"]["labels"]["controller-revision-hash"] == self._update for pod in pods)
        told = {"observedGeneration": self.set["metadata"]["generation"], "replicas": len(pods), "updatedReplicas": updated}
        told.update(readyReplicas=ready, availableReplicas=available, currentRevision=self.current, updateRevision=self._update)
        told.update(desiredNumberScheduled=SIZE, numberReady=ready, numberAvailable=available, updatedNumberScheduled=updated)
        self.set["status"] = told

    def _metrics(self, path):
        pod = self.objects.get(("Pod", "eu", path.split("/pods/")[1].split(":")[0]))
        if pod is None:
            return Text(404, {}, "no such pod")
        image = pod["spec"]["containers"][0]["image"]
        total = round(20 * pod["age"])
        failed = total if image in self.failing else 0
        return Text(200, {}, f'http_requests_total{{code="200"}} {total - failed}\nhttp_requests_total{{code="500"}} {failed}\n')


def _is_ready(pod):
    return any(one["status"] == "True" for one in pod["status"]["conditions"])
