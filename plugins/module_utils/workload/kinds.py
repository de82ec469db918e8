# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of workload that can be released, and what each calls the same things. Pure: objects come in as they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import deployment
from .deployment import Rollout

JSON = dict[str, Any]
DEPLOYMENT, STATEFUL_SET, DAEMON_SET = "Deployment", "StatefulSet", "DaemonSet"
SETS = (STATEFUL_SET, DAEMON_SET)  # they keep no old pods beside new ones: only strategy rolling can release them
KINDS = (DEPLOYMENT, *SETS)


@dataclass(frozen=True)
class Words:
    """What a kind calls its counts (fields of its status), and the label of its pods that tells their revision."""

    ready: str
    available: str
    updated: str
    revision_label: str


WORDS = {
    DEPLOYMENT: Words("readyReplicas", "availableReplicas", "updatedReplicas", "pod-template-hash"),
    STATEFUL_SET: Words("readyReplicas", "availableReplicas", "updatedReplicas", "controller-revision-hash"),
    DAEMON_SET: Words("numberReady", "numberAvailable", "updatedNumberScheduled", "controller-revision-hash"),
}


def wanted_pods(kind: str, workload: JSON) -> int:
    """How many pods there are to be: one for each node that a DaemonSet fits, else the replicas."""
    if kind == DAEMON_SET:
        return int((workload.get("status") or {}).get("desiredNumberScheduled", 0))
    return int(workload["spec"].get("replicas", 1))


def ready_pods(kind: str, workload: JSON) -> int:
    """How many pods are ready, as the status says."""
    return int((workload.get("status") or {}).get(WORDS[kind].ready, 0))


def available_pods(kind: str, workload: JSON) -> int:
    """How many pods have been ready for minReadySeconds, as the status says."""
    return int((workload.get("status") or {}).get(WORDS[kind].available, 0))


def updated_pods(kind: str, workload: JSON) -> int:
    """How many pods are of the present template, as the status says."""
    return int((workload.get("status") or {}).get(WORDS[kind].updated, 0))


def observed(workload: JSON) -> bool:
    """Whether the status follows the spec as it is now."""
    return bool((workload.get("status") or {}).get("observedGeneration", 0) >= workload["metadata"]["generation"])


def revision_in(kind: str, pod: JSON) -> str | None:
    """The revision that a pod of the workload is of."""
    found: str | None = (pod["metadata"].get("labels") or {}).get(WORDS[kind].revision_label)
    return found


def rollout(kind: str, workload: JSON, *, enough: int | None = None) -> Rollout:
    """How far a workload is. Complete: this generation observed, every pod of its template, all of them available.

    A StatefulSet is complete when Kubernetes has taken the new revision for its current one, too: until then a pod that
    is made anew could be one of the old. A set never says by itself that it has failed.
    """
    if kind == DEPLOYMENT:
        return deployment.rollout(workload, enough=enough)
    wanted, ready = wanted_pods(kind, workload), ready_pods(kind, workload)
    status = workload.get("status") or {}
    whole = observed(workload) and updated_pods(kind, workload) >= wanted and min(ready, available_pods(kind, workload)) >= wanted
    if kind == STATEFUL_SET:
        whole = whole and status.get("replicas", 0) == wanted and status.get("currentRevision") == status.get("updateRevision")
    return Rollout(whole, ready, wanted, None)
