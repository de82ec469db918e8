# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch over a target that serves the new version already, while the rest of the fleet follows.

There is no old version beside it to compare with: it is judged by the limits of its gates alone, and by whether it has ready pods.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..analysis.look import Counts
from ..analysis.panel import PanelState, StepEntry
from ..analysis.verdict import INCONCLUSIVE, MAX_HOLD, ROLL_BACK, UNSETTLED, Verdict
from ..cluster.endpoints import ready_endpoints
from ..cluster.errors import ClusterError, Unreachable
from ..cluster.session import Session
from ..metrics.looks import counts_of, look_of
from ..metrics.source import Looks
from ..release.context import Process
from ..release.ending import TurnBack
from ..release.judges import panel_of
from ..release.spec import Spec
from ..release.target import Target
from ..report.live import Live
from .member import Member

EVERYBODY = 100.0
PODS_SECONDS = 5.0  # between two looks at the pods
FEW_PODS_SECONDS = 60.0  # that fewer than half of the pods may be ready
FRESH_SECONDS = 60.0  # after so long the evidence gets a fresh start, then after twice as long, and so on
TELL_SECONDS = 15.0


def bake_spec(spec: Spec) -> Spec:
    """The gates that can judge a version without another beside it: those on the shares of requests that fail or are slow."""
    combined = {name for gate in spec.gates if gate.composite for name in gate.composite.names()}
    kept = tuple(gate for gate in spec.gates if gate.counts and gate.quantile is None and gate.max_share and gate.name not in combined)
    return replace(spec, gates=kept)


@dataclass(frozen=True)
class Company:
    """Who is told, the time, and the others of the fleet."""

    live: Live
    process: Process
    member: Member


class Vigil:
    """Looks at one target once a second at most, and raises TurnBack when it does not keep what its gates ask for."""

    def __init__(self, session: Session, spec: Spec, target: Target, source: Looks | None, company: Company) -> None:
        self._session, self._spec, self._target, self._source = session, spec, target, source
        self._live, self._process, self._member = company.live, company.process, company.member
        process = company.process
        self._panel = panel_of(spec, target.dispersion) if source is not None and spec.gates else None
        self._state: PanelState | None = self._panel.start() if self._panel else None
        self._began = process.clock()
        self._fresh_at = self._began
        self._fresh_after = FRESH_SECONDS
        self._pods_at = self._told_at = -PODS_SECONDS
        self._few_since: float | None = None
        self._silent_since: float | None = None
        self._number = 0
        self.verdict: Verdict | None = None
        if self._source is not None:
            self._source.prepare()
        self._enter()

    @property
    def is_settled(self) -> bool:
        """Whether nothing speaks against the version just now."""
        return self._panel is None or (self.verdict is not None and self.verdict.cause not in UNSETTLED)

    @property
    def silent_seconds(self) -> float:
        """How long the target's API server has not answered."""
        return 0.0 if self._silent_since is None else self._process.clock() - self._silent_since

    def look(self) -> None:
        """Look once. Raises TurnBack (a violation, the stop sign, a runner that has to stop) and Superseded."""
        if why := self._process.why_stop():
            raise TurnBack("runner_stopped", why, gentle=True)
        self._member.check()
        if not self._answers():
            return
        if self._source is None or self._panel is None:
            return
        now = self._process.clock()
        if now - self._fresh_at >= self._fresh_after:
            self._fresh_after *= 2
            self._enter()
        answer = self._source.poll(canary_expected=False, stable_expected=True)
        if not (answer.new or answer.problem):
            return
        served: dict[str, tuple[Counts | None, Counts | None]] = {gate: (stable, None) for gate, (_canary, stable) in answer.counts.items()}
        self._number += answer.closes_block
        number = self._number + (0 if answer.closes_block else 1)
        look = look_of(replace(answer, counts=served, buckets={}), (), number=number, at_seconds=now, weight_percent=EVERYBODY)
        if self._state is None:
            raise AssertionError("a panel has a state")
        self._state, self.verdict = self._panel.look(self._state, look)
        if look.closes_block:
            self._member.looked(self._panel, self._state, look)
            if now - self._told_at >= TELL_SECONDS:
                self._told_at = now
                self._live.say("watch", f"{counts_of(look)}   {self.verdict.reason}")
        self._judge(self.verdict)

    def linger(self, until: Callable[[], bool], *, lost_after_seconds: float, pause: float = 1.0) -> None:
        """Look until the condition holds, the target answers and nothing speaks against the version; or until it is silent for too long."""
        while self.silent_seconds < lost_after_seconds and not (self._silent_since is None and self.is_settled and until()):
            self.look()
            self._process.sleep(pause)

    def _enter(self) -> None:
        self._fresh_at = self._process.clock()
        if self._panel and self._state is not None:
            if self._source is not None:
                self._source.begin_block()
            self._state = self._panel.enter_step(self._state, StepEntry(EVERYBODY, self._fresh_at, None, True))

    def _judge(self, verdict: Verdict) -> None:
        if verdict.decision == ROLL_BACK:
            raise TurnBack(verdict.cause, verdict.reason, evidence=verdict.evidence)
        if verdict.decision == INCONCLUSIVE and verdict.cause != MAX_HOLD and self._spec.on_inconclusive != "promote":
            raise TurnBack(
                verdict.cause, f"{verdict.reason}; release_on_inconclusive is {self._spec.on_inconclusive}", evidence=verdict.evidence
            )

    def _answers(self) -> bool:
        """Whether the target's API server answers; its pods are looked at now and then. Raises TurnBack."""
        now = self._process.clock()
        if now - self._pods_at < PODS_SECONDS:
            return self._silent_since is None
        self._pods_at = now
        try:
            self._pods(now)
        except Unreachable as error:
            if self._silent_since is None:
                self._silent_since = now
                self._live.say("hold", f"the API server does not answer ({error})")
            return False
        except ClusterError as error:
            raise TurnBack("cluster", str(error)) from error
        if self._silent_since is not None:
            self._live.say("watch", f"the API server answers again after {now - self._silent_since:.0f} s")
            self._silent_since = None
        return True

    def _pods(self, now: float) -> None:
        target = self._target
        found = self._session.get(target.workload_kind, target.namespace, target.workload)
        wanted = int(found["spec"].get("replicas", target.stable_replicas))
        ready = ready_endpoints(self._session, target.namespace, target.service)
        if wanted and not ready:
            raise TurnBack("pods", f"Service {target.service} has no ready endpoint")
        if ready * 2 >= wanted:
            self._few_since = None
            return
        self._few_since = now if self._few_since is None else self._few_since
        if now - self._few_since >= FEW_PODS_SECONDS:
            raise TurnBack("pods", f"only {ready} of {wanted} pods of {target.workload} have been ready for {FEW_PODS_SECONDS:.0f} s")
