# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promotion by swap: what a user says of the Deployment that stays. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .ratio_spec import REPLICAS
from .values import Reader

PROMOTIONS = ("twin", "swap")
STRATEGIES = ("canary", "blue_green")  # those that move all traffic to the canary, and keep stable as it is meanwhile
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class SwapSpec:
    """The new Deployment's name and the label in which its pods differ; None is derived from the old one's, in preflight.

    warm_seconds: how long the old Deployment stays whole after the swap. keep: it is scaled to 0 then, not deleted.
    """

    workload: str | None
    label: str | None
    value: str | None
    warm_seconds: float
    keep: bool


def swap_from(saved: Mapping[str, Any] | None) -> SwapSpec | None:
    """What asdict wrote."""
    return None if saved is None else SwapSpec(**saved)


def swap(read: Reader, promotion: str, value: Any, *, workload: str | None) -> SwapSpec | None:
    """release_swap, where release_promotion is swap. workload: the old Deployment's name."""
    found = read.mapping("release_swap", value, ("workload", "label", "value", "warm_seconds", "keep"))
    if promotion != "swap":
        if value:
            read.refuse("release_swap", value, "nothing, unless release_promotion is swap")
        return None
    found = found or {}
    name = found.get("workload")
    name = read.name("release_swap.workload", name.removeprefix("Deployment/") if isinstance(name, str) else name)
    if name is not None and name == workload:
        read.refuse(
            "release_swap.workload", name, "another name than that of release_workload: the new Deployment stands beside the old one"
        )
    return SwapSpec(
        name,
        _label(read, "label", found.get("label"), LABEL_KEY, "the key of a label, such as version"),
        _label(read, "value", found.get("value"), LABEL_VALUE, "the value of a label, such as v2 (quote numbers)"),
        read.seconds("release_swap.warm_seconds", found.get("warm_seconds"), least=0, most=7 * 86400, default=0),
        _keeps(read, found.get("keep")),
    )


def fits(read: Reader, fields: Mapping[str, Any]) -> None:
    """Whether a strategy, and what carries its shares, can end by a swap."""
    strategy, promotion = fields["strategy"], fields["promotion"]
    if promotion != "swap":
        return
    if strategy not in STRATEGIES:
        read.refuse("release_promotion", promotion, f"twin: strategy {strategy} knows nothing else; swap is for {' and '.join(STRATEGIES)}")
    elif fields["provider"] == REPLICAS:
        why = "the canary of provider service shares by replicas, and its Deployment selects pods by a label that is the release's own"
        read.refuse("release_promotion", promotion, f"twin: {why}; swap needs a route with weights, or release_strategy: blue_green")


def deadline(read: Reader, swap: SwapSpec | None, seconds: float, *, given: Any) -> float:
    """The release's deadline, seconds, with the warm time: it follows that, unless one is given, which must be long enough."""
    if swap is None or given is None:
        return seconds + (swap.warm_seconds if swap else 0.0)
    if seconds <= swap.warm_seconds:
        allowed = f"more than release_swap.warm_seconds ({swap.warm_seconds:.0f} s), or nothing: then it follows that"
        read.refuse("release_deadline_seconds", given, allowed)
    return seconds


def _label(read: Reader, option: str, value: Any, pattern: re.Pattern[str], allowed: str) -> str | None:
    if value is None or (isinstance(value, str) and pattern.fullmatch(value)):
        return value
    read.refuse(f"release_swap.{option}", value, allowed)
    return None


def _keeps(read: Reader, value: Any) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    kept = words.get(value.lower(), value) if isinstance(value, str) else value
    if kept is None or isinstance(kept, bool):
        return bool(kept)
    read.refuse("release_swap.keep", value, "true (scaled to 0) or false (deleted)")
    return False
