# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters straight from pods, through the API server's pod proxy: every look is a read of its own, no scrape is waited for."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ..cluster.errors import ClusterError
from ..cluster.kinds import object_path
from ..cluster.session import Session
from ..release.gates_spec import GateSpec
from ..release.parts import PodsSpec
from ..workload.kinds import DEPLOYMENT, SETS, revision_in
from .bounds import wanted
from .counters import CANARY, STABLE, Counters, Key, PodCounters, Reading
from .exposition import FAMILIES, Family
from .prometheus import BadQuery, MetricsError, Unavailable
from .source import Answer, gate_buckets, gate_counts

JSON = dict[str, Any]
READ_SECONDS = 1.0
GRACE_SECONDS = 0.2  # beyond it, before a read that does not end is left alone
READERS = 8  # below the ten connections that the client keeps alive
LONGEST_MISSES = 3  # reads in a row after which a pod's counters are no data any more
LEAST_SECONDS = 0.5  # between two looks: the rule wants about one a second, whoever polls more often
LIST_SECONDS = 5.0  # between two lists of pods while the weight stands
BLOCK_SECONDS = 4.5  # the first look after it closes the block: about every five seconds
QUIET_SECONDS = 3.0  # without a request before a pod counts as silent: a second of rare traffic tells nothing
QUOTED = 160  # characters of an answer in a message


def running(session: Session, namespace: str, labels: Mapping[str, str]) -> list[JSON]:
    """The running pods with these labels. Raises ClusterError."""
    return [pod for pod in session.list("Pod", namespace, labels=labels) if (pod.get("status") or {}).get("phase") == "Running"]


@dataclass(frozen=True)
class PodArms:
    """Whose pods are whose. revision: of stable's pods, where the canary's are pods of the same workload, of another revision.

    kind: of the workload. A set's pod may have the name of the one that it replaces: it counts as a pod of its own.
    """

    namespace: str
    stable_labels: Mapping[str, str]
    canary_labels: Mapping[str, str]
    container: str | None = None  # the application's
    revision: str | None = None
    kind: str = DEPLOYMENT
    own_labels: Mapping[str, str] | None = None  # the canary's, where its pods may have all labels of stable's, too

    @property
    def names_return(self) -> bool:
        """Whether a name says nothing of which pod it is: a StatefulSet's pods come back under theirs."""
        return self.kind in SETS

    def find(self, session: Session) -> dict[Key, JSON]:
        """The running pods of both arms. Raises ClusterError."""
        found: dict[Key, JSON] = {}
        for arm, labels in ((STABLE, self.stable_labels), (CANARY, self.canary_labels)):
            if self.revision is not None and arm == CANARY:
                break
            for pod in running(session, self.namespace, labels):
                meta = pod["metadata"]
                if self.own_labels and arm == STABLE and self.own_labels.items() <= meta["labels"].items():
                    continue
                found[self._arm(pod, arm), f"{meta['name']}/{meta['uid']}" if self.names_return else meta["name"]] = pod
        return found

    def _arm(self, pod: JSON, arm: str) -> str:
        if self.revision is None:
            return arm
        return STABLE if revision_in(self.kind, pod) == self.revision else CANARY


def arms_of(target: Any) -> PodArms:
    """The arms of a release's target. Labels that the new version changes tell nothing of whose pods they are."""
    if target.revision is not None:
        return PodArms(target.namespace, target.pod_labels, target.pod_labels, target.container, target.revision, target.workload_kind)
    old, new = (template["metadata"].get("labels") or {} for template in (target.original_template, target.new_template))
    shared = {name: value for name, value in old.items() if new.get(name) == value or name == target.switch_label}
    if target.own_labels:
        return PodArms(target.namespace, shared, target.own_labels, target.container, own_labels=target.own_labels)
    moved = {**shared, target.switch_label: target.pod_labels[target.switch_label]}
    return PodArms(target.namespace, shared, moved, target.container)


class PodReader:
    """Reads pods side by side. One that does not answer in time is left alone until its last read has ended."""

    def __init__(self, session: Session, where: PodsSpec, container: str | None) -> None:
        self._session = session
        self._where = where
        self._container = container
        self._workers: ThreadPoolExecutor | None = None
        self._late: dict[str, Future[str]] = {}
        self.family: Family = FAMILIES[where.family]

    def texts(self, pods: Iterable[JSON], *, whole: bool = False) -> dict[str, str | Exception]:
        """Pod's name -> its answer, or why there is none. whole: without leaving out what the family does not count."""
        if self._workers is None:
            self._workers = ThreadPoolExecutor(READERS, thread_name_prefix="pods")
        asked: dict[str, Future[str]] = {}
        answers: dict[str, str | Exception] = {}
        for pod in pods:
            name = pod["metadata"]["name"]
            late = self._late.pop(name, None)
            if late is not None and not late.done():
                self._late[name] = late
                answers[name] = Unavailable(f"no answer within {READ_SECONDS:g} s")
                continue
            asked[name] = self._workers.submit(self._text, pod, whole)
        wait(asked.values(), timeout=READ_SECONDS + GRACE_SECONDS)
        for name, future in asked.items():
            if not future.done():
                self._late[name] = future
                answers[name] = Unavailable(f"no answer within {READ_SECONDS:g} s")
            else:
                answers[name] = _outcome(future)
        return answers

    def _text(self, pod: JSON, whole: bool) -> str:
        path = pod_path(pod, self._where, self._container)
        if self.family.only:
            path += "?" + urlencode({"usedonly": "", **({} if whole else {"filter": self.family.only})})
        answer = self._session.raw(path, read_seconds=READ_SECONDS)
        if answer.status != 200:
            raise Unavailable(f"HTTP {answer.status}: {_said(answer.text)}")
        return answer.text


def _said(text: str) -> str:
    """The beginning of an answer in one line; of the API server's own words only the sentence."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        text = json.loads(text)["message"]
    return " ".join(str(text).split())[:QUOTED]


def _outcome(future: Future[str]) -> str | Exception:
    try:
        return future.result()
    except (MetricsError, ClusterError) as error:
        return error


def pod_path(pod: JSON, where: PodsSpec, container: str | None) -> str:
    """Where the API server passes requests on to a pod, without the query. Raises Unavailable when the pod has no such port."""
    meta = pod["metadata"]
    scheme = "https:" if where.scheme == "https" else ""
    return f"{object_path('Pod', meta['namespace'], scheme + meta['name'])}:{_port(pod, where, container)}/proxy{where.path}"


def _port(pod: JSON, where: PodsSpec, container: str | None) -> str:
    """A port's number: the proxy knows no names of pods' ports."""
    if where.port is not None and where.port.isdigit():
        return where.port
    containers = [*pod["spec"].get("containers", []), *pod["spec"].get("initContainers", [])]
    if where.port is None:
        containers = [one for one in containers if container in (None, one["name"])]
    ports = [port for one in containers for port in one.get("ports") or []]
    for port in ports:
        if where.port in (None, port.get("name")):
            return str(port["containerPort"])
    names = ", ".join(sorted(str(port.get("name") or port["containerPort"]) for port in ports)) or "none"
    raise Unavailable(f"no port {where.port or 'of its own'}; there is: {names}")


class PodSource:
    """The same counters as metrics.source.Source gives, read from the pods themselves: a look each poll, a block every few seconds.

    A look needs a fresh read of each arm that should have traffic. A pod that does not answer keeps its last values; after
    LONGEST_MISSES reads in a row it is left out, and an arm without any pod is no data.
    """

    quiet_seconds = QUIET_SECONDS

    def __init__(
        self, session: Session, arms: PodArms, where: PodsSpec, gates: tuple[GateSpec, ...], *, clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._arms = arms
        self._gates = gates
        self._clock = clock
        self._bounds = wanted(gates)
        self._reader = PodReader(session, where, arms.container)
        self._where = where
        self._counters = Counters()
        self._started = False
        self._now = self._listed_at = self._block_began = 0.0
        self._pods: dict[Key, JSON] = {}
        self._kept: dict[Key, PodCounters] = {}
        self._missed: dict[Key, int] = {}
        self._trouble: dict[str, str] = {}  # arm -> why its last pod did not answer

    def prepare(self) -> None:
        """Take what the counters say now as their zero, before the traffic moves. A read that fails is made up for by the next poll."""
        if self._started:
            return
        try:
            self._start(self.read())
        except (MetricsError, ValueError):
            return

    def poll(self, *, canary_expected: bool, stable_expected: bool) -> Answer:
        """Read once, or leave it when it was only just read. An arm that should have traffic and does not answer makes it no_data."""
        if self._started and self._now <= self._clock() < self._now + LEAST_SECONDS:
            return Answer({}, False, new=False)
        try:
            reading = self.read()
        except (MetricsError, ValueError) as error:
            return Answer({}, False, getattr(error, "cause", BadQuery.cause), str(error))
        if not self._started:
            self._start(reading)
            return Answer({}, False, new=False)
        complete = self._counters.add(reading)
        expected = [arm for arm, wanted in ((CANARY, canary_expected), (STABLE, stable_expected)) if wanted]
        silent = next(filter(None, (self._silent(reading, arm) for arm in expected)), "")
        if silent:
            return Answer({}, False, "no_data", silent)
        fresh = {arm for (arm, _pod), pod in reading.pods.items() if pod.at_seconds == reading.now_seconds}
        if not fresh.issuperset(expected):
            return Answer({}, False, new=False)
        increases = self._counters.block.increases
        counts = {gate.name: gate_counts(increases, gate) for gate in self._gates}
        closes = complete and reading.now_seconds - self._block_began >= BLOCK_SECONDS
        if closes:
            self._next_block()
        return Answer(counts, closes, new=bool(fresh), buckets=gate_buckets(increases, self._gates))

    def read(self) -> Reading:
        """The counters of both arms as they stand. Raises Unavailable when pods cannot be listed, ValueError for what is no count."""
        self._now = max(self._clock(), self._now + 0.001)  # a clock that is set back must not make new samples old ones
        self._list()
        texts = self._reader.texts(self._pods.values())
        answers = {key: texts[pod["metadata"]["name"]] for key, pod in self._pods.items()}
        if self._arms.names_return:
            # who answered under a name is certain only of a pod that was there before the reads and still is
            self._listed_at = 0.0
            self._list()
            answers = {key: answer for key, answer in answers.items() if key in self._pods}
        for key, answer in answers.items():
            self._take(key, answer)
        live = {key: pod for key, pod in self._kept.items() if self._missed.get(key, 0) < LONGEST_MISSES}
        return Reading(self._now, live)

    def begin_block(self) -> None:
        """End the open block: what comes next belongs to another weight, and perhaps to other pods."""
        self._next_block()
        self._listed_at = 0.0

    def _start(self, reading: Reading) -> None:
        self._counters.start(reading)
        self._block_began = self._now
        self._started = True

    def _next_block(self) -> None:
        self._counters.next_block()
        self._block_began = self._now

    def _list(self) -> None:
        gone = any(count >= LONGEST_MISSES for count in self._missed.values())
        if self._pods and not gone and self._now - self._listed_at < LIST_SECONDS:
            return
        try:
            self._pods = self._arms.find(self._session)
        except ClusterError as error:
            raise Unavailable(f"the pods cannot be listed: {error}") from error
        self._listed_at = self._now
        self._kept = {key: pod for key, pod in self._kept.items() if key in self._pods}
        self._missed = {key: count for key, count in self._missed.items() if key in self._pods}

    def _take(self, key: Key, answer: str | Exception) -> None:
        if isinstance(answer, Exception):
            self._missed[key] = self._missed.get(key, 0) + 1
            self._trouble[key[0]] = f"{self._pods[key]['metadata']['name']}: {answer}"
            return
        try:
            values = self._reader.family.counters(answer, self._bounds)
        except ValueError as error:
            raise ValueError(f"{self._pods[key]['metadata']['name']}: {error}") from error
        self._kept[key] = PodCounters(self._now, values)
        self._missed.pop(key, None)

    def _silent(self, reading: Reading, arm: str) -> str:
        pods = [pod for (one, _name), pod in reading.pods.items() if one == arm]
        if any(pod.values for pod in pods):
            return ""
        if pods:
            return f"no counter of {arm} among {self._reader.family.requests} at {shown(self._where)}"
        if any(one == arm for one, _name in self._pods):
            return f"no pod of {arm} answers ({self._trouble.get(arm, 'not read yet')})"
        return f"no running pod of {arm}"


def shown(where: PodsSpec) -> str:
    """Where pods are read, as people write it: 15090/stats/prometheus."""
    return f"{where.port or 'the first port'}{where.path}"
