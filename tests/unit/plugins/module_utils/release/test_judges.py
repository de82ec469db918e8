# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole releases judged by several judges at once: thresholds, queries, and the sequential tests beside them."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import Reading
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Answer, GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, record, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.judges import panel_of
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

RATE, SCRAPE_SECONDS = 150.0, 5.0
ERRORS = {"name": "errors", "error_rate": {"max": "1%"}}
LIMIT = {"name": "limit", "error_rate": {"max": "1%"}, "judge": "threshold"}
P99 = {"name": "p99", "latency": {"p99": {"max": "400ms"}}}
ORDERS = {"name": "orders", "query": {"promql": 'paid{pod=~"{canary_pods}"}', "min": 95, "unit": "%"}}
BASE = {
    "release_prometheus": {"url": "http://p"},
    "release_steps": [10, 20, 100],
    "release_looks": {"interval_seconds": 20, "threshold": 3},
}


class Serving(World):
    """A world whose clients ask 150 times a second; failing is the share the canary fails, slow the share it answers late."""

    def __init__(self):
        super().__init__()
        self.failing = self.slow = 0.0
        self.orders = 99.0  # or the word of a problem
        self.asked = {"canary": 0.0, "stable": 0.0}
        self.failed = self.late = 0.0
        self.read_at = []  # when queries were read
        self.compared = []  # whether stable's were, too
        self.down = False

    def sleep(self, seconds):
        super().sleep(seconds)
        weights = {one["destination"]["host"]: one.get("weight", 100) for one in self.route}
        share = weights.get("shop-canary", 0) / 100
        self.asked["canary"] += RATE * seconds * share
        self.asked["stable"] += RATE * seconds * (1 - share)
        self.failed += RATE * seconds * share * self.failing
        self.late += RATE * seconds * share * self.slow

    def said(self, words):
        return [line for line in self.lines if words in line]

    def weights(self):
        return [line.split("%")[0].split()[-1] for line in self.lines if "  weight " in line]


class Scraped:
    """Counters as Prometheus would have them: one sample of each arm every five seconds."""

    quiet_seconds = 0.0

    def __init__(self, world, gates):
        self._world, self._gates = world, gates
        self._zero, self._at = self._now(), world.clock()

    def _now(self):
        world = self._world
        return (world.asked["canary"], world.asked["stable"], world.failed, world.late)

    def prepare(self):
        pass

    def poll(self, *, canary_expected, stable_expected):
        if self._world.clock() - self._at < SCRAPE_SECONDS:
            return Answer({}, False, new=False)
        self._at = self._world.clock()
        if self._world.down:
            return Answer({}, False, "no_data", "no new sample of canary")
        now = self._now()
        canary, stable, failed, late = (round(new - old) for new, old in zip(now, self._zero, strict=True))
        self._zero = now
        both = (Counts(canary, min(failed, canary)), Counts(stable, 0))
        buckets = ((250.0, canary - late), (500.0, canary), (float("inf"), canary))
        counts = {gate.name: (Counts(canary, 0), Counts(stable, 0)) if gate.quantile else both for gate in self._gates}
        return Answer(counts, True, buckets={gate.name: buckets for gate in self._gates if gate.quantile})

    def begin_block(self):
        self._zero = self._now()

    def read(self):
        return Reading()


class Asked:
    """Prometheus' answers to the queries."""

    def __init__(self, world):
        self._world = world

    def read(self, gates, *, compare):
        self._world.read_at.append(self._world.clock())
        self._world.compared.append(compare)
        value = self._world.orders
        problem = {"problem": value, "detail": "2 series where one is wanted"} if isinstance(value, str) else {}
        return tuple(ScalarLook(gate, None if problem else value, **problem) for gate in sorted(gates))


@pytest.fixture
def world(monkeypatch):
    made = Serving()
    names = [gate["name"] for gate in (ERRORS, LIMIT, P99)] + ["traffic"]
    reading = MetricsPreflight({name: GateReading(9000, 0, RATE) for name in names}, "http", dict.fromkeys(names, 1.0), True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda _session, spec, *_: Scraped(made, spec.counted) if spec.counted else None)
    monkeypatch.setattr(assemble, "_queries", lambda _session, spec, *_: Asked(made) if len(spec.counted) < len(spec.gates) else None)
    return made


def given(*gates, **more):
    return {**BASE, "release_gates": list(gates), **more}


def test_a_good_version_passes_a_look_at_each_weight(world):
    result = world.start(**given(LIMIT))
    assert (result["outcome"], world.weights()) == ("promoted", ["10", "20", "100"])
    assert result["evidence"]["passed"] == 3, "10, 20, and all traffic"
    assert "limit 0/60 vs 0/540" in world.said("  look ")[0]
    assert "errors 0/360 (0 %), limit 1 %" in world.said("  advance ")[0], "the blocks of its interval, to the first that ends after it"
    world.assert_home("shop:2")


def test_the_third_failed_look_of_a_whole_release_returns_traffic(world):
    world.failing = 0.05
    began = world.clock()
    result = world.start(**given(LIMIT))
    assert result["outcome"] == "rolled_back"
    assert "failed look 3 of 3" in result["reason"]
    assert world.weights() == ["10"]
    assert 60 <= world.clock() - began <= 75
    world.assert_home("shop:1")


def test_a_failed_look_holds_until_one_passes(world):
    world.failing = 0.05
    world.at["failed look 2 of 3"] = lambda: setattr(world, "failing", 0.0)
    result = world.start(**given(LIMIT))
    assert (result["outcome"], result["evidence"]["failed"]) == ("promoted", 2)


def test_iterations_are_waited_for_at_the_last_weight_before_all_traffic(world):
    began = world.clock()
    result = world.start(**given(LIMIT, release_looks={"interval_seconds": 20, "threshold": 3, "iterations": 10}))
    assert (result["outcome"], result["evidence"]["passed"]) == ("promoted", 11)
    assert world.clock() - began >= 200
    assert any("look 9 of at least 10" in line for line in world.lines)


def test_a_blue_green_release_is_watched_for_its_iterations_before_stable_changes(world):
    more = {"release_strategy": "blue_green", "release_looks": {"interval_seconds": 20, "iterations": 4}, "release_verify_seconds": 0}
    given_so = {key: value for key, value in given(LIMIT, **more).items() if key != "release_steps"}
    result = world.start(**{**given_so, "release_steps": None})
    assert (result["outcome"], result["evidence"]["passed"]) == ("promoted", 4)


def test_a_quantile_is_judged_by_the_canarys_own_buckets(world):
    world.slow = 0.5
    result = world.start(**given(P99))
    assert result["outcome"] == "rolled_back"
    assert "p99 495.1 ms of 300 requests, above 400 ms" in result["reason"]


def test_a_version_that_nobody_reaches_is_no_good_one(world):
    rate = {"name": "traffic", "request_rate": {"min": 14}}
    assert world.start(**given(rate))["outcome"] == "promoted"
    result = world.start(**given({"name": "traffic", "request_rate": {"min": 16}}, release_image="shop:3"))
    assert result["reason"] == "failed look 3 of 3: 15 requests/s, below 16/s"


def test_a_query_alone_needs_no_counters_and_is_read_once_an_interval(world):
    result = world.start(**given(ORDERS))
    assert (result["outcome"], len(world.read_at)) == ("promoted", 3)
    assert len(world.said("  look ")) == 3
    assert world.compared == [True, True, False], "with all traffic on the canary there is no stable to compare it with"
    world.assert_home("shop:2")


def test_a_query_out_of_its_limit_returns_traffic(world):
    world.orders = 90.0
    result = world.start(**given(ORDERS))
    assert (result["outcome"], result["reason"]) == ("rolled_back", "failed look 3 of 3: orders 90 %, below 95 %")


@pytest.mark.parametrize("problem", ["no_data", "bad_query", "too_little_data"])
def test_a_query_that_gives_no_number_holds_and_policy_decides_in_the_end(world, problem):
    world.orders = problem
    result = world.start(**given(ORDERS, release_no_data_seconds=60, release_max_hold_seconds=60))
    assert result["outcome"] == "rolled_back"
    assert "release_on_inconclusive is roll_back" in result["reason"]
    assert "2 series where one is wanted" in result["reason"]
    assert world.weights() == ["10"]
    assert len(world.said("  hold ")) < 8


def test_a_query_that_answers_again_lets_the_release_go_on(world):
    world.orders = "bad_query"
    world.at["the query failed"] = lambda: setattr(world, "orders", 99.0)
    assert world.start(**given(ORDERS))["outcome"] == "promoted"


def test_all_judges_must_agree_and_each_may_return_traffic(world):
    result = world.start(**given(ERRORS, LIMIT, ORDERS))
    assert result["outcome"] == "promoted"
    advance = world.said("  advance ")[0]
    assert "error rate below 2.5 % with 95 % certainty (360 requests); errors 0/360 (0 %)" in advance
    assert result["evidence"]["judges"]["threshold"]["last"] == "errors 0/3,600 (0 %), limit 1 %; orders 99 %, limit 95 %"
    assert set(result["evidence"]["judges"]) == {"threshold"}


def test_the_sequential_test_returns_traffic_before_the_threshold_would(world):
    world.failing = 0.5
    result = world.start(**given(ERRORS, LIMIT))
    assert result["outcome"] == "rolled_back"
    assert "stable's with" in result["reason"]


def test_a_threshold_holds_what_the_sequential_test_would_let_go(world):
    world.orders = 90.0
    result = world.start(**given(ERRORS, ORDERS))
    assert (result["outcome"], world.weights()) == ("rolled_back", ["10"])
    assert "orders 90 %" in result["reason"]


def test_silence_of_the_counters_is_no_failed_look(world):
    world.at["  weight "] = lambda: setattr(world, "down", True)
    result = world.start(**given(LIMIT, release_no_data_seconds=60))
    assert result["outcome"] == "rolled_back"
    assert "no data for" in result["reason"] and "no new sample of canary" in result["reason"]


def test_a_run_that_resumes_knows_of_the_failed_looks_before(world, monkeypatch):
    def die():
        raise SystemError("killed")

    own = {**ORDERS, "looks": {"interval_seconds": 7}}
    world.failing = 0.05
    world.at["failed look 2 of 3"] = lambda: world.at.update({"  look ": die})
    with monkeypatch.context() as dead:
        dead.setattr(runner, "_end_back", lambda *_: "")  # a killed runner returns nothing
        with pytest.raises(SystemError):
            world.start(**given(LIMIT, own))
    saved = record.load(world, "eu", "shop")
    assert saved.state.judge["threshold"]["state"]["failed"] == 2
    panel = panel_of(spec_from(saved.spec), {})
    assert panel.to_dict(panel.from_dict(saved.state.judge)) == saved.state.judge
    world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""
    result = world.start(**given(LIMIT, own))
    assert "failed look 3 of 3" in result["reason"]


def test_a_profile_shortened_by_variables_promotes_a_good_version_and_returns_a_bad_one(world):
    short = {
        "release_profile": "development",
        "release_gates": None,
        "release_steps": [20, 50, 100],
        "release_looks": {"interval_seconds": 10},
    }
    result = world.start(**given(**short))
    assert (result["outcome"], world.weights()) == ("promoted", ["20", "50", "100"])
    assert result["evidence"]["passed"] == 6, "five before all traffic, one with it"
    assert record.load(world, "eu", "shop").spec["looks"]["threshold"] == 5
    world.failing = 0.2
    result = world.start(**given(**short, release_image="shop:3"))
    assert (result["outcome"], result["evidence"]["failed"]) == ("rolled_back", 5)
    assert result["reason"].startswith("failed look 5 of 5: errors ")
    world.assert_home("shop:2")


def test_the_record_of_any_gate_makes_the_same_spec_again():
    own = {**LIMIT, "name": "own", "looks": {"threshold": 5, "inconclusive_limit": 2}}
    full = {"promql": "a", "baseline": "b", "min": 1, "fails_below": 0.5, "max": "9", "fails_above": 10, "tolerance": "5%", "unit": "ms"}
    spec = parse({**GIVEN, **given(ERRORS, LIMIT, P99, ORDERS, own, {"name": "full", "query": full})})
    assert spec_from(json.loads(json.dumps(spec.to_dict()))) == spec
    assert set(panel_of(spec, {}).to_dict(panel_of(spec, {}).start())) == {"sequential", "threshold", "threshold:own"}
    assert spec.gates[4].looks.interval_seconds == 20, "a gate's own looks go over those of the release"
