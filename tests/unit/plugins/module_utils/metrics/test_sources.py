# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources whose queries tell the arms apart, and how native histograms are asked for and judged."""

import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import bounds
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES, Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import BadQuery, Prometheus
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sources import GRPC_FAILED, own_source
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, QuantileSpec
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_source_spec import READ

ENVOY = Arms(SOURCES["envoy"], "eu", "shop", "front")
OWN = Arms(own_source(READ), "eu", "shop", "front")
SLOW = GateSpec("slow", "latency", 0.01, 250.0)
TAIL = GateSpec("tail", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 200.0))


def matched(selector, label):
    """The pattern of one label in a selector, as RE2 gets it."""
    return re.search(label + r'=~"([^"]*)"', selector).group(1).replace("\\\\", "\\")


def test_each_arm_of_such_a_source_is_asked_for_by_itself_and_named_by_the_query():
    query = ENVOY.look_query([])
    assert query.count('"arm", "stable", "", ""') == query.count('"arm", "canary", "", ""') == 2
    assert [ENVOY.arm_of({"arm": arm, "pod": "gw"}) for arm in ("stable", "canary")] == ["stable", "canary"]
    assert ENVOY.arm_of({"envoy_cluster_name": "eu_front_80"}) is None


@pytest.mark.parametrize(
    ("cluster", "arm"),
    [
        ("eu_front_8080", "stable"),  # Contour
        ("front_eu_svc_8080", "stable"),  # Kuma
        ("eu-front-8080_gloo-system", "stable"),  # Gloo
        ("eu_front-canary_8080", "canary"),
        ("front-canary_eu_svc_8080", "canary"),
        ("eu-front-canary-8080_gloo-system", "canary"),
        ("us_front_8080", None),
        ("eu_front-api_8080", None),
        ("eu_front_8080_extra", None),
        ("httproute/eu/front/rule/0", None),
    ],
)
def test_a_cluster_of_envoy_belongs_to_the_service_that_it_is_called_after(cluster, arm):
    arms = {"stable": ENVOY.stable_selector, "canary": ENVOY.canary_selector}
    assert [name for name, selector in arms.items() if re.fullmatch(matched(selector, "envoy_cluster_name"), cluster)] == [arm] * bool(arm)


def test_own_counters_are_selected_by_their_labels_with_the_placeholders_filled_in():
    assert OWN.stable_selector == 'env=~"eu-[0-9]{2}",app=~"shop",track=~"stable"'
    assert OWN.canary_selector == 'env=~"eu-[0-9]{2}",app=~"shop\\\\-canary",track=~"canary|next"'
    assert OWN.history_query("errors", None) == f'sum(increase(shop_orders_total{{{OWN.stable_selector},outcome=~"error|time_?out"}}[1m]))'


def test_a_request_that_failed_in_two_ways_counts_once():
    arms = Arms(SOURCES["istio_source"], "eu", "shop", "front")
    ways = [f"rate(istio_requests_total{{x,{end}}}[5m])" for end in ('response_code=~"5..|0"', f'grpc_response_status=~"{GRPC_FAILED}"')]
    assert arms.grown("5m", ["x"], failed=True, function="rate") == f"sum({' or '.join(ways)})"


def test_a_native_histogram_is_cut_at_the_limits_and_around_that_of_a_quantile():
    assert bounds.cuts((SLOW,)) == [250.0]
    assert bounds.cuts((SLOW, TAIL)) == [50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 800.0]
    assert bounds.cuts((GateSpec("errors", "error_rate", 0.01, None),)) == []
    query = Arms(SOURCES["http"], "eu", "shop", "shop").look_query([250.0], [250.0])
    assert "histogram_fraction(-Inf, 0.25, http_request_duration_seconds{" in query
    assert '"le", "0.25", "", ""' in query and '"le", "+Inf", "", ""' in query
    assert "histogram" not in Arms(SOURCES["http"], "eu", "shop", "shop").look_query([])


class Answer:
    """A Prometheus that gives one answer."""

    def __init__(self, *result):
        self.result = list(result)

    def get(self, path, query):
        return {"status": "success", "data": {"resultType": "vector", "result": self.result}}


NATIVE = {"metric": {}, "histogram": [1, {"count": "3", "sum": "1", "buckets": [[0, "0.125", "0.25", "1"], [0, "0.25", "0.5", "2"]]}]}


@pytest.mark.parametrize(
    ("result", "found"),
    [([NATIVE], [(125.0, 250.0), (250.0, 500.0)]), ([], None), ([{"metric": {}, "histogram": [1, {"count": "0"}]}], [])],
    ids=["buckets", "no such series", "nothing counted yet"],
)
def test_the_buckets_of_a_native_histogram_are_told_in_milliseconds(result, found):
    assert bounds.native(Prometheus(Answer(*result)), Arms(SOURCES["http"], "eu", "shop", "shop")) == found


def test_a_histogram_is_no_number():
    with pytest.raises(BadQuery, match="a histogram where one number is wanted"):
        Prometheus(Answer(NATIVE)).instant("x")


@pytest.mark.parametrize(("limit", "guess"), [(250.0, False), (300.0, True), (500.0, False), (600.0, False)])
def test_a_limit_inside_a_bucket_of_a_native_histogram_is_told_to_be_a_guess(limit, guess):
    notes = bounds.check_native(GateSpec("slow", "latency", 0.01, limit), [(125.0, 250.0), (250.0, 500.0)], "of x")
    assert notes == (
        ["gate slow: 300ms lies inside a bucket of x, a native histogram; between 250ms and 500ms it is a guess"] if guess else []
    )
