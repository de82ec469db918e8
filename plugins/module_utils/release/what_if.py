# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other gates would have said of a release's looks: the same counts, at the same times, under the weights that it really had. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..analysis.look import Look
from ..analysis.panel import PanelState, StepEntry
from ..analysis.plain import entry_from_dict, look_from_dict
from ..analysis.verdict import ADVANCE, INCONCLUSIVE, ROLL_BACK
from . import gates_spec
from .gates_spec import GateSpec, LooksSpec
from .judges import panel_of
from .recompute import Hearing
from .spec import Spec, SpecError
from .values import Problem, Reader

JSON = dict[str, Any]
Reads = tuple[Any, ...]


def other_gates(spec: Spec, given: Mapping[str, Any]) -> Spec | None:
    """The spec with the gates and looks that are given; None when they are the release's own. Raises SpecError."""
    if given.get("release_gates") is None:
        return None
    read = Reader()
    looks = gates_spec.looks_of(read, "release_looks", given.get("release_looks"), LooksSpec())
    skip = read.sequence("release_skip_gates", given.get("release_skip_gates")) or []
    gates = gates_spec.gates(read, given["release_gates"], skip, looks, tuple(map(str, skip)))
    if not gates and not read.problems:
        read.refuse("release_gates", given["release_gates"], "a gate at least")
    if read.problems:
        raise SpecError(read.problems)
    other = replace(spec, gates=gates, looks=looks if given.get("release_looks") is not None else spec.looks)
    return None if (other.gates, other.looks) == (spec.gates, spec.looks) else other


def what_if(hearings: Sequence[Hearing], other: Spec) -> JSON:
    """The verdict they would have had, and when. Raises SpecError for a gate whose numbers nobody has read."""
    first = hearings[0]
    read_as = _read_as(first.spec, other)
    panel = panel_of(other, {name: first.dispersion.get(source, 1.0) for name, source in read_as.items()})
    if panel is None:
        raise ValueError("a panel without judges")
    state, began_at, entered_at = panel.start(), None, 0.0
    verdicts: list[JSON] = []
    advanced: list[JSON] = []
    for line in (line for hearing in hearings for line in hearing.lines):
        if "entry" in line:
            entry = entry_from_dict(line["entry"])
            state, entered_at = panel.enter_step(state, entry), entry.at_seconds
            began_at = entered_at if began_at is None else began_at
            advanced.append({"weight_percent": entry.weight_percent, "seconds": None})
        elif "people" in line:
            state = panel.after_people(state, line["people"])
        else:
            look = _as_read(look_from_dict(line["look"]), read_as)
            if began_at is None:  # a record begins anywhere: with the first look that it holds the other gates begin
                state, began_at = panel.enter_step(state, _entry_at(look)), look.at_seconds
                entered_at = began_at
            state, row = _look(panel, state, look)
            verdicts.append({**row, "logged": _said(line)})
            if row["decision"] == ADVANCE and advanced and advanced[-1]["seconds"] is None:
                advanced[-1]["seconds"] = look.at_seconds - entered_at
            if row["decision"] == ROLL_BACK or (row["decision"] == INCONCLUSIVE and other.on_inconclusive != "promote"):
                break
    if not verdicts:
        return {"decision": None, "seconds": None, "advanced": advanced, "verdicts": []}
    last = verdicts[-1]
    return {**last, "seconds": last["at_seconds"] - (began_at or 0.0), "advanced": advanced, "verdicts": verdicts}


def _entry_at(look: Look) -> StepEntry:
    return StepEntry(look.weight_percent, look.at_seconds, None, absolute_only=look.weight_percent >= 100)


def _look(panel: Any, state: PanelState, look: Look) -> tuple[PanelState, JSON]:
    after, verdict = panel.look(state, look)
    told = {"decision": verdict.decision, "cause": verdict.cause, "reason": verdict.reason}
    return after, {"look": look.number, "at_seconds": look.at_seconds, "weight_percent": look.weight_percent, **told}


def _said(line: Mapping[str, Any]) -> str:
    """The decision that was made."""
    return line["said"][0] if "said" in line else line.get("final", line["verdict"])["decision"]


def _read_as(spec: Spec, other: Spec) -> dict[str, str]:
    """For each other gate the one of the release that has read what it needs."""
    found, problems = {}, []
    for index, gate in enumerate(other.gates):
        if gate.composite is not None:
            continue  # it combines what others say, and reads nothing
        able = [one.name for one in spec.gates if _serves(one, gate)]
        if able:
            found[gate.name] = gate.name if gate.name in able else able[0]
        else:
            there = "; ".join(f"{one.name}: {_words(one)}" for one in spec.gates)
            allowed = f"a gate whose numbers the release has read ({there}); limits and judge may be any"
            problems.append(Problem(f"release_gates[{index}]", f"{gate.name}: {_words(gate)}", allowed))
    if problems:
        raise SpecError(problems)
    return found


def _serves(one: GateSpec, wanted: GateSpec) -> bool:
    """Whether what was read for one is what the wanted one needs."""
    if wanted.kind == "request_rate":
        return one.counts
    if wanted.burn_over:
        return set(wanted.burn_over) <= set(one.burn_over)
    return _reads(one) == _reads(wanted)


def _reads(gate: GateSpec) -> Reads:
    if gate.query is not None:
        return ("query", *gate.query.asked)
    if gate.per_pod is not None:
        return (gate.kind, gate.per_pod)
    return (gate.kind, gate.slower_than_ms, gate.quantile is not None, bool(gate.burn_over))


def _words(gate: GateSpec) -> str:
    if gate.query is not None:
        return gate.query.promql
    if gate.quantile is not None:
        return "latency buckets"
    if gate.slower_than_ms is not None:
        return f"requests slower than {gate.slower_than_ms:g} ms"
    return f"burn_rate over {', '.join(gate.burn_over)}" if gate.burn_over else gate.kind


def _as_read(look: Look, read_as: Mapping[str, str]) -> Look:
    """The look as the other gates would have had it."""
    metrics = {one.gate: one for one in look.metrics}
    scalars = {one.gate: one for one in look.scalars}
    return replace(
        look,
        metrics=tuple(replace(metrics[source], gate=name) for name, source in read_as.items() if source in metrics),
        scalars=tuple(replace(scalars[source], gate=name) for name, source in read_as.items() if source in scalars),
    )
