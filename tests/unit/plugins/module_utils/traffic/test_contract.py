# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One contract for all routers: what a release may count on, whatever object holds the route and whoever else writes to it."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Superseded, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.providers import who_can
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import (
    EPOCH,
    HOME,
    Condition,
    Match,
    Route,
    RouteEdited,
    RouteError,
    fence_token,
)
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.router import ATTEMPTS
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.traffic.meshes import (
    MESHES,
    NAMESPACE,
    OURS,
    WITH_MIRRORS,
    WITH_RULES,
    Served,
    assert_same,
    some_route,
)

LATER = fence_token("shop-a1b2c3", 3)
STAFF = (Match((Condition("header", "X-Cell", "exact", "staff"), Condition("header", "cookie", "regex", ".*beta.*"))),)


@pytest.fixture(params=MESHES, ids=lambda mesh: mesh.name)
def mesh(request):
    return request.param


@pytest.fixture
def api(mesh):
    return Served(mesh.object())


@pytest.fixture
def router(mesh, api):
    return mesh.router(api)


with_rules = pytest.mark.parametrize("mesh", WITH_RULES, ids=lambda mesh: mesh.name)
with_mirrors = pytest.mark.parametrize("mesh", WITH_MIRRORS, ids=lambda mesh: mesh.name)


def shares_of(*meshes):
    return [pytest.param(mesh, share, id=f"{mesh.name} {share} %") for mesh in meshes for share in (*mesh.shares, 0)]


# -- change and read back


@pytest.mark.parametrize(("mesh", "percent"), shares_of(*MESHES))
def test_a_change_is_read_back_and_touches_nothing_else(mesh, api, router, percent):
    router.change(some_route(mesh), OURS)
    router.change(Route(percent), OURS)
    assert mesh.written(api) == mesh.split(percent)
    assert router.read().route == Route(percent)
    assert router.read().names_canary is (percent > 0)
    router.change(HOME, OURS)
    mesh.assert_untouched(api)


def test_a_change_that_is_there_already_writes_nothing(mesh, api, router):
    router.change(some_route(mesh), OURS)
    before = len(api.writes())
    router.change(some_route(mesh), OURS)
    assert len(api.writes()) == before


@pytest.mark.parametrize("applied", [True, False], ids=["done", "not done"])
def test_a_lost_answer_is_settled_by_reading(mesh, api, router, applied):
    api.lose("PATCH", mesh.kind, applied=applied)
    router.change(some_route(mesh), OURS)
    assert router.read().route == some_route(mesh)
    assert len(api.writes()) == (1 if applied else 2)


def test_a_server_that_never_answers_a_write_is_unreachable_not_done(mesh, api, router):
    api.lose("PATCH", mesh.kind, applied=False, times=ATTEMPTS)
    with pytest.raises(Unreachable, match=f"did not take {some_route(mesh)}"):
        router.change(some_route(mesh), OURS)
    mesh.assert_untouched(api)


def test_a_preview_stores_nothing(mesh, api, router):
    before, after = router.preview(some_route(mesh))
    assert_same(before["spec"], mesh.spec)
    assert mesh.steered_of(after)[mesh.targets] == mesh.split(some_route(mesh).canary_percent)
    assert api.writes() == []
    mesh.assert_untouched(api)


def test_each_router_can_what_refusals_say_of_it():
    assert {ability: who_can(ability) for ability in ("weight", "match", "mirror", "sticky", "switch")} == {
        "sticky": "istio, gateway_api",
        "weight": "istio, gateway_api, linkerd",
        "match": "istio, gateway_api, linkerd",
        "mirror": "istio, gateway_api",
        "switch": "istio, gateway_api, linkerd, service",
    }


# -- the fence


@pytest.mark.parametrize("fence", [LATER, None], ids=["a later holder", "nobody"])
@pytest.mark.parametrize(
    "act", [lambda router: router.change(Route(100), OURS), lambda router: router.give_back(OURS)], ids=["change", "give back"]
)
def test_without_our_fence_nothing_changes(mesh, api, router, fence, act):
    api.put(mesh.object(fence=fence, **{mesh.targets: mesh.split(some_route(mesh).canary_percent)}))
    with pytest.raises(Superseded, match="held by"):
        act(router)
    assert api.writes() == []


def test_a_fence_lost_between_read_and_write_changes_nothing(mesh, api, router):
    api.just_before("PATCH", mesh.kind, lambda: api.put(mesh.object(fence=LATER)))
    with pytest.raises(Superseded):
        router.change(some_route(mesh), OURS)
    mesh.assert_untouched(api)


def test_a_claim_replaces_only_fences_that_may_be_replaced(mesh, api, router):
    with pytest.raises(RouteError, match=r"held by another release \(shop-a1b2c3.2\)"):
        router.claim("shop-d4e5f6.1", may_replace=lambda fence: False)
    assert router.read().fence == OURS
    router.claim(LATER, may_replace=lambda fence: fence == OURS)
    assert router.read().fence == LATER
    mesh.assert_untouched(api)


def test_a_claim_of_an_unannotated_object_creates_the_annotations_and_keeps_labels(mesh, api, router):
    bare = mesh.object()
    del bare["metadata"]["annotations"]
    api.put(bare)
    router.claim(OURS, may_replace=lambda fence: False)
    assert mesh.stored(api)["metadata"]["annotations"] == {EPOCH: OURS}
    assert mesh.stored(api)["metadata"]["labels"] == {"owner": "shop"}


def test_of_two_that_claim_at_once_the_slower_sees_the_faster(mesh, api, router):
    api.put(mesh.object(fence=None))
    api.just_before("PATCH", mesh.kind, lambda: api.put(mesh.object(fence="other-1.1")))
    with pytest.raises(RouteError, match=r"other-1\.1"):
        router.claim(OURS, may_replace=lambda fence: False)
    assert router.read().fence == "other-1.1"


def test_an_object_that_changes_all_the_time_cannot_be_claimed(mesh, api, router):
    api.put(mesh.object(fence=None))
    api.just_before("PATCH", mesh.kind, lambda: api.put(mesh.object(fence=None)), times=ATTEMPTS)
    with pytest.raises(Unreachable, match="not what it was"):
        router.claim(OURS, may_replace=lambda fence: True)


@pytest.mark.parametrize(("token", "left"), [(OURS, None), ("shop-a1b2c3.1", OURS)], ids=["ours", "somebody else's"])
def test_only_our_own_fence_is_taken_down(mesh, api, router, token, left):
    router.unclaim(token)
    assert router.read().fence == left
    assert mesh.stored(api)["metadata"]["annotations"]["team"] == "shop"
    mesh.assert_untouched(api)


# -- others who write, too


def test_edits_of_others_meanwhile_are_kept(mesh, api, router):
    edited = mesh.object()
    if mesh.rules:
        edited["spec"][mesh.rules].insert(0, {**mesh.original, "name": "new", mesh.targets: [mesh.elsewhere]})
        edited["spec"][mesh.rules][mesh.steered + 1]["timeouts"] = {"request": "9s"}
    else:
        edited["spec"]["ports"].append({"name": "metrics", "port": 9090})
    api.just_before("PATCH", mesh.kind, lambda: api.put(edited))
    router.change(some_route(mesh), OURS)
    assert router.read().route == some_route(mesh)
    router.change(HOME, OURS)
    assert_same(mesh.stored(api)["spec"], edited["spec"])


def edits(mesh):
    """Destinations of the steered rule as somebody else could have written them: (name, destinations, names the canary)."""
    if not mesh.rules:
        yield "another selector", {"app": "maintenance"}, False
        yield "a label more", {**mesh.split(100), "zone": "a"}, True
        return
    stable, canary = mesh.original[mesh.targets][0], mesh.canary
    yield "weights", [{**stable, "weight": 95}, {**canary, "weight": 10}], True
    yield "the canary alone", [canary], True
    yield "three", [stable, canary, stable], True
    yield "not our spelling", [{**stable, "weight": 100}, {**canary, "weight": 0}], True
    if mesh.rule:  # an unnamed rule is known by its destination
        yield "somewhere else", [mesh.elsewhere], False
        yield "nowhere", [], False


EDITS = [pytest.param(mesh, edited, named, id=f"{mesh.name} {name}") for mesh in MESHES for name, edited, named in edits(mesh)]


@pytest.mark.parametrize(("mesh", "edited", "named"), EDITS)
def test_what_somebody_edited_is_not_overwritten_by_a_change(mesh, api, router, edited, named):
    api.put(mesh.object(**{mesh.targets: edited}))
    with pytest.raises(RouteEdited, match=r"were edited|has 0 rules"):
        router.change(some_route(mesh), OURS)
    assert_same(mesh.written(api), edited)
    assert api.writes() == []


@pytest.mark.parametrize(("mesh", "edited", "named"), EDITS)
def test_traffic_returns_from_whatever_names_the_canary_and_from_nothing_else(mesh, api, router, edited, named):
    api.put(mesh.object(**{mesh.targets: edited}))
    after = router.give_back(OURS)
    assert after.names_canary is False
    if named:
        assert after.route == HOME
        mesh.assert_untouched(api)
    else:
        assert after.route is None
        assert_same(mesh.written(api), edited)
        assert api.writes() == []


@pytest.mark.parametrize("applied", [True, False], ids=["done", "not done"])
def test_the_return_of_traffic_survives_lost_answers(mesh, api, router, applied):
    router.change(some_route(mesh), OURS)
    api.lose("PATCH", mesh.kind, applied=applied, times=3)
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)


def test_an_object_that_is_gone_is_an_edit(mesh, api, router):
    api.delete(mesh.kind, NAMESPACE, "shop")
    for act in (router.read, lambda: router.change(some_route(mesh), OURS), lambda: router.give_back(OURS)):
        with pytest.raises(RouteEdited, match="is gone"):
            act()


@with_rules
def test_traffic_returns_even_when_the_steered_rule_was_renamed(mesh, api, router):
    router.change(Route(50), OURS)
    found = mesh.stored(api)
    mesh.steered_of(found)["name"] = "renamed"
    if not mesh.rule:  # an unnamed rule loses its way when its stable destination goes
        mesh.steered_of(found)[mesh.targets][0] = {**mesh.elsewhere, "weight": 50}
    api.put(found)
    with pytest.raises(RouteEdited, match="has 0 rules"):
        router.read()
    assert router.give_back(OURS).names_canary is False
    left = mesh.steered_of(mesh.stored(api))[mesh.targets]
    assert left == [{**(mesh.original[mesh.targets][0] if mesh.rule else mesh.elsewhere), "weight": 50}]


@with_rules
def test_traffic_returns_even_when_the_steered_rule_was_doubled_and_the_rest_of_it_has_no_weight(mesh, api, router):
    router.change(Route(100), OURS)
    found = mesh.stored(api)
    found["spec"][mesh.rules].append(mesh.steered_of(copy.deepcopy(found)))
    api.put(found)
    with pytest.raises(RouteEdited, match="has 2 rules"):
        router.change(HOME, OURS)
    assert router.give_back(OURS).names_canary is False
    assert_same(mesh.stored(api)["spec"][mesh.rules], [*mesh.spec[mesh.rules], mesh.original])


@with_rules
def test_a_rule_of_somebody_else_loses_the_canary_and_keeps_the_rest(mesh, api, router):
    router.change(Route(50), OURS)
    found = mesh.stored(api)
    found["spec"][mesh.rules][-1][mesh.targets].append({**mesh.canary, "weight": 10})
    api.put(found)
    with pytest.raises(RouteEdited):
        router.change(Route(100), OURS)
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)


# -- matches and mirrors


@with_rules
def test_matched_requests_get_a_rule_of_their_own_just_before_the_weights_and_lose_it_again(mesh, api):
    router = mesh.router(api, matches=STAFF)
    for route in (Route(0, STAFF), Route(10, STAFF), Route(100, STAFF), Route(50)):
        router.change(route, OURS)
        assert router.read().route == route
        rules = mesh.stored(api)["spec"][mesh.rules]
        if route.matches:
            own = rules.pop(mesh.steered)
            assert [mesh.leads_to_canary(router, one) for one in own[mesh.targets]] == [True]
            assert own.get("name") in (None, "main-canary")
            assert {**own, mesh.targets: 0, "matches": 0, "match": 0, "name": 0} == {
                **mesh.original,
                mesh.targets: 0,
                "matches": 0,
                "match": 0,
                "name": 0,
            }
        assert_same([rules[0], rules[2]], [mesh.spec[mesh.rules][0], mesh.spec[mesh.rules][2]])
        assert rules[1] == {**mesh.original, mesh.targets: mesh.split(route.canary_percent)}
    router.change(HOME, OURS)
    mesh.assert_untouched(api)


@with_rules
def test_matched_requests_survive_lost_answers(mesh, api):
    router = mesh.router(api, matches=STAFF)
    api.lose("PATCH", mesh.kind, applied=True)
    router.change(Route(10, STAFF), OURS)
    assert router.read().route == Route(10, STAFF)
    assert len(mesh.stored(api)["spec"][mesh.rules]) == 4
    api.lose("PATCH", mesh.kind, applied=True)
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)


@with_rules
def test_an_edited_rule_of_ours_is_an_edit_and_goes_with_the_return(mesh, api):
    router = mesh.router(api, matches=STAFF)
    router.change(Route(50, STAFF), OURS)
    found = mesh.stored(api)
    found["spec"][mesh.rules][mesh.steered]["timeout"] = "1s"
    api.put(found)
    assert router.read().route is None
    with pytest.raises(RouteEdited):
        router.change(Route(100, STAFF), OURS)
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)


@with_mirrors
@pytest.mark.parametrize("theirs", [False, True], ids=["alone", "beside another's"])
def test_a_mirror_comes_and_goes_alone(mesh, api, theirs):
    changes = {mesh.mirrors: [mesh.audit]} if theirs else {}
    before = api.put(mesh.object(**changes))
    router = mesh.router(api, original=mesh.steered_of(before))
    for percent in (1, 50, 100):
        router.change(Route(0, (), percent), OURS)
        assert router.read().route == Route(0, (), percent)
        listed = mesh.steered_of(mesh.stored(api))[mesh.mirrors]
        kept = mesh.steered_of(before).get(mesh.mirrors, [])
        assert listed[:-1] == kept
        target, share = router.mirrored(listed[-1])
        assert (mesh.leads_to_canary(router, target), share) == (True, percent)
    assert router.read().names_canary is True
    router.change(HOME, OURS)
    assert_same(mesh.stored(api)["spec"], before["spec"])


@with_mirrors
@pytest.mark.parametrize(
    "act", [lambda router: router.change(HOME, OURS), lambda router: router.give_back(OURS)], ids=["change", "give back"]
)
def test_what_others_put_beside_our_mirror_stays(mesh, api, router, act):
    router.change(Route(0, (), 10), OURS)
    found = mesh.stored(api)
    mesh.steered_of(found)[mesh.mirrors].append(mesh.audit)
    api.put(found)
    assert router.read().route == Route(0, (), 10)
    act(router)
    kept = mesh.original.get(mesh.mirrors, [])
    assert mesh.steered_of(mesh.stored(api)) == {**mesh.original, mesh.mirrors: [*kept, mesh.audit]}
    assert router.read().route == HOME


@with_mirrors
def test_an_edited_mirror_of_ours_is_an_edit_and_goes_with_the_return(mesh, api, router):
    router.change(Route(0, (), 10), OURS)
    found = mesh.stored(api)
    mesh.steered_of(found)[mesh.mirrors][-1]["comment"] = "edited"
    api.put(found)
    assert router.read().route is None
    with pytest.raises(RouteEdited):
        router.change(Route(0, (), 50), OURS)
    assert router.give_back(OURS).route == HOME
    mesh.assert_untouched(api)
