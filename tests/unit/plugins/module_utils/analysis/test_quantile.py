# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantiles from buckets, beside histogram_quantile's documented rules and an independent recount."""

import math

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.quantile import bucket_quantile
from hypothesis import given
from hypothesis import strategies as st

INF = math.inf


@pytest.mark.parametrize(
    ("quantile", "buckets", "value"),
    [
        (0.5, [(100.0, 50), (200.0, 100), (INF, 100)], 100.0),
        (0.75, [(100.0, 50), (200.0, 100), (INF, 100)], 150.0),
        (0.25, [(100.0, 50), (200.0, 100), (INF, 100)], 50.0),  # the first bucket begins at 0
        (0.99, [(100.0, 50), (200.0, 90), (INF, 100)], 200.0),  # above the largest bound: that bound
        (0.0, [(100.0, 10), (INF, 10)], 0.0),
        (1.0, [(100.0, 10), (250.0, 20), (INF, 20)], 250.0),
        (0.5, [(-5.0, 10), (INF, 10)], -5.0),  # a first bound of at most 0 is the answer itself
        (0.9, [(100.0, 60), (200.0, 50), (300.0, 100), (INF, 100)], 275.0),  # counts that fall are held
    ],
)
def test_a_quantile_is_interpolated_as_prometheus_documents_it(quantile, buckets, value):
    assert bucket_quantile(quantile, buckets) == pytest.approx(value)


@pytest.mark.parametrize("buckets", [[(INF, 10)], [(100.0, 0), (INF, 0)]])
def test_without_requests_or_bounds_there_is_no_quantile(buckets):
    assert math.isnan(bucket_quantile(0.5, buckets))


@pytest.mark.parametrize(("quantile", "buckets"), [(1.5, [(INF, 1)]), (-0.1, [(INF, 1)]), (0.5, [(1.0, 1)]), (0.5, [])])
def test_what_is_no_histogram_is_refused(quantile, buckets):
    with pytest.raises(ValueError, match=r"quantile|infinite"):
        bucket_quantile(quantile, buckets)


@given(st.lists(st.integers(0, 50), min_size=4, max_size=4), st.floats(0.01, 0.999))
def test_at_a_bound_the_quantile_and_the_share_below_it_say_the_same(counts, quantile):
    """p99 <= 200 ms and "at most 1 % slower than 200 ms" are one gate when 200 is a bound: no guess is in it."""
    running = [sum(counts[: index + 1]) for index in range(4)]
    buckets = [(100.0, running[0]), (200.0, running[1]), (300.0, running[2]), (INF, running[3])]
    if not running[-1]:
        return
    assert (bucket_quantile(quantile, buckets) <= 200.0) == (running[1] >= quantile * running[-1])
