# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markdown for a comment: what it says, and that what people wrote stays text."""

import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.markdown import SHOWN_DECISIONS, comment, plain
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import every_story, fleet_story, story

STORIES = every_story()
UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")


@pytest.mark.parametrize("name", STORIES)
def test_each_row_of_a_table_has_as_many_cells_as_its_head(name):
    block = []
    for line in [*comment(STORIES[name]).splitlines(), ""]:
        if line.startswith("| "):
            block.append(len(UNESCAPED_PIPE.findall(line)))
        else:
            assert len(set(block)) <= 1
            block = []


def test_nothing_that_people_wrote_is_markup():
    text = comment(STORIES["evil"])
    outside = text.partition("What to type next")[0]
    assert "<script" not in outside.replace("\\<", "") and "](http" not in outside.replace("\\]", "")
    assert "@everyone" not in outside and "\x00" not in text


def test_a_command_cannot_leave_its_block():
    text = comment(story("bad", next=["echo ``` and ```` more\n# heading"]))
    fence = re.search(r"^(`+)sh$", text, re.MULTILINE)[1]
    inside = text.partition(f"{fence}sh\n")[2].partition(f"\n{fence}\n")[0]
    assert inside == "echo ``` and ```` more # heading"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a|b", "a\\|b"), ("*x*", "\\*x\\*"), ("a\n\nb", "a b"), ("@mia", "@\u200bmia"), ("eu-west-1 1.0.0", "eu-west-1 1.0.0")],
)
def test_text_stays_text_on_its_line(text, shown):
    assert plain(text) == shown


def test_a_rollback_says_what_why_and_what_to_type():
    text = comment(story("bad"))
    assert text.startswith("### shop 1.3.0-errors: rolled back\n\n**shop 1.3.0-errors was rolled back in eu-west-1 at 10 %")
    assert "| eu-west-1 | Rolled back | 10 % | 31 s | 7 |" in text
    assert "| 2 | 18:47:17 | roll back | at 10 %: errors 7/79 vs 0/1,121" in text
    assert text.rstrip().endswith("ansible-playbook progressive.delivery.cleanup -e release_name=shop -l eu-west-1\n```")


def test_a_fleet_names_its_waves_and_the_decisions_of_the_region_that_failed():
    text = comment(fleet_story())
    assert "| us-west-1 | wave\\_1 |" in text and "| ap-south-1 | rest | Untouched |" in text
    assert "Decisions in eu-west-1, UTC:" in text and "Decisions in us-west-1" not in text


def test_of_many_decisions_the_last_are_shown():
    commands = [{"command": "pause", "by": "mia", "at": f"2026-11-21T18:47:{n:02}Z", "said": str(n), "reason": ""} for n in range(30)]
    text = comment(story("bad", log=False, commands=commands))
    assert f"(the last {SHOWN_DECISIONS} of 31)" in text
