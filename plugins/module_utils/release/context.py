# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner holds while one release runs in one target."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..cluster.endpoints import ready_endpoints
from ..cluster.errors import ClusterError, Conflict, NotFound, Superseded, Unreachable
from ..cluster.lease import RENEW_SECONDS, Lease
from ..cluster.patch import Operation, add, as_read, expect, pointer, remove, set_annotation
from ..cluster.session import Session
from ..metrics.alertmanager import Alertmanager
from ..metrics.conversions import Measure
from ..metrics.prometheus import Prometheus
from ..metrics.query import Answers
from ..metrics.source import Looks
from ..report.live import Live
from ..traffic.route import EPOCH, HOME, Route, RouteError
from ..traffic.router import Router
from ..workload.kinds import ready_pods, revision_in
from .costs import Costs
from .fleet_hook import Fleet
from .plan import Step, route_of
from .record import Journal, State
from .spec import Spec
from .target import Target
from .webhook_messages import Events

JSON = dict[str, Any]
AMEND_ATTEMPTS = 5
AMEND_PAUSE_SECONDS = 0.2


@dataclass
class Process:
    """What the runner needs of its process: time, sleep, and whether it should stop (parent gone, signal)."""

    clock: Callable[[], float]  # Unix time
    sleep: Callable[[float], None]
    why_stop: Callable[[], str | None]


@dataclass
class Context:
    """One release in one target, held by one runner. token fences every write."""

    session: Session
    spec: Spec
    target: Target
    state: State
    lease: Lease
    token: str
    journal: Journal
    router: Router
    source: Looks | None
    measure: Measure | None  # of an experiment
    live: Live
    process: Process
    deadline_at: float  # Unix time
    events: Events
    queries: Answers | None = None  # of gates that are judged by a query's answer
    alerts: Prometheus | None = None  # who tells the alerts, where release_alerts asks for them
    alertmanager: Alertmanager | None = None  # who silences the release's own, where it asks for that
    fleet: Fleet | None = None  # of which this release is one target's
    renewed_at: float = 0.0
    reals: dict[int, float] = field(default_factory=dict)  # weight -> the share that it is
    silent_at: float = -math.inf  # Unix time of the last request that the API server did not answer

    @property
    def twin(self) -> str:
        """The twin's name."""
        return self.target.identity.name

    @property
    def serving(self) -> str:
        """The Deployment whose pods users get once this release is over, as things stand."""
        return self.twin if self.state.swapped else self.target.workload

    @property
    def route(self) -> Route:
        """The route that this release has put, as the record says."""
        state = self.state
        if self.target.revision is not None:
            return HOME  # rolling: the Service selects old and new pods alike
        sticky = self.spec.sticky if state.sticky else None
        return Route(state.weight_percent, self.spec.matches if state.matched else (), state.mirror_percent, sticky, state.alone)

    def route_of(self, step: Step) -> Route:
        """The route that a step which gives the canary its share asks for."""
        return route_of(self.spec, step)

    @property
    def namespace(self) -> str:
        """The target's namespace."""
        return self.target.namespace

    def real_percent(self, weight: int) -> float:
        """The share that a weight is; only pods that are counted make it another one. While nobody tells, what was told last."""
        try:
            self.reals[weight] = self.router.real_percent(weight)
        except Superseded:
            raise
        except (ClusterError, RouteError):
            return self.reals.get(weight, weight)
        return self.reals[weight]

    def is_silent(self) -> None:
        """Note that the API server did not answer just now."""
        self.silent_at = self.process.clock()

    def keep_lease(self) -> None:
        """Renew the Lease when it is time. Raises Superseded when it is not ours any more."""
        now = self.process.clock()
        if now - self.renewed_at >= RENEW_SECONDS:
            self.lease.renew()
            self.renewed_at = now

    def still_ours(self) -> None:
        """Ask the Lease, where an object bears no mark any more. Raises Superseded when another runner holds this release."""
        self.lease.renew()

    def pause(self, seconds: float) -> None:
        """Sleep while traffic returns or drains: the Lease is kept, an API server that does not answer is no reason to stop."""
        until = self.process.clock() + seconds
        while (left := until - self.process.clock()) > 0:
            self.process.sleep(min(1.0, left))
            with contextlib.suppress(Unreachable):
                self.keep_lease()

    def claim_deployment(self, name: str) -> None:
        """Put our fence on a Deployment."""
        self.claim("Deployment", name)

    def claim(self, kind: str, name: str) -> None:
        """Put our fence on an object, so that a runner before us can change it no more; a missing one is fine."""

        def mark(found: JSON) -> list[Operation]:
            is_ours = (found["metadata"].get("annotations") or {}).get(EPOCH) == self.token
            return [] if is_ours else [as_read(found), *set_annotation(found, EPOCH, self.token)]

        self.amend(kind, name, mark, fenced=False)

    def amend(self, kind: str, name: str, change: Callable[[JSON], list[Operation]], *, fenced: bool = True) -> bool:
        """Patch an object by what change makes of it as it is, and again as long as a test of that patch fails.

        Whether anything was to be done: nothing is where the object is missing or change gives no operations. Raises ClusterError when
        it changes all the time, and with fenced Superseded when it is not ours.
        """
        for _attempt in range(AMEND_ATTEMPTS):
            found = self.session.find(kind, self.namespace, name)
            operations = change(found) if found else []
            if not operations:
                return False
            try:
                if fenced:
                    self.patch(kind, name, operations)
                else:
                    self.session.patch(kind, self.namespace, name, operations)
                return True
            except Conflict:
                self.process.sleep(AMEND_PAUSE_SECONDS)
        raise ClusterError(f"{kind} {self.namespace}/{name} could not be changed: it changes all the time")

    def claim_workload(self) -> None:
        """Put our fence on stable's workload, on what scales it and on what else a promotion changes."""
        self.claim(self.target.workload_kind, self.target.workload)
        for one in (*self.target.autoscalers, *self.target.held):
            self.claim(one["kind"], one["name"])

    def unclaim_workload(self) -> None:
        """Take our fence off all that claim_workload has put it on."""
        here = pointer("metadata", "annotations", EPOCH)
        workloads = [{"kind": self.target.workload_kind, "name": name} for name in dict.fromkeys((self.target.workload, self.serving))]
        for one in (*workloads, *self.target.autoscalers, *self.target.held):
            with contextlib.suppress(Conflict, NotFound):
                self.session.patch(one["kind"], self.namespace, one["name"], [expect(here, self.token), remove(here)])

    def workload(self) -> JSON:
        """The workload as it is now: stable, or what is rolled. Raises NotFound."""
        return self.session.get(self.target.workload_kind, self.namespace, self.target.workload)

    def patch_workload(self, operations: list[Operation]) -> JSON:
        """Patch the workload under our fence."""
        return self.patch(self.target.workload_kind, self.target.workload, operations)

    def patch_deployment(self, name: str, operations: list[Operation]) -> JSON:
        """Patch a Deployment under our fence."""
        return self.patch("Deployment", name, operations)

    def patch(self, kind: str, name: str, operations: list[Operation]) -> JSON:
        """Patch an object under our fence. Raises Superseded when it is not ours, Conflict when a test of operations fails.

        One that lost our fence was replaced by somebody else; when the Lease says that the release is ours it gets the fence again.
        """
        fence = expect(pointer("metadata", "annotations", EPOCH), self.token)
        for pause in (0.3, 1.0, 2.0, 4.0, None):
            try:
                return self.session.patch(kind, self.namespace, name, [fence, *operations])
            except Conflict as error:
                found = self.session.get(kind, self.namespace, name)
                holder = (found["metadata"].get("annotations") or {}).get(EPOCH)
                if holder == self.token:
                    raise
                if holder is not None:
                    raise Superseded(f"{kind} {name} is not held by {self.token} any more") from error
                if pause is None:
                    raise
                self.still_ours()
                self._mark(kind, found)
            except Unreachable:
                if pause is None:
                    raise
                self.process.sleep(pause)
        raise AssertionError("unreachable")

    def _mark(self, kind: str, found: JSON) -> None:
        """Put our fence on an object as it was read; one that changes meanwhile is read again by the caller."""
        with contextlib.suppress(Conflict):
            self.session.patch(kind, self.namespace, found["metadata"]["name"], [as_read(found), *set_annotation(found, EPOCH, self.token)])

    def scale_twin(self, replicas: int) -> None:
        """Set the twin's replicas."""
        self.patch_deployment(self.twin, [add("/spec/replicas", replicas)])
        self.has_extra_pods(replicas)

    def has_extra_pods(self, pods: int) -> None:
        """Note how many pods there are from now on that would not be there without the release."""
        self.state.costs = Costs.of(self.state.costs).sized(pods, self.process.clock()).to_dict()

    def twin_pods(self) -> list[JSON]:
        """The pods of the new version."""
        old = self.target.revision
        if old is None:
            return self.session.list("Pod", self.namespace, labels=self.target.pod_labels)
        return [pod for pod in self.workload_pods() if revision_in(self.target.workload_kind, pod) != old]

    def workload_pods(self) -> list[JSON]:
        """The pods of a workload that is rolled, old and new."""
        return self.session.list("Pod", self.namespace, labels=self.target.pod_labels)

    def ready_endpoints(self, service: str) -> int:
        """How many ready, serving addresses a Service has."""
        return ready_endpoints(self.session, self.namespace, service)

    def stable_ready(self) -> int:
        """How many pods of stable could take traffic. Its Service may select the canary's just now, or those of both."""
        if not self.router.reselects and not self.target.canary:
            return self.ready_endpoints(self.target.service)
        found = self.session.find(self.target.workload_kind, self.namespace, self.target.workload)
        return ready_pods(self.target.workload_kind, found) if found else 0

    def write(self, doing: str = "") -> None:
        """Journal the state, with what is about to be done."""
        self.state.doing = doing
        self.journal.write(self.state)
