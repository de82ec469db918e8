# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kinds of workload which strategy releases, and which options of release_rolling each kind has a use for."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import STRATEGIES, SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.workload.kinds import SETS

LEAST = {"release_name": "shop", "release_namespace": "shop", "release_image": "shop:2", "release_gates": []}


def given(kind, **more):
    return {**LEAST, "release_workload": f"{kind}/shop", "release_strategy": "rolling", **more}


def problems(values):
    with pytest.raises(SpecError) as caught:
        parse(values)
    return {one.field: one.allowed for one in caught.value.problems}


@pytest.mark.parametrize("strategy", [one for one in STRATEGIES if one != "rolling"])
@pytest.mark.parametrize("kind", SETS)
def test_every_other_strategy_is_refused_with_the_one_that_works(kind, strategy):
    found = problems(given(kind, release_strategy=strategy))
    assert "use release_strategy: rolling" in found["release_workload"]
    assert f"a second {kind}" in found["release_workload"]


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("source", ["auto", "istio_destination", "istio_source", "http"])
def test_gates_of_a_set_need_the_pods_themselves(kind, source):
    gated = {"release_gates": [{"error_rate": {"max": "1%"}}], "release_prometheus": {"url": "http://p.example"}}
    assert "pods, with release_pods" in problems(given(kind, **gated, release_metrics_source=source))["release_metrics_source"]
    assert parse(given(kind, **gated, release_metrics_source="pods")).pods is not None
    assert parse(given(kind, release_metrics_source=source)).gates == ()


@pytest.mark.parametrize(
    ("kind", "option", "value", "says"),
    [
        ("StatefulSet", "max_surge", 1, "must be gone before its successor"),
        ("StatefulSet", "max_unavailable", 2, "one pod after the other"),
        ("StatefulSet", "progress_deadline_seconds", 60, "release_ready_timeout_seconds"),
        ("DaemonSet", "max_surge", "10%", "node by node"),
        ("DaemonSet", "progress_deadline_seconds", 60, "release_ready_timeout_seconds"),
        ("DaemonSet", "max_unavailable", 0, "at least 1"),
        ("DaemonSet", "max_unavailable", "0%", "at least 1"),
        ("DaemonSet", "max_unavailable", "some", "whole number"),
    ],
)
def test_options_that_a_kind_has_no_use_for_are_refused(kind, option, value, says):
    assert says in problems(given(kind, release_rolling={option: value}))[f"release_rolling.{option}"]


@pytest.mark.parametrize(
    ("kind", "rolling", "knobs"),
    [
        ("StatefulSet", {"min_ready_seconds": 700}, {"minReadySeconds": 700}),
        ("DaemonSet", {"min_ready_seconds": 700, "max_unavailable": "10%"}, {"minReadySeconds": 700, "maxUnavailable": "10%"}),
    ],
)
def test_options_that_a_kind_knows_are_taken(kind, rolling, knobs):
    assert parse(given(kind, release_rolling=rolling)).rolling == knobs


@pytest.mark.parametrize("kind", ["Deployment", *SETS])
def test_the_kind_is_part_of_the_plan_and_a_record_from_before_it_was_is_of_a_deployment(kind):
    spec = parse(given(kind))
    assert spec_from(spec.to_dict()) == spec
    saved = {name: value for name, value in spec.to_dict().items() if name != "workload_kind"}
    assert spec_from(saved).workload_kind == "Deployment"
