# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router of those who have no mesh: a Service's selector, switched from stable's pods to the canary's and back."""

from __future__ import annotations

from typing import Any

from ..cluster.patch import Operation, expect, replace
from ..cluster.session import Session
from ..release.values import Problem
from .place import Asked, Unusable, reverted
from .route import CANARY, HOME, Observed, Place, Route, RouteEdited
from .router import Router, fence_of

KIND = "Service"
SELECTOR = "/spec/selector"
JSON = dict[str, Any]


class ServiceRouter(Router):
    """All traffic or none: the selector's switch label holds stable's value or the canary's."""

    provider = "service"
    can = frozenset({"switch"})
    reselects = True

    def observe(self, found: JSON) -> Observed:
        """0 % or 100 %; None for a selector of somebody else."""
        selector = found["spec"].get("selector")
        if not selector:
            raise RouteEdited(f"{self.where} selects no pods any more")
        route = HOME if selector == self._selector(HOME) else Route(100) if selector == self._selector(Route(100)) else None
        return Observed(route, selector.get(self._key) == self._selector(Route(100))[self._key], fence_of(found), str(selector))

    def operations(self, found: JSON, route: Route) -> list[Operation]:
        """The selector as found becomes the one that selects all of stable's pods, or all of the canary's."""
        wanted = self._selector(route)
        return [expect(SELECTOR, found["spec"]["selector"]), replace(SELECTOR, wanted)] if found["spec"]["selector"] != wanted else []

    def at_home(self, found: JSON) -> list[Operation]:
        """The selector is stable's."""
        return [expect(SELECTOR, self._selector(HOME))]

    @property
    def _key(self) -> str:
        return str(self.place.rule)

    def _selector(self, route: Route) -> dict[str, str]:
        stable = self.place.original["selector"]
        if route.canary_percent < 100:
            return dict(stable)
        return {**stable, self._key: self.place.canary_value or stable[self._key] + CANARY}


def find(session: Session, asked: Asked) -> Place:
    """The Service itself. Raises Unusable when its selector cannot be switched."""
    found = session.get(KIND, asked.namespace, asked.service)
    problems = reverted(found, KIND)
    selector = found["spec"].get("selector") or {}
    if asked.switch_label not in selector:
        problems.append(
            Problem("release_traffic.service", asked.service, f"a Service that selects by {asked.switch_label}; this one by {selector}")
        )
    if problems:
        raise Unusable(problems)
    return Place(
        ServiceRouter.provider,
        KIND,
        asked.service,
        asked.switch_label,
        {"selector": selector},
        asked.service,
        asked.service + CANARY,
        asked.canary_value,
    )
