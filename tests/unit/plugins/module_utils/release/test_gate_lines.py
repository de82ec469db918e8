# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates as the plan tells of them: limits, judges, what is forgiven, and the least time."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading
from ansible_collections.progressive.delivery.plugins.module_utils.release.gate_lines import gate_lines, seconds_of_gates
from ansible_collections.progressive.delivery.plugins.module_utils.release.gate_odds import odds_lines, time_notes
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse

GATES = [
    {"name": "errors", "error_rate": {"max": "1%"}},
    {"name": "limit", "error_rate": {"max": "2%"}, "judge": "threshold"},
    {"name": "p99", "latency": {"p99": {"max": "500ms"}}, "looks": {"threshold": 2, "consecutive": True}},
    {"name": "paid", "query": {"promql": "a", "baseline": "b", "tolerance": "5%", "direction": "decrease", "min": 90, "unit": "%"}},
    {"name": "cpu", "query": {"promql": "a", "max": 2}, "looks": {"threshold": 0}},
]


def spec(*gates, **more):
    return parse({
        "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
        "release_prometheus": {"url": "http://p"}, "release_steps": [10, 50, 100], "release_gates": list(gates), **more,
    })  # fmt: skip


def found(one):
    readings = {gate.name: GateReading(6000, 6, 100.0) for gate in one.counted}
    return SimpleNamespace(gates=readings, target=SimpleNamespace(stable_replicas=4, dispersion=dict.fromkeys(readings, 1.0)))


def test_each_gate_has_a_line_and_each_threshold_says_what_it_forgives():
    one = spec(*GATES, release_looks={"interval_seconds": 120, "threshold": 10, "iterations": 4})
    assert gate_lines(one, found(one)) == [
        "  gate errors: errors 0.1 % of 1 % now; 10 times stable's shows after 807 canary requests, 81 s at 10 %",
        "  gate limit: errors 0.1 % of 2 % now · judge threshold",
        "  gate p99: p99 at most 500ms · judge threshold",
        "  gate paid: a query, at least 90 %, at most 5 % below stable's · judge threshold",
        "  gate cpu: a query, at most 2 · judge threshold",
        "  threshold of limit, paid: a look every 2 min, failed look 10 returns traffic, at least 4 looks",
        "  threshold of p99: a look every 2 min, failed look 2 in a row returns traffic, at least 4 looks",
        "  threshold of cpu: a look every 2 min, no failed look returns traffic, at least 4 looks",
    ]


@pytest.mark.parametrize(
    ("looks", "minimum", "seconds"), [({"iterations": 0}, 0, 120.0), ({"iterations": 7}, 0, 420.0), ({"iterations": 7}, 300, 600.0)]
)
def test_a_threshold_takes_its_looks_or_the_minimum_time_of_each_weight(looks, minimum, seconds):
    one = spec(GATES[1], release_looks={"interval_seconds": 60, **looks}, release_minimum_step_seconds=minimum)
    assert seconds_of_gates(one, found(one), plan(one)) == seconds


NO_WORSE = "  a version that is no worse is returned with a chance of 1 % at most, by all of them together"


def odds(one, **more):
    return odds_lines(one, found(one), plan(one))


LIMIT = "  errors of 1 % or more get to all traffic with a chance of 5 % at most"


def test_the_plan_tells_what_limit_and_comparison_are_worth_and_the_bound_of_false_alarms():
    said = "  errors 2, 5, 10 times stable's return traffic in the 74 s of a good version with a chance of under 1, 4, 44 %"
    assert odds(spec(GATES[0])) == [LIMIT, said, NO_WORSE]


def test_longer_waits_catch_more_and_a_second_gate_takes_its_part_of_alpha():
    def chances(*gates, **more):
        line = odds(spec(*gates, **more))[1]
        return [
            float(one.strip(" %").replace("under 1", "0").replace("over 99", "100")) for one in line.rpartition("chance of")[2].split(",")
        ]

    slow = {"name": "slow", "latency": {"slower_than": "500ms", "max": "1%"}}
    few, many, shared = chances(GATES[0]), chances(GATES[0], release_minimum_step_seconds=600), chances(GATES[0], slow)
    assert few == sorted(few) and all(one <= other for one, other in zip(few, many, strict=True)) and many[1:] == [100, 100]
    assert shared[2] < few[2]


def test_twice_the_requests_leave_less_than_a_percent_past_the_limit_and_thresholds_promise_nothing():
    assert odds_lines(*_careful())[0] == "  errors of 1 % or more get to all traffic with a chance of 0.25 % at most"
    assert odds(spec(GATES[1])) == []


def _careful():
    one = replace(spec(GATES[0]), requests_factor=2)
    return one, found(one), plan(one)


def test_without_requests_nothing_is_predicted():
    one = spec(GATES[0])
    still = SimpleNamespace(gates={"errors": GateReading(0, 0, 0.0)}, target=found(one).target)
    assert odds_lines(one, still, plan(one)) == [LIMIT, NO_WORSE]


@pytest.mark.parametrize(
    ("per_second", "share", "notes"),
    [
        (100.0, 0.001, []),
        (
            0.5,
            0.001,
            [
                "gate errors: needs 4.1 h at 10 % of today's traffic to be sure; after 30 min release_on_inconclusive (roll_back) decides; "
                "a larger weight, or a higher limit, takes less"
            ],
        ),
        (0.0, 0.0, ["gate errors: no requests lately; should none come, after 30 min release_on_inconclusive (roll_back) decides"]),
        (0.5, 0.009, []),  # stable is near the limit, and the comparison decides
        (0.5, 0.02, []),
    ],
)
def test_a_step_that_todays_traffic_leaves_undecided_is_told_before_the_start(per_second, share, notes):
    one = spec(GATES[0])
    reading = GateReading(300 * per_second, 300 * per_second * share, per_second)
    today = SimpleNamespace(gates={"errors": reading}, target=found(one).target)
    assert time_notes(one, today, plan(one)) == notes
