# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destinations that are subsets of one host: what a user says of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .values import Reader


@dataclass(frozen=True)
class SubsetsSpec:
    """The subsets of a DestinationRule that are stable's and the canary's; without a name of it the only one for the host."""

    stable: str
    canary: str
    destination_rule: str | None


def subsets_from(saved: Mapping[str, Any] | None) -> SubsetsSpec | None:
    """What asdict wrote."""
    return None if saved is None else SubsetsSpec(**saved)


def subsets(read: Reader, value: Any, *, provider: str) -> SubsetsSpec | None:
    """release_traffic.subsets."""
    field = "release_traffic.subsets"
    if value is None:
        return None
    found = read.mapping(field, value, ("stable", "canary", "destination_rule"))
    if found is None:
        return None
    if provider != "istio":
        read.refuse(field, value, f"nothing: provider {provider} knows no subsets; they are Istio's")
        return None
    names = []
    for arm in ("stable", "canary"):
        if found.get(arm) is None:
            read.refuse(f"{field}.{arm}", None, f"is required: the name of {arm}'s subset in the DestinationRule")
        names.append(read.name(f"{field}.{arm}", found.get(arm)))
    if names[0] is not None and names[0] == names[1]:
        read.refuse(f"{field}.canary", names[1], "another subset than stable's")
    rule = read.text(f"{field}.destination_rule", found.get("destination_rule"))
    return SubsetsSpec(names[0] or "", names[1] or "", rule)
