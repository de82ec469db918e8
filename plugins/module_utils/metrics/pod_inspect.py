# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pods can be the source of a release's looks: asked before anything changes. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..cluster.session import Session
from ..release.gates_spec import GateSpec
from ..release.parts import PodsSpec
from ..release.spec import Spec
from ..release.values import Problem
from ..workload.kinds import SETS
from . import exposition, pod_numbers, query
from .bounds import check_bound, wanted
from .counters import STABLE, Counters, PodCounters, Reading
from .exposition import names_like_requests
from .pod_source import PodReader, running, shown
from .prometheus import Unavailable
from .query_names import names_by_gate
from .source import GateReading, MetricsPreflight, gate_counts
from .source import inspect as inspect_prometheus

JSON = dict[str, Any]
SAMPLE_SECONDS = 3.0  # between the two reads that tell today's traffic
# where Prometheus has the history of what a family counts
HISTORY = {"istio": ("istio_destination",), "envoy": ("istio_destination", "istio_source"), "http": ("http",)}
NOTHING = MetricsPreflight({}, None, {}, False)


def inspect(
    session: Session,
    spec: Spec,
    deployment: JSON,
    service: str,
    transport: Any,
    *,
    problems: list[Problem],
    container: str | None = None,
    revision: str | None = None,
    canary: str | None = None,
    sample: bool = True,
) -> MetricsPreflight:
    """How the gates stand before the release, of whatever source the spec names. Raises ClusterError.

    transport: Prometheus, where there is one. sample: read pods twice, a few seconds apart, for today's traffic.
    """
    query.inspect(spec, service, transport, problems, canary=canary or "")
    pod_numbers.inspect(
        session, spec, deployment, names_by_gate(spec, service, canary=canary or ""), transport=transport, problems=problems
    )
    if problems or not (spec.counted or (spec.ab and spec.ab.conversions and not spec.ab.of)):
        return NOTHING
    if spec.pods is None:
        return inspect_prometheus(spec, service, transport, problems, revision=revision, canary=canary)
    found = inspect_pods(session, spec, deployment, container, problems=problems, sample=sample)
    if problems or transport is None:
        return found
    if spec.workload_kind in SETS:
        revision = None  # before the release all pods are stable's: history need not tell them apart
    history = inspect_prometheus(spec, service, transport, problems, revision=revision, canary=canary, among=HISTORY[spec.pods.family])
    return replace(history, source=found.source, notes=found.notes)


def inspect_pods(
    session: Session, spec: Spec, deployment: JSON, container: str | None, *, problems: list[Problem], sample: bool = True
) -> MetricsPreflight:
    """Check that stable's pods answer, count requests, and have the gates' bounds; with sample read today's traffic. Adds to problems."""
    where = spec.pods
    if where is None:
        return NOTHING
    if exposition.IMPORT_ERROR is not None:
        allowed = f"a control node with the Python package prometheus-client: {exposition.INSTALL} ({exposition.IMPORT_ERROR})"
        problems.append(Problem("release_metrics_source", "pods", allowed))
        return NOTHING
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    pods = running(session, spec.namespace, labels)
    reader = PodReader(session, where, container)
    try:
        texts = _texts(session, reader, pods)
        first = _reading(reader, texts, spec.counted, at_seconds=1.0)
        if not any(counter.startswith("code:") for pod in first.pods.values() for counter in pod.values):
            raise _NoCounters(where, reader, pods)
        notes = _check_bounds(reader, texts, spec.gates, problems)
        second = first
        if sample:
            session.sleep(SAMPLE_SECONDS)
            second = _reading(reader, _texts(session, reader, pods), spec.counted, at_seconds=1.0 + SAMPLE_SECONDS)
    except (Unavailable, ValueError) as error:
        problems.append(Problem("release_pods", shown(where), f"pods of {spec.workload} that answer there: {error}"))
        return NOTHING
    except _NoCounters as error:
        problems.append(Problem("release_pods.family", where.family, str(error)))
        return NOTHING
    counters = Counters()
    counters.start(first)
    counters.add(second)
    readings = {gate.name: _traffic(counters, gate) for gate in spec.counted}
    return MetricsPreflight(readings, "pods", dict.fromkeys(readings, 1.0), False, tuple(notes))


def _traffic(counters: Counters, gate: GateSpec) -> GateReading:
    """How a gate stands now, by the few seconds between the two reads."""
    _canary, stable = gate_counts(counters.block.increases, gate)
    if stable is None:
        return GateReading(0, 0, 0.0)
    return GateReading(stable.requests, stable.events, stable.requests / SAMPLE_SECONDS)


class _NoCounters(Exception):
    def __init__(self, where: PodsSpec, reader: PodReader, pods: list[JSON]) -> None:
        whole = reader.texts(pods[:1], whole=True)
        names = (
            ", ".join(name for text in whole.values() if isinstance(text, str) for name in names_like_requests(text)) or "nothing like it"
        )
        others = ", ".join(name for name in exposition.FAMILIES if name != where.family)
        wanted = (
            f"a family whose counters stable's pods have at {shown(where)} ({reader.family.requests} by {reader.family.code_labels[0]})"
        )
        super().__init__(f"{wanted}; there is: {names}. Other families: {others}; a pod without requests has no counters yet")


def _texts(session: Session, reader: PodReader, pods: list[JSON]) -> dict[str, str]:
    """All pods' answers; those that do not answer are asked once more. Raises Unavailable."""
    if not pods:
        raise Unavailable("there is no running pod")
    answers = reader.texts(pods)
    failed = [pod for pod in pods if not isinstance(answers[pod["metadata"]["name"]], str)]
    if failed:
        session.sleep(1.0)
        answers.update(reader.texts(failed))
    for name, answer in answers.items():
        if isinstance(answer, Exception):
            raise Unavailable(f"{name}: {answer}")
    return {name: answer for name, answer in answers.items() if isinstance(answer, str)}


def _reading(reader: PodReader, texts: Mapping[str, str], gates: tuple[GateSpec, ...], *, at_seconds: float) -> Reading:
    """Raises ValueError for what is no count."""
    bounds = wanted(gates)
    pods = {(STABLE, name): PodCounters(at_seconds, reader.family.counters(text, bounds)) for name, text in texts.items()}
    return Reading(at_seconds, pods)


def _check_bounds(reader: PodReader, texts: Mapping[str, str], gates: tuple[GateSpec, ...], problems: list[Problem]) -> list[str]:
    """Adds to problems; what to tell about guesses."""
    bounds = sorted({bound for text in texts.values() for bound in reader.family.bounds_ms(text)})
    whose = f"of {reader.family.buckets.removesuffix('_bucket')} in stable's pods"
    return [note for index, gate in enumerate(gates) for note in check_bound(gate, index, bounds, whose, problems)]
