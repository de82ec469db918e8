# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster whether Flagger can run this release there. Reads only; every problem names its fix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ...cluster.errors import Rejected
from ...cluster.kinds import api_version, plural
from ...cluster.session import Session
from ...metrics.prometheus import MetricsError, Prometheus
from ...release import objects
from ...release.record_size import LARGEST_BYTES, LEAST_STATE_BYTES, packed
from ...release.spec import Spec
from ...release.target import Refused
from ...release.values import Problem
from ...traffic.place import reverted
from ...workload import autoscaler, twin
from ..assemble import transport
from . import build, fields, kinds, metrics, route, service
from .canary import GOING, MOVING, READY, is_unmade, service_of, target_of, view
from .metrics import PRIMARY, Metric
from .target import FlaggerTarget, image_in

JSON = dict[str, Any]
SELECTOR_LABELS = ("app", "name", "app.kubernetes.io/name")  # by one of which Flagger tells pods, unless it was told otherwise
RIGHTS = (
    *((verb, "Canary", "") for verb in ("get", "list", "create", "patch")),
    ("patch", "Canary", "status"),
    *((verb, "MetricTemplate", "") for verb in ("get", "create", "patch")),
    *((verb, "Deployment", "") for verb in ("get", "patch")),
    *((verb, "Service", "") for verb in ("get", "list")),
    *((verb, "ConfigMap", "") for verb in ("get", "create", "patch", "delete")),
    *((verb, "Lease", "") for verb in ("get", "create", "patch", "delete")),
    ("list", "HorizontalPodAutoscaler", ""),
    ("list", "Event", ""),
)


@dataclass
class Findings:
    """What was found: the target, the objects to write, what to tell."""

    target: FlaggerTarget
    canary: JSON | None  # as it is to be; None where it is adopted, or stays as it is
    templates: list[JSON]
    before: JSON | None  # the Canary as it is
    notes: list[str] = field(default_factory=list)


def preflight(session: Session, spec: Spec, *, skips_analysis: bool = False) -> Findings:
    """Everything that is checked before anything changes. Raises Refused with all problems, ClusterError when there is no answer."""
    problems = [] if spec.adopt or skips_analysis else [*fields.problems(spec), *metrics.problems(spec)]
    problems += _adopts(spec)
    _rights(session, spec, problems)
    _kinds(session, problems)
    if problems:
        raise Refused(problems)
    canaries = session.list("Canary", spec.namespace)
    mine = _own_canary(spec, canaries, problems, keeps=skips_analysis)
    deployment = session.find("Deployment", spec.namespace, spec.workload)
    primary = session.find("Deployment", spec.namespace, spec.workload + PRIMARY) if mine else None
    if deployment is None or primary is None or mine is None or view(mine).phase not in READY:
        deployment = objects.workload(session, spec, problems)
    if deployment is None or problems:
        raise Refused(problems)
    _fits_flagger(deployment, spec, problems)
    container = objects.container(spec, deployment, problems)
    scaler = _scaler(session, spec, mine, problems)
    if container is None or problems:
        raise Refused(problems)
    found = _built(session, spec, mine, deployment, scaler=scaler, problems=problems, keeps=spec.adopt or skips_analysis)
    if problems:
        raise Refused(problems)
    target = _target(session, spec, found, deployment, primary, container=container["name"])
    _recordable(spec, target)
    return replace(found, target=replace(target, skips_analysis=skips_analysis))


def _recordable(spec: Spec, target: FlaggerTarget) -> None:
    """Raises Refused where a record could not hold spec and target, with a primary's template beside the workload's."""
    whole = replace(target, primary_template=target.primary_template or target.original_template)
    size, most = len(packed(spec.to_dict())) + len(packed(whole.to_dict())), LARGEST_BYTES - LEAST_STATE_BYTES
    if size > most:
        allowed = f"a workload whose pod template and options fit into a record: at most {most} bytes compressed, these take {size}"
        raise Refused([Problem("release_workload", spec.workload, allowed)])


def _adopts(spec: Spec) -> list[Problem]:
    """What goes with no Canary that is adopted."""
    if not spec.adopt:
        return []
    allowed = "nothing where release_adopt is true: the Canary's own webhooks say where it waits"
    found = [Problem("release_approve", list(spec.control.approve), allowed)] if spec.control.approve else []
    if spec.workload_kind != "Deployment":
        found.append(Problem("release_workload", f"{spec.workload_kind}/{spec.workload}", "a Deployment where release_engine is flagger"))
    return found


def _rights(session: Session, spec: Spec, problems: list[Problem]) -> None:
    if session.find("Namespace", None, spec.namespace) is None:
        problems.append(Problem("release_namespace", spec.namespace, "a namespace that exists in this cluster"))
        return
    kind = service.KINDS.get(spec.provider)
    routes = [(verb, kind, "") for verb in ("get", "list", "patch")] if kind else []
    routes += [("list", "DestinationRule", "")] if spec.provider == "istio" else []
    for verb, what, part in (*RIGHTS, *routes):
        if not session.allowed(verb, what, spec.namespace, subresource=part):
            shown = f"{verb} {plural(what)}/{part}" if part else f"{verb} {what} objects"
            problems.append(Problem("release_namespace", spec.namespace, f"a namespace where you may {shown}; ask for that right"))


def _kinds(session: Session, problems: list[Problem]) -> None:
    """Whether the cluster has Flagger's kinds in the version that we speak."""
    install = 'ansible-playbook progressive.delivery.install -e \'{"install_roles": ["flagger"]}\''
    versions = kinds.versions(session)
    if not versions:
        allowed = f"an engine that the cluster has: it knows no {kinds.GROUP}; install it: {install}"
        problems.append(Problem("release_engine", "flagger", allowed))
        return
    if kinds.VERSION not in versions:
        allowed = f"a Flagger that serves {kinds.VERSION}; this cluster has {', '.join(versions)}; upgrade it: {install}"
        problems.append(Problem("release_engine", "flagger", allowed))
        return
    served = kinds.served(session)
    missing = [plural(kind) for kind in ("Canary", "MetricTemplate") if plural(kind) not in served]
    if missing:
        problems.append(Problem("release_engine", "flagger", f"a cluster that serves {', '.join(missing)} of {kinds.VERSION}; {install}"))


def _own_canary(spec: Spec, canaries: list[JSON], problems: list[Problem], *, keeps: bool) -> JSON | None:
    """The Canary of this release: ours, or the one that is adopted. Another on the same workload would fight with it."""
    here = [one for one in canaries if target_of(one) == spec.workload]
    names = ", ".join(one["metadata"]["name"] for one in here)
    if len(here) > 1:
        allowed = f"a workload that one Canary targets; {names} do, and Flagger lets them fight: delete all but one"
        problems.append(Problem("release_workload", spec.workload, allowed))
        return None
    mine = next(iter(here), None)
    if mine is None:
        if spec.adopt:
            allowed = f"a Canary of namespace {spec.namespace} whose spec.targetRef is {spec.workload}: there is none"
            problems.append(Problem("release_adopt", True, allowed))
        if any(one["metadata"]["name"] == spec.name for one in canaries):
            allowed = f"the name of no Canary: there is one of this name, for {target_of(_named(canaries, spec.name))}"
            problems.append(Problem("release_name", spec.name, allowed))
        return None
    ours = (mine["metadata"].get("labels") or {}).get(build.RELEASE) == spec.name and mine["metadata"]["name"] == spec.name
    if not ours and not spec.adopt and not keeps:
        fix = "say release_adopt: true to release through it as it is, or delete it first"
        problems.append(Problem("release_workload", spec.workload, f"a workload that no other Canary targets; Canary {names} does: {fix}"))
    _is_able(mine, problems)
    return mine


def _named(canaries: list[JSON], name: str) -> JSON:
    return next(one for one in canaries if one["metadata"]["name"] == name)


def _is_able(mine: JSON, problems: list[Problem]) -> None:
    name, spec = mine["metadata"]["name"], mine["spec"]
    if spec.get("suspend") and not is_unmade(mine):
        fix = f'kubectl patch canary {name} --type merge -p \'{{"spec":{{"suspend":false}}}}\''
        problems.append(Problem("release_engine", f"Canary {name}: spec.suspend", f"false: a suspended Canary releases nothing; {fix}"))
    if view(mine).phase in GOING:
        problems.append(Problem("release_engine", f"Canary {name}", "a Canary that is not being deleted"))
    if view(mine).under in MOVING:
        allowed = f"a Canary that waits for a new revision; it is {view(mine).under}: somebody releases through it just now"
        problems.append(Problem("release_engine", f"Canary {name}", allowed))
    problems += [replace(one, field="release_engine") for one in reverted(mine, "Canary") if not spec.get("suspend")]


def _fits_flagger(deployment: JSON, spec: Spec, problems: list[Problem]) -> None:
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    if not any(name in labels for name in SELECTOR_LABELS):
        allowed = f"a Deployment that selects its pods by one of the labels {', '.join(SELECTOR_LABELS)}: Flagger tells the primary's by it"
        problems.append(Problem("release_workload", spec.workload, allowed))


def _scaler(session: Session, spec: Spec, mine: JSON | None, problems: list[Problem]) -> JSON | None:
    """Kind and name of the autoscaler of the workload, which Flagger must know of."""
    listed = {kind: session.list(kind, spec.namespace) for kind in autoscaler.KINDS}
    found = autoscaler.scalers_of(spec.workload, listed)
    names = [f"{kind} {one['metadata']['name']}" for kind, one in found]
    known = (mine or {"spec": {}})["spec"].get("autoscalerRef") or {}
    for kind, one in found:
        name = one["metadata"]["name"]
        if spec.adopt and (known.get("kind"), known.get("name")) != (kind, name):
            fix = f"spec.autoscalerRef: {{apiVersion: {api_version(kind)}, kind: {kind}, name: {name}}}"
            allowed = f"a workload whose autoscaler its Canary names; else it fights with Flagger over {spec.workload}: set {fix}"
            problems.append(Problem("release_workload", f"{kind} {name}", allowed))
        elif kind != autoscaler.HPA and not spec.adopt:
            problems.append(
                Problem("release_workload", f"{kind} {name}", "a workload that no KEDA object scales, or adopt a Canary that names it")
            )
    if len(found) > 1:
        problems.append(Problem("release_workload", spec.workload, f"a workload with one autoscaler: {', '.join(names)}"))
    return {"kind": found[0][0], "name": found[0][1]["metadata"]["name"]} if found else None


def _built(
    session: Session, spec: Spec, mine: JSON | None, deployment: JSON, *, scaler: JSON | None, problems: list[Problem], keeps: bool
) -> Findings:
    """The Canary as it is to be, and what goes with it; a kept one is left as it is."""
    target = _no_target(spec)
    if keeps and mine is not None:
        return Findings(target, None, [], mine, [f"Canary {mine['metadata']['name']} is driven as it is"])
    notes: list[str] = []
    said = _service(session, spec, deployment, problems, notes) if mine is None else mine["spec"].get("service") or {}
    source = _source(session, spec, said.get("name", spec.workload), problems)
    if problems:
        return Findings(target, None, [], mine)
    made: list[Metric] = metrics.metrics(spec, said.get("name", spec.workload), source)
    canary = build.canary(spec, said, made, scaler)
    found = Findings(replace(target, metrics_source=source), canary, build.templates(spec, made), mine, [*notes, *build.notes(spec, made)])
    return _stored(session, found, problems)


def _service(session: Session, spec: Spec, deployment: JSON, problems: list[Problem], notes: list[str]) -> JSON:
    """spec.service of a Canary that is made for the first time."""
    found = objects.service(session, spec, deployment, problems, notes)
    if found is None:
        return {}
    kind, name = service.KINDS[spec.provider], found["metadata"]["name"]
    routes = session.list(kind, spec.namespace)
    own = next((one for one in routes if one["metadata"]["name"] == name), None)
    if spec.route_object not in (None, name):
        allowed = f"{name}: Flagger writes the route that is called after the Service"
        problems.append(Problem(service.OPTIONS[kind], spec.route_object, allowed))
    if own is not None:
        problems += reverted(own, kind)
    problems += service.named_otherwise(spec, name, routes)
    rules = session.list("DestinationRule", spec.namespace) if spec.provider == "istio" else []
    return service.service(spec, found, own, rules, problems)


def _source(session: Session, spec: Spec, name: str, problems: list[Problem]) -> str | None:
    """Where requests are counted: the first source that has series of stable, by the name that it has before or after Flagger came."""
    if not any(gate.counts for gate in spec.gates):
        return None
    way = transport(session, spec)
    if way is None:
        return None
    client, asked = Prometheus(way), metrics.sources(spec)
    try:
        for one in asked:
            arms = metrics.arms(spec, name, one)
            plain = replace(arms, workload=spec.workload, canary_workload=None)
            if any(client.instant(f"count({each.source.requests}{{{each.stable_selector}}})") for each in (arms, plain)):
                return one
    except MetricsError as error:
        problems.append(Problem("release_prometheus", spec.prometheus_url, f"a Prometheus that answers: {error}"))
        return None
    allowed = f"a Prometheus with request counters of {name}; none found as {', '.join(asked)}"
    problems.append(Problem("release_prometheus", spec.prometheus_url or "/".join(spec.prometheus_service or ()), allowed))
    return None


def _stored(session: Session, found: Findings, problems: list[Problem]) -> Findings:
    """Whether the API server would store the objects: an older Flagger does not know all fields."""
    for body in [*found.templates, *([found.canary] if found.canary and found.before is None else [])]:
        meta = body["metadata"]
        if session.find(body["kind"], meta["namespace"], meta["name"]) is not None:
            continue
        try:
            session.create(body, dry_run=True)
        except Rejected as error:
            allowed = f"a {body['kind']} {meta['name']} that the API server takes (an older Flagger knows fewer fields): {error}"
            problems.append(Problem("release_engine", "flagger", allowed))
    return found


def _target(session: Session, spec: Spec, found: Findings, deployment: JSON, primary: JSON | None, *, container: str) -> FlaggerTarget:
    """The target; a workload that a failed release has left with another image is told with the primary's."""
    canary = found.canary or found.before or {}
    template, name = deployment["spec"]["template"], service_of(canary)
    stable = image_in(primary["spec"]["template"], container) if primary else image_in(template, container)
    kind = _route_kind(session, canary, name)
    if image_in(template, container) != stable:
        template = twin.with_version(template, container=container, image=stable, patch=None)
    return replace(
        found.target,
        cluster_uid=session.cluster_uid(),
        container=container,
        stable_image=stable,
        original_template=template,
        primary_template=primary["spec"]["template"] if primary else None,
        service=name,
        route_kind=kind,
        canary=canary["metadata"]["name"],
        written=found.canary["spec"] if found.canary else {},
    )


def _route_kind(session: Session, canary: JSON, name: str) -> str:
    kind = route.kind_of(session, canary, name)
    if kind is None:
        provider = canary["spec"].get("provider") or "none, with no route there yet"
        allowed = f"a Canary whose route we can return: istio, gatewayapi:v1 or kubernetes; this one says {provider}"
        raise Refused([Problem("release_adopt", f"Canary {canary['metadata']['name']}: spec.provider", allowed)])
    return kind


def _no_target(spec: Spec) -> FlaggerTarget:
    return FlaggerTarget("", spec.namespace, spec.workload, "", "", {}, None, "", "", spec.name, spec.adopt, False)
