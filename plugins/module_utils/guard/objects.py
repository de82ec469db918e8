# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a guard: its orders and its program, an account that may touch the release's objects alone, and its Job. Pure."""

from __future__ import annotations

import inspect
import math
from typing import Any

from ..cluster.kinds import api_version, object_path
from ..workload.twin import RELEASE_LABEL
from . import in_cluster

JSON = dict[str, Any]
LABEL = "progressive.delivery/guard-of"
PROGRAM = "guard.py"
FOLDER = "/guard"
NOBODY = 65534
KEPT_SECONDS = 3600  # how long the Job of a guard that has acted stays to be looked at
# no sidecar: a guard must reach the API server whatever becomes of the mesh, and a Job with one would never complete
NO_SIDECAR = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}


def guard_name(release_id: str, epoch: int) -> str:
    """Every runner of a release has a guard of its own, so that a new one is there before the old one goes."""
    return f"guard-{release_id}-{epoch}"


def orders_body(name: str, namespace: str, orders: str, *, release_id: str, record: JSON) -> JSON:
    """The ConfigMap that everything else of the guard belongs to. It belongs to the record: with that, all of it goes."""
    body = _body("ConfigMap", name, namespace, release_id, owner=record)
    return {**body, "data": {"orders": orders, PROGRAM: inspect.getsource(in_cluster)}}


def account_bodies(name: str, namespace: str, rules: list[JSON], *, release_id: str, owner: JSON) -> list[JSON]:
    """ServiceAccount, Role and RoleBinding."""
    api = api_version("Role").partition("/")[0]
    return [
        {**_body("ServiceAccount", name, namespace, release_id, owner=owner), "automountServiceAccountToken": False},
        {**_body("Role", name, namespace, release_id, owner=owner), "rules": rules},
        {
            **_body("RoleBinding", name, namespace, release_id, owner=owner),
            "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]


def job_body(name: str, namespace: str, image: str, *, release_id: str, owner: JSON, seconds: float) -> JSON:
    """The Job: one pod that runs for so many seconds at most, and again when its node dies."""
    body = _body("Job", name, namespace, release_id, owner=owner)
    labels = {**body["metadata"]["labels"], **NO_SIDECAR}
    pod = {"metadata": {"labels": labels, "annotations": NO_SIDECAR}, "spec": _pod(name, namespace, image)}
    spec = {"backoffLimit": 6, "activeDeadlineSeconds": math.ceil(seconds), "ttlSecondsAfterFinished": KEPT_SECONDS, "template": pod}
    return {**body, "spec": spec}


def _pod(name: str, namespace: str, image: str) -> JSON:
    return {
        "restartPolicy": "OnFailure",
        "serviceAccountName": name,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": True, "runAsUser": NOBODY, "runAsGroup": NOBODY, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "guard",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-u", "-B", f"{FOLDER}/{PROGRAM}"],
                "env": [{"name": "GUARD_ORDERS", "value": object_path("ConfigMap", namespace, name)}],
                "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "program", "mountPath": FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "program", "configMap": {"name": name, "items": [{"key": PROGRAM, "path": PROGRAM}]}}],
    }


def _body(kind: str, name: str, namespace: str, release_id: str, *, owner: JSON) -> JSON:
    labels = {"app.kubernetes.io/managed-by": "progressive.delivery", RELEASE_LABEL: release_id, LABEL: release_id}
    return {
        "apiVersion": api_version(kind),
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": [_owned_by(owner)]},
    }


def _owned_by(owner: JSON) -> JSON:
    meta = owner["metadata"]
    return {"apiVersion": api_version("ConfigMap"), "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"]}
