# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary by replicas: what of its weights can be reached, what that needs, and who else counts the canary's pods."""

from __future__ import annotations

from typing import Any

from ..cluster.session import Session
from ..traffic.route import TWIN
from ..workload import replicas, selectors
from ..workload.replicas import Mix
from ..workload.twin import SUFFIX, replicas_for
from .plan import plan
from .ratio_spec import REPLICAS
from .spec import Spec
from .values import Problem

JSON = dict[str, Any]


def own_labels(spec: Spec) -> dict[str, str]:
    """The labels by which the canary's pods are told from stable's where both are behind one Service; else none."""
    return {TWIN: spec.workload + SUFFIX} if spec.provider == REPLICAS else {}


def mix(spec: Spec, weight_percent: int, stable: int) -> Mix | None:
    """The pods that stand for a weight; None where a weight is not made of pods."""
    if spec.provider != REPLICAS or not 0 < weight_percent < 100:
        return None
    return replicas.nearest(weight_percent, stable, replicas.most_of(spec.max_extra_pods, stable))


def real_percent(spec: Spec, weight_percent: int, stable: int) -> float:
    """The share that a weight is."""
    made = mix(spec, weight_percent, stable)
    return weight_percent if made is None else made.percent


def most_pods(spec: Spec, stable: int) -> int:
    """The most canary pods that there are at any time: at 100 % as many as stable has."""
    sizes = [step.size_percent for step in plan(spec)]
    if spec.provider != REPLICAS:
        return replicas_for(max(sizes), stable)
    return max([stable, *(made.canary for size in sizes if (made := mix(spec, size, stable)))])


def lines(spec: Spec, stable: int) -> list[str]:
    """How coarse each weight is, as the plan says it."""
    said, before = [], None
    for one in spec.steps:
        made = mix(spec, one.weight_percent, stable)
        if made is None:
            continue
        words = f"  weight {one.weight_percent} is {made}"
        if made == before:
            words += ": the same pods as the weight before it, nobody moves"
        said.append(words)
        if not replicas.is_close(one.weight_percent, made):
            said.append(f"    {_why(spec, one.weight_percent, made)}")
        before = made
    if said:
        said.append("  at 100 % the Service selects the canary alone; connections that clients keep open stay where they are")
    return said


def _why(spec: Spec, weight_percent: int, made: Mix) -> str:
    """What the nearest share is limited by, and what would bring it closer."""
    better = replicas.nearest(weight_percent, made.stable, 100 * made.stable)
    known = f"the nearest that {made.stable} stable and up to {replicas.most_of(spec.max_extra_pods, made.stable)} canary pods can give"
    if better.canary > made.canary:
        return f"{known}; {better.percent:.3g} % needs release_traffic.max_extra_pods: {better.canary}"
    needed = replicas.stable_needed(weight_percent, made.stable)
    return known if needed is None else f"{known}; {weight_percent} % needs {needed} stable pods"


def inspect(session: Session, spec: Spec, deployment: JSON, service: JSON, notes: list[str]) -> list[Problem]:
    """Too few extra pods, and labels that are ours, are problems; notes tell who else counts canary pods. Reads only."""
    if spec.provider != REPLICAS:
        return []
    problems = []
    stable = deployment["spec"].get("replicas", 1)
    if spec.max_extra_pods is not None and spec.max_extra_pods < stable:
        allowed = f"at least {stable}: at 100 % the canary serves alone, with as many pods as {spec.workload} has"
        problems.append(Problem("release_traffic.max_extra_pods", spec.max_extra_pods, allowed))
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    if TWIN in labels:
        problems.append(Problem("release_workload", spec.workload, f"a workload whose pods have no label {TWIN}: it tells the canary's"))
    for one in session.list("Service", spec.namespace):
        selector = one["spec"].get("selector")
        if one["metadata"]["name"] != service["metadata"]["name"] and selector and selectors.matches({"matchLabels": selector}, labels):
            notes.append(f"Service {one['metadata']['name']} selects {spec.workload}'s pods, too: below 100 % its clients share as well")
    for one in session.list("PodDisruptionBudget", spec.namespace):
        if selectors.matches(one["spec"].get("selector"), labels):
            notes.append(f"PodDisruptionBudget {one['metadata']['name']} counts the canary's pods while they share the Service")
    return problems
