# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The routers there are. A new mesh is a file beside this one and an entry here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cluster.session import Session
from . import gateway_api, istio, linkerd, replicas, service
from .place import Asked
from .route import Match, Place, Sticky
from .router import Router

JSON = dict[str, Any]


@dataclass(frozen=True)
class Provider:
    """One router: how a route is found, and what steers it. rights are (verb, kind) beyond those of every release."""

    router: type[Router]
    find: Callable[[Session, Asked], Place]
    kinds: tuple[str, ...]
    does: str  # what it is, for refusals
    rules_to: Callable[[JSON, str, str], list[int]] | None = None  # indexes of the rules that lead to a Service of a namespace

    @property
    def rights(self) -> tuple[tuple[str, str], ...]:
        """What a release must be allowed to do with its objects."""
        return tuple((verb, kind) for kind in self.kinds for verb in ("get", "list", "patch"))


PROVIDERS = {
    "istio": Provider(istio.IstioRouter, istio.find, (istio.KIND,), "a VirtualService", istio.http_routes_to),
    "gateway_api": Provider(
        gateway_api.GatewayRouter, gateway_api.find, gateway_api.KINDS, "an HTTPRoute or GRPCRoute", gateway_api.rules_to
    ),
    "linkerd": Provider(linkerd.LinkerdRouter, linkerd.find, linkerd.KINDS, "an HTTPRoute of policy.linkerd.io", gateway_api.rules_to),
    "service": Provider(service.ServiceRouter, service.find, (service.KIND,), "a Service's selector"),
}
REPLICAS = "replicas"  # what provider service is for weights
ROUTERS = {
    **PROVIDERS,
    REPLICAS: Provider(replicas.ReplicaRouter, replicas.find, (service.KIND, "Pod"), "the number of pods behind a Service"),
}


def router(
    session: Session,
    namespace: str,
    place: Place,
    *,
    matches: tuple[Match, ...],
    sleep: Callable[[float], None],
    sticky: Sticky | None = None,
) -> Router:
    """The router of a place."""
    return ROUTERS[place.provider].router(session, namespace, place, matches=matches, sleep=sleep, sticky=sticky)


def who_can(ability: str) -> str:
    """The providers that have an ability, for refusals."""
    return ", ".join(name for name, one in PROVIDERS.items() if ability in one.router.can)
