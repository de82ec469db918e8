# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_slo: the objective whose error budget a release lives on, and where its numbers are. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis.burn_rate import DAY, HOUR, Window, budget_of, pyrra_windows, windows
from .gates_spec import BURN_RATE, BURN_WINDOWS, GateSpec
from .values import Reader

FIELD = "release_slo"
RAW, SLOTH, PYRRA = "raw", "sloth", "pyrra"
SOURCES = (RAW, SLOTH, PYRRA)
OPTIONS = ("objective", "period", "source", "series", "labels", "errors", "allowance", "watch", "budget_override")
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")


@dataclass(frozen=True)
class SloSpec:
    """An objective (the share of good requests) over a period, where its numbers are, and what one release may cost.

    series, labels: of Sloth's or Pyrra's recorded series; errors: a matcher of the failed ones among Pyrra's.
    allowance: the share of what is left of the budget that one release may spend. watch_seconds: after the switch.
    """

    objective: float
    period_seconds: float = 30 * DAY
    source: str = RAW
    series: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    errors: str = 'code=~"5.."'
    allowance: float = 0.001
    watch_seconds: float = HOUR
    budget_override: str | None = None

    @property
    def budget(self) -> float:
        """The share of requests that may fail."""
        return budget_of(self.objective)

    @property
    def windows(self) -> dict[str, Window]:
        """The pairs of windows by name, as the source records them."""
        of_source = pyrra_windows if self.source == PYRRA else windows
        return dict(zip(BURN_WINDOWS, of_source(self.period_seconds)))


def slo_from(saved: Mapping[str, Any] | None) -> SloSpec | None:
    """release_slo as a record keeps it."""
    return None if saved is None else SloSpec(**{**saved, "labels": tuple((name, value) for name, value in saved["labels"])})


def slo(read: Reader, value: Any, *, gates: tuple[GateSpec, ...], strategy: str, from_pods: bool) -> SloSpec | None:
    """release_slo; also whether the gates and the strategy have any use for it."""
    found = read.mapping(FIELD, value, OPTIONS)
    if found is None:
        if value is None:
            _needed_by_gates(read, gates)
        return None
    objective = read.share(f"{FIELD}.objective", found.get("objective"))
    source = read.choice(f"{FIELD}.source", found.get("source"), SOURCES, RAW)
    series, chosen = _series(read, source, found), labels(read, f"{FIELD}.labels", found.get("labels"))
    if source == RAW:
        for key in ("series", "labels"):
            if found.get(key) is not None:
                read.refuse(f"{FIELD}.{key}", found[key], "nothing with source raw: the counters of the gates are read")
        if from_pods:
            read.refuse(f"{FIELD}.source", RAW, "sloth or pyrra where release_metrics_source is pods: pods know nothing of the period")
    elif not chosen and not found.get("labels"):
        example = "{sloth_service: shop, sloth_slo: requests-availability}" if source == SLOTH else "{slo: shop-errors}"
        read.refuse(f"{FIELD}.labels", found.get("labels"), f"labels that choose one objective of {source}, such as {example}")
    if strategy == "shadow":
        read.refuse(FIELD, found, "nothing: a shadow gives the canary no traffic, so that it spends no budget")
    if not any(gate.kind == "error_rate" for gate in gates):
        allowed = "a gate on error_rate in release_gates beside it: what the release spends is counted there"
        read.refuse(FIELD, objective and f"{100 * objective:g}%", allowed)
    made = SloSpec(
        objective=round(objective or 0.999, 12),
        period_seconds=read.seconds(f"{FIELD}.period", found.get("period"), least=DAY, most=92 * DAY, default=30 * DAY),
        source=source,
        series=series,
        labels=chosen,
        errors=_matcher(read, source, found.get("errors")),
        allowance=_share(read, found.get("allowance")),
        watch_seconds=read.seconds(f"{FIELD}.watch", found.get("watch"), least=0, most=7 * DAY, default=HOUR),
        budget_override=read.text(f"{FIELD}.budget_override", found.get("budget_override")),
    )
    return made if objective else None


def _needed_by_gates(read: Reader, gates: tuple[GateSpec, ...]) -> None:
    for gate in gates:
        if gate.judge == BURN_RATE:
            read.refuse(FIELD, None, f"is required by gate {gate.name}: its objective, such as {{objective: 99.9%}}")
            return


def _share(read: Reader, value: Any) -> float:
    default = 0.001
    return default if value is None else read.share(f"{FIELD}.allowance", value) or default


def _series(read: Reader, source: str, found: Mapping[str, Any]) -> str | None:
    value = found.get("series")
    if source == PYRRA and (not isinstance(value, str) or not METRIC.fullmatch(value)):
        read.refuse(f"{FIELD}.series", value, "what the names of Pyrra's recorded series begin with, such as http_requests")
        return None
    if source == SLOTH and value is not None:
        read.refuse(f"{FIELD}.series", value, "nothing with source sloth, whose series have one name; choose them by labels")
    return value if source == PYRRA else None


def _matcher(read: Reader, source: str, value: Any) -> str:
    default = SloSpec.errors
    if value is None:
        return default
    if source != PYRRA:
        read.refuse(f"{FIELD}.errors", value, "nothing, unless source is pyrra")
    elif not isinstance(value, str) or not re.fullmatch(rf'{LABEL.pattern}(=~|!~|!=|=)"[^"\\{{}}]*"', value):
        read.refuse(f"{FIELD}.errors", value, 'one matcher of the failed requests, such as code=~"5.."')
    else:
        return value
    return default


def labels(read: Reader, field: str, value: Any) -> tuple[tuple[str, str], ...]:
    """Labels and the values that they must have, in the order of their names."""
    made = []
    for name, text in sorted((read.mapping(field, value) or {}).items(), key=str):
        if not LABEL.fullmatch(str(name)) or not isinstance(text, str) or not text or re.search(r'["\\\n]', text):
            read.refuse(f"{field}.{name}", text, "a label's name with a non-empty string without quotes and backslashes (quote numbers)")
        else:
            made.append((str(name), text))
    return tuple(made)
