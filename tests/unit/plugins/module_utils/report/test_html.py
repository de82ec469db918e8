# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: sound, on its own, accessible, and nothing that people wrote is ever markup."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.html import page
from ansible_collections.progressive.delivery.plugins.module_utils.report.markup import Markup, escaped, joined, tag
from ansible_collections.progressive.delivery.plugins.module_utils.report.style import DARK, LIGHT, PAIRS, sheet
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import (
    EVIL,
    every_story,
    fleet_story,
    story,
)
from hypothesis import given
from hypothesis import strategies as st

STORIES = every_story()
VOID = {"meta", "br"}
KNOWN = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "p", "div", "h1", "h2", "h3", "span", "nav", "ul",
    "li", "main", "section", "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure",
    "figcaption", "strong", "details", "summary", "pre", "code", "footer", "br", "svg", "desc", "line", "text",
    "polygon", "polyline", "circle", "path", "g",
}  # fmt: skip


def parsed(name):
    """The page as XML: whatever is not closed, nested wrongly or named twice in one element is an error here."""
    text = page(STORIES[name])
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    return ET.fromstring(text.partition("\n")[2])


def shown(root):
    return " ".join(" ".join(part for part in root.itertext()).split())


@pytest.mark.parametrize("name", STORIES)
def test_a_page_is_well_formed_of_known_elements_and_empty_ones_are_void(name):
    root = parsed(name)
    assert {one.tag for one in root.iter()} <= KNOWN
    text = page(STORIES[name])
    assert set(re.findall(r"<(\w+)[^<>]*/>", text)) <= VOID
    assert not {name for name in VOID if f"</{name}>" in text}


@pytest.mark.parametrize("name", STORIES)
def test_a_page_stands_on_its_own(name):
    root = parsed(name)
    links = [one.get(key) for one in root.iter() for key in ("href", "src", "srcset", "data", "action") if one.get(key)]
    assert all(link.startswith("#") for link in links)
    assert not [key for one in root.iter() for key in one.attrib if key.startswith("on") or key == "style"]
    (policy,) = [one.get("content") for one in root.iter("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';") and "script" not in policy
    style = next(root.iter("style")).text
    assert "url(" not in style and "@import" not in style and "http" not in style


@pytest.mark.parametrize("name", STORIES)
def test_names_in_a_page_are_unique_and_every_reference_finds_its_own(name):
    root = parsed(name)
    ids = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    wanted = [part for one in root.iter() for part in (one.get("aria-labelledby") or "").split()]
    wanted += [one.get("href")[1:] for one in root.iter("a")]
    assert wanted and set(wanted) <= set(ids)


@pytest.mark.parametrize("name", STORIES)
def test_tables_have_captions_and_heads_with_their_scope(name):
    for table in parsed(name).iter("table"):
        assert table.find("caption").text
        assert {head.get("scope") for head in table.iter("th")} == {"col", "row"}
        columns = len(table.find("thead/tr"))
        assert {len(row) for row in table.iter("tr")} == {columns}


@pytest.mark.parametrize("name", STORIES)
def test_headings_go_down_one_level_at_a_time(name):
    levels = [int(one.tag[1]) for one in parsed(name).iter() if one.tag in ("h1", "h2", "h3")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", STORIES)
def test_plots_have_a_title_and_a_description_and_what_scrolls_takes_the_focus(name):
    for plot in parsed(name).iter("svg"):
        assert plot.get("role") == "img" and plot[0].tag == "title" and plot[1].tag == "desc" and plot[1].text
        assert plot.get("aria-labelledby") == f"{plot[0].get('id')} {plot[1].get('id')}"
    for one in parsed(name).iter():
        if one.get("class") == "scroll" or one.tag == "pre":
            assert one.get("tabindex") == "0" and one.get("aria-label")


def contrast(one, other):
    """Of WCAG 2.2, of two colours as #rrggbb."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_does():
    assert round(contrast("#000000", "#ffffff"), 2) == 21
    assert round(contrast("#767676", "#ffffff"), 2) == 4.54


def palettes():
    """The colours as they stand in the style sheet: for light, and for dark."""
    light, _at, rest = sheet().partition("@media screen and (prefers-color-scheme: dark)")
    dark = rest.partition("}")[0]
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in (light, dark)]


def test_the_sheet_has_all_colours_and_uses_no_other():
    assert palettes() == [LIGHT, DARK]
    assert set(re.findall(r"var\(--([\w-]+)\)", sheet())) == set(LIGHT)
    rules = sheet().partition("\n*")[2]
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)


@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_every_pair_of_colours_is_told_apart_in_light_and_in_dark(ink, ground, least):
    for colours in palettes():
        assert contrast(colours[ink], colours[ground]) >= least


def test_what_people_wrote_is_text():
    root = parsed("evil")
    text = page(STORIES["evil"])
    assert "<script" not in text and "alert(&#x27;x&#x27;)" in text
    assert "\x00" not in text
    assert shown(root).count("<script>alert('x')</script>") > 10


@given(st.text(max_size=60))
def test_any_text_comes_back_as_it_was_written_but_for_what_xml_forbids(text):
    element = ET.fromstring(tag("p", text, title=text))
    kept = "".join(one if one in "\t\n\r" or (one >= " " and one not in "\ufffe\uffff") else "�" for one in text)
    assert (element.text or "").replace("\r\n", "\n").replace("\r", "\n") == kept.replace("\r\n", "\n").replace("\r", "\n")
    assert "<" not in element.get("title") or "<" in text


def test_markup_is_not_escaped_twice_and_attributes_follow_their_names():
    assert joined("a<b", Markup("<b>c</b>"), None) == "a&lt;b<b>c</b>"
    assert escaped(Markup("<i>")) == "<i>"
    assert tag("p", "x", class_="y", aria_label='"', hidden=True, id=None) == '<p class="y" aria-label="&quot;" hidden="hidden">x</p>'
    assert tag("br") == "<br/>"


def test_the_page_of_a_rollback_says_what_why_and_what_to_type():
    text = shown(parsed("bad"))
    assert "shop 1.3.0-errors was rolled back in eu-west-1 at 10 % of the traffic: errors 8.86 % against 0 % on stable" in text
    assert "ansible-playbook progressive.delivery.retry -e release_name=shop -l eu-west-1" in text
    assert "7 of 79" in text and "limit 3 %" in text
    assert "sha256:72bda3f5695884c7b3bfaf3f737deb08fda8d48bfa1322df5885e6d5e19a4a68" in text


def test_the_page_of_a_promotion_says_who_approved_and_what_went_wrong_before():
    text = shown(parsed("good"))
    assert "dana" in text and "checked carts & orders, all fine" in text
    assert "Earlier attempts" in text and "shop-ab3aec" in text


def test_a_refusal_shows_its_problems_and_no_plots():
    root = parsed("refused")
    assert not list(root.iter("svg"))
    assert "a list that ends at 100" in shown(root)


def test_a_fleet_is_a_matrix_of_regions_and_waves():
    told = fleet_story()
    root = ET.fromstring(page(told).partition("\n")[2])
    matrix = next(table for table in root.iter("table") if table.get("class") == "matrix")
    rows = [[shown(cell) for cell in row] for row in matrix.iter("tr")]
    assert rows[0] == [
        "Region",
        "wave_1 5 % of the world watched 1 min from 18:40:00",
        "wave_2 40 % of the world watched 2 min",
        "rest 100 % of the world",
    ]
    assert [[cell.partition(" up to")[0] for cell in row] for row in rows[1:]] == [
        ["us-west-1", "Returned", "", ""],
        ["eu-west-1", "", "Rolled back", ""],
        ["us-east-1", "", "Unreachable", ""],
        ["ap-south-1", "", "", "Untouched"],
    ]


def test_the_same_story_is_the_same_page_and_a_single_region_has_no_matrix():
    assert page(story("good")) == page(story("good"))
    assert "Regions and waves" not in page(story("good"))
    assert EVIL not in page(STORIES["evil"])
