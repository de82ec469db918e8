# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The share that arrived: the formula against another implementation, false alarms, what is found and when it is taken back."""

import json
import math

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_ratio import (
    ALARM_AT,
    CLEARING_REQUESTS,
    CONCENTRATION,
    SampleRatio,
    log_evidence,
    look,
    relative_miss,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

shares = st.integers(1, 99).map(lambda percent: percent / 100)
requests = st.integers(0, 10**7)


@settings(deadline=None)
@given(requests, requests, shares, st.floats(1.0, 50.0))
def test_the_evidence_is_the_beta_mixture_of_another_implementation(canary, stable, share, dispersion):
    a, b, n_c, n_b = CONCENTRATION * share, CONCENTRATION * (1 - share), canary / dispersion, stable / dispersion
    expected = betaln(a + n_c, b + n_b) - betaln(a, b) - n_c * np.log(share) - n_b * np.log(1 - share)
    assert math.isclose(log_evidence(canary, stable, share, dispersion), expected, rel_tol=1e-7, abs_tol=1e-4)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_evidence_starts_at_one_and_expects_one_after_any_number_of_requests(share):
    assert log_evidence(0, 0, share) == 0
    number = 40
    expectation = sum(
        math.comb(number, k) * share**k * (1 - share) ** (number - k) * math.exp(log_evidence(k, number - k, share))
        for k in range(number + 1)
    )
    assert expectation == pytest.approx(1.0)


@settings(deadline=None)
@given(requests, requests, shares, st.integers(1, 20))
def test_dispersion_is_so_many_fewer_requests(canary, stable, share, dispersion):
    assert log_evidence(canary * dispersion, stable * dispersion, share, dispersion) == log_evidence(canary, stable, share)


def runs(rng, arrived, *, per_look, looks, number):
    """So many runs of binomial looks, as arrays of canary counts."""
    return rng.binomial(per_look, arrived, size=(number, looks))


def first_alarm(weight, counts, per_look, dispersion=1.0):
    """The number of the look at which a run alarms, or None."""
    state = SampleRatio(weight)
    for index, canary in enumerate(counts, 1):
        state = look(state, int(canary), per_look - int(canary), dispersion)
        if state.alarm:
            return index
    return None


@pytest.mark.parametrize(("weight", "per_look"), [(1, 500), (10, 50), (10, 500), (50, 750), (90, 500)])
def test_a_share_that_is_right_raises_an_alarm_in_less_than_one_release_of_a_thousand(weight, per_look):
    rng = np.random.default_rng(weight)
    found = [first_alarm(weight, run, per_look) for run in runs(rng, weight / 100, per_look=per_look, looks=60, number=1000)]
    assert sum(each is not None for each in found) <= 3  # of 1000: at most 1 expected


def test_clumped_requests_raise_no_alarm_when_the_dispersion_is_known():
    rng = np.random.default_rng(7)
    clumps = runs(rng, 0.1, per_look=50, looks=60, number=500) * 10  # ten requests to each connection
    assert sum(first_alarm(10, run, 500, 10.0) is not None for run in clumps) <= 2
    assert sum(first_alarm(10, run, 500) is not None for run in clumps) > 20, "without it they would"


@pytest.mark.parametrize(("weight", "limit"), [(10, 4000), (25, 2000), (50, 1000)])
@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_miss_of_thirty_percent_is_found_soon(weight, limit, factor):
    rng = np.random.default_rng(weight)
    found = [first_alarm(weight, run, 100) for run in runs(rng, factor * weight / 100, per_look=100, looks=200, number=200)]
    assert None not in found
    assert np.median(found) * 100 <= limit


def test_a_weight_that_was_never_applied_is_found_at_once():
    assert first_alarm(10, [0, 0, 0, 0], 150) == 3
    assert first_alarm(50, [15, 15], 150) == 2


def test_a_certain_miss_of_a_tenth_and_less_is_none():
    state = look(SampleRatio(10), 91_000, 909_000)
    assert log_evidence(state.canary, state.stable, state.asked) > math.log(ALARM_AT)
    assert not state.alarm
    assert look(SampleRatio(10), 89_000, 911_000).alarm


@pytest.fixture
def alarmed():
    """10 % asked; for a long time nothing arrived."""
    state = look(SampleRatio(10), 0, 100_000)
    assert state.alarm
    return state


def test_an_alarm_is_taken_back_by_enough_later_requests_with_the_right_share(alarmed):
    part = round(CLEARING_REQUESTS / 2)
    once = look(alarmed, part, 9 * part)
    assert once.alarm, "too few to tell"
    twice = look(once, part, 9 * part)
    assert twice == SampleRatio(10, 2 * part, 18 * part), "what was before is forgotten"


def test_an_alarm_stands_while_later_requests_are_wrong_too(alarmed):
    still = look(alarmed, 280, 3720)
    assert (still.alarm, still.later_canary, still.later_stable) == (True, 0, 0)
    assert look(still, 400, 3600).alarm is False


def test_a_look_without_requests_changes_nothing(alarmed):
    for state in (SampleRatio(10, 3, 40), alarmed):
        assert look(state, 0, 0) == state
    assert relative_miss(0, 0, 0.1) == 0


@settings(deadline=None)
@given(st.integers(1, 99), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=10))
def test_a_state_survives_json_at_every_look(weight, pairs):
    straight = saved = SampleRatio(weight)
    for canary, stable in pairs:
        straight = look(straight, canary, stable)
        saved = look(SampleRatio.from_dict(json.loads(json.dumps(saved.to_dict()))), canary, stable)
    assert saved == straight
    assert 0 <= saved.arrived <= 1
