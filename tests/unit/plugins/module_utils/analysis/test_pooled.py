# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence over several targets: too little in each is enough in all, and nobody's traffic passes for another's errors."""

import json
import random

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.pooled import Stratum, pool, strata_of
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Sequential

RULE = Rule(gates=(Gate("errors", max_rate=0.01),))


def state(looks, rule=RULE, *, absolute_only=False):
    """The judge's state after looks of (canary requests, canary errors, stable requests, stable errors), and its last decision."""
    judge = Sequential(rule)
    known = judge.enter_step(judge.start(), weight_percent=10, at_seconds=0, absolute_only=absolute_only)
    decision = ""
    for number, (requests, events, base, base_events) in enumerate(looks, 1):
        stable = None if absolute_only else Counts(base, base_events)
        metric = MetricLook(rule.gates[0].name, Counts(requests, events), stable)
        known, found = judge.judge(
            known, Look(number=number, at_seconds=5.0 * number, weight_percent=10, metrics=(metric,), closes_block=True)
        )
        decision = found.decision
    return known, decision


def test_what_no_target_shows_alone_shows_in_all_of_them():
    alone = [state([(200, 2, 1800, 1), (200, 2, 1800, 0)]) for _target in range(6)]
    assert {decision for _state, decision in alone} == {"hold"}
    found = pool({str(number): strata_of(RULE, known) for number, (known, _decision) in enumerate(alone)}, RULE)
    assert found.is_harm and found.cause == "pooled_ratio"
    assert found.gates == {"errors": {"targets": 6, "canary": [24, 2400], "stable": [6, 21600]}}
    assert "errors 24/2,400 vs 6/21,600 in 6 targets" in found.reason


def test_one_target_alone_is_left_to_its_own_judge():
    known, _decision = state([(1000, 500, 1000, 0), (1000, 500, 1000, 0)])
    assert not pool({"a": strata_of(RULE, known)}, RULE).is_harm


def test_targets_with_different_error_rates_are_not_mixed_up():
    """Added up, the canary would have 4.6 % against 1.4 %; in each target it is as good as stable (Simpson's paradox)."""
    busy_and_bad, quiet_and_good = [(900, 45, 1000, 50)] * 4, [(100, 0, 9000, 9)] * 4
    known = {"a": strata_of(RULE, state(busy_and_bad)[0]), "b": strata_of(RULE, state(quiet_and_good)[0])}
    found = pool(known, RULE)
    assert found.e_relative < 1.0
    together, _decision = state([(1000, 45, 10000, 59)] * 4)
    assert pool({"a": strata_of(RULE, together), "b": []}, RULE).e_relative > 1e6


def test_without_another_version_beside_it_the_limit_decides():
    each = [state([(300, 8, 0, 0), (300, 8, 0, 0)], absolute_only=True)[0] for _target in range(5)]
    found = pool({str(number): strata_of(RULE, one) for number, one in enumerate(each)}, RULE)
    assert (found.is_harm, found.cause) == (True, "pooled_rate")


def test_an_overload_that_only_all_stables_together_show_is_not_the_canarys_fault():
    """Seen in a fleet of 100 targets on one machine that was too small: 1 % of slow answers allowed, 4.3 % against 4.8 %."""
    each = [(13, number % 2, 124, 3 + number % 2) for number in range(76)]
    known = {str(number): strata_of(RULE, state([look])[0]) for number, look in enumerate(each)}
    assert all(one.judged.requests for strata in known.values() for one in strata), "no target knows it of its own stable"
    found = pool(known, RULE)
    assert (found.is_harm, found.e_absolute) == (False, 1.0)


def test_a_region_in_trouble_hides_nothing_from_the_limit_of_the_others():
    burning = strata_of(RULE, state([(2000, 400, 18000, 3600)])[0])
    others = {str(number): strata_of(RULE, state([(300, 8, 0, 0), (300, 8, 0, 0)], absolute_only=True)[0]) for number in range(5)}
    assert pool({**others, "burning": burning}, RULE).e_absolute == pool(others, RULE).e_absolute > 1 / RULE.alpha


def test_the_sum_of_absolute_evidence_is_that_of_the_sums():
    one, other = state([(300, 4, 0, 0)], absolute_only=True)[0], state([(500, 9, 0, 0)], absolute_only=True)[0]
    both = state([(800, 13, 0, 0)], absolute_only=True)[0]
    found = pool({"a": strata_of(RULE, one), "b": strata_of(RULE, other)}, RULE)
    assert found.e_absolute == pytest.approx(pool({"a": strata_of(RULE, both), "b": []}, RULE).e_absolute)


def test_each_target_keeps_its_own_dispersion():
    noisy = Rule(gates=(Gate("errors", max_rate=0.01, dispersion=4.0),))
    looks = [(200, 4, 1800, 2), (200, 4, 1800, 2)]
    plain = strata_of(RULE, state(looks)[0])[0]
    damped = strata_of(noisy, state(looks, noisy)[0])[0]
    assert damped.relative == pytest.approx([one / 4.0 for one in plain.relative])


def test_gates_of_another_limit_are_not_pooled():
    other = Rule(gates=(Gate("errors", max_rate=0.05),))
    looks = [(200, 20, 1800, 1)] * 2
    found = pool({"a": strata_of(RULE, state(looks)[0]), "b": strata_of(other, state(looks, other)[0])}, RULE)
    assert found.gates["errors"]["targets"] == 1 and not found.is_harm


def test_a_stratum_survives_being_written():
    before = strata_of(RULE, state([(200, 4, 1800, 2)])[0])[0]
    after = Stratum.from_dict("errors", json.loads(json.dumps(before.to_dict())))
    assert after.relative == pytest.approx(before.relative, abs=1e-6)
    assert (after.canary, after.baseline, after.judged, after.event_looks) == (
        before.canary,
        before.baseline,
        before.judged,
        before.event_looks,
    )


def test_equal_versions_are_hardly_ever_called_harm():
    """100 fleets of five targets with rates of their own, 12 looks each: at 1 % one false alarm is expected at most; Ville bounds all looks."""
    source, alarms = random.Random(7), 0
    for _fleet in range(100):
        rates = [source.choice((0.001, 0.003, 0.006)) for _target in range(5)]
        judge = Sequential(RULE)
        states = [judge.enter_step(judge.start(), weight_percent=20, at_seconds=0) for _target in rates]
        alarmed = False
        for number in range(1, 13):
            for index, rate in enumerate(rates):
                counts = [Counts(size, sum(source.random() < rate for _request in range(size))) for size in (40, 160)]
                look = Look(
                    number=number, at_seconds=5.0 * number, weight_percent=20, metrics=(MetricLook("errors", *counts),), closes_block=True
                )
                states[index], _finding = judge.judge(states[index], look)
            alarmed = alarmed or pool({str(index): strata_of(RULE, one) for index, one in enumerate(states)}, RULE).is_harm
        alarms += alarmed
    assert alarms <= 1
