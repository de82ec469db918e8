# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plots: what is drawn where, by its numbers."""

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report import svg
from ansible_collections.progressive.delivery.plugins.module_utils.report.plots import gate_plot, weight_plot
from ansible_collections.progressive.delivery.plugins.module_utils.report.story import Gate, Look, Reading, Region
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import story
from hypothesis import given
from hypothesis import strategies as st

FRAME = svg.Frame(begin=1000.0, end=1100.0, top_value=50.0, height=100, top=30)
LEFT, RIGHT = svg.LEFT, svg.WIDTH - svg.RIGHT


def points(element):
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def texts(root, kind):
    return [one.text for one in root.iter("text") if kind in one.get("class").split()]


def test_time_goes_right_and_values_go_up_and_nothing_leaves_the_frame():
    assert (FRAME.x(1000), FRAME.x(1050), FRAME.x(1100)) == (LEFT, (LEFT + RIGHT) / 2, RIGHT)
    assert (FRAME.y(0), FRAME.y(25), FRAME.y(50)) == (130, 80, 30)
    assert (FRAME.x(0), FRAME.x(9999), FRAME.y(-1), FRAME.y(99)) == (LEFT, RIGHT, 130, 30)


@given(st.floats(0, 2e9), st.floats(0, 3e6))
def test_times_are_round_few_and_within(begin, seconds):
    ticks = [at for at, _seconds in svg.time_ticks(begin, begin + seconds)]
    assert len(ticks) <= svg.MOST_TICKS + 1
    assert all(begin <= at <= begin + seconds for at in ticks)
    assert len({round(after - before, 3) for before, after in pairwise(ticks)}) <= 1


@given(st.floats(1e-6, 1e9))
def test_values_are_round_and_within(top):
    ticks = svg.value_ticks(top)
    assert ticks[0] == 0 and 3 <= len(ticks) <= 8
    assert ticks[-1] <= top * (1 + 1e-6) and ticks[-1] > 0.5 * top


def test_a_share_changes_at_once_and_stays():
    root = ET.fromstring(f"<g>{svg.staircase(FRAME, [(1020.0, 10.0), (1050.0, 50.0), (1060.0, 0.0)])}</g>")
    x = FRAME.x
    edge = [(x(1000), 130), (x(1020), 130), (x(1020), 110), (x(1050), 110), (x(1050), 30), (x(1060), 30), (x(1060), 130), (x(1100), 130)]
    assert points(root.find("polyline")) == edge
    assert points(root.find("polygon")) == [*edge, (x(1100), 130)]


def test_labels_that_would_touch_are_moved_apart_in_their_order():
    root = ET.fromstring(f"<g>{svg.labels(FRAME, [(0.0, 'stable', 's'), (0.5, 'new', 'n'), (40.0, 'limit', 'l')])}</g>")
    placed = {one.text: float(one.get("y")) for one in root}
    assert placed["stable"] - placed["new"] >= svg.LABEL_GAP
    assert placed["new"] - placed["limit"] >= svg.LABEL_GAP


@given(st.lists(st.floats(1000, 1100), max_size=80))
def test_numbers_of_decisions_never_touch_and_never_leave_the_plot(moments):
    marked = [svg.Mark(at, number, "good", "x") for number, at in enumerate(sorted(moments), 1)]
    root = ET.fromstring(f"<g>{svg.marks(FRAME, marked, numbered=True)}</g>")
    badges = [float(one.get("cx")) for one in root.iter("circle")]
    assert all(after - before >= svg.BADGE_GAP - 0.01 for before, after in pairwise(badges))
    assert all(LEFT <= at <= svg.WIDTH - svg.BADGE_GAP for at in badges)
    assert len(root.findall("line")) == len(moments)


def test_a_value_beyond_the_top_is_drawn_as_one_that_points_there():
    root = ET.fromstring(f"<g>{svg.dots(FRAME, [(1010.0, 20.0), (1020.0, 80.0)], 'canary')}</g>")
    assert [one.tag for one in root] == ["circle", "path"]


@pytest.mark.parametrize("name", ["good", "bad", "aborted", "parked"])
def test_the_plot_of_the_share_has_every_decision_with_its_number(name):
    region = story(name).regions[0]
    root = ET.fromstring(weight_plot(region, "one"))
    assert texts(root, "number") == [str(event.mark) for event in region.decisions]
    assert [one.text for one in root.iter("title")][1:] == [f"{event.mark}: {event.text}" for event in region.decisions]


def test_the_plot_of_a_gate_has_its_limit_both_versions_and_the_counts_of_each_decision():
    region = story("bad").regions[0]
    root = ET.fromstring(gate_plot(region, region.gates[0], "one"))
    lines = {one.get("class"): one for one in root.iter() if (one.get("class") or "").startswith("line")}
    assert set(lines) == {"line limit", "line stable", "line canary"}
    assert len(points(lines["line canary"])) == len(region.looks)
    above = [y for _x, y in points(lines["line canary"]) if y < float(lines["line limit"].get("y1"))]
    assert len(above) == 3  # all but the first look are beyond the limit
    assert texts(root, "note") == ["4 of 30", "7 of 79"]
    assert texts(root, "label") == ["stable 0 %", "limit 3 %", "new 8.86 %"]
    assert "limit 3 %" in root.find("desc").text


def test_a_gate_that_asks_a_query_is_drawn_in_its_unit():
    looks = tuple(Look(n, 1000.0 + n, 10, "", "hold", readings={"p99": Reading(100.0 * n, 90.0)}) for n in (1, 2, 3))
    region = Region(
        "eu", "promoted", started_at=1000.0, ended_at=1010.0, gates=(Gate("p99", most=500, unit="ms", is_share=False),), looks=looks
    )
    root = ET.fromstring(gate_plot(region, region.gates[0], "one"))
    assert texts(root, "label") == ["stable 90 ms", "new 300 ms", "limit 500 ms"]
    assert not re.search("nan|inf", ET.tostring(root, encoding="unicode"))


def test_a_gate_without_a_limit_and_without_numbers_is_still_a_plot():
    looks = (Look(1, 1001.0, 10, "", "hold", readings={"cpu": Reading()}),)
    region = Region("eu", "promoted", started_at=1000.0, ended_at=1000.0, looks=looks)
    root = ET.fromstring(gate_plot(region, Gate("cpu", is_share=False), "one"))
    assert "No numbers" in root.find("desc").text
