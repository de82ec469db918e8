# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates as the plan tells of them: how they read now, who judges them, and how long that takes at least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..analysis import sample_size
from ..analysis.mann_whitney_options import MEAN_RATIO, Options
from ..metrics.source import GateReading
from . import ratio
from .gates_spec import MANN_WHITNEY, SEQUENTIAL, THRESHOLD, GateSpec, LooksSpec, QuerySpec
from .judges import rank_gate
from .plan import TRAFFIC, Step, plan
from .spec import Spec
from .target import Findings, Target
from .values import spoken_seconds

NOTICEABLE_RATIO = 10.0
LEAST_SHARE = 1e-4


def gate_lines(spec: Spec, found: Findings) -> list[str]:
    """A line for each gate, and one for what the thresholds forgive."""
    said = [f"  gate {_gate_line(spec, gate, found)}" for gate in spec.gates]
    judged = spec.judged_by(THRESHOLD)
    together = [gate.name for gate in judged if gate.looks is None]
    if together:
        said.append(f"  threshold of {', '.join(together)}: {_forgives(spec.looks)}")
    return [*said, *(f"  threshold of {gate.name}: {_forgives(gate.looks)}" for gate in judged if gate.looks)]


def seconds_of_gates(spec: Spec, found: Findings, steps: list[Step]) -> float:
    """Seconds until the last weight below 100 is let through, by the slowest judge."""
    tested = (_certify_seconds(spec, gate, found, steps) for gate in spec.judged_by(SEQUENTIAL))
    weights = sum(step.kind == "analyze" for step in steps)
    looked = (
        max(spec.minimum_step_seconds * weights, looks.interval_seconds * max(weights, looks.iterations))
        for gate in spec.judged_by(THRESHOLD)
        for looks in [gate.looks or spec.looks]
    )
    sampled = (samples_seconds(spec, gate) for gate in spec.judged_by(MANN_WHITNEY))
    return max([*tested, *looked, *sampled], default=0.0)


def _gate_line(spec: Spec, gate: GateSpec, found: Findings) -> str:
    said = gate_line(spec, gate, found.gates.get(gate.name))
    if gate.judge != SEQUENTIAL or not gate.counts:
        return said
    return f"{said}; {_shows(spec, found.gates[gate.name], found.target, found.target.dispersion[gate.name])}"


def gate_line(spec: Spec, gate: GateSpec, reading: GateReading | None) -> str:
    """A gate's name, its limit, how it reads now, and who judges it where that is not the sequential rule."""
    if not gate.counts:
        return f"{gate.name}: {_uncounted(spec, gate)}"
    if gate.quantile is not None:
        limit = f"p{100 * gate.quantile.quantile:g} at most {gate.quantile.max_ms:g}ms"
        return f"{gate.name}: {limit} · judge {gate.judge}"
    if gate.min_per_second is not None:
        return f"{gate.name}: at least {gate.min_per_second:g} requests/s at the canary · judge {gate.judge}"
    share = reading.share if reading else None
    now = "no requests lately" if share is None else f"{100 * share:.3g} % of {100 * gate.max_share:g} % now"
    what = "errors" if gate.kind == "error_rate" else f"slower than {gate.slower_than_ms:g}ms"
    return f"{gate.name}: {what} {now}" + ("" if gate.judge == SEQUENTIAL else f" · judge {gate.judge}")


def _asks(query: QuerySpec) -> str:
    """What a query's answer may be."""
    unit = f" {query.unit}" if query.unit else ""
    limits = [f"at least {query.least:g}{unit}"] if query.least is not None else []
    limits += [f"at most {query.most:g}{unit}"] if query.most is not None else []
    if query.tolerance is not None:
        bad: Mapping[str, str] = {"increase": "above", "decrease": "below", "either": "beside"}
        limits.append(f"at most {100 * query.tolerance:g} % {bad[query.direction]} stable's")
    return f"a query, {', '.join(limits)}"


def _uncounted(spec: Spec, gate: GateSpec) -> str:
    """What a gate asks that is not judged by requests."""
    if gate.composite is not None:
        return f"{gate.composite}; these decide together, not each alone"
    if gate.samples is not None:
        asks = _samples(spec, gate)
    elif gate.query is not None:
        asks = _asks(gate.query)
    elif gate.most_restarts is not None:
        asks = f"no more often than stable's pods, {gate.most_restarts} at most"
    else:
        asks = f"the error budget burns too fast over none of {', '.join(gate.burn_over)}"
    return f"{asks} · judge {gate.judge}"


def _samples(spec: Spec, gate: GateSpec) -> str:
    """What a rank test compares, which changes it does not mind, and when it judges."""
    ranked, options = rank_gate(spec, gate), rank_gate(spec, gate).options
    bad: Mapping[str, str] = {"increase": "higher", "decrease": "lower", "either": "higher or lower"}
    what = "each pod's number" if gate.per_pod else "the numbers"
    times = ", ".join(map(str, ranked.occasions))
    return (
        f"{what} not {bad[options.direction]} than stable's beyond {_allowed(options)}; a sample every {spoken_seconds(ranked.sample_seconds)}, "
        f"judged at {times} with {100 * ranked.confidence:.4g} % confidence each"
    )


def _allowed(options: Options) -> str:
    names = {"increase": ("allowed_increase",), "decrease": ("allowed_decrease",)}
    limits = [f"{options.limit(name):g}" for name in names.get(options.direction, ("allowed_decrease", "allowed_increase"))]
    return f"{' to '.join(limits)} {'of its mean' if options.effect_size == MEAN_RATIO else 'of pairs'}"


def samples_seconds(spec: Spec, gate: GateSpec) -> float:
    """Seconds until all samples are taken, by versions of one pod; of more pods there are more at a moment."""
    ranked = rank_gate(spec, gate)
    return ranked.initial_delay_seconds + ranked.min_samples * ranked.sample_seconds


def _forgives(looks: LooksSpec) -> str:
    """How often a threshold looks, and what returns traffic."""
    row = " in a row" if looks.consecutive else ""
    ends = f"failed look {looks.threshold}{row} returns traffic" if looks.threshold else "no failed look returns traffic"
    least = f", at least {looks.iterations} looks" if looks.iterations else ""
    return f"a look every {spoken_seconds(looks.interval_seconds)}, {ends}{least}"


def _shows(spec: Spec, reading: GateReading, target: Target, phi: float) -> str:
    """When harm that nobody could overlook shows."""
    weight = next(size for step in plan(spec) if step.kind in TRAFFIC and (size := step.weight_percent or step.size_percent))
    first = ratio.real_percent(spec, weight, target.stable_replicas)
    share = max(reading.share or 0.0, LEAST_SHARE)
    needed = sample_size.requests_to_detect(share, NOTICEABLE_RATIO, weight_percent=first, dispersion=phi)
    seconds = sample_size.seconds_for(needed, requests_per_second=reading.per_second, weight_percent=first)
    return f"{NOTICEABLE_RATIO:g} times stable's shows after {needed:,.0f} canary requests, {spoken_seconds(seconds)} at {first:.3g} %"


def _certify_seconds(spec: Spec, gate: GateSpec, found: Findings, steps: list[Step]) -> float:
    """Seconds until the last weight below 100 is certified."""
    return sum(seconds for _share, seconds in certified(spec, gate, found, steps))


def certified(spec: Spec, gate: GateSpec, found: Findings, steps: list[Step]) -> Iterator[tuple[float, float]]:
    """The canary's share in percent and the seconds of each weight that is certified: evidence adds up, each needs its own limit."""
    reading = found.gates[gate.name]
    expected = reading.share or 0.0
    gathered = 0.0
    for step in steps:
        if step.kind != "analyze":
            continue
        scale = sample_size.certification_scale(step.next_weight_percent)
        share = ratio.real_percent(spec, step.weight_percent, found.target.stable_replicas) or step.mirror_percent
        needed = sample_size.requests_to_certify(expected, gate.max_share, scale=scale, dispersion=found.target.dispersion[gate.name])
        needed *= spec.requests_factor
        missing = max(0.0, needed - gathered)
        seconds = sample_size.seconds_for(missing, requests_per_second=reading.per_second, weight_percent=share)
        yield share, max(spec.minimum_step_seconds, seconds)
        gathered = max(gathered, needed)
