# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release to a Canary: the strategies, the gates, the route; and what Flagger has no word for, with its field."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import build, fields, metrics, service
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_flagger import GIVEN

PROMETHEUS = {"release_prometheus": {"service": "monitoring/prometheus:9090"}}
ERRORS = {"name": "errors", "error_rate": {"max": "1%"}, "judge": "threshold"}
SERVICE = {"metadata": {"name": "shop"}, "spec": {"ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}
QUERY = 'q{a="{canary}",b="{stable}",c="{canary_service}"}'
RULE = {"name": "main", "timeout": "5s", "route": [{"destination": {"host": "shop"}}]}
PLAIN = {"hosts": ["h"], "gateways": ["g"], "http": [RULE]}
ROUTE = {"metadata": {"name": "shop", "labels": {"team": "a"}}, "spec": PLAIN}


def spec(**changed):
    given = {**GIVEN, **changed}
    if given["release_gates"]:
        given |= PROMETHEUS | ({"release_looks": {"interval_seconds": 10, "threshold": 2}} if "release_looks" not in changed else {})
    return parse({key: value for key, value in given.items() if value is not None})


def analysis(**changed):
    one = spec(**changed)
    return build.analysis(one, metrics.metrics(one, "shop", "istio_source" if one.counted else None), ())


def refused(**changed):
    one = spec(**changed)
    return {problem.field: problem.allowed for problem in [*fields.problems(one), *metrics.problems(one)]}


def test_a_canary_takes_the_weights():
    assert analysis(release_gates=[ERRORS], release_steps=[0, 10, 50, 100]) == {
        "interval": "10s",
        "threshold": 2,
        "metrics": [{"name": "errors", "templateRef": {"name": "shop-errors"}, "interval": "30s", "thresholdRange": {"max": 1}}],
        "stepWeights": [10, 50, 100],
    }


def test_blue_green_looks_before_the_switch():
    made = analysis(release_strategy="blue_green", release_steps=None, release_verify_seconds=150)
    assert (made["iterations"], "stepWeights" in made) == (3, False)


def test_matched_requests_are_an_a_b_test():
    made = analysis(release_match=[{"headers": {"X-Cell": "staff"}}], release_match_seconds=300, release_steps=[100])
    assert (made["match"], made["iterations"]) == ([{"headers": {"x-cell": {"exact": "staff"}}}], 5)
    assert "webhooks" not in made


def test_an_a_b_test_that_reports_has_a_gate_that_nobody_opens():
    made = analysis(
        release_strategy="ab_test",
        release_steps=None,
        release_match=[{"query": {"v": "2"}}],
        release_ab={"iterations": 2, "iteration_seconds": 60},
    )
    assert (made["match"], made["iterations"]) == ([{"queryParams": {"v": {"exact": "2"}}}], 2)
    assert [one["type"] for one in made["webhooks"]] == ["confirm-promotion"]


@pytest.mark.parametrize(("provider", "name"), [("istio", "istio"), ("gateway_api", "gatewayapi:v1"), ("linkerd", "gatewayapi:v1")])
def test_providers(provider, name):
    one = spec(release_traffic={"provider": provider, "service": "shop"})
    made = build.canary(one, {"port": 80}, [], {"kind": "HorizontalPodAutoscaler", "name": "shop"})
    assert made["spec"]["provider"] == name
    assert made["spec"]["autoscalerRef"] == {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "shop"}
    assert made["metadata"]["labels"][build.RELEASE] == "shop"


@pytest.mark.parametrize(
    ("gate", "limits", "parts"),
    [
        ({"error_rate": {"max": "0.5%"}}, {"max": 0.5}, ["100 * (sum(", "or vector(0)", 'destination_service_name="shop-canary"', "[{{ interval }}]"]),
        ({"latency": {"slower_than": "500ms", "max": "2%"}}, {"max": 2}, ["100 * (1 - ", 'le=~"500', 'le="+Inf"']),
        ({"latency": {"p99": {"max": "300ms"}}}, {"max": 300}, ["1 * histogram_quantile(0.99, sum by (le)"]),
        ({"request_rate": {"min": 5}}, {"min": 5}, ["sum(rate("]),
        ({"query": {"promql": QUERY, "min": 2, "max": 9}}, {"min": 2, "max": 9}, ['q{a="shop",b="shop-primary",c="shop-canary"}']),
    ],
)  # fmt: skip
def test_gates_become_one_number_in_a_range(gate, limits, parts):
    one = spec(release_gates=[{"name": "g", "judge": "threshold", **gate}])
    metric = metrics.metrics(one, "shop", "istio_source")[0]
    body = metrics.template(one, metric, {})
    assert metric.body("t", 10)["thresholdRange"] == limits
    assert all(part in body["spec"]["query"] for part in parts)
    assert body["spec"]["provider"] == {"type": "prometheus", "address": "http://prometheus.monitoring:9090"}
    assert metric.note.startswith("gate g: ")


def test_pods_are_told_by_flaggers_names():
    one = spec(release_gates=[ERRORS])
    made = metrics.arms(one, "shop", "istio_destination")
    assert (made.stable, made.canary) == ("shop-primary", "shop")
    assert 'destination_workload="shop"' in made.canary_selector


def test_a_sequential_gate_says_what_becomes_of_it():
    one = spec(release_gates=[{"name": "errors", "error_rate": {"max": "1%"}}], release_looks=None)
    assert metrics.metrics(one, "shop", "istio_source")[0].note.endswith("with no sequential test")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"release_strategy": "shadow", "release_gates": [ERRORS], "release_steps": [100]}, "release_strategy"),
        ({"release_strategy": "rolling", "release_steps": [100]}, "release_strategy"),
        ({"release_promotion": "swap", "release_swap": {"workload": "Deployment/v2", "label": "track", "value": "v2"}}, "release_promotion"),
        ({"release_traffic": {"provider": "service", "service": "shop", "max_extra_pods": 1}}, "release_traffic.provider"),
        ({"release_traffic": {"provider": "istio", "service": "shop", "route": "main"}}, "release_traffic.route"),
        ({"release_checks": [{"name": "smoke", "http": {"path": "/"}}]}, "release_checks"),
        ({"release_webhooks": [{"name": "load", "url": "http://load.example"}]}, "release_webhooks"),
        ({"release_on_inconclusive": "ask"}, "release_on_inconclusive"),
        ({"release_rollback": "capacity_first"}, "release_rollback"),
        ({"release_fix_forward": True}, "release_fix_forward"),
        ({"release_stop_after": "weight-25"}, "release_stop_after"),
        ({"release_config": {"data": {"env": {"A": "1"}}}}, "release_config"),
        ({"release_parked_weight": 5}, "release_parked_weight"),
        ({"release_steps": [{"weight": 25, "bake_seconds": 600}, 100]}, "release_steps[0].bake_seconds"),
        ({"release_steps": [50, 100], "release_match": [{"headers": {"a": "b"}}]}, "release_steps"),
        ({"release_gates": [ERRORS], "release_looks": {"interval_seconds": 5}}, "release_looks.interval_seconds"),
        ({"release_gates": [ERRORS], "release_looks": {"consecutive": True}}, "release_looks.consecutive"),
        ({"release_gates": [{"name": "r", "restarts": {}}], "release_looks": None}, "release_gates[0].restarts"),
        ({"release_gates": [{"name": "c", "cpu": {}}], "release_looks": None}, "release_gates[0].cpu"),
        ({"release_gates": [ERRORS], "release_strategy": "blue_green", "release_steps": None}, "release_gates[0].error_rate"),
        ({"release_gates": [ERRORS], "release_prometheus": {"url": "https://p.example", "token": "t"}}, "release_prometheus.token"),
    ],
)  # fmt: skip
def test_what_flagger_cannot_do_is_refused_with_its_field(changed, field):
    if "release_prometheus" in changed:
        one = parse({key: value for key, value in {**GIVEN, **changed}.items() if value is not None})
        found = {problem.field for problem in metrics.problems(one)}
    else:
        found = refused(**changed)
    assert field in found


def test_a_plain_release_is_refused_nothing():
    assert refused(release_gates=[ERRORS]) == {}


def said(*routes, found=None, rules=(), **traffic):
    """routes: the one that there is, None where there is none; left out, it is the usual one."""
    problems = []
    route, found = (routes[0] if routes else ROUTE), found or SERVICE
    made = service.service(spec(release_traffic={"service": "shop", **traffic}), found, route, rules, problems)
    return made, [(one.field, one.allowed) for one in problems]


def test_what_flagger_can_say_of_the_route_is_copied():
    rule = {"metadata": {"name": "shop"}, "spec": {"host": "shop.eu.svc.cluster.local", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}}
    made, problems = said(rules=[rule])
    assert problems == []
    assert made == {
        "name": "shop", "port": 80, "targetPort": "http", "portName": "http", "hosts": ["h"], "gateways": ["g"], "timeout": "5s",
        "apex": {"labels": {"team": "a"}}, "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spec": {**PLAIN, "http": [RULE, {"name": "internal"}]}}, "one rule"),
        ({"spec": {**PLAIN, "exportTo": ["."]}}, "without spec.exportTo"),
        ({"spec": {**PLAIN, "http": [{**RULE, "fault": {}}]}}, "without spec.http[0].fault"),
        ({"spec": {**PLAIN, "http": [{"route": [{"destination": {"host": "shop", "subset": "v1"}}]}]}}, "no subset"),
    ],
)
def test_what_flagger_would_lose_of_the_route_is_refused(change, words):
    _made, problems = said({**ROUTE, **change})
    assert problems[0][0] == "release_traffic.virtual_service"
    assert words in problems[0][1]


def test_a_second_port_would_be_lost():
    _made, problems = said(found={**SERVICE, "spec": {"ports": [{"port": 80}, {"port": 81}]}})
    assert problems[0][0] == "release_traffic.service"


def test_an_http_route_gives_its_parents_and_hosts():
    rules = [{"backendRefs": [{"name": "shop", "port": 80}]}]
    route = {"metadata": {"name": "shop"}, "spec": {"parentRefs": [{"name": "public"}], "hostnames": ["h"], "rules": rules}}
    made, problems = said(route, provider="gateway_api")
    assert (made["gatewayRefs"], made["hosts"], problems) == ([{"name": "public"}], ["h"], [])
    route["spec"]["rules"][0]["filters"] = [{}]
    assert "spec.rules[0].filters" in said(route, provider="gateway_api")[1][0][1]


def test_a_mesh_route_of_linkerd_hangs_on_the_service():
    made, problems = said(None, provider="linkerd")
    assert (made["gatewayRefs"], problems) == ([{"group": "core", "kind": "Service", "name": "shop", "port": 80}], [])


def test_a_route_of_another_name_would_be_a_second_one():
    other = {**ROUTE, "metadata": {"name": "public"}}
    assert service.named_otherwise(spec(), "shop", [other, ROUTE])[0].value == "public"
