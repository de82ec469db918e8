# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster whether Argo Rollouts can run a release there. Reads and dry runs only; all problems at once."""

from __future__ import annotations

from typing import Any

from ...cluster.errors import ClusterError, Conflict, NotFound, Rejected
from ...cluster.kinds import plural
from ...cluster.patch import replace
from ...cluster.session import Session
from ...metrics.prometheus import BadQuery, MetricsError, Prometheus
from ...metrics.source import inspect as inspect_metrics
from ...release import objects
from ...release.spec import Spec
from ...release.target import Refused
from ...release.values import Problem
from ...traffic.place import GITOPS_MARKS
from ...workload import selectors, twin
from ...workload.kinds import ready_pods
from . import api, build, fields, queries, routes
from .adopt import template_of
from .objects import changes_of
from .phase import HEALTHY, invalid_because, phase_of
from .place import Findings, Place

JSON = dict[str, Any]
ENGINE = "release_engine"
INSTALL = """ansible-playbook progressive.delivery.install -e '{"install_roles": ["argo_rollouts"]}'"""
ALWAYS = (
    *((verb, api.ROLLOUT, "") for verb in ("get", "list", "patch")),
    ("patch", api.ROLLOUT, "status"),
    ("list", api.RUN, ""),
    *((verb, "ConfigMap", "") for verb in ("get", "create", "patch", "delete")),
    *((verb, "Lease", "") for verb in ("get", "create", "patch", "delete")),
)
BUILDS = (
    ("create", api.ROLLOUT, ""),
    *((verb, api.TEMPLATE, "") for verb in ("get", "create", "patch")),
    *((verb, "Deployment", "") for verb in ("get", "list", "patch")),
    *((verb, "Service", "") for verb in ("get", "list", "create")),
    ("list", "HorizontalPodAutoscaler", ""),
)
OF_PROVIDER = {
    "istio": (*((verb, "VirtualService", "") for verb in ("get", "list", "patch")), ("get", "DestinationRule", "")),
    "gateway_api": tuple((verb, "HTTPRoute", "") for verb in ("get", "list", "patch")),
}


def preflight(session: Session, spec: Spec, transport: Any) -> Findings:
    """Everything checked before anything changes. Raises Refused with all problems, ClusterError when there is no answer."""
    problems = [] if spec.adopt else fields.refusals(spec)
    if not _usable(session, spec, problems):
        raise Refused(problems)
    found = _rollout(session, spec, problems)
    if spec.adopt:
        if found is None:
            raise Refused(problems)
        return _adopted(session, spec, found, problems)
    return _built(session, spec, found, transport, problems)


def rights(spec: Spec) -> list[tuple[str, str, str]]:
    """(verb, kind, subresource) that a release needs."""
    if spec.adopt:
        return [*ALWAYS, *((verb, "Deployment", "") for verb in ("get", "patch"))]
    return [*ALWAYS, *BUILDS, *OF_PROVIDER.get(spec.provider, ())]


def _usable(session: Session, spec: Spec, problems: list[Problem]) -> bool:
    """The namespace, the kinds, the rights and the controller; False where nothing more can be asked."""
    if session.find("Namespace", None, spec.namespace) is None:
        problems.append(Problem("release_namespace", spec.namespace, "a namespace that exists in this cluster"))
        return False
    missing = api.served(session, spec.namespace)
    if missing:
        allowed = f"a cluster that knows the kinds of Argo Rollouts; {', '.join(missing)} is missing: {INSTALL}"
        problems.append(Problem(ENGINE, spec.engine, allowed))
        return False
    wanting = [one for one in rights(spec) if not session.allowed(one[0], one[1], spec.namespace, subresource=one[2])]
    for verb, kind, part in wanting:
        what = f"{verb} {plural(kind)}/{part}" if part else f"{verb} {kind} objects"
        problems.append(Problem("release_namespace", spec.namespace, f"a namespace where you may {what}; ask for that right"))
    if api.alive(session) is False:
        problems.append(Problem(ENGINE, spec.engine, f"a cluster whose Argo Rollouts controller has a ready pod; there is none: {INSTALL}"))
    return not wanting


def _rollout(session: Session, spec: Spec, problems: list[Problem]) -> JSON | None:
    """The Rollout that runs the workload, None where there is none yet. Adds to problems."""
    field, said = "release_workload", f"{spec.workload_kind}/{spec.workload}"
    every = session.list(api.ROLLOUT, spec.namespace)
    if spec.workload_kind == api.ROLLOUT:
        owners = [one for one in every if one["metadata"]["name"] == spec.workload]
    else:
        owners = [one for one in every if _refers(one, spec.workload)]
    names = ", ".join(one["metadata"]["name"] for one in (owners or every)) or "none"
    if len(owners) > 1:
        problems.append(Problem(field, said, f"a Deployment that one Rollout refers to; there are several: {names}; delete all but one"))
        return None
    found = owners[0] if owners else None
    if spec.adopt and found is None:
        problems.append(
            Problem(field, said, f"a Rollout of namespace {spec.namespace}, or a Deployment that one refers to; there is: {names}")
        )
    if found is None:
        return None
    ours = (found["metadata"].get("labels") or {}).items() >= build.OURS.items()
    if not spec.adopt and not ours:
        allowed = f"a Deployment that no Rollout of somebody else's refers to; {names} does: release it as it is with release_adopt: true"
        problems.append(Problem(field, said, allowed))
    _is_whole(found, problems)
    return found


def _is_whole(rollout: JSON, problems: list[Problem]) -> None:
    name, phase = rollout["metadata"]["name"], phase_of(rollout)
    namespace = rollout["metadata"]["namespace"]
    if phase != HEALTHY:
        why = invalid_because(rollout)
        look = f"kubectl -n {namespace} describe rollout {name}"
        allowed = f"a Rollout that is healthy, so that there is a stable version to return to; it is {phase}{': ' if why else ''}{why}. See: {look}"
        problems.append(Problem("release_workload", f"Rollout/{name}", allowed))
    marks = {**(rollout["metadata"].get("annotations") or {}), **(rollout["metadata"].get("labels") or {})}
    for mark, owner in GITOPS_MARKS.items():
        if mark in marks and not rollout["spec"].get("workloadRef"):
            allowed = f"a Rollout that no GitOps controller reverts; {owner} owns this one ({mark})"
            problems.append(Problem("release_workload", f"Rollout/{name}", allowed))


def _refers(rollout: JSON, deployment: str) -> bool:
    found = rollout["spec"].get("workloadRef") or {}
    return (found.get("kind"), found.get("name")) == ("Deployment", deployment)


def _adopted(session: Session, spec: Spec, rollout: JSON, problems: list[Problem]) -> Findings:
    """An existing Rollout, driven as it is: only its template changes."""
    kind, holder = template_of(session, rollout)
    if holder is None:
        said = rollout["spec"].get("workloadRef")
        problems.append(
            Problem("release_workload", f"Rollout/{rollout['metadata']['name']}", f"a Rollout whose workloadRef is there; {said} is not")
        )
        raise Refused(problems)
    place = _place(session, spec, (kind, holder), rollout, "", problems=problems)
    if place is None or problems:
        raise Refused(problems)
    notes = [
        f"release_adopt: Rollout {place.rollout} says steps, analyses and route; only the template of {kind} {place.workload} is changed"
    ]
    return Findings(place, rollout, None, [], notes)


def _built(session: Session, spec: Spec, rollout: JSON | None, transport: Any, problems: list[Problem]) -> Findings:
    notes: list[str] = []
    deployment = objects.workload(session, spec, problems) if rollout is None else session.find("Deployment", spec.namespace, spec.workload)
    if deployment is None:
        raise Refused(problems)
    service = _service(session, spec, deployment, problems, notes)
    _owners(session, spec, service, problems)
    if service is None:
        raise Refused(problems)
    name = service["metadata"]["name"]
    place = _place(session, spec, ("Deployment", deployment), rollout, name, problems=problems)
    route = _route(session, spec, name, problems)
    _subsets(session, spec, problems)
    _plugin(session, spec, problems)
    source = _metrics(spec, name, transport, problems, notes)
    if place is None or problems:
        raise Refused(problems)
    replicas = rollout["spec"].get("replicas", 1) if rollout else deployment["spec"].get("replicas", 1)
    built = build.build(spec, replicas, name, route or build.Route(), source)
    _probe(spec, built, transport, problems)
    changes = changes_of(session, spec, built, service, problems)
    if problems:
        raise Refused(problems)
    return Findings(place, rollout, built, changes, [*notes, *built.notes, *_first(rollout, deployment)])


def _first(rollout: JSON | None, deployment: JSON) -> list[str]:
    if rollout is not None:
        return []
    name = deployment["metadata"]["name"]
    return [
        f"Rollout {name} is made with stable's version first and awaited healthy, for the first version of a Rollout skips its steps; then the "
        f"controller scales Deployment {name} to 0 (workloadRef.scaleDown: onsuccess), which stays the source of the template"
    ]


def _place(
    session: Session, spec: Spec, held: tuple[str, JSON], rollout: JSON | None, service: str, *, problems: list[Problem]
) -> Place | None:
    """Where the template is, and what it becomes."""
    kind, holder = held
    container = objects.container(spec, holder, problems)
    if container is None:
        return None
    template = holder["spec"]["template"]
    new = twin.with_version(template, container=container["name"], image=spec.image, patch=spec.template_patch)
    try:
        session.patch(kind, spec.namespace, holder["metadata"]["name"], [replace("/spec/template", new)], dry_run=True)
    except Rejected as error:
        problems.append(Problem("release_image", spec.image, f"a template that the API server takes: {error}"))
    return Place(
        cluster_uid=session.cluster_uid(),
        namespace=spec.namespace,
        workload=holder["metadata"]["name"],
        workload_kind=kind,
        rollout=rollout["metadata"]["name"] if rollout else spec.workload,
        service=service,
        container=container["name"],
        stable_image=container["image"],
        stable_hash=((rollout or {}).get("status") or {}).get("stableRS", ""),
        original_template=template,
        new_template=new,
        adopted=spec.adopt,
    )


def _service(session: Session, spec: Spec, deployment: JSON, problems: list[Problem], notes: list[str]) -> JSON | None:
    """The Service of the workload; Argo's own label in its selector counts for nothing."""
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    found = []
    for one in session.list("Service", spec.namespace):
        wanted = {key: value for key, value in (one["spec"].get("selector") or {}).items() if key != api.HASH}
        if wanted and selectors.matches({"matchLabels": wanted}, labels) and not one["metadata"]["name"].endswith(twin.SUFFIX):
            found.append(one)
    names = ", ".join(one["metadata"]["name"] for one in found) or "none"
    chosen = [one for one in found if spec.service in (None, one["metadata"]["name"])]
    if len(chosen) != 1:
        problems.append(
            Problem("release_traffic.service", spec.service, f"one Service that selects the pods of {spec.workload}; there is: {names}")
        )
        return None
    if spec.service is None:
        notes.append(f"release_traffic.service: {names} (the only Service that selects {spec.workload}'s pods)")
    return chosen[0]


def _owners(session: Session, spec: Spec, service: JSON | None, problems: list[Problem]) -> None:
    """Others that scale the Deployment, or steer the Services."""
    field, said = "release_workload", f"Deployment/{spec.workload}"
    for one in session.list("HorizontalPodAutoscaler", spec.namespace):
        target = one["spec"]["scaleTargetRef"]
        if (target.get("kind"), target.get("name")) == ("Deployment", spec.workload):
            aim = "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: " + spec.workload + "}"
            allowed = (
                f"a Deployment that no autoscaler scales, for its pods become the Rollout's; HorizontalPodAutoscaler {one['metadata']['name']} does: "
                f"give it scaleTargetRef {aim}"
            )
            problems.append(Problem(field, said, allowed))
    name = service["metadata"]["name"] if service else ""
    for one in session.list(api.ROLLOUT, spec.namespace):
        canary, green = (one["spec"].get("strategy", {}).get(key) or {} for key in ("canary", "blueGreen"))
        taken = {canary.get("stableService"), canary.get("canaryService"), green.get("activeService"), green.get("previewService")}
        if name in taken and not _refers(one, spec.workload):
            allowed = f"a Service that no other Rollout steers; Rollout {one['metadata']['name']} does"
            problems.append(Problem("release_traffic.service", name, allowed))


def _route(session: Session, spec: Spec, service: str, problems: list[Problem]) -> build.Route | None:
    """The object and the rule that carry the service."""
    if not spec.meshed:
        return build.Route()
    kind = spec.route_kind or {"istio": "VirtualService"}.get(spec.provider, "HTTPRoute")
    rules_key = routes.RULES[kind][0]
    found = [
        (one["metadata"]["name"], one["spec"][rules_key][index].get("name"), len(one["spec"][rules_key]))
        for one in session.list(kind, spec.namespace)
        if spec.route_object in (None, one["metadata"]["name"])
        for index in routes.leads(one, kind, service, spec.namespace)
    ]
    chosen = [one for one in found if spec.route in (None, one[1])]
    if len(chosen) > 1 and spec.route is None:  # what is matched before stays with stable, whatever the release does
        chosen = [one for one in chosen if one[1] and one[1] in _steered(session, spec, kind)] or chosen
    listed = ", ".join(f"{name}/{rule or '(unnamed)'}" for name, rule, _count in found) or "none"
    if len(chosen) != 1:
        given = spec.route or spec.route_object
        problems.append(
            Problem("release_traffic.route", given, f"one rule of a {kind} that leads to Service {service} alone; there is: {listed}")
        )
        return None
    name, rule, count = chosen[0]
    if rule is None and count > 1 and kind == "VirtualService":
        problems.append(
            Problem("release_traffic.route", None, f"a rule with a name: {kind} {name} has {count}, and Argo tells them by their names")
        )
    return build.Route(kind, name, rule)


def _steered(session: Session, spec: Spec, kind: str) -> set[str]:
    """The rules that our Rollout steers already."""
    found = session.find(api.ROLLOUT, spec.namespace, spec.workload)
    return {rule for ref in routes.refs_of(found) if ref.kind == kind for rule in ref.rules} if found else set()


def _subsets(session: Session, spec: Spec, problems: list[Problem]) -> None:
    if spec.subsets is None:
        return
    field, name = "release_traffic.subsets.destination_rule", spec.subsets.destination_rule
    rule = session.find("DestinationRule", spec.namespace, name) if name else None
    if rule is None:
        problems.append(Problem(field, name, "the name of a DestinationRule of this namespace: Argo writes its subsets' labels"))
        return
    there = {one["name"] for one in rule["spec"].get("subsets") or []}
    for arm, wanted in (("stable", spec.subsets.stable), ("canary", spec.subsets.canary)):
        if wanted not in there:
            allowed = f"a subset of DestinationRule {name}: {', '.join(sorted(there)) or 'it has none'}; add {{name: {wanted}}} to it, Argo fills it in"
            problems.append(Problem(f"release_traffic.subsets.{arm}", wanted, allowed))


def _plugin(session: Session, spec: Spec, problems: list[Problem]) -> None:
    """Whether the controller has the plugin that steers HTTPRoutes."""
    if spec.provider != "gateway_api":
        return
    for one in api.controllers(session) or []:
        config = session.find("ConfigMap", one["metadata"]["namespace"], "argo-rollouts-config")
        if build.GATEWAY_PLUGIN in ((config or {}).get("data") or {}).get("trafficRouterPlugins", ""):
            return
    allowed = (
        f"istio, or a controller with the plugin {build.GATEWAY_PLUGIN}: ConfigMap argo-rollouts-config names none in trafficRouterPlugins "
        "(argo_rollouts_config of the role argo_rollouts)"
    )
    problems.append(Problem("release_traffic.provider", spec.provider, allowed))


def _metrics(spec: Spec, service: str, transport: Any, problems: list[Problem], notes: list[str]) -> str | None:
    """Who counts requests, where a gate is judged by them."""
    if not spec.counted or problems or transport is None:
        return None
    found = inspect_metrics(spec, service, transport, problems, among=queries.sources(spec))
    notes += found.notes
    return found.source


def _probe(spec: Spec, built: build.Built, transport: Any, problems: list[Problem]) -> None:
    """Whether Prometheus understands every query as it will be asked."""
    if not built.templates or transport is None:
        return
    client = Prometheus(transport)
    for index, metric in enumerate(built.templates[0]["spec"]["metrics"]):
        query = queries.probe(metric["provider"]["prometheus"]["query"])
        try:
            client.value(query)
        except BadQuery as error:
            problems.append(Problem(f"release_gates[{index}]", query, f"a query that Prometheus answers with one number: {error}"))
        except (MetricsError, ValueError) as error:
            problems.append(Problem("release_prometheus", queries.address(spec), f"a Prometheus that answers: {error}"))
            return


def already_runs(session: Session, spec: Spec) -> str | None:
    """That the Rollout runs the wanted image already, whole; else None. None too where the workload is not there."""
    try:
        rollout = _rollout(session, spec, [])
    except NotFound:
        return None
    kind, holder = (
        template_of(session, rollout) if rollout else (spec.workload_kind, session.find("Deployment", spec.namespace, spec.workload))
    )
    if holder is None or spec.template_patch:
        return None
    if rollout is not None and phase_of(rollout) != HEALTHY:
        return None
    if rollout is None and (spec.adopt or not ready_pods("Deployment", holder)):
        return None
    images = {one["name"]: one["image"] for one in holder["spec"]["template"]["spec"]["containers"]}
    wanted = images if spec.container is None else {spec.container: images.get(spec.container, "")}
    if len(wanted) != 1 or spec.image not in wanted.values():
        return None
    return f"{kind} {holder['metadata']['name']} has {spec.image}"


__all__ = ["ClusterError", "Conflict", "already_runs", "preflight", "rights"]
