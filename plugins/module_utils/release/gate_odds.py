# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan says of chances: that a worse version is returned before it has everybody, and that one which is no worse is."""

from __future__ import annotations

import math
from dataclasses import replace

from ..analysis.rule import Rule
from ..analysis.sample_size import chance_to_detect
from . import ratio
from .budget_plan import effective
from .gate_lines import LEAST_SHARE, certified
from .gates_spec import SEQUENTIAL, GateSpec
from .judges import EVENT_WORDS, longest_hold
from .plan import Step, plan
from .spec import Spec
from .target import Findings
from .values import spoken_seconds

RATIOS = (2.0, 5.0, 10.0)
TIMES = ", ".join(f"{one:g}" for one in RATIOS)
MOST = 0.99  # a chance is never told to be more: the prediction is not that good


def odds_lines(spec: Spec, found: Findings, steps: list[Step]) -> list[str]:
    """Two lines for each gate that is tested, what its limit and the comparison with stable are worth, and one for all of them together."""
    tested = spec.judged_by(SEQUENTIAL)
    if not tested:
        return []
    lines = [line for gate in tested for line in (_limit_line(spec, gate), _odds_line(spec, gate, found, steps)) if line]
    return [*lines, f"  a version that is no worse is returned with a chance of {100 * Rule.alpha:g} % at most, by all of them together"]


def with_time_notes(spec: Spec, found: Findings) -> Findings:
    """The findings, and what today's traffic leaves undecided."""
    planned = effective(spec, found.target.budget)
    return replace(found, notes=[*found.notes, *time_notes(planned, found, plan(planned))])


def time_notes(spec: Spec, found: Findings, steps: list[Step]) -> list[str]:
    """What to tell of a gate that today's traffic leaves undecided: at the first weight that would take longer than the longest wait."""
    longest = longest_hold(spec)
    then = f"after {spoken_seconds(longest)} release_on_inconclusive ({spec.on_inconclusive}) decides"
    notes = []
    for gate in spec.judged_by(SEQUENTIAL):
        reading = found.gates[gate.name]
        if (reading.share or 0.0) > gate.max_share / 2.0:
            continue  # so near to the limit the comparison decides, not the limit
        for share, seconds in certified(spec, gate, found, steps):
            if math.isinf(seconds):
                notes += [] if reading.per_second else [f"gate {gate.name}: no requests lately; should none come, {then}"]
                break
            if seconds > longest + spec.minimum_step_seconds:
                needs = f"needs {spoken_seconds(seconds)} at {share:.3g} % of today's traffic to be sure"
                notes.append(f"gate {gate.name}: {needs}; {then}; a larger weight, or a higher limit, takes less")
                break
    return notes


def _limit_line(spec: Spec, gate: GateSpec) -> str:
    past = 100.0 * Rule.beta**spec.requests_factor
    return f"  {EVENT_WORDS[gate.kind]} of {100 * gate.max_share:g} % or more get to all traffic with a chance of {past:.2g} % at most"


def _odds_line(spec: Spec, gate: GateSpec, found: Findings, steps: list[Step]) -> str:
    """Empty where there is nothing to compare: no requests, or no weight that lets some of them stay with stable."""
    reading = found.gates[gate.name]
    stays = [*certified(spec, gate, found, steps)]
    stays += [(ratio.real_percent(spec, step.weight_percent, found.target.stable_replicas), step.seconds) for step in steps if step.seconds]
    compared = [(share, seconds) for share, seconds in stays if 0.0 < share < 100.0]
    whole = sum(seconds for _share, seconds in compared)
    if not whole or math.isinf(whole):
        return ""
    parts = [(reading.per_second * share / 100.0 * seconds, share) for share, seconds in compared]
    found_out = chances(spec, gate, reading.share, parts, found.target.dispersion[gate.name])
    return f"  {EVENT_WORDS[gate.kind]} {TIMES} times stable's return traffic in the {spoken_seconds(whole)} of a good version with {told(found_out)}"


def chances(spec: Spec, gate: GateSpec, share: float | None, parts: list[tuple[float, float]], dispersion: float) -> list[float]:
    """By RATIOS, the chance that the comparison with stable returns a version that is so many times as bad.

    share: of stable's requests that are bad. parts: the canary's requests at a weight, and that weight in percent.
    """
    level = Rule.alpha * Rule.relative_share / len(spec.judged_by(SEQUENTIAL))
    rate = max(share or 0.0, LEAST_SHARE)
    return [chance_to_detect(rate, times, parts, alpha=level, dispersion=dispersion) for times in RATIOS]


def told(found_out: list[float]) -> str:
    """The chances in words."""
    return f"a chance of {', '.join(_percent(chance) for chance in found_out)} %"


def _percent(chance: float) -> str:
    return f"over {100 * MOST:g}" if chance > MOST else "under 1" if chance < 1.0 - MOST else f"{100 * chance:.0f}"
