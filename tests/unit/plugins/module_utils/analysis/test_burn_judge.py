# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of a service's burn rate: both windows, not what burned before, and no data is no success."""

import json
from itertools import count

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.burn_judge import BurnGate, BurnRate
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.burn_rate import DAY, windows
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Look, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import Panel, StepEntry

PAIRS = dict(zip(("1h", "6h", "1d", "3d"), windows(30 * DAY), strict=True))
CALM = {"1h": (0.0001, 0.0001), "6h": (0.0001, 0.0001)}


class Case:
    """A judge whose looks come every fifteen seconds."""

    def __init__(self, over=("1h", "6h"), **limits):
        patience = {"minimum_seconds": 0, "max_hold_seconds": 600, "no_data_seconds": 60, **limits}
        self.judge = BurnRate((BurnGate("slo", tuple((name, PAIRS[name]) for name in over)),), budget=0.001, **patience)
        self.state = self.judge.enter_step(self.judge.start(), StepEntry(10, 0.0, 20))
        self.numbers = count(1)
        self.at = 0.0

    def look(self, problem=None, **ratios):
        values = tuple(
            (f"{name}/{which}", one) for name, both in ratios.items() for which, one in zip(("long", "short"), both, strict=True)
        )
        scalar = ScalarLook("slo", None, problem=problem, detail="nobody answers") if problem else ScalarLook("slo", 0.1, values=values)
        self.at += 15.0
        look = Look(next(self.numbers), self.at, 10, (), closes_block=False, scalars=(scalar,), has_counts=False)
        self.state, verdict = self.judge.look(self.state, look)
        return verdict


def burning(**changed):
    return {**CALM, **changed}


def test_a_service_that_does_not_burn_lets_the_weight_rise_with_the_numbers():
    verdict = Case().look(**CALM)
    assert (verdict.decision, verdict.cause) == ("advance", "within_limits")
    assert verdict.reason.startswith("slo burns 0.1 times (1h) and 0.1 times (5 min), limit 14.4; slo burns")


def test_a_pair_that_begins_to_burn_returns_traffic():
    case = Case()
    assert case.look(**CALM).decision == "advance"
    assert case.look(**burning(**{"1h": (0.0143, 0.5)})).decision == "advance"
    verdict = case.look(**burning(**{"1h": (0.0144, 0.5)}))
    assert (verdict.decision, verdict.cause) == ("roll_back", "budget_burn")
    assert verdict.evidence["burning"] == ["slo 1h"]
    assert "14.4 times (1h) and 500 times (5 min)" in verdict.reason


def test_the_slow_pair_counts_too():
    case = Case()
    case.look(**CALM)
    assert case.look(**burning(**{"6h": (0.006, 0.006)})).decision == "roll_back"


def test_what_burned_before_the_release_holds_until_it_stops_and_is_the_releases_own_after_that():
    case = Case()
    old = burning(**{"6h": (0.007, 0.007)})
    assert (case.look(**old).decision, case.look(**old).cause) == ("hold", "shared_incident")
    assert case.look(**CALM).decision == "advance"
    assert case.look(**old).decision == "roll_back"


def test_an_old_fire_does_not_hide_a_new_one_and_ends_in_an_inconclusive_release():
    case = Case(max_hold_seconds=40)
    old = burning(**{"6h": (0.007, 0.007)})
    case.look(**old)
    assert [case.look(**old).decision for _look in range(3)] == ["hold", "hold", "inconclusive"]
    assert case.look(**{**old, "1h": (0.02, 0.02)}).decision == "roll_back"


def test_no_data_holds_and_is_never_a_success():
    case = Case(no_data_seconds=30)
    verdicts = [case.look(problem="no_data") for _look in range(3)]
    assert [one.decision for one in verdicts] == ["hold", "hold", "inconclusive"]
    assert verdicts[0].reason == "slo: nobody answers"
    assert case.look(**CALM).decision == "advance"
    assert case.look(problem="bad_query").cause == "bad_query"


def test_time_that_people_took_is_no_time_without_a_verdict():
    case = Case(no_data_seconds=30, max_hold_seconds=30)
    for _look in range(2):
        assert case.look(problem="no_data").decision == "hold"
    case.state = case.judge.after_people(case.state, case.at)
    assert [case.look(problem="no_data").decision for _look in range(3)] == ["hold", "hold", "inconclusive"]


def test_the_minimum_time_is_kept_and_reads_are_fifteen_seconds_apart():
    case = Case(minimum_seconds=31)
    assert case.judge.due(case.state, 0.0, closes_block=False) == {"slo"}
    assert [case.look(**CALM).cause for _look in range(3)] == ["minimum_time", "minimum_time", "within_limits"]
    assert case.judge.due(case.state, case.at + 14, closes_block=True) == frozenset()
    assert case.judge.due(case.state, case.at + 15, closes_block=False) == {"slo"}


def test_looks_of_others_change_nothing():
    case = Case()
    look = Look(1, 5.0, 10, (), closes_block=True)
    assert case.judge.look(case.state, look) == (case.state, None)


@pytest.mark.parametrize("looks", [[], [CALM], [burning(**{"6h": (0.007, 0.007)})]])
def test_the_state_survives_the_record_of_a_panel(looks):
    case = Case()
    for look in looks:
        case.look(**look)
    panel = Panel({"burn_rate": case.judge})
    plain = {"burn_rate": {"state": case.judge.to_dict(case.state), "verdict": None}}
    assert panel.from_dict(json.loads(json.dumps(plain))).states == (case.state,)
