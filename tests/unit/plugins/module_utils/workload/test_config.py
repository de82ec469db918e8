# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which config maps and secrets a pod template uses, and what their copies are."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload import config

TEMPLATE = {
    "metadata": {},
    "spec": {
        "imagePullSecrets": [{"name": "registry"}],
        "initContainers": [{"name": "init", "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "init-env", "key": "a"}}}]}],
        "containers": [
            {
                "name": "app",
                "envFrom": [{"configMapRef": {"name": "env"}}, {"secretRef": {"name": "passwords", "optional": True}}],
                "env": [
                    {"name": "PLAIN", "value": "env"},
                    {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "api", "key": "key"}}},
                ],
            },
            {"name": "side", "envFrom": [{"configMapRef": {"name": "env", "optional": True}}]},
        ],
        "volumes": [
            {"name": "env", "emptyDir": {}},
            {"name": "files", "configMap": {"name": "files"}},
            {"name": "tls", "secret": {"secretName": "tls"}},
            {
                "name": "all",
                "projected": {"sources": [{"configMap": {"name": "ca"}}, {"secret": {"name": "token"}}, {"serviceAccountToken": {"path": "t"}}]},
            },
        ],
    },
}  # fmt: skip
USED = {
    ("ConfigMap", "init-env"): True, ("ConfigMap", "env"): True, ("ConfigMap", "files"): True, ("ConfigMap", "ca"): True,
    ("Secret", "passwords"): False, ("Secret", "api"): True, ("Secret", "tls"): True, ("Secret", "token"): True,
}  # fmt: skip
ENV = {"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": "5", "OLD": "1"}}
OWNER = {"kind": "Deployment", "metadata": {"name": "shop", "uid": "u1"}}


def copied(source=None, **data):
    return config.copy_of(source or ENV, data, release_id="shop-1", owner=OWNER)


def test_every_reference_of_containers_and_volumes_is_found_and_no_pull_secret():
    assert config.references(TEMPLATE) == USED


def test_a_renamed_template_refers_to_the_new_names_everywhere_and_is_else_the_same():
    before = copy.deepcopy(TEMPLATE)
    names = {named: f"{named[1]}-new" for named in USED}
    after = config.renamed(TEMPLATE, names)
    assert before == TEMPLATE
    assert set(config.references(after)) == {(kind, f"{name}-new") for kind, name in USED}
    assert config.renamed(after, {(kind, f"{name}-new"): name for kind, name in USED}) == before


def test_a_name_is_changed_for_its_own_kind_only():
    assert config.renamed(TEMPLATE, {("Secret", "env"): "x"}) == TEMPLATE


def test_a_copy_is_immutable_ours_and_goes_with_the_deployment():
    made = copied()
    assert (made["apiVersion"], made["kind"], made["immutable"], made["data"]) == ("v1", "ConfigMap", True, ENV["data"])
    assert made["metadata"]["name"] == f"env-{config.content_hash(ENV)}"
    assert config.source_of(made) == "env"
    assert made["metadata"]["ownerReferences"] == [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop", "uid": "u1"}]


def test_data_is_laid_over_and_null_removes():
    assert copied(LIMIT="9", NEW="x", OLD=None)["data"] == {"LIMIT": "9", "NEW": "x"}


def test_a_copy_of_all_removed_keys_is_empty_and_still_a_copy():
    assert "data" not in copied(LIMIT=None, OLD=None)


@pytest.mark.parametrize("change", [{"data": {"LIMIT": "6", "OLD": "1"}}, {"binaryData": {"B": "AA=="}}, {"data": {}}], ids=str)
def test_other_content_has_another_name(change):
    assert copied({**ENV, **change})["metadata"]["name"] != copied()["metadata"]["name"]


def test_what_pods_do_not_see_changes_no_name():
    meta = {"name": "env", "namespace": "eu", "labels": {"team": "a"}, "resourceVersion": "7"}
    assert copied({**ENV, "metadata": meta, "immutable": True})["metadata"]["name"] == copied()["metadata"]["name"]


def test_a_secret_keeps_its_type_which_counts_and_is_shown_without_its_values():
    secret = {
        "kind": "Secret",
        "metadata": {"name": "tls", "namespace": "eu"},
        "type": "kubernetes.io/tls",
        "data": {"tls.key": "aHVzaA=="},
    }
    made = copied(secret)
    assert (made["type"], made["data"]) == ("kubernetes.io/tls", secret["data"])
    assert made["metadata"]["name"] != copied({**secret, "type": "Opaque"})["metadata"]["name"]
    assert config.shown(made)["data"] == {"tls.key": "(hidden)"}
    assert secret["data"] == {"tls.key": "aHVzaA=="}


def test_what_somebody_else_made_is_no_copy_of_ours():
    theirs = {**ENV, "metadata": {"name": "env-0123456789", "annotations": {config.SOURCE: "env"}}}
    assert (config.source_of(theirs), config.is_copy(theirs)) == (None, False)
