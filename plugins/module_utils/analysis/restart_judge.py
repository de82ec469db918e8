# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of restarts: whether the canary's pods restart more often than stable's, by the time that the pods of each have run. Pure.

Restarts are counted and rare, so that ranks would say nothing: most samples of both versions are 0. A restart of any pod is the
canary's with a probability that follows from the pod-seconds of both, and that is tested as errors are (evidence.relative_log_ratios):
the test may be looked at any number of times, and pods that come and go change nothing. In order, the first that applies:

1. more restarts of the canary's pods than most                         roll_back      threshold_reached
2. evidence that they restart more often than stable's, three of them   roll_back      evidence_of_harm
3. three restarts, and stable has no pod to compare with                roll_back      threshold_reached
4. the pods cannot be listed                                            hold           no_data; inconclusive after no_data_seconds
5. pods not read at this weight yet                                     hold           needs_looks
6. minimum time not over                                                hold           minimum_time
7. else                                                                 advance        within_limits
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import verdict as words
from .evidence import RATIOS, as_number, log_mixture, relative_log_ratios
from .look import Look, ScalarLook
from .panel import StepEntry
from .rank_judge import CANARY, STABLE
from .verdict import Verdict

JSON = dict[str, Any]
READ_SECONDS = 10.0
LEAST_RESTARTS = 3  # fewer are chance, as with errors
MARGIN = 1.5  # how much more often the canary's pods may restart without being called worse
ALPHA = 0.01  # chance of a false alarm in a whole release
MOST_PODS = 100  # of each version, of which the record keeps the restarts


@dataclass(frozen=True)
class Exposure:
    """Pod-seconds of one version, and the restarts in them: what a counted test takes for requests and events."""

    requests: int
    events: int


@dataclass(frozen=True)
class RestartState:
    """Restarts and whole pod-seconds so far, what each pod had at the last read, and log-ratios of "more often" against "not"."""

    log_ratios: tuple[float, ...] = (0.0,) * len(RATIOS)
    canary: tuple[int, int] = (0, 0)  # pod-seconds, restarts
    baseline: tuple[int, int] = (0, 0)
    pods: tuple[tuple[str, int], ...] = ()
    at: float | None = None
    entered_at: float = 0.0
    read: bool = False  # at this weight
    alone: bool = False  # stable has no pod
    detail: str = ""
    problem_since: float | None = None


class RestartJudge:
    """The judge of one gate. Holds no state of its own. most: restarts of the canary's pods that are forgiven in a whole release."""

    def __init__(self, gate: str, *, most: int, minimum_seconds: float, no_data_seconds: float) -> None:
        self._gate, self._most = gate, most
        self.gates = frozenset({gate})
        self._minimum, self._no_data = minimum_seconds, no_data_seconds

    def start(self) -> RestartState:
        """The state before the first step."""
        return RestartState()

    def enter_step(self, state: RestartState, step: StepEntry) -> RestartState:
        """The clock restarts, the evidence stays."""
        return replace(state, entered_at=step.at_seconds, read=False, detail="", problem_since=None)

    def after_people(self, state: RestartState, at_seconds: float) -> RestartState:
        """The state when people have taken their time: the longest time without data begins anew."""
        return replace(state, problem_since=None if state.problem_since is None else at_seconds)

    def due(self, state: RestartState, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """Its gate, every ten seconds and at once at a new weight."""
        return self.gates if state.at is None or not state.read or at_seconds >= state.at + READ_SECONDS else frozenset()

    def look(self, state: RestartState, look: Look) -> tuple[RestartState, Verdict | None]:
        """The state after a look, and what it leads to; a look without its pods leaves things as they are."""
        mine = next((one for one in look.scalars if one.gate == self._gate), None)
        if mine is None and not state.read:
            return state, None
        if mine is not None:
            state = self._counted(state, mine, look.at_seconds)
        decision, cause, said = self._decide(state, look)
        return state, Verdict(decision, cause, said, self._evidence(state, look))

    def _counted(self, state: RestartState, scalar: ScalarLook, at_seconds: float) -> RestartState:
        if scalar.problem:
            since = at_seconds if state.problem_since is None else state.problem_since
            return replace(state, detail=scalar.detail or scalar.problem, problem_since=since, at=at_seconds, read=True)
        kept = [pair for arm in (CANARY, STABLE) for pair in [one for one in sorted(scalar.values) if one[0].startswith(arm)][:MOST_PODS]]
        now = {name: round(value) for name, value in kept}
        seconds = 0.0 if state.at is None else at_seconds - state.at
        canary, baseline = (_since(dict(state.pods), now, arm, seconds) for arm in (CANARY, STABLE))
        more = relative_log_ratios(canary, baseline, MARGIN, RATIOS)
        return replace(
            state,
            log_ratios=tuple(one + other for one, other in zip(state.log_ratios, more)),
            canary=(state.canary[0] + canary.requests, state.canary[1] + canary.events),
            baseline=(state.baseline[0] + baseline.requests, state.baseline[1] + baseline.events),
            pods=tuple(sorted(now.items())),
            at=at_seconds,
            read=True,
            alone=not any(name.startswith(STABLE) for name in now),
            detail="",
            problem_since=None,
        )

    def _decide(self, state: RestartState, look: Look) -> tuple[str, str, str]:
        restarts, evidence = state.canary[1], log_mixture(state.log_ratios)
        said = f"{self._gate}: {_shown(state.canary)} of the canary against {_shown(state.baseline)} of stable"
        if restarts > self._most:
            return words.ROLL_BACK, words.THRESHOLD_REACHED, f"{said}; at most {self._most} are forgiven"
        if restarts >= LEAST_RESTARTS and evidence >= math.log(1.0 / ALPHA):
            return words.ROLL_BACK, words.EVIDENCE_OF_HARM, f"{said}; evidence {as_number(evidence):.3g}, {1.0 / ALPHA:g} is enough"
        if restarts >= LEAST_RESTARTS and state.alone:
            return words.ROLL_BACK, words.THRESHOLD_REACHED, f"{said}, which has no pod any more"
        if state.problem_since is not None:
            lost = look.at_seconds - state.problem_since
            lacks = f"{self._gate}: no data for {lost:.0f} s of at most {self._no_data:.0f} s: {state.detail}"
            return words.INCONCLUSIVE if lost >= self._no_data else words.HOLD, words.NO_DATA, lacks
        left = self._minimum - (look.at_seconds - state.entered_at)
        if left > 0.0:
            return words.HOLD, words.MINIMUM_TIME, f"hold for the step's minimum time ({left:.0f} s to go); {said}"
        return words.ADVANCE, words.WITHIN_LIMITS, said

    def _evidence(self, state: RestartState, look: Look) -> JSON:
        return {
            "look": look.number,
            "weight_percent": look.weight_percent,
            "gate_names": [self._gate],
            "canary": {"pod_seconds": state.canary[0], "restarts": state.canary[1]},
            "baseline": {"pod_seconds": state.baseline[0], "restarts": state.baseline[1]},
            "e_relative": as_number(log_mixture(state.log_ratios)),
            "most": self._most,
        }

    def to_dict(self, state: RestartState) -> JSON:
        """The state as JSON."""
        lists = {"log_ratios": list(state.log_ratios), "canary": list(state.canary), "baseline": list(state.baseline)}
        return {**asdict(state), **lists, "pods": [list(one) for one in state.pods]}

    def from_dict(self, plain: Mapping[str, Any]) -> RestartState:
        """The state that to_dict wrote."""
        tuples: JSON = {name: tuple(plain[name]) for name in ("log_ratios", "canary", "baseline")}
        return RestartState(**{**plain, **tuples, "pods": tuple((name, count) for name, count in plain["pods"])})


def _since(before: Mapping[str, int], now: Mapping[str, int], arm: str, seconds: float) -> Exposure:
    """What happened to one version's pods since the last read. A pod that is new has run for as long as nobody knows: it counts from now on."""
    known = [name for name in now if name.startswith(arm) and name in before]
    return Exposure(round(len(known) * seconds), sum(max(0, now[name] - before[name]) for name in known))


def _shown(arm: tuple[int, int]) -> str:
    seconds, restarts = arm
    return f"{restarts} restart{'' if restarts == 1 else 's'} in {seconds / 3600.0:.2g} pod-hours"
