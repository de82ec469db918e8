# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests of Flagger and Argo that cannot be a release: refused with the path of the field, whatever stands in it."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_foreign_manifests import (
    BESIDE,
    FOLDER,
    by_name,
    changed,
    documents,
    refused,
)

ROUTING = "spec.strategy.canary.trafficRouting"
STEPS = "spec.strategy.canary.steps"
ARGS = "spec.strategy.canary.analysis.args"
WRONG = [
    ("flagger-istio-canary", "apiVersion", "flagger.app/v1alpha3", "apiVersion", "flagger.app/v1beta1"),
    ("flagger-istio-canary", "spec.provider", "nginx", "spec.provider", "one of istio"),
    ("flagger-istio-canary", "spec.provider", 5, "spec.provider", "a string"),
    ("flagger-istio-canary", "spec.suspend", True, "spec.suspend", "releases nothing"),
    ("flagger-istio-canary", "spec.ingressRef", {"kind": "Ingress", "name": "x"}, "spec.ingressRef", "no router here"),
    ("flagger-istio-canary", "spec.targetRef.kind", "DaemonSet", "spec.targetRef.kind", "Deployment of apps/v1"),
    ("flagger-istio-canary", "spec.targetRef", None, "spec.targetRef", "is required"),
    ("flagger-istio-canary", "spec.canaryAnalysis", {"interval": "1m"}, "spec.canaryAnalysis", "rename it"),
    ("flagger-istio-canary", "spec.analysis.stepweight", 5, "spec.analysis.stepweight", "did you mean stepWeight?"),
    ("flagger-istio-canary", "spec.analysis.interval", "often", "spec.analysis.interval", "a duration"),
    ("flagger-istio-canary", "spec.analysis.threshold", "five", "spec.analysis.threshold", "a whole number"),
    ("flagger-istio-canary", "spec.analysis.stepWeight", 120, "spec.analysis.stepWeight", "from 1 to 100"),
    ("flagger-istio-canary", "spec.analysis.stepWeight", None, "spec.analysis", "stepWeight or stepWeights"),
    ("flagger-istio-canary", "spec.analysis.metrics", "all", "spec.analysis.metrics", "did you mean metrics[]?"),
    ("flagger-istio-canary", "spec.analysis.alerts", [{"name": "chat", "providerRef": {"name": "x"}}], "spec.analysis.alerts", "leave_out"),
    ("flagger-istio-canary", "spec.analysis.metrics.0.name", "uptime", "spec.analysis.metrics[0].name", "which are built in"),
    ("flagger-istio-canary", "spec.analysis.metrics.0.thresholdRange", {"max": 1}, "spec.analysis.metrics[0].thresholdRange", "min alone"),
    ("flagger-istio-canary", "spec.analysis.metrics.1.thresholdRange", {"min": 1}, "spec.analysis.metrics[1].thresholdRange", "max alone"),
    (
        "flagger-istio-canary", "spec.analysis.metrics.0.templateRef", {"name": "x"}, "spec.analysis.metrics[0].templateRef",
        "kubectl get metrictemplate -n eu x",
    ),
    ("flagger-istio-canary", "spec.analysis.match", [{"headers": {"x": {"exact": "a"}}}], "spec.analysis.iterations", "is required with match"),
    ("flagger-istio-ab-test", "spec.analysis.match.0.headers.x-canary", "insider", "spec.analysis.match[0].headers.x-canary", "{suffix: value}"),
    ("flagger-istio-ab-test", "spec.analysis.match.0.sourceLabels", {"app": "a"}, "spec.analysis.match[0].sourceLabels", "labels of who sends"),
    ("flagger-gateway-api", "spec.analysis.stepWeights", [10, 5], "spec.analysis.stepWeights", "weights that grow"),
    ("flagger-linkerd", "spec.analysis.metrics.1.query", "up{{ if }}", "spec.analysis.metrics[1].query", "these words alone"),
    ("argo-istio-hosts", "apiVersion", "argoproj.io/v1", "apiVersion", "argoproj.io/v1alpha1"),
    ("argo-istio-hosts", "spec.paused", True, "spec.paused", "releases nothing"),
    ("argo-istio-hosts", "spec.workloadRef.kind", "ReplicaSet", "spec.workloadRef", "a Deployment of apps/v1"),
    ("argo-istio-hosts", "spec.strategy", {}, "spec.strategy", "exactly one of canary and blueGreen"),
    ("argo-istio-hosts", "spec.strategy.canary.pingPong", {"pingService": "a"}, "spec.strategy.canary.pingPong", "stable keeps its Service"),
    ("argo-istio-hosts", f"{STEPS}.4.setWeight", 3, f"{STEPS}[4].setWeight", "more than the weight before it (5)"),
    ("argo-istio-hosts", f"{STEPS}.2", {"experiment": {"duration": "5m"}}, f"{STEPS}[2].experiment", "compared under the same traffic"),
    ("argo-istio-hosts", f"{STEPS}.2", {"plugin": {"name": "x"}}, f"{STEPS}[2].plugin", "run in the controller"),
    ("argo-istio-hosts", f"{STEPS}.2", {"setCanaryScale": {"weight": 5}}, f"{STEPS}[2].setCanaryScale.weight", "leave_out"),
    ("argo-istio-hosts", f"{STEPS}.2", {"setWeight": 5, "pause": {}}, f"{STEPS}[2]", "exactly one of setWeight"),
    ("argo-istio-hosts", f"{STEPS}.1", {"pause": {}}, f"{STEPS}[1].pause", "matched requests alone"),
    ("argo-istio-hosts", f"{STEPS}.3", {"pause": {"duration": "soon"}}, f"{STEPS}[3].pause.duration", "a duration"),
    ("argo-istio-hosts", ROUTING, {"nginx": {"stableIngress": "x"}}, f"{ROUTING}.nginx", "istio and plugins"),
    ("argo-istio-hosts", f"{ROUTING}.istio.virtualService.name", "shop.us", f"{ROUTING}.istio.virtualService.name", "namespace eu"),
    ("argo-istio-hosts", f"{ROUTING}.istio.virtualService.routes", ["a", "b"], f"{ROUTING}.istio.virtualService.routes", "one route"),
    (
        "argo-istio-hosts", "spec.strategy.canary.analysis.templates", [{"templateName": "x"}], "spec.strategy.canary.analysis.templates[0].templateName",
        "kubectl get analysistemplate -n eu x",
    ),
    (
        "argo-istio-hosts", f"{ARGS}.1.valueFrom", {"fieldRef": {"fieldPath": "status.alb"}}, f"{ARGS}.region.valueFrom.fieldRef.fieldPath",
        "metadata.labels",
    ),
    ("argo-istio-hosts", f"{ARGS}.1.valueFrom", {"podTemplateHashValue": "Latest"}, f"{ARGS}[1].valueFrom.podTemplateHashValue", "{canary_pods}"),
    ("argo-inline-analysis", f"{ROUTING}.plugins", {"other/plugin": {}}, f"{ROUTING}.plugins", "gatewayAPI"),
    ("argo-blue-green", "spec.strategy.blueGreen.autoPromotionSeconds", 30, "spec.strategy.blueGreen.autoPromotionSeconds", "never for a time alone"),
    ("argo-blue-green", "spec.strategy.blueGreen.activeService", None, "spec.strategy.blueGreen.activeService", "is required"),
    ("argo-blue-green", "spec.strategy.blueGreen.prePromotionAnalysis.templates", [{"templateName": "success"}], None, "no requests yet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path", "value", "field", "says"), WRONG, ids=[f"{row[1]}-{index}" for index, row in enumerate(WRONG)])
def test_what_has_no_counterpart_is_refused_with_the_path_of_the_field(name, path, value, field, says):
    given = changed(name, path, value)
    main = next(one for one in given if one["kind"] in ("Canary", "Rollout"))
    found = refused(given)
    where = (
        f"release_from.{main['kind']}/shop.{field}"
        if field
        else "release_from.AnalysisTemplate/success.spec.metrics[0].provider.prometheus"
    )
    assert where in found
    assert says in found[where]


METRICS = [
    ("successCondition", "result.ok", "successCondition", "result[0] >= 0.95"),
    ("provider", {"datadog": {"query": "x"}}, "provider.datadog", "prometheus"),
    ("provider", {"job": {"spec": {}}}, "provider.job", "before the first setWeight"),
    ("provider", {"prometheus": {"query": "{{ args.zone }}"}}, "", "{{ args.name }}"),
    ("provider", {"prometheus": {"address": "prometheus:9090", "query": "up"}}, "provider.prometheus.address", "a URL"),
    ("provider", {"prometheus": {"query": "up", "rangeQuery": {"step": "1m"}}}, "provider.prometheus.rangeQuery", "avg_over_time"),
    ("provider", {"prometheus": {"address": "http://p.example"}}, "provider.prometheus.query", "is required"),
    ("count", "many", "count", "a whole number from 0"),
    ("failureLimit", -2, "failureLimit", "a whole number from -1"),
    ("interval", "sometimes", "interval", "a duration"),
    ("name", "!!!", "name", "is required"),
]


@pytest.mark.parametrize(("key", "value", "field", "says"), METRICS, ids=[f"{row[0]}-{index}" for index, row in enumerate(METRICS)])
def test_a_metric_that_cannot_be_a_gate_is_refused_with_its_path_in_its_template(key, value, field, says):
    given = documents("argo-istio-hosts")
    given[1]["spec"]["metrics"][0][key] = value
    found = refused(given, release_prometheus=None)
    where = f"release_from.AnalysisTemplate/success-rate.spec.metrics[0]{'.' + field if field else ''}"
    assert says in found[where]


def test_templates_at_two_places_need_the_user_to_say_one():
    given = documents("flagger-gateway-api")
    given[0]["spec"]["provider"]["address"] = "http://other.monitoring:9090"
    field = "release_from.MetricTemplate/latency.spec.provider.address"
    assert "the same Prometheus for all metrics" in refused(given, release_prometheus=None)[field]
    assert parse({**BESIDE, "release_from": given}).prometheus_url == "http://prometheus.example"


@pytest.mark.parametrize(
    ("provider", "field", "says"),
    [
        ({"type": "datadog"}, "type", "prometheus"),
        ({"type": "prometheus", "address": "http://a.b:1", "secretRef": {"name": "x"}}, "secretRef", "release_prometheus"),
    ],
)
def test_a_metric_template_of_another_provider_or_with_a_secret_is_refused(provider, field, says):
    given = documents("flagger-gateway-api")
    given[0]["spec"]["provider"] = provider
    assert says in refused(given)[f"release_from.MetricTemplate/latency.spec.provider.{field}"]


def test_fields_of_a_template_are_left_out_by_its_name():
    given = documents("flagger-gateway-api")
    given[0]["spec"]["provider"]["secretRef"] = {"name": "x"}
    left = {"documents": given, "leave_out": ["MetricTemplate/latency.spec.provider.secretRef"]}
    assert by_name(parse({**BESIDE, "release_from": left}))["latency"].query.most == 0.5


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ("kind: [", "release_from"),
        (5, "release_from"),
        ([], "release_from"),
        ([{"kind": "Service", "metadata": {"name": "a"}}], "release_from"),
        (["Canary"], "release_from"),
        ({"kind": "Canary", "name": "shop"}, "release_from"),
        ({"documents": [], "left_out": []}, "release_from.left_out"),
    ],
    ids=str,
)
def test_what_is_no_manifest_is_refused_and_nothing_else_is_asked_for(given, field):
    assert next(iter(refused(given))) == field


def test_two_canaries_are_refused():
    given = documents("flagger-istio-canary")
    assert "exactly one Canary or Rollout" in refused([*given, *given])["release_from"]


@pytest.mark.parametrize("path", ["spec.analysis.alert", "spec.analysis.metrics[9]", "", 5])
def test_a_path_to_leave_out_that_leads_nowhere_is_refused(path):
    given = {"documents": documents("flagger-istio-canary"), "leave_out": [path]}
    assert "the path of a field" in refused(given)["release_from.leave_out[0]"]


def test_a_list_of_the_api_server_is_taken_apart():
    given = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": documents("flagger-istio-canary")}
    assert parse({**BESIDE, "release_from": given}).name == "shop"


def test_reading_leaves_the_documents_as_they_were():
    given = documents("flagger-gateway-api")
    before = copy.deepcopy(given)
    parse({**BESIDE, "release_from": {"documents": given, "leave_out": ["spec.service.hosts"]}})
    assert given == before


JUNK: tuple[object, ...] = (5, -1, True, "x", "", "{{ x }}", [], {}, [5], [None], ["x"], {"a": 1}, [{"a": 1}], {"name": None}, 0.5, [[]])


def places(value, way=()):
    """Every way to a value inside of a value."""
    found = [way] if way else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        found += places(below, (*way, key))
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yml")))
def test_whatever_stands_in_a_field_is_read_or_refused_and_never_a_crash(name):
    whole = documents(name)
    for index, way in enumerate(places(whole)):
        given = copy.deepcopy(whole)
        holder = given
        for key in way[:-1]:
            holder = holder[key]
        for junk in (JUNK[index % len(JUNK)], JUNK[(7 * index + 3) % len(JUNK)], JUNK[(5 * index + 1) % len(JUNK)]):
            holder[way[-1]] = junk
            for over in ({}, {"release_strategy": "shadow", "release_prometheus": None}):
                try:
                    parse({**BESIDE, "release_from": given, **over})
                except SpecError as error:
                    assert error.problems
