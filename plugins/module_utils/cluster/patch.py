# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON Patch (RFC 6902) documents that test what they replace."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

Operation = dict[str, Any]
FIELD_MANAGER = "progressive.delivery"  # as the API server notes who wrote a field


def pointer(*keys: str | int) -> str:
    """The JSON pointer (RFC 6901) of a path of keys: ("metadata", "annotations", "a/b") -> "/metadata/annotations/a~1b"."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


def expect(path: str, value: Any) -> Operation:
    """Refuse the whole patch unless path holds value."""
    return {"op": "test", "path": path, "value": value}


def as_read(obj: dict[str, Any]) -> Operation:
    """Refuse the whole patch unless obj is as it was read."""
    return expect("/metadata/resourceVersion", obj["metadata"]["resourceVersion"])


def replace(path: str, value: Any) -> Operation:
    """Replace what stands at path; it must exist."""
    return {"op": "replace", "path": path, "value": value}


def add(path: str, value: Any) -> Operation:
    """Set path, whether it exists or not (its parent must)."""
    return {"op": "add", "path": path, "value": value}


def remove(path: str) -> Operation:
    """Remove what stands at path; it must exist."""
    return {"op": "remove", "path": path}


def set_annotation(obj: dict[str, Any], key: str, value: str) -> list[Operation]:
    """Operations that set one annotation on obj as it was read, creating the map when it has none."""
    if obj.get("metadata", {}).get("annotations"):
        return [add(pointer("metadata", "annotations", key), value)]
    return [add("/metadata/annotations", {key: value})]


def applied(obj: dict[str, Any], operations: Iterable[Operation]) -> dict[str, Any]:
    """A copy of an object as operations of ours make it, as far as that can be told without the API server. Tests are not made."""
    after = copy.deepcopy(obj)
    for operation in operations:
        if operation["op"] != "test":
            _apply(after, operation)
    return after


def _apply(document: Any, operation: Operation) -> None:
    *parents, last = [key.replace("~1", "/").replace("~0", "~") for key in operation["path"].split("/")[1:]]
    for key in parents:
        document = document[int(key) if isinstance(document, list) else key]
    here: Any = int(last) if isinstance(document, list) else last
    value = copy.deepcopy(operation.get("value"))
    if operation["op"] == "remove":
        del document[here]
    elif operation["op"] == "add" and isinstance(document, list):
        document.insert(here, value)
    else:
        document[here] = value
