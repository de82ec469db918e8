# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary twin: what it shares with stable, what it must not carry, and that stable's objects are never changed."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.plugins.module_utils.workload import selectors, twin
from hypothesis import given
from hypothesis import strategies as st

LABELS = {"app": "shop", "tier": "web", "version": "1"}
TEMPLATE = {
    "metadata": {"labels": LABELS, "creationTimestamp": None},
    "spec": {
        "containers": [{"name": "app", "image": "shop:1", "env": [{"name": "A", "value": "1"}]}, {"name": "proxy", "image": "envoy:1"}]
    },
}
DEPLOYMENT = {
    "metadata": {
        "name": "shop",
        "namespace": "eu",
        "labels": {"app": "shop", "helm.sh/chart": "shop-1", "app.kubernetes.io/managed-by": "Helm", "team": "checkout"},
        "annotations": {"argocd.argoproj.io/tracking-id": "x", "deployment.kubernetes.io/revision": "4"},
    },
    "spec": {"replicas": 4, "paused": False, "selector": {"matchLabels": {"app": "shop", "tier": "web"}}, "template": TEMPLATE},
}
SERVICE = {
    "metadata": {"name": "front", "namespace": "eu"},
    "spec": {
        "type": "NodePort", "clusterIP": "10.0.0.1", "selector": {"app": "shop"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080, "appProtocol": "http"}],
    },
}  # fmt: skip


def made(**changed):
    given_values = {"key": "app", "template": TEMPLATE, "release_id": "shop-1", "token": "shop-1.1", "replicas": 2, **changed}
    return twin.twin_deployment(DEPLOYMENT, **given_values)


@pytest.mark.parametrize(
    ("deployment", "service", "key"),
    [
        ({"app": "shop", "tier": "web"}, {"app": "shop", "tier": "web"}, "app"),
        ({"zone": "a", "tier": "web"}, {"zone": "a", "tier": "web"}, "tier"),
        ({"app.kubernetes.io/name": "shop", "a": "1"}, {"app.kubernetes.io/name": "shop", "a": "1"}, "app.kubernetes.io/name"),
        ({"app": "shop", "name": "x"}, {"app": "other", "name": "x"}, "name"),
    ],
)
def test_the_twin_differs_in_a_label_that_both_selectors_use(deployment, service, key):
    found = twin.switch_label({"spec": {"selector": {"matchLabels": deployment}}}, {"spec": {"selector": service}})
    assert found == key


@pytest.mark.parametrize("selector", [None, {}, {"app": "other"}, {"role": "web"}])
def test_selectors_without_a_common_label_allow_no_twin_and_the_message_says_what_to_do(selector):
    with pytest.raises(twin.TwinError, match="add one common label to both selectors"):
        twin.switch_label(DEPLOYMENT, {"metadata": {"name": "front"}, "spec": {"selector": selector}})


def test_nothing_that_selects_stable_selects_the_twin_and_the_other_way_round():
    body = made()
    pods = body["spec"]["template"]["metadata"]["labels"]
    assert pods == {**LABELS, "app": "shop-canary"}
    assert selectors.matches(body["spec"]["selector"], pods)
    assert not selectors.matches(DEPLOYMENT["spec"]["selector"], pods)
    assert not selectors.matches(body["spec"]["selector"], LABELS)
    canary = twin.canary_service(SERVICE, key="app", release_id="shop-1")
    assert selectors.matches({"matchLabels": canary["spec"]["selector"]}, pods)
    assert not selectors.matches({"matchLabels": canary["spec"]["selector"]}, LABELS)


def test_the_twin_carries_no_mark_of_other_tools_and_says_whose_it_is():
    meta = made()["metadata"]
    assert meta["labels"] == {
        "app": "shop-canary", "team": "checkout", twin.RELEASE_LABEL: "shop-1", "app.kubernetes.io/managed-by": "progressive.delivery",
    }  # fmt: skip
    assert meta["annotations"] == {EPOCH: "shop-1.1"}
    assert (meta["name"], meta["namespace"]) == ("shop-canary", "eu")


def test_the_twin_has_its_own_size_and_stable_stays_as_it_was():
    before = copy.deepcopy(DEPLOYMENT)
    assert made(replicas=3)["spec"]["replicas"] == 3
    assert before == DEPLOYMENT


def test_the_canary_service_never_opens_a_port_of_the_node():
    spec = twin.canary_service(SERVICE, key="app", release_id="shop-1")["spec"]
    assert spec == {
        "type": "ClusterIP", "selector": {"app": "shop-canary"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http"}],
    }  # fmt: skip


def test_the_canary_gets_stables_traffic_policy_and_not_its_subsets():
    rule = {
        "metadata": {"namespace": "eu"},
        "spec": {"host": "front", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}, "subsets": [{"name": "v1"}]},
    }
    made_rule = twin.canary_destination_rule(rule, service="front", release_id="shop-1")
    assert made_rule["spec"] == {"host": "front-canary", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}
    assert made_rule["metadata"]["name"] == "front-canary"


@pytest.mark.parametrize(
    ("weight", "stable", "pods"),
    [(1, 1, 1), (1, 100, 1), (10, 4, 1), (25, 4, 1), (26, 4, 2), (50, 3, 2), (100, 3, 3), (7, 100, 7), (29, 100, 29)],
)
def test_the_twin_is_as_dense_as_stable_and_never_empty(weight, stable, pods):
    assert twin.replicas_for(weight, stable) == pods


@given(st.integers(1, 99), st.integers(1, 500))
def test_more_weight_never_needs_fewer_pods_and_all_of_it_as_many_as_stable(weight, stable):
    assert twin.replicas_for(weight, stable) <= twin.replicas_for(weight + 1, stable) <= twin.replicas_for(100, stable) == stable


def test_a_version_is_an_image_in_one_container_alone():
    new = twin.with_version(TEMPLATE, container="app", image="shop:2", patch=None)
    assert [one["image"] for one in new["spec"]["containers"]] == ["shop:2", "envoy:1"]
    assert TEMPLATE["spec"]["containers"][0]["image"] == "shop:1"


def test_a_template_patch_merges_containers_and_variables_by_name():
    patch = {"spec": {"containers": [{"name": "app", "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]}]}}
    new = twin.with_version(TEMPLATE, container="app", image="shop:2", patch=patch)
    assert [one["name"] for one in new["spec"]["containers"]] == ["app", "proxy"]
    assert new["spec"]["containers"][0] == {
        "name": "app",
        "image": "shop:2",
        "env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}],
    }


@pytest.mark.parametrize(
    ("base", "change", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": None}, {"a": 1}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [{"name": "x", "v": 1}]}, {"a": []}, {"a": []}),
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "y"}]}, {"a": [{"name": "x", "v": 1}, {"name": "y"}]}),
    ],
    ids=str,
)
def test_merging_lays_the_change_over_the_base_and_null_removes(base, change, merged):
    before = copy.deepcopy(base)
    assert twin.merge(base, change) == merged
    assert base == before


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text("ab"), lambda inner: st.dictionaries(st.text("abc", min_size=1), inner), max_leaves=8
)


def rfc_7386(target, patch):
    """JSON Merge Patch as its RFC writes it, the oracle for dictionaries."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = rfc_7386(result.get(key), value)
    return result


@given(JSON_VALUES, JSON_VALUES)
def test_without_lists_merging_is_json_merge_patch(base, change):
    assert twin.merge(base, change) == rfc_7386(base, change)
