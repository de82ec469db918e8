# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number of each pod: whose it is, what is none, and what is refused before a release."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.verdict import BAD_QUERY, NO_DATA, TOO_LITTLE_DATA
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import pod_inspect
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import BadQuery, Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Target
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

GAUGE = {"name": "queue", "per_pod": {"promql": 'max by (pod) (queue{n="{namespace}"})', "unit": "jobs"}}
DEPLOYMENT = {"spec": {"selector": {"matchLabels": {"app": "shop"}}}}
TEMPLATE = {"metadata": {"labels": {"app": "shop"}}, "spec": {}}


def spec(*gates, **more):
    return parse({
        "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
        "release_prometheus": {"url": "http://p.example"}, "release_gates": list(gates), **more,
    })  # fmt: skip


def series(values):
    result = [{"metric": {"pod": pod} if pod else {}, "value": [0, str(value)]} for pod, value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class Script:
    """A transport that gives one answer; what it was asked is kept."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def get(self, path, parameters):
        self.asked.append(parameters["query"])
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def api():
    made = FakeApi()
    for name, app, restarts in (("shop-a", "shop", 1), ("shop-b", "shop", 0), ("shop-canary-c", "shop-canary", 2)):
        status = {"phase": "Running", "containerStatuses": [{"restartCount": restarts}, {"restartCount": 1}]}
        meta = {"name": name, "namespace": "eu", "labels": {"app": app}, "uid": f"{name}-0000-0000"}
        made.put({"kind": "Pod", "metadata": meta, "spec": {}, "status": status})
    return made


def reader(monkeypatch, api, made, script):
    monkeypatch.setattr(assemble, "transport", lambda *_: script)
    target = Target(
        cluster_uid="", namespace="eu", workload="shop", container="app", stable_image="shop:1", stable_replicas=2, original_template=TEMPLATE,
        new_template=TEMPLATE, switch_label="app", pod_labels={"app": "shop-canary"}, service="shop", revision=None, original_knobs={},
        new_knobs={}, place={}, destination_rule=None, metrics_source=None, dispersion={}, history_known=True,
    )  # fmt: skip
    return assemble._queries(api, made, target)


def read(monkeypatch, api, values, gate=None):
    gate = gate or GAUGE
    script = Script(values if isinstance(values, Exception) else series(values))
    return reader(monkeypatch, api, spec(gate), script).read([gate["name"]], compare=True)[0]


def test_numbers_belong_to_the_version_whose_pod_it_is_and_strangers_to_none(monkeypatch, api):
    found = read(monkeypatch, api, [("shop-b", 4), ("shop-a", 2), ("shop-canary-c", 9), ("shopping-z", 100)])
    assert found.values == (("canary/shop-canary-c", 9.0), ("stable/shop-a", 2.0), ("stable/shop-b", 4.0))
    assert (found.canary, found.baseline, found.problem) == (9.0, 3.0, None)


@pytest.mark.parametrize(
    ("values", "cause", "says"),
    [
        ([("shop-a", 1)], NO_DATA, "no series of canary's pods"),
        ([("shop-canary-c", 1)], NO_DATA, "no series of stable's pods"),
        ([("shop-a", 1), ("shop-canary-c", "NaN")], TOO_LITTLE_DATA, "no finite number of canary's pods"),
        ([("shop-a", 1), ("shop-a", 2), ("shop-canary-c", 1)], BAD_QUERY, "several series of pod shop-a"),
        ([("", 1)], BAD_QUERY, "a series without the label pod"),
        (BadQuery("parse error"), BAD_QUERY, "parse error"),
        (Unavailable("HTTP 503"), NO_DATA, "HTTP 503"),
    ],
    ids=str,
)
def test_what_is_no_number_of_both_versions_is_a_cause_and_never_a_value(monkeypatch, api, values, cause, says):
    found = read(monkeypatch, api, values)
    assert (found.canary, found.problem, says in found.detail) == (None, cause, True)


def test_what_is_no_number_counts_as_zero_where_the_gate_says_so(monkeypatch, api):
    found = read(monkeypatch, api, [("shop-a", 1), ("shop-canary-c", "NaN")], {**GAUGE, "samples": {"nan_strategy": "replace"}})
    assert (found.canary, found.problem) == (0.0, None)


def test_pods_that_cannot_be_listed_are_no_data(monkeypatch, api):
    made = reader(monkeypatch, api, spec(GAUGE), Script(series([])))
    api.silence(1)
    assert made.read(["queue"], compare=True)[0].problem == NO_DATA


def test_restarts_of_all_containers_come_from_the_pods_themselves_without_any_prometheus(monkeypatch, api):
    made = spec({"name": "restarts", "restarts": {}}, release_prometheus=None)
    found = reader(monkeypatch, api, made, None).read(["restarts"], compare=False)[0]
    assert (found.canary, found.baseline) == (3.0, 3.0)
    assert dict(found.values) == {"canary/shop-canary-c": 3.0, "stable/shop-a-0000-0": 2.0, "stable/shop-b-0000-0": 1.0}
    assert reader(monkeypatch, api, spec(GAUGE), None) is None, "a record without its secrets asks nobody"


@pytest.mark.parametrize(
    ("gate", "parts"),
    [
        ({"name": "x", "cpu": {}}, ["1000 * sum by (pod) (rate(container_cpu_usage_seconds_total{", 'container!=""', "[60s]"]),
        ({"name": "x", "cpu": {"per": "request", "container": "app"}}, ['container="app"', ") / on (pod) (", "istio_requests_total", "http_requests_total"]),
        ({"name": "x", "memory": {}, "samples": {"sample_seconds": 1}}, ["container_memory_working_set_bytes{", 'namespace="eu"', "/ 1048576"]),
        ({"name": "x", "cpu": {}, "samples": {"sample_seconds": 120}}, ["[120s]"]),
    ],
)  # fmt: skip
def test_cpu_and_memory_ask_what_the_kubelet_counts(monkeypatch, api, gate, parts):
    script = Script(series([]))
    reader(monkeypatch, api, spec(gate), script).read(["x"], compare=True)
    assert all(part in script.asked[0] for part in parts), script.asked


def inspected(api, answer, gate=None):
    problems = []
    pod_inspect.inspect(api, spec(gate or GAUGE), DEPLOYMENT, "shop", Script(answer), problems=problems)
    return {one.field: str(one) for one in problems}


def test_before_a_release_each_query_must_have_numbers_of_stables_pods(api):
    assert inspected(api, series([("shop-a", 1)])) == {}
    found = inspected(api, series([("cart-z", 1)]))["release_gates[0].per_pod"]
    assert "a series of each of stable's 2 pods; there are series of: cart-z" in found
    assert "there are series of: none" in inspected(api, series([]), {"name": "x", "memory": {}})["release_gates[0].memory"]


@pytest.mark.parametrize(
    ("answer", "field", "says"),
    [
        (BadQuery("parse error"), "release_gates[0].per_pod", "one series for each pod: parse error"),
        (series([("", 1)]), "release_gates[0].per_pod", "without the label pod"),
        (Unavailable("HTTP 503"), "release_prometheus", "a Prometheus that answers: HTTP 503"),
    ],
)
def test_before_a_release_a_query_that_cannot_work_is_refused(api, answer, field, says):
    assert says in inspected(api, answer)[field]
