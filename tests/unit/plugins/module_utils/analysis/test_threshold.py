# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threshold judge: one interval after another, beside Flagger's and Argo Rollouts' documented rules on the same sequences."""

import itertools
import json
import random
from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.threshold import (
    QUANTILE,
    RATE,
    SCALAR,
    SHARE,
    Limit,
    Threshold,
    ThresholdGate,
    ThresholdRule,
    ThresholdState,
)
from hypothesis import given, settings
from hypothesis import strategies as st

ERRORS = ThresholdGate("errors", SHARE, Limit(most=0.01))
P99 = ThresholdGate("slow", QUANTILE, Limit(most=500.0), quantile=0.99)
ORDERS = ThresholdGate("orders", SCALAR, Limit(least=95.0), unit="%")
INTERVAL = 60.0


class Run:
    """A judge fed one look an interval, as the watch does: the state goes through JSON after each."""

    def __init__(self, *gates, weight=10, following=20, **knobs):
        self.judge = Threshold(ThresholdRule(gates or (ERRORS,), interval_seconds=INTERVAL, **knobs))
        self.at = 0.0
        self.number = 0
        self.state = self.judge.start()
        self.step(weight, following)

    def step(self, weight, following):
        self.state = self.judge.enter_step(self.state, StepEntry(weight, self.at, following))

    def look(self, *metrics, scalars=(), seconds=INTERVAL, closes=True, problem=None):
        self.at += seconds
        self.number += 1
        look = Look(self.number, self.at, 10, metrics, closes, problem, "it is down" if problem else "", scalars, bool(metrics or problem))
        self.state, verdict = self.judge.look(self.state, look)
        self.state = self.judge.from_dict(json.loads(json.dumps(self.judge.to_dict(self.state))))
        return verdict

    def errors(self, events, requests=1000, **more):
        return self.look(MetricLook("errors", Counts(requests, events), Counts(9000, 0)), **more)

    def orders(self, value=None, **more):
        return self.look(scalars=(ScalarLook("orders", value, **more),))


def test_a_passed_look_advances_a_failed_one_holds_and_the_nth_returns_traffic():
    run = Run(threshold=3)
    assert [run.errors(events).decision for events in (5, 20, 10, 11, 0)] == ["advance", "hold", "advance", "hold", "advance"]
    verdict = run.errors(30)
    assert (verdict.decision, verdict.cause) == ("roll_back", "threshold_reached")
    assert verdict.reason == "failed look 3 of 3: errors 30/1,000 (3 %), above 1 %"


def test_failed_looks_in_a_row_are_forgotten_when_one_passes():
    run = Run(threshold=2, consecutive=True)
    assert [run.errors(events).decision for events in (20, 0, 20, 0, 20)] == ["hold", "advance", "hold", "advance", "hold"]
    assert run.errors(20).decision == "roll_back"


def test_an_interval_adds_up_its_blocks_and_an_open_block_counts_nothing():
    run = Run(min_requests=100)
    assert run.errors(9, 40, seconds=20.0).decision == "hold"
    assert run.errors(9, 500, seconds=20.0, closes=False).cause == "needs_looks"
    verdict = run.errors(0, 1000, seconds=20.0)
    assert (verdict.decision, verdict.reason) == ("advance", "errors 9/1,040 (0.865 %), limit 1 %")
    assert run.errors(0, 1000, seconds=59.0).decision == "advance", "between two looks the last one stands"


def test_too_few_requests_are_neither_passed_nor_failed_and_do_not_count_on():
    run = Run(threshold=1, min_requests=100, unclear_limit=1)
    verdict = run.errors(50, 99)
    assert (verdict.decision, verdict.cause) == ("hold", "too_little_data")
    assert "99 requests in 60 s, 100 are needed" in verdict.reason
    assert run.errors(0, 150).decision == "advance", "the 50 errors before are not of this interval"
    assert (run.errors(0, 0).decision, run.state.unclear) == ("inconclusive", 2)


def test_iterations_are_asked_for_before_all_traffic_and_only_there():
    run = Run(iterations=4, threshold=9)
    assert run.errors(0).decision == "advance"
    run.step(20, 100)
    verdict = run.errors(0)
    assert (verdict.decision, verdict.cause, verdict.reason) == (
        "hold", "needs_looks", "hold: look 2 of at least 4: errors 0/1,000 (0 %), limit 1 %",
    )  # fmt: skip
    assert run.errors(20).cause == "failed_look", "a failed look is a look too"
    assert run.errors(0).decision == "advance"
    run.step(100, None)
    assert run.errors(0, seconds=1.0).cause == "needs_looks", "all traffic is looked at for an interval of its own"
    assert run.errors(0).decision == "advance"


def test_each_weight_needs_a_passed_look_of_its_own():
    run = Run(threshold=9)
    run.errors(0)
    run.step(20, 30)
    assert run.errors(0, seconds=30.0).cause == "needs_looks"
    assert run.errors(0, seconds=30.0).decision == "advance"


def test_no_data_holds_then_is_inconclusive_and_is_no_failed_look_unless_asked_for():
    run = Run(no_data_seconds=120.0)
    assert [run.look(problem="no_data").cause for _each in range(2)] == ["no_data", "no_data"]
    verdict = run.look(problem="bad_query")
    assert (verdict.decision, verdict.cause, run.state.failed) == ("inconclusive", "bad_query", 0)
    assert verdict.reason == "the query failed for 120 s of at most 120 s: it is down"
    assert run.errors(0).decision == "advance"
    strict = Run(threshold=2, no_data_fails=True)
    assert [strict.look(problem="no_data").decision for _each in range(2)] == ["hold", "roll_back"]


def test_a_canary_without_a_counter_is_no_data_and_zero_requests_are_too_few():
    run = Run()
    assert run.look(MetricLook("errors", None, Counts(10, 0))).cause == "no_data"
    assert run.errors(0, 0).cause == "too_little_data"


def test_a_time_without_a_passed_look_is_inconclusive_in_the_end():
    run = Run(threshold=0, max_hold_seconds=120.0)
    assert [run.errors(900).decision for _each in range(3)] == ["hold", "hold", "inconclusive"]
    assert run.errors(900).cause == "max_hold"


def test_the_minimum_time_of_a_step_is_waited_for():
    run = Run(minimum_seconds=100.0)
    verdict = run.errors(0)
    assert (verdict.cause, "40 s to go" in verdict.reason) == ("minimum_time", True)
    assert run.errors(0, seconds=40.0).decision == "advance"


def test_a_quantile_is_judged_by_the_buckets_of_the_whole_interval():
    def buckets(fast, slow, slowest):
        return MetricLook(
            "slow", Counts(fast + slow + slowest, 0), None, ((250.0, fast), (500.0, fast + slow), (float("inf"), fast + slow + slowest))
        )

    run = Run(P99, threshold=2)
    run.look(buckets(900, 90, 10), seconds=30.0)
    verdict = run.look(buckets(990, 10, 0), seconds=30.0)
    assert (verdict.decision, verdict.reason) == ("advance", "p99 475 ms of 2,000 requests, limit 500 ms")
    run.judge = Threshold(replace(run.judge.rule, gates=(replace(P99, limit=Limit(most=400.0)),)))
    verdict = run.look(buckets(0, 100, 100))
    assert verdict.reason == "hold: failed look 1 of 2: p99 500 ms of 200 requests, above 400 ms"
    assert run.look(MetricLook("slow", Counts(10, 0), None)).cause == "no_data"


@pytest.mark.parametrize(("trouble", "cause"), [("no_data", "no_data"), ("bad_query", "bad_query"), ("too_little_data", "too_little_data")])
def test_an_answer_that_is_no_value_is_a_cause_of_its_own_and_never_a_pass(trouble, cause):
    run = Run(ORDERS)
    assert run.orders(97.0).reason == "orders 97 %, limit 95 %"
    verdict = run.orders(None, problem=trouble, detail="2 series")
    assert (verdict.decision, verdict.cause, "2 series" in verdict.reason) == ("hold", cause, True)
    assert (run.state.failed, run.state.passed) == (0, 1)


def test_a_query_without_an_answer_is_read_again_soon():
    run = Run(ORDERS)
    assert run.judge.due(run.state, 59.0, closes_block=False) == frozenset()
    assert run.judge.due(run.state, 60.0, closes_block=False) == {"orders"}
    run.orders(None, problem="no_data", detail="none")
    assert run.judge.due(run.state, 69.0, closes_block=False) == frozenset()
    assert run.judge.due(run.state, 70.0, closes_block=False) == {"orders"}


def test_a_query_is_read_when_the_interval_of_its_companions_ends():
    run = Run(ERRORS, ORDERS, threshold=2)
    assert run.judge.due(run.state, 70.0, closes_block=False) == frozenset()
    assert run.judge.due(run.state, 70.0, closes_block=True) == {"orders"}
    verdict = run.look(MetricLook("errors", Counts(100, 0), None), scalars=(ScalarLook("orders", 90.0),))
    assert verdict.reason.startswith("hold: failed look 1 of 2: orders 90 %, below 95 %")
    assert run.state.failed == 1, "looked at together, one failed gate is one failed look"


@pytest.mark.parametrize(
    ("direction", "canary", "outcome"),
    [
        ("increase", 110.0, "advance"), ("increase", 111.0, "roll_back"), ("increase", 10.0, "advance"),
        ("decrease", 90.0, "advance"), ("decrease", 89.0, "roll_back"), ("decrease", 500.0, "advance"),
        ("either", 89.0, "roll_back"), ("either", 111.0, "roll_back"), ("either", 100.0, "advance"),
    ],
)  # fmt: skip
def test_a_baseline_is_a_limit_in_the_bad_direction(direction, canary, outcome):
    run = Run(ThresholdGate("cpu", SCALAR, Limit(), tolerance=0.1, direction=direction, unit="m"))
    verdict = run.look(scalars=(ScalarLook("cpu", canary, 100.0),))
    assert verdict.decision == outcome
    assert f"cpu {canary:g} m vs 100 m" in verdict.reason


@pytest.mark.parametrize(("limit", "decisions"), [(Limit(), ["advance", "advance"]), (Limit(most=8.0), ["advance", "roll_back"])])
def test_while_stable_has_no_requests_only_the_limits_hold(limit, decisions):
    run = Run(ThresholdGate("cpu", SCALAR, limit, tolerance=0.1))
    run.state = run.judge.enter_step(run.state, StepEntry(100, run.at, None, absolute_only=True))
    assert [run.look(scalars=(ScalarLook("cpu", value),)).decision for value in (5.0, 9.0)] == decisions


def test_a_baseline_that_gives_no_answer_is_no_pass():
    run = Run(ThresholdGate("cpu", SCALAR, Limit(), tolerance=0.1))
    assert run.look(scalars=(ScalarLook("cpu", 5.0),)).cause == "no_data"


def test_a_rate_is_of_the_whole_interval_and_no_requests_at_all_are_a_rate_too():
    run = Run(ThresholdGate("errors", RATE, Limit(least=10.0)), threshold=3)
    run.errors(0, 300, seconds=30.0)
    assert run.errors(0, 300, seconds=30.0).reason == "10 requests/s, limit 10/s"
    assert run.errors(0, 0).reason == "hold: failed look 1 of 3: 0 requests/s, below 10/s"
    assert run.look(MetricLook("errors", None, None)).cause == "no_data"


def test_between_limit_and_failure_a_value_is_neither():
    run = Run(replace(ORDERS, limit=Limit(least=95.0, fails_below=90.0)))
    assert [run.orders(value).decision for value in (95.0, 92.0, 90.0, 89.9)] == ["advance", "hold", "hold", "roll_back"]


def test_a_state_of_json_goes_on_bit_for_bit():
    draw = random.Random(4)
    looks = [(draw.randrange(0, 30), draw.randrange(0, 1200)) for _each in range(60)]
    judge = Threshold(ThresholdRule((ERRORS,), interval_seconds=13.0, threshold=40, min_requests=50))
    straight = saved = judge.enter_step(judge.start(), StepEntry(10, 0.0, 20))
    for number, (events, requests) in enumerate(looks):
        look = Look(number, 5.0 * number, 10, (MetricLook("errors", Counts(max(events, requests), events), None),), True)
        straight, one = judge.look(straight, look)
        saved, other = judge.look(ThresholdState.from_dict(json.loads(json.dumps(saved.to_dict()))), look)
        assert (straight, one) == (saved, other)


# Oracles. Flagger: pkg/controller/scheduler.go and scheduler_metrics.go, docs/gitbook/usage/how-it-works.md. Each tick first compares
# failedChecks with the threshold, then checks the metrics; a miss, NaN or no value adds 1 and ends the tick, nothing takes
# it away again. Argo Rollouts: analysis/analysis.go and docs/features/analysis.md.

OUTCOMES = ("pass", "fail", "none")
EVENTS = {"pass": 0, "fail": 500}


def flagger(checks, threshold, weights):
    """(weight reached, verdict after all checks) of a canary: an advance for each check that passed, at the last weight promotion."""
    failed, weight = 0, 0
    for check in checks:
        if failed >= threshold:
            return weight, "rolled back"
        if check != "pass":
            failed += 1
        elif weight == weights - 1:
            return weight, "promoted"
        else:
            weight += 1
    return weight, "rolled back" if failed >= threshold else "progressing"


def ours_as_flagger(checks, threshold, weights):
    run, weight = Run(threshold=threshold, no_data_fails=True, no_data_seconds=1e9), 0
    for check in checks:
        verdict = run.look(problem="no_data") if check == "none" else run.errors(EVENTS[check])
        if verdict.decision == "roll_back":
            return weight, "rolled back"
        if verdict.decision == "advance":
            if weight == weights - 1:
                return weight, "promoted"
            weight += 1
            run.step(10 + weight, 11 + weight)
    return weight, "progressing"


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_flaggers_verdict_on_every_short_sequence(threshold):
    for length in range(1, 6):
        for checks in itertools.product(OUTCOMES, repeat=length):
            assert ours_as_flagger(checks, threshold, 3) == flagger(checks, threshold, 3), checks


@pytest.mark.parametrize(("threshold", "seed"), [(5, 1), (10, 2), (10, 3)])
def test_flaggers_verdict_on_long_sequences(threshold, seed):
    draw = random.Random(seed)
    for _each in range(60):
        checks = draw.choices(OUTCOMES, (6, 2, 1), k=40)
        assert ours_as_flagger(checks, threshold, 20) == flagger(checks, threshold, 20)


def argo(measurements, *, count, failure_limit, inconclusive_limit, error_limit, success_limit):
    """A metric's phase after its measurements, by the limits of its AnalysisTemplate."""
    counts = dict.fromkeys(("pass", "fail", "unclear", "error"), 0)
    errors_in_row = passes_in_row = 0
    for measurement in measurements:
        counts[measurement] += 1
        errors_in_row = errors_in_row + 1 if measurement == "error" else 0
        passes_in_row = passes_in_row + 1 if measurement == "pass" else 0
        if errors_in_row > error_limit:
            return "Error"
        if counts["unclear"] > inconclusive_limit:
            return "Inconclusive"
        if failure_limit >= 0 and counts["fail"] > failure_limit:
            return "Failed"
        if success_limit and passes_in_row >= success_limit:
            return "Successful"
        if count and counts["pass"] + counts["fail"] + counts["unclear"] >= count:
            if success_limit:
                return "Failed" if failure_limit < 0 else "Inconclusive"
            return "Successful"
    return "Running"


def ours_as_argo(measurements, *, count, failure_limit, inconclusive_limit, error_limit, success_limit):
    gate = replace(ORDERS, limit=Limit(least=95.0, fails_below=90.0))
    run = Run(
        gate, count=count, threshold=failure_limit + 1, unclear_limit=inconclusive_limit, error_limit=error_limit,
        consecutive_successes=success_limit, no_data_seconds=1e9, max_hold_seconds=1e9,
    )  # fmt: skip
    values = {"pass": 99.0, "fail": 80.0, "unclear": 92.0}
    for measurement in measurements:
        trouble = {"problem": "bad_query", "detail": "refused"} if measurement == "error" else {}
        verdict = run.orders(values.get(measurement), **trouble)
        if verdict.decision == "roll_back":
            return "Error" if verdict.cause == "bad_query" else "Failed"
        if verdict.decision == "inconclusive":
            return "Inconclusive"
        if run.state.done:
            return "Successful"
    return "Running"


LIMITS = [
    {"count": 0, "failure_limit": 0, "inconclusive_limit": 0, "error_limit": 4, "success_limit": 0},  # Argo's defaults
    {"count": 3, "failure_limit": 1, "inconclusive_limit": 1, "error_limit": 1, "success_limit": 0},
    {"count": 4, "failure_limit": 2, "inconclusive_limit": 1, "error_limit": 2, "success_limit": 2},
    {"count": 4, "failure_limit": -1, "inconclusive_limit": 9, "error_limit": 9, "success_limit": 3},
    {"count": 0, "failure_limit": 1, "inconclusive_limit": 0, "error_limit": 0, "success_limit": 2},
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_argos_verdict_on_every_short_sequence(limits):
    for length in range(1, 6):
        for measurements in itertools.product(("pass", "fail", "unclear", "error"), repeat=length):
            assert ours_as_argo(measurements, **limits) == argo(measurements, **limits), measurements


def test_an_initial_delay_is_waited_for_once():
    run = Run(initial_delay_seconds=120.0)
    assert [run.errors(900).cause for _each in range(2)] == ["needs_looks", "needs_looks"]
    assert run.errors(0).decision == "advance", "what was counted before the delay was over is of no interval"
    run.step(20, 30)
    assert run.errors(0).decision == "advance"


@pytest.mark.parametrize(
    "wrong", [{"gates": ()}, {"gates": (ERRORS, ERRORS)}, {"interval_seconds": 0.0}, {"threshold": -1}, {"iterations": -1}]
)
def test_a_rule_that_could_judge_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match=r"gates|interval_seconds|threshold|iterations"):
        ThresholdRule(**{"gates": (ERRORS,), **wrong})


READ = st.one_of(
    st.none(),
    st.builds(lambda events, more: Counts(events + more, events), st.integers(0, 10**12), st.integers(0, 10**15)),
)
NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@settings(max_examples=200)
@given(
    looks=st.lists(
        st.tuples(READ, NUMBERS, NUMBERS, st.booleans(), st.sampled_from([None, "no_data", "bad_query", "too_little_data"]), st.floats(0, 500)),
        max_size=12,
    ),
    knobs=st.fixed_dictionaries({
        "threshold": st.integers(0, 3), "count": st.integers(0, 4), "consecutive_successes": st.integers(0, 2), "iterations": st.integers(0, 3),
        "consecutive": st.booleans(), "no_data_fails": st.booleans(), "unclear_limit": st.one_of(st.none(), st.integers(0, 2)),
        "error_limit": st.one_of(st.none(), st.integers(0, 2)), "min_requests": st.integers(0, 100),
    }),
)  # fmt: skip
def test_whatever_is_read_the_judge_says_something_that_json_can_hold_and_no_data_never_advances(looks, knobs):
    both = replace(ORDERS, tolerance=0.1)
    run = Run(ERRORS, both, **knobs)
    for counts, canary, stable, closes, problem, seconds in looks:
        scalar = ScalarLook("orders", None if problem else canary, stable, problem, "why")
        verdict = run.look(MetricLook("errors", counts, None), scalars=(scalar,), seconds=seconds, closes=closes)
        assert verdict.decision in ("advance", "hold", "roll_back", "inconclusive")
        assert verdict.reason and json.loads(json.dumps(verdict.evidence, allow_nan=False)) == verdict.evidence
        if verdict.decision == "advance" and not run.state.done:
            assert run.state.last == "passed"
