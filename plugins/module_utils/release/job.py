# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Job of a check: what the user means, as it is created. The only request is for the CronJob it may be made from."""

from __future__ import annotations

import copy
import math
from typing import Any

from ..cluster.kinds import api_version
from ..cluster.session import Session
from ..workload.twin import RELEASE_LABEL, SUFFIX, foreign_free
from .checks_spec import CheckSpec, JobCheck
from .spec import Spec

JSON = dict[str, Any]
MANAGED_BY = {"app.kubernetes.io/managed-by": "progressive.delivery"}
LEFT_BEHIND_SECONDS = 30  # how much longer than its check a Job may run when its runner has died
KEPT_SECONDS = 3600  # how long a finished one stays when its runner has died
NOT_OURS = ("selector", "manualSelector", "suspend")  # fields of a Job that would keep it from running as one of ours


def job_name(spec: Spec, check: CheckSpec) -> str:
    """What a check's Job is called."""
    return f"{spec.name}-{check.step_name}"


def template_of(session: Session, namespace: str, detail: JobCheck) -> JSON:
    """The Job as the user means it: labels, annotations and spec. Raises NotFound when the CronJob does not exist."""
    if detail.from_cronjob is None:
        return {"metadata": {}, "spec": copy.deepcopy(detail.spec)}
    found = session.get("CronJob", namespace, detail.from_cronjob)["spec"]["jobTemplate"]
    return {"metadata": found.get("metadata") or {}, "spec": copy.deepcopy(found["spec"])}


def job_body(template: JSON, *, name: str, namespace: str, release_id: str, env: dict[str, str], timeout_seconds: float) -> JSON:
    """The Job as it is created. It runs once unless the user says otherwise, and ends by itself should its runner die."""
    spec = {"backoffLimit": 0, "activeDeadlineSeconds": math.ceil(timeout_seconds) + LEFT_BEHIND_SECONDS, **template["spec"]}
    for field in NOT_OURS:
        spec.pop(field, None)
    spec["ttlSecondsAfterFinished"] = KEPT_SECONDS
    pod = spec["template"]["spec"]
    pod.setdefault("restartPolicy", "Never")
    for container in [*(pod.get("initContainers") or []), *pod["containers"]]:
        others = [one for one in container.get("env") or [] if one.get("name") not in env]
        container["env"] = [*others, *({"name": key, "value": value} for key, value in env.items())]
    marks = template["metadata"]
    return {
        "apiVersion": api_version("Job"),
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**foreign_free(marks.get("labels") or {}), RELEASE_LABEL: release_id, **MANAGED_BY},
            "annotations": foreign_free(marks.get("annotations") or {}),
        },
        "spec": spec,
    }


def environment(*, service: str, release_id: str, image: str) -> dict[str, str]:
    """What a Job's containers are told."""
    return {"CANARY_SERVICE": service + SUFFIX, "STABLE_SERVICE": service, "RELEASE_ID": release_id, "IMAGE": image}
