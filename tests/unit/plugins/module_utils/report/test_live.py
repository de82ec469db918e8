# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines people read while a release runs, and the JSON lines beside them."""

import json
from datetime import datetime

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.live import COLUMNS, Live, clip, weight_bar
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 21, 12, 0, 5).timestamp()


def live(lines, log_path=None):
    return Live(lines.append, "eu", clock=lambda: NOON, log_path=log_path)


def test_a_line_is_time_target_word_and_sentence_in_columns():
    lines = []
    live(lines).say("deploy", "shop-canary: 2 pods")
    assert lines == ["12:00:05  eu            deploy     shop-canary: 2 pods"]


def test_a_weight_has_its_bar():
    lines = []
    live(lines).steered("weight", 30, "", put_ms=11.6)
    assert lines[0].endswith("weight      30 %  ▕███       ▏  put and read back in 12 ms")


@given(st.integers(0, 100))
def test_a_bar_is_always_ten_blocks_wide_and_full_only_near_the_end(percent):
    assert len(weight_bar(percent)) == 12
    assert abs(weight_bar(percent).count("█") - percent / 10) <= 0.5


@pytest.mark.parametrize(("word", "clipped"), [("look", True), ("advance", True), ("ROLL BACK", False), ("warning", False)])
def test_only_looks_are_cut_to_the_width_of_a_terminal_never_an_ending(word, clipped):
    lines = []
    live(lines).say(word, "x" * 200)
    assert (len(lines[0]) <= COLUMNS, lines[0].endswith("…")) == (clipped, clipped)


@given(st.text(max_size=300))
def test_a_clipped_line_fits_and_a_short_one_is_unchanged(line):
    assert len(clip(line)) <= COLUMNS
    assert len(line) > COLUMNS or clip(line) == line


def test_every_line_is_a_json_line_with_its_facts_and_its_whole_text(tmp_path):
    path = tmp_path / "new" / "shop.jsonl"
    said = live([], str(path))
    said.say("look", "y" * 200, decision="hold")
    said.steered("weight", 10, "", put_ms=4.2)
    first, second = [json.loads(line) for line in path.read_text().splitlines()]
    assert first == {"at": NOON, "target": "eu", "event": "look", "text": "y" * 200, "decision": "hold"}
    assert (second["weight_percent"], second["put_ms"]) == (10, 4.2)


def test_a_log_that_cannot_be_written_ends_with_one_warning_and_the_release_goes_on(tmp_path):
    lines = []
    said = live(lines, str(tmp_path / "log.jsonl"))
    (tmp_path / "log.jsonl").mkdir()
    said.say("ROLL BACK", "errors")
    said.say("traffic", "100 % stable")
    assert [line.split()[2] for line in lines] == ["ROLL", "warning", "traffic"]


def test_what_is_noted_is_in_the_json_lines_alone(tmp_path):
    lines, log = [], tmp_path / "releases" / "shop.jsonl"
    made = live(lines, str(log))
    made.note("step", share=10)
    assert lines == []
    assert json.loads(log.read_text()) == {"at": NOON, "target": "eu", "event": "step", "share": 10}


def test_a_runner_that_died_within_a_line_spoils_none_of_the_next_one_s(tmp_path):
    log = tmp_path / "shop.jsonl"
    log.write_text('{"event": "look"}\n{"event": "lo')
    made = live([], str(log))
    made.note("one")
    made.note("two")
    texts = log.read_text().splitlines()
    assert [json.loads(text)["event"] for text in (texts[0], *texts[2:])] == ["look", "one", "two"]
    assert texts[1] == '{"event": "lo'
