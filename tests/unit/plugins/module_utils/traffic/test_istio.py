# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Istio's own: how hosts name a Service, how matches and mirrors are spelt, which VirtualServices cannot be steered."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.istio import http_routes_to, names_service
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Unusable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.providers import PROVIDERS
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import HOME, Condition, Match, Route, canary_host_of
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.traffic.meshes import ISTIO, NAMESPACE, OURS, SUBSETS, Served
from hypothesis import given
from hypothesis import strategies as st

MAIN = ISTIO.original
STABLE = MAIN["route"][0]
INSIDERS = (
    Match((Condition("header", "X-Cell", "exact", "staff"), Condition("query", "v", "prefix", "2."))),
    Match((Condition("header", "cookie", "regex", "beta"),)),
)
BETA = {"cookie": {"regex": "beta"}}


@pytest.mark.parametrize(
    ("host", "vs_namespace", "named"),
    [
        ("shop", "eu", True), ("shop", "gateways", False), ("shop.eu", "gateways", True), ("shop.eu.svc", "gateways", True),
        ("shop.eu.svc.cluster.local", "gateways", True), ("shop.us.svc.cluster.local", "eu", False), ("shop-canary", "eu", False),
        ("shop.eu-west", "eu", False), ("shop.eu.svcs", "eu", False), ("shop.example.org", "eu", False),
    ],
)  # fmt: skip
def test_a_host_names_the_service_in_all_of_istios_forms_and_no_other(host, vs_namespace, named):
    assert names_service(host, vs_namespace, "shop", "eu") is named


@pytest.mark.parametrize(
    ("stable", "canary"),
    [("shop", "shop-canary"), ("shop.eu", "shop-canary.eu"), ("shop.eu.svc.cluster.local", "shop-canary.eu.svc.cluster.local")],
)
def test_the_canary_host_has_the_form_of_stables(stable, canary):
    assert canary_host_of(stable, "shop") == canary


def test_rules_without_destinations_lead_nowhere():
    rules = [{"redirect": {"uri": "/"}}, MAIN, {"route": None}]
    assert http_routes_to({"metadata": {"namespace": "eu"}, "spec": {"http": rules}}, "shop", "eu") == [1]
    assert http_routes_to({"metadata": {"namespace": "eu"}, "spec": {"tcp": []}}, "shop", "eu") == []


@given(st.integers(0, 100))
def test_the_weights_of_any_split_add_up_to_100_and_keep_every_foreign_field(percent):
    assert ISTIO.router(None, sleep=lambda seconds: None).split(percent) == ISTIO.split(percent)
    assert ISTIO.original == MAIN


def test_an_unnamed_rule_is_found_by_its_destination_even_at_100_percent():
    found = ISTIO.object()
    del ISTIO.steered_of(found)["name"]
    api = Served(found)
    router = PROVIDERS["istio"].router(api, NAMESPACE, ISTIO.find(api), matches=(), sleep=api.sleep)
    for percent in (100, 40, 0):
        router.change(Route(percent), OURS)
        assert router.read().route == Route(percent)


def test_matched_requests_are_spelt_as_istio_does():
    api = Served(ISTIO.object())
    ISTIO.router(api, matches=INSIDERS).change(Route(0, INSIDERS), OURS)
    assert ISTIO.stored(api)["spec"]["http"][1] == {
        **MAIN,
        "name": "main-canary",
        "route": [ISTIO.canary],
        "match": [
            {"headers": {"x-cell": {"exact": "staff"}}, "queryParams": {"v": {"regex": "2\\..*"}}},
            {"headers": BETA},
        ],
    }


def test_matches_narrow_the_rules_own_ones():
    own = ISTIO.object(match=[{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}, "headers": {"x-api": {"exact": "2"}}}])
    api = Served(own)
    ISTIO.router(api, matches=INSIDERS[1:], original=ISTIO.steered_of(own)).change(Route(0, INSIDERS[1:]), OURS)
    assert ISTIO.stored(api)["spec"]["http"][1]["match"] == [
        {"uri": {"prefix": "/a"}, "headers": BETA},
        {"uri": {"prefix": "/b"}, "headers": {"x-api": {"exact": "2"}, **BETA}},
    ]


def test_a_mirror_is_spelt_as_istio_does():
    api = Served(ISTIO.object())
    ISTIO.router(api).change(Route(0, (), 10), OURS)
    wanted = {"destination": {"host": "shop-canary", "port": {"number": 80}}, "percentage": {"value": 10}}
    assert ISTIO.stored(api)["spec"]["http"][1]["mirrors"] == [wanted]


def test_a_canary_that_somebody_spelt_differently_is_found_and_taken_out():
    api = Served(ISTIO.object())
    router = ISTIO.router(api)
    router.change(Route(50), OURS)
    found = ISTIO.stored(api)
    found["spec"]["http"][2]["route"].append({"destination": {"host": "shop-canary.eu.svc.cluster.local"}, "weight": 1})
    api.put(found)
    assert router.give_back(OURS).route == HOME
    ISTIO.assert_untouched(api)


@pytest.mark.parametrize(
    ("changes", "asked", "words"),
    [
        ({"route": [{"destination": {"host": "shop", "subset": "v1"}}]}, {}, "a route to a host without subset; this one names v1"),
        ({"mirror": {"host": "audit"}}, {"mirrors": True}, "this one has the older field mirror"),
    ],
    ids=["subset", "older mirror"],
)
def test_what_istio_could_not_steer_is_refused(changes, asked, words):
    with pytest.raises(Unusable, match=words):
        ISTIO.find(Served(ISTIO.object(**changes)), **asked)


def test_with_subsets_the_canary_ends_where_stable_stood_and_one_patch_returns_it():
    api = Served(SUBSETS.object())
    router = SUBSETS.router(api)
    router.change(Route(100), OURS)
    router.change(Route(100, alone=True), OURS)
    assert SUBSETS.written(api) == [SUBSETS.canary]
    assert router.read().route == Route(100, alone=True)
    before = len(api.writes())
    assert router.give_back(OURS).route == HOME
    assert len(api.writes()) == before + 1
    SUBSETS.assert_untouched(api)


@pytest.mark.parametrize(
    ("subset", "words"), [(None, "names none and leads to the pods of every version; set subset: v1 in it"), ("v2", "this one names v2")]
)
def test_with_subsets_the_route_must_name_stables(subset, words):
    destination = {"host": "shop", **({"subset": subset} if subset else {})}
    with pytest.raises(Unusable, match=words):
        SUBSETS.find(Served(SUBSETS.object(route=[{"destination": destination}])))


def test_other_subsets_of_the_host_are_neither_stables_nor_the_canarys():
    found = SUBSETS.object()
    found["spec"]["http"][2]["route"] = [{"destination": {"host": "shop", "subset": "v0"}}]
    api = Served(found)
    router = SUBSETS.router(api)
    router.change(Route(50), OURS)
    assert SUBSETS.stored(api)["spec"]["http"][2] == found["spec"]["http"][2]
    assert router.give_back(OURS).route == HOME
    assert SUBSETS.stored(api)["spec"] == found["spec"]


def test_the_older_mirror_is_no_obstacle_to_weights():
    assert ISTIO.find(Served(ISTIO.object(mirror={"host": "audit"}))).rule == "main"
