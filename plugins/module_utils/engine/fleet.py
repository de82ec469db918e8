# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb fleet: what is done once for all targets. What is done in one of them is engine.fleet_target.

No command but plan and begin fails a task: ansible-playbook would take the host out of the play before it is returned. What went wrong
is in the result, and the last task of the playbook fails the job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cluster import lease as leases
from ..cluster.errors import ClusterError, Superseded, Unreachable
from ..fleet import record as records
from ..fleet.member import Heartbeat, Home
from ..fleet.record import Entry, FleetRecord, Pen, Progress
from ..fleet.spec import FleetSpec, lines
from ..fleet.standing import BAKING, DONE, conclude, matrix, must_return, status, waves_left
from ..release.ending import PARKED, PROMOTED, REFUSED
from ..release.plan import difference
from ..release.record import new_release_id, now
from ..release.spec import SpecError
from ..release.target import Refused
from ..release.values import Problem
from ..traffic.route import RouteError, fence_token
from .fleet_ask import Ask, Way, holder_of
from .fleet_outside import fleets, go_on, stop, take_lease, word
from .fleet_target import APPROVAL_SECONDS, AtWork, admit, awaits_people

JSON = dict[str, Any]
POLL_SECONDS = 1.0
ENDING_SECONDS = 900.0
HOME_SECONDS = 300.0
UNFINISHED = "unfinished"


def run(ask: Ask) -> JSON:
    """Do what the command says. Raises SpecError, Refused and ClusterError for plan, begin, status and stop alone."""
    command = COMMANDS[ask.command]
    if ask.command in ("plan", "begin", "admit", "status", "stop"):
        return command(ask)
    if ask.check_mode:
        return {"changed": False, "enters": False, "returns": [], "outcome": None, "reason": "check mode: nothing was changed"}
    nothing: JSON = {"changed": False, "enters": False, "returns": [], "target": ask.target, "state": None, "outcome": UNFINISHED}
    try:
        return _patiently(ask, command)
    except (SpecError, Refused, ClusterError, RouteError) as error:
        ask.caller.live_emit(f"{ask.target}: {ask.command}: {error}")
        return {**nothing, "reason": f"{error}; the fleet is unfinished: run it again to go on, or abort it"}


def _patiently(ask: Ask, command: Callable[[Ask], JSON]) -> JSON:
    """Do it; while the fleet's home does not answer, do it again: every command may be repeated."""
    until, said = ask.caller.process.clock() + HOME_SECONDS, False
    while True:
        try:
            return command(ask)
        except Unreachable as error:
            if ask.caller.process.clock() >= until or ask.caller.process.why_stop():
                raise
            if not said:
                said = True
                ask.caller.live_emit(f"{ask.target}: {ask.command}: trying again for {HOME_SECONDS:.0f} s: {error}")
            ask.caller.process.sleep(POLL_SECONDS)


def plan(ask: Ask) -> JSON:
    """Read and check what the variables say of the fleet, and print it. No cluster is asked."""
    fleet = ask.fleet()
    for line in lines(fleet):
        ask.caller.live_emit(line)
    waves = [{"group": wave.group, "targets": list(wave.targets)} for wave in fleet.waves]
    return {"changed": False, "home": fleet.home, "waves": waves}


def begin(ask: Ask) -> JSON:
    """Begin the fleet, or go on with one that has not ended; refused with nothing changed when one target is."""
    fleet = ask.fleet()
    admissions = {one["target"]: one for one in ask.options.get("admissions") or [] if one and "target" in one}
    way = ask.way(ask.where())
    known = records.load(way.session, way.namespace, fleet.name)
    if known is not None and known.unfinished:
        _same_plan(known, fleet, admissions)
    returns = known is not None and known.unfinished and (known.stop is not None or known.progress.phase == records.RETURNING)
    if not returns and (problems := _not_admitted(fleet, admissions)):
        raise Refused(problems)
    if ask.check_mode:
        return {"changed": False, "outcome": None, "reason": "check mode: every target was checked, nothing was changed", "runs": False}
    if not (known and known.unfinished) and all(one["outcome"] == PROMOTED for one in admissions.values()):
        image = next(iter(admissions.values()))["image"]
        return {"changed": False, "outcome": PROMOTED, "reason": f"every target runs {image} already", "runs": False}
    lease = take_lease(ask, way, fleet.name)
    known = records.load(way.session, way.namespace, fleet.name)
    if known is not None and known.unfinished:
        return go_on(ask, way, known, lease)
    progress = Progress(
        new_release_id(fleet.name),
        next((one["image"] for one in admissions.values() if one.get("image")), ""),
        {target: {key: one.get(key) for key in ("cluster_uid", "namespace", "plan")} for target, one in admissions.items()},
        [{"state": records.WAITING, "started_at": None, "ended_at": None} for _wave in fleet.waves],
        by=ask.by,
    )
    token = fence_token(progress.release_id, lease.epoch)
    records.create(way.session, way.namespace, fleet, progress, token=token, replacing=known)
    pen = Pen(way.session, way.namespace, fleet.name, token)
    for target, one in admissions.items():
        if not one["reachable"]:
            pen.entry(Entry(target, fleet.wave_of(target), records.SKIPPED, None, f"left out: {one['reason']}"))
    ask.caller.live_emit(f"{fleet.name}: fleet {progress.release_id} begins with {fleet.waves[0].group}")
    return {"changed": True, "outcome": None, "reason": "", "runs": True, "release_id": progress.release_id}


def _same_plan(known: FleetRecord, fleet: FleetSpec, admissions: dict[str, JSON]) -> None:
    """Raises Refused where the fleet that has not ended had another plan."""
    changed = difference(known.fleet.to_dict(), fleet.to_dict())
    for target, one in admissions.items():
        before = known.progress.targets.get(target) or {}
        if one.get("plan") and before.get("plan") and one["plan"] != before["plan"]:
            what = (
                f"image {known.progress.image} -> {one['image']}" if one["image"] != known.progress.image else "another release description"
            )
            changed.append(f"{target}: {what}")
    if changed:
        allowed = f"the plan that fleet {known.progress.release_id} began with, or abort it first; changed: {'; '.join(changed)}"
        raise Refused([Problem("release_name", known.name, allowed)])


def _not_admitted(fleet: FleetSpec, admissions: dict[str, JSON]) -> list[Problem]:
    """What keeps the fleet from beginning, with the target's name."""
    problems: list[Problem] = []
    seen: dict[tuple[str, str], str] = {}
    for target in fleet.targets:
        one = admissions.get(target)
        if one is None:
            problems.append(Problem(target, None, "was not checked: its task failed; see above"))
        elif not one["reachable"]:
            if fleet.on_unreachable != "skip":
                allowed = f"a cluster that answers ({one['reason']}); or release_on_unreachable: skip, to go on without it"
                problems.append(Problem(target, "unreachable", allowed))
        elif one["outcome"] == REFUSED:
            problems += [Problem(target, None, each) for each in one["problems"]]
        else:
            place = (one["cluster_uid"], one["namespace"])
            if (other := seen.setdefault(place, target)) != target:
                allowed = f"another cluster or namespace than {other}'s: both are namespace {place[1]} of the cluster with UID {place[0]}"
                problems.append(Problem(f"{target}: release_namespace", place[1], allowed))
    if not any(one["reachable"] for one in admissions.values()):
        problems.append(Problem("release_waves", [wave.group for wave in fleet.waves], "at least one target that answers"))
    return problems


def _write(ask: Ask, home: Home, progress: Progress) -> None:
    """Write where the fleet is, with patience: for nothing else tells the next run."""
    until = ask.caller.process.clock() + ENDING_SECONDS
    while True:
        try:
            return home.pen.progress(progress)
        except Unreachable:
            if ask.caller.process.clock() > until or ask.caller.process.why_stop():
                raise
            ask.caller.process.sleep(POLL_SECONDS)


def enter(ask: Ask) -> JSON:
    """Begin a wave, once the waves before it are done and, where it asks for that, somebody has agreed."""
    home, record = ask.home()
    number = ask.wave(record)
    wave, found = record.fleet.waves[number], records.entries(home.session, record)
    if not _may_enter(record, number):
        return {"changed": False, "enters": False, "reason": f"{wave.group} is {record.progress.waves[number]['state']}"}
    if wave.approve and (refused := _await_approval(ask, home, wave.group)):
        return {"changed": False, "enters": False, "reason": refused}
    touched = [target for target, entry in found.items() if entry.wave < number and entry.state == records.PROMOTED and not entry.unchanged]
    mine = [target for target in wave.targets if found[target].state != records.SKIPPED]
    state = record.progress.waves[number]
    state.update(state=records.RUNNING, started_at=state["started_at"] or now())
    _write(ask, home, record.progress)
    share = "" if wave.share_percent is None else f", {wave.share_percent:g} % of the world with it"
    ask.caller.live_emit(f"{record.name}: {wave.group} begins in {', '.join(mine)}{share}")
    return {"changed": True, "enters": True, "reason": "", "targets": mine, "at_work": [*touched, *mine]}


def _may_enter(record: FleetRecord, number: int) -> bool:
    left = waves_left(record)
    return record.progress.phase == records.RUNNING and record.stop is None and bool(left) and left[0] == number


def _await_approval(ask: Ask, home: Home, group: str) -> str:
    """Wait until somebody agrees to the wave; why it does not begin, empty when it may. Here release.approvals has its place."""
    heart, said = Heartbeat(home, ask.caller.process.clock), False
    until = ask.caller.process.clock() + float(ask.given.get("release_approval_seconds") or APPROVAL_SECONDS)
    while True:
        record = home.read()
        heart.beat()
        if record.stop is not None:
            return f"the fleet was stopped by {record.stop['by']}: {record.stop['reason']}"
        if (one := record.approvals.get(group)) is not None:
            return "" if one["agrees"] else f"{group} was rejected by {one['by']}"
        if why := ask.caller.process.why_stop():
            return why
        if ask.caller.process.clock() >= until:
            return f"nobody has agreed to {group} in time (release_approval_seconds)"
        if not said:
            said = True
            _tell_people(ask, group)
        ask.caller.process.sleep(POLL_SECONDS)


def _tell_people(ask: Ask, group: str) -> None:
    ask.caller.live_emit(
        f"{ask.name}: {group} waits for an approval: ansible-playbook progressive.delivery.approve -e release_name={ask.name}"
    )


def rest(ask: Ask) -> JSON:
    """All of a wave are released: note it, and say whether the fleet goes on to the bake."""
    home, record = ask.home()
    number = ask.wave(record)
    found = records.entries(home.session, record)
    for target in record.fleet.waves[number].targets:
        entry = found[target]
        if not entry.is_settled and entry.outcome != PARKED and record.stop is None:
            entry.failed, entry.reason = True, entry.reason or "its task ended without a result"
            home.pen.entry(entry)
            sign = {"scope": "all", "cause": "task", "by": target, "at": now(), "target": target, "wave": number}
            record.stop = records.put_stop(home.session, record, {**sign, "reason": entry.reason})
    parked = [target for target in record.fleet.waves[number].targets if found[target].outcome == PARKED]
    if record.stop is None and not parked:
        record.progress.waves[number]["state"] = BAKING
        _write(ask, home, record.progress)
        asks = awaits_people(record, number + 1)
        if asks:
            _tell_people(ask, record.fleet.waves[number + 1].group)
        return {"changed": True, "bakes": asks or record.fleet.waves[number].bake_seconds > 0, "reason": ""}
    return {"changed": False, "bakes": False, "reason": record.stop["reason"] if record.stop else f"parked in {', '.join(parked)}"}


def leave(ask: Ask) -> JSON:
    """The wave has baked: it is done, unless the fleet was stopped meanwhile."""
    home, record = ask.home()
    number = ask.wave(record)
    if record.stop is not None or record.progress.waves[number]["state"] != BAKING:
        return {"changed": False, "reason": record.stop["reason"] if record.stop else ""}
    record.progress.waves[number].update(state=DONE, ended_at=now())
    _write(ask, home, record.progress)
    ask.caller.live_emit(f"{record.name}: {record.fleet.waves[number].group} is done")
    return {"changed": True, "reason": ""}


def turn(ask: Ask) -> JSON:
    """Who has to go back, newest wave first; nobody while nothing was stopped and nobody has failed."""
    home, record = ask.home()
    found = records.entries(home.session, record)
    waves = []
    for number in reversed(range(len(record.fleet.waves))):
        targets = [target for target in record.fleet.waves[number].targets if must_return(record, found[target])]
        if targets:
            waves.append({"group": record.fleet.waves[number].group, "targets": targets})
    if record.stop is not None and record.progress.phase != records.RETURNING:
        record.progress.phase = records.RETURNING
        _write(ask, home, record.progress)
        ask.caller.live_emit(f"{record.name}: stopped by {record.stop['by']}: {record.stop['reason']}")
    if waves:
        ask.caller.live_emit(f"{record.name}: goes back in {', then '.join(', '.join(wave['targets']) for wave in waves)}")
    return {"changed": bool(waves), "returns": waves}


def end(ask: Ask) -> JSON:
    """Note how it ended, and give the Lease back. The record of a fleet that somebody else runs is waited for and told."""
    way = ask.way(ask.where())
    try:
        home, record = ask.home()
    except Superseded:
        return _other_ending(ask, way)
    found = records.entries(home.session, record)
    progress = record.progress
    progress.phase, outcome, progress.reason = conclude(record, found)
    progress.outcome = outcome
    if progress.phase == records.ENDED:
        progress.ended_at = now()
        for number, state in enumerate(progress.waves):
            if state["state"] != DONE:
                begun = state["started_at"] is not None
                state.update(state=records.RETURNED if begun else records.SKIPPED, ended_at=now() if begun else None)
            elif any(found[target].state == records.RETURNED for target in record.fleet.waves[number].targets) and record.stop:
                state["state"] = records.RETURNED
    _write(ask, home, progress)
    lease = leases.look(home.session, home.namespace, records.lease_name(record.name))
    if lease is not None and lease["spec"].get("holderIdentity") == ask.holder:
        home.session.delete("Lease", home.namespace, records.lease_name(record.name), uid=lease["metadata"]["uid"])
    told = status(home.read(), found)
    for line in matrix(told):
        ask.caller.live_emit(line)
    return {
        "changed": False,
        "outcome": outcome,
        "reason": progress.reason,
        "fleet": told,
        "next": [ask.caller.playbook("status", record.name)],
    }


def _other_ending(ask: Ask, way: Way) -> JSON:
    """The ending of a fleet that another run brings to it."""
    until = ask.caller.process.clock() + ENDING_SECONDS
    while True:
        record = records.load(way.session, way.namespace, ask.name)
        if record is None:
            return {"changed": False, "outcome": None, "reason": f"there is no record of fleet {ask.name}", "fleet": None, "next": []}
        alive = holder_of(way, ask.name)
        if not record.unfinished or alive is None or alive["is_dead"] or ask.caller.process.clock() > until:
            told = status(record, records.entries(way.session, record), alive)
            return {"changed": False, "outcome": told["outcome"], "reason": told["reason"], "fleet": told, "next": []}
        ask.caller.process.sleep(POLL_SECONDS)


def _in_target(what: Callable[[AtWork, Ask], JSON]) -> Callable[[Ask], JSON]:
    return lambda ask: what(AtWork(ask), ask)


COMMANDS: dict[str, Callable[[Ask], JSON]] = {
    "plan": plan,
    "admit": admit,
    "begin": begin,
    "enter": enter,
    "release": _in_target(lambda at, ask: at.release(ask.wave(at.record))),
    "rest": rest,
    "bake": _in_target(lambda at, ask: at.bake(ask.wave(at.record))),
    "leave": leave,
    "turn": turn,
    "return": _in_target(lambda at, ask: at.go_back()),
    "end": end,
    "status": fleets,
    "stop": stop,
    "approve": word,
    "reject": word,
}
