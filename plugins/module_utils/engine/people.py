# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who begins a release, and what people said of one that is parked."""

from __future__ import annotations

from ..cluster.errors import ClusterError
from ..cluster.session import Session
from ..release import park
from ..release.approval_entry import About
from ..release.approval_places import heard
from ..release.approval_words import decided, rejection, stands, with_outside
from ..release.plan import plan
from ..release.record import Record
from ..release.spec import Spec
from .assemble import Caller


def starter(session: Session, spec: Spec, by: str) -> list[str]:
    """Every name of the one who begins a release: who runs it, and the user that the API server sees where approvals ask for somebody else."""
    names = [by] if by else []
    if not any(step.approval and not step.approval.starter_may for step in plan(spec)):
        return names
    try:
        return list(dict.fromkeys([*names, session.user()]))
    except ClusterError:
        return names  # Kubernetes before 1.28 does not tell


def hear(session: Session, spec: Spec, known: Record, caller: Caller) -> str:
    """Ask the places what they say on the approval that a parked release waits for, and note it; why it was rejected, if it was."""
    now = caller.process.clock()
    moment = park.moment(known, now)
    name = (known.state.control.get("waiting") or {}).get("step", "")
    places = spec.control.sources
    step = next((one for one in moment.steps if one.name == name), None)
    if step is None or not places:
        return ""
    about = About(
        known.namespace, known.name.removeprefix("release-"), known.state.release_id, known.state.image, name, step.weight_percent
    )
    said = heard(session, places, about, lambda words: caller.live_emit(f"warning: {words}"))
    control = with_outside(known.state.control, name, said, now)
    found = stands(control, moment.steps, name, now)
    known.state.control = decided(control, name, found)
    return rejection(name, found.rejected) if found.rejected else ""
