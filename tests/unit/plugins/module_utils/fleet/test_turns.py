# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of many targets adds up everybody's counts: all of few, some of many at each look, and everybody now and then."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.member import POOLED_AT_ONCE, is_turn


@pytest.mark.parametrize("peers", [0, 1, POOLED_AT_ONCE])
def test_each_of_few_targets_adds_up_at_each_look(peers):
    assert all(is_turn(look, place, peers) for look in range(5) for place in range(POOLED_AT_ONCE))


@pytest.mark.parametrize("peers", [11, 100, 1000])
def test_of_many_some_do_at_each_look_and_nobody_is_left_out(peers):
    rounds = -(-peers // POOLED_AT_ONCE)
    at_each = [[place for place in range(peers) if is_turn(look, place, peers)] for look in range(rounds)]
    assert all(peers // rounds <= len(places) <= POOLED_AT_ONCE for places in at_each)
    assert sorted(place for places in at_each for place in places) == list(range(peers))
