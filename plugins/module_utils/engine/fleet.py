# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb fleet: what is done once for all targets. What is done in one of them is engine.fleet_admit and engine.fleet_target.

No command but plan and begin fails a task: ansible-playbook would take the host out of the play before it is returned. What went wrong
is in the result, and the last task of the playbook fails the job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cluster import lease as leases
from ..cluster.errors import ClusterError, Superseded, Unreachable
from ..fleet import calendars
from ..fleet import record as records
from ..fleet.member import Home
from ..fleet.people import awaits_people, has_begun, people_spec
from ..fleet.record import BAKING, DONE, Entry, FleetRecord, Pen, Progress, waves_left
from ..fleet.spec import FleetSpec
from ..fleet.standing import conclude, matrix, must_return, status
from ..fleet.train import lines
from ..release.ending import PARKED, PROMOTED
from ..release.plan import difference
from ..release.record import new_release_id, now
from ..release.spec import SpecError
from ..release.target import Refused
from ..release.values import Problem
from ..traffic.route import RouteError, fence_token
from .fleet_admission import images, not_admitted
from .fleet_admit import admit
from .fleet_ask import Ask, Way, holder_of
from .fleet_border import BorderWait, crossing, how_to_approve, starters, word
from .fleet_outside import fleets, go_on, let_go, stop, take_lease
from .fleet_target import AtWork

JSON = dict[str, Any]
POLL_SECONDS = 1.0
ENDING_SECONDS = 900.0
HOME_SECONDS = 300.0
UNFINISHED = "unfinished"
RAISES = ("plan", "begin", "admit", "status", "stop", "let_go")
ANSWERS = ("approve", "reject")  # who may not is told; a home that does not answer is another host's


def run(ask: Ask) -> JSON:
    """Do what the command says. Raises SpecError, Refused and ClusterError for RAISES alone, Refused for ANSWERS."""
    command = COMMANDS[ask.command]
    if ask.command in RAISES:
        return command(ask)
    if ask.check_mode and ask.command not in ANSWERS:
        return {"changed": False, "enters": False, "returns": [], "outcome": None, "reason": "check mode: nothing was changed"}
    nothing: JSON = {"changed": False, "enters": False, "returns": [], "target": ask.target, "state": None, "outcome": UNFINISHED}
    try:
        return _patiently(ask, command)
    except (SpecError, Refused, ClusterError, RouteError) as error:
        if isinstance(error, Refused) and ask.command in ANSWERS:
            raise
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
    people_spec(ask.given)
    for line in lines(fleet, ask.caller.process.clock()):
        ask.caller.live_emit(line)
    return {"changed": False, "home": fleet.home}


def begin(ask: Ask) -> JSON:
    """Begin the fleet, or go on with one that has not ended; refused with nothing changed when one target is."""
    fleet = ask.fleet()
    admissions = {one["target"]: one for one in ask.options.get("admissions") or [] if one and "target" in one}
    way = ask.way(ask.where())
    known = records.load(way.session, way.namespace, fleet.name)
    if known is not None and known.unfinished:
        _same_plan(known, fleet, admissions)
    returns = known is not None and known.unfinished and (known.stop is not None or known.progress.phase == records.RETURNING)
    if not returns and (problems := not_admitted(fleet, admissions)):
        raise Refused(problems)
    freezes = {wave.group: calendars.of_targets(wave.targets, admissions) for wave in fleet.waves}
    if not (known and known.unfinished):
        _foresee(ask, fleet, freezes)
    nothing: JSON = {"changed": False, "runs": False, "waves": []}
    if ask.check_mode:
        return {**nothing, "outcome": None, "reason": "check mode: every target was checked, nothing was changed"}
    if not (known and known.unfinished) and all(one["outcome"] == PROMOTED for one in admissions.values()):
        return {**nothing, "outcome": PROMOTED, "reason": f"every target runs {images(admissions)} already"}
    waves = [
        {"group": wave.group, "waits": wave.waits or bool(freezes[wave.group]), "freezes": freezes[wave.group]} for wave in fleet.waves
    ]
    last = holder_of(way, fleet.name)
    lease = take_lease(ask, way, fleet.name)
    known = records.load(way.session, way.namespace, fleet.name)
    if known is not None and known.unfinished:
        return {**go_on(ask, way, known, lease, last), "waves": waves}
    progress = Progress(
        new_release_id(fleet.name),
        images(admissions),
        {target: {key: one.get(key) for key in ("cluster_uid", "namespace", "plan", "image")} for target, one in admissions.items()},
        [{"state": records.WAITING, "started_at": None, "ended_at": None} for _wave in fleet.waves],
        by=ask.by,
    )
    token = fence_token(progress.release_id, lease.epoch)
    people = {"started_by": starters(fleet, way.session, ask.by)}
    records.create(way.session, way.namespace, fleet, progress, token=token, replacing=known, people=people)
    pen = Pen(way.session, way.namespace, fleet.name, token)
    for target, one in admissions.items():
        if not one["reachable"]:
            pen.entry(Entry(target, fleet.wave_of(target), records.SKIPPED, None, f"left out: {one['reason']}"))
    ask.caller.live_emit(f"{fleet.name}: fleet {progress.release_id} begins with {fleet.waves[0].group}")
    return {"changed": True, "outcome": None, "reason": "", "runs": True, "release_id": progress.release_id, "waves": waves}


def _foresee(ask: Ask, fleet: FleetSpec, freezes: dict[str, list[JSON]]) -> None:
    """Say which freezes the waves would meet. Raises Refused where one of them would keep the fleet half-way."""
    known = {group: calendars.read(found) for group, found in freezes.items()}
    found = calendars.foresee(fleet, known, ask.caller.process.clock(), people_spec(ask.given).freeze_seconds)
    for line in found.lines:
        ask.caller.live_emit(line)
    if found.problems:
        raise Refused(list(found.problems))


def _same_plan(known: FleetRecord, fleet: FleetSpec, admissions: dict[str, JSON]) -> None:
    """Raises Refused where the fleet that has not ended had another plan."""
    changed = difference(known.fleet.to_dict(), fleet.to_dict())
    for target, one in admissions.items():
        before = known.progress.targets.get(target) or {}
        if one.get("plan") and before.get("plan") and one["plan"] != before["plan"]:
            was = before.get("image")
            what = f"image {was} -> {one['image']}" if one["image"] != was else "another release description"
            changed.append(f"{target}: {what}")
    if changed:
        allowed = f"the plan that fleet {known.progress.release_id} began with, or abort it first; changed: {'; '.join(changed)}"
        raise Refused([Problem("release_name", known.name, allowed)])


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
    """Begin a wave, once those before it are done, its hours have begun, no freeze lasts and people agree; and note who let it begin, and why."""
    home, record = ask.home()
    number = ask.wave(record)
    wave, found = record.fleet.waves[number], records.entries(home.session, record)
    if not _may_enter(record, number):
        return {"changed": False, "enters": False, "reason": f"{wave.group} is {record.progress.waves[number]['state']}"}
    state = record.progress.waves[number]
    if not has_begun(record, wave.group):
        if (wave.waits or ask.options.get("freezes")) and (refused := BorderWait(ask, home, record, number).alone()):
            state["held"] = refused
            _write(ask, home, record.progress)
            return {"changed": False, "enters": False, "reason": refused}
        state.pop("held", None)
        state["crossing"] = crossing(ask, home, home.read(), number)
    touched = [target for target, entry in found.items() if entry.wave < number and entry.state == records.PROMOTED and not entry.unchanged]
    mine = [target for target in wave.targets if found[target].state != records.SKIPPED]
    state.update(state=records.RUNNING, started_at=state["started_at"] or now())
    _write(ask, home, record.progress)
    share = "" if wave.share_percent is None else f", {wave.share_percent:g} % of the world with it"
    ask.caller.live_emit(f"{record.name}: {wave.group} begins in {', '.join(mine)}{share}")
    return {"changed": True, "enters": True, "reason": "", "targets": mine, "at_work": [*touched, *mine]}


def _may_enter(record: FleetRecord, number: int) -> bool:
    left = waves_left(record)
    return record.progress.phase == records.RUNNING and record.stop is None and bool(left) and left[0] == number


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
        since = ask.caller.process.clock()
        wave, state = record.fleet.waves[number], record.progress.waves[number]
        state["baking"] = state.get("baking") or {"since": since, "until": wave.bake_until(since)}
        state["state"] = BAKING
        _write(ask, home, record.progress)
        following = number + 1
        if following < len(record.fleet.waves) and awaits_people(record, following, since):
            ask.caller.live_emit(f"{record.name}: {record.fleet.waves[following].group} will ask for approvals: {how_to_approve(ask)}")
        return {"changed": True, "bakes": wave.bakes, "reason": ""}
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
    told = status(home.read(), found, ask.caller.process.clock())
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
            told = status(record, records.entries(way.session, record), ask.caller.process.clock(), alive)
            return {"changed": False, "outcome": told["outcome"], "reason": told["reason"], "fleet": told, "next": []}
        ask.caller.process.sleep(POLL_SECONDS)


def _in_target(what: Callable[[AtWork, Ask], JSON]) -> Callable[[Ask], JSON]:
    return lambda ask: what(AtWork(ask), ask)


COMMANDS: dict[str, Callable[[Ask], JSON]] = {
    "plan": plan,
    "admit": admit,
    "begin": begin,
    "border": _in_target(lambda at, ask: at.border(ask.wave(at.record))),
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
    "let_go": let_go,
    "approve": word,
    "reject": word,
}
