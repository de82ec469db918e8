# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a latency limit can be told from a histogram, and where a native one is cut for the gates."""

from __future__ import annotations

from ..release.gates_spec import GateSpec
from ..release.values import Problem
from .catalogue import Arms
from .prometheus import Prometheus

# a quantile of a native histogram is looked for between these multiples of its limit
CUTS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 4.0)


def check(client: Prometheus, arms: Arms, gates: tuple[GateSpec, ...], problems: list[Problem]) -> list[str]:
    """Whether the gates on latency can be told from stable's histogram. Adds to problems; what to tell when it is only a guess."""
    asked = [(index, gate) for index, gate in enumerate(gates) if gate.slower_than_ms is not None or gate.quantile is not None]
    if not asked:
        return []
    whose = f"of {arms.source.histogram}"
    bounds = classic(client, arms)
    edges = None if bounds else native(client, arms)
    if edges is not None:
        return [note for _index, gate in asked for note in check_native(gate, edges, whose)]
    return [note for index, gate in asked for note in check_bound(gate, index, bounds, whose, problems)]


def classic(client: Prometheus, arms: Arms) -> list[float]:
    """The finite bounds of the histogram's buckets in milliseconds, growing."""
    found = client.instant(arms.bounds_query())
    return sorted({float(labels["le"]) * arms.source.bound_unit_ms for labels, _v in found if labels["le"] != "+Inf"})


def native(client: Prometheus, arms: Arms) -> list[tuple[float, float]] | None:
    """The buckets that stable's native histogram has requests in, as (lower, upper) in milliseconds; None where it is none."""
    found = client.histogram(arms.native_query())
    unit = arms.source.bound_unit_ms
    return None if found is None else [(lower * unit, upper * unit) for lower, upper in found]


def check_bound(gate: GateSpec, index: int, bounds: list[float], whose: str, problems: list[Problem]) -> list[str]:
    """Whether a latency limit can be told from these bucket bounds. Adds to problems; what to tell when it is only a guess.

    A share is exact at a bound and unknown elsewhere. A quantile is interpolated inside its bucket, and never above the largest bound.
    """
    limit = _limit(gate)
    if limit is None or any(abs(bound - limit) < 1e-6 for bound in bounds[: None if gate.quantile is None else -1]):
        return []
    near = ", ".join(f"{bound:g}ms" for bound in [b for b in bounds if b < limit][-1:] + [b for b in bounds if b > limit][:1]) or "none"
    if gate.quantile is None:
        problems.append(Problem(f"release_gates[{index}].latency.slower_than", f"{limit:g}ms", f"a bucket bound {whose} (nearest: {near})"))
        return []
    name = f"p{100 * gate.quantile.quantile:g}"
    if not bounds or limit >= bounds[-1]:
        largest = f"{bounds[-1]:g}ms" if bounds else "none"
        allowed = f"a duration below the largest bucket bound {whose} ({largest}): a quantile is never above it, so that nothing could fail"
        problems.append(Problem(f"release_gates[{index}].latency.{name}.max", f"{limit:g}ms", allowed))
        return []
    return [f"gate {gate.name}: {limit:g}ms is no bucket bound {whose}; between {near} the {name} is a guess"]


def check_native(gate: GateSpec, edges: list[tuple[float, float]], whose: str) -> list[str]:
    """What to tell of a limit inside a bucket of a native histogram: there Prometheus interpolates."""
    limit = _limit(gate)
    within = next(((lower, upper) for lower, upper in edges if limit is not None and lower * (1 + 1e-9) < limit < upper * (1 - 1e-9)), None)
    if within is None:
        return []
    lower, upper = within
    return [
        f"gate {gate.name}: {limit:g}ms lies inside a bucket {whose}, a native histogram; between {lower:.4g}ms and {upper:.4g}ms it is a guess"
    ]


def wanted(gates: tuple[GateSpec, ...]) -> list[float] | None:
    """The bucket bounds (milliseconds) that the gates need; None: all there are."""
    if any(gate.quantile for gate in gates):
        return None
    return [gate.slower_than_ms for gate in gates if gate.slower_than_ms is not None]


def cuts(gates: tuple[GateSpec, ...]) -> list[float]:
    """Where the gates need a native histogram cut (milliseconds), growing: at each limit, and around that of a quantile."""
    found = {gate.slower_than_ms for gate in gates if gate.slower_than_ms is not None}
    found |= {round(factor * gate.quantile.max_ms, 6) for gate in gates if gate.quantile for factor in CUTS}
    return sorted(found)


def _limit(gate: GateSpec) -> float | None:
    return gate.slower_than_ms if gate.quantile is None else gate.quantile.max_ms
