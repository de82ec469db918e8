# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stable's raw counters over past hours, read by range queries and turned into counts per interval and pod."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..analysis.look import Counts
from ..analysis.replay import Interval
from ..release.gates_spec import GateSpec
from .catalogue import Arms
from .counters import STABLE, counter_of, errors, slow
from .prometheus import Prometheus

POINTS_A_QUERY = 2_000  # Prometheus answers at most 11,000 points a series; smaller answers are easier on it
ALL = "all"  # the one part where counters do not tell pods apart
Values = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Series:
    """One series of an answer: whose part it is, the pod that shows it, what it counts, and all that tells it from others."""

    part: str
    pod: str
    counter: str
    labels: tuple[tuple[str, str], ...]


def read(
    client: Prometheus, arms: Arms, gates: Iterable[GateSpec], *, start_seconds: float, end_seconds: float, step_seconds: float
) -> list[Interval]:
    """Counts of every gate between samples a step apart, Unix times. By pod where the source has pods. Raises MetricsError."""
    gates = tuple(gates)
    grown: dict[float, dict[str, dict[str, float]]] = {}  # time -> part -> counter -> increase
    last: dict[_Series, float] = {}
    begin = start_seconds
    while begin < end_seconds:
        end = min(end_seconds, begin + POINTS_A_QUERY * step_seconds)
        found = [
            (_Series(_part(arms, labels), labels.get("pod", ""), _counter(arms, counter, labels), tuple(sorted(labels.items()))), values)
            for query, counter in _queries(arms, gates)
            for labels, values in client.range(query, start_seconds=begin, end_seconds=end, step_seconds=step_seconds)
        ]
        _add(grown, last, found)
        begin = end + step_seconds
    return [Interval(at, {gate.name: _counted(parts, gate) for gate in gates}) for at, parts in sorted(grown.items())]


def parts_are_pods(arms: Arms) -> bool:
    """Whether the source counts each of the workload's pods by itself."""
    return arms.source.own_pods


def _queries(arms: Arms, gates: Sequence[GateSpec]) -> Iterator[tuple[str, str]]:
    """(query, counter) for the requests by code (counter: code) and for the buckets at each bound."""
    source = arms.source
    by = ",".join(arms.keys)
    selector = arms.stable_selector
    yield f"sum by ({by},{','.join(source.code_labels)}) ({source.requests}{{{selector}}})", "code"
    for bound in sorted({gate.slower_than_ms for gate in gates if gate.slower_than_ms is not None}):
        classic = f'sum by ({by}) ({source.buckets}{{{selector},le=~"{arms.bound_pattern(bound)}"}})'
        yield f"{classic} or {arms.native_up_to(bound, selector, by)}", f"le:{bound}"
    if any(gate.slower_than_ms is not None for gate in gates):
        classic = f'sum by ({by}) ({source.buckets}{{{selector},le="+Inf"}})'
        yield f"{classic} or {arms.native_up_to(math.inf, selector, by)}", "le:inf"


def _counter(arms: Arms, counter: str, labels: Mapping[str, str]) -> str:
    return counter_of(arms, labels) if counter == "code" else counter


def _part(arms: Arms, labels: Mapping[str, str]) -> str:
    return labels.get("pod", ALL) if parts_are_pods(arms) and arms.arm_of(labels) == STABLE else ALL


def _add(grown: dict[float, dict[str, dict[str, float]]], last: dict[_Series, float], found: Sequence[tuple[_Series, Values]]) -> None:
    """What each counter grew by from each sample to the next; a smaller value is a restart from zero.

    The first sample of a pod has no past. A counter that comes later than the first of its pod began at zero: the first error is one.
    """
    born = {(series.part, series.pod): -math.inf for series in last}
    for series, values in found:
        origin = series.part, series.pod
        if origin not in born or (values and born[origin] != -math.inf):
            born[origin] = min(born.get(origin, math.inf), values[0][0] if values else math.inf)
    for series, values in found:
        for at, value in values:
            if math.isnan(value):
                continue
            before = last.get(series, value if at <= born[series.part, series.pod] else 0.0)
            into = grown.setdefault(at, {}).setdefault(series.part, {})
            into[series.counter] = into.get(series.counter, 0.0) + (value - before if value >= before else value)
            last[series] = value


def _counted(parts: Mapping[str, Mapping[str, float]], gate: GateSpec) -> dict[str, Counts]:
    found = {}
    for part, increases in parts.items():
        counts = errors(increases) if gate.kind == "error_rate" else slow(increases, gate.slower_than_ms or 0.0)
        if counts is not None:
            found[part] = counts
    return found
