# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster, before anything changes, whether the autoscaler and the room there is suit a release. Reads only."""

from __future__ import annotations

from typing import Any

from ..cluster.errors import ClusterError, Unreachable
from ..cluster.session import Session
from ..traffic.place import GITOPS_MARKS
from ..workload import autoscaler, capacity
from ..workload.kinds import wanted_pods
from .plan import promotes
from .ratio import most_pods
from .spec import Spec
from .values import Problem

JSON = dict[str, Any]


def scalers(session: Session, spec: Spec, deployment: JSON, problems: list[Problem], notes: list[str]) -> list[JSON]:
    """Kind and name of the autoscaler whose floor is raised while the release runs; a note says to what."""
    replicas = wanted_pods(spec.workload_kind, deployment)
    found = autoscaler.scalers_of(spec.workload, _listed(session, spec, problems), of=spec.workload_kind)
    wrong = autoscaler.wrongs(spec.workload, found, replicas)
    for kind, scaler in found:
        meta = scaler["metadata"]
        marks = {**(meta.get("annotations") or {}), **(meta.get("labels") or {})}
        owners = [f"{owner} owns {kind} {meta['name']} ({mark})" for mark, owner in GITOPS_MARKS.items() if mark in marks]
        wrong += [f"an autoscaler that no GitOps controller reverts; {owned}" for owned in owners]
        missing = [verb for verb in ("get", "patch") if not session.allowed(verb, kind, spec.namespace)]
        problems += [_right(spec, verb, kind, meta["name"]) for verb in missing]
        field, before = autoscaler.KINDS[kind].least, autoscaler.floor(kind, scaler)
        if before < replicas and spec.strategy != "shadow":
            notes.append(f"{kind} {meta['name']}: {field} {before} is at least {replicas} while the release runs, then {before} again")
    problems += [Problem("release_workload", spec.workload, one) for one in wrong]
    return [{"kind": kind, "name": scaler["metadata"]["name"]} for kind, scaler in found]


def _listed(session: Session, spec: Spec, problems: list[Problem]) -> dict[str, list[JSON]]:
    """The autoscalers of the namespace. Who may not list KEDA's needs that right only where KEDA scales the workload."""
    may = {kind: session.allowed("list", kind, spec.namespace) for kind in autoscaler.KINDS}
    listed = {kind: session.list(kind, spec.namespace) for kind, allowed in may.items() if allowed}
    if not may[autoscaler.HPA]:
        problems.append(_right(spec, "list", autoscaler.HPA))
    if not may[autoscaler.KEDA]:
        kept = autoscaler.kept_by_keda(spec.workload, listed.get(autoscaler.HPA, []), of=spec.workload_kind)
        problems += [_right(spec, "list", autoscaler.KEDA, name) for name in kept]
    return listed


def _right(spec: Spec, verb: str, kind: str, scaler: str = "") -> Problem:
    why = f" ({scaler} scales {spec.workload})" if scaler else ""
    return Problem("release_namespace", spec.namespace, f"a namespace where you may {verb} {kind} objects{why}; ask for that right")


def room(session: Session, spec: Spec, deployment: JSON, template: JSON, *, problems: list[Problem], notes: list[str]) -> None:
    """Whether quota takes the canary at its full size and the pods that stable's rolling update starts first; a note on the nodes."""
    replicas = deployment["spec"].get("replicas", 1)
    full = most_pods(spec, replicas)
    more = capacity.surge(deployment) if promotes(spec) and spec.swap is None else 0
    pods = session.list("Pod", spec.namespace, labels=deployment["spec"]["selector"].get("matchLabels") or {})
    try:
        one = capacity.need_of_one(template, deployment["spec"]["template"], pods)
    except ValueError as error:
        problems.append(Problem("release_template_patch", spec.template_patch, f"resources that Kubernetes can read: {error}"))
        return
    if not session.allowed("list", "ResourceQuota", spec.namespace):
        notes.append("quotas of the namespace could not be checked: you may not list ResourceQuota objects")
    else:
        need = capacity.times(one, full + more)
        for quota in session.list("ResourceQuota", spec.namespace):
            for short in capacity.shortages(quota, need, template):
                allowed = f"a namespace with room for {_pods(spec, full, more)}: ResourceQuota {quota['metadata']['name']}: {short}"
                problems.append(Problem("release_namespace", spec.namespace, allowed))
    _nodes(session, template, capacity.times(one, full), notes)


def _pods(spec: Spec, full: int, more: int) -> str:
    rolling = f" and {more} of the rolling update of {spec.workload}" if more else ""
    return f"{full} pod{'s' if full > 1 else ''} of the canary{rolling}"


def _nodes(session: Session, template: JSON, need: capacity.Amounts, notes: list[str]) -> None:
    """Room on the nodes is a note, not a refusal: a cluster autoscaler may make some, and sums say nothing of single nodes."""
    if not all(session.allowed("list", kind, "") for kind in ("Node", "Pod")):
        return
    try:
        free = capacity.free_on(session.list("Node"), session.each("Pod"), template)
    except Unreachable:
        raise
    except ClusterError as error:
        notes.append(f"the room on the nodes could not be counted: {error}")
        return
    short = capacity.lacking(free, need)
    if short:
        notes.append(f"nodes: {', '.join(short)} by the canary at full size; its pods may have to wait for room")
