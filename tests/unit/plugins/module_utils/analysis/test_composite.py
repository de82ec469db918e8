# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""all, any and not: the whole table of three values, what leaves a combination open, and that its state goes on."""

import itertools
import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.composite import (
    ALL,
    ANY,
    BAD,
    GOOD,
    NOT,
    UNKNOWN,
    Combination,
    Composite,
    combination_from,
    combined,
    undecided,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Look
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import Panel, StepEntry
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.analysis.test_panel import Fixed

VALUE = {"advance": GOOD, "roll_back": BAD, "hold": UNKNOWN, "inconclusive": UNKNOWN, None: UNKNOWN}
MEANS = {GOOD: 1.0, UNKNOWN: 0.5, BAD: 0.0}


@pytest.mark.parametrize(("one", "other"), list(itertools.product(MEANS, repeat=2)))
def test_the_table_is_that_of_three_valued_logic(one, other):
    """Kleene's: the least, the greatest, and one minus it."""
    assert MEANS[combined(ALL, [one, other])] == min(MEANS[one], MEANS[other])
    assert MEANS[combined(ANY, [one, other])] == max(MEANS[one], MEANS[other])
    assert MEANS[combined(NOT, [one])] == 1.0 - MEANS[one]


def composite(combination, minimum=0.0, **decisions):
    judges = {name: Fixed(name, *(said if isinstance(said, tuple) else (said,))) for name, said in decisions.items()}
    return Composite("both", combination, judges, minimum_seconds=minimum)


def decided(made, at=1.0):
    state = made.enter_step(made.start(), StepEntry(10, 0.0))
    return made.look(state, Look(1, at, 10, (), True))[1]


@pytest.mark.parametrize("word", [ALL, ANY])
@pytest.mark.parametrize(("one", "other"), list(itertools.product(VALUE, repeat=2)))
def test_what_two_verdicts_lead_to(word, one, other):
    verdict = decided(composite(Combination(word, ("a", "b")), a=one, b=other))
    value = combined(word, [VALUE[one], VALUE[other]])
    open_ones = [said for said in (one, other) if VALUE[said] == UNKNOWN]
    unknown = "inconclusive" if set(open_ones) == {"inconclusive"} else "hold"
    assert verdict.decision == {GOOD: "advance", BAD: "roll_back", UNKNOWN: unknown}[value]
    assert (verdict.evidence["value"], f"a {VALUE[one]}: " in verdict.reason) == (value, True)


@pytest.mark.parametrize(
    ("said", "leads"),
    [("advance", "roll_back"), ("roll_back", "advance"), ("hold", "hold"), ("inconclusive", "inconclusive"), (None, "hold")],
)
def test_what_the_opposite_of_a_verdict_leads_to(said, leads):
    verdict = decided(composite(Combination(NOT, ("a",)), a=said))
    assert verdict.decision == leads
    assert verdict.cause == {"roll_back": "composite", "advance": "within_limits"}.get(leads, "watching" if said else "needs_looks")


NESTED = Combination(ANY, ("a", Combination(ALL, ("b", Combination(NOT, ("c",))))))


def test_a_combination_of_combinations_is_read_from_the_inside():
    assert str(NESTED) == "a or (b and (not c))"
    assert list(NESTED.names()) == ["a", "b", "c"]
    assert decided(composite(NESTED, a="roll_back", b="advance", c="roll_back")).decision == "advance"
    assert decided(composite(NESTED, a="roll_back", b="advance", c="advance")).decision == "roll_back"
    assert decided(composite(NESTED, a="roll_back", b="hold", c="advance")).decision == "roll_back", "c is enough for the inner one"
    assert decided(composite(NESTED, a="roll_back", b="hold", c="roll_back")).decision == "hold"
    assert combination_from(json.loads(json.dumps({"word": "not", "of": ["a"]}))) == Combination(NOT, ("a",))


def test_only_the_gates_that_leave_it_open_decide_between_hold_and_inconclusive():
    values = {"a": BAD, "b": UNKNOWN, "c": GOOD}
    assert undecided(NESTED, values) == []
    assert undecided(NESTED, {**values, "c": BAD}) == ["b"]
    assert decided(composite(NESTED, a="roll_back", b="inconclusive", c="roll_back")).decision == "inconclusive"
    assert decided(composite(NESTED, a="inconclusive", b="inconclusive", c="hold")).decision == "hold"


def test_what_is_good_at_once_still_waits_for_the_minimum_time():
    made = composite(Combination(NOT, ("a",)), minimum=30.0, a="roll_back")
    assert (decided(made, 29.0).cause, decided(made, 30.0).decision) == ("minimum_time", "advance")


def test_a_gate_without_news_stands_by_its_last_verdict_and_a_new_step_forgets_it():
    made = composite(Combination(ALL, ("a", "b")), a=("advance", None), b="advance")
    look, state = Look(1, 1.0, 10, (), True), made.enter_step(made.start(), StepEntry(10, 0.0))
    for _each in range(2):
        state, verdict = made.look(state, look)
    assert verdict.decision == "advance"
    again = made.from_dict(json.loads(json.dumps(made.to_dict(state))))
    assert made.look(again, look)[1] == made.look(state, look)[1]
    assert made.look(made.enter_step(state, StepEntry(20, 5.0)), look)[1].cause == "needs_looks"


def test_it_is_one_judge_of_a_panel_and_asks_for_what_its_gates_ask_for():
    made = composite(Combination(ANY, ("a", "b")), a="roll_back", b="advance")
    panel = Panel({"both": made, "c": Fixed("c", "advance")})
    state = panel.enter_step(panel.start(), StepEntry(10, 0.0))
    assert panel.due(state, 1.0, closes_block=True) == {"a", "b", "c"}
    assert panel.look(panel.after_people(state, 1.0), Look(1, 1.0, 10, (), True))[1].decision == "advance"


@pytest.mark.parametrize("judges", [{"a": Fixed("a", "hold")}, {"a": Fixed("x", "hold"), "b": Fixed("b", "hold")}])
def test_each_gate_needs_a_judge_of_its_own(judges):
    with pytest.raises(ValueError, match="both: a or b needs a judge for each of its gates alone"):
        Composite("both", Combination(ANY, ("a", "b")), judges, minimum_seconds=0.0)
