# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened in one target, as a section of the page. Pure."""

from __future__ import annotations

from typing import Any

from .blocks import badge, dot, folded, table, terms
from .markup import Markup, joined, tag
from .plots import can_be_drawn, gate_plot, sort_of, weight_plot
from .spoken import clock, count, day_and_time, length, unix, version
from .story import SPOKEN, Gate, Region

MOST_LOOKS = 200
COUNTS_HINT = "7/79 vs 0/1,121 reads: 7 of 79 requests of the new version, 0 of 1,121 of stable."


def region_section(region: Region, name: str, *, alone: bool) -> Markup:
    """Facts, plots, decisions, people, steps, earlier attempts, and all that was said. alone: the page has said why it ended so."""
    parts = [_plots(region, name), _problems(region), _decisions(region), _people(region), _webhooks(region), _steps(region)]
    parts += [_history(region), _looks(region), _said(region)]
    return tag(
        "section",
        tag("div", tag("h2", region.target, id=name), badge(region.outcome, followed=region.followed), class_="title"),
        tag("p", region.reason) if region.reason and not alone else None,
        terms(_facts(region), "facts"),
        *parts,
        aria_labelledby=name,
    )


def _facts(region: Region) -> list[tuple[str, Any]]:
    versions = f"{version(region.stable_image)} → {version(region.image)}" if region.stable_image else version(region.image)
    began = f"{day_and_time(region.started_at)}, for {length(region.seconds)}" if region.started_at else ""
    costs = region.costs
    switch = costs.get("switch_ms")
    return [
        ("release", region.release_id),
        ("workload", " in ".join(filter(None, [region.workload, region.namespace]))),
        ("version", versions),
        ("image", tag("code", region.image) if region.image else ""),
        ("digest", tag("code", region.digest) if region.digest else ""),
        ("strategy", region.strategy.replace("_", "-")),
        ("began", began),
        (
            "requests",
            f"{count(costs['requests'])} counted, {count(costs.get('failed_requests') or 0)} failed" if costs.get("requests") else "",
        ),
        ("switch", "" if switch is None else f"all traffic in {switch:g} ms, from the write of the route to its read back"),
        ("additional pods", f"{count(costs['extra_pod_seconds'])} pod-seconds" if costs.get("extra_pod_seconds") else ""),
    ]


def _plots(region: Region, name: str) -> Markup | None:
    if not can_be_drawn(region):
        return None
    what = "Share of the new version"
    figures = [_figure(what, "its decisions are numbered as in the table below", weight_plot(region, f"{name}-weight"))]
    for number, gate in enumerate(region.gates, 1):
        if any(gate.name in look.readings for look in region.looks):
            figures.append(_figure(f"Gate {gate.name}", _meant(gate), gate_plot(region, gate, f"{name}-gate-{number}")))
    return joined(*figures)


def _meant(gate: Gate) -> str:
    if not gate.is_share:
        return "the answer of each look, the new version's and stable's"
    return "share of requests so far: the new version solid, stable dotted; circles are single looks of the new version"


def _figure(title: str, text: str, plot: Markup) -> Markup:
    caption = tag("figcaption", tag("strong", title), " ", tag("span", f"— {text}", class_="soft"))
    scrolls = tag("div", plot, class_="scroll", role="region", aria_label=f"{title}, plot", tabindex=0)
    return tag("figure", caption, scrolls)


def _problems(region: Region) -> Markup | None:
    if not region.problems:
        return None
    rows = [(one.get("field"), tag("code", one.get("value")), one.get("allowed")) for one in region.problems]
    heads = [("Field", ""), ("Value", ""), ("What is allowed", "wide")]
    return joined(tag("h3", "What was wrong"), table("Nothing was changed.", heads, rows))


def _decisions(region: Region) -> Markup | None:
    rows = [(dot(event.mark, sort_of(event)), clock(event.at), event.word.lower(), event.text) for event in region.decisions]
    if not rows:
        return None
    heads = [("No.", ""), ("UTC", "time"), ("Decision", ""), ("Why", "wide")]
    return joined(tag("h3", "Decisions"), table(f"Every decision, with the numbers it rests on. {COUNTS_HINT}", heads, rows))


def _people(region: Region) -> Markup | None:
    rows = [(told.by or "unknown", clock(told.at), told.what, told.reason or "none given", told.said) for told in region.people]
    if not rows:
        return None
    heads = [("Who", ""), ("UTC", "time"), ("Command", ""), ("Reason", ""), ("What it did", "")]
    return joined(tag("h3", "People"), table("Who commanded or approved what, when and why.", heads, rows))


def _webhooks(region: Region) -> Markup | None:
    rows = [(clock(event.at), event.text) for event in region.webhooks]
    return (
        joined(tag("h3", "Refusals of webhooks"), table("The last ones.", [("UTC", "time"), ("What was said", "wide")], rows))
        if rows
        else None
    )


def _steps(region: Region) -> Markup | None:
    if not region.steps:
        return None
    rows = []
    for step in region.steps:
        took = length(step.ended_at - step.started_at) if step.ended_at and step.started_at else "did not end"
        rows.append((step.name, clock(step.started_at), took, step.note))
    heads = [("Step", ""), ("Began, UTC", "time"), ("Took", ""), ("Note", "wide")]
    return folded(f"Steps ({len(rows)})", table("The steps of the plan that were begun, in their order.", heads, rows))


def _history(region: Region) -> Markup | None:
    rows = [
        (
            one.get("release_id"),
            day_and_time(unix(one.get("started_at"))),
            version(one.get("image") or ""),
            SPOKEN.get(one.get("outcome") or "", one.get("outcome") or ""),
            one.get("reason"),
        )
        for one in region.history
    ]
    if not rows:
        return None
    heads = [("Release", ""), ("Began", "time"), ("Version", ""), ("Ended", ""), ("Why", "wide")]
    return joined(tag("h3", "Earlier attempts"), table("Earlier releases of this name here, the latest first.", heads, rows))


def _looks(region: Region) -> Markup | None:
    if not region.looks:
        return None
    shown = region.looks[-MOST_LOOKS:]
    rows = [
        (look.number, clock(look.at), f"{look.weight:g} %", look.decision.replace("_", " "), look.counts, look.reason) for look in shown
    ]
    heads = [("Look", "number"), ("UTC", "time"), ("Share", "number"), ("Verdict", ""), ("Counts of this look", ""), ("Sentence", "")]
    words = f"The last {len(shown)} of {len(region.looks)} looks" if len(shown) < len(region.looks) else "Every look"
    return folded(f"Looks ({len(region.looks)})", table(f"{words}. {COUNTS_HINT}", heads, rows))


def _said(region: Region) -> Markup | None:
    if not region.lines:
        return None
    rows = [(clock(event.at), event.word, event.text) for event in region.events]
    cut = f" {region.cut_lines} lines were cut short by a runner that died." if region.cut_lines else ""
    said = table(f"The lines of the release but its looks.{cut}", [("UTC", "time"), ("Word", ""), ("Text", "wide")], rows)
    return folded(f"All that was said ({len(rows)})", said)
