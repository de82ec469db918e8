# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who selects pods in the namespace: what would catch the twin by accident, and what would miss it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

JSON = dict[str, Any]
# policies that protect or shape traffic: one that covers stable and misses the twin changes what the twin may do
POLICY_SELECTORS = {
    "NetworkPolicy": ("spec", "podSelector"),
    "AuthorizationPolicy": ("spec", "selector"),
    "PeerAuthentication": ("spec", "selector"),
    "Sidecar": ("spec", "workloadSelector"),
}


def matches(selector: JSON | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector (matchLabels and matchExpressions; empty selects all, null nothing) selects the labels."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(k) == v for k, v in wanted.items()) and all(_holds(one, labels) for one in selector.get("matchExpressions") or [])


def _holds(expression: JSON, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or []
    operator = expression["operator"]
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    return (value is not None) == (operator == "Exists")


def leaks(twin_labels: Mapping[str, str], *, services: Iterable[JSON], deployments: Iterable[JSON], budgets: Iterable[JSON]) -> list[str]:
    """Objects that would select the twin's pods though they are not the twin's, each as a sentence."""
    found = []
    for service in services:
        selector = service["spec"].get("selector")
        if selector and matches({"matchLabels": selector}, twin_labels):
            found.append(f"Service {service['metadata']['name']} selects {selector} and would send traffic to the canary past the route")
    for deployment in deployments:
        if matches(deployment["spec"]["selector"], twin_labels):
            found.append(f"Deployment {deployment['metadata']['name']} would count the canary's pods as its own")
    for budget in budgets:
        if matches(budget["spec"].get("selector"), twin_labels):
            found.append(f"PodDisruptionBudget {budget['metadata']['name']} would count the canary's pods")
    return found


def missing_policies(stable_labels: Mapping[str, str], twin_labels: Mapping[str, str], policies: Mapping[str, Iterable[JSON]]) -> list[str]:
    """Policies that cover stable's pods and would not cover the twin's, as 'Kind name'."""
    found = []
    for kind, objects in policies.items():
        for policy in objects:
            selector = policy
            for key in POLICY_SELECTORS[kind]:
                selector = selector.get(key) or {}
            normal = {"matchLabels": selector["labels"]} if "labels" in selector else selector
            if "matchLabels" not in normal and "matchExpressions" not in normal:
                continue
            if matches(normal, stable_labels) and not matches(normal, twin_labels):
                found.append(f"{kind} {policy['metadata']['name']}")
    return found
