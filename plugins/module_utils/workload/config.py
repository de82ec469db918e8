# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Config maps and secrets that a pod template names, and their copies under a content hash. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..cluster.kinds import api_version
from .twin import RELEASE_LABEL

JSON = dict[str, Any]
Named = tuple[str, str]  # kind and name
KINDS = ("ConfigMap", "Secret")
COPY = {"progressive.delivery/config-copy": "true", "app.kubernetes.io/managed-by": "progressive.delivery"}  # labels of every copy
SOURCE = "progressive.delivery/copied-from"  # annotation: the name of what was copied
HASH_DIGITS = 10
# put into every namespace and exchanged by controllers: a copy would keep a root certificate that has expired
KEPT_BY_CONTROLLERS = ("kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl", "openshift-service-ca.crt")
TOKEN = "kubernetes.io/service-account-token"
HIDDEN = "(hidden)"


def references(template: JSON) -> dict[Named, bool]:
    """(kind, name) of every config map and secret that the containers of a template use -> whether the pods need it.

    Not those of imagePullSecrets and of volume drivers: they are used by the node, not by the version.
    """
    found: dict[Named, bool] = {}
    for kind, holder, key in _places(template):
        named = (kind, holder[key])
        found[named] = found.get(named, False) or not holder.get("optional", False)
    return found


def renamed(template: JSON, names: Mapping[Named, str]) -> JSON:
    """The template with other names of config maps and secrets, wherever it uses them."""
    new = copy.deepcopy(template)
    for kind, holder, key in _places(new):
        holder[key] = names.get((kind, holder[key]), holder[key])
    return new


def _places(template: JSON) -> Iterator[tuple[str, JSON, str]]:
    """Kind, the dictionary that refers, and its key that holds the name."""
    spec = template["spec"]
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        sources = [*(container.get("envFrom") or []), *((one.get("valueFrom") or {}) for one in container.get("env") or [])]
        for source in sources:
            for key, kind in (
                ("configMapRef", KINDS[0]),
                ("configMapKeyRef", KINDS[0]),
                ("secretRef", KINDS[1]),
                ("secretKeyRef", KINDS[1]),
            ):
                yield from _place(kind, source.get(key), "name")
    for volume in spec.get("volumes") or []:
        yield from _place("ConfigMap", volume.get("configMap"), "name")
        yield from _place("Secret", volume.get("secret"), "secretName")
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from _place("ConfigMap", source.get("configMap"), "name")
            yield from _place("Secret", source.get("secret"), "name")


def _place(kind: str, holder: JSON | None, key: str) -> Iterator[tuple[str, JSON, str]]:
    if holder and holder.get(key):
        yield kind, holder, key


def source_of(found: JSON) -> str | None:
    """The name of what an object is a copy of; None when it is no copy of ours."""
    meta = found["metadata"]
    return (meta.get("annotations") or {}).get(SOURCE) if is_copy(found) else None


def may_be_copy(name: str) -> bool:
    """Whether a name ends as those of copies do."""
    return re.search(f"-[0-9a-f]{{{HASH_DIGITS}}}$", name) is not None


def is_copy(found: JSON) -> bool:
    """Whether a release has made this object."""
    return COPY.items() <= (found["metadata"].get("labels") or {}).items()


def owners_of(found: JSON) -> list[JSON]:
    """The owner references of an object."""
    return list(found["metadata"].get("ownerReferences") or [])


def content(found: JSON) -> JSON:
    """What pods see of an object: its data, and a secret's type."""
    keys = ("data", "binaryData", "type") if found["kind"] == "ConfigMap" else ("data", "type")
    return {key: found[key] for key in keys if found.get(key)}


def content_hash(found: JSON) -> str:
    """The first digits of the SHA-256 of what pods see of an object."""
    text = json.dumps(content(found), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]


def copy_of(source: JSON, data: Mapping[str, str | None], *, release_id: str, owner: JSON | None) -> JSON:
    """The copy as it is created: the source's content with data laid over it (null removes a key), under its hash, immutable.

    owner is the workload: when it is deleted, the copy goes with it.
    """
    kind, meta = source["kind"], source["metadata"]
    laid = {**(source.get("data") or {}), **data}
    made = content({**source, "data": {key: value for key, value in laid.items() if value is not None}})
    body = {"kind": kind, **made}
    references = [owner_reference(owner)] if owner else []
    return {
        "apiVersion": api_version(kind),
        **body,
        "immutable": True,
        "metadata": {
            "name": f"{meta['name']}-{content_hash(body)}",
            "namespace": meta["namespace"],
            "labels": {**COPY, RELEASE_LABEL: release_id},
            "annotations": {SOURCE: meta["name"]},
            "ownerReferences": references,
        },
    }


def made_of(source: JSON, *, release_id: str, owner: JSON | None) -> JSON:
    """An object of the user's manifests as it is created under its own name, to be removed like a copy when nothing refers to it."""
    kind, meta = source["kind"], source["metadata"]
    own = {key: value for key, value in source.items() if key in ("data", "binaryData", "type", "immutable")}
    return {
        "apiVersion": api_version(kind),
        "kind": kind,
        **own,
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": {**(meta.get("labels") or {}), **COPY, RELEASE_LABEL: release_id},
            "annotations": {**(meta.get("annotations") or {}), SOURCE: meta["name"]},
            "ownerReferences": [owner_reference(owner)] if owner else [],
        },
    }


def same_content(one: JSON, other: JSON) -> bool:
    """Whether pods see the same of both. A secret that names no type is Opaque."""
    return _typed(content(one)) == _typed(content(other))


def _typed(seen: JSON) -> JSON:
    return {key: value for key, value in seen.items() if (key, value) != ("type", "Opaque")}


def owner_reference(owner: JSON) -> JSON:
    """What says that an object goes when its owner goes."""
    return {
        "apiVersion": api_version(owner["kind"]),
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


def shown(found: JSON) -> JSON:
    """The object as it may be printed: of a secret the names of its keys only. Its name tells whether it is the same."""
    shown_content = content(found)
    if found["kind"] == "Secret":
        shown_content["data"] = dict.fromkeys(shown_content.get("data") or {}, HIDDEN)
    return {"kind": found["kind"], "metadata": {"name": found["metadata"]["name"]}, **shown_content}
