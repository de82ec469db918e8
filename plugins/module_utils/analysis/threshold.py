# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simplest judge: at each interval a gate's counts, or its query's answer, are within the limit or they are not.

A pure function of a state and a look: no clock, no I/O. A look ends with the first closed block after the interval is over. In
order, the first that applies:

1. too many failed looks, or errors in a row       roll_back      threshold_reached; no_data, bad_query
2. too many looks that were neither                inconclusive   too_little_data
3. no usable data                                  hold           no_data, bad_query; inconclusive after no_data_seconds
4. the last look failed, or was neither            hold           failed_look, too_little_data
5. no look at this step yet                        hold           needs_looks
6. fewer looks than iterations, before all traffic hold           needs_looks
7. minimum time not over                           hold           minimum_time
8. the last look passed                            advance        within_limits
   4 and 5 for longer than one interval and max_hold_seconds: inconclusive, max_hold
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from . import verdict as words
from .limits import ERROR, FAILED, PASSED, QUANTILE, RATE, SCALAR, SHARE, UNCLEAR, Limit, ThresholdGate, ThresholdRule
from .look import Look, MetricLook, ScalarLook
from .panel import StepEntry
from .quantile import bucket_quantile
from .threshold_state import Buckets, ThresholdState
from .verdict import Verdict

RETRY_SECONDS = 10.0  # after a query without an answer, where nothing is counted


@dataclass(frozen=True)
class _Measured:
    """How one gate did in one look: outcome, cause where it did not pass, a sentence with the numbers."""

    gate: str
    outcome: str
    cause: str
    words: str


class Threshold:
    """The judge of one rule. Holds no state of its own: give back what the last call returned."""

    def __init__(self, rule: ThresholdRule) -> None:
        self.rule = rule
        self.gates = frozenset(gate.name for gate in rule.gates)

    def start(self) -> ThresholdState:
        """The state before the first step."""
        return ThresholdState()

    def to_dict(self, state: ThresholdState) -> dict[str, Any]:
        """The state as JSON."""
        return state.to_dict()

    def from_dict(self, plain: dict[str, Any]) -> ThresholdState:
        """The state of a record."""
        return ThresholdState.from_dict(plain)

    def enter_step(self, state: ThresholdState, step: StepEntry) -> ThresholdState:
        """The state at the beginning of a step: a new interval begins, the looks of the release stay counted."""
        delay = 0.0 if state.begun else self.rule.initial_delay_seconds
        following = step.next_weight_percent
        return replace(
            _emptied(state, step.at_seconds + delay),
            begun=True,
            entered_at=step.at_seconds,
            passed_at=step.at_seconds + delay,
            minimum_seconds=self.rule.minimum_seconds,
            absolute_only=step.absolute_only,
            before_all=following is None or following >= 100 or step.weight_percent >= 100,
            last="",
            cause="",
            words="",
            no_counts_since=None,
            no_answer_since=None,
        )

    def after_people(self, state: ThresholdState, at_seconds: float) -> ThresholdState:
        """The state when people have taken their time: the longest time without a passed look begins anew."""
        return replace(state, passed_at=max(state.passed_at, at_seconds))

    def due(self, state: ThresholdState, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """The gates whose queries are to be read for a look at this time."""
        if state.done or not self.rule.asked or at_seconds < state.interval_at + self.rule.interval_seconds:
            return frozenset()
        if self.rule.counted and not closes_block:
            return frozenset()
        return frozenset(gate.name for gate in self.rule.asked)

    def look(self, state: ThresholdState, look: Look) -> tuple[ThresholdState, Verdict]:
        """The state after a look, and what it leads to."""
        after = self._gathered(state, look)
        if not after.done and self._is_over(after, look):
            after = self._judged(after, look)
        return after, self._verdict(after, look)

    def _gathered(self, state: ThresholdState, look: Look) -> ThresholdState:
        """With what a closed block has counted; a look inside an open block counts nothing yet."""
        if not self.rule.counted or not look.has_counts:
            return state
        if look.problem:
            since = look.at_seconds if state.no_counts_since is None else state.no_counts_since
            return replace(state, no_counts_since=since, problem=look.problem, problem_words=look.problem_detail or look.problem)
        state = replace(state, no_counts_since=None)
        if not look.closes_block or look.at_seconds <= state.interval_at:
            return state
        mine = [metric for metric in look.metrics if metric.gate in self.gates and metric.canary is not None]
        return replace(state, counts=_added(state.counts, mine), buckets=_added_buckets(state.buckets, mine))

    def _is_over(self, state: ThresholdState, look: Look) -> bool:
        if look.at_seconds < state.interval_at + self.rule.interval_seconds:
            return False
        if self.rule.counted and not (look.has_counts and (look.closes_block or look.problem)):
            return False
        return {gate.name for gate in self.rule.asked} <= {scalar.gate for scalar in look.scalars}

    def _judged(self, state: ThresholdState, look: Look) -> ThresholdState:
        """The interval is over: each gate's outcome, the worst of which is the look's."""
        seconds = look.at_seconds - state.interval_at
        found = [
            *(self._count(gate, state, look, seconds) for gate in self.rule.counted),
            *self._answers(look, compare=not state.absolute_only),
        ]
        worst = max(found, key=lambda one: ((PASSED, UNCLEAR, ERROR, FAILED).index(one.outcome), one.cause == words.BAD_QUERY))
        outcome = FAILED if worst.outcome == ERROR and self.rule.no_data_fails else worst.outcome
        said = "; ".join(one.words for one in found if one.outcome == worst.outcome)
        no_answer = any(one.outcome == ERROR and one.gate in {gate.name for gate in self.rule.asked} for one in found)
        since = look.at_seconds if state.no_answer_since is None else state.no_answer_since
        next_at = look.at_seconds
        if worst.outcome == ERROR and not self.rule.counted:
            next_at -= max(0.0, self.rule.interval_seconds - RETRY_SECONDS)
        after = replace(
            _emptied(_tallied(state, outcome), next_at),
            last=outcome,
            cause=worst.cause,
            words=said,
            no_answer_since=since if no_answer else None,
            passed_at=look.at_seconds if outcome == PASSED else state.passed_at,
        )
        return replace(after, done=self._is_done(after)) if self._end(after) is None else after

    def _count(self, gate: ThresholdGate, state: ThresholdState, look: Look, seconds: float) -> _Measured:
        """One gate that is judged by requests."""
        if look.problem:
            return _Measured(gate.name, ERROR, look.problem, f"{gate.name}: {look.problem_detail or look.problem}")
        found = next(((requests, events) for name, requests, events in state.counts if name == gate.name), None)
        if found is None:
            return _Measured(gate.name, ERROR, words.NO_DATA, f"{gate.name}: no counter of the canary")
        requests, events = found
        if gate.kind == RATE:
            value = requests / seconds
            return _compared(gate, value, gate.limit, f"{value:.3g} requests/s", lambda limit: f"{limit:g}/s")
        if requests < max(1, self.rule.min_requests):
            least = max(1, self.rule.min_requests)
            said = f"{gate.name}: {requests:,} requests in {seconds:.0f} s, {least:,} are needed"
            return _Measured(gate.name, UNCLEAR, words.TOO_LITTLE_DATA, said)
        if gate.kind == SHARE:
            value = events / requests
            shown = f"{gate.event_word} {events:,}/{requests:,} ({100 * value:.3g} %)"
            return _compared(gate, value, gate.limit, shown, lambda limit: f"{100 * limit:.3g} %")
        buckets = dict(state.buckets).get(gate.name, ())
        value = bucket_quantile(gate.quantile, _bounds(buckets)) if buckets else math.nan
        if math.isnan(value):
            return _Measured(gate.name, ERROR, words.NO_DATA, f"{gate.name}: no buckets of the canary")
        shown = f"p{100 * gate.quantile:g} {value:.4g} ms of {requests:,} requests"
        return _compared(gate, value, gate.limit, shown, lambda limit: f"{limit:g} ms")

    def _answers(self, look: Look, *, compare: bool) -> Iterable[_Measured]:
        """The gates that are judged by a query's answer. compare: stable has requests that it can be compared by."""
        answers = {scalar.gate: scalar for scalar in look.scalars}
        return [_answer(gate, answers[gate.name], compare=compare) for gate in self.rule.asked]

    def _is_done(self, state: ThresholdState) -> bool:
        rule = self.rule
        if rule.consecutive_successes:
            return state.passed_in_row >= rule.consecutive_successes
        return bool(rule.count) and state.judged + state.unclear >= rule.count

    def _end(self, state: ThresholdState) -> tuple[str, str, str] | None:
        """Decision, cause and sentence of a limit that was reached; None while none is."""
        rule = self.rule
        if rule.error_limit is not None and state.errors_in_row > rule.error_limit:
            return words.ROLL_BACK, state.cause, f"error {state.errors_in_row} in a row, {rule.error_limit} are forgiven: {state.words}"
        if rule.unclear_limit is not None and state.unclear > rule.unclear_limit:
            said = f"{state.unclear} looks neither passed nor failed, {rule.unclear_limit} are allowed: {state.words}"
            return words.INCONCLUSIVE, words.TOO_LITTLE_DATA, said
        failed = state.failed_in_row if rule.consecutive else state.failed
        if rule.threshold and failed >= rule.threshold:
            row = " in a row" if rule.consecutive else ""
            return words.ROLL_BACK, words.THRESHOLD_REACHED, f"failed look {failed} of {rule.threshold}{row}: {state.words}"
        ran_out = rule.consecutive_successes and rule.count and state.judged + state.unclear >= rule.count
        if ran_out and not state.done and not self._is_done(state):
            said = f"{rule.count} looks without {rule.consecutive_successes} passed ones in a row; the last one: {state.words}"
            return (words.INCONCLUSIVE, words.MAX_HOLD, said) if rule.threshold else (words.ROLL_BACK, words.THRESHOLD_REACHED, said)
        return None

    def _verdict(self, state: ThresholdState, look: Look) -> Verdict:
        decision, cause, said = self._end(state) or self._lack_of_data(state, look) or self._progress(state, look)
        return Verdict(decision, cause, said, self._evidence(state, look))

    def _lack_of_data(self, state: ThresholdState, look: Look) -> tuple[str, str, str] | None:
        since = [one for one in (state.no_counts_since, state.no_answer_since) if one is not None]
        if not since or state.done:
            return None
        counts = state.no_counts_since is not None
        cause, detail = (state.problem, state.problem_words) if counts else (state.cause, state.words)
        cause = words.BAD_QUERY if cause == words.BAD_QUERY else words.NO_DATA
        lost = look.at_seconds - min(since)
        what = "the query failed" if cause == words.BAD_QUERY else "no data"
        said = f"{what} for {lost:.0f} s of at most {self.rule.no_data_seconds:.0f} s: {detail}"
        return (words.INCONCLUSIVE if lost >= self.rule.no_data_seconds else words.HOLD), cause, said

    def _progress(self, state: ThresholdState, look: Look) -> tuple[str, str, str]:
        rule = self.rule
        held = look.at_seconds - state.passed_at
        waits = (state.last != PASSED and not state.done) and held >= rule.interval_seconds + rule.max_hold_seconds
        if state.last in (FAILED, UNCLEAR, ERROR) and not state.done:
            cause = words.FAILED_LOOK if state.last == FAILED else state.cause
            said = f"{self._forgiven(state) if state.last == FAILED else ''}{state.words}"
        elif not state.last and not state.done:
            cause, said = words.NEEDS_LOOKS, f"the first look of {rule.interval_seconds:.0f} s at this weight is not over"
        elif state.before_all and state.judged < rule.iterations and not state.done:
            return words.HOLD, words.NEEDS_LOOKS, f"hold: look {state.judged} of at least {rule.iterations}: {state.words}"
        elif look.at_seconds - state.entered_at < state.minimum_seconds:
            left = state.minimum_seconds - (look.at_seconds - state.entered_at)
            return (
                words.HOLD,
                words.MINIMUM_TIME,
                f"hold for the step's minimum time ({left:.0f} s to go); {state.words or 'judged for good'}",
            )
        else:
            return words.ADVANCE, words.WITHIN_LIMITS, state.words or "judged for good"
        if waits:
            return words.INCONCLUSIVE, words.MAX_HOLD, f"no passed look for {held:.0f} s: {said}"
        return words.HOLD, cause, f"hold: {said}"

    def _forgiven(self, state: ThresholdState) -> str:
        rule = self.rule
        failed = state.failed_in_row if rule.consecutive else state.failed
        row = " in a row" if rule.consecutive else ""
        return f"failed look {failed}{f' of {rule.threshold}' if rule.threshold else ''}{row}: "

    def _evidence(self, state: ThresholdState, look: Look) -> dict[str, Any]:
        return {
            "look": look.number,
            "weight_percent": look.weight_percent,
            "gate_names": sorted(self.gates),
            "passed": state.passed,
            "failed": state.failed,
            "failed_in_row": state.failed_in_row,
            "unclear": state.unclear,
            "errors_in_row": state.errors_in_row,
            "threshold": self.rule.threshold,
            "iterations": self.rule.iterations,
            "last": state.words,
        }


def _answer(gate: ThresholdGate, scalar: ScalarLook, *, compare: bool) -> _Measured:
    """One gate that is judged by a query's answer."""
    if scalar.problem == words.TOO_LITTLE_DATA:
        return _Measured(gate.name, UNCLEAR, words.TOO_LITTLE_DATA, f"{gate.name}: {scalar.detail}")
    if scalar.problem or scalar.canary is None:
        return _Measured(gate.name, ERROR, scalar.problem or words.NO_DATA, f"{gate.name}: {scalar.detail or 'no answer'}")
    unit = f" {gate.unit}" if gate.unit else ""
    shown = f"{gate.name} {scalar.canary:.4g}{unit}"
    plain = _compared(gate, scalar.canary, gate.limit, shown, lambda limit: f"{limit:g}{unit}")
    if gate.tolerance is None or not compare or plain.outcome == FAILED:
        return plain
    if scalar.baseline is None:
        return _Measured(gate.name, ERROR, words.NO_DATA, f"{gate.name}: no answer for stable")
    shown += f" vs {scalar.baseline:.4g}{unit}"
    beside = _compared(gate, scalar.canary, gate.relative_limit(scalar.baseline), shown, lambda limit: f"{limit:.4g}{unit}")
    return plain if plain.outcome == UNCLEAR and beside.outcome == PASSED else beside


def _compared(gate: ThresholdGate, value: float, limit: Limit, shown: str, say: Any) -> _Measured:
    """A value with its limit, as outcome and sentence."""
    outcome = limit.judge(value)
    above = limit.most is not None and value > limit.most
    edge = limit.most if above else limit.least
    if outcome == PASSED:
        ends = [say(end) for end in (limit.least, limit.most) if end is not None]
        return _Measured(gate.name, PASSED, "", f"{shown}, limit {' to '.join(ends)}" if ends else shown)
    said = f"{shown}, {'above' if above else 'below'} {say(edge)}"
    cause = words.TOO_LITTLE_DATA if outcome == UNCLEAR else words.FAILED_LOOK
    return _Measured(gate.name, outcome, cause, f"{said}, but not so far that it failed" if outcome == UNCLEAR else said)


def _tallied(state: ThresholdState, outcome: str) -> ThresholdState:
    """The counters after a look. What is no outcome (unclear, error) breaks a row of passed looks, not one of failed looks."""
    return replace(
        state,
        passed=state.passed + (outcome == PASSED),
        failed=state.failed + (outcome == FAILED),
        unclear=state.unclear + (outcome == UNCLEAR),
        passed_in_row=state.passed_in_row + 1 if outcome == PASSED else 0,
        failed_in_row=0 if outcome == PASSED else state.failed_in_row + (outcome == FAILED),
        errors_in_row=state.errors_in_row + 1 if outcome == ERROR else 0,
    )


def _emptied(state: ThresholdState, at_seconds: float) -> ThresholdState:
    """A new interval begins."""
    return replace(state, interval_at=at_seconds, counts=(), buckets=())


def _added(counts: tuple[tuple[str, int, int], ...], metrics: list[MetricLook]) -> tuple[tuple[str, int, int], ...]:
    sums = {name: (requests, events) for name, requests, events in counts}
    for metric in metrics:
        if metric.canary is not None:
            requests, events = sums.get(metric.gate, (0, 0))
            sums[metric.gate] = (requests + metric.canary.requests, events + metric.canary.events)
    return tuple((name, *pair) for name, pair in sums.items())


def _added_buckets(buckets: tuple[tuple[str, Buckets], ...], metrics: list[MetricLook]) -> tuple[tuple[str, Buckets], ...]:
    sums = {name: dict(_bounds(pairs)) for name, pairs in buckets}
    for metric in metrics:
        mine = sums.setdefault(metric.gate, {}) if metric.buckets else {}
        for bound, count in metric.buckets:
            mine[bound] = mine.get(bound, 0) + count
    return tuple(
        (name, tuple((None if math.isinf(bound) else bound, pairs[bound]) for bound in sorted(pairs))) for name, pairs in sums.items()
    )


def _bounds(pairs: Buckets) -> list[tuple[float, int]]:
    return [(math.inf if bound is None else bound, count) for bound, count in pairs]


__all__ = ["QUANTILE", "RATE", "SCALAR", "SHARE", "Limit", "Threshold", "ThresholdGate", "ThresholdRule", "ThresholdState"]
