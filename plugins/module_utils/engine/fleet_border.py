# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The border of a wave: its hours, freezes and the people who have to agree are waited for, and who let it begin is noted."""

from __future__ import annotations

import contextlib
import math
from typing import Any

from ..cluster.errors import ClusterError, Unreachable
from ..cluster.session import Session
from ..fleet import record as records
from ..fleet.calendars import Frozen, frozen, goes_back, read
from ..fleet.member import Heartbeat, Home
from ..fleet.people import (
    GRACE_SECONDS,
    Border,
    agreed,
    awaits_people,
    border,
    closed_until,
    fresh,
    moment_of,
    people_spec,
    steps_of,
    waited_for,
    waiting_for,
    with_freeze,
)
from ..fleet.record import FleetRecord
from ..fleet.spec import FleetSpec
from ..release.approval_entry import About
from ..release.approval_places import Places
from ..release.approval_words import decided, iso, rejection, stands, with_outside
from ..release.commands import Effect, effect
from ..release.control_spec import PARK
from ..release.freezes import CHECK_SECONDS
from ..release.record import now
from ..release.target import Refused
from ..release.values import Problem, spoken_seconds
from .fleet_ask import Ask, is_mine

JSON = dict[str, Any]
POLL_SECONDS = 1.0
SPEAKER_SECONDS = 10.0  # between two looks at who of those who watch speaks for all
REJECTED, NO_APPROVAL, FREEZE = "rejected", "no_approval", "freeze"  # causes of a stop sign


class BorderWait:
    """Waits for one wave. Many may watch meanwhile: the first of them who is well hears what people say, and notes it for all."""

    def __init__(self, ask: Ask, home: Home, record: FleetRecord, number: int) -> None:
        self._ask, self._home, self._number = ask, home, number
        self._settings = people_spec(ask.given)
        self.group = record.fleet.waves[number].group
        progress, clock = record.progress, ask.caller.process.clock
        about = About(home.namespace, home.name, progress.release_id, progress.image, self.group, 100)
        self._places = Places(home.session, self._settings.sources, about, clock, self._warn)
        self._calendars = read(ask.options.get("freezes"))
        self._met: Frozen | None = None
        self._calendars_at = 0.0  # Unix time at which they are asked again
        self._said = ""
        self._speaks, self._asked_at = False, -SPEAKER_SECONDS

    def is_over(self, record: FleetRecord) -> bool:
        """For one who watches: whether nobody need wait any more, for the wave may begin, or never will in time."""
        if self._is_speaker(record):
            record = self.hear(record)
        else:
            record.people = with_freeze(record.people, self.group, self._freeze(), self._now)
        found = border(record, self._number, self._now)
        return found.is_open or found.is_late or record.stop is not None or bool(self._too_long(found))

    def alone(self) -> str:
        """Wait with nobody else; why the wave does not begin, empty when it may."""
        heart, process = Heartbeat(self._home, self._ask.caller.process.clock), self._ask.caller.process
        while True:
            heart.beat()
            record = self.hear(self._home.read())
            if record.stop is not None:
                return f"the fleet was stopped by {record.stop['by']}: {record.stop['reason']}"
            found = border(record, self._number, self._now, grace=GRACE_SECONDS)
            if found.is_open:
                return ""
            if found.is_late:
                return self._nobody_came(record)
            if too_long := self._too_long(found):
                return self._stays_frozen(record, too_long)
            if why := process.why_stop():
                return why
            process.sleep(POLL_SECONDS)

    def hear(self, record: FleetRecord) -> FleetRecord:
        """Note which freeze lasts, what people say by now, and since when they are waited for; the record with that."""
        asks = awaits_people(record, self._number, self._now)
        heard = self._places.hear() if asks else None
        if self._changed(record, heard) != record.people:
            record.people = records.change_people(self._home.session, record, lambda people: self._changed(record, heard, people))
        if asks:
            found = stands(record.people, steps_of(record), self.group, self._now)
            if found.rejected:
                record.stop = self._stop(record, REJECTED, rejection(self.group, found.rejected), found.rejected.by)
        self._tell(record)
        return record

    @property
    def _now(self) -> float:
        return self._ask.caller.process.clock()

    def _changed(self, record: FleetRecord, heard: list[Any] | None, people: JSON | None = None) -> JSON:
        """What stands of people, with what was heard. They are waited for from when nothing else keeps the wave from beginning."""
        moment, met = self._now, self._freeze()
        found = with_freeze(fresh(record, record.people if people is None else people, moment), self.group, met, moment)
        if not awaits_people(record, self._number, moment):
            return found
        if heard is not None:
            found = with_outside(found, self.group, heard, moment)
        found = decided(found, self.group, stands(found, steps_of(record), self.group, moment))
        if (found.get("waiting") or {}).get("step") != self.group and not closed_until(record, self._number, moment) and not met:
            found["waiting"] = {"step": self.group, "since": moment, "until": moment + self._settings.approval_seconds}
        return found

    def _freeze(self) -> Frozen | None:
        """The freeze that keeps the wave from beginning, as the calendars of its targets have it by now."""
        if self._now >= self._calendars_at:
            self._met = frozen(self._calendars, self._now)
            self._calendars_at = min(self._now + CHECK_SECONDS, self._met.until if self._met else math.inf)
        return self._met

    def _too_long(self, found: Border) -> str:
        """Why a freeze that keeps the wave from beginning is not waited for; empty when it is, or there is none."""
        return self._met.too_long(self._now, self._settings.freeze_seconds) if found.is_frozen and self._met else ""

    def _is_speaker(self, record: FleetRecord) -> bool:
        if self._now - self._asked_at >= SPEAKER_SECONDS:
            self._asked_at = self._now
            with contextlib.suppress(Unreachable):
                found = records.entries(self._home.session, record).values()
                well = [one.target for one in found if one.wave < self._number and one.state == records.PROMOTED and not one.unchanged]
                self._speaks = well[:1] == [self._ask.target]
        return self._speaks

    def _tell(self, record: FleetRecord) -> None:
        found = border(record, self._number, self._now)
        if found.said == self._said:
            return
        self._said = found.said
        if found.is_open:
            who = agreed(record, self.group, self._now)
            self._emit(f"{self.group} may begin{': ' + who['by'] + ' agreed' if who else ''}")
        else:
            how = f": {how_to_approve(self._ask)}" if awaits_people(record, self._number, self._now) else ""
            self._emit(f"{self.group} waits for {found.said}{how}")

    def _nobody_came(self, record: FleetRecord) -> str:
        """People had their time: the fleet parks, or everybody goes back."""
        waiting = waiting_for(record, self.group) or {"since": self._now}
        said = stands(record.people, steps_of(record), self.group, self._now).said
        words = f"nobody agreed to {self.group} within {spoken_seconds(self._now - waiting['since'])} ({said})"
        if self._settings.on_no_approval == PARK:  # the next run waits anew
            records.change_people(self._home.session, record, lambda people: {key: one for key, one in people.items() if key != "waiting"})
        else:
            self._stop(record, NO_APPROVAL, f"{words}; release_on_no_approval is {self._settings.on_no_approval}", self.group)
        return words

    def _stays_frozen(self, record: FleetRecord, why: str) -> str:
        """A freeze lasts longer than the wave waits: the fleet parks, or everybody goes back."""
        words = f"{self.group} does not begin in {why}"
        if self._met and goes_back(self._met):
            self._stop(record, FREEZE, f"{words}; release_on_freeze is roll_back", self.group)
        return words

    def _stop(self, record: FleetRecord, cause: str, reason: str, by: str) -> JSON:
        return records.put_stop(self._home.session, record, everybody(cause, reason, by))

    def _emit(self, words: str) -> None:
        self._ask.caller.live_emit(f"{self._ask.name}: {words}")

    def _warn(self, words: str) -> None:
        self._emit(f"warning: {words}")


def everybody(cause: str, reason: str, by: str) -> JSON:
    """A stop sign for all targets that none of them has set."""
    return {"scope": "all", "reason": reason, "cause": cause, "by": by, "at": now(), "target": None, "wave": None}


def how_to_approve(ask: Ask) -> str:
    """The command to type."""
    return f"ansible-playbook progressive.delivery.approve -e release_name={ask.name}"


def crossing(ask: Ask, home: Home, record: FleetRecord, number: int) -> JSON:
    """Who let a wave begin, when, and on what evidence: what the fleet's record keeps, and each target of the wave in its own."""
    wave, at = record.fleet.waves[number], ask.caller.process.clock()
    found = records.entries(home.session, record)
    before = []
    for passed, state in zip(record.fleet.waves[:number], record.progress.waves):
        serve = [target for target in passed.targets if found[target].state == records.PROMOTED]
        digests = sorted({found[target].digest for target in serve if found[target].digest})
        before.append(
            {"wave": passed.group, "ended_at": state["ended_at"], "baking": state.get("baking"), "serve": serve, "digests": digests}
        )
    made = {
        "fleet": record.progress.release_id,
        "wave": wave.group,
        "at": iso(at),
        "by": ask.by,
        "approved": agreed(record, wave.group, at),
        "hours": wave.begin,
        "freeze": waited_for(record.people, wave.group, at),
        "evidence": before,
    }
    return {key: value for key, value in made.items() if value not in (None, "")}


def starters(fleet: FleetSpec, session: Session, by: str) -> list[str]:
    """Every name of the one who begins a fleet: who runs it, and whom the API server of its home sees where others have to approve."""
    asked = [wave.approve for wave in fleet.waves if wave.approve is not None and not wave.approve.starter_may]
    try:
        return list(dict.fromkeys([by, session.user()])) if asked else [by]
    except ClusterError:
        return [by]  # Kubernetes before 1.28 does not tell


def word(ask: Ask) -> JSON:
    """Agree to a wave, or do not: the one that is named, else the first that waits for people. Raises Refused for who is not asked."""
    way, at = ask.way(ask.target), ask.caller.process.clock()
    record = records.load(way.session, way.namespace, ask.name)
    if record is None or not record.unfinished or not is_mine(ask, record):
        return {"changed": False, "found": False, "reason": "no fleet of this name is under way here"}
    asked = [record.fleet.waves[number].group for number in records.waves_left(record) if record.fleet.waves[number].approve]
    named = ask.options.get("wave")
    group = record.fleet.asked(str(named)) if named else next((one for one in asked if agreed(record, one, at) is None), "")
    if group not in asked:
        reason = f"no wave of {record.name} waits for an approval by that name; {', '.join(asked) or 'none'} will"
        return {"changed": False, "found": False, "reason": reason}
    body = {"command": ask.command, "by": ask.by, "reason": ask.reason, "at": iso(at), "step": group}
    moment, found = moment_of(record, at), Effect({})

    def change(people: JSON) -> JSON:
        nonlocal found
        found = effect(fresh(record, people, at), body, moment)
        return people if found.refused or found.rejected or not found.changed else found.control

    if ask.check_mode:
        change(record.people)
    else:
        records.change_people(way.session, record, change)
    if found.refused:
        raise Refused([Problem("command", ask.command, found.refused)])
    if found.rejected and not ask.check_mode:
        records.put_stop(way.session, record, everybody(REJECTED, found.rejected, ask.by))
    return {"changed": found.changed, "found": True, "reason": found.said}
