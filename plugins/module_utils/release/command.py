# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a command means, and what it says. Pure."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .spec import SpecError, unknown_variables
from .values import Reader


@dataclass(frozen=True)
class Reference:
    """Which release, or all of a namespace when name is None."""

    namespace: str
    name: str | None


@dataclass(frozen=True)
class Command:
    """A command to a release: who gives it and why."""

    command: str
    namespace: str
    name: str
    by: str
    reason: str


def parse_reference(given: Mapping[str, Any], *, name_is_required: bool) -> Reference:
    """The release that release_name and release_namespace name. Raises SpecError."""
    read = Reader()
    read.problems += unknown_variables(given)
    reference = _reference(read, given, name_is_required=name_is_required)
    if read.problems:
        raise SpecError(read.problems)
    return reference


def parse_command(given: Mapping[str, Any]) -> Command:
    """release_control's arguments. Raises SpecError."""
    read = Reader()
    reference = _reference(read, given, name_is_required=True)
    command = read.choice("command", given.get("command"), ("abort",), "abort")
    by = read.text("by", given.get("by"), getpass.getuser()) or ""
    reason = read.text("release_reason", given.get("release_reason"), "") or ""
    if read.problems:
        raise SpecError(read.problems)
    return Command(command, reference.namespace, str(reference.name), by, reason)


def _reference(read: Reader, given: Mapping[str, Any], *, name_is_required: bool) -> Reference:
    for field in ("release_name", "release_namespace"):
        if given.get(field) is None and (name_is_required or field == "release_namespace"):
            read.refuse(field, None, "is required")
    name = read.name("release_name", given.get("release_name"), longest=40)
    return Reference(read.name("release_namespace", given.get("release_namespace")) or "", name)
