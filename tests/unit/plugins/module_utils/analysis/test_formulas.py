# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closed forms, against scipy where it knows them, and the planning figures that are published."""

from __future__ import annotations

import itertools
import math

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import sample_size
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.dispersion import dispersion
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.evidence import (
    EXCESSES,
    LARGEST,
    RATIOS,
    SHORTFALLS,
    as_number,
    clean_requests_to_certify,
    log_mixture,
    log_weighted_mean,
    rate_log_ratios,
    relative_log_ratios,
    with_fresh_start,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.incident import is_burning, remember
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.interval import ratio_estimate, ratio_interval
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.state import State, Stratum
from scipy import special, stats


@pytest.mark.parametrize(("canary", "stable"), [((300, 9), (5700, 3)), ((300, 0), (5700, 7)), ((1, 1), (10**9, 0))])
@pytest.mark.parametrize("factors", [RATIOS, SHORTFALLS])
def test_relative_evidence_is_a_binomial_likelihood_ratio(canary, stable, factors):
    arms = Counts(*canary), Counts(*stable)
    split = arms[0].requests / arms[1].requests
    total = arms[0].events + arms[1].events

    def log_likelihood(ratio):
        return stats.binom.logpmf(arms[0].events, total, ratio * split / (1.0 + ratio * split))

    expected = [log_likelihood(1.5 * factor) - log_likelihood(1.5) for factor in factors]
    assert relative_log_ratios(*arms, 1.5, factors) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("counts", [(600, 0), (600, 9), (10, 10), (0, 0)])
@pytest.mark.parametrize("factors", [EXCESSES, SHORTFALLS])
def test_rate_evidence_is_a_binomial_likelihood_ratio(counts, factors):
    requests, events = counts
    expected = [
        stats.binom.logpmf(events, requests, min(0.01 * factor, 0.505)) - stats.binom.logpmf(events, requests, 0.01) for factor in factors
    ]
    assert rate_log_ratios(Counts(requests, events), 0.01, factors) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("phi", [1.0, 3.5])
def test_the_mixture_is_scipys(phi):
    values = (-800.0, 3.0, 2.0, 900.0)
    assert log_mixture(values, phi) == pytest.approx(special.logsumexp([each / phi for each in values]) - math.log(4))
    weights = (0.0, 0.5, 0.25, 0.25)
    expected = special.logsumexp(values, b=weights)
    assert log_weighted_mean(list(zip(weights, values, strict=True))) == pytest.approx(expected)


@pytest.mark.parametrize("null_ratio", [1.5, 1.0])
def test_expected_evidence_is_at_most_one_under_the_null(null_ratio):
    """The sum over all outcomes of P(outcome) * E, for true ratios up to the null, by enumeration."""
    canary_requests, stable_requests, events = 40, 160, 12
    for ratio in (0.5 * null_ratio, null_ratio):
        q = ratio * canary_requests / (ratio * canary_requests + stable_requests)
        expected = sum(
            stats.binom.pmf(a, events, q)
            * math.exp(
                log_mixture(relative_log_ratios(Counts(canary_requests, a), Counts(stable_requests, events - a), null_ratio, RATIOS))
            )
            for a in range(events + 1)
        )
        assert expected <= 1.0 + 1e-9


@pytest.mark.parametrize("step", [0, 1, 2, 7, 1000])
def test_fresh_starts_never_begin_above_one(step):
    assert with_fresh_start(0.0, 0.0, step) <= 1e-12
    shares = 0.99 + sum(0.01 / (k * (k - 1)) for k in range(2, step + 1)) + 0.01 / max(step, 1)
    assert shares == pytest.approx(1.0)


def test_numbers_stay_finite():
    assert as_number(1e9) == LARGEST
    assert as_number(-1e9) == 0.0
    assert as_number(-math.inf) == 0.0
    assert log_weighted_mean([]) == -math.inf


@pytest.mark.parametrize("events", [0, 3, 50])
def test_requests_to_certify_are_the_fewest_that_do(events):
    seen = Counts(100, events)
    more = clean_requests_to_certify(seen, 0.01, 1.4, 20.0)

    def evidence(extra):
        return log_mixture(rate_log_ratios(Counts(100 + extra, events), 0.01, SHORTFALLS), 1.4)

    assert evidence(more) >= math.log(20.0) > evidence(more - 1)


def test_published_planning_figures():
    assert sample_size.requests_to_certify(0.0, 0.01) == pytest.approx(490, rel=0.02)
    hundred_minutes = sample_size.requests_to_detect(0.001, 5.0) / 0.5 / 60.0
    assert hundred_minutes == pytest.approx(100, rel=0.15)
    assert sample_size.requests_to_detect(0.001, 1.5) == math.inf
    assert sample_size.requests_to_certify(0.02, 0.01) == math.inf
    assert sample_size.requests_to_certify(0.02, 0.01, scale=5.0) < math.inf


@pytest.mark.parametrize(("weight", "scale"), [(0.0, 10.0), (1.0, 10.0), (5.0, 10.0), (20.0, 2.5), (50.0, 1.0), (None, 1.0)])
def test_certification_scale(weight, scale):
    assert sample_size.certification_scale(weight) == pytest.approx(scale)


def test_seconds_need_traffic():
    assert sample_size.seconds_for(490, requests_per_second=150, weight_percent=10) == pytest.approx(32.7, abs=0.1)
    assert sample_size.seconds_for(490, requests_per_second=0, weight_percent=10) == math.inf


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_planning_refuses_rates_out_of_range(rate):
    with pytest.raises(ValueError, match="rate"):
        sample_size.requests_to_detect(rate, 5.0)
    with pytest.raises(ValueError, match="rate"):
        sample_size.requests_to_certify(-0.1, 0.01)


def test_dispersion_needs_an_hour():
    assert dispersion([Counts(100, 9)] * 59).measured is False
    assert dispersion([Counts(100, 9)] * 59).value == 1.0
    assert dispersion([Counts(100, 9)] * 60).measured is True


def test_dispersion_is_the_published_formula():
    events = [3, 9, 0, 4, 12, 1] * 10
    requests = [100, 200, 150] * 20
    found = []
    for (n, x), (m, y) in itertools.pairwise(zip(requests, events, strict=True)):
        s, q = x + y, n / (n + m)
        found.append((s, (x - s * q) ** 2 / (s * q * (1 - q))))
    found.sort(key=lambda each: each[0])
    kept = [each[1] for each in found[: len(found) - len(found) // 10]]
    result = dispersion([Counts(n, x) for n, x in zip(requests, events, strict=True)])
    assert result.value == pytest.approx(sum(kept) / len(kept))
    assert result.pairs == len(kept)


def test_dispersion_of_silence_and_of_regular_errors_is_one():
    assert dispersion([Counts(100, 0)] * 60).value == 1.0
    assert dispersion([Counts(0, 0)] * 60).value == 1.0
    assert dispersion([Counts(100, 5)] * 60).value == 1.0


def test_ratio_and_interval():
    strata = (Stratum(10.0, Counts(1000, 20), Counts(9000, 60)), Stratum(50.0, Counts(5000, 100), Counts(5000, 34)))
    ratio = ratio_estimate(strata)
    low, high = ratio_interval(strata, 1.0, 125.0)
    assert ratio == pytest.approx(2.96, abs=0.05)
    assert 1.0 < low < ratio < high < 8.0
    wide_low, wide_high = ratio_interval(strata, 3.0, 125.0)
    assert wide_low < low < high < wide_high
    assert ratio_interval((), 1.0, 125.0) == (0.0, None)
    assert ratio_interval((Stratum(10.0, Counts(10, 0), Counts(90, 0)),), 1.0, 125.0) == (0.0, None)


@pytest.mark.parametrize(
    ("history", "block", "burning"),
    [
        ([], (675, 30), True),
        ([], (675, 1), False),
        ([], (9, 2), False),
        ([(675, 30)] * 12, (300, 0), True),
        ([(675, 30)] * 12, (675, 0), False),
        ([(675, 30)] * 12 + [(675, 0)] * 3, (675, 0), False),
        ([(675, 6)] * 12, (675, 6), False),
        ([(6, 1)] * 12, (6, 1), True),
        ([], (0, 0), False),
        ([], (10, 10), True),
    ],
)
def test_burning(history, block, burning):
    recent, at = (), 0.0
    for counts in history:
        at += 5.0
        recent = remember(recent, at, Counts(*counts))
    assert is_burning(recent, Counts(*block), at + 5.0, max_rate=0.01, budget=None, dispersion=1.0) is burning


def test_what_is_remembered_stays_small():
    recent = ()
    for second in range(2000):
        recent = remember(recent, float(second), Counts(10, 1))
    assert len(recent) == 60
    assert sum(each[1] for each in recent) == 3000


@pytest.mark.parametrize(("requests", "events"), [(1, 2), (-1, 0), (5, -1)])
def test_counts_out_of_range_are_refused(requests, events):
    with pytest.raises(ValueError, match="events"):
        Counts(requests, events)


def test_a_state_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version"):
        State.from_dict({"version": 0})
