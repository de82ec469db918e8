# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release as objects of Argo Rollouts: the Rollout that refers to the user's Deployment, and its AnalysisTemplates. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...cluster.kinds import api_version
from ...release.parts import StepSpec
from ...release.spec import Spec
from ...workload.twin import SUFFIX
from . import queries
from .api import ROLLOUT, TEMPLATE

JSON = dict[str, Any]
GATEWAY_PLUGIN = "argoproj-labs/gatewayAPI"
OURS = {"app.kubernetes.io/managed-by": "progressive.delivery"}
WATCH, EVIDENCE = "watch", "evidence"


@dataclass(frozen=True)
class Route:
    """What carries the service: the kind, name and rule of an object; empty where the Service alone does."""

    kind: str = ""
    name: str = ""
    rule: str | None = None


@dataclass(frozen=True)
class Built:
    """The objects of a release, and what to tell of them."""

    rollout: JSON
    templates: tuple[JSON, ...]
    notes: tuple[str, ...]


def build(spec: Spec, replicas: int, service: str, route: Route, source: str | None) -> Built:
    """The objects. source: who counts requests, where a gate is judged by them."""
    metrics = [queries.metric(gate, spec, service, source) for gate in spec.gates]
    strategy = _blue_green(spec, service, metrics) if _by_selector(spec) else _canary(spec, service, route, metrics)
    rollout = {
        "apiVersion": api_version(ROLLOUT),
        "kind": ROLLOUT,
        "metadata": {"name": spec.workload, "namespace": spec.namespace, "labels": dict(OURS)},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 5,
            "progressDeadlineSeconds": max(1, round(spec.ready_timeout_seconds)),
            "progressDeadlineAbort": True,
            "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": spec.workload, "scaleDown": "onsuccess"},
            "strategy": strategy,
        },
    }
    return Built(rollout, _templates(spec, metrics), tuple(_notes(spec)))


def steps(spec: Spec) -> tuple[StepSpec, ...]:
    """The shares of the plan: blue-green has all traffic at once."""
    return spec.steps if spec.strategy == "canary" else (StepSpec(100, 0.0, bool(spec.steps and spec.steps[-1].approve)),)


def bakes(spec: Spec, step: StepSpec) -> float:
    """How many seconds a step bakes: Argo moves by time, so a step has at least one look."""
    last = spec.verify_seconds if step.weight_percent == 100 else 0.0
    return max(step.bake_seconds, spec.minimum_step_seconds, last, queries.interval_seconds(spec))


def template_name(spec: Spec, which: str) -> str:
    """What one of the release's AnalysisTemplates is called."""
    return f"{spec.workload}-{which}"


def _by_selector(spec: Spec) -> bool:
    return spec.strategy == "blue_green" and not spec.meshed


def _canary(spec: Spec, service: str, route: Route, metrics: list[JSON]) -> JSON:
    listed = _steps(spec, metrics)
    made: JSON = {"steps": listed, "abortScaleDownDelaySeconds": max(1, round(spec.drain_seconds))}
    if metrics:
        first = next(index for index, step in enumerate(listed) if "setWeight" in step)
        made["analysis"] = {**_analysis(spec, WATCH, metrics), "startingStep": first + 1}
    if not spec.meshed:
        made.pop("abortScaleDownDelaySeconds")  # only where a route tells both versions apart
        return {"canary": {**made, "maxUnavailable": 0}}
    made["scaleDownDelaySeconds"] = max(5, round(spec.drain_seconds))
    made["trafficRouting"] = _routing(spec, route)
    if spec.subsets is None:
        made.update(stableService=service, canaryService=service + SUFFIX)
    return {"canary": made}


def _routing(spec: Spec, route: Route) -> JSON:
    if spec.provider == "gateway_api":
        option = "httpRoute" if route.kind.startswith("HTTPRoute") else "grpcRoute"
        return {"plugins": {GATEWAY_PLUGIN: {option: route.name, "namespace": spec.namespace}}}
    virtual: JSON = {"name": route.name, **({"routes": [route.rule]} if route.rule else {})}
    if spec.subsets is None:
        return {"istio": {"virtualService": virtual}}
    rule = {"name": spec.subsets.destination_rule, "stableSubsetName": spec.subsets.stable, "canarySubsetName": spec.subsets.canary}
    return {"istio": {"virtualService": virtual, "destinationRule": rule}}


def _steps(spec: Spec, metrics: list[JSON]) -> list[JSON]:
    made: list[JSON] = [{"pause": {}}] if "traffic" in spec.control.approve else []
    for step in steps(spec):
        made.append({"setWeight": step.weight_percent})
        if seconds := math.ceil(bakes(spec, step)):
            made.append({"pause": {"duration": f"{seconds}s"}})
        if metrics:
            made.append({"analysis": _analysis(spec, EVIDENCE, metrics)})
        if step.approve or (step.weight_percent == 100 and "promote" in spec.control.approve):
            made.append({"pause": {}})
    return made


def _blue_green(spec: Spec, service: str, metrics: list[JSON]) -> JSON:
    approves = bool({"traffic", "promote"} & set(spec.control.approve)) or steps(spec)[0].approve
    made: JSON = {
        "activeService": service,
        "previewService": service + SUFFIX,
        "autoPromotionEnabled": not approves,
        "scaleDownDelaySeconds": max(30, round(spec.verify_seconds + spec.drain_seconds)),
        "abortScaleDownDelaySeconds": max(1, round(spec.drain_seconds)),
    }
    if metrics:
        made["postPromotionAnalysis"] = _analysis(spec, EVIDENCE, metrics)
    return {"blueGreen": made}


def _analysis(spec: Spec, which: str, metrics: list[JSON]) -> JSON:
    given = [{"name": name, "valueFrom": {"podTemplateHashValue": queries.ARGUMENTS[name]}} for name in queries.arguments(metrics)]
    return {"templates": [{"templateName": template_name(spec, which)}], **({"args": given} if given else {})}


def _templates(spec: Spec, metrics: list[JSON]) -> tuple[JSON, ...]:
    """Two of the same metrics: one watches until the end, one must have succeeded before the weight rises."""
    if not metrics:
        return ()
    looks = math.ceil(spec.verify_seconds / max(1.0, queries.interval_seconds(spec))) if _by_selector(spec) else 1
    counted = [{**{key: value for key, value in one.items() if key != "initialDelay"}, "count": max(1, looks)} for one in metrics]
    which = {EVIDENCE: counted} if _by_selector(spec) else {WATCH: metrics, EVIDENCE: counted}
    return tuple(
        {
            "apiVersion": api_version(TEMPLATE),
            "kind": TEMPLATE,
            "metadata": {"name": template_name(spec, name), "namespace": spec.namespace, "labels": dict(OURS)},
            "spec": {"args": [{"name": one} for one in queries.arguments(metrics)], "metrics": listed},
        }
        for name, listed in which.items()
    )


def _notes(spec: Spec) -> list[str]:
    """What is not as the native engine has it."""
    notes = []
    judged = ", ".join(gate.name for gate in spec.judged_by(queries.SEQUENTIAL))
    if judged:
        notes.append(f"release_gates {judged}: a limit is compared at every look (threshold); Argo Rollouts knows no sequential test")
    if spec.gates:
        least = queries.interval_seconds(spec)
        short = [str(step.weight_percent) for step in steps(spec) if max(step.bake_seconds, spec.minimum_step_seconds) < least]
        if short:
            notes.append(
                f"release_steps {', '.join(short)}: each bakes {least:g} s at least, one look: Argo moves by time, not by evidence"
            )
    if not spec.gates:
        notes.append("release_gates: there is none, so nothing judges this release but the readiness of its pods")
    if spec.control.approve or any(step.approve for step in spec.steps):
        notes.append("approvals: the Rollout waits, with its weight, until somebody answers or release_deadline_seconds is over")
    return notes
