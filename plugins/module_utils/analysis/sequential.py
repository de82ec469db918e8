# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default decision: look as often as there is something new, roll back on evidence, advance on evidence, else hold.

A pure function of a state and a look: no clock, no I/O. In order, the first that applies:

1. evidence of harm that is beyond doubt     roll_back     evidence_of_harm, one_look_evidence (doubt.py: stable's pods are read later)
2. no usable data in this look               hold          no_data, bad_query; inconclusive after no_data_seconds
3. stable itself is burning                  hold          shared_incident; roll_back after incident_grace_seconds when it
                                                           began within incident_after_rise_seconds of our own last rise:
                                                           shared_incident_after_rise
4. some evidence of harm (hold_at)           hold          watching
5. an arm without requests for no_data_seconds  hold       too_little_data
6. every gate certified, minimum time over   advance       certified
7. minimum time not over                     hold          minimum_time
8. not certified yet                         hold          needs_requests
   4, 5 and 8 for longer than minimum time plus max_hold_seconds: inconclusive, max_hold

The step's clock runs only while there is data and no shared incident.
"""

from __future__ import annotations

import math
from dataclasses import replace

from . import verdict as words
from .doubt import NO_DOUBT
from .evidence import (
    EXCESSES,
    RATIOS,
    SHORTFALLS,
    log_mixture,
    log_weighted_mean,
    rate_log_ratios,
    relative_log_ratios,
    with_fresh_start,
)
from .explain import explain
from .finding import Finding, GateFinding
from .incident import is_above, is_burning, remember
from .look import NO_COUNTS, Counts, Look
from .rule import Gate, Rule
from .sample_size import certification_scale
from .state import GateState, State, with_open_block
from .verdict import Verdict

__all__ = ["Gate", "Rule", "Sequential", "State"]

LARGEST_SCALED_RATE = 0.5

_Choice = tuple[str, str, str]


class Sequential:
    """The sequential rule for one release. Holds no state of its own: give back what the last call returned."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._weights = {gate.name: rule.weight_of(gate) for gate in rule.gates}

    def start(self) -> State:
        """The state before the first step."""
        return State(gates=tuple(GateState(gate.name) for gate in self.rule.gates))

    def enter_step(
        self,
        state: State,
        *,
        weight_percent: float,
        at_seconds: float,
        next_weight_percent: float | None = None,
        needs_full_certainty: bool = False,
        absolute_only: bool = False,
        minimum_seconds: float | None = None,
    ) -> State:
        """The state at the beginning of a step: the clock restarts, the evidence stays.

        ``next_weight_percent``: where an advance leads; below 50 a proportionally weaker certification suffices, unless
        ``needs_full_certainty``. Not known means the full one. ``absolute_only``: there is no baseline to compare with (weight
        100, matched traffic, no stable version). An open block ends here; the next look starts a new one.
        Raises ValueError for a weight outside 0..100.
        """
        for weight in (weight_percent, next_weight_percent):
            if weight is not None and not 0.0 <= weight <= 100.0:
                raise ValueError(f"weight must lie between 0 and 100, not {weight}")
        scaled = self.rule.risk_scaled and not needs_full_certainty
        return replace(
            state,
            gates=tuple(_begin_step(_close_block(gate, each, state, at_seconds)) for gate, each in zip(self.rule.gates, state.gates)),
            steps=state.steps + 1,
            weight_percent=weight_percent,
            entered_at=at_seconds,
            risen_at=at_seconds if weight_percent > state.weight_percent else state.risen_at,
            last_at=at_seconds,
            watched_seconds=0.0,
            minimum_seconds=self.rule.minimum_seconds if minimum_seconds is None else minimum_seconds,
            scale=certification_scale(next_weight_percent) if scaled else 1.0,
            absolute_only=absolute_only,
            problem_since=None,
        )

    def look(self, state: State, look: Look) -> tuple[State, Verdict]:
        """The state after a look, and what it leads to.

        Raises ValueError when the look counts a gate twice or one that the rule does not know.
        """
        after, finding = self.judge(state, look)
        return after, explain(self.rule, after, look, finding)

    def judge(self, state: State, look: Look) -> tuple[State, Finding]:
        """The same decision as ``look`` without the sentence and the interval: for replays of many looks."""
        after, one_look, missing = self._absorb(state, look)
        gates = tuple(self._weigh(gate, each, after) for gate, each in zip(self.rule.gates, after.gates))
        after = replace(after, gates=tuple(_remember(each, found, one_look) for each, found in zip(after.gates, gates)))
        return after, self._decide(after, look, gates, one_look, missing)

    def _absorb(self, state: State, look: Look) -> tuple[State, dict[str, bool], list[str]]:
        """The state with this look's counts; which gates had enough events in it alone; what is missing."""
        metrics = self._by_gate(look)
        gates: list[GateState] = []
        one_look: dict[str, bool] = {}
        missing: list[str] = []
        for gate, before in zip(self.rule.gates, state.gates):
            canary, baseline = (None, None) if look.problem else metrics.get(gate.name, (None, None))
            if state.absolute_only:
                baseline = NO_COUNTS if canary is not None else None
            if canary is None or baseline is None:
                missing.append(f"{'canary' if canary is None else 'stable'} {gate.event_word}")
                gates.append(_close_block(gate, before, state, look.at_seconds) if look.closes_block else before)
                continue
            new_events = canary.events - before.open_canary.events
            one_look[gate.name] = new_events >= self.rule.one_look_events or before.one_look_waits
            burning = not state.absolute_only and is_burning(
                before.recent,
                baseline,
                look.at_seconds,
                max_rate=gate.max_rate,
                budget=gate.budget,
                dispersion=gate.dispersion,
            )
            new_stable = baseline.since(before.open_baseline)
            updated = replace(
                before,
                doubt=NO_DOUBT
                if state.absolute_only
                else before.doubt.after_look(
                    new_events, new_stable.requests, trouble=burning or is_above(new_stable, gate.max_rate, gate.dispersion)
                ),
                open_canary=canary,
                open_baseline=baseline,
                event_looks=before.event_looks + (new_events > 0),
                canary_idle_since=_idle_since(before.canary_idle_since, before.open_canary, canary, look),
                baseline_idle_since=None
                if state.absolute_only
                else _idle_since(before.baseline_idle_since, before.open_baseline, baseline, look),
                burning=burning,
            )
            gates.append(_close_block(gate, updated, state, look.at_seconds) if look.closes_block else updated)
        elapsed = max(0.0, look.at_seconds - (state.entered_at if state.last_at is None else state.last_at))
        incident = not self.rule.fix_forward and any(each.burning for each in gates)
        has_problem = bool(look.problem or missing)
        after = replace(
            state,
            gates=tuple(gates),
            looks=state.looks + 1,
            last_at=look.at_seconds,
            watched_seconds=state.watched_seconds + (0.0 if incident or has_problem else elapsed),
            problem_since=_since(state.problem_since, has_problem, look.at_seconds),
            incident_since=_since(state.incident_since, incident, look.at_seconds),
        )
        return after, one_look, missing

    def _by_gate(self, look: Look) -> dict[str, tuple[Counts | None, Counts | None]]:
        known = {gate.name for gate in self.rule.gates}
        metrics: dict[str, tuple[Counts | None, Counts | None]] = {}
        for metric in look.metrics:
            if metric.gate not in known:
                raise ValueError(f"look {look.number} counts {metric.gate}, which is no gate of this rule")
            if metric.gate in metrics:
                raise ValueError(f"look {look.number} counts {metric.gate} twice")
            metrics[metric.gate] = (metric.canary, metric.baseline)
        return metrics

    def _decide(self, state: State, look: Look, gates: tuple[GateFinding, ...], one_look: dict[str, bool], missing: list[str]) -> Finding:
        choice = (
            self._harm(state, gates, one_look)
            or self._lack_of_data(state, look, missing)
            or self._shared_incident(state, look)
            or self._progress(state, look, gates)
        )
        weights = [self._weights[each.gate.name] for each in gates]
        return Finding(
            *choice[:2],
            gates,
            log_weighted_mean([(weight, each.steady[0]) for weight, each in zip(weights, gates)]),
            log_weighted_mean([(weight, each.steady[1]) for weight, each in zip(weights, gates)]),
            choice[2],
        )

    def _harm(self, state: State, gates: tuple[GateFinding, ...], one_look: dict[str, bool]) -> _Choice | None:
        """A gate with too few events, or events in too few looks, counts 0 in the average over the gates."""
        rule = self.rule
        weights = [
            self._weights[each.name] * (each.canary_so_far.events >= rule.min_events and each.event_looks >= rule.min_looks)
            for each in state.gates
        ]
        relative = [(weight, each.steady[0]) for weight, each in zip(weights, gates)]
        absolute = [(weight, each.steady[1]) for weight, each in zip(weights, gates)]
        if _reached(relative, rule.relative_threshold) or _reached(absolute, rule.absolute_threshold):
            return words.ROLL_BACK, words.EVIDENCE_OF_HARM, ""
        if any(one_look.values()) and self._one_look_suffices(state, gates, one_look):
            return words.ROLL_BACK, words.ONE_LOOK_EVIDENCE, ""
        return None

    def _lack_of_data(self, state: State, look: Look, missing: list[str]) -> _Choice | None:
        if state.problem_since is None:
            return None
        is_over = look.at_seconds - state.problem_since >= self.rule.no_data_seconds
        cause = words.BAD_QUERY if look.problem == words.BAD_QUERY else words.NO_DATA
        detail = look.problem_detail or look.problem or ", ".join(missing)
        return (words.INCONCLUSIVE if is_over else words.HOLD), cause, detail

    def _shared_incident(self, state: State, look: Look) -> _Choice | None:
        if state.incident_since is None:
            return None
        since_rise = -math.inf if state.risen_at is None else state.incident_since - state.risen_at
        after_rise = 0.0 < since_rise <= self.rule.incident_after_rise_seconds
        if after_rise and look.at_seconds - state.incident_since >= self.rule.incident_grace_seconds:
            return words.ROLL_BACK, words.SHARED_INCIDENT_AFTER_RISE, ""
        return words.HOLD, words.SHARED_INCIDENT, ""

    def _progress(self, state: State, look: Look, gates: tuple[GateFinding, ...]) -> _Choice:
        watching = math.log(self.rule.hold_at)
        idle_arm = _idle_arm(state, look.at_seconds, self.rule.no_data_seconds)
        if any(max(each.log_relative, each.log_absolute) >= watching for each in gates):
            cause = words.WATCHING
        elif idle_arm:
            cause = words.TOO_LITTLE_DATA
        elif not all(each.certified for each in gates):
            cause = words.NEEDS_REQUESTS
        elif state.watched_seconds < state.minimum_seconds:
            return words.HOLD, words.MINIMUM_TIME, ""
        else:
            return words.ADVANCE, words.CERTIFIED, ""
        if state.watched_seconds - state.minimum_seconds >= self.rule.max_hold_seconds:
            return words.INCONCLUSIVE, words.MAX_HOLD, cause
        return words.HOLD, cause, idle_arm

    def _weigh(self, gate: Gate, each: GateState, state: State) -> GateFinding:
        log_relative = log_promote_ratio = -math.inf
        if not state.absolute_only:
            log_relative = _log_relative(gate, each, state, gate.dispersion)
            log_promote_ratio = log_mixture(_promote_ratio(gate, each), gate.dispersion)
        limit = min(gate.max_rate * state.scale, max(gate.max_rate, LARGEST_SCALED_RATE))
        log_absolute = log_promote = -math.inf
        if not self.rule.fix_forward:
            log_absolute = _log_absolute(gate, each, state, gate.dispersion)
            log_promote = log_mixture(rate_log_ratios(each.judged_by_rate, limit, SHORTFALLS), gate.dispersion)
        certified = max(log_promote, log_promote_ratio) >= math.log(self.rule.promote_threshold)
        harm = (log_relative, log_absolute, self._log_one_look(gate, each, state))
        if each.doubt.is_open:
            harm = (min(harm[0], each.steady[0]), min(harm[1], each.steady[1]), min(harm[2], each.steady[2]))
        return GateFinding(gate, log_relative, log_absolute, log_promote, log_promote_ratio, limit, certified, harm)

    def _log_one_look(self, gate: Gate, each: GateState, state: State) -> float:
        """Evidence at a much larger dispersion: by the ratio, or by the rate where there is no baseline."""
        if state.absolute_only and self.rule.fix_forward:
            return -math.inf
        log_evidence = _log_absolute if state.absolute_only else _log_relative
        return log_evidence(gate, each, state, gate.dispersion * self.rule.one_look_dispersion)

    def _one_look_suffices(self, state: State, gates: tuple[GateFinding, ...], one_look: dict[str, bool]) -> bool:
        """Whether the gates with enough events in this look alone have that much evidence."""
        rule = self.rule
        weighted = [(self._weights[each.gate.name] if one_look.get(each.gate.name) else 0.0, each.steady[2]) for each in gates]
        return _reached(weighted, rule.absolute_threshold if state.absolute_only else rule.relative_threshold)


def _close_block(gate: Gate, each: GateState, state: State, at_seconds: float) -> GateState:
    """The open block's counts become part of the evidence for good."""
    canary, baseline, has_trouble = each.open_canary, each.open_baseline, each.doubt.trouble is not None
    if not (canary.requests or baseline.requests):
        return each
    return replace(
        each,
        relative=each.relative if state.absolute_only else _relative(gate, each),
        promote_ratio=each.promote_ratio if state.absolute_only else _promote_ratio(gate, each),
        canary=each.canary_so_far,
        baseline=each.baseline_so_far,
        outside_incident=each.outside_incident if has_trouble else each.outside_incident + each.last_block,
        last_block=NO_COUNTS if has_trouble else canary,
        doubt=each.doubt.after_block(burning=each.burning),
        open_canary=NO_COUNTS,
        open_baseline=NO_COUNTS,
        strata=each.strata if state.absolute_only else with_open_block(each, state.weight_percent),
        recent=remember(each.recent, at_seconds, baseline) if baseline.requests else each.recent,
    )


def _begin_step(each: GateState) -> GateState:
    outside = each.outside_incident + each.last_block
    return replace(
        each,
        relative_before_step=each.relative,
        outside_incident=outside,
        outside_incident_before_step=outside,
        last_block=NO_COUNTS,
        requests_before_step=each.canary.requests,
        canary_idle_since=None,
        baseline_idle_since=None,
        burning=False,
    )


def _remember(each: GateState, found: GateFinding, one_look: dict[str, bool]) -> GateState:
    """What is beyond doubt, and a look that would suffice if it were. A test that does not apply is remembered as no evidence."""
    relative, absolute, single = (0.0 if value == -math.inf else value for value in found.steady)
    waits = each.doubt.is_open and one_look.get(each.name, each.one_look_waits)
    return replace(each, steady=(relative, absolute, single), one_look_waits=waits)


def _log_relative(gate: Gate, each: GateState, state: State, dispersion: float) -> float:
    whole = _relative(gate, each)
    step = tuple(now - before for now, before in zip(whole, each.relative_before_step))
    return with_fresh_start(log_mixture(whole, dispersion), log_mixture(step, dispersion), state.steps)


def _log_absolute(gate: Gate, each: GateState, state: State, dispersion: float) -> float:
    whole = each.judged_by_rate
    step = whole - each.outside_incident_before_step
    return with_fresh_start(
        log_mixture(rate_log_ratios(whole, gate.max_rate, EXCESSES), dispersion),
        log_mixture(rate_log_ratios(step, gate.max_rate, EXCESSES), dispersion),
        state.steps,
    )


def _reached(weighted: list[tuple[float, float]], threshold: float) -> bool:
    return log_weighted_mean(weighted) >= math.log(threshold)


def _relative(gate: Gate, each: GateState) -> tuple[float, ...]:
    return _plus(each.relative, relative_log_ratios(each.open_canary, each.open_baseline, gate.margin, RATIOS))


def _promote_ratio(gate: Gate, each: GateState) -> tuple[float, ...]:
    return _plus(each.promote_ratio, relative_log_ratios(each.open_canary, each.open_baseline, gate.max_ratio, SHORTFALLS))


def _plus(sums: tuple[float, ...], more: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(one + other for one, other in zip(sums, more))


def _since(since: float | None, is_so: bool, at_seconds: float) -> float | None:
    if not is_so:
        return None
    return at_seconds if since is None else since


def _idle_since(since: float | None, before: Counts, now: Counts, look: Look) -> float | None:
    return _since(since, now.requests <= before.requests, look.at_seconds)


def _idle_arm(state: State, at_seconds: float, patience_seconds: float) -> str:
    """The arm that has had no request for too long, or an empty string."""
    for each in state.gates:
        for arm, since in (("canary", each.canary_idle_since), ("stable", each.baseline_idle_since)):
            if since is not None and at_seconds - since >= patience_seconds:
                return arm
    return ""
