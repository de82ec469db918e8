# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_approval_sources: where approvals come from, beside the command line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .values import Reader
from .webhooks_spec import WebhookSpec, approvals_webhook, webhooks_from

FIELD = "release_approval_sources"
CONFIG_MAP, FILE, WEBHOOK = "configmap", "file", "webhook"
KINDS = (CONFIG_MAP, FILE, WEBHOOK)
PREFIX = "approvals-"  # of the names of ConfigMaps that the admission policy guards
MOST_SOURCES = 10


@dataclass(frozen=True)
class SourceSpec:
    """One place: a ConfigMap of the release's namespace, a file on the control node, or a webhook that is asked."""

    kind: str
    name: str = ""  # of the ConfigMap, or the file's path
    webhook: WebhookSpec | None = None

    @property
    def said(self) -> str:
        """How lines and the record call it; no secret in it."""
        if self.webhook is not None:
            return f"webhook {self.webhook.shown}"
        return f"ConfigMap {self.name}" if self.kind == CONFIG_MAP else f"file {self.name}"

    def to_dict(self) -> dict[str, Any]:
        """As the record keeps it: of a webhook's secrets only hashes."""
        return {"kind": self.kind, "name": self.name, "webhook": self.webhook.to_dict() if self.webhook else None}


def sources(source: Reader, value: Any) -> tuple[SourceSpec, ...]:
    """The places of release_approval_sources, each once."""
    read = Reader()
    listed = read.sequence(FIELD, value) or []
    if len(listed) > MOST_SOURCES:
        read.refuse(FIELD, f"{len(listed)} places", f"at most {MOST_SOURCES}")
    made: list[SourceSpec] = []
    for index, item in enumerate(listed):
        field = f"{FIELD}[{index}]"
        if not isinstance(item, dict) or len(item) != 1 or next(iter(item)) not in KINDS:
            named = list(item) if isinstance(item, dict) else type(item).__name__
            read.refuse(field, named, "one of {configmap: name}, {file: path}, {webhook: {url: ...}}")
            continue
        kind, what = next(iter(item.items()))
        one = _source(read, f"{field}.{kind}", kind, what)
        if one in made:
            read.refuse(f"{field}.{kind}", what if kind != WEBHOOK else None, "each place once")
        elif one is not None:
            made.append(one)
    source.problems += read.problems
    return tuple(made)


def _source(read: Reader, field: str, kind: str, value: Any) -> SourceSpec | None:
    if kind == WEBHOOK:
        hook = approvals_webhook(read, field, value)
        return SourceSpec(kind, webhook=hook) if hook else None
    if kind == CONFIG_MAP:
        name = read.name(field, value)
        if name and not name.startswith(PREFIX):
            read.refuse(field, name, f"a name that begins with {PREFIX}: those are the ones that the admission policy guards")
        return SourceSpec(kind, name) if name else None
    path = read.text(field, value)
    if path and not path.startswith("/"):
        read.refuse(field, path, "an absolute path on the control node, such as {{ playbook_dir }}/approvals.yml")
    return SourceSpec(kind, path) if path else None


def sources_from(saved: Iterable[Mapping[str, Any]] | None) -> tuple[SourceSpec, ...]:
    """What a record keeps of them. A webhook of a record cannot be asked: its secrets are hashes."""
    made = []
    for one in saved or ():
        hook = webhooks_from([one["webhook"]])[0] if one.get("webhook") else None
        made.append(SourceSpec(one["kind"], one["name"], hook))
    return tuple(made)


def lost(found: Iterable[SourceSpec]) -> bool:
    """Whether a place of them cannot be asked by a record alone."""
    return any(one.webhook is not None and one.webhook.lost_secrets for one in found)
