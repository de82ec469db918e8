# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The router of weights without a mesh: canary pods join stable's Service, which gives every ready pod as much as any other.

A canary pod is a member while its switch label has stable's value; else the value ends with -canary. Its own ReplicaSet
selects by another label, so that joining and leaving neither restarts nor replaces it. At 100 % nobody is a member and the
Service selects the canary's own label: stable stays whole beside it, and the way back is one patch.
"""

from __future__ import annotations

from typing import Any

from ..cluster.errors import Conflict, NotFound, Unreachable
from ..cluster.patch import Operation, add, as_read, expect, pointer, remove, replace, set_annotation
from ..cluster.session import Session
from ..release.values import Problem
from ..workload.deployment import is_ready
from ..workload.replicas import Mix, most_of, nearest
from . import service
from .place import Asked, Unusable
from .route import CANARY, EPOCH, HOME, TWIN, Observed, Place, Route, RouteEdited, RouteError
from .router import ACCEPT_SECONDS, ATTEMPTS, PAUSE_SECONDS, Router, fence_of

JSON = dict[str, Any]
WEIGHT = "progressive.delivery/weight"  # on the Service: the weight that its members stand for


class ReplicaRouter(Router):
    """Weights by the number of canary pods that are members of stable's Service; all of them by its selector.

    The Service bears the fence. A pod is patched only at the version that was listed before the fence was tested, and who takes
    over stamps every pod: so a runner that was asleep finds none as it knew it.
    """

    provider = "replicas"
    can = frozenset({"weight", "switch"})
    reselects = True

    def observe(self, found: JSON) -> Observed:
        """The weight that the Service bears, or 100 %; None for a selector of somebody else."""
        return self._observed(found, self._pods())

    def operations(self, found: JSON, route: Route) -> list[Operation]:
        """What the Service itself must become; whose pods are members is no part of it."""
        selector = self._own if route.canary_percent == 100 else self.place.original["selector"]
        made = [] if found["spec"]["selector"] == selector else [expect(service.SELECTOR, found["spec"]["selector"])]
        made += [replace(service.SELECTOR, selector)] if made else []
        here, stands = pointer("metadata", "annotations", WEIGHT), _weight_of(found)
        if not 0 < route.canary_percent < 100:
            return [*made, expect(here, stands), remove(here)] if stands is not None else made
        return made if stands == str(route.canary_percent) else [*made, *set_annotation(found, WEIGHT, str(route.canary_percent))]

    def at_home(self, found: JSON) -> list[Operation]:
        """The selector is stable's; whose pods are members is asked for apart (members_home)."""
        return [expect(service.SELECTOR, self.place.original["selector"])]

    def members_home(self) -> tuple[dict[str, str], list[Operation]]:
        """The canary's pods, which leave by their switch label."""
        return self._own, [add(pointer("metadata", "labels", str(self.place.rule)), self._home + CANARY)]

    def claim(self, token: str, *, may_replace: Any) -> None:
        """Claim the Service, then stamp the canary's pods, so that nobody can patch them as they were listed before."""
        super().claim(token, may_replace=may_replace)
        for _attempt in range(ATTEMPTS):
            others = [pod for pod in self._pods() if fence_of(pod) != token]
            stamped = [self._patch_pod(pod, set_annotation(pod, EPOCH, token)) for pod in others]
            if all(stamped):
                return
            self._sleep(PAUSE_SECONDS)
        raise Unreachable(f"the pods of {self._canary} did not take our claim: {self._refusal}")

    def change(self, route: Route, token: str) -> None:
        """Make as many pods members as the weight asks for, or switch the selector; wait until the endpoints say the same."""
        for _attempt in range(ATTEMPTS):
            pods = self._pods()  # before the fence is tested, see above
            found = self._find()
            self._fenced(found, token)
            if self._observed(found, pods).route is None:
                raise RouteEdited(f"the selector of {self.where} was edited: {found['spec'].get('selector')}")
            self.before_change(found, route)
            count = self._members_at(route.canary_percent)
            if route.canary_percent == 100:  # the selector first: else stable alone would have everything for a moment
                done = self._put(found, route, token) and self._admit(pods, count, token)
            else:
                done = self._admit(pods, count, token) and self._put(found, route, token)
            if done:
                return self._await_endpoints(route)
            self._sleep(PAUSE_SECONDS)
        raise Unreachable(f"{self.where} did not take {route} after {ATTEMPTS} attempts: {self._refusal}")

    def give_back(self, token: str) -> Observed:
        """Every member leaves, then the selector is stable's again: what it was before all of it, if nobody else changed it."""
        for _attempt in range(ATTEMPTS):
            pods = self._pods()
            found = self._find()
            self._fenced(found, token)
            gone = self._admit(pods, 0, token)
            seen = self._observed(found, [])
            if (seen.route is None or self._put(found, HOME, token)) and gone:
                return Observed(None if seen.route is None else HOME, False, token, seen.found)
            self._sleep(PAUSE_SECONDS)
        raise Unreachable(f"{self.where} did not take the return of traffic after {ATTEMPTS} attempts: {self._refusal}")

    def keep(self, route: Route, token: str) -> None:
        """A canary pod that was replaced meanwhile joins in its place."""
        if not 0 < route.canary_percent < 100:
            return
        pods = self._pods()
        count, able = self._members_at(route.canary_percent), _able(pods)
        if sum(map(self._is_member, able)) == min(count, len(able)):
            return
        found = self._find()
        self._fenced(found, token)
        if _weight_of(found) == str(route.canary_percent):
            self._admit(pods, count, token)

    def canary_pods(self, percent: int, stable: int) -> int:
        """Pods that make a weight; at 100 % as many as stable has."""
        return stable if percent >= 100 else self._mix(percent, stable).canary

    def real_percent(self, asked: int) -> float:
        """The share of the Service's ready endpoints that are the canary's, while the weight stands; else the share to come."""
        if not 0 < asked < 100:
            return asked
        if _weight_of(self._find()) == str(asked):
            canary, stable = self._members_in_service()
            if canary and stable:
                return Mix(canary, stable).percent
        return self._mix(asked, self._stable()).percent

    def reached(self, asked: int) -> str:
        """The share that stands, in pods."""
        canary, stable = self._members_in_service()
        return f"{Mix(canary, stable)} ({asked} % asked)" if 0 < asked < 100 and canary + stable else ""

    # members

    @property
    def _own(self) -> dict[str, str]:
        return {TWIN: self._canary}

    @property
    def _canary(self) -> str:
        return str(self.place.original["workload"]) + CANARY

    @property
    def _home(self) -> str:
        """Stable's value of the switch label."""
        return str(self.place.original["selector"][self.place.rule])

    def _pods(self) -> list[JSON]:
        return self._session.list("Pod", self._namespace, labels=self._own)

    def _is_member(self, pod: JSON) -> bool:
        return bool(pod["metadata"]["labels"].get(self.place.rule) == self._home)

    def _stable(self) -> int:
        found = self._session.get("Deployment", self._namespace, str(self.place.original["workload"]))
        return max(1, int(found["spec"].get("replicas", 1)))

    def _mix(self, percent: int, stable: int) -> Mix:
        return nearest(percent, stable, most_of(self.place.original["most"], stable))

    def _members_at(self, percent: int) -> int:
        return self._mix(percent, self._stable()).canary if 0 < percent < 100 else 0

    def _admit(self, pods: list[JSON], count: int, token: str) -> bool:
        """Make so many ready pods members and no other; False when some must be read again."""
        wanted = sorted(_able(pods), key=lambda pod: (not self._is_member(pod), pod["metadata"]["name"]))[:count]
        leaving = [pod for pod in pods if self._is_member(pod) and pod not in wanted]
        joining = [pod for pod in wanted if not self._is_member(pod)]
        here = pointer("metadata", "labels", str(self.place.rule))
        moves = [(pod, self._home + CANARY) for pod in leaving] + [(pod, self._home) for pod in joining]
        moved = [self._patch_pod(pod, [*set_annotation(pod, EPOCH, token), add(here, value)]) for pod, value in moves]
        return all(moved)

    def _patch_pod(self, pod: JSON, operations: list[Operation]) -> bool:
        """Patch a pod at the version that was listed; a pod that is gone needs none."""
        version = as_read(pod)
        try:
            self._session.patch("Pod", self._namespace, pod["metadata"]["name"], [version, *operations])
        except NotFound:
            return True
        except (Conflict, Unreachable) as error:
            self._refusal = str(error)
            return False
        return True

    def _put(self, found: JSON, route: Route, token: str) -> bool:
        """Patch the Service under our fence, if there is anything to patch."""
        operations = self.operations(found, route)
        if not operations:
            return True
        try:
            self._session.patch(
                self.place.kind, self._namespace, self.place.name, [expect(pointer("metadata", "annotations", EPOCH), token), *operations]
            )
        except (Conflict, Unreachable) as error:
            self._refusal = str(error)
            return False
        return True

    def _observed(self, found: JSON, pods: list[JSON]) -> Observed:
        selector, weight = found["spec"].get("selector"), _weight_of(found)
        if not selector:
            raise RouteEdited(f"{self.where} selects no pods any more")
        is_home = selector == self.place.original["selector"]
        route = Route(100) if selector == self._own else None
        if is_home:
            route = HOME if weight is None else Route(int(weight)) if weight.isdigit() else None
        return Observed(route, selector == self._own or any(map(self._is_member, pods)), fence_of(found), str(selector))

    # the data plane

    def _members_in_service(self) -> tuple[int, int]:
        """(canary, stable): the ready endpoints of stable's Service."""
        canary = {pod["metadata"]["name"] for pod in self._pods()}
        ready = self._ready_names()
        return sum(1 for name in ready if name in canary), sum(1 for name in ready if name not in canary)

    def _ready_names(self) -> set[str]:
        slices = self._session.list("EndpointSlice", self._namespace, labels={"kubernetes.io/service-name": self.place.service})
        endpoints = [one for each in slices for one in each.get("endpoints") or []]
        return {(one.get("targetRef") or {}).get("name", "") for one in endpoints if one.get("conditions", {}).get("ready", True)}

    def _await_endpoints(self, route: Route) -> None:
        """Wait until the endpoints are those of the members, and at 100 % of nobody else."""
        waited = 0.0
        while why := self._not_yet(route):
            if waited >= ACCEPT_SECONDS:
                raise RouteError(f"the endpoints of {self.where} are not those of {route} after {ACCEPT_SECONDS:.0f} s: {why}")
            self._sleep(PAUSE_SECONDS)
            waited += PAUSE_SECONDS

    def _not_yet(self, route: Route) -> str:
        pods, ready = self._pods(), self._ready_names()
        everybody = {pod["metadata"]["name"] for pod in pods}
        wanted = {pod["metadata"]["name"] for pod in _able(pods) if route.canary_percent == 100 or self._is_member(pod)}
        if missing := sorted(wanted - ready):
            return f"without {', '.join(missing)}"
        too_many = sorted(ready - wanted) if route.canary_percent == 100 else sorted(ready & everybody - wanted)
        return f"still with {', '.join(too_many)}" if too_many else ""


def find(session: Session, asked: Asked) -> Place:
    """The Service itself. Raises Unusable when its pods do not get equal parts of the traffic."""
    place = service.find(session, asked)
    spec = session.get(service.KIND, asked.namespace, asked.service)["spec"]
    if problems := [Problem("release_traffic.service", asked.service, f"a Service that {one}") for one in unequal(spec)]:
        raise Unusable(problems)
    original = {**place.original, "workload": asked.workload, "most": asked.most_extra_pods}
    return Place(ReplicaRouter.provider, place.kind, place.name, place.rule, original, place.service, place.canary)


def unequal(spec: JSON) -> list[str]:
    """Why pods behind a Service get different parts of its traffic, each as what is allowed instead."""
    found = []
    if spec.get("sessionAffinity", "None") != "None":
        allowed = "gives each connection to any pod: with sessionAffinity clients stay with the pod they had, and shares are not reached"
        found.append(f"{allowed}; set sessionAffinity: None for the release")
    for field in ("externalTrafficPolicy", "internalTrafficPolicy"):
        if spec.get(field, "Cluster") != "Cluster":
            found.append(f"gives all of its pods the same: with {field} {spec[field]} a node asks its own pods alone; set it to Cluster")
    if spec.get("trafficDistribution"):
        found.append(
            f"gives all of its pods the same: with trafficDistribution {spec['trafficDistribution']} near ones come first; remove it"
        )
    return found


def _able(pods: list[JSON]) -> list[JSON]:
    """Pods that are ready and stay."""
    return [pod for pod in pods if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")]


def _weight_of(found: JSON) -> str | None:
    return (found["metadata"].get("annotations") or {}).get(WEIGHT)


__all__ = ["ReplicaRouter", "find", "unequal"]
