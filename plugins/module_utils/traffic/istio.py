# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Istio's router: one http route of one VirtualService, changed by JSON Patches that test what they replace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ..cluster.errors import Conflict, Superseded, Unreachable
from ..cluster.patch import Operation, expect, pointer, remove, replace, set_annotation
from ..cluster.session import Session
from .route import EPOCH, Route, RouteEdited, RouteError

KIND = "VirtualService"
ATTEMPTS = 8
PAUSE_SECONDS = 0.5
JSON = dict[str, Any]


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


def choose(candidates: list[JSON], service: str, namespace: str, *, name: str | None, route: str | None) -> tuple[JSON, int]:
    """The VirtualService and the index of its http route that carry the service.

    name and route narrow the choice; without them there must be exactly one. Raises RouteError naming the choices.
    """
    found = [(vs, index) for vs in candidates for index in http_routes_to(vs, service, namespace) if name in (None, vs["metadata"]["name"])]
    if route is not None:
        found = [(vs, index) for vs, index in found if vs["spec"]["http"][index].get("name") == route]
    if len(found) == 1:
        return found[0]
    choices = ", ".join(f"{vs['metadata']['name']}/{vs['spec']['http'][i].get('name', f'http[{i}] (unnamed)')}" for vs, i in found)
    wanted = " ".join(filter(None, [name and f"called {name}", route and f"with an http route named {route}"]))
    if not found:
        raise RouteError(f"no VirtualService {wanted + ' ' if wanted else ''}in namespace {namespace} routes to Service {service}")
    raise RouteError(f"{len(found)} http routes lead to Service {service}: {choices}; name one with virtual_service and route")


def split(original: list[JSON], canary_host: str, canary_percent: int) -> list[JSON]:
    """The destination list that sends canary_percent to the canary; at 0 it is the original, untouched."""
    if canary_percent == 0:
        return copy.deepcopy(original)
    stable = copy.deepcopy(original[0])
    canary = copy.deepcopy(original[0])
    stable["weight"] = 100 - canary_percent
    canary["destination"]["host"] = canary_host
    canary["weight"] = canary_percent
    return [stable, canary]


def canary_host_of(stable_host: str, service: str) -> str:
    """The canary Service's host in the same form as stable's: shop.ns.svc -> shop-canary.ns.svc."""
    return f"{service}-canary{stable_host[len(service) :]}"


class IstioRouter:
    """Reads, changes and verifies the route of one service in one VirtualService.

    original is the destination list as it was before the release: one destination, stable's.
    """

    def __init__(
        self,
        session: Session,
        namespace: str,
        virtual_service: str,
        *,
        service: str,
        original: list[JSON],
        route: str | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._session = session
        self._namespace = namespace
        self._name = virtual_service
        self._service = service
        self._original = original
        self._route = route
        self._sleep = sleep
        self._refusal = ""
        self._canary_host = canary_host_of(original[0]["destination"]["host"], service)

    def read(self) -> Route:
        """The route as it stands. Raises RouteError when it is gone."""
        found, index = self._locate()
        return self._state(found, index)

    def claim(self, token: str, *, may_replace: Callable[[str], bool]) -> None:
        """Put our fence on the VirtualService; a fence of somebody else is replaced only when may_replace says so."""
        for _attempt in range(ATTEMPTS):
            found, _index = self._locate()
            fence = _fence(found)
            if fence == token:
                return
            if fence is not None and not may_replace(fence):
                raise RouteError(f"VirtualService {self._namespace}/{self._name} is held by another release ({fence})")
            version = expect("/metadata/resourceVersion", found["metadata"]["resourceVersion"])
            if self._try_patch([version, *set_annotation(found, EPOCH, token)]):
                return
        raise Unreachable(f"VirtualService {self._namespace}/{self._name} did not take our claim: {self._refusal}")

    def unclaim(self, token: str) -> None:
        """Take our fence away; nothing happens when it is not ours."""
        for _attempt in range(ATTEMPTS):
            found, _index = self._locate()
            if _fence(found) != token or self._try_patch([_holds(token), remove(pointer("metadata", "annotations", EPOCH))]):
                return

    def change(self, canary_percent: int, token: str) -> None:
        """Send canary_percent to the canary and read it back.

        Everything else in the VirtualService stays as it is. An answer that never came is settled by reading.
        Raises Superseded when the fence is not ours, RouteEdited when somebody changed the destinations.
        """
        wanted = split(self._original, self._canary_host, canary_percent)
        for _attempt in range(ATTEMPTS):
            found, index = self._locate()
            current = self._state(found, index)
            if current.fence != token:
                raise Superseded(f"VirtualService {self._namespace}/{self._name} is held by {current.fence or 'nobody'}, not by {token}")
            if current.destinations == wanted:
                return
            if current.canary_percent is None:
                raise RouteEdited(f"the destinations of {self._namespace}/{self._name} were edited: {current.destinations}")
            here = pointer("spec", "http", index, "route")
            self._try_patch([_holds(token), expect(here, current.destinations), replace(here, wanted)])
        raise Unreachable(
            f"VirtualService {self._namespace}/{self._name} did not take {canary_percent} % after {ATTEMPTS} attempts: {self._refusal}"
        )

    def give_back(self, token: str) -> Route:
        """Return all traffic to stable, whatever stands there now, as long as it still names the canary.

        A list that somebody else wrote without our canary is theirs and stays. Returns the route afterwards.
        """
        for _attempt in range(ATTEMPTS):
            found, index = self._locate()
            current = self._state(found, index)
            if current.fence != token:
                raise Superseded(f"VirtualService {self._namespace}/{self._name} is held by {current.fence or 'nobody'}, not by {token}")
            hosts = [d["destination"]["host"] for d in current.destinations]
            if self._canary_host not in hosts:
                return current
            here = pointer("spec", "http", index, "route")
            self._try_patch([_holds(token), expect(here, current.destinations), replace(here, self._original)])
        raise Unreachable(
            f"VirtualService {self._namespace}/{self._name} did not take the return of traffic after {ATTEMPTS} attempts: {self._refusal}"
        )

    def preview(self, canary_percent: int) -> tuple[JSON, JSON]:
        """The VirtualService before and after a change, as the API server would store it (dryRun=All)."""
        found, index = self._locate()
        here = pointer("spec", "http", index, "route")
        wanted = split(self._original, self._canary_host, canary_percent)
        operations = [expect(here, found["spec"]["http"][index]["route"]), replace(here, wanted)]
        return found, self._session.patch(KIND, self._namespace, self._name, operations, dry_run=True)

    def _locate(self) -> tuple[JSON, int]:
        found = self._session.find(KIND, self._namespace, self._name)
        if found is None:
            raise RouteEdited(f"VirtualService {self._namespace}/{self._name} is gone")
        rules = found["spec"].get("http") or []
        if self._route is not None:
            named = [index for index, rule in enumerate(rules) if rule.get("name") == self._route]
        else:
            named = [index for index, rule in enumerate(rules) if self._carries_service(rule)]
        if len(named) != 1:
            raise RouteEdited(f"VirtualService {self._namespace}/{self._name} has {len(named)} http routes where this release steered one")
        return found, named[0]

    def _carries_service(self, rule: JSON) -> bool:
        hosts = [d["destination"]["host"] for d in rule.get("route") or []]
        return self._original[0]["destination"]["host"] in hosts

    def _state(self, found: JSON, index: int) -> Route:
        destinations = found["spec"]["http"][index].get("route") or []
        percent = None
        if destinations == self._original:
            percent = 0
        elif len(destinations) == 2 and destinations[1]["destination"]["host"] == self._canary_host:
            candidate = int(destinations[1].get("weight") or 0)
            if destinations == split(self._original, self._canary_host, candidate):
                percent = candidate
        return Route(destinations, percent, _fence(found))

    def _try_patch(self, operations: list[Operation]) -> bool:
        """One attempt; False, after a pause, when the object changed meanwhile or no answer came: read again and see."""
        try:
            self._session.patch(KIND, self._namespace, self._name, operations)
        except (Conflict, Unreachable) as error:
            self._refusal = str(error)
            self._sleep(PAUSE_SECONDS)
            return False
        return True


def _fence(found: JSON) -> str | None:
    return (found["metadata"].get("annotations") or {}).get(EPOCH)


def _holds(token: str) -> Operation:
    return expect(pointer("metadata", "annotations", EPOCH), token)
