# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a release: at each kind of step, twice, from another process, beside an abort, and across the death of a runner."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.record import COMMANDS
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE

BAKED = {"release_steps": [{"weight": 10, "bake_seconds": 30}, {"weight": 50, "bake_seconds": 30}, 100]}
APPROVED = {"release_steps": [{"weight": 50, "approve": True}, 100]}
MOMENTS = ["  deploy  ", "10 %", "  bake  ", "50 %", "100 %", "  verify  "]  # what is said in each kind of step


@pytest.fixture
def world():
    return People()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_pause_holds_the_weight_wherever_it_meets_the_release_and_resume_goes_on(world, moment):
    runner = world.beside(**BAKED)
    runner.until(moment)
    found = world.tell("pause", sleep=runner.turn, for_seconds=600)
    assert (found["changed"], found["acknowledged"], found["paused"]["by"]) == (True, True, "mia")
    runner.until("  paused  ")
    weights, began = world.weights, world.clock()
    while world.clock() < began + 300:
        runner.turn()
    assert world.weights == weights
    again = world.tell("pause", sleep=runner.turn, for_seconds=600)
    assert (again["changed"], again["said"]) == (False, "it is paused already")
    assert world.tell("resume", sleep=runner.turn)["acknowledged"]
    assert world.tell("resume", sleep=runner.turn)["changed"] is False
    assert runner.end()["outcome"] == "promoted"
    assert world.weights == [10, 50, 100]
    world.assert_home("shop:2")


@pytest.mark.parametrize("moment", MOMENTS[1:])
def test_a_pause_to_zero_returns_traffic_at_once_and_gives_the_share_back_afterwards(world, moment):
    runner = world.beside(**BAKED)
    runner.until(moment)
    before = world.clock()
    assert world.tell("pause", sleep=runner.turn, weight_percent=0)["acknowledged"]
    runner.until("while it is paused")
    assert (world.route, world.clock() - before <= 5) == ([STABLE], True)
    share = world.weights[-1]
    world.tell("resume", sleep=runner.turn)
    assert runner.end()["outcome"] == "promoted"
    assert world.weights == sorted([10, 50, 100, share])
    world.assert_home("shop:2")


@pytest.mark.parametrize(
    ("release", "moment"),
    [
        ({"release_strategy": "blue_green", "release_steps": None, "release_verify_seconds": 60}, "  verify  "),
        ({"release_strategy": "canary", "release_match": [{"headers": {"x-team": "qa"}}], "release_match_seconds": 60}, "  bake  "),
    ],
    ids=["blue_green", "matched"],
)
def test_a_pause_to_zero_takes_back_whatever_traffic_the_canary_had(world, release, moment):
    def whole():
        return world.stored("VirtualService", "eu", "shop")["spec"]["http"]

    before = whole()
    runner = world.beside(**release)
    runner.until(moment)
    assert whole() != before
    world.tell("pause", sleep=runner.turn, weight_percent=0)
    runner.until("while it is paused")
    assert whole() == before
    world.tell("resume", sleep=runner.turn)
    runner.until("goes on")
    assert runner.end()["outcome"] == "promoted"
    world.assert_home("shop:2")


@pytest.mark.parametrize(("then", "outcome"), [("resume", "promoted"), ("park", "parked"), ("roll_back", "rolled_back"), (None, "parked")])
def test_a_pause_that_nobody_ends_follows_the_policy(world, then, outcome):
    world.when("50 %", "pause", for_seconds=60, then=then)
    result = world.start(**BAKED)
    assert result["outcome"] == outcome
    assert (outcome == "promoted") == ("nobody ended it" not in result["reason"])
    assert world.route == [STABLE]


def test_a_pause_is_too_late_when_stable_takes_the_version(world):
    runner = world.beside()
    runner.until("while the canary serves")
    with pytest.raises(Refused, match="stable takes the version already"):
        world.tell("pause", sleep=runner.turn)
    assert runner.end()["outcome"] == "promoted"


def test_promote_skips_the_waits_of_one_weight_and_no_others(world):
    runner = world.beside(**BAKED)
    runner.until("10 %")
    began = world.clock()
    assert world.tell("promote", sleep=runner.turn, step="weight-10")["acknowledged"]
    runner.until("50 %")
    assert world.tell("promote", sleep=runner.turn, step="weight-10")["changed"] is False
    assert world.clock() - began < 13  # the canary that nobody watches drains for ten seconds
    assert runner.end()["outcome"] == "promoted"
    assert [one.get("note", "")[:8] for one in world.state.steps if one["name"].startswith("bake")] == ["left out", ""]


def test_promote_full_goes_straight_to_100_and_the_reason_is_recorded(world):
    runner = world.beside(release_steps=[{"weight": 10, "bake_seconds": 3600}, 20, 50, 100])
    runner.until("10 %")
    assert world.tell("promote", sleep=runner.turn, full=True)["acknowledged"]
    assert world.tell("promote", sleep=runner.turn, full=True)["changed"] is False
    result = runner.end()
    assert (result["outcome"], world.weights) == ("promoted", [10, 100])
    assert result["reason"].endswith("straight to 100 %, on the word of mia: why not")


def test_promote_full_does_not_jump_over_people(world):
    world.when("10 %", "promote", full=True)
    result = world.start(release_steps=[10, {"weight": 50, "approve": True}, 100], release_approval_seconds=60)
    assert (result["outcome"], result["reason"]) == ("parked", "nobody approved approve-50 within 60 s")


def test_promote_ends_a_pause(world):
    world.when("  paused  ", "promote")
    world.when("10 %", "pause")
    assert world.start(**BAKED)["outcome"] == "promoted"


def test_an_approval_lets_the_weight_rise_and_the_record_knows_who_gave_it(world):
    runner = world.beside(**APPROVED)
    runner.until("approve-50 waits")
    (waiting,) = [world.tell("resume", sleep=runner.turn)["waiting"]["step"]]
    assert (waiting, world.tell("approve", check_mode=True)["changed"]) == ("approve-50", True)
    assert world.tell("approve", sleep=runner.turn)["acknowledged"]
    assert [world.tell("approve", **step, sleep=runner.turn)["changed"] for step in ({"step": "approve-50"}, {})] == [False, False]
    assert runner.end()["outcome"] == "promoted"
    assert world.log == [("approve", "approve-50 is approved")]
    given = world.state.control["approvals"]["approve-50"]
    assert (given["by"], given["reason"]) == ("mia", "why not")


def test_a_rejection_returns_traffic_at_once(world):
    runner = world.beside(**APPROVED)
    runner.until("approve-50 waits")
    began = world.clock()
    found = world.tell("reject", sleep=runner.turn)
    assert (found["outcome"], found["reason"]) == ("rolled_back", "approve-50 was rejected by mia: why not")
    assert world.clock() - began < 13  # the canary that nobody watches drains for ten seconds
    world.assert_home("shop:1")


def test_a_runner_that_sleeps_is_not_waited_for_when_somebody_rejects(world):
    world.when("approve-50 waits", "reject")
    assert world.start(**APPROVED)["outcome"] == "rolled_back"
    (found,) = world.answers
    assert (found["outcome"], found["reason"]) == ("rolled_back", "approve-50 was rejected by mia: why not")
    world.assert_home("shop:1")


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_nothing_can_be_approved_that_nobody_asked_for(world, command):
    runner = world.beside(release_steps=[10, {"weight": 50, "approve": True}, 100])
    runner.until("  deploy  ")
    with pytest.raises(Refused, match="still to come: approve-50"):
        world.tell(command)
    with pytest.raises(Refused, match="a step that an approval is asked for: approve-50"):
        world.tell(command, step="approve-10")
    runner.until("approve-50 waits")
    world.tell("approve", sleep=runner.turn)
    assert runner.end()["outcome"] == "promoted"


def test_an_approval_may_be_given_before_it_is_asked_for(world):
    world.when("  deploy  ", "approve", step="approve-50")
    assert world.start(**APPROVED)["outcome"] == "promoted"
    assert not world.said("approve-50 waits")


@pytest.mark.parametrize(("policy", "outcome", "twin"), [("park", "parked", True), ("roll_back", "rolled_back", False)])
def test_an_approval_that_nobody_gives_follows_the_policy(world, policy, outcome, twin):
    result = world.start(**APPROVED, release_approval_seconds="10m", release_on_no_approval=policy)
    assert (result["outcome"], result["reason"]) == (outcome, "nobody approved approve-50 within 10 min")
    assert (world.route, "shop-canary" in world.names("Deployment")) == ([STABLE], twin)


PARKED = {**APPROVED, "release_approval_seconds": 10}


def test_a_parked_release_goes_on_when_it_was_approved_and_is_run_again_and_not_before(world):
    world.start(**PARKED)
    before = len(world.writes())
    waits = world.start(**PARKED)
    assert (waits["outcome"], waits["changed"], len(world.writes())) == ("parked", False, before)
    assert "approve or reject it" in waits["reason"]
    found = world.tell("approve")
    assert (found["changed"], found["acknowledged"]) == (True, False)
    assert "run it again" in found["said"]
    assert world.tell("approve")["changed"] is False
    assert world.start(**PARKED)["outcome"] == "promoted"
    assert world.weights == [50, 50, 100]
    world.assert_home("shop:2")


def test_a_parked_release_that_is_rejected_ends_from_there(world):
    world.start(**PARKED)
    assert world.tell("reject")["outcome"] == "rolled_back"
    world.assert_home("shop:1")


def test_a_release_that_was_parked_for_too_long_goes_back_unless_it_was_approved(world):
    world.start(**PARKED, release_parked_seconds="1h")
    world.seconds += 3601
    result = world.start(**PARKED, release_parked_seconds="1h")
    assert (result["outcome"], "nobody took it up" in result["reason"]) == ("rolled_back", True)
    world.assert_home("shop:1")
    world.start(**PARKED, release_parked_seconds="1h")
    world.tell("approve")
    world.seconds += 3601
    assert world.start(**PARKED, release_parked_seconds="1h")["outcome"] == "promoted"


def test_a_parked_release_keeps_the_share_that_was_stated_and_abort_takes_it(world):
    result = world.start(**PARKED, release_parked_weight=10)
    assert (result["outcome"], result["weight_percent"], [one["weight"] for one in world.route]) == ("parked", 10, [90, 10])
    assert world.tell("abort")["outcome"] == "aborted"
    world.assert_home("shop:1")


@pytest.mark.parametrize("command", ["pause", "resume", "promote", "approve"])
@pytest.mark.parametrize("moment", ["10 %", "  bake  ", "  verify  "])
def test_an_abort_wins_over_everything_that_was_said_before_or_after_it(world, command, moment):
    def both():
        if command != "approve":
            world.tell(command)
        record.ask_abort(world, record.load(world, "eu", "shop"), {"by": "tom", "reason": "stop"})
        with pytest.raises(Refused, match="tom is aborting"):
            world.tell(command)

    world.at[moment] = both
    assert world.start(**BAKED)["outcome"] == "aborted"
    world.assert_home("shop:1")


def test_an_abort_ends_a_pause_and_a_wait_for_people(world):
    runner = world.beside(**APPROVED)
    runner.until("approve-50 waits")
    world.tell("pause", sleep=runner.turn)
    assert world.tell("abort", sleep=runner.turn)["outcome"] == "aborted"
    assert runner.end()["outcome"] == "aborted"
    world.assert_home("shop:1")


@pytest.mark.parametrize(("word", "options"), [("  paused  ", {}), ("while it is paused", {"weight_percent": 0})])
def test_a_pause_outlives_its_runner(world, word, options):
    world.when("50 %", "pause", for_seconds=3000, **options)
    world.killed(word, **BAKED)
    world.when("  paused  ", "resume")
    assert world.start(**BAKED)["outcome"] == "promoted"
    assert world.said("  paused  ")
    assert world.weights[:2] == [10, 50]
    world.assert_home("shop:2")


def test_a_wait_for_people_ends_at_its_time_whoever_runs_it(world):
    world.killed("approve-50 waits", **APPROVED, release_approval_seconds=600)
    world.seconds += 590
    began = world.clock()
    assert world.start(**APPROVED, release_approval_seconds=600)["outcome"] == "parked"
    assert world.clock() - began < 60


def test_a_command_to_a_dead_runner_is_kept_and_obeyed_once_by_the_next(world):
    world.killed("50 %", **BAKED)
    found = world.tell("pause", for_seconds=100, then="resume")
    assert (found["changed"], found["acknowledged"], "its runner is dead" in found["said"]) == (True, False, True)
    assert found["next_commands"] == ["retry", "abort"]
    assert world.tell("pause", for_seconds=100, then="resume")["changed"] is False
    assert world.start(**BAKED)["outcome"] == "promoted"
    assert [command for command, _said in world.log] == ["pause"]
    assert len(world.said("  paused  ")) == 1


def test_a_command_tests_the_epoch_and_is_given_again_to_who_has_taken_over(world):
    world.killed("50 %", **BAKED)

    def taken_over():
        found = world.stored("ConfigMap", "eu", "release-shop")
        found["metadata"]["annotations"]["progressive.delivery/epoch"] += "0"
        world.put(found)

    world.just_before("PATCH", "ConfigMap", taken_over)
    assert world.tell("pause")["changed"]
    assert "pause" in world.stored("ConfigMap", "eu", "release-shop")["metadata"]["annotations"][COMMANDS]


def test_two_commands_at_one_moment_are_both_obeyed_in_their_order(world):
    world.at["10 %"] = lambda: (world.tell("pause"), world.tell("promote", full=True))
    assert world.start(**BAKED)["outcome"] == "promoted"
    assert [command for command, _said in world.log] == ["pause", "promote"]
    assert world.weights == [10, 100]


@pytest.mark.parametrize("command", ["pause", "resume", "promote", "approve", "reject"])
def test_an_ended_release_takes_no_command_and_check_mode_changes_nothing(world, command):
    world.start()
    with pytest.raises(Refused, match="this one is ended"):
        world.tell(command)
    world.start(release_image="shop:3", release_stop_after="weight-10")
    before = len(world.writes())
    for one in ("pause", "promote", "abort"):
        assert world.tell(one, check_mode=True)["changed"] is True
    assert len(world.writes()) == before


def test_the_verbs_that_make_sense_are_told_at_each_moment(world):
    def verbs():
        return next(one for one in native.status(world, "eu"))["next_commands"]

    runner = world.beside(**PARKED)
    runner.until("  deploy  ")
    seen = [verbs()]
    world.tell("pause", sleep=runner.turn)
    seen.append(verbs())
    world.tell("resume", sleep=runner.turn)
    runner.until("approve-50 waits")
    seen.append(verbs())
    runner.end()
    seen.append(verbs())
    world.tell("approve")
    assert native.status(world, "eu")[0]["commands_pending"][0]["step"] == "approve-50"
    assert verbs() == ["retry", "abort"]
    assert [one[0] for one in seen] == ["pause", "resume", "approve", "approve"]
    assert world.start(**PARKED)["outcome"] == "promoted"
    assert verbs() == ["rollback"]
    world.tell("rollback")
    assert verbs() == []
