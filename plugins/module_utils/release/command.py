# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release a command means, and what it says. Pure."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .approvals import DAY
from .control_spec import PARK, RESUME, ROLL_BACK
from .spec import SpecError, unknown_variables
from .values import Reader


@dataclass(frozen=True)
class Reference:
    """Which release, or all of a namespace when name is None."""

    namespace: str
    name: str | None


COMMANDS = ("abort", "pause", "resume", "promote", "approve", "reject", "retry", "rollback", "cleanup")
LONGEST_TEXT = 300  # of a name or a reason, so that the record stays small
# option -> the commands that know it
OPTIONS = {
    "for_seconds": ("pause",),
    "then": ("pause",),
    "weight_percent": ("pause",),
    "full": ("promote",),
    "step": ("approve", "reject", "promote"),
    "to": ("rollback",),
}


@dataclass(frozen=True)
class Command:
    """A command to a release: who gives it and why. for_seconds, then and weight_percent are a pause's."""

    command: str
    namespace: str
    name: str
    by: str
    reason: str
    for_seconds: float | None = None
    then: str | None = None
    weight_percent: int | None = None
    full: bool = False
    step: str | None = None
    to: str | None = None

    def asked(self, at: str) -> dict[str, Any]:
        """The command as it lies on the record."""
        options = {key: value for key in OPTIONS if (value := getattr(self, key)) is not None and value is not False}
        return {"command": self.command, "by": self.by[:LONGEST_TEXT], "reason": self.reason[:LONGEST_TEXT], "at": at, **options}


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
    command = read.choice("command", given.get("command"), COMMANDS, "abort")
    by = read.text("by", given.get("by"), getpass.getuser()) or ""
    reason = read.text("release_reason", given.get("release_reason"), "") or ""
    for option, commands in OPTIONS.items():
        if given.get(option) is not None and command not in commands:
            read.refuse(option, given[option], f"nothing: {command} does not know it, it is an option of {', '.join(commands)}")
    weight = given.get("weight_percent")
    found = Command(
        command,
        reference.namespace,
        str(reference.name),
        by,
        reason,
        read.seconds("for_seconds", given.get("for_seconds"), least=1, most=30 * DAY, default=0) or None,
        read.choice("then", given.get("then"), (RESUME, PARK, ROLL_BACK), "") or None,
        None if weight is None else read.integer("weight_percent", weight, least=0, most=0, default=0),
        read.truth("full", given.get("full")),
        read.text("step", given.get("step")),
        read.text("to", given.get("to")),
    )
    if read.problems:
        raise SpecError(read.problems)
    return found


def _reference(read: Reader, given: Mapping[str, Any], *, name_is_required: bool) -> Reference:
    for field in ("release_name", "release_namespace"):
        if given.get(field) is None and (name_is_required or field == "release_namespace"):
            read.refuse(field, None, "is required")
    name = read.name("release_name", given.get("release_name"), longest=40)
    return Reference(read.name("release_namespace", given.get("release_namespace")) or "", name)
