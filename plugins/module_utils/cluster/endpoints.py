# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many pods stand behind a Service."""

from __future__ import annotations

from typing import Any

from .session import Session


def ready_endpoints(session: Session, namespace: str, service: str) -> int:
    """How many ready, serving addresses a Service has; 0 for one that does not exist."""
    return len(_ready(session, namespace, service))


def ready_addresses(session: Session, namespace: str, service: str) -> set[str]:
    """The addresses of the ready pods behind a Service; none for one that does not exist."""
    return {address for endpoint in _ready(session, namespace, service) for address in endpoint["addresses"]}


def _ready(session: Session, namespace: str, service: str) -> list[dict[str, Any]]:
    slices = session.list("EndpointSlice", namespace, labels={"kubernetes.io/service-name": service})
    endpoints = [endpoint for one in slices for endpoint in one.get("endpoints") or []]
    return [endpoint for endpoint in endpoints if endpoint.get("conditions", {}).get("ready", True)]
