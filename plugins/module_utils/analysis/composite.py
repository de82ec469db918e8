# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several gates as one: all of them, any of them, not that one. Combines the verdicts of judges, never their counts. Pure.

A request that is good by two metrics cannot be told from counters that count each apart, so each gate keeps a judge of its own, and
what they say is combined by three values: *good* (its judge says advance), *bad* (roll back), *unknown* (hold, inconclusive, or no look).

all    bad when one is bad, good when all are good, else unknown
any    good when one is good, bad when all are bad, else unknown
not    bad when it is good, good when it is bad, else unknown

Bad returns traffic, good advances, unknown holds; it is inconclusive when each gate that leaves it unknown is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import verdict as words
from .look import Look
from .panel import Judge, StepEntry
from .verdict import Verdict

JSON = dict[str, Any]
ALL, ANY, NOT = "all", "any", "not"
WORDS = (ALL, ANY, NOT)
GOOD, BAD, UNKNOWN = "good", "bad", "unknown"
_VALUES = {words.ADVANCE: GOOD, words.ROLL_BACK: BAD}
_OPPOSITE = {GOOD: BAD, BAD: GOOD, UNKNOWN: UNKNOWN}


@dataclass(frozen=True)
class Combination:
    """A word and what it is said of: names of gates, or combinations of them."""

    word: str
    of: tuple[str | Combination, ...]

    def names(self) -> Iterator[str]:
        """The gates in it, in the order in which they stand."""
        for one in self.of:
            yield from (one,) if isinstance(one, str) else one.names()

    def __str__(self) -> str:
        parts = [one if isinstance(one, str) else f"({one})" for one in self.of]
        return f"not {parts[0]}" if self.word == NOT else {ALL: " and ", ANY: " or "}[self.word].join(parts)


def combined(word: str, values: list[str]) -> str:
    """The value of a word from those of what it is said of."""
    if word == NOT:
        return _OPPOSITE[values[0]]
    least, most = (BAD, GOOD) if word == ALL else (GOOD, BAD)
    if least in values:
        return least
    return most if set(values) == {most} else UNKNOWN


def value_of(part: str | Combination, values: Mapping[str, str]) -> str:
    """The value of a gate or a combination, from those of the gates."""
    if isinstance(part, str):
        return values[part]
    return combined(part.word, [value_of(one, values) for one in part.of])


def undecided(part: str | Combination, values: Mapping[str, str]) -> list[str]:
    """The gates that leave it unknown."""
    if isinstance(part, str):
        return [part] if values[part] == UNKNOWN else []
    return [name for one in part.of if value_of(one, values) == UNKNOWN for name in undecided(one, values)]


def combination_from(saved: Mapping[str, Any]) -> Combination:
    """A combination as a record keeps it."""
    return Combination(saved["word"], tuple(one if isinstance(one, str) else combination_from(one) for one in saved["of"]))


@dataclass(frozen=True)
class CompositeState:
    """Each gate's state and its last verdict at this step, in the order of the judges."""

    states: tuple[Any, ...]
    verdicts: tuple[Verdict | None, ...]
    entered_at: float = 0.0


class Composite:
    """The judge of one combination. judges: gate -> its own judge, of that gate alone. Holds no state of its own."""

    def __init__(self, name: str, combination: Combination, judges: Mapping[str, Judge], *, minimum_seconds: float) -> None:
        if set(judges) != set(combination.names()) or any(judge.gates != {gate} for gate, judge in judges.items()):
            raise ValueError(f"{name}: {combination} needs a judge for each of its gates alone, not {', '.join(judges)}")
        self._name, self._combination, self._judges, self._minimum = name, combination, dict(judges), minimum_seconds
        self.gates = frozenset(judges)

    def start(self) -> CompositeState:
        """The state before the first step."""
        return CompositeState(tuple(judge.start() for judge in self._judges.values()), (None,) * len(self._judges))

    def enter_step(self, state: CompositeState, step: StepEntry) -> CompositeState:
        """The state at the beginning of a step: no judge has looked at it yet."""
        states = tuple(judge.enter_step(each, step) for judge, each in self._pairs(state))
        return CompositeState(states, (None,) * len(states), step.at_seconds)

    def due(self, state: CompositeState, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """The gates whose queries are to be read for a look at this time."""
        return frozenset().union(*(judge.due(each, at_seconds, closes_block=closes_block) for judge, each in self._pairs(state)))

    def after_people(self, state: CompositeState, at_seconds: float) -> CompositeState:
        """The state when people have taken their time."""
        return replace(state, states=tuple(judge.after_people(each, at_seconds) for judge, each in self._pairs(state)))

    def look(self, state: CompositeState, look: Look) -> tuple[CompositeState, Verdict]:
        """The state after a look, and what all verdicts together lead to."""
        found = [judge.look(each, look) for judge, each in self._pairs(state)]
        verdicts = tuple(new or before for (_state, new), before in zip(found, state.verdicts))
        after = CompositeState(tuple(each for each, _verdict in found), verdicts, state.entered_at)
        return after, self._together(after, look)

    def _together(self, state: CompositeState, look: Look) -> Verdict:
        said = dict(zip(self._judges, state.verdicts))
        values = {gate: _VALUES.get(one.decision, UNKNOWN) if one else UNKNOWN for gate, one in said.items()}
        value = value_of(self._combination, values)
        told = "; ".join(f"{gate} {values[gate]}: {one.reason if one else 'no look yet'}" for gate, one in said.items())
        reason = f"{self._name} ({self._combination}): {told}"
        evidence = {"look": look.number, "combination": str(self._combination), "value": value, "members": _members(said, values)}
        left = self._minimum - (look.at_seconds - state.entered_at)
        if value == BAD:
            return Verdict(words.ROLL_BACK, words.COMPOSITE, reason, evidence)
        if value == GOOD and left > 0.0:
            return Verdict(words.HOLD, words.MINIMUM_TIME, f"hold for the step's minimum time ({left:.0f} s to go); {reason}", evidence)
        if value == GOOD:
            return Verdict(words.ADVANCE, words.WITHIN_LIMITS, reason, evidence)
        open_ones = [said[gate] for gate in undecided(self._combination, values)]
        holds = any(one is None or one.decision == words.HOLD for one in open_ones)
        causes = [one.cause if one else words.NEEDS_LOOKS for one in open_ones]
        cause = next((one for one in causes if one in words.UNSETTLED), causes[0])
        return Verdict(words.HOLD if holds else words.INCONCLUSIVE, cause, f"hold: {reason}" if holds else reason, evidence)

    def _pairs(self, state: CompositeState) -> Iterator[tuple[Judge, Any]]:
        return zip(self._judges.values(), state.states)

    def to_dict(self, state: CompositeState) -> JSON:
        """The state as JSON."""
        members = {
            gate: {"state": judge.to_dict(each), "verdict": None if one is None else vars(one).copy()}
            for (gate, judge), each, one in zip(self._judges.items(), state.states, state.verdicts)
        }
        return {"entered_at": state.entered_at, "members": members}

    def from_dict(self, plain: Mapping[str, Any]) -> CompositeState:
        """The state that to_dict wrote."""
        saved = [plain["members"][gate] for gate in self._judges]
        return CompositeState(
            tuple(judge.from_dict(one["state"]) for judge, one in zip(self._judges.values(), saved)),
            tuple(None if one["verdict"] is None else Verdict(**one["verdict"]) for one in saved),
            plain["entered_at"],
        )


def _members(said: Mapping[str, Verdict | None], values: Mapping[str, str]) -> JSON:
    return {
        gate: {"value": values[gate], "decision": one.decision, "cause": one.cause, "reason": one.reason}
        for gate, one in said.items()
        if one is not None
    }
