# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods are read at different times: what the canary shows counts against it when stable's pods have told of the same time."""

from __future__ import annotations

import math

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.doubt import NO_DOUBT, Doubt
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.pooled import strata_of
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Gate, Rule, Sequential
from hypothesis import given, settings
from hypothesis import strategies as st

RULE = Rule((Gate("errors", 0.01),))
QUIET = ((200, 0), (1800, 2), True)


class Release:
    """Looks at one weight. A look gives the open block's requests and events of both arms, and whether the block ends."""

    def __init__(self, *looks, weight=10.0, absolute_only=False):
        self.engine, self.number = Sequential(RULE), 0
        self.state = self.engine.enter_step(self.engine.start(), weight_percent=weight, at_seconds=0.0, absolute_only=absolute_only)
        self.causes = [self.look(*one) for one in looks]

    def look(self, canary, stable, closes):
        self.number += 1
        metrics = (MetricLook("errors", Counts(*canary), Counts(*stable)),)
        self.state, self.verdict = self.engine.look(self.state, Look(self.number, 5.0 * self.number, 10.0, metrics, closes))
        return self.verdict.cause

    @property
    def doubt(self):
        return self.state.gates[0].doubt


def test_a_canary_that_is_ahead_is_held_until_stable_has_been_read_again():
    release = Release(QUIET, QUIET, ((0, 0), (1600, 1), False), ((100, 40), (1600, 1), False))
    assert release.causes[-1] == "watching"
    assert "it counts when stable's pods have been read again" in release.verdict.reason
    assert release.verdict.evidence["gates"]["errors"]["e_relative"] > 125 > release.verdict.evidence["e_relative"]
    assert release.look((100, 40), (1800, 1), False) == "one_look_evidence"


def test_an_outage_that_stable_tells_of_next_returns_nobody():
    """Stable's next sample burns too; a whole block later both arms have told of the same minutes."""
    onset = [((0, 0), (1600, 1), False), ((100, 40), (1600, 1), False), ((100, 40), (1800, 81), False), ((200, 80), (1800, 81), True)]
    outage = ((200, 100), (1800, 900), True)
    release = Release(QUIET, QUIET, *onset, outage, outage, outage)
    assert release.causes[3:] == ["watching", *["shared_incident"] * 5]


def test_a_canary_that_is_worse_than_the_outage_returns_when_a_whole_block_has_passed():
    outage = ((200, 100), (1800, 90), True)
    release = Release(QUIET, QUIET, outage, outage)
    assert release.causes[2:] == ["shared_incident", "evidence_of_harm"]
    assert release.doubt == Doubt(trouble=2)


def test_trouble_is_over_when_stable_no_longer_burns():
    release = Release(QUIET, ((200, 20), (1800, 180), True), QUIET)
    assert release.doubt == NO_DOUBT


def test_what_the_canary_did_just_before_the_trouble_is_not_held_against_its_limit():
    """A block that ended with the canary's sample: the outage is in it, and in stable's next one."""
    early = ((200, 30), (1800, 1), True)
    release = Release(QUIET, ((0, 0), (1800, 1), False), early)
    assert release.state.gates[0].judged_by_rate.events == 30
    release.look((0, 0), (1800, 500), False)
    assert release.state.gates[0].judged_by_rate == Counts(200, 0)
    assert release.look((200, 100), (1800, 500), True) == "shared_incident"
    assert release.state.gates[0].outside_incident == Counts(200, 0)


def test_stable_without_requests_puts_nothing_off_for_longer_than_two_blocks():
    bad = ((200, 100), (0, 0), True)
    release = Release(((200, 0), (200, 0), True), bad)
    assert release.doubt.is_open
    assert release.look(*bad) == "evidence_of_harm"


def test_counts_that_come_together_are_never_in_doubt():
    release = Release(*([((200, 1), (1800, 2), True)] * 5), ((200, 60), (1800, 2), True))
    assert release.doubt == NO_DOUBT
    assert release.causes[-1] in ("one_look_evidence", "evidence_of_harm")


def test_where_nothing_is_compared_nothing_is_in_doubt():
    release = Release(((200, 50), (0, 0), False), weight=100.0, absolute_only=True)
    assert release.doubt == NO_DOUBT


@pytest.mark.parametrize("ahead", [True, False])
def test_a_target_in_doubt_adds_nothing_against_the_canary_to_the_verdict_of_all(ahead):
    last = ((100, 40), (0, 0), False) if ahead else ((100, 40), (900, 90), False)
    release = Release(QUIET, last)
    assert release.doubt.is_open
    (stratum,) = strata_of(RULE, release.state)
    assert max(stratum.relative) <= 0.0
    assert stratum.judged.events == 0


arm = st.integers(0, 400).flatmap(lambda requests: st.tuples(st.just(requests), st.integers(0, requests)))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(arm, arm, st.booleans()), min_size=1, max_size=25))
def test_doubt_never_raises_evidence_so_the_level_stands(looks):
    """Whoever is returned by the comparison had the evidence, undoubted, at this look or at an earlier one."""
    engine, highest = Sequential(RULE), [-math.inf, -math.inf]
    state = engine.enter_step(engine.start(), weight_percent=10.0, at_seconds=0.0)
    for number, (canary, stable, closes) in enumerate(looks, 1):
        metrics = (MetricLook("errors", Counts(*canary), Counts(*stable)),)
        state, found = engine.judge(state, Look(number, float(number), 10.0, metrics, closes))
        (gate,) = found.gates
        highest = [max(pair) for pair in zip(highest, (gate.log_relative, gate.log_absolute), strict=True)]
        assert gate.steady[0] <= gate.log_relative + 1e-12
        assert gate.steady[1] <= gate.log_absolute + 1e-12
        if found.cause == "evidence_of_harm":
            assert highest[0] >= math.log(RULE.relative_threshold) or highest[1] >= math.log(RULE.absolute_threshold)
