# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence of several targets together: what is too little to see in each of them may be plain in their sum. Pure.

Each target is a stratum of its own, with its own traffic, split and error rate: counts are never added across targets before
they are compared, or a busy region with many errors would pass for a bad version in a quiet one (Simpson's paradox). For each alternative
the targets' log-likelihood ratios, each divided by its own dispersion, are added, and the alternatives are mixed afterwards: the product of
e-processes whose increments are conditionally fair is one, so the threshold holds whatever is looked at first and however often.
It is one more test at the same alpha, beside those of each target; it only ever stops a fleet, and certifies nothing.

Against the limit a canary's counts speak only while stable itself is within it, as in each target: where every region's machines are
overloaded at once, no target may have traffic enough to know that of its own stable, and all of them together do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .evidence import EXCESSES, RATIOS, as_number, log_mixture, log_weighted_mean, rate_log_ratios, relative_log_ratios
from .incident import is_above
from .look import Counts
from .rule import Gate, Rule
from .state import State

JSON = dict[str, Any]


@dataclass(frozen=True)
class Stratum:
    """What one target knows of one gate. relative: log-likelihood ratios by RATIOS, divided by the target's dispersion.

    judged: the canary's counts that speak about the rate limit.
    """

    gate: str
    max_rate: float
    margin: float
    dispersion: float
    relative: tuple[float, ...]
    canary: Counts
    baseline: Counts
    judged: Counts
    event_looks: int

    def to_dict(self) -> JSON:
        """Plain JSON, small: it is written at every look."""
        return {
            "limits": [self.max_rate, self.margin, self.dispersion],
            "relative": [round(one, 6) for one in self.relative],
            "counts": [
                self.canary.requests,
                self.canary.events,
                self.baseline.requests,
                self.baseline.events,
                self.judged.requests,
                self.judged.events,
                self.event_looks,
            ],
        }

    @classmethod
    def from_dict(cls, gate: str, plain: Mapping[str, Any]) -> Stratum:
        """The stratum that to_dict wrote."""
        max_rate, margin, dispersion = plain["limits"]
        canary, canary_events, baseline, baseline_events, judged, judged_events, looks = plain["counts"]
        return cls(
            gate,
            max_rate,
            margin,
            dispersion,
            tuple(plain["relative"]),
            Counts(canary, canary_events),
            Counts(baseline, baseline_events),
            Counts(judged, judged_events),
            looks,
        )


@dataclass(frozen=True)
class Pooled:
    """What all strata say together. e_relative, e_absolute: evidence of harm; gates: per gate what was counted."""

    is_harm: bool
    cause: str
    reason: str
    e_relative: float
    e_absolute: float
    gates: JSON


def strata_of(rule: Rule, state: State) -> list[Stratum]:
    """What the sequential judge of one target knows now, open block and all."""
    return [_stratum(gate, each) for gate, each in zip(rule.gates, state.gates)]


def _stratum(gate: Gate, each: Any) -> Stratum:
    """Of a target whose evidence is in doubt only what speaks for the canary, and no counts against the limit that may be an incident's."""
    more = relative_log_ratios(each.open_canary, each.open_baseline, gate.margin, RATIOS)
    relative = ((one + other) / gate.dispersion for one, other in zip(each.relative, more))
    return Stratum(
        gate.name,
        gate.max_rate,
        gate.margin,
        gate.dispersion,
        tuple(min(one, 0.0) if each.doubt.is_open else one for one in relative),
        each.canary_so_far,
        each.baseline_so_far,
        each.outside_incident if each.doubt.is_open else each.judged_by_rate,
        each.event_looks,
    )


def pool(targets: Mapping[str, Sequence[Stratum]], rule: Rule) -> Pooled:
    """The verdict over the strata of several targets, by the thresholds of rule. Fewer than two targets are never harm: each judges itself.

    Gates are pooled that all have under one name and with the same limits as rule; rule's shares of alpha are kept.
    """
    relative: list[tuple[float, float]] = []
    absolute: list[tuple[float, float]] = []
    told: JSON = {}
    events = looks = most = 0
    for gate in rule.gates:
        parts = [one for strata in targets.values() for one in strata if _is_same(one, gate)]
        if not parts:
            continue
        most = max(most, len(parts))
        weight = rule.weight_of(gate)
        relative.append((weight, log_mixture([math.fsum(column) for column in zip(*(one.relative for one in parts))])))
        absolute.append((weight, _log_absolute(parts, gate)))
        canary = sum((one.canary for one in parts), Counts(0, 0))
        baseline = sum((one.baseline for one in parts), Counts(0, 0))
        events, looks = max(events, canary.events), max(looks, sum(one.event_looks for one in parts))
        told[gate.name] = {
            "targets": len(parts),
            "canary": [canary.events, canary.requests],
            "stable": [baseline.events, baseline.requests],
        }
    by_ratio, by_rate = log_weighted_mean(relative), log_weighted_mean(absolute)
    enough = most > 1 and events >= rule.min_events and looks >= rule.min_looks
    compared, limited = by_ratio >= math.log(rule.relative_threshold), by_rate >= math.log(rule.absolute_threshold)
    is_harm = enough and (compared or limited)
    return Pooled(
        is_harm,
        ("pooled_ratio" if compared else "pooled_rate") if is_harm else "",
        _sentence(told, compared, by_ratio if compared else by_rate) if is_harm else "",
        as_number(by_ratio),
        as_number(by_rate),
        told,
    )


def _is_same(one: Stratum, gate: Gate) -> bool:
    return (one.gate, one.max_rate, one.margin) == (gate.name, gate.max_rate, gate.margin)


def _log_absolute(parts: Sequence[Stratum], gate: Gate) -> float:
    """Evidence that the canaries are above the limit, of targets whose stable is not known to be; 0 (no evidence) where those stables together are."""
    quiet = [one for one in parts if not is_above(one.baseline, gate.max_rate, one.dispersion)]
    baseline = sum((one.baseline for one in quiet), Counts(0, 0))
    if not quiet or is_above(baseline, gate.max_rate, math.fsum(one.dispersion for one in quiet) / len(quiet)):
        return 0.0
    return log_mixture([math.fsum(column) for column in zip(*map(_excess, quiet))])


def _excess(one: Stratum) -> tuple[float, ...]:
    return tuple(each / one.dispersion for each in rate_log_ratios(one.judged, one.max_rate, EXCESSES))


def _sentence(told: JSON, compared: bool, log_evidence: float) -> str:
    counted = "; ".join(
        f"{gate} {one['canary'][0]:,}/{one['canary'][1]:,}"
        + (f" vs {one['stable'][0]:,}/{one['stable'][1]:,}" if one["stable"][1] else "")
        + f" in {one['targets']} targets"
        for gate, one in told.items()
    )
    against = "no worse than stable" if compared else "within the limit"
    return f"all targets together are not {against}: {counted} (evidence {as_number(log_evidence):.3g})"
