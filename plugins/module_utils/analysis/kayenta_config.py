# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what Kayenta calls a canary configuration, and the samples that go with it. Pure; refuses what would be misread.

Of a configuration only what decides is read: ``metrics[].name``, ``.groups`` and ``.analysisConfigurations.canary``,
``classifier.groupWeights`` and ``classifier.scoreThresholds``. Queries, scopes and templates may stand there and are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from .mann_whitney_options import CLES, MEAN_RATIO, REMOVE, REPLACE, Options, Wrong

NO_GROUP = "ungrouped"
PASS_SCORE, MARGINAL_SCORE = 95.0, 75.0

_CANARY = ("direction", "nanStrategy", "critical", "mustHaveData", "muted", "effectSize", "outliers")
_EFFECT = ("measure", "allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease")
_OUTLIERS = ("strategy", "outlierFactor")
_MEASURES = {"meanRatio": MEAN_RATIO, "cles": CLES}
_NAN_WORDS = {"remove": REMOVE, "replace": REPLACE, "none": REMOVE, "default": REMOVE}


@dataclass(frozen=True)
class MetricConfig:
    """How one metric is judged, and in which groups it counts."""

    name: str
    groups: tuple[str, ...]
    options: Options
    muted: bool = False


@dataclass(frozen=True)
class CanaryConfig:
    """All metrics, the weights of groups (percent) that were given, and the scores (percent) from which on it is Pass or Marginal."""

    metrics: tuple[MetricConfig, ...]
    group_weights: Mapping[str, float]
    pass_score: float
    marginal_score: float


@dataclass(frozen=True)
class Scale:
    """What Kayenta takes from elsewhere than the configuration; scores that are None are read from the configuration."""

    confidence: float = 0.98
    tolerance: float = 0.25
    pass_score: float | None = None
    marginal_score: float | None = None
    kayenta_compatible: bool = False


def scale_from(given: Mapping[str, Any]) -> Scale:
    """A scale of those names. Raises Wrong for an unknown name; values are checked where they are used."""
    known = [each.name for each in fields(Scale)]
    for name, value in given.items():
        if name not in known:
            raise Wrong(str(name), value, f"known options are {', '.join(known)}")
    return Scale(**given)


def read_config(config: Any, scale: Scale) -> CanaryConfig:
    """The configuration. Raises Wrong for the first thing that is not allowed."""
    config = _mapping("config", config)
    entries = _sequence("config.metrics", config.get("metrics"))
    if not entries:
        raise Wrong("config.metrics", config.get("metrics"), "a list with at least one metric")
    metrics = tuple(_metric(f"config.metrics[{number}]", entry, scale) for number, entry in enumerate(entries))
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise Wrong("config.metrics", name, "each name once")
    classifier = _mapping("config.classifier", config.get("classifier") or {})
    given = _mapping("config.classifier.groupWeights", classifier.get("groupWeights") or {})
    weights = {str(name): number(f"config.classifier.groupWeights.{name}", value, 0.0, 100.0) for name, value in given.items()}
    if not scale.kayenta_compatible:
        _check_weights(weights, {group for metric in metrics for group in metric.groups})
    pass_score, marginal_score = _thresholds(_mapping("config.classifier.scoreThresholds", classifier.get("scoreThresholds") or {}), scale)
    return CanaryConfig(metrics, weights, pass_score, marginal_score)


def read_samples(metrics: Any, known: Iterable[str]) -> list[tuple[str, list[float], list[float]]]:
    """(name, experiment, control) of each pair: from a mapping by name, or from Kayenta's list of metric set pairs.

    Raises Wrong for what is neither, for a metric that is not ``known``, and for a sample that is no number.
    """
    known = list(known)
    if isinstance(metrics, Mapping):
        pairs = [(str(name), f"metrics.{name}", entry) for name, entry in metrics.items()]
    else:
        pairs = []
        for position, entry in enumerate(_sequence("metrics", metrics)):
            where = f"metrics[{position}]"
            pairs.append((_text(f"{where}.name", _mapping(where, entry).get("name")), f"{where}.values", entry.get("values")))
    found = []
    for name, where, values in pairs:
        if name not in known:
            raise Wrong(where, name, f"a metric of config.metrics: {', '.join(known)}")
        both = _mapping(where, values)
        for arm in ("experiment", "control"):
            if arm not in both:
                raise Wrong(f"{where}.{arm}", None, "a list of numbers, empty when there were none")
        found.append((name, numbers(f"{where}.experiment", both["experiment"]), numbers(f"{where}.control", both["control"])))
    return found


def numbers(where: str, values: Any) -> list[float]:
    """Samples as floats: numbers, texts of numbers as Prometheus answers them (NaN and +Inf too), and null, which is NaN."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise Wrong(where, values, "a list of numbers")
    found = []
    for position, value in enumerate(values):
        try:
            if isinstance(value, bool):
                raise ValueError("a truth is no sample")
            found.append(math.nan if value is None else float(value))
        except OverflowError:  # a whole number beyond what a float can hold
            found.append(math.inf)
        except (TypeError, ValueError) as problem:
            raise Wrong(f"{where}[{position}]", value, "a number, a text of one such as '0.42' or 'NaN', or null") from problem
    return found


def number(where: str, value: Any, least: float, most: float = math.inf) -> float:
    """One finite number within both limits. Raises Wrong."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most and math.isfinite(value)
    if not usable:
        raise Wrong(where, value, f"a number of at least {least:g}" if math.isinf(most) else f"a number from {least:g} to {most:g}")
    return float(value)


def _metric(where: str, entry: Any, scale: Scale) -> MetricConfig:
    entry = _mapping(where, entry)
    name = _text(f"{where}.name", entry.get("name"))
    listed = _sequence(f"{where}.groups", entry.get("groups") or [])
    groups = tuple(_text(f"{where}.groups[{position}]", each) for position, each in enumerate(listed))
    if not groups and not scale.kayenta_compatible:  # Kayenta lets such a metric count nowhere
        groups = (NO_GROUP,)
    analysis = _mapping(f"{where}.analysisConfigurations", entry.get("analysisConfigurations") or {})
    where += ".analysisConfigurations.canary"
    canary = _known(where, analysis.get("canary") or {}, _CANARY)
    effect = _known(f"{where}.effectSize", canary.get("effectSize") or {}, _EFFECT)
    outliers = _known(f"{where}.outliers", canary.get("outliers") or {}, _OUTLIERS)
    muted = canary.get("muted", False)
    if not isinstance(muted, bool):
        raise Wrong(f"{where}.muted", muted, "true or false")
    given: dict[str, Any] = {
        "direction": canary.get("direction"),
        "critical": canary.get("critical"),
        "must_have_data": canary.get("mustHaveData"),
        "effect_size": _word(f"{where}.effectSize.measure", effect.get("measure"), _MEASURES),
        "allowed_increase": effect.get("allowedIncrease"),
        "allowed_decrease": effect.get("allowedDecrease"),
        "critical_increase": effect.get("criticalIncrease"),
        "critical_decrease": effect.get("criticalDecrease"),
        "outliers": outliers.get("strategy"),
        "outlier_factor": outliers.get("outlierFactor"),
        "nan_strategy": _nan_strategy(f"{where}.nanStrategy", canary.get("nanStrategy"), scale),
    }
    try:
        options = Options(
            label=name,
            confidence=scale.confidence,
            tolerance=scale.tolerance,
            kayenta_compatible=scale.kayenta_compatible,
            **{option: value for option, value in given.items() if value is not None},
        )
    except Wrong as wrong:
        raise Wrong(_place(where, wrong.field), wrong.value, wrong.allowed) from wrong
    return MetricConfig(name, groups, options, muted)


_PLACES = {
    "effect_size": ".effectSize.measure",
    "allowed_increase": ".effectSize.allowedIncrease",
    "allowed_decrease": ".effectSize.allowedDecrease",
    "critical_increase": ".effectSize.criticalIncrease",
    "critical_decrease": ".effectSize.criticalDecrease",
    "must_have_data": ".mustHaveData",
    "outliers": ".outliers.strategy",
    "outlier_factor": ".outliers.outlierFactor",
}


def _place(where: str, option: str) -> str:
    """Where an option stands in the configuration; what does not stand there is an argument of its own."""
    return option if option in ("confidence", "tolerance", "kayenta_compatible") else where + _PLACES.get(option, f".{option}")


def _nan_strategy(where: str, value: Any, scale: Scale) -> str | None:
    """Kayenta takes every word that it does not know for ``remove``; so do we where we are to be the same."""
    if scale.kayenta_compatible:
        return REPLACE if value == REPLACE else REMOVE
    return _word(where, value, _NAN_WORDS)


def _thresholds(given: Mapping[str, Any], scale: Scale) -> tuple[float, float]:
    found = []
    for name, argument, default in (("pass", scale.pass_score, PASS_SCORE), ("marginal", scale.marginal_score, MARGINAL_SCORE)):
        if argument is not None:
            found.append(number(f"{name}_score", argument, 0.0, 100.0))
        else:
            found.append(number(f"config.classifier.scoreThresholds.{name}", given.get(name, min([default, *found])), 0.0, 100.0))
    pass_score, marginal_score = found
    if marginal_score > pass_score:
        raise Wrong("marginal_score", marginal_score, f"at most the score to pass, {pass_score:g}")
    return pass_score, marginal_score


def _check_weights(weights: Mapping[str, float], groups: set[str]) -> None:
    where = "config.classifier.groupWeights"
    for name in weights:
        if name not in groups:
            raise Wrong(where, name, f"a group of a metric: {', '.join(sorted(groups))}")
    total = math.fsum(weights.values())
    if total > 100.0 + 1e-9:
        raise Wrong(where, dict(weights), f"at most 100 together, not {total:g}")
    if weights and set(weights) == groups and total < 100.0 - 1e-9:
        raise Wrong(where, dict(weights), f"100 together when every group has one, not {total:g}: the score could never be 100")


def _word(where: str, value: Any, meanings: Mapping[str, str]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in meanings:
        raise Wrong(where, value, f"one of {', '.join(meanings)}")
    return meanings[value]


def _known(where: str, value: Any, names: Sequence[str]) -> Mapping[str, Any]:
    found = _mapping(where, value)
    for name in found:
        if name not in names:
            raise Wrong(where, name, f"known keys are {', '.join(names)}")
    return found


def _mapping(where: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Wrong(where, value, "a dictionary")
    return value


def _sequence(where: str, value: Any) -> Sequence[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise Wrong(where, value, "a list")
    return value


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Wrong(where, value, "a non-empty text")
    return value
