# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who judges the gates of a release: one judge for all that are tested, one for all thresholds, one for each
that stands alone, and one for each combination of gates. Pure."""

from __future__ import annotations

from ..analysis.burn_judge import BurnGate, BurnRate
from ..analysis.composite import Composite
from ..analysis.limits import QUANTILE, RATE, SCALAR, SHARE, Limit, ThresholdGate, ThresholdRule
from ..analysis.panel import SEQUENTIAL, Judge, Panel, SequentialJudge
from ..analysis.rank_judge import RankGate, RankJudge
from ..analysis.restart_judge import RestartJudge
from ..analysis.sequential import Gate, Rule, Sequential
from ..analysis.threshold import Threshold
from .composite_spec import COMPOSITE
from .gates_spec import BURN_RATE, MANN_WHITNEY, THRESHOLD, GateSpec, LooksSpec
from .samples_spec import RESTARTS, SamplesSpec
from .slo_spec import SloSpec
from .spec import Spec

EVENT_WORDS = {"error_rate": "errors", "latency": "slow requests"}


def panel_of(spec: Spec, dispersion: dict[str, float]) -> Panel | None:
    """The judges of a spec's gates, None when it has no gate. The sequential gates share alpha among themselves alone."""
    combined = {name: gate for gate in spec.gates if gate.composite for name in gate.composite.names()}
    alone = [gate for gate in spec.gates if gate.name not in combined and gate.composite is None]
    judges = _judges(spec, alone, dispersion)
    for whole in spec.gates:
        if whole.composite is not None:
            own = {gate.name: gate for gate in spec.gates if gate.name in set(whole.composite.names())}
            members = {name: next(iter(_judges(spec, [gate], dispersion).values())) for name, gate in own.items()}
            minimum = spec.minimum_step_seconds
            judges[f"{COMPOSITE}:{whole.name}"] = Composite(whole.name, whole.composite, members, minimum_seconds=minimum)
    return Panel(judges) if judges else None


def _judges(spec: Spec, gates: list[GateSpec], dispersion: dict[str, float]) -> dict[str, Judge]:
    """By name, the judges of some of a spec's gates: those that are judged together have one."""
    judges: dict[str, Judge] = {}
    tested = tuple(gate for gate in gates if gate.judge == SEQUENTIAL)
    if tested:
        judges[SEQUENTIAL] = SequentialJudge(Sequential(rule_of(spec, dispersion, tested)))
    limited = [gate for gate in gates if gate.judge == THRESHOLD]
    together = [gate for gate in limited if gate.looks is None]
    if together:
        judges[THRESHOLD] = Threshold(threshold_rule_of(spec, together, spec.looks))
    for gate in limited:
        if gate.looks is not None:
            judges[f"{THRESHOLD}:{gate.name}"] = Threshold(threshold_rule_of(spec, [gate], gate.looks))
    burning = [gate for gate in gates if gate.judge == BURN_RATE]
    if spec.slo is not None and burning:
        judges[BURN_RATE] = _burn_judge(spec, spec.slo, burning)
    for gate in gates:
        if gate.judge in (MANN_WHITNEY, RESTARTS):
            judges[f"{gate.judge}:{gate.name}"] = _pods_judge(spec, gate)
    return judges


def rule_of(spec: Spec, dispersion: dict[str, float], tested: tuple[GateSpec, ...] | None = None) -> Rule:
    """The sequential rule for the gates that have it. tested: only those, with their part of the alpha that all of them share."""
    every = spec.judged_by(SEQUENTIAL)
    chosen = every if tested is None else tested
    gates = tuple(
        Gate(name=gate.name, max_rate=gate.max_share, dispersion=dispersion.get(gate.name, 1.0), event_word=EVENT_WORDS[gate.kind])
        for gate in chosen
    )
    return Rule(
        gates=gates,
        alpha=Rule.alpha * len(chosen) / len(every),
        beta=Rule.beta**spec.requests_factor,  # the requests that certify a version grow with its logarithm
        minimum_seconds=spec.minimum_step_seconds,
        max_hold_seconds=longest_hold(spec),
        no_data_seconds=spec.no_data_seconds,
        fix_forward=spec.fix_forward,
    )


def threshold_rule_of(spec: Spec, gates: list[GateSpec], looks: LooksSpec) -> ThresholdRule:
    """The threshold rule for gates that are looked at together."""
    return ThresholdRule(
        gates=tuple(_threshold_gate(gate) for gate in gates),
        interval_seconds=looks.interval_seconds,
        initial_delay_seconds=looks.initial_delay_seconds,
        min_requests=looks.min_requests * spec.requests_factor,
        threshold=looks.threshold,
        consecutive=looks.consecutive,
        iterations=looks.iterations,
        count=looks.count,
        consecutive_successes=looks.consecutive_success_limit,
        unclear_limit=looks.inconclusive_limit,
        error_limit=looks.consecutive_error_limit,
        no_data_fails=looks.no_data == "fail",
        minimum_seconds=spec.minimum_step_seconds,
        max_hold_seconds=longest_hold(spec),
        no_data_seconds=spec.no_data_seconds,
    )


def _burn_judge(spec: Spec, slo: SloSpec, gates: list[GateSpec]) -> BurnRate:
    return BurnRate(
        tuple(BurnGate(gate.name, tuple((name, slo.windows[name]) for name in gate.burn_over)) for gate in gates),
        budget=slo.budget,
        minimum_seconds=spec.minimum_step_seconds,
        max_hold_seconds=longest_hold(spec),
        no_data_seconds=spec.no_data_seconds,
    )


def _pods_judge(spec: Spec, gate: GateSpec) -> Judge:
    """The judge of one gate by samples, or by restarts."""
    times = {"minimum_seconds": spec.minimum_step_seconds, "no_data_seconds": spec.no_data_seconds}
    if gate.most_restarts is not None:
        return RestartJudge(gate.name, most=gate.most_restarts, **times)
    return RankJudge(rank_gate(spec, gate), **times)


def rank_gate(spec: Spec, gate: GateSpec) -> RankGate:
    """A gate as ranks judge it. All such gates of a release share the chance of a false alarm."""
    taken = gate.samples or SamplesSpec()
    return RankGate(
        gate.name,
        taken.options,
        min_samples=taken.min_samples * spec.requests_factor,
        judgements=taken.judgements,
        sample_seconds=taken.sample_seconds,
        initial_delay_seconds=taken.initial_delay_seconds,
        sharing=len(spec.judged_by(MANN_WHITNEY)),
    )


def _threshold_gate(gate: GateSpec) -> ThresholdGate:
    if gate.query is not None:
        asked = gate.query
        limit = Limit(asked.least, asked.most, asked.fails_below, asked.fails_above)
        return ThresholdGate(gate.name, SCALAR, limit, tolerance=asked.tolerance, direction=asked.direction, unit=asked.unit)
    if gate.quantile is not None:
        return ThresholdGate(gate.name, QUANTILE, Limit(most=gate.quantile.max_ms), quantile=gate.quantile.quantile)
    if gate.min_per_second is not None:
        return ThresholdGate(gate.name, RATE, Limit(least=gate.min_per_second))
    return ThresholdGate(gate.name, SHARE, Limit(most=gate.max_share), event_word=EVENT_WORDS[gate.kind])


def longest_hold(spec: Spec) -> float:
    """How long a judge may hold; an experiment is held by its own end."""
    return max(spec.max_hold_seconds, spec.ab.longest_seconds if spec.ab else 0.0)
