# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Canary of Flagger says of itself. Pure: the objects come in as they were read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

JSON = dict[str, Any]
# Flagger's phases, in the order in which a release meets them; and two that are ours: held by spec.suspend, and no Canary at all
NEW, INITIALIZING, INITIALIZED = "", "Initializing", "Initialized"
WAITING, PROGRESSING, WAITING_PROMOTION = "Waiting", "Progressing", "WaitingPromotion"
PROMOTING, FINALISING, SUCCEEDED, FAILED = "Promoting", "Finalising", "Succeeded", "Failed"
TERMINATING, TERMINATED = "Terminating", "Terminated"
SUSPENDED, GONE = "Suspended", "Gone"
PHASES = (
    NEW,
    INITIALIZING,
    INITIALIZED,
    WAITING,
    PROGRESSING,
    WAITING_PROMOTION,
    PROMOTING,
    FINALISING,
    SUCCEEDED,
    FAILED,
    TERMINATING,
    TERMINATED,
    SUSPENDED,
    GONE,
)
READY = (INITIALIZED, SUCCEEDED, FAILED)  # Flagger waits for a new revision
GOING = (TERMINATING, TERMINATED)  # it is being deleted
MOVING = (WAITING, PROGRESSING, WAITING_PROMOTION, PROMOTING, FINALISING)  # it is at work on one
LEAST_INTERVAL_SECONDS = 10.0  # Flagger raises what is less
INTERVAL_SECONDS = 60.0  # what it takes where none is given
SILENT_TICKS = 3  # a controller at work says something at each interval
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
HALT = re.compile(r"^Halt \S+ advancement (?P<metric>.+?) (?P<value>-?[\d.]+\S*) (?P<sign>[<>]) (?P<limit>\S+)$")
NO_VALUES = re.compile(r"^Halt advancement no values found for (?:\S+ )?(?:custom )?metric:? (?P<metric>\S+?):?(?: |$)")
UNMADE = "progressive.delivery/aborted-before-ready"  # annotation: kept suspended by an abort, until the next release
COMBINED = "(combined from similar events): "  # Kubernetes' own words for many of one kind
NO_ANSWER = ("Prometheus query failed", "Metric query failed", "Error checking metric providers")


@dataclass(frozen=True)
class View:
    """A Canary as it stands. phase is one of PHASES; under is the phase beneath a suspension."""

    phase: str
    under: str
    failed_checks: int
    iterations: int
    stamp: str  # changes with every real change of phase
    moved_at: float  # Unix time of the status' last change, 0 where there is none
    applied: str  # hash of the template that Flagger has seen last
    promoted: str  # hash of the one that it has promoted last
    message: str


def view(canary: JSON | None) -> View:
    """What a Canary says; GONE where there is none."""
    if canary is None:
        return View(GONE, GONE, 0, 0, "", 0.0, "", "", "")
    status = canary.get("status") or {}
    phase = status.get("phase") or NEW
    condition: JSON = next((one for one in status.get("conditions") or [] if one.get("type") == "Promoted"), {})
    begins = phase in (NEW, INITIALIZING) and not is_unmade(canary)
    held = bool(canary["spec"].get("suspend")) and (phase in MOVING or begins)
    return View(
        phase=SUSPENDED if held else phase,
        under=phase,
        failed_checks=int(status.get("failedChecks") or 0),
        iterations=int(status.get("iterations") or 0),
        stamp=f"{condition.get('lastUpdateTime', '')} {condition.get('reason', '')}".strip(),
        moved_at=seconds_of(status.get("lastTransitionTime")),
        applied=status.get("lastAppliedSpec") or "",
        promoted=status.get("lastPromotedSpec") or "",
        message=condition.get("message") or "",
    )


def is_unmade(canary: JSON) -> bool:
    """Whether an abort keeps it suspended, as Flagger had not made its primary ready."""
    begins = ((canary.get("status") or {}).get("phase") or NEW) in (NEW, INITIALIZING)
    return begins and UNMADE in (canary["metadata"].get("annotations") or {})


def seconds_of(stamp: str | None) -> float:
    """A time of Kubernetes as Unix time; 0 where there is none."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() if stamp else 0.0


def analysis(canary: JSON) -> JSON:
    """spec.analysis, or what it was called before."""
    return canary["spec"].get("analysis") or canary["spec"].get("canaryAnalysis") or {}


def interval_seconds(canary: JSON) -> float:
    """How often Flagger looks, as it understands what is written."""
    text = str(analysis(canary).get("interval") or "")
    parts = DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return INTERVAL_SECONDS
    return max(LEAST_INTERVAL_SECONDS, sum(float(number) * UNIT_SECONDS[unit] for number, unit in parts))


def threshold(canary: JSON) -> int:
    """How many failed checks return traffic."""
    return max(1, int(analysis(canary).get("threshold") or 0))


def service_of(canary: JSON) -> str:
    """The Service that clients use."""
    name: str = (canary["spec"].get("service") or {}).get("name") or canary["spec"]["targetRef"]["name"]
    return name


def target_of(canary: JSON) -> str:
    """The Deployment that is released."""
    name: str = canary["spec"]["targetRef"]["name"]
    return name


def messages(events: Iterable[JSON], after: float = 0.0) -> list[tuple[float, str, str]]:
    """(Unix time, type, message) of Flagger's events about a Canary after a moment, oldest first."""
    found = []
    for one in events:
        at = seconds_of(one.get("lastTimestamp") or one.get("eventTime") or one["metadata"].get("creationTimestamp"))
        if at > after:
            found.append((at, one.get("type") or "", (one.get("message") or "").removeprefix(COMBINED)))
    return sorted(found)


def why(events: Iterable[tuple[float, str, str]]) -> JSON:
    """The last failed check as Flagger tells it: metric, value, sign and limit where it names them, else its sentence."""
    warnings = [text for _at, kind, text in events if kind == "Warning"]
    for text in reversed(warnings):
        if found := HALT.match(text) or NO_VALUES.match(text):
            return {"message": text, **found.groupdict()}
    for text in reversed(warnings):
        if text.startswith(NO_ANSWER) or "progress deadline" in text or "not ready" in text:
            return {"message": text}
    return {"message": warnings[-1]} if warnings else {}


def unreachable(events: Iterable[tuple[float, str, str]]) -> str:
    """Flagger's own words where the last thing that it says is that Prometheus does not answer; else empty."""
    last = [text for _at, _kind, text in events][-1:]
    return last[0] if last and last[0].startswith(NO_ANSWER) else ""


def silent_for(canary: JSON, events: Iterable[tuple[float, str, str]], now: float) -> float:
    """Seconds since the controller was last heard of, by the status or an event; or since somebody last wrote the Canary, such as a resume."""
    written = (seconds_of(one.get("time")) for one in canary["metadata"].get("managedFields") or [])
    heard = max([view(canary).moved_at, *written, *(at for at, _kind, _text in events)], default=0.0)
    return max(0.0, now - heard)


def is_silent(canary: JSON, events: Iterable[tuple[float, str, str]], now: float) -> bool:
    """Whether a Canary at work has shown nothing for several intervals.

    Kubernetes drops events beyond 25 about one object, so that a wait that changes no status may be silent, too.
    """
    told = view(canary)
    if told.phase not in MOVING and told.phase not in (NEW, INITIALIZING):
        return False
    return silent_for(canary, events, now) > SILENT_TICKS * interval_seconds(canary) + LEAST_INTERVAL_SECONDS
