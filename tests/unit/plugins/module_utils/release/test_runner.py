# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions of the runner that a cluster rarely offers, against a world in memory. The proof on real clusters is made elsewhere."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.ending import PARKED, TurnBack
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE, World


@pytest.fixture
def world():
    return World()


def raising(error):
    def act():
        raise error

    return act


def test_a_good_release_ends_with_stable_on_the_new_version_and_nothing_left_behind(world):
    result = world.start()
    assert (result["outcome"], result["weight_percent"], result["changed"]) == ("promoted", 0, True)
    world.assert_home("shop:2")
    assert record.load(world, "eu", "shop").state.phase == "ended"
    assert world.start()["changed"] is False


def test_a_run_that_lost_the_release_changes_nothing_any_more(world):
    taken = []

    def take_over():
        found = world.stored("VirtualService", "eu", "shop")
        found["metadata"]["annotations"][EPOCH] += "0"
        world.put(found)
        taken.append((world.route, len(world.writes())))

    world.at["50 %"] = take_over
    result = world.start()
    assert result["outcome"] == "aborted"
    ((route, _before),) = taken
    assert world.route == route != [STABLE]
    assert world.image == "shop:1"
    assert "DELETE Deployment/shop-canary" not in world.writes()


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()], ids=["a bug", "Ctrl-C"])
@pytest.mark.parametrize("where", ["10 %", "verify", "promote"])
def test_whatever_is_raised_traffic_returns_first(world, error, where):
    world.at[where] = raising(error)
    with pytest.raises(type(error)):
        world.start()
    world.assert_home("shop:1")
    state = record.load(world, "eu", "shop").state
    assert (state.phase, state.outcome) == ("ended", "rolled_back")


def test_a_runner_that_lost_its_parent_returns_traffic(world):
    world.at["50 %"] = lambda: setattr(world, "stop", "the parent is gone")
    assert world.start()["reason"] == "the parent is gone"
    world.assert_home("shop:1")


def test_an_api_server_that_is_silent_for_a_while_only_delays_a_release(world):
    world.at["shop-canary:"] = lambda: world.silence(40)
    assert world.start()["outcome"] == "promoted"
    assert any("the API server does not answer" in line for line in world.lines)
    world.assert_home("shop:2")


@pytest.mark.parametrize("applied", [True, False])
def test_a_step_whose_write_got_no_answer_runs_again(world, applied):
    world.lose("POST", "Deployment", applied=applied)
    assert world.start()["outcome"] == "promoted"
    assert sum("trying again for" in line for line in world.lines) == 1
    world.assert_home("shop:2")


def test_silence_while_the_template_is_undone_does_not_keep_traffic_from_returning(world):
    def trouble():
        world.at["undo"] = lambda: world.silence(30)
        raise RuntimeError("bug")

    world.at["promote"] = lambda: None
    world.at["takes shop:2 while"] = trouble
    with pytest.raises(RuntimeError):
        world.start()
    world.assert_home("shop:1")


def test_a_route_that_somebody_deletes_ends_the_release_and_gives_the_lease_back(world):
    world.at["50 %"] = lambda: world.objects.pop(("VirtualService", "eu", "shop"))
    result = world.start()
    assert result["outcome"] == "rolled_back"
    assert (world.names("Deployment"), world.names("Lease")) == (["shop"], [])


def test_destinations_that_somebody_edits_end_the_release_and_stay_theirs(world):
    theirs = [{"destination": {"host": "maintenance"}}]

    def edit():
        found = world.stored("VirtualService", "eu", "shop")
        found["spec"]["http"][0]["route"] = copy.deepcopy(theirs)
        world.put(found)

    world.at["10 %"] = edit
    assert "edited" in world.start()["reason"]
    assert world.route == theirs
    assert world.names("Deployment") == ["shop"]


def test_a_template_that_somebody_edits_is_not_overwritten_by_promote(world):
    def edit():
        found = world.stored("Deployment", "eu", "shop")
        found["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:hotfix"
        world.put(found)

    world.at["verify"] = edit
    result = world.start()
    assert result["outcome"] == "rolled_back"
    assert "edited by somebody else" in result["reason"]
    assert world.route == [STABLE]


def test_stop_after_leaves_everything_as_it_is_and_the_next_run_goes_on(world):
    assert world.start(release_stop_after="weight-50")["outcome"] == "running"
    assert [one.get("weight") for one in world.route] == [50, 50]
    world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""
    assert world.start()["outcome"] == "promoted"
    assert sum("shop-canary: 1 pods" in line for line in world.lines) == 1
    world.assert_home("shop:2")


def test_a_changed_plan_is_no_way_to_go_on(world):
    world.start(release_stop_after="weight-10")
    with pytest.raises(Refused, match="steps"):
        world.start(release_steps=[10, 100])
    assert [one.get("weight") for one in world.route] == [90, 10]


def test_a_parked_release_has_no_traffic_keeps_its_twin_and_goes_on_at_its_weight(world):
    world.at["50 %"] = raising(TurnBack("max_hold", "nobody knows", outcome=PARKED))
    assert world.start()["outcome"] == "parked"
    assert (world.route, world.names("Deployment"), world.names("Lease")) == ([STABLE], ["shop", "shop-canary"], [])
    assert world.start()["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_an_abort_request_returns_traffic_and_names_who_asked(world):
    request = {"by": "mia", "reason": "support is burning"}
    world.at["10 %"] = lambda: record.ask_abort(world, record.load(world, "eu", "shop"), request)
    result = world.start()
    assert (result["outcome"], result["reason"]) == ("aborted", "aborted by mia: support is burning")
    world.assert_home("shop:1")


def test_a_patient_rollback_survives_an_api_server_that_answers_nothing_for_minutes(world):
    def trouble():
        world.silence(200)
        raise TurnBack("errors", "too many errors")

    world.at["50 %"] = trouble
    assert world.start()["outcome"] == "rolled_back"
    world.assert_home("shop:1")


def test_a_record_that_somebody_deletes_does_not_keep_traffic_on_the_canary(world):
    world.at["10 %"] = lambda: world.objects.pop(("ConfigMap", "eu", "release-shop"))
    world.start()
    assert world.route == [STABLE]


def test_trouble_while_tidying_up_does_not_undo_a_finished_promotion(world):
    world.refuse("DELETE", "Service", Rejected("forbidden"))
    world.start()
    assert world.image == "shop:2"
