# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One target's release of a fleet, whose record may have made room for that of the release that undid it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .spoken import unix, version

JSON = dict[str, Any]
SAME = ("release_name", "namespace", "workload", "next")  # what the releases of one name have in common


def of_member(listed: Sequence[JSON], member: Mapping[str, Any]) -> tuple[JSON | None, JSON | None]:
    """(the record of the fleet's release in a target, the one of the release that came after it), as far as there are such.

    listed: the records of the target, as release_info tells them; member: the target in the fleet's record.
    """
    wanted = member.get("release_id")
    for one in listed if wanted else ():
        if one["release_id"] == wanted:
            return one, None
        if kept := next((past for past in one.get("history") or () if past.get("release_id") == wanted), None):
            return _as_it_was(kept, one), one
    return None, None


def _as_it_was(kept: Mapping[str, Any], later: Mapping[str, Any]) -> JSON:
    """The record of a promoted release, from what the next one's remembers of it."""
    all_of_it = {"name": "weight-100", "started_at": kept.get("updated_at"), "ended_at": kept.get("updated_at")}
    return {
        **{key: later[key] for key in SAME if key in later},
        **kept,
        "phase": "ended",
        "stable_image": later.get("image"),
        "steps": [all_of_it] if kept.get("outcome") == "promoted" else [],
        "updated_at": later.get("updated_at") or kept.get("updated_at"),
    }


def way_home(target: str, later: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> list[JSON]:
    """The line that says when the version before had all traffic again; none while it has not. lines: of the log of the later release."""
    moved = next((line["at"] for line in lines if line.get("weight_percent") == 100), None)
    at = moved or unix(later.get("updated_at"))
    if later.get("outcome") != "promoted" or at is None:
        return []
    text = f"100 % stable · {version(later.get('image') or '')} serves again, by release {later['release_id']}"
    return [{"at": at, "target": target, "event": "traffic", "text": text}]
