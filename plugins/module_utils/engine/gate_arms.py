# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two versions that a gate compares, found by what the task or their Services say, and who counts their requests. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..cluster.session import Session
from ..metrics.catalogue import Arms
from ..metrics.pod_inspect import inspect
from ..metrics.pod_numbers import PodNumbers
from ..metrics.pod_source import PodArms, PodSource
from ..metrics.prometheus import Prometheus
from ..metrics.query import Queries
from ..metrics.query_names import names_by_gate
from ..metrics.slo import BurnReader, Objective
from ..metrics.source import Looks, MetricsPreflight, Source
from ..metrics.sources import source_named
from ..release.context import Process
from ..release.samples_spec import RESTARTS
from ..release.spec import Spec
from ..release.values import Problem
from ..traffic.sight import Declared
from ..workload import selectors
from ..workload.twin import SUFFIX
from .assemble import transport
from .gate_task import GateTask

JSON = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Both versions' Deployments. canary is None only where nothing is judged yet."""

    stable: JSON
    canary: JSON | None
    told: bool  # whether the canary is called after stable, so that every source of counters knows it by its name

    @property
    def workload(self) -> str:
        """Stable's Deployment."""
        return str(self.stable["metadata"]["name"])

    @property
    def other(self) -> str:
        """The canary's Deployment, where it is not called after stable's; else empty."""
        return "" if self.told or self.canary is None else str(self.canary["metadata"]["name"])

    def images(self) -> list[list[str]]:
        """The images of stable's and of the canary's containers: evidence is about these versions."""
        found = [one for one in (self.stable, self.canary) if one]
        return [[each["image"] for each in one["spec"]["template"]["spec"]["containers"]] for one in found]


def find_pair(
    session: Session, task: GateTask, selector: Mapping[str, str] | None, problems: list[Problem], *, judged: bool
) -> Pair | None:
    """Stable's Deployment and the canary's; None with problems. selector: of stable's pods. judged: there must be a canary."""
    which = task.declared
    deployments = session.list("Deployment", which.namespace)
    behind = session.find("Service", which.namespace, which.canary)
    canary_selector = (behind or {}).get("spec", {}).get("selector")
    if selector is None:
        problems.append(Problem("service", which.service, f"a Service of namespace {which.namespace} that selects pods"))
        return None
    found = _chosen(deployments, task.canary_workload, canary_selector)
    canary = found[0] if len(found) == 1 else None
    if canary is None and judged:
        problems.append(_which_canary(task, found, behind))
    others = [one for one in deployments if one is not canary]
    found = _chosen(others, task.workload, selector)
    if len(found) != 1:
        names = _names(found or others)
        allowed = (
            f"a Deployment of namespace {which.namespace}, beside the canary's; those whose pods Service {which.service} selects: {names}"
        )
        problems.append(Problem("workload", task.workload and f"Deployment/{task.workload}", allowed))
    if problems or len(found) != 1:
        return None
    stable = found[0]
    if canary and selectors.matches(canary["spec"]["selector"], _labels(stable)):
        allowed = f"a Deployment whose selector does not match the pods of {stable['metadata']['name']}: nobody could tell them apart"
        problems.append(Problem("canary_workload", canary["metadata"]["name"], allowed))
        return None
    return Pair(stable, canary, canary is None or _is_told(canary, stable, which))


def _is_told(canary: JSON, stable: JSON, which: Declared) -> bool:
    return canary["metadata"]["name"] == stable["metadata"]["name"] + SUFFIX and which.canary == which.service + SUFFIX


def _which_canary(task: GateTask, found: list[JSON], behind: JSON | None) -> Problem:
    which = task.declared
    if task.canary_workload:
        return Problem("canary_workload", f"Deployment/{task.canary_workload}", f"a Deployment of namespace {which.namespace}")
    if behind is None:
        return Problem("canary", which.canary, f"a Service of namespace {which.namespace}, or say canary_workload")
    allowed = f"is required: Deployments whose pods Service {which.canary} selects: {_names(found)}"
    return Problem("canary_workload", None, allowed)


def _chosen(deployments: list[JSON], name: str | None, selector: Mapping[str, str] | None) -> list[JSON]:
    """The Deployment of that name, or those whose pods a Service selects."""
    if name:
        return [one for one in deployments if one["metadata"]["name"] == name]
    return [one for one in deployments if selector and selectors.matches({"matchLabels": dict(selector)}, _labels(one))]


def _labels(deployment: JSON) -> dict[str, str]:
    return deployment["spec"]["template"]["metadata"].get("labels") or {}


def _names(deployments: list[JSON]) -> str:
    return ", ".join(one["metadata"]["name"] for one in deployments) or "none"


@dataclass(frozen=True)
class Counted:
    """Where the looks of one task come from. spec: the task's, for the Deployment that was found."""

    spec: Spec
    metrics: MetricsPreflight
    dispersion: dict[str, float]
    source: Looks | None
    queries: Queries | None


def counted(
    session: Session, task: GateTask, pair: Pair, process: Process, *, problems: list[Problem], kept: JSON | None, sample: bool
) -> Counted | None:
    """Check that the gates can be read, and by whom; None with problems. kept: evidence that goes on. sample: read today's traffic, too."""
    spec, way = replace(task.spec, workload=pair.workload), transport(session, task.spec)
    service = task.declared.service
    found = inspect(session, spec, pair.stable, service, way, problems=problems, canary=pair.other or None, sample=sample)
    if problems:
        return None
    dispersion = dict(kept["dispersion"]) if kept else found.dispersion
    return Counted(
        spec, found, dispersion, _source(session, spec, task, pair, found, process=process), _queries(session, spec, task, pair, found)
    )


def _source(session: Session, spec: Spec, task: GateTask, pair: Pair, found: MetricsPreflight, *, process: Process) -> Looks | None:
    if not spec.counted or pair.canary is None:
        return None
    if spec.pods is not None:
        return PodSource(session, _pod_arms(spec, pair.stable, pair.canary), spec.pods, spec.counted, clock=process.clock)
    arms, way = _arms(spec, task, pair, found), transport(session, spec)
    return Source(Prometheus(way), arms, spec.counted) if arms and way else None


def _pod_arms(spec: Spec, stable: JSON, canary: JSON) -> PodArms:
    """Whose pods are whose, by the Deployments' own selectors."""
    labels = [one["spec"]["selector"].get("matchLabels") or {} for one in (stable, canary)]
    own = labels[1] if selectors.matches(stable["spec"]["selector"], _labels(canary)) else None
    return PodArms(spec.namespace, labels[0], labels[1], own_labels=own)


def _arms(spec: Spec, task: GateTask, pair: Pair, found: MetricsPreflight) -> Arms | None:
    """Whose counters in Prometheus are whose; None where they are not there."""
    if found.source is None or source_named(found.source, spec.own_source) is None:
        return None
    which = task.declared
    own = spec.own_source
    return Arms.of(found.source, namespace=spec.namespace, workload=pair.workload, service=which.service, canary=pair.other, own=own)


def _queries(session: Session, spec: Spec, task: GateTask, pair: Pair, found: MetricsPreflight) -> Queries | None:
    """Who answers the queries of the gates; None where there is none."""
    way = transport(session, spec)
    if len(spec.counted) == len(spec.gates) or pair.canary is None or (way is None and any(gate.asks for gate in spec.gates)):
        return None
    client, burns = Prometheus(way) if way else None, None
    windows = {gate.name: gate.burn_over for gate in spec.gates if gate.burn_over}
    if client and spec.slo is not None and windows:
        burns = BurnReader(Objective(client, spec.slo, _arms(spec, task, pair, found)), spec.slo, windows)
    names = names_by_gate(spec, task.declared.service, canary=pair.other)
    wanted = {gate.name: names[gate.name] for gate in spec.gates if gate.per_pod or gate.kind == RESTARTS}
    pods = PodNumbers(session, _pod_arms(spec, pair.stable, pair.canary), client, wanted, spec) if wanted else None
    return Queries(client, spec, service=task.declared.service, canary=pair.other, burns=burns, pods=pods)
