# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates on any PromQL: fills in the names of a release, reads one number, and tells why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

from ..analysis.look import ScalarLook
from ..analysis.verdict import NO_DATA, TOO_LITTLE_DATA
from ..release.gates_spec import PLACEHOLDER
from ..release.spec import Spec
from ..release.values import Problem
from ..workload.twin import SUFFIX
from .catalogue import POD_OF_A_DEPLOYMENT
from .prometheus import BadQuery, MetricsError, Prometheus
from .slo import BurnReader


class Answers(Protocol):
    """Who answers the queries of a release's gates."""

    def read(self, gates: Iterable[str], *, compare: bool) -> tuple[ScalarLook, ...]:
        """The numbers of these gates now; what is no number is a problem of that gate alone. compare: stable's numbers, too."""


def names_of(namespace: str, workload: str, service: str, interval_seconds: float, *, canary: str = "") -> dict[str, str]:
    """What the placeholders of a query stand for in one release. canary: its Deployment, where it is not called after stable's."""
    canary = canary or workload + SUFFIX
    return {
        "namespace": namespace,
        "workload": workload,
        "stable": workload,
        "canary": canary,
        "service": service,
        "canary_service": service + SUFFIX,
        "stable_pods": workload + POD_OF_A_DEPLOYMENT,
        "canary_pods": canary + POD_OF_A_DEPLOYMENT,
        "interval": f"{max(1, round(interval_seconds))}s",
    }


def fill(promql: str, names: dict[str, str]) -> str:
    """The query with its placeholders filled in."""
    return PLACEHOLDER.sub(lambda found: names[found.group(1)], promql)


class Queries:
    """Reads the queries of a release's gates from Prometheus, both of a gate at one time."""

    def __init__(self, client: Prometheus, spec: Spec, *, service: str, canary: str = "", burns: BurnReader | None = None) -> None:
        self._client, self._burns = client, burns
        self._queries: dict[str, tuple[str, ...]] = {}
        for gate in spec.gates:
            if gate.query is not None:
                interval = (gate.looks or spec.looks).interval_seconds
                names = names_of(spec.namespace, spec.workload, service, interval, canary=canary)
                self._queries[gate.name] = tuple(fill(promql, names) for promql in gate.query.asked)

    def read(self, gates: Iterable[str], *, compare: bool) -> tuple[ScalarLook, ...]:
        """The numbers of these gates now; what is no number is a problem of that gate alone. compare: stable's numbers, too."""
        return tuple(self._one(name, compare=compare) for name in sorted(gates))

    def _one(self, gate: str, *, compare: bool) -> ScalarLook:
        if self._burns is not None and gate in self._burns.gates:
            return self._burns.read(gate)
        values: list[float | None] = []
        for promql, arm in zip(self._queries[gate], ("the canary", "stable") if compare else ("the canary",)):
            try:
                value = self._client.value(promql)
            except (MetricsError, ValueError) as error:
                return ScalarLook(gate, None, problem=getattr(error, "cause", BadQuery.cause), detail=f"{arm}'s query: {error}")
            if value is None:
                return ScalarLook(gate, None, problem=NO_DATA, detail=f"{arm}'s query has no series")
            if not math.isfinite(value):
                return ScalarLook(gate, None, problem=TOO_LITTLE_DATA, detail=f"{arm}'s query is {value}, as a division by zero is")
            values.append(value)
        canary, stable = [*values, None][:2]
        return ScalarLook(gate, canary, stable)


def inspect(spec: Spec, service: str, transport: Any, problems: list[Problem], *, canary: str = "") -> None:
    """Check that each query parses and has one series, or none yet. Adds to problems."""
    client = Prometheus(transport)
    for index, gate in enumerate(spec.gates):
        if gate.query is None:
            continue
        names = names_of(spec.namespace, spec.workload, service, (gate.looks or spec.looks).interval_seconds, canary=canary)
        for promql, key in zip(gate.query.asked, ("promql", "baseline")):
            field = f"release_gates[{index}].query.{key}"
            asked = fill(promql, names)
            try:
                client.value(asked)
            except BadQuery as error:
                problems.append(Problem(field, asked, f"a query that Prometheus answers with one number: {error}"))
            except (MetricsError, ValueError) as error:
                where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
                problems.append(Problem("release_prometheus", where, f"a Prometheus that answers: {error}"))
                return
