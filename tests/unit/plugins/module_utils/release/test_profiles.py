# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles: exactly their numbers, what goes over them, what they need of the user, and profiles of one's own."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, LooksSpec, QuantileSpec, QuerySpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.parts import StepSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.profile_spec import ProfileUse, profile_line
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import DEFAULTS, SpecError, parse

LEAST = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_prometheus": {"url": "http://p.example"},
}  # fmt: skip
METRIC = 'avg(paid{pod=~"{canary_pods}"})'
CHECKS = [{"name": "configuration", "http": {"path": "/valid"}}, {"name": "load-test", "http": {"path": "/load"}}]
APPROVES = pytest.mark.skipif("release_approve" not in DEFAULTS, reason="approvals are not built yet")
PRODUCTION = {
    "release_profile": "production", "release_business_metric": METRIC, "release_checks": CHECKS,
    "release_skip_gates": [] if "release_approve" in DEFAULTS else ["approval"],
}  # fmt: skip


def problems(**given):
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **given})
    return [(one.field, one.allowed) for one in caught.value.problems]


def test_production_is_exactly_the_numbers_that_were_asked_for():
    spec = parse({**LEAST, **PRODUCTION})
    assert [step.weight_percent for step in spec.steps] == [5, 10, 15, 20, 100]
    assert spec.looks == LooksSpec(interval_seconds=60.0, iterations=10, threshold=10)
    assert spec.gates == (
        GateSpec("errors", "error_rate", 0.005, None, "threshold"),
        GateSpec("p99", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 500.0)),
        GateSpec("business", "query", 0.0, None, "threshold", query=QuerySpec(METRIC, least=95.0, unit="%")),
    )


def test_development_is_exactly_the_numbers_that_were_asked_for():
    spec = parse({**LEAST, "release_profile": "development"})
    assert [step.weight_percent for step in spec.steps] == [10, 20, 30, 40, 50, 100]
    assert spec.looks == LooksSpec(interval_seconds=30.0, iterations=5, threshold=5)
    assert spec.gates == (
        GateSpec("errors", "error_rate", 0.05, None, "threshold"),
        GateSpec("p99", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 1000.0)),
    )


def test_staged_is_exactly_the_numbers_that_were_asked_for():
    spec = parse({**LEAST, "release_profile": "staged"})
    assert spec.steps == (StepSpec(5, 300.0), StepSpec(25, 600.0), StepSpec(50, 0, True), StepSpec(100, 0))
    assert [gate.judge for gate in spec.gates] == ["sequential"]


def test_what_the_user_says_goes_over_the_profile_and_looks_key_by_key():
    said = {
        "release_profile": "development",
        "release_steps": [50, 100],
        "release_looks": "{interval_seconds: 5}",
        "release_drain_seconds": 3,
    }
    spec = parse({**LEAST, **said})
    assert spec.looks == LooksSpec(interval_seconds=5.0, iterations=5, threshold=5)
    assert [step.weight_percent for step in spec.steps] == [50, 100]
    assert spec.profile == ProfileUse("development", ("release_gates",), ("release_steps", "release_looks"))
    assert profile_line(spec.profile) == "  profile development: release_gates; yours over it: release_steps, release_looks"
    assert parse({**LEAST, "release_profile": "development", "release_steps": None}).steps != spec.steps


def test_the_profile_is_no_part_of_what_makes_it_the_same_release():
    spec = parse({**LEAST, "release_profile": "development"})
    same = {
        "release_steps": [10, 20, 30, 40, 50, 100], "release_looks": {"interval_seconds": 30, "iterations": 5, "threshold": 5},
        "release_gates": [{"name": "errors", "error_rate": {"max": "5%"}, "judge": "threshold"}, {"name": "p99", "latency": {"p99": {"max": "1s"}}}],
    }  # fmt: skip
    assert parse({**LEAST, **same}).to_dict() == spec.to_dict() == spec_from(spec.to_dict()).to_dict()


def test_what_production_needs_is_demanded_all_at_once_by_name():
    found = dict(problems(release_profile="production", release_skip_gates=["approval"]))
    assert set(found) == {"release_business_metric", "release_checks"}
    assert found["release_business_metric"].startswith(
        "is needed by profile production: PromQL that gives one number for the canary, at least 95 %"
    )
    assert "release_skip_gates: [business]" in found["release_business_metric"]
    checks = [
        allowed for field, allowed in problems(release_profile="production", release_skip_gates=["approval"]) if field == "release_checks"
    ]
    assert [f"a check named {name}" in allowed for name, allowed in zip(("configuration", "load-test"), checks, strict=True)] == [
        True,
        True,
    ]


def test_what_production_needs_may_be_left_out_by_name():
    spec = parse({**LEAST, "release_profile": "production", "release_skip_gates": "[business, configuration, load-test, approval]"})
    assert [gate.name for gate in spec.gates] == ["errors", "p99"]
    assert spec.checks == ()
    assert (
        "names of release_gates: errors, p99, business, configuration, load-test, approval"
        in dict(problems(**{**PRODUCTION, "release_skip_gates": ["p98"]}))["release_skip_gates"]
    )


@APPROVES
def test_production_asks_for_an_approval_before_any_traffic_unless_that_is_left_out():
    asked = parse({**LEAST, **PRODUCTION, "release_skip_gates": []})
    assert asked.control.approve == ("traffic",)
    assert parse({**LEAST, **PRODUCTION, "release_skip_gates": ["approval"]}).control.approve == ()


def test_own_gates_need_no_business_metric_and_one_that_nobody_uses_is_refused():
    gates = [{"name": "errors", "error_rate": {"max": "1%"}}]
    given = {**PRODUCTION, "release_business_metric": None, "release_gates": gates}
    assert [gate.name for gate in parse({**LEAST, **given}).gates] == ["errors"]
    assert (
        "nothing, unless release_profile has a gate business" in dict(problems(release_business_metric=METRIC))["release_business_metric"]
    )


def test_a_wrong_value_of_a_profile_says_whose_it_is():
    found = dict(problems(release_profile="mine", release_profiles={"mine": {"release_steps": [10, 5], "release_drain_seconds": "soon"}}))
    assert found["release_steps"] == "a list that ends at 100 (the value is of profile mine)"
    assert found["release_drain_seconds"].endswith("(the value is of profile mine)")
    assert "profile" not in dict(problems(release_profile="development", release_steps=[10, 5]))["release_steps"]


def test_a_profile_of_ones_own_is_a_dictionary_of_variables():
    mine = {"mine": {"release_steps": "[50, 100]", "release_verify_seconds": "2m", "release_looks": None}, "other": {}}
    spec = parse({**LEAST, "release_profile": "mine", "release_profiles": mine, "release_verify_seconds": 1})
    assert ([step.weight_percent for step in spec.steps], spec.verify_seconds) == ([50, 100], 1)
    assert spec.profile == ProfileUse("mine", ("release_steps",), ("release_verify_seconds",))
    assert parse({**LEAST, "release_profiles": mine}).profile is None


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"release_profile": "prod"}, "release_profile", "one of production, development, staged"),
        ({"release_profile": "mine", "release_profiles": {"mien": {}}}, "release_profile", "one of production, development, staged, mien"),
        ({"release_profiles": {"mine": {"release_step": [100]}}}, "release_profiles.mine.release_step", "did you mean release_steps?"),
        ({"release_profiles": {"mine": {"release_image": "shop:3"}}}, "release_profiles.mine.release_image", "no variable that a profile may set"),
        ({"release_profiles": {"mine": {"release_profile": "staged"}}}, "release_profiles.mine.release_profile", "no variable that a profile may set"),
        ({"release_profiles": {"production": {}}}, "release_profiles.production", "a name that no profile of the collection has"),
        ({"release_profiles": {"mine": [1]}}, "release_profiles.mine", "a dictionary"),
        ({"release_profiles": ["mine"]}, "release_profiles", "a dictionary"),
        ({"release_profile": "staged", "release_strategy": "blue_green"}, "release_steps", "moves all traffic at once (the value is of profile staged)"),
    ],
    ids=str,
)  # fmt: skip
def test_a_profile_that_could_not_be_followed_is_refused(given, field, says):
    assert says in dict(problems(**given))[field]
