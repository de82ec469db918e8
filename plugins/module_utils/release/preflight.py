# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the cluster and Prometheus whether a spec can work there. Reads only; every problem names its fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as replace_of
from typing import Any

from ..cluster.errors import Conflict, Rejected
from ..cluster.kinds import plural
from ..cluster.patch import replace
from ..cluster.session import Session
from ..metrics import conversions
from ..metrics.conversions import CONVERSIONS
from ..metrics.pod_inspect import inspect
from ..metrics.source import MetricsPreflight
from ..traffic.place import Asked, Unusable
from ..traffic.providers import ROUTERS, router, who_can
from ..traffic.route import Place, RouteError
from ..workload import twin
from ..workload.kinds import SETS, wanted_pods
from ..workload.revision import knobs_for, knobs_of
from . import (
    alert_watch,
    budget_plan,
    capacity,
    checks_preflight,
    config_preflight,
    guard_preflight,
    objects,
    ratio,
    source_spec,
    subsets_preflight,
    swap_preflight,
    webhooks,
)
from .plan import NEEDS, ROUTED, Step, plan, route_of
from .record_size import too_large
from .spec import Spec
from .subsets_preflight import Pair
from .target import Findings, Refused, Target
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
BESIDE = {(verb, kind) for verb in ("create", "delete") for kind in ("Service", "DestinationRule")}  # what only a canary needs


def preflight(session: Session, spec: Spec, transport: Any) -> Findings:
    """Everything checked before anything changes. Raises Refused with all problems, ClusterError when there is no answer."""
    problems: list[Problem] = webhooks.problems(spec)
    able(spec, problems)
    _rights(session, spec, problems)
    if problems:
        raise Refused(problems)
    found = examine(session, spec, transport)
    budget = budget_plan.budget_plan(spec, found, transport, problems)
    alert_watch.inspect(spec, transport, problems)
    guard_preflight.inspect(session, spec, found.target, problems)
    if problems:
        raise Refused(problems)
    return _recordable(spec, replace_of(found, target=replace_of(found.target, budget=budget.to_dict() if budget else None)))


def examine(session: Session, spec: Spec, transport: Any) -> Findings:
    """Preflight without the question of rights: the objects, the route, the checks and the metrics. Raises as preflight."""
    problems: list[Problem] = []
    notes: list[str] = []
    deployment = objects.workload(session, spec, problems)
    if deployment is None:
        raise Refused(problems)
    service = objects.service(session, spec, deployment, problems, notes)
    container = objects.container(spec, deployment, problems)
    scalers = capacity.scalers(session, spec, deployment, problems, notes)
    rolling = spec.strategy == "rolling"
    revision = objects.revision(session, spec, deployment, problems) if rolling else None
    arms = _arms(session, spec, deployment, service, problems=problems, notes=notes) if service else None
    if service is None or container is None or arms is None:
        raise Refused(problems)
    template = deployment["spec"]["template"]
    versioned = objects.new_version(spec, deployment, container["name"], problems)
    copies, new_template = config_preflight.travel(session, spec, versioned, problems=problems, notes=notes)
    if not rolling:  # which makes no twin: at most its surge comes on top
        capacity.room(session, spec, deployment, new_template, problems=problems, notes=notes)
    metrics = MetricsPreflight({}, None, {}, False)
    name = service["metadata"]["name"]
    told = arms.get("canary")
    if spec.gates or (spec.ab and spec.ab.conversions and not spec.ab.of):
        metrics = inspect(
            session, spec, deployment, name, transport, problems=problems, container=container["name"], revision=revision, canary=told
        )
    counted = conversions.inspect(spec, name, transport, metrics.source, problems, canary=told) if not problems else None
    if problems:
        raise Refused(problems)
    kind, pods = spec.workload_kind, wanted_pods(spec.workload_kind, deployment)
    knobs = knobs_of(deployment, kind)
    target = Target(
        cluster_uid=session.cluster_uid(),
        namespace=spec.namespace,
        workload=spec.workload,
        container=container["name"],
        stable_image=container["image"],
        stable_replicas=pods,
        original_template=template,
        new_template=new_template,
        revision=revision,
        original_knobs=knobs,
        new_knobs=knobs_for(knobs, spec.rolling, kind, pods=pods) if rolling else knobs,
        service=name,
        metrics_source=metrics.source,
        dispersion={**metrics.dispersion, CONVERSIONS: counted.dispersion} if counted else metrics.dispersion,
        history_known=metrics.history_known,
        autoscalers=scalers,
        workload_kind=kind,
        own_labels=ratio.own_labels(spec),
        copies=[one.to_dict() for one in copies],
        **arms,
    )
    return _recordable(spec, Findings(target, metrics.gates, [*notes, *metrics.notes, *_copies(spec)], counted))


def _pod_labels(spec: Spec, deployment: JSON, canary: twin.Canary) -> dict[str, str]:
    """The labels by which the new version's pods are found, with the old ones where the workload rolls."""
    own = deployment["spec"]["selector"].get("matchLabels") or {}
    if spec.strategy == "rolling":
        return own
    return ratio.own_labels(spec) or twin.twin_labels(own, canary.key, canary.value)


def _recordable(spec: Spec, found: Findings) -> Findings:
    """The findings, when a record can hold them. Raises Refused."""
    problems = too_large(spec.workload, spec.to_dict(), found.target.to_dict())
    if problems:
        raise Refused(problems)
    return found


def _copies(spec: Spec) -> list[str]:
    """What may be missing where the counters are those of the proxy that sends a shadow's copies."""
    if (spec.strategy, spec.metrics_source) != ("shadow", "istio_source"):
        return []
    return [
        "release_metrics_source istio_source: Istio's own telemetry leaves out the copies that a proxy sends (istio/istio#23496), Envoy's cluster "
        f"counters have them; when none are counted for {spec.no_data_seconds:.0f} s, release_on_inconclusive decides"
    ]


def _arms(session: Session, spec: Spec, deployment: JSON, service: JSON, *, problems: list[Problem], notes: list[str]) -> JSON | None:
    """How both versions are told apart, as a Target says it; None when that is not possible. Adds to problems."""
    pair = subsets_preflight.find(session, spec, deployment, service, problems)
    if spec.subsets and pair is None:
        return None
    canary = objects.canary(session, spec, deployment, service, pair=pair, problems=problems)
    if canary is None:
        return None
    name = service["metadata"]["name"]
    place = _place(session, spec, _asked(spec, name, canary, notes), problems)
    problems += ratio.inspect(session, spec, deployment, service, notes) + checks_preflight.problems(session, spec, service, canary)
    if place is None:
        return None
    if pair:
        notes.append(subsets_preflight.UNSEEN)
        subsets_preflight.fit(session, spec, pair, canary, objects=(deployment, service), place=place, problems=problems)
    plain = spec.swap is None and pair is None
    target = {
        "place": place.to_dict(),
        "switch_label": canary.key,
        "pod_labels": _pod_labels(spec, deployment, canary),
        "destination_rule": None if pair else objects.destination_rule(session, spec, name),
    }
    return target if plain else {**target, **_own_canary(spec, canary, pair, name)}


def _own_canary(spec: Spec, canary: twin.Canary, pair: Pair | None, service: str) -> JSON:
    """What a target says of a canary that is no plain twin: its name and label value, what else is fenced, the subset that is added."""
    adds = pair.made(subsets_preflight.canary_subset(spec), canary) if pair and pair.canary is None else None
    held = [{"kind": "DestinationRule", "name": pair.rule}] if pair and adds else []
    held += [{"kind": "Service", "name": service}] if pair is None and spec.provider != "service" else []
    return {"canary": canary.name, "switch_value": canary.value, "held": held, "subset": adds}


def _rights(session: Session, spec: Spec, problems: list[Problem]) -> None:
    if session.find("Namespace", None, spec.namespace) is None:
        problems.append(Problem("release_namespace", spec.namespace, "a namespace that exists in this cluster"))
        return
    for verb, kind, part in missing_rights(session, spec):
        what = f"{verb} {plural(kind)}/{part}" if part else f"{verb} {kind} objects"
        problems.append(Problem("release_namespace", spec.namespace, f"a namespace where you may {what}; ask for that right"))


def missing_rights(session: Session, spec: Spec) -> list[tuple[str, str, str]]:
    """(verb, kind, subresource) that a release needs and that we do not have."""
    plain = [(verb, kind, "") for verb, kind in (*_of_workload(spec), *ROUTERS[spec.provider].rights, *_of_arms(spec))]
    plain += [("create", "Pod", "eviction"), ("delete", "Pod", "")] if spec.workload_kind in SETS else []
    read = [("get", "Pod", "proxy")] if spec.pods is not None and spec.counted else []
    needed = dict.fromkeys(
        [*plain, *checks_preflight.rights(spec.checks), *config_preflight.rights(spec.config, spec.manifests, spec.workload_kind), *read]
    )
    return [one for one in needed if not session.allowed(one[0], one[1], spec.namespace, subresource=one[2])]


def _of_arms(spec: Spec) -> list[tuple[str, str]]:
    """(verb, kind) that it takes to swap, and to tell versions apart by subsets."""
    found = [("patch", "Service")] if spec.swap else []
    return [*found, *((verb, "DestinationRule") for verb in ("get", "patch") if spec.subsets)]


def _of_workload(spec: Spec) -> list[tuple[str, str]]:
    """(verb, kind) that the release's workload needs: a set is patched itself, and nothing is made beside it."""
    if spec.workload_kind not in SETS:
        return [*NEEDED_RIGHTS, *((("list", "ReplicaSet"),) if spec.strategy == "rolling" else ())]
    others = [(verb, kind) for verb, kind in NEEDED_RIGHTS if kind != "Deployment" and (verb, kind) not in BESIDE]
    return [*((verb, spec.workload_kind) for verb in ("get", "list", "patch")), *others, ("list", "PodDisruptionBudget")]


def able(spec: Spec, problems: list[Problem]) -> None:
    """Whether the router can do what the plan asks for."""
    needs = [("release_strategy", spec.strategy, NEEDS[spec.strategy])]
    if spec.matches:
        needs.append(("release_match", " or ".join(map(str, spec.matches)), "match"))
    if spec.sticky:
        needs.append(("release_ab.cookie", spec.sticky.cookie, "sticky"))
    if spec.counted and spec.metrics_source in source_spec.UNROUTED:
        allowed = "another source: no router moves the weights of an Ingress, so its canary would never be counted; this one is for replay and slo_rules"
        problems.append(Problem(source_spec.FIELD, spec.metrics_source, allowed))
    for field, value, ability in needs:
        if ability not in ROUTERS[spec.provider].router.can:
            provider = spec.provider if spec.meshed else "service"
            allowed = f"a router that can {ability}: provider {who_can(ability)}; {provider} steers by {ROUTERS[spec.provider].does}"
            problems.append(Problem(field, value, allowed))


def _place(session: Session, spec: Spec, asked: Asked, problems: list[Problem]) -> Place | None:
    try:
        place = ROUTERS[spec.provider].find(session, asked)
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


def _asked(spec: Spec, service: str, canary: twin.Canary, notes: list[str]) -> Asked:
    subsets = {"stable": spec.subsets.stable, "canary": spec.subsets.canary} if spec.subsets else None
    return Asked(
        spec.namespace,
        service,
        object_kind=spec.route_kind,
        object_name=spec.route_object,
        rule=spec.route,
        matches=spec.matches,
        mirrors=NEEDS[spec.strategy] == "mirror",
        sticky=spec.sticky,
        switch_label=canary.key,
        canary_value=canary.value,
        subsets=subsets,
        workload=spec.workload,
        most_extra_pods=spec.max_extra_pods,
        notes=notes,
    )


def already_running(session: Session, spec: Spec) -> str | None:
    """That the workload runs the wanted image already, so that there is nothing to release; else None."""
    deployment = session.find(spec.workload_kind, spec.namespace, spec.workload)
    if spec.swap is not None and (deployment is None or deployment["spec"].get("replicas", 1) == 0):
        deployment = swap_preflight.successor(session, spec)  # a swap that has ended: the same playbook once more
    if deployment is None or spec.template_patch:
        return None
    template = deployment["spec"]["template"]
    runs = f"{deployment['metadata']['name']} runs {spec.image}"
    if spec.manifests is not None:
        return runs if _manifests_run(session, spec, deployment) else None
    images = {one["name"]: one["image"] for one in template["spec"]["containers"]}
    wanted: Mapping[str, str] = images if spec.container is None else {spec.container: images.get(spec.container, "")}
    if len(wanted) != 1 or spec.image not in wanted.values():
        return None
    return runs if config_preflight.travels_already(session, spec, template) else None


def _manifests_run(session: Session, spec: Spec, deployment: JSON) -> bool:
    """Whether the API server would make of the manifests' template what is there already: it fills in what they leave out.

    After a swap that is the template of the Deployment that serves, whose pods have a label of their own.
    """
    name, template = deployment["metadata"]["name"], deployment["spec"]["template"]
    container = spec.container or template["spec"]["containers"][0]["name"]
    wanted = twin.with_version(spec.manifests.template, container=container, image=spec.image, patch=None) if spec.manifests else template
    if name != spec.workload:
        wanted = twin.merge(wanted, {"metadata": {"labels": deployment["spec"]["selector"].get("matchLabels") or {}}})
    if any(one is not None for one in config_preflight.bring(session, spec, []).values()):
        return False
    try:
        stored = session.patch("Deployment", spec.namespace, name, [replace("/spec/template", wanted)], dry_run=True)
    except (Conflict, Rejected):
        return False  # preflight says what is wrong with it
    return stored["spec"]["template"] == template


__all__ = ["able", "already_running", "examine", "missing_rights", "preflight"]
