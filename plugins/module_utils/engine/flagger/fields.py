# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which options of a release Flagger has no word for: the option, what it must be, and why. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from ...release.looks_spec import LooksSpec
from ...release.spec import Spec
from ...release.values import Problem
from .canary import LEAST_INTERVAL_SECONDS

STRATEGIES = ("canary", "blue_green", "ab_test")
PROVIDERS = ("istio", "gateway_api", "linkerd")
USED_LOOKS = ("interval_seconds", "threshold", "iterations", "no_data")


@dataclass(frozen=True)
class Limit:
    """An option that must be left as it is: allowed says what it may be instead, and why."""

    option: str
    read: Callable[[Spec], Any]
    default: Any
    allowed: str


LIMITS = (
    Limit("release_promotion", lambda spec: spec.promotion, "twin", "twin: Flagger keeps the primary, and never swaps Deployments"),
    Limit("release_config", lambda spec: spec.config, None, "nothing: Flagger copies config maps and secrets of the template by itself"),
    Limit("release_manifests", lambda spec: spec.manifests, None, "nothing: give release_image, and release_template_patch for the rest"),
    Limit("release_checks", lambda spec: spec.checks, (), "nothing: Flagger asks no checks of ours before the first requests"),
    Limit("release_webhooks", lambda spec: spec.webhooks, (), "nothing: adopt a Canary that has webhooks (release_adopt: true)"),
    Limit("release_slo", lambda spec: spec.slo, None, "nothing: Flagger knows no error budget; give a gate with a limit"),
    Limit("release_alerts", lambda spec: spec.alerts, None, "nothing: Flagger neither asks alerts nor silences them"),
    Limit("release_on_inconclusive", lambda spec: spec.on_inconclusive, "roll_back", "roll_back: Flagger has no third verdict"),
    Limit("release_rollback", lambda spec: spec.rollback, "instant", "instant: Flagger returns all traffic in one step"),
    Limit("release_on_no_stable", lambda spec: spec.on_no_stable, "return", "return: Flagger does not look whether the primary is ready"),
    Limit("release_fix_forward", lambda spec: spec.fix_forward, False, "false: a new revision restarts Flagger's analysis from 0 %"),
    Limit(
        "release_stop_after", lambda spec: spec.stop_after, None, "nothing: Flagger has no steps to stop after; pause it, or ask approvals"
    ),
    Limit("release_traffic.subsets", lambda spec: spec.subsets, None, "nothing: Flagger's destinations are Services of its own"),
    Limit("release_traffic.route", lambda spec: spec.route, None, "nothing: Flagger writes the whole route object"),
    Limit("release_parked_weight", lambda spec: spec.control.parked_weight, 0, "0: Flagger does not park"),
    Limit("release_metrics_source", lambda spec: spec.pods, None, "a source in Prometheus: Flagger does not read pods"),
    Limit("release_ab.cookie", lambda spec: spec.ab and spec.ab.cookie, None, "nothing: give release_match, by which Flagger chooses"),
    Limit("release_ab.conversions", lambda spec: spec.ab and spec.ab.conversions, None, "nothing: Flagger compares no groups"),
)


def problems(spec: Spec) -> list[Problem]:
    """All options that Flagger could not honour."""
    found = [] if spec.workload_kind == "Deployment" else [_kind(spec)]
    if spec.strategy not in STRATEGIES:
        found.append(Problem("release_strategy", spec.strategy, f"one of {', '.join(STRATEGIES)} where release_engine is flagger"))
    if spec.provider not in PROVIDERS:
        found.append(Problem("release_traffic.provider", spec.provider, f"one of {', '.join(PROVIDERS)} where release_engine is flagger"))
    for limit in LIMITS:
        value = limit.read(spec)
        if value is not None and value != limit.default:
            found.append(Problem(limit.option, _shown(value), f"{limit.allowed} (release_engine: flagger)"))
    return [*found, *_looks(spec), *_steps(spec)]


def _kind(spec: Spec) -> Problem:
    return Problem("release_workload", f"{spec.workload_kind}/{spec.workload}", "a Deployment where release_engine is flagger")


def _shown(value: Any) -> Any:
    """A value as messages show it; of what is no plain value only that it is there."""
    return value if isinstance(value, (str, int, float, bool)) else "given"


def _looks(spec: Spec) -> list[Problem]:
    found, plain = [], LooksSpec()
    if spec.looks.interval_seconds < LEAST_INTERVAL_SECONDS:
        allowed = f"at least {LEAST_INTERVAL_SECONDS:.0f} s: Flagger raises what is less"
        found.append(Problem("release_looks.interval_seconds", spec.looks.interval_seconds, allowed))
    for one in fields(LooksSpec):
        if one.name not in USED_LOOKS and getattr(spec.looks, one.name) != getattr(plain, one.name):
            allowed = f"nothing: of looks Flagger knows {', '.join(USED_LOOKS)}"
            found.append(Problem(f"release_looks.{one.name}", getattr(spec.looks, one.name), allowed))
    return found


def _steps(spec: Spec) -> list[Problem]:
    """Flagger stays one interval at each weight; requests that are matched are an A/B test, which has no weights."""
    found, interval = [], spec.looks.interval_seconds
    for index, step in enumerate(spec.steps):
        if spec.strategy == "canary" and step.bake_seconds > interval:
            allowed = f"at most one interval of {interval:g} s (release_looks.interval_seconds): Flagger stays one at each weight"
            found.append(Problem(f"release_steps[{index}].bake_seconds", step.bake_seconds, allowed))
        if step.approve and step.weight_percent == 0:
            found.append(
                Problem(f"release_steps[{index}].approve", True, "false at 0 %; before any traffic say release_approve: [traffic]")
            )
    if spec.strategy == "canary" and spec.matches and [step.weight_percent for step in spec.steps] != [100]:
        weights = [step.weight_percent for step in spec.steps]
        allowed = "[100] with release_match: Flagger's A/B test gives the canary the matched requests, and everybody at its end"
        found.append(Problem("release_steps", weights, allowed))
    if spec.strategy == "canary" and not any(step.weight_percent > 0 for step in spec.steps):
        found.append(Problem("release_steps", [step.weight_percent for step in spec.steps], "a weight above 0"))
    if spec.strategy == "ab_test" and not spec.matches:
        found.append(Problem("release_match", None, "is required: Flagger's A/B test is given to the requests that match"))
    return found
