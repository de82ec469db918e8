# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""While people are waited for the gates look on; a release that makes no progress says so once; a rolling update can stand still."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import verdict as words
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Sequential
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.verdict import Verdict
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import Reading
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Answer, GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_rolling import ROLLING, RollingWorld

SCRAPE_SECONDS = 5.0
JUDGED = {
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    "release_prometheus": {"url": "http://p"},
    "release_steps": [10, 50, 100],
}


class Judged(People):
    """Clients ask so many times a second; failing is the canary's share of errors; silent: nothing can be read."""

    rate = 150.0
    failing = 0.0
    silent = False


class Scraped:
    """One sample every five seconds at the weight that stands."""

    quiet_seconds = 0.0

    def __init__(self, world):
        self._world, self._at = world, world.clock()

    def prepare(self):
        pass

    def begin_block(self):
        pass

    def poll(self, *, canary_expected, stable_expected):
        if self._world.clock() - self._at < SCRAPE_SECONDS:
            return Answer({}, False, new=False)
        self._at = self._world.clock()
        if self._world.silent:
            return Answer({}, False, problem="no_data", detail="nothing there")
        weights = {one["destination"]["host"]: one.get("weight", 100) for one in self._world.route}
        asked = round(self._world.rate * SCRAPE_SECONDS * weights.get("shop-canary", 0) / 100)
        counts = Counts(asked, round(asked * self._world.failing)), Counts(round(self._world.rate * SCRAPE_SECONDS) - asked, 0)
        return Answer({"errors": counts}, True)

    def read(self):
        return Reading()


@pytest.fixture
def world(monkeypatch):
    made = Judged()
    reading = MetricsPreflight({"errors": GateReading(9000, 0, 150.0)}, "http", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda *_: Scraped(made))
    return made


def test_harm_returns_traffic_while_a_release_is_paused(world):
    world.when("10 %", "pause", for_seconds=600)
    world.at["  paused  "] = lambda: setattr(world, "failing", 0.5)
    result = world.start(**JUDGED)
    assert (result["outcome"], "stable's" in result["reason"]) == ("rolled_back", True)
    world.assert_home("shop:1")


def test_harm_returns_traffic_while_an_approval_is_waited_for_and_after_a_full_promotion(world):
    world.at["approve-50 waits"] = lambda: setattr(world, "failing", 0.5)
    steps = {**JUDGED, "release_steps": [10, {"weight": 50, "approve": True}, 100]}
    assert world.start(**steps)["outcome"] == "rolled_back"
    world.failing = 0.0
    world.when("10 %", "promote", full=True)
    world.at["  100 %"] = lambda: setattr(world, "failing", 0.5)
    assert world.start(**JUDGED)["outcome"] == "rolled_back"
    assert 50 not in world.weights[world.weights.index(100) - 1 :]


def test_promote_ends_the_wait_for_evidence(world):
    runner = world.beside(**{**JUDGED, "release_minimum_step_seconds": 3000})
    runner.until("  look  ")
    began = world.clock()
    assert world.tell("promote", sleep=runner.turn)["acknowledged"]
    runner.until("50 %")
    assert world.clock() - began < 10
    world.tell("promote", sleep=runner.turn, full=True)
    assert runner.end()["outcome"] == "promoted"


def test_a_pause_outlasts_release_max_hold_seconds_but_not_a_gate_without_data(world):
    world.when("10 %", "pause", for_seconds=3000, then="resume")
    world.rate = 0.1  # the canary gets nothing that anybody could judge
    world.at["  resume  "] = lambda: setattr(world, "rate", 150.0)
    result = world.start(**JUDGED, release_max_hold_seconds=300)
    assert (result["outcome"], world.clock() > 1_003_000) == ("promoted", True)
    world.when("10 %", "pause", for_seconds=3000, then="resume")
    world.at["  paused  "] = lambda: setattr(world, "silent", True)
    result = world.start(**JUDGED, release_image="shop:3", release_no_data_seconds=60)
    assert (result["outcome"], "nothing there" in result["reason"]) == ("rolled_back", True)


def burning(monkeypatch):
    """A judge that holds for an incident that everybody shares: of all holds the one without an end of its own."""

    def look(_self, state, _look):
        return state, Verdict("hold", words.SHARED_INCIDENT, "stable itself is burning")

    monkeypatch.setattr(Sequential, "look", look)


@pytest.mark.parametrize(("policy", "outcome"), [("roll_back", "rolled_back"), ("ask", "parked")])
def test_a_step_without_progress_says_that_it_is_stuck_once_and_follows_the_policy(world, monkeypatch, policy, outcome):
    burning(monkeypatch)
    result = world.start(**JUDGED, release_on_inconclusive=policy)
    assert result["outcome"] == outcome
    assert result["reason"] == "no progress in analyze-10 for 32 min (release_stuck_seconds) (stable itself is burning)"
    assert len(world.said("  stuck  ")) == 1
    assert world.clock() - 1_000_000 < 2000
    assert world.route[0]["destination"]["host"] == "shop"


def test_a_stuck_release_that_is_to_go_on_does(world, monkeypatch):
    burning(monkeypatch)
    stuck = {"release_on_inconclusive": "promote", "release_stuck_seconds": 60, "release_verify_seconds": 0}
    world.when("  weight     100 %", "abort")
    world.start(**JUDGED, **stuck)
    assert world.weights == [10, 50, 100]
    assert len(world.said("  stuck  ")) == 2


def test_the_stuck_step_stands_in_the_record_until_there_is_progress(world, monkeypatch):
    burning(monkeypatch)
    seen = []
    world.at["  stuck  "] = lambda: seen.append(native.status(world, "eu")[0]["stuck"])
    runner = world.beside(**JUDGED, release_on_inconclusive="promote", release_stuck_seconds=60)
    runner.until("  weight      50 %")
    assert "no progress in analyze-10" in seen[0]
    runner.turn()
    assert native.status(world, "eu")[0]["stuck"] is None
    world.tell("abort", sleep=runner.turn)
    assert runner.end()["outcome"] == "aborted"


def test_release_max_hold_seconds_ends_a_hold_of_the_gates_before_anything_is_stuck(world):
    world.rate = 0.1
    result = world.start(**JUDGED)
    assert (result["outcome"], world.said("  stuck  ")) == ("rolled_back", [])
    assert result["reason"].startswith("no decision within 30 min: too little data")


def test_waiting_for_pods_longer_than_allowed_is_stuck_when_that_is_shorter_than_its_own_limit(world):
    world.controllers.clear()
    result = world.start(**JUDGED, release_ready_timeout_seconds=3000, release_stuck_seconds=120)
    assert (result["outcome"], result["reason"]) == ("rolled_back", "no progress in deploy for 2 min (release_stuck_seconds)")


def test_what_is_stuck_but_may_go_on_still_ends_at_its_own_limit(world):
    world.controllers.clear()
    slow = {"release_ready_timeout_seconds": 300, "release_stuck_seconds": 120, "release_on_inconclusive": "promote"}
    result = world.start(**JUDGED, **slow)
    assert (result["outcome"], len(world.said("  stuck  "))) == ("rolled_back", 1)
    assert "did not become ready within 300 s" in result["reason"]


def test_people_may_send_a_release_on_that_the_gates_parked(world):
    world.rate = 0.1
    asks = {**JUDGED, "release_on_inconclusive": "ask", "release_max_hold_seconds": 300}
    assert world.start(**asks)["outcome"] == "parked"
    assert "parked" in world.tell("promote")["said"]
    world.rate = 150.0
    began = world.clock()
    assert world.start(**asks, release_minimum_step_seconds=0)["outcome"] == "promoted"
    assert [one["note"] for one in world.state.steps if one["name"] == "analyze-10"] == ["left out: promoted by mia"]
    assert world.clock() - began < 600


def test_waiting_for_people_is_not_being_stuck(world):
    world.when("10 %", "pause", for_seconds=5000, then="resume")
    steps = {**JUDGED, "release_steps": [{"weight": 10, "approve": True}, 100], "release_approval_seconds": 5000}
    assert world.start(**steps, release_on_no_approval="roll_back")["reason"] == "nobody approved approve-10 within 83 min"
    assert not world.said("  stuck  ")


class RollingPeople(RollingWorld, People):
    """A rolling Deployment, and people whose waiting does not make its pods come faster."""

    def __init__(self):
        super().__init__()
        self.controllers.remove(self._roll)

    def tell(self, command, **options):
        return super().tell(command, **{"sleep": lambda seconds: setattr(self, "seconds", self.seconds + seconds), **options})


@pytest.mark.parametrize("moment", ["takes shop:2, pod by pod", "1 of 4 ready pods", "2 of 4 ready pods"])
def test_a_rolling_update_stands_still_while_it_is_paused_and_is_undone_by_abort(moment):
    world = RollingPeople()
    world.when(moment, "pause", for_seconds=300, then="resume")
    seen = []
    world.at["  paused  "] = lambda: seen.append(world.new_pods)
    world.at["goes on"] = lambda: seen.append(world.new_pods)
    assert world.start(**ROLLING)["outcome"] == "promoted"
    assert seen[0] == seen[1] < 4
    assert (
        "paused" not in world.stored("Deployment", "eu", "shop")["spec"] or not world.stored("Deployment", "eu", "shop")["spec"]["paused"]
    )
    other = RollingPeople()
    other.when(moment, "pause")
    other.at["  paused  "] = lambda: setattr(other, "stop", "told to stop")
    assert other.start(**ROLLING)["outcome"] == "rolled_back"
    assert (other.image, other.new_pods, "paused" in other.stored("Deployment", "eu", "shop")["spec"]) == ("shop:1", 0, False)


def test_new_pods_of_a_rolling_update_cannot_be_taken_out_of_the_traffic():
    world = RollingPeople()

    def ask():
        with pytest.raises(Refused, match="new pods of a rolling update keep their share"):
            world.tell("pause", weight_percent=0)

    world.at["1 of 4 ready pods"] = ask
    assert world.start(**ROLLING)["outcome"] == "promoted"
