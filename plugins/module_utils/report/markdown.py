# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in short, for a comment on a pull request. Story → Markdown; what people wrote stays text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .markup import printable
from .sentence import account, headline
from .spoken import clock, count, length, version
from .story import SPOKEN, Region, Story

SHOWN_DECISIONS = 12
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")


def comment(told: Story) -> str:
    """The whole comment."""
    parts = [
        f"### {plain(told.name)} {plain(version(told.image))}: {SPOKEN.get(told.outcome, told.outcome).lower()}",
        f"**{plain(headline(told))}**",
        " ".join(plain(sentence) for sentence in account(told)),
        _regions(told),
        _decisions(told.lead, alone=len(told.regions) == 1),
        _next(told),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(value: Any) -> str:
    """Text as text: nothing in it is markup, it stays on its line, and it notifies nobody whose name has an @ before it."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(value).split())).replace("@", "@\u200b")


def _regions(told: Story) -> str:
    """A row for each region."""
    rows = []
    for region in told.regions:
        wave = next((one.group for one in told.waves if region.target in one.targets), "") if told.is_fleet else ""
        failed = count(region.costs.get("failed_requests")) if region.costs.get("requests") else "—"
        facts = [SPOKEN.get(region.outcome, region.outcome), f"{region.highest_percent:g} %", length(region.seconds), failed]
        rows.append([region.target, *([wave] if told.is_fleet else []), *facts])
    heads = ["Region", *(["Wave"] if told.is_fleet else []), "Ended", "Highest share", "Took", "Failed requests"]
    return _table(heads, rows)


def _decisions(region: Region, *, alone: bool) -> str:
    """The last decisions of the region that explains the ending."""
    shown = region.decisions[-SHOWN_DECISIONS:]
    if not shown:
        return ""
    of = "" if alone else f" in {plain(region.target)}"
    more = f" (the last {len(shown)} of {len(region.decisions)})" if len(shown) < len(region.decisions) else ""
    return f"Decisions{of}{more}, UTC:\n\n{_table(['No.', 'Time', 'Decision', 'Why'], [[e.mark, clock(e.at), e.word.lower(), e.text] for e in shown])}"


def _next(told: Story) -> str:
    """What to type, in a block that its text cannot leave."""
    texts = list(dict.fromkeys(text for region in told.regions if region.outcome == told.outcome for text in region.next))
    if not texts:
        return ""
    fence = "`" * max(3, 1 + max(len(run) for text in [*texts, ""] for run in re.findall("`*", text)))
    return f"What to type next:\n\n{fence}sh\n" + "\n".join(" ".join(printable(text).split()) for text in texts) + f"\n{fence}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [" | ".join(heads), " | ".join("---" for _head in heads), *(" | ".join(plain(cell) for cell in row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
