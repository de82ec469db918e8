# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What release_from gives: documents, or the name of an object in the cluster; and what is left out of them. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..values import Reader, documents
from .argo_table import ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE, ROLLOUT
from .flagger_table import CANARY, METRIC_TEMPLATE
from .table import Table

JSON = dict[str, Any]
FIELD = "release_from"
TABLES: dict[str, Table] = {one.kind: one for one in (CANARY, METRIC_TEMPLATE, ROLLOUT, ANALYSIS_TEMPLATE, CLUSTER_ANALYSIS_TEMPLATE)}
MAIN = (CANARY.kind, ROLLOUT.kind)
ALLOWED = (
    "a Canary of Flagger or a Rollout of Argo with its templates: a dictionary, a list of them, YAML of several documents, "
    "{documents: ..., leave_out: [...]}, or {kind: Canary, name: shop} for one in the cluster"
)


@dataclass(frozen=True)
class Reference:
    """An object in the cluster; namespace None is that of the release."""

    kind: str
    name: str
    namespace: str | None


@dataclass
class Manifests:
    """The documents of release_from: the Canary or Rollout, and those that stand beside it."""

    main: JSON
    beside: list[JSON] = field(default_factory=list)

    def find(self, kind: str, name: str, namespace: str | None) -> JSON | None:
        """A document beside the main one. Without a namespace of its own it may be of any."""
        for one in self.beside:
            meta = one["metadata"]
            if one["kind"] == kind and meta.get("name") == name and meta.get("namespace") in (None, namespace):
                return one
        return None


def title(document: Mapping[str, Any]) -> str:
    """A document as fields name it: Canary/shop."""
    return f"{document['kind']}/{document['metadata'].get('name')}"


def unpacked(read: Reader, value: Any) -> tuple[Any, list[Any]]:
    """(documents or reference, what is left out) of release_from."""
    found = value
    if isinstance(found, str):
        listed = documents(found)
        found = listed[0] if listed and len(listed) == 1 else listed
    if not isinstance(found, Mapping):
        return found, []
    leave_out = read.sequence(f"{FIELD}.leave_out", found.get("leave_out")) or []
    rest = {key: one for key, one in found.items() if key != "leave_out"}
    if "documents" in rest:
        read.known_keys(FIELD, rest, ("documents", "leave_out"))
        return rest["documents"], leave_out
    return rest, leave_out


def reference(read: Reader, value: Any) -> Reference | None:
    """The object in the cluster that release_from names; None where it gives documents."""
    found, _leave_out = unpacked(Reader(), value)
    if not isinstance(found, Mapping) or "name" not in found or "metadata" in found:
        return None
    read.known_keys(FIELD, found, ("kind", "name", "namespace", "leave_out"))
    kind = read.choice(f"{FIELD}.kind", found.get("kind"), MAIN, "")
    if found.get("kind") is None:
        read.refuse(f"{FIELD}.kind", None, f"is required: {' or '.join(MAIN)}")
    name, namespace = (read.text(f"{FIELD}.{key}", found.get(key)) for key in ("name", "namespace"))
    return Reference(kind, name, namespace) if kind and name else None


def manifests(read: Reader, value: Any) -> Manifests | None:
    """The documents, checked for kind and version, without what is left out; None with problems noted."""
    before = len(read.problems)
    given, leave_out = unpacked(read, value)
    objects = _objects(given)
    if objects is None:
        read.refuse(FIELD, _shown(value), ALLOWED)
        return None
    main = [one for one in objects if one["kind"] in MAIN]
    if len(main) != 1:
        there = ", ".join(title(one) for one in objects) or "nothing"
        read.refuse(FIELD, there, f"exactly one {' or '.join(MAIN)} among the documents; found {len(main)}")
        return None
    objects = [copy.deepcopy(one) for one in objects]
    found = Manifests(next(one for one in objects if one["kind"] in MAIN), [one for one in objects if one["kind"] not in MAIN])
    for one in objects:
        table = TABLES.get(one["kind"])
        if table and one.get("apiVersion") not in table.versions:
            read.refuse(f"{FIELD}.{title(one)}.apiVersion", one.get("apiVersion"), " or ".join(table.versions))
    for index, path in enumerate(leave_out):
        _leave_out(read, f"{FIELD}.leave_out[{index}]", path, found)
    return found if len(read.problems) == before else None


def _objects(value: Any) -> list[JSON] | None:
    """The documents, those inside of Lists too; None when one of them is none."""
    listed = [value] if isinstance(value, Mapping) else documents(value)
    if listed is None:
        return None
    made: list[JSON] = []
    for one in listed:
        if isinstance(one, Mapping) and str(one.get("kind")).endswith("List") and isinstance(one.get("items"), list):
            inner = _objects(one["items"])
            if inner is None:
                return None
            made += inner
        elif isinstance(one, Mapping) and isinstance(one.get("kind"), str) and isinstance(one.get("metadata"), Mapping):
            made.append(dict(one))
        else:
            return None
    return made


def _leave_out(read: Reader, field_name: str, path: Any, found: Manifests) -> None:
    """Take a field out of a document: spec.analysis.alerts of the main one, MetricTemplate/latency.spec.provider.secretRef of another."""
    text = path if isinstance(path, str) else ""
    document = found.main
    named = next((one for one in (found.main, *found.beside) if text.startswith(title(one) + ".")), None)
    if named is not None:
        document, text = named, text[len(title(named)) + 1 :]
    keys = _keys(document, text)
    if not keys:
        read.refuse(
            field_name, path, f"the path of a field of {title(found.main)}, such as spec.analysis.alerts or spec.strategy.canary.steps[1]"
        )
        return
    holder: Any = document
    for key in keys[:-1]:
        holder = holder[key]
    holder[keys[-1]] = None


def _keys(document: Any, path: str) -> list[Any] | None:
    """The keys and indexes of a path that exists; names may hold dots. None where it leads nowhere."""
    if not path:
        return []
    if isinstance(document, list):
        matched = re.match(r"\[(\d+)\]\.?", path)
        if not matched or int(matched.group(1)) >= len(document):
            return None
        index = int(matched.group(1))
        rest = _keys(document[index], path[matched.end() :])
        return None if rest is None else [index, *rest]
    for key in sorted(document, key=len, reverse=True) if isinstance(document, Mapping) else ():
        if path == key:
            return [key]
        if path.startswith((f"{key}.", f"{key}[")):
            rest = _keys(document[key], path[len(key) :].removeprefix("."))
            if rest is not None:
                return [key, *rest]
    return None


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
