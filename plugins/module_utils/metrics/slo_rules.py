# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus rules of an objective: its error ratios, its budget, alerts on its burn, and one on a canary that is worse. Pure.

Names and labels of the recorded series are those that Sloth gives its own, so that its dashboards show them and release_slo reads them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..analysis.burn_rate import DAY, budget_of, windows
from ..release import source_spec
from ..release.values import Problem, Reader
from .catalogue import Arms
from .slo import duration

JSON = dict[str, Any]
OPTIONS = (
    "name",
    "namespace",
    "workload",
    "service",
    "objective",
    "period",
    "source",
    "release",
    "labels",
    "canary_ratio",
    "canary_action",
)
SEVERITIES = ("page", "page", "ticket", "ticket")  # of the four pairs of windows
NAMES = ("BudgetBurnsFast", "BudgetBurns", "BudgetBurnsSlowly", "BudgetRunsOut")
CANARY_WINDOW = "2m"
LEAST_FAILURES = 10  # of a canary: a ratio of fewer is chance
IDENTITY = "on(sloth_id, sloth_slo, sloth_service)"


class WrongRules(ValueError):
    """The options are wrong; problems says where."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))


def slo_rules(given: Any) -> JSON:
    """The groups of rules of an objective, as a rule file or the spec of a PrometheusRule has them. Raises WrongRules."""
    read = Reader()
    found = read.mapping("slo_rules", given, OPTIONS) or {}
    for needed in ("namespace", "workload", "objective"):
        if found.get(needed) is None:
            read.refuse(needed, None, "is required")
    workload = read.name("workload", found.get("workload")) or ""
    service = read.name("service", found.get("service")) or workload
    name = read.name("name", found.get("name")) or "availability"
    namespace = read.name("namespace", found.get("namespace")) or ""
    objective = read.share("objective", found.get("objective")) or 0.999
    period = read.seconds("period", found.get("period"), least=DAY, most=92 * DAY, default=30 * DAY)
    source, own = source_spec.source(read, found.get("source"), field="source", names=source_spec.NAMES, default="istio_destination")
    ratio = _ratio(read, found.get("canary_ratio"))
    action = read.choice("canary_action", found.get("canary_action"), ("rollback", "none"), "rollback")
    release = read.name("release", found.get("release")) or workload
    labels = read.mapping("labels", found.get("labels")) or {}
    for label, value in labels.items():
        if not isinstance(value, str):
            read.refuse(f"labels.{label}", value, "a string (quote numbers)")
    if read.problems:
        raise WrongRules(read.problems)
    arms = Arms.of(source, namespace=namespace, workload=workload, service=service, own=own)
    budget = budget_of(round(objective, 12))
    identity = {"sloth_id": f"{namespace}-{service}-{name}", "sloth_service": service, "sloth_slo": name}
    prefix = "".join(part.capitalize() for part in service.split("-"))
    return {
        "groups": [
            {"name": f"{identity['sloth_id']}-ratios", "rules": _ratios(arms, identity, period)},
            {"name": f"{identity['sloth_id']}-budget", "rules": _budget(identity, budget, period)},
            {"name": f"{identity['sloth_id']}-alerts", "rules": _alerts(identity, budget, period, prefix=prefix, labels=labels)},
            {
                "name": f"{identity['sloth_id']}-canary",
                "rules": [_degraded(arms, ratio, prefix=prefix, labels={**labels, "release": release, **_action(action)})],
            },
        ]
    }


def _action(action: str) -> dict[str, str]:
    return {} if action == "none" else {"action": action}


def _ratio(read: Reader, value: Any) -> float:
    if value is None:
        return 1.5
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 < value <= 100:
        read.refuse("canary_ratio", value, "a number above 1 and at most 100: how many times stable's error ratio the canary's may be")
        return 1.5
    return float(value)


def _ratios(arms: Arms, identity: dict[str, str], period: float) -> list[JSON]:
    """The error ratio over each window that an alert needs; that of the period from the recorded five minutes, as Sloth does."""
    lengths = sorted({seconds for window in windows(period) for seconds in (window.long_seconds, window.short_seconds)})
    rules = [
        _record(f"slo:sli_error:ratio_rate{duration(seconds)}", _part(arms, arms.selectors.values(), duration(seconds)), identity, seconds)
        for seconds in lengths
    ]
    recorded = f"slo:sli_error:ratio_rate5m{_matching(identity)}[{duration(period)}]"
    whole = f"sum_over_time({recorded}) / ignoring(sloth_window) count_over_time({recorded})"
    return [*rules, _record(f"slo:sli_error:ratio_rate{duration(period)}", whole, identity, period)]


def _budget(identity: dict[str, str], budget: float, period: float) -> list[JSON]:
    chosen = _matching(identity)
    burns = f"/ {IDENTITY} group_left slo:error_budget:ratio{chosen}"
    rules = {
        "slo:objective:ratio": f"vector({1 - budget:.12g})",
        "slo:error_budget:ratio": f"vector({budget:.12g})",
        "slo:time_period:days": f"vector({period / DAY:g})",
        "slo:current_burn_rate:ratio": f"slo:sli_error:ratio_rate5m{chosen} {burns}",
        "slo:period_burn_rate:ratio": f"slo:sli_error:ratio_rate{duration(period)}{chosen} {burns}",
        "slo:period_error_budget_remaining:ratio": f"1 - slo:period_burn_rate:ratio{chosen}",
    }
    return [{"record": name, "expr": expression, "labels": dict(identity)} for name, expression in rules.items()]


def _alerts(identity: dict[str, str], budget: float, period: float, *, prefix: str, labels: JSON) -> list[JSON]:
    """One alert for each pair of windows: both must burn."""
    rules = []
    for window, severity, name in zip(windows(period), SEVERITIES, NAMES):
        limit = f"{window.factor * budget:.12g}"
        long, short = (f"slo:sli_error:ratio_rate{duration(s)}{_matching(identity)}" for s in (window.long_seconds, window.short_seconds))
        said = f"{identity['sloth_service']} burns its error budget {window.factor:.3g} times too fast over {duration(window.long_seconds)}"
        rules.append(
            {
                "alert": prefix + name,
                "expr": f"({long} > {limit}) and ignoring(sloth_window) ({short} > {limit})",
                "labels": {"severity": severity, **identity, **labels},
                "annotations": {"summary": said},
            }
        )
    return rules


def _degraded(arms: Arms, ratio: float, *, prefix: str, labels: JSON) -> JSON:
    """The canary fails so many times more often than stable, and often enough to say so. Without an error of stable's, stable's ratio is 0."""
    failed = arms.grown(CANARY_WINDOW, [arms.canary_selector], failed=True)
    bad, good = (_part(arms, [selector], CANARY_WINDOW) for selector in (arms.canary_selector, arms.stable_selector))
    return {
        "alert": f"{prefix}CanaryDegraded",
        "expr": f"({bad} > {ratio:g} * {good}) and ({failed} >= {LEAST_FAILURES})",
        "labels": {"severity": "ticket", **labels},
        "annotations": {"summary": f"the canary of {arms.workload} fails more than {ratio:g} times as often as stable"},
    }


def _part(arms: Arms, selectors: Collection[str], window: str) -> str:
    """The share of failed requests; no failed series is none failed, no requests is no value."""
    failed, every = (arms.grown(window, selectors, failed=which, function="rate") for which in (True, False))
    return f"(({failed} or vector(0)) / ({every} > 0))"


def _record(name: str, expression: str, identity: dict[str, str], seconds: float) -> JSON:
    return {"record": name, "expr": expression, "labels": {**identity, "sloth_window": duration(seconds)}}


def _matching(identity: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in identity.items()) + "}"
