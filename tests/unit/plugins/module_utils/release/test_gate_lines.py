# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates as the plan tells of them: limits, judges, what is forgiven, and the least time."""

from types import SimpleNamespace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading
from ansible_collections.progressive.delivery.plugins.module_utils.release.gate_lines import gate_lines, seconds_of_gates
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
