# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan says of the people who have to approve. Pure."""

from __future__ import annotations

from .plan import TRAFFIC, Step
from .spec import Spec
from .values import spoken_seconds


def people_lines(spec: Spec, steps: list[Step]) -> list[str]:
    """Who has to approve what, and where they may say so; nothing where anybody may, on the command line."""
    said = []
    for index, step in enumerate(steps):
        asked = step.approval
        if step.kind == "approve" and asked is not None:
            who = f"{asked.count} of {', '.join(asked.of)}" if asked.of else f"{asked.count} people" if asked.count > 1 else "somebody"
            lasts = f", each counts for {spoken_seconds(asked.expires_seconds)}" if asked.expires_seconds is not None else ""
            starter = "" if asked.starter_may else ", not who started it"
            said.append(f"  approvals: {who} {_before(steps[index + 1 :])}{lasts}{starter}")
    places = [one.said for one in spec.control.sources]
    return [*said, *([f"  approvals are taken from the command line, {', '.join(places)}"] if places else [])]


def _before(following: list[Step]) -> str:
    """What an approval stands before."""
    nearest = next((step for step in following if step.kind in (*TRAFFIC, "promote", "clean_up")), None)
    if nearest is None or nearest.kind == "clean_up":
        return "before the end"
    return "before the promotion" if nearest.kind == "promote" else f"before {nearest.name.replace('-', ' ')}"
