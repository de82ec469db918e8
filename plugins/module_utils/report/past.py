# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What gates would have said of the past, as a page with a plot: no scripts, nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .blocks import paragraphs, table
from .html import POLICY
from .markup import Markup, joined, tag
from .style import sheet

JSON = Mapping[str, Any]
WIDTH, LEFT, ROW, BAR, LEGEND = 960, 200, 34, 20, 34
# what came of a trial: its number in the result of replay, the word for it, the class of its colour
OUTCOMES = (
    ("rolled_back", "returned", "bad"),
    ("shared_incidents", "stopped by a shared incident", "plain"),
    ("undecided", "not decided in the window", "wait"),
    ("advanced", "gone on", "good"),
)
HEADS = (("a version", ""), ("trials", "number"), ("returned", "number"), ("gone on", "number"), ("after, median", "number"))


def page(target: str, told: JSON, said: Sequence[str]) -> str:
    """The document. told: the result of the verb replay on past traffic; said: its lines."""
    title = f"{target}: what the gates would have said of {told['hours']:g} h"
    rows = [("no worse than stable", told), *((f"{one['ratio']} times as bad", one) for one in told["detection"])]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(sheet())),
    )
    plot = tag("div", _plot(rows), class_="scroll", role="region", aria_label="What came of the trials, plot", tabindex=0)
    numbers = table("What came of the trials", HEADS, (_numbers(name, one) for name, one in rows))
    figure = tag("figure", tag("figcaption", tag("strong", "What came of the trials"), " as shares of them"), plot)
    main = tag("main", tag("section", tag("h2", "What was said"), paragraphs(said), figure, numbers), id="content")
    header = tag("header", tag("p", "Replay of past traffic", class_="over"), tag("h1", title))
    return f"<!DOCTYPE html>\n{tag('html', head, tag('body', header, main), lang='en')}\n"


def _plot(rows: Sequence[tuple[str, JSON]]) -> Markup:
    """A bar for each version, its parts as wide as their shares, below the words for their colours."""
    height = LEGEND + ROW * len(rows)
    bars = [_bar(name, one, LEGEND + ROW * number) for number, (name, one) in enumerate(rows)]
    told = "; ".join(f"{name}: {one['rolled_back']} of {one['trials']} returned, {one['advanced']} gone on" for name, one in rows)
    return tag(
        "svg",
        tag("title", "What came of the trials", id="past-title"),
        tag("desc", told, id="past-desc"),
        *_legend(),
        *bars,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_labelledby="past-title past-desc",
        class_="plot",
    )


def _legend() -> list[Markup]:
    found = []
    for number, (_key, word, sort) in enumerate(OUTCOMES):
        x = LEFT + number * (WIDTH - LEFT) // len(OUTCOMES)
        found.append(joined(tag("rect", x=x, y=6, width=12, height=12, class_=f"badge {sort}"), tag("text", word, x=x + 18, y=16)))
    return found


def _bar(name: str, one: JSON, top: int) -> Markup:
    parts = [tag("text", name, x=LEFT - 12, y=top + 15, class_="tick end")]
    x = float(LEFT)
    for key, word, sort in OUTCOMES:
        width = round((WIDTH - LEFT) * one[key] / max(one["trials"], 1), 1)
        if width:
            parts.append(
                tag("rect", tag("title", f"{one[key]} {word}"), x=round(x, 1), y=top, width=width, height=BAR, class_=f"badge {sort}")
            )
        x += width
    return joined(*parts)


def _numbers(name: str, one: JSON) -> list[str]:
    low, high = one["rolled_back_percent_interval"]
    back = f"{one['rolled_back']:,} ({one['rolled_back_percent']:.2g} %, 95 %: {low:.2g} to {high:.2g} %)"
    seconds = one["seconds_to_roll_back"] if one.get("ratio", 1) > 1 else one["seconds_to_advance"]
    return [name, f"{one['trials']:,}", back, f"{one['advanced']:,}", "–" if seconds is None else f"{seconds:,.0f} s"]
