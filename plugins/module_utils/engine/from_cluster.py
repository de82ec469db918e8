# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_from that names an object in the cluster, read from there with the templates that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..cluster.kinds import api_version
from ..cluster.session import Session
from ..release.target import Refused
from ..release.translate.documents import FIELD, Reference, reference, unpacked
from ..release.values import Problem, Reader

JSON = dict[str, Any]


def with_documents(connect: Callable[[], Session], given: Mapping[str, Any]) -> JSON:
    """The arguments with documents in place of a reference; the cluster is asked only where there is one. Raises Refused."""
    read = Reader()
    found = reference(read, given.get(FIELD))
    if read.problems:
        raise Refused(read.problems)
    if found is None:
        return dict(given)
    namespace = found.namespace or given.get("release_namespace")
    if not namespace:
        raise Refused([Problem(f"{FIELD}.namespace", None, "is required, or release_namespace")])
    _documents, leave_out = unpacked(read, given[FIELD])
    return {**given, FIELD: {"documents": list(_read(connect(), found, str(namespace))), "leave_out": leave_out}}


def _read(session: Session, wanted: Reference, namespace: str) -> Iterator[JSON]:
    """The object, and each template once. A template that is missing is for the translation to say."""
    main = _found(session, wanted.kind, namespace, wanted.name)
    if main is None:
        allowed = (
            f"a {wanted.kind} of namespace {namespace} in a cluster that has its kind ({api_version(wanted.kind)}); or give its documents"
        )
        raise Refused([Problem(FIELD, f"{wanted.kind}/{wanted.name}", allowed)])
    yield main
    names = _metric_templates(main, namespace) if wanted.kind == "Canary" else _analysis_templates(main["spec"].get("strategy"), namespace)
    waiting, seen = list(names), set()
    while waiting:
        kind, where, name = one = waiting.pop(0)
        if one in seen:
            continue
        seen.add(one)
        document = _found(session, kind, where, name)
        if document is not None:
            yield document
            waiting += [] if kind == "MetricTemplate" else _analysis_templates(document.get("spec"), namespace)


def _found(session: Session, kind: str, namespace: str | None, name: str) -> JSON | None:
    found = session.find(kind, namespace, name)
    return None if found is None else {"apiVersion": api_version(kind), "kind": kind, **found}


def _metric_templates(canary: JSON, namespace: str) -> Iterator[tuple[str, str | None, str]]:
    for metric in (canary["spec"].get("analysis") or {}).get("metrics") or []:
        template = metric.get("templateRef")
        if template:
            yield "MetricTemplate", template.get("namespace") or namespace, template["name"]


def _analysis_templates(value: Any, namespace: str) -> Iterator[tuple[str, str | None, str]]:
    """Whatever is referred to by templateName below a value."""
    if isinstance(value, Mapping):
        if isinstance(value.get("templateName"), str):
            cluster = bool(value.get("clusterScope"))
            yield "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate", None if cluster else namespace, value["templateName"]
        for below in value.values():
            yield from _analysis_templates(below, namespace)
    elif isinstance(value, list):
        for below in value:
            yield from _analysis_templates(below, namespace)
