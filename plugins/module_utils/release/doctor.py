# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor's other rules: who would catch the canary, miss it, pass it by or put it back; rights, autoscalers, gates. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..cluster.kinds import api_group, plural
from ..metrics.source import GateReading
from ..traffic.place import GITOPS_MARKS
from ..workload import selectors, twin
from ..workload.drops import ERROR, WARNING, Finding, kubectl, merge_patch, proxy_of
from .values import Problem

JSON = dict[str, Any]
TEMPLATED = ("Deployment", "StatefulSet", "DaemonSet")
EXPOSED = ("NodePort", "LoadBalancer")
WHO = "$(kubectl auth whoami -o jsonpath='{.status.userInfo.username}')"


def of_problem(problem: Problem, namespace: str, workload: str, kind: str = "Deployment") -> Finding:
    """A problem of arguments or preflight as a finding; its fix is the command in it, else what to write instead."""
    _before, found, command = problem.allowed.partition("kubectl ")
    fix = f"{found}{command}" if found else f"{problem.field}: {problem.allowed}"
    if found and " -n " not in f" {command}":
        fix = f"kubectl -n {namespace} {command}"
    place = {"release_namespace": f"Namespace {namespace}", "release_workload": f"{kind} {workload}"}
    return Finding("preflight", ERROR, place.get(problem.field, problem.field), str(problem), fix)


def rights(missing: Iterable[tuple[str, str, str]], namespace: str) -> list[Finding]:
    """(verb, kind, subresource) that are not allowed, one finding for each resource."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for verb, kind, part in missing:
        verbs.setdefault((kind, part), []).append(verb)
    found = []
    for (kind, part), asked in verbs.items():
        group = api_group(kind)
        resource = plural(kind) + (f".{group}" if group else "") + (f"/{part}" if part else "")
        name = f"release-{plural(kind)}" + (f"-{part}" if part else "")
        role = kubectl(namespace, "create", "role", name, f"--verb={','.join(asked)}", f"--resource={resource}")
        fix = f'{role} && kubectl -n {namespace} create rolebinding {name} --role={name} --user="{WHO}"'
        problem = f"you may not {', '.join(asked)} {plural(kind)}{'/' + part if part else ''}, which a release needs"
        found.append(Finding("rights", ERROR, f"Namespace {namespace}", problem, fix))
    return found


def caught(deployment: JSON, service: JSON, key: str, objects: Mapping[str, list[JSON]]) -> list[Finding]:
    """Services, Deployments and budgets that would select the canary's pods."""
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    own = {deployment["metadata"]["name"] + twin.SUFFIX, service["metadata"]["name"] + twin.SUFFIX}
    others = {kind: [one for one in found if one["metadata"]["name"] not in own] for kind, found in objects.items()}
    sentences = selectors.leaks(
        twin.twin_labels(labels, key),
        services=others["Service"],
        deployments=others["Deployment"],
        budgets=others["PodDisruptionBudget"],
    )
    return [_caught(sentence, others, {key: labels[key]}) for sentence in sentences]


def _caught(sentence: str, objects: Mapping[str, list[JSON]], label: dict[str, str]) -> Finding:
    kind, name = sentence.split(" ")[:2]
    obj = next(one for one in objects[kind] if one["metadata"]["name"] == name)
    if kind == "Service":
        fix = merge_patch(kind, obj, {"spec": {"selector": label}})
    elif kind == "PodDisruptionBudget":
        fix = merge_patch(kind, obj, {"spec": {"selector": {"matchLabels": label}}})
    else:
        wanted = {**(obj["spec"]["selector"].get("matchLabels") or {}), **label}
        away = kubectl(obj["metadata"]["namespace"], "delete", "deployment", name, "--cascade=orphan")
        fix = f"{away}, and apply it again with spec.selector.matchLabels: {json.dumps(wanted)}"
    return Finding("canary_caught", ERROR, f"{kind} {name}", sentence, fix)


def missed(deployment: JSON, key: str, policies: Mapping[str, list[JSON]]) -> list[Finding]:
    """Policies that cover stable's pods and would not cover the canary's."""
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    moved = twin.twin_labels(labels, key)
    found = []
    for what in selectors.missing_policies(labels, moved, policies):
        kind, name = what.split(" ")
        policy = next(one for one in policies[kind] if one["metadata"]["name"] == name)
        values = (labels[key], moved[key])
        fix = _wider(policy, key, values) if kind == "NetworkPolicy" else _by_new_label(kind, policy, key, deployment["metadata"]["name"])
        problem = f"covers {key}={values[0]} and would miss the canary's pods, {key}={values[1]}"
        found.append(Finding("policy_misses_canary", ERROR, what, problem, fix))
    return found


def _wider(policy: JSON, key: str, values: tuple[str, str]) -> str:
    selector = policy["spec"].get("podSelector") or {}
    expressions = [one for one in selector.get("matchExpressions") or [] if one["key"] != key]
    both = {"key": key, "operator": "In", "values": list(values)}
    change: JSON = {"matchExpressions": [*expressions, both]}
    if key in (selector.get("matchLabels") or {}):
        change["matchLabels"] = {key: None}
    return merge_patch("NetworkPolicy", policy, {"spec": {"podSelector": change}})


def _by_new_label(kind: str, policy: JSON, key: str, workload: str) -> str:
    """Istio's selectors know no alternatives: a label that stable's pods and the canary's share takes the place of key."""
    meta = policy["metadata"]
    _spec, field = selectors.POLICY_SELECTORS[kind]
    names = "labels" if kind == "Sidecar" else "matchLabels"
    label = f"covered-by-{meta['name']}"
    labelled = json.dumps({"spec": {"template": {"metadata": {"labels": {label: "true"}}}}}, separators=(",", ":"))
    steps = [
        kubectl(meta["namespace"], "patch", "deployment", workload, "-p", labelled),
        kubectl(meta["namespace"], "rollout", "status", f"deployment/{workload}"),
        merge_patch(kind, policy, {"spec": {field: {names: {key: None, label: "true"}}}}),
    ]
    return " && ".join(steps)


def reverted(kind: str, obj: JSON) -> list[Finding]:
    """Marks of GitOps controllers that would put an object back to what it was."""
    meta = obj["metadata"]
    found = []
    for field in ("annotations", "labels"):
        for mark, value in (meta.get(field) or {}).items():
            if mark not in GITOPS_MARKS:
                continue
            owner = GITOPS_MARKS[mark]
            pause = _pause(mark, value)
            word = "annotate" if field == "annotations" else "label"
            free = kubectl(meta["namespace"], word, kind.partition(".")[0].lower(), meta["name"], f"{mark}-")
            problem = f"{owner} owns it ({mark}) and would revert what a release changes"
            found.append(Finding("gitops", ERROR, f"{kind.partition('.')[0]} {meta['name']}", problem, f"{pause} && {free}"))
    return found


def _pause(mark: str, value: str) -> str:
    if mark.startswith("argocd"):
        change = '{"spec":{"syncPolicy":{"automated":null}}}'
        return kubectl("argocd", "patch", "application", value.partition(":")[0], "--type", "merge", "-p", change)
    return f"flux suspend {'helmrelease' if mark.startswith('helm') else 'kustomization'} {value}"


def bypasses(deployment: JSON, services: Iterable[JSON], pods: Iterable[JSON], *, switched: str | None) -> list[Finding]:
    """Clients whose requests do not follow the route. switched: the Service whose selector is the route itself, if it is."""
    meta = deployment["metadata"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    found = []
    for one in services:
        spec, name = one["spec"], one["metadata"]["name"]
        selects = spec.get("selector") and selectors.matches({"matchLabels": spec["selector"]}, labels)
        if selects and spec.get("type") in EXPOSED and name != switched:
            problem = f"type {spec['type']} lets clients from outside reach stable's pods past the route"
            found.append(
                Finding("mesh_bypass", WARNING, f"Service {name}", problem, merge_patch("Service", one, {"spec": {"type": "ClusterIP"}}))
            )
    alive = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    own = [pod for pod in alive if selectors.matches(deployment["spec"]["selector"], pod["metadata"].get("labels") or {})]
    proxy = next(filter(None, (proxy_of(pod["spec"]) for pod in own)), None)
    if proxy:
        found += [_outside(owner, meta, proxy) for owner in sorted({owner_of(pod) for pod in alive if not proxy_of(pod["spec"])})]
    return found


def _outside(owner: str, meta: JSON, proxy: str) -> Finding:
    kind, name = owner.split(" ")
    marks = {"labels": {"sidecar.istio.io/inject": "true"}} if proxy == "istio-proxy" else {"annotations": {"linkerd.io/inject": "enabled"}}
    template = {"spec": {"template": {"metadata": marks}}}
    if kind in TEMPLATED:
        fix = kubectl(meta["namespace"], "patch", kind.lower(), name, "-p", json.dumps(template, separators=(",", ":")))
    else:
        fix = f"metadata: {json.dumps(marks)}   # in the pod template of {owner}"
    problem = f"its pods have no sidecar: what they send to {meta['name']} does not follow the route"
    return Finding("mesh_bypass", WARNING, owner, problem, fix)


def owner_of(pod: JSON) -> str:
    """What a pod belongs to, as 'Kind name': the Deployment behind its ReplicaSet, else its owner, else itself."""
    owner = next(iter(pod["metadata"].get("ownerReferences") or []), None)
    if owner is None:
        return f"Pod {pod['metadata']['name']}"
    if owner["kind"] == "ReplicaSet":
        return f"Deployment {owner['name'].rpartition('-')[0]}"
    return f"{owner['kind']} {owner['name']}"


def scalers(workload: str, found: Iterable[JSON], kind: str = "Deployment") -> list[Finding]:
    """Autoscalers of the workload that have no room left, or do not work."""
    findings = []
    for one in found:
        spec, status, name = one["spec"], one.get("status") or {}, one["metadata"]["name"]
        if (spec["scaleTargetRef"].get("kind"), spec["scaleTargetRef"]["name"]) != (kind, workload):
            continue
        if status.get("currentReplicas", 0) >= spec["maxReplicas"]:
            problem = f"stands at its limit, maxReplicas {spec['maxReplicas']}: it cannot follow the load while a release needs pods, too"
            fix = merge_patch("HorizontalPodAutoscaler", one, {"spec": {"maxReplicas": 2 * spec["maxReplicas"]}})
            findings.append(Finding("autoscaler", WARNING, f"HorizontalPodAutoscaler {name}", problem, fix))
        for condition in status.get("conditions") or []:
            if condition["type"] == "ScalingActive" and condition["status"] == "False" and condition.get("reason") != "ScalingDisabled":
                problem = f"does not scale: {condition.get('reason')}: {condition.get('message')}"
                fix = kubectl(one["metadata"]["namespace"], "describe", "horizontalpodautoscaler", name)
                findings.append(Finding("autoscaler", WARNING, f"HorizontalPodAutoscaler {name}", problem, fix))
    return findings


def silent_gates(gates: Mapping[str, GateReading]) -> list[Finding]:
    """Gates whose counters exist and have counted nothing lately: they would hold a release without end."""
    return [
        Finding(
            "gate_without_data",
            WARNING,
            f"gate {name}",
            "no request was counted lately: it would wait for evidence until release_max_hold_seconds are over",
            f"release_skip_gates: [{name}]   # or release while there is traffic",
        )
        for name, reading in gates.items()
        if not reading.requests
    ]
