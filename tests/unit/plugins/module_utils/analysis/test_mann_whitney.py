# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rank judge: its interval against scipy, and what must hold for all samples."""

import dataclasses
import itertools
import json
import math
import random
import sys
from statistics import NormalDist

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import mann_whitney as judge
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney import compare, samples_needed, shift_interval
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Options, Wrong, options_from
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rank import kth_difference, pairs_above
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_finding import judge_samples
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.samples import percentile, prepare, scaled_mean, within_fences
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

usual = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
tied = st.integers(-4, 12).map(float)
arms = st.lists(st.one_of(usual, tied), min_size=1, max_size=25)
tied_arms = st.lists(tied, min_size=1, max_size=25)
anything = st.lists(st.one_of(st.floats(), tied), max_size=12)
options = st.builds(
    Options,
    direction=st.sampled_from(["either", "increase", "decrease"]),
    confidence=st.sampled_from([0.8, 0.95, 0.98]),
    tolerance=st.sampled_from([0.0, 0.1, 0.25]),
    effect_size=st.sampled_from(["mean_ratio", "cles"]),
    allowed_increase=st.sampled_from([None, 0.7, 1.0]),
    allowed_decrease=st.sampled_from([None, 0.3, 0.9]),
    critical=st.booleans(),
    must_have_data=st.booleans(),
    nan_strategy=st.sampled_from(["remove", "replace"]),
    outliers=st.sampled_from(["keep", "remove"]),
)


def quantile(confidence):
    return -NormalDist().inv_cdf((1.0 - confidence) / 2.0)


@given(arms, arms, st.data())
def test_the_kth_difference_is_that_of_a_sorted_list(xs, ys, data):
    everything = sorted(x - y for x in xs for y in ys)
    k = data.draw(st.integers(1, len(everything)))
    assert kth_difference(sorted(xs), sorted(ys), k) == everything[k - 1]


@given(st.lists(usual, min_size=6, max_size=25, unique=True), st.lists(usual, min_size=6, max_size=25, unique=True))
def test_the_ends_are_where_scipys_test_begins_to_reject(xs, ys):
    """Just outside the interval scipy's p-value is at most alpha, just inside it is above it."""
    alpha = 0.05
    differences = sorted({x - y for x in xs for y in ys})
    gap = min((b - a for a, b in itertools.pairwise(differences)), default=1.0)
    assume(gap > 1e-4)  # so that a step aside is a step past one difference, and not rounded away
    found = shift_interval(sorted(xs), sorted(ys), quantile(1.0 - alpha))
    step = gap / 2.0

    def p_value(shift):
        return stats.mannwhitneyu([x - shift for x in xs], ys, alternative="two-sided", method="asymptotic", use_continuity=True).pvalue

    assert p_value(found.low - step) <= alpha < p_value(found.low + step)
    assert p_value(found.high + step) <= alpha < p_value(found.high - step)
    assert found.low <= found.estimate <= found.high


@given(tied_arms, tied_arms)
def test_with_ties_too_nothing_inside_is_rejected_and_all_outside_is(xs, ys):
    found = shift_interval(sorted(xs), sorted(ys), quantile(0.9))
    assume(found is not None)
    for shift in [value + 0.5 for value in range(-18, 18)]:  # samples are whole: no tie between the arms
        p_value = stats.mannwhitneyu([x - shift for x in xs], ys, alternative="two-sided", method="asymptotic").pvalue
        assert (p_value > 0.1) == (found.low <= shift <= found.high)


@given(arms, arms)
def test_superiority_is_scipys_u(xs, ys):
    assert pairs_above(xs, sorted(ys)) == stats.mannwhitneyu(xs, ys).statistic


@pytest.mark.parametrize(("confidence", "needed"), [(0.98, 5), (0.95, 4), (0.8, 3)])
def test_fewer_samples_than_the_confidence_needs_are_no_data(confidence, needed):
    assert samples_needed(confidence) == needed
    low, high = list(range(needed)), [100.0 + number for number in range(needed)]
    options = Options(confidence=confidence)
    assert compare(high, low, options).verdict == judge.HIGH
    few = compare(high[1:], low[1:], options)
    assert (few.verdict, few.cause) == (judge.NODATA, judge.TOO_FEW_SAMPLES)


@given(arms, arms, options, st.floats(1e-9, 1e9))
def test_a_change_of_unit_never_changes_a_verdict(xs, ys, options, factor):
    found = compare(xs, ys, options)
    scaled = compare([x * factor for x in xs], [y * factor for y in ys], options)
    assert (found.verdict, found.cause, found.critical) == (scaled.verdict, scaled.cause, scaled.critical)


def test_kayenta_changes_its_mind_with_the_unit_and_the_default_does_not():
    """Samples around 2 ms with 100 microseconds more for the canary, in milliseconds and in seconds."""
    changes = {True: 0, False: 0}
    draw = random.Random(5)
    for _run in range(40):
        canary = [draw.gauss(2.1, 0.15) for _sample in range(60)]
        baseline = [draw.gauss(2.0, 0.15) for _sample in range(60)]
        for compatible in changes:
            options = Options(kayenta_compatible=compatible)
            in_seconds = compare([value / 1000.0 for value in canary], [value / 1000.0 for value in baseline], options)
            changes[compatible] += in_seconds.verdict != compare(canary, baseline, options).verdict
    assert changes[True] > 0
    assert changes[False] == 0


@given(arms, arms, options, st.booleans(), st.randoms())
@example([0.0, -0.0], [0.0, 1.0], Options(confidence=0.8), True, random.Random(1))
def test_the_order_of_samples_is_irrelevant(xs, ys, options, compatible, shuffle):
    options = dataclasses.replace(options, kayenta_compatible=compatible)
    shuffled_xs, shuffled_ys = shuffle.sample(xs, len(xs)), shuffle.sample(ys, len(ys))
    assert judge_samples(xs, ys, options) == judge_samples(shuffled_xs, shuffled_ys, options)


@given(arms, arms, st.sampled_from(["mean_ratio", "cles"]), st.sampled_from([0.0, 0.25]))
def test_swapping_the_arms_mirrors_the_result(xs, ys, effect_size, tolerance):
    options = Options(effect_size=effect_size, tolerance=tolerance)
    found, mirrored = compare(xs, ys, options), compare(ys, xs, options)
    assert mirrored.verdict == {judge.HIGH: judge.LOW, judge.LOW: judge.HIGH}.get(found.verdict, found.verdict)
    if found.shift is None:
        assert mirrored.shift is None
    else:
        assert (mirrored.shift.low, mirrored.shift.estimate, mirrored.shift.high) == (
            -found.shift.high,
            -found.shift.estimate,
            -found.shift.low,
        )


@given(arms, arms, st.sampled_from([None, 0.6, 0.9]), st.floats(0.0, 1e6))
def test_a_canary_that_is_still_higher_is_still_high(xs, ys, allowed_increase, more):
    options = Options(tolerance=0.0, effect_size="cles", allowed_increase=allowed_increase)
    if compare(xs, ys, options).verdict == judge.HIGH:
        assert compare([x + more for x in xs], ys, options).verdict == judge.HIGH


@given(anything, anything, options, st.booleans())
def test_nothing_crashes_it_and_all_of_it_is_json(xs, ys, options, compatible):
    finding = judge_samples(xs, ys, dataclasses.replace(options, kayenta_compatible=compatible))
    json.dumps(finding.evidence, allow_nan=False)
    assert finding.verdict in ("Pass", "High", "Low", "Nodata", "NodataFailMetric")
    assert finding.reason


@given(anything, anything, options)
def test_without_samples_there_is_no_verdict(xs, ys, options):
    options = dataclasses.replace(options, nan_strategy="remove")
    finding = judge_samples(xs, [math.nan, math.inf, -math.inf], options)
    assert finding.decision == "hold"
    assert finding.cause == "no_data"
    assert finding.verdict == ("NodataFailMetric" if options.must_have_data and not options.critical else "Nodata")
    assert finding.critical == options.critical


@pytest.mark.parametrize("compatible", [True, False])
def test_huge_samples_are_compared(compatible):
    high = [1.7e308 - number * 1e300 for number in range(8)]
    low = [-value for value in high]
    options = Options(kayenta_compatible=compatible, effect_size="cles")
    assert compare(high, low, options).verdict == judge.HIGH
    assert compare(low, high, options).verdict == judge.LOW
    assert judge_samples(high, low, options).evidence["estimate"] == sys.float_info.max  # 3.4e308 is more than a float can hold


def test_many_samples_are_compared_without_all_their_differences():
    draw = random.Random(3)
    canary, baseline = ([draw.gauss(mean, 1.0) for _sample in range(3000)] for mean in (10.2, 10.0))
    found = compare(canary, baseline, Options(direction="increase"))
    assert found.verdict == judge.HIGH
    assert found.shift.low < 0.2 < found.shift.high


def test_the_tolerance_is_a_part_of_the_estimate():
    """Interval 2..9, estimate 5: certain up to a tolerance of 2/5."""
    canary, baseline = [4.0, 5.0, 6.0, 8.0, 9.0, 10.0], [0.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    shift = compare(canary, baseline, Options()).shift
    part = shift.low / shift.estimate
    assert compare(canary, baseline, Options(tolerance=part * 0.99)).verdict == judge.HIGH
    assert compare(canary, baseline, Options(tolerance=part)).cause == judge.NOT_CERTAIN


@pytest.mark.parametrize(
    ("given_options", "verdict", "cause", "critical"),
    [
        ({}, "High", "shifted", False),
        ({"direction": "increase"}, "High", "shifted", False),
        ({"direction": "decrease"}, "Pass", "other_direction", False),
        ({"allowed_increase": 2.0}, "High", "shifted", False),
        ({"allowed_increase": 2.01}, "Pass", "within_limit", False),
        ({"critical": True}, "High", "shifted", True),
        ({"critical": True, "critical_increase": 2.0}, "High", "shifted", True),
        ({"critical": True, "critical_increase": 2.01}, "High", "shifted", False),
        ({"effect_size": "cles", "allowed_increase": 1.0}, "High", "shifted", False),
        ({"effect_size": "cles", "allowed_increase": 0.99}, "High", "shifted", False),
    ],
)
def test_limits_and_direction(given_options, verdict, cause, critical):
    """Twice as much, and higher in every pair."""
    baseline = [10.0, 11.0, 12.0, 13.0, 14.0, 10.5]
    found = compare([value * 2.0 for value in baseline], baseline, Options(**given_options))
    assert (found.verdict, found.cause, found.critical) == (verdict, cause, critical)


def test_a_ratio_of_signed_means_is_not_asked():
    """-2 against -1 is a fall, though the ratio is 2; Kayenta lets it pass."""
    canary, baseline = [-2.0, -2.1, -2.2, -2.3, -2.4], [-1.0, -1.1, -1.2, -1.3, -1.4]
    assert compare(canary, baseline, Options()).verdict == judge.LOW
    assert compare(canary, baseline, Options(kayenta_compatible=True)).verdict == judge.PASS


@given(st.lists(usual, min_size=1), st.floats(0.0, 100.0))
def test_percentiles_are_numpys(values, percent):
    import numpy

    expected = float(numpy.percentile(values, percent))
    assert percentile(sorted(values), percent) == pytest.approx(expected, rel=1e-9, abs=1e-9 * max(1.0, *map(abs, values)))


def test_samples_are_cleaned_in_order():
    assert prepare([math.nan, 3.0, math.inf, 1.0], nan_strategy="remove").values == (1.0, 3.0)
    assert prepare([math.nan, 3.0, 1.0], nan_strategy="replace").values == (0.0, 1.0, 3.0)
    kept = prepare([*range(10, 210), 5000.0, -5000.0, 4000.0, 4000.0, 4000.0], outliers="remove")
    assert (kept.outliers, kept.values[0], kept.values[-1]) == (2, 10.0, 4000.0)  # 4000 is not above the 99th percentile


def test_outliers_widen_to_the_percentiles_only_when_asked():
    values = [1.0] * 150 + [9.0] * 3
    assert len(within_fences(values, 3.0)) == 153
    assert len(within_fences(values, 3.0, reduce_sensitivity=False)) == 150


def test_a_mean_does_not_overflow():
    assert scaled_mean([1.7e308, 1.7e308]) == 1.7e308
    with pytest.raises(ValueError, match="at least one value"):
        scaled_mean([])


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("direction", "up", "one of either, increase, decrease"),
        ("effect_size", "cohen", "one of mean_ratio, cles"),
        ("nan_strategy", None, "one of remove, replace"),
        ("outliers", "drop", "one of keep, remove"),
        ("confidence", 98, "a number above 0 and below 1, such as 0.98"),
        ("confidence", math.nan, "a number above 0 and below 1, such as 0.98"),
        ("tolerance", -0.1, "a number of at least 0, such as 0.25"),
        ("tolerance", math.inf, "a number of at least 0, such as 0.25"),
        ("outlier_factor", 0, "a number above 0, such as 3.0"),
        ("allowed_increase", "1.2", "a ratio of at least 0, such as 1.2"),
        ("critical_decrease", math.inf, "a ratio of at least 0, such as 1.2"),
        ("critical", "yes", "true or false"),
        ("must_have_data", 1, "true or false"),
        ("kayenta_compatible", None, "true or false"),
        ("label", 5, "a text"),
        ("limit", 5, "known options are label, unit, direction"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(name, value, allowed):
    with pytest.raises(Wrong) as refused:
        options_from({name: value})
    assert refused.value.field == name
    assert str(refused.value).startswith(f"{name}: {value!r} is not allowed; {allowed}")


def test_a_share_of_pairs_above_one_is_refused():
    with pytest.raises(Wrong, match=r"allowed_increase: 1\.2 is not allowed; a share of pairs from 0 to 1"):
        Options(effect_size="cles", allowed_increase=1.2)
