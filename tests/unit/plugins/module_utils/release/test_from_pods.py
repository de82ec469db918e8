# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole releases whose looks come straight from the pods: no Prometheus, no clock but the reads, a bad version gone in seconds."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import exposition
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

RATE = 150.0
FROM_PODS = {
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    "release_metrics_source": "pods",
    "release_pods": {"family": "http"},
    "release_steps": [10, 100],
}


class Counting(World):
    """A world whose pods count what clients ask, 150 times a second; failing is the share of its answers that the canary fails."""

    def __init__(self, failing=0.0):
        super().__init__()
        self.failing = failing
        self.mute = False
        self.asked_of = {"shop": 0.0, "shop-canary": 0.0}
        self.bad_from = self.bad_until = None
        self.journaled = []
        self.controllers.append(self._run_pods)
        self._run_pods()
        self.behind = self._metrics

    def _run_pods(self):
        for key in [key for key in self.objects if key[0] == "Pod"]:
            del self.objects[key]
        for one in self._kind("Deployment"):
            template = one["spec"]["template"]
            for number in range(one["spec"]["replicas"]):
                name = f"{one['metadata']['name']}-{number}"
                meta = {"name": name, "namespace": "eu", "uid": name, "labels": template["metadata"]["labels"]}
                container = {"name": "app", "ports": [{"containerPort": 8080}]}
                status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
                self.objects["Pod", "eu", name] = {"metadata": meta, "spec": {"containers": [container]}, "status": status}

    def sleep(self, seconds):
        super().sleep(seconds)
        weights = {one["destination"]["host"]: one.get("weight", 100) for one in self.route}
        share = weights.get("shop-canary", 0) / 100
        self.asked_of["shop-canary"] += RATE * seconds * share
        self.asked_of["shop"] += RATE * seconds * (1 - share)
        if share and self.bad_from is None:
            self.bad_from = self.seconds - seconds
        if share:
            self.bad_until = self.seconds

    def _metrics(self, path):
        pod = path.split("/pods/")[1].split(":")[0]
        workload = pod.rpartition("-")[0]
        if self.mute and workload == "shop-canary":
            return Text(503, {}, "connection refused")
        replicas = self.stored("Deployment", "eu", workload)["spec"]["replicas"]
        total = round(self.asked_of[workload] / replicas)
        failed = round(total * self.failing) if workload == "shop-canary" else 0
        return Text(200, {}, f'http_requests_total{{code="200"}} {total - failed}\nhttp_requests_total{{code="500"}} {failed}\n')

    def request(self, method, path, *, body=None, **more):
        if method == "PATCH" and "/configmaps/" in path:
            self.journaled.append(self.seconds)
        return super().request(method, path, body=body, **more)


def test_a_bad_version_is_gone_within_three_seconds_without_any_prometheus():
    world = Counting(failing=0.5)
    result = world.start(**FROM_PODS)
    assert result["outcome"] == "rolled_back"
    assert world.bad_until - world.bad_from <= 3.0
    assert "stable's" in result["reason"]
    world.assert_home("shop:1")


def test_a_good_version_is_promoted_and_neither_lines_nor_journal_come_every_second():
    world = Counting()
    assert world.start(**FROM_PODS)["outcome"] == "promoted"
    world.assert_home("shop:2")
    began = next(index for index, line in enumerate(world.lines) if "  weight " in line)
    ended = next(index for index, line in enumerate(world.lines) if "  advance " in line)
    looks = [line for line in world.lines[began:ended] if "  look " in line]
    assert 4 <= len(looks) <= 7, "about 370 requests at 15 a second, one line every five seconds"
    assert len(world.journaled) < 35
    assert any("dispersion 1" in line for line in world.lines)


def test_a_canary_whose_counters_fall_silent_is_never_taken_for_a_good_one():
    world = Counting()
    world.at["  weight "] = lambda: setattr(world, "mute", True)
    result = world.start(**FROM_PODS, release_no_data_seconds=20)
    assert result["outcome"] == "rolled_back"
    assert "no pod of canary answers" in result["reason"]
    assert len([line for line in world.lines if "  hold " in line]) <= 3
    world.assert_home("shop:1")


def test_a_release_from_pods_is_resumed_from_its_record_alone():
    world = Counting()
    spec = parse({**GIVEN, **FROM_PODS})
    assert world.start(**FROM_PODS, release_stop_after="weight-10")["outcome"] == "running"
    assert spec_from(record.load(world, "eu", "shop").spec) == spec
    assert world.start(**FROM_PODS)["outcome"] == "promoted"


def test_a_runner_without_the_parser_takes_over_holds_and_brings_traffic_back(monkeypatch):
    world = Counting()
    world.start(**FROM_PODS, release_no_data_seconds=20, release_stop_after="weight-10")
    monkeypatch.setattr(exposition, "IMPORT_ERROR", ImportError("No module named 'prometheus_client'"))
    result = world.start(**FROM_PODS, release_no_data_seconds=20)
    assert result["outcome"] == "rolled_back"
    assert "pip install prometheus-client" in result["reason"]
    world.assert_home("shop:1")


def test_the_right_to_read_through_the_pod_proxy_is_asked_for_first():
    world = Counting()
    world.denied.add(("get", "pods/proxy"))
    with pytest.raises(Refused, match="get pods/proxy"):
        world.start(**FROM_PODS)
    world.start(release_gates=[])
    world.assert_home("shop:2")
