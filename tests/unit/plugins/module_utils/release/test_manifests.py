# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions as Kustomize and Helm render them, through whole releases against a world in memory."""

import base64
import copy

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.workload import config
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

ENV = {"kind": "ConfigMap", "metadata": {"name": "env-7f2"}, "data": {"LIMIT": "9"}}
KEYS = {"kind": "Secret", "metadata": {"name": "keys"}, "stringData": {"password": "sesame"}}
SERVICE = {"kind": "Service", "metadata": {"name": "shop"}, "spec": {}}


def deployment(image="shop:2", env_from=(), **labels):
    app = {"name": "app", "image": image, "envFrom": list(env_from)}
    return {
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {"replicas": 9, "template": {"metadata": {"labels": {"app": "shop", **labels}}, "spec": {"containers": [app]}}},
    }


USES_ENV = [{"configMapRef": {"name": "env-7f2"}}]
USES_KEYS = [{"secretRef": {"name": "keys"}}]


def given(*objects, **changed):
    return {**GIVEN, "release_image": None, "release_manifests": list(objects), **changed}


@pytest.fixture
def world():
    return World()


def release(world, *objects, **changed):
    return world.start(**given(*objects, **changed))


def test_the_template_of_the_manifests_is_released_and_nothing_else_of_them(world):
    result = release(world, deployment(tier="web"), SERVICE)
    assert result["outcome"] == "promoted"
    world.assert_home("shop:2")
    shop = world.stored("Deployment", "eu", "shop")
    assert (shop["spec"]["replicas"], shop["spec"]["template"]["metadata"]["labels"]) == (4, {"app": "shop", "tier": "web"})
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop"}


def test_yaml_of_several_documents_and_lists_are_read_alike():
    listed = {"kind": "List", "items": [deployment(), SERVICE]}
    text = yaml.safe_dump_all([deployment(), SERVICE])
    expected = parse(given(deployment(), SERVICE)).manifests
    assert parse({**GIVEN, "release_manifests": text}).manifests == expected == parse(given(listed)).manifests
    assert expected.others == ("Service/shop",)


def test_an_image_beside_the_manifests_wins(world):
    assert release(world, deployment(), release_image="shop:3")["outcome"] == "promoted"
    world.assert_home("shop:3")


def test_a_version_that_runs_already_is_no_release(world):
    template = {**deployment()["spec"]["template"]}
    found = world.stored("Deployment", "eu", "shop")
    found["spec"]["template"] = copy.deepcopy(template)
    world.put(found)
    before = world.writes()
    result = release(world, deployment())
    assert (result["outcome"], result["changed"], world.writes()) == ("promoted", False, before)
    assert release(world, deployment(tier="web"))["changed"]


def test_a_generated_config_map_comes_with_its_version_under_its_own_name_and_goes_with_it(world):
    world.at["verify"] = lambda: setattr(world, "stop", "the job was cancelled")
    result = release(world, deployment(env_from=USES_ENV), ENV, release_verify_seconds=60)
    assert result["outcome"] == "rolled_back"
    assert "env-7f2" not in world.names("ConfigMap")
    world.stop = None
    assert release(world, deployment(env_from=USES_ENV), ENV)["outcome"] == "promoted"
    assert world.stored("ConfigMap", "eu", "env-7f2")["data"] == {"LIMIT": "9"}
    assert release(world, deployment(image="shop:3"))["outcome"] == "promoted"
    assert world.stored("ConfigMap", "eu", "env-7f2")  # the ReplicaSet of the version before may still refer to it


def test_a_secret_is_stored_as_the_api_server_keeps_it_and_the_record_knows_only_its_hash(world):
    assert release(world, deployment(env_from=USES_KEYS), KEYS)["outcome"] == "promoted"
    assert world.stored("Secret", "eu", "keys")["data"] == {"password": base64.b64encode(b"sesame").decode()}
    stored = str(world.stored("ConfigMap", "eu", "release-shop"))
    assert "sesame" not in stored and base64.b64encode(b"sesame").decode() not in stored


def test_other_content_under_the_same_name_needs_release_config_and_travels_as_a_copy(world):
    world.put({"kind": "ConfigMap", "metadata": {"name": "env-7f2", "namespace": "eu"}, "data": {"LIMIT": "5"}})
    with pytest.raises(Refused) as caught:
        release(world, deployment(env_from=USES_ENV), ENV)
    (problem,) = caught.value.problems
    assert problem.field == "release_manifests.ConfigMap/env-7f2" and "release_config: {config_maps: true}" in problem.allowed
    asked = {"release_config": {"config_maps": True}}
    assert release(world, deployment(env_from=USES_ENV), ENV, **asked)["outcome"] == "promoted"
    (used,) = [name for _kind, name in config.references(world.stored("Deployment", "eu", "shop")["spec"]["template"])]
    assert used.startswith("env-7f2-") and world.stored("ConfigMap", "eu", used)["data"] == {"LIMIT": "9"}
    assert world.stored("ConfigMap", "eu", "env-7f2")["data"] == {"LIMIT": "5"}


def test_a_release_of_manifests_is_resumed_with_the_same_ones_and_refused_with_others(world):
    objects = (deployment(env_from=USES_ENV), ENV)
    assert release(world, *objects, release_stop_after="weight-10")["outcome"] == "running"
    saved = spec_from(record.load(world, "eu", "shop").spec)
    assert saved.to_dict() == parse(given(*objects)).to_dict()
    with pytest.raises(Refused, match="changed: manifests"):
        release(world, deployment(env_from=USES_ENV), {**ENV, "data": {"LIMIT": "8"}})
    assert release(world, *objects)["outcome"] == "promoted"


def test_labels_that_change_with_the_version_do_not_hide_the_twin_s_pods(world):
    found = world.stored("Deployment", "eu", "shop")
    found["spec"]["template"]["metadata"]["labels"]["version"] = "1"
    world.put(found)
    release(world, deployment(version="2"), release_stop_after="weight-10")
    assert record.load(world, "eu", "shop").target["pod_labels"] == {"app": "shop-canary"}


@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"release_manifests": "kind: ["}, "release_manifests", "YAML of several documents"),
        ({"release_manifests": [SERVICE]}, "release_manifests", "exactly one Deployment/shop"),
        ({"release_manifests": [deployment(), deployment()]}, "release_manifests", "found 2"),
        ({"release_manifests": [{**deployment(), "spec": {}}]}, "release_manifests.Deployment/shop.spec.template", "a pod template"),
        ({"release_manifests": [deployment(image="shop")]}, "release_image", "with a tag or a digest"),
        (
            {"release_manifests": [{**deployment(), "metadata": {"name": "shop", "namespace": "us"}}]},
            "release_manifests.Deployment/shop.metadata.namespace",
            "eu, as release_namespace says",
        ),
        (
            {"release_manifests": [deployment(env_from=USES_ENV), {**ENV, "data": {"LIMIT": 9}}]},
            "release_manifests.ConfigMap/env-7f2.data",
            "strings",
        ),
        ({"release_manifests": [deployment()], "release_template_patch": {"spec": {"hostname": "a"}}}, "release_template_patch", "nothing"),
    ],
)
def test_manifests_that_cannot_be_released_are_refused(changed, field, says):
    with pytest.raises(SpecError) as caught:
        parse(given(**changed))
    assert any(one.field == field and says in one.allowed for one in caught.value.problems)


def test_labels_that_the_selector_needs_must_stay(world):
    with pytest.raises(Refused) as caught:
        release(world, deployment(app="store"))
    (problem,) = [one for one in caught.value.problems if "metadata.labels.app" in one.field]
    assert problem.value == "store" and "app=shop" in problem.allowed
