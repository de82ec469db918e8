# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One route of the shop for each kind of object that a router steers, as an API server stores it, amid rules of others."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.kinds import api_version
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Asked
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.providers import PROVIDERS
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH, Place, Route, fence_token
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

JSON = dict[str, Any]
NAMESPACE = "eu"
OURS = fence_token("shop-a1b2c3", 2)
SWITCH = "app"  # the label by which the Service tells stable's pods from the canary's


@dataclass(frozen=True)
class Mesh:
    """A kind of object. rules: the list in spec that holds the steered rule; targets and mirrors: the fields written in it."""

    name: str
    provider: str
    kind: str
    spec: JSON  # with other teams' rules
    steered: int = 1  # index of the rule, where there are rules
    rule: str | None = "main"
    rules: str = ""
    targets: str = ""
    mirrors: str = ""
    canary: JSON = field(default_factory=dict)  # the canary's destination
    elsewhere: JSON = field(default_factory=dict)  # a destination that is neither
    audit: JSON = field(default_factory=dict)  # a mirror, or another item of that list, that is not ours
    subsets: JSON | None = None  # stable's and the canary's, where both are one host

    @property
    def can(self) -> frozenset[str]:
        """What the router says it can do."""
        return PROVIDERS[self.provider].router.can

    @property
    def shares(self) -> tuple[int, ...]:
        """Shares that can be asked for."""
        return (1, 10, 50, 100) if "weight" in self.can else (100,)

    def object(self, *, fence: str | None = OURS, name: str = "shop", **changes: Any) -> JSON:
        """The object as its owners wrote it; changes replace fields of the steered rule (or of the spec, where there are no rules)."""
        annotations = {"team": "shop", **({EPOCH: fence} if fence else {})}
        found = {
            "apiVersion": api_version(self.kind),
            "kind": self.kind.partition(".")[0],
            "metadata": {"name": name, "namespace": NAMESPACE, "annotations": annotations, "labels": {"owner": "shop"}},
            "spec": copy.deepcopy(self.spec),
        }
        self.steered_of(found).update(copy.deepcopy(changes))
        return found

    def steered_of(self, found: JSON) -> JSON:
        """The steered rule of an object, or what stands for it."""
        return found["spec"][self.rules][self.steered] if self.rules else found["spec"]

    @property
    def original(self) -> JSON:
        """The steered rule as it was."""
        return copy.deepcopy(self.steered_of({"spec": self.spec}))

    def place(self, original: JSON | None = None) -> Place:
        """Where the route is kept, as a release finds it."""
        rule = SWITCH if self.provider == "service" else self.rule
        kept = original or self.original
        if self.provider == "service":
            kept = {"selector": kept["selector"]}
        return Place(self.provider, self.kind, "shop", rule, kept, "shop", "shop-canary", subsets=self.subsets)

    def router(self, api: FakeApi, *, original: JSON | None = None, sleep: Any = None, **asked: Any) -> Any:
        """The router of that place."""
        asked = {"matches": (), "sleep": sleep or api.sleep, **asked}
        return PROVIDERS[self.provider].router(api, NAMESPACE, self.place(original), **asked)

    def find(self, api: FakeApi, **asked: Any) -> Place:
        """What a release would find."""
        return PROVIDERS[self.provider].find(api, Asked(NAMESPACE, "shop", **{"switch_label": SWITCH, "subsets": self.subsets, **asked}))

    def leads_to_canary(self, router: Any, target: JSON) -> bool:
        """Whether a destination, as the router reads it, is the canary's."""
        if self.subsets:
            return router.leads_to(target, "shop") and target["destination"]["subset"] == self.subsets["canary"]
        return router.leads_to(target, "shop-canary")

    def split(self, percent: int) -> Any:
        """What stands in the steered field when the canary has percent of the traffic."""
        original = self.original[self.targets]
        if self.provider == "service":
            return {**original, SWITCH: "shop-canary"} if percent else original
        return [{**original[0], "weight": 100 - percent}, {**self.canary, "weight": percent}] if percent else original

    def stored(self, api: FakeApi) -> JSON:
        """The object on the server."""
        found = api.stored(self.kind, NAMESPACE, "shop")
        assert found is not None
        return found

    def written(self, api: FakeApi) -> Any:
        """The steered field on the server; everything else is asserted to be as its owners wrote it, byte for byte."""
        found, before = self.stored(api), self.object()
        written = self.steered_of(found).pop(self.targets)
        del self.steered_of(before)[self.targets]
        assert_same(found["spec"], before["spec"])
        assert {**found["metadata"]["annotations"], EPOCH: OURS} == before["metadata"]["annotations"]
        assert found["metadata"]["labels"] == before["metadata"]["labels"]
        return written

    def assert_untouched(self, api: FakeApi) -> None:
        """The whole spec is as its owners wrote it, byte for byte."""
        assert_same(self.stored(api)["spec"], self.spec)


def assert_same(found: Any, wanted: Any) -> None:
    """Compare as bytes, so that 1 and 1.0 or the order of keys differ, too."""
    assert json.dumps(found) == json.dumps(wanted)


class Served(FakeApi):
    """An API server whose meshes accept every route as soon as it is written, each in its own manner."""

    def __init__(self, *objects: JSON) -> None:
        super().__init__()
        self.controllers = [self.accept]
        for one in objects:
            self.put(one)

    def accept(self) -> None:
        """What Istio's and Linkerd's controllers write into the status of routes."""
        for (kind, namespace, _name), found in self.objects.items():
            if "parentRefs" in found["spec"]:
                found["status"] = {"parents": [said(found, one, namespace, kind) for one in found["spec"]["parentRefs"]]}


def said(route: JSON, parent: JSON, namespace: str, kind: str) -> JSON:
    """Linkerd fills in the namespace, calls the core group "core" and names no generation; Istio repeats the reference."""
    conditions = [{"type": one, "status": "True", "reason": one} for one in ("Accepted", "ResolvedRefs")]
    if kind.endswith("linkerd.io"):
        return {"parentRef": {**parent, "group": "core", "namespace": namespace}, "conditions": conditions}
    seen = {"observedGeneration": route["metadata"]["generation"]}
    return {"parentRef": copy.deepcopy(parent), "conditions": [{**one, **seen} for one in conditions]}


def backend(name: str, weight: int = 1) -> JSON:
    """A backendRef with the defaults that the API server fills in."""
    return {"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight}


SLASH = [{"path": {"type": "PathPrefix", "value": "/"}}]
ADMIN = [{"path": {"type": "PathPrefix", "value": "/admin"}}]
HEADERS = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-cell", "value": "eu"}]}}
AUDIT = {"type": "RequestMirror", "requestMirror": {"backendRef": {"group": "", "kind": "Service", "name": "audit", "port": 80}}}
GATEWAY = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateways", "sectionName": "http"}]
OF_SERVICE = [{"group": "core", "kind": "Service", "name": "shop", "port": 80}]


def http_route(parents: list[JSON], *, named: bool) -> JSON:
    """The shop's rule between two of other teams."""
    names = ("admin", "main", "last") if named else ()
    rules = [
        {"backendRefs": [backend("admin")], "filters": [HEADERS], "matches": ADMIN},
        {"backendRefs": [backend("shop")], "matches": SLASH, "timeouts": {"request": "3s"}},
        {"backendRefs": [backend("old", 3), backend("older", 7)], "matches": [{"path": {"type": "Exact", "value": "/old"}}]},
    ]
    for rule, name in zip(rules, names, strict=False):
        rule["name"] = name
    return {"hostnames": ["shop.example.com"], "parentRefs": parents, "rules": rules}


GRPC = {
    "parentRefs": GATEWAY,
    "rules": [
        {"backendRefs": [backend("health")], "matches": [{"method": {"service": "grpc.health.v1.Health", "type": "Exact"}}]},
        {"backendRefs": [backend("shop")], "filters": [HEADERS], "name": "main"},
        {"backendRefs": [backend("old", 3), backend("older", 7)], "name": "last"},
    ],
}
VIRTUAL_SERVICE = {
    "gateways": ["mesh"],
    "hosts": ["shop"],
    "http": [
        {
            "match": [{"uri": {"prefix": "/admin"}}],
            "name": "admin",
            "retries": {"attempts": 0},
            "route": [{"destination": {"host": "admin"}}],
        },
        {
            "name": "main",
            "retries": {"attempts": 2, "retryOn": "5xx"},
            "route": [{"destination": {"host": "shop", "port": {"number": 80}}, "headers": {"response": {"set": {"x-cell": "eu"}}}}],
            "timeout": "3s",
        },
        {"name": "last", "route": [{"destination": {"host": "old"}, "weight": 30}, {"destination": {"host": "older"}, "weight": 70}]},
    ],
    "tcp": [{"match": [{"port": 5432}], "route": [{"destination": {"host": "database"}}]}],
}
SERVICE = {
    "clusterIP": "10.0.0.7",
    "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
    "selector": {"app": "shop", "tier": "web"},
    "sessionAffinity": "None",
}
ISTIO_CANARY = {"destination": {"host": "shop-canary", "port": {"number": 80}}, "headers": {"response": {"set": {"x-cell": "eu"}}}}
BACKENDS = {
    "rules": "rules",
    "targets": "backendRefs",
    "mirrors": "filters",
    "canary": backend("shop-canary"),
    "elsewhere": backend("else"),
}

ISTIO = Mesh(
    "istio", "istio", "VirtualService", VIRTUAL_SERVICE, rules="http", targets="route", mirrors="mirrors", canary=ISTIO_CANARY,
    elsewhere={"destination": {"host": "else"}}, audit={"destination": {"host": "audit"}},
)  # fmt: skip
BY_SUBSET = copy.deepcopy(VIRTUAL_SERVICE)
BY_SUBSET["http"][1]["route"][0]["destination"]["subset"] = "v1"
SUBSETS = Mesh(
    "istio_subsets", "istio", "VirtualService", BY_SUBSET, rules="http", targets="route", mirrors="mirrors",
    canary={**ISTIO_CANARY, "destination": {"host": "shop", "port": {"number": 80}, "subset": "v2"}},
    elsewhere={"destination": {"host": "else"}}, audit={"destination": {"host": "audit"}}, subsets={"stable": "v1", "canary": "v2"},
)  # fmt: skip
HTTP = Mesh("http_route", "gateway_api", "HTTPRoute", http_route(GATEWAY, named=True), audit=AUDIT, **BACKENDS)
GRPC_ROUTE = Mesh("grpc_route", "gateway_api", "GRPCRoute", GRPC, audit=AUDIT, **BACKENDS)
LINKERD_3, LINKERD_2 = (
    Mesh(
        f"linkerd_{version}", "linkerd", f"HTTPRoute.{version}.policy.linkerd.io", http_route(OF_SERVICE, named=False), rule=None,
        audit=HEADERS, **BACKENDS,
    )
    for version in ("v1beta3", "v1beta2")
)  # fmt: skip
SELECTOR = Mesh("service", "service", "Service", SERVICE, rule=None, targets="selector")

MESHES = (ISTIO, SUBSETS, HTTP, GRPC_ROUTE, LINKERD_3, LINKERD_2, SELECTOR)
WITH_RULES = tuple(one for one in MESHES if one.rules)
WITH_PARENTS = tuple(one for one in MESHES if "parentRefs" in one.spec)
WITH_MIRRORS = tuple(one for one in MESHES if "mirror" in one.can)


def some_route(mesh: Mesh) -> Route:
    """A share that the mesh can give."""
    return Route(mesh.shares[-2] if len(mesh.shares) > 1 else 100)
