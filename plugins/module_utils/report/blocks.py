# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces that every part of the page is made of: tables, terms, badges, commands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import story
from .markup import Markup, escaped, joined, tag

BADGES = {
    story.PROMOTED: "good",
    story.PASSED: "good",
    story.ROLLED_BACK: "bad",
    story.ABORTED: "bad",
    story.REFUSED: "wait",
    story.PARKED: "wait",
    story.RUNNING: "wait",
    story.UNREACHABLE: "wait",
}


def badge(outcome: str, *, followed: bool = False) -> Markup:
    """An outcome as a word on its colour. followed: it came of another region's, and says nothing of this one."""
    word, sort = ("Returned", "plain") if followed else (story.SPOKEN.get(outcome, outcome), BADGES.get(outcome, "plain"))
    return tag("span", word, class_=f"badge-word {sort}")


def dot(number: int, sort: str) -> Markup:
    """The number of a decision, as in the plots."""
    return tag("span", number, class_=f"dot-number {sort}")


def table(caption: str, heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], sort: str = "") -> Markup:
    """A table. heads: (text, class of the column); the first cell of each row is its head. It scrolls on its own, by keyboard too."""
    head = tag("tr", *(tag("th", text, scope="col", class_=kind or None) for text, kind in heads))
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row", class_=heads[0][1] or None),
            *(tag("td", cell, class_=kind or None) for cell, (_text, kind) in zip(row[1:], heads[1:])),
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_=sort or None)
    return tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def terms(pairs: Iterable[tuple[str, Any]], sort: str) -> Markup:
    """Terms and what they are; those without a value are left out. Each pair of figures is a group of its own."""
    known = [(term, value) for term, value in pairs if value not in (None, "")]
    items = [joined(tag("dt", term), tag("dd", value)) for term, value in known]
    return tag("dl", *(tag("div", item) for item in items) if sort == "figures" else items, class_=sort)


def folded(summary: str, *content: Markup) -> Markup:
    """What only some readers want; it opens without scripts."""
    return tag("details", tag("summary", summary), *content)


def commands(texts: Iterable[str], explained: dict[str, str]) -> Markup:
    """Commands to type, each with what it does where its playbook is known."""
    found = []
    for text in texts:
        verb = next((verb for verb in explained if f".delivery.{verb} " in f"{text} "), "")
        if verb:
            found.append(tag("p", explained[verb], class_="small soft"))
        found.append(tag("pre", tag("code", text), tabindex=0, aria_label="command"))
    return joined(*found)


def paragraphs(sentences: Iterable[str]) -> Markup:
    """Each sentence on its own."""
    return joined(*(tag("p", escaped(sentence)) for sentence in sentences))
