# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approvals without anybody who answers a webhook: a closed gate, and weights that end where people are asked."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import approvals
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_flagger import GIVEN, FlaggerWorld, refusal

STEPS = [10, {"weight": 25, "approve": True}, 50, 100]


def spec(**changed):
    return parse({**GIVEN, "release_steps": STEPS, **changed})


def test_weights_end_where_the_next_approval_is_asked_for():
    asked = spec(release_approve=["traffic", "promote"])
    assert approvals.asked(asked) == ["approve-traffic", "approve-25", "approve-promote"]
    first, second, third, last = (
        approvals.analysis(asked, approved)
        for approved in ((), ("approve-traffic",), ("approve-traffic", "approve-25"), approvals.asked(asked))
    )
    assert [one["type"] for one in first["webhooks"]] == ["confirm-rollout", "confirm-promotion"]
    assert (first["stepWeights"], second["stepWeights"]) == ([10, 25], [10, 25])
    assert [one["type"] for one in second["webhooks"]] == ["confirm-promotion"]
    assert (third["stepWeights"], len(third["webhooks"])) == ([10, 25, 50, 100], 1)
    assert (last["stepWeights"], "webhooks" in last) == ([10, 25, 50, 100], False)


@pytest.mark.parametrize(
    ("phase", "weight", "approved", "name"),
    [
        ("Waiting", 0, (), "approve-traffic"),
        ("Progressing", 10, (), ""),
        ("WaitingPromotion", 25, ("approve-traffic",), "approve-25"),
        ("WaitingPromotion", 50, ("approve-traffic", "approve-25"), ""),
        ("WaitingPromotion", 100, ("approve-traffic", "approve-25"), "approve-promote"),
        ("Promoting", 100, (), ""),
    ],
)
def test_what_it_waits_for(phase, weight, approved, name):
    assert approvals.waiting(spec(release_approve=["traffic", "promote"]), phase, weight, approved) == name


def test_it_waits_at_the_weight_and_goes_on_when_people_agree():
    world, seen = FlaggerWorld(), []

    def approve():
        waiting = world.status()["waiting"]
        seen.append((waiting["step"], world._weight()))
        assert waiting["since"] < waiting["until"]
        assert world.status()["next_commands"] == ["approve", "reject", "abort"]
        world.command("approve")

    world.at["approve-25 waits"] = approve
    world.at["approve-promote waits"] = approve
    found = world.release(release_steps=STEPS, release_approve=["promote"])
    assert (found["outcome"], seen) == ("promoted", [("approve-25", 25), ("approve-promote", 100)])
    assert world.command("retry")["changed"] is False


def test_nobody_passes_it_while_no_runner_is_there():
    world = FlaggerWorld()
    world.begin_and_die(release_steps=STEPS)
    world.sleep(600)
    assert (world._weight(), world.phase) == (25, "WaitingPromotion")
    assert world.command("approve", by="ann")["changed"]
    assert world.command("approve", step="approve-25")["changed"] is False
    world.sleep(600)
    assert (world.phase, world.primary_image) == ("Succeeded", "shop:2")


def test_it_is_judged_while_it_waits():
    world = FlaggerWorld()
    world.begin_and_die(release_steps=STEPS)
    world.sleep(60)
    world.bad = {"shop:2"}
    world.sleep(60)
    assert world.phase == "Failed"


def test_a_rejection_returns_traffic():
    world = FlaggerWorld()
    world.begin_and_die("WaitingPromotion", release_steps=STEPS)
    found = world.command("reject", release_reason="orders are odd")
    assert (found["outcome"], "approve-25 was rejected by mia: orders are odd" in found["reason"]) == ("rolled_back", True)
    world.assert_returned()


def test_a_full_promote_leaves_no_approval_out():
    world = FlaggerWorld()
    world.begin_and_die(release_steps=STEPS)
    assert "approve approve-25 first" in refusal(lambda: world.command("promote", full=True))


def test_there_must_be_something_to_approve():
    world = FlaggerWorld()
    world.begin_and_die()
    with pytest.raises(Refused, match="asks for none"):
        world.command("approve")


def test_who_waits_without_a_runner_is_told_since_and_until_when():
    world = FlaggerWorld()
    world.begin_and_die("WaitingPromotion", release_approve=["promote"])
    waiting = world.status()["waiting"]
    assert (waiting["step"], world.status()["next_commands"][0]) == ("approve-promote", "approve")
    assert waiting["since"] < waiting["until"]
