# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From counters to counts: nothing is lost, nothing is counted twice, and no pod holds up a look for ever."""

from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES, Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import (
    CANARY,
    STABLE,
    Counters,
    PodCounters,
    Reading,
    counter_of,
    errors,
    slow,
    sort,
)
from hypothesis import given
from hypothesis import strategies as st

ARMS = Arms(SOURCES["istio_destination"], "eu", "shop", "shop")


def reading(now, **pods):
    """Pods by short name: s1=(sampled at, ok, failed) is stable's first, c1 the canary's."""
    found = {}
    for name, (at, ok, failed) in pods.items():
        values = {counter: value for counter, value in (("code:200", ok), ("code:500", failed)) if value is not None}
        found[(CANARY if name[0] == "c" else STABLE, name)] = PodCounters(at, {key: float(value) for key, value in values.items()})
    return Reading(now, found)


def started(first):
    counters = Counters()
    counters.start(first)
    return counters


def counted(counters, arm):
    found = errors(counters.block.increases[arm])
    return None if found is None else (found.requests, found.events)


def test_counts_are_what_was_added_since_the_start():
    counters = started(reading(0, s1=(1, 1000, 7), c1=(1, 50, 1)))
    assert counters.add(reading(6, s1=(6, 1100, 9), c1=(6, 60, 1))) is True
    assert (counted(counters, STABLE), counted(counters, CANARY)) == ((102, 2), (10, 0))


def test_the_same_sample_read_again_adds_nothing():
    counters = started(reading(0, s1=(1, 10, 0)))
    counters.add(reading(6, s1=(6, 20, 0)))
    assert counters.add(reading(7, s1=(6, 20, 0))) is True
    assert (counted(counters, STABLE), counters.added) == ((10, 0), 0)


def test_a_counter_that_was_reset_counts_from_zero():
    counters = started(reading(0, c1=(1, 100, 5)))
    counters.add(reading(6, c1=(6, 30, 2)))
    assert counted(counters, CANARY) == (32, 2)


def test_a_series_that_is_born_above_zero_counts_whole():
    counters = started(reading(0, c1=(1, 100, None)))
    counters.add(reading(6, c1=(6, 110, 3)))
    assert counted(counters, CANARY) == (13, 3)


def test_a_canary_pod_that_is_born_during_the_release_counts_whole():
    counters = started(reading(0, s1=(1, 100, 0)))
    counters.add(reading(6, s1=(6, 100, 0), c1=(5, 8, 2)))
    assert counted(counters, CANARY) == (10, 2)


def test_an_old_pod_of_stable_that_is_discovered_late_brings_no_past():
    counters = started(reading(0, s1=(1, 100, 0)))
    counters.add(reading(6, s1=(6, 110, 0), s2=(6, 9000, 50)))
    assert counted(counters, STABLE) == (10, 0)
    counters.add(reading(11, s1=(11, 120, 0), s2=(11, 9005, 51)))
    assert counted(counters, STABLE) == (10 + 10 + 6, 1)


def test_a_series_that_one_answer_misses_is_neither_lost_nor_counted_twice():
    counters = started(reading(0, c1=(1, 100, 5)))
    counters.add(reading(6, c1=(6, 110, None)))
    counters.add(reading(11, c1=(11, 120, 6)))
    assert counted(counters, CANARY) == (21, 1)


def test_a_pod_that_one_answer_misses_goes_on_from_its_last_sample():
    counters = started(reading(0, s1=(1, 10, 0), c1=(1, 100, 5)))
    counters.add(reading(6, s1=(6, 20, 0)))
    counters.add(reading(11, s1=(11, 30, 0), c1=(11, 120, 6)))
    assert counted(counters, CANARY) == (21, 1)


def test_a_block_closes_only_when_every_pod_has_a_new_sample():
    counters = started(reading(0, s1=(1, 10, 0), s2=(3, 10, 0), c1=(4, 10, 0)))
    assert counters.add(reading(6, s1=(6, 20, 0), s2=(3, 10, 0), c1=(4, 10, 0))) is False
    assert counters.add(reading(8, s1=(6, 20, 0), s2=(8, 20, 0), c1=(4, 10, 0))) is False
    assert counters.add(reading(9, s1=(6, 20, 0), s2=(8, 20, 0), c1=(9, 20, 0))) is True
    counters.next_block()
    assert counters.add(reading(10, s1=(6, 20, 0), s2=(8, 20, 0), c1=(9, 20, 0))) is False


def test_a_pod_that_stays_away_does_not_hold_up_the_block_for_ever():
    counters = started(reading(0, s1=(1, 10, 0), s2=(1, 10, 0)))
    assert counters.add(reading(6, s1=(6, 20, 0), s2=(6, 20, 0))) is True
    counters.next_block()
    assert counters.add(reading(11, s1=(11, 30, 0), s2=(6, 20, 0))) is False
    assert counters.add(reading(18, s1=(16, 40, 0), s2=(6, 20, 0))) is False, "12 s are within 2.5 intervals of 5 s"
    assert counters.add(reading(19, s1=(16, 40, 0), s2=(6, 20, 0))) is True


def test_a_pod_that_is_gone_from_the_answer_does_not_hold_up_the_block():
    counters = started(reading(0, s1=(1, 10, 0), s2=(1, 10, 0)))
    assert counters.add(reading(6, s1=(6, 20, 0))) is True


def test_an_empty_answer_closes_nothing():
    counters = started(reading(0, s1=(1, 10, 0)))
    assert counters.add(Reading(6, {})) is False


def test_the_scrape_interval_and_the_newest_sample_are_those_of_the_pods():
    counters = started(reading(0, s1=(1, 10, 0), c1=(2, 10, 0)))
    assert counters.scrape_seconds is None
    counters.add(reading(12, s1=(6, 20, 0), c1=(12, 20, 0)))
    assert counters.scrape_seconds == 10
    assert (counters.newest(STABLE), counters.newest(CANARY), counters.newest("neither")) == (6, 12, 0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.booleans()), min_size=1, max_size=30), st.data())
def test_however_the_scrapes_fall_the_blocks_add_up_to_all_that_happened(growth, data):
    """Two pods scraped at their own times: what the blocks counted is what the counters grew by, whoever was read when."""
    values, times = {"s1": 100, "c1": 0}, {"s1": 0.5, "c1": 0.5}
    counters = started(reading(0, **{name: (times[name], values[name], 0) for name in values}))
    total = 0
    for second, (stable, canary, both) in enumerate(growth, start=1):
        for name, grown in (("s1", stable), ("c1", canary)):
            if both or data.draw(st.booleans()):
                values[name] += grown
                times[name] = float(second)
        if counters.add(reading(second, **{name: (times[name], values[name], 0) for name in values})):
            total += sum((counted(counters, arm) or (0, 0))[0] for arm in (STABLE, CANARY))
            counters.next_block()
    total += sum((counted(counters, arm) or (0, 0))[0] for arm in (STABLE, CANARY))
    assert total == values["s1"] - 100 + values["c1"]


@pytest.mark.parametrize(
    ("increases", "counts"),
    [
        ({}, None),
        ({"le:inf": 5.0}, None),
        ({"code:200": 90.0, "code:503": 6.0, "code:0": 3.0, "code:404": 1.0}, Counts(100, 9)),
        ({"code:200": 0.0}, Counts(0, 0)),
    ],
)
def test_errors_are_5xx_and_requests_without_any_answer(increases, counts):
    assert errors(increases) == counts


@pytest.mark.parametrize(
    ("increases", "counts"),
    [
        ({"le:inf": 100.0, "le:250.0": 90.0}, Counts(100, 10)),
        ({"le:inf": 100.0}, None),
        ({"le:250.0": 90.0}, None),
        ({"le:inf": 89.6, "le:250.0": 90.4}, Counts(90, 0)),
    ],
    ids=["some slow", "no such bound", "no total", "read at different moments"],
)
def test_slow_requests_are_those_beyond_the_bound(increases, counts):
    assert slow(increases, 250.0) == counts


def series(kind, value, **labels):
    return {"kind": kind, "destination_workload": "shop", "pod": "p", **labels}, value


def test_an_answer_is_sorted_by_arm_and_pod():
    vector = [
        series("requests", 5.0, response_code="200"),
        series("requests", 2.0, response_code="200", instance="second-port"),
        series("buckets", 6.0, le="250"),
        series("time", 99.0),
        series("requests", 1.0, response_code="200", destination_workload="shop-canary", pod="q"),
        series("time", 98.0, destination_workload="shop-canary", pod="q"),
        series("requests", 7.0, destination_workload="stranger"),
        ({"kind": "now"}, 100.0),
    ]
    found = sort(ARMS, vector)
    assert found.now_seconds == 100
    assert found.pods == {
        (STABLE, "p"): PodCounters(99.0, {"code:200": 7.0, "le:250.0": 6.0}),
        (CANARY, "q"): PodCounters(98.0, {"code:200": 1.0}),
    }


@pytest.mark.parametrize(
    ("source", "labels", "counter"),
    [
        ("istio_destination", {"response_code": "200", "grpc_response_status": "0"}, "code:200"),
        ("istio_destination", {"response_code": "200", "grpc_response_status": "14"}, "code:failed"),
        ("istio_destination", {"response_code": "503", "grpc_response_status": "14"}, "code:503"),
        ("istio_destination", {"response_code": "200", "grpc_response_status": "5"}, "code:200"),
        ("linkerd", {"classification": "failure"}, "code:failed"),
        ("linkerd", {"classification": "success"}, "code:success"),
        ("linkerd_route", {"http_status": "", "error": "FAIL_FAST"}, "code:failed"),
        ("linkerd_route", {"http_status": "404", "error": ""}, "code:404"),
        ("linkerd_grpc_route", {"grpc_status": "UNAVAILABLE"}, "code:failed"),
        ("linkerd_grpc_route", {"grpc_status": "NOT_FOUND"}, "code:NOT_FOUND"),
        ("http", {"status": "502"}, "code:502"),
        ("http", {"code": "0"}, "code:0"),
    ],
)
def test_what_a_source_calls_failed_has_failed(source, labels, counter):
    found = counter_of(Arms(SOURCES[source], "eu", "shop", "shop"), labels)
    assert found == counter
    assert errors({found: 4.0}).events == (4 if SOURCES[source].is_failure(labels) else 0)


def test_an_own_rule_may_let_5xx_pass():
    own = replace(SOURCES["http"], failed=(("code", "50[02]"),))
    assert counter_of(Arms(own, "eu", "shop", "shop"), {"code": "503"}) == "code:passed"
    assert errors({"code:passed": 4.0, "code:502": 1.0}) == Counts(5, 1)


def test_a_native_histogram_stands_in_for_buckets_that_are_not_there():
    vector = [series("time", 99.0), series("native", 4.5, le="250"), series("native", 6.0, le="+Inf"), ({"kind": "now"}, 100.0)]
    assert sort(ARMS, vector).pods[(STABLE, "p")].values == {"le:250.0": 4.5, "le:inf": 6.0}
    both = [*vector, series("buckets", 5.0, le="250"), series("buckets", 6.0, le="+Inf")]
    assert sort(ARMS, both).pods[(STABLE, "p")].values == {"le:250.0": 5.0, "le:inf": 6.0}


def cut(at, total, fast):
    return Reading(at, {(CANARY, "c"): PodCounters(at, {"code:200": total, "le:250.0": fast, "le:inf": total})})


def test_a_native_histogram_that_is_made_coarser_is_no_restart():
    counters = started(cut(1, 100.0, 60.0))
    counters.add(cut(6, 110.0, 58.5))
    assert slow(counters.block.increases[CANARY], 250.0) == Counts(10, 10)
    counters.add(cut(11, 120.0, 68.5))
    assert slow(counters.block.increases[CANARY], 250.0) == Counts(20, 10)
    counters.add(cut(16, 7.0, 5.0))
    assert slow(counters.block.increases[CANARY], 250.0) == Counts(27, 12)


def test_a_pod_without_a_sample_time_is_left_out():
    assert sort(ARMS, [series("requests", 5.0, response_code="200")]).pods == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(ValueError, match="not a count"):
        sort(ARMS, [series("requests", value, response_code="200"), series("time", 9.0)])


@given(st.integers(1, 600_000))
def test_a_bound_in_seconds_is_found_under_its_milliseconds(milliseconds):
    arms = Arms(SOURCES["http"], "eu", "shop", "shop")
    pod = {"pod": "shop-7d4b8c9f6-x2x9k"}
    vector = [({"kind": "buckets", "le": repr(milliseconds / 1000), **pod}, 3.0), ({"kind": "buckets", "le": "+Inf", **pod}, 5.0)]
    found = sort(arms, [*vector, ({"kind": "time", **pod}, 9.0)])
    assert slow(found.pods[STABLE, pod["pod"]].values, round(1000 * (milliseconds * 0.001), 3)) == Counts(5, 2)
