# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoscalers of a workload and their floor: the replicas below which they never shrink it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster.patch import FIELD_MANAGER, Operation, add, as_read, expect, pointer, remove, replace

JSON = dict[str, Any]


@dataclass(frozen=True)
class Bounds:
    """What a kind of autoscaler calls its bounds (fields of its spec), and what they are when they are left out."""

    least: str
    most: str
    least_default: int
    most_default: int


HPA, KEDA = "HorizontalPodAutoscaler", "ScaledObject"
KINDS = {
    HPA: Bounds("minReplicas", "maxReplicas", 1, 1),
    KEDA: Bounds("minReplicaCount", "maxReplicaCount", 0, 100),
}


@dataclass(frozen=True)
class Floor:
    """A floor that a release has raised. Kept in the record before it is written.

    original: the stored value before the release, None when there was none. raised: every value that the release may have
    written since. theirs: somebody else changed it meanwhile, which was said once; it is left alone from then on.
    """

    kind: str
    name: str
    original: int | None
    raised: list[int]
    theirs: bool = False

    @property
    def field(self) -> str:
        """What the kind calls it."""
        return KINDS[self.kind].least

    def knows(self, scaler: JSON) -> bool:
        """Whether an autoscaler's floor is the original or one of ours, and was not written anew by somebody else since.

        Of a value that is one of ours the API server's managedFields say who wrote it, where they say anything.
        """
        stored = stored_floor(self.kind, scaler)
        if stored == self.original:
            return True
        writers = _writers(self.kind, scaler)
        return stored in self.raised and (not writers or FIELD_MANAGER in writers)


def scalers_of(workload: str, found: Mapping[str, Iterable[JSON]], *, of: str = "Deployment") -> list[tuple[str, JSON]]:
    """(kind, object) of the autoscalers that scale a workload of kind `of`. An HPA that KEDA keeps for a ScaledObject is not one of them."""
    return [
        (kind, scaler)
        for kind, scalers in found.items()
        for scaler in scalers
        if _scales(scaler["spec"].get("scaleTargetRef") or {}, workload, of) and not _is_kedas(scaler)
    ]


def kept_by_keda(workload: str, scalers: Iterable[JSON], *, of: str = "Deployment") -> list[str]:
    """Names of the HPAs that KEDA keeps for a ScaledObject which scales a workload of kind `of`."""
    return [one["metadata"]["name"] for one in scalers if _scales(one["spec"].get("scaleTargetRef") or {}, workload, of) and _is_kedas(one)]


def stored_floor(kind: str, scaler: JSON) -> int | None:
    """The floor as it is stored; None when it is left out."""
    return scaler["spec"].get(KINDS[kind].least)


def floor(kind: str, scaler: JSON) -> int:
    """The floor that holds."""
    stored = stored_floor(kind, scaler)
    return KINDS[kind].least_default if stored is None else stored


def ceiling(kind: str, scaler: JSON) -> int:
    """The most replicas that the autoscaler allows."""
    stored = scaler["spec"].get(KINDS[kind].most)
    return KINDS[kind].most_default if stored is None else stored


def wrongs(workload: str, scalers: list[tuple[str, JSON]], replicas: int) -> list[str]:
    """Why a workload with so many replicas cannot be released while these scale it; each says what is allowed instead."""
    if len(scalers) > 1:
        names = ", ".join(f"{kind} {scaler['metadata']['name']}" for kind, scaler in scalers)
        return [f"a workload with one autoscaler: these work against each other: {names}"]
    found = []
    for kind, scaler in scalers:
        name, most = f"{kind} {scaler['metadata']['name']}", ceiling(kind, scaler)
        if most < replicas:
            found.append(
                f"an autoscaler that allows the {replicas} pods which {workload} has and keeps while the canary takes its traffic: "
                f"{name} has {KINDS[kind].most} {most}; raise it to {replicas} or more"
            )
        if scaler["spec"].get("idleReplicaCount") is not None:
            found.append(
                f"an autoscaler that keeps its {KINDS[kind].least}: {name} goes below it, to idleReplicaCount "
                f"{scaler['spec']['idleReplicaCount']}, once {workload} has no traffic; remove idleReplicaCount for the release"
            )
    return found


def raising(kind: str, scaler: JSON, wanted: int) -> list[Operation]:
    """What raises the floor of an autoscaler as it was read."""
    return [_unchanged(kind, scaler), add(_path(kind), wanted)]


def restoring(floor: Floor, scaler: JSON) -> list[Operation]:
    """What gives an autoscaler as it was read its original floor: absent stays absent."""
    path = _path(floor.kind)
    return [_unchanged(floor.kind, scaler), remove(path) if floor.original is None else replace(path, floor.original)]


def would_shrink(kind: str, scaler: JSON) -> bool:
    """Whether only the floor keeps an autoscaler from shrinking its workload now, or whether it does not tell.

    A horizontal autoscaler tells; one that has no metrics shrinks nothing. A ScaledObject leaves that to another object.
    """
    if kind != HPA:
        return True
    conditions = {one["type"]: one for one in (scaler.get("status") or {}).get("conditions") or []}
    active, limited = conditions.get("ScalingActive", {}), conditions.get("ScalingLimited", {})
    return active.get("status") == "True" and limited.get("status") == "True" and limited.get("reason") == "TooFewReplicas"


def _writers(kind: str, scaler: JSON) -> set[str]:
    """The field managers that own the floor."""
    field = f"f:{KINDS[kind].least}"
    entries = scaler["metadata"].get("managedFields") or []
    return {one.get("manager", "") for one in entries if field in ((one.get("fieldsV1") or {}).get("f:spec") or {})}


def _scales(reference: Mapping[str, Any], workload: str, kind: str) -> bool:
    group = str(reference.get("apiVersion") or "apps/v1").partition("/")[0]
    return reference.get("name") == workload and (reference.get("kind") or "Deployment") == kind and group == "apps"


def _is_kedas(scaler: JSON) -> bool:
    return any(owner.get("kind") == KEDA for owner in scaler["metadata"].get("ownerReferences") or [])


def _path(kind: str) -> str:
    return pointer("spec", KINDS[kind].least)


def _unchanged(kind: str, scaler: JSON) -> Operation:
    """A test that the floor is still the one that was read; JSON Patch cannot test for absence, so that tests the whole object."""
    stored = stored_floor(kind, scaler)
    if stored is None:
        return as_read(scaler)
    return expect(_path(kind), stored)
