# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract of all routers, and the one loop by which they claim, change and return a route.

A router of a mesh says what a route looks like in its objects (observe, operations, unserved); everything that
keeps a change safe is here: the fence, tests of the old value, lost answers, reading back.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

from ..cluster.errors import Conflict, Superseded, Unmarked, Unreachable
from ..cluster.patch import Operation, applied, as_read, expect, pointer, remove, set_annotation
from ..cluster.session import Session
from ..workload.twin import replicas_for
from .route import EPOCH, HOME, Match, Observed, Place, Route, RouteEdited, RouteError, Sticky

ATTEMPTS = 8
PAUSE_SECONDS = 0.5
ACCEPT_SECONDS = 20.0
VERSION = "/metadata/resourceVersion"
JSON = dict[str, Any]


class Router(abc.ABC):
    """Reads, changes and verifies the route of one service, kept in one object.

    matches and sticky are those the release may ask for: what it reads is compared with what it would have written.
    """

    provider: str
    can: frozenset[str]  # of "weight", "match", "mirror", "sticky", "switch" (all or nothing)
    reselects = False  # True: while the canary has traffic, stable's own Service selects the canary's pods
    before_change: Callable[[JSON, Route], None] = staticmethod(
        lambda found, route: None
    )  # what is told of a change that is about to be made

    def __init__(
        self,
        session: Session,
        namespace: str,
        place: Place,
        *,
        matches: tuple[Match, ...],
        sleep: Callable[[float], None],
        sticky: Sticky | None = None,
    ) -> None:
        self.place = place
        self.matches = matches
        self.sticky = sticky
        self._session = session
        self._namespace = namespace
        self._sleep = sleep
        self._refusal = ""

    # what a mesh says of itself

    @abc.abstractmethod
    def observe(self, found: JSON) -> Observed:
        """The route that an object holds. Raises RouteEdited when the rule that was steered is not there."""

    @abc.abstractmethod
    def operations(self, found: JSON, route: Route) -> list[Operation]:
        """What turns the object as found into one that holds route; every operation tests what it replaces."""

    def homeward(self, found: JSON) -> list[Operation]:
        """What takes the canary out of the object as found, whatever was done to it; nothing when it does not name the canary."""
        return self.operations(found, HOME) if self.observe(found).names_canary else []

    @abc.abstractmethod
    def at_home(self, found: JSON) -> list[Operation]:
        """Tests that hold while all traffic is at home, for an object whose traffic is."""

    def ways_home(self, found: JSON, route: Route) -> list[list[Operation]]:
        """Patches for somebody who knows no router: of the object as found, and as it will be once it holds route.

        Each tests what it replaces, so that one applies at most; the last one has tests alone, that traffic is home.
        """
        states = [applied(found, self.operations(found, route)), found]
        ways = [[one for one in self.operations(state, HOME) if one["path"] != VERSION] for state in states]
        home = applied(found, self.operations(found, HOME))
        return [way for index, way in enumerate(ways) if way and way not in ways[:index]] + [self.at_home(home)]

    def ways_from_here(self) -> list[list[Operation]]:
        """The same for the object as it stands. Raises RouteEdited."""
        return self.ways_home(self._find(), HOME)

    def members_home(self) -> tuple[dict[str, str], list[Operation]] | None:
        """Where pods carry a part of the route: the labels of the canary's, and what takes one of them out of stable's Service."""
        return None

    def unserved(self, found: JSON) -> str | None:
        """Why the implementation does not serve the object as it is stored; None when it does, or does not tell."""
        return None

    # what they have in common

    @property
    def where(self) -> str:
        """The object, as messages name it."""
        return f"{self.place.kind} {self._namespace}/{self.place.name}"

    def read(self) -> Observed:
        """The route as it stands. Raises RouteEdited when it is gone."""
        return self.observe(self._find())

    def claim(self, token: str, *, may_replace: Callable[[str], bool]) -> None:
        """Put our fence on the object; a fence of somebody else is replaced only when may_replace says so."""
        for _attempt in range(ATTEMPTS):
            found = self._find()
            fence = fence_of(found)
            if fence == token:
                return
            if fence is not None and not may_replace(fence):
                raise RouteError(f"{self.where} is held by another release ({fence})")
            version = as_read(found)
            if self._try_patch([version, *set_annotation(found, EPOCH, token)]):
                return
        raise Unreachable(f"{self.where} did not take our claim: {self._refusal}")

    def unclaim(self, token: str) -> None:
        """Take our fence away; nothing happens when it is not ours."""
        for _attempt in range(ATTEMPTS):
            found = self._find()
            if fence_of(found) != token or self._try_patch([_holds(token), remove(pointer("metadata", "annotations", EPOCH))]):
                return

    def change(self, route: Route, token: str) -> None:
        """Make the object hold route and read it back; wait until the implementation has accepted it.

        Everything else in the object stays as it is. An answer that never came is settled by reading.
        Raises Superseded when the fence is not ours (Unmarked when there is none), RouteEdited when somebody changed what we steer.
        """
        for _attempt in range(ATTEMPTS):
            found = self._find()
            self._fenced(found, token)
            current = self.observe(found)
            if current.route == route:
                return self._await_service(found)
            if current.route is None or (current.route.alone and not route.alone):
                raise RouteEdited(f"the destinations of {self.where} were edited: {current.found}")
            self.before_change(found, route)
            self._try_patch([_holds(token), *self.operations(found, route)])
        raise Unreachable(f"{self.where} did not take {route} after {ATTEMPTS} attempts: {self._refusal}")

    def give_back(self, token: str) -> Observed:
        """Return all traffic to stable, whatever stands there now, as long as it still names the canary.

        What somebody else wrote without our canary is theirs and stays. Returns the route afterwards.
        """
        for _attempt in range(ATTEMPTS):
            found = self._find()
            self._fenced(found, token)
            operations = self.homeward(found)
            if not operations:
                return self._left(found)
            self._try_patch([_holds(token), *operations])
        raise Unreachable(f"{self.where} did not take the return of traffic after {ATTEMPTS} attempts: {self._refusal}")

    def keep(self, route: Route, token: str) -> None:
        """Between looks: mend what ends by itself. A weight that stands in an object does not. Raises Superseded, RouteEdited."""
        return

    def canary_pods(self, percent: int, stable: int) -> int:
        """Pods that the canary needs for a share of what so many stable pods serve."""
        return replicas_for(percent, stable)

    def real_percent(self, asked: int) -> float:
        """The share that a weight is: of pods there are only so many."""
        return asked

    def reached(self, asked: int) -> str:
        """How a share that is not just the weight is made up; empty where the weight says it all."""
        return ""

    def preview(self, route: Route) -> tuple[JSON, JSON]:
        """The object before and after a change, as the API server would store it (dryRun=All)."""
        found = self._find()
        return found, self._session.patch(self.place.kind, self._namespace, self.place.name, self.operations(found, route), dry_run=True)

    def _find(self) -> JSON:
        found = self._session.find(self.place.kind, self._namespace, self.place.name)
        if found is None:
            raise RouteEdited(f"{self.where} is gone")
        return found

    def _fenced(self, found: JSON, token: str) -> None:
        fence = fence_of(found)
        if fence != token:
            raise (Superseded if fence else Unmarked)(f"{self.where} is held by {fence or 'nobody'}, not by {token}")

    def _left(self, found: JSON) -> Observed:
        """What stands there without the canary, even where the rule that was steered cannot be told any more."""
        try:
            return self.observe(found)
        except RouteEdited as error:
            return Observed(None, False, fence_of(found), str(error))

    def _await_service(self, found: JSON) -> None:
        waited = 0.0
        while why := self.unserved(found):
            if waited >= ACCEPT_SECONDS:
                raise RouteError(f"{self.where} is not served {ACCEPT_SECONDS:.0f} s after it was changed: {why}")
            self._sleep(PAUSE_SECONDS)
            waited += PAUSE_SECONDS
            found = self._find()

    def _try_patch(self, operations: list[Operation]) -> bool:
        """One attempt; False, after a pause, when the object changed meanwhile or no answer came: read again and see."""
        try:
            self._session.patch(self.place.kind, self._namespace, self.place.name, operations)
        except (Conflict, Unreachable) as error:
            self._refusal = str(error)
            self._sleep(PAUSE_SECONDS)
            return False
        return True


def fence_of(found: JSON) -> str | None:
    """The token of the release that holds an object."""
    return (found["metadata"].get("annotations") or {}).get(EPOCH)


def _holds(token: str) -> Operation:
    return expect(pointer("metadata", "annotations", EPOCH), token)
