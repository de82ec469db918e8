# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a panel is given and what it says, as plain JSON that gives back the same values to the last bit. Pure.

A float's JSON is the shortest text that reads back as the same float; the infinite ones and NaN, which JSON has not, are words.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from .look import Counts, Look, MetricLook, ScalarLook
from .panel import StepEntry
from .verdict import Verdict

JSON = dict[str, Any]
DIGEST_DIGITS = 16


def look_to_dict(look: Look) -> JSON:
    """A look: its counts as [requests, events] of each arm, null where an arm gave no data."""
    plain: JSON = {
        "number": look.number,
        "at_seconds": look.at_seconds,
        "weight_percent": look.weight_percent,
        "closes_block": look.closes_block,
        "has_counts": look.has_counts,
        "metrics": [_metric(one) for one in look.metrics],
        "scalars": [_scalar(one) for one in look.scalars],
    }
    if look.problem or look.problem_detail:
        plain.update(problem=look.problem, problem_detail=look.problem_detail)
    return plain


def look_from_dict(plain: Mapping[str, Any]) -> Look:
    """The look that look_to_dict wrote. Raises KeyError, TypeError and ValueError for anything else."""
    return Look(
        number=plain["number"],
        at_seconds=plain["at_seconds"],
        weight_percent=plain["weight_percent"],
        metrics=tuple(
            MetricLook(
                one["gate"],
                _counts(one["canary"]),
                _counts(one["baseline"]),
                tuple((math.inf if bound is None else bound, count) for bound, count in one.get("buckets", ())),
            )
            for one in plain["metrics"]
        ),
        closes_block=plain["closes_block"],
        problem=plain.get("problem"),
        problem_detail=plain.get("problem_detail", ""),
        scalars=tuple(_scalar_from(one) for one in plain["scalars"]),
        has_counts=plain["has_counts"],
    )


def entry_to_dict(entry: StepEntry) -> JSON:
    """The beginning of a step."""
    return dict(vars(entry))


def entry_from_dict(plain: Mapping[str, Any]) -> StepEntry:
    """The beginning that entry_to_dict wrote. Raises KeyError and TypeError for anything else."""
    return StepEntry(**plain)


def verdict_to_dict(verdict: Verdict) -> JSON:
    """A verdict, made of what JSON knows."""
    return json.loads(canonical(vars(verdict)))


def canonical(plain: Any) -> str:
    """One text for one value: two of them are equal exactly when every number in them is, to the last bit."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def digest(plain: Any) -> str:
    """A short stand-in for canonical, where there is no room for it."""
    return hashlib.sha256(canonical(plain).encode()).hexdigest()[:DIGEST_DIGITS]


def _metric(one: MetricLook) -> JSON:
    plain: JSON = {"gate": one.gate, "canary": _pair(one.canary), "baseline": _pair(one.baseline)}
    if one.buckets:
        plain["buckets"] = [[None if math.isinf(bound) else bound, count] for bound, count in one.buckets]
    return plain


def _scalar(one: ScalarLook) -> JSON:
    plain: JSON = {"gate": one.gate, "canary": _number(one.canary), "baseline": _number(one.baseline)}
    if one.problem or one.detail:
        plain.update(problem=one.problem, detail=one.detail)
    if one.values:
        plain["values"] = [[name, _number(value)] for name, value in one.values]
    return plain


def _scalar_from(plain: Mapping[str, Any]) -> ScalarLook:
    return ScalarLook(
        plain["gate"],
        _number_from(plain["canary"]),
        _number_from(plain["baseline"]),
        problem=plain.get("problem"),
        detail=plain.get("detail", ""),
        values=tuple((name, float(value)) for name, value in plain.get("values", ())),
    )


def _pair(counts: Counts | None) -> list[int] | None:
    return None if counts is None else [counts.requests, counts.events]


def _counts(pair: list[int] | None) -> Counts | None:
    return None if pair is None else Counts(*pair)


def _number(value: float | None) -> Any:
    return value if value is None or math.isfinite(value) else str(float(value))


def _number_from(value: Any) -> float | None:
    return float(value) if isinstance(value, str) else value
