# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the route of a service without a release's record. Reads only."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, cast

from ..cluster.patch import Operation, as_read, pointer
from ..cluster.session import Session
from ..release.values import Problem
from . import service as services
from .place import Asked, Unusable, leading, reverted
from .providers import PROVIDERS
from .recover import Recovered, Seen, Unclear, at_home, home_of, home_selector
from .route import HOME, Place, Route
from .router import Router, fence_of
from .rules import RuleRouter
from .service import ServiceRouter

JSON = dict[str, Any]


@dataclass(frozen=True)
class Declared:
    """What a task says: which route, which Service is the canary, and the whole traffic state it shall have."""

    namespace: str
    service: str
    provider: str
    object_kind: str | None
    object_name: str | None
    rule: str | None
    canary: str
    route: Route = HOME

    def asked(self) -> Asked:
        """What to look for."""
        return Asked(
            self.namespace,
            self.service,
            object_kind=self.object_kind,
            object_name=self.object_name,
            rule=self.rule,
            matches=self.route.matches,
            mirrors=self.route.mirror_percent > 0,
            steers=self.route != HOME,
        )


@dataclass(frozen=True)
class Sight:
    """A route as it was read: the object, the router that can change it, what stands there."""

    router: Router
    found: JSON
    seen: Seen
    index: int | None = None  # of the rule, where there are rules
    recovered: Recovered | None = None

    @property
    def fence(self) -> str | None:
        """The token of the release that claimed the object."""
        return fence_of(self.found)

    def holds(self, route: Route) -> bool:
        """Whether nothing is left to change."""
        return not self.operations(route)

    def operations(self, route: Route) -> list[Operation]:
        """What makes the object hold route; none when it does. Tests that the object is still the one that was read.

        A route that says the same in other words (weights 100 and 0 instead of one destination) is left as it is.
        """
        version = as_read(self.found)
        made = [one for one in self._operations(route) if one != version]
        return [version, *made] if made else []

    def _operations(self, route: Route) -> list[Operation]:
        if not isinstance(self.router, RuleRouter) or self.index is None or self.recovered is None:
            return self.router.operations(self.found, route)
        at = self.recovered.match_index
        made = self.router.rewrite(self.found, self.index, route, extra=[] if at is None else [at])
        if self.seen.percent != route.canary_percent:
            return made
        targets = pointer("spec", self.router.rules_key, self.index, self.router.targets_key)
        return [one for one in made if one["path"] != targets]


class HomeView(Session):
    """The namespace as it would be with all traffic at home: what providers look for a release's route in."""

    def __init__(self, session: Session, speaker: RuleRouter) -> None:
        self._session = session
        self._speaker = speaker
        self.read_objects: dict[tuple[str, str], JSON] = {}  # as they are: (kind, name) -> object

    def list(self, kind: str, namespace: str | None = None, **more: Any) -> list[JSON]:
        """All objects of a kind, at home."""
        found = self._session.list(kind, namespace, **more)
        self.read_objects.update({(kind, one["metadata"]["name"]): one for one in found})
        return [at_home(self._speaker, one) for one in found]


def look(session: Session, declared: Declared) -> Sight:
    """The route of a service as it stands. Raises Unusable, with nothing but reads."""
    if declared.provider == ServiceRouter.provider:
        return _selector(session, declared)
    provider = PROVIDERS[declared.provider]
    view = HomeView(session, _speaker(session, declared))
    place = replace(provider.find(view, declared.asked()), canary=declared.canary)
    found = view.read_objects[place.kind, place.name]
    router = cast(RuleRouter, provider.router(session, declared.namespace, place, matches=declared.route.matches, sleep=time.sleep))
    return _rule(router, found)


def again(sight: Sight, stored: JSON) -> Sight:
    """The same rule in the object as the API server stores it after a change."""
    if isinstance(sight.router, RuleRouter):
        return _rule(sight.router, stored)
    percent = 0 if stored["spec"].get("selector") == sight.router.place.original["selector"] else 100
    return replace(sight, found=stored, seen=Seen(percent))


def choices(session: Session, declared: Declared) -> list[JSON]:
    """kind, name and route of every rule that leads to the service, whatever was named."""
    provider = PROVIDERS[declared.provider]
    if provider.rules_to is None:
        return []
    speaker = _speaker(session, declared)
    asked = Asked(declared.namespace, declared.service)
    return [
        {"kind": kind.partition(".")[0], "name": one["metadata"]["name"], "route": one["spec"][speaker.rules_key][index].get("name")}
        for kind in provider.kinds
        for one, index in leading(session.list(kind, declared.namespace), asked, rules_key=speaker.rules_key, rules_to=provider.rules_to)
    ]


def _speaker(session: Session, declared: Declared) -> RuleRouter:
    """A router that only tells how its mesh words things."""
    place = Place(declared.provider, "", "", None, {}, declared.service, declared.canary)
    return cast(RuleRouter, PROVIDERS[declared.provider].router(session, declared.namespace, place, matches=(), sleep=time.sleep))


def _rule(router: RuleRouter, found: JSON) -> Sight:
    rules, index = router.steered(found)
    recovered = home_of(router, rules, index)
    return Sight(router, found, recovered.seen, index, recovered)


def _selector(session: Session, declared: Declared) -> Sight:
    kind = services.KIND
    found = session.find(kind, declared.namespace, declared.service)
    selector = ((found or {}).get("spec") or {}).get("selector")
    if found is None or not selector:
        missing = "a Service that selects pods" if found else f"a Service of namespace {declared.namespace}"
        raise Unusable([Problem("service", declared.service, missing)])
    canary = session.find(kind, declared.namespace, declared.canary)
    try:
        selected = home_selector(selector, canary and (canary["spec"].get("selector") or {}))
    except Unclear as error:
        command = f"kubectl -n {declared.namespace} set selector service {declared.service} <label>=<value of stable's pods>"
        raise Unusable(
            [Problem("service", declared.service, f"a Service whose stable selector is known: {error}; set it: {command}")]
        ) from error
    steers = declared.route.canary_percent > 0
    problems = reverted(found, kind) if steers else []
    if steers and selected.label is None and canary:
        allowed = f"a Service that selects what {declared.service} selects, but for one label, whose value ends with -canary"
        problems.append(
            Problem(
                "canary", declared.canary, f"{allowed}; {declared.service} selects {selector}, this one {canary['spec'].get('selector')}"
            )
        )
    if problems:
        raise Unusable(problems)
    place = Place(declared.provider, kind, declared.service, selected.label, {"selector": selected.home}, declared.service, declared.canary)
    return Sight(ServiceRouter(session, declared.namespace, place, matches=(), sleep=time.sleep), found, Seen(selected.percent))
