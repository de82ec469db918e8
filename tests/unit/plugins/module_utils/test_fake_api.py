# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The double is trusted by the tests beside it, so it is held to RFC 6902 and to what Session makes of an API server's answers."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Conflict, NotFound, Unreachable
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi, apply_patch

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "shop"}, "data": {"a": "1"}}


@pytest.fixture
def api():
    server = FakeApi()
    server.create(MAP)
    return server


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        pytest.param({"op": "add", "path": "/m/new", "value": 1}, {"m": {"a/b": 0, "new": 1}, "l": [1, 2]}, id="add a key"),
        pytest.param({"op": "add", "path": "/l/1", "value": 9}, {"m": {"a/b": 0}, "l": [1, 9, 2]}, id="add inserts into a list"),
        pytest.param({"op": "add", "path": "/l/-", "value": 9}, {"m": {"a/b": 0}, "l": [1, 2, 9]}, id="add appends at -"),
        pytest.param({"op": "replace", "path": "/l/0", "value": 9}, {"m": {"a/b": 0}, "l": [9, 2]}, id="replace an item"),
        pytest.param({"op": "replace", "path": "/m/a~1b", "value": 9}, {"m": {"a/b": 9}, "l": [1, 2]}, id="replace an escaped key"),
        pytest.param({"op": "remove", "path": "/m/a~1b"}, {"m": {}, "l": [1, 2]}, id="remove a key"),
        pytest.param({"op": "remove", "path": "/l/0"}, {"m": {"a/b": 0}, "l": [2]}, id="remove an item"),
        pytest.param({"op": "test", "path": "/l", "value": [1, 2]}, {"m": {"a/b": 0}, "l": [1, 2]}, id="test changes nothing"),
    ],
)
def test_patch_does_what_the_rfc_says(operation, after):
    assert apply_patch({"m": {"a/b": 0}, "l": [1, 2]}, [operation], "") == after


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "test", "path": "/data/missing", "value": "1"},
        {"op": "test", "path": "/data/a", "value": 1},
        {"op": "replace", "path": "/data/missing", "value": "1"},
        {"op": "remove", "path": "/data/missing"},
        {"op": "add", "path": "/missing/a", "value": "1"},
    ],
    ids=str,
)
def test_an_operation_that_does_not_apply_refuses_the_whole_patch(api, operation):
    with pytest.raises(Conflict):
        api.patch("ConfigMap", "shop", "one", [{"op": "replace", "path": "/data/a", "value": "3"}, operation])
    assert api.get("ConfigMap", "shop", "one")["data"] == {"a": "1"}


def test_every_write_raises_the_resource_version_and_only_a_new_spec_the_generation(api):
    before = api.put({"kind": "Deployment", "metadata": {"name": "shop", "namespace": "shop"}, "spec": {"replicas": 1}})
    marked = api.patch("Deployment", "shop", "shop", [{"op": "add", "path": "/metadata/labels", "value": {}}])
    scaled = api.patch("Deployment", "shop", "shop", [{"op": "replace", "path": "/spec/replicas", "value": 2}])
    versions = [int(one["metadata"]["resourceVersion"]) for one in (before, marked, scaled)]
    assert versions == sorted(set(versions))
    assert [one["metadata"]["generation"] for one in (before, marked, scaled)] == [1, 1, 2]


def test_creating_what_exists_is_a_conflict(api):
    with pytest.raises(Conflict):
        api.create(MAP)


def test_a_dry_run_stores_nothing(api):
    api.patch("ConfigMap", "shop", "one", [{"op": "replace", "path": "/data/a", "value": "3"}], dry_run=True)
    assert api.get("ConfigMap", "shop", "one")["data"] == {"a": "1"}
    assert api.writes() == ["POST ConfigMap"]


def test_deletion_tests_the_uid(api):
    with pytest.raises(Conflict):
        api.delete("ConfigMap", "shop", "one", uid="another")
    uid = api.get("ConfigMap", "shop", "one")["metadata"]["uid"]
    assert api.delete("ConfigMap", "shop", "one", uid=uid) is True
    assert api.delete("ConfigMap", "shop", "one") is False
    with pytest.raises(NotFound):
        api.get("ConfigMap", "shop", "one")


@pytest.mark.parametrize(("applied", "value"), [(True, "3"), (False, "1")])
def test_a_lost_answer_may_have_been_applied(api, applied, value):
    api.lose("PATCH", "ConfigMap", applied=applied)
    with pytest.raises(Unreachable):
        api.patch("ConfigMap", "shop", "one", [{"op": "replace", "path": "/data/a", "value": "3"}])
    assert api.get("ConfigMap", "shop", "one")["data"] == {"a": value}


def test_lists_select_by_labels(api):
    api.put({"kind": "ConfigMap", "metadata": {"name": "two", "namespace": "shop", "labels": {"x": "1", "y": "2"}}, "data": {}})
    assert [one["metadata"]["name"] for one in api.list("ConfigMap", "shop", labels={"x": "1"})] == ["two"]
    assert len(api.list("ConfigMap", "shop")) == 2
    assert api.list("ConfigMap", "elsewhere") == []


def test_kinds_of_one_name_are_told_by_their_api_version(api):
    meta = {"name": "shop", "namespace": "shop"}
    api.put({"kind": "HTTPRoute", "metadata": meta, "spec": {"of": "gateway api"}})
    api.put({"kind": "HTTPRoute", "apiVersion": "policy.linkerd.io/v1beta2", "metadata": meta, "spec": {"of": "linkerd"}})
    assert api.get("HTTPRoute", "shop", "shop")["spec"] == {"of": "gateway api"}
    assert api.get("HTTPRoute.v1beta2.policy.linkerd.io", "shop", "shop")["spec"] == {"of": "linkerd"}
    assert api.list("HTTPRoute.v1beta3.policy.linkerd.io", "shop") == []
