# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases through Flagger from start to ending, against a double of its scheduler; each verb once in the midst of one."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_flagger import GIVEN, FlaggerWorld, refusal


@pytest.fixture
def world():
    return FlaggerWorld()


def test_a_good_version_is_promoted(world):
    found = world.release()
    assert (found["outcome"], found["changed"], found["engine"]) == ("promoted", True, "flagger")
    assert found["serves"] == "Deployment/shop-primary"
    assert (world.primary_image, world.phase) == ("shop:2", "Succeeded")
    assert [one["name"] for one in found["steps"]] == ["weight-25", "weight-100"]
    assert world.names("Lease") == []


def test_the_same_version_again_changes_nothing(world):
    world.release()
    before = len(world.writes())
    found = world.release()
    assert (found["changed"], found["outcome"]) == (False, "promoted")
    assert len(world.writes()) == before


def test_a_bad_version_goes_back_with_flaggers_own_words(world):
    world.bad = {"shop:2"}
    found = world.release()
    assert found["outcome"] == "rolled_back"
    assert "errors 5.20 > 1" in found["reason"]
    evidence = found["evidence"]["flagger"]
    assert (evidence["metric"], evidence["value"], evidence["limit"]) == ("errors", "5.20", "1")
    world.assert_returned()


def test_a_bad_version_can_be_released_again_after_it_is_mended(world):
    world.bad = {"shop:2"}
    world.release()
    world.bad = set()
    assert world.command("retry")["outcome"] == "promoted"
    assert world.primary_image == "shop:2"


def test_two_releases_one_after_the_other(world):
    world.release()
    assert world.release(release_image="shop:3")["outcome"] == "promoted"
    assert world.primary_image == "shop:3"


def test_pause_holds_the_canary_and_resume_lets_it_go_on(world):
    seen = {}

    def pause():
        first = world.command("pause", release_reason="lunch")
        seen["again"] = world.command("pause")
        seen["paused"] = world.status()["paused"]
        seen["changed"] = first["changed"]
        world.at["pause "] = lambda: seen.update(resumed=world.command("resume"))

    world.when("Progressing", pause)
    assert world.release()["outcome"] == "promoted"
    assert (seen["changed"], seen["again"]["changed"]) == (True, False)
    assert set(seen["paused"]) == {"by", "reason", "then", "to_zero", "since", "until"}
    assert seen["paused"]["by"] == "mia"
    assert seen["paused"]["since"] < seen["paused"]["until"]
    assert seen["resumed"]["changed"]
    assert [one["command"] for one in world.status()["commands"]] == ["pause", "resume"]


def test_a_pause_that_nobody_ends_does_what_it_was_told(world):
    world.when("Progressing", lambda: world.command("pause", for_seconds="30s", then="roll_back"))
    found = world.release()
    assert (found["outcome"], "in time" in found["reason"]) == ("rolled_back", True)
    world.assert_returned()


def test_promote_in_full_skips_the_analysis_and_leaves_it_on_for_the_next(world):
    world.bad = {"shop:2"}
    seen = []
    world.when("Progressing", lambda: seen.extend(world.command("promote", full=True)["changed"] for _again in range(2)))
    assert world.release()["outcome"] == "promoted"
    assert seen == [True, False]
    assert not world.canary["spec"].get("skipAnalysis")
    assert world.release(release_image="shop:3")["outcome"] == "promoted"
    assert any("shop:3 serves" in line for line in world.lines)


def test_promote_of_one_weight_is_refused_with_what_there_is(world):
    said = {}
    world.when("Progressing", lambda: said.update(text=refusal(lambda: world.command("promote"))))
    world.release()
    assert "full: true" in said["text"]


@pytest.mark.parametrize("phase", ["Progressing", "WaitingPromotion", "Promoting", "Finalising", "Suspended"])
def test_abort_returns_traffic_in_every_phase_while_the_runner_lives(world, phase):
    approve = {"release_approve": ["promote"]} if phase == "WaitingPromotion" else {}
    if phase == "Suspended":
        world.when("Progressing", lambda: world.command("pause"))
    world.when(phase, lambda: record.ask_abort(world, record.load(world, "eu", "shop"), {"by": "mia", "reason": "support"}))
    found = world.release(**approve)
    assert (found["outcome"], found["reason"]) == ("aborted", "aborted by mia: support")
    world.assert_returned()


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("phase", ["Progressing", "Promoting"])
def test_abort_needs_neither_runner_nor_controller(world, phase, alive):
    world.begin_and_die(phase)
    world.alive = alive
    found = world.command("abort", release_reason="support")
    assert (found["outcome"], found["changed"]) == ("aborted", True)
    world.assert_returned()
    assert world.command("abort")["changed"] is False
    world.alive = True
    world.sleep(60)
    world.assert_returned()


@pytest.mark.parametrize("verb", ["abort", "reject"])
def test_what_is_ended_before_the_primary_is_ready_leaves_a_target_that_serves_itself(world, verb):
    world.room = False
    world.begin_and_die("Initializing", release_approve=["promote"])
    began = world.seconds
    found = world.command(verb)
    assert "Canary shop stays suspended until the next release" in found["reason"]
    assert world.seconds - began < 60
    world.sleep(600)
    assert world.stored("Deployment", "eu", "shop")["spec"]["replicas"] == 4
    assert world.phase == "Initializing"
    world.room = True
    world.when("WaitingPromotion", lambda: world.command("approve"))
    assert world.command("retry")["outcome"] == "promoted"
    assert not world.canary["spec"].get("suspend")


def test_a_tick_that_had_begun_before_the_abort_moves_nothing_for_good(world):
    world.begin_and_die()

    def late():
        world._write_route(world.canary, 50)

    world.just_before("PATCH", "Deployment", late)
    world.command("abort")
    world.assert_returned()
    assert any("moved it once more" in line for line in world.lines)


def test_the_deadline_returns_traffic(world):
    world.when("Progressing", lambda: world.command("pause"))
    found = world.release(release_deadline_seconds=100)
    assert (found["outcome"], "release_deadline_seconds" in found["reason"]) == ("rolled_back", True)
    world.assert_returned()


def test_a_runner_that_is_to_stop_returns_traffic(world):
    world.when("Progressing", lambda: setattr(world, "stop", "the parent is gone"))
    found = world.release()
    assert (found["outcome"], found["reason"]) == ("aborted", "the parent is gone")
    world.assert_returned()


def test_a_release_that_has_ended_says_so_to_every_verb(world):
    world.bad = {"shop:2"}
    world.release()
    assert world.command("abort")["said"] == "it has ended: rolled_back"
    for verb in ("pause", "resume", "promote", "approve", "reject"):
        assert "this one has ended: rolled_back" in refusal(lambda one=verb: world.command(one))


def test_rollback_brings_the_earlier_version_back_without_analysis(world):
    world.release()
    world.bad = {"shop:1"}
    found = world.command("rollback")
    assert (found["outcome"], world.primary_image) == ("promoted", "shop:1")
    assert not world.canary["spec"].get("skipAnalysis")
    assert world.command("rollback")["changed"] is False


def test_cleanup_forgets_the_release_and_keeps_what_serves(world):
    world.release()
    assert world.command("cleanup")["changed"]
    assert world.canary is not None
    assert world.names("ConfigMap") == []
    assert "there is: none" in refusal(lambda: world.command("pause"))


def test_cleanup_is_refused_while_traffic_is_away(world):
    world.begin_and_die()
    assert "abort it first" in refusal(lambda: world.command("cleanup"))


def test_another_plan_is_refused_while_one_is_unfinished(world):
    world.begin_and_die()
    assert "the plan that release" in refusal(lambda: world.release(release_image="shop:3"))


def test_check_mode_shows_every_object_and_stores_nothing(world):
    found = engines.start(world, parse(GIVEN), world.caller, check_mode=True)
    assert [one["after_header"] for one in found["diff"]] == ["Canary/shop", "Deployment/shop"]
    assert world.writes() == []


def test_a_canary_that_is_never_made_ready_ends_with_what_flagger_says(world):
    world.alive = False
    found = world.release(release_ready_timeout_seconds=60)
    assert (found["outcome"], "is its controller running" in found["reason"]) == ("aborted", True)
    assert (world.image, world.stored("Deployment", "eu", "shop")["spec"]["replicas"]) == ("shop:1", 4)
