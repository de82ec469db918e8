# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of a gate by samples of both versions: the rank test of Mann and Whitney on a few fixed occasions. Pure.

A sample of each version is taken every sample_seconds, over all weights at which both versions have requests. With min_samples = 50 and
three judgements the samples so far are judged when there are 17, 34 and 50 of each; then the gate is judged for good and no more are
taken. Each judgement has its part of the chance of a false alarm (Bonferroni), so that all of them together keep to it. In order, the
first that applies:

1. the last judgement found a difference        roll_back      evidence_of_harm
2. no usable sample                             hold           no_data, bad_query, too_little_data; after no_data_seconds inconclusive,
                                                               or roll_back with critical or must_have_data
3. the last judgement could not tell            inconclusive   too_little_data; roll_back with critical or must_have_data
4. all traffic on the canary, or none weighed   advance        within_limits: there is nothing to compare
5. no sample at this weight yet                 hold           needs_looks
6. not judged for good, before all traffic      hold           needs_samples
7. minimum time not over                        hold           minimum_time
8. judged for good, or a lower weight           advance        within_limits
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from . import verdict as words
from .look import Look, ScalarLook
from .mann_whitney import HIGH, LOW, NODATA, NODATA_FAIL
from .mann_whitney_options import Options
from .panel import StepEntry
from .sample_finding import judge_samples
from .verdict import Verdict

JSON = dict[str, Any]
MOST_PODS = 5  # of each version in one moment; more take turns
DIGITS = 6  # significant ones of a sample in the record
RETRY_SECONDS = 10.0  # after a moment without a sample
CANARY, STABLE = "canary/", "stable/"  # what the names of a look's values begin with, where each pod has one


@dataclass(frozen=True)
class RankGate:
    """One gate and how it is judged.

    ``options``: of a judgement; their confidence is that of all judgements of all ``sharing`` gates together, unless they ask for
    Kayenta's own, which knows no correction. Raises ValueError for what could judge nothing.
    """

    name: str
    options: Options
    min_samples: int = 50
    judgements: int = 3
    sample_seconds: float = 60.0
    initial_delay_seconds: float = 0.0
    sharing: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.judgements <= self.min_samples or self.sharing < 1 or not self.sample_seconds > 0.0:
            raise ValueError(
                f"{self.name}: {self.judgements} judgements of {self.min_samples} samples, one every {self.sample_seconds:g} s"
            )

    @property
    def occasions(self) -> tuple[int, ...]:
        """At how many samples of each version it is judged."""
        return tuple(math.ceil(self.min_samples * number / self.judgements) for number in range(1, self.judgements + 1))

    @property
    def confidence(self) -> float:
        """Of one judgement."""
        return confidence_of_one(self.options, self.judgements, self.sharing)


def confidence_of_one(options: Options, judgements: int, sharing: int) -> float:
    """The confidence of one judgement, so that all of them, of all gates that share, have that of the options (Bonferroni)."""
    return options.confidence if options.kayenta_compatible else 1.0 - (1.0 - options.confidence) / (judgements * sharing)


@dataclass(frozen=True)
class RankState:
    """The samples so far and what the last judgement said. Times are on the looks' clock.

    ``found``: the judgement's own word (Pass, High, Low, Nodata; empty: none yet), ``said`` its sentence, ``numbers`` its numbers.
    ``problem``: why the last moment gave no sample.
    """

    canary: tuple[float, ...] = ()
    baseline: tuple[float, ...] = ()
    moments: int = 0
    judged: int = 0
    found: str = ""
    said: str = ""
    numbers: JSON = field(default_factory=dict)
    begun: bool = False
    entered_at: float = 0.0
    next_at: float = 0.0
    sampled: bool = False  # at this weight
    before_all: bool = False
    compares: bool = False
    problem: str = ""
    detail: str = ""
    problem_since: float | None = None


class RankJudge:
    """The judge of one gate. Holds no state of its own."""

    def __init__(self, gate: RankGate, *, minimum_seconds: float, no_data_seconds: float) -> None:
        self.gate = gate
        self.gates = frozenset({gate.name})
        self._options = replace(gate.options, confidence=gate.confidence)
        self._minimum, self._no_data = minimum_seconds, no_data_seconds

    def start(self) -> RankState:
        """The state before the first step."""
        return RankState()

    def enter_step(self, state: RankState, step: StepEntry) -> RankState:
        """The samples stay; a step whose requests cannot be compared takes none."""
        following = step.next_weight_percent
        first = step.at_seconds + (0.0 if state.begun else self.gate.initial_delay_seconds)
        return replace(
            state,
            begun=True,
            entered_at=step.at_seconds,
            next_at=max(first, state.next_at),
            sampled=False,
            before_all=following is None or following >= 100,
            compares=not step.absolute_only,
            problem="",
            detail="",
            problem_since=None,
        )

    def after_people(self, state: RankState, at_seconds: float) -> RankState:
        """The state when people have taken their time: the longest time without a sample begins anew."""
        return replace(state, problem_since=None if state.problem_since is None else at_seconds)

    def due(self, state: RankState, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """Its gate, when it is time for a sample."""
        wanted = state.compares and not self._done(state) and at_seconds >= state.next_at
        return self.gates if wanted else frozenset()

    def look(self, state: RankState, look: Look) -> tuple[RankState, Verdict]:
        """The state after a look, and what it leads to; a look without its query leaves the samples as they are."""
        mine = next((one for one in look.scalars if one.gate == self.gate.name), None)
        if mine is not None and not self._done(state):
            state = self._judged(self._taken(state, mine, look.at_seconds))
        decision, cause, said = self._decide(state, look)
        return state, Verdict(decision, cause, said, self._evidence(state, look))

    def _done(self, state: RankState) -> bool:
        return state.judged >= self.gate.judgements

    def _taken(self, state: RankState, scalar: ScalarLook, at_seconds: float) -> RankState:
        """With the samples of a moment, or why there are none. Both versions get as many, so that neither outweighs the other."""
        canary, baseline = samples_of(scalar)
        if scalar.problem or not (canary and baseline):
            since = at_seconds if state.problem_since is None else state.problem_since
            detail = scalar.detail or "no sample of both versions"
            again = at_seconds + min(RETRY_SECONDS, self.gate.sample_seconds)
            return replace(state, problem=scalar.problem or words.NO_DATA, detail=detail, problem_since=since, next_at=again)
        number = min(len(canary), len(baseline), MOST_PODS)
        return replace(
            state,
            canary=(*state.canary, *_in_turn(canary, number, state.moments)),
            baseline=(*state.baseline, *_in_turn(baseline, number, state.moments)),
            moments=state.moments + 1,
            sampled=True,
            next_at=at_seconds + self.gate.sample_seconds,
            problem="",
            detail="",
            problem_since=None,
        )

    def _judged(self, state: RankState) -> RankState:
        """With the judgements for which there are enough samples; of several at once only the last one is made."""
        reached = sum(len(state.canary) >= occasion for occasion in self.gate.occasions)
        if reached <= state.judged:
            return state
        finding = judge_samples(state.canary, state.baseline, self._options)
        return replace(state, judged=reached, found=finding.verdict, said=finding.reason, numbers=finding.evidence)

    def _decide(self, state: RankState, look: Look) -> tuple[str, str, str]:
        gate = self.gate
        strict = gate.options.critical or gate.options.must_have_data
        if state.found in (HIGH, LOW):
            return words.ROLL_BACK, words.EVIDENCE_OF_HARM, f"{state.said} (judgement {state.judged} of {gate.judgements})"
        if state.problem_since is not None:
            lost = look.at_seconds - state.problem_since
            over = lost >= self._no_data
            said = f"{gate.name}: no sample for {lost:.0f} s of at most {self._no_data:.0f} s: {state.detail}"
            return (words.ROLL_BACK if strict else words.INCONCLUSIVE) if over else words.HOLD, state.problem, said
        if self._done(state) and state.found in (NODATA, NODATA_FAIL):
            return words.ROLL_BACK if strict else words.INCONCLUSIVE, words.TOO_LITTLE_DATA, state.said
        if not state.compares:
            return words.ADVANCE, words.WITHIN_LIMITS, state.said or f"{gate.name}: stable has no requests to compare with"
        return self._progress(state, look)

    def _progress(self, state: RankState, look: Look) -> tuple[str, str, str]:
        if not state.sampled and not self._done(state):
            return words.HOLD, words.NEEDS_LOOKS, f"hold: {self.gate.name} has no sample at this weight yet"
        if state.before_all and not self._done(state):
            return words.HOLD, words.NEEDS_SAMPLES, f"hold: {self._count(state)}"
        left = self._minimum - (look.at_seconds - state.entered_at)
        said = state.said or self._count(state)
        if left > 0.0:
            return words.HOLD, words.MINIMUM_TIME, f"hold for the step's minimum time ({left:.0f} s to go); {said}"
        return words.ADVANCE, words.WITHIN_LIMITS, said

    def _count(self, state: RankState) -> str:
        """How far the samples are, and when they are judged."""
        gate, have = self.gate, len(state.canary)
        at = gate.occasions[state.judged]
        each = have / state.moments if state.moments else 1.0
        minutes = math.ceil((gate.min_samples - have) / each) * gate.sample_seconds / 60.0
        wait = f"{minutes:.0f} min" if minutes >= 2.0 else f"{60.0 * minutes:.0f} s"
        return f"{gate.name} has {have} of {gate.min_samples} samples, judged next at {at}, all in about {wait}"

    def _evidence(self, state: RankState, look: Look) -> JSON:
        gate = self.gate
        return {
            "look": look.number,
            "weight_percent": look.weight_percent,
            "gate_names": [gate.name],
            "samples": len(state.canary),
            "min_samples": gate.min_samples,
            "judgement": state.judged,
            "judgements": gate.judgements,
            "verdict": state.found,
            "said": state.said,
            **({"numbers": state.numbers} if state.numbers else {}),
        }

    def to_dict(self, state: RankState) -> JSON:
        """The state as JSON."""
        return {**asdict(state), "canary": list(state.canary), "baseline": list(state.baseline)}

    def from_dict(self, plain: Mapping[str, Any]) -> RankState:
        """The state that to_dict wrote."""
        return RankState(**{**plain, "canary": tuple(plain["canary"]), "baseline": tuple(plain["baseline"])})


def samples_of(scalar: ScalarLook) -> tuple[list[float], list[float]]:
    """The canary's and stable's samples of one moment: those of their pods, in the order of their names, or the one number of each."""
    if scalar.values:
        ordered = sorted(scalar.values)
        canary, stable = ([value for name, value in ordered if name.startswith(arm)] for arm in (CANARY, STABLE))
        return canary, stable
    return [one for one in (scalar.canary,) if one is not None], [one for one in (scalar.baseline,) if one is not None]


def _in_turn(values: Sequence[float], number: int, moment: int) -> list[float]:
    """So many of them, others at the next moment when there are more."""
    first = moment * number
    return [_rounded(values[(first + index) % len(values)]) for index in range(number)]


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
