# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rolling update needs to know of a Deployment: which pods are the old ones, and how it replaces them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cluster.session import Session

JSON = dict[str, Any]
# what a release may set in the Deployment's spec, and puts back when it goes back
KNOBS = ("strategy", "minReadySeconds", "progressDeadlineSeconds")


def knobs_of(deployment: JSON) -> JSON:
    """The knobs as the Deployment has them."""
    return {name: deployment["spec"][name] for name in KNOBS if name in deployment["spec"]}


def knobs_for(before: Mapping[str, Any], wanted: Mapping[str, Any]) -> JSON:
    """The knobs with what release_rolling says; a Deployment that is recreated is rolled from now on."""
    knobs = dict(before)
    rolling = dict((before.get("strategy") or {}).get("rollingUpdate") or {})
    rolling.update({key: wanted[key] for key in ("maxSurge", "maxUnavailable") if key in wanted})
    knobs["strategy"] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    knobs.update({key: wanted[key] for key in ("minReadySeconds", "progressDeadlineSeconds") if key in wanted})
    return knobs


def revision_of(session: Session, deployment: JSON) -> str | None:
    """The pod-template-hash of the pods that the Deployment has now; None when no ReplicaSet is its present one."""
    number = (deployment["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
    for one in session.list("ReplicaSet", deployment["metadata"]["namespace"]):
        owners = [owner.get("uid") for owner in one["metadata"].get("ownerReferences") or []]
        own = (one["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
        if deployment["metadata"]["uid"] in owners and own == number:
            return one["metadata"]["labels"]["pod-template-hash"]
    return None
