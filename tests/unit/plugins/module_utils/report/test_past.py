# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a replay: sound, on its own, and its bars are the figures."""

import xml.etree.ElementTree as ET

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.past import page

EVIL = '<script>alert(1)</script>" onload="x'


def figures(back, incidents, undecided, onward, **more):
    trials = back + incidents + undecided + onward
    return {
        "trials": trials,
        "rolled_back": back,
        "rolled_back_percent": 100 * back / max(trials, 1),
        "rolled_back_percent_interval": [0.0, 2.5],
        "shared_incidents": incidents,
        "advanced": onward,
        "undecided": undecided,
        "seconds_to_advance": 45.0,
        "seconds_to_roll_back": 15.0 if back else None,
        **more,
    }


TOLD = figures(1, 0, 2, 197, hours=24.0, detection=[figures(0, 3, 97, 0, ratio=2), figures(100, 0, 0, 0, ratio=10)])


def parsed(told=TOLD, target="eu-west-1", said=("one line",)):
    return ET.fromstring(page(target, told, said).partition("\n")[2])


def test_bars_are_as_wide_as_the_shares():
    bars = [one for one in parsed().iter("rect") if one.find("title") is not None]
    told = {one.find("title").text: float(one.get("width")) for one in bars}
    assert told == {
        "1 returned": 3.8,
        "2 not decided in the window": 7.6,
        "197 gone on": 748.6,
        "3 stopped by a shared incident": 22.8,
        "97 not decided in the window": 737.2,
        "100 returned": 760.0,
    }
    assert max(float(one.get("x")) + float(one.get("width")) for one in bars) <= 960.1


def test_the_table_says_the_same():
    rows = [[cell.text for cell in row] for row in parsed().iter("tr")][1:]
    assert rows[0] == ["no worse than stable", "200", "1 (0.5 %, 95 %: 0 to 2.5 %)", "197", "45 s"]
    assert [row[0] for row in rows[1:]] == ["2 times as bad", "10 times as bad"]
    assert [row[4] for row in rows[1:]] == ["–", "15 s"]


def test_a_page_stands_on_its_own_and_nothing_in_it_is_markup_of_others():
    root = parsed(target=EVIL, said=[EVIL])
    assert not list(root.iter("script"))
    assert not [key for one in root.iter() for key in one.attrib if key.startswith("on") or key in ("href", "src")]
    assert EVIL in " ".join(root.itertext())


@pytest.mark.parametrize("told", [{**figures(0, 0, 0, 0), "hours": 1.0, "detection": []}])
def test_no_trial_is_no_bar(told):
    assert not [one for one in parsed(told).iter("rect") if one.find("title") is not None]
