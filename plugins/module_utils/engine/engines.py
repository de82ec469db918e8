# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which engine runs a release: what the spec says, or the record of one that was begun. The verbs call these three functions alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cluster.session import Session
from ..release import record
from ..release.command import Command
from ..release.engine_spec import ARGO_ROLLOUTS, FLAGGER, NATIVE
from ..release.record import Record
from ..release.spec import Spec
from . import commands, native, people
from .argo import control as argo_control
from .argo import engine as argo_engine
from .argo import summary as argo_summary
from .assemble import Caller
from .flagger import control as flagger_control
from .flagger import run as flagger_run
from .flagger import summary as flagger_summary

JSON = dict[str, Any]


@dataclass(frozen=True)
class Engine:
    """What every engine can do, with the same arguments and the same results (engine.native, engine.commands)."""

    start: Callable[..., JSON]  # (session, spec, caller, *, check_mode, begun) -> the release's result
    summary: Callable[[Session, Record], JSON]  # where one of its releases stands now
    control: Callable[..., JSON]  # (session, command, caller, *, check_mode) -> what came of the command


def _native_summary(_session: Session, known: Record) -> JSON:
    return native.summary(known)


ENGINES = {
    NATIVE: Engine(native.start, _native_summary, commands.control),
    FLAGGER: Engine(flagger_run.start, flagger_summary.summary, flagger_control.control),
    ARGO_ROLLOUTS: Engine(argo_engine.start, argo_summary.summary, argo_control.control),
}


def start(session: Session, spec: Spec, caller: Caller, *, check_mode: bool = False) -> JSON:
    """Run a release to its ending, or go on with the one that is unfinished. Raises Refused with nothing changed."""
    if spec.engine != NATIVE:
        people.refuse_elsewhere(session, spec, caller)
    return ENGINES[spec.engine].start(session, spec, caller, check_mode=check_mode)


def status(session: Session, namespace: str, release_name: str | None = None) -> list[JSON]:
    """Where the releases of a namespace stand, newest first; of one release when it is named."""
    found = record.load_all(session, namespace)
    if release_name is not None:
        found = [one for one in found if one.name == record.record_name(release_name)]
    newest = sorted(found, key=lambda one: one.state.started_at, reverse=True)
    return [engine_of(one).summary(session, one) for one in newest]


def control(session: Session, command: Command, caller: Caller, *, check_mode: bool = False) -> JSON:
    """Give a release a command. Raises Refused when it is impossible, with nothing changed."""
    known = record.load(session, command.namespace, command.name)
    return engine_of(known).control(session, command, caller, check_mode=check_mode)


def engine_of(known: Record | None) -> Engine:
    """The engine that a record names; ours where there is none, which then says so."""
    return ENGINES[(known.spec if known else {}).get("engine", NATIVE)]
