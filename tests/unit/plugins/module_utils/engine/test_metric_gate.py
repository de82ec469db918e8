# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb metric_gate against a shop in memory: what it decides, what it restores, and how evidence goes from task to task."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.pod_source import PodSource
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_canary import Canary, after, refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE

MIRRORS = [{"destination": {"host": "shop-canary"}, "percentage": {"value": 20.0}}]


def test_a_good_canary_advances_and_nothing_is_written():
    world = Canary()
    result = world.run(next_weight=25)
    assert (result["changed"], result["verdict"], result["cause"], result["weight_percent"]) == (False, "advance", "certified", 10)
    assert "certainty" in result["reason"] and result["evidence"]["gates"]["errors"]["certified"]
    assert (result["retry_after"], result["restored"]) == (None, False)
    assert "25 %" in result["next"] and result["looks"] >= 1
    assert world.writes() == []


def test_where_an_advance_leads_says_how_certain_it_must_be():
    weak, full = Canary().run(next_weight=11), Canary().run()
    assert weak["seconds"] < full["seconds"] / 2


def test_a_bad_canary_is_reported_with_the_command_that_sends_everybody_home():
    world = Canary(failing=0.5)
    result = world.run(kubeconfig="/eu.conf")
    assert (result["changed"], result["verdict"], result["weight_percent"], result["restored"]) == (False, "roll_back", 10, False)
    assert "stable's" in result["reason"]
    command = result["next"].partition("-a '")[2].rstrip("'")
    home = {"namespace": "eu", "service": "shop", "provider": "istio", "canary": "shop-canary", "kubeconfig": "/eu.conf"}
    assert json.loads(command) == home
    assert world.writes() == []


def test_a_bad_canary_has_lost_its_traffic_before_the_task_ends():
    world = Canary(failing=0.5)
    world.shift(10, mirrors=MIRRORS)
    began = world.seconds
    result = world.run(on_violation="restore")
    assert (result["changed"], result["verdict"], result["weight_percent"], result["restored"]) == (True, "roll_back", 0, True)
    assert (world.route, world.patched) == ([STABLE], ["PATCH VirtualService/shop"])
    assert "mirrors" not in world.stored("VirtualService", "eu", "shop")["spec"]["http"][0]
    assert world.seconds - began <= 4
    assert any("100 % stable" in line for line in world.lines)


def test_fail_on_fails_the_task_with_the_same_result():
    result = Canary(failing=0.5).run(fail_on=["roll_back"])
    assert (result["failed"], result["verdict"]) == (True, "roll_back")
    assert result["msg"] == f"roll_back: {result['reason']}"
    assert "failed" not in Canary().run(fail_on=["roll_back", "inconclusive", "hold"])


def test_a_canary_whose_counters_fall_silent_is_never_taken_for_a_good_one():
    world = Canary()
    world.mute = True
    result = world.run(no_data_seconds="20", on_violation="restore")
    assert (result["verdict"], result["cause"], result["changed"]) == ("inconclusive", "no_data", False)
    assert "no pod of canary answers" in result["reason"] and "mend where the counters are read" in result["next"]
    assert world.writes() == [] and 20 <= result["seconds"] < 30
    assert len([line for line in world.lines if "  hold " in line]) <= 3


def test_too_few_requests_end_inconclusive_after_the_longest_hold():
    world = Canary(weight=0)
    world.share = 0.0001
    result = world.run(weight=1, max_hold_seconds="30")
    assert (result["verdict"], result["cause"]) == ("inconclusive", "max_hold")


def test_the_least_time_is_kept_however_good_it_is():
    assert Canary().run(min_seconds="2m")["seconds"] >= 120


# -- over several tasks


def test_pieces_of_a_step_add_up_to_the_whole():
    whole = Canary().run()
    world, state, results = Canary(), None, []
    while not results or results[-1]["verdict"] == "hold":
        results.append(world.run(timeout_seconds="5", evidence_state=state))
        state = json.loads(json.dumps(results[-1]["evidence_state"]))
        world.sleep(600)  # somebody drinks coffee: that is neither watched nor lost
    assert [one["verdict"] for one in results[:-1]] == ["hold"] * (len(results) - 1) and len(results) > 3
    assert results[-1]["verdict"] == "advance"
    assert 0 < results[0]["retry_after"] <= whole["seconds"]
    assert results[0]["next"] == "run the gate again with evidence_state of this result"
    assert sum(one["seconds"] for one in results) == pytest.approx(whole["seconds"], abs=len(results) + 1)
    looked = [one["evidence"]["gates"]["errors"]["canary"]["requests"] for one in results]
    assert looked == sorted(looked) and looked[-1] >= 300
    assert [one["looks"] for one in results] == sorted(one["looks"] for one in results)


def test_evidence_goes_on_at_another_weight():
    world = Canary()
    tenth = world.run(next_weight=25)
    world.shift(25)
    fresh, known = world.run(), world.run(evidence_state=tenth["evidence_state"])
    assert known["seconds"] < fresh["seconds"]
    assert known["evidence"]["gates"]["errors"]["canary"]["requests"] >= 300


def test_errors_of_an_earlier_task_are_not_forgotten():
    world = Canary(failing=0.05)
    first = world.run(timeout_seconds="3")
    assert first["verdict"] == "hold"
    events = first["evidence_state"]["judges"]["sequential"]["state"]["gates"][0]["canary"][1]
    second = world.run(timeout_seconds="2", evidence_state=first["evidence_state"])
    assert second["evidence"]["gates"]["errors"]["canary"]["events"] >= events > 0


def test_evidence_about_something_else_is_refused():
    world = Canary()
    state = world.run()["evidence_state"]
    other = [{"name": "errors", "error_rate": {"max": "2%"}}]
    assert "gates was errors with their limits" in refused(world, gates=other, evidence_state=state)["evidence_state"]
    found = world.stored("Deployment", "eu", "shop-canary")
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:3"
    world.put(found)
    assert "images was [['shop:1'], ['shop:2']], now" in refused(world, evidence_state=state)["evidence_state"]
    assert "as it was returned" in refused(world, evidence_state={"version": 1})["evidence_state"]
    world = Canary()
    assert "as it was returned" in refused(world, evidence_state={**state, "judges": {"sequential": {}}})["evidence_state"]


# -- who says stop


@pytest.mark.parametrize("restores", [True, False])
def test_a_task_whose_parent_is_gone_ends_within_a_second_and_restores_where_it_is_told_to(restores):
    world = Canary()
    after(world, 3, lambda: setattr(world, "stop", "the process that started the runner is gone"))
    began = world.seconds
    result = world.run(interval_seconds="60", on_violation="restore" if restores else "report")
    assert (result["verdict"], result["cause"], result["restored"]) == ("inconclusive", "runner_stopped", restores)
    assert world.seconds - began <= 4.5
    assert (world.route == [STABLE]) is restores


def test_whatever_is_raised_traffic_returns_first(monkeypatch):
    world = Canary()

    def out_of_time(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(PodSource, "poll", out_of_time)
    with pytest.raises(KeyboardInterrupt):
        world.run(on_violation="restore")
    assert world.route == [STABLE]


def test_somebody_else_s_change_of_the_route_ends_the_judging_and_stays():
    world = Canary()
    after(world, 5, lambda: world.shift(40))
    result = world.run(min_seconds="300", on_violation="restore")
    assert (result["verdict"], result["cause"], result["changed"]) == ("inconclusive", "route_changed", False)
    assert "10 %, now 40 %" in result["reason"]
    assert world.route[1]["weight"] == 40


def test_no_version_advances_on_a_route_that_was_just_changed():
    world = Canary()
    after(world, 1, lambda: world.shift(0))
    world.asked_of["shop-canary"] = 5.0
    assert world.run(max_hold_seconds="60")["cause"] == "route_changed"


def test_a_route_that_is_gone_is_a_changed_one():
    world = Canary()
    after(world, 5, lambda: world.objects.pop(("VirtualService", "eu", "shop")))
    assert "now it is gone" in world.run(min_seconds="300")["reason"]


def test_an_api_server_that_does_not_answer_is_asked_until_it_does():
    world = Canary(failing=0.5)
    world.at["ROLL BACK"] = lambda: world.silence(60)
    result = world.run(on_violation="restore")
    assert (result["restored"], world.route) == (True, [STABLE])
    assert any("trying again until it does" in line for line in world.lines)


def test_a_lost_answer_is_settled_by_reading():
    world = Canary(failing=0.5)
    world.lose("PATCH", "VirtualService", applied=True)
    result = world.run(on_violation="restore")
    assert (result["restored"], result["changed"], world.route) == (True, True, [STABLE])


def test_a_route_that_cannot_be_restored_fails_the_task_with_the_verdict_and_the_command():
    world = Canary(failing=0.5)
    world.at["ROLL BACK"] = lambda: world.objects.pop(("VirtualService", "eu", "shop"))
    result = world.run(on_violation="restore")
    assert (result["failed"], result["verdict"], result["restored"], result["weight_percent"]) == (True, "roll_back", False, 10)
    assert "could not be restored" in result["msg"] and "ansible localhost -m progressive.delivery.traffic" in result["msg"]


def test_traffic_waits_for_a_stable_without_ready_pods_while_the_canary_has_some():
    world = Canary(failing=0.5)

    def restart():
        found = world.stored("Deployment", "eu", "shop")
        world.put({**found, "spec": {**found["spec"], "replicas": 0}})
        after(world, 30, lambda: world.put(found))

    world.at["ROLL BACK"] = restart
    began = world.seconds
    assert world.run(on_violation="restore")["restored"]
    assert 30 <= world.seconds - began < 60
    assert any("no ready endpoint" in line for line in world.lines)
