# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many pods make a share."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload.replicas import (
    Mix,
    is_close,
    most_of,
    nearest,
    stable_needed,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("weight", "stable", "most", "canary", "percent"),
    [
        (10, 9, 9, 1, 10.0),
        (10, 5, 5, 1, 16.7),  # none is not on offer
        (1, 1, 1, 1, 50.0),
        (25, 5, 5, 2, 28.6),
        (25, 6, 6, 2, 25.0),
        (50, 4, 4, 4, 50.0),
        (75, 4, 4, 4, 50.0),  # as far as the limit lets it go
        (75, 4, 12, 12, 75.0),
        (99, 1, 1000, 99, 99.0),
        (45, 10, 8, 8, 44.4),
    ],
)
def test_pods_of_a_weight(weight, stable, most, canary, percent):
    mix = nearest(weight, stable, most)
    assert (mix.canary, mix.stable, round(mix.percent, 1)) == (canary, stable, percent)


def test_of_two_that_are_as_near_the_fewer_are_taken():
    assert nearest(45, 3, 10) == Mix(2, 3), "2 of 5 and 3 of 6 pods both miss 45 % by 5"


@given(st.integers(1, 99), st.integers(1, 200), st.integers(1, 400))
def test_no_other_count_up_to_the_limit_is_nearer(weight, stable, most):
    chosen = nearest(weight, stable, most)
    missed = [abs(100 * count - weight * (count + stable)) / (count + stable) for count in range(1, most + 1)]
    assert 1 <= chosen.canary <= most
    assert missed[chosen.canary - 1] <= min(missed) + 1e-9
    assert chosen.canary - 1 == next(index for index, miss in enumerate(missed) if miss <= min(missed) + 1e-9)


@given(st.integers(1, 98), st.integers(1, 100), st.integers(1, 200))
def test_a_higher_weight_never_has_fewer_pods(weight, stable, most):
    assert nearest(weight, stable, most).canary <= nearest(weight + 1, stable, most).canary


@pytest.mark.parametrize(("weight", "stable", "needed"), [(10, 5, 9), (25, 5, 6), (5, 2, 18), (50, 3, 3), (1, 1, 90)])
def test_the_stable_pods_that_a_weight_needs(weight, stable, needed):
    assert stable_needed(weight, stable) == needed
    assert is_close(weight, nearest(weight, needed, 100 * needed))
    assert needed == stable or not is_close(weight, nearest(weight, needed - 1, 100 * needed))


@pytest.mark.parametrize("wrong", [(0, 4, 4), (100, 4, 4), (10, 0, 4), (10, 4, 0)])
def test_shares_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="no share of"):
        nearest(*wrong)


def test_without_a_limit_the_canary_is_no_larger_than_stable():
    assert (most_of(None, 4), most_of(9, 4)) == (4, 9)
