# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole releases that live on an error budget: how they may begin, what they may cost, and what an alert does to them."""

import json
from types import SimpleNamespace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import budget_plan, judges, preflight, record, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.metrics.test_slo_alerts import KNOWN, RAW, Answers
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_judges import RATE, Scraped, Serving

MONTH = 30 * 86400.0
ERRORS = {"name": "errors", "error_rate": {"max": "1%"}}
SLO = {"objective": "99.9%", "source": "sloth", "labels": {"sloth_id": "shop"}, "watch": "60s"}
BASE = {"release_prometheus": {"url": "http://p"}, "release_steps": [20, 100], "release_gates": [ERRORS], "release_slo": SLO}


class Prometheus:
    """Sloth's series as numbers, and alerts."""

    def __init__(self):
        self.left, self.hour, self.minutes = 1.0, 0.0, 0.0
        self.alerts = []
        self.down = False
        self.asked = 0

    def get(self, path, query):
        if self.down:
            raise Unavailable("connection refused")
        if path == "api/v1/alerts":
            self.asked += 1
            return {"status": "success", "data": {"alerts": self.alerts}}
        asked = query["query"]
        value = next(value for part, value in (("remaining", self.left), ("rate1h", self.hour), ("rate5m", self.minutes)) if part in asked)
        result = [] if value is None else [{"metric": {}, "value": [1, str(value)]}]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


class World(Serving):
    """Clients ask 150 times a second, and Prometheus knows the objective."""

    def __init__(self):
        super().__init__()
        self.prometheus = Prometheus()


@pytest.fixture
def world(monkeypatch):
    made = World()
    reading = MetricsPreflight({"errors": GateReading(9000, 0, RATE)}, "pods", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda _session, spec, *_: Scraped(made, spec.counted) if spec.counted else None)
    for module in (assemble, native):
        monkeypatch.setattr(module, "transport", lambda *_: made.prometheus)
    return made


def given(**more):
    return {**BASE, **more}


def firing(**labels):
    return {"labels": {"alertname": "ShopBurns", "action": "rollback", "release": "shop", **labels}, "state": "firing", "activeAt": "now"}


def test_a_whole_budget_changes_nothing_but_the_watch(world):
    began = world.clock()
    result = world.start(**given())
    assert (result["outcome"], world.weights()) == ("promoted", ["20", "100"])
    (said, allowed, watch) = [line.split("  budget ")[1].strip() for line in world.said("  budget ")]
    assert said.startswith("objective 99.9 % over 30.0 days, sloth: normal; 100 % of the error budget is left")
    assert "may cost 389 failures beyond stable's (0.1 % of what is left)" in allowed
    assert "60 s and 5 s burn 14.4 times" in watch
    assert world.clock() - began > 60


def test_a_half_spent_budget_halves_the_rises_and_doubles_the_requests(world):
    world.prometheus.left = 0.35
    result = world.start(**given())
    assert (result["outcome"], world.weights()) == ("promoted", ["10", "20", "60", "100"])
    assert "careful; 35 % of the error budget is left" in world.said("objective")[0]


def test_twice_the_requests_are_needed_by_both_judges(world):
    spec = parse({**GIVEN, **given(release_gates=[ERRORS, {"name": "limit", "error_rate": {"max": "1%"}, "judge": "threshold"}])})
    careful = budget_plan.effective(spec, {"word": "careful", "why": ""})
    before, after = (judges.rule_of(one, {}) for one in (spec, careful))
    assert (before.beta, after.beta) == (0.05, pytest.approx(0.0025))
    limits = [judges.threshold_rule_of(one, [one.gates[1]], one.looks).min_requests for one in (spec, careful)]
    assert limits == [1, 2]


@pytest.mark.parametrize(
    ("numbers", "says", "weights"),
    [
        ((0.1, 0.0, 0.0), "10 % of the error budget is left", "6 12 16 20 60 100"),  # 39 failures pay for 12 % of 300 requests
        ((0.0, 0.0, 0.0), "nothing is left to spend", "1 10 20 60 100"),
        ((0.9, 0.02, 0.02), "burns 20 times (1 h) and 20 times (5 min)", "10 20 60 100"),
        ((None, 0.0, 0.0), "an objective with data", "10 20 60 100"),
    ],
)
def test_a_spent_budget_refuses_unless_somebody_says_why(world, numbers, says, weights):
    world.prometheus.left, world.prometheus.hour, world.prometheus.minutes = numbers
    with pytest.raises(Refused) as refused:
        world.start(**given())
    (problem,) = refused.value.problems
    assert problem.field == "release_slo"
    assert says in str(problem) and "budget_override" in problem.allowed
    assert world.names("ConfigMap") == []
    result = world.start(**given(release_slo={**SLO, "budget_override": "the fix of the outage"}))
    assert result["outcome"] == "promoted"
    assert world.weights() == weights.split()
    assert world.said("overridden: the fix of the outage")
    kept = record.load(world, "eu", "shop")
    assert kept.spec["slo"]["budget_override"] == kept.target["budget"]["override"] == "the fix of the outage"


def test_the_first_weight_is_no_larger_than_the_allowance_pays_for(world):
    """150 requests a second, two looks of a second (pods): 300 requests; 0.001 % of the budget's 388,800 are 3.9, 1.3 % of them."""
    world.start(**given(release_slo={**SLO, "allowance": "0.001%"}))
    assert world.weights() == ["1", "20", "100"]
    assert "first weight 1 %" in world.said("may cost")[0]


def test_slow_bleeding_within_the_gate_ends_when_it_has_cost_the_allowance(world):
    """0.4 % failures: the gate allows 1 % and stable has none; the budget bears four of them."""
    world.failing = 0.004
    limit = [{"name": "errors", "error_rate": {"max": "2%"}, "judge": "threshold"}]
    more = {"release_gates": limit, "release_looks": {"interval_seconds": 30, "iterations": 20, "threshold": 3}}
    result = world.start(**given(**more, release_slo={**SLO, "allowance": "0.0013%"}))
    assert result["outcome"] == "rolled_back"
    assert "failures beyond stable's, 5.05 were allowed (release_slo.allowance)" in result["reason"]
    assert result["evidence"]["budget"]["failures_beyond_stable"] > 5.05
    world.assert_home("shop:1")


def test_after_the_switch_a_burning_budget_brings_the_warm_old_version_back(world):
    world.at["  verify "] = lambda: setattr(world, "failing", 0.02)
    limit = [{"name": "errors", "error_rate": {"max": "5%"}, "judge": "threshold"}]
    result = world.start(**given(release_gates=limit, release_looks={"interval_seconds": 20}))
    assert result["outcome"] == "rolled_back"
    assert result["reason"].startswith("since the switch the error budget burns")
    assert world.weights()[-1] == "100"
    world.assert_home("shop:1")


def test_what_was_spent_survives_the_runner(world, monkeypatch):
    world.failing = 0.01
    seen = []

    def die(context, _why):
        seen.append(json.loads(json.dumps(context.state.budget)))
        raise KeyboardInterrupt

    limit = [{"name": "errors", "error_rate": {"max": "5%"}, "judge": "threshold"}]
    more = {"release_gates": limit, "release_looks": {"interval_seconds": 60}}
    with monkeypatch.context() as killed:
        killed.setattr(runner, "_end_back", die)
        world.at["  advance "] = lambda: setattr(world, "stop", "the parent is gone")
        with pytest.raises(KeyboardInterrupt):
            world.start(**given(**more))
    world.stop = None
    assert seen[0]["excess"]["failures"] > 1
    world.start(**given(**more))
    assert record.load(world, "eu", "shop").state.budget["excess"]["failures"] >= seen[0]["excess"]["failures"]


def test_a_resumed_release_keeps_the_smaller_steps_it_began_with(world, monkeypatch):
    world.prometheus.left = 0.35

    def die(context, _why):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(runner, "_end_back", die)
        world.at["weight      20 %"] = lambda: setattr(world, "stop", "the parent is gone")
        with pytest.raises(KeyboardInterrupt):
            world.start(**given())
    world.stop, world.prometheus.left = None, 1.0
    assert world.start(**given())["outcome"] == "promoted"
    assert list(dict.fromkeys(world.weights())) == ["10", "20", "60", "100"]


def test_the_plan_says_which_and_why(world):
    world.prometheus.left = 0.35
    result = native.start(world, parse({**GIVEN, **given()}), world.caller, check_mode=True)
    assert [step["weight_percent"] for step in result["steps"] if step["kind"] == "weight"] == [10, 20, 60, 100]
    assert any("careful; 35 % of the error budget is left" in line for line in world.lines)
    assert [step["seconds"] for step in result["steps"] if step["kind"] == "verify"] == [60.0]


ALERTED = {"release_slo": None, "release_alerts": {"matchers": {"release": "shop"}}}


def test_a_firing_alert_returns_traffic(world):
    world.at["weight"] = lambda: world.prometheus.alerts.append(firing())
    result = world.start(**given(**ALERTED))
    assert result["outcome"] == "rolled_back"
    assert result["reason"] == "alert ShopBurns fires since now"
    assert result["evidence"]["alert"]["release"] == "shop"
    assert world.weights() == ["20"]
    world.assert_home("shop:1")


def test_alerts_work_where_no_gate_does(world):
    world.at["  verify "] = lambda: world.prometheus.alerts.append(firing())
    result = world.start(**given(**ALERTED, release_gates=[]))
    assert (result["outcome"], result["reason"]) == ("rolled_back", "alert ShopBurns fires since now")


@pytest.mark.parametrize("alert", [{**firing(), "state": "pending"}, firing(action="page"), firing(release="cart")])
def test_other_alerts_are_none_of_this_releases(world, alert):
    world.prometheus.alerts.append(alert)
    assert world.start(**given(**ALERTED))["outcome"] == "promoted"
    assert world.prometheus.asked > 5


def test_an_alert_that_fires_already_refuses_the_release(world):
    world.prometheus.alerts.append(firing())
    with pytest.raises(Refused, match="nothing that fires before the start: alert ShopBurns"):
        world.start(**given(**ALERTED))
    assert world.names("ConfigMap") == []


def test_while_alerts_cannot_be_read_no_weight_rises(world):
    world.at["weight"] = lambda: setattr(world.prometheus, "down", True)
    began = world.clock()
    result = world.start(**given(**ALERTED, release_no_data_seconds=60))
    assert result["outcome"] == "rolled_back"
    assert "the alerts cannot be read: connection refused" in result["reason"]
    assert world.weights() == ["20"]
    assert world.clock() - began > 60


@pytest.mark.parametrize(("policy", "outcome"), [("roll_back", "rolled_back"), ("ask", "parked"), ("promote", "promoted")])
def test_without_gates_alerts_that_cannot_be_read_end_a_release_as_its_policy_says(world, policy, outcome):
    world.at["weight"] = lambda: setattr(world.prometheus, "down", True)
    more = {"release_gates": [], "release_steps": [{"weight": 10, "bake_seconds": 200}, 100], "release_no_data_seconds": 60}
    result = world.start(**given(**ALERTED, **more, release_on_inconclusive=policy))
    assert result["outcome"] == outcome
    assert ("the alerts cannot be read" in result["reason"]) is (policy != "promote")


def test_alerts_that_can_be_read_again_let_the_release_go_on(world):
    world.at["weight"] = lambda: setattr(world.prometheus, "down", True)
    world.at["the alerts cannot be read"] = lambda: setattr(world.prometheus, "down", False)
    assert world.start(**given(**ALERTED))["outcome"] == "promoted"


def test_how_much_prometheus_remembers_is_not_said_of_what_sloth_has_recorded():
    selected = '{sloth_id="shop"}'
    series = ("slo:period_error_budget_remaining:ratio", "slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_rate1h")
    recorded = {name + selected: value for name, value in zip(series, (0.7, 0.0004, 0.0004), strict=True)}
    spec = parse({**GIVEN, **given(release_slo=SLO)})
    who = {"namespace": "eu", "workload": "shop", "workload_kind": "Deployment", "service": "shop", "revision": None, "canary": ""}
    found = SimpleNamespace(gates={}, target=SimpleNamespace(metrics_source="istio_destination", **who))
    problems = []
    plan = budget_plan.budget_plan(spec, found, Answers(answers={**RAW, KNOWN: 540, **recorded}), problems)
    assert problems == []
    assert plan.why == "70 % of the error budget is left, it burns 0.4 times (1 h) and 0.4 times (5 min)"


@pytest.mark.parametrize(("hours", "says"), [(540, "remembers 22.5 days"), (None, "remembers less than an hour"), (720, None)])
def test_a_short_memory_is_told(hours, says):
    spec = parse({**GIVEN, **given(release_slo={"objective": "99.9%"})})
    who = {"namespace": "eu", "workload": "shop", "workload_kind": "Deployment", "service": "shop", "revision": None, "canary": ""}
    target = SimpleNamespace(metrics_source="istio_destination", **who)
    found = SimpleNamespace(gates={"errors": GateReading(9000, 0, 100.0)}, target=target)
    problems = []
    plan = budget_plan.budget_plan(spec, found, Answers(answers={**RAW, KNOWN: hours}), problems)
    assert problems == []
    assert ("remembers" in plan.why) is (says is not None)
    assert (says or "") in plan.why
    assert plan.allowed == pytest.approx(0.001 * 0.7 * 0.001 * (200_000_000 * 720 / hours if hours else 100 * MONTH))
