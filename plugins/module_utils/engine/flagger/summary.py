# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a release driven by Flagger stands: our record, with what the Canary and its route say of it now laid over it."""

from __future__ import annotations

import json
import time
from typing import Any

from ...cluster.errors import ClusterError, NotFound
from ...cluster.kinds import KINDS
from ...cluster.session import Session
from ...release.record import Record
from ...release.saved import spec_from
from .. import native
from . import approvals, route
from . import canary as canaries
from .canary import FAILED, MOVING, SUCCEEDED, SUSPENDED, View, view
from .drive import APPROVED, PAUSED, events_after, events_of
from .target import FlaggerTarget

JSON = dict[str, Any]


def summary(session: Session, known: Record, *, now: float | None = None) -> JSON:
    """As native.summary, with engine, flagger (the Canary's own words) and troubles (what keeps it from going on). now: Unix time."""
    told = {**native.summary(known), "engine": known.spec.get("engine"), "troubles": []}
    target = FlaggerTarget(**known.target)
    try:
        found = session.find("Canary", known.namespace, target.canary)
        weight = route.percent(session, target.place)
        events = events_of(session, known.namespace, target.canary, after=events_after(known.state))
    except ClusterError as error:
        return {**told, "flagger": None, "troubles": [f"the cluster does not tell where the Canary stands: {error}"]}
    if found is None:
        return {**told, "flagger": None, "weight_percent": weight or 0, "troubles": [_gone(session, target)]}
    here, clock = view(found), time.time() if now is None else now
    told |= {"flagger": _words(found, here, weight), "troubles": _troubles(known, target, found, events, clock)}
    if known.unfinished:
        told |= _live(known, found, here, weight)
    return told


def _gone(session: Session, target: FlaggerTarget) -> str:
    try:
        session.read(f"/apis/{KINDS['Canary'][0]}")
    except NotFound:
        return f"the cluster knows no {KINDS['Canary'][0]} any more: Flagger's kinds were removed, and all Canaries with them"
    except ClusterError as error:
        return f"Canary {target.canary} is not there, and the cluster does not say whether its kind is: {error}"
    return f"Canary {target.canary} was deleted, and Kubernetes deletes what it owned: {target.primary}, its Services, its route"


def _words(found: JSON, here: View, weight: int | None) -> JSON:
    return {
        "canary": found["metadata"]["name"],
        "phase": here.under,
        "suspended": bool(found["spec"].get("suspend")),
        "weight_percent": weight,
        "failed_checks": here.failed_checks,
        "threshold": canaries.threshold(found),
        "iterations": here.iterations,
        "message": here.message,
    }


def _live(known: Record, found: JSON, here: View, weight: int | None) -> JSON:
    """What stands of a release at work, whoever watches it."""
    marks = found["metadata"].get("annotations") or {}
    approved = json.loads(marks.get(APPROVED) or "{}")
    pause = json.loads(marks[PAUSED]) if here.phase == SUSPENDED and PAUSED in marks else None
    waits = approvals.waiting(spec_from(known.spec), here.phase, weight or 0, approved)
    state: JSON = {"weight_percent": weight or 0}
    state["paused"] = {key: pause[key] for key in ("by", "reason", "then")} if pause else None
    state["waiting"] = {"step": waits} if waits else None
    state["next_commands"] = _next(known, here, waits)
    return state


def _next(known: Record, here: View, waits: str) -> list[str]:
    if known.state.phase == "returning":
        return ["status", "abort"]
    if here.phase == SUSPENDED:
        return ["resume", "abort"]
    if waits:
        return ["approve", "reject", "abort"]
    if here.phase in (SUCCEEDED, FAILED) and _is_over(known, here):
        return ["retry"]  # its runner was not there: retry notes the ending
    return ["pause", "promote", "abort"] if here.phase in MOVING else ["status", "abort"]


def _is_over(known: Record, here: View) -> bool:
    return here.stamp != (known.state.control.get("flagger") or {}).get("stamp")


def _troubles(known: Record, target: FlaggerTarget, found: JSON, events: list[tuple[float, str, str]], now: float) -> list[str]:
    """What keeps the release from going on, in sentences; empty when nothing does."""
    said, here = [], view(found)
    if known.unfinished and canaries.is_silent(found, events, now):
        silent = canaries.silent_for(found, events, now)
        said.append(
            f"Flagger's controller was not heard of for {silent:.0f} s (it looks every {canaries.interval_seconds(found):.0f} s): "
            "nothing moves until it runs again; abort returns traffic without it"
        )
    edited = [path for path in canaries.edited(found["spec"], target.written) if path not in approvals.FIELDS] if target.written else []
    if edited:
        said.append(f"somebody else changed Canary {target.canary}: {', '.join(edited)}; Flagger follows what is there now")
    if words := canaries.unreachable(events):
        said.append(f"Flagger gets no answer from Prometheus: {words}")
    if known.unfinished and here.phase in (SUCCEEDED, FAILED) and _is_over(known, here):
        said.append(f"Flagger has ended it ({here.phase}) while no runner of ours watched; retry notes that, and tidies up")
    return said
