# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold for all judges together: no number crashes them, no NaN and no silence advances, and no order makes a difference."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from ansible_collections.progressive.delivery.plugins.module_utils.analysis.burn_judge import BurnGate, BurnRate
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.burn_rate import Window
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta import kayenta_judge
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.limits import Limit, ThresholdGate, ThresholdRule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import CHOICES, Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import Panel, SequentialJudge, StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_finding import judge_samples
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Sequential
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.threshold import Threshold
from hypothesis import given, settings
from hypothesis import strategies as st

COUNTED = (Gate("errors", 0.01, dispersion=1.3), Gate("slow", 0.05, share=2.0), Gate("lost", 0.001))
SHARES = (
    ThresholdGate("share", "share", Limit(most=0.02)),
    ThresholdGate("p99", "quantile", Limit(most=500.0), quantile=0.99),
    ThresholdGate("enough", "rate", Limit(least=1.0)),
)
ASKED = (
    ThresholdGate("paid", "scalar", Limit(least=90.0, fails_below=80.0), unit="%"),
    ThresholdGate("cpu", "scalar", Limit(most=2.0), tolerance=0.2, direction="increase"),
)
BURNS = BurnGate("burn", (("1h", Window(3600.0, 300.0, 14.4)),))
DECISIONS = {"advance", "hold", "roll_back", "inconclusive"}

numbers = st.one_of(st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324]), st.floats())


def panel(counted=COUNTED, shares=SHARES, asked=ASKED, order=("sequential", "threshold", "asked", "burn")):
    judges = {
        "sequential": SequentialJudge(Sequential(Rule(counted))),
        "threshold": Threshold(ThresholdRule(shares, interval_seconds=30.0, threshold=3, min_requests=5)),
        "asked": Threshold(ThresholdRule(asked, interval_seconds=30.0, threshold=2, consecutive=True, error_limit=4, unclear_limit=6)),
        "burn": BurnRate((BURNS,), budget=0.001, minimum_seconds=0.0, max_hold_seconds=600.0, no_data_seconds=120.0),
    }
    return Panel({name: judges[name] for name in order})


@st.composite
def arms(draw):
    requests = draw(st.one_of(st.integers(0, 300), st.integers(0, 10**15)))
    return Counts(requests, draw(st.one_of(st.just(0), st.just(requests), st.integers(0, requests))))


@st.composite
def metric(draw, name):
    canary, stable = draw(st.one_of(st.none(), arms())), draw(st.one_of(st.none(), arms()))
    bounds = (0.0, 5.0, 500.0, math.inf) if draw(st.booleans()) else ()
    return MetricLook(name, canary, stable, tuple((bound, draw(st.integers(0, 10**15))) for bound in bounds))


@st.composite
def scalar(draw, name, values=()):
    problem = draw(st.sampled_from([None, None, None, "no_data", "too_little_data", "bad_query"]))
    canary, stable = (draw(st.one_of(st.none(), numbers)) for _arm in range(2))
    return ScalarLook(name, canary, stable, problem, "", tuple((each, draw(numbers)) for each in values))


@st.composite
def looks(draw):
    """Looks with anything in them, ten to two hundred seconds apart."""
    rows, at = [], 0.0
    for number in range(1, draw(st.integers(1, 8)) + 1):
        at += draw(st.floats(10.0, 200.0))
        metrics = tuple(draw(metric(gate.name)) for gate in (*COUNTED, *SHARES))
        scalars = (*(draw(scalar(gate.name)) for gate in ASKED), draw(scalar("burn", ("1h/long", "1h/short"))))
        problem = draw(st.sampled_from([None, None, None, "no_data", "stale", "bad_query"]))
        rows.append(Look(number, at, 10.0, metrics, draw(st.booleans()), problem, "", scalars))
    return rows


def verdicts(judges, rows, shuffle=lambda items: items):
    """Looks as the watch gives them: a query's answer only where its judge has asked."""
    state = judges.enter_step(judges.start(), StepEntry(10.0, 0.0, 20.0))
    found = []
    for row in rows:
        due = judges.due(state, row.at_seconds, closes_block=row.closes_block)
        scalars = tuple(one for one in row.scalars if one.gate in due)
        state, verdict = judges.look(state, replace(row, metrics=shuffle(row.metrics), scalars=shuffle(scalars)))
        state = judges.from_dict(json.loads(json.dumps(judges.to_dict(state))))
        found.append(verdict)
    return found


@settings(deadline=None, max_examples=25)
@given(looks())
def test_no_number_and_no_silence_crashes_a_judge(rows):
    for verdict in verdicts(panel(), rows):
        assert verdict.decision in DECISIONS
        assert verdict.cause
        assert verdict.reason


@settings(deadline=None, max_examples=20)
@given(looks(), st.permutations(COUNTED), st.permutations(SHARES), st.permutations(ASKED))
def test_the_order_of_metrics_and_of_gates_is_irrelevant(rows, counted, shares, asked):
    usual = verdicts(panel(), rows)
    others = verdicts(panel(tuple(counted), tuple(shares), tuple(asked)), rows, lambda items: items[::-1])
    assert [one.decision for one in others] == [one.decision for one in usual]
    assert [_numbers(one) for one in others] == [_numbers(one) for one in usual]


@settings(deadline=None, max_examples=20)
@given(looks(), st.permutations(("sequential", "threshold", "asked", "burn")))
def test_the_order_of_judges_changes_no_decision(rows, order):
    usual, others = verdicts(panel(), rows), verdicts(panel(order=order), rows)
    assert [one.decision for one in others] == [one.decision for one in usual]
    assert [one.evidence for one in others] == [one.evidence for one in usual]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.sampled_from([None, "bad_query", "no_data"]))
def test_a_query_without_a_usable_number_never_advances(value, problem):
    judge = Threshold(ThresholdRule(ASKED[:1], interval_seconds=30.0))
    judges = Panel({"asked": judge})
    given_problem = problem or "too_little_data"  # what metrics/query.py makes of these numbers
    rows = [
        Look(n, 40.0 * n, 10.0, (), True, scalars=(ScalarLook("paid", value, None, given_problem),), has_counts=False) for n in range(1, 9)
    ]
    assert "advance" not in [one.decision for one in verdicts(judges, rows)]


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), min_size=2, max_size=24),
    st.sampled_from([1.0, 1.7, 6.0]),
)
def test_no_grouping_of_looks_changes_any_evidence_while_the_split_is_constant(canary_part, stable_part, events, phi):
    """Blocks that end where they like, against one look for all; requests are in one proportion throughout. No incident: a high limit."""
    engine = Sequential(Rule((Gate("errors", 0.99, dispersion=phi),)))
    weight = 100.0 * canary_part / (canary_part + stable_part)

    def entered():
        return engine.enter_step(engine.start(), weight_percent=weight, at_seconds=0.0, next_weight_percent=100.0)

    state, everything, block = entered(), [Counts(0, 0)] * 2, [Counts(0, 0)] * 2
    for number, (bad, stable_bad, closes) in enumerate(events, 1):
        more = [Counts(40 * canary_part, bad), Counts(40 * stable_part, stable_bad)]
        block = [one + other for one, other in zip(block, more, strict=True)]
        everything = [one + other for one, other in zip(everything, more, strict=True)]
        state, grouped = engine.judge(state, Look(number, number, weight, (MetricLook("errors", *block),), closes))
        _state, at_once = engine.judge(entered(), Look(1, number, weight, (MetricLook("errors", *everything),), True))
        for name in ("log_relative", "log_absolute", "log_promote", "log_promote_ratio"):
            one, other = getattr(grouped.gates[0], name), getattr(at_once.gates[0], name)
            assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-7), name
        block = [Counts(0, 0)] * 2 if closes else block


@settings(deadline=None, max_examples=25)
@given(st.lists(numbers, max_size=40), st.lists(numbers, max_size=40), st.data())
def test_samples_of_any_numbers_are_judged_and_their_order_is_irrelevant(canary, stable, data):
    options = Options(
        **{name: data.draw(st.sampled_from(choices)) for name, choices in CHOICES.items()},
        kayenta_compatible=data.draw(st.booleans()),
        critical=data.draw(st.booleans()),
        must_have_data=data.draw(st.booleans()),
    )
    found = judge_samples(canary, stable, options)
    assert found.decision in DECISIONS
    json.dumps(found.evidence, allow_nan=False)
    assert judge_samples(canary[::-1], sorted(stable, key=repr), options) == found


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.lists(numbers, max_size=15), st.lists(numbers, max_size=15)), min_size=1, max_size=4), st.data())
def test_a_score_does_not_depend_on_the_order_of_metrics(samples, data):
    names = [f"metric {number}" for number in range(len(samples))]
    config = {"metrics": [{"name": name, "groups": ["all"]} for name in names]}
    config["classifier"] = {"groupWeights": {"all": 100}, "scoreThresholds": {"pass": 90, "marginal": 70}}
    metrics = [{"name": name, "values": {"experiment": one, "control": other}} for name, (one, other) in zip(names, samples, strict=True)]
    found = kayenta_judge(config, metrics)
    order = data.draw(st.permutations(range(len(names))))
    other = kayenta_judge({**config, "metrics": [config["metrics"][one] for one in order]}, [metrics[one] for one in order])
    assert (other["score"], other["classification"]) == (found["score"], found["classification"])


def _numbers(verdict):
    """The evidence without the sentences, which name gates in their own order."""
    judges = {
        name: {key: value for key, value in one.items() if key not in ("reason", "last")}
        for name, one in verdict.evidence["judges"].items()
    }
    return {**verdict.evidence, "judges": judges}
