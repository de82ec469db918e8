# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds where a service's requests are counted, and reads one look after another from there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..analysis.dispersion import dispersion
from ..analysis.look import Counts
from ..release.gates_spec import GateSpec
from ..release.spec import Spec
from ..release.values import Problem
from . import bounds
from .catalogue import Arms
from .counters import CANARY, STABLE, Counters, Reading, errors, slow, sort
from .prometheus import BadQuery, MetricsError, Prometheus
from .sources import AUTOMATIC, LINKERD, PER_POD

HISTORY_SECONDS = 3600
HISTORY_STEP_SECONDS = 60


@dataclass(frozen=True)
class GateReading:
    """How a gate stands before the release: stable's counts over the last minutes. share is None without requests."""

    requests: float
    events: float
    per_second: float

    @property
    def share(self) -> float | None:
        """Events by request."""
        return self.events / self.requests if self.requests else None


@dataclass(frozen=True)
class MetricsPreflight:
    """What inspect found: readings and dispersion by gate, the source's name, what to tell about guesses."""

    gates: dict[str, GateReading]
    source: str | None
    dispersion: dict[str, float]
    history_known: bool
    notes: tuple[str, ...] = ()


def inspect(
    spec: Spec,
    service: str,
    transport: Any,
    problems: list[Problem],
    *,
    revision: str | None = None,
    canary: str | None = None,
    among: tuple[str, ...] = (),
) -> MetricsPreflight:
    """Check that every gate parses and has data, and that latency limits are bucket bounds. Adds to problems.

    among: the sources to look for, instead of those that release_metrics_source stands for. canary: its Deployment, where that is
    what tells it from stable.
    """
    client = Prometheus(transport)
    nothing = MetricsPreflight({}, None, {}, False)
    try:
        names = among or _sources(spec, revision, canary)
        every = [
            Arms.of(
                name,
                namespace=spec.namespace,
                workload=spec.workload,
                service=service,
                revision=revision,
                canary=canary,
                kind=spec.workload_kind,
                own=spec.own_source,
            )
            for name in names
        ]
        arms = _choose(client, every)
        if arms is None:
            looked = ", ".join(names) + (f" that tell workload {spec.workload} from others" if canary else "")
            problems.append(
                Problem(
                    "release_prometheus",
                    spec.prometheus_url or "/".join(spec.prometheus_service or ()),
                    f"a Prometheus with request counters of {service}; none found as {looked}{_why_these(spec)}",
                )
            )
            return nothing
        notes = bounds.check(client, arms, spec.gates, problems)
        if problems:
            return nothing
        readings, phi, known = {}, {}, True
        for gate in spec.counted:
            readings[gate.name], phi[gate.name], enough = _history(client, arms, gate)
            known = known and enough
        return MetricsPreflight(readings, arms.source.name, phi, known, tuple(notes))
    except MetricsError as error:
        where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
        problems.append(Problem("release_prometheus", where, f"a Prometheus that answers: {error}"))
        return nothing


def _sources(spec: Spec, revision: str | None, canary: str | None) -> tuple[str, ...]:
    if spec.metrics_source != "auto":
        return (spec.metrics_source,)
    if spec.provider == "linkerd":
        return ("linkerd", "http") if canary else LINKERD  # where both versions answer for one Service, only pods tell them apart
    # Who sends requests may not count their copies, and does not tell the pods behind one Service apart, unless told by their workload.
    if canary and spec.strategy != "shadow":  # a gateway knows no workload of pods without sidecars; their own counters may
        return (*AUTOMATIC, "http")
    alike = revision is not None or spec.strategy == "shadow" or not spec.meshed
    return PER_POD if alike else AUTOMATIC


def _why_these(spec: Spec) -> str:
    if spec.strategy != "shadow":
        return ""
    return (
        "; copies are counted by who gets them, not by every proxy that sends them; if yours does, say release_metrics_source: istio_source"
    )


def _choose(client: Prometheus, every: list[Arms]) -> Arms | None:
    for arms in every:
        if any(arms.arm_of(labels) == STABLE for labels, _value in client.instant(arms.look_query([]))):
            return arms
    return None


def _history(client: Prometheus, arms: Arms, gate: GateSpec) -> tuple[GateReading, float, bool]:
    now = client.instant("vector(time())")[0][1]
    series = {}
    events_kind = () if gate.quantile else ("slow" if gate.kind == "latency" else "errors",)
    for kind in ("requests", *events_kind):
        found = client.range(
            arms.history_query(kind, gate.slower_than_ms),
            start_seconds=now - HISTORY_SECONDS,
            end_seconds=now,
            step_seconds=HISTORY_STEP_SECONDS,
        )
        series[kind] = dict(found[0][1]) if found else {}
    totals = series["requests"]
    events = series.get("errors", series.get("slow", {}))
    blocks = [
        Counts(round(total), min(round(total), max(0, round(events.get(at, 0.0)))))
        for at, total in sorted(totals.items())
        if not math.isnan(total)
    ]
    found_dispersion = dispersion(blocks)
    recent = blocks[-5:]
    requests, failed = sum(b.requests for b in recent), sum(b.events for b in recent)
    reading = GateReading(requests, failed, requests / (HISTORY_STEP_SECONDS * len(recent)) if recent else 0.0)
    return reading, found_dispersion.value, found_dispersion.measured


@dataclass(frozen=True)
class Answer:
    """One poll of the source. counts: gate -> (canary, stable) of the open block; problem names a cause instead.

    buckets: gate on a quantile -> the canary's requests up to each bound (milliseconds) in the open block; its events are 0.
    """

    counts: dict[str, tuple[Counts | None, Counts | None]]
    closes_block: bool
    problem: str | None = None
    detail: str = ""
    new: bool = True
    buckets: dict[str, tuple[tuple[float, int], ...]] = field(default_factory=dict)


class Looks(Protocol):
    """Where a release gets its looks from: Prometheus (Source) or the pods themselves (pod_source.PodSource)."""

    quiet_seconds: float  # how long a pod's counters must stand still before it counts as silent

    def prepare(self) -> None:
        """Get ready for the traffic that is about to move."""

    def poll(self, *, canary_expected: bool, stable_expected: bool) -> Answer:
        """Read once. An arm that should have traffic and is silent makes it no_data."""

    def read(self) -> Reading:
        """The counters of both arms as they stand. Raises MetricsError."""

    def begin_block(self) -> None:
        """End the open block: what comes next belongs to another weight."""


class Source:
    """Reads the look query again and again and keeps the counters."""

    quiet_seconds = 0.0

    def __init__(self, client: Prometheus, arms: Arms, gates: tuple[GateSpec, ...]) -> None:
        self._client = client
        self._arms = arms
        self._gates = gates
        self._query = arms.look_query(bounds.wanted(gates), bounds.cuts(gates))
        self._counters = Counters()
        self._started = False

    def prepare(self) -> None:
        """Nothing to do: the samples of before the shift stay readable after it."""

    def poll(self, *, canary_expected: bool, stable_expected: bool) -> Answer:
        """Read once. An arm that should have traffic and is silent makes it no_data."""
        try:
            reading = self.read()
        except (MetricsError, ValueError) as error:
            return Answer({}, False, getattr(error, "cause", BadQuery.cause), str(error))
        if not self._started:
            self._counters.start(reading)
            self._started = True
            return Answer({}, False, new=False)
        closes = self._counters.add(reading)
        silent = self._silent(reading.now_seconds, canary_expected=canary_expected, stable_expected=stable_expected)
        if silent:
            return Answer({}, False, "no_data", silent)
        increases = self._counters.block.increases
        counts = {gate.name: gate_counts(increases, gate) for gate in self._gates}
        if closes:
            self._counters.next_block()
        return Answer(counts, closes, new=bool(self._counters.added), buckets=gate_buckets(increases, self._gates))

    def read(self) -> Reading:
        """The counters of both arms as they stand. Raises MetricsError."""
        return sort(self._arms, self._client.instant(self._query))

    def begin_block(self) -> None:
        """End the open block: what comes next belongs to another weight."""
        self._counters.next_block()

    def _silent(self, now_seconds: float, *, canary_expected: bool, stable_expected: bool) -> str:
        for arm, expected in ((CANARY, canary_expected), (STABLE, stable_expected)):
            newest = self._counters.newest(arm)
            limit = max(15.0, 2.5 * (self._counters.scrape_seconds or 60.0))
            if expected and now_seconds - newest > limit:
                return (
                    f"no new sample of {arm} for {now_seconds - newest:.0f} s"
                    if newest
                    else f"no counter of {arm} in {self._arms.source.name}"
                )
        return ""


class Silence:
    """Tells when an arm gets no more requests, as its own counters say: what the API server stores, proxies learn later."""

    def __init__(self, source: Looks, arm: str) -> None:
        self._source = source
        self._arm = arm
        self._last: dict[str, tuple[float, float]] = {}  # pod -> when its newest sample was taken, requests so far
        self._grown_at: dict[str, float] = {}  # pod -> when the newest sample was taken that had more requests
        self._silent: set[str] = set()

    def reached(self) -> bool:
        """Whether every series of the arm has newer samples with no more requests than before; raises MetricsError."""
        pods = {pod: counters for (arm, pod), counters in self._source.read().pods.items() if arm == self._arm}
        for pod, counters in pods.items():
            total = sum(value for name, value in counters.values.items() if name.startswith("code:"))
            before = self._last.get(pod)
            if before is not None and counters.at_seconds <= before[0]:
                continue
            self._last[pod] = (counters.at_seconds, total)
            if before is None or total > before[1]:
                self._grown_at[pod] = counters.at_seconds
                self._silent.discard(pod)
            elif counters.at_seconds - self._grown_at[pod] >= self._source.quiet_seconds:
                self._silent.add(pod)
        return set(pods) <= self._silent


def gate_counts(increases: Mapping[str, Mapping[str, float]], gate: GateSpec) -> tuple[Counts | None, Counts | None]:
    """What a gate counts of the canary's and of stable's increases."""
    return _counts(increases[CANARY], gate), _counts(increases[STABLE], gate)


def gate_buckets(increases: Mapping[str, Mapping[str, float]], gates: tuple[GateSpec, ...]) -> dict[str, tuple[tuple[float, int], ...]]:
    """By gate on a quantile: the canary's requests up to each bound (milliseconds), growing."""
    if not any(gate.quantile for gate in gates):
        return {}
    counted = {float(name[3:]): round(value) for name, value in increases[CANARY].items() if name.startswith("le:")}
    return {gate.name: tuple(sorted(counted.items())) for gate in gates if gate.quantile}


def _counts(increases: Mapping[str, float], gate: GateSpec) -> Counts | None:
    if gate.kind in ("error_rate", "request_rate"):
        return errors(increases)
    if gate.quantile is not None:
        return slow(increases, float("inf"))
    return slow(increases, gate.slower_than_ms or 0.0)
