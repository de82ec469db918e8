# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What engine argo_rollouts goes by: its table of verbs against recorded Rollouts, the objects that it builds, routes, and what it refuses."""

import json
from pathlib import Path

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import analysis, build, fields, phase, queries, routes, table
from ansible_collections.progressive.delivery.plugins.module_utils.engine.table import DOES, KINDS
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import DEFAULTS, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.engine import argo_tables
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_argo import GIVEN

RECORDED = Path(__file__).parent / "argo_recorded"
PHASES = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}
GATED = {"release_prometheus": {"service": "monitoring/prometheus:9090"}, "release_looks": {"interval_seconds": 5}}


def gated(*gates, **more):
    return parse({**GIVEN, **GATED, "release_gates": list(gates), **more})


def errors(**more):
    return {"name": "errors", "error_rate": {"max": "1%"}, "judge": "threshold", **more}


def asking(query):
    return {**GATED, "release_looks": None, "release_gates": [{"name": "q", "query": query}]}


def built(spec, source="istio_source"):
    return build.build(spec, 3, "shop", build.Route("VirtualService", "shop", "primary"), source)


@pytest.mark.parametrize("name", PHASES)
def test_a_recorded_rollout_is_in_the_phase_that_it_was_recorded_in(name):
    assert phase.phase_of(PHASES[name]["rollout"]) == name.partition(".")[0]


@pytest.mark.parametrize("verb", table.VERBS)
def test_every_verb_has_an_effect_in_every_phase_and_an_act_where_it_does_something(verb):
    row = table.TABLE[verb]
    assert tuple(row) == phase.PHASES
    for effect in row.values():
        assert effect.kind in KINDS and effect.said
        assert bool(effect.act) == (effect.kind == DOES)


@pytest.mark.parametrize("name", PHASES)
def test_abort_always_does_something_and_an_ended_release_alone_is_rolled_back(name):
    found = phase.phase_of(PHASES[name]["rollout"])
    assert table.effect_of("abort", found).kind == DOES
    assert (table.effect_of("rollback", found).kind == DOES) == (found == phase.HEALTHY)


def test_the_page_has_the_codes_tables():
    assert argo_tables.page(argo_tables.PAGE.read_text()) == argo_tables.PAGE.read_text()


def test_every_option_of_a_release_is_said_to_become_something_once():
    told = [*fields.BECOMES, *fields.CANNOT, *(name for name in fields.ONLY if "." not in name), *fields.NATIVE_ALONE]
    assert sorted(told) == sorted(set(told))
    assert set(DEFAULTS) <= set(told)


def test_the_steps_are_weights_bakes_evidence_and_approvals():
    spec = gated(
        errors(),
        release_steps=[{"weight": 10, "bake_seconds": 20}, {"weight": 50, "approve": True}, 100],
        release_approve=["traffic", "promote"],
    )
    canary = built(spec).rollout["spec"]["strategy"]["canary"]
    assert [phase.step_name(step) for step in canary["steps"]] == [
        "approval", "weight 10 %", "bake 20s", "evidence", "weight 50 %", "bake 5s", "evidence", "approval",
        "weight 100 %", "bake 5s", "evidence", "approval",
    ]  # fmt: skip
    assert canary["analysis"]["startingStep"] == 2
    assert (canary["stableService"], canary["canaryService"]) == ("shop", "shop-canary")
    assert canary["trafficRouting"]["istio"]["virtualService"] == {"name": "shop", "routes": ["primary"]}


def test_the_deployment_stays_the_source_of_the_template_and_the_controller_scales_it_down():
    found = built(gated(errors())).rollout["spec"]
    assert found["workloadRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "scaleDown": "onsuccess"}
    assert "template" not in found and "selector" not in found
    assert found["progressDeadlineAbort"] is True


def test_subsets_are_steered_without_services():
    traffic = {"provider": "istio", "service": "shop", "subsets": {"stable": "v1", "canary": "v2", "destination_rule": "shop"}}
    canary = built(parse({**GIVEN, "release_traffic": traffic})).rollout["spec"]["strategy"]["canary"]
    assert canary["trafficRouting"]["istio"]["destinationRule"] == {"name": "shop", "stableSubsetName": "v1", "canarySubsetName": "v2"}
    assert "canaryService" not in canary


def test_blue_green_by_a_service_switches_and_is_analysed_after_it():
    query = {"name": "own", "query": {"promql": 'up{pod=~"{canary_pods}"}', "min": 1}}
    given = {"release_strategy": "blue_green", "release_steps": None, "release_traffic": {"provider": "service", "service": "shop"}}
    found = built(gated(query, release_looks=None, release_verify_seconds=180, release_approve=["traffic"], **given), None)
    green = found.rollout["spec"]["strategy"]["blueGreen"]
    assert (green["activeService"], green["previewService"], green["autoPromotionEnabled"]) == ("shop", "shop-canary", False)
    assert green["postPromotionAnalysis"]["args"] == [{"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    assert [one["metadata"]["name"] for one in found.templates] == ["shop-evidence"]
    assert found.templates[0]["spec"]["metrics"][0]["count"] == 3


def test_a_canary_by_a_service_alone_has_no_route():
    canary = built(parse({**GIVEN, "release_traffic": {"provider": "service", "service": "shop"}})).rollout["spec"]["strategy"]["canary"]
    assert "trafficRouting" not in canary and "canaryService" not in canary


def test_a_gate_on_errors_asks_for_the_canarys_share_and_nothing_is_no_success():
    watch, evidence = built(gated(errors(looks={"threshold": 3, "min_requests": 20}))).templates
    metric = watch["spec"]["metrics"][0]
    assert (metric["successCondition"], metric["failureLimit"], metric["interval"]) == ("result[0] <= 0.01", 2, "5s")
    query = metric["provider"]["prometheus"]["query"]
    assert 'destination_service_name="shop-canary"' in query and query.endswith(">= 20)")
    assert "[30s]" in query
    assert metric["consecutiveErrorLimit"] == 11
    assert (evidence["spec"]["metrics"][0]["count"], "count" in metric) == (1, False)


@pytest.mark.parametrize(
    ("gate", "condition", "query"),
    [
        ({"latency": {"p99": {"max": "500ms"}}}, "result[0] <= 500", "histogram_quantile(0.99"),
        ({"latency": {"slower_than": "250ms", "max": "5%"}}, "result[0] <= 0.05", 'le=~"250'),
        ({"request_rate": {"min": 5}}, "result[0] >= 5", "sum(rate("),
        ({"query": {"promql": "x{s='{canary_service}'}", "min": 1, "max": 9}}, "result[0] >= 1 && result[0] <= 9", "x{s='shop-canary'}"),
    ],
)
def test_each_kind_of_gate_is_one_number_and_its_limits(gate, condition, query):
    metric = built(gated({"name": "one", "judge": "threshold", **gate})).templates[0]["spec"]["metrics"][0]
    assert metric["successCondition"] == condition
    assert query in metric["provider"]["prometheus"]["query"]


def test_limits_with_a_band_between_make_an_inconclusive_measurement():
    query = {"promql": "x", "max": 5, "fails_above": 9}
    metric = built(gated({"name": "one", "query": query}, release_looks=None)).templates[0]["spec"]["metrics"][0]
    assert (metric["successCondition"], metric["failureCondition"]) == ("result[0] <= 5", "result[0] > 9")


def test_a_sequential_gate_becomes_a_limit_and_a_note_says_so():
    found = built(gated({"name": "errors", "error_rate": {"max": "1%"}}, release_looks=None))
    assert any("threshold" in note and "errors" in note for note in found.notes)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"release_strategy": "shadow", "release_gates": [errors()], **GATED}, "release_strategy"),
        ({"release_strategy": "rolling"}, "release_strategy"),
        ({"release_traffic": {"provider": "linkerd"}}, "release_traffic.provider"),
        ({"release_match": [{"headers": {"x-staff": "true"}}]}, "release_match"),
        ({"release_checks": [{"name": "smoke", "http": {"path": "/"}}]}, "release_checks"),
        ({"release_on_inconclusive": "promote"}, "release_on_inconclusive"),
        ({"release_rollback": "stepped"}, "release_rollback"),
        ({"release_stop_after": "weight-10"}, "release_stop_after"),
        ({"release_gates": [errors()], **GATED, "release_prometheus": {"url": "https://p", "token": "secret"}}, "release_prometheus.token"),
        ({"release_gates": [errors(looks={"consecutive": True})], **GATED}, "release_gates[0].looks.consecutive"),
        ({"release_gates": [errors()], **GATED, "release_looks": {"iterations": 3}}, "release_looks.iterations"),
        ({"release_gates": [{"name": "r", "restarts": {}}]}, "release_gates[0].restarts"),
        (asking({"promql": "x", "baseline": "y", "tolerance": "5%"}), "release_gates[0].query.baseline"),
        (asking({"promql": "{canary}", "max": 1}), "release_gates[0].query.promql"),
        ({"release_gates": [errors()], **GATED, "release_traffic": {"provider": "service", "service": "shop"}}, "release_gates[0].error_rate"),
        ({"release_gates": [errors()], **GATED, "release_metrics_source": "http"}, "release_metrics_source"),
    ],
)  # fmt: skip
def test_what_argo_has_no_word_for_is_refused_by_its_name(given, field):
    assert field in [problem.field for problem in fields.refusals(parse({**GIVEN, **given}))]


def test_a_plain_release_is_not_refused():
    assert fields.refusals(gated(errors())) == []
    assert queries.probe("x{pod=~'shop-{{args.canary-hash}}-.*'}") == "x{pod=~'shop-none-.*'}"


def virtual(*targets, name="primary"):
    listed = [{"destination": {"host": host}, "weight": weight} for host, weight in targets]
    return {"metadata": {"name": "shop", "namespace": "eu", "resourceVersion": "7"}, "spec": {"http": [{"name": name, "route": listed}]}}


def ref():
    return routes.RouteRef("VirtualService", "shop", "eu", ("primary",), "shop", "shop-canary")


def test_the_way_home_gives_stable_everything_and_leaves_the_canarys_destination():
    found = virtual(("shop.eu.svc.cluster.local", 75), ("shop-canary.eu.svc.cluster.local", 25))
    test, change = routes.homeward(found, ref())
    assert test["value"] == "7"
    assert [target["weight"] for target in change["value"]] == [100, 0]
    assert routes.homeward(virtual(("shop", 100), ("shop-canary", 0)), ref()) == []


def test_the_canarys_destination_is_put_beside_stables_as_that_is_spelt():
    found = virtual(("shop.eu.svc.cluster.local", 100))
    _test, change = routes.with_both(found, ref(), 0)
    assert [(one["destination"]["host"], one["weight"]) for one in change["value"]] == [
        ("shop.eu.svc.cluster.local", 100),
        ("shop-canary.eu.svc.cluster.local", 0),
    ]
    assert routes.leads(virtual(("shop", 50), ("other", 50)), "VirtualService", "shop", "eu") == []


def test_evidence_is_the_newest_run_that_failed():
    def run(name, state, value):
        result = {
            "name": "errors",
            "phase": state,
            "measurements": [{"phase": state, "value": f"[{value}]", "finishedAt": "t"}],
            "failed": 1,
        }
        metrics = [{"name": "errors", "successCondition": "result[0] <= 0.01"}]
        return {"metadata": {"name": name}, "spec": {"metrics": metrics}, "status": {"phase": state, "metricResults": [result]}}

    found = analysis.evidence([run("a", "Failed", 0.9), run("b", "Failed", 0.51298), run("c", "Successful", 0)])
    assert (found["analysis_run"], found["value"]) == ("b", "0.513")
    assert analysis.sentence(found) == "errors is 0.513, allowed: result[0] <= 0.01 (AnalysisRun b: Failed)"
    assert analysis.evidence([run("c", "Successful", 0)]) == {}
