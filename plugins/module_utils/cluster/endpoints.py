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


def ready_pods(session: Session, namespace: str, service: str) -> set[str]:
    """The ready pods behind a Service, by their names (by address where there is no pod); none for one that does not exist.

    A Service of both address families has each pod twice, another one of the same pods may have it once.
    """
    endpoints = _ready(session, namespace, service)
    return {(one.get("targetRef") or {}).get("name") or one["addresses"][0] for one in endpoints}


def _ready(session: Session, namespace: str, service: str) -> list[dict[str, Any]]:
    slices = session.list("EndpointSlice", namespace, labels={"kubernetes.io/service-name": service})
    endpoints = [endpoint for one in slices for endpoint in one.get("endpoints") or []]
    return [endpoint for endpoint in endpoints if endpoint.get("conditions", {}).get("ready", True)]
