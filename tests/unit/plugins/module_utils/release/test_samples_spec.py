# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates by ranks, by pods and by restarts as users write them, and every way of getting them wrong."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, QuerySpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.judges import panel_of
from ansible_collections.progressive.delivery.plugins.module_utils.release.samples_spec import PerPodSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_gates_spec import LEAST, gate, problems

PAIR = {"promql": "a", "baseline": "b", "unit": "threads"}
RANKED = {"name": "x", "query": PAIR, "judge": "mann_whitney"}


def test_a_pair_of_queries_is_judged_by_ranks_when_that_is_asked_for():
    found = gate(
        {**RANKED, "samples": {"min_samples": "60", "sample_seconds": "30s", "judgements": 2, "allowed_increase": "1.5", "critical": "yes"}}
    )
    assert (found.judge, found.query, found.counts, found.asks) == ("mann_whitney", QuerySpec("a", "b", unit="threads"), False, True)
    taken = found.samples
    assert (taken.min_samples, taken.sample_seconds, taken.judgements, taken.initial_delay_seconds) == (60, 30.0, 2, 0.0)
    options = taken.options
    assert (options.label, options.unit, options.allowed_increase, options.critical, options.direction) == (
        "x",
        "threads",
        1.5,
        True,
        "either",
    )


def test_resources_mind_a_rise_of_a_fifth_and_everything_else_any_change():
    for kind in ("cpu", "memory"):
        options = gate({kind: {}}).samples.options
        assert (options.direction, options.allowed_increase, options.allowed_decrease) == ("increase", 1.2, 0.8)
    assert gate({"cpu": {}, "samples": {"effect_size": "cles"}}).samples.options.allowed_increase is None
    options = gate({"name": "q", "per_pod": {"promql": "q"}}).samples.options
    assert (options.direction, options.allowed_increase) == ("either", None)


def test_what_a_pods_number_is_divided_by_is_in_its_unit():
    assert gate({"name": "q", "per_pod": {"promql": "q", "unit": "jobs"}}).per_pod == PerPodSpec("q", "jobs", "pod")
    assert gate({"name": "q", "per_pod": {"promql": "q", "unit": "jobs", "per": "request"}}).per_pod.unit == "jobs per request/s"
    assert gate({"cpu": {}}).per_pod.unit == "millicores"
    assert gate({"cpu": {"per": "request"}}).per_pod.unit == "ms of CPU per request"


def test_restarts_need_no_prometheus_and_have_their_own_judge():
    found = gate({"restarts": {"max": "4"}}, release_prometheus=None)
    assert found == GateSpec("restarts", "restarts", 0.0, None, "restarts", most_restarts=4)
    assert gate({"restarts": {}}).most_restarts == 10
    assert "is required" in problems({"memory": {}}, release_prometheus=None, release_metrics_source="pods")["release_prometheus"]


@pytest.mark.parametrize(
    ("item", "field", "says"),
    [
        ({"query": {"promql": "a"}, "judge": "mann_whitney"}, "query.baseline", "is required by the judge mann_whitney"),
        ({"query": {"baseline": "a"}, "judge": "mann_whitney"}, "query.promql", "is required by the judge mann_whitney"),
        ({"query": {**PAIR, "max": 5}, "judge": "mann_whitney"}, "query.max", "unknown"),
        ({"query": {**PAIR, "promql": "up{x='{pod}'}"}, "judge": "mann_whitney"}, "query.promql", "one of {namespace}"),
        ({"error_rate": {"max": "1%"}, "judge": "mann_whitney"}, "judge", "one of sequential, threshold"),
        ({"error_rate": {"max": "1%"}, "samples": {"min_samples": 9}}, "samples", "unless its judge is mann_whitney"),
        ({"cpu": {}, "judge": "threshold"}, "judge", "one of mann_whitney"),
        ({"cpu": None}, "cpu", "is required"),
        ({"cpu": {"per": "core"}}, "cpu.per", "one of pod, request"),
        ({"memory": {"per": "request"}}, "memory.per", "one of pod"),
        ({"cpu": {}, "looks": {"threshold": 2}}, "looks", "unless its judge is threshold"),
        ({"cpu": {}, "samples": {"min_sample": 9}}, "samples.min_sample", "did you mean min_samples?"),
        ({"cpu": {}, "samples": {"min_samples": 4}}, "samples.min_samples", "a whole number from 5 to 200"),
        ({"cpu": {}, "samples": {"min_samples": 12}}, "samples.min_samples", "at least 18: 3 judgements, the first one at 4 samples, which needs 6"),
        ({"cpu": {}, "samples": {"judgements": 0}}, "samples.judgements", "a whole number from 1 to 10"),
        ({"cpu": {}, "samples": {"sample_seconds": 0}}, "samples.sample_seconds", "a duration from 1 s"),
        ({"cpu": {}, "samples": {"direction": "up"}}, "samples.direction", "one of either, increase, decrease"),
        ({"cpu": {}, "samples": {"confidence": 98}}, "samples.confidence", "above 0 and below 1"),
        ({"cpu": {}, "samples": {"allowed_increase": "20%"}}, "samples.allowed_increase", "a ratio of at least 0"),
        ({"cpu": {}, "samples": {"critical_increase": 2}}, "samples.critical_increase", "unknown"),
        ({"per_pod": {}}, "per_pod.promql", "is required: PromQL with a series for each pod"),
        ({"per_pod": {"promql": "a{x='{pods}'}"}}, "per_pod.promql", "one of {namespace}"),
        ({"restarts": {"max": -1}}, "restarts.max", "a whole number from 0"),
        ({"restarts": {}, "judge": "sequential"}, "judge", "one of restarts"),
    ],
    ids=str,
)  # fmt: skip
def test_a_gate_that_would_judge_nothing_is_refused(item, field, says):
    assert says in problems({"name": "x", **item})[f"release_gates[0].{field}"]


def test_more_samples_than_a_record_can_keep_are_refused():
    gates = [{**RANKED, "name": f"g{number}", "samples": {"min_samples": 200}} for number in range(3)]
    found = problems(gates[0], release_gates=gates)
    assert "at most 400 samples of all gates together" in found["release_gates"]


@pytest.mark.parametrize("more", [{"release_strategy": "blue_green"}, {"release_steps": [100]}], ids=str)
def test_a_release_without_a_weight_at_which_both_serve_has_no_samples(more):
    assert "no weight between 0 and 100" in problems(RANKED, **more)["release_gates[0].judge"]
    assert gate({"restarts": {}}, **more).most_restarts == 10


def test_pods_that_come_back_under_their_names_have_no_numbers_of_their_own():
    more = {"release_workload": "StatefulSet/shop", "release_strategy": "rolling", "release_metrics_source": "pods"}
    assert "come back under the same ones" in problems({"memory": {}}, **more)["release_gates[0].memory"]
    assert gate({"restarts": {}}, **more, release_prometheus=None).kind == "restarts"


def test_the_record_makes_the_same_gates_and_judges_again():
    gates = [
        RANKED,
        {"cpu": {"per": "request"}},
        {"restarts": {}},
        {"name": "q", "per_pod": {"promql": "q"}, "samples": {"outliers": "remove"}},
    ]
    spec = parse({**LEAST, "release_gates": gates})
    assert spec_from(json.loads(json.dumps(spec.to_dict()))) == spec
    panel = panel_of(spec, {})
    names = {"mann_whitney:x", "mann_whitney:cpu", "mann_whitney:q", "restarts:restarts"}
    assert set(panel.to_dict(panel.start())) == names
