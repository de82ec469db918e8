# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_manifests: the version as Kustomize or Helm renders it, from YAML to what a release needs of it. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..workload import config
from .values import Reader, documents

JSON = dict[str, Any]
FIELD = "release_manifests"
ALLOWED = "objects as Kustomize or Helm renders them: a list of dictionaries, or YAML of several documents"
MOST_NAMES = 5


@dataclass(frozen=True)
class Manifests:
    """The new pod template, and the config maps and secrets among the objects that it uses. others: kinds and names left alone."""

    template: JSON
    config: tuple[JSON, ...]
    others: tuple[str, ...]

    def to_dict(self) -> JSON:
        """As the record keeps it: hashes, which tell whether it is the same and give no secret away."""
        return {
            "template": digest(self.template),
            "config": {_name(one): config.content_hash(one) for one in self.config},
            "others": list(self.others),
        }

    def find(self, kind: str, name: str) -> JSON | None:
        """A config map or secret of the manifests."""
        return next((one for one in self.config if (one["kind"], one["metadata"]["name"]) == (kind, name)), None)


def digest(template: Any) -> str:
    """What tells one template from another. A digest (from a record) stays what it is."""
    if isinstance(template, str):
        return template
    return "sha256:" + hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()


def manifests(read: Reader, value: Any, *, workload: str, namespace: str | None) -> Manifests | None:
    """What release_manifests says of a workload; None when it is left out."""
    if value is None:
        return None
    given = documents(value)
    objects = list(_flat(given or []))
    if given is None or not all(isinstance(one, dict) and one.get("kind") and isinstance(one.get("metadata"), Mapping) for one in objects):
        read.refuse(FIELD, _shown(value), ALLOWED)
        return None
    ours = [one for one in objects if one["kind"] == "Deployment" and one["metadata"].get("name") == workload]
    if len(ours) != 1:
        there = ", ".join(_name(one) for one in objects[:MOST_NAMES]) + (", ..." if len(objects) > MOST_NAMES else "")
        read.refuse(FIELD, there or "no object", f"exactly one Deployment/{workload}, which release_workload names; found {len(ours)}")
        return None
    template = (ours[0].get("spec") or {}).get("template")
    if template is None or not _is_template(template):
        read.refuse(
            f"{FIELD}.Deployment/{workload}.spec.template", template, "a pod template with labels and containers with names and images"
        )
        return None
    elsewhere = ours[0]["metadata"].get("namespace")
    if namespace and elsewhere not in (None, namespace):
        read.refuse(f"{FIELD}.Deployment/{workload}.metadata.namespace", elsewhere, f"{namespace}, as release_namespace says, or nothing")
    used = [one for one in objects if (one["kind"], one["metadata"].get("name")) in config.references(template)]
    for one in used:
        _check_config(read, one)
    return Manifests(template, tuple(map(_decoded, used)), tuple(_name(one) for one in objects if one is not ours[0] and one not in used))


def manifests_from(saved: Mapping[str, Any] | None) -> Manifests | None:
    """Manifests as to_dict wrote them: enough to be compared with, no version can be made of them."""
    if saved is None:
        return None
    hashed = tuple(
        {"kind": kind, "metadata": {"name": name}, "hash": value}
        for whole, value in saved["config"].items()
        for kind, _slash, name in [whole.partition("/")]
    )
    return _Saved(saved["template"], hashed, tuple(saved["others"]))


class _Saved(Manifests):
    """What a record knows."""

    def to_dict(self) -> JSON:
        """As it was saved."""
        return {"template": self.template, "config": {_name(one): one["hash"] for one in self.config}, "others": list(self.others)}


def image_of(read: Reader, found: Manifests, container: str | None) -> str | None:
    """The image of the released container in the manifests."""
    containers = found.template["spec"]["containers"]
    names = ", ".join(one["name"] for one in containers)
    if container is None and len(containers) > 1:
        read.refuse("release_container", None, f"is required: the Deployment in release_manifests has several containers: {names}")
        return None
    images = [one["image"] for one in containers if container in (None, one["name"])]
    if not images:
        read.refuse("release_container", container, f"one of {names}, the containers in release_manifests")
    return images[0] if images else None


def _flat(objects: Iterable[Any]) -> Iterable[Any]:
    """The objects, those inside lists of kind List too."""
    for one in objects:
        if isinstance(one, Mapping) and str(one.get("kind")).endswith("List") and isinstance(one.get("items"), list):
            yield from _flat(one["items"])
        else:
            yield dict(one) if isinstance(one, Mapping) else one


def _is_template(template: Any) -> bool:
    try:
        return bool(template["metadata"]["labels"]) and all(one["name"] and one["image"] for one in template["spec"]["containers"])
    except (KeyError, TypeError):
        return False


def _check_config(read: Reader, one: JSON) -> None:
    for part in ("data", "binaryData", "stringData"):
        values = one.get(part)
        if values is not None and not (isinstance(values, Mapping) and all(isinstance(value, str) for value in values.values())):
            read.refuse(
                f"{FIELD}.{_name(one)}.{part}", _shown(values) if one["kind"] == "ConfigMap" else None, "keys with strings as values"
            )


def _decoded(one: JSON) -> JSON:
    """A secret as the API server would store it: stringData in data."""
    if one["kind"] != "Secret" or not isinstance(one.get("stringData"), Mapping):
        return one
    encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in one["stringData"].items()}
    return {key: value for key, value in {**one, "data": {**(one.get("data") or {}), **encoded}}.items() if key != "stringData"}


def _name(one: JSON) -> str:
    return f"{one['kind']}/{one['metadata'].get('name')}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
