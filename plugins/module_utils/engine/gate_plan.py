# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate would judge, without judging it (check mode): today's traffic, and how much of it each gate needs. Pure."""

from __future__ import annotations

import math
from typing import Any

from ..analysis import sample_size
from ..release import gate_odds
from ..release.gate_lines import gate_line, samples_seconds
from ..release.gates_spec import MANN_WHITNEY, SEQUENTIAL, THRESHOLD, GateSpec
from ..release.values import spoken_seconds
from .gate_arms import Counted
from .gate_share import Share

JSON = dict[str, Any]


def gates_of(counted: Counted, share: Share | None) -> list[JSON]:
    """By gate: its judge, requests a minute of both versions, requests and seconds it needs, chances; null where nobody can tell."""
    return [_gate(counted, share, gate) for gate in counted.spec.gates]


def lines(gates: list[JSON]) -> list[str]:
    """A line for each gate."""
    return [f"gate {one['says']}" for one in gates]


def sentence(gates: list[JSON], share: Share | None, least_seconds: float) -> str:
    """How long it would take, in one sentence."""
    if share is None:
        return "check mode: the route gives the canary nothing yet; the requests that each gate needs are in gates"
    known = [one["seconds"] for one in gates]
    if None in known:
        silent = ", ".join(one["name"] for one in gates if one["seconds"] is None)
        return (
            f"check mode: at {share} nobody can tell how long {silent} would take: too few requests, or a version already beyond the limit"
        )
    return f"check mode: at {share} the gates need about {spoken_seconds(max([least_seconds, *known]))}, each as told in gates"


def _gate(counted: Counted, share: Share | None, gate: GateSpec) -> JSON:
    reading = counted.metrics.gates.get(gate.name)
    stable = reading.per_second if reading else None
    canary = _canary_rate(stable, share)
    needed = seconds = None
    if gate.counts and gate.judge == SEQUENTIAL and reading is not None:
        scale = sample_size.certification_scale(share.next_percent if share else None)
        phi = counted.dispersion.get(gate.name, 1.0)
        needed = _finite(sample_size.requests_to_certify(reading.share or 0.0, gate.max_share, scale=scale, dispersion=phi))
        seconds = needed / canary if needed and canary else None
    elif gate.judge == THRESHOLD:
        seconds = (gate.looks or counted.spec.looks).interval_seconds
    elif gate.judge == MANN_WHITNEY:
        seconds = samples_seconds(counted.spec, gate)
    elif not gate.counts:
        seconds = 0.0  # a burn, restarts, or a combination of other gates: decided as soon as they are read
    chances = _chances(counted, share, gate, canary, seconds)
    told = "" if needed is None else f", {math.ceil(needed):,} requests of the canary"
    told += "" if seconds is None else f", about {spoken_seconds(seconds)}"
    if chances:
        told += f", in which {gate_odds.TIMES} times stable's are found with {gate_odds.told(list(chances.values()))}"
    return {
        "name": gate.name,
        "judge": gate.judge,
        "stable_per_minute": _minutely(stable),
        "canary_per_minute": _minutely(canary),
        "requests": None if needed is None else math.ceil(needed),
        "seconds": None if seconds is None else round(seconds, 1),
        "chances": chances,
        "says": f"{gate_line(counted.spec, gate, reading)}{told}",
    }


def _chances(counted: Counted, share: Share | None, gate: GateSpec, canary: float | None, seconds: float | None) -> dict[str, float] | None:
    """By how many times stable's rate, the chance to find such a version while a good one is certified; None where nothing is compared."""
    if gate.judge != SEQUENTIAL or not gate.counts or share is None or share.copies or not canary or not seconds:
        return None
    reading, dispersion = counted.metrics.gates[gate.name], counted.dispersion.get(gate.name, 1.0)
    found_out = gate_odds.chances(counted.spec, gate, reading.share, [(canary * seconds, share.percent)], dispersion)
    return {f"{times:g}": round(chance, 3) for times, chance in zip(gate_odds.RATIOS, found_out, strict=True)}


def _canary_rate(stable: float | None, share: Share | None) -> float | None:
    """The canary's requests in a second, as stable's and the weights let one expect."""
    if stable is None or share is None or share.absolute_only:
        return None
    return stable * share.percent / (100 if share.copies else 100 - share.percent)


def _minutely(per_second: float | None) -> float | None:
    return None if per_second is None else round(60 * per_second, 1)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
