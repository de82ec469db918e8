# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet does in one target: release it or watch it, bake it, bring it back."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..cluster.errors import ClusterError, Superseded, Unreachable
from ..cluster.session import Session
from ..fleet import record as records
from ..fleet.member import NO_FAULT, Home, Member, is_digest, note_failure, proven
from ..fleet.people import has_begun
from ..fleet.record import Entry, FleetRecord
from ..fleet.spec import SKIP, STOP, WAIT
from ..fleet.standing import must_return
from ..fleet.vigil import Company, Vigil, bake_spec
from ..release import record as releases
from ..release.calendar_spec import FREEZES
from ..release.command import Command
from ..release.ending import PARKED, PASSED, PROMOTED, REFUSED, SILENT, TurnBack
from ..release.saved import spec_from
from ..release.spec import Spec, SpecError
from ..release.target import Refused, Target
from ..report.live import Live
from ..traffic.route import RouteError
from . import commands, native
from .assemble import Caller, source_of
from .fleet_admit import reached, spec_of
from .fleet_ask import Ask
from .fleet_border import BorderWait

JSON = dict[str, Any]
POLL_SECONDS = 1.0
RETURN_VERIFY_SECONDS = 10.0  # the old version is known: its pods are watched for so long before it is home
BEGUN = "fleet"  # the command that begins a release as one of a fleet's


class AtWork:
    """One target of a fleet, in one task of the run that holds the fleet."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.home: Home
        self.home, record = ask.home()
        self.record: FleetRecord = record
        self.entry: Entry = records.entries(self.home.session, record)[ask.target]
        self.process = ask.caller.process
        self.live = Live(ask.caller.live_emit, ask.target, clock=self.process.clock)

    def result(self, **more: Any) -> JSON:
        """What the task gives back."""
        entry = self.entry
        told = {"target": entry.target, "state": entry.state, "outcome": entry.outcome, "reason": entry.reason, "changed": False}
        return {**told, "weight_percent": 0, **more}

    def _in_log(self) -> Live:
        """Says it to people, and to the log of this target's release, from which the report is made."""
        folder, name = self.ask.caller.log_dir, f"{self.entry.release_id}.jsonl"
        path = os.path.join(folder, name) if folder and self.entry.release_id else None
        return Live(self.ask.caller.live_emit, self.ask.target, clock=self.process.clock, log_path=path)

    def note(self, **changed: Any) -> None:
        """Write where the target is. A home that does not answer is told of; the next run finds out by the target's own record."""
        for key, value in changed.items():
            setattr(self.entry, key, value)
        try:
            self.home.pen.entry(self.entry)
        except Superseded:
            raise
        except ClusterError as error:
            self.live.say("warning", f"the fleet's home was not told that {self.entry.target} is {self.entry.state}: {error}")

    def member(self, stage: str) -> Member:
        """Its place among the others, while something lasts."""
        made = Member(self.home, self.entry, self.process, self.ask.caller.live_emit, stage=stage)
        made.no_fault = self._no_fault
        return made.start() if self.ask.aside else made

    def release(self, wave: int) -> JSON:
        """In a target of the wave: release it, then watch it until all of the wave are done. In one of an earlier wave: watch it."""
        member = self.member(f"release:{wave}")
        try:
            result = self._release(member) if self.entry.wave == wave and not self.entry.is_settled else self.result()
            if self.entry.state == records.PROMOTED and not self.entry.unchanged:
                member.stage = f"watch:{wave}"
                self._watch(member, lambda: self._wave_is_done(member, wave))
            return {**result, **self.result(changed=result["changed"])}
        finally:
            member.close()

    def bake(self, wave: int) -> JSON:
        """Watch the target for the wave's time."""
        until = self.record.progress.waves[wave]["baking"]["until"]
        return self._while(f"bake:{wave}", lambda record: self.process.clock() >= until)

    def border(self, wave: int) -> JSON:
        """Watch the target until the next wave may begin: while its hours and people are waited for."""
        if self.record.stop is not None or has_begun(self.record, self.record.fleet.waves[wave].group):
            return self.result()
        if any(one["state"] != records.DONE for one in self.record.progress.waves[:wave]):
            return self.result()
        return self._while(f"border:{wave}", BorderWait(self.ask, self.home, self.record, wave).is_over)

    def _while(self, stage: str, is_over: Callable[[FleetRecord], bool]) -> JSON:
        """Watch the target, where it has the version, until something is over."""
        if self.entry.state != records.PROMOTED or self.entry.unchanged:
            return self.result()
        member = self.member(stage)
        try:
            self._watch(member, lambda: is_over(member.record or self.record))
            return self.result()
        finally:
            member.close()

    def _alike(self) -> list[Entry]:
        """The targets whose versions are the same thing: all of a fleet, of a train those of the service."""
        fleet, found = self.record.fleet, records.entries(self.home.session, self.record)
        return [one for target, one in found.items() if fleet.service_of(target) == fleet.service_of(self.entry.target)]

    def _release(self, member: Member) -> JSON:
        """Run the release to its ending, and note what came of it."""
        way = self.ask.way(self.entry.target)
        if (found := self._known(way.session, member)) is None:
            return self.result()
        spec, known = found
        if known is not None and self._is_promoted(known):  # by a runner that could not say so any more
            self._serves(known.state.image, known.state.digest)
            self.note(state=records.PROMOTED, outcome=PROMOTED, reason=known.state.reason, release_id=known.state.release_id)
            return self.result()
        if known is not None and self._has_failed(known):
            self._settle({"outcome": known.state.outcome, "reason": known.state.reason, "release_id": known.state.release_id}, member)
            return self.result()
        if (stopped := self._await_place(member)) is not None:
            return stopped
        self.note(state=records.RUNNING)
        member.proven = proven(self._alike(), self.entry.wave)
        crossing = self.record.progress.waves[self.entry.wave]["crossing"]
        begun = {"command": BEGUN, "by": self.ask.by, "reason": "", "fleet": self.record.progress.release_id, "crossing": crossing}
        caller = replace(self.ask.caller, fleet=member)
        result = self._start(way.session, spec, caller, begun)
        while self._was_silent(result) and self._answers_again(way.session, member):
            result = self._start(way.session, spec, caller, begun)
        if result["outcome"] == PROMOTED and result.get("release_id"):
            self._serves(result["image"], result["digest"])
        elif result["outcome"] == PROMOTED and known is not None and known.state.image == spec.image:
            self._serves(known.state.image, known.state.digest)  # it was released here before the fleet came
        self._settle(result, member)
        return self.result(changed=bool(result.get("changed")), evidence=result.get("evidence") or {}, next=result.get("next"))

    def _serves(self, image: str, digest: str) -> None:
        """What its pods told of the version when the release ran."""
        self.entry.image, self.entry.digest = image, digest if is_digest(digest) else ""

    @staticmethod
    def _start(session: Session, spec: Spec, caller: Caller, begun: JSON) -> JSON:
        """Run the release, or go on with it. outcome is None where its cluster could not be reached any more."""
        try:
            found = native.start(session, spec, caller, begun=begun)
        except (SpecError, Refused, RouteError) as error:
            only_frozen = isinstance(error, Refused) and {one.field for one in error.problems} == {FREEZES}
            return {"outcome": PARKED if only_frozen else REFUSED, "reason": str(error), "changed": False}
        except ClusterError as error:
            return {"outcome": None, "reason": str(error), "changed": True}
        return {**found, "outcome": None if found["outcome"] == "running" else found["outcome"]}

    @property
    def _no_fault(self) -> tuple[str, ...]:
        """Causes for which a target that went back has not said no: silence is none where it does not stop the fleet."""
        return NO_FAULT if self.record.fleet.on_unreachable == STOP else (*NO_FAULT, SILENT)

    def _known(self, session: Session, member: Member) -> tuple[Spec, releases.Record | None] | None:
        """The release and its record, if there is one; None, and noted, where the target does not tell."""
        while True:
            try:
                reached(self.ask, self.record.fleet, session.cluster_uid)
                spec = spec_of(self.ask, session)
                return spec, releases.load(session, spec.namespace, spec.name)
            except Unreachable as error:
                if self.record.fleet.on_unreachable == WAIT and self._answers_again(session, member):
                    continue
                self._settle({"outcome": None, "reason": str(error)}, member)
            except (SpecError, ClusterError) as error:
                self._settle({"outcome": REFUSED, "reason": str(error)}, member)
            return None

    def _was_silent(self, result: JSON) -> bool:
        """Whether a release has to be tried again, for its target did not answer, and is to be waited for."""
        return self.record.fleet.on_unreachable == WAIT and (result["outcome"] is None or result.get("cause") == SILENT)

    def _answers_again(self, session: Session, member: Member) -> bool:
        """Wait until the target's cluster answers again; False when the fleet, or this run, stops before."""
        self.live.say("wait", f"until {self.entry.target} answers again (release_on_unreachable)")
        while not self.process.why_stop():
            try:
                member.check()
                session.cluster_uid()
                return True
            except TurnBack:
                return False
            except Unreachable:
                self.process.sleep(POLL_SECONDS)
        return False

    def _await_place(self, member: Member) -> JSON | None:
        """Wait until fewer than release_max_concurrent of the targets before this one are at work; a result when the fleet stops before."""
        most = self.record.fleet.max_concurrent
        before = self.record.fleet.waves[self.entry.wave].targets
        before = before[: before.index(self.entry.target)]
        told = False
        while True:
            try:
                member.check()
            except TurnBack as why:
                self.note(reason=why.reason)
                return self.result()
            if why_stop := self.process.why_stop():
                return self.result(reason=why_stop)
            if most is None:
                return None
            found = records.entries(self.home.session, self.record)
            if sum(not found[target].is_settled for target in before) < most:
                return None
            if not told:
                told = True
                self.live.say("wait", f"for one of {most} places (release_max_concurrent)")
            self.process.sleep(POLL_SECONDS)

    def _settle(self, result: JSON, member: Member) -> None:
        """What the end of a release means to the fleet."""
        outcome, reason, release_id = result.get("outcome"), result.get("reason", ""), result.get("release_id", "")
        if result.get("cause") == SILENT and self.record.fleet.on_unreachable == SKIP:
            self.note(state=records.SKIPPED, outcome=outcome, reason=f"left out: {reason}; it went back", release_id=release_id)
            self.live.say("warning", f"{self.entry.target} is left out (release_on_unreachable): {reason}")
        elif outcome in (PROMOTED, PASSED):
            unchanged = not release_id
            self.note(state=records.PROMOTED, outcome=outcome, reason=reason, release_id=release_id, unchanged=unchanged)
        elif outcome == PARKED:
            self.note(outcome=outcome, reason=reason, release_id=release_id)
        elif outcome is None:
            self.note(state=records.UNREACHABLE, outcome=None, reason=reason, release_id=release_id)
            self._unreachable(reason)
        elif self.process.why_stop():  # the run ends: the next one releases this target again
            self.note(state=records.WAITING, outcome=outcome, reason=reason, release_id=release_id)
        else:
            failed = self.entry.failed or not member.was_stopped
            self.note(state=records.RETURNED, outcome=outcome, reason=reason, release_id=release_id, failed=failed)
            if failed:
                self._failed(reason, outcome)

    def _failed(self, reason: str, cause: str) -> None:
        try:
            note_failure(self.home, self.entry, reason, cause)
        except ClusterError as error:
            self.live.say("warning", f"the others were not told: {error}")

    def _unreachable(self, reason: str) -> None:
        """A target that does not answer, by release_on_unreachable: stop is a violation, skip and wait are not."""
        self.live.say("warning", f"{self.entry.target} cannot be reached: {reason}")
        if self.record.fleet.on_unreachable == STOP:
            self.note(failed=True)
            self._failed(f"cannot be reached: {reason}", "unreachable")

    def _is_promoted(self, known: releases.Record) -> bool:
        begun = known.state.control.get("begun") or {}
        ours = begun.get("command") == BEGUN and begun.get("fleet") == self.record.progress.release_id
        return ours and known.state.phase == "ended" and known.state.outcome == PROMOTED

    def _has_failed(self, known: releases.Record) -> bool:
        begun = known.state.control.get("begun") or {}
        ours = begun.get("command") == BEGUN and begun.get("fleet") == self.record.progress.release_id
        return ours and known.state.phase == "ended" and known.state.cause not in self._no_fault

    def _wave_is_done(self, member: Member, wave: int) -> bool:
        record = member.record or self.record
        try:
            found = records.entries(self.home.session, record)
        except Unreachable:
            return False
        return all(found[target].is_settled or found[target].outcome == PARKED for target in record.fleet.waves[wave].targets)

    def _watch(self, member: Member, until: Callable[[], bool]) -> None:
        """Watch a target that was promoted. A violation sets the stop sign; going back is the return's."""
        way = self.ask.way(self.entry.target)
        fleet = self.record.fleet
        lost_after = math.inf if fleet.on_unreachable == WAIT else fleet.unreachable_seconds
        try:
            vigil = self._vigil(way.session, member)
            vigil.linger(until, lost_after_seconds=lost_after)
            if vigil.silent_seconds >= lost_after:
                reason = f"its API server has not answered for {vigil.silent_seconds:.0f} s"
                self.note(state=records.UNREACHABLE, reason=reason)
                self._unreachable(reason)
        except TurnBack as why:
            member.turned_back(why)
            if self.entry.failed:
                self._in_log().say("VIOLATION", f"while it was watched: {why.reason}")
                self.note(reason=why.reason)
            else:
                self.live.say("stopped", why.reason)

    def _vigil(self, session: Session, member: Member) -> Vigil:
        spec = bake_spec(spec_of(self.ask, session))
        known = releases.load(session, spec.namespace, spec.name)
        if known is None:
            raise TurnBack("record", f"the record of release {spec.name} is gone")
        target = replace(Target(**known.target), revision=None)
        return Vigil(session, spec, target, source_of(session, spec, target, self.process), Company(self.live, self.process, member))

    def go_back(self) -> JSON:
        """Bring the target back where it has to go: one that was promoted by a rollback, one that is under way by an abort; verified."""
        if not must_return(self.record, self.entry):
            return self.result()
        stop = self.record.stop or {"by": self.entry.target, "reason": self.entry.reason}
        reason = f"the fleet was stopped by {stop['by']}: {stop['reason']}"
        way = self.ask.way(self.entry.target)
        try:
            result = self._back(way.session, way.namespace, reason)
        except (SpecError, Refused, RouteError) as error:
            result = {"outcome": REFUSED, "reason": str(error), "changed": False}
        except ClusterError as error:
            self.live.say("warning", f"not returned: {error}")
            self.note(state=records.UNREACHABLE, reason=self.entry.reason if self.entry.failed else f"not returned: {error}")
            return self.result(changed=True)
        if result["outcome"] == PARKED or not result["is_home"]:
            self.note(reason=f"not returned: {result['reason']}")
            return self.result(changed=bool(result["changed"]))
        self.live.say("returned", result["reason"])
        kept = self.entry.reason if self.entry.failed else result["reason"]
        self.note(state=records.RETURNED, reason=kept)
        return self.result(changed=bool(result["changed"]))

    def _back(self, session: Session, namespace: str, reason: str) -> JSON:
        """The way back, from where the target's own record says that it is. is_home: the old version has all traffic."""
        name, caller = self.record.fleet.release_of(self.entry.target), self.ask.caller
        known = releases.load(session, namespace, name)
        if known is None:
            return {"is_home": True, "outcome": None, "reason": "it has no record of this release: nothing was changed", "changed": False}
        begun = known.state.control.get("begun") or {}
        if begun.get("fleet") != self.record.progress.release_id:
            return {"is_home": True, "outcome": None, "reason": "this fleet has released nothing here", "changed": False}
        if begun.get("command") == BEGUN and known.unfinished:
            found = native.abort(session, namespace, name, caller, by=self.ask.by, reason=reason)
            if found["outcome"] != PROMOTED:
                return {**found, "is_home": found["outcome"] != PARKED}
            known = native.known_release(session, namespace, name)  # it served everybody already, only tidying was left
        if begun.get("command") == BEGUN and self._is_promoted(known):
            command = Command("rollback", namespace, name, self.ask.by, reason)
            mark = {"fleet": self.record.progress.release_id}
            found = commands.roll_back(session, command, caller, verify_seconds=RETURN_VERIFY_SECONDS, mark=mark)
        elif begun.get("command") == BEGUN:
            return {"is_home": True, "outcome": known.state.outcome, "reason": known.state.reason, "changed": False}
        elif known.unfinished or known.state.outcome != PROMOTED:  # a return that died, or was stopped with its runner
            found = native.start(session, spec_from(known.spec), caller, begun=begun)
        else:
            return {"is_home": True, "outcome": PROMOTED, "reason": f"{known.state.image} serves again", "changed": False}
        is_home = found["outcome"] == PROMOTED
        return {**found, "is_home": is_home, "reason": f"{found.get('image')} serves again" if is_home else found["reason"]}
