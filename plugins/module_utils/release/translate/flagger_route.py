# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route that Flagger would generate of a Canary's service, as the command that makes it: here it is the user's own. Pure."""

from __future__ import annotations

import json
from typing import Any

from .draft import Draft

JSON = dict[str, Any]
COPIED = ("match", "timeout", "retries", "headers", "corsPolicy")  # as Istio's http route has them


def route(draft: Draft, provider: str, service: str) -> str:
    """A command for kubectl; empty where a Service is the route."""
    made = {"istio": _virtual_service, "gateway_api": _http_route, "linkerd": _linkerd_route}.get(provider)
    if made is None:
        return ""
    body = made(draft, service)
    body["metadata"] = {"name": service, "namespace": draft.namespace}
    text = json.dumps(body).replace("'", "'\\''")
    return f"kubectl apply -f - <<< '{text}'"


def _virtual_service(draft: Draft, service: str) -> JSON:
    said = draft.at("spec.service") or {}
    http: JSON = {"name": "main", **{key: said[key] for key in COPIED if said.get(key)}}
    if isinstance(said.get("rewrite"), dict):
        http["rewrite"] = {key: value for key, value in said["rewrite"].items() if key != "type"}
    http["route"] = [{"destination": {"host": service}}]
    spec: JSON = {"hosts": said.get("hosts") or [service], "http": [http]}
    if said.get("gateways"):
        spec["gateways"] = said["gateways"]
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": spec}


def _http_route(draft: Draft, service: str) -> JSON:
    said = draft.at("spec.service") or {}
    spec: JSON = {
        "parentRefs": said.get("gatewayRefs") or [],
        "rules": [{"backendRefs": [{"name": service, "port": said.get("port") or 80}]}],
    }
    if said.get("hosts"):
        spec["hostnames"] = said["hosts"]
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": spec}


def _linkerd_route(draft: Draft, service: str) -> JSON:
    port = draft.at("spec.service.port") or 80
    parent = {"group": "core", "kind": "Service", "name": service, "port": port}
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": service, "port": port}]}]}
    return {"apiVersion": "policy.linkerd.io/v1beta3", "kind": "HTTPRoute", "spec": spec}
