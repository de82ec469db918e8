# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor: everything that would go wrong with a release, each with its fix, before there is one. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..cluster.errors import ClusterError
from ..cluster.kinds import KINDS
from ..cluster.session import Session
from ..metrics.catalogue import Arms
from ..metrics.pod_inspect import inspect
from ..metrics.sources import source_named
from ..release import doctor as rules
from ..release.arguments import completed
from ..release.objects import CAUGHT, MISSED
from ..release.preflight import able, examine, missing_rights
from ..release.spec import Spec, SpecError, parse
from ..release.target import Refused
from ..release.values import Problem
from ..workload import selectors, twin
from ..workload.drops import ERROR, Finding, requests_dropped
from .assemble import transport
from .doctor_guards import guards
from .from_cluster import with_documents

JSON = dict[str, Any]
LOOKED_AT = (
    "Deployment",
    "Service",
    "Pod",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "ScaledObject",
    *selectors.POLICY_SELECTORS,
)
GITOPS_WORDS = "no GitOps controller reverts"  # how a problem of preflight reads that rules.reverted tells better


def diagnose(session: Session, given: Mapping[str, Any]) -> JSON:
    """Findings, errors first, and whether there is no error among them. Changes nothing."""
    try:
        spec = parse(completed(with_documents(lambda: session, given)))
    except (SpecError, Refused) as error:
        namespace, workload = str(given.get("release_namespace")), str(given.get("release_workload"))
        return _result([rules.of_problem(one, namespace, workload) for one in error.problems])
    if session.find("Namespace", None, spec.namespace) is None:
        return _result([_of(spec, Problem("release_namespace", spec.namespace, "a namespace that exists in this cluster"))])
    looked_at = dict.fromkeys((spec.workload_kind, *LOOKED_AT))
    unreadable = [("list", kind, "") for kind in looked_at if not session.allowed("list", kind, spec.namespace)]
    findings = rules.rights([*missing_rights(session, spec), *unreadable], spec.namespace)
    objects = {kind: [] if ("list", kind, "") in unreadable else _list(session, kind, spec.namespace) for kind in looked_at}
    findings += _preflight(session, spec)
    findings += _of_objects(spec, objects)
    findings += _gates(session, spec, objects)
    return _result(list(dict.fromkeys(findings)))


def told(findings: list[JSON]) -> list[str]:
    """The findings as people read them: a line each, and its fix, ready to be pasted."""
    return [line for one in findings for line in ("{severity:<7}  {object}: {problem}  ({check})".format(**one), f"  fix: {one['fix']}")]


def _list(session: Session, kind: str, namespace: str) -> list[JSON]:
    """All objects of a kind, each with its kind in it: lists leave that out."""
    return [{**one, "kind": kind} for one in session.list(kind, namespace)]


def _preflight(session: Session, spec: Spec) -> list[Finding]:
    """What preflight says, without what a rule of the doctor says with its fix."""
    problems: list[Problem] = []
    able(spec, problems)
    try:
        examine(session, replace(spec, gates=()), None)
    except Refused as error:
        found = []
        for one in error.problems:
            if GITOPS_WORDS in one.allowed:
                found += _reverted(session, spec, one)
            elif not (_is_plain_twin(spec) and one.allowed.startswith((CAUGHT, MISSED))):
                problems.append(one)
        return [*found, *(_of(spec, one) for one in problems)]
    except ClusterError as error:
        return [Finding("preflight", ERROR, f"Namespace {spec.namespace}", f"could not be read: {error}", "grant the rights named above")]
    return [_of(spec, one) for one in problems]


def _reverted(session: Session, spec: Spec, problem: Problem) -> list[Finding]:
    """The marks on the object that preflight names, 'a Deployment that no GitOps controller reverts; ...'."""
    kind = problem.allowed.split(" ")[1]
    found = session.find(kind, spec.namespace, problem.value) if kind in KINDS else None
    return rules.reverted(kind, found) if found else [_of(spec, problem)]


def _of(spec: Spec, problem: Problem) -> Finding:
    return rules.of_problem(problem, spec.namespace, spec.workload, spec.workload_kind)


def _of_objects(spec: Spec, objects: Mapping[str, list[JSON]]) -> list[Finding]:
    """The rules about the workload and what is around it."""
    deployment = next((one for one in objects[spec.workload_kind] if one["metadata"]["name"] == spec.workload), None)
    if deployment is None:
        return []
    service = _service(spec, deployment, objects["Service"])
    own_pods = [pod for pod in objects["Pod"] if not _is_twins(pod)]
    meshed = spec.meshed
    switched = service["metadata"]["name"] if service and not meshed else None
    findings = rules.reverted(spec.workload_kind, deployment)  # preflight says so, too, where it may read what it needs
    findings += requests_dropped(deployment, objects["PodDisruptionBudget"], meshed=meshed, drain_seconds=spec.drain_seconds)
    findings += rules.bypasses(deployment, objects["Service"], own_pods, switched=switched)
    findings += rules.scalers(spec.workload, objects["HorizontalPodAutoscaler"], spec.workload_kind)
    try:
        key = twin.switch_label(deployment, service) if service else None
    except twin.TwinError:
        key = None  # preflight has said so
    if service and key and spec.strategy != "rolling" and _is_plain_twin(spec):  # rolling makes no twin
        findings += rules.caught(deployment, service, key, objects)
        findings += rules.missed(deployment, key, {kind: objects[kind] for kind in selectors.POLICY_SELECTORS})
    return findings


def _is_plain_twin(spec: Spec) -> bool:
    """Whether the canary differs in stable's own label, moved aside; of any other preflight alone knows what catches it."""
    return spec.swap is None and spec.subsets is None


def _is_twins(pod: JSON) -> bool:
    return any(owner["name"].rpartition("-")[0].endswith(twin.SUFFIX) for owner in pod["metadata"].get("ownerReferences") or [])


def _service(spec: Spec, deployment: JSON, services: list[JSON]) -> JSON | None:
    """The Service of the release: the one that is named, or the only one that selects the workload's pods."""
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    found = [
        one
        for one in services
        if one["spec"].get("selector")
        and selectors.matches({"matchLabels": one["spec"]["selector"]}, labels)
        and spec.service in (None, one["metadata"]["name"])
    ]
    return found[0] if len(found) == 1 else None


def _gates(session: Session, spec: Spec, objects: Mapping[str, list[JSON]]) -> list[Finding]:
    """Whether the gates' queries parse and have data, and what watches a release beside them can."""
    deployment = next((one for one in objects[spec.workload_kind] if one["metadata"]["name"] == spec.workload), None)
    service = _service(spec, deployment, objects["Service"]) if deployment else None
    if service is None or deployment is None:
        return []
    if not spec.gates:
        return guards(session, spec, None)
    problems: list[Problem] = []
    found = inspect(
        session, spec, deployment, service["metadata"]["name"], transport(session, spec), problems=problems, container=spec.container
    )
    silent = rules.silent_gates(found.gates) if not problems else []
    arms = None
    if found.source and source_named(found.source, spec.own_source) and not problems:
        where = {"namespace": spec.namespace, "workload": spec.workload, "service": service["metadata"]["name"]}
        arms = Arms.of(found.source, own=spec.own_source, **where)
    return [*(replace(_of(spec, one), check="gate_without_data") for one in problems), *silent, *guards(session, spec, arms)]


def _result(findings: list[Finding]) -> JSON:
    ordered = sorted(findings, key=lambda one: one.severity != ERROR)
    return {
        "changed": False,
        "findings": [one.to_dict() for one in ordered],
        "healthy": not any(one.severity == ERROR for one in ordered),
    }
