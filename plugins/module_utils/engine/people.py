# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People and calendars before a release begins, and when a parked one is taken up again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..cluster.errors import ClusterError
from ..cluster.session import Session
from ..release import approvals_policy, freezes, park, record
from ..release.approval_entry import About
from ..release.approval_places import heard
from ..release.approval_sources_spec import CONFIG_MAP
from ..release.approval_words import decided, rejection, stands, with_outside
from ..release.budget_plan import effective
from ..release.calendar_files import Unreadable
from ..release.gate_lines import seconds_of_gates
from ..release.plan import plan
from ..release.record import Record
from ..release.spec import Spec
from ..release.target import Findings, Refused
from .assemble import Caller

JSON = dict[str, Any]


def before(session: Session, spec: Spec, found: Findings, caller: Caller) -> Findings:
    """The findings with what calendars and the policy for approvals mean for this release. Raises Refused: nothing has changed yet."""
    now = caller.process.clock()
    problems = freezes.problems(spec, now, seconds_of(spec, found))
    if problems:
        raise Refused(problems)
    maps = [one.said for one in spec.control.sources if one.kind == CONFIG_MAP]
    why = approvals_policy.in_force(session)[0] if maps else ""
    notes = [freezes.line(spec, now), f"approvals in {', '.join(maps)} are unverified and would not count: {why}" if why else ""]
    return replace(found, notes=[*found.notes, *filter(None, notes)])


def seconds_of(spec: Spec, found: Findings) -> float:
    """How long the release takes by its plan at today's traffic, at least; infinite without traffic."""
    planned = effective(spec, found.target.budget)
    steps = plan(planned)
    return seconds_of_gates(planned, found, steps) + sum(step.seconds for step in steps)


def refuse_elsewhere(session: Session, spec: Spec, caller: Caller) -> None:
    """The calendars of a release that another engine runs. Raises Refused; one that goes on is not asked again."""
    known = record.load(session, spec.namespace, spec.name)
    if known is None or not known.unfinished:
        problems = freezes.problems(spec, caller.process.clock(), least_seconds(spec))
        if problems:
            raise Refused(problems)


def least_seconds(spec: Spec) -> float:
    """How long the steps of a release take, without what its gates wait for."""
    return sum(step.seconds for step in plan(spec))


def beginning(session: Session, spec: Spec, seconds: float, caller: Caller) -> JSON:
    """What the record says of people and calendars from the first moment on; seconds: how long the release takes, at least."""
    made: JSON = {"started_by": starter(session, spec, caller.by)}
    override = freezes.overridden(spec, caller.process.clock(), seconds, caller.by)
    return {**made, "freeze_override": override} if override else made


def frozen(spec: Spec, now: float) -> str:
    """Why a parked release is not to be taken up now; empty when it may."""
    try:
        freeze = None if spec.calendar.override else freezes.coming(spec.calendar, now)
    except Unreadable as error:
        return f"stays parked: {error}"
    if freeze is None or freeze.begin > now:
        return ""
    return f"stays parked: freeze {freeze.name} lasts until {freeze.until()}; wait, or {freezes.OVERRIDE}"


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
