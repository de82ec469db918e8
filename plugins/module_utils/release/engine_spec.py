# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who moves traffic: this collection, or a controller that runs in the cluster and is driven by the same verbs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import Reader

NATIVE, FLAGGER, ARGO_ROLLOUTS = ENGINES = ("native", "flagger", "argo_rollouts")
WORKLOADS = {ARGO_ROLLOUTS: ("Rollout",)}  # kinds of release_workload that only an engine knows
# what an adopted object says itself
OWN_WORDS = (
    "release_strategy",
    "release_steps",
    "release_gates",
    "release_traffic",
    "release_match",
    "release_checks",
    "release_webhooks",
    "release_profile",
    "release_from",
)


def engine(read: Reader, given: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """release_engine and release_adopt. given: what the user wrote; values: with defaults."""
    name = read.choice("release_engine", values["release_engine"], ENGINES, NATIVE)
    adopt = read.truth("release_adopt", values["release_adopt"])
    if adopt and name == NATIVE:
        read.refuse("release_adopt", adopt, f"false where release_engine is native; an object is adopted for {FLAGGER} or {ARGO_ROLLOUTS}")
    if adopt and name != NATIVE:
        for field in OWN_WORDS:
            if given.get(field) is not None:
                read.refuse(field, given[field], "nothing where release_adopt is true: the object that is there says it; change it there")
    return {"engine": name, "adopt": adopt}


def without_us(read: Reader, fields: Mapping[str, Any]) -> None:
    """Refuse what only our own runner can do, where a controller runs the release; fields are those of the release that were read before."""
    engine, control, calendar = fields["engine"], fields["control"], fields["calendar"]
    if engine == NATIVE:
        return
    where = f"where release_engine is {engine}"
    named = [step for step in fields["steps"] if step.approval is not None]
    if named:
        read.refuse("release_steps.approve", str(named[0].approval), f"true {where}: one approval, by anybody")
    if control.asked:
        read.refuse("release_approve", ", ".join(control.asked), f"names of moments alone {where}: one approval, by anybody")
    if control.sources:
        read.refuse("release_approval_sources", "given", f"nothing {where}: approvals are given by the command")
    if calendar.on_freeze != "go_on":
        read.refuse("release_on_freeze", calendar.on_freeze, f"go_on {where}: calendars are read before it begins")
    if calendar.denied and "@" not in str(fields["image"]):
        read.refuse("release_image", fields["image"], f"a reference with its digest {where} and release_denied_digests is given")


def adopted(values: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that an adopted object takes the place of: without them nobody is asked for what they need."""
    adopts = str(values["release_adopt"]).lower() in ("true", "yes") and values["release_engine"] != NATIVE
    return {"release_gates": []} if adopts else {}
