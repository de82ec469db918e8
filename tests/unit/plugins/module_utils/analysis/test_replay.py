# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rule on counts of the past: trials, what is made of them, and the draws behind them."""

import random
from statistics import mean, pvariance

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.replay import (
    FALSE,
    Interval,
    binomial,
    rate,
    split_at_random,
    summarise,
    trials,
    wilson,
    windows,
    worsened,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Gate, Rule
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

STEP, PER_LOOK = 15.0, 300


def rule(dispersions=None):
    return Rule(gates=(Gate("errors", 0.01, dispersion=(dispersions or {}).get("errors", 1.0)),))


def past(hours, errors=0.001, pods=("a", "b", "c", "d"), seed=3, **bad):
    """Intervals in which each pod serves as many requests, with errors at a rate of its own."""
    draw = random.Random(seed)
    return [
        Interval(
            1000.0 + STEP * look,
            {"errors": {pod: Counts(PER_LOOK, binomial(draw, PER_LOOK, bad.get(pod, errors))) for pod in pods}},
        )
        for look in range(int(hours * 3600 / STEP))
    ]


def tried(intervals, **more):
    return trials(rule, intervals, ["errors"], window_seconds=600.0, **more)


def test_every_pod_plays_the_canary_once_in_every_window():
    made = tried(past(1))
    assert [one.canary for one in made[:4]] == ["a", "b", "c", "d"]
    assert len(made) == 4 * 5  # 3585 s of samples hold five whole windows
    assert {one.began_at for one in made} == {1000.0 + 600 * number for number in range(5)}


def test_equal_pods_are_not_returned_and_go_on():
    summary = summarise(tried(past(6)))
    assert summary.rolled_back == summary.undecided == summary.incidents == 0
    assert summary.advanced == summary.trials == 4 * 35
    assert summary.seconds_to_advance == 30  # 490 clean requests certify 1 %: two looks of 300


def test_a_pod_that_errs_ten_times_as_much_is_returned_each_time_and_nobody_else():
    made = tried(past(2, a=0.1))
    assert {one.canary for one in made if one.cause in FALSE} == {"a"}
    assert all(one.cause in FALSE and one.seconds <= 60 for one in made if one.canary == "a")


def test_the_same_data_give_the_same_answer():
    intervals = past(1)
    harm = {"errors": 0.001}
    assert tried(intervals, spoil=worsened(10, harm, 1)) == tried(intervals, spoil=worsened(10, harm, 1))


def test_more_errors_are_caught_sooner():
    intervals = past(3)
    found = [summarise(tried(intervals, spoil=worsened(ratio, {"errors": 0.002}, 1))) for ratio in (2, 10, 50)]
    assert found[2].rolled_back == found[2].trials
    assert found[0].rolled_back < found[1].rolled_back <= found[2].rolled_back
    assert found[2].seconds_to_roll_back < found[1].seconds_to_roll_back


def test_a_gap_ends_a_window_and_a_lone_pod_is_compared_with_nobody():
    intervals = past(1)
    whole = list(windows(intervals, 600.0))
    broken = intervals[:60] + intervals[70:]  # the second window loses its middle
    assert [window[0].at_seconds for _first, window in whole] == [1000.0 + 600 * number for number in range(5)]
    assert [window[0].at_seconds for _first, window in windows(broken, 600.0)] == [1000.0, *(2050.0 + 600 * number for number in range(4))]
    assert tried(past(1, pods=("a",))) == []


def test_a_pod_that_was_not_there_all_the_time_plays_no_part():
    intervals = past(0.5)
    intervals[5].counts["errors"].pop("d")
    assert {one.canary for one in tried(intervals) if one.began_at == 1000.0} == {"a", "b", "c"}


def test_the_hour_before_a_window_tells_its_dispersion():
    seen = []
    intervals = past(3)
    trials(lambda phi: seen.append(phi["errors"]) or rule(phi), intervals, ["errors"], window_seconds=600.0)
    assert seen[:6] == [1.0] * 6 and len(seen) == 17
    assert all(1.0 <= phi < 2.0 for phi in seen[6:])


def test_requests_that_are_dealt_at_random_add_up_and_keep_their_rate():
    intervals = past(2, errors=0.02)
    dealt = split_at_random(intervals, 0.1, 1)
    for before, after in zip(intervals, dealt, strict=True):
        assert sum(after.counts["errors"].values(), Counts(0, 0)) == sum(before.counts["errors"].values(), Counts(0, 0))
    canary = [one.counts["errors"]["canary"] for one in dealt]
    assert sum(one.requests for one in canary) / (480 * 4 * PER_LOOK) == pytest.approx(0.1, rel=0.02)
    assert sum(one.events for one in canary) / sum(one.requests for one in canary) == pytest.approx(0.02, rel=0.08)
    assert rate(dealt, "errors") == rate(intervals, "errors")


@pytest.mark.parametrize(("number", "chance"), [(40, 0.3), (300, 0.01), (50, 0.9), (200_000, 0.3)])
def test_draws_have_the_mean_and_the_variance_of_the_binomial(number, chance):
    draw = random.Random(7)
    drawn = [binomial(draw, number, chance) for _each in range(4000)]
    expected = binom(number, chance)
    assert mean(drawn) == pytest.approx(expected.mean(), abs=4 * expected.std() / 4000**0.5)
    assert pvariance(drawn) == pytest.approx(expected.var(), rel=0.1)


@given(st.integers(0, 10**6), st.floats(0, 1), st.integers())
def test_a_draw_lies_in_its_range(number, chance, seed):
    assert 0 <= binomial(random.Random(seed), number, chance) <= number


@pytest.mark.parametrize(("hits", "of", "lower", "upper"), [(5, 100, 0.0215, 0.1118), (0, 50, 0.0, 0.0713), (0, 0, 0.0, 1.0)])
def test_the_interval_of_a_share_is_wilsons(hits, of, lower, upper):
    assert wilson(hits, of)[1:] == pytest.approx((lower, upper), abs=1e-4)
