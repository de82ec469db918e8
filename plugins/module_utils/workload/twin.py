# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary twin: stable's own Deployment with the new version, under a label that nothing of stable selects. Pure."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster.kinds import api_version
from ..traffic.route import CANARY, EPOCH, canary_host_of

JSON = dict[str, Any]
SUFFIX = CANARY
RELEASE_LABEL = "progressive.delivery/release"
PREFERRED_LABELS = ("app", "app.kubernetes.io/name", "k8s-app", "name")
# what other tools use to recognise their own objects: a twin that carried it would be pruned, adopted or reverted
TRACKING = ("argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "meta.helm.sh/", "helm.sh/")
TRACKING_EXACT = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "app.kubernetes.io/managed-by"}
)


class TwinError(Exception):
    """The workload cannot have a twin as it is. Messages say what to change."""


def switch_label(deployment: JSON, service: JSON) -> str:
    """The label key in which the twin's pods differ: one that both the Service and the Deployment select by."""
    selector = deployment["spec"]["selector"].get("matchLabels") or {}
    shared = [key for key, value in (service["spec"].get("selector") or {}).items() if selector.get(key) == value]
    if not shared:
        name = deployment["metadata"]["name"]
        raise TwinError(
            f"Service {service['metadata']['name']} selects {service['spec'].get('selector')} and Deployment {name} selects {selector}: "
            "they share no label, so a canary's pods cannot be told from stable's; add one common label to both selectors"
        )
    return next((key for key in PREFERRED_LABELS if key in shared), sorted(shared)[0])


@dataclass(frozen=True)
class Canary:
    """The canary's Deployment, and the label in which its pods differ from stable's: key and the canary's value.

    own: labels by which it selects its pods instead, where they join stable's Service.
    """

    name: str
    key: str
    value: str
    own: Mapping[str, str] = field(default_factory=dict)


def twin_labels(labels: Mapping[str, str], key: str, value: str = "") -> dict[str, str]:
    """Pod labels of the canary: stable's, with another value of the switch label; without a value stable's is moved aside."""
    return {**labels, key: value or labels[key] + SUFFIX}


def with_version(template: JSON, *, container: str, image: str, patch: JSON | None) -> JSON:
    """A pod template with a new image and, merged over it, the user's changes (lists of named things merge by name)."""
    new = copy.deepcopy(template)
    for one in new["spec"]["containers"]:
        if one["name"] == container:
            one["image"] = image
    return merge(new, patch) if patch else new


def merge(base: Any, change: Any) -> Any:
    """change laid over base: dictionaries merge key by key, lists of named things item by item, null removes."""
    if isinstance(change, dict):
        merged = dict(base) if isinstance(base, dict) else {}
        for key, value in change.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = merge(merged.get(key), value)
        return merged
    if _named(base) and _named(change):
        by_name = {item["name"]: item for item in base}
        for item in change:
            by_name[item["name"]] = merge(by_name.get(item["name"]), item)
        return list(by_name.values())
    return copy.deepcopy(change)


def twin_deployment(
    deployment: JSON,
    *,
    key: str,
    template: JSON,
    release_id: str,
    token: str,
    replicas: int,
    value: str = "",
    own: Mapping[str, str] | None = None,
) -> JSON:
    """The twin as it is created: stable's spec, the new template, its own label and none of other tools' marks.

    own: labels of its pods by which it selects them instead, so that their switch label may change while they run.
    """
    meta = deployment["metadata"]
    spec = copy.deepcopy(deployment["spec"])
    pod = copy.deepcopy(template)
    pod_meta = pod.setdefault("metadata", {})
    pod_meta["labels"] = twin_labels(pod_meta.get("labels") or {}, key, value)
    pod_meta.pop("creationTimestamp", None)
    labels = dict(spec["selector"].get("matchLabels", {}).items())
    spec["selector"] = dict(spec["selector"], matchLabels=twin_labels(labels, key, value))
    if own:
        pod_meta["labels"].update(own)
        spec["selector"] = {"matchLabels": dict(own)}
    spec.update(template=pod, replicas=replicas, paused=False)
    own = (
        twin_labels(foreign_free(meta.get("labels") or {}), key, value)
        if key in (meta.get("labels") or {})
        else foreign_free(meta.get("labels") or {})
    )
    return {
        "apiVersion": api_version("Deployment"),
        "kind": "Deployment",
        "metadata": {
            "name": meta["name"] + SUFFIX,
            "namespace": meta["namespace"],
            "labels": {**own, RELEASE_LABEL: release_id, "app.kubernetes.io/managed-by": "progressive.delivery"},
            "annotations": {EPOCH: token},
        },
        "spec": spec,
    }


def twin_of(deployment: JSON, canary: Canary, *, template: JSON, release_id: str, token: str, replicas: int) -> JSON:
    """The twin of a Deployment as a canary is told."""
    return twin_deployment(
        deployment,
        key=canary.key,
        template=template,
        release_id=release_id,
        token=token,
        replicas=replicas,
        value=canary.value,
        own=canary.own,
    )


def new_version(deployment: JSON, canary: Canary, *, template: JSON, release_id: str, token: str, replicas: int) -> JSON:
    """A Deployment that is to stay: as a twin is created, under its own name and label, with its owner's annotations."""
    body = twin_of(deployment, canary, template=template, release_id=release_id, token=token, replicas=replicas)
    marks = {k: v for k, v in foreign_free(deployment["metadata"].get("annotations") or {}).items() if k != EPOCH}
    body["metadata"].update(name=canary.name, annotations={**marks, EPOCH: token})
    return body


def canary_service(service: JSON, *, key: str, release_id: str, value: str = "", own: Mapping[str, str] | None = None) -> JSON:
    """The twin's Service: stable's ports and selector, moved to the twin's label; never a node port or load balancer.

    own: the labels that it selects instead, as in twin_deployment.
    """
    spec = service["spec"]
    ports = [{k: v for k, v in port.items() if k != "nodePort"} for port in spec["ports"]]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service["metadata"]["name"] + SUFFIX,
            "namespace": service["metadata"]["namespace"],
            "labels": {RELEASE_LABEL: release_id, "app.kubernetes.io/managed-by": "progressive.delivery"},
        },
        "spec": {"type": "ClusterIP", "selector": dict(own) if own else twin_labels(spec["selector"], key, value), "ports": ports},
    }


def canary_destination_rule(rule: JSON, *, service: str, release_id: str) -> JSON:
    """The DestinationRule that gives the canary's host the same trafficPolicy as stable's."""
    return {
        "apiVersion": api_version("DestinationRule"),
        "kind": "DestinationRule",
        "metadata": {
            "name": service + SUFFIX,
            "namespace": rule["metadata"]["namespace"],
            "labels": {RELEASE_LABEL: release_id, "app.kubernetes.io/managed-by": "progressive.delivery"},
        },
        "spec": {
            "host": canary_host_of(rule["spec"]["host"], service),
            "trafficPolicy": copy.deepcopy(rule["spec"]["trafficPolicy"]),
        },
    }


def replicas_for(weight_percent: int, stable_replicas: int) -> int:
    """Pods that the twin needs for a share of the traffic: stable's density, rounded up, at least one."""
    return max(1, math.ceil(stable_replicas * weight_percent / 100))


def foreign_free(marks: Mapping[str, str]) -> dict[str, str]:
    """Labels or annotations without those by which Argo CD, Flux, Helm and kubectl recognise what is theirs."""
    return {k: v for k, v in marks.items() if not k.startswith(TRACKING) and k not in TRACKING_EXACT}


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)
