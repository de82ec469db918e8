# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet from outside: how it stands, stop it, let a target go that never answers again; and who may take it over."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

from ..cluster import lease as leases
from ..cluster.lease import LeaseHeld
from ..fleet import record as records
from ..fleet.record import FleetRecord, Pen
from ..fleet.standing import matrix, must_return, status
from ..release.target import Refused
from ..release.values import Problem
from ..traffic.route import fence_token
from .fleet_ask import LEASE_SECONDS, Ask, Way, holder_of, is_alive, is_mine
from .fleet_border import everybody

JSON = dict[str, Any]
ALIVE_SECONDS = 12.0  # a living run renews its Lease every five


def go_on(ask: Ask, way: Way, known: FleetRecord, lease: leases.Lease, last: JSON | None = None) -> JSON:
    """Take a fleet over from the run before. last: who held it, and when that was renewed; None where nobody did."""
    token = fence_token(known.progress.release_id, lease.epoch)
    pen = Pen(way.session, way.namespace, known.name, token)
    pen.take_over(known.fleet.targets, known.token)
    if known.stop is not None:
        known.progress.phase = records.RETURNING
    if _silent_seconds(last) > known.fleet.unreachable_seconds:
        for state in known.progress.waves:
            if state["state"] != records.DONE:
                state.pop("baking", None)  # nobody has watched: it bakes again from the beginning
    pen.progress(known.progress)
    ask.caller.live_emit(f"{known.name}: goes on with fleet {known.progress.release_id}, which was {known.progress.phase}")
    return {"changed": True, "outcome": None, "reason": "", "runs": True, "release_id": known.progress.release_id}


def _silent_seconds(last: JSON | None) -> float:
    """How long nobody has run the fleet; infinite where that is not known."""
    if last is None or not last["renewed_at"]:
        return math.inf
    renewed = datetime.strptime(last["renewed_at"], leases.TIME_FORMAT).replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - renewed).total_seconds()


def take_lease(ask: Ask, way: Way, name: str, *, by_force: bool = False) -> leases.Lease:
    process, lease = ask.caller.process, records.lease_name(name)
    try:
        return leases.acquire(
            way.session,
            way.namespace,
            lease,
            sleep=process.sleep,
            emit=ask.caller.live_emit,
            by_force=by_force,
            me=ask.holder,
            seconds=LEASE_SECONDS,
        )
    except LeaseHeld as error:
        look, abort = ask.caller.playbook("status", name), ask.caller.playbook("abort", name)
        allowed = f"a fleet that no other run holds: {error}; look with: {look}, end it with: {abort}"
        raise Refused([Problem("release_name", name, allowed)]) from error


def fleets(ask: Ask) -> JSON:
    """The fleets whose records this target's namespace keeps; of one when it is named."""
    way = ask.way(ask.target)
    named = ask.given.get("release_name")
    told = []
    for name in records.names(way.session, way.namespace):
        record = records.load(way.session, way.namespace, name)
        if record is not None and named in (None, name) and is_mine(ask, record):
            told.append(status(record, records.entries(way.session, record), ask.caller.process.clock(), holder_of(way, name)))
            for line in matrix(told[-1]):
                ask.caller.live_emit(line)
    return {"changed": False, "fleets": told, "lines": [matrix(one) for one in told]}


def stop(ask: Ask) -> JSON:
    """Set the stop sign where this target keeps the fleet's record: everybody goes back. A fleet that nobody runs is taken over."""
    way = ask.way(ask.target)
    record = records.load(way.session, way.namespace, ask.name)
    if record is None or not record.unfinished or not is_mine(ask, record):
        return {"changed": False, "found": False, "taken": False, "reason": "no fleet of this name is under way here"}
    if ask.check_mode:
        return {"changed": True, "found": True, "taken": False, "home": ask.target, "reason": "check mode: nothing was changed"}
    reason = ask.reason or "no reason given"
    before = record.stop
    record.stop = records.put_stop(way.session, record, everybody("abort", reason, ask.by))
    found: JSON = {"changed": record.stop != before, "found": True, "home": ask.target, "stopped": record.stop}
    if is_alive(way, ask.name, ask.caller.process.sleep, seconds=ALIVE_SECONDS):
        return {**found, "taken": False, "reason": "its run stops everybody within one look, and brings them back"}
    lease = take_lease(ask, way, ask.name, by_force=True)
    go_on(ask, way, record, lease)
    return {**found, "taken": True, "reason": "nobody runs it: this run brings everybody back"}


def let_go(ask: Ask) -> JSON:
    """Give up a target that never answers again, with who says so and why, so that the fleet can end. Raises Refused."""
    way, target = ask.way(ask.target), str(ask.options.get("lost") or "")
    record = records.load(way.session, way.namespace, ask.name)
    if record is None or not record.unfinished or not is_mine(ask, record):
        return {"changed": False, "found": False, "reason": "no fleet of this name is unfinished here"}
    entry = records.entries(way.session, record).get(target)
    if entry is None:
        raise Refused([Problem("lost", target, f"a target of the fleet: {', '.join(record.fleet.targets)}")])
    if entry.state == records.LET_GO:
        return {"changed": False, "found": True, "home": ask.target, "reason": f"{target} was let go already: {entry.reason}"}
    if not entry.is_touched or (entry.state == records.PROMOTED and not must_return(record, entry)):
        raise Refused([Problem("lost", target, f"a target that this fleet has changed and cannot end with; {target} is {entry.state}")])
    if not ask.reason:
        raise Refused([Problem("release_reason", None, f"is required: why {target} never answers again; the record keeps it")])
    if ask.check_mode:
        return {"changed": True, "found": True, "home": ask.target, "reason": "check mode: nothing was changed"}
    lease = take_lease(ask, way, ask.name)
    go_on(ask, way, record, lease)
    entry.reason = f"{ask.reason} (let go by {ask.by}, it was {entry.state}{': ' + entry.reason if entry.reason else ''})"
    entry.state = records.LET_GO
    Pen(way.session, way.namespace, ask.name, fence_token(record.progress.release_id, lease.epoch)).entry(entry)
    command = ask.caller.playbook("abort", record.fleet.release_of(target)).rpartition(" -l ")[0]
    later = f"when it answers again: {command} -l {target}"
    return {"changed": True, "found": True, "home": ask.target, "reason": f"{target} is let go: {entry.reason}; {later}"}
