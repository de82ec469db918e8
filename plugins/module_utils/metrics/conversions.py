# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts an experiment's conversions, and what they are compared with, group by group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..analysis.dispersion import dispersion
from ..analysis.experiment import Tally
from ..release.spec import Spec
from ..release.values import Problem
from .catalogue import Arms
from .counters import CANARY, STABLE, Counters, sort
from .prometheus import MetricsError, Prometheus
from .source import HISTORY_SECONDS, HISTORY_STEP_SECONDS, GateReading
from .sources import counter_source, source_named

CONVERSIONS = "release_ab"  # among the dispersions by gate; no gate can have a name with an underscore


def arms_of(spec: Spec, service: str, metrics_source: str | None, canary: str | None = None) -> tuple[Arms | None, Arms | None]:
    """(what is compared with, conversions) of an experiment: each None when nothing counts it. canary: as Arms.of takes it."""
    if spec.ab is None:
        return None, None
    requested = source_named(metrics_source, spec.own_source, by_workload=bool(canary))
    sources = (
        counter_source(spec.ab.of.metric, spec.ab.of.labels) if spec.ab.of else requested,
        counter_source(spec.ab.conversions.metric, spec.ab.conversions.labels) if spec.ab.conversions else None,
    )
    requests, conversions = (
        Arms(source, spec.namespace, spec.workload, service, canary_workload=canary or None) if source else None for source in sources
    )
    return requests, conversions


@dataclass(frozen=True)
class ConversionReading:
    """How an experiment stands before it begins: stable's counts over the last hour, and how much more they vary."""

    reading: GateReading
    dispersion: float


def inspect(
    spec: Spec, service: str, transport: Any, metrics_source: str | None, problems: list[Problem], *, canary: str | None = None
) -> ConversionReading | None:
    """Check that stable has the counters of an experiment. Adds to problems; None when there is nothing to compare."""
    requests, conversions = arms_of(spec, service, metrics_source, canary)
    if requests is None or conversions is None or spec.ab is None:
        return None
    client = Prometheus(transport)
    try:
        for field, arms, counter in (("conversions", conversions, spec.ab.conversions), ("of", requests, spec.ab.of)):
            if counter and not any(arms.arm_of(labels) == STABLE for labels, _value in client.instant(arms.look_query([]))):
                allowed = f"a counter that Prometheus has of the pods of {spec.workload}, by its labels namespace and pod"
                problems.append(Problem(f"release_ab.{field}", str(counter), allowed))
        if problems:
            return None
        return _history(client, requests, conversions)
    except MetricsError as error:
        where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
        problems.append(Problem("release_prometheus", where, f"a Prometheus that answers: {error}"))
        return None


def _history(client: Prometheus, requests: Arms, conversions: Arms) -> ConversionReading:
    now = client.instant("vector(time())")[0][1]
    by_minute = []
    for arms in (requests, conversions):
        found = client.range(
            arms.history_query("requests", None),
            start_seconds=now - HISTORY_SECONDS,
            end_seconds=now,
            step_seconds=HISTORY_STEP_SECONDS,
        )
        by_minute.append({at: value for at, value in (found[0][1] if found else ()) if not math.isnan(value)})
    blocks = [Tally(max(0, round(total)), max(0, round(by_minute[1].get(at, 0.0)))) for at, total in sorted(by_minute[0].items())]
    total = sum(one.requests for one in blocks)
    seconds = HISTORY_STEP_SECONDS * len(blocks)
    reading = GateReading(total, sum(one.events for one in blocks), total / seconds if seconds else 0.0)
    return ConversionReading(reading, dispersion(blocks).value)


@dataclass(frozen=True)
class Grown:
    """What both groups have counted since the last time, and for how long each was counted (0: nobody knows)."""

    a: Tally
    b: Tally
    a_seconds: float = 0.0
    b_seconds: float = 0.0

    def requests_of_equal_time(self) -> tuple[int, int]:
        """(A's, B's) requests as if both had been counted for the shorter time: their pods are not scraped at the same moments."""
        seconds = min(self.a_seconds, self.b_seconds)
        if seconds <= 0.0:
            return self.a.requests, self.b.requests
        return round(self.a.requests * seconds / self.a_seconds), round(self.b.requests * seconds / self.b_seconds)


@dataclass
class _Counting:
    """One counter of both groups, and what has come since the last complete reading of all pods."""

    arms: Arms
    counters: Counters
    started: bool = False
    whole: bool = False  # every pod has a new sample since the counts were taken

    def read(self, client: Prometheus, at_seconds: float | None) -> float:
        """Read all pods at one time (Unix time; None: the server's now); that time."""
        reading = sort(self.arms, client.instant(self.arms.look_query([]), at_seconds=at_seconds))
        if self.started:
            self.whole = self.counters.add(reading) or self.whole
        else:
            self.counters.start(reading)
            self.started = True
        return reading.now_seconds

    def seconds(self) -> tuple[float, float]:
        """(A's, B's) time since the counts were taken."""
        return self.counters.block.seconds(STABLE), self.counters.block.seconds(CANARY)

    def take(self) -> dict[str, int]:
        grown = {arm: round(sum(values.values())) for arm, values in self.counters.block.increases.items()}
        self.counters.next_block()
        self.whole = False
        return grown


class Measure:
    """Reads the counters of an experiment again and again."""

    def __init__(self, client: Prometheus, requests: Arms, conversions: Arms | None) -> None:
        self._client = client
        self._requests = _Counting(requests, Counters())
        self._conversions = _Counting(conversions, Counters()) if conversions else None

    @property
    def compares(self) -> bool:
        """Whether conversions are counted."""
        return self._conversions is not None

    def poll(self) -> Grown | None:
        """What has been counted since the last time; None until every pod has been read again. Raises MetricsError, ValueError.

        Both counters are read at the same time: a scrape between two questions would count for one of them alone.
        """
        at_seconds = self._requests.read(self._client, None)
        if self._conversions:
            self._conversions.read(self._client, at_seconds)
        if not self._requests.whole or (self._conversions and not (self._conversions.whole or self.missing())):
            return None
        seconds = self._requests.seconds()
        requests, conversions = (one.take() if one else {} for one in (self._requests, self._conversions))
        a, b = (Tally(requests[arm], conversions.get(arm, 0)) for arm in (STABLE, CANARY))
        return Grown(a, b, *seconds)

    def missing(self) -> str:
        """What has no conversion counter at all: that is not the same as no conversion. Empty when both groups have one."""
        if self._conversions is None:
            return ""
        names = {STABLE: "A", CANARY: "B"}
        absent = [name for arm, name in names.items() if not self._conversions.counters.newest(arm)]
        return " and ".join(absent)
