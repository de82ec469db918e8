# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people take part in a release: where it waits for them, for how long, and what follows when nobody comes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .values import Reader

DAY = 86400.0
MOMENTS = ("traffic", "promote")  # where release_approve may stop a release of any strategy
RESUME, PARK, ROLL_BACK = "resume", "park", "roll_back"
# every variable of this file -> what it is when it is left out; the stuck limit follows the waits that the user allowed
DEFAULTS: dict[str, Any] = {
    "release_approve": [],
    "release_approval_seconds": 3600,
    "release_on_no_approval": PARK,
    "release_pause_seconds": 3600,
    "release_on_pause_end": PARK,
    "release_parked_seconds": 86400,
    "release_parked_weight": 0,
    "release_stuck_seconds": None,
}
STUCK_SECONDS = 1800.0


@dataclass(frozen=True)
class ControlSpec:
    """When a release waits for people. Times are seconds."""

    approve: tuple[str, ...]  # of MOMENTS; steps of release_steps may ask for more
    approval_seconds: float
    on_no_approval: str  # park or roll_back
    pause_seconds: float
    on_pause_end: str  # resume, park or roll_back
    parked_seconds: float
    parked_weight: int  # percent
    stuck_seconds: float


def control_from(saved: Mapping[str, Any]) -> ControlSpec:
    """What a record keeps of it."""
    return ControlSpec(**{**saved, "approve": tuple(saved["approve"])})


def control(read: Reader, values: Mapping[str, Any], fields: Mapping[str, Any]) -> ControlSpec:
    """The options of this file; fields are those of the release that were read before."""
    moments = read.sequence("release_approve", values["release_approve"]) or []
    for index, moment in enumerate(moments):
        read.choice(f"release_approve[{index}]", moment, MOMENTS, MOMENTS[0])
    weight = read.integer("release_parked_weight", values["release_parked_weight"], least=0, most=99, default=0)
    if weight and (fields["strategy"] != "canary" or fields["provider"] == "service"):
        read.refuse("release_parked_weight", weight, "0: only strategy canary with a router that has weights can park at another share")
    longest = max(STUCK_SECONDS, fields["max_hold_seconds"], fields["ready_timeout_seconds"])
    found = ControlSpec(
        approve=tuple(dict.fromkeys(moment for moment in moments if moment in MOMENTS)),
        approval_seconds=_wait(read, values, "approval_seconds"),
        on_no_approval=read.choice("release_on_no_approval", values["release_on_no_approval"], (PARK, ROLL_BACK), PARK),
        pause_seconds=_wait(read, values, "pause_seconds"),
        on_pause_end=read.choice("release_on_pause_end", values["release_on_pause_end"], (RESUME, PARK, ROLL_BACK), PARK),
        parked_seconds=_wait(read, values, "parked_seconds"),
        parked_weight=weight,
        stuck_seconds=read.seconds("release_stuck_seconds", values["release_stuck_seconds"], least=10, most=30 * DAY, default=longest),
    )
    _fits(read, values, fields, found)
    return found


def _wait(read: Reader, values: Mapping[str, Any], name: str) -> float:
    field = f"release_{name}"
    return read.seconds(field, values[field], least=1, most=30 * DAY, default=DEFAULTS[field])


def _fits(read: Reader, values: Mapping[str, Any], fields: Mapping[str, Any], found: ControlSpec) -> None:
    """Nothing is promoted by a shadow, nor by an experiment that only reports."""
    strategy, ab = fields["strategy"], fields["ab"]
    only_looks = strategy == "shadow" or (strategy == "ab_test" and not (ab and ab.promotes))
    if "promote" in found.approve and only_looks:
        read.refuse("release_approve", values["release_approve"], f"traffic: this {strategy} promotes nothing")
    for step in fields["steps"]:
        if strategy == "shadow" and step.approve and step is fields["steps"][-1]:
            read.refuse("release_steps", step.weight_percent, f"approve at a step before the last one: this {strategy} promotes nothing")
