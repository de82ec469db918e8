# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet from outside: how it stands, stop it, answer what waits for people; and who may take it over."""

from __future__ import annotations

from typing import Any

from ..cluster import lease as leases
from ..cluster.lease import LeaseHeld
from ..fleet import record as records
from ..fleet.record import FleetRecord, Pen
from ..fleet.standing import matrix, status, waves_left
from ..release.record import now
from ..release.target import Refused
from ..release.values import Problem
from ..traffic.route import fence_token
from .fleet_ask import LEASE_SECONDS, Ask, Way, holder_of, is_alive

JSON = dict[str, Any]
ALIVE_SECONDS = 12.0  # a living run renews its Lease every five


def go_on(ask: Ask, way: Way, known: FleetRecord, lease: leases.Lease) -> JSON:
    token = fence_token(known.progress.release_id, lease.epoch)
    pen = Pen(way.session, way.namespace, known.name, token)
    pen.take_over(known.fleet.targets, known.token)
    if known.stop is not None:
        known.progress.phase = records.RETURNING
    pen.progress(known.progress)
    ask.caller.live_emit(f"{known.name}: goes on with fleet {known.progress.release_id}, which was {known.progress.phase}")
    return {"changed": True, "outcome": None, "reason": "", "runs": True, "release_id": known.progress.release_id}


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
        if record is not None and named in (None, name):
            told.append(status(record, records.entries(way.session, record), holder_of(way, name)))
            for line in matrix(told[-1]):
                ask.caller.live_emit(line)
    return {"changed": False, "fleets": told, "lines": [matrix(one) for one in told]}


def stop(ask: Ask) -> JSON:
    """Set the stop sign where this target keeps the fleet's record: everybody goes back. A fleet that nobody runs is taken over."""
    way = ask.way(ask.target)
    record = records.load(way.session, way.namespace, ask.name)
    if record is None or not record.unfinished:
        return {"changed": False, "found": False, "taken": False, "reason": "no fleet of this name is under way here"}
    if ask.check_mode:
        return {"changed": True, "found": True, "taken": False, "home": ask.target, "reason": "check mode: nothing was changed"}
    reason = ask.reason or "no reason given"
    sign = {"scope": "all", "reason": reason, "cause": "abort", "by": ask.by, "at": now(), "target": None, "wave": None}
    before = record.stop
    record.stop = records.put_stop(way.session, record, sign)
    found: JSON = {"changed": record.stop != before, "found": True, "home": ask.target, "stopped": record.stop}
    if is_alive(way, ask.name, ask.caller.process.sleep, seconds=ALIVE_SECONDS):
        return {**found, "taken": False, "reason": "its run stops everybody within one look, and brings them back"}
    lease = take_lease(ask, way, ask.name, by_force=True)
    go_on(ask, way, record, lease)
    return {**found, "taken": True, "reason": "nobody runs it: this run brings everybody back"}


def word(ask: Ask) -> JSON:
    """Agree to a wave, or do not: the one that is named, else the first that waits for people."""
    way = ask.way(ask.target)
    record = records.load(way.session, way.namespace, ask.name)
    if record is None or not record.unfinished:
        return {"changed": False, "found": False, "reason": "no fleet of this name is under way here"}
    asked = [record.fleet.waves[number].group for number in waves_left(record) if record.fleet.waves[number].approve]
    group = str(ask.options.get("wave") or next((one for one in asked if one not in record.approvals), ""))
    if group not in asked:
        reason = f"no wave of {record.name} waits for an approval by that name; {', '.join(asked) or 'none'} will"
        return {"changed": False, "found": False, "reason": reason}
    agrees = ask.command == "approve"
    said = {"agrees": agrees, "by": ask.by, "reason": ask.reason, "at": now()}
    after = records.put_approval(way.session, record, group, said)
    if not agrees:
        why = f"{group} was rejected: {ask.reason or 'no reason given'}"
        sign = {"scope": "all", "reason": why, "cause": "abort", "by": ask.by, "at": now(), "target": None, "wave": None}
        records.put_stop(way.session, record, sign)
    first = after[group]
    return {
        "changed": first == said,
        "found": True,
        "reason": f"{group} was {'agreed to' if first['agrees'] else 'rejected'} by {first['by']}",
    }
