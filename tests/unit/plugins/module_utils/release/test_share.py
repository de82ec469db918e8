# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A weight whose share of the requests does not arrive is held, said once, and goes on when it arrives."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import Reading
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Answer, GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, record, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

RATE, SCRAPE_SECONDS = 150.0, 5.0
JUDGED = {
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    "release_prometheus": {"url": "http://p"},
    "release_steps": [10, 50, 100],
    "release_max_hold_seconds": 600,
}


class Serving(World):
    """A world whose clients ask 150 times a second; arriving says what part of its share the canary gets."""

    def __init__(self):
        super().__init__()
        self.arriving = 1.0
        self.asked = {"canary": 0.0, "stable": 0.0}  # since the beginning

    def sleep(self, seconds):
        super().sleep(seconds)
        route = self.stored("VirtualService", "eu", "shop")["spec"]["http"][-1]["route"]
        weights = {one["destination"]["host"]: one.get("weight", 100) for one in route}
        share = min(1.0, weights.get("shop-canary", 0) / 100 * self.arriving)
        self.asked["canary"] += RATE * seconds * share
        self.asked["stable"] += RATE * seconds * (1 - share)

    def said(self, words):
        return [line for line in self.lines if words in line]

    def saved(self):
        return record.load(self, "eu", "shop").state.sample_ratio


class Scraped:
    """The source of a Serving world: one sample of each arm every five seconds, as Prometheus would have it."""

    def __init__(self, world):
        self._world = world
        self._sample = self._zero = dict(world.asked)
        self._at = world.clock()

    quiet_seconds = 0.0

    def prepare(self):
        pass

    def poll(self, *, canary_expected, stable_expected):
        if self._world.clock() - self._at < SCRAPE_SECONDS:
            return Answer({}, False, new=False)
        self._sample, self._at = dict(self._world.asked), self._world.clock()
        canary, stable = (Counts(round(self._sample[arm] - self._zero[arm]), 0) for arm in ("canary", "stable"))
        self._zero = self._sample
        return Answer({"errors": (canary, stable)}, True)

    def begin_block(self):
        self._zero = self._sample

    def read(self):
        return Reading()


@pytest.fixture
def world(monkeypatch):
    made = Serving()
    reading = MetricsPreflight({"errors": GateReading(9000, 0, RATE)}, "http", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda *_: Scraped(made))
    return made


def test_a_share_that_arrives_is_never_mentioned(world):
    assert world.start(**JUDGED)["outcome"] == "promoted"
    assert world.said("arrived") == []
    assert world.saved() is None, "at 100 % there is nothing to compare"


def test_requests_of_the_weight_before_are_not_held_against_the_next(world):
    given = {**JUDGED, "release_minimum_step_seconds": 60}
    assert world.start(**given)["outcome"] == "promoted"
    assert world.said("arrived") == []
    assert len(world.said("  look  ")) > 20


def test_a_miss_holds_the_weight_says_so_once_and_is_no_verdict_on_the_version(world):
    world.arriving = 0.7
    result = world.start(**JUDGED)
    (line,) = world.said("the weight is held")
    assert "asked 10 %, arrived 6.93 % (156 of 2,250 requests; evidence 3,758, alarm at 1,000)" in line
    assert (result["outcome"], result["evidence"]["share"]["alarm"]) == ("rolled_back", True)
    assert "held for 60" in result["reason"] and "release_max_hold_seconds" in result["reason"]
    assert world.said(" 50 %") == []
    world.assert_home("shop:1")


def test_a_miss_that_ends_lets_the_release_go_on(world):
    world.arriving = 0.0
    world.at["the weight is held"] = lambda: setattr(world, "arriving", 1.0)
    assert world.start(**JUDGED)["outcome"] == "promoted"
    assert len(world.said("the weight is held")) == len(world.said("as asked again")) == 1
    (again,) = world.said("as asked again")
    assert "asked 10 %, arrived 10 %" in again
    world.assert_home("shop:2")


def test_patience_begins_with_the_alarm_not_with_the_weight(world):
    world.at[" 160   errors"] = lambda: setattr(world, "arriving", 0.0)  # 800 s after the weight was put
    world.at["the weight is held"] = lambda: setattr(world, "arriving", 1.0)
    assert world.start(**JUDGED, release_minimum_step_seconds=900)["outcome"] == "promoted"
    assert len(world.said("the weight is held")) == 1


@pytest.mark.parametrize(("policy", "outcome"), [("promote", "promoted"), ("ask", "parked"), ("roll_back", "rolled_back")])
def test_a_hold_that_lasts_too_long_is_decided_by_policy(world, policy, outcome):
    world.arriving = 0.5
    assert world.start(**JUDGED, release_on_inconclusive=policy)["outcome"] == outcome


def test_a_share_that_is_too_large_is_a_miss_too(world):
    world.arriving = 1.5
    assert world.start(**JUDGED)["outcome"] == "rolled_back"
    assert "asked 10 %, arrived 15 % (" in world.said("the weight is held")[0]


def test_while_a_match_is_active_a_miss_is_only_told(world):
    world.arriving = 1.5
    given = {**JUDGED, "release_match": [{"headers": {"x-cell": "staff"}}], "release_minimum_step_seconds": 60}
    assert world.start(**given)["outcome"] == "promoted"
    assert len(world.said("matched requests count too: nothing is held")) == 2, "once at each weight below 100"
    assert world.said("the weight is held") == []


def test_a_miss_may_be_only_told(world):
    world.arriving = 0.7
    given = {**JUDGED, "release_share_check": "report", "release_minimum_step_seconds": 60}
    assert world.start(**given)["outcome"] == "promoted"
    assert len(world.said("release_share_check is report: nothing is held")) == 2, "once at each weight below 100"
    assert world.said("the weight is held") == []


@pytest.mark.parametrize("written", ["off", False], ids=["off", "what YAML makes of an unquoted off"])
def test_nothing_is_compared_where_the_check_is_off(world, written):
    world.arriving = 0.5
    given = {**JUDGED, "release_share_check": written, "release_minimum_step_seconds": 60}
    saved = []
    world.at["   7   errors"] = lambda: saved.append(world.saved())
    assert world.start(**given)["outcome"] == "promoted"
    assert (world.said("arrived"), saved) == ([], [None])


@pytest.mark.parametrize("written", [True, "yes", "hide", 1])
def test_the_check_has_three_words(written):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, "release_share_check": written})
    ((field, allowed),) = [(one.field, one.allowed) for one in caught.value.problems]
    assert (field, allowed) == ("release_share_check", "one of hold, report, off")


def test_a_run_that_resumes_knows_what_had_arrived(world, monkeypatch):
    def die():
        raise SystemError("killed")

    world.arriving = 0.5
    world.at["the weight is held"] = lambda: world.at.update({"  look  ": lambda: world.at.update({"  look  ": die})})
    with monkeypatch.context() as dead:
        dead.setattr(runner, "_end_back", lambda *_: "")  # a killed runner returns nothing
        with pytest.raises(SystemError):
            world.start(**JUDGED)
    assert (world.saved()["alarm"], world.saved()["weight_percent"]) == (True, 10)
    world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""
    world.arriving = 1.0
    assert world.start(**JUDGED)["outcome"] == "promoted"
    assert len(world.said("the weight is held")) == 1, "the next run knows of the alarm and does not raise it anew"
    assert len(world.said("as asked again")) == 1
