# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard is told to do: the requests that return the traffic of one release, whatever its router is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..cluster.kinds import api_group, object_path, plural
from ..cluster.patch import Operation, expect, pointer, remove, replace
from ..workload.autoscaler import KINDS as SCALERS

JSON = dict[str, Any]
CHANGES = ("get", "patch")


def member_order(namespace: str, labels: Mapping[str, str], operations: list[Operation]) -> JSON:
    """Take every pod that has these labels out of stable's Service."""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return {"each": f"{object_path('Pod', namespace)}?labelSelector={quote(selector)}", "tries": [operations]}


def route_order(kind: str, namespace: str, name: str, ways: list[list[Operation]]) -> JSON:
    """Return the traffic of an object by the first way that applies."""
    return {"path": object_path(kind, namespace, name), "tries": ways}


def floor_orders(namespace: str, floors: Iterable[Mapping[str, Any]]) -> list[JSON]:
    """Give every floor that the release has raised its original value; one that somebody else changed stays."""
    return [_floor_order(namespace, one) for one in floors if not one["theirs"]]


def _floor_order(namespace: str, floor: Mapping[str, Any]) -> JSON:
    path, original = pointer("spec", SCALERS[floor["kind"]].least), floor["original"]
    last = remove(path) if original is None else replace(path, original)
    return {"path": object_path(floor["kind"], namespace, floor["name"]), "tries": [[expect(path, one), last] for one in floor["raised"]]}


def rules(needed: Iterable[tuple[str, str]], *, pods: bool) -> list[JSON]:
    """The rules of a Role by which each of these (kind, name) may be read and patched, and nothing else; with pods all pods, too."""
    made = [_rule(kind, CHANGES, name) for kind, name in dict.fromkeys(needed)]
    return [*made, _rule("Pod", ("get", "list", "patch"))] if pods else made


def _rule(kind: str, verbs: tuple[str, ...], *names: str) -> JSON:
    rule: JSON = {"apiGroups": [api_group(kind)], "resources": [plural(kind)], "verbs": list(verbs)}
    return {**rule, "resourceNames": list(names)} if names else rule
