# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that a release is about, as preflight finds them: the workload, its Service, the label of its twin."""

from __future__ import annotations

from typing import Any

from ..cluster.session import Session
from ..traffic import istio
from ..traffic.place import GITOPS_MARKS
from ..workload import selectors, sets, twin
from ..workload.kinds import DAEMON_SET, SETS, ready_pods, wanted_pods
from ..workload.revision import revision_of
from . import swap_preflight
from .spec import Spec
from .subsets_preflight import Pair
from .values import Problem

JSON = dict[str, Any]
# how the problems begin whose fix the doctor knows
CAUGHT = "a workload whose canary is not caught"
MISSED = "policies that cover the canary too"


def workload(session: Session, spec: Spec, problems: list[Problem]) -> JSON | None:
    """The workload, or None with a problem when there is none; what makes it unfit for a release is added to problems."""
    kind = spec.workload_kind
    found = session.find(kind, spec.namespace, spec.workload)
    if found is None:
        names = ", ".join(one["metadata"]["name"] for one in session.list(kind, spec.namespace)) or "none"
        allowed = f"a {kind} of namespace {spec.namespace}; there is: {names}"
        problems.append(Problem("release_workload", f"{kind}/{spec.workload}", allowed))
        return None
    field = "release_workload"
    for mark, owner in GITOPS_MARKS.items():
        meta = found["metadata"]
        if mark in {**(meta.get("annotations") or {}), **(meta.get("labels") or {})}:
            problems.append(Problem(field, spec.workload, f"a {kind} that no GitOps controller reverts; {owner} owns this one ({mark})"))
    if found["spec"].get("paused"):
        problems.append(
            Problem(field, spec.workload, f"a Deployment that is not paused; kubectl rollout resume deployment/{spec.workload}")
        )
    ready, wanted = ready_pods(kind, found), wanted_pods(kind, found)
    if wanted == 0:
        problems.append(Problem(field, spec.workload, _first_version(spec, found)))
    elif not ready:
        problems.append(Problem(field, spec.workload, f"a {kind} with ready pods: without them there is no stable version to return to"))
    elif ready < wanted:
        problems.append(Problem(field, spec.workload, f"a {kind} that is whole; {ready} of {wanted} pods are ready"))
    if kind in SETS and session.allowed("list", "PodDisruptionBudget", spec.namespace):
        budgets = session.list("PodDisruptionBudget", spec.namespace)
        problems += [Problem(field, spec.workload, one) for one in sets.in_the_way(kind, found, budgets)]
    return found


def revision(session: Session, spec: Spec, workload: JSON, problems: list[Problem]) -> str | None:
    """The revision of the pods that are to be replaced, or None with a problem, unless there is one already."""
    found = revision_of(session, workload, spec.workload_kind)
    if found is None and not problems:
        allowed = f"a {spec.workload_kind} whose pods are all of the revision that it has now; look at it and try again"
        problems.append(Problem("release_workload", spec.workload, allowed))
    return found


def _first_version(spec: Spec, deployment: JSON) -> str:
    """What to do about a Deployment without replicas: the first version has nothing to be compared with, so it is only deployed."""
    names = [one["name"] for one in deployment["spec"]["template"]["spec"]["containers"]]
    container = spec.container or (names[0] if len(names) == 1 else "<container>")
    if spec.workload_kind == DAEMON_SET:
        return "a DaemonSet that fits a node; this one fits none, so there is no stable version to compare with or to return to"
    kubectl, what = f"kubectl -n {spec.namespace}", f"{spec.workload_kind.lower()}/{spec.workload}"
    return (
        f"a {spec.workload_kind} with ready pods; this one has replicas: 0, so there is no stable version to compare with or to return to. "
        "Deploy the first version without a release (apply its manifest with replicas above 0, or scale it up), and release the next one: "
        f"{kubectl} set image {what} {container}={spec.image} && {kubectl} scale {what} --replicas=1 && {kubectl} rollout status {what}"
    )


def container(spec: Spec, deployment: JSON, problems: list[Problem]) -> JSON | None:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    names = ", ".join(one["name"] for one in containers)
    if spec.container is None and len(containers) > 1:
        problems.append(Problem("release_container", None, f"is required: the {spec.workload_kind} has several containers: {names}"))
        return None
    found = [one for one in containers if spec.container in (None, one["name"])]
    if not found:
        problems.append(Problem("release_container", spec.container, f"one of {names}"))
        return None
    return found[0]


def new_version(spec: Spec, deployment: JSON, container: str, problems: list[Problem]) -> JSON:
    """The new pod template. A selector cannot be changed: the new version's pods must bear its labels too."""
    base = spec.manifests.template if spec.manifests else deployment["spec"]["template"]
    template = twin.with_version(base, container=container, image=spec.image, patch=spec.template_patch)
    labels = template["metadata"].get("labels") or {}
    field = f"release_manifests.Deployment/{spec.workload}.spec.template" if spec.manifests else "release_template_patch"
    for key, value in (deployment["spec"]["selector"].get("matchLabels") or {}).items():
        if labels.get(key) != value:
            allowed = f"{key}={value}: Deployment {spec.workload} selects its pods by it, and that cannot be changed"
            problems.append(Problem(f"{field}.metadata.labels.{key}", labels.get(key, "nothing"), allowed))
    if container not in [one["name"] for one in template["spec"]["containers"]]:
        problems.append(Problem(field, container, f"a pod template with the container {container}, which Deployment {spec.workload} has"))
    return template


def service(session: Session, spec: Spec, deployment: JSON, problems: list[Problem], notes: list[str]) -> JSON | None:
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


def canary(
    session: Session, spec: Spec, deployment: JSON, service: JSON, *, pair: Pair | None, problems: list[Problem]
) -> twin.Canary | None:
    """The canary's Deployment and the label in which its pods differ; a rolling release has none, any label of the Service does."""
    if spec.strategy == "rolling":
        return twin.Canary(spec.workload, sorted(service["spec"]["selector"])[0], "")
    found = _identity(spec, deployment, service, pair, problems)
    if found is not None:
        problems += _in_the_way(session, spec, deployment, service, found)
    return found


def _identity(spec: Spec, deployment: JSON, service: JSON, pair: Pair | None, problems: list[Problem]) -> twin.Canary | None:
    if spec.swap is not None:
        return swap_preflight.identity(spec, deployment, service, pair, problems)
    if pair is not None:
        return swap_preflight.twin_of_subset(spec, deployment, service, pair, problems)
    try:
        return twin.Canary(spec.workload + twin.SUFFIX, twin.switch_label(deployment, service), "")
    except twin.TwinError as error:
        problems.append(Problem("release_workload", spec.workload, str(error)))
        return None


def _in_the_way(session: Session, spec: Spec, deployment: JSON, service: JSON, canary: twin.Canary) -> list[Problem]:
    """Names of the canary that are taken, what would catch its pods, and policies that would miss them."""
    problems: list[Problem] = []
    key, labels = canary.key, deployment["spec"]["template"]["metadata"]["labels"]
    moved = twin.twin_labels(labels, key, canary.value)
    own = {"Deployment": canary.name, "Service": service["metadata"]["name"] + twin.SUFFIX}
    lists = {kind: session.list(kind, spec.namespace) for kind in ("Service", "Deployment", "PodDisruptionBudget")}
    for kind in ("Service", "Deployment"):
        for one in lists[kind]:
            if one["metadata"]["name"] == own[kind]:
                release_id = (one["metadata"].get("labels") or {}).get(twin.RELEASE_LABEL)
                whose = f"it was left by release {release_id}" if release_id else "it is not ours"
                command = f"kubectl -n {spec.namespace} delete {kind.lower()} {one['metadata']['name']}"
                taken = f"{kind} {one['metadata']['name']} exists, {whose}"
                allowed = f"a workload whose canary names are free: {taken}; if nobody needs it: {command}"
                problems.append(Problem("release_workload", spec.workload, allowed))
    if spec.swap is not None:
        problems += swap_preflight.left_behind(spec, canary, labels, lists, service)
        lists["PodDisruptionBudget"] = []  # one that counts both versions' pods is as it should be: it protects the new one from now on
    if spec.subsets is not None:
        lists["Service"] = [one for one in lists["Service"] if one["metadata"]["name"] != service["metadata"]["name"]]
    ours = {kind: [one for one in found if one["metadata"]["name"] != own.get(kind)] for kind, found in lists.items()}
    caught = selectors.leaks(moved, services=ours["Service"], deployments=ours["Deployment"], budgets=ours["PodDisruptionBudget"])
    policies = {kind: session.list(kind, spec.namespace) for kind in selectors.POLICY_SELECTORS}
    missed = selectors.missing_policies(labels, moved, policies)
    problems += [Problem("release_workload", spec.workload, f"{CAUGHT}: {sentence}") for sentence in caught]
    for policy in missed:
        advice = f"{MISSED}: {policy} would miss pods labelled {key}={moved[key]}; select them as well"
        problems.append(Problem("release_workload", spec.workload, advice))
    return problems


def destination_rule(session: Session, spec: Spec, service: str) -> JSON | None:
    for rule in session.list("DestinationRule", spec.namespace):
        if istio.names_service(rule["spec"]["host"], spec.namespace, service, spec.namespace) and rule["spec"].get("trafficPolicy"):
            return rule
    return None
