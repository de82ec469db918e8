# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies beside the plain canary, against a world in memory: what each puts in the route, in which order, and what it leaves."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

JUDGED = {"release_gates": [{"error_rate": {"max": "1%"}}], "release_prometheus": {"url": "http://p.example"}}
STAFF = {"release_match": [{"headers": {"x-cell": "staff"}}]}
NO_STEPS = {"release_steps": None}


@pytest.fixture
def world():
    return World()


def names(**changed):
    return " ".join(step.name for step in plan(parse({**GIVEN, **changed})))


def seen(world):
    """What the route looked like each time a line was said, without repetitions."""
    states = []
    say = world.emit

    def emit(line):
        rules = copy.deepcopy(world.stored("VirtualService", "eu", "shop")["spec"]["http"])
        if not states or states[-1] != rules:
            states.append(rules)
        say(line)

    world.emit = emit
    return states


def weights(rules):
    return [one.get("weight") for one in rules[-1]["route"]]


def test_the_steps_of_each_strategy_read_as_its_story():
    assert names(**STAFF) == "validate deploy match weight-10 weight-50 weight-100 verify promote clean_up"
    assert names(**STAFF, release_match_seconds=60).startswith("validate deploy match bake-match weight-10")
    assert names(**NO_STEPS, release_strategy="blue_green") == "validate deploy switch verify promote clean_up"
    assert names(**JUDGED, release_strategy="shadow", release_steps=[1, {"weight": 100, "bake_seconds": 5}]) == (
        "validate deploy mirror-1 analyze-1 mirror-100 bake-100 analyze-100 clean_up"
    )


def test_blue_green_builds_green_at_full_size_and_moves_everybody_at_once(world):
    states = seen(world)
    world.at["all traffic on the canary"] = lambda: sizes.append(world.stored("Deployment", "eu", "shop-canary")["spec"]["replicas"])
    sizes = []
    assert world.start(**NO_STEPS, release_strategy="blue_green")["outcome"] == "promoted"
    assert (sizes, [weights(rules) for rules in states]) == ([4], [[None], [0, 100], [None]])
    world.assert_home("shop:2")


def test_blue_green_without_a_mesh_switches_the_selector_and_back(world):
    world.objects.pop(("VirtualService", "eu", "shop"))
    selectors = []
    for word in ("put and read back", "takes shop:2"):
        world.at[word] = lambda: selectors.append(world.stored("Service", "eu", "shop")["spec"]["selector"]["app"])
    given = {**NO_STEPS, "release_strategy": "blue_green", "release_traffic": {"provider": "service"}}
    assert world.start(**given)["outcome"] == "promoted"
    assert selectors == ["shop-canary", "shop-canary"]
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop"}
    assert (world.image, world.names("Service")) == ("shop:2", ["shop"])


@pytest.mark.parametrize("where", ["switch", "verify", "promote"])
def test_blue_green_that_is_stopped_returns_the_selector_first(world, where):
    world.objects.pop(("VirtualService", "eu", "shop"))
    world.at[f"  {where}  "] = lambda: setattr(world, "stop", "told to stop")
    given = {**NO_STEPS, "release_strategy": "blue_green", "release_traffic": {"provider": "service"}}
    assert world.start(**given)["outcome"] == "rolled_back"
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop"}
    assert (world.image, world.names("Deployment")) == ("shop:1", ["shop"])


def test_matched_requests_come_first_and_stay_until_the_version_is_everywhere(world):
    states = seen(world)
    assert world.start(**STAFF, release_match_seconds=2)["outcome"] == "promoted"
    shape = [(len(rules), weights(rules)) for rules in states]
    assert shape == [(1, [None]), (2, [None]), (2, [90, 10]), (2, [50, 50]), (2, [0, 100]), (1, [None])]
    assert states[1][0]["match"] == [{"headers": {"x-cell": {"exact": "staff"}}}]
    world.assert_home("shop:2")


def test_a_stop_while_only_matched_requests_see_the_canary_takes_them_back(world):
    world.at["  bake "] = lambda: setattr(world, "stop", "told to stop")
    assert world.start(**STAFF, release_match_seconds=60)["outcome"] == "rolled_back"
    world.assert_home("shop:1")


@pytest.mark.parametrize("killed_at", ["match", "weight"])
def test_a_killed_release_with_matches_is_finished_by_the_next_run(world, monkeypatch, killed_at):
    def die():
        raise SystemError("killed")

    world.at[f"  {killed_at}  "] = die
    with monkeypatch.context() as dead:
        dead.setattr(runner, "_end_back", lambda context, why: "")  # a killed runner returns nothing
        with pytest.raises(SystemError):
            world.start(**STAFF)
    assert len(world.stored("VirtualService", "eu", "shop")["spec"]["http"]) == 2
    for key in [key for key in world.objects if key[0] == "Lease"]:
        world.objects.pop(key)
    assert world.start(**STAFF)["outcome"] == "promoted"
    assert any("  resume  " in line for line in world.lines)
    world.assert_home("shop:2")


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"release_traffic": {"provider": "service"}, "release_strategy": "shadow", **JUDGED}, "release_strategy", "service steers by"),
        ({"release_traffic": {"provider": "linkerd"}, "release_strategy": "shadow", **JUDGED}, "release_strategy", "istio, gateway_api;"),
        ({"release_traffic": {"provider": "service"}, **STAFF}, "release_match", "that can match"),
    ],
)
def test_what_a_router_cannot_do_is_refused_with_those_that_can(world, given, field, says):
    with pytest.raises(Refused) as caught:
        world.start(**given)
    assert any(problem.field == field and says in problem.allowed for problem in caught.value.problems)
    assert world.writes() == []


def test_traffic_is_not_returned_to_blue_without_pods_while_green_has_some(world):
    world.objects.pop(("VirtualService", "eu", "shop"))

    def lose_blue():
        world.controllers.remove(world._deployments)
        world.objects["Deployment", "eu", "shop"]["status"]["readyReplicas"] = 0
        world.stop = "told to stop"

    world.at["  verify  "] = lose_blue
    given = {**NO_STEPS, "release_strategy": "blue_green", "release_traffic": {"provider": "service"}}
    assert world.start(**given)["outcome"] == "rolled_back"
    assert any("the canary keeps the traffic for up to 120 s" in line for line in world.lines)


@pytest.mark.parametrize(("source", "told"), [("istio_source", 1), ("http", 0)])
def test_a_shadow_counted_by_who_sends_the_copies_is_told_that_they_may_be_missing(world, monkeypatch, source, told):
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: MetricsPreflight({}, source, {}, True))
    given = {**GIVEN, **JUDGED, "release_strategy": "shadow", "release_metrics_source": source}
    notes = preflight.examine(world, parse(given), None).notes
    assert sum("leaves out the copies that a proxy sends" in note for note in notes) == told
