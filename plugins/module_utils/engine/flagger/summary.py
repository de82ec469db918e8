# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a release driven by Flagger stands: our record, with what the Canary and its route say of it now laid over it."""

from __future__ import annotations

import json
import time
from typing import Any

from ...cluster.errors import ClusterError
from ...cluster.kinds import plural
from ...cluster.session import Session
from ...release.approval_words import iso
from ...release.record import Record
from ...release.saved import spec_from
from .. import native
from ..edits import edited
from . import approvals, kinds, route
from . import canary as canaries
from .canary import FAILED, MOVING, SUCCEEDED, SUSPENDED, View, view
from .drive import APPROVED, PAUSED, events_after, events_of, is_held_by_others
from .target import FlaggerTarget

JSON = dict[str, Any]


def summary(session: Session, known: Record, *, now: float | None = None) -> JSON:
    """As native.summary, with engine, flagger (the Canary's own words) and warnings (what keeps it from going on). now: Unix time."""
    told = {**native.summary(known), "engine": known.spec.get("engine"), "warnings": []}
    target = FlaggerTarget(**known.target)
    try:
        found = session.find("Canary", known.namespace, target.canary)
        weight = route.percent(session, target.place)
        events = events_of(session, known.namespace, target.canary, after=events_after(known.state))
    except ClusterError as error:
        return {**told, "flagger": None, "warnings": [f"the cluster does not tell where the Canary stands: {error}"]}
    if found is None:
        return {**told, "flagger": None, "weight_percent": weight or 0, "warnings": [_gone(session, target)]}
    here, clock = view(found), time.time() if now is None else now
    told |= {"flagger": _words(found, here, weight), "warnings": _warnings(known, target, found, events, clock)}
    if known.unfinished:
        told |= _live(known, found, here, weight)
    return told


def _gone(session: Session, target: FlaggerTarget) -> str:
    try:
        kind = plural("Canary") in kinds.served(session)
    except ClusterError as error:
        return f"Canary {target.canary} is not there, and the cluster does not say whether its kind is: {error}"
    if not kind:
        return f"the cluster knows no {plural('Canary')} of {kinds.VERSION} any more: Flagger's kind was removed, and all Canaries with it"
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
    state["paused"] = _timed({**pause, "to_zero": False}) if pause else None
    state["waiting"] = _waiting(known, here, waits) if waits else None
    state["next_commands"] = _next(known, here, waits)
    return state


def _waiting(known: Record, here: View, step: str) -> JSON:
    """The approval that is waited for, as its runner noted it; as the Canary tells it where no runner was there."""
    noted = known.state.control.get("waiting") or {}
    if noted.get("step") == step:
        return _timed(noted)
    until = canaries.seconds_of(known.state.started_at) + spec_from(known.spec).deadline_seconds
    return _timed({"step": step, "since": here.moved_at, "until": until})


def _timed(noted: JSON) -> JSON:
    """What was noted, with its times in UTC."""
    return {**noted, "since": iso(noted["since"]), "until": iso(noted["until"])}


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


def _warnings(known: Record, target: FlaggerTarget, found: JSON, events: list[tuple[float, str, str]], now: float) -> list[str]:
    """What keeps the release from going on, in sentences; empty when nothing does."""
    said, here = [], view(found)
    if known.unfinished and canaries.is_silent(found, events, now):
        silent = canaries.silent_for(found, events, now)
        said.append(
            f"Flagger's controller was not heard of for {silent:.0f} s (it looks every {canaries.interval_seconds(found):.0f} s): "
            "nothing moves until it runs again; abort returns traffic without it"
        )
    changed = [path for path in edited(found["spec"], target.written) if path not in approvals.FIELDS] if target.written else []
    if changed:
        said.append(f"somebody else changed Canary {target.canary}: {', '.join(changed)}; Flagger follows what is there now")
    if known.state.phase == "running" and is_held_by_others(found):
        said.append(f"somebody else suspended Canary {target.canary}: Flagger judges nothing, and nothing moves, until resume")
    if words := canaries.unreachable(events):
        said.append(f"Flagger gets no answer from Prometheus: {words}")
    if known.unfinished and here.phase in (SUCCEEDED, FAILED) and _is_over(known, here):
        said.append(f"Flagger has ended it ({here.phase}) while no runner of ours watched; retry notes that, and tidies up")
    return said
