# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the sequential rule remembers: a few counts and log-sums, JSON-able, replayed bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .doubt import NO_DOUBT, Doubt
from .evidence import RATIOS, SHORTFALLS
from .look import NO_COUNTS, Counts

VERSION = 2


@dataclass(frozen=True)
class Stratum:
    """Counts of both arms while the weight was the same; only the reported ratio and its interval are computed from it."""

    weight_percent: float
    canary: Counts
    baseline: Counts


@dataclass(frozen=True)
class GateState:
    """One gate's memory. ``relative`` and ``promote_ratio`` are log-sums of closed blocks, before dispersion.

    ``..._before_step`` is what there was when the step began. ``last_block``: the canary's counts of the block that ended last, which
    count as outside of an incident once stable's next block shows no trouble. ``steady``: evidence of harm (comparison, limit, one look)
    when it was last beyond doubt. ``one_look_waits``: a look that would suffice alone has been in doubt since.
    """

    name: str
    relative: tuple[float, ...] = (0.0,) * len(RATIOS)
    relative_before_step: tuple[float, ...] = (0.0,) * len(RATIOS)
    promote_ratio: tuple[float, ...] = (0.0,) * len(SHORTFALLS)
    canary: Counts = NO_COUNTS
    baseline: Counts = NO_COUNTS
    outside_incident: Counts = NO_COUNTS
    outside_incident_before_step: Counts = NO_COUNTS
    last_block: Counts = NO_COUNTS
    open_canary: Counts = NO_COUNTS
    open_baseline: Counts = NO_COUNTS
    event_looks: int = 0
    requests_before_step: int = 0
    canary_idle_since: float | None = None
    baseline_idle_since: float | None = None
    burning: bool = False
    doubt: Doubt = NO_DOUBT
    steady: tuple[float, float, float] = (0.0, 0.0, 0.0)
    one_look_waits: bool = False
    strata: tuple[Stratum, ...] = ()
    recent: tuple[tuple[float, int, int], ...] = ()

    @property
    def canary_so_far(self) -> Counts:
        return self.canary + self.open_canary

    @property
    def judged_by_rate(self) -> Counts:
        """Canary counts that speak about the rate limit: not those of blocks during which stable itself had trouble, or just before."""
        return self.outside_incident if self.doubt.trouble is not None else self.outside_incident + self.last_block + self.open_canary

    @property
    def baseline_so_far(self) -> Counts:
        return self.baseline + self.open_baseline


def with_open_block(gate: GateState, weight_percent: float) -> tuple[Stratum, ...]:
    """The gate's strata with the open block counted at this weight."""
    if not (gate.open_canary.requests or gate.open_baseline.requests):
        return gate.strata
    found = [each for each in gate.strata if each.weight_percent == weight_percent]
    same = found[0] if found else Stratum(weight_percent, NO_COUNTS, NO_COUNTS)
    grown = Stratum(weight_percent, same.canary + gate.open_canary, same.baseline + gate.open_baseline)
    if not found:
        return (*gate.strata, grown)
    return tuple(grown if each is same else each for each in gate.strata)


@dataclass(frozen=True)
class State:
    """The memory of one release's decisions. Times are on the looks' clock."""

    gates: tuple[GateState, ...]
    looks: int = 0
    steps: int = 0
    weight_percent: float = 0.0
    entered_at: float = 0.0
    risen_at: float | None = None
    last_at: float | None = None
    watched_seconds: float = 0.0
    minimum_seconds: float = 0.0
    scale: float = 1.0
    absolute_only: bool = False
    problem_since: float | None = None
    incident_since: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings; ``from_dict`` gives back an equal state."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain["gates"] = [_gate_to_dict(gate) for gate in self.gates]
        plain["version"] = VERSION
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> State:
        """The state that ``to_dict`` wrote. Raises ValueError for another version's."""
        if plain.get("version") != VERSION:
            raise ValueError(f"state of version {plain.get('version')!r}, this engine reads {VERSION}")
        values = {each.name: plain[each.name] for each in fields(cls)}
        values["gates"] = tuple(_gate_from_dict(gate) for gate in plain["gates"])
        return cls(**values)


_COUNTS = ("canary", "baseline", "outside_incident", "outside_incident_before_step", "last_block", "open_canary", "open_baseline")
_LOG_SUMS = ("relative", "relative_before_step", "promote_ratio", "steady")


def _gate_to_dict(gate: GateState) -> dict[str, Any]:
    plain: dict[str, Any] = {each.name: getattr(gate, each.name) for each in fields(gate)}
    for name in _COUNTS:
        plain[name] = _pair(plain[name])
    for name in _LOG_SUMS:
        plain[name] = list(plain[name])
    plain["doubt"] = [gate.doubt.ahead, gate.doubt.trouble]
    plain["strata"] = [[each.weight_percent, *_pair(each.canary), *_pair(each.baseline)] for each in gate.strata]
    plain["recent"] = [list(each) for each in gate.recent]
    return plain


def _gate_from_dict(plain: Mapping[str, Any]) -> GateState:
    values = {each.name: plain[each.name] for each in fields(GateState)}
    for name in _COUNTS:
        values[name] = Counts(*values[name])
    for name in _LOG_SUMS:
        values[name] = tuple(values[name])
    values["doubt"] = Doubt(*values["doubt"])
    values["strata"] = tuple(
        Stratum(weight, Counts(requests, events), Counts(base_requests, base_events))
        for weight, requests, events, base_requests, base_events in values["strata"]
    )
    values["recent"] = tuple((start, requests, events) for start, requests, events in values["recent"])
    return GateState(**values)


def _pair(counts: Counts) -> list[int]:
    return [counts.requests, counts.events]
