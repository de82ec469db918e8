# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shop with a canary that somebody made by hand, whose pods count what clients ask, and the verb that judges it."""

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.plugins.module_utils.engine import metric_gate
from ansible_collections.progressive.delivery.plugins.module_utils.engine.gate_task import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Unusable
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE, World

RATE = 150.0  # requests a second
ERRORS = {"name": "errors", "error_rate": {"max": "1%"}}
TASK = {"namespace": "eu", "service": "shop", "gates": [ERRORS], "metrics_source": "pods", "pods": {"family": "http"}}


class Canary(World):
    """Failing is the share of its answers that the canary fails, stable_failing that of stable."""

    def __init__(self, failing=0.0, *, weight=10, labels=None, stable_failing=0.0):
        super().__init__()
        self.failing, self.stable_failing = failing, stable_failing
        self.mute, self.chosen, self.share = False, 0.0, None
        self.asked_of = {"shop": 0.0, "shop-canary": 0.0}
        labels = labels or {"app": "shop-canary"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "shop:2"}]}}
        meta = {"name": "shop-canary", "namespace": "eu"}
        spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": pod}
        self.put({"kind": "Deployment", "metadata": meta, "spec": spec})
        self.put({"kind": "Service", "metadata": meta, "spec": {"selector": labels, "ports": [{"port": 80}]}})
        self.controllers.append(self._run_pods)
        self.shift(weight)
        self.behind = self._metrics

    def shift(self, weight, **more):
        """What the verb traffic would have put."""
        canary = {"destination": {"host": "shop-canary"}, "weight": weight}
        route = [{**STABLE, "weight": 100 - weight}, canary] if weight else [STABLE]
        found = self.stored("VirtualService", "eu", "shop")
        found["spec"] = {"http": [{"name": "main", "route": route, **more}]}
        self.put(found)

    def run(self, check_mode=False, **changed):
        """One task of the verb, without the arguments' own refusals."""
        given = {name: value for name, value in {**TASK, **changed}.items() if value is not None}
        return metric_gate.judge(self, parse(given), self.runner, check_mode=check_mode)

    @property
    def runner(self):
        process = Process(clock=self.clock, sleep=self._pause, why_stop=lambda: self.stop)
        return metric_gate.Runner(self.emit, "eu", process)

    def _pause(self, seconds):
        self.sleep(seconds)  # whatever a test has made of it meanwhile

    @property
    def patched(self):
        """What was written to."""
        return [one for one in self.writes() if "DELETE" not in one]

    def sleep(self, seconds):
        super().sleep(seconds)
        weights = {one["destination"]["host"]: one.get("weight", 100) for one in self.route} if self.share is None else {}
        share = weights.get("shop-canary", 0) / 100 if self.share is None else self.share
        self.asked_of["shop-canary"] += RATE * seconds * share + self.chosen * seconds
        self.asked_of["shop"] += RATE * seconds * (1 - share)

    def _run_pods(self):
        for key in [key for key in self.objects if key[0] == "Pod"]:
            del self.objects[key]
        for one in self._kind("Deployment"):
            for number in range(one["spec"]["replicas"]):
                name = f"{one['metadata']['name']}-{number}"
                meta = {"name": name, "namespace": "eu", "uid": name, "labels": one["spec"]["template"]["metadata"]["labels"]}
                spec = {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]}
                self.objects["Pod", "eu", name] = {"metadata": meta, "spec": spec, "status": {"phase": "Running"}}

    def _metrics(self, path):
        workload = path.split("/pods/")[1].split(":")[0].rpartition("-")[0]
        is_canary = workload == "shop-canary"
        if self.mute and is_canary:
            return Text(503, {}, "connection refused")
        total = round(self.asked_of[workload] / (2 if is_canary else 4))
        failed = round(total * (self.failing if is_canary else self.stable_failing))
        return Text(200, {}, f'http_requests_total{{code="200"}} {total - failed}\nhttp_requests_total{{code="500"}} {failed}\n')


def refused(world, **changed):
    """field -> allowed of a task that is refused; nothing may have been written."""
    with pytest.raises(Unusable) as caught:
        world.run(**changed)
    assert world.writes() == []
    return {problem.field: problem.allowed for problem in caught.value.problems}


def after(world, seconds, action):
    """Do something as soon as so much time has passed."""
    sleep, until = world.sleep, world.seconds + seconds

    def watched(pause):
        sleep(pause)
        if world.seconds >= until and watched.pending:
            watched.pending = False
            action()

    watched.pending = True
    world.sleep = watched
