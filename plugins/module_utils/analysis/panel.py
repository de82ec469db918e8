# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several judges, one verdict. Pure.

Each judge has gates of its own and a state of its own, and tells what its last look leads to. Together, in this order:

1. any of them rolls back           roll_back
2. any of them holds, or has not looked at this step yet   hold
3. all of them advance              advance
4. else                             inconclusive

With one judge its verdict is the panel's, word for word. Of several that decide alike the first one's cause is told, of holds one that
says something is wrong before one that only waits; when all advance, all say why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from . import verdict as words
from .look import Look
from .sequential import Rule, Sequential, State
from .verdict import Verdict

JSON = dict[str, Any]
SEQUENTIAL = "sequential"


@dataclass(frozen=True)
class StepEntry:
    """A step begins. ``next_weight_percent``: where an advance leads; ``absolute_only``: there is no baseline to compare with."""

    weight_percent: float
    at_seconds: float
    next_weight_percent: float | None = None
    absolute_only: bool = False


class Judge(Protocol):
    """What decides about some gates. Holds no state of its own."""

    gates: frozenset[str]

    def start(self) -> Any:
        """The state before the first step."""

    def enter_step(self, state: Any, step: StepEntry) -> Any:
        """The state at the beginning of a step."""

    def due(self, state: Any, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """The gates whose queries are to be read for a look at this time. closes_block: the counts of a block come with it."""

    def look(self, state: Any, look: Look) -> tuple[Any, Verdict | None]:
        """The state after a look, and what it leads to; None: what the look before led to."""

    def after_people(self, state: Any, at_seconds: float) -> Any:
        """The state when people have taken their time (a pause, an approval): it counts as no time without a verdict."""

    def to_dict(self, state: Any) -> JSON:
        """The state as JSON."""

    def from_dict(self, plain: JSON) -> Any:
        """The state that to_dict wrote."""


class SequentialJudge:
    """The sequential rule as one judge of a panel."""

    def __init__(self, sequential: Sequential) -> None:
        self._sequential = sequential
        self.gates = frozenset(gate.name for gate in sequential.rule.gates)

    def start(self) -> State:
        """The state before the first step."""
        return self._sequential.start()

    def enter_step(self, state: State, step: StepEntry) -> State:
        """The clock restarts, the evidence stays."""
        return self._sequential.enter_step(
            state,
            weight_percent=step.weight_percent,
            at_seconds=step.at_seconds,
            next_weight_percent=step.next_weight_percent,
            absolute_only=step.absolute_only,
        )

    def due(self, state: State, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """It reads no queries."""
        return frozenset()

    def look(self, state: State, look: Look) -> tuple[State, Verdict | None]:
        """A look without counts is none of its own."""
        if not look.has_counts:
            return state, None
        mine = tuple(metric for metric in look.metrics if metric.gate in self.gates)
        return self._sequential.look(state, replace(look, metrics=mine, scalars=()))

    @property
    def rule(self) -> Rule:
        """What it asks of its gates."""
        return self._sequential.rule

    def after_people(self, state: State, at_seconds: float) -> State:
        """Of the time watched so far only the step's minimum counts."""
        return replace(state, watched_seconds=min(state.watched_seconds, state.minimum_seconds))

    def to_dict(self, state: State) -> JSON:
        """The state as JSON."""
        return state.to_dict()

    def from_dict(self, plain: JSON) -> State:
        """The state that to_dict wrote."""
        return State.from_dict(plain)


@dataclass(frozen=True)
class PanelState:
    """Each judge's state, and what its last look at this step led to, in the order of the judges."""

    states: tuple[Any, ...]
    verdicts: tuple[Verdict | None, ...]


class Panel:
    """The judges of one release, by name. Raises ValueError when there is none, or when two have a gate of the same name."""

    def __init__(self, judges: Mapping[str, Judge]) -> None:
        names = [name for judge in judges.values() for name in sorted(judge.gates)]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a panel needs judges, and each gate one of them: {', '.join(names) or 'none'}")
        self._judges = dict(judges)

    def start(self) -> PanelState:
        """The state before the first step."""
        return PanelState(tuple(judge.start() for judge in self._judges.values()), (None,) * len(self._judges))

    def enter_step(self, state: PanelState, step: StepEntry) -> PanelState:
        """The state at the beginning of a step: no judge has looked at it yet."""
        pairs = zip(self._judges.values(), state.states)
        return PanelState(tuple(judge.enter_step(each, step) for judge, each in pairs), (None,) * len(self._judges))

    def due(self, state: PanelState, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """The gates whose queries are to be read for a look at this time."""
        pairs = zip(self._judges.values(), state.states)
        return frozenset().union(*(judge.due(each, at_seconds, closes_block=closes_block) for judge, each in pairs))

    def look(self, state: PanelState, look: Look) -> tuple[PanelState, Verdict]:
        """The state after a look, and what it leads to. Raises ValueError for a gate that no judge has."""
        known = {name for judge in self._judges.values() for name in judge.gates}
        strangers = {*(one.gate for one in look.metrics), *(one.gate for one in look.scalars)} - known
        if strangers:
            raise ValueError(f"look {look.number} reads {', '.join(sorted(strangers))}, which no judge has")
        found = [judge.look(each, look) for judge, each in zip(self._judges.values(), state.states)]
        verdicts = tuple(new or before for (_state, new), before in zip(found, state.verdicts))
        after = PanelState(tuple(each for each, _verdict in found), verdicts)
        return after, self._together(after, look)

    def after_people(self, state: PanelState, at_seconds: float) -> PanelState:
        """The state when people have taken their time: no judge counts it as time without a verdict."""
        pairs = zip(self._judges.values(), state.states)
        return replace(state, states=tuple(judge.after_people(each, at_seconds) for judge, each in pairs))

    def sequential(self, state: PanelState) -> tuple[Rule, State] | None:
        """The sequential judge's rule and state; None where no gate has it."""
        for judge, each in zip(self._judges.values(), state.states):
            if isinstance(judge, SequentialJudge):
                return judge.rule, each
        return None

    def to_dict(self, state: PanelState) -> JSON:
        """Plain JSON, by the judges' names; ``from_dict`` gives back an equal state."""
        return {
            name: {"state": judge.to_dict(each), "verdict": None if verdict is None else vars(verdict).copy()}
            for (name, judge), each, verdict in zip(self._judges.items(), state.states, state.verdicts)
        }

    def from_dict(self, plain: Mapping[str, JSON]) -> PanelState:
        """The state that ``to_dict`` wrote. Raises ValueError when it is of other judges."""
        if set(plain) != set(self._judges):
            raise ValueError(f"a state of {', '.join(sorted(plain))}, these judges are {', '.join(sorted(self._judges))}")
        saved = [plain[name]["verdict"] for name in self._judges]
        return PanelState(
            tuple(judge.from_dict(plain[name]["state"]) for name, judge in self._judges.items()),
            tuple(None if one is None else Verdict(**one) for one in saved),
        )

    def _together(self, state: PanelState, look: Look) -> Verdict:
        if len(self._judges) == 1 and state.verdicts[0] is not None:
            return state.verdicts[0]
        by_name = dict(zip(self._judges, state.verdicts))
        decision, cause, reason = _decide(by_name)
        return Verdict(decision, cause, reason, _evidence(by_name, look))


def _decide(by_name: Mapping[str, Verdict | None]) -> tuple[str, str, str]:
    """Decision, cause and sentence of all together."""
    given = [one for one in by_name.values() if one is not None]
    for verdict in given:
        if verdict.decision == words.ROLL_BACK:
            return verdict.decision, verdict.cause, verdict.reason
    holds = [one for one in given if one.decision == words.HOLD]
    for verdict in sorted(holds, key=lambda one: one.cause not in words.UNSETTLED):
        return verdict.decision, verdict.cause, verdict.reason
    silent = [name for name, one in by_name.items() if one is None]
    if silent:
        return words.HOLD, words.NEEDS_LOOKS, f"hold until {' and '.join(silent)} has looked"
    for verdict in given:
        if verdict.decision != words.ADVANCE:
            return verdict.decision, verdict.cause, verdict.reason
    return words.ADVANCE, given[0].cause, "; ".join(one.reason for one in given)


def _evidence(by_name: Mapping[str, Verdict | None], look: Look) -> JSON:
    """The sequential judge's numbers where they always were, those of all others under judges."""
    first = by_name.get(SEQUENTIAL)
    others = {
        name: {"decision": one.decision, "cause": one.cause, "reason": one.reason, **one.evidence}
        for name, one in by_name.items()
        if one is not None and name != SEQUENTIAL
    }
    mine = first.evidence if first else {"look": look.number, "weight_percent": look.weight_percent}
    return {**mine, "judges": others}
