# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a release that say where it waits for people, and the steps that come of them."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_spec import LEAST, problems


def names(**given):
    return " ".join(step.name for step in plan(parse({**LEAST, **given})))


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({"release_steps": [{"weight": 10, "approve": True}, 100]}, "weight-10 analyze-10 approve-10 weight-100 verify promote"),
        ({"release_steps": [{"weight": 10, "approve": "yes"}, 100], "release_gates": []}, "weight-10 approve-10 weight-100 verify promote"),
        ({"release_steps": [{"weight": 100, "approve": True}]}, "deploy weight-100 verify approve-promote promote"),
        (
            {"release_steps": [100], "release_approve": ["traffic", "promote"]},
            "deploy approve-traffic weight-100 verify approve-promote promote",
        ),
        ({"release_strategy": "blue_green", "release_approve": "[traffic]"}, "deploy approve-traffic switch verify promote"),
        (
            {"release_strategy": "rolling", "release_steps": [{"weight": 25, "approve": True}, 100], "release_approve": ["promote"]},
            "validate roll-25 analyze-25 approve-25 roll-100 verify approve-promote clean_up",
        ),
        ({"release_strategy": "shadow", "release_steps": [{"weight": 5, "approve": True}, 100]}, "analyze-5 approve-5 mirror-100"),
    ],
)
def test_approvals_stand_after_the_evidence_and_before_what_they_allow(given, steps):
    assert steps in names(**given)


def test_an_approval_of_traffic_comes_after_the_checks():
    assert "check-smoke approve-traffic" in names(release_checks=[{"name": "smoke", "http": {}}], release_approve=["traffic"])


def test_what_waits_for_people_is_kept_in_the_record():
    spec = parse({**LEAST, "release_approve": ["promote"], "release_steps": [{"weight": 10, "approve": True}, 100]})
    assert spec_from({**spec.to_dict(), "steps": [vars(one) for one in spec.steps]}) == spec


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"release_approve": ["start"]}, "release_approve[0]", "one of traffic, promote"),
        ({"release_approve": "yes"}, "release_approve", "a list"),
        ({"release_strategy": "shadow", "release_approve": ["promote"]}, "release_approve", "promotes nothing"),
        (
            {"release_strategy": "ab_test", "release_ab": {"cookie": "ab", "iterations": 1}, "release_approve": ["promote"]},
            "release_approve",
            "promotes nothing",
        ),
        ({"release_strategy": "shadow", "release_steps": [{"weight": 100, "approve": True}]}, "release_steps", "before the last one"),
        ({"release_steps": [{"weight": 10, "approve": "maybe"}, 100]}, "release_steps[0].approve", "true or false"),
        ({"release_parked_weight": 100}, "release_parked_weight", "from 0 to 99"),
        ({"release_strategy": "blue_green", "release_parked_weight": 5}, "release_parked_weight", "only strategy canary"),
        ({"release_approval_seconds": 0}, "release_approval_seconds", "from 1 s"),
        ({"release_pause_seconds": "soon"}, "release_pause_seconds", "a duration"),
        ({"release_parked_seconds": "-1"}, "release_parked_seconds", "a duration"),
        ({"release_stuck_seconds": 5}, "release_stuck_seconds", "from 10 s"),
        ({"release_on_no_approval": "resume"}, "release_on_no_approval", "one of park, roll_back"),
        ({"release_on_pause_end": "abort"}, "release_on_pause_end", "one of resume, park, roll_back"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, field, words):
    assert words in problems(**given)[field]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 1800),
        ({"release_max_hold_seconds": "2h"}, 7200),
        ({"release_ready_timeout_seconds": "1h"}, 3600),
        ({"release_stuck_seconds": 60}, 60),
    ],
)
def test_a_wait_that_was_allowed_is_not_stuck_unless_that_was_said(given, seconds):
    assert parse({**LEAST, **given}).control.stuck_seconds == seconds


def test_the_default_asks_nobody():
    assert "approve" not in names()
    with pytest.raises(SpecError):
        parse({**LEAST, "release_approval": True})
