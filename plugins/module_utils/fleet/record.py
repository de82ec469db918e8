# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a fleet, in the cluster of its home: one ConfigMap for the plan, the waves and the stop sign, one for each target.

A target's own holds what it writes at every look, so that a hundred targets never rewrite each other's. Every write tests the epoch
of the run that holds the fleet's Lease: who was only asleep can change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..cluster.errors import Conflict, Superseded, Unreachable
from ..cluster.kinds import api_version
from ..cluster.patch import add, expect, pointer, replace
from ..cluster.session import Session
from ..release.record import now
from ..traffic.route import EPOCH
from .spec import ALL, TARGET, WAVE, FleetSpec, fleet_from, slug

JSON = dict[str, Any]
LABEL = "progressive.delivery/fleet"
WAVE_LABEL = "progressive.delivery/wave"
STOP = "progressive.delivery/stop"
PEOPLE = "progressive.delivery/people"
WAITING, RUNNING, PROMOTED, RETURNED, UNREACHABLE, SKIPPED = "waiting", "running", "promoted", "returned", "unreachable", "skipped"
LET_GO = "let_go"  # of a target that somebody has given up: it never answers again
SETTLED = (PROMOTED, RETURNED, UNREACHABLE, SKIPPED, LET_GO)  # nobody is at work on it, as far as is known
RETURNING, ENDED = "returning", "ended"  # phases of a fleet, beside running
DONE, BAKING = "done", "baking"  # states of a wave, beside waiting, running, returned and skipped
KEPT_ENDINGS = 5
WIDTH = {TARGET: 1, WAVE: 2, ALL: 3}
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0)


@dataclass
class Progress:
    """Where a fleet is. targets: of each its cluster's UID, its namespace and what its release would be.

    waves: of each its state and times, crossing (who let it begin, when, and on what evidence) and baking (since and until when, Unix time).
    """

    release_id: str
    image: str
    targets: dict[str, JSON]
    waves: list[JSON]
    phase: str = RUNNING
    outcome: str | None = None
    reason: str = ""
    by: str = ""
    started_at: str = field(default_factory=now)
    ended_at: str | None = None
    history: list[JSON] = field(default_factory=list)  # earlier endings under this name


@dataclass
class Entry:
    """Where one target of a fleet is. failed: its own release or watch said no; unchanged: it ran the version before the fleet came.

    image and digest: what it was given, and what that was when its pods ran; empty while that is not known.
    """

    target: str
    wave: int
    state: str = WAITING
    outcome: str | None = None
    reason: str = ""
    release_id: str = ""
    failed: bool = False
    unchanged: bool = False
    image: str = ""
    digest: str = ""
    at: str = field(default_factory=now)

    @property
    def is_touched(self) -> bool:
        """Whether this fleet may have changed it, so that it has to go back when everybody does."""
        return self.state in (RUNNING, PROMOTED, UNREACHABLE) and not self.unchanged

    @property
    def is_settled(self) -> bool:
        """Whether nobody is at work on it, as far as is known."""
        return self.state in SETTLED


@dataclass
class FleetRecord:
    """A fleet's record as it was read. people: what they said of the waves, as release.approval_words keeps it of the steps of a release."""

    name: str
    namespace: str
    fleet: FleetSpec
    progress: Progress
    token: str
    stop: JSON | None
    people: JSON

    @property
    def unfinished(self) -> bool:
        """Whether a target may still be on its way."""
        return self.progress.phase != ENDED


def waves_left(record: FleetRecord) -> list[int]:
    """The numbers of the waves that are not done."""
    return [number for number, one in enumerate(record.progress.waves) if one["state"] != DONE]


def record_name(name: str) -> str:
    """The ConfigMap that holds the record of a fleet."""
    return f"fleet-{name}"


def lease_name(name: str) -> str:
    """One Lease for each fleet."""
    return f"progressive-delivery-fleet-{name}"


def load(session: Session, namespace: str, name: str) -> FleetRecord | None:
    """The record of a fleet; None when there is none."""
    found = session.find("ConfigMap", namespace, record_name(name))
    return None if found is None else _parse(found)


def names(session: Session, namespace: str) -> list[str]:
    """The fleets whose records a namespace keeps."""
    found = session.list("ConfigMap", namespace, labels={LABEL + "-home": "true"})
    return sorted(one["metadata"]["name"].removeprefix("fleet-") for one in found)


def _parse(found: JSON) -> FleetRecord:
    meta, data = found["metadata"], found["data"]
    marks = meta.get("annotations") or {}
    return FleetRecord(
        meta["name"].removeprefix("fleet-"),
        meta["namespace"],
        fleet_from(json.loads(data["plan"])),
        Progress(**json.loads(data["progress"])),
        marks.get(EPOCH, ""),
        json.loads(marks[STOP]) if marks.get(STOP) else None,
        json.loads(marks.get(PEOPLE) or "{}"),
    )


def entries(session: Session, record: FleetRecord) -> dict[str, Entry]:
    """Where each target is, in the order of the waves; one that has written nothing yet is waiting."""
    return {target: entry for target, (entry, _counts) in entries_and_counts(session, record).items()}


def entries_and_counts(session: Session, record: FleetRecord) -> dict[str, tuple[Entry, JSON]]:
    """Where each target is, and what its last look counted."""
    found = session.list("ConfigMap", record.namespace, labels={LABEL: record.name})
    told = [(Entry(**json.loads(one["data"]["entry"])), json.loads(one["data"].get("counts") or "{}")) for one in found]
    by_target = {entry.target: (entry, counts) for entry, counts in told}
    return {
        target: by_target.get(target, (Entry(target, number), {}))
        for number, wave in enumerate(record.fleet.waves)
        for target in wave.targets
    }


def create(
    session: Session, namespace: str, fleet: FleetSpec, progress: Progress, *, token: str, replacing: FleetRecord | None, people: JSON
) -> None:
    """Begin a record; an ended one of the same name makes room and leaves its endings behind."""
    if replacing is not None:
        last = replacing.progress
        kept = {key: getattr(last, key) for key in ("release_id", "image", "outcome", "reason", "started_at", "ended_at")}
        progress.history = [kept, *last.history][:KEPT_ENDINGS]
        session.delete("ConfigMap", namespace, record_name(fleet.name))
    for one in session.list("ConfigMap", namespace, labels={LABEL: fleet.name}):
        session.delete("ConfigMap", namespace, one["metadata"]["name"])
    labels = {LABEL + "-home": "true"}
    marks = {EPOCH: token, STOP: "", PEOPLE: _text(people)}
    data = {"plan": _text(fleet.to_dict()), "progress": _text(asdict(progress))}
    made = session.create(_config_map(namespace, record_name(fleet.name), labels, marks, data))
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": record_name(fleet.name), "uid": made["metadata"]["uid"]}
    for number, wave in enumerate(fleet.waves):
        for target in wave.targets:
            entry = {"entry": _text(asdict(Entry(target, number))), "counts": "{}"}
            labels = {LABEL: fleet.name, WAVE_LABEL: str(number)}
            body = _config_map(namespace, entry_name(fleet.name, target), labels, {EPOCH: token}, entry)
            body["metadata"]["ownerReferences"] = [owner]
            session.create(body)


def entry_name(name: str, target: str) -> str:
    """The ConfigMap that a target of a fleet writes."""
    return f"{record_name(name)}.{slug(target)}"


def _config_map(namespace: str, name: str, labels: Mapping[str, str], marks: Mapping[str, str], data: Mapping[str, str]) -> JSON:
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "progressive.delivery", **labels},
        "annotations": dict(marks),
    }
    return {"apiVersion": api_version("ConfigMap"), "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


class Pen:
    """Writes a fleet's record, and nothing but while the run that it belongs to holds the fleet. Raises Superseded when that is over."""

    def __init__(self, session: Session, namespace: str, name: str, token: str) -> None:
        self._session, self._namespace, self._name, self._token = session, namespace, name, token

    def take_over(self, targets: Iterable[str], previous: str) -> None:
        """Raise the epoch everywhere: who wrote before can write no more."""
        here = pointer("metadata", "annotations", EPOCH)
        self._patch(record_name(self._name), [expect(here, previous), replace(here, self._token)], is_take_over=True)
        for target in targets:
            self._session.patch("ConfigMap", self._namespace, entry_name(self._name, target), [add(here, self._token)])

    def progress(self, progress: Progress) -> None:
        """Write where the fleet is."""
        self._fenced(record_name(self._name), [replace("/data/progress", _text(asdict(progress)))])

    def entry(self, entry: Entry) -> None:
        """Write where a target is."""
        entry.at = now()
        self._fenced(entry_name(self._name, entry.target), [replace("/data/entry", _text(asdict(entry)))])

    def counts(self, target: str, counts: JSON) -> None:
        """Write what a target has counted."""
        self._fenced(entry_name(self._name, target), [add("/data/counts", _text(counts))])

    def _fenced(self, name: str, operations: list[JSON]) -> None:
        self._patch(name, [expect(pointer("metadata", "annotations", EPOCH), self._token), *operations])

    def _patch(self, name: str, operations: list[JSON], *, is_take_over: bool = False) -> None:
        """Patch, again where no answer came: every write says the whole of what it means, so that twice is once."""
        for pause in (*PAUSES_SECONDS, None):
            try:
                self._session.patch("ConfigMap", self._namespace, name, operations)
                return
            except Conflict as error:
                found = self._session.get("ConfigMap", self._namespace, name)
                holder = (found["metadata"].get("annotations") or {}).get(EPOCH)
                if holder != self._token:
                    raise Superseded(f"the fleet's record {name} is held by {holder}, not by {self._token}") from error
                if is_take_over:
                    return  # the answer to our own patch, which raised the epoch, was lost
                if pause is None:
                    raise
                self._session.sleep(pause)
            except Unreachable:
                if pause is None:
                    raise
                self._session.sleep(pause)


def put_stop(session: Session, record: FleetRecord, sign: JSON) -> JSON:
    """Set the stop sign, whoever holds the fleet; what stands afterwards. The first one stays, unless a later one reaches further.

    sign: scope (all, wave or target), reason, by, at, target, wave, cause.
    """
    here = pointer("metadata", "annotations", STOP)
    for pause in (*PAUSES_SECONDS, None):
        found = session.get("ConfigMap", record.namespace, record_name(record.name))
        text = (found["metadata"].get("annotations") or {}).get(STOP, "")
        before = json.loads(text) if text else None
        if before and WIDTH[before["scope"]] >= WIDTH[sign["scope"]]:
            return before
        try:
            session.patch("ConfigMap", record.namespace, record_name(record.name), [expect(here, text), replace(here, _text(sign))])
            return sign
        except (Conflict, Unreachable):
            if pause is None:
                raise
            session.sleep(pause)
    raise AssertionError("unreachable")


def change_people(session: Session, record: FleetRecord, change: Callable[[JSON], JSON]) -> JSON:
    """Change what people said, whoever holds the fleet; what stands afterwards. change is called again when somebody else was faster."""
    here = pointer("metadata", "annotations", PEOPLE)
    for pause in (*PAUSES_SECONDS, None):
        try:
            found = session.get("ConfigMap", record.namespace, record_name(record.name))
            text = (found["metadata"].get("annotations") or {}).get(PEOPLE) or "{}"
            before = json.loads(text)
            after = change(before)
            if after != before:
                session.patch("ConfigMap", record.namespace, record_name(record.name), [expect(here, text), replace(here, _text(after))])
            return after
        except (Conflict, Unreachable):
            if pause is None:
                raise
            session.sleep(pause)
    raise AssertionError("unreachable")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
