# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What befalls a release through Flagger: runners and controllers that die, others' edits, objects and kinds that are deleted."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_flagger import FlaggerWorld, refusal


@pytest.fixture
def world():
    return FlaggerWorld()


def test_the_next_run_goes_on_watching_what_flagger_did_meanwhile(world):
    world.begin_and_die()
    world.sleep(35)
    assert world.status()["phase"] == "running"
    found = world.release()
    assert (found["outcome"], world.primary_image) == ("promoted", "shop:2")


def test_an_ending_without_a_runner_is_told_and_noted_by_retry(world):
    world.bad = {"shop:2"}
    world.begin_and_die()
    world.sleep(120)
    told = world.status()
    assert any("Failed" in one for one in told["warnings"])
    assert told["next_commands"] == ["retry"]
    assert world.command("retry")["outcome"] == "rolled_back"
    world.assert_returned()


def test_a_dead_controller_is_told(world):
    world.begin_and_die()
    world.alive = False
    world.sleep(300)
    told = engines.ENGINES["flagger"].summary(world, record.load(world, "eu", "shop"), now=world.clock())
    assert "was not heard of" in told["warnings"][0]


def test_a_canary_that_was_resumed_just_now_has_no_silent_controller(world):
    world.begin_and_die()
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
    world.begin_and_die()
    delete_with_what_it_owned(world)
    assert world.command(verb)["changed"]
    assert_serves_itself(world)
    assert world.status()["outcome"] == "aborted"


def test_a_release_whose_canary_is_gone_is_not_forgotten_before_its_target_serves(world):
    world.begin_and_die()
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
    world.begin_and_die()
    hold_by_another(world)
    found = world.command("retry")
    assert (found["changed"], found["said"]) == (False, "its runner is alive and goes on with it")


def test_what_flagger_ended_unseen_is_noted_by_retry_and_no_verb_leads_in_a_circle(world):
    world.begin_and_die()
    world.sleep(200)
    assert world.phase == "Succeeded"
    for verb in ("abort", "rollback"):
        assert "retry notes" in refusal(lambda one=verb: world.command(one))
    assert world.command("retry")["outcome"] == "promoted"
    assert world.command("rollback")["outcome"] == "promoted"
    assert world.primary_image == "shop:1"


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
