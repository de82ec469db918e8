# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An analysis of a Rollout: its templates found and filled with their arguments, each metric a gate or a check. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .argo_metrics import Metric, check, gate
from .draft import Draft
from .queries import Unfillable, argo_text

JSON = dict[str, Any]
LABEL = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
BACKGROUND, FIRST, LATER, BEFORE = "background", "first", "later", "before"


@dataclass(frozen=True)
class Moment:
    """When an analysis runs: in the background, at the first weight, at a later one, or before any traffic.

    delay_seconds: how long after the first traffic. services: those of the new version, which checks may ask.
    """

    when: str
    delay_seconds: float = 0.0
    services: tuple[Any, ...] = ()


def analysis(draft: Draft, path: str, said: Any, moment: Moment) -> float:
    """Add the gates or checks of an analysis; gives back for how many seconds after the first traffic its measurements last."""
    templates = said.get("templates") if isinstance(said, dict) else None
    if not isinstance(templates, list) or not templates:
        draft.refuse(f"{path}.templates", templates, "is required: a list of {templateName: ...}")
        return 0.0
    given = {one["name"]: one for one in said.get("args") or [] if isinstance(one, dict) and isinstance(one.get("name"), str)}
    own = {name: value for name, one in given.items() if (value := _argument(draft, f"{path}.args", one)) is not None}
    longest, seen = 0.0, []
    for document in _found(draft, path, templates):
        if document in seen:
            continue
        seen.append(document)
        args = {**_defaults(draft, document), **own}
        for place, metric in enumerate(draft.at("spec.metrics", document) or []):
            if isinstance(metric, dict):
                one = Metric(draft, f"spec.metrics[{place}]", metric, document)
                longest = max(longest, _metric(one, args, moment))
    return longest


def _found(draft: Draft, path: str, templates: list[Any], outer: JSON | None = None) -> list[JSON]:
    """The documents of templates, those that they refer to after them."""
    made: list[JSON] = []
    for index, one in enumerate(templates):
        name = one.get("templateName") if isinstance(one, dict) else None
        kind = "ClusterAnalysisTemplate" if isinstance(one, dict) and one.get("clusterScope") else "AnalysisTemplate"
        found = draft.given.find(kind, name, draft.namespace or None) if isinstance(name, str) else None
        if found is None:
            scope = "" if kind.startswith("Cluster") else f" -n {draft.namespace or 'NAMESPACE'}"
            allowed = (
                f"a {kind} among the documents; add what this prints: kubectl get {kind.lower()}{scope} {name} -o yaml, or give "
                f"release_from: {{kind: Rollout, name: {draft.name}}}, which reads it from the cluster"
            )
            draft.refuse(f"{path}.templates[{index}].templateName", name, allowed, outer)
            continue
        before = len(draft.read.problems)
        draft.check(found)
        if len(draft.read.problems) > before:
            continue
        made.append(found)
        inner = draft.at("spec.templates", found)
        if isinstance(inner, list) and found is not outer:
            made += _found(draft, "spec", inner, found)
    return made


def _argument(draft: Draft, path: str, one: JSON, document: JSON | None = None) -> str | None:
    """The value of an argument; None where it has none."""
    if one.get("value") is not None:
        return str(one["value"])
    field_path = draft.at("valueFrom.fieldRef.fieldPath", one)
    if field_path is None:
        return None
    plain = {"metadata.name": draft.name, "metadata.namespace": "{namespace}"}
    if str(field_path) in plain:
        return plain[str(field_path)]
    matched = LABEL.fullmatch(str(field_path))
    marks = draft.at(f"metadata.{matched.group(1)}") if matched else None
    value = marks.get(matched.group(2)) if matched and isinstance(marks, dict) else None
    if value is None:
        allowed = "metadata.name, metadata.namespace, or a label or an annotation that the Rollout has, such as metadata.labels['region']"
        draft.refuse(f"{path}.{one.get('name')}.valueFrom.fieldRef.fieldPath", field_path, allowed, document)
        return "-"
    return str(value)


def _defaults(draft: Draft, document: JSON) -> dict[str, str]:
    made = {}
    for one in draft.at("spec.args", document) or []:
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            value = _argument(draft, "spec.args", one, document)
            if value is not None:
                made[one["name"]] = value
    return made


def _metric(metric: Metric, args: dict[str, str], moment: Moment) -> float:
    """One metric, with its texts filled in."""
    try:
        filled = Metric(metric.draft, metric.path, _filled(metric.said, args), metric.document)
    except Unfillable as error:
        metric.refuse("", str(error), "arguments that the Rollout gives or that have a value here, written {{ args.name }}")
        return 0.0
    if moment.when == BEFORE:
        check(filled, moment.services)
        return 0.0
    return gate(filled, counts=moment.when != LATER, delay_seconds=moment.delay_seconds)


def _filled(value: Any, args: dict[str, str]) -> Any:
    if isinstance(value, str):
        return argo_text(value, args)
    if isinstance(value, dict):
        return {key: _filled(below, args) for key, below in value.items()}
    return [_filled(below, args) for below in value] if isinstance(value, list) else value
