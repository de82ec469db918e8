# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runner holds of a release that another controller moves: Lease, record, live lines, deadline."""

from __future__ import annotations

import os
from typing import Any

from ..cluster.lease import RENEW_SECONDS, Lease
from ..cluster.session import Session
from ..release.context import Process
from ..release.record import Journal, State
from ..release.spec import Spec
from ..report.live import Live
from .assemble import Caller

JSON = dict[str, Any]


class Holding:
    """Keeps the Lease and writes the record. Its fields are those of parts()."""

    state: State
    lease: Lease
    journal: Journal
    process: Process
    renewed_at: float

    def keep_lease(self) -> None:
        """Renew the Lease when it is time. Raises Superseded when it is not ours any more."""
        now = self.process.clock()
        if now - self.renewed_at >= RENEW_SECONDS:
            self.lease.renew()
            self.renewed_at = now

    def write(self, doing: str = "") -> None:
        """Journal the state, with what is about to be done. Raises Superseded."""
        self.state.doing = doing
        self.journal.write(self.state)


def parts(session: Session, spec: Spec, caller: Caller, *, state: State, lease: Lease, token: str) -> JSON:
    """The fields that every engine's runner has; token fences the record."""
    log_path = os.path.join(caller.log_dir, f"{state.release_id}.jsonl") if caller.log_dir else None
    return {
        "session": session,
        "spec": spec,
        "state": state,
        "lease": lease,
        "journal": Journal(session, spec.namespace, spec.name, token),
        "live": Live(caller.live_emit, caller.target_name, clock=caller.process.clock, log_path=log_path),
        "process": caller.process,
        "deadline_at": caller.process.clock() + spec.deadline_seconds,
    }
