# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Rollout of Argo as options of a release: its workload, its strategy, its route. The steps are in argo_steps. Pure."""

from __future__ import annotations

from typing import Any

from .argo_analysis import Moment, analysis
from .argo_steps import steps
from .draft import Draft

JSON = dict[str, Any]
GATEWAY_API = "argoproj-labs/gatewayAPI"
CANARY, BLUE_GREEN = "spec.strategy.canary", "spec.strategy.blueGreen"
DEADLINE_SECONDS, PROMPT_SECONDS = 14400.0, 3600.0


def rollout(draft: Draft) -> None:
    """The options of a Rollout, with its analysis templates."""
    draft.options["release_name"] = draft.name
    if draft.namespace:
        draft.options["release_namespace"] = draft.namespace
    draft.options["release_ready_timeout_seconds"] = draft.at("spec.progressDeadlineSeconds") or 600
    if draft.at("spec.paused"):
        draft.refuse("spec.paused", True, "false: a paused Rollout releases nothing; or leave it out (release_from.leave_out)")
    _workload(draft)
    strategy = draft.at("spec.strategy")
    named = [key for key in ("canary", "blueGreen") if isinstance(strategy, dict) and strategy.get(key) is not None]
    if len(named) != 1:
        draft.refuse("spec.strategy", strategy, "exactly one of canary and blueGreen")
    elif named == ["canary"]:
        _canary(draft)
    else:
        _blue_green(draft)
    if not draft.options.get("release_gates") and not draft.says("release_gates"):
        draft.note(
            "spec.strategy", "there is no analysis, so nothing judges this release but the readiness of its pods; release_gates would"
        )


def _workload(draft: Draft) -> None:
    """The Deployment, and perhaps its new version."""
    found = draft.at("spec.workloadRef")
    own = draft.said.get("release_workload")
    template = draft.at("spec.template")
    if found is not None:
        if not isinstance(found, dict) or found.get("kind") != "Deployment" or found.get("apiVersion", "apps/v1") != "apps/v1":
            draft.refuse("spec.workloadRef", found, "a Deployment of apps/v1")
        elif isinstance(found.get("name"), str):
            draft.options["release_workload"] = f"Deployment/{found['name']}"
            draft.version(found["name"])
        else:
            draft.refuse("spec.workloadRef.name", found.get("name"), "is required")
    elif own is None:
        draft.refuse("spec.template", "(a pod template)" if template else None, _how_to_make_it(draft))
    elif isinstance(template, dict) and not any(map(draft.says, ("release_image", "release_manifests", "release_template_patch"))):
        name = str(own).rpartition("/")[2]
        draft.options["release_manifests"] = [{"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}]


def _how_to_make_it(draft: Draft) -> str:
    form = '{apiVersion: "apps/v1", kind: "Deployment", metadata: {name: .metadata.name}, spec: (.spec | {replicas, selector, template})}'
    command = f"kubectl -n {draft.namespace or 'NAMESPACE'} get rollout {draft.name} -o json | jq '{form}' | kubectl apply -f -"
    return (
        "a Deployment to release: the pods of a Rollout belong to its controller. Make a Deployment of it once, which the Services select, too: "
        f"{command}; then name it by release_workload: Deployment/{draft.name}, or by spec.workloadRef in place of the template"
    )


def _canary(draft: Draft) -> None:
    routing = draft.at(f"{CANARY}.trafficRouting") or {}
    stable = draft.at(f"{CANARY}.stableService")
    draft.options["release_traffic"] = _traffic(draft, routing, stable)
    draft.options["release_strategy"] = "canary"
    delay = draft.at(f"{CANARY}.scaleDownDelaySeconds")
    draft.options["release_verify_seconds"] = float(delay) if delay is not None else 30.0
    _drain(draft, CANARY)
    if not draft.at(f"{CANARY}.steps"):
        _without_steps(draft, routing)
    background = draft.at(f"{CANARY}.analysis")
    draft.options["release_gates"] = []
    if background is not None:
        analysis(draft, f"{CANARY}.analysis", background, Moment("background"))
    baked = steps(draft, f"{CANARY}.steps")
    _deadline(draft, baked)


def _without_steps(draft: Draft, routing: Any) -> None:
    """A Rollout without steps rolls as a Deployment does; with a route it moves all traffic at once."""
    if routing:
        draft.options["release_strategy"] = "blue_green"
        return
    knobs = {option: draft.at(f"{CANARY}.{key}") for option, key in (("max_surge", "maxSurge"), ("max_unavailable", "maxUnavailable"))}
    draft.options.update(release_strategy="rolling", release_steps=[100])
    if any(value is not None for value in knobs.values()):
        draft.options["release_rolling"] = {key: value for key, value in knobs.items() if value is not None}


def _traffic(draft: Draft, routing: Any, stable: Any) -> JSON:
    made: JSON = {"provider": "service"}
    path = f"{CANARY}.trafficRouting"
    if isinstance(routing, dict) and routing.get("istio") is not None:
        made = {"provider": "istio", **_istio(draft, f"{path}.istio")}
    elif isinstance(routing, dict) and isinstance((routing.get("plugins") or {}).get(GATEWAY_API), dict):
        made = {"provider": "gateway_api", **_gateway_api(draft, f"{path}.plugins", routing["plugins"][GATEWAY_API])}
    elif routing:
        draft.refuse(path, sorted(routing) if isinstance(routing, dict) else routing, f"istio, or plugins with {GATEWAY_API}")
    if made.get("subsets") is None and made["provider"] != "service":
        draft.note(
            f"{CANARY}.canaryService",
            "its destination must not be in the route any more: the release adds one of its own, to <service>-canary, and removes it",
        )
    return {**made, **({"service": stable} if stable else {})}


def _istio(draft: Draft, path: str) -> JSON:
    made: JSON = {}
    name = draft.at(f"{path}.virtualService.name")
    if name is None:
        draft.refuse(f"{path}.virtualService.name", None, "is required")
    else:
        plain, _dot, elsewhere = str(name).partition(".")
        if elsewhere and elsewhere != draft.namespace:
            draft.refuse(f"{path}.virtualService.name", name, f"a VirtualService of namespace {draft.namespace}, where the release is")
        made["virtual_service"] = plain
    routes = draft.at(f"{path}.virtualService.routes") or []
    if not isinstance(routes, list) or len(routes) > 1:
        draft.refuse(f"{path}.virtualService.routes", routes, "one route: a release steers one, so name the one that users take")
    elif routes:
        made["route"] = routes[0]
    rule = draft.at(f"{path}.destinationRule")
    if isinstance(rule, dict):
        made["subsets"] = {
            "stable": rule.get("stableSubsetName"),
            "canary": rule.get("canarySubsetName"),
            "destination_rule": rule.get("name"),
        }
        draft.note(
            f"{path}.destinationRule",
            "the canary's destination must not be in the route; its subset may be, with a label in which its pods differ",
        )
    return made


def _gateway_api(draft: Draft, path: str, said: JSON) -> JSON:
    """One route, by whichever of the plugin's names."""
    path = f"{path}.{GATEWAY_API}"
    elsewhere = said.get("namespace")
    if elsewhere and draft.namespace and elsewhere != draft.namespace:
        draft.refuse(f"{path}.namespace", elsewhere, f"{draft.namespace}, where the release is")
    found = []
    for option, one, many in (("http_route", "httpRoute", "httpRoutes"), ("grpc_route", "grpcRoute", "grpcRoutes")):
        names = [said[one]] if said.get(one) else []
        names += [item.get("name") for item in said.get(many) or [] if isinstance(item, dict)]
        found += [(option, name) for name in names]
    if len(found) != 1:
        draft.refuse(path, [name for _option, name in found], "one HTTPRoute or GRPCRoute: a release steers one")
    return dict(found[:1])


def _blue_green(draft: Draft) -> None:
    active = draft.at(f"{BLUE_GREEN}.activeService")
    if not isinstance(active, str):
        draft.refuse(f"{BLUE_GREEN}.activeService", active, "is required")
    draft.options.update(release_strategy="blue_green", release_traffic={"provider": "service", "service": active}, release_gates=[])
    if draft.at(f"{BLUE_GREEN}.autoPromotionEnabled") is False:
        draft.options["release_approve"] = ["traffic"]
        draft.note(
            f"{BLUE_GREEN}.autoPromotionEnabled",
            "an approval is waited for for an hour (release_approval_seconds), then the release is parked",
        )
    before = draft.at(f"{BLUE_GREEN}.prePromotionAnalysis")
    if before is not None:
        services = (draft.at(f"{BLUE_GREEN}.previewService"),)
        analysis(draft, f"{BLUE_GREEN}.prePromotionAnalysis", before, Moment("before", services=services))
    after, watched = draft.at(f"{BLUE_GREEN}.postPromotionAnalysis"), 0.0
    if after is not None:
        watched = analysis(draft, f"{BLUE_GREEN}.postPromotionAnalysis", after, Moment("first"))
    delay = draft.at(f"{BLUE_GREEN}.scaleDownDelaySeconds")
    draft.options["release_verify_seconds"] = max(30.0 if delay is None else float(delay), watched)
    _drain(draft, BLUE_GREEN)
    _deadline(draft, draft.options["release_verify_seconds"])


def _drain(draft: Draft, path: str) -> None:
    delay = draft.at(f"{path}.abortScaleDownDelaySeconds")
    if delay == 0:
        draft.refuse(f"{path}.abortScaleDownDelaySeconds", 0, "1 or more: what has failed is removed after its drain, and never kept")
    draft.options["release_drain_seconds"] = 30 if delay is None else delay


def _deadline(draft: Draft, seconds: float) -> None:
    draft.options["release_deadline_seconds"] = max(DEADLINE_SECONDS, seconds + PROMPT_SECONDS)
