# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people take part in a release: where it waits for them, for how long, and what follows when nobody comes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from . import approval_sources_spec
from .approval_sources_spec import SourceSpec
from .approvals import ANYBODY, DAY, ApprovalSpec, approval_from, approval_spec
from .values import Reader

MOMENTS = ("traffic", "promote")  # where release_approve may stop a release of any strategy
RESUME, PARK, ROLL_BACK = "resume", "park", "roll_back"
# every variable of this file -> what it is when it is left out; the stuck limit follows the waits that the user allowed
DEFAULTS: dict[str, Any] = {
    "release_approve": [],
    "release_approval_seconds": 3600,
    "release_approval_sources": [],
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
    asked: dict[str, ApprovalSpec] = field(default_factory=dict)  # of approve: who has to; a moment that is missing asks anybody
    sources: tuple[SourceSpec, ...] = ()  # of approvals, beside the command line

    def to_dict(self) -> dict[str, Any]:
        """As the record keeps it."""
        return {**asdict(self), "sources": [one.to_dict() for one in self.sources]}


def control_from(saved: Mapping[str, Any]) -> ControlSpec:
    """What a record keeps of it."""
    asked = {moment: one for moment, kept in (saved.get("asked") or {}).items() if (one := approval_from(kept))}
    sources = approval_sources_spec.sources_from(saved.get("sources"))
    return ControlSpec(**{**saved, "approve": tuple(saved["approve"]), "asked": asked, "sources": sources})


def control(read: Reader, values: Mapping[str, Any], fields: Mapping[str, Any]) -> ControlSpec:
    """The options of this file; fields are those of the release that were read before."""
    asked = _moments(read, values["release_approve"])
    weight = read.integer("release_parked_weight", values["release_parked_weight"], least=0, most=99, default=0)
    if weight and (fields["strategy"] != "canary" or fields["provider"] == "service"):
        read.refuse("release_parked_weight", weight, "0: only strategy canary with a router that has weights can park at another share")
    longest = max(STUCK_SECONDS, fields["max_hold_seconds"], fields["ready_timeout_seconds"])
    found = ControlSpec(
        approve=tuple(asked),
        approval_seconds=_wait(read, values, "approval_seconds"),
        on_no_approval=read.choice("release_on_no_approval", values["release_on_no_approval"], (PARK, ROLL_BACK), PARK),
        pause_seconds=_wait(read, values, "pause_seconds"),
        on_pause_end=read.choice("release_on_pause_end", values["release_on_pause_end"], (RESUME, PARK, ROLL_BACK), PARK),
        parked_seconds=_wait(read, values, "parked_seconds"),
        parked_weight=weight,
        stuck_seconds=read.seconds("release_stuck_seconds", values["release_stuck_seconds"], least=10, most=30 * DAY, default=longest),
        asked={moment: one for moment, one in asked.items() if one != ANYBODY},
        sources=approval_sources_spec.sources(read, values["release_approval_sources"]),
    )
    _fits(read, values, fields, found)
    return found


def _moments(read: Reader, value: Any) -> dict[str, ApprovalSpec]:
    """The moments of release_approve: names, or {promote: {count: 2, of: [...]}}, in a list or as one dictionary."""
    listed = list(value.items()) if isinstance(value, dict) else []
    for index, item in enumerate([] if isinstance(value, dict) else read.sequence("release_approve", value) or []):
        if isinstance(item, dict) and len(item) == 1:
            listed += item.items()
        elif item in MOMENTS:
            listed.append((item, True))
        else:
            read.refuse(
                f"release_approve[{index}]", item, f"one of {', '.join(MOMENTS)}, or such as {{promote: {{count: 2, of: [ana, ben]}}}}"
            )
    found: dict[str, ApprovalSpec] = {}
    for moment, who in listed:
        one = approval_spec(read, f"release_approve.{moment}", who)
        if moment not in MOMENTS:
            read.refuse(f"release_approve.{moment}", who, f"unknown; known: {', '.join(MOMENTS)}")
        elif one is not None:
            found[moment] = one
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
    last = fields["steps"][-1].approval if fields["steps"] else None
    if last and found.asked.get("promote", last) != last:
        read.refuse(
            "release_approve.promote", str(found.asked["promote"]), f"the approval of the last of release_steps, or leave one out: {last}"
        )
    for step in fields["steps"]:
        if strategy == "shadow" and step.approve and step is fields["steps"][-1]:
            read.refuse("release_steps", step.weight_percent, f"approve at a step before the last one: this {strategy} promotes nothing")
