# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Canary of Flagger or a Rollout of Argo as a release: manifests with the fields of those projects' examples, and wrong ones."""

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.release.parts import StepSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.translate.documents import TABLES
from ansible_collections.progressive.delivery.plugins.module_utils.release.translate.draft import Origin
from ansible_collections.progressive.delivery.plugins.module_utils.release.translate.table import REFUSED
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Condition, Match
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release import manifest_tables

FOLDER = Path(__file__).parent / "manifests"
BESIDE = {"release_image": "registry.example/shop:2.4.0", "release_prometheus": {"url": "http://prometheus.example"}}
MINIMAL = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "shop"},
    "spec": {"workloadRef": {"kind": "Deployment", "name": "shop"}, "strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
}
GIVES = ("ready_timeout_seconds", "strategy", "verify_seconds", "drain_seconds", "steps", "deadline_seconds")
ORIGIN = (
    {"release_from": MINIMAL, "release_traffic": {"provider": "istio"}, "release_gates": [{"error_rate": {"max": "1%"}}]},
    Origin("Rollout/shop", tuple(f"release_{name}" for name in GIVES)),
)


def documents(name):
    return list(yaml.safe_load_all((FOLDER / f"{name}.manifest").read_text()))


def read(name, **over):
    """The spec of a file of manifests; over: what the user says."""
    return parse({**BESIDE, "release_from": (FOLDER / f"{name}.manifest").read_text(), **over})


def refused(given, **over):
    """field -> allowed of what is wrong."""
    with pytest.raises(SpecError) as caught:
        parse({**BESIDE, "release_from": given, **over})
    return {one.field: one.allowed for one in caught.value.problems}


def changed(name, path, value, kind=None):
    """The documents of a file with a field of the main one, or of the first of a kind, set."""
    found = documents(name)
    holder = next(one for one in found if one["kind"] == (kind or one["kind"]) and (kind or one["kind"] in ("Canary", "Rollout")))
    *way, last = path.split(".")
    for key in way:
        holder = holder.setdefault(key, {}) if not key.isdigit() else holder
        holder = holder[int(key)] if key.isdigit() else holder
    if isinstance(holder, list):
        holder[int(last)] = value
    else:
        holder[last] = value
    return found


def weights(spec):
    return [step.weight_percent for step in spec.steps]


def by_name(spec):
    return {gate.name: gate for gate in spec.gates}


def test_a_canary_of_istio_is_a_canary_with_the_same_weights_gates_and_webhooks():
    spec = read("flagger-istio-canary")
    assert (spec.name, spec.namespace, spec.workload, spec.strategy, spec.provider, spec.service) == (
        "shop",
        "eu",
        "shop",
        "canary",
        "istio",
        "shop",
    )
    assert weights(spec) == [20, 40, 60, 100]
    gates = by_name(spec)
    assert (gates["request-success-rate"].judge, gates["request-success-rate"].max_share) == ("threshold", pytest.approx(0.01))
    assert (gates["request-duration"].quantile.quantile, gates["request-duration"].quantile.max_ms) == (0.99, 500)
    assert (spec.looks.interval_seconds, spec.looks.threshold, spec.looks.iterations, spec.looks.no_data) == (60, 5, 0, "fail")
    assert spec.ready_timeout_seconds == 60
    assert [hook.type for hook in spec.webhooks] == ["confirm-rollout", "pre-rollout", "rollout", "confirm-promotion", "event", "rollback"]
    load, gate, chat = spec.webhooks[2], spec.webhooks[3], spec.webhooks[4]
    assert (load.interval_seconds, load.threshold, load.retries, load.timeout_seconds) == (60, 5, 2, 5)
    assert (gate.mute_alert, gate.on_deadline, chat.validate_certs) == (True, "park", False)
    assert not any(hook.lost_secrets for hook in spec.webhooks)


def test_the_failed_looks_and_lost_data_of_a_canary_have_the_time_that_flagger_gives_them():
    spec = parse({**BESIDE, "release_from": changed("flagger-istio-canary", "spec.analysis.interval", "10m")})
    assert spec.no_data_seconds == 6 * 600
    assert spec.max_hold_seconds == 5 * 600
    assert spec.deadline_seconds >= 12 * 600


@pytest.mark.parametrize(
    ("step", "most", "expected"),
    [(5, 50, [*range(5, 51, 5), 100]), (20, 50, [20, 40, 60, 100]), (30, None, [30, 60, 90, 100]), (50, 100, [50, 100]), (100, 100, [100])],
)
def test_weights_are_counted_as_flagger_counts_them(step, most, expected):
    found = changed("flagger-istio-canary", "spec.analysis.stepWeight", step)
    found[0]["spec"]["analysis"]["maxWeight"] = most
    assert weights(parse({**BESIDE, "release_from": found})) == expected


def test_an_a_b_test_gives_the_matched_requests_alone_its_iterations_and_then_everybody():
    spec = read("flagger-istio-ab-test")
    assert (spec.strategy, spec.service, weights(spec), spec.match_seconds) == ("canary", "store", [100], 300)
    assert spec.matches == (
        Match((Condition("header", "x-canary", "exact", "insider"),)),
        Match((Condition("header", "cookie", "regex", "^(.*?;)?(canary=always)(;.*)?$"),)),
        Match((Condition("header", "user-agent", "regex", ".*Firefox"),)),
    )
    assert (spec.looks.iterations, spec.looks.threshold) == (10, 2)
    assert by_name(spec)["request-success-rate"].max_share == pytest.approx(0.005)  # of the old field threshold
    assert [step.name for step in plan(spec)][:4] == ["validate", "deploy", "match", "bake-match"]


@pytest.mark.parametrize(
    ("name", "provider", "seconds"), [("flagger-istio-blue-green", "istio", 600), ("flagger-kubernetes", "service", 150)]
)
def test_iterations_alone_are_blue_green_with_the_looks_after_the_switch(name, provider, seconds):
    spec = read(name)
    assert (spec.strategy, spec.provider, spec.verify_seconds) == ("blue_green", provider, seconds)
    assert any("after the switch" in note for note in spec.origin.notes)


def test_mirroring_is_a_shadow_of_its_own_and_else_refused_with_the_way():
    field = "release_from.Canary/shop.spec.analysis.mirror"
    assert "release_strategy: shadow" in refused(documents("flagger-istio-mirror"))[field]
    spec = read("flagger-istio-mirror", release_strategy="shadow")
    assert (spec.strategy, weights(spec)) == ("shadow", [30, 100])
    left = {"documents": documents("flagger-istio-mirror"), "leave_out": ["spec.analysis.mirror", "spec.analysis.mirrorWeight"]}
    assert parse({**BESIDE, "release_from": left}).strategy == "blue_green"


def test_a_sticky_canary_is_refused_with_what_to_do():
    found = refused(documents("flagger-istio-session-affinity"))
    assert list(found) == ["release_from.Canary/shop.spec.analysis.sessionAffinity"]
    assert "release_from.leave_out" in next(iter(found.values()))


def test_templates_of_the_gateway_api_example_become_queries_of_the_canary():
    spec = read("flagger-gateway-api", release_prometheus=None)
    assert (spec.provider, weights(spec), spec.looks.interval_seconds) == ("gateway_api", [1, 2, 10, 80, 100], 90)
    assert spec.prometheus_service == ("monitoring", "prometheus", "9090")
    rate, latency = by_name(spec)["error-rate"].query, by_name(spec)["latency"].query
    assert 'destination_workload="{canary}",direction="inbound",response_code!~"5.*"}[2m]' in rate.promql
    assert 'destination_workload=~"{canary}|{stable}"}[2m]' in rate.promql
    assert (rate.least, rate.most, latency.least, latency.most) == (None, 1, 0, 0.5)
    assert 'destination_workload_namespace=~"{namespace}"' in latency.promql
    assert "[1m]" in latency.promql


def test_linkerd_and_a_query_of_the_canary_itself():
    spec = read("flagger-linkerd")
    assert (spec.provider, weights(spec)) == ("linkerd", [25, 50, 100])
    assert by_name(spec)["request-success-rate"].max_share == pytest.approx(0.000001)
    assert by_name(spec)["queries"].query.promql == 'sum(rate(shop_queries{pod=~"{canary}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)"}[1m]))'


def test_without_metrics_each_weight_lasts_an_interval_and_the_plan_says_that_nothing_judges():
    spec = read("flagger-without-metrics")
    assert spec.steps == (StepSpec(20, 20), StepSpec(40, 20), StepSpec(100, 20))
    assert (spec.gates, spec.looks.interval_seconds) == ((), 20)
    assert any("nothing judges" in line for line in spec.origin.lines())


def test_a_canary_that_skips_its_analysis_goes_everywhere_at_once_and_only_tells():
    spec = read("flagger-skip-analysis", release_prometheus=None)
    assert (weights(spec), spec.gates, [hook.type for hook in spec.webhooks]) == ([100], (), ["event"])


def test_a_rollout_of_istio_with_matches_background_analysis_and_a_pause_without_end():
    spec = read("argo-istio-hosts", release_prometheus=None)
    assert (spec.provider, spec.service, spec.route_kind, spec.route_object, spec.route) == (
        "istio",
        "shop",
        "VirtualService",
        "shop-routes",
        "primary",
    )
    assert spec.steps == (StepSpec(5, 600), StepSpec(40, 0, True), StepSpec(60, 30), StepSpec(100, 0))
    assert spec.matches == (
        Match((Condition("header", "x-team", "exact", "qa"),)),
        Match((Condition("header", "agent", "regex", ".*Chrome.*"),)),
    )
    assert (spec.match_seconds, spec.verify_seconds, spec.drain_seconds, spec.ready_timeout_seconds) == (300, 45, 20, 120)
    gate = by_name(spec)["success-rate"]
    assert 'service=~"{canary_service}.eu.svc.cluster.local",region="west"' in gate.query.promql
    assert (gate.query.least, gate.looks.interval_seconds, gate.looks.threshold, gate.looks.count, gate.looks.initial_delay_seconds) == (
        0.95,
        300,
        4,
        0,
        30,
    )
    assert gate.looks.consecutive_error_limit == 4
    assert spec.prometheus_service == ("monitoring", "prometheus", "9090")


def test_a_rollout_by_subsets():
    spec = read("argo-istio-subsets")
    assert (spec.subsets.stable, spec.subsets.canary, spec.subsets.destination_rule) == ("stable", "canary", "shop-versions")
    assert spec.steps == (StepSpec(10, 0, True), StepSpec(100, 0))


def test_a_mirror_of_a_rollout_is_a_shadow_with_the_access_of_its_template():
    assert (
        "release_strategy: shadow"
        in refused(documents("argo-istio-mirror"))["release_from.Rollout/shop.spec.strategy.canary.steps[0].setMirrorRoute"]
    )
    spec = read("argo-istio-mirror", release_strategy="shadow", release_prometheus=None)
    assert (weights(spec), spec.prometheus_url) == ([35, 100], "https://prometheus.example.com")
    access = spec.prometheus_access
    assert (access.headers, access.timeout_seconds, access.validate_certs) == ((("X-Scope-OrgID", "shop"),), 20, False)
    assert by_name(spec)["errors"].query.most < 10


def test_inline_analyses_before_at_the_first_and_at_a_later_weight():
    spec = read("argo-inline-analysis")
    assert [(check.name, check.kind) for check in spec.checks] == [("smoke", "job"), ("web", "http")]
    http = spec.checks[1].detail
    assert (http.path, http.port, http.timeout_seconds) == ("/healthz?deep=1", "8080", 20)
    assert (spec.provider, spec.route_kind, spec.route_object) == ("gateway_api", "HTTPRoute", "shop")
    assert spec.steps == (StepSpec(20, 120), StepSpec(60, 60), StepSpec(100, 0))  # 60 of the pause and 3 looks of 20; 2 looks of 30
    gates = by_name(spec)
    success = gates["success-rate"]
    assert (success.looks.count, success.looks.threshold, success.looks.inconclusive_limit, success.looks.initial_delay_seconds) == (
        3,
        3,
        1,
        60,
    )
    assert (success.looks.consecutive_error_limit, success.looks.consecutive_success_limit) == (20, 4)
    assert spec.no_data_seconds >= 21 * 10  # else time would decide before the errors do
    assert (success.query.least, success.query.fails_below) == (0.95, 0.5)
    assert (gates["errors"].looks.count, gates["errors"].query.most) == (1, 0.01)
    assert gates["restarts"].looks.count == 0  # at a later weight: until the end
    assert gates["restarts"].query.promql.endswith("or vector(0)")


def test_a_blue_green_rollout():
    spec = read("argo-blue-green")
    assert (spec.strategy, spec.provider, spec.service, spec.control.approve) == ("blue_green", "service", "shop", ("traffic",))
    assert spec.verify_seconds == 120  # four looks of 30 s, longer than the delay of 40
    assert spec.checks[0].detail.spec["template"]["spec"]["containers"][0]["args"] == ["http://shop-preview"]
    assert [step.name for step in plan(spec)] == [
        "validate", "deploy", "check-smoke-tests", "approve-traffic", "switch", "verify", "promote", "clean_up",
    ]  # fmt: skip


def test_a_rollout_without_a_route_is_a_canary_by_replicas_and_without_steps_it_rolls():
    spec = read("argo-without-route")
    assert (spec.provider, spec.steps) == ("replicas", (StepSpec(20, 3600), StepSpec(100, 120)))
    rolling = read("argo-rolling")
    assert (rolling.strategy, rolling.rolling) == ("rolling", {"maxSurge": 1, "maxUnavailable": 0})


def test_a_rollout_with_its_own_pods_needs_a_deployment_and_then_is_the_version():
    field = "release_from.Rollout/shop.spec.template"
    allowed = refused(documents("argo-template"))[field]
    assert "kubectl -n eu get rollout shop -o json | jq" in allowed
    assert "release_workload: Deployment/shop" in allowed
    spec = read("argo-template", release_workload="Deployment/shop", release_image=None)
    assert (spec.image, spec.manifests.template["metadata"]["labels"]) == ("registry.example/shop:2.4.0", {"app": "shop"})
    assert spec.control.approve == ("traffic",)


def test_a_deployment_among_the_documents_is_the_version_unless_the_user_says_another():
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "shop", "image": "shop:3"}]}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"template": template}}
    given = [*documents("flagger-istio-canary"), deployment, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}]
    assert parse({**BESIDE, "release_from": given, "release_image": None}).image == "shop:3"
    own = parse({**BESIDE, "release_from": given})
    assert (own.image, own.manifests) == ("registry.example/shop:2.4.0", None)


def test_what_the_user_says_wins_and_dictionaries_of_the_route_and_the_looks_are_joined():
    spec = read(
        "flagger-istio-canary",
        release_steps=[50, 100],
        release_traffic="{route: main}",
        release_looks={"threshold": 9},
        release_name="mine",
    )
    assert (weights(spec), spec.route, spec.provider, spec.service, spec.name) == ([50, 100], "main", "istio", "shop", "mine")
    assert (spec.looks.threshold, spec.looks.interval_seconds) == (9, 60)
    assert not {"release_steps", "release_name"} & set(spec.origin.variables)
    elsewhere = read("flagger-istio-canary", release_traffic={"provider": "gateway_api", "http_route": "shop"})
    assert (elsewhere.provider, elsewhere.service) == ("gateway_api", "shop")


def test_another_strategy_of_the_user_has_its_own_shape_and_keeps_the_gates():
    left = {"documents": documents("flagger-istio-session-affinity"), "leave_out": ["spec.analysis.sessionAffinity"]}
    over = {
        "release_from": left,
        "release_strategy": "ab_test",
        "release_ab": {"cookie": "shop", "iterations": 900, "iteration_seconds": 60},
    }
    spec = parse({**BESIDE, **over})
    assert (spec.strategy, set(by_name(spec)), spec.looks.threshold) == ("ab_test", {"request-success-rate"}, 10)
    assert spec.deadline_seconds > 900 * 60


def test_where_a_release_comes_from_is_no_part_of_what_makes_it_the_same_release():
    spec = read("flagger-istio-canary")
    assert "origin" not in spec.to_dict()


def test_a_wrong_value_that_the_manifest_gives_is_told_as_its():
    given = changed("flagger-istio-canary", "metadata.name", "x" * 50)
    assert refused(given)["release_name"].endswith("(the value is of Canary/" + "x" * 50 + " in release_from)")


@pytest.mark.parametrize("kind", TABLES)
def test_every_field_that_is_refused_says_why(kind):
    for row in TABLES[kind].rows:
        assert row.what
        if row.how == REFUSED:
            assert len(row.what) > 20, row.path


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.manifest")), ids=lambda path: path.stem)
def test_every_field_of_every_example_has_a_row_of_its_table(path):
    for document in yaml.safe_load_all(path.read_text()):
        wrong, _said = TABLES[document["kind"]].check(document)
        assert not [one for one in wrong if "known here" in one[2]]


def test_the_page_on_manifests_has_the_tables_of_the_code():
    assert manifest_tables.PAGE.read_text() == manifest_tables.page(manifest_tables.PAGE.read_text()), (
        "write them anew: PYTHONPATH=$(tools/collection-link) tools/with-environment python tests/unit/plugins/module_utils/release/manifest_tables.py"
    )


def test_kinds_with_one_table_share_it():
    for kind, other in manifest_tables.SAME.items():
        assert TABLES[kind].rows == TABLES[other].rows


@pytest.mark.parametrize("name", ["flagger", "argo"])
def test_the_examples_of_the_page_are_releases(name):
    blocks = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", manifest_tables.PAGE.read_text(), re.DOTALL)]
    kinds = {"flagger": "Canary", "argo": "Rollout"}
    said = [one["vars"] for block in blocks if isinstance(block, list) for one in block if "vars" in one]
    given = next(one for one in said if kinds[name] in str(one["release_from"]))
    if isinstance(given["release_from"], dict):  # a name in a cluster
        given = {**given, "release_from": documents("argo-istio-hosts")}
    assert parse(given).origin.title.startswith(kinds[name])
