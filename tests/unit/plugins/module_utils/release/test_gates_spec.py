# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates as users write them: judges, quantiles, queries, how they are looked at, and every way of getting it wrong."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import (
    PLACEHOLDERS,
    GateSpec,
    LooksSpec,
    QuantileSpec,
    QuerySpec,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

LEAST = {
    "release_name": "shop",
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://p.example"},
}
PROMQL = 'avg(paid{pod=~"{canary_pods}"})'


def gate(item, **more):
    (found,) = parse({**LEAST, "release_gates": [item], **more}).gates
    return found


def problems(item, **more):
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, "release_gates": [item], **more})
    return {one.field: one.allowed for one in caught.value.problems}


@pytest.mark.parametrize(
    ("item", "judge"),
    [
        ({"error_rate": {"max": "1%"}}, "sequential"),
        ({"error_rate": {"max": "1%"}, "judge": "threshold"}, "threshold"),
        ({"latency": {"slower_than": "1s", "max": "1%"}}, "sequential"),
        ({"latency": {"p95": {"max": "1s"}}}, "threshold"),
        ({"query": {"promql": PROMQL, "max": 1}}, "threshold"),
        ({"request_rate": {"min": 5}}, "threshold"),
    ],
    ids=str,
)
def test_each_metric_has_its_default_judge(item, judge):
    assert gate({"name": "x", **item}).judge == judge


def test_a_quantile_and_a_query_are_read_whole():
    assert gate({"name": "p", "latency": {"p99.9": {"max": "500ms"}}}) == GateSpec(
        "p", "latency", 0.0, None, "threshold", quantile=QuantileSpec(pytest.approx(0.999), 500.0)
    )
    query = {"promql": PROMQL, "baseline": "up", "min": "90", "max": 99.5, "fails_below": 80, "fails_above": 100, "unit": "%"}
    found = gate({"name": "q", "query": {**query, "tolerance": "5 %", "direction": "decrease"}})
    assert found.query == QuerySpec(PROMQL, "up", 90.0, 99.5, 80.0, 100.0, "%", 0.05, "decrease")
    assert not found.counts


def test_looks_are_read_and_a_gates_own_go_over_those_of_the_release():
    looks = {
        "interval_seconds": "30s", "threshold": 5, "consecutive": "yes", "iterations": 4, "min_requests": 100, "initial_delay_seconds": 10,
        "count": 7, "consecutive_success_limit": 2, "inconclusive_limit": 1, "consecutive_error_limit": 4, "no_data": "fail",
    }  # fmt: skip
    item = {"name": "x", "error_rate": {"max": "1%"}, "judge": "threshold"}
    spec = parse({**LEAST, "release_gates": [item, {**item, "name": "y", "looks": {"threshold": 1}}], "release_looks": looks})
    assert spec.looks == LooksSpec(30.0, 5, True, 4, 100, 10.0, 7, 2, 1, 4, "fail")
    assert [one.looks for one in spec.gates] == [None, LooksSpec(30.0, 1, True, 4, 100, 10.0, 7, 2, 1, 4, "fail")]


@pytest.mark.parametrize(
    ("item", "field", "says"),
    [
        ({"error_rate": {"max": "1%"}, "judge": "mean"}, "release_gates[0].judge", "one of sequential, threshold"),
        ({"query": {"promql": PROMQL, "max": 1}, "judge": "sequential"}, "release_gates[0].judge", "one of threshold"),
        ({"latency": {"p99": {"max": "1s"}}, "judge": "sequential"}, "release_gates[0].judge", "one of threshold"),
        ({"latency": {"p99": {"max": "1s"}, "p50": {"max": "1s"}}}, "release_gates[0].latency", "one quantile"),
        ({"latency": {"p99": {"max": "1s"}, "max": "1%"}}, "release_gates[0].latency.max", "unknown"),
        ({"latency": {"p99": None}}, "release_gates[0].latency.p99", "is required"),
        ({"latency": {"p99": {}}}, "release_gates[0].latency.p99.max", "is required"),
        ({"latency": {"p99": {"max": 500}}}, "release_gates[0].latency.p99.max", "with its unit"),
        ({"latency": {"p0": {"max": "1s"}}}, "release_gates[0].latency.p0", "above p0"),
        ({"latency": {"p100": {"max": "1s"}}}, "release_gates[0].latency.p100", "unknown"),
        ({"request_rate": {}}, "release_gates[0].request_rate.min", "a number above 0"),
        ({"request_rate": {"min": 0}}, "release_gates[0].request_rate.min", "a number above 0"),
        ({"request_rate": {"min": 5}, "judge": "sequential"}, "release_gates[0].judge", "one of threshold"),
        ({"query": None}, "release_gates[0].query", "is required"),
        ({"query": {"max": 1}}, "release_gates[0].query.promql", "is required"),
        ({"query": {"promql": " ", "max": 1}}, "release_gates[0].query.promql", "a non-empty string"),
        ({"query": {"promql": PROMQL}}, "release_gates[0].query", "a limit: min, max"),
        ({"query": {"promql": PROMQL, "max": "95%"}}, "release_gates[0].query.max", "a number in the query's own unit"),
        ({"query": {"promql": PROMQL, "max": float("inf")}}, "release_gates[0].query.max", "a number"),
        ({"query": {"promql": PROMQL, "max": True}}, "release_gates[0].query.max", "a number"),
        ({"query": {"promql": PROMQL, "min": 2, "max": 1}}, "release_gates[0].query.min", "at most max (1)"),
        ({"query": {"promql": PROMQL, "min": 2, "fails_below": 2}}, "release_gates[0].query.fails_below", "below min"),
        ({"query": {"promql": PROMQL, "min": 2, "fails_above": 9}}, "release_gates[0].query.fails_above", "above max"),
        ({"query": {"promql": "up{pod='{pod}'}", "max": 1}}, "release_gates[0].query.promql", "one of {namespace}, {workload}"),
        ({"query": {"promql": PROMQL, "baseline": "up"}}, "release_gates[0].query.tolerance", "a percentage of stable's"),
        ({"query": {"promql": PROMQL, "baseline": "up", "tolerance": 0.1}}, "release_gates[0].query.tolerance", "a percentage"),
        ({"query": {"promql": PROMQL, "max": 1, "tolerance": "1%"}}, "release_gates[0].query.tolerance", "nothing, unless baseline"),
        ({"query": {"promql": PROMQL, "max": 1, "direction": "increase"}}, "release_gates[0].query.direction", "nothing, unless baseline"),
        ({"error_rate": {"max": "1%"}, "looks": {"threshold": 2}}, "release_gates[0].looks", "unless its judge is threshold"),
        ({"query": {"promql": PROMQL, "max": 1}, "looks": {"treshold": 2}}, "release_gates[0].looks.treshold", "did you mean threshold?"),
        ({"query": {"promql": PROMQL, "max": 1}, "looks": {"threshold": -1}}, "release_gates[0].looks.threshold", "a whole number from 0"),
        ({"query": {"promql": PROMQL, "max": 1}, "looks": {"interval_seconds": 0}}, "release_gates[0].looks.interval_seconds", "a duration from 1 s"),
        ({"query": {"promql": PROMQL, "max": 1}, "looks": {"consecutive": 1}}, "release_gates[0].looks.consecutive", "true or false"),
        ({"query": {"promql": PROMQL, "max": 1}, "looks": {"no_data": "pass"}}, "release_gates[0].looks.no_data", "one of hold, fail"),
    ],
    ids=str,
)  # fmt: skip
def test_a_gate_that_would_judge_nothing_is_refused(item, field, says):
    assert says in problems({"name": "x", **item})[field]


def test_looks_that_nobody_would_use_are_refused():
    found = problems({"name": "x", "error_rate": {"max": "1%"}}, release_looks={"threshold": 2})
    assert found == {"release_looks": "nothing, unless the judge of a gate is threshold"}


@pytest.mark.parametrize("name", ["canary", "canary_service", "canary_pods"])
def test_a_rolled_deployment_has_no_canary_to_ask_about(name):
    item = {"name": "x", "query": {"promql": f'up{{x="{{{name}}}"}}', "max": 1}}
    assert "makes no canary" in problems(item, release_strategy="rolling")["release_gates[0].query"]
    assert gate({"name": "x", "query": {"promql": 'up{x="{workload}"}', "max": 1}}, release_strategy="rolling").query is not None


def test_pods_answer_no_queries_so_that_prometheus_is_needed_beside_them():
    more = {"release_metrics_source": "pods", "release_prometheus": None}
    assert "is required by the gates" in problems({"name": "x", "query": {"promql": PROMQL, "max": 1}}, **more)["release_prometheus"]
    assert gate({"name": "x", "latency": {"p99": {"max": "1s"}}}, **more).quantile is not None


def test_placeholders_are_nothing_that_promql_has_itself():
    promql = 'sum by (pod) (rate(x{a="b", c=~"[0-9]{2}"}[5m])) / scalar(y{z="{namespace}"})'
    assert gate({"name": "x", "query": {"promql": promql, "max": 1}}).query.promql == promql
    assert all(PLACEHOLDERS.values())


@pytest.mark.parametrize(
    ("slower_than", "milliseconds"), [("250ms", 250.0), ("1s", 1000.0), ("0.5 s", 500.0), ("2.5s", 2500.0), ("1m", 60000.0), ("0.5ms", 0.5)]
)
def test_latency_bounds_become_milliseconds(slower_than, milliseconds):
    assert gate({"latency": {"slower_than": slower_than, "max": "1%"}}).slower_than_ms == milliseconds
