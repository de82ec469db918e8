# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route that Flagger writes: how much of it the canary has, and how all of it gets back to the primary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...cluster.errors import ClusterError, Conflict
from ...cluster.patch import Operation, expect, pointer, replace
from ...cluster.session import Session
from .metrics import PRIMARY

JSON = dict[str, Any]
CANARY = "-canary"
ATTEMPTS = 8
PAUSE_SECONDS = 0.2
VIRTUAL_SERVICE, HTTP_ROUTE, NONE = "VirtualService", "HTTPRoute", ""


@dataclass(frozen=True)
class Place:
    """Where a Canary's route is kept. kind: NONE where only Services carry it (Flagger's provider kubernetes)."""

    kind: str
    namespace: str
    service: str

    def __str__(self) -> str:
        return f"{self.kind} {self.service}" if self.kind else f"Service {self.service}"


@dataclass(frozen=True)
class _Share:
    """One list of destinations that names the canary."""

    path: tuple[str | int, ...]
    destinations: list[JSON]
    canary: int
    home: list[JSON]


def kind_of(session: Session, canary: JSON, service: str) -> str | None:
    """The kind of a Canary's route; None for a provider that has no router here."""
    provider = canary["spec"].get("provider") or ""
    if provider == "istio":
        return VIRTUAL_SERVICE
    if provider.startswith("gatewayapi"):
        return HTTP_ROUTE
    if provider == "kubernetes":
        return NONE
    if provider:
        return None
    namespace = canary["metadata"]["namespace"]
    return next((kind for kind in (VIRTUAL_SERVICE, HTTP_ROUTE) if session.find(kind, namespace, service)), None)


def percent(session: Session, place: Place) -> int | None:
    """The canary's share as the route says it; None where there is no route. Of an A/B test, the share of the matched requests."""
    if not place.kind:
        return 0
    found = session.find(place.kind, place.namespace, place.service)
    return None if found is None else max((one.canary for one in _shares(found, place)), default=0)


def put_home(session: Session, place: Place, sleep: Callable[[float], None]) -> bool:
    """Give all traffic to the primary and read it back; whether anything was to be done. Raises ClusterError when it does not stay."""
    changed = False
    for _attempt in range(ATTEMPTS if place.kind else 0):
        found = session.find(place.kind, place.namespace, place.service)
        away = [one for one in _shares(found, place) if one.canary] if found else []
        if not away:
            return changed
        try:
            session.patch(place.kind, place.namespace, place.service, [op for one in away for op in _home(one)])
            changed = True
        except Conflict:
            sleep(PAUSE_SECONDS)
    if place.kind:
        raise ClusterError(f"{place} does not keep all traffic on the primary: somebody writes to it all the time")
    return changed


def to_service(session: Session, place: Place, sleep: Callable[[float], None]) -> bool:
    """Give all traffic to the Service itself, as before Flagger came; whether anything was to be done. Raises ClusterError."""
    for _attempt in range(ATTEMPTS if place.kind else 0):
        found = session.find(place.kind, place.namespace, place.service)
        away = _shares(found, place) if found else []
        if not away:
            return False
        try:
            session.patch(place.kind, place.namespace, place.service, [op for one in away for op in _by_service(one, place)])
            return True
        except Conflict:
            sleep(PAUSE_SECONDS)
    if place.kind:
        raise ClusterError(f"{place} could not be led to Service {place.service}: somebody writes to it all the time")
    return False


def _by_service(share: _Share, place: Place) -> list[Operation]:
    path = pointer("spec", *share.path)
    primary = next(one for one in share.destinations if _name(one) == place.service + PRIMARY)
    if "destination" in primary:
        host = place.service + primary["destination"]["host"][len(place.service + PRIMARY) :]
        own = {**primary, "destination": {**primary["destination"], "host": host}, "weight": 100}
    else:
        own = {**primary, "name": place.service, "weight": 100}
    return [expect(path, share.destinations), replace(path, [own])]


def _home(share: _Share) -> list[Operation]:
    path = pointer("spec", *share.path)
    return [expect(path, share.destinations), replace(path, share.home)]


def _shares(found: JSON, place: Place) -> list[_Share]:
    """Every list of destinations that has both primary and canary."""
    rules, key = ("http", "route") if place.kind == VIRTUAL_SERVICE else ("rules", "backendRefs")
    shares = []
    for index, rule in enumerate(found["spec"].get(rules) or []):
        listed: list[JSON] = rule.get(key) or []
        names = [_name(one) for one in listed]
        if place.service + CANARY in names and place.service + PRIMARY in names:
            weights = {place.service + CANARY: 0, place.service + PRIMARY: 100}
            now = int(listed[names.index(place.service + CANARY)].get("weight") or 0)
            home = [{**one, "weight": weights.get(name, one.get("weight", 0))} for one, name in zip(listed, names)]
            shares.append(_Share((rules, index, key), listed, now, home))
    return shares


def _name(destination: JSON) -> str:
    host = (destination.get("destination") or {}).get("host") or destination.get("name") or ""
    return str(host).partition(".")[0]
