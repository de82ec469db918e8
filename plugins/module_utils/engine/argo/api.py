# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Argo Rollouts and its kubectl plugin write where: the status by its own path, everything with a test of what it was."""

from __future__ import annotations

from typing import Any

from ...cluster.errors import NotFound, Rejected
from ...cluster.kinds import object_path
from ...cluster.patch import Operation, add, as_read, pointer, remove
from ...cluster.session import Session

JSON = dict[str, Any]
ROLLOUT, RUN, TEMPLATE = "Rollout", "AnalysisRun", "AnalysisTemplate"
HASH = "rollouts-pod-template-hash"
CONTROLLER = {"app.kubernetes.io/name": "argo-rollouts"}
STATUS = "/status"
REVISION = "rollout.argoproj.io/revision"


def served(session: Session, namespace: str) -> list[str]:
    """The kinds of Argo Rollouts that this cluster does not know."""
    missing = []
    for kind in (ROLLOUT, TEMPLATE, RUN):
        try:
            session.read(object_path(kind, namespace), {"limit": "1"})
        except NotFound:
            missing.append(kind)
        except Rejected:
            continue  # it is there, and rights are asked for elsewhere
    return missing


def controllers(session: Session) -> list[JSON] | None:
    """The controller's Deployments; None where we may not look."""
    return session.list("Deployment", None, labels=CONTROLLER) if session.allowed("list", "Deployment", "") else None


def alive(session: Session) -> bool | None:
    """Whether a controller has a ready pod; None where we may not look."""
    found = controllers(session)
    return None if found is None else any((one.get("status") or {}).get("readyReplicas", 0) for one in found)


def runs_of(session: Session, rollout: JSON) -> list[JSON]:
    """The AnalysisRuns of the revision under way, oldest first: an earlier try of the same version has runs of the same hash."""
    current = (rollout.get("status") or {}).get("currentPodHash")
    if not current:
        return []
    uid = rollout["metadata"]["uid"]
    found = session.list(RUN, rollout["metadata"]["namespace"], labels={HASH: current})
    own = [one for one in found if any(owner.get("uid") == uid for owner in one["metadata"].get("ownerReferences") or [])]
    own = [one for one in own if _revision(one) == _revision(rollout)]
    return sorted(own, key=lambda one: one["metadata"].get("creationTimestamp") or "")


def _revision(obj: JSON) -> str | None:
    found: str | None = (obj["metadata"].get("annotations") or {}).get(REVISION)
    return found


def patch_status(session: Session, rollout: JSON, changes: JSON) -> JSON:
    """Set fields of the status as it was read, None removes one. Raises Conflict when it has changed meanwhile."""
    meta, before = rollout["metadata"], rollout.get("status") or {}
    operations: list[Operation] = [as_read(rollout), *([] if before else [add("/status", {})])]
    for key, value in changes.items():
        here = pointer("status", key)
        operations += [add(here, value)] if value is not None else [remove(here)] * (key in before)
    return session.patch(ROLLOUT, meta["namespace"], meta["name"] + STATUS, operations)


def patch_spec(session: Session, rollout: JSON, changes: JSON) -> JSON:
    """Set fields of the spec as it was read. Raises Conflict when it has changed meanwhile."""
    meta = rollout["metadata"]
    operations = [as_read(rollout), *(add(pointer("spec", key), value) for key, value in changes.items())]
    return session.patch(ROLLOUT, meta["namespace"], meta["name"], operations)
