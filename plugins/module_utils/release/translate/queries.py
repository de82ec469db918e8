# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries of foreign manifests, and where they are asked: their templates filled in, their addresses as release_prometheus. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ANY_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
PLAIN = re.compile(r"\{\{\s*([A-Za-z][\w.-]*)\s*\}\}([\w-]*)")
GO_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?")
IN_CLUSTER = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)(\.svc(\.cluster\.local)?)?")
# Flagger's words with what it appends to them -> our placeholders: there the target is the canary, here it is stable
FLAGGER_ARMS = {
    ("target", ""): "{canary}",
    ("target", "-primary"): "{stable}",
    ("target", "-canary"): "{canary_service}",
    ("service", ""): "{service}",
    ("service", "-primary"): "{service}",
    ("service", "-canary"): "{canary_service}",
}


class Unfillable(ValueError):
    """A template that says more than its few variables; the message names it."""


def flagger_query(query: str, words: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """A MetricTemplate's query as PromQL with our placeholders. words: name, namespace, interval. Raises Unfillable."""
    known = ["target", "service", *words, *(f"variables.{name}" for name in variables)]

    def filled(found: re.Match[str]) -> str:
        name, rest = found.groups()
        suffix = next((one for one in ("-primary", "-canary") if rest == one or rest.startswith(one + "-")), "")
        if (name, suffix) in FLAGGER_ARMS:
            return FLAGGER_ARMS[name, suffix] + rest.removeprefix(suffix)
        value = words.get(name, variables.get(name.removeprefix("variables.")) if name.startswith("variables.") else None)
        if value is None:
            raise Unfillable(f"{{{{ {name} }}}} is none of {', '.join(known)}")
        return value + rest

    return _only(PLAIN.sub(filled, query), known)


def argo_text(text: str, args: Mapping[str, str]) -> str:
    """A text of an analysis template with its arguments. Raises Unfillable."""
    known = [f"args.{name}" for name in args]

    def filled(found: re.Match[str]) -> str:
        name, rest = found.groups()
        if name not in known:
            raise Unfillable(f"{{{{ {name} }}}} is none of {', '.join(known) or 'the arguments: there are none'}")
        return args[name.removeprefix("args.")] + rest

    return _only(PLAIN.sub(filled, text), known)


def _only(text: str, known: list[str]) -> str:
    left = ANY_TEMPLATE.search(text)
    if left:
        raise Unfillable(f"{left.group()} is more than one of {', '.join(known)}")
    return text


def with_canary_service(query: str, canary_service: str | None, stable_service: str | None) -> str:
    """The query with our placeholder where the manifest's own canary Service stands, as a whole word."""
    if not canary_service or canary_service == stable_service:
        return query
    return re.sub(rf"(?<![\w-]){re.escape(canary_service)}(?![\w-])", "{canary_service}", query)


def prometheus_at(address: str) -> dict[str, Any] | None:
    """release_prometheus for an address; a Service's name in the cluster is reached through the API server. None when it is no URL."""
    try:
        found = urlsplit(address.strip())
        port = found.port
    except ValueError:
        return None
    if found.scheme not in ("http", "https") or not found.hostname or "@" in found.netloc:
        return None
    matched = IN_CLUSTER.fullmatch(found.hostname)
    if matched and not found.hostname.endswith((".com", ".org", ".net", ".io", ".dev", ".example")):
        path = found.path.rstrip("/")
        port = port or {"http": 80, "https": 443}[found.scheme]
        return {"service": f"{matched.group(2)}/{matched.group(1)}:{port}", **({"path": path} if path else {})}
    return {"url": address.strip().rstrip("/")}


def seconds_of(value: Any) -> float | None:
    """A duration as Go writes it (90s, 1m30s, 500ms), or a number of seconds; None when it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if re.fullmatch(r"\d+", text):
        return float(text)
    found = GO_DURATION.fullmatch(text) if text else None
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + seconds + milliseconds / 1000


def gate_name(name: str) -> str:
    """A metric's name as a gate has it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-")
