# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that work from a release's record: run it again, bring the earlier version back, remove what it left."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine import commands
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

BAKED = {"release_steps": [{"weight": 10, "bake_seconds": 30}, {"weight": 50, "bake_seconds": 30}, 100]}

ASKING = {"release_steps": [{"weight": 10, "approve": True}, 100], "release_approve": ["traffic", "promote"], "release_rollback": "stepped"}


@pytest.fixture
def world():
    return People()


def test_a_release_that_was_rolled_back_is_retried_from_its_record(world):
    world.when("50 %", "abort")
    assert world.start(**BAKED)["outcome"] == "aborted"
    planned = world.tell("retry", check_mode=True)
    assert (planned["changed"], planned["steps"][-1]["name"]) == (True, "clean_up")
    result = world.tell("retry")
    assert (result["outcome"], world.weights) == ("promoted", [10, 50, 10, 50, 100])
    world.assert_home("shop:2")
    assert world.tell("retry")["changed"] is False
    assert world.state.history[0]["outcome"] == "aborted"


def test_who_approved_an_earlier_release_stays_known():
    world = People()
    world.when("  deploy  ", "approve", step="approve-50")
    world.start(release_steps=[{"weight": 50, "approve": True}, 100])
    world.start(release_image="shop:3")
    (before,) = world.state.history
    assert [(one["command"], one["by"], one["reason"]) for one in before["commands"]] == [("approve", "mia", "why not")]


def test_a_retry_goes_on_with_what_a_dead_runner_left(world):
    world.killed("50 %", **BAKED)
    assert world.tell("retry")["outcome"] == "promoted"
    assert world.weights == [10, 50, 50, 100]


def test_a_retry_needs_what_only_hashes_of_are_in_the_record(world):
    checks = [{"name": "calendar", "webhook": {"url": "http://127.0.0.1:9/x", "attempts": 1, "timeout_seconds": 1}}]
    assert world.start(release_checks=checks)["outcome"] == "rolled_back"
    with pytest.raises(Refused, match="run your playbook again"):
        world.tell("retry")


def test_a_rollback_is_kept_back_by_no_budget_no_alert_and_no_webhook():
    asked = {
        "release_slo": {"objective": "99.9%"},
        "release_gates": [{"name": "errors", "error_rate": {"max": "0.5%"}}],
        "release_alerts": {"matchers": {"release": "shop"}},
        "release_webhooks": [{"name": "gate", "type": "pre-rollout", "url": "http://127.0.0.1:9/x"}],
        "release_prometheus": {"url": "http://127.0.0.1:9"},
    }
    back = commands.backward(parse({**GIVEN, **asked}), "shop:1")
    assert (back.image, back.slo, back.alerts, back.webhooks, back.gates) == ("shop:1", None, None, (), ())


def test_a_retry_needs_the_webhooks_themselves(world):
    hooks = [{"name": "gate", "type": "pre-rollout", "url": "http://127.0.0.1:9/x", "timeout": "1s"}]
    assert world.start(release_webhooks=hooks)["outcome"] != "promoted"
    with pytest.raises(Refused, match="run your playbook again"):
        world.tell("retry")


def test_manifests_are_neither_retried_nor_rolled_back_from_their_hashes(world):
    shop = {"kind": "Deployment", "metadata": {"name": "shop"}, "spec": {"template": {"metadata": {"labels": {"app": "shop"}}, "spec": {}}}}
    shop["spec"]["template"]["spec"]["containers"] = [{"name": "app", "image": "shop:2"}]
    world.when("50 %", "abort")
    assert world.start(**BAKED, release_manifests=[shop])["outcome"] == "aborted"
    with pytest.raises(Refused, match="of release_manifests it holds hashes"):
        world.tell("retry")
    assert world.start(**BAKED, release_manifests=[shop])["outcome"] == "promoted"
    with pytest.raises(Refused, match="changed more than that"):
        world.tell("rollback")
    assert world.tell("rollback", to="shop:1")["outcome"] == "promoted"
    world.assert_home("shop:1")


def test_a_rollback_is_a_release_of_the_previous_version_and_the_second_one_changes_nothing(world):
    world.start(**BAKED)
    assert world.tell("rollback", check_mode=True)["changed"] is True
    result = world.tell("rollback")
    assert (result["outcome"], world.image) == ("promoted", "shop:1")
    assert result["reason"].endswith("rollback from shop:2, on the word of mia: why not")
    assert world.tell("rollback")["changed"] is False
    assert world.tell("rollback", to="shop:1")["changed"] is False
    world.assert_home("shop:1")
    assert world.tell("rollback", to="shop:7")["outcome"] == "promoted"
    world.assert_home("shop:7")


def test_a_rollback_has_nothing_to_do_where_the_release_was_rolled_back_itself(world):
    world.when("50 %", "abort")
    world.start(**BAKED)
    found = world.tell("rollback")
    assert (found["changed"], found["said"]) == (False, "shop:1 serves already: the release was aborted")


def test_a_rollback_says_what_it_cannot_bring_back(world):
    world.start(release_template_patch={"spec": {"priorityClassName": "high"}})
    with pytest.raises(Refused, match="release shop:1 with its own configuration"):
        world.tell("rollback")
    with pytest.raises(Refused, match="an image reference with a tag or a digest"):
        world.tell("rollback", to="yesterday")


def test_a_rollback_waits_for_the_end_of_a_release(world):
    world.killed("50 %", **BAKED)
    with pytest.raises(Refused, match="abort returns its traffic"):
        world.tell("rollback")


def test_cleanup_is_refused_while_the_canary_has_traffic(world):
    world.killed("50 %", **BAKED)
    before = len(world.writes())
    with pytest.raises(Refused, match="abort it first"):
        world.tell("cleanup")
    assert len(world.writes()) == before


def test_cleanup_is_refused_while_stable_takes_the_template(world):
    world.killed("while the canary serves")
    with pytest.raises(Refused, match="was taking the new template"):
        world.tell("cleanup")


@pytest.mark.parametrize("word", ["  deploy  ", "100 % stable", "removed"])
def test_cleanup_removes_all_that_a_dead_release_left_once_traffic_is_home(world, word):
    if word != "  deploy  ":
        world.at["50 %"] = lambda: record.ask_abort(world, record.load(world, "eu", "shop"), {"by": "tom", "reason": "stop"})
    world.killed(word, **BAKED)
    assert world.tell("cleanup", check_mode=True)["changed"] is True
    assert world.tell("cleanup")["changed"] is True
    world.assert_home("shop:1")
    assert ("ConfigMap", "eu", "release-shop") not in world.objects
    assert world.tell("cleanup")["changed"] is False


def test_cleanup_of_an_ended_release_removes_what_could_not_be_removed_then(world):
    world.refuse("DELETE", "Service", Rejected("forbidden"))
    world.start()
    assert "shop-canary" in world.names("Service")
    world.tell("cleanup")
    world.assert_home("shop:2")


def test_cleanup_keeps_away_from_a_workload_on_which_another_release_is_at_work(world):
    world.start()
    world.killed("50 %", release_name="other", release_image="shop:3")
    with pytest.raises(Refused, match="shop has other"):
        world.tell("cleanup")


def test_a_rollback_asks_no_prometheus_and_no_people():
    spec = commands.backward(parse({**GIVEN, "release_gates": None, "release_prometheus": {"url": "http://p"}, **ASKING}), "shop:1")
    assert (spec.gates, spec.checks, spec.control.approve, spec.strategy, spec.image) == ((), (), (), "blue_green", "shop:1")
    assert "approve" not in " ".join(step.name for step in plan(spec))
    rolling = commands.backward(parse({**GIVEN, "release_strategy": "rolling", "release_steps": [25, 100]}), "shop:1")
    assert [step.name for step in plan(rolling)] == ["validate", "roll-100", "verify", "clean_up"]
