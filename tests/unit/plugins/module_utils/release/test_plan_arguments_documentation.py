# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Specs become steps; variables become arguments; and what the documentation says is what the code does."""

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.doc_fragments.release import ModuleDocFragment
from ansible_collections.progressive.delivery.plugins.module_utils.release import spec as specs
from ansible_collections.progressive.delivery.plugins.module_utils.release.arguments import split
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import difference, plan
from ansible_collections.progressive.delivery.plugins.modules.release import DOCUMENTATION
from hypothesis import given
from hypothesis import strategies as st

LEAST = {
    "release_name": "shop",
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://p.example"},
}
OPTIONS = {**yaml.safe_load(DOCUMENTATION)["options"], **yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]}


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"release_steps": [100]}, "weight-100"),
        ({"release_steps": [0, 10, 100]}, "weight-10 analyze-10 weight-100"),
        ({"release_steps": [{"weight": 10, "bake_seconds": 30}, 100]}, "weight-10 bake-10 analyze-10 weight-100"),
        ({"release_steps": [10, 50, 100], "release_gates": []}, "weight-10 weight-50 weight-100"),
    ],
)
def test_each_weight_is_shifted_baked_and_judged_between_deploy_and_verify(changed, names):
    steps = plan(specs.parse({**LEAST, **changed}))
    assert [step.name for step in steps] == ["validate", "deploy", *names.split(), "verify", "promote", "clean_up"]


def test_a_verdict_lets_the_following_weight_through_and_verify_watches_the_last_one():
    steps = {step.name: step for step in plan(specs.parse({**LEAST, "release_steps": [10, 40, {"weight": 100, "bake_seconds": 90}]}))}
    assert [steps[name].next_weight_percent for name in ("analyze-10", "analyze-40")] == [40, 100]
    assert (steps["verify"].weight_percent, steps["verify"].seconds) == (100, 90)
    assert steps["weight-40"].to_dict() == {
        "kind": "weight",
        "name": "weight-40",
        "weight_percent": 40,
        "seconds": 0.0,
        "next_weight_percent": 100,
        "mirror_percent": 0,
        "size_percent": 40,
    }


@given(st.sets(st.integers(1, 99), max_size=10))
def test_step_names_are_unique_and_weights_only_grow(weights):
    steps = plan(specs.parse({**LEAST, "release_steps": [*sorted(weights), 100]}))
    shifts = [step.weight_percent for step in steps if step.kind == "weight"]
    assert len({step.name for step in steps}) == len(steps)
    assert shifts == sorted(set(shifts))


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [({"a": 1}, {"a": 1}, []), ({"a": 1, "b": 2}, {"a": 3, "b": 2}, ["a: 1 -> 3"]), ({"a": 1}, {"b": 2}, ["a: 1 -> None", "b: None -> 2"])],
)
def test_a_difference_names_each_changed_field_with_both_values(before, after, changes):
    assert difference(before, after) == changes


def test_the_task_wins_over_the_variable_of_the_same_name():
    release, connection = split(
        {"release_image": "shop:2", "release_drain_seconds": None, "context": "eu", "host": None},
        {
            "release_image": "shop:1",
            "release_drain_seconds": "{{ drain }}",
            "context": "us",
            "kubeconfig": "k",
            "ansible_host": "h",
            "host": "x",
        },
        lambda value: 5 if value == "{{ drain }}" else value,
    )
    assert release == {"release_image": "shop:2", "release_drain_seconds": 5}
    assert connection == {"context": "eu", "kubeconfig": "k"}


def test_a_typing_error_among_the_variables_is_passed_on_and_strangers_are_not():
    release, _connection = split({}, {"release_gatez": [], "release_channel": "beta", "release_targets": "all"}, lambda value: value)
    assert set(release) == {"release_gatez", "release_targets"}


def test_every_variable_is_documented_and_nothing_else_is():
    assert set(OPTIONS) == set(specs.DEFAULTS)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_documented_default_is_the_default_of_the_code(name):
    documented, meant = OPTIONS[name].get("default"), specs.DEFAULTS[name]
    assert documented == (str(meant) if isinstance(documented, str) and not isinstance(meant, str) else meant)


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if "choices" in option])
def test_documented_choices_are_exactly_those_the_code_accepts(name):
    for choice in OPTIONS[name]["choices"]:
        needed = {"release_ab": {"cookie": "ab", "iterations": 1}} if choice == "ab_test" else {}
        specs.parse({**LEAST, **needed, name: choice})
    with pytest.raises(specs.SpecError, match=f"one of {', '.join(OPTIONS[name]['choices'])}"):
        specs.parse({**LEAST, name: "zzz"})


def test_documented_suboptions_are_the_keys_the_code_knows():
    extra = {
        "release_pods": {"release_metrics_source": "pods"},
        "release_ab": {"release_strategy": "ab_test"},
        "release_swap": {"release_promotion": "swap"},
    }
    for name in (
        "release_traffic",
        "release_prometheus",
        "release_pods",
        "release_ab",
        "release_swap",
        "release_looks",
        "release_slo",
        "release_alerts",
        "release_guard",
    ):
        with pytest.raises(specs.SpecError) as caught:
            specs.parse({**LEAST, **extra.get(name, {}), name: {"zzz": 1}})
        (unknown,) = [one for one in caught.value.problems if one.field == f"{name}.zzz"]
        assert sorted(unknown.allowed.removeprefix("unknown; known: ").split(", ")) == sorted(OPTIONS[name]["suboptions"])
