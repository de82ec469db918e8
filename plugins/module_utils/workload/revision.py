# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rolling update needs to know of a workload: which pods are the old ones, and how it replaces them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cluster.session import Session
from . import sets
from .kinds import DAEMON_SET, DEPLOYMENT, SETS, STATEFUL_SET, revision_in, rollout

JSON = dict[str, Any]
# what a release may set in the workload's spec, and puts back when it goes back
KNOBS = {
    DEPLOYMENT: ("strategy", "minReadySeconds", "progressDeadlineSeconds"),
    STATEFUL_SET: ("updateStrategy", "minReadySeconds"),
    DAEMON_SET: ("updateStrategy", "minReadySeconds"),
}


def knobs_of(workload: JSON, kind: str = DEPLOYMENT) -> JSON:
    """The knobs as the workload has them."""
    return {name: workload["spec"][name] for name in KNOBS[kind] if name in workload["spec"]}


def knobs_for(before: Mapping[str, Any], wanted: Mapping[str, Any], kind: str = DEPLOYMENT, *, pods: int = 0) -> JSON:
    """The knobs while the release runs, with what release_rolling says. A StatefulSet of so many pods stands still with them."""
    knobs = dict(before)
    knobs.update({key: wanted[key] for key in ("minReadySeconds", "progressDeadlineSeconds") if key in wanted})
    if kind in SETS:
        return {**knobs, "updateStrategy": sets.standing(kind, before.get("updateStrategy"), pods)}
    rolling = dict((before.get("strategy") or {}).get("rollingUpdate") or {})
    rolling.update({key: wanted[key] for key in ("maxSurge", "maxUnavailable") if key in wanted})
    return {**knobs, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}


def revision_of(session: Session, workload: JSON, kind: str = DEPLOYMENT) -> str | None:
    """The revision of the pods that the workload has now; None when they are of several, or of none that is its present one."""
    if kind in SETS:
        return _of_set(session, workload, kind)
    number = (workload["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
    for one in session.list("ReplicaSet", workload["metadata"]["namespace"]):
        owners = [owner.get("uid") for owner in one["metadata"].get("ownerReferences") or []]
        own = (one["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
        if workload["metadata"]["uid"] in owners and own == number:
            revision: str = one["metadata"]["labels"]["pod-template-hash"]
            return revision
    return None


def _of_set(session: Session, workload: JSON, kind: str) -> str | None:
    labels = workload["spec"]["selector"].get("matchLabels") or {}
    pods = session.list("Pod", workload["metadata"]["namespace"], labels=labels)
    found = {revision_in(kind, pod) for pod in pods if not pod["metadata"].get("deletionTimestamp")}
    return found.pop() if len(found) == 1 and rollout(kind, workload).complete else None
