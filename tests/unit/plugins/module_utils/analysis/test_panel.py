# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several judges, one verdict: who wins, what is told, and that a record of all their states goes on bit for bit."""

import itertools
import json
import random

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import Panel, SequentialJudge, StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Gate, Rule, Sequential
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.threshold import (
    SCALAR,
    SHARE,
    Limit,
    Threshold,
    ThresholdGate,
    ThresholdRule,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.verdict import Verdict

SEQUENTIAL = Sequential(Rule((Gate("errors", 0.01),)))
LIMIT = Threshold(ThresholdRule((ThresholdGate("limit", SHARE, Limit(most=0.01)),), interval_seconds=10.0, threshold=3))
ORDERS = Threshold(ThresholdRule((ThresholdGate("orders", SCALAR, Limit(least=95.0)),), interval_seconds=10.0, threshold=3))


class Fixed:
    """A judge that says what it is told to; None: nothing yet."""

    def __init__(self, name, *decisions, cause="watching"):
        self.gates = frozenset({name})
        self._decisions = list(decisions)
        self._cause = cause

    def start(self):
        return 0

    def enter_step(self, state, step):
        return state

    def due(self, state, at_seconds, *, closes_block):
        return self.gates

    def look(self, state, look):
        decision = self._decisions[min(state, len(self._decisions) - 1)]
        (name,) = self.gates
        return state + 1, decision and Verdict(decision, self._cause, f"{name} says {decision}", {"n": state})

    def after_people(self, state, at_seconds):
        return state

    def to_dict(self, state):
        return {"n": state}

    def from_dict(self, plain):
        return plain["n"]


LOOK = Look(1, 1.0, 10, (), True)
FIRST = ("roll_back", "hold", "inconclusive", "advance")


def decided(*judges, looks=1):
    panel = Panel({f"judge {index}": judge for index, judge in enumerate(judges)})
    state = panel.start()
    for _each in range(looks):
        state, verdict = panel.look(state, LOOK)
    return verdict


@pytest.mark.parametrize(("one", "other"), list(itertools.product(FIRST, repeat=2)))
def test_roll_back_wins_then_hold_then_inconclusive_and_advance_needs_all(one, other):
    verdict = decided(Fixed("a", one), Fixed("b", other))
    assert verdict.decision == min(one, other, key=FIRST.index)
    assert verdict.decision in verdict.reason


def test_when_all_advance_all_say_why_and_the_evidence_of_each_is_kept():
    verdict = decided(Fixed("a", "advance"), Fixed("b", "advance"))
    assert verdict.reason == "a says advance; b says advance"
    assert {name: one["n"] for name, one in verdict.evidence["judges"].items()} == {"judge 0": 0, "judge 1": 0}


def test_of_two_holds_the_one_that_says_something_is_wrong_is_told():
    verdict = decided(Fixed("a", "hold", cause="needs_requests"), Fixed("b", "hold", cause="failed_look"))
    assert (verdict.cause, verdict.reason) == ("failed_look", "b says hold")


def test_a_judge_that_has_not_looked_yet_holds_and_one_without_news_stands_by_its_last_verdict():
    assert decided(Fixed("a", "advance"), Fixed("b", None)).reason == "hold until judge 1 has looked"
    assert decided(Fixed("a", "advance"), Fixed("b", "advance", None), looks=2).decision == "advance"


def test_a_new_step_forgets_the_verdicts_of_the_one_before():
    panel = Panel({"a": Fixed("a", "advance", None)})
    state, verdict = panel.look(panel.start(), LOOK)
    assert verdict.decision == "advance"
    state, verdict = panel.look(panel.enter_step(state, StepEntry(20, 5.0)), LOOK)
    assert (verdict.decision, verdict.cause) == ("hold", "needs_looks")


@pytest.mark.parametrize("judges", [{}, {"a": Fixed("x", "hold"), "b": Fixed("x", "hold")}])
def test_each_gate_has_one_judge(judges):
    with pytest.raises(ValueError, match="each gate one of them"):
        Panel(judges)


def test_a_look_at_a_stranger_and_a_state_of_other_judges_are_refused():
    panel = Panel({"a": Fixed("x", "hold")})
    with pytest.raises(ValueError, match="reads y, z, which no judge has"):
        panel.look(panel.start(), Look(1, 1.0, 10, (MetricLook("y", None, None),), True, scalars=(ScalarLook("z", 1.0),)))
    with pytest.raises(ValueError, match="a state of b, these judges are a"):
        panel.from_dict({"b": {"state": {}, "verdict": None}})


def stream(seed, looks=200):
    """Looks as a release has them: blocks that grow and close, steps, problems, and a query's answer now and then."""
    draw, events, requests = random.Random(seed), 0, 0
    for number in range(1, looks):
        closes = draw.random() < 0.4
        requests += draw.randrange(20, 80)
        events += draw.random() < 0.2
        counts = Counts(requests, min(events, requests)), Counts(9 * requests, events)
        problem = "no_data" if draw.random() < 0.05 else None
        yield Look(
            number, 1.0 * number, 10, () if problem else (MetricLook("errors", *counts), MetricLook("limit", *counts)), closes and not problem,
            problem, "down" if problem else "", (ScalarLook("orders", draw.choice((80.0, 97.0, 99.0))),) if draw.random() < 0.3 else (),
        )  # fmt: skip
        if closes and not problem:
            events = requests = 0


def all_three():
    return Panel({"sequential": SequentialJudge(SEQUENTIAL), "threshold": LIMIT, "threshold:orders": ORDERS})


@pytest.mark.parametrize("seed", range(5))
def test_a_panel_whose_state_is_json_after_every_look_goes_on_bit_for_bit(seed):
    panel = all_three()
    straight = saved = panel.enter_step(panel.start(), StepEntry(10, 0.0, 50))
    for look in stream(seed):
        if look.number % 50 == 0:
            straight, saved = (panel.enter_step(each, StepEntry(50, look.at_seconds, 100)) for each in (straight, saved))
        straight, one = panel.look(straight, look)
        saved, other = all_three().look(panel.from_dict(json.loads(json.dumps(panel.to_dict(saved)))), look)
        assert (straight, one) == (saved, other)


def test_a_sequential_judge_alone_says_word_for_word_what_it_says_without_a_panel():
    panel, plain = Panel({"sequential": SequentialJudge(SEQUENTIAL)}), SEQUENTIAL
    state = panel.enter_step(panel.start(), StepEntry(10, 0.0, 50))
    bare = plain.enter_step(plain.start(), weight_percent=10, at_seconds=0.0, next_weight_percent=50)
    for look in stream(7):
        mine = Look(**{**vars(look), "metrics": tuple(one for one in look.metrics if one.gate == "errors"), "scalars": ()})
        state, verdict = panel.look(state, mine)
        bare, expected = plain.look(bare, mine)
        assert (verdict, state.states[0]) == (expected, bare)


def test_sequential_gates_do_not_hear_of_looks_without_counts_and_keep_their_alpha():
    panel = all_three()
    state = panel.enter_step(panel.start(), StepEntry(10, 0.0, 50))
    after, verdict = panel.look(state, Look(1, 10.0, 10, (), False, scalars=(ScalarLook("orders", 99.0),), has_counts=False))
    assert after.states[0] == state.states[0]
    assert (verdict.decision, after.verdicts[0]) == ("hold", None)
    assert SEQUENTIAL.rule.weight_of(SEQUENTIAL.rule.gates[0]) == 1.0


def test_the_time_that_people_take_is_no_time_without_a_verdict():
    panel = all_three()
    state = panel.enter_step(panel.start(), StepEntry(10, 0.0, 50))
    for number in range(1, 200):
        counts = Counts(1, 0), Counts(9, 0)
        look = Look(number, 10.0 * number, 10, (MetricLook("errors", *counts), MetricLook("limit", Counts(9, 9), None)), True)
        state, _verdict = panel.look(state, look)
    late = {name: one["verdict"]["decision"] for name, one in panel.to_dict(state).items()}
    assert late == {"sequential": "inconclusive", "threshold": "roll_back", "threshold:orders": "inconclusive"}
    rested = panel.after_people(state, 1995.0)
    after, _verdict = panel.look(rested, Look(200, 1996.0, 10, (MetricLook("errors", Counts(1, 0), Counts(9, 0)),), True))
    assert panel.to_dict(after)["sequential"]["verdict"]["decision"] == "hold"
    assert panel.to_dict(after)["threshold:orders"]["verdict"]["decision"] == "hold"


def test_the_gates_to_read_are_those_of_all_judges():
    panel = all_three()
    state = panel.enter_step(panel.start(), StepEntry(10, 0.0, 50))
    assert panel.due(state, 9.0, closes_block=True) == frozenset()
    assert panel.due(state, 10.0, closes_block=False) == {"orders"}
