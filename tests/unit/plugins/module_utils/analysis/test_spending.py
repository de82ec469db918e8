# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release spends: failures beyond stable's count, shared ones do not, and neither does chance."""

import json
import random

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.spending import Burning, Excess
from hypothesis import given
from hypothesis import strategies as st

blocks = st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))


def counts(requests, share):
    return Counts(requests, int(requests * share))


def added(excess, *pairs):
    for canary, stable in pairs:
        excess = excess.add(Counts(*canary), Counts(*stable))
    return excess


def test_failures_beyond_stables_are_added_up_look_by_look():
    found = added(Excess(), ((1000, 15), (9000, 9)), ((1000, 1), (9000, 9)))
    assert found.failures == pytest.approx(14 + 0)


def test_an_incident_that_both_share_costs_nothing():
    found = added(Excess(), *[((1000, 500), (9000, 4500))] * 20)
    assert found.failures == pytest.approx(0)
    assert not found.is_over(10, 1.0)


def test_slow_bleeding_within_the_margin_ends_when_it_has_cost_the_allowance():
    """1.4 times stable's rate: no better than the margin of the harm test allows, for as long as it likes."""
    excess, looks = Excess(), 0
    while not excess.is_over(259.2, 1.0):
        excess, looks = added(excess, ((10_000, 140), (10_000, 100))), looks + 1
    assert excess.failures == pytest.approx(40 * looks)
    assert 6 <= looks <= 8
    assert excess.evidence(1.0) >= 10


def test_cost_alone_is_not_enough_nor_is_evidence():
    dear = added(Excess(), ((1000, 13), (1000, 10)))
    assert dear.failures > 2 and not dear.is_over(2, 1.0)
    sure = added(Excess(), ((1000, 90), (9000, 9)))
    assert sure.evidence(1.0) > 1000 and not sure.is_over(259, 1.0)
    assert sure.is_over(80, 1.0)


def test_clustered_errors_need_more_of_them():
    found = added(Excess(), ((1000, 25), (9000, 90)))
    assert found.is_over(5, 1.0) and not found.is_over(5, 10.0)


def test_a_look_without_requests_of_both_says_nothing():
    assert added(Excess(), ((0, 0), (100, 5)), ((100, 5), (0, 0))) == Excess()


def test_healthy_releases_are_hardly_ever_returned():
    """Equal rates, 20 looks, an allowance that chance alone reaches often: the evidence holds it to one in ten by Ville, and is below."""
    chance, returned = random.Random(5), 0
    for _release in range(300):
        excess = Excess()
        for _look in range(20):
            failed = [sum(chance.random() < 0.02 for _request in range(requests)) for requests in (50, 200)]
            excess = excess.add(Counts(50, failed[0]), Counts(200, failed[1]))
            if excess.is_over(1.0, 1.0):
                returned += 1
                break
    assert returned <= 30


@given(st.lists(blocks, max_size=10), st.floats(1, 20), st.floats(0, 1000))
def test_a_larger_allowance_is_never_reached_earlier_and_the_state_survives_json(looks, dispersion, allowed):
    excess = Excess()
    for canary, stable, bad, base in looks:
        excess = excess.add(counts(canary, bad), counts(stable, base))
    assert not (excess.is_over(allowed + 1, dispersion) and not excess.is_over(allowed, dispersion))
    assert Excess.from_dict(json.loads(json.dumps(excess.to_dict()))) == excess


def burning(watch, *looks, since=1000.0):
    """looks: (seconds after the switch, requests, failures)."""
    found = Burning(since)
    for after, requests, failed in looks:
        found = found.add(since + after, Counts(requests, failed), watch)
    return found


def test_after_the_switch_both_windows_must_burn():
    bad = burning(600, *[(5 * i, 500, 10) for i in range(1, 20)])
    assert bad.rates(600, 0.001) == pytest.approx((20, 20))
    assert bad.is_too_fast(600, 0.001)
    over = burning(600, *[(5 * i, 500, 50 if i < 10 else 0) for i in range(1, 40)])
    assert over.rates(600, 0.001) == pytest.approx((23.08, 0), rel=1e-3)
    assert not over.is_too_fast(600, 0.001)


def test_a_few_failures_of_few_requests_are_chance():
    assert not burning(600, (5, 10, 2), (10, 10, 2)).is_too_fast(600, 0.001)
    assert not burning(600, (5, 100, 60)).is_too_fast(600, 0.001)  # one look alone may be a hiccup of the shift
    assert burning(600, (5, 100, 3), (10, 100, 3)).is_too_fast(600, 0.001)


def test_what_the_budget_bears_is_left_alone_however_long():
    healthy = burning(600, *[(5 * i, 500, 1 if i % 2 else 0) for i in range(1, 400)])
    assert not healthy.is_too_fast(600, 0.001)
    assert healthy.rates(600, 0.001)[0] == pytest.approx(1, rel=0.1)


def test_the_watch_remembers_no_more_than_its_length_in_few_parts():
    found = burning(3600, *[(5 * i, 500, 0) for i in range(1, 3000)])
    assert len(found.parts) <= 50
    assert found.over(3600).requests == pytest.approx(500 * 720, rel=0.03)
    assert Burning.from_dict(json.loads(json.dumps(found.to_dict()))) == found
