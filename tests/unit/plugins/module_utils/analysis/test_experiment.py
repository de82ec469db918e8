# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of two groups, against scipy, a simulation without a difference, and the published sample size."""

import json
import math

import numpy
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.experiment import (
    FALLS,
    RISES,
    SEQUENTIAL_FACTOR,
    Comparison,
    Experiment,
    Tally,
    compare,
    interval,
    look,
    requests_for,
    seconds_for,
)
from scipy import stats


def told(a, b, alpha=0.01, **more):
    return compare(look(Experiment(), Tally(*a), Tally(*b), **more), alpha, **more)


@pytest.mark.parametrize(("a", "b"), [((1000, 100), (1000, 150)), ((4000, 37), (1000, 22)), ((100, 400), (100, 290)), ((500, 3), (500, 0))])
def test_the_evidence_is_half_of_the_mixture_of_binomial_likelihood_ratios(a, b):
    share = b[0] / (a[0] + b[0])

    def mixture(factors):
        split = share / (1 - share)
        total, of_b = a[1] + b[1], b[1]
        null = stats.binom.logpmf(of_b, total, share)
        return numpy.mean([math.exp(stats.binom.logpmf(of_b, total, f * split / (1 + f * split)) - null) for f in factors])

    assert told(a, b).evidence == pytest.approx(max(mixture(RISES), mixture(FALLS)) / 2, rel=1e-6)


@pytest.mark.parametrize(("a", "b"), [((5000, 500), (5000, 600)), ((40000, 400), (10000, 130)), ((200, 9), (900, 80))])
def test_the_interval_holds_the_exact_one_that_may_be_read_only_once(a, b):
    once = stats.binomtest(b[1], a[1] + b[1]).proportion_ci(0.99, method="exact")
    exact = [q / (1 - q) * a[0] / b[0] for q in (once.low, once.high)]
    low, high = interval(Tally(*a), Tally(*b), 0.01)
    assert low < exact[0] < exact[1] < high
    width, exact_width = math.log(high / low), math.log(exact[1] / exact[0])
    assert width < 2 * exact_width, "what reading at any time costs is no more than this"


def test_who_converts_more_wins_and_the_interval_says_by_how_much():
    won = told((20000, 2000), (20000, 2600))
    assert (won.winner, won.ratio, won.difference) == ("b", pytest.approx(1.3), pytest.approx(0.03))
    assert 1.0 < won.low < 1.3 < won.high
    lost = told((20000, 2600), (20000, 2000))
    assert (lost.winner, lost.low < 1 / 1.3 < lost.high < 1.0) == ("a", True)
    assert won.p_value == pytest.approx(1 / won.evidence)


def test_without_a_difference_nobody_wins_and_the_largest_possible_one_is_told():
    small, large = told((2000, 200), (2000, 200)), told((200000, 20000), (200000, 20000))
    assert (small.winner, large.winner, large.p_value) == ("none", "none", 1.0)
    assert large.largest_difference < 0.06 < small.largest_difference
    assert (large.is_not_worse_than(0.06), small.is_not_worse_than(0.06)) == (True, False)


@pytest.mark.parametrize(("a", "b"), [((0, 0), (0, 0)), ((100, 0), (100, 0)), ((0, 0), (50, 3)), ((50, 3), (0, 0))])
def test_a_group_without_requests_or_conversions_decides_nothing(a, b):
    assert told(a, b) == Comparison(None if not a[1] or not b[0] else 0.0, told(a, b).difference, 0.0, None, "none", 0.5, 1.0)


def test_counts_that_vary_more_are_weaker_evidence():
    independent, clustered = told((2000, 200), (2000, 320)), told((2000, 200), (2000, 320), dispersion=4.0)
    assert (independent.winner, clustered.winner) == ("b", "none")
    assert clustered.low < independent.low


def test_the_test_and_the_interval_never_disagree():
    rng = numpy.random.default_rng(5)
    for _case in range(300):
        state = Experiment()
        for _look in range(4):  # shares that move, so that totals and looks differ
            n_a, n_b = rng.integers(50, 3000, 2)
            state = look(state, Tally(int(n_a), int(rng.binomial(n_a, 0.1))), Tally(int(n_b), int(rng.binomial(n_b, 0.12))))
        found = compare(state, 0.05)
        assert {"b": found.low >= 1.0, "a": (found.high or 2.0) <= 1.0, "none": found.low <= 1.0 <= (found.high or 1.0)}[found.winner]


def test_groups_that_convert_alike_are_told_apart_no_more_often_than_alpha_though_read_fifty_times():
    rng = numpy.random.default_rng(7)
    alpha, runs, false = 0.05, 500, 0
    for _run in range(runs):
        state = Experiment()
        for number in range(50):
            rate = 0.05 * (1.5 + math.sin(number / 4))  # day and night
            drawn = rng.binomial(400, 0.2)
            counts = [(int(n), int(rng.binomial(n, rate))) for n in (400 - drawn, drawn)]
            state = look(state, Tally(*counts[0]), Tally(*counts[1]))
            if compare(state, alpha).winner != "none" if number % 10 == 9 else state.log_largest >= math.log(1 / alpha):
                false += 1
                break
    assert false <= alpha * runs + 3 * math.sqrt(alpha * (1 - alpha) * runs)
    assert false > 0, "a test that never fires would pass the line above"


def test_most_experiments_find_the_effect_within_the_predicted_requests():
    rng = numpy.random.default_rng(11)
    a, b = (int(SEQUENTIAL_FACTOR * n / 20) for n in requests_for(0.1, 0.2, share=0.3, alpha=0.01))
    found = 0
    for _run in range(100):
        state = Experiment()
        for _look in range(20):
            state = look(state, Tally(a, int(rng.binomial(a, 0.1))), Tally(b, int(rng.binomial(b, 0.12))))
        found += compare(state, 0.01).winner == "b" or state.log_largest >= math.log(100)
    assert found >= 70


def test_the_published_sample_size_and_its_power_by_scipy():
    a, b = requests_for(0.10, 0.10)
    assert a == b == pytest.approx(14_750, rel=0.001)
    a, b = requests_for(0.02, 0.25, share=0.2, alpha=0.01, power=0.9)
    assert a == pytest.approx(4 * b)
    deviation = math.sqrt(0.02 * 0.98 / a + 0.025 * 0.975 / b)
    assert stats.norm.sf(stats.norm.isf(0.005), 0.005 / deviation) == pytest.approx(0.9, abs=1e-3)


def test_days_follow_from_the_traffic_and_none_from_no_traffic():
    a, b = requests_for(0.1, 0.1, share=0.2, alpha=0.01)
    assert seconds_for(0.1, 0.1, 50.0, share=0.2, alpha=0.01, dispersion=2.0) == pytest.approx(2 * SEQUENTIAL_FACTOR * (a + b) / 50)
    assert seconds_for(0.1, 0.1, 0.0, share=0.2, alpha=0.01) == seconds_for(0.0, 0.1, 50.0, share=0.2, alpha=0.01) == math.inf


@pytest.mark.parametrize(("rate", "effect", "share"), [(0.0, 0.1, 0.5), (0.1, 0.0, 0.5), (0.1, -1.0, 0.5), (0.1, 0.1, 1.0)])
def test_what_has_no_sample_size_is_refused(rate, effect, share):
    with pytest.raises(ValueError, match="no sample size"):
        requests_for(rate, effect, share=share)


def test_a_state_survives_its_json_bit_for_bit():
    state = look(look(Experiment(), Tally(300, 30), Tally(100, 17)), Tally(301, 29), Tally(99, 12))
    assert Experiment.from_dict(json.loads(json.dumps(state.to_dict()))) == state
    assert state.a == Tally(601, 59)


def test_negative_counts_and_impossible_levels_are_refused():
    with pytest.raises(ValueError, match="not negative"):
        Tally(5, -1)
    with pytest.raises(ValueError, match="alpha"):
        compare(Experiment(), 1.0)
