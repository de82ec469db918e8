# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a release: a ConfigMap in the target's cluster from which any runner can go on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..cluster.errors import Conflict, Superseded, Unreachable
from ..cluster.kinds import api_version
from ..cluster.patch import add, expect, pointer, replace
from ..cluster.session import Session
from ..traffic.route import EPOCH, Route
from .record_size import LARGEST_BYTES, LEAST_STATE_BYTES, dump, packed, unpacked

JSON = dict[str, Any]
LABEL = "progressive.delivery/record"
ABORT = "progressive.delivery/abort"
GUARD = "progressive.delivery/guard"  # what the guard did, or left
COMMANDS = "progressive.delivery/commands"  # a list of the others, oldest first (release.commands)
KEPT_LOOKS = 20
KEPT_ENDINGS = 5
KEPT_COMMANDS = 5  # of each of them: who approved it, and why
UNFINISHED = ("running", "returning", "parked")
_REMEMBERED = ("release_id", "outcome", "reason", "image", "digest", "serves", "started_at", "updated_at")


def record_name(release_name: str) -> str:
    """The ConfigMap that holds the record of a release."""
    return f"release-{release_name}"


def new_release_id(release_name: str) -> str:
    """The release's name and six hexadecimal digits that no other attempt has."""
    return f"{release_name}-{secrets.token_hex(3)}"


def now() -> str:
    """The time as the record writes it: UTC, ISO 8601, milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class State:
    """Where a release is. phase: running, returning, parked or ended; outcome stands only when it has ended."""

    release_id: str
    phase: str = "running"
    outcome: str | None = None
    reason: str = ""
    cause: str = ""  # of a way back: the word of TurnBack.cause
    step: int = 0
    doing: str = ""  # the change under way, written before it is made
    weight_percent: int = 0
    matched: bool = False  # the release's matches are in the route
    mirror_percent: int = 0
    sticky: bool = False  # the groups of an experiment are in the route
    started_at: str = field(default_factory=now)
    updated_at: str = field(default_factory=now)
    floors: list[JSON] = field(default_factory=list)  # of autoscalers, raised or about to be (workload.autoscaler.Floor)
    stable_changed: bool = False  # promote has begun: stable's template may be the new one
    swapped: bool = False  # promote by swap has begun: the new Deployment may have the old one's place
    retiring: bool = False  # the old Deployment goes: there is no way back any more
    serves: str = ""  # the Deployment that users get: the old one, or the new one after the swap
    alone: bool = False  # the canary's destination stands where stable's stood
    image: str = ""
    digest: str = "unpinned"
    judge: JSON | None = None  # the judge's whole state
    proceedings: str = ""  # the last looks as the judges got them, packed (release.proceedings)
    sample_ratio: JSON | None = None  # the requests that arrived at this weight (analysis.sample_ratio.SampleRatio)
    budget: JSON | None = None  # what the release has spent of it (release.budget_watch)
    silence: str = ""  # the id of the one in Alertmanager
    experiment: JSON | None = None  # since when, what was counted, what came of it (release.experiment)
    costs: JSON = field(default_factory=dict)  # so far (release.costs)
    webhooks: JSON = field(default_factory=dict)  # what they were asked and said (release.webhooks)
    steps: list[JSON] = field(default_factory=list)  # name, started_at, ended_at, note
    looks: list[JSON] = field(default_factory=list)  # the last looks
    evidence: JSON = field(default_factory=dict)
    history: list[JSON] = field(default_factory=list)  # earlier endings under this name
    control: JSON = field(default_factory=dict)  # which commands were obeyed, and what stands of them (release.commands)

    def hold(self, route: Route) -> None:
        """Note the route that stands."""
        self.weight_percent, self.matched, self.mirror_percent = route.canary_percent, bool(route.matches), route.mirror_percent
        self.sticky, self.alone = route.sticky is not None, route.alone

    def ending(self) -> JSON:
        """The one-line memory of this release for the next record's history."""
        kept = {key: getattr(self, key) for key in _REMEMBERED}
        return {**kept, "commands": (self.control.get("log") or [])[-KEPT_COMMANDS:]}


@dataclass
class Record:
    """A record as it was read. spec and target are JSON; abort is the request of who wants the release undone, commands the others."""

    name: str
    namespace: str
    spec: JSON
    target: JSON
    state: State
    fence: str
    abort: JSON | None
    commands: list[JSON] = field(default_factory=list)
    guard: JSON | None = None  # did (returned or left), at, why

    @property
    def unfinished(self) -> bool:
        """Whether traffic or objects of this release may still be in place."""
        return self.state.phase in UNFINISHED


def load(session: Session, namespace: str, release_name: str) -> Record | None:
    """The record of a release, or None when there is none."""
    found = session.find("ConfigMap", namespace, record_name(release_name))
    return None if found is None else _parse(found)


def load_all(session: Session, namespace: str) -> list[Record]:
    """All records of a namespace."""
    return [_parse(found) for found in session.list("ConfigMap", namespace, labels={LABEL: "true"})]


def holder(session: Session, namespace: str, fence: str) -> Record | None:
    """The unfinished release that a fence belongs to. None for a fence left by one that has ended or is gone: it binds nobody."""
    held = (one for one in load_all(session, namespace) if one.unfinished and fence.startswith(one.state.release_id + "."))
    return next(held, None)


def _parse(found: JSON) -> Record:
    meta, data = found["metadata"], found["data"]
    annotations = meta.get("annotations") or {}
    request = annotations.get(ABORT)
    return Record(
        meta["name"],
        meta["namespace"],
        unpacked(data["spec"]),
        unpacked(data["target"]),
        State(**json.loads(data["state"])),
        annotations.get(EPOCH, ""),
        json.loads(request) if request else None,
        json.loads(annotations.get(COMMANDS) or "[]"),
        json.loads(annotations.get(GUARD) or "null"),
    )


class Journal:
    """Writes a record, and nothing but while the fence is ours."""

    def __init__(self, session: Session, namespace: str, release_name: str, token: str) -> None:
        self._session = session
        self._namespace = namespace
        self._name = record_name(release_name)
        self._token = token

    def create(self, spec: Mapping[str, Any], target: Mapping[str, Any], state: State, replacing: Record | None) -> None:
        """Begin a record; an ended one of the same name makes room and leaves its endings behind."""
        if replacing is not None:
            state.history = [replacing.state.ending(), *replacing.state.history][:KEPT_ENDINGS]
            self._session.delete("ConfigMap", self._namespace, self._name)
        body = {
            "apiVersion": api_version("ConfigMap"),
            "kind": "ConfigMap",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {LABEL: "true", "app.kubernetes.io/managed-by": "progressive.delivery"},
                "annotations": {EPOCH: self._token, COMMANDS: "[]"},
            },
            "data": {"spec": packed(spec), "target": packed(target), "state": dump(vars(state))},
        }
        self._session.create(body)

    def take_over(self, previous: str) -> None:
        """Replace the fence of the runner before us. Raises Superseded when it is another one by now."""
        here = pointer("metadata", "annotations", EPOCH)
        self._patch([expect(here, previous), replace(here, self._token)], done=lambda: self._fence() == self._token)

    def write(self, state: State) -> None:
        """Journal the state. Raises Superseded when somebody else holds the record, NotFound when it was deleted."""
        state.updated_at = now()
        state.looks = state.looks[-KEPT_LOOKS:]
        text = dump(vars(state))
        if len(text) > LEAST_STATE_BYTES:
            text = self._fitted(state)
        self._patch([expect(pointer("metadata", "annotations", EPOCH), self._token), replace("/data/state", text)], done=lambda: False)

    def write_target(self, target: Mapping[str, Any]) -> None:
        """Keep what was found of the target since the record was begun. Raises as write."""
        self._patch(
            [expect(pointer("metadata", "annotations", EPOCH), self._token), replace("/data/target", packed(target))], done=lambda: False
        )

    def _fitted(self, state: State) -> str:
        """The state as text, without what the judges were given, with fewer looks and endings where it would outgrow the record."""
        data = self._session.get("ConfigMap", self._namespace, self._name)["data"]
        most = LARGEST_BYTES - len(data["spec"]) - len(data["target"])
        while len(text := dump(vars(state))) > most and (state.proceedings or state.looks or state.history):
            if state.proceedings:
                state.proceedings = ""
                continue
            state.looks, state.history = state.looks[len(state.looks) // 2 + 1 :], state.history if state.looks else state.history[:-1]
        return text

    def poll(self) -> JSON | None:
        """The abort request, if there is one. Raises Superseded when the record is not ours any more."""
        return self.requests()[0]

    def requests(self) -> tuple[JSON | None, list[JSON]]:
        """The abort request and the other commands. Raises Superseded when the record is not ours any more."""
        found = self._session.request("GET", f"/api/v1/namespaces/{self._namespace}/configmaps/{self._name}")
        annotations = found["metadata"].get("annotations") or {}
        if annotations.get(EPOCH) != self._token:
            raise Superseded(f"the record {self._name} is held by {annotations.get(EPOCH)}, not by {self._token}")
        request = annotations.get(ABORT)
        return json.loads(request) if request else None, json.loads(annotations.get(COMMANDS) or "[]")

    def _fence(self) -> str:
        found = self._session.get("ConfigMap", self._namespace, self._name)
        return (found["metadata"].get("annotations") or {}).get(EPOCH, "")

    def _patch(self, operations: list[JSON], *, done: Callable[[], bool]) -> None:
        """Patch, again when no answer came. done tells whether a patch whose answer was lost has taken effect."""
        for pause in (0.2, 0.5, 1.0, 2.0, 0.0):
            try:
                self._session.patch("ConfigMap", self._namespace, self._name, operations)
                return
            except Conflict as error:
                if done():
                    return
                if self._fence() != self._token:
                    raise Superseded(f"the record {self._name} is not ours any more") from error
                if not pause:
                    raise
            except Unreachable:
                if not pause:
                    raise
            self._session.sleep(pause)


def ask_abort(session: Session, record: Record, request: JSON) -> None:
    """Leave an abort request on the record, whoever holds it."""
    annotations = pointer("metadata", "annotations", ABORT)
    session.patch("ConfigMap", record.namespace, record.name, [add(annotations, json.dumps(request, sort_keys=True))])
