# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches what Flagger makes of a release, tells it, and says how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ...cluster.errors import Unreachable
from ...release.commands import logged, unobeyed
from ...release.ending import ABORTED, PASSED, PROMOTED, ROLLED_BACK, TurnBack
from ...release.record import now
from ...report.live import weight_bar
from ...workload.deployment import rollout
from ..edits import edited
from . import approvals
from . import canary as canaries
from .canary import FAILED, MOVING, SUCCEEDED, SUSPENDED, View, view
from .drive import APPROVED, PAUSED, Drive, annotate, is_held_by_others, put
from .target import image_in

JSON = dict[str, Any]
POLL_SECONDS = 1.0
API_PATIENCE_SECONDS = 180.0
TICKS_TO_NOTICE = 4  # Flagger sees a new template at its next look; its jobs are scheduled every 10 s
KEPT_EVENTS = 12


@dataclass(frozen=True)
class Ended:
    """How Flagger ended it: outcome and reason, with what it said."""

    outcome: str
    reason: str
    evidence: JSON


class Watch:
    """One release, from the change of the template to Flagger's word on it."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._seen: View | None = None
        self._percent: int | None = None
        self._said: set[tuple[float, str]] = set()
        self._progress_at = drive.process.clock()
        self._silent_since: float | None = None

    def to_the_end(self) -> Ended:
        """Look once a second until it is over. Raises TurnBack when we are to return traffic, Superseded when we are not to touch it."""
        while True:
            try:
                ended = self.look()
                self._silent_since = None
                if ended is not None:
                    return ended
            except Unreachable as error:
                self._without_answer(error)
            self._drive.process.sleep(POLL_SECONDS)

    def look(self) -> Ended | None:
        """One look: commands, the Canary, its route, its events; how it ended, or None."""
        drive = self._drive
        drive.keep_lease()
        self.stop_signs()
        found = drive.canary()
        told = view(found)
        events = drive.events()
        changed = self.tell(told, events)
        if found is None:
            raise TurnBack("canary_gone", f"Canary {drive.target.canary} was deleted while it released", outcome=ABORTED)
        self._conditions(found, events)
        if changed:
            self._progress_at = drive.process.clock()
            drive.write()
        if not self.is_picked_up(told):
            return self._not_yet(found, told)
        if told.phase == FAILED:
            return self._failed(found, events)
        if told.phase == SUCCEEDED:
            return self._succeeded(found)
        self._waits(found, told)
        return None

    def is_picked_up(self, told: View) -> bool:
        """Whether Flagger has seen the version: its condition is another one than before the template changed."""
        return told.stamp != (self._drive.state.control.get("flagger") or {}).get("stamp")

    def stop_signs(self) -> None:
        """What ends the release from outside. Raises TurnBack, and Superseded when it is not ours any more."""
        drive = self._drive
        request, commands = drive.journal.requests()
        self._note_commands(commands)
        if request:
            why = request.get("said") or f"aborted by {request.get('by')}: {request.get('reason') or 'no reason given'}"
            raise TurnBack("aborted", why, outcome=request.get("outcome") or ABORTED, asked=request)
        if stop := drive.process.why_stop():
            raise TurnBack("runner_stopped", stop, outcome=ABORTED)
        if drive.process.clock() > drive.deadline_at:
            raise TurnBack("deadline", f"not over after {drive.spec.deadline_seconds:.0f} s (release_deadline_seconds)")
        if drive.process.clock() - self._progress_at > drive.spec.control.stuck_seconds:
            raise TurnBack("stuck", f"nothing moved for {drive.spec.control.stuck_seconds:.0f} s (release_stuck_seconds)")

    def _note_commands(self, commands: list[JSON]) -> None:
        """Remember who commanded what: it is done to the Canary already."""
        drive = self._drive
        fresh = unobeyed(drive.state.control, commands)
        for one in fresh:
            said = one.get("said", "")
            drive.state.control = logged(drive.state.control, one, said)
            drive.live.say("command", f"{one['command']} by {one.get('by')}: {said}")
        if fresh:
            drive.write()

    def _without_answer(self, error: Unreachable) -> None:
        now_at = self._drive.process.clock()
        if self._silent_since is None:
            self._silent_since = now_at
            self._drive.live.say("hold", f"the API server does not answer; Flagger goes on by itself meanwhile ({error})")
        if now_at - self._silent_since > API_PATIENCE_SECONDS:
            raise TurnBack("api_server", f"the API server did not answer for {API_PATIENCE_SECONDS:.0f} s: {error}") from error

    def tell(self, told: View, events: list[tuple[float, str, str]]) -> bool:
        """Say what is new; whether anything is."""
        self._tell_events(events)
        drive, before = self._drive, self._seen
        percent = drive.percent()
        changed = before is None or (told.phase, told.failed_checks, told.iterations) != (
            before.phase,
            before.failed_checks,
            before.iterations,
        )
        if percent is not None and percent != self._percent:
            changed = True
            if self._percent is not None or percent:
                drive.live.say("weight", f"{percent:3d} %  {weight_bar(percent)}  put by Flagger", weight_percent=percent)
            self._note_step(percent)
            drive.state.weight_percent = percent
        if before is None or told.phase != before.phase:
            drive.live.say("phase", told.phase or "new", phase=told.phase)
        if before is not None and told.failed_checks > before.failed_checks:
            drive.live.say("failed", f"check {told.failed_checks} failed", failed_checks=told.failed_checks)
        self._seen, self._percent = told, percent
        return changed

    def _note_step(self, percent: int) -> None:
        steps = self._drive.state.steps
        if steps and "ended_at" not in steps[-1]:
            steps[-1]["ended_at"] = now()
        if percent:
            entry: JSON = {"name": f"weight-{percent}", "started_at": now()}
            self._drive.state.steps = [*(one for one in steps if one["name"] != entry["name"]), entry]

    def _tell_events(self, events: list[tuple[float, str, str]]) -> None:
        for at, kind, text in events:
            if (at, text) not in self._said:
                self._said.add((at, text))
                if not text.startswith(("Advance ", "skipping canary run")):
                    self._drive.live.say("flagger" if kind != "Warning" else "halt", text, at=at)

    def _conditions(self, found: JSON, events: list[tuple[float, str, str]]) -> None:
        """What people must know that is no progress: a silent controller, somebody else's edit, Prometheus out of Flagger's reach."""
        drive = self._drive
        if canaries.is_silent(found, events, drive.process.clock()):
            silent = canaries.silent_for(found, events, drive.process.clock())
            drive.once(f"silent-{view(found).moved_at}", "warning", f"Flagger's controller was not heard of for {silent:.0f} s")
        if changed := edits(drive, found):
            drive.once(f"edited-{changed}", "warning", f"somebody else changed Canary {drive.target.canary}: {', '.join(changed)}")
        if is_held_by_others(found):
            drive.once(
                f"held-{view(found).moved_at}", "warning", f"somebody else suspended Canary {drive.target.canary}: resume lets it go on"
            )
        if words := canaries.unreachable(events):
            drive.once(f"unreachable-{words}", "warning", f"Flagger gets no answer from Prometheus: {words}")

    def _not_yet(self, found: JSON, told: View) -> Ended | None:
        """Flagger has not seen the version. A rollback to what it promoted last is none to it."""
        drive = self._drive
        since = drive.process.clock() - canaries.seconds_of((drive.state.control.get("flagger") or {}).get("dispatched_at"))
        if told.phase in MOVING or told.phase == SUSPENDED:
            return None
        if since > TICKS_TO_NOTICE * canaries.interval_seconds(found) + 10.0:
            drive.once("unseen", "warning", f"Flagger has not seen the version for {since:.0f} s: is its controller running?")
        return None

    def _failed(self, found: JSON, events: list[tuple[float, str, str]]) -> Ended:
        cause = canaries.why(events)
        limit = canaries.threshold(found)
        sentence = cause.get("message") or canaries.view(found).message or "its events say nothing more (Kubernetes keeps few of them)"
        evidence = {"flagger": {**cause, "threshold": limit, "events": [text for _at, _kind, text in events][-KEPT_EVENTS:]}}
        return Ended(ROLLED_BACK, f"Flagger returned traffic (it allows {limit - 1} failed checks): {sentence}", evidence)

    def _succeeded(self, found: JSON) -> Ended | None:
        """Flagger does not wait for the primary where its analysis was skipped: we do."""
        drive = self._drive
        primary = drive.deployment(drive.target.primary)
        if primary is None or image_in(primary["spec"]["template"], drive.target.container) != drive.spec.image:
            raise TurnBack("primary", f"Flagger says Succeeded, and {drive.target.primary} does not have {drive.spec.image}")
        if not rollout(primary).complete:
            drive.once("primary", "wait", f"Flagger is done; {drive.target.primary} is not whole yet")
            return None
        said = [text for _at, _kind, text in drive.events()][-KEPT_EVENTS:]
        return Ended(PROMOTED, f"{drive.spec.image} serves all traffic", {"flagger": {"events": said}})

    def _waits(self, found: JSON, told: View) -> None:
        """Approvals and pauses: what the record says of them, and what follows when their time is over."""
        drive = self._drive
        marks = found["metadata"].get("annotations") or {}
        approved = json.loads(marks.get(APPROVED) or "{}")
        control, clock = drive.state.control, drive.process.clock()
        name = approvals.waiting(drive.spec, told.phase, drive.state.weight_percent, approved)
        if approvals.only_reports(drive.spec) and told.phase == "WaitingPromotion" and not name:
            raise TurnBack("over", f"{drive.spec.image} was looked at as long as it was asked; stable serves all traffic", outcome=PASSED)
        before = (control.get("waiting") or {}).get("step", "")
        if name != before:
            control.pop("waiting", None)
            if name:
                control["waiting"] = {"step": name, "since": clock, "until": drive.deadline_at}
                drive.live.say("wait", f"{name} waits for an approval; Flagger looks on, and returns traffic if a check fails")
        control["approvals"] = approved
        self._pause(json.loads(marks[PAUSED]) if told.phase == SUSPENDED and PAUSED in marks else None)
        if name or told.phase == SUSPENDED:
            self._progress_at = clock
        if name != before:
            drive.write()

    def _pause(self, pause: JSON | None) -> None:
        drive, control = self._drive, self._drive.state.control
        if (pause is None) == ("pause" not in control) and (pause or {}).get("since") == (control.get("pause") or {}).get("since"):
            return self._pause_is_over(pause)
        control.pop("pause", None)
        if pause is not None:
            control["pause"] = {**pause, "to_zero": False}
            drive.live.say("pause", f"by {pause['by']}: {pause['reason'] or 'no reason given'}; Flagger judges nothing meanwhile")
        else:
            drive.live.say("resume", "Flagger goes on at its next interval")
        drive.write()
        return None

    def _pause_is_over(self, pause: JSON | None) -> None:
        drive = self._drive
        if pause is None or drive.process.clock() < pause["until"]:
            return
        if pause["then"] == "roll_back":
            raise TurnBack("pause", f"nobody ended the pause of {pause['by']} in time")
        if pause["then"] == "resume":
            drive.amend(lambda found: [*put(found, "suspend", False), *annotate(found, {PAUSED: None})])
        else:
            drive.once("parked", "wait", "the pause is over and nobody has ended it; it stays as it is until release_deadline_seconds")


def edits(drive: Drive, found: JSON) -> list[str]:
    """The fields of a Canary of ours that somebody else has changed; what approvals change is ours."""
    if not drive.target.written:
        return []
    return [path for path in edited(found["spec"], drive.target.written) if path not in approvals.FIELDS]
