# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a record within 64 KiB: what is long is stored compressed, what is too long even so is refused before it begins. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

from .values import Problem

JSON = dict[str, Any]
LARGEST_BYTES = 64 * 1024
LEAST_STATE_BYTES = 24 * 1024  # what the state may always take; spec and target share the rest
PLAIN_BYTES = 8 * 1024  # people read records: a part that is no longer than this is plain JSON
ENCODING = "zlib+base64:"


def dump(value: Any) -> str:
    """JSON as a record has it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def packed(value: Mapping[str, Any]) -> str:
    """A part of a record: JSON, or, where that is long, its name of the encoding and what it makes of the JSON."""
    text = dump(value)
    return text if len(text) <= PLAIN_BYTES else compressed(value)


def compressed(value: Any) -> str:
    """The name of the encoding and what it makes of a value's JSON."""
    return ENCODING + base64.b64encode(zlib.compress(dump(value).encode(), 9)).decode()


def unpacked(text: str) -> Any:
    """The value that packed or compressed made a text of. Raises ValueError for anything else."""
    if not text.startswith(ENCODING):
        return json.loads(text)
    try:
        return json.loads(zlib.decompress(base64.b64decode(text.removeprefix(ENCODING), validate=True)))
    except (zlib.error, binascii.Error) as error:
        raise ValueError(f"a part of a record that begins with {ENCODING} cannot be read: {error}") from error


def too_large(workload: str, spec: Mapping[str, Any], target: Mapping[str, Any]) -> list[Problem]:
    """A problem when spec and target leave the state less room than it needs."""
    size, most = len(packed(spec)) + len(packed(target)), LARGEST_BYTES - LEAST_STATE_BYTES
    if size <= most:
        return []
    parts = {
        "the pod template": target["original_template"],
        "the new pod template": target["new_template"],
        "the route": target["place"],
        "release_template_patch": spec.get("template_patch") or {},
    }
    longest = sorted(parts, key=lambda name: -len(dump(parts[name])))[:2]
    told = ", ".join(f"{name} {_kib(len(dump(parts[name])))}" for name in longest)
    allowed = (
        f"a workload whose record fits into its ConfigMap of {_kib(LARGEST_BYTES)}: pod template (old and new), route and options may take "
        f"{_kib(most)} of it compressed, these take {_kib(size)} ({told} before compression); move long values into a ConfigMap"
    )
    return [Problem("release_workload", workload, allowed)]


def _kib(size: int) -> str:
    return f"{-(-size // 1024)} KiB"
