# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster and Prometheus whether a spec can work there. Reads only; every problem names its fix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..cluster.errors import ClusterError, Conflict, Rejected
from ..cluster.kinds import plural
from ..cluster.session import Session
from ..metrics import conversions
from ..metrics.conversions import CONVERSIONS, ConversionReading
from ..metrics.pod_inspect import inspect
from ..metrics.source import GateReading, MetricsPreflight
from ..traffic import istio
from ..traffic.place import GITOPS_MARKS, Asked, Unusable
from ..traffic.providers import PROVIDERS, router, who_can
from ..traffic.route import Place, RouteError
from ..workload import selectors, twin
from ..workload.revision import knobs_for, knobs_of, revision_of
from . import capacity, checks_preflight, config_preflight
from .plan import NEEDS, ROUTED, Step, plan, route_of
from .spec import Spec
from .values import Problem

JSON = dict[str, Any]
NEEDED_RIGHTS = (
    *((verb, "Deployment") for verb in ("get", "create", "patch", "delete")),
    *((verb, "Service") for verb in ("get", "list", "create", "delete")),
    *((verb, "ConfigMap") for verb in ("get", "create", "patch", "delete")),
    *((verb, "Lease") for verb in ("get", "create", "patch", "delete")),
    *((verb, "DestinationRule") for verb in ("list", "create", "delete")),
    ("list", "Pod"),
    ("list", "EndpointSlice"),
)
# how the problems begin whose fix the doctor knows
CAUGHT = "a workload whose canary is not caught"
MISSED = "policies that cover the canary too"


@dataclass(frozen=True)
class Target:
    """What preflight found, and all that the runner needs of it. Kept in the record: a release resumes from here."""

    cluster_uid: str
    namespace: str
    workload: str
    container: str
    stable_image: str
    stable_replicas: int
    original_template: JSON
    new_template: JSON
    switch_label: str
    pod_labels: dict[str, str]  # of the twin
    service: str
    revision: str | None  # rolling: the pod-template-hash of stable's pods
    original_knobs: JSON  # rolling: of the Deployment's spec
    new_knobs: JSON
    place: JSON  # where the route is kept (traffic.route.Place)
    destination_rule: JSON | None  # of stable, to be copied
    metrics_source: str | None
    dispersion: dict[str, float]  # by gate; 1.0 without an hour of history
    history_known: bool
    autoscalers: Sequence[JSON] = ()  # kind and name of each that scales stable
    copies: Sequence[JSON] = ()  # config maps and secrets that travel (release.config_preflight.Copy)

    def to_dict(self) -> JSON:
        """The target as JSON."""
        return asdict(self)


class Refused(Exception):
    """The release cannot start here. Nothing was changed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass
class Findings:
    """A target, how each gate reads now, and what to tell about guesses."""

    target: Target
    gates: dict[str, GateReading]
    notes: list[str]
    conversions: ConversionReading | None = None


def preflight(session: Session, spec: Spec, transport: Any) -> Findings:
    """Everything checked before anything changes. Raises Refused with all problems, ClusterError when there is no answer."""
    problems: list[Problem] = []
    able(spec, problems)
    _rights(session, spec, problems)
    if problems:
        raise Refused(problems)
    return examine(session, spec, transport)


def examine(session: Session, spec: Spec, transport: Any) -> Findings:
    """Preflight without the question of rights: the objects, the route, the checks and the metrics. Raises as preflight."""
    problems: list[Problem] = []
    notes: list[str] = []
    deployment = _deployment(session, spec, problems)
    if deployment is None:
        raise Refused(problems)
    service = _service(session, spec, deployment, problems, notes)
    container = _container(spec, deployment, problems)
    scalers = capacity.scalers(session, spec, deployment, problems, notes)
    rolling = spec.strategy == "rolling"
    key = _switch_label(session, spec, deployment, service, problems) if service else None
    revision = revision_of(session, deployment) if rolling else None
    if rolling and revision is None:
        problems.append(
            Problem("release_workload", spec.workload, "a Deployment whose present ReplicaSet can be found; look at it and try again")
        )
    place = _place(session, spec, _asked(spec, service["metadata"]["name"], key, notes), problems) if service and key else None
    if service and key:
        problems += checks_preflight.problems(session, spec, service, key)
    if service is None or container is None or key is None or place is None:
        raise Refused(problems)
    template = deployment["spec"]["template"]
    versioned = twin.with_version(template, container=container["name"], image=spec.image, patch=spec.template_patch)
    copies, new_template = config_preflight.travel(session, spec, versioned, problems=problems, notes=notes)
    if not rolling:  # which makes no twin: at most its surge comes on top
        capacity.room(session, spec, deployment, new_template, problems=problems, notes=notes)
    metrics = MetricsPreflight({}, None, {}, False)
    name = service["metadata"]["name"]
    if spec.gates or (spec.ab and spec.ab.conversions and not spec.ab.of):
        metrics = inspect(session, spec, deployment, name, transport, problems=problems, container=container["name"], revision=revision)
    counted = conversions.inspect(spec, name, transport, metrics.source, problems) if not problems else None
    if problems:
        raise Refused(problems)
    own_labels = deployment["spec"]["selector"].get("matchLabels") or {}
    knobs = knobs_of(deployment)
    target = Target(
        cluster_uid=session.cluster_uid(),
        namespace=spec.namespace,
        workload=spec.workload,
        container=container["name"],
        stable_image=container["image"],
        stable_replicas=deployment["spec"].get("replicas", 1),
        original_template=template,
        new_template=new_template,
        switch_label=key,
        pod_labels=own_labels if rolling else twin.twin_labels(template["metadata"]["labels"], key),
        revision=revision,
        original_knobs=knobs,
        new_knobs=knobs_for(knobs, spec.rolling) if rolling else knobs,
        service=service["metadata"]["name"],
        place=place.to_dict(),
        destination_rule=_destination_rule(session, spec, service["metadata"]["name"]),
        metrics_source=metrics.source,
        dispersion={**metrics.dispersion, CONVERSIONS: counted.dispersion} if counted else metrics.dispersion,
        history_known=metrics.history_known,
        autoscalers=scalers,
        copies=[one.to_dict() for one in copies],
    )
    return Findings(target, metrics.gates, notes, counted)


def _rights(session: Session, spec: Spec, problems: list[Problem]) -> None:
    if session.find("Namespace", None, spec.namespace) is None:
        problems.append(Problem("release_namespace", spec.namespace, "a namespace that exists in this cluster"))
        return
    for verb, kind, part in missing_rights(session, spec):
        what = f"{verb} {plural(kind)}/{part}" if part else f"{verb} {kind} objects"
        problems.append(Problem("release_namespace", spec.namespace, f"a namespace where you may {what}; ask for that right"))


def missing_rights(session: Session, spec: Spec) -> list[tuple[str, str, str]]:
    """(verb, kind, subresource) that a release needs and that we do not have."""
    own = (("list", "ReplicaSet"),) if spec.strategy == "rolling" else ()
    plain = [(verb, kind, "") for verb, kind in (*NEEDED_RIGHTS, *PROVIDERS[spec.provider].rights, *own)]
    read = [("get", "Pod", "proxy")] if spec.pods is not None and spec.gates else []
    needed = dict.fromkeys([*plain, *checks_preflight.rights(spec.checks), *config_preflight.rights(spec.config), *read])
    return [one for one in needed if not session.allowed(one[0], one[1], spec.namespace, subresource=one[2])]


def _deployment(session: Session, spec: Spec, problems: list[Problem]) -> JSON | None:
    deployment = session.find("Deployment", spec.namespace, spec.workload)
    if deployment is None:
        names = ", ".join(d["metadata"]["name"] for d in session.list("Deployment", spec.namespace)) or "none"
        problems.append(
            Problem("release_workload", f"Deployment/{spec.workload}", f"a Deployment of namespace {spec.namespace}; there is: {names}")
        )
        return None
    field = "release_workload"
    for mark, owner in GITOPS_MARKS.items():
        meta = deployment["metadata"]
        if mark in {**(meta.get("annotations") or {}), **(meta.get("labels") or {})}:
            problems.append(
                Problem(field, spec.workload, f"a Deployment that no GitOps controller reverts; {owner} owns this one ({mark})")
            )
    if deployment["spec"].get("paused"):
        problems.append(
            Problem(field, spec.workload, f"a Deployment that is not paused; kubectl rollout resume deployment/{spec.workload}")
        )
    ready = (deployment.get("status") or {}).get("readyReplicas", 0)
    if deployment["spec"].get("replicas", 1) == 0:
        problems.append(Problem(field, spec.workload, _first_version(spec, deployment)))
    elif not ready:
        problems.append(Problem(field, spec.workload, "a Deployment with ready pods: without them there is no stable version to return to"))
    elif ready < deployment["spec"].get("replicas", 1):
        wanted = deployment["spec"].get("replicas", 1)
        problems.append(Problem(field, spec.workload, f"a Deployment that is whole; {ready} of {wanted} pods are ready"))
    return deployment


def _first_version(spec: Spec, deployment: JSON) -> str:
    """What to do about a Deployment without replicas: the first version has nothing to be compared with, so it is only deployed."""
    names = [one["name"] for one in deployment["spec"]["template"]["spec"]["containers"]]
    container = spec.container or (names[0] if len(names) == 1 else "<container>")
    kubectl, what = f"kubectl -n {spec.namespace}", f"deployment/{spec.workload}"
    return (
        "a Deployment with ready pods; this one has replicas: 0, so there is no stable version to compare with or to return to. "
        "Deploy the first version without a release (apply its manifest with replicas above 0, or scale it up), and release the next one: "
        f"{kubectl} set image {what} {container}={spec.image} && {kubectl} scale {what} --replicas=1 && {kubectl} rollout status {what}"
    )


def _container(spec: Spec, deployment: JSON, problems: list[Problem]) -> JSON | None:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    names = ", ".join(one["name"] for one in containers)
    if spec.container is None and len(containers) > 1:
        problems.append(Problem("release_container", None, f"is required: the Deployment has several containers: {names}"))
        return None
    found = [one for one in containers if spec.container in (None, one["name"])]
    if not found:
        problems.append(Problem("release_container", spec.container, f"one of {names}"))
        return None
    return found[0]


def _service(session: Session, spec: Spec, deployment: JSON, problems: list[Problem], notes: list[str]) -> JSON | None:
    services = session.list("Service", spec.namespace)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selecting = [s for s in services if s["spec"].get("selector") and selectors.matches({"matchLabels": s["spec"]["selector"]}, labels)]
    names = ", ".join(s["metadata"]["name"] for s in selecting) or "none"
    if spec.service is None:
        if len(selecting) == 1:
            notes.append(f"release_traffic.service: {names} (the only Service that selects {spec.workload}'s pods)")
            return selecting[0]
        problems.append(Problem("release_traffic.service", None, f"is required: Services that select the pods of {spec.workload}: {names}"))
        return None
    found = [s for s in selecting if s["metadata"]["name"] == spec.service]
    if not found:
        problems.append(Problem("release_traffic.service", spec.service, f"a Service that selects the pods of {spec.workload}: {names}"))
        return None
    return found[0]


def able(spec: Spec, problems: list[Problem]) -> None:
    """Whether the router can do what the plan asks for."""
    needs = [("release_strategy", spec.strategy, NEEDS[spec.strategy])]
    if spec.matches:
        needs.append(("release_match", " or ".join(map(str, spec.matches)), "match"))
    if spec.sticky:
        needs.append(("release_ab.cookie", spec.sticky.cookie, "sticky"))
    for field, value, ability in needs:
        if ability not in PROVIDERS[spec.provider].router.can:
            allowed = f"a router that can {ability}: provider {who_can(ability)}; {spec.provider} steers by {PROVIDERS[spec.provider].does}"
            problems.append(Problem(field, value, allowed))


def _place(session: Session, spec: Spec, asked: Asked, problems: list[Problem]) -> Place | None:
    try:
        place = PROVIDERS[spec.provider].find(session, asked)
    except Unusable as error:
        problems += error.problems
        return None
    _takes_routes(session, spec, place, problems)
    return place


def _takes_routes(session: Session, spec: Spec, place: Place, problems: list[Problem]) -> None:
    """Whether the API server would store what the plan puts (dryRun=All): limits of lists, expressions, admission."""
    steers = router(session, spec.namespace, place, matches=spec.matches, sleep=session.sleep, sticky=spec.sticky)
    first: dict[str, Step] = {}
    for step in plan(spec):
        if step.kind in ROUTED:
            first.setdefault(step.kind, step)
    for step in first.values():
        try:
            steers.preview(route_of(spec, step))
        except Rejected as error:
            field = "release_match" if step.kind == "match" or (step.kind == "ab" and spec.matches) else "release_traffic"
            problems.append(
                Problem(field, steers.where, f"a {place.kind} that takes the step {step.name} as the API server sees it: {error}")
            )
            return
        except (Conflict, RouteError):
            return  # somebody writes to it just now: claim and change will see to that


def _asked(spec: Spec, service: str, key: str, notes: list[str]) -> Asked:
    return Asked(
        spec.namespace,
        service,
        object_kind=spec.route_kind,
        object_name=spec.route_object,
        rule=spec.route,
        matches=spec.matches,
        mirrors=NEEDS[spec.strategy] == "mirror",
        sticky=spec.sticky,
        switch_label=key,
        notes=notes,
    )


def _switch_label(session: Session, spec: Spec, deployment: JSON, service: JSON, problems: list[Problem]) -> str | None:
    """The label in which a twin's pods would differ; a rolling release makes no twin, any label of the Service does."""
    if spec.strategy == "rolling":
        return sorted(service["spec"]["selector"])[0]
    return _twin(session, spec, deployment, service, problems)


def _twin(session: Session, spec: Spec, deployment: JSON, service: JSON, problems: list[Problem]) -> str | None:
    try:
        key = twin.switch_label(deployment, service)
    except twin.TwinError as error:
        problems.append(Problem("release_workload", spec.workload, str(error)))
        return None
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    moved = twin.twin_labels(labels, key)
    own = {spec.workload + twin.SUFFIX, service["metadata"]["name"] + twin.SUFFIX}
    lists = {kind: session.list(kind, spec.namespace) for kind in ("Service", "Deployment", "PodDisruptionBudget")}
    for kind in ("Service", "Deployment"):
        for one in lists[kind]:
            if one["metadata"]["name"] in own:
                release_id = (one["metadata"].get("labels") or {}).get(twin.RELEASE_LABEL)
                whose = f"it was left by release {release_id}" if release_id else "it is not ours"
                command = f"kubectl -n {spec.namespace} delete {kind.lower()} {one['metadata']['name']}"
                taken = f"{kind} {one['metadata']['name']} exists, {whose}"
                allowed = f"a workload whose canary names are free: {taken}; if nobody needs it: {command}"
                problems.append(Problem("release_workload", spec.workload, allowed))
    ours = {kind: [one for one in found if one["metadata"]["name"] not in own] for kind, found in lists.items()}
    caught = selectors.leaks(moved, services=ours["Service"], deployments=ours["Deployment"], budgets=ours["PodDisruptionBudget"])
    policies = {kind: session.list(kind, spec.namespace) for kind in selectors.POLICY_SELECTORS}
    missed = selectors.missing_policies(labels, moved, policies)
    problems += [Problem("release_workload", spec.workload, f"{CAUGHT}: {sentence}") for sentence in caught]
    for policy in missed:
        advice = f"{MISSED}: {policy} would miss pods labelled {key}={moved[key]}; select them as well"
        problems.append(Problem("release_workload", spec.workload, advice))
    return key


def _destination_rule(session: Session, spec: Spec, service: str) -> JSON | None:
    for rule in session.list("DestinationRule", spec.namespace):
        if istio.names_service(rule["spec"]["host"], spec.namespace, service, spec.namespace) and rule["spec"].get("trafficPolicy"):
            return rule
    return None


def already_running(session: Session, spec: Spec) -> str | None:
    """The image that stable runs when it is the wanted one already (nothing to release), else None."""
    deployment = session.find("Deployment", spec.namespace, spec.workload)
    if deployment is None or spec.template_patch:
        return None
    template = deployment["spec"]["template"]
    images = {one["name"]: one["image"] for one in template["spec"]["containers"]}
    wanted: Mapping[str, str] = images if spec.container is None else {spec.container: images.get(spec.container, "")}
    if len(wanted) != 1 or spec.image not in wanted.values():
        return None
    return spec.image if config_preflight.travels_already(session, spec, template) else None


__all__ = ["ClusterError", "Findings", "Refused", "Target", "able", "already_running", "examine", "missing_rights", "preflight"]
