# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route of a Rollout: which rules of which object, what share the canary has there, and the way home. Reads and writes routes alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...cluster.patch import Operation, as_read, pointer, replace
from ...cluster.session import Session
from .build import GATEWAY_PLUGIN

JSON = dict[str, Any]
RULES = {"VirtualService": ("http", "route"), "HTTPRoute": ("rules", "backendRefs"), "GRPCRoute": ("rules", "backendRefs")}


@dataclass(frozen=True)
class RouteRef:
    """An object that carries the service, its rules that Argo steers (none named: all that have both), and how both versions are called."""

    kind: str
    name: str
    namespace: str
    rules: tuple[str, ...]
    stable: str
    canary: str
    by_subset: bool = False

    @property
    def where(self) -> str:
        """The object as messages name it."""
        return f"{self.kind} {self.name}"


def refs_of(rollout: Mapping[str, Any]) -> list[RouteRef]:
    """The routes that a Rollout steers and that can be read here; other routers of Argo's are told by the status alone."""
    canary = rollout["spec"].get("strategy", {}).get("canary") or {}
    routing, namespace = canary.get("trafficRouting") or {}, rollout["metadata"]["namespace"]
    stable, other = canary.get("stableService", ""), canary.get("canaryService", "")
    found = []
    istio = routing.get("istio") or {}
    virtuals = [*([istio["virtualService"]] if istio.get("virtualService") else []), *(istio.get("virtualServices") or [])]
    for one in virtuals:
        name, _dot, elsewhere = one["name"].partition(".")
        rule = istio.get("destinationRule")
        names = (rule["stableSubsetName"], rule["canarySubsetName"]) if rule else (stable, other)
        found.append(RouteRef("VirtualService", name, elsewhere or namespace, tuple(one.get("routes") or ()), *names, by_subset=bool(rule)))
    plugin = (routing.get("plugins") or {}).get(GATEWAY_PLUGIN) or {}
    for option, many, kind in (("httpRoute", "httpRoutes", "HTTPRoute"), ("grpcRoute", "grpcRoutes", "GRPCRoute")):
        listed = [plugin[option]] if plugin.get(option) else []
        for name in [*listed, *(one["name"] for one in plugin.get(many) or [])]:
            found.append(RouteRef(kind, name, plugin.get("namespace") or namespace, (), stable, other))
    return found


def share(session: Session, ref: RouteRef) -> int | None:
    """The canary's share in percent, the largest of the rules; None where the object or the rule is gone."""
    found = session.find(ref.kind, ref.namespace, ref.name)
    if found is None:
        return None
    shares = [_share(found["spec"][RULES[ref.kind][0]][index], ref) for index in _rules(found, ref)]
    return max(shares, default=None)


def home(session: Session, ref: RouteRef) -> bool:
    """Send all requests to stable, as the controller itself would; whether anything was to be done. Raises Conflict."""
    found = session.get(ref.kind, ref.namespace, ref.name)
    operations = homeward(found, ref)
    if operations:
        session.patch(ref.kind, ref.namespace, ref.name, operations)
    return bool(operations)


def homeward(found: Mapping[str, Any], ref: RouteRef) -> list[Operation]:
    """The patch that gives stable everything and the canary nothing; empty where it is so."""
    rules_key, targets_key = RULES[ref.kind]
    operations = []
    for index in _rules(found, ref):
        before = found["spec"][rules_key][index][targets_key]
        after = copy.deepcopy(before)
        for target in after:
            arm = _arm(target, ref)
            if arm:
                target["weight"] = 100 if arm == "stable" else 0
        if after != before and _share({targets_key: before}, ref):
            operations.append(replace(pointer("spec", rules_key, index, targets_key), after))
    return [as_read(dict(found)), *operations] if operations else []


def with_both(found: Mapping[str, Any], ref: RouteRef, rule: int) -> list[Operation]:
    """The patch that names the canary with weight 0 beside stable, which Argo wants before it steers; empty where it is so."""
    rules_key, targets_key = RULES[ref.kind]
    before = found["spec"][rules_key][rule][targets_key]
    if any(_arm(target, ref) == "canary" for target in before):
        return []
    stable = {**copy.deepcopy(before[0]), "weight": 100}
    if ref.by_subset:
        stable["destination"] = {**stable["destination"], "subset": ref.stable}
    after = [stable, {**_renamed(stable, ref), "weight": 0}]
    return [as_read(dict(found)), replace(pointer("spec", rules_key, rule, targets_key), after)]


def leads(found: Mapping[str, Any], kind: str, service: str, namespace: str) -> list[int]:
    """The indexes of the rules that lead to a Service of a namespace, and to nothing else but its canary."""
    rules_key, targets_key = RULES[kind]
    names = {service, f"{service}-canary"}
    made = []
    for index, rule in enumerate(found["spec"].get(rules_key) or []):
        hosts = [_host(target, namespace) for target in rule.get(targets_key) or []]
        if service in hosts and set(hosts) <= names:
            made.append(index)
    return made


def _rules(found: Mapping[str, Any], ref: RouteRef) -> list[int]:
    """The indexes of the rules that Argo steers: the named ones, else those that name the canary."""
    rules_key, targets_key = RULES[ref.kind]
    listed = found["spec"].get(rules_key) or []
    if ref.rules:
        return [index for index, rule in enumerate(listed) if rule.get("name") in ref.rules and rule.get(targets_key)]
    return [index for index, rule in enumerate(listed) if any(_arm(target, ref) == "canary" for target in rule.get(targets_key) or [])]


def _share(rule: Mapping[str, Any], ref: RouteRef) -> int:
    targets = rule.get("route") or rule.get("backendRefs") or []
    weights = dict.fromkeys(("stable", "canary"), 0)
    for target in targets:
        arm = _arm(target, ref)
        if arm:
            weights[arm] += int(target.get("weight", 0 if ref.kind == "VirtualService" and len(targets) > 1 else 1))
    total = sum(weights.values())
    return round(100 * weights["canary"] / total) if total else 0


def _arm(target: Mapping[str, Any], ref: RouteRef) -> str:
    """stable, canary, or nothing for a destination of somebody else."""
    name = (target.get("destination") or {}).get("subset", "") if ref.by_subset else _host(target, ref.namespace)
    return {ref.stable: "stable", ref.canary: "canary"}.get(name or "", "")


def _host(target: Mapping[str, Any], namespace: str) -> str:
    """The Service that a destination names; its host as it is, where that is in another namespace."""
    if "destination" not in target:
        return target.get("name", "") if target.get("namespace", namespace) == namespace else ""
    host = target["destination"].get("host", "")
    name, _dot, rest = host.partition(".")
    return name if rest in ("", namespace, f"{namespace}.svc", f"{namespace}.svc.cluster.local") else host


def _renamed(stable: Mapping[str, Any], ref: RouteRef) -> JSON:
    """The canary's destination made of stable's."""
    made: JSON = copy.deepcopy(dict(stable))
    if "destination" not in made:
        made["name"] = ref.canary
    elif ref.by_subset:
        made["destination"]["subset"] = ref.canary
    else:
        _name, dot, rest = made["destination"]["host"].partition(".")
        made["destination"]["host"] = ref.canary + dot + rest
    return made
