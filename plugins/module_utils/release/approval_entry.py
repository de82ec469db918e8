# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One approval as people write it into a ConfigMap, a file, or the answer of a webhook. Pure.

It says by (who), reason, decision (approve, or reject), at (ISO 8601), and what it is about: release (the id of one release) or image,
and step. Without step it counts at every step; a webhook was asked about one release and step, so that its answer need not repeat them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .approval_words import unix
from .approvals import Approval

KEYS = ("by", "release", "image", "step", "reason", "at", "decision")
DECISIONS = ("approve", "reject")
BY = "by: "
LONGEST_NAME = 253
UNDATED = 0.0  # at of a word that says no time: it is as old as we know it


@dataclass(frozen=True)
class About:
    """What is asked: a step of one release."""

    namespace: str
    name: str
    release_id: str
    image: str
    step: str
    weight_percent: int = 0


def from_text(text: str, about: About, source: str, *, verified: bool) -> Approval | None:
    """An entry of a ConfigMap: lines of key: value, the first of which is by. None when it is about something else.

    Who wrote it is the whole first line behind 'by: ', which the admission policy compares: nothing is trimmed. Raises ValueError.
    """
    first, *rest = text.split("\n")
    if not first.startswith(BY):
        raise ValueError(f"it does not begin with '{BY}' and a user's name")
    entry: dict[str, Any] = {"by": first[len(BY) :]}
    for line in [one for one in rest if one.strip()]:
        key, colon, value = line.partition(":")
        if not colon or key.strip() in entry:
            raise ValueError(f"not a line of 'key: value' with each key once: {line[:80]!r}")
        entry[key.strip()] = value.strip()
    return from_mapping(entry, about, source, verified=verified)


def from_mapping(entry: Any, about: About, source: str, *, verified: bool, asked: bool = False) -> Approval | None:
    """An approval, or None when it is about another release or step. asked: the place was asked about this step. Raises ValueError."""
    if not isinstance(entry, Mapping):
        raise ValueError("not a dictionary")
    for key in entry:
        if key not in KEYS:
            raise ValueError(f"{key!r} is unknown; known: {', '.join(KEYS)}")
    texts = {key: value for key, value in entry.items() if key != "at" and value is not None}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{key} is not a string")
    by, decision = texts.get("by", ""), texts.get("decision", DECISIONS[0])
    if not by or len(by) > LONGEST_NAME or not by.isprintable():
        raise ValueError(f"by has to name somebody, in at most {LONGEST_NAME} characters of one line")
    if decision not in DECISIONS:
        raise ValueError(f"decision is {decision!r}, not one of {', '.join(DECISIONS)}")
    if not asked and not texts.get("release") and not texts.get("image"):
        raise ValueError(f"it does not say what {by} approves: release: {about.release_id}, or image: {about.image}")
    meant = {"release": about.release_id, "image": about.image, "step": about.step}
    if any(texts.get(key) not in (None, "", value) for key, value in meant.items()):
        return None
    return Approval(by, " ".join(texts.get("reason", "").split()), _at(entry.get("at")), source, verified, decision == DECISIONS[1])


def _at(value: Any) -> float:
    if value is None or value == "":
        return UNDATED
    text = value.isoformat() if isinstance(value, datetime) else value
    if not isinstance(text, str):
        raise ValueError("at is no time in ISO 8601, such as 2026-03-04T12:00:00Z")
    try:
        return unix(text)
    except ValueError:
        raise ValueError(f"at is {text[:40]!r}, no time in ISO 8601, such as 2026-03-04T12:00:00Z") from None
