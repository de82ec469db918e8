# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random groups that last: what the routers write for them, that they know it again, and that nothing of it stays."""

import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Unusable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import HOME, Condition, Match, Route, RouteEdited, Sticky
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.traffic.meshes import (
    GRPC_ROUTE,
    HTTP,
    ISTIO,
    LINKERD_3,
    OURS,
    Served,
    assert_same,
)

AB = Sticky("shop-ab", "1a2b3c4d", 86400)
SET = {group: f"shop-ab=1a2b3c4d-{group}; Path=/; Max-Age=86400" for group in "ab"}
GROUPED = Route(20, sticky=AB)


@pytest.fixture(params=(ISTIO, HTTP), ids=lambda mesh: mesh.name)
def mesh(request):
    return request.param


@pytest.fixture
def api(mesh):
    return Served(mesh.object())


@pytest.fixture
def router(mesh, api):
    return mesh.router(api, sticky=AB)


def cookies_set(target):
    """What Set-Cookie headers a destination adds, whatever the mesh."""
    if "destination" in target:
        added = target.get("headers", {}).get("response", {}).get("add", {})
        return [added["set-cookie"]] if added else []
    filters = [one["responseHeaderModifier"] for one in target.get("filters", []) if one["type"] == "ResponseHeaderModifier"]
    return [one["value"] for found in filters for one in found.get("add", []) if one["name"] == "Set-Cookie"]


def serve(router, rules, cookie):
    """(rule's index, its destinations) that a request with this cookie header gets, by the cookie matches of the rules in their order."""
    for index, rule in enumerate(rules):
        asked = [router.added(one, {}) for one in rule.get(router.matches_key) or []]
        wanted = [c for conditions in asked for c in conditions if c.name == "cookie"]
        if wanted and all(re.fullmatch(one.value, cookie) for one in wanted):
            return index, rule[router.targets_key]
    return None, None


def test_members_keep_their_group_and_newcomers_are_split_and_told(mesh, api, router):
    router.change(GROUPED, OURS)
    assert router.read().route == GROUPED
    rules = mesh.stored(api)["spec"][mesh.rules]
    assert_same([rules[0], rules[4]], [mesh.spec[mesh.rules][0], mesh.spec[mesh.rules][2]])
    (index_b, to_b), (index_a, to_a) = (serve(router, rules, f"x=1; shop-ab=1a2b3c4d-{group}; y=2") for group in "ba")
    assert ({index_a, index_b}, len(to_a), len(to_b)) == ({1, 2}, 1, 1)
    assert (router.leads_to(to_b[0], "shop-canary"), router.leads_to(to_a[0], "shop")) == (True, True)
    assert cookies_set(to_a[0]) == cookies_set(to_b[0]) == []
    stable, canary = rules[3][mesh.targets]
    assert (stable["weight"], canary["weight"]) == (80, 20)
    assert (cookies_set(stable), cookies_set(canary)) == ([SET["a"]], [SET["b"]])
    assert (router.leads_to(stable, "shop"), router.leads_to(canary, "shop-canary")) == (True, True)


@pytest.mark.parametrize("cookie", ["", "shop-ab=ffffffff-b", "xshop-ab=1a2b3c4d-b", "shop-ab=1a2b3c4d-bb", "shop-ab=1a2b3c4d-c"])
def test_the_cookie_of_another_experiment_makes_nobody_a_member(mesh, api, router, cookie):
    router.change(GROUPED, OURS)
    assert serve(router, mesh.stored(api)["spec"][mesh.rules], cookie) == (None, None)


@pytest.mark.parametrize("way", [lambda router: router.change(HOME, OURS), lambda router: router.give_back(OURS)], ids=["home", "back"])
def test_nothing_of_the_groups_stays(mesh, api, router, way):
    for route in (GROUPED, Route(50, sticky=AB), Route(100), GROUPED):
        router.change(route, OURS)
        assert router.read().route == route
    way(router)
    mesh.assert_untouched(api)


def test_matched_requests_and_groups_stand_side_by_side(mesh, api):
    staff = (Match((Condition("header", "x-cell", "exact", "staff"),)),)
    router = mesh.router(api, sticky=AB, matches=staff)
    for route in (Route(0, staff), Route(20, staff, sticky=AB), Route(20, (), sticky=AB), Route(20, staff)):
        router.change(route, OURS)
        assert router.read().route == route
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)


@pytest.mark.parametrize("index", [1, 2], ids=["group b", "group a"])
def test_an_edited_or_missing_rule_of_a_group_is_an_edit_and_goes_with_the_return(mesh, api, router, index):
    for edit in (lambda rules: rules[index].update(timeout="9s"), lambda rules: rules.pop(index)):
        router.change(GROUPED, OURS)
        found = mesh.stored(api)
        edit(found["spec"][mesh.rules])
        api.put(found)
        assert router.read().route is None
        with pytest.raises(RouteEdited):
            router.change(Route(50, sticky=AB), OURS)
        assert router.give_back(OURS).route == HOME
        mesh.assert_untouched(api)


def test_a_rule_without_a_name_is_told_from_those_of_its_groups():
    spec = {**HTTP.spec, "rules": [{key: value for key, value in rule.items() if key != "name"} for rule in HTTP.spec["rules"]]}
    mesh = type(HTTP)(**{**vars(HTTP), "spec": spec, "rule": None})
    api = Served(mesh.object())
    router = mesh.router(api, sticky=AB)
    router.change(GROUPED, OURS)
    assert router.read().route == GROUPED
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)


def test_headers_that_the_owner_adds_stay_beside_the_cookie():
    mine = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x-cell", "value": "eu"}]}}
    mesh, owned = HTTP, {**HTTP.original["backendRefs"][0], "filters": [mine]}
    before = mesh.object(backendRefs=[owned])
    api = Served(before)
    router = mesh.router(api, original=mesh.steered_of(before), sticky=AB)
    router.change(GROUPED, OURS)
    stable, canary = mesh.stored(api)["spec"]["rules"][3]["backendRefs"]
    for target, group in ((stable, "a"), (canary, "b")):
        assert target["filters"] == [
            {**mine, "responseHeaderModifier": {"add": [{"name": "x-cell", "value": "eu"}, {"name": "Set-Cookie", "value": SET[group]}]}}
        ]
    router.give_back(OURS)
    assert_same(mesh.stored(api)["spec"], before["spec"])


def test_a_lost_answer_is_settled_by_reading(mesh, api, router):
    api.lose("PATCH", mesh.kind, applied=True)
    router.change(GROUPED, OURS)
    assert router.read().route == GROUPED
    assert len(mesh.stored(api)["spec"][mesh.rules]) == 5


def test_routers_that_cannot_set_cookies_do_not_say_they_can():
    assert [one.name for one in (ISTIO, HTTP, LINKERD_3) if "sticky" in one.can] == ["istio", "http_route"]
    with pytest.raises(Unusable, match="clients of a GRPCRoute keep no cookies"):
        GRPC_ROUTE.find(Served(GRPC_ROUTE.object()), sticky=AB)


@pytest.mark.parametrize(
    ("mesh", "changes"),
    [
        (ISTIO, {"route": [{"destination": {"host": "shop"}, "headers": {"response": {"add": {"Set-Cookie": "x=1"}}}}]}),
        (
            HTTP,
            {
                "backendRefs": [
                    {
                        "name": "shop", "port": 80,
                        "filters": [
                            {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "set-cookie", "value": "x"}]}}
                        ],
                    }
                ]
            },
        ),
    ],
    ids=["istio", "http_route"],
)  # fmt: skip
def test_a_destination_that_sets_a_cookie_itself_is_refused(mesh, changes):
    with pytest.raises(Unusable, match=r"itself; .* does"):
        mesh.find(Served(mesh.object(**changes)), sticky=AB)


@pytest.mark.parametrize(
    ("mesh", "changes"),
    [
        (ISTIO, {"match": [{"headers": {"cookie": {"regex": ".*beta.*"}}}]}),
        (HTTP, {"matches": [{"headers": [{"name": "Cookie", "type": "Exact", "value": "beta=1"}]}]}),
    ],
    ids=["istio", "http_route"],
)
def test_a_rule_that_matches_cookies_itself_is_refused(mesh, changes):
    with pytest.raises(Unusable, match=r"release_ab\.cookie"):
        mesh.find(Served(mesh.object(**changes)), sticky=AB)
