# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user wrote to a Spec: every field, its default, and every way of getting it wrong."""

import time
from dataclasses import fields, replace

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.release.checks_spec import CheckSpec, HttpCheck
from ansible_collections.progressive.delivery.plugins.module_utils.release.config_spec import ConfigSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.control_spec import ControlSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, LooksSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.guard_spec import GuardSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.manifests import Manifests
from ansible_collections.progressive.delivery.plugins.module_utils.release.parts import MOST_STEPS, PodsSpec, StepSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.profile_spec import ProfileUse
from ansible_collections.progressive.delivery.plugins.module_utils.release.prometheus_spec import Access
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import (
    DEFAULTS,
    RESERVED,
    Spec,
    SpecError,
    parse,
    unknown_variables,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.subsets_spec import SubsetsSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.swap_spec import SwapSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.webhooks_spec import WebhookSpec
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Condition, Match
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release import test_calendar_spec as calendars
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release import test_slo_spec as slo
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release import test_source_spec as sources
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_ab_spec import GIVEN_AB, READ_AB
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_foreign_manifests import ORIGIN
from hypothesis import given
from hypothesis import strategies as st

LEAST = {
    "release_name": "shop", "release_namespace": "shop", "release_workload": "Deployment/shop",
    "release_image": "registry.example/shop:2.4.0", "release_prometheus": {"url": "http://prometheus.example"},
}  # fmt: skip
TEMPLATE = {"metadata": {"labels": {"app": "shop"}}, "spec": {"containers": [{"name": "app", "image": "shop:2"}]}}
MANIFESTS = [
    {"kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"template": TEMPLATE}},
    {"kind": "Service", "metadata": {"name": "shop"}},
]
CONTROL = ControlSpec((), 3600, "park", 3600, "park", 86400, 0, 1800)
LATENCY = {"name": "slow", "latency": {"slower_than": "500ms", "max": "1%"}}


def problems(**given_values):
    """field -> allowed of everything that is wrong with the least arguments changed so; the values are checked to be named too."""
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **given_values})
    return {one.field: one.allowed for one in caught.value.problems}


def test_the_least_arguments_give_a_whole_spec_with_the_documented_defaults():
    assert parse(LEAST) == Spec(
        name="shop", namespace="shop", workload="shop", workload_kind="Deployment", image="registry.example/shop:2.4.0", container=None, template_patch=None,
        manifests=None, config=None, strategy="canary", promotion="twin", swap=None, provider="istio", service=None, route_kind=None, route_object=None,
        route=None, subsets=None, max_extra_pods=None, rolling={}, ab=None, matches=(), match_seconds=0,
        steps=tuple(StepSpec(weight, 0) for weight in (10, 25, 50, 75, 100)), checks=(), webhooks=(), no_way_back=None,
        gates=(GateSpec("errors", "error_rate", 0.01, None),), looks=LooksSpec(), slo=None, alerts=None, on_inconclusive="roll_back",
        rollback="instant", rollback_step_seconds=5, on_no_stable="return", prometheus_url="http://prometheus.example", prometheus_service=None,
        prometheus_access=Access(), metrics_source="auto", own_source=None, pods=None, minimum_step_seconds=0, verify_seconds=60, no_data_seconds=120,
        max_hold_seconds=1800, ready_timeout_seconds=300, drain_seconds=10, deadline_seconds=14400, fix_forward=False, guard=None, control=CONTROL,
        share_check="hold", stop_after=None, calendar=calendars.CalendarSpec(),
    )  # fmt: skip


FIELDS = {
    "name": ({"release_name": "checkout"}, "checkout"),
    "namespace": ({"release_namespace": "eu"}, "eu"),
    "workload": ({"release_workload": "Deployment/cart"}, "cart"),
    "workload_kind": ({"release_workload": "DaemonSet/a", "release_strategy": "rolling", "release_metrics_source": "pods"}, "DaemonSet"),
    "image": ({"release_image": " shop@sha256:" + "a" * 64}, "shop@sha256:" + "a" * 64),
    "container": ({"release_container": "app"}, "app"),
    "template_patch": ({"release_template_patch": "{spec: {priorityClassName: high}}"}, {"spec": {"priorityClassName": "high"}}),
    "manifests": ({"release_manifests": MANIFESTS}, Manifests(MANIFESTS[0]["spec"]["template"], (), ("Service/shop",))),
    "config": (
        {"release_config": "{secrets: [tls], data: {env: {LIMIT: '5', OLD: null}}}"},
        ConfigSpec(True, ("tls",), {"env": {"LIMIT": "5", "OLD": None}}),
    ),
    "strategy": ({"release_strategy": "canary"}, "canary"),
    "promotion": ({"release_promotion": "swap"}, "swap"),
    "swap": (
        {"release_promotion": "swap", "release_swap": "{workload: Deployment/v2, label: track, value: v2, warm_seconds: 10m, keep: 'yes'}"},
        SwapSpec("v2", "track", "v2", 600.0, True),
    ),
    "provider": ({"release_traffic": {"provider": "istio"}}, "istio"),
    "service": ({"release_traffic": {"service": "front"}}, "front"),
    "route_object": ({"release_traffic": "virtual_service: routes"}, "routes"),
    "route_kind": ({"release_traffic": {"provider": "gateway_api", "grpc_route": "cart"}}, "GRPCRoute"),
    "max_extra_pods": ({"release_traffic": {"provider": "service", "max_extra_pods": "6"}}, 6),
    "rolling": (
        {"release_strategy": "rolling", "release_rolling": "{max_surge: 25%, max_unavailable: '0', min_ready_seconds: 5}"},
        {"maxSurge": "25%", "maxUnavailable": 0, "minReadySeconds": 5},
    ),
    "ab": ({"release_strategy": "ab_test", "release_ab": GIVEN_AB}, READ_AB),
    "matches": (
        {"release_match": [{"headers": {"x-cell": "staff"}, "query": {"v": {"prefix": "2"}}}, {"cookies": {"beta": "1"}}]},
        (
            Match((Condition("header", "x-cell", "exact", "staff"), Condition("query", "v", "prefix", "2"))),
            Match((Condition("header", "cookie", "regex", r"(.*;\s*)?beta=1(;.*)?"),)),
        ),
    ),
    "match_seconds": ({"release_match": "[{user_agent: .*Firefox.*}]", "release_match_seconds": "10m"}, 600.0),
    "route": ({"release_traffic": {"route": "main"}}, "main"),
    "subsets": ({"release_traffic": "subsets: {stable: v1, canary: v2, destination_rule: shop}"}, SubsetsSpec("v1", "v2", "shop")),
    "steps": ({"release_steps": "[0, 5, {weight: 30, bake_seconds: 10m}, '100']"}, (StepSpec(5, 0), StepSpec(30, 600.0), StepSpec(100, 0))),
    "checks": (
        {"release_checks": "[{name: smoke, http: {path: /healthz}}]"},
        (CheckSpec("smoke", "http", HttpCheck("/healthz", None, (200,), None, (), 10, 3, 1)),),
    ),
    "webhooks": (
        {"release_webhooks": "[{name: load, url: 'http://load.example', timeout: 1m30s}]"},
        (WebhookSpec("rollout", "load", "http://load.example", timeout_seconds=90),),
    ),
    "no_way_back": (
        {
            "release_checks": "[{name: load, job: {from_cronjob: load}, point_of_no_return: true}]",
            "release_no_way_back": " it only adds a table ",
        },
        "it only adds a table",
    ),
    "gates": ({"release_gates": [LATENCY]}, (GateSpec("slow", "latency", 0.01, 500.0),)),
    "looks": (
        {"release_gates": [{**LATENCY, "judge": "threshold"}], "release_looks": "{interval_seconds: 2m, threshold: 3, consecutive: yes}"},
        LooksSpec(interval_seconds=120.0, threshold=3, consecutive=True),
    ),
    "slo": ({"release_slo": slo.GIVEN}, slo.READ),
    "alerts": ({"release_alerts": slo.GIVEN_ALERTS}, slo.READ_ALERTS),
    "on_inconclusive": ({"release_on_inconclusive": "ask"}, "ask"),
    "rollback": ({"release_rollback": "capacity_first"}, "capacity_first"),
    "rollback_step_seconds": ({"release_rollback": "stepped", "release_rollback_step_seconds": "30s"}, 30.0),
    "on_no_stable": ({"release_on_no_stable": "keep"}, "keep"),
    "prometheus_url": ({"release_prometheus": {"url": "https://p.example/prometheus"}}, "https://p.example/prometheus"),
    "prometheus_access": (
        {"release_prometheus": {"url": "https://p.example", "token": "t", "headers": {"X-Scope-OrgID": "shop"}}},
        Access(token="t", headers=(("X-Scope-OrgID", "shop"),)),
    ),
    "prometheus_service": ({"release_prometheus": "service: monitoring/prometheus:9090"}, ("monitoring", "prometheus", "9090")),
    "metrics_source": ({"release_metrics_source": "http"}, "http"),
    "own_source": ({"release_metrics_source": sources.GIVEN}, sources.READ),
    "pods": ({"release_metrics_source": "pods", "release_pods": "{family: http, port: 90}"}, PodsSpec("http", "90", "/metrics", "http")),
    "minimum_step_seconds": ({"release_minimum_step_seconds": "2m"}, 120.0),
    "verify_seconds": ({"release_verify_seconds": "0"}, 0.0),
    "no_data_seconds": ({"release_no_data_seconds": 30}, 30.0),
    "max_hold_seconds": ({"release_max_hold_seconds": "1h"}, 3600.0),
    "ready_timeout_seconds": ({"release_ready_timeout_seconds": 60}, 60.0),
    "drain_seconds": ({"release_drain_seconds": "5s"}, 5.0),
    "deadline_seconds": ({"release_deadline_seconds": "30d"}, 2592000.0),
    "control": (
        {"release_approve": "[promote]", "release_parked_weight": 5, "release_pause_seconds": "10m", "release_stuck_seconds": 60},
        replace(CONTROL, approve=("promote",), parked_weight=5, pause_seconds=600.0, stuck_seconds=60.0),
    ),
    "calendar": (calendars.GIVEN, calendars.READ),
    "guard": ({"release_guard": "{image: 'py:3', after_seconds: 1m}"}, GuardSpec("py:3", 60.0)),
    "fix_forward": ({"release_fix_forward": "yes"}, True),
    "profile": (
        {"release_profile": "development", "release_steps": [50, 100]},
        ProfileUse("development", ("release_looks", "release_gates"), ("release_steps",)),
    ),
    "origin": ORIGIN,
    "share_check": ({"release_share_check": "report"}, "report"),
    "stop_after": ({"release_stop_after": "analyze-25"}, "analyze-25"),
    "engine": ({"release_engine": "flagger"}, "flagger"),
    "adopt": ({"release_engine": "flagger", "release_adopt": "yes"}, True),
}


def test_the_table_of_fields_below_is_complete():
    assert set(FIELDS) == {field.name for field in fields(Spec)} - {"requests_factor"}  # which the error budget chooses


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_read_from_its_variable(field):
    written, value = FIELDS[field]
    assert getattr(parse({**LEAST, **written}), field) == value


@pytest.mark.parametrize("name", [name for name in DEFAULTS if name not in LEAST])
def test_null_is_as_good_as_leaving_a_variable_out(name):
    assert parse({**LEAST, name: None}) == parse(LEAST)


@pytest.mark.parametrize("name", ["release_name", "release_namespace", "release_workload", "release_image", "release_prometheus"])
def test_what_has_no_default_is_required(name):
    assert problems(**{name: None})[name].startswith("is required")


def test_all_problems_are_reported_at_once_with_field_value_and_what_is_allowed():
    with pytest.raises(SpecError) as caught:
        parse({"release_name": "Shop", "release_workload": "shop", "release_steps": [10, 5], "release_drain_seconds": "soon"})
    found = {one.field: one for one in caught.value.problems}
    unsaid = {f"release_{name}" for name in ("name", "namespace", "workload", "image", "steps[1]", "steps", "prometheus", "drain_seconds")}
    assert set(found) >= unsaid
    assert found["release_drain_seconds"].value == "soon"
    assert all(one.allowed for one in found.values())
    assert all(field in str(caught.value) for field in found)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("release_gatez", "release_gates"), ("release_step", "release_steps"),
        ("release_promethues", "release_prometheus"), ("release_wave", "release_waves"),
    ],
)  # fmt: skip
def test_a_typing_error_of_a_variable_is_told_with_the_right_name(written, meant):
    assert problems(**{written: 1})[written] == f"no such variable; did you mean {meant}?"


def test_a_variable_that_is_nothing_like_ours_is_left_alone_unless_it_is_an_argument():
    assert unknown_variables({"release_channel": 1, "release_ticket_number": 2, "my_release": 3}) == []
    assert problems(release_ticket_number=2)["release_ticket_number"].startswith("no such option; known: release_name, ")


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_variables_of_later_parts_are_accepted_in_silence(name):
    assert parse({**LEAST, name: "x"}) == parse(LEAST)


@pytest.mark.parametrize(
    "image",
    [
        "shop:2", "registry.example/shop:2.4.0", "registry:5000/team/shop:v1_2.3-rc.1", "shop@sha256:" + "0a" * 32,
        "registry.example:5000/a/b/c:1@sha256:" + "0" * 64, "a__b/c--d:1",
    ],
)  # fmt: skip
def test_pinned_or_tagged_images_are_accepted(image):
    assert parse({**LEAST, "release_image": image}).image == image


@pytest.mark.parametrize(
    "image",
    [
        "shop",
        "registry:5000/shop",
        "shop:",
        "Shop:1",
        "shop:1 2",
        "shop@sha256:abc",
        "shop@sha256:" + "A" * 64,
        "/shop:1",
        "shop:" + "x" * 129,
        "https://x/y:1",
    ],
)
def test_an_image_without_tag_or_digest_or_misspelt_is_refused(image):
    assert problems(release_image=image)["release_image"].startswith("an image reference with a tag or a digest")


def test_a_long_wrong_image_is_refused_at_once():
    began = time.process_time()
    assert "release_image" in problems(release_image="registry" + "-a.b_c" * 40 + "/Shop:1")
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    "workload",
    [
        "shop",
        "Job/shop",
        "StatefulSet/",
        "statefulset/shop",
        "Deployment/",
        "deployment/shop",
        "Deployment/Shop",
        "Deployment/a/b",
        "Deployment/" + "x" * 57,
    ],
)
def test_a_workload_is_a_deployment_whose_canary_still_has_a_valid_name(workload):
    assert "release_workload" in problems(release_workload=workload)


def test_the_longest_names_fit():
    spec = parse({**LEAST, "release_workload": "Deployment/" + "x" * 56, "release_name": "y" * 40})
    assert len(spec.workload + "-canary") == 63
    assert "release_name" in problems(release_name="y" * 41)


@pytest.mark.parametrize(
    ("steps", "field", "allowed"),
    [
        ([], "release_steps", f"1 to {MOST_STEPS} steps"),
        ([10, 50], "release_steps", "a list that ends at 100"),
        ([0], "release_steps", "a list that ends at 100"),
        (list(range(50, 101)), "release_steps", f"1 to {MOST_STEPS} steps"),
        ([10, 10, 100], "release_steps[1]", "more than the step before it (10)"),
        ([50, 20, 100], "release_steps[1]", "more than the step before it (50)"),
        ([101], "release_steps[0]", "a whole number from 0 to 100"),
        (["10%", 100], "release_steps[0]", "a whole number from 0 to 100"),
        ([True, 100], "release_steps[0]", "a whole number from 0 to 100"),
        ([None, 100], "release_steps[0]", "is required"),
        ([None], "release_steps[0]", "is required"),
        ([{"weight": None}, 100], "release_steps[0].weight", "is required"),
        ([{"bake_seconds": 5}, 100], "release_steps[0].weight", "is required"),
        (
            [{"weight": 5, "bake_seconds": "8d"}, 100],
            "release_steps[0].bake_seconds",
            "a duration from 0 s to 604800 s, such as 500ms, 30s, 10m, 1h",
        ),
        ("10, 100", "release_steps", "a list (or its YAML as a string)"),
        ({"weight": 10}, "release_steps", "a list (or its YAML as a string)"),
    ],
    ids=str,
)
def test_wrong_steps_are_refused(steps, field, allowed):
    assert problems(release_steps=steps)[field] == allowed


def test_an_unknown_key_of_a_step_is_refused():
    assert "did you mean bake_seconds?" in problems(release_steps=[{"weight": 5, "bake_second": 5}, 100])["release_steps[0].bake_second"]


@given(st.sets(st.integers(0, 99), max_size=MOST_STEPS - 1))
def test_any_growing_list_that_ends_at_100_is_a_list_of_steps(weights):
    growing = [*sorted(weights), 100]
    spec = parse({**LEAST, "release_steps": growing})
    assert [step.weight_percent for step in spec.steps] == [weight for weight in growing if weight]


@pytest.mark.parametrize(
    ("gate", "field"),
    [
        ({"name": "x"}, "release_gates[0]"),
        ({"name": "x", "error_rate": {"max": "1%"}, "latency": {"slower_than": "1s", "max": "1%"}}, "release_gates[0]"),
        (None, "release_gates[0]"),
        ("error rate", "release_gates[0]"),
        ({"name": "x", "error_rate": None}, "release_gates[0].error_rate"),
        ({"name": "x", "error_rate": "1%"}, "release_gates[0].error_rate"),
        ({"name": "x", "error_rate": {}}, "release_gates[0].error_rate.max"),
        ({"name": "x", "error_rate": {"max": 0.01}}, "release_gates[0].error_rate.max"),
        ({"name": "x", "error_rate": {"max": "1%", "slower_than": "1s"}}, "release_gates[0].error_rate.slower_than"),
        ({"name": "x", "latency": {"max": "1%"}}, "release_gates[0].latency.slower_than"),
        ({"name": "x", "latency": {"max": "1%", "slower_than": 500}}, "release_gates[0].latency.slower_than"),
        ({"name": "x", "latency": {"max": "1%", "slower_than": "500"}}, "release_gates[0].latency.slower_than"),
        ({"name": "x", "latency": {"max": "1%", "slower_than": "0s"}}, "release_gates[0].latency.slower_than"),
        ({"name": "Not A Name", "error_rate": {"max": "1%"}}, "release_gates[0].name"),
        ({"name": "x", "error_rat": {"max": "1%"}}, "release_gates[0].error_rat"),
    ],
    ids=str,
)
def test_a_gate_that_would_not_judge_is_refused_and_never_dropped(gate, field):
    assert field in problems(release_gates=[gate])


def test_two_gates_of_one_name_are_refused():
    gate = {"name": "errors", "error_rate": {"max": "1%"}}
    assert problems(release_gates=[gate, gate])["release_gates[1].name"] == "a name that no other gate has"


def test_a_gate_without_a_name_is_called_after_its_kind_and_can_be_skipped_by_it():
    assert [gate.name for gate in parse({**LEAST, "release_gates": [{"error_rate": {"max": "1%"}}]}).gates] == ["error-rate"]
    both = [{"error_rate": {"max": "1%"}}, LATENCY]
    assert parse({**LEAST, "release_gates": both, "release_skip_gates": ["error-rate"]}).gates[0].name == "slow"


def test_skipped_gates_are_left_out_and_a_wrong_name_is_refused():
    assert parse({**LEAST, "release_gates": [LATENCY], "release_skip_gates": "[slow]"}).gates == ()
    assert problems(release_skip_gates=["slow"])["release_skip_gates"] == "names of release_gates: errors"


def test_gates_may_be_written_as_yaml_the_list_and_each_item():
    assert len({parse({**LEAST, "release_gates": one}).gates for one in (yaml.safe_dump([LATENCY]), [yaml.safe_dump(LATENCY)])}) == 1


LIMITS = [
    ("release_minimum_step_seconds", 0, 604800), ("release_verify_seconds", 0, 604800), ("release_no_data_seconds", 5, 86400),
    ("release_max_hold_seconds", 10, 604800), ("release_ready_timeout_seconds", 5, 7200), ("release_drain_seconds", 0, 3600),
    ("release_deadline_seconds", 30, 2592000),
]  # fmt: skip


@pytest.mark.parametrize(("name", "least", "most"), LIMITS)
def test_limits_include_their_ends_and_nothing_beyond(name, least, most):
    assert [getattr(parse({**LEAST, name: edge}), name.removeprefix("release_")) for edge in (least, most)] == [least, most]
    assert list(problems(**{name: least - 0.1})) == [name] == list(problems(**{name: most + 1}))


@pytest.mark.parametrize("name", ["release_strategy", "release_on_inconclusive", "release_metrics_source", "release_fix_forward"])
def test_words_outside_a_choice_are_refused(name):
    assert "maybe" not in problems(**{name: "maybe"})[name]


def test_a_template_patch_changes_only_metadata_and_spec():
    assert "release_template_patch.replicas" in problems(release_template_patch={"replicas": 3})


def test_where_a_run_stops_is_no_part_of_what_makes_it_the_same_release():
    assert parse({**LEAST, "release_stop_after": "deploy"}).to_dict() == parse(LEAST).to_dict()
    assert parse({**LEAST, "release_drain_seconds": 1}).to_dict() != parse(LEAST).to_dict()
