# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a real browser: read as it was written, drawn on a screen and on a phone, and printed."""

import pathlib
import re
import struct

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.html import page
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import evil, fleet_story, refused, story

ARTIFACTS = pathlib.Path(__file__).parents[2] / "build" / "report"
STORIES = {"good": story("good"), "bad": story("bad"), "refused": refused(), "fleet": fleet_story(), "evil": evil()}
SIZES = {"screen": (1200, 1700), "phone": (500, 1700)}


@pytest.fixture(scope="module")
def pages():
    """The stories as files, which stay as artifacts."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    made = {name: ARTIFACTS / f"{name}.html" for name in STORIES}
    for name, path in made.items():
        path.write_text(page(STORIES[name]))
    return made


@pytest.mark.parametrize("name", STORIES)
def test_the_browser_reads_the_page_as_it_was_meant(chromium, pages, name):
    """Where the parser of HTML had mended anything, elements would be moved, added or missing."""
    rendered = chromium.open(pages[name], "--dump-dom")
    written = pages[name].read_text()
    assert re.findall(r"<(\w+)", rendered) == re.findall(r"<(\w+)", written)
    assert rendered.lstrip().startswith("<!DOCTYPE html>")
    assert "<script" not in rendered


def size_of(picture):
    """Width and height of a PNG."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


@pytest.mark.parametrize(("name", "size"), [("bad", "screen"), ("good", "phone"), ("fleet", "screen")])
def test_a_screenshot_is_kept(chromium, pages, name, size):
    picture = ARTIFACTS / f"{name}-{size}.png"
    picture.unlink(missing_ok=True)
    width, height = SIZES[size]
    chromium.open(pages[name], f"--screenshot={picture}", f"--window-size={width},{height}")
    assert size_of(picture) == (width, height)
    assert picture.stat().st_size > 40_000  # an empty page has 4 kB


def test_it_prints(chromium, pages):
    paper = ARTIFACTS / "bad.pdf"
    paper.unlink(missing_ok=True)
    chromium.open(pages["bad"], f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    text = paper.read_bytes()
    assert text.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", text)) <= 4
