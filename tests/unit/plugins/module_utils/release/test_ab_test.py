# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment from its first request to its result, against a world in memory whose clients keep their cookies."""

from typing import Any

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.experiment import Tally
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import conversions
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.conversions import ConversionReading, Grown
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import Reading
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Answer, GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, record, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, STABLE, World

PER_SECOND = 200.0
FIXED = {"cookie": "shop-ab", "share": 25, "iterations": 3, "iteration_seconds": 20}
COUNTED = {"cookie": "shop-ab", "share": 25, "conversions": {"metric": "sales"}, "at_least": 30, "at_most": 600}
ALONE: dict[str, Any] = {
    "release_strategy": "ab_test",
    "release_steps": None,
    "release_gates": [],
    "release_prometheus": {"url": "http://p"},
}
STAFF = [{"headers": {"x-cell": "staff"}}]


class Visited(World):
    """A world with visitors: PER_SECOND requests, of which B gets arriving times its share; rates are conversions by request."""

    def __init__(self):
        super().__init__()
        self.rates = {"a": 0.10, "b": 0.10}
        self.arriving = 1.0
        self.spans = (0.0, 0.0)  # for how long A and B were counted
        self.trouble = None
        self.absent = ""
        self.failing = 0.0  # of B's requests
        self.since = {"measure": self.clock(), "gates": self.clock()}

    @property
    def rules(self):
        return self.stored("VirtualService", "eu", "shop")["spec"]["http"]

    def taken(self, who):
        """Requests of A and B since who asked last, every five seconds; None in between."""
        seconds = self.clock() - self.since[who]
        if seconds < 5:
            return None
        self.since[who] = self.clock()
        weights = {one["destination"]["host"]: one.get("weight", 100) for one in self.rules[-1]["route"]}
        share = weights.get("shop-canary", 0) / 100 * self.arriving
        return round(PER_SECOND * seconds * (1 - share)), round(PER_SECOND * seconds * share)

    def said(self, words):
        return [line for line in self.lines if words in line]


class Measured:
    """What Measure is, without a Prometheus."""

    compares = True

    def __init__(self, world, compares=True):
        self.world, self.compares = world, compares

    def poll(self):
        if self.world.trouble:
            raise self.world.trouble
        found = self.world.taken("measure")
        if found is None:
            return None
        tallies = (Tally(n, round(n * self.world.rates[group]) if self.compares else 0) for n, group in zip(found, "ab", strict=True))
        return Grown(*tallies, *self.world.spans)

    def missing(self):
        return self.world.absent


class Gated:
    """The source of the gates."""

    quiet_seconds = 0.0

    def __init__(self, world):
        self.world = world

    def prepare(self):
        """Nothing to get ready: the counts are told."""

    def poll(self, *, canary_expected, stable_expected):
        found = self.world.taken("gates")
        if found is None:
            return Answer({}, False, new=False)
        a, b = found
        return Answer({"errors": (Counts(b, round(b * self.world.failing)), Counts(a, 0))}, True)

    def begin_block(self):
        self.world.taken("gates")

    def read(self):
        return Reading()


@pytest.fixture
def world(monkeypatch):
    made = Visited()
    gates = MetricsPreflight({"errors": GateReading(9000, 0, PER_SECOND)}, "http", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: gates)
    reading = ConversionReading(GateReading(72000, 7200, PER_SECOND), 1.0)
    monkeypatch.setattr(conversions, "inspect", lambda spec, *_, **__: reading if spec.ab and spec.ab.conversions else None)
    monkeypatch.setattr(assemble, "source_of", lambda session, spec, *_: Gated(made) if spec.gates else None)
    monkeypatch.setattr(assemble, "_measure", lambda session, spec, target: Measured(made, bool(spec.ab.conversions)))
    return made


def run(world, ab, **more):
    return world.start(**{**ALONE, "release_ab": ab, **more})


def test_a_fixed_experiment_draws_groups_watches_and_leaves_everything_as_it_was(world):
    shapes = []
    world.at["  experiment  "] = lambda: shapes.append((world.rules, world.stored("Deployment", "eu", "shop-canary")["spec"]["replicas"]))
    result = run(world, FIXED)
    ((rules, replicas),) = shapes
    assert ([rule["name"] for rule in rules], replicas) == (["main-group-b", "main-group-a", "main"], 1)
    assert [one["weight"] for one in rules[2]["route"]] == [75, 25]
    assert result["outcome"] == "passed"
    found = result["evidence"]["experiment"]
    assert 60 <= found["seconds"] < 65
    assert (found["winner"], found["conversions"], found["sample_ratio"]["alarm"]) == ("none", None, False)
    assert found["requests"]["b"] / (found["requests"]["a"] + found["requests"]["b"]) == pytest.approx(0.25, rel=0.01)
    assert "broke no gate" in result["reason"] and result["reason"].endswith("stable serves all traffic")
    world.assert_home("shop:1")
    assert world.rules == [{"name": "main", "route": [STABLE]}]


def test_the_experiment_ends_when_b_is_certain_to_convert_more_and_not_before_the_least_time(world):
    world.rates["b"] = 0.15
    result = run(world, COUNTED)
    found = result["evidence"]["experiment"]
    assert (result["outcome"], found["winner"]) == ("passed", "b")
    assert 30 <= found["seconds"] < 60
    assert found["ratio"] == pytest.approx(1.5, rel=0.02)
    assert 1.0 < found["interval"][0] < 1.5 < found["interval"][1]
    assert found["evidence"] >= 100
    assert found["p_value"] <= 0.01
    assert "B (shop:2) converts 15.2 % of the requests, A 10 %: B wins, +52 %" in result["reason"]
    world.assert_home("shop:1")


def test_a_worse_b_loses_and_is_only_reported(world):
    world.rates["b"] = 0.06
    result = run(world, {**COUNTED, "winner": "promote"})
    assert (result["outcome"], result["evidence"]["experiment"]["winner"]) == ("passed", "a")
    assert world.said("  END  ") and not world.said("ROLL BACK")
    world.assert_home("shop:1")


def test_without_a_difference_it_lasts_as_long_as_it_may_and_says_what_is_ruled_out(world):
    result = run(world, COUNTED)
    found = result["evidence"]["experiment"]
    assert 600 <= found["seconds"] < 610
    assert (result["outcome"], found["winner"]) == ("passed", "none")
    assert found["no_difference_larger_than"] < 0.1
    assert "no difference is shown, none is larger than" in result["reason"]


def test_a_winner_is_watched_by_the_gates_until_it_is_everywhere(world):
    world.rates["b"] = 0.15
    gates = {"release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}]}
    world.at["  verify  "] = lambda: setattr(world, "failing", 0.2)
    result = run(world, {**COUNTED, "winner": "promote"}, **gates)
    assert (result["outcome"], result["evidence"]["experiment"]["winner"]) == ("rolled_back", "b")
    world.assert_home("shop:1")
    world.failing = 0.0
    assert run(world, {**COUNTED, "winner": "promote"}, **gates)["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_a_winner_that_may_is_promoted_like_a_canary(world):
    world.rates["b"] = 0.15
    states = []
    for word in ("  switch  ", "  promote  "):
        world.at[word] = lambda: states.append(world.rules)
    result = run(world, {**COUNTED, "winner": "promote"})
    assert (result["outcome"], result["evidence"]["experiment"]["winner"]) == ("promoted", "b")
    for rules in states:
        assert [rule["name"] for rule in rules] == ["main"]
        assert [(one["weight"], "headers" in one) for one in rules[0]["route"]] == [(0, False), (100, False)]
    assert len(states) == 2
    world.assert_home("shop:2")


def test_one_that_is_certainly_not_much_worse_may_be_promoted_too(world):
    given = {**COUNTED, "winner": "promote", "not_worse_than": "20%"}
    result = run(world, given)
    assert (result["outcome"], result["evidence"]["experiment"]["winner"]) == ("promoted", "none")
    assert result["evidence"]["experiment"]["interval"][0] >= 0.8
    world.assert_home("shop:2")


def test_harm_ends_the_experiment_at_once(world):
    world.failing = 0.2
    gates = {"release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}]}
    result = run(world, COUNTED, **gates)
    assert result["outcome"] == "rolled_back"
    assert "experiment" not in result["evidence"]
    world.assert_home("shop:1")


def test_an_experiment_may_take_longer_than_a_hold(world):
    gates = {"release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}], "release_max_hold_seconds": 10}
    assert run(world, {**COUNTED, "at_most": 120}, **gates)["outcome"] == "passed"


def test_groups_that_are_not_what_was_asked_for_have_no_winner(world):
    world.rates["b"], world.arriving = 0.15, 1.5
    result = run(world, {**COUNTED, "winner": "promote"})
    found = result["evidence"]["experiment"]
    assert (result["outcome"], found["winner"], found["sample_ratio"]["alarm"]) == ("passed", "none", True)
    assert found["seconds"] >= 600
    assert "nobody wins: of" in result["reason"]
    assert len(world.said("while that stands nobody wins")) == 1


def test_a_group_that_was_counted_for_longer_is_no_alarm(world):
    world.rates["b"], world.arriving, world.spans = 0.15, 1.5, (5.0, 9.0)
    found = run(world, COUNTED)["evidence"]["experiment"]
    assert (found["winner"], found["sample_ratio"]["alarm"]) == ("b", False)
    assert found["sample_ratio"]["arrived"] == pytest.approx(0.25, abs=0.001)


@pytest.mark.parametrize(
    ("trouble", "absent", "says"), [(Unavailable("down"), "", "could not be read: down"), (None, "B", "no counter sales of B")]
)
def test_no_data_is_never_a_result(world, trouble, absent, says):
    world.rates["b"], world.trouble, world.absent = 0.15, trouble, absent
    result = run(world, COUNTED)
    found = result["evidence"]["experiment"]
    assert (result["outcome"], found["winner"], found["interval"]) == ("passed", "none", None)
    assert found["seconds"] >= 600
    assert says in result["reason"]


def test_chosen_groups_are_compared_with_a_caution(world):
    ab = {"share": 40, "conversions": {"metric": "sales"}, "iterations": 1, "iteration_seconds": 30}
    shapes = []
    world.at["  experiment  "] = lambda: shapes.append(world.rules)
    result = run(world, ab, release_match=STAFF)
    assert [rule["name"] for rule in shapes[0]] == ["main-canary", "main"]
    assert shapes[0][1]["route"] == [STABLE]
    assert result["evidence"]["experiment"]["sample_ratio"] is None
    assert "the groups were chosen, not drawn" in result["reason"]
    world.assert_home("shop:1")


@pytest.mark.parametrize("where", ["  ab  ", "  experiment  ", "  switch  ", "  verify  "])
def test_a_stop_anywhere_returns_everybody(world, where):
    world.rates["b"] = 0.15
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    assert run(world, {**COUNTED, "winner": "promote"})["outcome"] == "rolled_back"
    world.assert_home("shop:1")
    assert len(world.rules) == 1


def test_a_killed_experiment_goes_on_with_its_groups_its_counts_and_its_time(world, monkeypatch):
    def die():
        raise SystemError("killed")

    given = {**COUNTED, "at_least": 300}
    world.rates["b"] = 0.15
    world.at[" s: B (shop:2) converts"] = lambda: world.at.update({" s: B (shop:2) converts": die})
    with monkeypatch.context() as dead:
        dead.setattr(runner, "_end_back", lambda *_: "")  # a killed runner returns nothing
        with pytest.raises(SystemError):
            run(world, given)
    saved = record.load(world, "eu", "shop").state
    assert (saved.sticky, saved.weight_percent, saved.experiment["counts"]["b"]["requests"] > 0) == (True, 25, True)
    rules = world.rules
    for key in [key for key in world.objects if key[0] == "Lease"]:
        world.objects.pop(key)
    world.sleep(100)
    world.at["  resume  "] = lambda: world.at.update({"  experiment  ": lambda: kept.append(world.rules)})
    kept = []
    result = run(world, given)
    assert kept == [rules], "members stay in their groups"
    found = result["evidence"]["experiment"]
    assert (result["outcome"], found["winner"]) == ("passed", "b")
    assert 300 <= found["seconds"] < 310, "the time before the kill counts"
    assert found["requests"]["b"] >= saved.experiment["counts"]["b"]["requests"]
    world.assert_home("shop:1")


def test_an_edit_of_a_groups_rule_ends_the_experiment(world):
    def edit():
        found = world.stored("VirtualService", "eu", "shop")
        found["spec"]["http"].pop(1)
        world.put(found)

    world.at["  experiment  "] = edit
    result = run(world, FIXED)
    assert (result["outcome"], "edited by somebody else" in result["reason"]) == ("rolled_back", True)
    world.assert_home("shop:1")


@pytest.mark.parametrize("provider", ["linkerd", "service"])
def test_a_router_that_cannot_keep_groups_is_refused_with_those_that_can(world, provider):
    with pytest.raises(Refused, match=r"that can sticky: provider istio, gateway_api;"):
        run(world, FIXED, release_traffic={"provider": provider, "service": "shop"})


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"release_strategy": "ab_test", "release_steps": None, "release_ab": {**FIXED, "share": 30}}, "at 30 %"),
        (
            {"release_strategy": "ab_test", "release_steps": None, "release_ab": {"share": 15, "iterations": 1}, "release_match": STAFF},
            "at 15 %",
        ),
        ({"release_match": STAFF}, "at 10 %"),
        ({"release_strategy": "blue_green", "release_steps": None}, "at 100 %"),
    ],
    ids=["drawn", "chosen", "canary", "blue_green"],
)
def test_the_plan_counts_with_the_first_share_that_the_version_gets(world, given, at):
    gates = {"release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}], "release_prometheus": {"url": "http://p"}}
    native.start(world, parse({**GIVEN, **gates, **given}), world.caller, check_mode=True)
    (line,) = world.said("gate errors")
    assert line.endswith(at)


def test_the_plan_says_who_gets_b_and_how_many_days_a_difference_needs(world):
    spec = {**ALONE, "release_ab": {**COUNTED, "at_least": "1d", "at_most": "2d", "effect": "2%", "winner": "promote"}}
    shown = native.start(world, parse({**GIVEN, **spec}), world.caller, check_mode=True)
    text = "\n".join(world.lines)
    for words in (
        "to B: 25 % of newcomers, drawn at random; each keeps to its group (cookie shop-ab for 30.0 days)",
        "experiment: 24.0 h to 2.0 days, until a difference is certain",
        "conversions: sales is 10 % of requests now",
        "a difference of 2 % needs",
        "at the end where B wins, it is promoted",
    ):
        assert words in text
    assert "shop-ab=" in next(one["after"] for one in shown["diff"] if one["after_header"].startswith("VirtualService"))
    assert max(map(len, world.lines)) <= 120
    world.assert_home("shop:1")
