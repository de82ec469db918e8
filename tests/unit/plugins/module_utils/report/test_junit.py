# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JUnit as CI systems read it: its elements, its attributes, its sums."""

import re
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.junit import suites
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import (
    every_story,
    fleet_story,
    refused,
    story,
)

STORIES = every_story()
SUMS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
NEEDED = {"testsuites": {"name", "tests", "failures", "errors", "skipped", "time"}, "testcase": {"name", "classname", "time"}}


def of(told):
    return ET.fromstring(suites(told).partition("\n")[2])


def verdicts(root):
    """suite → (case, how it ended) of the cases that did not pass."""
    return {
        suite.get("name"): [(case.get("name"), one.tag) for case in suite.iter("testcase") for one in case]
        for suite in root.iter("testsuite")
    }


@pytest.mark.parametrize("name", STORIES)
def test_elements_attributes_and_sums_are_those_of_the_schema(name):
    root = of(STORIES[name])
    assert set(root.attrib) == NEEDED["testsuites"]
    for suite in root:
        assert suite.tag == "testsuite" and suite[0].tag == "properties"
        assert {one.tag for one in suite} == {"properties", "testcase"}
        assert all(set(case.attrib) == NEEDED["testcase"] and len(case) <= 1 for case in suite.iter("testcase"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", "2026-01-01T00:00:00"))
        assert float(suite.get("time")) == pytest.approx(sum(float(case.get("time")) for case in suite.iter("testcase")), abs=0.01)
    for parent in (root, *root):
        assert int(parent.get("tests")) == len(list(parent.iter("testcase")))
        for total, kind in SUMS.items():
            found = list(parent.iter(kind))
            assert int(parent.get(total)) == len(found)
            assert all(one.get("message") is not None for one in found)


@pytest.mark.parametrize(
    ("name", "case", "kind"),
    [("bad", "analyze-10", "failure"), ("aborted", "analyze-25", "failure"), ("parked", "approve-50", "skipped")],
)
def test_the_step_in_which_it_ended_is_the_one_that_did_not_pass(name, case, kind):
    assert verdicts(of(story(name))) == {"shop eu-west-1": [(case, kind)]}


def test_every_step_of_a_promotion_passed():
    root = of(story("good"))
    assert verdicts(root) == {"shop eu-west-1": []}
    assert [case.get("name") for case in root.iter("testcase")][:3] == ["validate", "deploy", "weight-10"]
    assert float(root.get("time")) == pytest.approx(76, abs=2)


def test_a_refusal_is_an_error_that_names_what_was_wrong():
    root = of(refused())
    assert verdicts(root) == {"shop eu-west-1": [("release", "error")]}
    assert "a list that ends at 100" in next(root.iter("error")).text


def test_a_fleet_is_a_suite_for_each_region():
    assert verdicts(of(fleet_story())) == {
        "shop us-west-1": [("clean_up", "failure")],
        "shop eu-west-1": [("analyze-10", "failure")],
        "shop us-east-1": [("release", "error")],
        "shop ap-south-1": [("release", "skipped")],
    }
