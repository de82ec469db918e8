# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Canary of Flagger as options of a release. Pure."""

from __future__ import annotations

import re
from typing import Any

from ..webhooks_spec import TYPES as WEBHOOKS
from .draft import Draft, shadow_steps
from .flagger_metrics import metrics
from .flagger_route import route

JSON = dict[str, Any]
PROVIDERS = {
    "istio": "istio",
    "gatewayapi:v1": "gateway_api",
    "gatewayapi:v1beta1": "gateway_api",
    "linkerd": "linkerd",
    "kubernetes": "service",
}
TOLD = ("event", "post-rollout", "confirm-rollout")  # webhooks of a Canary that skips its analysis
SHADOWED = tuple(one for one in WEBHOOKS if one not in ("confirm-traffic-increase", "confirm-promotion"))  # copies are no traffic
MIRROR = (
    "a release of its own: run it with release_strategy: shadow, which copies requests and promotes nothing, then again with "
    "release_from.leave_out: [spec.analysis.mirror]"
)
DEADLINE_SECONDS, MAX_HOLD_SECONDS = 14400.0, 1800.0


def canary(draft: Draft) -> None:
    """The options of a Canary, with its metric templates."""
    target = _target(draft)
    draft.options["release_name"] = draft.name
    if draft.namespace:
        draft.options["release_namespace"] = draft.namespace
    draft.options["release_ready_timeout_seconds"] = draft.at("spec.progressDeadlineSeconds") or 600
    if draft.at("spec.suspend"):
        draft.refuse("spec.suspend", True, "false: a suspended Canary releases nothing; or leave it out (release_from.leave_out)")
    if target is None:
        return
    draft.options["release_workload"] = f"Deployment/{target}"
    draft.version(target)
    service = draft.at("spec.service.name") or target
    provider = _provider(draft)
    draft.options["release_traffic"] = {"provider": provider, "service": service}
    draft.route = route(draft, provider, service)
    if draft.at("spec.metricsServer"):
        draft.prometheus("spec.metricsServer", draft.at("spec.metricsServer"))
    if draft.at("spec.skipAnalysis"):
        draft.options.update(release_strategy="canary", release_steps=[100], release_gates=[], release_verify_seconds=0)
        draft.options["release_webhooks"] = _webhooks(draft, 60.0, 1, types=TOLD)
        return
    _analysis(draft, target, service, provider)


def _target(draft: Draft) -> str | None:
    found = draft.at("spec.targetRef")
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        draft.refuse("spec.targetRef", found, "is required: {apiVersion: apps/v1, kind: Deployment, name: ...}")
        return None
    if found.get("kind") != "Deployment" or found.get("apiVersion", "apps/v1") != "apps/v1":
        draft.refuse(
            "spec.targetRef.kind", found.get("kind"), "Deployment of apps/v1: a canary of anything else has no second copy beside it here"
        )
        return None
    return found["name"]


def _provider(draft: Draft) -> str:
    """The router: what the user says, what the Canary says, or what its service is attached to."""
    traffic = draft.read.mapping("release_traffic", draft.said.get("release_traffic")) or {}
    if traffic.get("provider"):
        return str(traffic["provider"])
    named = draft.at("spec.provider")
    if named is not None:
        if named not in PROVIDERS:
            draft.refuse("spec.provider", named, f"one of {', '.join(PROVIDERS)}; or give release_traffic.provider")
        return PROVIDERS.get(named, "istio")
    if draft.at("spec.service.gatewayRefs"):
        return "gateway_api"
    if draft.at("spec.service.gateways") or draft.at("spec.service.trafficPolicy"):
        return "istio"
    draft.refuse(
        "spec.provider",
        None,
        f"is required here, for there is no controller with a default: one of {', '.join(PROVIDERS)}; or give release_traffic.provider",
    )
    return "istio"


def _analysis(draft: Draft, target: str, service: str, provider: str) -> None:
    interval = draft.seconds("spec.analysis.interval", draft.at("spec.analysis.interval"), 60.0)
    threshold = max(1, draft.at("spec.analysis.threshold") or 1)
    iterations = draft.at("spec.analysis.iterations") or 0
    matches = _matches(draft)
    weights = [] if draft.at("spec.provider") == "kubernetes" else _weights(draft)
    gates = metrics(draft, target, service)
    if not gates and not draft.says("release_gates"):
        draft.note("spec.analysis.metrics", "there are none, so nothing judges this release but webhooks and the readiness of its pods")
    shadow = draft.said.get("release_strategy") == "shadow"
    if shadow:
        weights, iterations = [], 0
        draft.options["release_steps"] = shadow_steps(draft, "spec.analysis.mirrorWeight", draft.at("spec.analysis.mirrorWeight"))
    elif draft.at("spec.analysis.mirror"):
        draft.refuse("spec.analysis.mirror", True, MIRROR)
    strategy = "canary" if shadow else _strategy(draft, weights, matches, interval, provider)
    if strategy == "blue_green":
        iterations = iterations or 10
    elif not matches:
        iterations = 0
    draft.options["release_strategy"] = strategy
    draft.options["release_verify_seconds"] = iterations * interval if strategy == "blue_green" else interval
    draft.options["release_looks"] = {"interval_seconds": interval, "threshold": threshold, "iterations": iterations, "no_data": "fail"}
    ticks = threshold + iterations + len(weights) + 3
    draft.options.update(
        release_no_data_seconds=max(120.0, (threshold + 1) * interval),
        release_max_hold_seconds=max(MAX_HOLD_SECONDS, threshold * interval),
        release_deadline_seconds=max(DEADLINE_SECONDS, ticks * interval + 3600),
        release_webhooks=_webhooks(draft, interval, threshold, types=SHADOWED if shadow else WEBHOOKS),
    )


def _strategy(draft: Draft, weights: list[int], matches: list[JSON], interval: float, provider: str) -> str:
    """canary, with matches an A/B test, or blue_green; puts the steps."""
    iterations = draft.at("spec.analysis.iterations") or 0
    if matches:
        if not iterations:
            draft.refuse(
                "spec.analysis.iterations", None, "is required with match: how many checks the matched requests alone are looked at"
            )
        draft.options.update(release_match=matches, release_match_seconds=iterations * interval, release_steps=[100])
        return "canary"
    if weights:
        steps: list[Any] = [one for one in weights if one < 100] + [100]
        judged = draft.options["release_gates"]
        draft.options["release_steps"] = steps if judged else [{"weight": one, "bake_seconds": interval} for one in steps]
        return "canary"
    if not iterations and provider != "service":
        draft.refuse("spec.analysis", None, "stepWeight or stepWeights (a canary), or iterations (blue-green, with match an A/B test)")
    draft.note(
        "spec.analysis.iterations", "looked at after the switch, under real traffic, while the old version is whole and one patch away"
    )
    return "blue_green"


def _weights(draft: Draft) -> list[int]:
    """The canary's shares, the last of which is the largest that Flagger gives it."""
    each, listed = draft.at("spec.analysis.stepWeight") or 0, draft.at("spec.analysis.stepWeights")
    most = draft.at("spec.analysis.maxWeight") or 100
    if each:
        if not 0 < each <= 100:
            draft.refuse("spec.analysis.stepWeight", each, "a whole number from 1 to 100")
            return []
        return [min(100, weight) for weight in range(each, most + each, each)]
    if listed is None:
        return []
    if not isinstance(listed, list) or not all(isinstance(one, int) and not isinstance(one, bool) and 0 < one <= 100 for one in listed):
        draft.refuse("spec.analysis.stepWeights", listed, "a list of whole numbers from 1 to 100")
        return []
    if sorted(set(listed)) != listed:
        draft.refuse("spec.analysis.stepWeights", listed, "weights that grow")
    return listed


def _matches(draft: Draft) -> list[JSON]:
    """release_match; Istio's suffix as a regex."""
    made = []
    listed = draft.at("spec.analysis.match")
    if listed is not None and not isinstance(listed, list):
        draft.refuse("spec.analysis.match", listed, "a list")
        return []
    for index, item in enumerate(listed or []):
        one: JSON = {}
        if not isinstance(item, dict):
            draft.refuse(f"spec.analysis.match[{index}]", item, "a dictionary with headers or queryParams")
            continue
        for key, option in (("headers", "headers"), ("queryParams", "query")):
            conditions = item.get(key)
            if conditions is None:
                continue
            here = f"spec.analysis.match[{index}].{key}"
            one[option] = (
                {str(name): _condition(draft, f"{here}.{name}", how) for name, how in conditions.items()}
                if isinstance(conditions, dict)
                else {}
            )
            if not one[option]:
                draft.refuse(here, conditions, "a dictionary of names and what their values must be")
        if one:
            made.append(one)
    return made


def _condition(draft: Draft, path: str, how: Any) -> JSON:
    if (
        not isinstance(how, dict)
        or len(how) != 1
        or next(iter(how)) not in ("exact", "prefix", "suffix", "regex")
        or not isinstance(next(iter(how.values())), str)
    ):
        draft.refuse(path, how, "one of {exact: value}, {prefix: value}, {suffix: value}, {regex: expression}")
        return {"exact": "-"}
    kind, text = next(iter(how.items()))
    if kind == "suffix":
        return {"regex": f".*{re.escape(text)}"}
    return {kind: text}


def _webhooks(draft: Draft, interval: float, threshold: int, *, types: tuple[str, ...]) -> list[JSON]:
    """The webhooks of these types, asked as often as Flagger would. What has no type that is known is for the spec to refuse."""
    made = []
    for one in draft.at("spec.analysis.webhooks") or []:
        if not isinstance(one, dict):
            continue
        hook = {**one, "type": one.get("type") or "rollout"}
        if hook["type"] in WEBHOOKS and hook["type"] not in types:
            continue
        if hook["type"] in ("rollout", "rollback") or hook["type"].startswith("confirm-"):
            hook["interval"] = max(1.0, interval)
        if hook["type"] == "rollout":
            hook["threshold"] = threshold
            draft.note("spec.analysis.webhooks", "a rollout webhook counts its own refusals towards the threshold, apart from the metrics")
        if hook["type"].startswith("confirm-"):
            hook["on_deadline"] = "park"
            draft.note(
                "spec.analysis.webhooks",
                "a confirmation is waited for for an hour, then the release is parked; the next run goes on with it",
            )
        if hook["type"] == "pre-rollout":
            draft.note("spec.analysis.webhooks", "a pre-rollout webhook is asked once, with its retries; a refusal ends the release")
        made.append(hook)
    return made
