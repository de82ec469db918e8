# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which route a release finds, and which it refuses to steer, whatever the kind."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import GITOPS_MARKS, Unusable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.providers import PROVIDERS
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Condition, Match
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.traffic.meshes import (
    GRPC_ROUTE,
    HTTP,
    LINKERD_2,
    LINKERD_3,
    MESHES,
    NAMESPACE,
    SELECTOR,
    WITH_PARENTS,
    WITH_RULES,
    Served,
    backend,
)

every_mesh = pytest.mark.parametrize("mesh", MESHES, ids=lambda mesh: mesh.name)
with_rules = pytest.mark.parametrize("mesh", WITH_RULES, ids=lambda mesh: mesh.name)
with_names = pytest.mark.parametrize("mesh", [one for one in WITH_RULES if one.rule], ids=lambda mesh: mesh.name)
with_parents = pytest.mark.parametrize("mesh", WITH_PARENTS, ids=lambda mesh: mesh.name)


def match(source, name):
    return (Match((Condition(source, name, "exact", "1"),)),)


def refused(mesh, api, **asked):
    """What a release is told that cannot steer what is there; nothing was written."""
    with pytest.raises(Unusable) as raised:
        mesh.find(api, **asked)
    assert api.writes() == []
    return "; ".join(map(str, raised.value.problems))


def with_status(mesh, change):
    """The object with a status that a change was made to, as a server without controllers stores it."""
    api = Served(mesh.object(fence=None))
    api.controllers = []
    found = mesh.stored(api)
    change(found["status"]["parents"])
    found["metadata"]["generation"] = 1
    api.put(found)
    return api


# -- what is found


@every_mesh
def test_the_only_route_is_found_as_it_stands_and_said(mesh):
    notes = []
    found = mesh.find(Served(mesh.object(fence=None)), notes=notes)
    assert found == mesh.place()
    if mesh is not SELECTOR:
        assert notes == [f"release_traffic: {mesh.kind} shop/{mesh.rule or 'rules[1]'} (the only route to Service shop)"]


@with_rules
def test_a_named_object_is_chosen_among_several(mesh):
    api = Served(mesh.object(name="other"), mesh.object())
    assert mesh.find(api, object_name="shop") == mesh.place()


@with_names
def test_a_named_rule_is_chosen_among_several(mesh):
    doubled = mesh.object()
    doubled["spec"][mesh.rules].append({**mesh.original, "name": "second"})
    assert mesh.find(Served(doubled), rule="second").rule == "second"


@with_names
def test_an_unnamed_rule_is_found_too(mesh):
    unnamed = mesh.object()
    del mesh.steered_of(unnamed)["name"]
    found = mesh.find(Served(unnamed))
    assert (found.rule, found.original) == (None, mesh.steered_of(unnamed))


def test_an_http_route_and_a_grpc_route_are_told_apart_by_their_options():
    api = Served(HTTP.object(), GRPC_ROUTE.object())
    said = refused(HTTP, api)
    assert "an HTTPRoute and a GRPCRoute lead to Service shop" in said
    assert "http_route or grpc_route" in said
    for mesh in (HTTP, GRPC_ROUTE):
        assert mesh.find(api, object_kind=mesh.kind, object_name="shop") == mesh.place()


def test_a_grpc_route_is_found_beside_an_http_route_of_others():
    api = Served(GRPC_ROUTE.object(), HTTP.object(name="other", backendRefs=[backend("other")]))
    assert GRPC_ROUTE.find(api) == GRPC_ROUTE.place()


def test_the_newest_version_that_the_cluster_serves_is_used_for_linkerd():
    both = Served(LINKERD_2.object(), LINKERD_3.object())
    assert LINKERD_2.find(both).kind == LINKERD_3.kind
    assert LINKERD_3.find(Served(LINKERD_2.object())).kind == LINKERD_2.kind


# -- what is missing, ambiguous or not to be steered


@with_rules
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"object_name": "b"}, "called b in namespace eu routes to Service shop"),
        ({"object_name": "shop", "rule": "x"}, "called shop with a rule named x in namespace eu routes to Service shop"),
    ],
)
def test_a_route_that_is_not_there_is_refused(mesh, asked, words):
    assert words in refused(mesh, Served(mesh.object()), **asked)


@with_rules
def test_a_namespace_without_routes_is_refused(mesh):
    assert "in namespace eu routes to Service shop" in refused(mesh, Served())


@with_rules
def test_several_rules_are_refused_with_their_names(mesh):
    doubled = mesh.object()
    second = {key: value for key, value in mesh.original.items() if key != "name"}
    doubled["spec"][mesh.rules].append(second)
    first = mesh.rule or "rules[1] (unnamed)"
    assert f"2 rules lead to Service shop: shop/{first}, shop/{mesh.rules}[3] (unnamed); name the" in refused(mesh, Served(doubled))


@with_rules
def test_a_rule_that_is_split_already_is_refused(mesh):
    both = mesh.object(**{mesh.targets: [*mesh.original[mesh.targets], mesh.elsewhere]})
    said = refused(mesh, Served(both))
    assert f"shop/{mesh.rule or 'rules[1]'}" in said
    assert "this one has 2: shop, else" in said


@every_mesh
@pytest.mark.parametrize(("mark", "owner"), GITOPS_MARKS.items())
@pytest.mark.parametrize("where", ["annotations", "labels"])
def test_what_a_gitops_controller_would_revert_is_refused(mesh, mark, owner, where):
    owned = mesh.object()
    owned["metadata"][where][mark] = "shop"
    assert f"that no GitOps controller reverts; {owner} owns this one ({mark})" in refused(mesh, Served(owned))


@with_rules
@pytest.mark.parametrize("spelling", ["x-cell", "X-Cell"])
def test_a_match_on_a_header_that_the_rule_matches_itself_is_refused(mesh, spelling):
    own = (
        [{"headers": {"x-cell": {"exact": "eu"}}}]
        if mesh.provider == "istio"
        else [{"headers": [{"name": "X-CELL", "type": "Exact", "value": "eu"}]}]
    )
    api = Served(mesh.object(**{"match" if mesh.provider == "istio" else "matches": own}))
    assert f"release_match: \"header {spelling} exact '1'\" is not allowed; no header that shop/" in refused(
        mesh, api, matches=match("header", spelling)
    )
    assert mesh.find(api, matches=match("header", "x-other")).provider == mesh.provider


@pytest.mark.parametrize("mesh", [one for one in WITH_RULES if one is not GRPC_ROUTE], ids=lambda mesh: mesh.name)
def test_query_parameters_are_compared_as_they_are_written(mesh):
    own = (
        [{"queryParams": {"v": {"exact": "2"}}}]
        if mesh.provider == "istio"
        else [{"queryParams": [{"name": "v", "type": "Exact", "value": "2"}]}]
    )
    api = Served(mesh.object(**{"match" if mesh.provider == "istio" else "matches": own}))
    assert "no query that shop/" in refused(mesh, api, matches=match("query", "v"))
    assert mesh.find(api, matches=match("query", "V")).provider == mesh.provider


def test_a_grpc_route_has_no_query_parameters():
    assert "a GRPCRoute knows no query parameters" in refused(GRPC_ROUTE, Served(GRPC_ROUTE.object()), matches=match("query", "v"))


@pytest.mark.parametrize("selector", [{"tier": "web"}, None], ids=["another label", "none"])
def test_a_service_that_does_not_select_by_the_switch_label_is_refused(selector):
    assert "a Service that selects by app" in refused(SELECTOR, Served(SELECTOR.object(selector=selector)))


# -- routes that nobody serves as they stand


@with_parents
def test_a_route_without_parents_is_refused(mesh):
    lonely = mesh.object()
    lonely["spec"]["parentRefs"] = []
    assert "it names no parent in parentRefs" in refused(mesh, Served(lonely))


def reject(condition, status="False"):
    def change(parents):
        found = next(one for one in parents[0]["conditions"] if one["type"] == condition)
        found.update(status=status, reason="NotAllowed", message="no listener fits")

    return change


def forget(condition):
    def change(parents):
        parents[0]["conditions"] = [one for one in parents[0]["conditions"] if one["type"] != condition]

    return change


def outdate(parents):
    for one in parents[0]["conditions"]:
        one["observedGeneration"] = 0


def another_also_rejects(parents):
    parents.append(copy.deepcopy(parents[0]))
    reject("Accepted")(parents[1:])


STATUSES = [
    (reject("Accepted"), "Accepted is False for its parent {parent}: NotAllowed: no listener fits"),
    (reject("ResolvedRefs"), "ResolvedRefs is False for its parent {parent}: NotAllowed: no listener fits"),
    (reject("Accepted", "Unknown"), "Accepted is Unknown for its parent {parent}"),
    (forget("ResolvedRefs"), "ResolvedRefs is Unknown for its parent {parent}: NotReported"),
    (list.clear, "no controller has answered for its parent {parent}"),
    (outdate, "its parent {parent} has not seen generation 1 yet"),
    (another_also_rejects, "Accepted is False for its parent {parent}"),
    (lambda parents: parents[0]["parentRef"].update(name="another"), "no controller has answered for its parent {parent}"),
    (lambda parents: parents[0]["parentRef"].update(namespace="another"), "no controller has answered for its parent {parent}"),
    (lambda parents: parents[0]["parentRef"].update(sectionName="https"), "no controller has answered for its parent {parent}"),
    (lambda parents: parents[0]["parentRef"].update(port=443), "no controller has answered for its parent {parent}"),
    (lambda parents: parents[0]["parentRef"].update(kind="Server"), "no controller has answered for its parent {parent}"),
]


@with_parents
@pytest.mark.parametrize(
    ("change", "words"),
    STATUSES,
    ids=[
        "not accepted", "references unresolved", "unknown", "no condition", "no answer", "stale", "one of two controllers",
        "another parent", "another namespace", "another section", "another port", "another kind",
    ],
)  # fmt: skip
def test_a_route_that_is_not_served_as_it_stands_is_refused(mesh, change, words):
    parent = "Service shop" if mesh.provider == "linkerd" else "Gateway public"
    said = refused(mesh, with_status(mesh, change))
    assert words.format(parent=parent) in said
    assert f"kubectl -n eu describe {mesh.kind.lower()} shop" in said


@with_parents
def test_of_two_parents_both_must_serve_the_route(mesh):
    two = mesh.object()
    two["spec"]["parentRefs"].append({**two["spec"]["parentRefs"][0], "name": "second"})
    api = Served(two)
    api.controllers = []
    found = mesh.stored(api)
    del found["status"]["parents"][1]
    api.put(found)
    assert "no controller has answered for its parent" in refused(mesh, api)


@pytest.mark.parametrize("mesh", [LINKERD_3, LINKERD_2], ids=lambda mesh: mesh.name)
@pytest.mark.parametrize(
    ("parents", "words"),
    [
        ([{"group": "core", "kind": "Service", "name": "front"}], "this one has Service front"),
        ([{"group": "core", "kind": "Service", "name": "shop", "namespace": "us"}], "this one has Service us/shop"),
        ([{"group": "policy.linkerd.io", "kind": "Server", "name": "shop"}], "this one has Server shop"),
        (
            [{"group": "core", "kind": "Service", "name": "shop"}, {"group": "policy.linkerd.io", "kind": "Server", "name": "shop"}],
            "this one has Service shop, Server shop",
        ),
    ],
    ids=["another Service", "another namespace", "no Service", "more than the Service"],
)
def test_a_linkerd_route_has_the_service_as_its_only_parent(mesh, parents, words):
    other = mesh.object()
    other["spec"]["parentRefs"] = parents
    api = Served(other)
    found = mesh.stored(api)
    for status, one in zip(found["status"]["parents"], parents, strict=True):
        status["parentRef"] = {"namespace": NAMESPACE, **one}
    api.controllers = []
    api.put(found)
    assert f"an HTTPRoute whose only parent is Service shop; {words}" in refused(mesh, api)


def test_every_provider_is_in_the_table():
    assert {one.provider for one in MESHES} == set(PROVIDERS)
    assert {kind for one in PROVIDERS.values() for kind in one.kinds} == {one.kind for one in MESHES}
