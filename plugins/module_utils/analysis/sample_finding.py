# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Mann-Whitney judge for one metric, in words: what the release engine and the filters tell people. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Callable

from . import mann_whitney as judge
from . import verdict as words
from .mann_whitney import Comparison, Shift, compare, samples_needed
from .mann_whitney_options import CLES, EITHER, INCREASE, Options
from .samples import Samples

NO_EVIDENCE_OF_HARM = "no_evidence_of_harm"

_DECISIONS = {
    judge.PASS: (words.ADVANCE, NO_EVIDENCE_OF_HARM),
    judge.HIGH: (words.ROLL_BACK, words.EVIDENCE_OF_HARM),
    judge.LOW: (words.ROLL_BACK, words.EVIDENCE_OF_HARM),
    judge.NODATA: (words.HOLD, words.NO_DATA),
    judge.NODATA_FAIL: (words.HOLD, words.NO_DATA),
}
_SPOKEN = {
    judge.HIGH: "high",
    judge.LOW: "low",
    judge.PASS: "pass",
    judge.NODATA: "no data",
    judge.NODATA_FAIL: "no data, which it must have",
}


@dataclass(frozen=True)
class SampleFinding:
    """What the samples of one metric lead to.

    ``decision`` and ``cause`` are words of verdict.py (an additional cause: no_evidence_of_harm), ``verdict`` is the judge's own word
    (Pass, High, Low, Nodata, NodataFailMetric), ``reason`` one sentence with the numbers, ``evidence`` the numbers, JSON-able.
    """

    decision: str
    cause: str
    verdict: str
    critical: bool
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


def judge_samples(canary: Sequence[float], baseline: Sequence[float], options: Options | None = None) -> SampleFinding:
    """Compare a metric's samples of both versions (same unit, same times; NaN where there was none). Raises nothing."""
    options = options or Options()
    found = compare(canary, baseline, options)
    decision, cause = _DECISIONS[found.verdict]
    if found.cause == judge.TOO_FEW_SAMPLES:
        cause = words.TOO_LITTLE_DATA
    return SampleFinding(decision, cause, found.verdict, found.critical, reason_of(found, options), numbers_of(found, options))


def numbers_of(found: Comparison, options: Options) -> dict[str, Any]:
    """The numbers of a comparison; None stands for what is not a finite number."""
    shift = found.shift
    return {
        "cause": found.cause,
        "canary": _arm(found.canary),
        "baseline": _arm(found.baseline),
        "effect_size": options.effect_size,
        "effect": _finite(found.effect),
        "estimate": None if shift is None else _finite(shift.estimate),
        "interval": None if shift is None else [_finite(shift.low), _finite(shift.high)],
        "confidence": options.confidence,
    }


def reason_of(found: Comparison, options: Options) -> str:
    """One sentence: both means, the effect with its limit, what made the verdict, the verdict."""
    if found.cause == judge.NO_SAMPLES:
        arms = [name for name, samples in (("canary", found.canary), ("baseline", found.baseline)) if not samples.values]
        dropped = sum(samples.not_numbers for samples in (found.canary, found.baseline) if not samples.values)
        what = f" ({dropped} were not numbers)" if dropped else ""
        return f"{options.label}: no samples of the {' and of the '.join(arms)}{what}, {_SPOKEN[found.verdict]}"
    unit = f" {options.unit}" if options.unit else ""
    canary, baseline = _apart(_short, found.canary.mean or 0.0, found.baseline.mean or 0.0)
    means = f"{options.label} {canary} against {baseline}{unit}"
    return ", ".join([means, *_because(found, options, unit), _SPOKEN[found.verdict]])


def _because(found: Comparison, options: Options, unit: str) -> list[str]:
    certainty = f"{100.0 * options.confidence:.4g} % confidence"
    if found.cause == judge.SAME_SAMPLES:
        return ["the same samples"]
    if found.cause == judge.TOO_FEW_SAMPLES:
        few = f"{len(found.canary.values)} and {len(found.baseline.values)} samples are too few for {certainty}"
        return [f"{few} ({samples_needed(options.confidence)} of each suffice)"]
    if found.shift is None:
        return []
    parts = [_effect(found.effect, found.shift, options)]
    if found.cause == judge.NOT_CERTAIN:
        low, high = _apart(_short, found.shift.low, found.shift.high)
        parts.append(f"not certain (shift from {low} to {high}{unit} with {certainty})")
    elif found.cause == judge.OTHER_DIRECTION:
        parts.append(f"certain, but only {'an' if options.direction == 'increase' else 'a'} {options.direction} counts")
    return parts


def _effect(effect: float, shift: Shift, options: Options) -> str:
    rises = shift.estimate >= 0.0 if options.direction == EITHER else options.direction == INCREASE
    name = "allowed_increase" if rises else "allowed_decrease"
    limit = options.limit(name)
    if options.effect_size == CLES:
        return f"higher in {100.0 * effect:.3g} % of pairs (limit {100.0 * limit:.3g} %)"
    if math.isnan(effect):
        return "no ratio of these means"
    ratio, limit_ratio = _apart(_ratio, effect, limit)
    return f"ratio {ratio} (limit {limit_ratio})"


def _arm(samples: Samples) -> dict[str, Any]:
    return {
        "mean": None if samples.mean is None else _finite(samples.mean),
        "samples": len(samples.values),
        "not_numbers": samples.not_numbers,
        "outliers": samples.outliers,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _apart(write: Callable[[float, int], str], one: float, other: float) -> tuple[str, str]:
    """Both numbers with as few digits as leave them different, if they are: 1.0048 and 1, not 1 and 1."""
    for digits in range(3, 8):
        if write(one, digits) != write(other, digits) or one == other:
            break
    return write(one, digits), write(other, digits)


def _short(value: float, digits: int) -> str:
    """So many significant digits, but no exponent up to a million."""
    return f"{value:,.0f}" if 10.0**digits <= abs(value) < 1e6 else f"{value:.{digits}g}"


def _ratio(value: float, digits: int) -> str:
    """One digit less after the point as long as those can be read: 1.2, 1.35, 0.8; else so many significant ones."""
    return f"{value:.{digits - 1}f}".rstrip("0").rstrip(".") if 0.1 <= value < 100.0 else f"{value:.{digits}g}"
