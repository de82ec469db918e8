# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Mann-Whitney judge may be told about one metric, checked. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .samples import KEEP, REMOVE, REPLACE

EITHER, INCREASE, DECREASE = "either", "increase", "decrease"
MEAN_RATIO, CLES = "mean_ratio", "cles"
NO_EFFECT = {MEAN_RATIO: 1.0, CLES: 0.5}
CHOICES: dict[str, tuple[str, ...]] = {
    "direction": (EITHER, INCREASE, DECREASE),
    "effect_size": (MEAN_RATIO, CLES),
    "nan_strategy": (REMOVE, REPLACE),
    "outliers": (KEEP, REMOVE),
}
LIMITS = ("allowed_increase", "allowed_decrease", "critical_increase", "critical_decrease")
SWITCHES = ("critical", "must_have_data", "kayenta_compatible")


class Wrong(ValueError):
    """A value that is not allowed: where it stands, what it is, what may stand there."""

    def __init__(self, field: str, value: Any, allowed: str) -> None:
        super().__init__(f"{field}: {value!r} is not allowed; {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True)
class Options:
    """How one metric is judged. ``label`` and ``unit`` are only for the sentence. Limits that are None mean: no effect (1.0 or 0.5).

    Raises Wrong for a value out of range.
    """

    label: str = "metric"
    unit: str = ""
    direction: str = EITHER
    confidence: float = 0.98
    tolerance: float = 0.25
    effect_size: str = MEAN_RATIO
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical: bool = False
    critical_increase: float | None = None
    critical_decrease: float | None = None
    must_have_data: bool = False
    nan_strategy: str = REMOVE
    outliers: str = KEEP
    outlier_factor: float = 3.0
    kayenta_compatible: bool = False

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise Wrong(name, getattr(self, name), f"one of {', '.join(choices)}")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise Wrong(name, getattr(self, name), "true or false")
        for name in ("label", "unit"):
            if not isinstance(getattr(self, name), str):
                raise Wrong(name, getattr(self, name), "a text")
        if not 0.0 < _number(self.confidence) < 1.0:
            raise Wrong("confidence", self.confidence, "a number above 0 and below 1, such as 0.98")
        if not 0.0 <= _number(self.tolerance) < math.inf:
            raise Wrong("tolerance", self.tolerance, "a number of at least 0, such as 0.25")
        if not 0.0 < _number(self.outlier_factor) < math.inf:
            raise Wrong("outlier_factor", self.outlier_factor, "a number above 0, such as 3.0")
        largest = 1.0 if self.effect_size == CLES else math.inf
        for name in LIMITS:
            value = getattr(self, name)
            if value is not None and not (0.0 <= _number(value) <= largest and math.isfinite(value)):
                allowed = "a share of pairs from 0 to 1, such as 0.7" if self.effect_size == CLES else "a ratio of at least 0, such as 1.2"
                raise Wrong(name, value, allowed)

    def limit(self, name: str) -> float:
        """The limit of this name, or the value of no effect where none was given."""
        value: float | None = getattr(self, name)
        return NO_EFFECT[self.effect_size] if value is None else value


def options_from(given: Mapping[str, Any], **defaults: Any) -> Options:
    """Options of those names. Raises Wrong for an unknown name or a value that is not allowed."""
    known = [each.name for each in fields(Options)]
    for name, value in given.items():
        if name not in known:
            raise Wrong(str(name), value, f"known options are {', '.join(known)}")
    return Options(**{**defaults, **given})


def _number(value: Any) -> float:
    """The value, or NaN, which is in no range, for what is no number."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
