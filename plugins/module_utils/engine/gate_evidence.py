# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The evidence of a task as the next one takes it: what it is about, the judges' memory, the looks' own clock. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..release.values import Problem
from .gate_arms import Counted, Pair
from .gate_share import Share
from .gate_task import GateTask
from .gate_watch import Decided

JSON = dict[str, Any]
VERSION = 1
FIELD = "evidence_state"
PARTS = ("version", "of", "dispersion", "step", "clock", "looks", "judges")


def subject(task: GateTask, pair: Pair) -> JSON:
    """What evidence is about: of anything else it proves nothing."""
    which = task.declared
    return {
        "namespace": which.namespace,
        "service": which.service,
        "canary": which.canary,
        "workload": pair.workload,
        "images": pair.images(),
        "gates": [asdict(gate) for gate in task.spec.gates],
        "looks": asdict(task.spec.looks),
    }


def state_of(task: GateTask, pair: Pair, counted: Counted, share: Share, decided: Decided) -> JSON:
    """The evidence after a task, as JSON."""
    kept = {
        "version": VERSION,
        "of": subject(task, pair),
        "dispersion": counted.dispersion,
        "step": share.step(),
        "clock": decided.clock,
        "looks": decided.looks,
        "judges": decided.judges,
    }
    return json.loads(json.dumps(kept))


def kept_for(task: GateTask, pair: Pair, problems: list[Problem]) -> JSON | None:
    """The evidence that the task brings along, None when it brings none. Adds to problems what it is not about."""
    kept = task.evidence_state
    if kept is None:
        return None
    if kept.get("version") != VERSION or set(kept) != set(PARTS) or not isinstance(kept["of"], dict):
        problems.append(Problem(FIELD, sorted(kept), f"{FIELD} of an earlier result of this verb, as it was returned"))
        return None
    now = json.loads(json.dumps(subject(task, pair)))
    other = [name for name in now if kept["of"].get(name) != now[name]]
    if other:
        told = "; ".join(f"{name} was {_brief(kept['of'].get(name))}, now {_brief(now[name])}" for name in other)
        problems.append(Problem(FIELD, other, f"evidence of the same versions and gates, or none: {told}"))
        return None
    return kept


def _brief(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ", ".join(str(one.get("name")) for one in value) + " with their limits"
    return str(value)
