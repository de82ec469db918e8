# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a router writes on a rule is undone without its record; what others wrote stays as it is."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.gateway_api import GatewayRouter
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.istio import IstioRouter
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.recover import (
    Seen,
    Unclear,
    at_home,
    home_of,
    home_selector,
    spoken,
)
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Condition, Match, Place, Route
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.service import ServiceRouter
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import apply_patch
from hypothesis import given
from hypothesis import strategies as st

ROUTERS = {"istio": IstioRouter, "gateway_api": GatewayRouter}
ELSEWHERE = {
    "istio": {"name": "admin", "match": [{"uri": {"prefix": "/admin"}}], "route": [{"destination": {"host": "admin"}}]},
    "gateway_api": {"matches": [{"path": {"type": "PathPrefix", "value": "/admin"}}], "backendRefs": [{"name": "admin", "port": 80}]},
}
conditions = st.builds(
    Condition,
    st.sampled_from(["header", "query"]),
    st.from_regex(r"[a-z]{1,4}", fullmatch=True),
    st.sampled_from(["exact", "regex"]),
    st.text("ab.", min_size=1),
)
several = st.lists(conditions, min_size=1, max_size=3, unique_by=lambda one: (one.source, one.name))
matches = st.builds(Match, several.map(lambda some: tuple(sorted(some, key=lambda one: one.source))))  # headers are read first
routes = st.builds(Route, st.integers(0, 100), st.lists(matches, max_size=2).map(tuple), st.integers(0, 100))


def optional(**fields):
    return st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in fields.items()})


def istio_rules():
    target = st.builds(
        lambda host, more: {"destination": {"host": host}, **more},
        st.sampled_from(["shop", "shop.eu", "shop.eu.svc.cluster.local"]),
        optional(weight=[100], headers=[{"request": {"set": {"x": "y"}}}]),
    )
    others = optional(
        name=["main"],
        match=[[{"uri": {"prefix": "/"}}], [{"headers": {"own-header": {"exact": "a"}}}, {"port": 80}]],
        mirrors=[[{"destination": {"host": "audit"}}]],
        timeout=["3s"],
    )
    return st.builds(lambda one, more: {**more, "route": [one]}, target, others)


def gateway_rules():
    target = optional(weight=[1, 7], filters=[[{"type": "URLRewrite"}]]).map(lambda more: {"name": "shop", "port": 80, **more})
    others = optional(
        name=["main"],
        matches=[
            [{"path": {"type": "PathPrefix", "value": "/"}}],
            [{"headers": [{"name": "own", "type": "Exact", "value": "a"}]}, {"method": "GET"}],
        ],
        filters=[[{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "audit"}}}, {"type": "RequestRedirect"}]],
        timeouts=[{"request": "3s"}],
    )
    return st.builds(lambda one, more: {**more, "backendRefs": [one]}, target, others)


def router_of(provider, original=None, wanted=(), canary="shop-canary"):
    place = Place(provider, "Kind", "shop", (original or {}).get("name"), original or {}, "shop", canary)
    return ROUTERS[provider](None, "eu", place, matches=wanted, sleep=None)


def written(provider, original, route, canary="shop-canary"):
    """The rules after a router put route, between foreign ones; and where the steered one stands."""
    router = router_of(provider, original, route.matches, canary)
    before = {"metadata": {"resourceVersion": "1"}, "spec": {router.rules_key: [ELSEWHERE[provider], original, ELSEWHERE[provider]]}}
    rules = apply_patch(before, router.operations(before, route), "PATCH")["spec"][router.rules_key]
    return rules, len(rules) - 2


def weightless(router, rule):
    return {**rule, router.targets_key: [{key: value for key, value in one.items() if key != "weight"} for one in rule[router.targets_key]]}


@pytest.mark.parametrize(("provider", "originals"), [("istio", istio_rules()), ("gateway_api", gateway_rules())])
@given(st.data(), routes, st.sampled_from(["shop-canary", "blue"]))
def test_what_a_router_wrote_is_undone_and_read(provider, originals, data, route, canary):
    original = data.draw(originals)
    rules, index = written(provider, original, route, canary)
    speaker = router_of(provider, canary=canary)
    found = home_of(speaker, rules, index)
    assert found.seen == Seen(route.canary_percent, route.matches, route.mirror_percent)
    assert weightless(speaker, found.original) == weightless(speaker, original)
    if route.canary_percent == 0 or (provider == "istio" and route.matches):
        assert found.original == original  # byte for byte, with its weight
    assert (found.match_index is not None) == bool(route.matches)


@pytest.mark.parametrize(("provider", "originals"), [("istio", istio_rules()), ("gateway_api", gateway_rules())])
@given(st.data(), routes, routes)
def test_from_one_route_to_the_next_is_what_the_next_would_have_been_at_once(provider, originals, data, first, second):
    original = weightless(router_of(provider), data.draw(originals))
    rules, index = written(provider, original, first)
    found = home_of(router_of(provider), rules, index)
    router = router_of(provider, found.original, second.matches)
    before = {"metadata": {"resourceVersion": "1"}, "spec": {router.rules_key: rules}}
    made = router.rewrite(before, index, second, extra=[] if found.match_index is None else [found.match_index])
    after = apply_patch(before, made, "PATCH")["spec"][router.rules_key]
    at_once = written(provider, original, second)[0]
    if provider == "gateway_api" and first.matches:  # the API server puts weight 1 where there is none, so it is the same
        after = [weightless(router, rule) if rule[router.targets_key][0].get("weight") == 1 else rule for rule in after]
        at_once = [weightless(router, rule) if rule[router.targets_key][0].get("weight") == 1 else rule for rule in at_once]
    assert after == at_once


STABLE, CANARY = {"destination": {"host": "shop"}}, {"destination": {"host": "shop-canary"}}


@pytest.mark.parametrize(
    ("targets", "percent"),
    [
        ([{**STABLE, "weight": 100}, {**CANARY, "weight": 0}], 0), ([STABLE, {**CANARY, "weight": 100}], 100),
        ([{**STABLE, "weight": 3}, {**CANARY, "weight": 1}], 25), ([{**STABLE, "weight": 2}, {**CANARY, "weight": 1}], None),
        ([STABLE, CANARY], None),
    ],
)  # fmt: skip
def test_a_split_by_hand_is_read_by_the_share_of_its_weights(targets, percent):
    found = home_of(router_of("istio"), [{"route": targets}], 0)
    assert (found.seen.percent, found.original["route"]) == (percent, [STABLE])


def test_backends_without_weight_weigh_one_in_gateway_api():
    assert home_of(router_of("gateway_api"), [{"backendRefs": [{"name": "shop"}, {"name": "shop-canary"}]}], 0).seen.percent == 50


@pytest.mark.parametrize(
    "targets",
    [
        [{**STABLE, "weight": 90}, {**CANARY, "weight": 10, "headers": {"request": {"add": {"x": "1"}}}}],
        [{**STABLE, "weight": 90}, {"destination": {"host": "shop-canary", "subset": "v2"}, "weight": 10}],
        [{**CANARY, "weight": 10}, {**STABLE, "weight": 90}],
        [{**STABLE, "weight": 50}, {**CANARY, "weight": 30}, {"destination": {"host": "x"}, "weight": 20}],
        [{**STABLE, "weight": 50}, {"destination": {"host": "other"}, "weight": 50}],
    ],
)
def test_destinations_that_no_router_writes_stay(targets):
    rules = [{"route": targets}]
    assert home_of(router_of("istio"), copy.deepcopy(rules), 0).original == rules[0]


def test_a_foreign_rule_to_the_canary_is_not_ours():
    preview = {"name": "preview", "match": [{"headers": {"x-preview": {"exact": "1"}}}], "route": [CANARY]}
    main = {"name": "main", "route": [STABLE]}
    assert home_of(router_of("istio"), [preview, main], 1).match_index is None
    unnamed = {"matches": [{"method": "GET"}], "backendRefs": [{"name": "shop-canary"}]}
    assert home_of(router_of("gateway_api"), [unnamed, {"backendRefs": [{"name": "shop"}]}], 1).match_index is None


def test_a_match_rule_that_was_edited_is_still_found_by_its_name_and_its_matches_are_unknown():
    main = {"name": "main", "match": [{"uri": {"prefix": "/"}}], "route": [STABLE]}
    edited = {"name": "main-canary", "match": [{"uri": {"prefix": "/beta"}}], "route": [CANARY]}
    found = home_of(router_of("istio"), [edited, ELSEWHERE["istio"], main], 2)
    assert (found.match_index, found.seen) == (0, Seen(0, None, 0))


def test_two_mirrors_to_the_canary_are_no_percent_and_both_go():
    mirror = {"destination": {"host": "shop-canary"}}
    found = home_of(router_of("istio"), [{"route": [STABLE], "mirrors": [mirror, {"destination": {"host": "audit"}}, mirror]}], 0)
    assert (found.seen.mirror_percent, found.original["mirrors"]) == (None, [{"destination": {"host": "audit"}}])


def test_an_object_at_home_keeps_the_places_of_its_rules_and_the_one_that_was_read_is_untouched():
    route = Route(30, (Match((Condition("header", "x", "exact", "1"),)),), 20)
    rules, index = written("istio", {"name": "main", "route": [STABLE]}, route)
    found = {"metadata": {}, "spec": {"hosts": ["shop"], "http": rules}}
    before = copy.deepcopy(found)
    home = at_home(router_of("istio"), found)
    assert home["spec"]["http"][index] == {"name": "main", "route": [STABLE]}
    assert len(home["spec"]["http"]) == 4
    assert found == before


def test_matches_are_spoken_in_the_words_of_release_match():
    one = Match((Condition("header", "x-team", "exact", "qa"), Condition("query", "beta", "regex", "1|2")))
    assert spoken(one) == {"headers": {"x-team": {"exact": "qa"}}, "query": {"beta": {"regex": "1|2"}}}


selectors = st.dictionaries(st.sampled_from(["app", "tier", "version"]), st.sampled_from(["shop", "web", "v1"]), min_size=1)


@given(selectors, st.data(), st.sampled_from([0, 100]))
def test_a_switched_selector_is_undone(selector, data, percent):
    label = data.draw(st.sampled_from(sorted(selector)))
    place = Place("service", "Service", "shop", label, {"selector": selector}, "shop", "shop-canary")
    router = ServiceRouter(None, "eu", place, matches=(), sleep=None)
    found = {"spec": {"selector": selector}}
    switched = apply_patch(found, router.operations(found, Route(percent)), "PATCH")["spec"]["selector"]
    selected = home_selector(switched, {**selector, label: f"{selector[label]}-canary"})
    assert (selected.home, selected.label, selected.percent) == (selector, label, percent)


def test_a_service_that_selects_something_else_than_the_canary_is_at_home_and_cannot_be_switched():
    for canary in ({"app": "other"}, {"app": "shop-canary", "tier": "web"}, {}):
        selected = home_selector({"app": "shop"}, canary)
        assert (selected.home, selected.label, selected.percent) == ({"app": "shop"}, None, 0)


@pytest.mark.parametrize(
    ("selector", "canary", "why"),
    [
        ({"app": "shop-canary"}, None, "no canary Service"),
        ({"app": "blue"}, {"app": "blue"}, "not to be told"),
        ({"a": "x-canary", "b": "y-canary"}, {"a": "x-canary", "b": "y-canary"}, "not to be told"),
    ],
)
def test_a_selector_that_could_be_either_is_unclear(selector, canary, why):
    with pytest.raises(Unclear, match=why):
        home_selector(selector, canary)
