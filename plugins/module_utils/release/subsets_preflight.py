# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service's traffic can be told apart by subsets of its one host: the DestinationRule, the labels, who would pass the route by.

With subsets the Service selects the pods of both versions: whoever does not follow the route gets either. Reads only.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..cluster.session import Session
from ..traffic import istio
from ..traffic.place import reverted
from ..traffic.route import Place
from ..workload import selectors
from ..workload.drops import proxy_of
from ..workload.twin import Canary
from .spec import Spec
from .values import Problem

JSON = dict[str, Any]
FIELD = "release_traffic.subsets"
KIND = "DestinationRule"
BY_HOST = "or leave release_traffic.subsets out: destinations by host need no such care"
UNSEEN = (
    "subsets: clients in other namespaces and clients that call pods by their addresses cannot be seen; they must follow the route, too"
)


@dataclass(frozen=True)
class Pair:
    """A DestinationRule's name, stable's subset, and the canary's if there is one."""

    rule: str
    stable: JSON
    canary: JSON | None

    def canary_value(self, key: str) -> str | None:
        """What the canary's subset asks of a label; None without one."""
        return (self.canary or {}).get("labels", {}).get(key)

    def made(self, name: str, canary: Canary) -> JSON:
        """The canary's subset as a release adds it: stable's, with its trafficPolicy, for the canary's pods."""
        return {**copy.deepcopy(self.stable), "name": name, "labels": {**self.stable["labels"], canary.key: canary.value}}


def find(session: Session, spec: Spec, deployment: JSON, service: JSON, problems: list[Problem]) -> Pair | None:
    """The DestinationRule and its subsets. Adds to problems."""
    asked, name = spec.subsets, service["metadata"]["name"]
    if asked is None:
        return None
    rules = [
        one
        for one in session.list(KIND, spec.namespace)
        if istio.names_service(one["spec"]["host"], spec.namespace, name, spec.namespace)
        and asked.destination_rule in (None, one["metadata"]["name"])
    ]
    if len(rules) != 1:
        names = ", ".join(one["metadata"]["name"] for one in rules) or "none"
        allowed = f"one {KIND} of namespace {spec.namespace} for host {name}; there is: {names}"
        problems.append(Problem(f"{FIELD}.destination_rule", asked.destination_rule, allowed))
        return None
    rule = rules[0]
    named = {one["name"]: one for one in rule["spec"].get("subsets") or []}
    stable = named.get(asked.stable)
    if stable is None:
        allowed = f"a subset of {KIND} {rule['metadata']['name']}: {', '.join(named) or 'it has none'}"
        problems.append(Problem(f"{FIELD}.stable", asked.stable, allowed))
        return None
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    if not stable.get("labels") or not selectors.matches({"matchLabels": stable["labels"]}, labels):
        allowed = f"a subset that selects {spec.workload}'s pods by their labels {labels}; this one selects {stable.get('labels')}"
        problems.append(Problem(f"{FIELD}.stable", asked.stable, allowed))
        return None
    if asked.canary not in named:
        problems += [Problem(FIELD, one.value, one.allowed) for one in reverted(rule, KIND)]
    return Pair(rule["metadata"]["name"], stable, named.get(asked.canary))


def fit(
    session: Session, spec: Spec, pair: Pair, canary: Canary, *, objects: tuple[JSON, JSON], place: Place, problems: list[Problem]
) -> None:
    """Whether the canary's subset is its pods', and nobody is seen who would pass the route by. objects: Deployment and Service."""
    deployment, service = objects
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    moved = {**labels, canary.key: canary.value}
    if pair.canary is not None:
        wanted = pair.canary.get("labels") or {}
        if not selectors.matches({"matchLabels": wanted}, moved) or selectors.matches({"matchLabels": wanted}, labels):
            allowed = (
                f"a subset that selects the new version's pods, {canary.key}={canary.value}, and not {spec.workload}'s; it selects {wanted}"
            )
            problems.append(Problem(f"{FIELD}.canary", pair.canary["name"], allowed))
    name = service["metadata"]["name"]
    if service["spec"].get("type") in ("NodePort", "LoadBalancer") or service["spec"].get("externalIPs"):
        what = f"type {service['spec'].get('type')} lets clients from outside pass the route by"
        problems.append(Problem(FIELD, name, f"a Service that only members of the mesh reach: {what}; make it a ClusterIP, {BY_HOST}"))
    if service["spec"].get("clusterIP") == "None":
        problems.append(
            Problem(FIELD, name, f"a Service with an address of its own: clients of a headless one choose pods themselves; {BY_HOST}")
        )
    routes = session.list(istio.KIND, spec.namespace)
    problems += [Problem(FIELD, where, allowed) for where, allowed in _other_ways(routes, place, pair, canary_subset(spec))]
    steered = next(one for one in routes if one["metadata"]["name"] == place.name)
    gateways = steered["spec"].get("gateways") or ["mesh"]
    problems += _outsiders(session.list("Pod", spec.namespace), service, in_mesh="mesh" in gateways, route=place.name)


def canary_subset(spec: Spec) -> str:
    """The canary subset's name."""
    return spec.subsets.canary if spec.subsets else ""


def _other_ways(routes: Iterable[JSON], place: Place, pair: Pair, canary: str) -> Iterator[tuple[str, str]]:
    """(rule, what is wrong) of every other rule that sends requests to the host without a subset, or to the canary's."""
    for route in routes:
        own = route["metadata"]["namespace"]
        for kind in ("http", "tcp", "tls"):
            for index, rule in enumerate(route["spec"].get(kind) or []):
                if route["metadata"]["name"] == place.name and kind == "http" and rule == place.original:
                    continue
                for target in [*(rule.get("route") or []), *(rule.get("mirrors") or [])]:
                    if not istio.names_service(target["destination"]["host"], own, place.service, own):
                        continue
                    subset = target["destination"].get("subset")
                    where = f"{route['metadata']['name']}/{rule.get('name', f'{kind}[{index}]')}"
                    if subset is None:
                        yield (
                            where,
                            f"rules that name a subset: {istio.KIND} {where} leads to the pods of both versions; name {pair.stable['name']}",
                        )
                    elif subset == canary:
                        yield where, f"no rule but the release's that leads to subset {canary}; {istio.KIND} {where} does"


def _outsiders(pods: Iterable[JSON], service: JSON, *, in_mesh: bool, route: str) -> list[Problem]:
    """Pods beside the Service's own whose requests to it would not follow the route."""
    found = set()
    for pod in pods:
        names = [one["name"] for one in pod["spec"].get("containers") or []]
        own = selectors.matches({"matchLabels": service["spec"]["selector"]}, pod["metadata"].get("labels") or {})
        ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if own or ended or names == ["istio-proxy"]:  # a gateway's pod is nothing but a proxy
            continue
        if proxy_of(pod["spec"]) is None:
            found.add((_owner(pod), "has no sidecar", f'inject one (sidecar.istio.io/inject: "true" in its pods\' labels), {BY_HOST}'))
        elif not in_mesh:
            fix = f"add mesh to gateways of {istio.KIND} {route}, {BY_HOST}"
            found.add((_owner(pod), f"is in the mesh, for which {istio.KIND} {route} does not hold", fix))
    name = service["metadata"]["name"]
    return [
        Problem(FIELD, name, f"a Service whose clients follow the route: {owner} {why}, so that it would get either version; {fix}")
        for owner, why, fix in sorted(found)
    ]


def _owner(pod: JSON) -> str:
    owner = next(iter(pod["metadata"].get("ownerReferences") or []), None)
    return f"{owner['kind']} {owner['name']}" if owner else f"Pod {pod['metadata']['name']}"
