# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kayenta's judge over many metrics: each is compared, groups and the whole get a score, the score a word. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .kayenta_config import CanaryConfig, Scale, read_config, read_samples
from .mann_whitney import HIGH, LOW, NODATA, NODATA_FAIL, PASS
from .sample_finding import SampleFinding, judge_samples

MARGINAL, FAIL = "Marginal", "Fail"
NODATA_PERCENT = 50.0


@dataclass(frozen=True)
class MetricResult:
    """One metric's verdict, with the groups in which it counts."""

    name: str
    groups: tuple[str, ...]
    finding: SampleFinding


@dataclass(frozen=True)
class GroupScore:
    """Percent of a group's metrics that passed, of those that have data; weight is percent of the whole."""

    name: str
    score: float
    weight: float
    no_data: bool
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Score:
    """The whole: percent, Pass, Marginal or Fail, why, and the groups."""

    score: float
    classification: str
    reason: str
    groups: tuple[GroupScore, ...]


def kayenta_judge(config: Any, metrics: Any, scale: Scale | None = None) -> dict[str, Any]:
    """Judge the samples by a canary configuration. JSON-able result; raises Wrong for input that is not allowed.

    A metric of the configuration without samples counts as one that has none; a muted one is not judged.
    """
    scale = scale or Scale()
    read = read_config(config, scale)
    pairs = read_samples(metrics, [metric.name for metric in read.metrics])
    named = {name for name, _experiment, _control in pairs}
    pairs += [(metric.name, [], []) for metric in read.metrics if metric.name not in named]
    by_name = {metric.name: metric for metric in read.metrics}
    results = [
        MetricResult(name, by_name[name].groups, judge_samples(experiment, control, by_name[name].options))
        for name, experiment, control in pairs
        if not by_name[name].muted
    ]
    return _result(score_of(results, read), results, read, [metric.name for metric in read.metrics if metric.muted])


def score_of(results: Sequence[MetricResult], config: CanaryConfig) -> Score:
    """The score of metrics that are not muted."""
    groups = _groups(results, config.group_weights)
    critical = [each for each in results if each.finding.critical and each.finding.verdict != PASS]
    without = [each for each in results if each.finding.verdict == NODATA]
    if critical:
        return Score(0.0, FAIL, f"critical metric failed: {critical[0].finding.reason}", groups)
    if not results:
        return Score(0.0, FAIL, "no metric to judge: all are muted", groups)
    if 100.0 * len(without) / len(results) >= NODATA_PERCENT:
        names = ", ".join(each.name for each in without)
        return Score(0.0, FAIL, f"{len(without)} of {len(results)} metrics have no data ({names}), half of them are enough to fail", groups)
    total = _rounded(sum((100.0 if group.no_data else group.score) * (group.weight / 100.0) for group in groups))
    if total >= config.pass_score:
        return Score(total, PASS, f"score {total:g} reaches {config.pass_score:g}", groups)
    failed = [each.finding.reason for each in results if each.finding.verdict in (HIGH, LOW, NODATA_FAIL)]
    blamed = "; ".join(failed) or "the groups' weights do not add up to 100"
    if total >= config.marginal_score:
        return Score(total, MARGINAL, f"score {total:g} reaches {config.marginal_score:g} but not {config.pass_score:g}: {blamed}", groups)
    return Score(total, FAIL, f"score {total:g} is below {config.marginal_score:g}: {blamed}", groups)


def _groups(results: Sequence[MetricResult], weights: Mapping[str, float]) -> tuple[GroupScore, ...]:
    names = sorted({group for each in results for group in each.groups})
    unnamed = [name for name in names if name not in weights]
    rest = (100.0 - sum(weights.values())) / len(unnamed) if unnamed else 0.0
    return tuple(_group(name, weights.get(name, rest), [each for each in results if name in each.groups]) for name in names)


def _group(name: str, weight: float, members: Sequence[MetricResult]) -> GroupScore:
    verdicts = [each.finding.verdict for each in members]
    counts = {verdict: verdicts.count(verdict) for verdict in (PASS, HIGH, LOW, NODATA, NODATA_FAIL)}
    judged = len(verdicts) - counts[NODATA]
    return GroupScore(name, 100.0 * counts[PASS] / judged if judged else 0.0, weight, not judged, counts)


def _rounded(score: float) -> float:
    """Two digits, halves upwards."""
    return float(Decimal(repr(score)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def _result(score: Score, results: Sequence[MetricResult], config: CanaryConfig, muted: Sequence[str]) -> dict[str, Any]:
    return {
        "score": score.score,
        "classification": score.classification,
        "reason": score.reason,
        "pass_score": config.pass_score,
        "marginal_score": config.marginal_score,
        "groups": [
            {
                "name": group.name,
                "score": group.score,
                "weight": group.weight,
                "no_data": group.no_data,
                "counts": {verdict: count for verdict, count in group.counts.items() if count},
            }
            for group in score.groups
        ],
        "metrics": [
            {
                "name": each.name,
                "groups": list(each.groups),
                "verdict": each.finding.verdict,
                "critical": each.finding.critical,
                "reason": each.finding.reason,
                **each.finding.evidence,
            }
            for each in results
        ],
        "muted": list(muted),
    }
