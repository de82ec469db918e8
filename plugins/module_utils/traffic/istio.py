# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's router: one http route of one VirtualService."""

from __future__ import annotations

import copy
import re
from typing import Any

from ..cluster.session import Session
from ..release.values import Problem
from .place import Asked, Unusable, choose, reverted, rule_name
from .route import CANARY, Condition, Match, Place, canary_host_of
from .rules import RuleRouter

KIND = "VirtualService"
SET_COOKIE = "set-cookie"
GROUPS = {"header": "headers", "query": "queryParams"}
JSON = dict[str, Any]


class IstioRouter(RuleRouter):
    """One http route: its destinations' weights, its mirrors, and a route of its own for matched requests."""

    provider = "istio"
    can = frozenset({"weight", "match", "mirror", "sticky", "switch"})
    rules_key = "http"
    targets_key = "route"
    mirrors_key = "mirrors"
    matches_key = "match"
    unweighted = 0

    def leads_to(self, target: JSON, service: str) -> bool:
        """By the destination's host, short or long."""
        return names_service(target["destination"]["host"], self._namespace, service, self._namespace)

    def canary_target(self, target: JSON) -> JSON:
        """Stable's destination with the canary's host, or its subset."""
        if self.place.subsets:
            target["destination"]["subset"] = self.place.subsets["canary"]
            return target
        target["destination"]["host"] = canary_host_of(target["destination"]["host"], self.place.service, self.place.canary)
        return target

    def _is_canary(self, target: JSON) -> bool:
        """By its host or, where both are one host, by its subset."""
        if not self.place.subsets:
            return super()._is_canary(target)
        return self.leads_to(target, self.place.service) and target["destination"].get("subset") == self.place.subsets["canary"]

    def mirror(self, canary: JSON, percent: int) -> JSON:
        """One of mirrors."""
        return {"destination": canary["destination"], "percentage": {"value": percent}}

    def mirrored(self, item: JSON) -> tuple[JSON, int] | None:
        """Every item of mirrors is a mirror."""
        return {"destination": item["destination"]}, round((item.get("percentage") or {}).get("value", 100))

    def match_rule(self, target: JSON, matches: tuple[Match, ...], suffix: str = CANARY) -> JSON:
        """The original route with each of its matches narrowed by each of ours."""
        rule = copy.deepcopy(self.place.original)
        own = rule.get("match") or [{}]
        rule["match"] = [self.narrowed(one, match.conditions) for match in matches for one in own]
        rule["route"] = [target]
        rule.pop("name", None)
        return {"name": self.match_name(self.place.original, suffix), "match": rule.pop("match"), **rule}

    def match_name(self, rule: JSON, suffix: str = CANARY) -> str:
        """The rule's name, or the Service's, and the suffix."""
        return (rule.get("name") or self.place.service) + suffix

    def setting(self, target: JSON, cookie: str) -> JSON:
        """Added, not set: a set header would take the place of the application's own cookies."""
        target.setdefault("headers", {}).setdefault("response", {}).setdefault("add", {})[SET_COOKIE] = cookie
        return target

    def narrowed(self, match: JSON, conditions: tuple[Condition, ...]) -> JSON:
        """headers and queryParams are dictionaries."""
        narrowed = copy.deepcopy(match)
        for one in conditions:
            prefix_of_query = (one.source, one.how) == ("query", "prefix")  # Istio compares queries exactly or by regex
            wanted = {"regex": f"{re.escape(one.value)}.*"} if prefix_of_query else {one.how: one.value}
            narrowed.setdefault(_group(one), {})[_name(one)] = wanted
        return narrowed

    def added(self, narrowed: JSON, match: JSON) -> tuple[Condition, ...]:
        """Headers and queries that match does not have."""
        return tuple(
            Condition(source, name, how, value)
            for source, group in GROUPS.items()
            for name, wanted in (narrowed.get(group) or {}).items()
            if name not in (match.get(group) or {})
            for how, value in wanted.items()
        )


def _group(condition: Condition) -> str:
    return GROUPS[condition.source]


def _name(condition: Condition) -> str:
    return condition.name.lower() if condition.source == "header" else condition.name


def _sets_cookie(target: JSON) -> bool:
    added = ((target.get("headers") or {}).get("response") or {}).get("add") or {}
    return SET_COOKIE in map(str.lower, added)


def names_service(host: str, vs_namespace: str, service: str, namespace: str) -> bool:
    """Whether a destination host names this Service, in any of the forms Istio accepts."""
    if host == service:
        return vs_namespace == namespace
    return host in (f"{service}.{namespace}", f"{service}.{namespace}.svc") or host.startswith(f"{service}.{namespace}.svc.")


def http_routes_to(virtual_service: JSON, service: str, namespace: str) -> list[int]:
    """Indexes of the http routes that send traffic to the Service."""
    own = virtual_service["metadata"]["namespace"]
    routes = virtual_service["spec"].get("http") or []
    return [
        index
        for index, rule in enumerate(routes)
        if any(names_service(d["destination"]["host"], own, service, namespace) for d in rule.get("route") or [])
    ]


def find(session: Session, asked: Asked) -> Place:
    """The one http route that leads to the service. Raises Unusable when there is none, or when a release cannot steer it."""
    found, index = choose(session.list(KIND, asked.namespace), asked, kind=KIND, rules_key="http", rules_to=http_routes_to)
    rule, where = found["spec"]["http"][index], rule_name(found, index, "http")
    problems = reverted(found, KIND) if asked.steers else []
    if len(rule["route"]) != 1:
        hosts = ", ".join(d["destination"]["host"] for d in rule["route"])
        allowed = f"a route with one destination, stable's; this one has {len(rule['route'])}: {hosts}"
        problems.append(Problem("release_traffic.route", where, allowed))
    else:
        problems += _subset(asked, where, rule["route"][0]["destination"].get("subset"))
    if "mirror" in rule and asked.mirrors:
        problems.append(Problem("release_traffic.route", where, "a route that mirrors by mirrors; this one has the older field mirror"))
    problems += [
        Problem(option, str(match), f"no {one.source} that {where} matches itself")
        for option, match in asked.narrowing
        for one in match.conditions
        if any(_name(one) in (own.get(_group(one)) or {}) for own in rule.get("match") or [])
    ]
    if asked.sticky and any(_sets_cookie(one) for one in rule["route"]):
        problems.append(Problem("release_ab.cookie", asked.sticky.cookie, f"a route that adds no {SET_COOKIE} header itself; {where} does"))
    if problems:
        raise Unusable(problems)
    if asked.object_name is None:
        asked.notes.append(f"release_traffic: {KIND} {where} (the only route to Service {asked.service})")
    canary = asked.service + CANARY
    return Place(
        IstioRouter.provider, KIND, found["metadata"]["name"], rule.get("name"), rule, asked.service, canary, subsets=asked.subsets
    )


def _subset(asked: Asked, where: str, subset: str | None) -> list[Problem]:
    """Whether the route's destination is what a release begins from: the host alone, or stable's subset of it."""
    wanted = asked.subsets["stable"] if asked.subsets else None
    if subset == wanted:
        return []
    if wanted is None:
        allowed = f"a route to a host without subset; this one names {subset}: say so in release_traffic.subsets"
        return [Problem("release_traffic.route", where, allowed)]
    leads = f"names {subset}" if subset else "names none and leads to the pods of every version"
    return [Problem("release_traffic.route", where, f"a route to subset {wanted}; this one {leads}; set subset: {wanted} in it")]
