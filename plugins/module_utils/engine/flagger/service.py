# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""spec.service of a Canary: what is to stay of the Service and of the route that Flagger writes anew. Pure.

Flagger owns the Service, its -primary and -canary beside it, and the route of the Service's name; all that it does not know of them is
lost. So what it can say is copied from what is there, and what it cannot say is refused before anything changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...release.spec import Spec
from ...release.values import Problem

JSON = dict[str, Any]
PROVIDERS = {"istio": "istio", "gateway_api": "gatewayapi:v1", "linkerd": "gatewayapi:v1"}  # as Flagger spells them
KINDS = {"istio": "VirtualService", "gateway_api": "HTTPRoute", "linkerd": "HTTPRoute"}
OPTIONS = {"VirtualService": "release_traffic.virtual_service", "HTTPRoute": "release_traffic.http_route"}
RULES = {"VirtualService": "http", "HTTPRoute": "rules"}
COPIED = ("match", "timeout", "retries", "headers", "corsPolicy", "rewrite")  # of Istio's http route
PLAIN_RULE = {"VirtualService": {*COPIED, "name", "route"}, "HTTPRoute": {"name", "matches", "backendRefs"}}
PLAIN_SPEC = {"VirtualService": {"hosts", "gateways", "http"}, "HTTPRoute": {"parentRefs", "hostnames", "rules"}}
PLAIN_PATH = [{"path": {"type": "PathPrefix", "value": "/"}}]  # what Flagger writes where nothing else is asked for
COPIED_MARKS = ("labels", "annotations")


def service(spec: Spec, found: JSON, route: JSON | None, rules: Iterable[JSON], problems: list[Problem]) -> JSON:
    """spec.service from the Service, the route of its name (None: there is none) and Istio's DestinationRules. Adds to problems."""
    name = found["metadata"]["name"]
    made: JSON = {"name": name, **_port(found, problems)}
    kind = KINDS[spec.provider]
    if route is not None:
        made |= _istio(route, problems) if kind == "VirtualService" else _gateway(route, problems)
    elif spec.provider == "gateway_api":
        allowed = f"an HTTPRoute {name}, whose parentRefs and hostnames Flagger shall have: there is none"
        problems.append(Problem(OPTIONS[kind], spec.route_object, allowed))
    if spec.provider == "linkerd" and route is None:
        made["gatewayRefs"] = [{"group": "core", "kind": "Service", "name": name, "port": made.get("port")}]
    if spec.provider == "istio":
        made |= _policy(name, spec.namespace, rules, problems)
    return made


def named_otherwise(spec: Spec, name: str, routes: Iterable[JSON]) -> list[Problem]:
    """Routes that lead to the Service under another name than its own: Flagger would write a second one beside them."""
    kind = KINDS[spec.provider]
    found = []
    for one in routes:
        own = one["metadata"]["name"]
        if own != name and name in _backends(one, kind):
            allowed = (
                f"a {kind} called {name}: Flagger writes one of that name, and two would claim the same requests; rename or delete {own}"
            )
            found.append(Problem(OPTIONS[kind], own, allowed))
    return found


def _backends(route: JSON, kind: str) -> set[str]:
    """The Services, by name alone, that a route sends requests to."""
    hosts: set[str] = set()
    for rule in route["spec"].get(RULES[kind]) or []:
        for one in rule.get("route") or rule.get("backendRefs") or []:
            host = (one.get("destination") or {}).get("host") if kind == "VirtualService" else one.get("name")
            hosts.add(str(host or "").partition(".")[0])
    return hosts


def _port(found: JSON, problems: list[Problem]) -> JSON:
    ports = found["spec"].get("ports") or []
    if len(ports) != 1:
        names = ", ".join(str(one.get("port")) for one in ports) or "none"
        problems.append(
            Problem("release_traffic.service", found["metadata"]["name"], f"a Service with one port: Flagger writes one; {names}")
        )
        return {"port": ports[0]["port"]} if ports else {}
    port = ports[0]
    made = {"port": port["port"], "targetPort": port.get("targetPort", port["port"])}
    return made | {key: port[theirs] for key, theirs in (("portName", "name"), ("appProtocol", "appProtocol")) if port.get(theirs)}


def _unknown(route: JSON, problems: list[Problem]) -> JSON:
    """The one rule of a route; what Flagger would not write again is refused with its path."""
    kind = route["kind"] if route.get("kind") in KINDS.values() else "HTTPRoute"
    field, name, key = OPTIONS[kind], route["metadata"]["name"], RULES[kind]
    lost = "would be lost: Flagger writes the route anew; take it out, put it into another object, or adopt a Canary"
    for extra in sorted(set(route["spec"]) - PLAIN_SPEC[kind]):
        problems.append(Problem(field, name, f"a {kind} without spec.{extra}, which {lost}"))
    rules: list[JSON] = route["spec"].get(key) or []
    if len(rules) != 1:
        problems.append(Problem(field, name, f"a {kind} with one rule; the others of spec.{key} ({len(rules)} in all) {lost}"))
    rule = rules[0] if rules else {}
    for extra in sorted(set(rule) - PLAIN_RULE[kind]):
        problems.append(Problem(field, name, f"a {kind} without spec.{key}[0].{extra}, which {lost}"))
    return rule


def _istio(route: JSON, problems: list[Problem]) -> JSON:
    rule = _unknown({**route, "kind": "VirtualService"}, problems)
    made = {key: route["spec"][key] for key in ("hosts", "gateways") if route["spec"].get(key)}
    made |= {key: rule[key] for key in COPIED if rule.get(key)}
    if any((one.get("destination") or {}).get("subset") for one in rule.get("route") or []):
        allowed = "a VirtualService whose destination has no subset: Flagger's destinations are Services of its own"
        problems.append(Problem(OPTIONS["VirtualService"], route["metadata"]["name"], allowed))
    return made | _marks(route)


def _gateway(route: JSON, problems: list[Problem]) -> JSON:
    rule = _unknown({**route, "kind": "HTTPRoute"}, problems)
    if rule.get("matches") not in (None, [], PLAIN_PATH):
        allowed = "an HTTPRoute whose rule matches every path: Flagger spells matches in Istio's words; adopt a Canary that has them"
        problems.append(Problem(OPTIONS["HTTPRoute"], route["metadata"]["name"], allowed))
    made: JSON = {"gatewayRefs": route["spec"].get("parentRefs") or []}
    if route["spec"].get("hostnames"):
        made["hosts"] = route["spec"]["hostnames"]
    return made | _marks(route)


def _marks(route: JSON) -> JSON:
    """Labels of the route: Flagger replaces them by those of spec.service.apex."""
    labels = route["metadata"].get("labels") or {}
    return {"apex": {"labels": labels}} if labels else {}


def _policy(name: str, namespace: str, rules: Iterable[JSON], problems: list[Problem]) -> JSON:
    """The trafficPolicy of the Service's DestinationRule, which Flagger gives to those of its own."""
    hosts = (name, f"{name}.{namespace}", f"{name}.{namespace}.svc", f"{name}.{namespace}.svc.cluster.local")
    own = [one for one in rules if one["spec"].get("host") in hosts]
    for one in own:
        if one["spec"].get("subsets"):
            allowed = f"a Service whose DestinationRule has no subsets; {one['metadata']['name']} has: Flagger's destinations are Services"
            problems.append(Problem("release_traffic.service", name, allowed))
    policies = [one["spec"]["trafficPolicy"] for one in own if one["spec"].get("trafficPolicy")]
    return {"trafficPolicy": policies[0]} if policies else {}
