# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page: no scripts, nothing from elsewhere, readable printed. Story → HTML that is well-formed XML, too. Pure."""

from __future__ import annotations

from . import story as words
from .blocks import badge, commands, paragraphs, table, terms
from .html_region import region_section
from .markup import Markup, joined, tag
from .sentence import account, headline
from .spoken import clock, count, day_and_time, length, version
from .story import Region, Story, Wave
from .style import sheet

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"  # no script runs, nothing is fetched
EXPLAINED = {
    "status": "See what is where now.",
    "retry": "Run the same version again, from its record.",
    "rollback": "Bring the version before back, as a release of its own.",
    "cleanup": "Remove what is left of the release, and its record.",
    "approve": "Let it go on.",
    "reject": "Return its traffic.",
    "abort": "Return all traffic now.",
    "resume": "End the pause.",
    "pause": "Hold it where it is.",
    "promote": "Skip the rest of the wait.",
}


def page(told: Story) -> str:
    """The whole document."""
    title = f"{told.name} {version(told.image)}: {words.SPOKEN.get(told.outcome, told.outcome).lower()}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("style", Markup(sheet())),
    )
    regions = [region_section(region, f"region-{number}", alone=len(told.regions) == 1) for number, region in enumerate(told.regions, 1)]
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        _header(told),
        tag("main", _summary(told), _matrix(told), *regions, id="content"),
        _footer(told),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _header(told: Story) -> Markup:
    return tag(
        "header",
        tag("p", "Release report", class_="over"),
        tag("div", tag("h1", f"{told.name} {version(told.image)}"), badge(told.outcome), class_="title"),
        tag("p", headline(told), class_="lead"),
        _contents(told),
    )


def _contents(told: Story) -> Markup | None:
    """Links to the regions, where there are several."""
    if len(told.regions) < 2:
        return None
    links = [tag("li", tag("a", region.target, href=f"#region-{number}")) for number, region in enumerate(told.regions, 1)]
    return tag("nav", tag("ul", *links, class_="contents"), aria_label="Regions")


def _summary(told: Story) -> Markup:
    return tag(
        "section",
        tag("h2", "What happened", id="what"),
        paragraphs(account(told)),
        terms(_figures(told), "figures"),
        *_next(told),
        aria_labelledby="what",
    )


def _figures(told: Story) -> list[tuple[str, str]]:
    """The numbers that everybody asks for."""
    costs = [region.costs for region in told.regions if region.costs]

    def total(key: str) -> float | None:
        found = [one[key] for one in costs if one.get(key) is not None]
        return sum(found) if found else None

    requests, failed = total("requests"), total("failed_requests")
    highest = max((region.highest_percent for region in told.regions), default=0)
    return [
        ("from start to end", length(told.seconds)),
        ("highest share of the new version", f"{highest:g} %"),
        ("failed requests", "" if failed is None else count(failed)),
        ("requests counted", "" if requests is None else count(requests)),
    ]


def _next(told: Story) -> list[Markup | None]:
    texts = list(dict.fromkeys(text for region in _who_needs(told) for text in region.next))
    return [tag("h3", "What to type next"), commands(texts, EXPLAINED)] if texts else []


def _who_needs(told: Story) -> list[Region]:
    """The regions whose commands are shown above all: those that ended as the release did."""
    return [region for region in told.regions if region.outcome == told.outcome] or list(told.regions)


def _matrix(told: Story) -> Markup | None:
    """Regions × waves; a release of one target has one cell, which says nothing that is not above."""
    if len(told.regions) < 2 and not told.is_fleet:
        return None
    known = {region.target: region for region in told.regions}
    heads = [("Region", ""), *((_wave_head(wave), "") for wave in told.waves)]
    rows = []
    for number, region in enumerate(told.regions, 1):
        cells = [_cell(known[region.target]) if region.target in wave.targets else Markup("") for wave in told.waves]
        rows.append([tag("a", region.target, href=f"#region-{number}"), *cells])
    caption = "How it ended in each region, by wave. Times are UTC."
    return tag("section", tag("h2", "Regions and waves", id="matrix"), table(caption, heads, rows, "matrix"), aria_labelledby="matrix")


def _wave_head(wave: Wave) -> Markup:
    more = [f"{wave.share_percent:g} % of the world" if wave.share_percent is not None else ""]
    more += [
        f"watched {length(wave.bake_seconds)}" if wave.bake_seconds else "",
        f"from {clock(wave.started_at)}" if wave.started_at else "",
    ]
    return joined(wave.group, *(joined(tag("br"), tag("span", text, class_="small soft")) for text in more if text))


def _cell(region: Region) -> Markup:
    share = f"up to {region.highest_percent:g} %" if region.highest_percent else ""
    when = clock(region.ended_at or region.updated_at) if region.ended_at or region.updated_at else ""
    return joined(badge(region.outcome, followed=region.followed), tag("div", " · ".join(filter(None, [share, when])), class_="small soft"))


def _footer(told: Story) -> Markup:
    ids = ", ".join(filter(None, [told.release_id, *(region.release_id for region in told.regions)]))
    last = max((moment for region in told.regions if (moment := region.updated_at)), default=None)
    as_of = f" The records were last written on {day_and_time(last)}." if last else ""
    about = (
        f"Made by progressive.delivery from the records of {ids}."
        if ids
        else "Made by progressive.delivery; nothing was begun, so there is no record."
    )
    return tag("footer", tag("p", f"{about}{as_of} All times are UTC."))
