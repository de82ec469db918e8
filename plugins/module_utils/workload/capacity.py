# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods need, and whether a quota and the nodes have room for it. Pure: the objects come in as they were read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

JSON = dict[str, Any]
Amounts = dict[str, Decimal]  # resource -> cores, bytes or pieces
SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
OBJECTS = {"services": 1, "count/services": 1, "count/deployments.apps": 1, "count/replicasets.apps": 2}  # what a release creates
ENDED = ("Succeeded", "Failed")


def quantity(value: Any) -> Decimal:
    """A Kubernetes quantity as a number: "250m" is 0.25, "1Gi" is 1073741824. Raises ValueError for anything else."""
    matched = QUANTITY.fullmatch(str(value))
    if not matched or matched[1].count(".") > 1:
        raise ValueError(f"{value!r} is no Kubernetes quantity")
    return Decimal(matched[1]) * (Decimal(10) ** int(matched[2]) if matched[2] else SUFFIXES[matched[3] or ""])


def needs_of(pod_spec: JSON, kind: str) -> Amounts:
    """What the scheduler and quotas count for one pod: its containers together, or more where starting up needs more.

    kind is requests or limits. A container that names only a limit requests as much.
    """
    containers = _sum(_own(one, kind) for one in pod_spec.get("containers") or [])
    sidecars: Amounts = {}
    starting: Amounts = {}
    for one in pod_spec.get("initContainers") or []:
        if one.get("restartPolicy") == "Always":
            sidecars = _sum([sidecars, _own(one, kind)])
            starting = _most([starting, sidecars])
        else:
            starting = _most([starting, _sum([sidecars, _own(one, kind)])])
    together = _most([_sum([containers, sidecars]), starting])
    together.update(_own(pod_spec, kind))  # resources of the whole pod win over those of its containers
    return _sum([together, {key: quantity(value) for key, value in (pod_spec.get("overhead") or {}).items()}])


def need_of_one(new: JSON, old: JSON, pods: Iterable[JSON]) -> Amounts:
    """What one pod of a new template needs, as quotas call it (requests.cpu, limits.memory, ...).

    pods are present ones of the old template: what admission has added to them (a mesh's sidecar, defaults) it adds again.
    """
    need: Amounts = {}
    present = list(pods)
    for kind in ("requests", "limits"):
        before = needs_of(old["spec"], kind)
        added = _most(_minus(needs_of(pod["spec"], kind), before) for pod in present)
        need.update({f"{kind}.{key}": value for key, value in _sum([needs_of(new["spec"], kind), added]).items()})
    return need


def times(need: Mapping[str, Decimal], pods: int) -> Amounts:
    """What so many pods need together, with the pods themselves."""
    return {**{key: pods * value for key, value in need.items()}, "pods": Decimal(pods)}


def surge(deployment: JSON) -> int:
    """Pods that a rolling update starts before it ends others: rounded up, as Kubernetes does."""
    strategy = deployment["spec"].get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    most = (strategy.get("rollingUpdate") or {}).get("maxSurge", "25%")
    if isinstance(most, str) and most.endswith("%"):
        return math.ceil(Decimal(most[:-1]) * deployment["spec"].get("replicas", 1) / 100)
    return int(most)


def shortages(
    quota: JSON, need: Mapping[str, Decimal], template: JSON, objects: Mapping[str, int] = MappingProxyType(OBJECTS)
) -> list[str]:
    """Where a ResourceQuota has less left than what pods of a template and the objects beside them need, each with the numbers."""
    spec, used = quota["spec"], (quota.get("status") or {}).get("used") or {}
    if not all(_in_scope(one, template["spec"], need) for one in _scopes(spec)):
        return []
    asked = {**{key: Decimal(value) for key, value in objects.items()}, **need, "count/pods": need["pods"]}
    short = []
    for resource, hard in (spec.get("hard") or {}).items():
        name = f"requests.{resource}" if resource in ("cpu", "memory", "ephemeral-storage") else resource
        missing, taken = asked.get(name, Decimal(0)), quantity(used.get(resource, 0))
        if missing and taken + missing > quantity(hard):
            lacks = shown(name, taken + missing - quantity(hard))
            short.append(
                f"{resource} {shown(name, missing)} more on top of {shown(name, taken)} used, {shown(name, quantity(hard))} allowed"
                f" ({lacks} missing)"
            )
    return short


def free_on(nodes: Iterable[JSON], pods: Iterable[JSON], template: JSON) -> Amounts:
    """CPU, memory and pods that are left on the nodes where pods of a template may run; empty when there is no such node."""
    return _sum({key: max(value, Decimal(0)) for key, value in left.items()} for left in _free(nodes, pods, template))


def fitting(nodes: Iterable[JSON], pods: Iterable[JSON], template: JSON, one: Mapping[str, Decimal]) -> int | None:
    """How many more pods of a template that each need so much find room, node by node; None when there is no node for them."""
    left = _free(nodes, pods, template)
    need = {"cpu": one.get("requests.cpu", Decimal(0)), "memory": one.get("requests.memory", Decimal(0)), "pods": Decimal(1)}
    counted = [min(int(max(free[key], Decimal(0)) // need[key]) for key in need if need[key]) for free in left]
    return sum(counted) if counted else None


def _free(nodes: Iterable[JSON], pods: Iterable[JSON], template: JSON) -> list[Amounts]:
    """What is left on each node where pods of a template may run; below 0 where more is promised than there is."""
    usable = {node["metadata"]["name"]: node for node in nodes if _may_run(node, template["spec"])}
    free: dict[str, Amounts] = {name: {} for name in usable}
    for name, node in usable.items():
        allocatable = node["status"].get("allocatable") or {}
        free[name] = {key: quantity(allocatable.get(key, 0)) for key in ("cpu", "memory", "pods")}
    for pod in pods:
        left = free.get(pod["spec"].get("nodeName") or "")
        if left is None or (pod.get("status") or {}).get("phase") in ENDED:
            continue
        taken = {**needs_of(pod["spec"], "requests"), "pods": Decimal(1)}
        for key in left:
            left[key] -= taken.get(key, Decimal(0))
    return list(free.values())


def lacking(free: Mapping[str, Decimal], need: Mapping[str, Decimal]) -> list[str]:
    """What nodes lack for a need, each with the numbers."""
    asked = {"cpu": need.get("requests.cpu", Decimal(0)), "memory": need.get("requests.memory", Decimal(0)), "pods": need["pods"]}
    return [f"{key} {shown(key, free[key])} free of {shown(key, asked[key])} needed" for key in asked if free and free[key] < asked[key]]


def shown(resource: str, amount: Decimal) -> str:
    """An amount as people write it: 250m, 1.5, 512Mi."""
    if resource.endswith(("memory", "storage")):
        return f"{math.ceil(amount / 2**20)}Mi"
    return f"{amount.normalize():f}" if amount == amount.to_integral() else f"{math.ceil(1000 * amount)}m"


def _own(holder: JSON, kind: str) -> Amounts:
    resources = holder.get("resources") or {}
    named = {**(resources.get("limits") or {}), **(resources.get("requests") or {})} if kind == "requests" else resources.get("limits")
    return {key: quantity(value) for key, value in (named or {}).items()}


def _merged(amounts: Iterable[Mapping[str, Decimal]], how: Callable[[Decimal, Decimal], Decimal]) -> Amounts:
    merged: Amounts = {}
    for one in amounts:
        for key, value in one.items():
            merged[key] = how(merged.get(key, Decimal(0)), value)
    return merged


def _sum(amounts: Iterable[Mapping[str, Decimal]]) -> Amounts:
    return _merged(amounts, lambda one, other: one + other)


def _most(amounts: Iterable[Mapping[str, Decimal]]) -> Amounts:
    return _merged(amounts, max)


def _minus(amounts: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Amounts:
    return {key: max(value - other.get(key, Decimal(0)), Decimal(0)) for key, value in amounts.items()}


def _scopes(quota_spec: JSON) -> list[JSON]:
    plain = [{"scopeName": name, "operator": "Exists"} for name in quota_spec.get("scopes") or []]
    return [*plain, *((quota_spec.get("scopeSelector") or {}).get("matchExpressions") or [])]


def _in_scope(scope: JSON, pod_spec: JSON, need: Mapping[str, Decimal]) -> bool:
    """Whether pods like these count in a scope of a quota; one that cannot be told from a template does not bind it here."""
    name, operator, values = scope["scopeName"], scope.get("operator", "Exists"), scope.get("values") or []
    if name == "PriorityClass":
        found = pod_spec.get("priorityClassName")
        return {"In": found in values, "NotIn": found not in values, "Exists": bool(found), "DoesNotExist": not found}[operator]
    guaranteed_some = any(value for key, value in need.items() if key.endswith((".cpu", ".memory")))
    holds = {"NotTerminating": True, "BestEffort": not guaranteed_some, "NotBestEffort": guaranteed_some}
    return holds.get(name, False)  # Terminating never: pods of a Deployment have no end


def _may_run(node: JSON, pod_spec: JSON) -> bool:
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in (node.get("status") or {}).get("conditions") or [])
    repelled = any(
        taint["effect"] != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in pod_spec.get("tolerations") or [])
        for taint in spec.get("taints") or []
    )
    return ready and not spec.get("unschedulable") and not repelled and (pod_spec.get("nodeSelector") or {}).items() <= labels.items()


def _tolerates(toleration: JSON, taint: JSON) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")
