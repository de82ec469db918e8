# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a StatefulSet and a DaemonSet are made to stand still, and what is in the way of that. Pure.

A StatefulSet replaces the pods whose ordinal is not below its partition, the highest first. A DaemonSet with OnDelete
replaces a pod when somebody has deleted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import selectors
from .drops import count_of, kubectl, merge_patch
from .kinds import DAEMON_SET, STATEFUL_SET, observed, rollout, updated_pods, wanted_pods

JSON = dict[str, Any]
ON_DELETE, ROLLING_UPDATE = "OnDelete", "RollingUpdate"


def standing(kind: str, before: Mapping[str, Any] | None, partition: int) -> JSON:
    """The updateStrategy with which a set replaces no pod by itself, or, of a StatefulSet, none below the partition."""
    if kind == DAEMON_SET:
        return {"type": ON_DELETE}
    return {"type": ROLLING_UPDATE, "rollingUpdate": {**_rolling(before), "partition": partition}}


def partition_of(strategy: Mapping[str, Any] | None) -> int:
    """The ordinal below which pods stay as they are; 0 when none is set."""
    return int(_rolling(strategy).get("partition") or 0)


def stands(kind: str, found: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> bool:
    """Whether an updateStrategy is one that a release has given a set which had another before, whatever the partition is."""
    wanted = standing(kind, before, partition_of(found))
    return (found or {}).get("type") == wanted["type"] and _rolling(wanted).items() <= _rolling(found).items()


def most_away(wanted: Mapping[str, Any], before: Mapping[str, Any] | None, nodes: int) -> int:
    """How many pods of a DaemonSet may be missing at a time: as release_rolling says, else its own updateStrategy; at least one."""
    value = wanted.get("maxUnavailable", _rolling(before).get("maxUnavailable", 1))
    return max(1, count_of(value, nodes, up=True))


def in_the_way(kind: str, workload: JSON, budgets: Iterable[JSON]) -> list[str]:
    """Why a set cannot be rolled share by share as it is now; each says what is allowed instead."""
    meta, strategy = workload["metadata"], workload["spec"].get("updateStrategy")
    status = kubectl(meta["namespace"], "rollout", "status", f"{kind.lower()}/{meta['name']}")
    found = []
    if kind == STATEFUL_SET and partition_of(strategy):
        fix = merge_patch(kind, workload, {"spec": {"updateStrategy": {"type": ROLLING_UPDATE, "rollingUpdate": {"partition": 0}}}})
        words = f"pods below its partition, {partition_of(strategy)}, would stay as they are, and the release moves it"
        found.append(f"a StatefulSet whose partition is 0: {words}: {fix}")
    elif not observed(workload) or updated_pods(kind, workload) < wanted_pods(kind, workload):
        found.append(f"a {kind} whose pods are all of its present template; wait for that, or delete the others: {status}")
    elif kind == STATEFUL_SET and not rollout(kind, workload).complete and (strategy or {}).get("type") == ON_DELETE:
        fix = merge_patch(kind, workload, {"spec": {"updateStrategy": {"type": ROLLING_UPDATE, "rollingUpdate": {"partition": 0}}}})
        words = "Kubernetes has not taken its present revision for the current one, which it does with RollingUpdate alone"
        found.append(f"a StatefulSet whose last rollout is complete; {words}: {fix}")
    names = [one["metadata"]["name"] for one in selecting(budgets, workload["spec"]["template"]["metadata"].get("labels") or {})]
    if len(names) > 1:
        words = f"{', '.join(names)} select {meta['name']}'s, and then no pod can be evicted"
        found.append(f"a {kind} whose pods have one PodDisruptionBudget at most: {words}; kubectl -n {meta['namespace']} delete pdb <name>")
    return found


def selecting(budgets: Iterable[JSON], labels: Mapping[str, str]) -> list[JSON]:
    """The budgets that select pods with these labels."""
    return [one for one in budgets if selectors.matches(one["spec"].get("selector"), labels)]


def blocking(budgets: Iterable[JSON], pod: JSON) -> str:
    """Whose budget does not let a pod be evicted, with its numbers."""
    said = []
    for one in selecting(budgets, pod["metadata"].get("labels") or {}):
        status = one.get("status") or {}
        if status.get("disruptionsAllowed", 0):
            continue
        words = f"PodDisruptionBudget {one['metadata']['name']}"
        failed = next(
            (c for c in status.get("conditions") or [] if c["type"] == "DisruptionAllowed" and c.get("reason") == "SyncFailed"), None
        )
        if failed:
            said.append(f"{words} counts nothing ({failed.get('message')}); of a DaemonSet it must say minAvailable, as a number")
        else:
            said.append(f"{words} wants {status.get('desiredHealthy', '?')} healthy pods and has {status.get('currentHealthy', '?')}")
    return " and ".join(said) or "a PodDisruptionBudget that is gone by now"


def _rolling(strategy: Mapping[str, Any] | None) -> JSON:
    return dict((strategy or {}).get("rollingUpdate") or {})
