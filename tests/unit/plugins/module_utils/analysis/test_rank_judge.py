# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranks and restarts as judges of gates: when they take samples, when they judge, what they say, and that a record goes on with them."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Look, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rank_judge import MOST_PODS, RankGate, RankJudge, samples_of
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.restart_judge import RestartJudge

NO_SAMPLE = {"problem": "no_data", "detail": "no series of canary's pods"}


def judge(**more):
    options = {name: more.pop(name) for name in list(more) if name in ("critical", "must_have_data", "direction", "allowed_increase")}
    gate = {"min_samples": 30, "judgements": 3, "sample_seconds": 10.0, **more}
    return RankJudge(RankGate("cpu", Options(label="cpu", **options), **gate), minimum_seconds=0.0, no_data_seconds=60.0)


def entry(at=0.0, weight=10, following=100, absolute_only=False):
    return StepEntry(weight, at, following, absolute_only)


def look(at, *scalars):
    return Look(round(at), at, 10, (), False, scalars=scalars, has_counts=False)


def run(made, canary, *, until, state=None, begin=0.0, stable=lambda moment: 1.0 + 0.01 * (moment % 7)):
    """The judge over time, asked every second; canary: a number by moment, or a problem. The state and every verdict by its second."""
    state = state or made.enter_step(made.start(), entry(begin))
    said, moment = {}, round(begin)
    for second in range(round(begin), until):
        scalars = []
        if made.due(state, float(second), closes_block=False):
            value = canary(moment)
            scalars = [ScalarLook("cpu", None, **value) if isinstance(value, dict) else ScalarLook("cpu", value, stable(moment))]
            moment += 1
        state, said[second] = made.look(state, look(float(second), *scalars))
    return state, said


def same(moment):
    return 1.0 + 0.01 * ((moment + 3) % 7)


def test_it_judges_at_its_occasions_alone_and_then_for_good():
    made = judge()
    assert made.gate.occasions == (10, 20, 30)
    state, said = run(made, same, until=400)
    judged = [second for second in range(1, 400) if said[second].evidence["judgement"] > said[second - 1].evidence["judgement"]]
    assert judged == [90, 190, 290], "a sample every ten seconds from the first second on"
    assert (said[289].decision, said[289].cause) == ("hold", "needs_samples")
    assert "cpu has 29 of 30 samples, judged next at 30" in said[289].reason
    assert (said[290].decision, said[290].cause) == ("advance", "within_limits")
    assert len(state.canary) == len(state.baseline) == 30, "no more samples are taken"
    assert not made.due(state, 1000.0, closes_block=True)


def test_a_difference_returns_traffic_at_the_first_occasion_and_says_the_numbers():
    _state, said = run(judge(allowed_increase=1.2), lambda moment: 1.5 + 0.01 * (moment % 7), until=91)
    assert (said[89].decision, said[90].decision, said[90].cause) == ("hold", "roll_back", "evidence_of_harm")
    assert said[90].reason.startswith("cpu 1.52 against 1.02, ratio 1.49 (limit 1.2), high (judgement 1 of 3)")
    assert said[90].evidence["numbers"]["canary"]["samples"] == 10


def test_a_certain_rise_within_what_is_allowed_and_a_fall_that_does_not_count_go_on():
    assert run(judge(allowed_increase=1.2), lambda moment: 1.1 + same(moment) - 1.0, until=300)[1][299].decision == "advance"
    assert run(judge(direction="increase"), lambda moment: 0.5, until=300)[1][299].decision == "advance"
    assert run(judge(), lambda moment: 0.5, until=300)[1][299].decision == "roll_back", "either is both ways"


def test_all_judgements_of_all_gates_share_the_chance_of_a_false_alarm_unless_kayenta_is_asked_for():
    gate = RankGate("cpu", Options(), judgements=4, sharing=2)
    assert gate.confidence == pytest.approx(1 - 0.02 / 8)
    assert RankGate("cpu", Options(kayenta_compatible=True), judgements=4, sharing=2).confidence == 0.98


def test_a_lower_weight_needs_one_sample_of_its_own_and_the_last_one_all_of_them():
    made = judge()
    state = made.enter_step(made.start(), entry(0.0, 10, following=20))
    state, verdict = made.look(state, look(0.0))
    assert (verdict.decision, verdict.cause) == ("hold", "needs_looks")
    state, verdict = made.look(state, look(1.0, ScalarLook("cpu", 1.0, 1.0)))
    assert verdict.decision == "advance"
    state = made.enter_step(state, entry(5.0, 20, following=100))
    assert not made.due(state, 6.0, closes_block=True), "the time between two samples goes on over a rise"
    state, verdict = made.look(state, look(11.0, ScalarLook("cpu", 1.0, 1.0)))
    assert (verdict.cause, len(state.canary)) == ("needs_samples", 2)


def test_with_all_traffic_on_the_canary_nothing_is_compared():
    made = judge()
    state = made.enter_step(made.start(), entry(0.0, 100, following=None, absolute_only=True))
    assert not made.due(state, 1.0, closes_block=True)
    assert made.look(state, look(1.0))[1].reason == "cpu: stable has no requests to compare with"


@pytest.mark.parametrize(
    ("options", "decision"), [({}, "inconclusive"), ({"critical": True}, "roll_back"), ({"must_have_data": True}, "roll_back")]
)
def test_no_sample_holds_and_in_the_end_people_or_the_gate_decide(options, decision):
    _state, said = run(judge(**options), lambda moment: NO_SAMPLE, until=62)
    assert [(said[second].decision, said[second].cause) for second in (0, 59, 60)] == [
        ("hold", "no_data"),
        ("hold", "no_data"),
        (decision, "no_data"),
    ]
    assert "no series of canary's pods" in said[60].reason


def test_a_sample_after_a_gap_goes_on_with_those_before_and_people_take_no_time():
    made = judge()
    state, said = run(made, lambda moment: NO_SAMPLE if moment == 3 else same(moment), until=60)
    assert said[30].cause == "no_data" and said[40].cause == "needs_samples"
    assert len(state.canary) == 5
    state, _said = run(made, lambda moment: NO_SAMPLE, until=50)
    assert made.look(made.after_people(state, 500.0), look(510.0))[1].decision == "hold"


def test_samples_that_are_too_few_for_the_confidence_are_never_a_pass():
    options = Options(label="cpu", outliers="remove")
    made = RankJudge(RankGate("cpu", options, min_samples=3, judgements=1, sample_seconds=10.0), minimum_seconds=0.0, no_data_seconds=60.0)
    _state, said = run(made, lambda moment: 2.0 + moment, until=40)
    assert (said[20].decision, said[20].cause) == ("inconclusive", "too_little_data")


def pods(canary, stable):
    both = [(f"{arm}/p{index}", value) for arm, values in (("canary", canary), ("stable", stable)) for index, value in enumerate(values)]
    return ScalarLook("cpu", 1.0, 1.0, values=tuple(both))


def test_pods_of_both_versions_give_as_many_samples_and_take_turns():
    made = judge()
    state = made.enter_step(made.start(), entry())
    for moment in range(3):
        state, _verdict = made.look(state, look(10.0 * moment, pods([1.0, 2.0], [5.0, 6.0, 7.0])))
    assert state.canary == (1.0, 2.0) * 3
    assert state.baseline == (5.0, 6.0, 7.0, 5.0, 6.0, 7.0)
    state, _verdict = made.look(made.enter_step(made.start(), entry()), look(0.0, pods([1.0] * 9, [2.0] * 20)))
    assert len(state.canary) == len(state.baseline) == MOST_PODS
    assert samples_of(ScalarLook("cpu", 1.0, None)) == ([1.0], [])


def test_a_record_goes_on_bit_for_bit_and_stays_small():
    made = judge(min_samples=200)
    state, said = run(made, lambda moment: 1e8 / 3 + moment, until=1900, stable=lambda moment: 1e8 / 7 - moment)
    saved = json.dumps(made.to_dict(state))
    again = made.from_dict(json.loads(saved))
    assert again == state
    assert len(saved) < 6000, "samples are rounded to six digits"
    assert run(made, same, until=2100, state=again, begin=1900.0)[1] == run(made, same, until=2100, state=state, begin=1900.0)[1]
    assert said[1899].decision == "roll_back"


@pytest.mark.parametrize("wrong", [{"judgements": 0}, {"judgements": 31}, {"sample_seconds": 0.0}, {"sharing": 0}])
def test_a_gate_that_could_judge_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="cpu: "):
        judge(**wrong)


RESTARTS = RestartJudge("restarts", most=10, minimum_seconds=0.0, no_data_seconds=60.0)


def restarts(*counts, made=RESTARTS, state=None):
    """Reads ten seconds apart: (restarts of the canary's two pods, of stable's eight) so far, all of each in one pod."""
    state = state or made.enter_step(made.start(), entry())
    for number, (canary, stable) in enumerate(counts):
        values = [("canary/a", canary), ("canary/b", 0), *((f"stable/{index}", stable if index == 0 else 0) for index in range(8))]
        values = tuple((name, float(count)) for name, count in values if count is not None)
        state, verdict = made.look(state, look(10.0 * number, ScalarLook("restarts", 0.0, 0.0, values=values)))
    return state, verdict


def test_restarts_of_the_canary_alone_return_traffic_when_chance_cannot_explain_them():
    assert restarts((5, 0), (7, 0))[1].decision == "advance", "what was before, and two, are chance"
    _state, verdict = restarts((0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0))
    assert (verdict.decision, verdict.cause) == ("roll_back", "evidence_of_harm")
    assert "restarts: 5 restarts in 0.028 pod-hours of the canary against 0 restarts in 0.11 pod-hours of stable" in verdict.reason


def test_restarts_that_both_versions_have_go_on_up_to_the_most_that_is_forgiven():
    both = [(number, 4 * number) for number in range(12)]
    assert restarts(*both[:11])[1].decision == "advance"
    assert (restarts(*both)[1].decision, restarts(*both)[1].cause) == ("roll_back", "threshold_reached")


def test_without_any_pod_of_stable_three_restarts_are_enough():
    made = RESTARTS
    state = made.enter_step(made.start(), entry(0.0, 100, None, absolute_only=True))
    decided = []
    for number in range(5):
        state, verdict = made.look(state, look(10.0 * number, ScalarLook("restarts", 0.0, 0.0, values=(("canary/a", float(number)),))))
        decided.append(verdict.decision)
    assert decided == ["advance", "advance", "advance", "roll_back", "roll_back"]


def test_pods_that_cannot_be_listed_hold_and_then_people_decide_and_what_was_missed_is_counted_later():
    made = RESTARTS
    state = made.enter_step(made.start(), entry())
    assert made.look(state, look(0.0))[1] is None
    problem = ScalarLook("restarts", None, problem="no_data", detail="the pods cannot be listed")
    state, verdict = made.look(state, look(0.0, problem))
    assert (verdict.decision, verdict.cause) == ("hold", "no_data")
    assert made.look(state, look(60.0, problem))[1].decision == "inconclusive"
    assert made.look(made.after_people(state, 60.0), look(65.0))[1].decision == "hold"
    state, _verdict = restarts((0, 0), (1, 0), made=made)
    state, _verdict = made.look(state, look(20.0, problem))
    assert restarts((4, 0), made=made, state=state)[0].canary[1] == 4


def test_restarts_are_read_every_ten_seconds_and_at_once_at_a_new_weight():
    state, _verdict = restarts((0, 0))
    assert [bool(RESTARTS.due(state, at, closes_block=False)) for at in (1.0, 9.9, 10.0)] == [False, False, True]
    assert RESTARTS.due(RESTARTS.enter_step(state, entry(1.0)), 1.0, closes_block=False)
    assert RESTARTS.from_dict(json.loads(json.dumps(RESTARTS.to_dict(state)))) == state
