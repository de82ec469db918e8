# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shop behind one route of each provider on the double of the API server, for the verbs of a route."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.release.record import LABEL
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

LINKERD = "HTTPRoute.v1beta3.policy.linkerd.io"
ISTIO_RULES = [
    {"name": "admin", "match": [{"uri": {"prefix": "/admin"}}], "route": [{"destination": {"host": "admin"}}]},
    {"name": "main", "route": [{"destination": {"host": "shop"}}], "retries": {"attempts": 2}},
]
HTTP_RULES = [
    {"matches": [{"path": {"type": "PathPrefix", "value": "/admin"}}], "backendRefs": [{"name": "admin", "port": 80, "weight": 1}]},
    {"backendRefs": [{"name": "shop", "port": 80, "weight": 1}], "timeouts": {"request": "3s"}},
]
PARENT = {"kind": "Service", "name": "shop", "group": "core"}
OBJECTS = {  # provider -> the object that holds its route
    "istio": ("VirtualService", {"hosts": ["shop"], "http": ISTIO_RULES}),
    "gateway_api": ("HTTPRoute", {"parentRefs": [{"name": "gateway"}], "rules": HTTP_RULES}),
    "linkerd": (LINKERD, {"parentRefs": [PARENT], "rules": HTTP_RULES}),
    "service": ("Service", {"selector": {"app": "shop"}, "ports": [{"port": 80}]}),
}
HOME = {"weight_percent": 0, "matches": [], "mirror_percent": 0}
QA = [{"headers": {"x-team": "qa"}}]
QA_READ = [{"headers": {"x-team": {"exact": "qa"}}}]


STATES: dict[str, list[dict[str, Any]]] = {  # what each provider can do
    "istio": [{"weight": 25}, {"weight": 100}, {"match": QA}, {"mirror": 10}, {"weight": 5, "match": QA, "mirror": 50}],
    "gateway_api": [{"weight": 25}, {"weight": 100}, {"match": QA}, {"mirror": 10}, {"weight": 5, "match": QA, "mirror": 50}],
    "linkerd": [{"weight": 25}, {"weight": 100}, {"match": QA}, {"weight": 5, "match": QA}],
    "service": [{"weight": 100}],
}


class Shop(FakeApi):
    """A shop behind one route, and its canary Service with a ready pod; whoever serves a route answers at once."""

    def __init__(self, provider="istio", **meta):
        super().__init__()
        self.provider = provider
        self.served = True
        self.controllers = [self._serve_routes]
        self.put_service("shop-canary", {"app": "shop-canary"})
        self.put_service("shop", {"app": "shop"})
        self.kind, spec = OBJECTS[provider]
        self.put({"kind": self.kind, "metadata": {"name": "shop", "namespace": "eu", "labels": {"team": "shop"}, **meta}, "spec": spec})
        self.original = self.spec

    def put_service(self, name, selector, ready=1):
        self.put(
            {"kind": "Service", "metadata": {"name": name, "namespace": "eu"}, "spec": {"selector": selector, "ports": [{"port": 80}]}}
        )
        meta = {"name": name, "namespace": "eu", "labels": {"kubernetes.io/service-name": name}}
        self.put({"kind": "EndpointSlice", "metadata": meta, "endpoints": [{"conditions": {"ready": True}}] * ready})

    def put_release(self, phase):
        state = {"release_id": "shop-a1b2c3", "phase": phase, "weight_percent": 25}
        data = {"spec": "{}", "target": "{}", "state": json.dumps(state)}
        self.put({"kind": "ConfigMap", "metadata": {"name": "release-shop", "namespace": "eu", "labels": {LABEL: "true"}}, "data": data})

    def _serve_routes(self):
        for (kind, _namespace, _name), route in self.objects.items():
            if "HTTPRoute" in kind and self.served:
                seen = {"status": "True", "observedGeneration": route["metadata"]["generation"]}
                conditions = [{"type": "Accepted", **seen}, {"type": "ResolvedRefs", **seen}]
                route["status"] = {"parents": [{"parentRef": one, "conditions": conditions} for one in route["spec"]["parentRefs"]]}

    @property
    def spec(self):
        return self.stored(self.kind, "eu", "shop")["spec"]

    def edit(self, **spec):
        found = self.stored(self.kind, "eu", "shop")
        self.put({**found, "spec": {**found["spec"], **spec}})

    def traffic(self, check_mode=False, diff=False, **state):
        given = {"namespace": "eu", "service": "shop", "provider": self.provider, **state}
        return declare.traffic(given, check_mode=check_mode, diff=diff)

    def info(self, **more):
        return declare.traffic_info({"namespace": "eu", "service": "shop", "provider": self.provider, **more})
