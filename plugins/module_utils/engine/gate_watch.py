# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the gates of one task until they have decided, the task's time is over, or somebody says stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..analysis.look import Look
from ..analysis.panel import Panel, PanelState, StepEntry
from ..analysis.verdict import ADVANCE, HOLD, INCONCLUSIVE, NEEDS_LOOKS, ROLL_BACK, Verdict
from ..metrics.looks import counts_of, look_of
from ..metrics.source import Answer
from ..release.context import Process
from ..report.live import Live
from .gate_arms import Counted
from .gate_share import Share

JSON = dict[str, Any]
STOPPED, MOVED = "runner_stopped", "route_changed"  # causes of their own, beside the judges'
CHECK_SECONDS = 1.0  # longest time without asking whether to stop
ROUTE_SECONDS = 5.0  # between two reads of the route
LEAST_PAUSE_SECONDS = 0.2
QUIET_SECONDS = 15.0  # between two lines that say the same


@dataclass(frozen=True)
class Decided:
    """How the looks of one task have ended. looks: those of the evidence before it among them; clock: of the looks, which only they move."""

    verdict: Verdict
    looks: int
    seconds: float
    clock: float
    judges: JSON


class GateWatch:
    """The looks of one task. moved tells how the route has changed since the task began, empty while it has not."""

    def __init__(
        self, panel: Panel, counted: Counted, share: Share, process: Process, live: Live, *, moved: Callable[[], str], kept: JSON | None
    ) -> None:
        self._panel, self._counted, self._share = panel, counted, share
        self._process, self._live, self._moved = process, live, moved
        self._began = process.clock()
        # evidence that goes on has its own clock: the time between two tasks, in which nobody looked, counts as none
        self._offset = kept["clock"] - self._began if kept else 0.0
        self._number: int = kept["looks"] if kept else 0
        self._state: PanelState = panel.from_dict(kept["judges"]) if kept else panel.start()
        if not kept or kept["step"] != share.step():
            self._state = panel.enter_step(self._state, self._entry())
        self._last: Look | None = None
        self._read_route_at = self._began
        self._said: tuple[str, float] = ("", 0.0)

    @property
    def clock(self) -> float:
        """The looks' clock, in seconds."""
        return self._process.clock() + self._offset

    def run(self, *, interval_seconds: float, timeout_seconds: float | None) -> Decided:
        """Look every interval until there is a verdict other than hold, or for so long; then what the last look led to."""
        verdict = Verdict(HOLD, NEEDS_LOOKS, "no look yet")
        while True:
            polled_at = self._process.clock()
            if stopped := self._interrupted():
                return self._decided(stopped)
            verdict = self._look() or verdict
            if verdict.decision == ADVANCE and (stopped := self._route_moved()):
                return self._decided(stopped)
            if verdict.decision != HOLD:
                return self._decided(verdict)
            if timeout_seconds is not None and self._process.clock() - self._began >= timeout_seconds:
                return self._decided(self._closed(verdict))
            self._pause(polled_at + interval_seconds)

    def _entry(self) -> StepEntry:
        share = self._share
        return StepEntry(share.percent, self.clock, share.next_percent, share.absolute_only)

    def _interrupted(self) -> Verdict | None:
        if why := self._process.why_stop():
            return Verdict(INCONCLUSIVE, STOPPED, why)
        return self._route_moved() if self._process.clock() - self._read_route_at >= ROUTE_SECONDS else None

    def _route_moved(self) -> Verdict | None:
        self._read_route_at = self._process.clock()
        words = self._moved()
        return Verdict(INCONCLUSIVE, MOVED, words) if words else None

    def _pause(self, until: float) -> None:
        """Wait for the next look; a reason to stop is heard within a second."""
        self._process.sleep(LEAST_PAUSE_SECONDS)
        while (left := until - self._process.clock()) > 0 and not self._process.why_stop():
            self._process.sleep(min(CHECK_SECONDS, left))

    def _look(self) -> Verdict | None:
        """What one reading of everything that is due leads to; None where nothing is new."""
        share, source, queries = self._share, self._counted.source, self._counted.queries
        answer = Answer({}, False, new=False)
        if source is not None:
            answer = source.poll(canary_expected=share.canary_expected, stable_expected=share.stable_expected)
            if not (answer.new or answer.problem):
                return None
            if not share.canary_expected and answer.counts and not _has_requests(answer):
                return None  # no matched request has come yet
        due = self._panel.due(self._state, self.clock, closes_block=answer.closes_block or bool(answer.problem))
        scalars = queries.read(due, compare=share.canary_expected and share.stable_expected) if due and queries else ()
        ends = answer.closes_block or bool(scalars)
        self._number += ends
        number = self._number + (0 if ends else 1)
        look = look_of(answer, scalars, number=number, at_seconds=self.clock, weight_percent=share.percent)
        self._last = look
        self._state, verdict = self._panel.look(self._state, look)
        self._tell(look, verdict)
        return verdict

    def _closed(self, verdict: Verdict) -> Verdict:
        """The task's time is over: what its open block has counted becomes part of the evidence, so that a later task begins with it."""
        last = self._last
        if last is None or last.closes_block or last.problem or not last.metrics:
            return verdict
        self._number += 1
        closing = look_of(_closing(last), (), number=self._number, at_seconds=last.at_seconds, weight_percent=last.weight_percent)
        self._state, verdict = self._panel.look(self._state, closing)
        return verdict

    def _decided(self, verdict: Verdict) -> Decided:
        seconds = self._process.clock() - self._began
        return Decided(verdict, self._number, seconds, self.clock, self._panel.to_dict(self._state))

    def _tell(self, look: Look, verdict: Verdict) -> None:
        now = self._process.clock()
        word = {ADVANCE: "advance", ROLL_BACK: "ROLL BACK", INCONCLUSIVE: "undecided"}.get(verdict.decision)
        if word:
            self._live.say(word, verdict.reason)
        elif look.problem and (self._said[0] != verdict.cause or now - self._said[1] >= QUIET_SECONDS):
            self._said = (verdict.cause, now)
            self._live.say("hold", verdict.reason)
        elif not look.problem and (look.closes_block or look.scalars):
            self._said = ("", now)
            self._live.say("look", f"{look.number:4d}   {counts_of(look)}   {verdict.reason}")


def _has_requests(answer: Answer) -> bool:
    return any(canary and canary.requests for canary, _stable in answer.counts.values())


def _closing(last: Look) -> Answer:
    """The same counts once more, as the end of their block."""
    counts = {one.gate: (one.canary, one.baseline) for one in last.metrics}
    return Answer(counts, True, buckets={one.gate: one.buckets for one in last.metrics})
