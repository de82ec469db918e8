# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of gates on a service's burn rate: two windows of everybody's requests, both versions together. Pure.

It knows no canary: a small share must burn the whole service's budget before it says anything, so that it stands beside the sequential
judge and not for it. In order, the first that applies:

1. a pair of windows burns that did not when the release began    roll_back      budget_burn
2. no usable data                                                 hold           no_data, bad_query; inconclusive after no_data_seconds
3. a pair of windows burns since before the release               hold           shared_incident
4. minimum time not over                                          hold           minimum_time
5. nothing burns                                                  advance        within_limits
   3 for longer than max_hold_seconds: inconclusive, max_hold
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import verdict as words
from .burn_rate import Window, burn, too_fast
from .look import Look, ScalarLook
from .panel import StepEntry
from .verdict import Verdict

READ_SECONDS = 15.0  # between two reads: the shortest window is 20 times longer
JSON = dict[str, Any]


@dataclass(frozen=True)
class BurnGate:
    """A gate's pairs of windows by name. Its looks have a pair of error ratios for each: ``<name>/long`` and ``<name>/short``."""

    name: str
    windows: tuple[tuple[str, Window], ...]


@dataclass(frozen=True)
class BurnState:
    """burning_before: pairs ("gate window") that burned at the first look and have ever since. Times on the looks' clock."""

    begun: bool = False
    burning_before: tuple[str, ...] = ()
    entered_at: float = 0.0
    read_at: float | None = None
    held_since: float | None = None
    no_data_since: float | None = None


@dataclass(frozen=True)
class _Pair:
    key: str
    words: str
    burns: bool


class BurnRate:
    """The judge of one objective's gates. Holds no state of its own."""

    def __init__(
        self, gates: tuple[BurnGate, ...], *, budget: float, minimum_seconds: float, max_hold_seconds: float, no_data_seconds: float
    ) -> None:
        self._gates = {gate.name: gate for gate in gates}
        self._budget = budget
        self._minimum, self._max_hold, self._no_data = minimum_seconds, max_hold_seconds, no_data_seconds
        self.gates = frozenset(self._gates)

    def start(self) -> BurnState:
        """The state before the first step."""
        return BurnState()

    def enter_step(self, state: BurnState, step: StepEntry) -> BurnState:
        """The clock restarts; what burned before the release is remembered."""
        return replace(state, entered_at=step.at_seconds, read_at=None, held_since=None, no_data_since=None)

    def after_people(self, state: BurnState, at_seconds: float) -> BurnState:
        """The state when people have taken their time: the longest times of a hold begin anew."""
        return replace(state, held_since=None, no_data_since=None)

    def due(self, state: BurnState, at_seconds: float, *, closes_block: bool) -> frozenset[str]:
        """All its gates, every fifteen seconds."""
        return self.gates if state.read_at is None or at_seconds >= state.read_at + READ_SECONDS else frozenset()

    def look(self, state: BurnState, look: Look) -> tuple[BurnState, Verdict | None]:
        """The state after a look, and what it leads to; a look without its queries leaves things as they are."""
        mine = [one for one in look.scalars if one.gate in self.gates]
        if not mine:
            return state, None
        state = replace(state, read_at=look.at_seconds)
        missing = next((one for one in mine if one.problem), None)
        pairs = [pair for one in mine if not one.problem for pair in self._pairs(one)]
        burning = {pair.key for pair in pairs if pair.burns}
        if not state.begun and missing is None:
            state = replace(state, begun=True, burning_before=tuple(sorted(burning)))
        new = [pair for pair in pairs if pair.burns and pair.key not in state.burning_before]
        if state.begun and new:
            return state, self._verdict(words.ROLL_BACK, words.BUDGET_BURN, new[0].words, look, pairs)
        if missing is not None:
            since = look.at_seconds if state.no_data_since is None else state.no_data_since
            over = look.at_seconds - since >= self._no_data
            cause = words.BAD_QUERY if missing.problem == words.BAD_QUERY else words.NO_DATA
            said = f"{missing.gate}: {missing.detail or missing.problem}"
            return replace(state, no_data_since=since), self._verdict(words.INCONCLUSIVE if over else words.HOLD, cause, said, look, pairs)
        state = replace(state, no_data_since=None, burning_before=tuple(sorted(burning & set(state.burning_before))))
        return self._settled(state, look, pairs)

    def _settled(self, state: BurnState, look: Look, pairs: list[_Pair]) -> tuple[BurnState, Verdict]:
        """Nothing new burns."""
        old = [pair for pair in pairs if pair.burns]
        if old:
            since = look.at_seconds if state.held_since is None else state.held_since
            over = look.at_seconds - since >= self._max_hold
            decision, cause = (words.INCONCLUSIVE, words.MAX_HOLD) if over else (words.HOLD, words.SHARED_INCIDENT)
            said = f"{old[0].words}, and did before the release"
            return replace(state, held_since=since), self._verdict(decision, cause, said, look, pairs)
        state = replace(state, held_since=None)
        said = "; ".join(pair.words for pair in pairs)
        if look.at_seconds - state.entered_at < self._minimum:
            return state, self._verdict(words.HOLD, words.MINIMUM_TIME, said, look, pairs)
        return state, self._verdict(words.ADVANCE, words.WITHIN_LIMITS, said, look, pairs)

    def _pairs(self, scalar: ScalarLook) -> list[_Pair]:
        values = dict(scalar.values)
        found = []
        for name, window in self._gates[scalar.gate].windows:
            long, short = (burn(values[f"{name}/{which}"], self._budget) for which in ("long", "short"))
            said = f"{scalar.gate} burns {long:.3g} times ({name}) and {short:.3g} times ({_short(window)}), limit {window.factor:.3g}"
            found.append(_Pair(f"{scalar.gate} {name}", said, too_fast(window.factor, long, short)))
        return found

    def _verdict(self, decision: str, cause: str, said: str, look: Look, pairs: list[_Pair]) -> Verdict:
        evidence = {"look": look.number, "burning": [pair.key for pair in pairs if pair.burns], "windows": [pair.words for pair in pairs]}
        return Verdict(decision, cause, said, evidence)

    def to_dict(self, state: BurnState) -> JSON:
        """The state as JSON."""
        return {**asdict(state), "burning_before": list(state.burning_before)}

    def from_dict(self, plain: Mapping[str, Any]) -> BurnState:
        """The state that to_dict wrote."""
        return BurnState(**{**plain, "burning_before": tuple(plain["burning_before"])})


def _short(window: Window) -> str:
    minutes = window.short_seconds / 60
    return f"{minutes:g} min" if minutes < 60 else f"{minutes / 60:g} h"
