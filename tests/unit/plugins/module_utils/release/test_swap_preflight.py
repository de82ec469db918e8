# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a swap and subsets are refused for, before anything changes, and what is derived where there is no doubt."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import Arms
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_swap import BY_SUBSETS, SWAP, SwapWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

POD = {"kind": "Pod", "metadata": {"name": "cart", "namespace": "eu", "labels": {"app": "cart"}}, "status": {"phase": "Running"}}
SIDECAR = {"containers": [{"name": "cart"}, {"name": "istio-proxy"}]}


def refused(world, **changed):
    with pytest.raises(Refused) as caught:
        world.begin(**changed)
    assert world.writes() == []
    return "\n".join(map(str, caught.value.problems))


def relabel(world, **labels):
    """shop-v1 and its Service by other labels."""

    def deployment(spec):
        spec["template"]["metadata"]["labels"] = spec["selector"]["matchLabels"] = labels

    world.rewrite("Deployment", "shop-v1", deployment)
    world.rewrite("Service", "shop", lambda spec: spec.update(selector=labels))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"release_promotion": "both"}, "release_promotion"),
        ({"release_swap": {"workload": "shop-v2"}, "release_promotion": "twin"}, "release_swap"),
        ({"release_swap": {"workload": "shop-v1"}}, "release_swap.workload"),
        ({"release_swap": {"workload": "Shop"}}, "release_swap.workload"),
        ({"release_swap": {"label": "a b"}}, "release_swap.label"),
        ({"release_swap": {"value": 2}}, "release_swap.value"),
        ({"release_swap": {"warm_seconds": "8d"}}, "release_swap.warm_seconds"),
        ({"release_swap": {"keep": "maybe"}}, "release_swap.keep"),
        ({"release_swap": {"warm": 5}}, "release_swap.warm"),
        ({"release_strategy": "rolling"}, "release_promotion"),
        ({"release_deadline_seconds": "1h", "release_swap": {"warm_seconds": "1h"}}, "release_deadline_seconds"),
        ({"release_traffic": {"subsets": {"stable": "v1"}}}, "release_traffic.subsets.canary"),
        ({"release_traffic": {"subsets": {"stable": "v1", "canary": "v1"}}}, "release_traffic.subsets.canary"),
        ({"release_traffic": {"subsets": {"stable": "v1", "canary": "v2", "rule": "x"}}}, "release_traffic.subsets.rule"),
        ({"release_traffic": {"provider": "gateway_api", "subsets": {"stable": "v1", "canary": "v2"}}}, "release_traffic.subsets"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_by_their_field(given, field):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, **SWAP, **given})
    assert field in [one.field for one in caught.value.problems]


def test_a_long_warm_time_does_not_bring_a_good_release_back_by_its_deadline():
    assert parse({**GIVEN, **SWAP, "release_swap": {"warm_seconds": "2d"}}).deadline_seconds == 14400 + 2 * 86400
    world = SwapWorld()
    assert world.begin(release_swap={"workload": "shop-v2", "warm_seconds": "5h"})["outcome"] == "promoted"


def test_a_spec_comes_back_from_its_record():
    spec = parse({**GIVEN, **BY_SUBSETS})
    assert spec_from(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("label", "swap", "name", "value"),
    [
        ({"version": "v1"}, {}, "shop-v2", "v2"),
        ({"version": "v1"}, {"workload": "shop-v1-1"}, "shop-v1-1", "v1-1"),
        ({"version": "v1"}, {"value": "2025-11"}, "shop-2025-11", "2025-11"),
        ({"version": "v1"}, {"workload": "shop-new", "value": "v9"}, "shop-new", "v9"),
        ({"version": "blue"}, {"workload": "shop-green", "value": "green"}, "shop-green", "green"),
        ({"track": "v1"}, {"label": "track"}, "shop-v2", "v2"),
    ],
)
def test_what_is_left_out_follows_from_the_old_deployments_name_and_label(label, swap, name, value):
    world = SwapWorld()
    relabel(world, app="shop", **label)
    assert world.begin(release_swap=swap)["serves"] == f"Deployment/{name}"
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop", next(iter(label)): value}


@pytest.mark.parametrize(
    ("labels", "swap", "words"),
    [
        ({"app": "shop"}, {}, "release_swap.label: is required: the label in which the versions' pods differ"),
        ({"app": "shop", "version": "v1"}, {"label": "tier"}, "release_swap.label: 'tier' is not allowed; a label in the selector of"),
        ({"app": "v1", "version": "v1"}, {}, "release_swap.label: is required"),
        ({"app": "shop", "version": "v1"}, {"value": "v1"}, "release_swap.value: 'v1' is not allowed; another value"),
        ({"app": "shop", "version": "blue"}, {"workload": "shop-green"}, "release_swap.value: is required: the value of label version"),
        ({"app": "shop", "version": "one"}, {"value": "two"}, "release_swap.workload: is required: the new Deployment's name"),
    ],
)
def test_what_is_ambiguous_is_refused_with_the_choices(labels, swap, words):
    world = SwapWorld()
    relabel(world, **labels)
    assert words in refused(world, release_swap=swap)


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        (
            {"kind": "Deployment", "metadata": {"name": "shop-v2"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}}},
            "Deployment shop-v2 exists, it is not ours; if nobody needs it: kubectl -n eu delete deployment shop-v2",
        ),
        (
            {"kind": "Service", "metadata": {"name": "shop-old"}, "spec": {"selector": {"version": "v1"}}},
            "Service shop-old would lead nowhere once shop-v1 has gone",
        ),
        (
            {"kind": "Service", "metadata": {"name": "every"}, "spec": {"selector": {"app": "shop"}}},
            "Service every selects {'app': 'shop'} and would send traffic to the canary past the route",
        ),
        (
            {"kind": "PodDisruptionBudget", "metadata": {"name": "old"}, "spec": {"selector": {"matchLabels": {"version": "v1"}}}},
            "PodDisruptionBudget old would protect nothing once shop-v1 has gone",
        ),
        (
            {"kind": "NetworkPolicy", "metadata": {"name": "old"}, "spec": {"podSelector": {"matchLabels": {"version": "v1"}}}},
            "NetworkPolicy old would miss pods labelled version=v2",
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_what_stands_in_a_swaps_way_is_refused_with_its_name(obj, words):
    world = SwapWorld()
    obj["metadata"]["namespace"] = "eu"
    if obj["kind"] == "Deployment":
        obj["spec"]["template"] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
    world.objects[obj["kind"], "eu", obj["metadata"]["name"]] = {**obj, "metadata": {**obj["metadata"], "resourceVersion": "1"}}
    assert words in refused(world, release_workload="Deployment/shop-v1", release_traffic={"service": "shop"})


def test_a_budget_that_counts_both_versions_is_as_it_should_be():
    world = SwapWorld()
    spec = {"selector": {"matchLabels": {"app": "shop"}}, "minAvailable": 2}
    world.put({"kind": "PodDisruptionBudget", "metadata": {"name": "shop", "namespace": "eu"}, "spec": spec})
    assert world.begin()["outcome"] == "promoted"


def test_a_service_that_a_gitops_controller_reverts_is_refused():
    world = SwapWorld()
    found = world.stored("Service", "eu", "shop")
    found["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "shop"}
    world.put(found)
    assert "a Service that no GitOps controller reverts; Argo CD owns this one" in refused(world)


@pytest.mark.parametrize("verb", ["patch"])
def test_the_rights_of_a_swap_are_asked_for_first(verb):
    world = SwapWorld()
    world.denied.add((verb, "services"))
    assert "a namespace where you may patch Service objects" in refused(world)


# -- subsets


def edit(world, kind, change):
    world.rewrite(kind, "shop", change)


def subset(**changed):
    return lambda spec: spec["subsets"][1].update(changed)


OTHER = {"name": "other", "route": [{"destination": {"host": "shop"}}]}
CROSSED = {"name": "other", "route": [{"destination": {"host": "shop", "subset": "v2"}}]}


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        (
            "DestinationRule",
            subset(name="v9"),
            "release_traffic.subsets.stable: 'v1' is not allowed; a subset of DestinationRule shop: old, v9",
        ),
        ("DestinationRule", subset(labels={"tier": "web"}), "a subset that selects shop-v1's pods by their labels"),
        ("DestinationRule", lambda spec: spec.update(host="cart"), "one DestinationRule of namespace eu for host shop; there is: none"),
        (
            "DestinationRule",
            lambda spec: spec["subsets"].append({"name": "v2", "labels": {"app": "shop"}}),
            "a subset that selects the new version's pods, version=v2, and not shop-v1's",
        ),
        ("Service", lambda spec: spec.update(type="NodePort"), "type NodePort lets clients from outside pass the route by"),
        ("Service", lambda spec: spec.update(clusterIP="None"), "clients of a headless one choose pods themselves"),
        ("Service", lambda spec: spec.update(selector={"app": "shop", "version": "v1"}), "and not of the Service; there is none"),
        ("VirtualService", lambda spec: spec["http"].insert(0, OTHER), "VirtualService shop/other leads to the pods of both versions"),
        ("VirtualService", lambda spec: spec["http"].insert(0, CROSSED), "no rule but the release's that leads to subset v2"),
        ("VirtualService", lambda spec: spec["http"][0]["route"][0]["destination"].pop("subset"), "set subset: v1 in it"),
    ],
)
def test_what_subsets_cannot_tell_apart_is_refused(kind, change, words):
    world = SwapWorld("subsets")
    edit(world, kind, change)
    given = {"subsets": {"stable": "v1", "canary": "v2"}, "route": "main"}
    assert words in refused(world, release_traffic=given)


@pytest.mark.parametrize(
    ("pod_spec", "gateways", "words"),
    [
        ({"containers": [{"name": "cart"}]}, ["mesh"], "Pod cart has no sidecar, so that it would get either version; inject one"),
        (SIDECAR, ["public"], "Pod cart is in the mesh, for which VirtualService shop does not hold"),
        (SIDECAR, ["mesh", "public"], None),
        (SIDECAR, None, None),
        ({"containers": [{"name": "istio-proxy"}]}, ["public"], None),
    ],
    ids=["outside", "not for the mesh", "mesh named", "mesh by default", "a gateway"],
)
def test_a_client_that_would_pass_the_route_by_is_refused(pod_spec, gateways, words):
    world = SwapWorld("subsets")
    world.put({**POD, "spec": pod_spec})
    if gateways:
        edit(world, "VirtualService", lambda spec: spec.update(gateways=gateways))
    if words:
        assert words in refused(world)
    else:
        assert world.begin()["outcome"] == "promoted"


def test_a_subset_that_is_there_is_used_and_never_touched():
    world = SwapWorld("subsets")
    theirs = {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"theirs": 1}}
    edit(world, "DestinationRule", lambda spec: spec["subsets"].append(theirs))
    before = world.stored("DestinationRule", "eu", "shop")
    world.at["  warm  "] = lambda: setattr(world, "stop", "told to stop")
    assert world.begin(release_swap={})["outcome"] == "rolled_back"
    assert world.stored("DestinationRule", "eu", "shop") == before


@pytest.mark.parametrize(("stop", "image"), [(None, "shop:2"), ("told to stop", "shop:1")], ids=["good", "stopped"])
def test_a_twin_by_subsets_leaves_route_rule_and_deployment_as_they_were(stop, image):
    world = SwapWorld("subsets")
    rule, route = world.stored("DestinationRule", "eu", "shop")["spec"], copy.deepcopy(world.route)
    seen = []
    world.at["  verify  "] = lambda: (seen.append(world.route), setattr(world, "stop", stop))
    world.begin(release_promotion="twin", release_swap=None)
    assert [one["destination"] for one in seen[0]] == [{"host": "shop", "subset": "v1"}, {"host": "shop", "subset": "v2"}]
    assert (world.stored("DestinationRule", "eu", "shop")["spec"], world.route) == (rule, route)
    assert world.names("Deployment") == ["shop-v1"]
    assert world.stored("Deployment", "eu", "shop-v1")["spec"]["template"]["spec"]["containers"][0]["image"] == image


# -- who is who in the counters


@pytest.mark.parametrize("source", ["istio_source", "istio_destination"])
def test_versions_that_answer_for_one_service_are_told_by_their_workload(source):
    arms = Arms.of(source, namespace="eu", workload="shop-v1", service="shop", canary="shop-v2")
    assert [arms.arm_of({"destination_workload": name, "destination_service_name": "shop"}) for name in ("shop-v1", "shop-v2", "shop")] == [
        "stable", "canary", None,
    ]  # fmt: skip
    assert 'destination_workload=~"shop-v1|shop-v2"' in arms.selector.replace("\\\\", "")
    assert "destination_service_name" not in arms.selector


def test_pods_are_told_by_their_deployments_names():
    arms = Arms.of("http", namespace="eu", workload="shop-v1", service="shop", canary="shop-v2")
    assert [arms.arm_of({"pod": f"{name}-5d59d67564-abcde"}) for name in ("shop-v1", "shop-v2", "shop-v1-canary")] == [
        "stable",
        "canary",
        None,
    ]


def test_a_plain_twin_is_still_told_by_its_service():
    arms = Arms.of("istio_source", namespace="eu", workload="shop", service="front", canary="")
    assert arms.arm_of({"destination_service_name": "front-canary"}) == "canary"
