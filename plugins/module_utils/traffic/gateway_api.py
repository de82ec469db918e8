# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway API's router: one rule of an HTTPRoute or a GRPCRoute, whose parents are Gateways or Services."""

from __future__ import annotations

import copy
import re
from typing import Any

from ..cluster.session import Session
from ..release.values import Problem
from .place import Asked, Unusable, choose, reverted, rule_name
from .route import CANARY, Condition, Match, Place
from .rules import RuleRouter

JSON = dict[str, Any]
KINDS = ("HTTPRoute", "GRPCRoute")
SET_COOKIE = "Set-Cookie"
MODIFIER = "ResponseHeaderModifier"
GROUPS = {"header": "headers", "query": "queryParams"}
HOW = {"exact": "Exact", "regex": "RegularExpression", "prefix": "RegularExpression"}


class GatewayRouter(RuleRouter):
    """One rule: its backends' weights, its mirror filters, and a rule of its own for matched requests.

    The rule with more header and query matches wins over the others of its path, whatever their order (Gateway API,
    HTTPRouteRule.matches), so matched requests go first.
    """

    provider = "gateway_api"
    can = frozenset({"weight", "match", "mirror", "sticky", "switch"})
    rules_key = "rules"
    targets_key = "backendRefs"
    mirrors_key = "filters"
    matches_key = "matches"
    unweighted = 1

    def leads_to(self, target: JSON, service: str) -> bool:
        """By the backend's kind, name and namespace."""
        return _is_service(target, self._namespace, service, self._namespace)

    def canary_target(self, target: JSON) -> JSON:
        """Stable's backend with the canary's Service."""
        target["name"] = self.place.canary
        return target

    def mirror(self, canary: JSON, percent: int) -> JSON:
        """A RequestMirror filter."""
        backend = {key: value for key, value in canary.items() if key in ("group", "kind", "name", "namespace", "port")}
        return {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}}

    def mirrored(self, item: JSON) -> tuple[JSON, int] | None:
        """What a RequestMirror filter copies; other filters are none of ours."""
        found = item.get("requestMirror")
        return (found["backendRef"], int(found.get("percent", 100))) if found else None

    def match_rule(self, target: JSON, matches: tuple[Match, ...], suffix: str = CANARY) -> JSON:
        """The original rule with each of its matches narrowed by each of ours."""
        rule = copy.deepcopy(self.place.original)
        own = rule.get("matches") or [{}]
        rule["matches"] = [self.narrowed(one, match.conditions) for match in matches for one in own]
        rule["backendRefs"] = [{**target, "weight": 1}]
        if name := self.match_name(rule, suffix):
            rule["name"] = name
        return rule

    def match_name(self, rule: JSON, suffix: str = CANARY) -> str | None:
        """The rule's name and the suffix; rules need no names."""
        return rule["name"] + suffix if rule.get("name") else None

    def setting(self, target: JSON, cookie: str) -> JSON:
        """In the backend's ResponseHeaderModifier filter, of which it may have one."""
        filters = target.setdefault("filters", [])
        found = next((one for one in filters if one["type"] == MODIFIER), None)
        if found is None:
            filters.append(found := {"type": MODIFIER, "responseHeaderModifier": {}})
        found["responseHeaderModifier"].setdefault("add", []).append({"name": SET_COOKIE, "value": cookie})
        return target

    def narrowed(self, match: JSON, conditions: tuple[Condition, ...]) -> JSON:
        """headers and queryParams are lists."""
        narrowed = copy.deepcopy(match)
        for one in conditions:
            value = f"{re.escape(one.value)}.*" if one.how == "prefix" else one.value
            narrowed.setdefault(_group(one), []).append({"name": one.name, "type": HOW[one.how], "value": value})
        return narrowed

    def added(self, narrowed: JSON, match: JSON) -> tuple[Condition, ...]:
        """Headers and queries behind those of match."""
        return tuple(
            Condition(source, one["name"], "regex" if one.get("type") == HOW["regex"] else "exact", one["value"])
            for source, group in GROUPS.items()
            for one in (narrowed.get(group) or [])[len(match.get(group) or []) :]
        )

    def unserved(self, found: JSON) -> str | None:
        """The first parent that has not accepted this generation of the route, or cannot resolve its backends."""
        return unserved(found)


def unserved(route: JSON) -> str | None:
    """Why a parent does not serve the route as it is stored, None when all do (conditions of RouteStatus)."""
    own, statuses, parents = (
        route["metadata"]["namespace"],
        (route.get("status") or {}).get("parents") or [],
        route["spec"].get("parentRefs"),
    )
    if not parents:
        return "it names no parent in parentRefs"
    for parent in parents:
        name = f"{parent.get('kind', 'Gateway')} {parent['name']}"
        said = [one for one in statuses if _parent(one["parentRef"], own) == _parent(parent, own)]
        if not said:
            return f"no controller has answered for its parent {name}"
        for status in said:
            conditions = {one["type"]: one for one in status.get("conditions") or []}
            for kind in ("Accepted", "ResolvedRefs"):
                one = conditions.get(kind, {"status": "Unknown", "reason": "NotReported"})
                if one["status"] != "True":
                    return f"{kind} is {one['status']} for its parent {name}: {one.get('reason')}: {one.get('message', '')}".rstrip(": ")
                if one.get("observedGeneration", route["metadata"]["generation"]) < route["metadata"]["generation"]:
                    return f"its parent {name} has not seen generation {route['metadata']['generation']} yet"
    return None


def _parent(reference: JSON, own: str) -> tuple[Any, ...]:
    """What a parentRef refers to. Controllers fill in what a route leaves out: the namespace, and "core" for the core group."""
    where = (reference.get("kind", "Gateway"), reference.get("namespace") or own, reference["name"])
    return (*where, reference.get("sectionName"), reference.get("port"))


def _group(condition: Condition) -> str:
    return GROUPS[condition.source]


def _name(condition: Condition, name: str | None = None) -> str:
    """Names as they compare: headers in any case, query parameters as they are written."""
    found = condition.name if name is None else name
    return found.lower() if condition.source == "header" else found


def rules_to(route: JSON, service: str, namespace: str) -> list[int]:
    """Indexes of the rules that send traffic to the Service."""
    own = route["metadata"]["namespace"]
    return [
        index
        for index, rule in enumerate(route["spec"].get("rules") or [])
        if any(_is_service(one, own, service, namespace) for one in rule.get("backendRefs") or [])
    ]


def _is_service(backend: JSON, own: str, service: str, namespace: str) -> bool:
    """Whether a backend of a route in namespace own is that Service."""
    return backend.get("kind", "Service") == "Service" and (backend["name"], backend.get("namespace", own)) == (service, namespace)


def find(session: Session, asked: Asked) -> Place:
    """The one rule that leads to the service, of an HTTPRoute or a GRPCRoute. Raises Unusable."""
    kinds = KINDS if asked.object_kind is None else (asked.object_kind,)
    candidates: dict[str, list[JSON]] = {kind: session.list(kind, asked.namespace) for kind in kinds}
    leading = [kind for kind, found in candidates.items() if any(rules_to(one, asked.service, asked.namespace) for one in found)]
    if len(leading) > 1:
        allowed = f"one route: an HTTPRoute and a GRPCRoute lead to Service {asked.service}; name one with http_route or grpc_route"
        raise Unusable([Problem("release_traffic", None, allowed)])
    kind = (leading or list(kinds))[0]
    return place(GatewayRouter.provider, kind, candidates[kind], asked)


def place(provider: str, kind: str, candidates: list[JSON], asked: Asked) -> Place:
    """The one rule among candidates, checked: one backend, parents that serve it. Raises Unusable."""
    found, index = choose(candidates, asked, kind=kind, rules_key="rules", rules_to=rules_to)
    rule, where, meta = found["spec"]["rules"][index], rule_name(found, index, "rules"), found["metadata"]
    problems = reverted(found, kind) if asked.steers else []
    if len(rule["backendRefs"]) != 1:
        names = ", ".join(one["name"] for one in rule["backendRefs"])
        allowed = f"a rule with one backend, stable's; this one has {len(rule['backendRefs'])}: {names}"
        problems.append(Problem("release_traffic.route", where, allowed))
    why = unserved(found)
    if why and asked.steers:
        allowed = f"a {kind} that is served: {why}; kubectl -n {asked.namespace} describe {kind.lower()} {meta['name']}"
        problems.append(Problem("release_traffic", meta["name"], allowed))
    for option, match in asked.narrowing:
        for one in match.conditions:
            if kind == "GRPCRoute" and one.source == "query":
                problems.append(Problem("release_match", str(match), "headers only: a GRPCRoute knows no query parameters"))
            elif any(_name(one) == _name(one, own["name"]) for has in rule.get("matches") or [] for own in has.get(_group(one)) or []):
                problems.append(Problem(option, str(match), f"no {one.source} that {where} matches itself"))
    if asked.sticky:
        problems += _no_cookies(kind, where, rule, asked.sticky.cookie)
    if problems:
        raise Unusable(problems)
    if asked.object_name is None:
        asked.notes.append(f"release_traffic: {kind} {where} (the only route to Service {asked.service})")
    return Place(provider, kind, meta["name"], rule.get("name"), rule, asked.service, asked.service + CANARY)


def _no_cookies(kind: str, where: str, rule: JSON, cookie: str) -> list[Problem]:
    """Why the answers of a rule's backends cannot be given a cookie."""
    if kind == "GRPCRoute":
        return [Problem("release_ab.cookie", cookie, "an HTTPRoute or a VirtualService: clients of a GRPCRoute keep no cookies")]
    filters = [one for backend in rule["backendRefs"] for one in backend.get("filters") or []]
    added = [one["name"].lower() for item in filters for one in (item.get("responseHeaderModifier") or {}).get("add") or []]
    if SET_COOKIE.lower() in added:
        return [Problem("release_ab.cookie", cookie, f"a rule that adds no {SET_COOKIE} header itself; {where} does")]
    return []
