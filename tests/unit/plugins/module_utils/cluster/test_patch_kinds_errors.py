# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small pure parts of the door to Kubernetes."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import (
    Conflict,
    NotFound,
    Rejected,
    Unreachable,
    error_for,
)
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.kinds import KINDS, api_group, object_path
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.patch import pointer, set_annotation
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi, apply_patch
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("status", "kind"),
    [(0, Unreachable), (404, NotFound), (409, Conflict), (429, Unreachable), (500, Unreachable), (503, Unreachable), (504, Unreachable)]
    + [(status, Rejected) for status in (400, 401, 403, 405, 413, 422)],
)
def test_every_status_has_its_class_and_only_a_lack_of_an_answer_is_unreachable(status, kind):
    error = error_for(status, "Reason", "message", "GET /x")
    assert error.__class__ is kind
    assert (error.status, error.reason, str(error)) == (status, "Reason", "GET /x: message")


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("ConfigMap", "shop", "a"), "/api/v1/namespaces/shop/configmaps/a"),
        (("Deployment", "shop"), "/apis/apps/v1/namespaces/shop/deployments"),
        (("Deployment",), "/apis/apps/v1/deployments"),
        (("Namespace", "ignored", "kube-system"), "/api/v1/namespaces/kube-system"),
        (("VirtualService", "shop", "a"), "/apis/networking.istio.io/v1/namespaces/shop/virtualservices/a"),
        (("SelfSubjectAccessReview",), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
    ],
)
def test_paths_are_those_of_the_api_server(arguments, path):
    assert object_path(*arguments) == path


@pytest.mark.parametrize(
    ("kind", "group"), [("ConfigMap", ""), ("Deployment", "apps"), ("Lease", "coordination.k8s.io"), ("ScaledObject", "keda.sh")]
)
def test_the_core_group_has_no_name(kind, group):
    assert api_group(kind) == group


def test_every_kind_has_a_lower_case_plural_and_a_version():
    assert all(plural == plural.lower() and version.rpartition("/")[2].startswith("v") for version, plural in KINDS.values())


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_pointer_leads_back_to_any_key(outer, inner):
    document = {outer: {inner: 1}}
    assert apply_patch(document, [{"op": "replace", "path": pointer(outer, inner), "value": 2}], "") == {outer: {inner: 2}}


@pytest.mark.parametrize(
    "meta", [{}, {"annotations": None}, {"annotations": {}}, {"annotations": {"a/b": "old", "other": "kept"}}], ids=str
)
def test_an_annotation_is_set_whether_there_were_some_or_none(meta):
    after = apply_patch({"metadata": meta}, set_annotation({"metadata": meta}, "a/b", "new"), "")
    assert after["metadata"]["annotations"] == {**(meta.get("annotations") or {}), "a/b": "new"}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('deployments.apps "shop" is forbidden: User "me" cannot get resource "deployments" in API group "apps"', Unreachable),
        ('pods "shop-1" is forbidden: exceeded quota: small, requested: cpu=1, used: cpu=4, limited: cpu=4', Rejected),
    ],
)
def test_a_server_that_has_not_read_its_rules_yet_is_asked_again_and_quota_is_not(message, kind):
    assert error_for(403, "Forbidden", message, "GET /x").__class__ is kind


def test_objects_of_a_large_cluster_are_read_page_by_page():
    asked = []

    class Paged(FakeApi):
        def request(self, method, path, *, query=None, **options):
            asked.append((path, dict(query)))
            start = int(query.get("continue", 0))
            end = min(start + int(query["limit"]), 5)
            return {"items": list(range(start, end)), "metadata": {"continue": str(end)} if end < 5 else {}}

    assert list(Paged().each("Pod", page=2)) == [0, 1, 2, 3, 4]
    assert asked == [("/api/v1/pods", {"limit": "2", **more}) for more in ({}, {"continue": "2"}, {"continue": "4"})]
