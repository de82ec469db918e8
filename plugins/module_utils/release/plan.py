# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a checked spec to steps. A plan is data: it can be printed, compared and replayed. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .spec import Spec, StepSpec


@dataclass(frozen=True)
class Step:
    """One step. weight_percent is the canary's share while it lasts; seconds its least time (bake, verify)."""

    kind: str  # validate, deploy, weight, bake, analyze, verify, promote, clean_up
    name: str
    weight_percent: int
    seconds: float = 0.0
    next_weight_percent: int | None = None  # weight, analyze: where an advance leads

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON."""
        return asdict(self)


def canary_steps(spec: Spec) -> list[Step]:
    """validate, deploy, then for each weight: shift, bake, judge; at 100 watch the twin, then promote and clean up."""
    steps = [Step("validate", "validate", 0), Step("deploy", "deploy", 0)]
    for index, one in enumerate(spec.steps):
        following = spec.steps[index + 1].weight_percent if index + 1 < len(spec.steps) else None
        steps += _weight(one, following, judged=bool(spec.gates))
    last = spec.steps[-1].weight_percent
    steps.append(Step("verify", "verify", last, max(spec.verify_seconds, spec.steps[-1].bake_seconds)))
    steps += [Step("promote", "promote", 100), Step("clean_up", "clean_up", 0)]
    return steps


def _weight(one: StepSpec, following: int | None, *, judged: bool) -> list[Step]:
    weight = one.weight_percent
    steps = [Step("weight", f"weight-{weight}", weight, 0.0, following)]
    if following is None:
        return steps  # the watch at 100 is the step verify
    if one.bake_seconds:
        steps.append(Step("bake", f"bake-{weight}", weight, one.bake_seconds))
    if judged:
        steps.append(Step("analyze", f"analyze-{weight}", weight, 0.0, following))
    return steps


STRATEGIES = {"canary": canary_steps}


def plan(spec: Spec) -> list[Step]:
    """The steps of the spec's strategy."""
    return STRATEGIES[spec.strategy](spec)


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changed between two specs, field by field, as 'field: old -> new'."""
    return [f"{key}: {before.get(key)!r} -> {after.get(key)!r}" for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
