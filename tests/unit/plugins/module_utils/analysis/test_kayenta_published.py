# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With ``kayenta_compatible`` the numbers and verdicts that Kayenta publishes in its own unit tests come out."""

import random

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta_shift import (
    brent_root,
    kayenta_shift,
    rank_statistic,
    with_noise,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney import (
    compare,
    mean_ratio,
    shift_interval,
    superiority,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.samples import percentile, prepare, within_fences
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.analysis import kayenta_vectors

PUBLISHED = vars(kayenta_vectors)
Z95 = PUBLISHED["MOSTLY_ZERO_STATISTICS"]["quantile"]
ONES, RISING = [1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]
HIGH, LOW = PUBLISHED["FIVE_HIGH"], PUBLISHED["FIVE_LOW"]

PAIRS = {"tolerance": 0.2, "confidence": 0.98, "effect_size": "cles", "allowed_decrease": 0.2, "allowed_increase": 0.8}


def judged(canary, baseline, **options):
    """As in Kayenta's suite: 95 %, tolerance 0.1 unless said otherwise. Names are those of the published samples."""
    canary, baseline = (PUBLISHED[values] if isinstance(values, str) else values for values in (canary, baseline))
    found = compare(canary, baseline, Options(**{"tolerance": 0.1, "confidence": 0.95, "kayenta_compatible": True, **options}))
    return found.verdict, found.critical


def test_the_interval_of_four_and_four_samples():
    assert kayenta_shift([10.0, 20.0, 30.0, 40.0], [1.0, 2.0, 3.0, 4.0], Z95) == pytest.approx((6.0, 22.5, 39.0), abs=1e-6)


def test_the_interval_that_only_the_absolute_precision_explains():
    canary, baseline = sorted(PUBLISHED["MOSTLY_ZERO"]), sorted(PUBLISHED["MOSTLY_ZERO_TOO"])
    assert kayenta_shift(canary, baseline, Z95) == pytest.approx(PUBLISHED["MOSTLY_ZERO_INTERVAL"], abs=1e-9)


def test_the_statistic_at_both_ends_of_the_search():
    canary, baseline = sorted(PUBLISHED["MOSTLY_ZERO"]), sorted(PUBLISHED["MOSTLY_ZERO_TOO"])
    for name, shift in (("at the lowest shift", canary[0] - baseline[-1]), ("at the highest shift", canary[-1] - baseline[0])):
        statistic = rank_statistic(canary, baseline, shift)
        assert (statistic - Z95, statistic + Z95) == pytest.approx(PUBLISHED["MOSTLY_ZERO_STATISTICS"][name], abs=1e-9)


def test_samples_closer_than_the_precision_have_their_estimate_at_an_end():
    """The published case of values around 0.0333: the search stops before it begins."""
    canary = [0.03333 + number * 1e-7 for number in range(40)]
    baseline = [0.03333 + number * 1.1e-7 for number in range(40)]
    low, estimate, high = kayenta_shift(canary, baseline, Z95)
    assert canary[-1] - baseline[0] in (low, estimate, high)
    assert estimate == high


@pytest.mark.parametrize(
    ("canary", "baseline", "options", "expected"),
    [
        ("AROUND_TEN", "AROUND_TEN_TOO", {}, ("Pass", False)),
        ("AROUND_TWENTY", "AROUND_TEN_TOO", {}, ("High", False)),
        ("AROUND_TEN", "AROUND_TWENTY_TOO", {}, ("Low", False)),
        ("AROUND_TEN", "AROUND_TWENTY_TOO", {"direction": "increase"}, ("Pass", False)),
        ("AROUND_TWENTY", "AROUND_TEN_TOO", {"direction": "decrease"}, ("Pass", False)),
        ("AROUND_TWENTY", "AROUND_TEN_TOO", {"direction": "increase"}, ("High", False)),
        ("AROUND_TEN", "AROUND_TWENTY_TOO", {"direction": "decrease"}, ("Low", False)),
        ("MOSTLY_ZERO", "MOSTLY_ZERO_TOO", {}, ("High", False)),
        ("MOSTLY_ZERO", "MOSTLY_ZERO_TOO", {"allowed_increase": 5.0}, ("Pass", False)),
        (HIGH, LOW, {"allowed_decrease": 0.8, "allowed_increase": 1.2}, ("High", False)),
        ("AROUND_TEN", "AROUND_TWENTY_TOO", {"direction": "decrease", "allowed_decrease": 0.8, "allowed_increase": 1.2}, ("Low", False)),
        ([10.0, 12.2, 10.1, 12.5, 23.0], HIGH, {"allowed_decrease": 0.5}, ("Pass", False)),
        ("FEW_ERRORS", "FEWER_ERRORS", {**PAIRS, "allowed_decrease": 0.5}, ("Pass", False)),
        ("LATENCY_SECONDS", "LATENCY_SECONDS_BEFORE", PAIRS, ("High", False)),
        ("SHIFTED_DOWN", "SHIFTED_DOWN_BEFORE", PAIRS, ("Low", False)),
        (HIGH, LOW, {"critical": True, "critical_increase": 1.2}, ("High", True)),
        ([2.0, 2.0, 2.0, 2.0, 3.0], [10.0, 20.2, 10.1, 20.5, 30.0], {"critical": True, "critical_decrease": 1.2}, ("Low", True)),
        (HIGH, LOW, {"critical": True, "allowed_increase": 5.0, "critical_increase": 13.0}, ("High", False)),
        (HIGH, LOW, {"critical": True, "allowed_increase": 13.0, "critical_increase": 15.0}, ("Pass", False)),
        (HIGH, LOW, {"critical": True}, ("High", True)),
        ([1.0] * 3, [1.0] * 2, {"direction": "decrease"}, ("Pass", False)),
        (RISING, RISING[::-1], {"direction": "decrease"}, ("Pass", False)),
        ([0.0, 1.0, 1.0, 1.0, 1.0], ONES, {"direction": "decrease"}, ("Pass", False)),
        ([], RISING, {"direction": "decrease"}, ("Nodata", False)),
        ([], RISING, {"direction": "decrease", "critical": True}, ("Nodata", True)),
        ([], RISING, {"direction": "decrease", "nan_strategy": "replace"}, ("Pass", False)),
        ([1.0, 1.0, 1.0, 1.0, 10.0], ONES, {}, ("Pass", False)),
        ([10.0] * 5, ONES, {}, ("High", False)),
        ([10.0] * 5, [0.0] * 5, {}, ("High", False)),
        ("ZERO_TO_MUCH", [0.0] * 5, {"allowed_decrease": 0.8, "allowed_increase": 1.2}, ("High", False)),
        ([0.0] * 5, "ZERO_TO_MUCH", {"allowed_decrease": 0.8, "allowed_increase": 1.2}, ("Low", False)),
        ("SOME_ERRORS", [0.0] * 10, {"nan_strategy": "replace", "critical": True, "critical_increase": 1.2}, ("High", True)),
        ([0.0] * 5, [0.0] * 5, {"allowed_decrease": 0.8, "allowed_increase": 1.2}, ("Pass", False)),
    ],
)
def test_the_published_verdicts(canary, baseline, options, expected):
    assert judged(canary, baseline, **options) == expected


@pytest.mark.parametrize(
    ("canary", "baseline", "share", "precision"),
    [
        ("CLES_CANARY_HIGH", "CLES_BASELINE_HIGH", 0.771, 0.001),
        ("CLES_CANARY_LOW", "CLES_BASELINE_LOW", 0.12, 1e-9),
    ],
)
def test_the_published_shares_of_pairs(canary, baseline, share, precision):
    assert superiority(prepare(PUBLISHED[canary]), prepare(PUBLISHED[baseline])) == pytest.approx(share, abs=precision)


@pytest.mark.parametrize(("canary", "baseline", "ratio"), [(1.0, 1.0, 1.0), (10.0, 1.0, 10.0), (10.0, 100.0, 0.1)])
def test_the_published_ratios_of_means(canary, baseline, ratio):
    assert mean_ratio(prepare([canary] * 5), prepare([baseline] * 5), signed=True) == ratio


def test_the_published_percentiles():
    halves = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]
    assert [percentile(halves, percent) for percent in (5, 50, 100)] == pytest.approx([0.175, 1.75, 3.5], abs=1e-9)
    nist = [95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.0610, 95.1591, 95.1195, 95.1772, 95.0925, 95.1990, 95.1682]
    assert percentile(sorted(nist), 90) == pytest.approx(95.19568, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "inside"),
    [
        ([21.0, 23.0, 24.0, 25.0, 50.0, 29.0, 23.0, 21.0], [21.0, 21.0, 23.0, 23.0, 24.0, 25.0, 29.0]),
        ([1.0, 1.0, 1.0, 5.0, -1.0, -1.0, -1.0, -5.0], [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]),
        ([], []),
    ],
)
def test_the_published_outliers(values, inside):
    assert within_fences(sorted(values), 1.5, reduce_sensitivity=False) == inside


@pytest.mark.parametrize("seed", range(10))
def test_where_the_unit_is_small_enough_both_ways_find_the_same_interval(seed):
    draw = random.Random(seed)
    canary, baseline = (sorted(draw.gauss(mean, 100.0) for _sample in range(40)) for mean in (1000.0, 950.0))
    exact = shift_interval(canary, baseline, Z95)
    low, _estimate, high = kayenta_shift(canary, baseline, Z95)  # between the middle differences each estimate is as good
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-4)


def test_one_sample_in_each_arm_is_no_data_even_there():
    assert judged([5.0], [1.0]) == ("Nodata", False)


def test_noise_is_small_and_always_the_same():
    noisy = with_noise([1000.0] * 50)
    assert noisy == with_noise([1000.0] * 50)
    assert len(set(noisy)) == 50
    assert max(abs(value - 1000.0) for value in noisy) < 0.03
    assert with_noise([0.0] * 3) == [0.0] * 3


def test_the_root_of_a_smooth_function_is_found():
    assert brent_root(lambda x: x**3 - 2.0, 0.0, 2.0, tolerance=1e-12) == pytest.approx(2.0 ** (1.0 / 3.0), abs=1e-11)
    assert brent_root(lambda x: x - 1.0, 1.0, 3.0) == 1.0
    assert brent_root(lambda x: x - 3.0, 1.0, 3.0) == 3.0
