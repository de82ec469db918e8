# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linkerd's router: one rule of an HTTPRoute of policy.linkerd.io, whose parent is the Service itself.

Linkerd serves HTTPRoutes of gateway.networking.k8s.io too: for those the router is gateway_api.
"""

from __future__ import annotations

from typing import Any

from ..cluster.session import Session
from ..release.values import Problem
from .gateway_api import GatewayRouter, place
from .place import Asked, Unusable
from .route import Place

# newest first: an object is the same under each version, so the newest one that the cluster serves is used
KINDS = ("HTTPRoute.v1beta3.policy.linkerd.io", "HTTPRoute.v1beta2.policy.linkerd.io")


class LinkerdRouter(GatewayRouter):
    """Like Gateway API's; there is no mirror among the filters."""

    provider = "linkerd"
    can = frozenset({"weight", "match", "switch"})


def find(session: Session, asked: Asked) -> Place:
    """The one rule that leads to the service, in a route whose parent is that Service. Raises Unusable."""
    kind, candidates = KINDS[0], []
    for kind in KINDS:
        candidates = session.list(kind, asked.namespace)
        if candidates:
            break
    found = place(LinkerdRouter.provider, kind, candidates, asked)
    route = next(one for one in candidates if one["metadata"]["name"] == found.name)
    parents = [_parent(one, asked.namespace) for one in route["spec"].get("parentRefs") or []]
    if parents != [_parent({"kind": "Service", "name": asked.service}, asked.namespace)]:
        allowed = f"an HTTPRoute whose only parent is Service {asked.service}; this one has {', '.join(parents)}"
        raise Unusable([Problem("release_traffic", found.name, allowed)])
    return found


def _parent(reference: dict[str, Any], own: str) -> str:
    """A parent as messages name it: Service shop, or Service backend/shop of another namespace."""
    namespace = reference.get("namespace") or own
    return f"{reference.get('kind', 'Gateway')} {'' if namespace == own else namespace + '/'}{reference['name']}"
