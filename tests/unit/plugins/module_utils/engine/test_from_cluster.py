# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_from that names an object in the cluster, and what a release without its route is told, against a world in memory."""

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.from_cluster import with_documents
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_foreign_manifests import (
    BESIDE,
    by_name,
    documents,
)


def no_cluster():
    raise AssertionError("the cluster was asked")


def stored(*names):
    """A world with the documents of these files."""
    world = World()
    for name in names:
        for document in documents(name):
            kind = document["kind"]
            default = {} if kind.startswith("Cluster") else {"namespace": "eu"}
            world.put({**document, "metadata": {**default, **document["metadata"]}})
    return world


@pytest.mark.parametrize(
    "given", [{}, {"release_from": None}, {"release_from": documents("argo-rolling")}, {"release_from": "kind: Canary"}]
)
def test_without_a_name_the_cluster_is_not_asked(given):
    assert with_documents(no_cluster, given) == given


def test_a_canary_is_read_with_the_templates_that_it_refers_to():
    world = stored("flagger-gateway-api")
    given = with_documents(lambda: world, {**BESIDE, "release_from": {"kind": "Canary", "name": "shop", "namespace": "eu"}})
    assert set(by_name(parse(given))) == {"error-rate", "latency"}


def test_a_rollout_is_read_with_templates_of_templates_each_once_and_without_what_is_left_out():
    world = stored("argo-inline-analysis")
    asked = {"kind": "Rollout", "name": "shop", "leave_out": ["spec.strategy.canary.steps[0]"]}
    given = with_documents(lambda: world, {**BESIDE, "release_from": asked, "release_namespace": "eu"})
    kinds = [one["metadata"]["name"] for one in given["release_from"]["documents"]]
    assert sorted(kinds) == ["both", "errors", "restarts", "shop", "smoke", "success"]
    spec = parse(given)
    assert (set(by_name(spec)), spec.checks) == ({"success-rate", "errors", "restarts"}, ())


def test_a_template_of_the_whole_cluster_is_found():
    world = stored("argo-istio-mirror")
    given = with_documents(lambda: world, {**BESIDE, "release_from": {"kind": "Rollout", "name": "shop", "namespace": "eu"}})
    assert set(by_name(parse({**given, "release_strategy": "shadow"}))) == {"errors"}


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        ({"kind": "Canary", "name": "nobody", "namespace": "eu"}, "release_from", "flagger.app/v1beta1"),
        ({"kind": "Canary", "name": "shop"}, "release_from.namespace", "release_namespace"),
        ({"kind": "Deployment", "name": "shop", "namespace": "eu"}, "release_from.kind", "one of Canary, Rollout"),
        ({"name": "shop", "namespace": "eu"}, "release_from.kind", "is required"),
        ({"kind": "Canary", "name": 5, "namespace": "eu"}, "release_from.name", "a non-empty string"),
        ({"kind": "Canary", "name": "shop", "of": "eu"}, "release_from.of", "unknown"),
    ],
    ids=str,
)
def test_a_name_that_leads_nowhere_is_refused(asked, field, says):
    with pytest.raises(Refused) as caught:
        with_documents(World, {"release_from": asked})
    found = {one.field: one.allowed for one in caught.value.problems}
    assert says in found[field]


def test_a_canary_whose_route_is_not_there_is_refused_with_the_command_that_makes_it():
    world = World()
    world.objects = {key: one for key, one in world.objects.items() if key[0] != "VirtualService"}
    canary = {**documents("flagger-istio-canary")[0]}
    canary["metadata"] = {"name": "shop", "namespace": "shop"}
    canary["spec"] = {**canary["spec"], "analysis": {"interval": "10s", "stepWeight": 50}}
    namespace = next(key[1] for key in world.objects if key[0] == "Deployment")
    spec = parse({"release_from": canary, "release_namespace": namespace, "release_image": "registry.example/shop:9"})
    with pytest.raises(Refused) as caught:
        native.start(world, spec, world.caller)
    allowed = next(one.allowed for one in caught.value.problems if one.field == "release_traffic")
    route = yaml.safe_load(allowed.rpartition("<<< '")[2].rstrip("'"))
    assert (route["kind"], route["metadata"]) == ("VirtualService", {"name": "shop", "namespace": namespace})
    assert (route["spec"]["hosts"], route["spec"]["gateways"]) == (["shop.example.com"], ["public/gateway", "mesh"])
    assert route["spec"]["http"][0]["route"] == [{"destination": {"host": "shop"}}]
    assert route["spec"]["http"][0]["retries"]["attempts"] == 3


@pytest.mark.parametrize(
    ("name", "over", "weights"),
    [
        ("flagger-without-metrics", {}, ["20 %", "40 %", "100 %"]),
        ("argo-without-route", {"release_traffic": {"provider": "istio", "service": "shop"}}, ["20 %", "100 %"]),
    ],
)
def test_a_manifest_runs_natively_to_its_end(name, over, weights):
    world = World()
    spec = parse({"release_from": documents(name), "release_image": "shop:2", "release_deadline_seconds": "1d", **over})
    result = native.start(world, spec, world.caller)
    assert (result["outcome"], world.image) == ("promoted", "shop:2")
    world.assert_home("shop:2")
    shifts = [line for line in world.lines if " weight " in line]
    assert all(any(weight in line for line in shifts) for weight in weights)
    assert any("nothing judges" in line for line in world.lines)
