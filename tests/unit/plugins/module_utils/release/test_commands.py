# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands do, as a function: at every step of every strategy, twice, and one after another."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.approval_words import iso
from ansible_collections.progressive.delivery.plugins.module_utils.release.commands import (
    KEPT,
    Moment,
    effect,
    foreseen,
    logged,
    skips,
    unobeyed,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_spec import LEAST

STEPS = [{"weight": 10, "bake_seconds": 60, "approve": True}, {"weight": 50, "bake_seconds": 60}, 100]
PLANS = {
    "canary": plan(parse({**LEAST, "release_steps": STEPS, "release_approve": ["traffic", "promote"]})),
    "blue_green": plan(parse({**LEAST, "release_strategy": "blue_green", "release_approve": ["promote"]})),
    "shadow": plan(parse({**LEAST, "release_strategy": "shadow", "release_steps": STEPS})),
    "rolling": plan(parse({**LEAST, "release_strategy": "rolling", "release_steps": STEPS})),
    "ab_test": plan(parse({**LEAST, "release_strategy": "ab_test", "release_ab": {"cookie": "ab", "iterations": 1}})),
}
PLACES = [(strategy, index) for strategy, steps in PLANS.items() for index in range(len(steps))]
NOW = 1_000_000.0
ASKED = ("pause", "resume", "promote", "approve", "reject")  # the runner obeys these


def moment(strategy, index, phase="running"):
    return Moment(phase, PLANS[strategy], index, NOW, 3600.0, "park")


def command(name, number=1, **options):
    return {"command": name, "number": number, "by": "mia", "reason": "", "at": iso(NOW), **options}


@pytest.mark.parametrize("options", [{}, {"weight_percent": 0}, {"full": True}, {"for_seconds": 60}], ids=str)
@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(("strategy", "index"), PLACES)
def test_a_command_given_twice_changes_nothing_the_second_time_and_never_what_it_was_given(strategy, index, name, options):
    here, before = moment(strategy, index), {"obeyed": 3}
    given = copy.deepcopy(before)
    first = effect(given, command(name, **options), here)
    assert given == before
    assert first.changed != bool(first.refused) or (not first.changed and first.said)
    if first.changed and not first.rejected:
        again = effect(first.control, command(name, **options), here)
        assert (again.changed, again.control) == (False, first.control)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("phase", ["returning", "ended"])
def test_who_goes_back_or_has_ended_takes_no_command(phase, name):
    assert phase in effect({}, command(name), moment("canary", 4, phase)).refused


@pytest.mark.parametrize(("strategy", "index"), PLACES)
def test_no_promote_leaves_out_people_or_what_is_no_wait(strategy, index):
    for full in (True, False):
        control = effect({}, command("promote", full=full), moment(strategy, index)).control
        left_out = [step for number, step in enumerate(PLANS[strategy]) if number >= index and skips(control, PLANS[strategy], number)]
        assert {step.kind for step in left_out} <= {"bake", "analyze", "verify", *(("weight", "mirror", "roll", "match") if full else ())}
        assert not any(step.weight_percent == 100 and step.kind in ("weight", "switch", "roll") for step in left_out)


def test_a_full_promotion_keeps_the_watch_at_100():
    steps = PLANS["canary"]
    control = effect({}, command("promote", full=True), moment("canary", 3)).control
    kept = [step.name for number, step in enumerate(steps) if number >= 3 and not skips(control, steps, number)]
    assert kept == ["approve-10", "weight-100", "verify", "approve-promote", "promote", "clean_up"]


def test_commands_are_obeyed_once_and_those_that_still_lie_there_are_foreseen():
    here = moment("canary", 3)
    lying = [command("pause", 1), command("promote", 2, full=True)]
    assert foreseen({}, lying, here)["skip"]["full"]
    assert "pause" not in foreseen({}, lying, here)
    obeyed = logged({}, lying[0], "paused")
    assert unobeyed(obeyed, lying) == [lying[1]]
    assert foreseen(logged(obeyed, lying[1], "goes"), lying, here) == logged(obeyed, lying[1], "goes")


def test_the_log_of_commands_stays_short():
    control = {}
    for number in range(1, 2 * KEPT):
        control = logged(control, command("resume", number), "it is not paused")
    assert [one["number"] for one in control["log"]] == list(range(KEPT, 2 * KEPT))
