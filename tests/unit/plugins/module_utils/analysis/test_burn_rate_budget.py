# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Burn rates and budgets: the published numbers, and what must hold for all others."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import budget, burn_rate
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.burn_rate import DAY, HOUR, Window
from hypothesis import given
from hypothesis import strategies as st

MONTH = 30 * DAY
shares = st.floats(0.001, 0.9)
rates = st.floats(0.0, 1.0)


@pytest.mark.parametrize(("objective", "allowed"), [(0.999, 0.001), (0.99, 0.01), (0.9995, 0.0005), (0.5, 0.5)])
def test_the_budget_is_what_the_objective_leaves(objective, allowed):
    assert burn_rate.budget_of(objective) == allowed


@pytest.mark.parametrize("objective", [0.0, 1.0, 99.9, -1.0])
def test_an_objective_lies_between_nothing_and_everything(objective):
    with pytest.raises(ValueError, match="between 0 and 1"):
        burn_rate.budget_of(objective)


@pytest.mark.parametrize(
    ("period", "factors"), [(MONTH, (14.4, 6, 3, 1)), (28 * DAY, (13.44, 5.6, 2.8, 0.9333)), (7 * DAY, (3.36, 1.4, 0.7, 0.2333))]
)
def test_factors_follow_from_the_share_that_a_window_may_spend(period, factors):
    found = burn_rate.windows(period)
    assert [window.factor for window in found] == pytest.approx(factors, rel=1e-3)
    assert [(window.long_seconds / HOUR, window.short_seconds / 60) for window in found] == [(1, 5), (6, 30), (24, 120), (72, 360)]


@pytest.mark.parametrize(("share", "window", "factor"), [(0.02, HOUR, 14.4), (0.05, 6 * HOUR, 6), (0.1, DAY, 3), (0.1, 3 * DAY, 1)])
def test_a_factor_and_the_share_that_it_spends_belong_together(share, window, factor):
    assert burn_rate.factor(share, window, MONTH) == pytest.approx(factor)
    assert burn_rate.spent(factor, window, MONTH) == pytest.approx(share)


@pytest.mark.parametrize(
    ("days", "minutes", "last_hours"),
    [(28, ((60, 5), (360, 30), (1440, 120), (5760, 360)), 96), (30, ((64, 5), (386, 32), (1543, 129), (6171, 386)), 102.85)],
)
def test_pyrras_windows_follow_the_period_and_its_factors_do_not(days, minutes, last_hours):
    found = burn_rate.pyrra_windows(days * DAY)
    assert tuple((window.long_seconds / 60, window.short_seconds / 60) for window in found) == minutes
    assert [window.factor for window in found] == [14, 7, 2, 1]
    assert found[-1].long_seconds / HOUR == pytest.approx(last_hours)


@pytest.mark.parametrize(("ratio", "rate"), [(0.001, 1), (0.0144, 14.4), (1.0, 1000), (0.0, 0)])
def test_burn_is_the_share_of_failures_in_shares_that_are_allowed(ratio, rate):
    assert burn_rate.burn(ratio, 0.001) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("long", "short", "fires"), [(14.4, 14.4, True), (15, 14.3, False), (14.3, 900, False), (0.0144 / 0.001, 20, True)]
)
def test_an_alert_needs_both_windows(long, short, fires):
    assert burn_rate.too_fast(14.4, long, short) is fires


@given(st.floats(DAY, 92 * DAY), rates, rates)
def test_slower_windows_have_smaller_factors_so_that_what_burns_fast_burns_in_all(period, long, short):
    found = burn_rate.windows(period)
    assert [window.factor for window in found] == sorted((window.factor for window in found), reverse=True)
    fires = [burn_rate.too_fast(window.factor, long / 0.001, short / 0.001) for window in found]
    assert fires == sorted(fires)  # a fast window that fires never stands alone
    assert all(isinstance(window, Window) and window.short_seconds < window.long_seconds for window in found)


CHOICES = [  # left, burn over 1 h, burn over 5 min, choice, a part of the reason
    (1.0, 0, 0, "normal", "100 % of the error budget is left"),
    (0.501, 1, 1, "normal", "50.1 %"),
    (0.5, 1, 1, "careful", "up to 50 %"),
    (0.2, 1, 1, "careful", "20 %"),
    (0.199, 1, 1, "ask", "below 20 %"),
    (0.001, 1, 1, "ask", "0.1 %"),
    (0.0, 1, 1, "refuse", "nothing is left"),
    (-0.4, 0, 0, "refuse", "-40 %"),
    (1.0, 14.4, 14.4, "refuse", "14.4 times or more over both"),
    (1.0, 14.4, 14.3, "normal", "it burns 14.4 times (1 h) and 14.3 times (5 min)"),
    (0.3, 2, 80, "careful", "80 times (5 min)"),
    (0.1, 20, 20, "refuse", "incident"),
]


@pytest.mark.parametrize(("left", "long", "short", "word", "reason"), CHOICES)
def test_what_is_left_and_how_it_burns_choose_how_to_go(left, long, short, word, reason):
    found = budget.choose(left, long, short)
    assert found.word == word
    assert reason in found.why


@given(st.floats(-2, 1), st.floats(-2, 1), st.floats(0, 100), st.floats(0, 100))
def test_more_budget_is_never_worse(one, other, long, short):
    order = [budget.REFUSE, budget.ASK, budget.CAREFUL, budget.NORMAL]
    less, more = (order.index(budget.choose(left, long, short).word) for left in sorted((one, other)))
    assert less <= more


@pytest.mark.parametrize(("ratio", "left"), [(0.0, 1), (0.0005, 0.5), (0.001, 0), (0.0014, -0.4)])
def test_what_is_left_of_the_budget(ratio, left):
    assert budget.remaining(ratio, 0.001) == pytest.approx(left)


@pytest.mark.parametrize(
    ("left", "per_second", "objective", "allowed", "first"),
    [(1.0, 100, 0.999, 259.2, 4.32), (0.2, 100, 0.999, 51.84, 0.864), (1.0, 10, 0.999, 25.92, 4.32), (0.0, 100, 0.999, 0, 0)],
)
def test_the_allowance_and_the_first_weight_that_it_pays_for(left, per_second, objective, allowed, first):
    found = budget.allowance(0.001, left, burn_rate.budget_of(objective), per_second * MONTH)
    assert found == pytest.approx(allowed)
    assert budget.largest_first_weight(found, per_second, 30) == pytest.approx(first)


def test_an_overspent_budget_allows_nothing_and_no_traffic_limits_no_weight():
    assert budget.allowance(0.001, -1.0, 0.001, 1e9) == 0
    assert budget.largest_first_weight(0.0, 0.0, 30) == 100
    assert budget.largest_first_weight(1e9, 100, 30) == 100


@pytest.mark.parametrize(
    ("weights", "steps"), [((10, 50, 100), (5, 10, 30, 50, 75, 100)), ((1, 2, 100), (1, 2, 51, 100)), ((100,), (50, 100))]
)
def test_careful_steps_are_half_as_large(weights, steps):
    assert budget.halved(weights) == steps


@given(st.sets(st.integers(1, 99), max_size=10))
def test_halved_steps_grow_keep_every_weight_and_halve_the_largest_rise(weights):
    before = (*sorted(weights), 100)
    after = budget.halved(before)
    assert set(before) <= set(after) and list(after) == sorted(set(after))

    def largest(steps):
        return max(b - a for a, b in zip((0, *steps), steps, strict=False))

    assert largest(after) <= (largest(before) + 1) / 2
