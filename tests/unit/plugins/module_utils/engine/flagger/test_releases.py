# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases through Flagger from start to ending, against a double of its scheduler; each verb once in the midst of one."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_flagger import GIVEN, FlaggerWorld


@pytest.fixture
def world():
    return FlaggerWorld()


def refusal(action):
    with pytest.raises(Refused) as caught:
        action()
    return str(caught.value)


class Died(BaseException):
    """The runner's own death: nothing of it runs any more."""


def die(world):
    """End the runner without a word: no write of it arrives any more."""

    def gone():
        request = world.request

        def deaf(*args, **more):
            raise Died

        world.request = deaf
        world.after_death = lambda: setattr(world, "request", request)
        raise Died

    return gone


def begin_and_die(world, phase="Progressing", **changed):
    """A release whose runner dies when it sees a phase."""
    world.when(phase, die(world))
    with pytest.raises(Died):
        world.release(**changed)
    world.after_death()
    for lease in world.names("Lease"):
        world.objects["Lease", "eu", lease]["spec"]["holderIdentity"] = "gone/1/1"


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
    begin_and_die(world, phase)
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
    begin_and_die(world, "Initializing", release_approve=["promote"])
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
    begin_and_die(world)

    def late():
        world._write_route(world.canary, 50)

    world.just_before("PATCH", "Deployment", late)
    world.command("abort")
    world.assert_returned()
    assert any("moved it once more" in line for line in world.lines)


def test_the_next_run_goes_on_watching_what_flagger_did_meanwhile(world):
    begin_and_die(world)
    world.sleep(35)
    assert world.status()["phase"] == "running"
    found = world.release()
    assert (found["outcome"], world.primary_image) == ("promoted", "shop:2")


def test_an_ending_without_a_runner_is_told_and_noted_by_retry(world):
    world.bad = {"shop:2"}
    begin_and_die(world)
    world.sleep(120)
    told = world.status()
    assert any("Failed" in one for one in told["warnings"])
    assert told["next_commands"] == ["retry"]
    assert world.command("retry")["outcome"] == "rolled_back"
    world.assert_returned()


def test_a_dead_controller_is_told(world):
    begin_and_die(world)
    world.alive = False
    world.sleep(300)
    told = engines.ENGINES["flagger"].summary(world, record.load(world, "eu", "shop"), now=world.clock())
    assert "was not heard of" in told["warnings"][0]


def test_a_canary_that_was_resumed_just_now_has_no_silent_controller(world):
    begin_and_die(world)
    world.alive = False
    world.sleep(300)
    one = world.canary
    one["metadata"]["managedFields"] = [{"manager": "mia", "time": world._stamp()}]
    world.put(one)
    world.sleep(20)
    assert engines.ENGINES["flagger"].summary(world, record.load(world, "eu", "shop"), now=world.clock())["warnings"] == []


def test_prometheus_out_of_reach_is_told_and_is_the_reason(world):
    world.online = False
    found = world.release()
    assert (found["outcome"], "Metric query failed" in found["reason"]) == ("rolled_back", True)
    assert any("Flagger gets no answer from Prometheus" in line for line in world.lines)


def test_a_suspension_by_somebody_else_is_told_and_ended_by_resume(world):
    def suspend():
        one = world.canary
        one["spec"]["suspend"] = True
        world.put(one)

    def resume():
        assert "somebody else suspended Canary shop" in world.status()["warnings"][0]
        assert (world.status()["paused"], world.status()["next_commands"]) == (None, ["resume", "abort"])
        assert world.command("resume")["changed"]

    world.when("Progressing", suspend)
    world.at["warning    somebody else suspended"] = resume
    assert world.release()["outcome"] == "promoted"
    assert world.status()["warnings"] == []


def test_somebody_elses_edit_is_told(world):
    def edit():
        one = world.canary
        one["spec"]["analysis"]["threshold"] = 9
        world.put(one)

    world.when("Progressing", edit)
    world.release()
    assert any("somebody else changed Canary shop: spec.analysis.threshold" in line for line in world.lines)


def test_a_deleted_canary_is_told_and_ends_the_release(world):
    world.when("Progressing", lambda: world.objects.pop(("Canary", "eu", "shop")))
    found = world.release()
    assert (found["outcome"], "was deleted" in found["reason"]) == ("aborted", True)
    assert "was deleted" in world.status()["warnings"][0]


def delete_with_what_it_owned(world):
    """What Kubernetes does with a Canary's objects; the Service is the user's, with the selector that Flagger gave it."""
    service = world.stored("Service", "eu", "shop")
    service["spec"]["selector"] = {"app": "shop-primary"}
    world.put(service)
    for kind, name in (("Canary", "shop"), ("Deployment", "shop-primary")):
        world.objects.pop((kind, "eu", name))


def assert_serves_itself(world):
    shop = world.stored("Deployment", "eu", "shop")
    assert (shop["spec"]["replicas"], world.image) == (4, "shop:1")
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop"}
    assert world.route == [{"destination": {"host": "shop"}, "weight": 100}]


def test_a_canary_that_is_deleted_with_its_primary_leaves_a_workload_that_serves_itself(world):
    world.when("Progressing", lambda: delete_with_what_it_owned(world))
    found = world.release()
    assert found["outcome"] == "aborted"
    assert "shop serves itself again with 4 pods; Service shop leads to them; VirtualService shop leads to Service shop" in found["reason"]
    assert_serves_itself(world)


@pytest.mark.parametrize("verb", ["abort", "retry"])
def test_a_verb_does_it_where_no_runner_was_there(world, verb):
    begin_and_die(world)
    delete_with_what_it_owned(world)
    assert world.command(verb)["changed"]
    assert_serves_itself(world)
    assert world.status()["outcome"] == "aborted"


def test_a_release_whose_canary_is_gone_is_not_forgotten_before_its_target_serves(world):
    begin_and_die(world)
    delete_with_what_it_owned(world)
    assert "abort it first" in refusal(lambda: world.command("cleanup"))
    world.command("abort")
    assert world.command("cleanup")["changed"]
    assert_serves_itself(world)


def hold_by_another(world):
    """A runner elsewhere, which renews its Lease each second."""
    sleep = world.sleep

    def renewing(seconds):
        sleep(seconds)
        for name in world.names("Lease"):
            world.objects["Lease", "eu", name]["spec"]["renewTime"] = str(world.clock())

    world.sleep = renewing


def test_retry_leaves_a_release_to_the_runner_elsewhere_that_lives(world):
    begin_and_die(world)
    hold_by_another(world)
    found = world.command("retry")
    assert (found["changed"], found["said"]) == (False, "its runner is alive and goes on with it")


def test_what_flagger_ended_unseen_is_noted_by_retry_and_no_verb_leads_in_a_circle(world):
    begin_and_die(world)
    world.sleep(200)
    assert world.phase == "Succeeded"
    for verb in ("abort", "rollback"):
        assert "retry notes" in refusal(lambda one=verb: world.command(one))
    assert world.command("retry")["outcome"] == "promoted"
    assert world.command("rollback")["outcome"] == "promoted"
    assert world.primary_image == "shop:1"


def test_a_release_that_has_ended_says_so_to_every_verb(world):
    world.bad = {"shop:2"}
    world.release()
    assert world.command("abort")["said"] == "it has ended: rolled_back"
    for verb in ("pause", "resume", "promote", "approve", "reject"):
        assert "this one has ended: rolled_back" in refusal(lambda one=verb: world.command(one))


def test_the_next_release_makes_the_canary_anew(world):
    world.when("Progressing", lambda: delete_with_what_it_owned(world))
    world.release()
    assert world.command("retry")["outcome"] == "promoted"
    assert world.primary_image == "shop:2"


def test_what_went_with_the_canary_is_named(world):
    def delete():
        delete_with_what_it_owned(world)
        for kind in ("Service", "VirtualService"):
            world.objects.pop((kind, "eu", "shop"))

    world.when("Progressing", delete)
    reason = world.release()["reason"]
    assert "Service shop went with the Canary: make it again" in reason
    assert "VirtualService shop went with the Canary: make it again, so that it leads to Service shop" in reason


@pytest.mark.parametrize("left", [[], ["metrictemplates", "alertproviders"]])
def test_a_kind_that_was_removed_is_told_even_where_flaggers_others_stay(world, left):
    def remove():
        world.objects.pop(("Canary", "eu", "shop"))
        world.kinds = left

    world.when("Progressing", remove)
    assert world.release()["outcome"] == "aborted"
    assert world.status()["warnings"] == [
        "the cluster knows no canaries of flagger.app/v1beta1 any more: Flagger's kind was removed, and all Canaries with it"
    ]


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
    begin_and_die(world)
    assert "abort it first" in refusal(lambda: world.command("cleanup"))


def test_another_plan_is_refused_while_one_is_unfinished(world):
    begin_and_die(world)
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
