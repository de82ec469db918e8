# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, lengths of time and shares, as the report writes them. Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

LONGEST_TAG = 40


def unix(value: Any) -> float | None:
    """A time of a record (ISO 8601) or of a log (Unix time) as Unix time; None for none, and for what is no time."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def day_and_time(moment: float | None) -> str:
    """A Unix time in UTC, with its day."""
    return "—" if moment is None else datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(moment: float | None, *, seconds: bool = True) -> str:
    """A Unix time in UTC, without its day."""
    return "—" if moment is None else datetime.fromtimestamp(moment, timezone.utc).strftime("%H:%M:%S" if seconds else "%H:%M")


def length(seconds: float | None) -> str:
    """A length of time: 42 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds is None:
        return "—"
    whole = max(0, round(seconds))
    for big, small, big_name, small_name in ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if whole >= big:
            rest = whole % big // small
            return f"{whole // big} {big_name}" + (f" {rest} {small_name}" if rest else "")
    return f"{whole} s"


def percent(share: float | None) -> str:
    """A share of 1 as a percentage with three digits."""
    return "—" if share is None else f"{100 * share:.3g} %"


def count(number: float | None) -> str:
    """A number with its thousands apart."""
    return "—" if number is None else f"{number:,.0f}"


def version(image: str) -> str:
    """What of an image reference tells the version: its tag, else the beginning of its digest."""
    name, _at, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return (tag or digest.removeprefix("sha256:")[:12] or image)[:LONGEST_TAG]
