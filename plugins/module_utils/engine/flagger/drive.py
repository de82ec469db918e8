# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runner holds while Flagger releases: the objects as they are, the record, the Lease."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...cluster.errors import ClusterError, Conflict, NotFound
from ...cluster.kinds import object_path
from ...cluster.lease import Lease
from ...cluster.patch import FIELD_MANAGER, Operation, add, as_read, remove, replace
from ...cluster.session import JSON_PATCH, Session
from ...release.context import Process
from ...release.record import Journal, State
from ...release.spec import Spec
from ...report.live import Live
from ..holding import Holding
from . import canary as canaries
from . import route
from .canary import View, view
from .target import FlaggerTarget

JSON = dict[str, Any]
ATTEMPTS = 8
PAUSE_SECONDS = 0.2
APPROVED = "progressive.delivery/approved"  # annotations of the Canary: who gave which approval
PAUSED = "progressive.delivery/paused"  # by whom, until when, and what follows
SKIPS = "progressive.delivery/skips-analysis"  # the release for which skipAnalysis was set


@dataclass
class Drive(Holding):
    """One release through one Canary, held by one runner."""

    session: Session
    spec: Spec
    target: FlaggerTarget
    state: State
    lease: Lease
    journal: Journal
    live: Live
    process: Process
    deadline_at: float  # Unix time
    renewed_at: float = 0.0
    told: set[str] = field(default_factory=set)

    def canary(self) -> JSON | None:
        """The Canary as it is."""
        return self.session.find("Canary", self.target.namespace, self.target.canary)

    def view(self) -> View:
        """What it says."""
        return view(self.canary())

    def deployment(self, name: str) -> JSON | None:
        """A Deployment as it is."""
        return self.session.find("Deployment", self.target.namespace, name)

    def percent(self) -> int | None:
        """The canary's share as the route says it."""
        return route.percent(self.session, self.target.place)

    def events(self) -> list[tuple[float, str, str]]:
        """Flagger's events about the Canary since the release began."""
        return events_of(self.session, self.target.namespace, self.target.canary, after=events_after(self.state))

    def amend(self, change: Any) -> bool:
        """Patch the Canary by what change makes of it as it is; whether there was anything to do."""
        return amend(self.session, "Canary", self.target.namespace, self.target.canary, change, sleep=self.process.sleep)

    def amend_deployment(self, name: str, change: Any) -> bool:
        """Patch a Deployment likewise."""
        return amend(self.session, "Deployment", self.target.namespace, name, change, sleep=self.process.sleep)

    def put_status(self, changes: JSON) -> None:
        """Write into the Canary's status, as Flagger itself would. Raises ClusterError."""
        namespace, name = self.target.namespace, self.target.canary
        for _attempt in range(ATTEMPTS):
            found = self.canary()
            if found is None:
                return
            status = {**(found.get("status") or {}), **changes}
            try:
                self.session.request(
                    "PATCH",
                    object_path("Canary", namespace, name) + "/status",
                    query={"fieldManager": FIELD_MANAGER},
                    body=[as_read(found), add("/status", status)],
                    content_type=JSON_PATCH,
                )
                return
            except (Conflict, ClusterError) as error:
                if error.status not in (409, 422):
                    raise
                self.process.sleep(PAUSE_SECONDS)
        raise ClusterError(f"the status of Canary {name} changes all the time")

    def once(self, key: str, word: str, text: str) -> None:
        """Say something that is said once."""
        if key not in self.told:
            self.told.add(key)
            self.live.say(word, text)


def events_after(state: State) -> float:
    """The time of the last event before the release, by the cluster's own clock."""
    return float((state.control.get("flagger") or {}).get("events_after") or 0.0)


def events_of(session: Session, namespace: str, name: str, *, after: float = 0.0) -> list[tuple[float, str, str]]:
    """Flagger's events about a Canary, oldest first; none where we may not read them."""
    wanted = {"fieldSelector": f"involvedObject.kind=Canary,involvedObject.name={name}"}
    try:
        answer = session.read(object_path("Event", namespace), wanted)
    except NotFound:
        return []
    own: Iterable[JSON] = (one for one in answer["items"] if (one.get("involvedObject") or {}).get("name") == name)
    return canaries.messages(own, after)


def amend(session: Session, kind: str, namespace: str, name: str, change: Any, *, sleep: Any) -> bool:
    """Patch an object by what change makes of it as it is, again while somebody else is faster; whether there was anything to do."""
    for _attempt in range(ATTEMPTS):
        found = session.find(kind, namespace, name)
        operations: list[Operation] = change(found) if found else []
        if not operations:
            return False
        try:
            session.patch(kind, namespace, name, [as_read(found), *operations] if found else operations)
            return True
        except Conflict:
            sleep(PAUSE_SECONDS)
    raise ClusterError(f"{kind} {namespace}/{name} could not be changed: it changes all the time")


def is_held_by_others(found: JSON) -> bool:
    """Whether a Canary at work is suspended, and not by a pause of ours."""
    return view(found).phase == canaries.SUSPENDED and PAUSED not in (found["metadata"].get("annotations") or {})


def put(found: JSON, field_name: str, value: Any) -> list[Operation]:
    """Operations that set a field of spec, or take it away with None; none where it is so already."""
    now = found["spec"].get(field_name)
    if now == value or (not now and not value):
        return []
    path = f"/spec/{field_name}"
    if value is None:
        return [remove(path)]
    return [replace(path, value) if field_name in found["spec"] else add(path, value)]


def annotate(found: JSON, changes: dict[str, str | None]) -> list[Operation]:
    """Operations that set annotations, or take them away with None."""
    now = dict(found["metadata"].get("annotations") or {})
    after = {key: value for key, value in {**now, **changes}.items() if value is not None}
    if after == now:
        return []
    return [add("/metadata/annotations", after)]
