# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release stands between people and its runner: what it waits for, what was commanded, and what to type next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .approval_words import iso, told
from .commands import unobeyed
from .park import moment
from .record import Record

JSON = dict[str, Any]


def standing(known: Record, now: float) -> JSON:
    """Pause, waiting approval, stuck step, parked until when, the commands so far, and the playbooks that make sense now.

    now is Unix time: approvals expire.
    """
    control = known.state.control
    running = known.state.phase == "running"
    return {
        "paused": _times(control.get("pause"), "by", "reason", "then", "to_zero") if running else None,
        "waiting": _times(control.get("waiting"), "step") if known.unfinished else None,
        "approvals": approvals(known, now),
        "started_by": control.get("started_by") or [],
        "freeze_override": control.get("freeze_override"),
        "crossing": (control.get("begun") or {}).get("crossing"),
        "parked": _times(control.get("parked")) if known.state.phase == "parked" else None,
        "stuck": (control.get("stuck") or {}).get("reason") if known.unfinished else None,
        "commands": control.get("log") or [],
        "commands_pending": unobeyed(control, known.commands) if known.unfinished else [],
        "next_commands": next_commands(known),
    }


def approvals(known: Record, now: float) -> list[JSON]:
    """Who approved what, when, why and from where, and who is still missing, as far as the record knows."""
    asks = (known.spec.get("control") or {}).get("approve") or any(one.get("approve") for one in known.spec.get("steps") or ())
    return told(known.state.control, moment(known, now).steps, now) if asks else []


def next_commands(known: Record) -> list[str]:
    """The verbs that make sense now, the likeliest first."""
    control, phase = known.state.control, known.state.phase
    waiting = (control.get("waiting") or {}).get("step", "")
    pending = [one.get("step") for one in unobeyed(control, known.commands) if one["command"] == "approve"]
    is_open = bool(waiting) and waiting not in (control.get("approvals") or {}) and waiting not in pending
    if phase == "ended" and (control.get("begun") or {}).get("command") == "rollback":
        return ["retry"] if known.state.outcome != "promoted" else []
    if phase == "ended" and known.state.swapped:
        return []  # its workload is not there any more: only a release from the new Deployment leads back
    if phase == "ended":
        return {"promoted": ["rollback"], "rolled_back": ["retry", "cleanup"], "aborted": ["retry", "cleanup"]}.get(
            known.state.outcome or "", []
        )
    if phase == "returning":
        return ["status", "abort"]
    if phase == "parked":
        return ["approve", "reject", "abort"] if is_open else ["retry", "abort"]
    if control.get("pause"):
        return ["resume", "abort"]
    return ["approve", "reject", "abort"] if is_open else ["pause", "promote", "abort"]


def _times(found: Mapping[str, Any] | None, *kept: str) -> JSON | None:
    """Some fields of what was noted, with its times in UTC."""
    if not found:
        return None
    return {**{key: found.get(key) for key in kept}, "since": iso(found["since"]), "until": iso(found["until"])}
