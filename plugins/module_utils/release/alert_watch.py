# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Returns traffic when an alert says so: one that fires in Prometheus, names the release and has the label action=rollback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..analysis.verdict import ADVANCE, ALERT, HOLD, INCONCLUSIVE, NO_DATA, Verdict
from ..metrics.alerts import firing
from ..metrics.prometheus import MetricsError, Prometheus
from .alerts_spec import FIELD
from .context import Context
from .ending import PARKED, TurnBack
from .spec import Spec
from .values import Problem

READ_SECONDS = 2.0  # rules are evaluated far less often


@dataclass(frozen=True)
class Silence:
    """The alerts cannot be read: why, and whether that has lasted longer than release_no_data_seconds."""

    trouble: str
    for_too_long: bool

    def judge(self, verdict: Verdict) -> Verdict:
        """The verdict on the version, but no advance."""
        if verdict.decision != ADVANCE:
            return verdict
        return Verdict(INCONCLUSIVE if self.for_too_long else HOLD, NO_DATA, self.trouble, verdict.evidence)


class AlertWatch:
    """Reads the alerts while the canary has requests. What cannot be read lets no weight rise."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._read_at = float("-inf")
        self._silent_since: float | None = None
        self._trouble = ""

    def check(self) -> None:
        """Raises TurnBack when an alert of this release fires."""
        spec, client, now = self._context.spec, self._context.alerts, self._context.process.clock()
        if spec.alerts is None or client is None or now < self._read_at + READ_SECONDS:
            return
        self._read_at = now
        try:
            found = firing(client, spec.alerts.wanted)
        except (MetricsError, ValueError) as error:
            self._trouble = f"the alerts cannot be read: {error}"
            if self._silent_since is None:
                self._silent_since = now
                self._context.live.say("hold", self._trouble, cause=NO_DATA)
            self._end_where_no_gate_does()
            return
        self._silent_since = None
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise TurnBack(ALERT, f"{found[0]}{more}", evidence={"alert": dict(found[0].labels), "since": found[0].since})

    @property
    def silence(self) -> Silence | None:
        """Why nobody knows whether an alert fires; None while it is known."""
        return None if self._silent_since is None else Silence(self._trouble, self._silent_for_too_long())

    def _end_where_no_gate_does(self) -> None:
        """Without gates there is no verdict that could wait: after the time that gates would have had, release_on_inconclusive decides."""
        policy = self._context.spec.on_inconclusive
        if self._context.spec.gates or policy == "promote" or not self._silent_for_too_long():
            return
        words = f"{self._trouble}; release_on_inconclusive is {policy}"
        raise TurnBack(NO_DATA, words, outcome=PARKED if policy == "ask" else "rolled_back", gentle=True)

    def _silent_for_too_long(self) -> bool:
        since = self._silent_since
        return since is not None and self._context.process.clock() - since >= self._context.spec.no_data_seconds


def inspect(spec: Spec, transport: Any, problems: list[Problem]) -> None:
    """Whether the alerts can be read, and none fires yet: it would end the release with its first request."""
    if spec.alerts is None:
        return
    try:
        found = firing(Prometheus(transport), spec.alerts.wanted)
    except (MetricsError, ValueError) as error:
        where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
        problems.append(Problem("release_prometheus", where, f"a Prometheus that tells its alerts: {error}"))
        return
    if found:
        allowed = f"nothing that fires before the start: {found[0]}; mend it, or leave {FIELD} out for this release"
        problems.append(Problem(FIELD, str(spec.alerts), allowed))
