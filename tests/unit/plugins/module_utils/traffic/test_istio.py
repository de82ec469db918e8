# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route: which one is chosen, what is written, and that nothing else in the VirtualService ever changes."""

import copy
import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Superseded, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.istio import IstioRouter, find, http_routes_to, names_service
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Asked, Unusable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import (
    EPOCH,
    HOME,
    Condition,
    Match,
    Place,
    Route,
    RouteEdited,
    RouteError,
    canary_host_of,
    fence_token,
)
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.router import ATTEMPTS
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi
from hypothesis import given
from hypothesis import strategies as st

OURS = fence_token("shop-a1b2c3", 2)
STABLE = {"destination": {"host": "shop", "port": {"number": 80}}, "headers": {"response": {"set": {"x-cell": "eu"}}}}
CANARY = {**STABLE, "destination": {"host": "shop-canary", "port": {"number": 80}}}
FOREIGN = {
    "name": "admin",
    "match": [{"uri": {"prefix": "/admin"}}],
    "route": [{"destination": {"host": "admin"}}],
    "retries": {"attempts": 0},
}
MAIN = {"name": "main", "route": [STABLE], "timeout": "3s", "retries": {"attempts": 2, "retryOn": "5xx"}}


def virtual_service(*rules, name="shop", fence=OURS):
    annotations = {"team": "shop", **({EPOCH: fence} if fence else {})}
    spec = {"hosts": ["shop"], "gateways": ["mesh"], "http": list(rules) or [FOREIGN, MAIN]}
    return {
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
        "spec": copy.deepcopy(spec),
    }


@pytest.fixture
def api():
    server = FakeApi()
    server.put(virtual_service())
    return server


@pytest.fixture
def router(api):
    return router_of(api)


def place(rule="main", original=MAIN):
    return Place("istio", "VirtualService", "shop", rule, original, "shop", "shop-canary")


def router_of(api, where=None, matches=()):
    return IstioRouter(api, "shop", where or place(), matches=matches, sleep=api.sleep)


def split(percent):
    return [STABLE] if percent == 0 else [{**STABLE, "weight": 100 - percent}, {**CANARY, "weight": percent}]


def destinations(api):
    """The steered rule's destinations on the server; everything else is asserted to be untouched, byte for byte."""
    found = api.stored("VirtualService", "shop", "shop")
    written = found["spec"]["http"][1].pop("route")
    rest = json.dumps(found["spec"], sort_keys=True)
    untouched = virtual_service()["spec"]
    del untouched["http"][1]["route"]
    assert rest == json.dumps(untouched, sort_keys=True)
    assert found["metadata"]["annotations"]["team"] == "shop"
    return written


def edit(api, route):
    changed = virtual_service()
    changed["spec"]["http"][1]["route"] = route
    api.put(changed)


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
    assert http_routes_to(virtual_service(*rules), "shop", "shop") == [1]
    assert http_routes_to({"metadata": {"namespace": "shop"}, "spec": {"tcp": []}}, "shop", "shop") == []


OTHER = {**MAIN, "name": "other"}


@pytest.mark.parametrize(
    ("candidates", "name", "route", "chosen"),
    [
        ([virtual_service()], None, None, ("shop", 1)),
        ([virtual_service(MAIN, OTHER)], None, "other", ("shop", 1)),
        ([virtual_service(), virtual_service(MAIN, name="b")], "b", None, ("b", 0)),
        ([virtual_service({"route": [STABLE]})], "shop", None, ("shop", 0)),
    ],
    ids=["the only one", "named route", "named VirtualService", "unnamed route"],
)
def test_the_route_is_chosen_when_exactly_one_fits(candidates, name, route, chosen):
    server = FakeApi()
    for one in candidates:
        server.put(one)
    found = find(server, Asked("shop", "shop", object_name=name, rule=route))
    assert (found.name, found.original) == (chosen[0], candidates[-1]["spec"]["http"][chosen[1]])


@pytest.mark.parametrize(
    ("candidates", "name", "route", "message"),
    [
        ([], None, None, "no VirtualService in namespace shop routes to Service shop"),
        ([virtual_service()], "b", None, "no VirtualService called b in namespace shop routes"),
        ([virtual_service()], "shop", "x", "called shop with a rule named x in namespace shop"),
        (
            [virtual_service(MAIN, {"route": [STABLE]})],
            None,
            None,
            r"2 rules lead to Service shop: shop/main, shop/http\[1\] \(unnamed\); name the VirtualService",
        ),
    ],
)
def test_an_absent_or_ambiguous_route_is_refused_with_the_choices(candidates, name, route, message):
    server = FakeApi()
    for one in candidates:
        server.put(one)
    with pytest.raises(Unusable, match=message):
        find(server, Asked("shop", "shop", object_name=name, rule=route))


@given(st.integers(0, 100))
def test_the_weights_of_any_split_add_up_to_100_and_keep_every_foreign_field(percent):
    router = IstioRouter(None, "shop", place(), matches=(), sleep=None)
    assert router.split(percent) == split(percent)
    assert place().original["route"] == [STABLE]


@pytest.mark.parametrize("percent", [1, 10, 100, 0])
def test_a_change_is_read_back_and_touches_nothing_else(api, router, percent):
    router.change(Route(50), OURS)
    router.change(Route(percent), OURS)
    assert destinations(api) == split(percent)
    assert router.read().route == Route(percent)


def test_a_change_that_is_there_already_writes_nothing(api, router):
    router.change(Route(10), OURS)
    before = len(api.writes())
    router.change(Route(10), OURS)
    assert len(api.writes()) == before


@pytest.mark.parametrize("fence", [fence_token("shop-a1b2c3", 3), None], ids=["a later holder", "nobody"])
@pytest.mark.parametrize(
    "act", [lambda router: router.change(Route(10), OURS), lambda router: router.give_back(OURS)], ids=["change", "give back"]
)
def test_without_our_fence_nothing_changes(api, router, fence, act):
    api.put(virtual_service(fence=fence))
    with pytest.raises(Superseded, match=r"held by"):
        act(router)
    assert api.writes() == []


def test_a_fence_lost_between_read_and_write_changes_nothing(api, router):
    api.just_before("PATCH", "VirtualService", lambda: api.put(virtual_service(fence="shop-a1b2c3.3")))
    with pytest.raises(Superseded):
        router.change(Route(10), OURS)
    assert destinations(api) == [STABLE]


@pytest.mark.parametrize("applied", [True, False])
def test_a_lost_answer_is_settled_by_reading(api, router, applied):
    api.lose("PATCH", "VirtualService", applied=applied)
    router.change(Route(10), OURS)
    assert router.read().route == Route(10)
    assert len(api.writes()) == (1 if applied else 2)


def test_a_server_that_never_answers_a_write_is_unreachable_not_done(api, router):
    api.lose("PATCH", "VirtualService", applied=False, times=ATTEMPTS)
    with pytest.raises(Unreachable, match="did not take 10 %"):
        router.change(Route(10), OURS)
    assert destinations(api) == [STABLE]


def test_edits_beside_the_destinations_do_not_disturb_a_change(api, router):
    found = virtual_service()
    found["spec"]["http"].insert(0, {"name": "new", "route": [{"destination": {"host": "new"}}]})
    api.just_before("PATCH", "VirtualService", lambda: api.put(found))
    router.change(Route(10), OURS)
    stored = api.stored("VirtualService", "shop", "shop")["spec"]["http"]
    assert [rule["name"] for rule in stored] == ["new", "admin", "main"]
    assert [len(rule["route"]) for rule in stored] == [1, 1, 2]


EDITED = [{**STABLE, "weight": 95}, {**CANARY, "weight": 10}]


@pytest.mark.parametrize(
    "edited",
    [EDITED, [{"destination": {"host": "elsewhere"}}], [STABLE, CANARY, STABLE], [{**STABLE, "weight": 100}, {**CANARY, "weight": 0}], []],
    ids=["weights", "another host", "three", "not our spelling", "none"],
)
def test_destinations_that_somebody_edited_are_not_overwritten_by_a_change(api, router, edited):
    edit(api, edited)
    with pytest.raises(RouteEdited, match="were edited"):
        router.change(Route(10), OURS)
    assert destinations(api) == edited
    assert router.read().route is None


@pytest.mark.parametrize("edited", [EDITED, [CANARY], [STABLE, CANARY, STABLE]], ids=["weights", "canary alone", "three"])
def test_traffic_returns_from_any_list_that_names_the_canary(api, router, edited):
    edit(api, edited)
    assert router.give_back(OURS).route == HOME
    assert destinations(api) == [STABLE]


def test_a_list_that_somebody_else_wrote_without_the_canary_is_theirs(api, router):
    theirs = [{"destination": {"host": "maintenance"}}]
    edit(api, theirs)
    assert router.give_back(OURS).route is None
    assert destinations(api) == theirs
    assert api.writes() == []


@pytest.mark.parametrize("applied", [True, False])
def test_the_return_of_traffic_survives_lost_answers(api, router, applied):
    router.change(Route(25), OURS)
    api.lose("PATCH", "VirtualService", applied=applied, times=3)
    assert router.give_back(OURS).route == HOME
    assert destinations(api) == [STABLE]


def test_a_claim_replaces_only_fences_that_may_be_replaced(api, router):
    with pytest.raises(RouteError, match=r"held by another release \(shop-a1b2c3.2\)"):
        router.claim("shop-d4e5f6.1", may_replace=lambda fence: False)
    assert router.read().fence == OURS
    router.claim("shop-a1b2c3.3", may_replace=lambda fence: fence == OURS)
    assert router.read().fence == "shop-a1b2c3.3"
    assert destinations(api) == [STABLE]


def test_a_claim_of_an_unannotated_route_creates_the_annotations(api, router):
    bare = virtual_service()
    del bare["metadata"]["annotations"]
    api.put(bare)
    router.claim(OURS, may_replace=lambda fence: False)
    assert api.stored("VirtualService", "shop", "shop")["metadata"]["annotations"] == {EPOCH: OURS}


def test_of_two_that_claim_at_once_the_slower_sees_the_faster(api, router):
    api.put(virtual_service(fence=None))
    api.just_before("PATCH", "VirtualService", lambda: api.put(virtual_service(fence="other-1.1")))
    with pytest.raises(RouteError, match=r"other-1\.1"):
        router.claim(OURS, may_replace=lambda fence: False)
    assert router.read().fence == "other-1.1"


def test_a_route_that_changes_all_the_time_cannot_be_claimed(api, router):
    api.put(virtual_service(fence=None))
    api.just_before("PATCH", "VirtualService", lambda: api.put(virtual_service(fence=None)), times=ATTEMPTS)
    with pytest.raises(Unreachable, match="not what it was"):
        router.claim(OURS, may_replace=lambda fence: True)


@pytest.mark.parametrize(("token", "left"), [(OURS, None), ("shop-a1b2c3.1", OURS)], ids=["ours", "somebody else's"])
def test_only_our_own_fence_is_taken_down(api, router, token, left):
    router.unclaim(token)
    assert router.read().fence == left
    assert destinations(api) == [STABLE]


def test_a_rule_that_moved_or_vanished_is_an_edit(api, router):
    api.put(virtual_service(FOREIGN))
    with pytest.raises(RouteEdited, match="has 0 rules where this release steered one"):
        router.read()
    api.delete("VirtualService", "shop", "shop")
    with pytest.raises(RouteEdited, match="is gone"):
        router.change(Route(10), OURS)


def test_an_unnamed_rule_is_found_by_its_destination_even_at_100_percent(api):
    unnamed = {key: value for key, value in MAIN.items() if key != "name"}
    router = router_of(api, place(None, unnamed))
    for percent in (100, 40, 0):
        router.change(Route(percent), OURS)
        assert router.read().route == Route(percent)


def test_a_preview_stores_nothing(api, router):
    before, after = router.preview(Route(10))
    assert before["spec"]["http"][1]["route"] == [STABLE]
    assert after["spec"]["http"][1]["route"] == split(10)
    assert api.writes() == []
    assert destinations(api) == [STABLE]


INSIDERS = (
    Match((Condition("header", "X-Cell", "exact", "staff"), Condition("query", "v", "prefix", "2."))),
    Match((Condition("header", "cookie", "regex", "beta"),)),
)
MATCHED = {**MAIN, "name": "main-canary", "route": [CANARY], "match": [
    {"headers": {"x-cell": {"exact": "staff"}}, "queryParams": {"v": {"regex": "2\\..*"}}}, {"headers": {"cookie": {"regex": "beta"}}},
]}  # fmt: skip


def test_matched_requests_get_a_rule_of_their_own_above_the_weights_and_lose_it_again(api):
    router = router_of(api, matches=INSIDERS)
    for route in (Route(0, INSIDERS), Route(25, INSIDERS), Route(100, INSIDERS)):
        router.change(route, OURS)
        assert router.read().route == route
        rules = api.stored("VirtualService", "shop", "shop")["spec"]["http"]
        assert rules == [FOREIGN, MATCHED, {**MAIN, "route": split(route.canary_percent)}]
    router.change(HOME, OURS)
    assert destinations(api) == [STABLE]


def test_matches_narrow_the_rules_own_ones(api):
    own = {**MAIN, "match": [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}, "headers": {"x-api": {"exact": "2"}}}]}
    api.put(virtual_service(own))
    router_of(api, place(original=own), INSIDERS[1:]).change(Route(0, INSIDERS[1:]), OURS)
    beta = {"cookie": {"regex": "beta"}}
    assert api.stored("VirtualService", "shop", "shop")["spec"]["http"][0]["match"] == [
        {"uri": {"prefix": "/a"}, "headers": beta},
        {"uri": {"prefix": "/b"}, "headers": {"x-api": {"exact": "2"}, **beta}},
    ]


def test_a_mirror_is_added_to_those_that_are_there_and_taken_away_alone(api):
    theirs = {"destination": {"host": "audit"}}
    audited = {**MAIN, "mirrors": [theirs]}
    api.put(virtual_service(FOREIGN, audited))
    router = router_of(api, place(original=audited))
    for percent in (1, 100):
        router.change(Route(0, (), percent), OURS)
        assert router.read().route == Route(0, (), percent)
        ours = {"destination": CANARY["destination"], "percentage": {"value": percent}}
        assert api.stored("VirtualService", "shop", "shop")["spec"]["http"] == [FOREIGN, {**audited, "mirrors": [theirs, ours]}]
    assert router.give_back(OURS).route == HOME
    assert api.stored("VirtualService", "shop", "shop")["spec"]["http"] == [FOREIGN, audited]


def test_a_mirror_where_there_was_none_leaves_no_trace(api, router):
    router.change(Route(0, (), 10), OURS)
    router.change(HOME, OURS)
    assert destinations(api) == [STABLE]


@pytest.mark.parametrize("route", [Route(0, INSIDERS), Route(30, INSIDERS), Route(0, (), 50)], ids=str)
def test_traffic_returns_from_any_route_of_ours_even_when_it_was_edited(api, route):
    router = router_of(api, matches=INSIDERS)
    router.change(route, OURS)
    found = api.stored("VirtualService", "shop", "shop")
    found["spec"]["http"][1]["timeout"] = "9s"
    if route.mirror_percent:
        found["spec"]["http"][1]["mirrors"][0]["percentage"]["value"] = 2.5
    api.put(found)
    assert router.read().route is None
    assert router.give_back(OURS).names_canary is False
    rules = api.stored("VirtualService", "shop", "shop")["spec"]["http"]
    assert [rule["name"] for rule in rules] == ["admin", "main"]
    assert "mirrors" not in rules[1]
    assert rules[1]["route"] == [STABLE]
