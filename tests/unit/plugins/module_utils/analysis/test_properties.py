# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for all counts: replay, grouping, order of gates, monotony, and no crash."""

from __future__ import annotations

import json
import math

from ansible_collections.progressive.delivery.plugins.module_utils.analysis.evidence import (
    RATIOS,
    log_mixture,
    relative_log_ratios,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Gate, Rule, Sequential, State
from hypothesis import given, settings
from hypothesis import strategies as st

GATES = (Gate("errors", 0.01, share=2.0), Gate("slow", 0.05, dispersion=1.7, budget=0.01), Gate("orders", 0.2, margin=1.25))


@st.composite
def counts(draw, largest=10**12):
    requests = draw(st.one_of(st.integers(0, 300), st.integers(0, largest)))
    return Counts(requests, draw(st.one_of(st.just(0), st.just(requests), st.integers(0, requests))))


metric = st.tuples(st.one_of(st.none(), counts()), st.one_of(st.none(), counts()))
looks = st.lists(
    st.tuples(
        st.tuples(*[metric] * len(GATES)),
        st.booleans(),
        st.sampled_from([None, None, None, "no_data", "stale", "bad_query"]),
        st.floats(0.0, 400.0),
        st.sampled_from([None, None, 5.0, 50.0, 100.0]),
    ),
    max_size=12,
)


def replay(engine, rows, between=lambda state: state):
    state, at, verdicts = engine.start(), 0.0, []
    for number, (metrics, closes, problem, seconds, step) in enumerate(rows):
        if step is not None:
            state = engine.enter_step(state, weight_percent=step, at_seconds=at, next_weight_percent=20.0, absolute_only=step == 100.0)
        at += seconds
        named = tuple(MetricLook(gate.name, *arms) for gate, arms in zip(GATES, metrics, strict=True))
        state, verdict = engine.look(between(state), Look(number, at, 10.0, named, closes, problem))
        verdicts.append(verdict)
    return state, verdicts


def through_json(state):
    return State.from_dict(json.loads(json.dumps(state.to_dict(), allow_nan=False)))


@settings(deadline=None, max_examples=80)
@given(looks, st.booleans())
def test_a_replay_through_json_gives_identical_verdicts(rows, fix_forward):
    engine = Sequential(Rule(GATES, fix_forward=fix_forward))
    state, verdicts = replay(engine, rows)
    again, same = replay(engine, rows, through_json)
    assert again == state
    assert same == verdicts
    assert through_json(state) == state
    for verdict in verdicts:
        json.dumps(verdict.evidence, allow_nan=False)
        assert verdict.reason


@settings(deadline=None, max_examples=60)
@given(looks, st.permutations(GATES))
def test_the_order_of_gates_is_irrelevant(rows, order):
    _state, verdicts = replay(Sequential(Rule(GATES)), rows)
    _state, others = replay(Sequential(Rule(tuple(order))), rows)
    assert [(each.decision, each.cause) for each in verdicts] == [(each.decision, each.cause) for each in others]
    assert [each.evidence for each in verdicts] == [each.evidence for each in others]


@settings(deadline=None)
@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=20),
)
def test_evidence_does_not_depend_on_grouping_while_the_split_is_constant(canary_part, stable_part, events):
    """One block, a look at a time, or every look its own block. What is in doubt waits for a block's end, so that counts only beyond doubt."""
    pairs = [(Counts(40 * canary_part, a), Counts(40 * stable_part, b)) for a, b in events]
    gate = Gate("errors", 0.01)
    engine = Sequential(Rule((gate,)))
    weight = 100.0 * canary_part / (canary_part + stable_part)

    def start():
        return engine.enter_step(engine.start(), weight_percent=weight, at_seconds=0.0, absolute_only=False)

    apart = together = start()
    canary = stable = Counts(0, 0)
    for number, (more_canary, more_stable) in enumerate(pairs, 1):
        canary, stable = canary + more_canary, stable + more_stable
        is_last = number == len(pairs)
        together, one = engine.judge(together, Look(number, number, weight, (MetricLook("errors", canary, stable),), is_last))
        apart, other = engine.judge(apart, Look(number, number, weight, (MetricLook("errors", more_canary, more_stable),), True))
        assert math.isclose(one.gates[0].log_relative, other.gates[0].log_relative, rel_tol=1e-9, abs_tol=1e-9)
        for state, found in ((together, one), (apart, other)):
            if state.gates[0].doubt.is_open:
                assert found.log_relative <= found.gates[0].log_relative + 1e-9
            else:
                assert math.isclose(found.log_relative, found.gates[0].log_relative, rel_tol=1e-9, abs_tol=1e-9)
    assert apart.gates[0].canary == together.gates[0].canary


@settings(deadline=None)
@given(counts(10**6), counts(10**6), st.integers(1, 1000), st.sampled_from([1.0, 1.25, 1.5, 3.0]), st.floats(1.0, 20.0))
def test_more_canary_errors_never_lower_the_evidence(canary, stable, more, margin, dispersion):
    worse = Counts(canary.requests, min(canary.requests, canary.events + more))

    def evidence(arm):
        return log_mixture(relative_log_ratios(arm, stable, margin, RATIOS), dispersion)

    if canary.requests and stable.requests:
        assert evidence(worse) >= evidence(canary) - 1e-9 * max(1.0, abs(evidence(canary)))


@settings(deadline=None)
@given(counts(), counts(), counts(), counts())
def test_no_data_and_bad_data_never_advance_nor_roll_back(canary, stable, _other, _another):
    engine = Sequential(Rule((Gate("errors", 0.01),)))
    state = engine.enter_step(engine.start(), weight_percent=10.0, at_seconds=0.0)
    for number in range(1, 40):
        look = Look(number, 5.0 * number, 10.0, (MetricLook("errors", canary, stable),), True, "bad_query")
        state, verdict = engine.look(state, look)
        assert verdict.decision == ("inconclusive" if number > 24 else "hold")


def test_evidence_starts_at_one():
    assert log_mixture((0.0,) * 12) == 0.0
