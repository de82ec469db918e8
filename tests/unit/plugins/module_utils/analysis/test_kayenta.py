# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary configuration of Kayenta's: what is read from it, what is refused, and the score."""

import copy
import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta import MetricResult, kayenta_judge, score_of
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta_config import (
    CanaryConfig,
    Scale,
    read_config,
    scale_from,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Wrong
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_finding import SampleFinding
from hypothesis import given
from hypothesis import strategies as st

LOW, HIGH = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
SAME, HIGHER, NOTHING = ({"experiment": one, "control": LOW} for one in (LOW, HIGH, []))


def metric(name, *groups, **canary):
    return {"name": name, "groups": list(groups), "analysisConfigurations": {"canary": canary}}


def config(*metrics, weights=None, thresholds=None):
    return {"metrics": list(metrics), "classifier": {"groupWeights": weights or {}, "scoreThresholds": thresholds or {}}}


def score(verdicts, weights=None, *, critical=()):
    """The score of metrics given as {name: (verdict, groups...)}, as in Kayenta's ScorerSuite."""
    results = [
        MetricResult(name, tuple(groups), SampleFinding("", "", verdict, name in critical, f"{name} {verdict}"))
        for name, (verdict, *groups) in verdicts.items()
    ]
    return score_of(results, CanaryConfig((), weights or {}, 95.0, 75.0))


@pytest.mark.parametrize(
    ("verdicts", "weights", "critical", "expected"),
    [
        ({"a": ("Pass", "g")}, {}, (), 100.0),
        ({"a": ("High", "g")}, {}, (), 0.0),
        ({"a": ("Pass", "g"), "b": ("High", "g")}, {}, (), 50.0),
        ({"a": ("Pass", "g"), "b": ("High", "g"), "c": ("Low", "g")}, {}, (), 33.33),
        ({"a": ("Pass", "1"), "b": ("Pass", "1"), "c": ("High", "2")}, {"1": 75.0, "2": 25.0}, (), 75.0),
        ({"a": ("Pass", "1"), "b": ("High", "1"), "c": ("High", "2")}, {"1": 50.0, "2": 50.0}, (), 25.0),
        ({"a": ("Pass", "1"), "b": ("Nodata", "1"), "c": ("High", "2")}, {"1": 50.0, "2": 50.0}, (), 50.0),
        ({"a": ("Nodata", "g")}, {}, (), 0.0),
        ({"a": ("Pass", "g"), "b": ("High", "g")}, {}, ("b",), 0.0),
        ({"a": ("Low", "g"), "b": ("Pass", "g")}, {}, ("b",), 50.0),
        ({"a": ("Pass", "g"), "b": ("Nodata", "g")}, {}, ("b",), 0.0),
        ({"a": ("High", "1"), "b": ("Low", "1"), "c": ("Pass", "1"), "d": ("High", "2")}, {"1": 15.0, "2": 85.0}, (), 5.0),
    ],
)
def test_the_scores_that_kayenta_publishes(verdicts, weights, critical, expected):
    """The table of ScorerSuite (kayenta-judge)."""
    assert score(verdicts, weights, critical=critical).score == expected


def test_groups_without_a_weight_share_what_is_left():
    found = score({"a": ("Pass", "1"), "b": ("High", "2"), "c": ("Pass", "3")}, {"1": 40.0})
    assert [(group.name, group.weight, group.score) for group in found.groups] == [("1", 40.0, 100.0), ("2", 30.0, 0.0), ("3", 30.0, 100.0)]
    assert found.score == 70.0


def test_a_group_without_data_counts_as_passed_and_shows_zero():
    found = score({"a": ("Pass", "1"), "b": ("Pass", "1"), "c": ("Nodata", "2")})
    assert (found.score, found.classification) == (100.0, "Pass")
    assert [(group.score, group.no_data) for group in found.groups] == [(100.0, False), (0.0, True)]


def test_half_of_the_metrics_without_data_fail_the_whole_and_fewer_do_not():
    assert score({"a": ("Pass", "g"), "b": ("Nodata", "g")}).reason == "1 of 2 metrics have no data (b), half of them are enough to fail"
    assert score({"a": ("Pass", "g"), "b": ("Nodata", "g"), "c": ("Pass", "g")}).score == 100.0


def test_a_metric_that_must_have_data_lowers_its_group():
    assert score({"a": ("Pass", "g"), "b": ("NodataFailMetric", "g")}).score == 50.0


@pytest.mark.parametrize(
    ("passing", "word", "reason"),
    [
        (20, "Pass", "score 100 reaches 95"),
        (19, "Pass", "score 95 reaches 95"),
        (15, "Marginal", "score 75 reaches 75 but not 95: m15 High"),
        (14, "Fail", "score 70 is below 75: m14 High"),
    ],
)
def test_the_word_for_a_score(passing, word, reason):
    found = score({f"m{number}": ("Pass" if number < passing else "High", "g") for number in range(20)})
    assert found.classification == word
    assert found.reason.startswith(reason)


def test_halves_are_rounded_upwards():
    """1/8 of 1 % is 0.125."""
    found = score({f"m{number}": ("Pass" if number < 1 else "High", "1") for number in range(8)}, {"1": 1.0})
    assert found.score == 0.13


def test_the_whole_way_from_configuration_to_result():
    judged = kayenta_judge(
        config(
            metric("cpu", "system", direction="increase", effectSize={"allowedIncrease": 3.0}),
            metric("memory", "system", "cost", direction="increase", effectSize={"allowedIncrease": 1.5}),
            metric("threads", "system", muted=True),
            metric("queue", "cost", nanStrategy="replace"),
            weights={"system": 60},
            thresholds={"pass": 90, "marginal": 50},
        ),
        {"cpu": HIGHER, "memory": HIGHER, "threads": HIGHER, "queue": SAME},
    )
    json.dumps(judged, allow_nan=False)
    assert (judged["score"], judged["classification"]) == (50.0, "Marginal")
    assert judged["reason"] == "score 50 reaches 50 but not 90: memory 2.25 against 1.25, ratio 1.8 (limit 1.5), high"
    assert [(each["name"], each["verdict"], each["cause"]) for each in judged["metrics"]] == [
        ("cpu", "Pass", "within_limit"),
        ("memory", "High", "shifted"),
        ("queue", "Pass", "same_samples"),
    ]
    assert judged["groups"][0] == {"name": "cost", "score": 50.0, "weight": 40.0, "no_data": False, "counts": {"Pass": 1, "High": 1}}
    assert judged["muted"] == ["threads"]
    assert (judged["pass_score"], judged["marginal_score"]) == (90.0, 50.0)


def test_a_critical_metric_fails_the_whole_and_is_named():
    judged = kayenta_judge(config(metric("cpu", "g", critical=True), metric("memory", "g")), {"cpu": HIGHER, "memory": SAME})
    assert (judged["score"], judged["classification"]) == (0.0, "Fail")
    assert judged["reason"] == "critical metric failed: cpu 2.25 against 1.25, ratio 1.8 (limit 1), high"
    assert [each["critical"] for each in judged["metrics"]] == [True, False]


def test_a_metric_that_nobody_measured_has_no_data():
    judged = kayenta_judge(config(metric("cpu", "g"), metric("memory", "g"), metric("queue", "g")), {"cpu": SAME, "memory": SAME})
    assert (judged["score"], judged["metrics"][2]["verdict"]) == (100.0, "Nodata")
    judged = kayenta_judge(config(metric("cpu", "g"), metric("memory", "g", critical=True)), {"cpu": SAME})
    assert judged["reason"] == "critical metric failed: memory: no samples of the canary and of the baseline, no data"


def test_all_muted_is_no_success():
    judged = kayenta_judge(config(metric("cpu", "g", muted=True)), {"cpu": SAME})
    assert (judged["classification"], judged["reason"]) == ("Fail", "no metric to judge: all are muted")


def test_kayentas_list_of_pairs_may_name_a_metric_twice():
    pairs = [{"name": "cpu", "tags": {"zone": zone}, "values": values} for zone, values in (("a", SAME), ("b", HIGHER))]
    judged = kayenta_judge(config(metric("cpu", "g")), pairs)
    assert judged["score"] == 50.0
    assert [each["verdict"] for each in judged["metrics"]] == ["Pass", "High"]


def test_numbers_may_be_texts_and_missing_ones_null():
    judged = kayenta_judge(config(metric("cpu")), {"cpu": {"experiment": ["2.0", "NaN", None, "+Inf", 10**400], "control": LOW}})
    assert judged["metrics"][0]["canary"] == {"mean": 2.0, "samples": 1, "not_numbers": 4, "outliers": 0}
    assert judged["groups"][0]["name"] == "ungrouped"


def test_scores_given_as_arguments_win():
    judged = kayenta_judge(config(metric("cpu", "g"), thresholds={"pass": 95}), {"cpu": SAME}, Scale(pass_score=100, marginal_score=80))
    assert (judged["pass_score"], judged["marginal_score"]) == (100.0, 80.0)
    read = read_config(config(metric("cpu", "g"), thresholds={"pass": 60}), Scale())
    assert (read.pass_score, read.marginal_score) == (60.0, 60.0)


def test_what_only_kayenta_takes():
    """Any word for remove, weights that leave something over, and metrics that count nowhere."""
    given = config(metric("cpu", "g", nanStrategy="whatever"), metric("memory"), weights={"g": 80})
    judged = kayenta_judge(given, {"cpu": SAME, "memory": HIGHER}, Scale(kayenta_compatible=True))
    assert (judged["score"], judged["classification"]) == (80.0, "Marginal")
    assert judged["reason"].startswith("score 80 reaches 75 but not 95: memory 2.25 against 1.25")


CANARY = "config.metrics[0].analysisConfigurations.canary"


@pytest.mark.parametrize(
    ("given", "metrics", "message"),
    [
        (None, {}, "config: None is not allowed; a dictionary"),
        ({}, {}, "config.metrics: None is not allowed; a list"),
        ({"metrics": []}, {}, "config.metrics: [] is not allowed; a list with at least one metric"),
        ({"metrics": ["cpu"]}, {}, "config.metrics[0]: 'cpu' is not allowed; a dictionary"),
        (config(metric(" ")), {}, "config.metrics[0].name: ' ' is not allowed; a non-empty text"),
        (config(metric("cpu"), metric("cpu")), {}, "config.metrics: 'cpu' is not allowed; each name once"),
        (config(metric("cpu", 5)), {}, "config.metrics[0].groups[0]: 5 is not allowed; a non-empty text"),
        (config({"name": "cpu", "groups": "g"}), {}, "config.metrics[0].groups: 'g' is not allowed; a list"),
        (config(metric("cpu", direction="up")), {}, f"{CANARY}.direction: 'up' is not allowed; one of either, increase, decrease"),
        (config(metric("cpu", nanStrategy="x")), {}, f"{CANARY}.nanStrategy: 'x' is not allowed; one of remove, replace, none, default"),
        (config(metric("cpu", critical="yes")), {}, f"{CANARY}.critical: 'yes' is not allowed; true or false"),
        (config(metric("cpu", muted="yes")), {}, f"{CANARY}.muted: 'yes' is not allowed; true or false"),
        (config(metric("cpu", mustHaveData=1)), {}, f"{CANARY}.mustHaveData: 1 is not allowed; true or false"),
        (
            config(metric("cpu", allowedIncrease=2)),
            {},
            f"{CANARY}: 'allowedIncrease' is not allowed; known keys are direction, nanStrategy,",
        ),
        (
            config(metric("cpu", effectSize={"measure": "d"})),
            {},
            f"{CANARY}.effectSize.measure: 'd' is not allowed; one of meanRatio, cles",
        ),
        (config(metric("cpu", effectSize={"allowed": 1})), {}, f"{CANARY}.effectSize: 'allowed' is not allowed; known keys are measure,"),
        (config(metric("cpu", effectSize={"allowedIncrease": -1})), {}, f"{CANARY}.effectSize.allowedIncrease: -1 is not allowed; a ratio"),
        (
            config(metric("cpu", outliers={"strategy": "drop"})),
            {},
            f"{CANARY}.outliers.strategy: 'drop' is not allowed; one of keep, remove",
        ),
        (config(metric("cpu", outliers={"outlierFactor": 0})), {}, f"{CANARY}.outliers.outlierFactor: 0 is not allowed; a number above 0"),
        (config(metric("cpu", "g"), weights={"g": 90}), {}, "config.classifier.groupWeights: {'g': 90.0} is not allowed; 100 together"),
        (config(metric("cpu", "g"), weights={"h": 50}), {}, "config.classifier.groupWeights: 'h' is not allowed; a group of a metric: g"),
        (
            config(metric("a", "g"), metric("b", "h"), weights={"g": 60, "h": 60}),
            {},
            "config.classifier.groupWeights: {'g': 60.0, 'h': 60.0}",
        ),
        (
            config(metric("cpu", "g"), weights={"g": "all"}),
            {},
            "config.classifier.groupWeights.g: 'all' is not allowed; a number from 0 to 100",
        ),
        (
            config(metric("cpu"), thresholds={"pass": 101}),
            {},
            "config.classifier.scoreThresholds.pass: 101 is not allowed; a number from 0",
        ),
        (config(metric("cpu"), thresholds={"marginal": 96}), {}, "marginal_score: 96.0 is not allowed; at most the score to pass, 95"),
        (config(metric("cpu")), {"memory": SAME}, "metrics.memory: 'memory' is not allowed; a metric of config.metrics: cpu"),
        (config(metric("cpu")), {"cpu": [1]}, "metrics.cpu: [1] is not allowed; a dictionary"),
        (config(metric("cpu")), {"cpu": {"experiment": [1]}}, "metrics.cpu.control: None is not allowed; a list of numbers, empty when"),
        (config(metric("cpu")), {"cpu": {"experiment": 1, "control": []}}, "metrics.cpu.experiment: 1 is not allowed; a list of numbers"),
        (
            config(metric("cpu")),
            {"cpu": {"experiment": ["a"], "control": []}},
            "metrics.cpu.experiment[0]: 'a' is not allowed; a number, a",
        ),
        (config(metric("cpu")), {"cpu": {"experiment": [True], "control": []}}, "metrics.cpu.experiment[0]: True is not allowed; a number"),
        (config(metric("cpu")), [{"values": SAME}], "metrics[0].name: None is not allowed; a non-empty text"),
        (config(metric("cpu")), [{"name": "cpu"}], "metrics[0].values: None is not allowed; a dictionary"),
        (config(metric("cpu")), "cpu", "metrics: 'cpu' is not allowed; a list"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_is_allowed(given, metrics, message):
    before = copy.deepcopy((given, metrics))
    with pytest.raises(Wrong) as refused:
        kayenta_judge(given, metrics)
    assert str(refused.value).startswith(message)
    assert (given, metrics) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence": 98}, "confidence: 98 is not allowed; a number above 0 and below 1, such as 0.98"),
        ({"tolerance": "0.25"}, "tolerance: '0.25' is not allowed; a number of at least 0, such as 0.25"),
        ({"kayenta_compatible": "yes"}, "kayenta_compatible: 'yes' is not allowed; true or false"),
        ({"pass_score": "95"}, "pass_score: '95' is not allowed; a number from 0 to 100"),
        ({"passing": 95}, "passing: 95 is not allowed; known options are confidence, tolerance, pass_score, marginal_score"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(Wrong) as refused:
        kayenta_judge(config(metric("cpu", "g")), {"cpu": SAME}, scale_from(arguments))
    assert str(refused.value).startswith(message)


@given(st.lists(st.tuples(st.sampled_from(["Pass", "High", "Low", "Nodata", "NodataFailMetric"]), st.sampled_from("abc")), max_size=9))
def test_a_score_is_a_percentage_and_the_order_of_metrics_is_irrelevant(verdicts):
    named = {f"m{number}": each for number, each in enumerate(verdicts)}
    found, backwards = score(named), score(dict(reversed(named.items())))
    assert 0.0 <= found.score <= 100.0
    assert (found.score, found.classification, found.groups) == (backwards.score, backwards.classification, backwards.groups)
