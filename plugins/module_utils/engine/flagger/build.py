# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a release to a Canary of Flagger and its MetricTemplates. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from ...release.spec import Spec
from ...traffic.route import Match
from . import approvals
from .metrics import Metric, template, template_name
from .service import PROVIDERS

JSON = dict[str, Any]
LABELS = {"app.kubernetes.io/managed-by": "progressive.delivery"}
RELEASE = "progressive.delivery/release"  # a label: the release that made the object


def labels(spec: Spec) -> dict[str, str]:
    """What tells our objects."""
    return {**LABELS, RELEASE: spec.name}


def canary(spec: Spec, service: JSON, metrics: list[Metric], scaler: JSON | None, approved: Collection[str] = ()) -> JSON:
    """The Canary of a release. scaler: kind and name of the workload's autoscaler; approved: the approvals that are given."""
    body: JSON = {
        "provider": PROVIDERS[spec.provider],
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": spec.workload},
        "progressDeadlineSeconds": max(1, round(spec.ready_timeout_seconds)),
        "service": service,
        "analysis": analysis(spec, metrics, approved),
    }
    if scaler:
        body["autoscalerRef"] = {"apiVersion": "autoscaling/v2", **scaler}
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": spec.name, "namespace": spec.namespace, "labels": labels(spec)},
        "spec": body,
    }


def analysis(spec: Spec, metrics: list[Metric], approved: Collection[str]) -> JSON:
    """spec.analysis: the interval, the threshold, the shape of the strategy, the gates."""
    interval = spec.looks.interval_seconds
    made: JSON = {"interval": f"{math.ceil(interval)}s", "threshold": max(1, spec.looks.threshold)}
    if metrics:
        made["metrics"] = [one.body(template_name(spec, one.name), interval) for one in metrics]
    if spec.matches:
        made |= {"match": [match(one) for one in spec.matches], "iterations": iterations(spec)}
    elif spec.strategy == "blue_green":
        made["iterations"] = iterations(spec)
    return made | approvals.analysis(spec, approved)


def iterations(spec: Spec) -> int:
    """How many intervals an A/B test or a blue-green release is looked at."""
    seconds = spec.match_seconds if spec.strategy == "canary" else spec.verify_seconds
    if spec.ab is not None:
        seconds = spec.ab.longest_seconds
    return max(1, math.ceil(seconds / spec.looks.interval_seconds))


def match(one: Match) -> JSON:
    """One alternative of release_match, as Flagger takes it from Istio."""
    made: JSON = {}
    for condition in one.conditions:
        group = "headers" if condition.source == "header" else "queryParams"
        made.setdefault(group, {})[condition.name.lower() if group == "headers" else condition.name] = {condition.how: condition.value}
    return made


def templates(spec: Spec, metrics: list[Metric]) -> list[JSON]:
    """The MetricTemplates of all gates."""
    return [template(spec, one, labels(spec)) for one in metrics]


def notes(spec: Spec, metrics: list[Metric]) -> list[str]:
    """What the plan says of the differences: which gates become which metrics, and what Flagger does not do."""
    interval, limit = math.ceil(spec.looks.interval_seconds), max(1, spec.looks.threshold)
    said = [f"engine flagger: {_shape(spec)}, a look every {interval} s, {limit} failed look{'s' if limit > 1 else ''} return traffic"]
    said += [one.note for one in metrics]
    if metrics:
        said.append("Flagger counts a look without values as a failed one, and compares the canary with limits, not with stable")
    if spec.share_check == "hold":
        said.append("nobody compares the share that arrives with the weight: Flagger does not, whatever release_share_check says")
    if waits := approvals.asked(spec):
        said.append(f"waits for people at {', '.join(waits)}: behind a closed gate of Flagger, looked at all the while, until the deadline")
    if approvals.only_reports(spec):
        said.append("at the end traffic returns to stable: this A/B test promotes nothing")
    return said


def _shape(spec: Spec) -> str:
    if spec.matches:
        return f"the canary gets the matched requests for {iterations(spec)} looks"
    if spec.strategy == "blue_green":
        return f"{iterations(spec)} looks at the canary without traffic, then all of it for one look, then the primary takes the version"
    return f"weights {', '.join(map(str, approvals.weights(spec)))}, one look at each, then the primary takes the version"
