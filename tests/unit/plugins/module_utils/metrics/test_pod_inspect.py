# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before a release that reads pods: each thing that would leave it without looks is refused by field, value and what is there."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import exposition
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.pod_inspect import inspect
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.metrics.test_source import Script, Server

GIVEN = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_metrics_source": "pods", "release_pods": {"family": "http"},
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}, {"name": "slow", "latency": {"slower_than": "500ms", "max": "1%"}}],
}  # fmt: skip
BUCKETS = 'http_request_duration_seconds_bucket{le="0.5"} %d\nhttp_request_duration_seconds_bucket{le="+Inf"} %d\n'


class Shop(FakeApi):
    """Two pods of stable that serve 30 requests a second each, one of which fails."""

    def __init__(self):
        super().__init__()
        self.behind = self.answer
        self.deployment = self.put(
            {"kind": "Deployment", "metadata": {"name": "shop", "namespace": "eu"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}}}
        )
        for name in ("shop-1", "shop-2"):
            spec = {"containers": [{"name": "app", "ports": [{"containerPort": 8080, "name": "web"}]}]}
            meta = {"name": name, "namespace": "eu", "labels": {"app": "shop"}}
            self.put({"kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running"}})

    def answer(self, path):
        seconds = round(self.seconds - 1_000_000)
        total = 30 * seconds + 1000
        requests = f'http_requests_total{{code="200"}} {total - seconds}\nhttp_requests_total{{code="503"}} {seconds}\n'
        return Text(200, {}, requests + BUCKETS % (total, total))

    def inspected(self, transport=None, **changed):
        problems = []
        spec = parse({**GIVEN, **changed})
        found = inspect(self, spec, self.deployment, "shop", transport, problems=problems, container="app")
        return found, [(one.field, one.value, one.allowed) for one in problems]


@pytest.fixture
def shop():
    return Shop()


def test_todays_traffic_is_read_from_the_pods_and_without_history_errors_are_taken_to_be_independent(shop):
    found, problems = shop.inspected()
    assert problems == []
    assert found.gates == {"errors": GateReading(180, 6, 60.0), "slow": GateReading(180, 0, 60.0)}
    assert (found.source, found.dispersion, found.history_known) == ("pods", {"errors": 1.0, "slow": 1.0}, False)


def test_with_a_prometheus_the_history_is_its_and_the_looks_are_the_pods(shop):
    istio = 'istio_requests_total{reporter="destination",response_code="200"} 5\n'
    shop.behind = lambda path: Text(200, {}, istio)
    gates = [{"name": "errors", "error_rate": {"max": "1%"}}]
    given = {"release_pods": {"family": "istio"}, "release_prometheus": {"url": "http://p.example"}, "release_gates": gates}
    found, problems = shop.inspected(Server(sources=("istio_source", "istio_destination"), errors=3.0), **given)
    assert problems == []
    assert (found.source, found.history_known, found.gates["errors"].share) == ("pods", True, 0.05)


def test_a_prometheus_that_knows_nothing_of_the_family_is_refused(shop):
    script = Script({"status": "success", "data": {"result": []}})
    _found, problems = shop.inspected(script, release_prometheus={"url": "http://p.example"})
    assert problems == [("release_prometheus", "http://p.example", "a Prometheus with request counters of shop; none found as http")]


def test_without_the_parser_the_command_that_installs_it_is_told(shop, monkeypatch):
    monkeypatch.setattr(exposition, "IMPORT_ERROR", ImportError("No module named 'prometheus_client'"))
    _found, (problem,) = shop.inspected()
    assert problem[:2] == ("release_metrics_source", "pods")
    assert "pip install prometheus-client" in problem[2]


def test_without_pods_there_is_nothing_to_read(shop):
    shop.objects = {key: one for key, one in shop.objects.items() if key[0] != "Pod"}
    _found, problems = shop.inspected()
    assert problems == [("release_pods", "the first port/metrics", "pods of shop that answer there: there is no running pod")]


def test_one_pod_that_does_not_answer_is_refused_with_its_name_and_what_it_said(shop):
    shop.behind = lambda path: Text(404, {}, "404 page not found\n") if "/shop-2:" in path else shop.answer(path)
    _found, problems = shop.inspected(release_pods={"family": "http", "path": "/prometheus"})
    allowed = "pods of shop that answer there: shop-2: HTTP 404: 404 page not found"
    assert problems == [("release_pods", "the first port/prometheus", allowed)]


def test_of_the_api_servers_own_words_only_the_sentence_is_told(shop):
    status = (
        '{"kind":"Status","metadata":{},"message":"error trying to reach service: dial tcp 10.0.0.7:8080: connection refused","code":503}'
    )
    shop.behind = lambda path: Text(503, {}, status)
    _found, problems = shop.inspected()
    assert problems[0][2].endswith("shop-1: HTTP 503: error trying to reach service: dial tcp 10.0.0.7:8080: connection refused")


def test_a_pod_that_answers_the_second_time_is_good_enough(shop):
    answers = iter([Text(503, {}, "busy")])
    shop.behind = lambda path: next(answers, None) or shop.answer(path)
    _found, problems = shop.inspected()
    assert problems == []


def test_a_port_that_pods_do_not_have_is_told_with_those_they_have(shop):
    _found, problems = shop.inspected(release_pods={"family": "http", "port": "metrics"})
    assert problems[0][:2] == ("release_pods", "metrics/metrics")
    assert problems[0][2].endswith("no port metrics; there is: web")


def test_counters_of_another_family_are_named(shop):
    shop.behind = lambda path: Text(200, {}, 'http_requests_total{code="200"} 5\n' if "filter" not in path else "")
    _found, (problem,) = shop.inspected(release_pods={"family": "istio"})
    assert problem[:2] == ("release_pods.family", "istio")
    assert "istio_requests_total by response_code" in problem[2]
    assert "there is: http_requests_total. Other families: envoy, http" in problem[2]


def test_a_latency_limit_that_is_no_bound_names_the_nearest_ones(shop):
    gates = [{"name": "slow", "latency": {"slower_than": "300ms", "max": "1%"}}]
    _found, problems = shop.inspected(release_gates=gates)
    allowed = "a bucket bound of http_request_duration_seconds in stable's pods (nearest: 500ms)"
    assert problems == [("release_gates[0].latency.slower_than", "300ms", allowed)]


def test_an_answer_that_is_no_count_is_refused(shop):
    shop.behind = lambda path: Text(200, {}, 'http_requests_total{code="200"} NaN\n')
    _found, problems = shop.inspected()
    assert "not a count" in problems[0][2]


def test_a_release_of_queries_alone_asks_nothing_of_the_pods(shop):
    gates = [{"name": "paid", "query": {"promql": "paid", "min": 95}}]
    script = Script({"status": "success", "data": {"resultType": "vector", "result": []}})
    found, problems = shop.inspected(script, release_gates=gates, release_prometheus={"url": "http://p.example"})
    assert (found.gates, found.source, problems, shop.asked) == ({}, None, [], [])


def test_a_quantile_above_all_bounds_of_the_pods_is_refused(shop):
    _found, problems = shop.inspected(release_gates=[{"name": "tail", "latency": {"p99": {"max": "500ms"}}}])
    assert problems[0][0] == "release_gates[0].latency.p99.max"
    assert "in stable's pods (500ms)" in problems[0][2]
