# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Past counters become counts by interval and pod, whatever pods and series do meanwhile."""

import math

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES, Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.history import ALL, read
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import Prometheus
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec

ERRORS = GateSpec("errors", "error_rate", 0.01, None)
SLOW = GateSpec("slow", "latency", 0.01, 250.0)
A, B = "shop-7c9fbb4d5-aaaaa", "shop-7c9fbb4d5-bbbbb"


class Past:
    """A Prometheus with (labels, {time: value}) series; the bucket queries get what stands under their le."""

    def __init__(self, *series):
        self.series = series
        self.asked = []

    def get(self, path, query):
        assert path == "api/v1/query_range"
        start, end = float(query["start"]), float(query["end"])
        self.asked.append((start, end))
        wanted = "+Inf" if 'le="+Inf"' in query["query"] else "250" if "le=~" in query["query"] else None
        result = [
            {
                "metric": {name: value for name, value in labels.items() if name != "le"},
                "values": [[at, str(v)] for at, v in values.items() if start <= at <= end],
            }
            for labels, values in self.series
            if labels.get("le") == wanted
        ]
        return {"status": "success", "data": {"result": [one for one in result if one["values"]]}}


def counts(*series, gates=(ERRORS,), source="http", end=160.0):
    past = Past(*series)
    arms = Arms(SOURCES[source], "eu", "shop", "shop")
    found = read(Prometheus(past), arms, gates, start_seconds=100.0, end_seconds=end, step_seconds=15.0)
    return {one.at_seconds: {gate: dict(parts) for gate, parts in one.counts.items()} for one in found}


def test_a_pod_s_counts_are_what_its_counters_grew_by():
    found = counts(({"pod": A, "code": "200"}, {100: 1000, 115: 1090}), ({"pod": A, "code": "500"}, {100: 7, 115: 17}))
    assert found == {100: {"errors": {A: Counts(0, 0)}}, 115: {"errors": {A: Counts(100, 10)}}}


def test_the_first_error_of_a_pod_counts_although_its_series_is_born_with_it():
    found = counts(({"pod": A, "code": "200"}, {100: 1000, 115: 1090, 130: 1100}), ({"pod": A, "code": "500"}, {115: 3, 130: 4}))
    assert found[115]["errors"][A] == Counts(93, 3)
    assert found[130]["errors"][A] == Counts(11, 1)


def test_a_pod_that_is_new_brings_no_past_and_a_restart_begins_at_zero():
    found = counts(({"pod": A, "code": "200"}, {100: 50, 115: 60, 130: 4}), ({"pod": B, "code": "200"}, {115: 900, 130: 910}))
    assert found[115]["errors"] == {A: Counts(10, 0), B: Counts(0, 0)}
    assert found[130]["errors"] == {A: Counts(4, 0), B: Counts(10, 0)}


def test_slow_requests_are_those_above_the_bound():
    found = counts(
        ({"pod": A, "code": "200"}, {100: 0, 115: 50}),
        ({"pod": A, "le": "250"}, {100: 10, 115: 55}),
        ({"pod": A, "le": "+Inf"}, {100: 10, 115: 60}),
        gates=(ERRORS, SLOW),
    )
    assert found[115] == {"errors": {A: Counts(50, 0)}, "slow": {A: Counts(50, 5)}}


def test_a_gateway_does_not_tell_pods_apart():
    labels = {"destination_service_name": "shop", "response_code": "200"}
    found = counts(
        ({**labels, "pod": "gateway-1"}, {100: 5, 115: 8}), ({**labels, "pod": "gateway-2"}, {100: 1, 115: 3}), source="istio_source"
    )
    assert {at: one["errors"][ALL].requests for at, one in found.items()} == {100: 0, 115: 5}


def test_two_ways_to_fail_are_two_counters_that_grow_by_themselves():
    labels = {"backend_name": "shop", "pod": "web-1"}
    found = counts(
        ({**labels, "grpc_status": "UNAVAILABLE", "error": ""}, {100: 50, 115: 52, 130: 1}),
        ({**labels, "grpc_status": "UNKNOWN", "error": "FAIL_FAST"}, {100: 9, 115: 12, 130: 14}),
        ({**labels, "grpc_status": "OK", "error": ""}, {100: 70, 115: 90, 130: 95}),
        source="linkerd_grpc_route",
    )
    assert [one["errors"][ALL] for one in found.values()] == [Counts(0, 0), Counts(25, 5), Counts(8, 3)]


def test_long_pasts_are_asked_for_in_parts_and_nothing_is_lost_between_them():
    series = ({"pod": A, "code": "200"}, {100.0 + 15 * number: 2 * number for number in range(5001)})
    past = Past(series)
    arms = Arms(SOURCES["http"], "eu", "shop", "shop")
    found = read(Prometheus(past), arms, (ERRORS,), start_seconds=100.0, end_seconds=100.0 + 15 * 5000, step_seconds=15.0)
    assert len(past.asked) == 3 and len(found) == 5001
    assert sum(one.of("errors", [A]).requests for one in found) == 2 * 5000


def test_a_value_that_is_no_number_is_left_out():
    assert counts(({"pod": A, "code": "200"}, {100: 1, 115: math.nan, 130: 5}))[130]["errors"][A] == Counts(4, 0)


@pytest.mark.parametrize("gates", [(ERRORS,), (ERRORS, SLOW)])
def test_nothing_known_is_nothing_counted(gates):
    assert counts(gates=gates) == {}
