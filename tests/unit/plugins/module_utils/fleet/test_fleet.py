# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of three clusters: wave after wave, back again after a violation, from the records alone after a death."""

import json
import socket

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.report import report
from ansible_collections.progressive.delivery.plugins.module_utils.fleet import record as records
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_fleet import LEASE, STOP, Regions

NEW = dict.fromkeys("abc", "shop:2")
OLD = dict.fromkeys("abc", "shop:1")


@pytest.fixture
def regions():
    return Regions()


def refusal(regions, **variables):
    with pytest.raises(Refused) as caught:
        regions.play(**variables)
    return [(problem.field, problem.allowed) for problem in caught.value.problems]


def test_a_good_version_reaches_all_waves_in_their_order(regions):
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("promoted", NEW)
    waves = ended["fleet"]["waves"]
    assert [(wave["group"], wave["state"], wave["share_percent"]) for wave in waves] == [("first", "done", 5.0), ("second", "done", 100.0)]
    assert waves[0]["ended_at"] <= waves[1]["started_at"]
    assert LEASE not in regions.worlds["a"].objects
    for name in "bc":
        regions.worlds[name].assert_home("shop:2")


def test_the_same_once_more_changes_nothing(regions):
    regions.play()
    before = {name: len(world.writes()) for name, world in regions.worlds.items()}
    again = regions.play()
    assert (again["outcome"], again["changed"]) == ("promoted", False)
    assert {name: len(world.writes()) for name, world in regions.worlds.items()} == before


def test_a_version_that_fails_in_the_second_wave_goes_back_everywhere(regions):
    no = Rejected("admission says no", status=403)
    regions.before["enter", "second"] = lambda: regions.worlds["c"].refuse("POST", "Deployment", no)
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
    assert regions.states == {"a": "returned", "b": "returned", "c": "returned"}
    assert ended["fleet"]["stopped"]["by"] == "c"
    assert [wave["state"] for wave in ended["fleet"]["waves"]] == ["returned", "returned"]


@pytest.mark.parametrize(
    ("policy", "images"),
    [("all", OLD), ("wave", {**OLD, "a": "shop:2"}), ("target", {**NEW, "b": "shop:1"})],
)
def test_who_goes_back_is_the_policys_to_say(regions, policy, images):
    regions.before["rest", "second"] = lambda: regions.crash("b")
    regions.before["turn", "a"] = lambda: regions.heal("b")
    ended = regions.play(release_on_violation=policy)
    assert (ended["outcome"], regions.images) == ("rolled_back", images)
    assert ended["fleet"]["stopped"]["reason"] == "Service shop has no ready endpoint"


def test_a_violation_in_the_watch_stands_in_the_log_of_the_targets_release(regions, tmp_path):
    regions.log_dir = str(tmp_path)
    regions.before["rest", "second"] = lambda: regions.crash("b")
    regions.before["turn", "a"] = lambda: regions.heal("b")
    regions.play()
    lines = [json.loads(line) for line in (tmp_path / f"{regions.entry('b').release_id}.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines if line["event"] == "VIOLATION"] == ["while it was watched: Service shop has no ready endpoint"]


def test_a_failure_within_the_budget_returns_its_target_alone(regions):
    regions.before["rest", "second"] = lambda: regions.crash("b")
    regions.before["turn", "a"] = lambda: regions.heal("b")
    ended = regions.play(release_failure_budget=1)
    assert (ended["outcome"], regions.images) == ("promoted", {**NEW, "b": "shop:1"})
    assert "failed within the budget: b" in ended["reason"]


def test_one_target_that_is_refused_keeps_everybody_from_beginning(regions):
    regions.worlds["c"].objects["Deployment", "eu", "shop"]["spec"]["paused"] = True
    found = refusal(regions)
    assert [field for field, _allowed in found] == ["c"] and "not paused" in found[0][1]
    assert [world.writes() for world in regions.worlds.values()] == [[], [], []]


def test_two_targets_that_are_the_same_place_are_refused(regions):
    regions.worlds["c"] = regions.worlds["b"]
    [(field, allowed)] = refusal(regions)
    assert field == "c: release_namespace" and "than b's: both are namespace eu of the cluster with UID uid-b" in allowed


def test_what_a_fleet_could_not_bring_back_is_refused(regions):
    found = dict(refusal(regions, release_template_patch={"spec": {"terminationGracePeriodSeconds": 5}}))
    assert "release_template_patch" in found["a"]


@pytest.mark.parametrize(
    "task", [("enter", "first"), ("rest", "first"), ("bake", "first"), ("enter", "second"), ("rest", "second"), ("end", "a")]
)
def test_a_run_that_dies_is_gone_on_with_by_the_next_one(regions, task):
    regions.killed(*task)
    with pytest.raises(Killed):
        regions.play()
    regions.bury()
    fleet = regions.record.progress.release_id
    ended = regions.play()
    assert (ended["outcome"], regions.images, ended["fleet"]["release_id"]) == ("promoted", NEW, fleet)


def test_a_run_that_dies_in_a_release_is_gone_on_with(regions):
    regions.worlds["b"].at["weight"] = regions.die
    with pytest.raises(Killed):
        regions.play()
    regions.bury()
    assert regions.states["b"] == "running"
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("promoted", NEW)


def test_a_run_that_dies_on_the_way_back_is_gone_on_with(regions):
    regions.before["rest", "second"] = lambda: regions.do("stop")
    regions.killed("return", "a")
    with pytest.raises(Killed):
        regions.play()
    regions.bury()
    assert regions.record.progress.phase == "returning" and regions.images["a"] == "shop:2"
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("aborted", OLD)


def test_a_changed_plan_is_refused_while_the_fleet_has_not_ended(regions):
    regions.killed("enter", "second")
    with pytest.raises(Killed):
        regions.play()
    regions.bury()
    [(field, allowed)] = refusal(regions, release_image="shop:3")
    assert field == "release_name" and "changed: a: image shop:2 -> shop:3" in allowed


def test_a_living_run_is_not_disturbed_by_another(regions):
    regions.killed("enter", "second")
    with pytest.raises(Killed):
        regions.play()
    world = regions.worlds["a"]

    def renewed():
        world.objects[LEASE]["spec"]["renewTime"] = f"{world.seconds}"

    world.just_before("GET", "Lease", renewed, times=50)
    [(field, allowed)] = refusal(regions)
    assert field == "release_name" and "is held by run-1 since 20" in allowed and "end it with: ansible-playbook" in allowed


def test_the_status_says_who_holds_a_fleet_since_when_and_what_to_do_when_that_is_gone(regions):
    regions.killed("enter", "second")
    with pytest.raises(Killed):
        regions.play()
    lease = regions.worlds["a"].objects[LEASE]["spec"]
    lease.update(holderIdentity="here/1/2", acquireTime="2026-11-22T02:11:05.123456Z", renewTime="2026-11-22T02:20:01.5Z")
    [lines] = regions.do("status")["lines"]
    assert "held by here/1/2 since 2026-11-22 02:11:05 UTC, renewed 2026-11-22 02:20:01 UTC" in lines
    lease["holderIdentity"] = f"{socket.gethostname()}/4194999/1"
    [lines] = regions.do("status")["lines"]
    assert [line for line in lines if "and is gone: the same playbook goes on" in line]
    regions.play()
    [lines] = regions.do("status")["lines"]
    assert not any("held by" in line for line in lines)


def test_an_abort_from_elsewhere_brings_everybody_back(regions):
    said = {}

    def abort():
        world = regions.worlds["a"]
        world.just_before("GET", "Lease", lambda: world.objects[LEASE]["spec"].update(renewTime=str(world.seconds)), times=9)
        said.update(regions.do("stop"))

    regions.before["rest", "second"] = abort
    ended = regions.play(release_reason="incident")
    assert said["taken"] is False and said["home"] == "a"
    assert (ended["outcome"], regions.images) == ("aborted", OLD)
    assert ended["fleet"]["stopped"]["reason"] == "incident"


def test_a_stop_is_heard_by_a_release_under_way_at_its_next_look(regions):
    regions.worlds["b"].at["weight"] = lambda: records.put_stop(regions.worlds["a"], regions.record, STOP)
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("aborted", OLD)
    assert "the fleet was stopped by mia: incident" in regions.entry("b").reason
    assert regions.entry("c").outcome is None and not regions.entry("b").failed


def test_who_aborts_a_fleet_that_nobody_runs_brings_it_back(regions):
    regions.killed("enter", "second")
    with pytest.raises(Killed):
        regions.play()
    regions.runs += 1
    regions.bury()
    assert regions.do("stop")["taken"] is True
    ended = regions.go_back(home="a")
    assert (ended["outcome"], regions.images, LEASE in regions.worlds["a"].objects) == ("aborted", OLD, False)


def test_a_target_that_cannot_be_reached_refuses_the_fleet_or_is_left_out(regions):
    regions.worlds["c"].refuse("GET", "Namespace", Unreachable("no route to host"), times=500)
    [(field, allowed)] = refusal(regions)
    assert field == "c" and "no route to host" in allowed
    ended = regions.play(release_on_unreachable="skip")
    assert (ended["outcome"], regions.images) == ("promoted", {**NEW, "c": "shop:1"})
    assert regions.states["c"] == "skipped" and "not reached: c" in ended["reason"]


def test_no_more_than_the_stated_number_release_at_once(regions):
    regions.groups = {"first": ["a", "b", "c"]}
    ended = regions.play(release_waves=[{"group": "first"}], release_max_concurrent=1)
    assert (ended["outcome"], regions.images) == ("promoted", NEW)


def test_a_wave_waits_until_somebody_agrees(regions):
    waves = [{"group": "first"}, {"group": "second", "approve": True}]
    regions.before["enter", "second"] = lambda: regions.do("approve")
    regions.variables["release_approval_seconds"] = 5
    ended = regions.play(release_waves=waves)
    assert ended["outcome"] == "promoted" and ended["fleet"]["approvals"]["second"]["by"] == "tom"


def test_a_wave_that_nobody_agrees_to_does_not_begin(regions):
    waves = [{"group": "first"}, {"group": "second", "approve": True}]
    ended = regions.play(release_waves=waves, release_approval_seconds=5)
    assert (ended["outcome"], regions.images) == ("parked", {**OLD, "a": "shop:2"})
    regions.do("approve")
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("promoted", NEW)


def test_a_home_that_is_silent_for_a_while_is_asked_again(regions):
    home = regions.worlds["a"]
    regions.before["rest", "second"] = lambda: home.refuse("GET", "ConfigMap", Unreachable("gone"), times=40)
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("promoted", NEW)
    assert any("trying again for 300 s" in line for line in regions.lines)


def test_a_home_that_stays_silent_leaves_the_fleet_unfinished_and_the_job_failed(regions):
    home = regions.worlds["a"]
    regions.before["leave", "second"] = lambda: home.refuse("GET", "ConfigMap", Unreachable("gone"), times=100_000)
    ended = regions.play()
    assert ended["outcome"] == "unfinished" and "run it again" in ended["reason"]
    home._faults.clear()
    regions.bury()
    ended = regions.play()
    assert (ended["outcome"], regions.images) == ("promoted", NEW)


@pytest.mark.parametrize(("policy", "outcome", "state"), [("stop", "rolled_back", "unreachable"), ("skip", "promoted", "unreachable")])
def test_a_target_that_falls_silent_while_it_bakes_is_the_policys_to_judge(regions, policy, outcome, state):
    away = regions.worlds["c"]
    regions.before["rest", "second"] = lambda: away.refuse("GET", "Deployment", Unreachable("gone"), times=100_000)
    regions.before["turn", "a"] = lambda: away.refuse("GET", "ConfigMap", Unreachable("gone"), times=400)
    ended = regions.play(release_on_unreachable=policy)
    assert (ended["outcome"], regions.states["c"]) == (outcome, state)
    if policy == "stop":
        assert regions.record.progress.phase == "returning" and "not returned yet: c" in ended["reason"]
        away._faults.clear()
        ended = regions.play()
        assert (ended["outcome"], ended["fleet"]["phase"], regions.images) == ("rolled_back", "ended", OLD)


def silence(world, reads):
    """The API server does not answer so many reads of each kind."""
    for kind in ("Deployment", "ConfigMap", "VirtualService", "Namespace"):
        world.refuse("GET", kind, Unreachable("gone"), times=reads)


def test_a_target_that_falls_silent_while_it_bakes_is_waited_for_where_that_is_the_policy(regions):
    regions.before["rest", "second"] = lambda: silence(regions.worlds["c"], 40)
    ended = regions.play(release_on_unreachable="wait")
    assert (ended["outcome"], regions.images, regions.states["c"]) == ("promoted", NEW, "promoted")


@pytest.mark.parametrize(
    ("policy", "outcome", "images", "state"),
    [
        ("stop", "rolled_back", OLD, "returned"),
        ("skip", "promoted", {**NEW, "c": "shop:1"}, "skipped"),
        ("wait", "promoted", NEW, "promoted"),
    ],
)
def test_a_release_that_went_back_for_silence_is_the_policys_to_judge(regions, policy, outcome, images, state):
    away, times = regions.worlds["c"], iter([400])

    def once():
        silence(away, next(times, 0))

    away.at["weight"] = once
    ended = regions.play(release_on_unreachable=policy)
    assert (ended["outcome"], regions.images, regions.states["c"]) == (outcome, images, state)
    assert regions.entry("c").failed == (policy == "stop")
    if policy == "skip":
        assert "not reached: c" in ended["reason"] and "did not answer for 180 s" in regions.entry("c").reason


def test_the_report_of_a_fleet_that_went_back_tells_what_was_released_and_what_serves_again(regions, tmp_path):
    regions.log_dir = str(tmp_path)
    regions.before["rest", "second"] = lambda: regions.crash("b")
    regions.before["turn", "a"] = lambda: regions.heal("b")
    told = regions.play()["fleet"]
    found = {target: {"releases": native.status(world, "eu", "shop")} for target, world in regions.worlds.items()}
    home = regions.worlds["a"]
    given = {"releases": found, "results": regions.results, "fleet": told, "release_report_dir": str(tmp_path)}
    said = report(lambda: home, given, home.caller)
    summary = said["summary"].replace("\\", "")
    assert said["said"].startswith("shop 2 was rolled back in b (second) at 100 % of the traffic")
    assert "All traffic in a, b and c is back on 1, the version before." in summary
    assert all(f"| {target} | {wave} | " in summary for target, wave in (("a", "first"), ("b", "second"), ("c", "second")))
    assert "VIOLATION" in (tmp_path / told["release_id"] / "events.jsonl").read_text()
