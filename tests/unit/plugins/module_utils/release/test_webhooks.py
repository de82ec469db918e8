# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks while a release runs: when each type is asked, what a refusal does, what is left in the record."""

import hashlib
import hmac
import json
import threading
import time

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import asking, record, webhook_client
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_hooks import HookedWorld, Receiver
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, STABLE


@pytest.fixture
def world():
    return HookedWorld()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def names(world):
    return [step["name"] for step in world.state["steps"]]


def test_each_type_is_asked_at_its_moment_with_flaggers_message(world, receiver):
    kinds = ("confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout", "event")
    result = world.release(*(receiver.hook(kind, metadata={"team": "shop"}) for kind in kinds))
    assert result["outcome"] == "promoted"
    assert names(world) == [
        "validate", "confirm-rollout", "deploy", "pre-rollout", "confirm-weight-10", "weight-10", "agree-weight-50", "confirm-weight-50",
        "weight-50", "agree-weight-100", "confirm-weight-100", "weight-100", "verify", "agree-promotion", "confirm-promotion", "promote", "clean_up",
    ]  # fmt: skip
    counts = {kind: len(receiver.seen[f"{kind}/gate"]) for kind in kinds[:-1]}
    assert counts == {**dict.fromkeys(kinds[:-1], 1), "confirm-traffic-increase": 3, "rollout": 3}
    ((headers, _body),) = receiver.seen["pre-rollout/gate"]
    assert (headers["Content-Type"], headers["X-Webhook-Type"], headers["X-Release-Id"]) == (
        "application/json",
        "pre-rollout",
        result["release_id"],
    )
    (asked,) = receiver.bodies("pre-rollout/gate")
    (told,) = receiver.bodies("post-rollout/gate")
    assert asked == {"name": "shop", "namespace": "eu", "phase": "Progressing", "checksum": asked["checksum"], "metadata": {"team": "shop"}}
    assert told == {**asked, "phase": "Succeeded"}
    assert len(asked["checksum"]) == 10
    world.assert_home("shop:2")


def test_a_message_without_metadata_has_no_such_field_and_its_body_is_signed(world, receiver):
    assert (
        world.release(receiver.hook("pre-rollout", hmac={"secret": "s3cr3t-key", "header": "X-Hub-Signature-256"}))["outcome"] == "promoted"
    )
    ((headers, body),) = receiver.seen["pre-rollout/gate"]
    assert headers["X-Hub-Signature-256"] == "sha256=" + hmac.new(b"s3cr3t-key", body.encode(), hashlib.sha256).hexdigest()
    assert sorted(json.loads(body)) == ["checksum", "name", "namespace", "phase"]


def test_nothing_is_created_until_a_rollout_is_confirmed(world, receiver):
    receiver.answers["confirm-rollout/gate"] = [(403, "not before nine"), (403, "not before nine"), (202, "")]
    deployments = []
    receiver.acts["confirm-rollout/gate"] = lambda: deployments.append(world.names("Deployment"))
    began = world.clock()
    assert world.release(receiver.hook("confirm-rollout", interval="30s"))["outcome"] == "promoted"
    assert deployments == [["shop"]] * 3
    assert [one["phase"] for one in receiver.bodies("confirm-rollout/gate")] == ["Progressing", "Waiting", "Waiting"]
    assert world.clock() - began > 60
    assert sum("it answered 403: not before nine (asked again every 30 s" in line for line in world.lines) == 1
    (answer,) = world.state["webhooks"]["answers"]
    assert (answer["times"], answer["said"].partition(": it ")[0]) == (
        2,
        f"confirm-rollout gate: POST to http://127.0.0.1:{receiver.server_port}",
    )


def test_a_confirmation_that_never_comes_ends_the_release_or_parks_it(world, receiver):
    receiver.answers["confirm-promotion/gate"] = [(403, "halt")]
    result = world.release(receiver.hook("confirm-promotion", deadline="1m"))
    assert result["outcome"] == "rolled_back"
    assert result["reason"].endswith("it answered 403: halt; it did not agree within 60 s")
    assert len(receiver.seen["confirm-promotion/gate"]) == 7
    world.assert_home("shop:1")
    other = HookedWorld()
    parked = receiver.hook("confirm-promotion", deadline="1m", on_deadline="park")
    assert other.release(parked)["outcome"] == "parked"
    assert (other.route, other.state["phase"], other.state["weight_percent"]) == ([STABLE], "parked", 0)
    receiver.answers["confirm-promotion/gate"] = [(200, "")]
    assert other.release(parked)["outcome"] == "promoted"
    other.assert_home("shop:2")


def test_a_release_that_waits_for_a_confirmation_is_not_stuck(world, receiver):
    receiver.answers["confirm-promotion/gate"] = [(403, "wait")] * 5 + [(200, "")]
    began = world.clock()
    assert world.release(receiver.hook("confirm-promotion", interval="10m"), release_stuck_seconds=600)["outcome"] == "promoted"
    assert world.clock() - began > 3000


def test_the_time_of_a_pause_is_not_the_deadlines(world, receiver):
    receiver.answers["confirm-promotion/gate"] = [(403, "wait"), (403, "wait"), (200, "")]
    world.when("it answered 403: wait", "pause", for_seconds="20m", then="resume")
    began = world.clock()
    assert world.release(receiver.hook("confirm-promotion", interval="30s", deadline="1m"))["outcome"] == "promoted"
    assert world.clock() - began > 1200
    assert world.has_said("paused")


def test_each_rise_is_confirmed_before_it(world, receiver):
    receiver.answers["confirm-traffic-increase/gate"] = [(200, ""), (500, "wait"), (200, "")]
    routes = []
    receiver.acts["confirm-traffic-increase/gate"] = lambda: routes.append([one.get("weight") for one in world.route])
    assert world.release(receiver.hook("confirm-traffic-increase"))["outcome"] == "promoted"
    assert routes == [[None], [90, 10], [90, 10], [50, 50]]


def test_a_refusal_before_the_first_traffic_ends_the_release_without_it(world, receiver):
    receiver.answers["pre-rollout/gate"] = [(500, "3 of 9 tests failed")]
    result = world.release(receiver.hook("pre-rollout"), receiver.hook("post-rollout"))
    assert result["outcome"] == "rolled_back"
    assert result["reason"].startswith("nothing was switched: pre-rollout gate: POST to http://127.0.0.1:")
    assert result["reason"].endswith("it answered 500: 3 of 9 tests failed")
    assert result["evidence"]["status"] == 500
    assert "weight-10" not in names(world)
    assert [one["phase"] for one in receiver.bodies("post-rollout/gate")] == ["Failed"]
    world.assert_home("shop:1")


def test_what_agreed_before_the_first_traffic_is_not_asked_again_by_the_next_runner(world, receiver):
    hooks = [receiver.hook("pre-rollout", "first"), receiver.hook("pre-rollout", "second")]
    world.killed("pre-rollout first agrees", release_webhooks=hooks)
    assert world.release(*hooks)["outcome"] == "promoted"
    assert [len(receiver.seen[f"pre-rollout/{one}"]) for one in ("first", "second")] == [1, 1]
    other = HookedWorld()
    receiver.seen.clear()
    other.killed("weight ", release_webhooks=hooks)
    assert other.release(*hooks)["outcome"] == "promoted"
    assert [len(receiver.seen[f"pre-rollout/{one}"]) for one in ("first", "second")] == [1, 1]


def test_a_rollout_webhook_that_refuses_holds_the_weight_and_returns_traffic_at_its_threshold(world, receiver):
    receiver.answers["rollout/gate"] = [(200, ""), (503, "errors are up")]
    result = world.release(receiver.hook("rollout", threshold=3, interval="20s"))
    assert result["outcome"] == "rolled_back"
    assert result["reason"].endswith("it answered 503: errors are up (refusal 3 of 3)")
    assert names(world)[-1] == "agree-weight-100"
    assert world.state["webhooks"]["refusals"] == {"gate": 3}
    assert sum("errors are up (refusal" in line and " hold " in line for line in world.lines) == 2
    world.assert_home("shop:1")


def test_refusals_are_counted_over_the_whole_release_also_by_the_next_runner(world, receiver):
    receiver.answers["rollout/gate"] = [(500, "no")]
    hook = receiver.hook("rollout", threshold=3)
    world.killed("refusal 2 of 3", release_webhooks=[hook])
    result = world.release(hook)
    assert (result["outcome"], len(receiver.seen["rollout/gate"])) == ("rolled_back", 3)
    assert "refusal 3 of 3" in result["reason"]


def test_a_rollout_webhook_that_agrees_again_lets_the_weight_rise(world, receiver):
    receiver.answers["rollout/gate"] = [(500, "no"), (200, "")]
    assert world.release(receiver.hook("rollout"))["outcome"] == "promoted"
    assert world.has_said("rollout gate agrees again")


@pytest.mark.parametrize(("policy", "outcome"), [("roll_back", "rolled_back"), ("ask", "parked"), ("promote", "promoted")])
def test_silence_is_no_verdict_on_the_version_and_ends_by_the_policy(world, receiver, policy, outcome):
    receiver.close()
    result = world.release({**receiver.hook("rollout"), "threshold": 2}, release_on_inconclusive=policy)
    assert result["outcome"] == outcome
    assert world.has_said("there was no answer", f"release_on_inconclusive is {policy}")


def test_a_rollback_webhook_that_agrees_returns_traffic_also_while_a_confirmation_is_waited_for(world, receiver):
    receiver.answers["rollback/gate"] = [(403, "no"), (403, "no"), (200, "it burns")]
    receiver.answers["confirm-traffic-increase/gate"] = [(200, ""), (403, "wait")]
    result = world.release(receiver.hook("rollback"), receiver.hook("confirm-traffic-increase"))
    assert result["outcome"] == "rolled_back"
    assert result["reason"].endswith("asks for it: it answered 200: it burns")
    assert [one["phase"] for one in receiver.bodies("rollback/gate")] == ["Progressing"] * 3
    assert not world.has_said("answered 403: no")
    world.assert_home("shop:1")


def test_a_rollback_webhook_that_nobody_answers_is_told_once_and_is_no_rollback(world, receiver):
    receiver.close()
    assert world.release(receiver.hook("rollback"), release_verify_seconds=60)["outcome"] == "promoted"
    assert sum("rollback gate" in line and "there was no answer" in line for line in world.lines) == 1


def test_an_abort_wins_at_once_while_a_confirmation_is_refused_or_does_not_answer(world, receiver, monkeypatch):
    monkeypatch.setattr(asking, "POLL_SECONDS", 0.02)

    over = threading.Event()

    def abort():
        record.ask_abort(world, record.load(world, "eu", "shop"), {"by": "mia", "reason": "wrong day"})
        over.wait(60)

    receiver.acts["confirm-rollout/gate"] = abort
    world.slow = True
    began = time.monotonic()
    result = world.release(receiver.hook("confirm-rollout"))
    assert (result["outcome"], result["reason"]) == ("aborted", "aborted by mia: wrong day")
    assert time.monotonic() - began < 30  # the receiver would have taken a minute
    over.set()
    world.assert_home("shop:1")


def test_what_may_be_over_the_next_moment_is_tried_again_and_a_no_is_not(world, receiver, monkeypatch):
    monkeypatch.setattr(webhook_client, "PAUSES_SECONDS", (0.01,))
    receiver.answers["pre-rollout/gate"] = [(503, "starting"), (429, "slowly"), (200, "")]
    assert world.release(receiver.hook("pre-rollout", retries=2))["outcome"] == "promoted"
    assert len(receiver.seen["pre-rollout/gate"]) == 3
    receiver.answers["pre-rollout/no"] = [(403, "no"), (200, "")]
    assert HookedWorld().release(receiver.hook("pre-rollout", "no", retries=2))["outcome"] == "rolled_back"
    assert len(receiver.seen["pre-rollout/no"]) == 1


@pytest.mark.parametrize("status", [203, 204, 302, 404])
def test_only_200_to_202_are_a_yes(world, receiver, status):
    receiver.answers["pre-rollout/gate"] = [(status, "")]
    assert world.release(receiver.hook("pre-rollout"))["outcome"] == "rolled_back"
    assert receiver.seen["elsewhere"] == []


def test_an_answer_that_takes_longer_than_the_timeout_is_none(world, receiver):
    receiver.acts["pre-rollout/gate"] = lambda: time.sleep(1)
    result = world.release(receiver.hook("pre-rollout", timeout="200ms"))
    assert (result["outcome"], "there was no answer: timed out" in result["reason"]) == ("rolled_back", True)


def test_events_tell_what_happens_in_its_order_and_how_it_ended(world, receiver):
    result = world.release(receiver.hook("event", metadata={"channel": "#shop", "eventType": "mine"}))
    told = receiver.bodies("event/gate")
    messages = [one["metadata"]["eventMessage"] for one in told]
    assert messages[0] == f"start {result['release_id']}: shop:1 → shop:2"
    assert messages[-1] == "promoted: shop:2 serves all traffic"
    assert any(message.startswith("weight 50 %") for message in messages)
    assert {one["metadata"]["eventType"] for one in told} == {"Normal"}
    assert all(one["metadata"]["channel"] == "#shop" and one["metadata"]["timestamp"].isdigit() for one in told)
    phases = list(dict.fromkeys(one["phase"] for one in told))
    assert phases == ["Progressing", "Promoting", "Finalising", "Succeeded"]


def test_events_of_an_ending_that_goes_back_are_warnings_and_muted_refusals_are_none(world, receiver):
    receiver.answers["rollout/gate"] = [(500, "no")]
    world.release(receiver.hook("rollout", threshold=2, mute_alert=True), receiver.hook("event"))
    told = [(one["phase"], one["metadata"]["eventType"], one["metadata"]["eventMessage"]) for one in receiver.bodies("event/gate")]
    assert told[-1][:2] == ("Failed", "Warning")
    assert told[-1][2].startswith("rolled_back: rollout gate")
    assert not any("refusal 1 of 2" in message for _phase, _type, message in told)


def test_a_receiver_of_events_that_is_slow_or_away_delays_nothing(world, receiver):
    world.flush_seconds = 0.3
    over = threading.Event()
    receiver.acts["event/gate"] = lambda: over.wait(60)
    began = time.monotonic()
    assert world.release(receiver.hook("event"))["outcome"] == "promoted"
    assert time.monotonic() - began < 30  # one event alone would have taken a minute
    over.set()
    assert world.has_said("warning", "event gate", "events were not sent")


def test_a_receiver_that_takes_no_events_is_told_of_and_delays_nothing(world, receiver):
    receiver.answers["event/no"] = [(500, "full")]
    assert world.release(receiver.hook("event", "no"))["outcome"] == "promoted"
    assert world.has_said("warning", "event no", "events were not taken, the last: it answered 500: full")


@pytest.mark.parametrize("ending", ["promoted", "aborted", "rolled_back"])
def test_each_ending_is_told_once_and_its_refusal_changes_nothing(world, receiver, ending):
    receiver.answers["post-rollout/gate"] = [(500, "nobody home")]
    if ending == "aborted":
        world.at["weight "] = lambda: record.ask_abort(world, record.load(world, "eu", "shop"), {"by": "mia", "reason": ""})
    changed = {"release_image": "shop:2"}
    if ending == "rolled_back":
        receiver.answers["pre-rollout/gate"] = [(500, "")]
    result = world.release(receiver.hook("post-rollout"), receiver.hook("pre-rollout"), **changed)
    assert result["outcome"] == ending
    assert [one["phase"] for one in receiver.bodies("post-rollout/gate")] == ["Succeeded" if ending == "promoted" else "Failed"]
    assert world.has_said("warning", "it answered 500: nobody home; the ending stands")
    world.assert_home("shop:2" if ending == "promoted" else "shop:1")


def test_an_ending_whose_runner_dies_is_told_by_the_next_one(world, receiver):
    hooks = [receiver.hook("post-rollout"), receiver.hook("event")]
    world.killed("canary removed", release_webhooks=hooks)
    assert receiver.bodies("post-rollout/gate") == []
    assert world.release(*hooks)["outcome"] == "promoted"
    assert len(receiver.bodies("post-rollout/gate")) == 1
    assert receiver.bodies("event/gate")[-1]["phase"] == "Succeeded"


def test_who_aborts_a_dead_release_knows_no_urls_and_says_so(world, receiver):
    hook = receiver.hook("post-rollout")
    world.killed("weight ", release_webhooks=[hook])
    assert native.abort(world, "eu", "shop", world.caller, by="mia", reason="")["outcome"] == "aborted"
    assert world.has_said("warning", "not told, for the record has only hashes of their URLs: post-rollout gate")
    assert receiver.bodies("post-rollout/gate") == []
    world.assert_home("shop:1")


def test_no_secret_is_said_or_kept_whatever_a_receiver_echoes(world, receiver):
    receiver.answers["pre-rollout/s3cr3t-path"] = [(403, "you sent ECHO")]
    hook = receiver.hook(
        "pre-rollout", "s3cr3t-path", headers={"Authorization": "Bearer s3cr3t-token"}, metadata={"token": "s3cr3t-metadata"},
        hmac={"secret": "s3cr3t-key"},
    )  # fmt: skip
    result = world.release({**hook, "name": "gate", "url": hook["url"] + "?key=s3cr3t-query"})
    assert "403: you sent" in result["reason"]
    assert "s3cr3t" not in "\n".join([*world.lines, json.dumps(result), str(world.record)])


def test_webhooks_of_rolling_and_of_a_shadow_are_asked_where_they_give_the_canary_requests(world, receiver):
    kinds = ("confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion")
    rolling = parse(
        {**GIVEN, "release_strategy": "rolling", "release_steps": [50, 100], "release_webhooks": [receiver.hook(one) for one in kinds]}
    )
    assert [step.name for step in plan(rolling)] == [
        "validate", "confirm-rollout", "pre-rollout", "confirm-roll-50", "roll-50", "agree-roll-100", "confirm-roll-100", "roll-100", "verify",
        "agree-promotion", "confirm-promotion", "clean_up",
    ]  # fmt: skip
    gates = {"release_gates": None, "release_prometheus": {"url": "http://p.example"}, "release_strategy": "shadow"}
    shadow = parse({**GIVEN, **gates, "release_webhooks": [receiver.hook(one) for one in kinds[:3]]})
    assert [step.name for step in plan(shadow) if step.kind in kinds] == [
        "confirm-rollout",
        "pre-rollout",
        "agree-mirror-50",
        "agree-mirror-100",
    ]


def test_the_plan_says_who_is_asked_when_and_asks_nobody(world, receiver):
    hooks = [receiver.hook("confirm-rollout", deadline="8h", on_deadline="park"), receiver.hook("rollout"), receiver.hook("event")]
    native.start(world, parse({**GIVEN, "release_webhooks": hooks}), world.caller, check_mode=True)
    said = [line.strip() for line in world.lines]
    here = f"POST to http://127.0.0.1:{receiver.server_port}"
    assert (
        f"webhook confirm-rollout gate: {here}, asked before anything is created, every 10 s until it agrees, at most 8.0 h, then park"
        in said
    )
    assert f"webhook event gate: {here}, told what happens" in said
    assert not receiver.seen


def test_files_that_cannot_be_read_are_found_before_anything_changes(world, receiver):
    with pytest.raises(Refused, match=r"release_webhooks\[0\].ca_cert: '/nowhere/ca.pem' is not allowed; a file that can be read"):
        world.release(receiver.hook("event", ca_cert="/nowhere/ca.pem"))
    assert world.writes() == []
