# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts in the texts that pods answer with. The texts are cut from a real application's, a real Envoy's and Istio's own form."""

import math
import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.exposition import FAMILIES, names_like_requests

HTTP = """\
# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 11
# HELP http_request_duration_seconds Time to answer.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.25"} 90
http_request_duration_seconds_bucket{le="0.5"} 94
http_request_duration_seconds_bucket{le="1"} 97
http_request_duration_seconds_bucket{le="+Inf"} 98
http_request_duration_seconds_sum 0.004682492
http_request_duration_seconds_count 98
# HELP http_requests_total Answered requests by status code.
# TYPE http_requests_total counter
http_requests_total{code="200"} 98
http_requests_total{code="500"} 2
promhttp_metric_handler_requests_total{code="200"} 7
"""
INBOUND, OUTBOUND = 'cluster_name="inbound|8080||"', 'cluster_name="outbound|80||shop.eu.svc.cluster.local"'
ENVOY = f"""\
# TYPE envoy_cluster_external_upstream_rq counter
envoy_cluster_external_upstream_rq{{{INBOUND},response_code="200"}} 330
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{{{INBOUND},response_code="200"}} 330
envoy_cluster_upstream_rq{{{INBOUND},response_code="503"}} 4
envoy_cluster_upstream_rq{{{INBOUND},response_code_class="2xx"}} 330
envoy_cluster_upstream_rq{{{OUTBOUND},response_code="500"}} 9
# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{{{INBOUND},le="0.5"}} 181
envoy_cluster_upstream_rq_time_bucket{{{INBOUND},le="500"}} 230
envoy_cluster_upstream_rq_time_bucket{{{INBOUND},le="+Inf"}} 235
envoy_cluster_upstream_rq_time_bucket{{{OUTBOUND},le="500"}} 1
envoy_cluster_upstream_rq_time_sum{{{INBOUND}}} 165.06179156051467771249008364975
"""
ISTIO = """\
# TYPE istio_requests_total counter
istio_requests_total{reporter="destination",source_workload="gateway",response_code="200"} 70
istio_requests_total{reporter="destination",source_workload="cart",response_code="200"} 30
istio_requests_total{reporter="destination",source_workload="cart",response_code="500"} 5
istio_requests_total{reporter="source",destination_workload="db",response_code="500"} 40
# TYPE istio_request_duration_milliseconds histogram
istio_request_duration_milliseconds_bucket{reporter="destination",source_workload="cart",le="500"} 33
istio_request_duration_milliseconds_bucket{reporter="destination",source_workload="gateway",le="500"} 70
istio_request_duration_milliseconds_bucket{reporter="destination",source_workload="cart",le="+Inf"} 35
istio_request_duration_milliseconds_bucket{reporter="destination",source_workload="gateway",le="+Inf"} 70
istio_request_duration_milliseconds_bucket{reporter="source",destination_workload="db",le="+Inf"} 40
"""


@pytest.mark.parametrize(
    ("family", "text", "expected"),
    [
        ("http", HTTP, {"code:200": 98, "code:500": 2, "le:500.0": 94, "le:inf": 98}),
        ("envoy", ENVOY, {"code:200": 330, "code:503": 4, "le:500.0": 230, "le:inf": 235}),
        ("envoy", ENVOY.replace("cluster_name", "envoy_cluster_name").replace("response_code=", "envoy_response_code="),
         {"code:200": 330, "code:503": 4, "le:500.0": 230, "le:inf": 235}),
        ("istio", ISTIO, {"code:200": 100, "code:500": 5, "le:500.0": 103, "le:inf": 105}),
    ],
    ids=["application", "sidecar", "sidecar with Envoy's own names", "Istio's sidecar"],
)  # fmt: skip
def test_only_the_requests_that_reached_the_pod_are_counted_by_code_and_at_the_gates_bounds(family, text, expected):
    assert FAMILIES[family].counters(text, [500.0]) == expected


@pytest.mark.parametrize(
    ("status", "counter"), [("", "code:200"), ("0", "code:200"), ("5", "code:200"), ("14", "code:failed"), ("13", "code:failed")]
)
def test_a_call_of_grpc_that_failed_is_a_failure_although_it_was_answered_with_200(status, counter):
    text = f'istio_requests_total{{reporter="destination",response_code="200",grpc_response_status="{status}"}} 3\n'
    assert FAMILIES["istio"].counters(text, []) == {counter: 3}


def test_without_latency_gates_no_bucket_is_counted():
    assert FAMILIES["http"].counters(HTTP, []) == {"code:200": 98, "code:500": 2}


@pytest.mark.parametrize("le", ["1", "1.0"])
def test_a_bound_is_found_in_either_spelling(le):
    text = HTTP.replace('le="1"', f'le="{le}"')
    assert FAMILIES["http"].counters(text, [1000.0])["le:1000.0"] == 97


@pytest.mark.parametrize(("family", "text", "bounds"), [("http", HTTP, [250.0, 500.0, 1000.0]), ("envoy", ENVOY, [0.5, 500.0])])
def test_the_bounds_that_are_there_are_told_in_milliseconds(family, text, bounds):
    assert FAMILIES[family].bounds_ms(text) == bounds


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_pod_that_has_served_nothing_has_no_counters_and_is_no_error(family):
    assert FAMILIES[family].counters("", [500.0]) == FAMILIES[family].counters("# TYPE go_goroutines gauge\n", []) == {}


@pytest.mark.parametrize("value", ["NaN", "-1", "+Inf", "many"])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(ValueError, match=r"not a count|could not convert"):
        FAMILIES["http"].counters(f'http_requests_total{{code="200"}} {value}\n', [])


@pytest.mark.parametrize("length", [len(HTTP) - 1, HTTP.index("98") + 1])
def test_an_answer_that_was_cut_off_is_refused_whole(length):
    with pytest.raises(ValueError, match="cut off"):
        FAMILIES["http"].counters(HTTP[:length], [])


def test_what_envoy_is_asked_to_leave_in_is_what_is_counted():
    only = re.compile(FAMILIES["envoy"].only)
    names = ["cluster.inbound|8080||.upstream_rq_200", "cluster.inbound|8080||.upstream_rq_time"]
    others = [
        "cluster.inbound|8080||.upstream_rq_2xx", "cluster.inbound|8080||.external.upstream_rq_200x", "cluster.outbound|80||a.upstream_rq_200",
        "cluster.inbound|8080||.upstream_rq_total",
    ]  # fmt: skip
    assert [name for name in names + others if only.search(name)] == names
    assert re.search(FAMILIES["istio"].only, "istiocustom.istio_requests_total.reporter.=.destination")


def test_names_that_may_have_been_meant_are_told_once():
    assert names_like_requests(HTTP) == [
        "http_request_duration_seconds_bucket", "http_request_duration_seconds_sum", "http_request_duration_seconds_count",
        "http_requests_total", "promhttp_metric_handler_requests_total",
    ]  # fmt: skip


def test_a_large_count_stays_exact():
    assert FAMILIES["http"].counters('http_requests_total{code="200"} 9007199254740991\n', []) == {"code:200": 2**53 - 1}
    assert math.isfinite(FAMILIES["http"].counters('http_requests_total{code="200"} 1e+06\n', [])["code:200"])
