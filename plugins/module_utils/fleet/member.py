# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One target's worker among the others: it hears the stop sign, tells what it has counted, and pools what all of them have.

All requests to the fleet's home are made beside the target's own work, by a thread that looks once a second: a home that is slow or gone
never delays a look, and never keeps traffic from returning.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..analysis.look import Look
from ..analysis.panel import Panel, PanelState
from ..analysis.pooled import Stratum, pool, strata_of
from ..analysis.rule import Rule
from ..cluster.errors import ClusterError, Superseded
from ..cluster.lease import RENEW_SECONDS, Lease
from ..cluster.lease import look as read_lease
from ..cluster.session import Session
from ..release.context import Process
from ..release.ending import ABORTED, PARKED, TurnBack
from ..release.fleet_hook import STOPPED
from ..release.record import now
from . import record as records
from .record import Entry, FleetRecord, Pen
from .spec import ALL, TARGET, WAVE

TURN_SECONDS = 1.0
POOLED_AT_ONCE = 10  # so many of all targets add up everybody's counts at each look, in turns: reading grows with the fleet, not its square
NO_FAULT = (STOPPED, "runner_stopped")  # causes that are no fault of the target
HARMLESS = ("abort", "rejected", "no_approval", "freeze")  # causes of a stop sign that nobody is hurt by
JSON = dict[str, Any]
Proven = dict[str, dict[str, list[str]]]  # what an image is called -> its digests -> the targets that serve it


@dataclass
class Home:
    """The fleet's home, for one run: its session, where the record is, and what proves that the run holds it."""

    session: Session
    namespace: str
    name: str
    token: str
    holder: str  # identity of the run, as the Lease tells it

    @property
    def pen(self) -> Pen:
        """Who writes the record for this run."""
        return Pen(self.session, self.namespace, self.name, self.token)

    def read(self) -> FleetRecord:
        """The record. Raises Superseded when another run holds it, or when it is gone."""
        found = records.load(self.session, self.namespace, self.name)
        if found is None:
            raise Superseded(f"the record of fleet {self.name} is gone")
        if found.token != self.token:
            raise Superseded(f"another run holds the fleet {self.name} now ({found.token})")
        return found


class Heartbeat:
    """Renews the fleet's Lease; of many workers of one run the first that sees it is due does it for all."""

    def __init__(self, home: Home, clock: Callable[[], float]) -> None:
        self._home, self._clock = home, clock
        self._seen: tuple[str, float] = ("", clock())

    def beat(self) -> None:
        """Renew when nobody has for RENEW_SECONDS. Raises Superseded when the Lease is another run's."""
        now_ = self._clock()
        if now_ - self._seen[1] < RENEW_SECONDS:
            return
        home = self._home
        found = read_lease(home.session, home.namespace, records.lease_name(home.name))
        if found is None or found["spec"].get("holderIdentity") != home.holder:
            raise Superseded(f"the Lease of fleet {home.name} is not this run's any more")
        renewed = found["spec"].get("renewTime") or ""
        if renewed == self._seen[0] or not self._seen[0]:
            epoch = int(found["spec"]["leaseTransitions"])
            name = records.lease_name(home.name)
            Lease(home.session, home.namespace, name, home.holder, epoch, found["metadata"]["uid"]).renew()
        self._seen = (renewed, now_)


class Member:
    """See release.fleet_hook.Fleet. One for each worker and task; stage tells what is pooled with what."""

    def __init__(self, home: Home, entry: Entry, process: Process, emit: Callable[[str], None], *, stage: str) -> None:
        self.home, self.entry, self.stage = home, entry, stage
        self._process, self._emit = process, emit
        self._heart = Heartbeat(home, process.clock)
        self._lock = threading.Lock()
        self._superseded: Superseded | None = None
        self._pending: tuple[Rule, int, JSON] | None = None
        self._failure: TurnBack | None = None
        self._peers = 1  # whose counts were pooled the last time
        self._silent = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.record: FleetRecord | None = None
        self.proven: Proven = {}
        self.was_stopped = False  # by the stop sign
        self.no_fault: tuple[str, ...] = NO_FAULT

    def start(self) -> Member:
        """Begin to look at the fleet's home, beside everything else."""
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop looking, once what is still to be told was told; a home that does not answer is not waited for longer than some seconds."""
        self._ended.set()
        if self._thread is None:
            self.turn()
        else:
            self._thread.join(20.0)

    def _run(self) -> None:
        while not self._ended.is_set():
            self.turn()
            self._ended.wait(TURN_SECONDS)
        self.turn()

    def turn(self) -> None:
        """One look at the home: the stop sign, the Lease, what this target has counted, and what all of them have."""
        try:
            self._tell_failure()
            self.record = self.home.read()
            self._heart.beat()
            self._tell_counts()
            self._silent = False
        except Superseded as error:
            self._superseded = error
        except ClusterError as error:
            if not self._silent:
                self._silent = True
                self._emit(f"{self.entry.target}: the fleet's home does not answer; this target goes on by itself ({error})")

    @property
    def sign(self) -> JSON | None:
        """The stop sign, where it is meant for this target."""
        stop = self.record.stop if self.record else None
        return stop if stop and is_meant(stop, self.entry) else None

    def check(self) -> None:
        """Raises TurnBack by the stop sign, Superseded when another run holds the fleet."""
        if self._thread is None:
            self.turn()
        if self._superseded is not None:
            raise Superseded(str(self._superseded))
        if (stop := self.sign) is not None and not self.entry.failed:
            reason = f"the fleet was stopped by {stop['by']}: {stop['reason']}"
            self.was_stopped = True
            raise TurnBack(STOPPED, reason, outcome=ABORTED, gentle=stop["cause"] in HARMLESS)

    def runs(self, image: str, digest: str) -> None:
        """A tag that means another digest by now than in the waves before is not the version that passed there. Raises TurnBack."""
        passed = self.proven.get(named(image), {})
        if not passed or digest in passed:
            return
        words = "; ".join(f"{one} in {', '.join(targets)}" for one, targets in passed.items())
        if is_digest(digest):
            reason = f"{image} is {digest} here, and not what passed in the waves before: {words}"
            raise TurnBack("digest", reason, gentle=True)
        self._emit(f"{self.entry.target}: warning: the runtime does not tell which digest {image} is; what passed before is {words}")

    def looked(self, panel: Panel, state: PanelState, look: Look) -> None:
        """Keep what was counted for the next turn."""
        if (found := panel.sequential(state)) is None:
            return
        rule, known = found
        strata = strata_of(rule, known)
        counts: JSON = {
            "stage": self.stage,
            "look": look.number,
            "at": look.at_seconds,
            "weight": look.weight_percent,
            "gates": {one.gate: one.to_dict() for one in strata},
        }
        with self._lock:
            self._pending = (rule, look.number, counts)

    def turned_back(self, why: TurnBack) -> None:
        """Keep the failure for the next turn, which is made at once."""
        if why.cause in self.no_fault or why.outcome == PARKED:
            return
        self.entry.failed, self.entry.reason = True, why.reason
        self._failure = why
        if self._thread is None:
            self.turn()
        else:
            threading.Thread(target=self.turn, name="fleet-failure", daemon=True).start()

    def _tell_failure(self) -> None:
        with self._lock:
            why, self._failure = self._failure, None
        if why is None:
            return
        try:
            self.home.pen.entry(self.entry)
            note_failure(self.home, self.entry, why.reason, why.cause)
        except Superseded:
            raise
        except ClusterError:
            self._failure = why  # told again at the next turn
            raise

    def _tell_counts(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, None
        if pending is None or self.record is None:
            return
        rule, number, counts = pending
        self.home.pen.counts(self.entry.target, counts)
        place = self.record.fleet.targets.index(self.entry.target)
        if self.record.stop is not None or not is_turn(number, place, self._peers):
            return
        others = records.entries_and_counts(self.home.session, self.record)
        fleet, mine = self.record.fleet, self.record.fleet.service_of(self.entry.target)
        known = {
            target: [Stratum.from_dict(gate, plain) for gate, plain in told["gates"].items()]
            for target, (_entry, told) in others.items()
            if told.get("stage") == self.stage and fleet.service_of(target) == mine
        }
        self._peers = len(known)
        found = pool(known, rule)
        if found.is_harm:
            self._emit(f"{self.entry.target}: {found.reason}")
            sign = stop_sign(self.record, self.entry, found.reason, found.cause)
            # no single target is to blame: with on_violation target, the wave is what is affected
            records.put_stop(self.home.session, self.record, {**sign, "scope": WAVE if sign["scope"] == TARGET else sign["scope"]})


def proven(entries: Iterable[Entry], wave: int) -> Proven:
    """The digests that serve in the waves before one, as their targets' pods told them."""
    found: Proven = {}
    for one in entries:
        if one.wave < wave and one.state == records.PROMOTED and one.digest:
            found.setdefault(named(one.image), {}).setdefault(one.digest, []).append(one.target)
    return found


def named(image: str) -> str:
    """What an image is called wherever it lies: each environment may have a registry of its own."""
    return image.rpartition("/")[2]


def is_digest(text: str) -> bool:
    """Whether the digest is known: a record may say unpinned."""
    return text.startswith("sha256:")


def is_turn(look: int, place: int, peers: int) -> bool:
    """Whether the target at this place of the fleet adds up its peers' counts after a look of this number."""
    return (look + place) % max(1, math.ceil(peers / POOLED_AT_ONCE)) == 0


def is_meant(stop: JSON, entry: Entry) -> bool:
    """Whether a stop sign reaches a target: everybody, the targets of a wave, or one."""
    if stop["scope"] == ALL:
        return True
    return entry.wave in stop["waves"] if stop["scope"] == WAVE else stop["target"] == entry.target


def stop_sign(record: FleetRecord, entry: Entry, reason: str, cause: str) -> JSON:
    """The sign that a violation in a target sets, as release_on_violation says."""
    return {
        "scope": record.fleet.on_violation,
        "reason": reason,
        "cause": cause,
        "by": entry.target,
        "at": now(),
        "target": entry.target,
        "wave": entry.wave,
        "waves": record.fleet.with_wave(entry.wave),
    }


def note_failure(home: Home, entry: Entry, reason: str, cause: str) -> JSON | None:
    """Set the stop sign when more targets have failed than may; the sign that stands, None while the fleet goes on."""
    record = home.read()
    failed = [one for one in records.entries(home.session, record).values() if one.failed]
    if len(failed) <= record.fleet.failure_budget:
        return record.stop
    return records.put_stop(home.session, record, stop_sign(record, entry, reason, cause))
