# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queries as Prometheus gets them, and whose series is whose."""

import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES, Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sources import GRPC_FAILED

DESTINATION = Arms(SOURCES["istio_destination"], "eu", "shop", "front")
SOURCE = Arms(SOURCES["istio_source"], "eu", "shop", "front")
HTTP = Arms(SOURCES["http"], "eu", "shop", "front")

NAMED = ("destination_workload", "destination_service_name", "backend_name", "pod")  # labels by which series are told apart
MATCH_DESTINATION = 'reporter="destination",destination_workload_namespace="eu",destination_workload=~"shop|shop\\\\-canary"'
MATCH_SOURCE = 'reporter="source",destination_service_namespace="eu",destination_service_name=~"front|front\\\\-canary"'
MATCH_HTTP = 'namespace="eu",pod=~"(shop|shop\\\\-canary)-[0-9a-z]{6,10}-[0-9a-z]{5}"'


@pytest.mark.parametrize(
    ("arms", "by", "code", "matchers", "metric"),
    [
        (DESTINATION, "destination_workload,pod,instance", "response_code,grpc_response_status", MATCH_DESTINATION, "istio_requests_total"),
        (SOURCE, "destination_service_name,pod,instance", "response_code,grpc_response_status", MATCH_SOURCE, "istio_requests_total"),
        (HTTP, "pod,instance", "code,status", MATCH_HTTP, "http_requests_total"),
    ],
    ids=["istio_destination", "istio_source", "http"],
)
def test_a_look_is_one_query_for_counters_their_times_and_the_servers_clock(arms, by, code, matchers, metric):
    assert arms.look_query([]) == " or ".join(
        [
            f'label_replace(sum by ({by},{code}) ({metric}{{{matchers}}}), "kind", "requests", "", "")',
            f'label_replace(max by ({by}) (timestamp({metric}{{{matchers}}})), "kind", "time", "", "")',
            'label_replace(vector(time()), "kind", "now", "", "")',
        ]
    )


def test_latency_bounds_add_their_buckets_and_the_total():
    added = DESTINATION.look_query([250.0, 0.5])
    assert "istio_request_duration_milliseconds_bucket{" + MATCH_DESTINATION + ',le=~"250(\\\\.0)?|0\\\\.5|\\\\+Inf"}' in added
    assert "sum by (destination_workload,pod,instance,le)" in added


@pytest.mark.parametrize(
    ("arms", "bound_ms", "spellings", "others"),
    [
        (DESTINATION, 250.0, ["250", "250.0"], ["2500", "25", "250.5", "250x0"]),
        (DESTINATION, 0.5, ["0.5"], ["0x5", "5"]),
        (HTTP, 250.0, ["0.25"], ["0.025", "0x25"]),
        (HTTP, 1000.0, ["1", "1.0"], ["10", "1.05"]),
        (DESTINATION, 600000.0, ["600000", "600000.0"], ["6e+05"]),
    ],
)
def test_a_bound_matches_both_spellings_of_its_bucket_and_no_other(arms, bound_ms, spellings, others):
    pattern = arms.bound_pattern(bound_ms).replace("\\\\", "\\")  # what is left after PromQL has read the string
    assert all(re.fullmatch(pattern, one) for one in spellings)
    assert not any(re.fullmatch(pattern, one) for one in others)


def test_the_bounds_query_counts_series_by_bound():
    assert SOURCE.bounds_query() == f"count by (le) (istio_request_duration_milliseconds_bucket{{{MATCH_SOURCE}}})"


@pytest.mark.parametrize(
    ("arms", "events", "query"),
    [
        (DESTINATION, "requests", f'sum(increase(istio_requests_total{{{MATCH_DESTINATION},destination_workload="shop"}}[1m]))'),
        (
            SOURCE,
            "errors",
            f'sum(increase(istio_requests_total{{{MATCH_SOURCE},destination_service_name="front",response_code=~"5..|0"}}[1m])'
            f' or increase(istio_requests_total{{{MATCH_SOURCE},destination_service_name="front",grpc_response_status=~"{GRPC_FAILED}"}}[1m]))',
        ),
        (HTTP, "requests", 'sum(increase(http_requests_total{namespace="eu",pod=~"shop-[0-9a-z]{6,10}-[0-9a-z]{5}"}[1m]))'),
    ],
)
def test_history_is_stables_alone(arms, events, query):
    assert arms.history_query(events, None) == query


def test_slow_requests_are_all_but_the_fast_ones():
    classic, native = DESTINATION.history_query("slow", 250.0).split(" or ")
    every, fast = classic.split(" - ")
    assert 'le="+Inf"' in every
    assert "histogram_fraction(-Inf, 250, increase(istio_request_duration_milliseconds{" in native
    assert 'le=~"250(\\\\.0)?"' in fast


@pytest.mark.parametrize("name", ["shop-api", "shop.api", "s", "shop-canary"])
@pytest.mark.parametrize("source", [name for name, one in SOURCES.items() if one.arm_label in NAMED])
def test_names_with_dashes_and_dots_match_themselves_alone(name, source):
    arms = Arms(SOURCES[source], "eu", name, name)
    pattern = re.search(SOURCES[source].arm_label + r'=~"([^"]*)"', arms.selector).group(1).replace("\\\\", "\\")
    tail = "-7d4b8c9f6-x2x9k" if SOURCES[source].arms_by_pod else ""
    assert re.fullmatch(pattern, name + tail)
    assert re.fullmatch(pattern, name + "-canary" + tail)
    assert not re.fullmatch(pattern, name.replace(".", "x").replace("-", "x") + "y-other" + tail)
    assert not re.fullmatch(pattern, "x" + name + tail)


@pytest.mark.parametrize(
    ("arms", "labels", "arm"),
    [
        (DESTINATION, {"destination_workload": "shop"}, "stable"),
        (DESTINATION, {"destination_workload": "shop-canary"}, "canary"),
        (DESTINATION, {"destination_workload": "shop-canary-2"}, None),
        (SOURCE, {"destination_service_name": "front-canary"}, "canary"),
        (SOURCE, {"destination_service_name": "shop"}, None),
        (DESTINATION, {}, None),
        (HTTP, {"pod": "shop-7d4b8c9f6-x2x9k"}, "stable"),
        (HTTP, {"pod": "shop-canary-7d4b8c9f6-x2x9k"}, "canary"),
        (HTTP, {"pod": "shop-api-7d4b8c9f6-x2x9k"}, None),
        (HTTP, {"pod": "workshop-7d4b8c9f6-x2x9k"}, None),
        (HTTP, {}, None),
    ],
)
def test_a_series_belongs_to_one_arm_or_to_neither(arms, labels, arm):
    assert arms.arm_of(labels) == arm


@pytest.mark.parametrize(
    ("kind", "own", "others"),
    [
        ("StatefulSet", ["shop-0", "shop-12"], ["shop-web-0", "shop-7d4b9c6f5-x2x4z", "shop-ab1cd"]),
        ("DaemonSet", ["shop-ab1cd", "shop-x2x4z"], ["shop-0", "shop-7d4b9c6f5-x2x4z", "cart-ab1cd"]),
    ],
)
def test_the_history_of_a_set_is_that_of_the_pods_that_are_called_like_its_own(kind, own, others):
    arms = Arms(SOURCES["http"], "eu", "shop", "front", kind=kind)
    assert [arms.arm_of({"pod": pod}) for pod in [*own, *others]] == ["stable"] * len(own) + [None] * len(others)
    (pattern,) = re.findall(r'pod=~"([^"]*)"', arms.history_query("requests", None))
    assert [bool(re.fullmatch(pattern, pod)) for pod in [*own, *others]] == [True] * len(own) + [False] * len(others)
