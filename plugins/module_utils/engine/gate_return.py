# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gate that restores the route itself: all traffic to stable, by the same tested patch as the verb traffic, read back."""

from __future__ import annotations

import json
from typing import Any

from ..cluster.endpoints import ready_endpoints
from ..cluster.errors import ClusterError, Unreachable
from ..cluster.session import Session
from ..release.context import Process
from ..report.live import Live
from ..traffic import declare
from ..traffic.place import Unusable
from ..traffic.route import RouteError
from ..traffic.sight import Declared
from .gate_task import GateTask

JSON = dict[str, Any]
PATIENCE_SECONDS = 900.0  # with an API server that does not answer: there is nobody else to do it
STABLE_READY_SECONDS = 120.0
PAUSE_SECONDS = 1.0


def restore(session: Session, task: GateTask, process: Process, live: Live) -> JSON:
    """Send everybody home: changed, and failed with msg where it cannot be done. Nothing is raised."""
    home = task.declared
    try:
        _await_stable(session, home, process, live)
        done = _declare(session, home, process, live)
    except (Unusable, ClusterError, RouteError) as error:
        why = f"the route could not be restored: {error}; send everybody home yourself: {command(task)}"
        live.say("warning", why)
        return {"changed": isinstance(error, declare.Unsettled), "failed": True, "msg": why}
    if done.get("failed"):
        return {"changed": True, "failed": True, "msg": done["msg"]}
    took = f"put and read back in {done['put_ms']:.0f} ms" if done["changed"] else "it was there already"
    live.say("traffic", f"100 % stable · {took}")
    return {"changed": done["changed"]}


def command(task: GateTask) -> str:
    """What sends everybody home, to be typed."""
    home = task.declared
    named = {"http_route": "HTTPRoute", "grpc_route": "GRPCRoute", "virtual_service": "VirtualService"}
    said: JSON = {"namespace": home.namespace, "service": home.service, "provider": home.provider, "canary": home.canary}
    said.update({option: home.object_name for option, kind in named.items() if home.object_name and kind == home.object_kind})
    said.update({"route": home.rule} if home.rule else {})
    return f"ansible localhost -m progressive.delivery.traffic -a '{json.dumps({**said, **task.connection})}'"


def _await_stable(session: Session, home: Declared, process: Process, live: Live) -> None:
    """Traffic returns only to ready pods. If stable has none and the canary has, wait a while: the lesser evil."""
    if home.provider == "service":
        return  # its Service selects the canary's pods just now
    until, said = process.clock() + STABLE_READY_SECONDS, False
    while not _ready(session, home, home.service) and _ready(session, home, home.canary):
        if process.clock() >= until:
            live.say("warning", f"{home.service} has no ready endpoint; returning traffic to it all the same")
            return
        if not said:
            live.say("hold", f"{home.service} has no ready endpoint; the canary keeps its traffic for up to {STABLE_READY_SECONDS:.0f} s")
            said = True
        process.sleep(PAUSE_SECONDS)


def _ready(session: Session, home: Declared, service: str) -> bool:
    """Whether a Service has ready endpoints; nobody waits for an answer that does not come, or that we may not have."""
    try:
        return ready_endpoints(session, home.namespace, service) > 0
    except ClusterError:
        return service == home.service


def _declare(session: Session, home: Declared, process: Process, live: Live) -> JSON:
    until, said = process.clock() + PATIENCE_SECONDS, False
    while True:
        try:
            return declare.declare(session, home)
        except (Unreachable, declare.Unsettled) as error:
            if process.clock() >= until:
                raise
            if not said:
                live.say("retry", f"the API server does not answer; trying again until it does ({error})")
                said = True
            process.sleep(PAUSE_SECONDS)
