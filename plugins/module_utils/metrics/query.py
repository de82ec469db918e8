# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates on any PromQL: fills in the names of a release, reads one number, and tells why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

from ..analysis.look import ScalarLook
from ..analysis.samples import REPLACE
from ..analysis.verdict import NO_DATA, TOO_LITTLE_DATA
from ..release.gates_spec import GateSpec
from ..release.spec import Spec
from ..release.values import Problem
from .pod_numbers import PodNumbers
from .prometheus import BadQuery, MetricsError, Prometheus
from .query_names import fill, names_by_gate, names_of
from .slo import BurnReader


class Answers(Protocol):
    """Who answers the queries of a release's gates."""

    def read(self, gates: Iterable[str], *, compare: bool) -> tuple[ScalarLook, ...]:
        """The numbers of these gates now; what is no number is a problem of that gate alone. compare: stable's numbers, too."""


class Queries:
    """Reads the queries of a release's gates from Prometheus, both of a gate at one time. Without a client it has those of pods alone."""

    def __init__(
        self,
        client: Prometheus | None,
        spec: Spec,
        *,
        service: str,
        canary: str = "",
        burns: BurnReader | None = None,
        pods: PodNumbers | None = None,
    ) -> None:
        self._client, self._burns, self._pods = client, burns, pods
        names = names_by_gate(spec, service, canary=canary)
        asking = [(gate.name, gate.query) for gate in spec.gates if gate.query is not None]
        self._queries = {name: tuple(fill(promql, names[name]) for promql in query.asked) for name, query in asking}
        self._zeros = {gate.name for gate in spec.gates if _takes_zero(gate)}

    def read(self, gates: Iterable[str], *, compare: bool) -> tuple[ScalarLook, ...]:
        """The numbers of these gates now; what is no number is a problem of that gate alone. compare: stable's numbers, too."""
        return tuple(self._one(name, compare=compare) for name in sorted(gates))

    def _one(self, gate: str, *, compare: bool) -> ScalarLook:
        if self._burns is not None and gate in self._burns.gates:
            return self._burns.read(gate)
        if self._pods is not None and gate in self._pods.gates:
            return self._pods.read(gate)
        values: list[float | None] = []
        for promql, arm in zip(self._queries[gate], ("the canary", "stable") if compare else ("the canary",)):
            try:
                value = self._value(promql)
            except (MetricsError, ValueError) as error:
                return ScalarLook(gate, None, problem=getattr(error, "cause", BadQuery.cause), detail=f"{arm}'s query: {error}")
            if value is None:
                return ScalarLook(gate, None, problem=NO_DATA, detail=f"{arm}'s query has no series")
            if not math.isfinite(value) and gate in self._zeros:
                value = 0.0
            if not math.isfinite(value):
                return ScalarLook(gate, None, problem=TOO_LITTLE_DATA, detail=f"{arm}'s query is {value}, as a division by zero is")
            values.append(value)
        canary, stable = [*values, None][:2]
        return ScalarLook(gate, canary, stable)

    def _value(self, promql: str) -> float | None:
        if self._client is None:
            raise BadQuery("no Prometheus to ask")
        return self._client.value(promql)


def _takes_zero(gate: GateSpec) -> bool:
    """Whether what is no number counts as 0 for a gate."""
    return gate.samples is not None and gate.samples.options.nan_strategy == REPLACE


def inspect(spec: Spec, service: str, transport: Any, problems: list[Problem], *, canary: str = "") -> None:
    """Check that each query parses and has one series, or none yet. Adds to problems."""
    client = Prometheus(transport)
    names = names_by_gate(spec, service, canary=canary)
    for index, gate in enumerate(spec.gates):
        if gate.query is None:
            continue
        for promql, key in zip(gate.query.asked, ("promql", "baseline")):
            field = f"release_gates[{index}].query.{key}"
            asked = fill(promql, names[gate.name])
            try:
                client.value(asked)
            except BadQuery as error:
                problems.append(Problem(field, asked, f"a query that Prometheus answers with one number: {error}"))
            except (MetricsError, ValueError) as error:
                where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
                problems.append(Problem("release_prometheus", where, f"a Prometheus that answers: {error}"))
                return


__all__ = ["Answers", "Queries", "fill", "inspect", "names_of"]
