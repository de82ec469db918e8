# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of one target before its fleet begins: everything that its release would check, with nothing changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..cluster.errors import ClusterError, Unreachable
from ..cluster.session import Session
from ..fleet.spec import FleetSpec
from ..release import freezes
from ..release.calendar_files import Unreadable
from ..release.ending import REFUSED
from ..release.engine_spec import NATIVE
from ..release.spec import Spec, SpecError
from ..release.spec import parse as parse_release
from ..release.target import Refused
from ..release.values import Problem
from ..report.live import Live
from ..traffic.route import RouteError
from . import native
from .fleet_ask import Ask
from .from_cluster import with_documents

JSON = dict[str, Any]
POLL_SECONDS = 1.0


def spec_of(ask: Ask, session: Session) -> Spec:
    """The release that the variables describe. Raises SpecError and ClusterError."""
    return parse_release(with_documents(lambda: session, ask.release()))


def admit(ask: Ask) -> JSON:
    """Everything that the release would check in this target, with nothing changed. What is wrong is in the result: it never fails.

    A target that does not answer is asked again for release_unreachable_seconds. Its freezes count when its wave begins: they are told.
    """
    fleet = ask.fleet()
    known: JSON = {"target": ask.target, "changed": False, "reachable": True, "problems": []}
    try:
        way = ask.way(ask.target)
        uid = reached(ask, fleet, way.session.cluster_uid)
        spec = spec_of(ask, way.session)
        known.update(namespace=spec.namespace, cluster_uid=uid, image=spec.image, plan=_digest(spec), places=_places(spec))
        if problems := _cannot_return(spec):
            raise SpecError(problems)
        found = native.start(way.session, replace(spec, calendar=replace(spec.calendar, freezes=())), ask.caller, check_mode=True)
        known.update(_calendar(ask, spec, found))
    except Unreachable as error:
        return {**known, "reachable": False, "outcome": None, "reason": str(error)}
    except (SpecError, Refused, Unreadable) as error:
        return {**known, "outcome": REFUSED, "reason": str(error), "problems": [str(one) for one in error.problems]}
    except (ClusterError, RouteError) as error:
        return {**known, "outcome": REFUSED, "reason": str(error), "problems": [str(error)]}
    if route := found.get("route"):
        known["places"]["route"] = route
    return {**known, "outcome": found["outcome"], "reason": found["reason"]}


def _calendar(ask: Ask, spec: Spec, found: JSON) -> JSON:
    """What its wave has to know of its freezes, where it is to be released and none was overridden. Raises Unreadable."""
    if "seconds" not in found or not spec.calendar.freezes:
        return {}
    Live(ask.caller.live_emit, ask.target, clock=ask.caller.process.clock).say("plan", freezes.line(spec, ask.caller.process.clock()))
    return {} if spec.calendar.override else {"calendar": {**spec.calendar.to_dict(), "denied": []}, "seconds": found["seconds"]}


def reached(ask: Ask, fleet: FleetSpec, ask_it: Callable[[], str]) -> str:
    """What a target answers, within release_unreachable_seconds. Raises Unreachable."""
    until = ask.caller.process.clock() + fleet.unreachable_seconds
    while True:
        try:
            return ask_it()
        except Unreachable:
            if ask.caller.process.clock() >= until or ask.caller.process.why_stop():
                raise
            ask.caller.process.sleep(POLL_SECONDS)


def _digest(spec: Spec) -> str:
    """What tells one plan of a target from another; calendars may change."""
    return hashlib.sha256(json.dumps({**spec.to_dict(), "calendar": None}, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _places(spec: Spec) -> dict[str, str]:
    """What no other target of the fleet may have in the same namespace."""
    return {"release": spec.name, "workload": f"{spec.workload_kind}/{spec.workload}"}


def _cannot_return(spec: Spec) -> list[Problem]:
    """What a fleet could not undo in a target that was promoted long ago: its way back is the verb rollback, which knows images."""
    allowed = "nothing in a fleet: a promoted target goes back by its image alone"
    changed = {"release_template_patch": spec.template_patch, "release_config": spec.config, "release_manifests": spec.manifests}
    found = [Problem(name, "given", allowed) for name, value in changed.items() if value]
    if spec.engine != NATIVE:
        found.append(Problem("release_engine", spec.engine, f"{NATIVE} in a fleet: a controller reads no stop sign"))
    if spec.promotion == "swap":
        found.append(
            Problem("release_promotion", "swap", "twin in a fleet: after a swap only a release from the new Deployment leads back")
        )
    if spec.stop_after:
        found.append(Problem("release_stop_after", spec.stop_after, "nothing in a fleet: each target runs to its ending"))
    return found
