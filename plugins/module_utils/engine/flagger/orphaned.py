# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back of a release whose Canary was deleted, alone or with its kind: Kubernetes deletes the primary with it, which had the users.

The workload gets its earlier template and the primary's number of pods; when they are ready, Service and route lead to them as they did
before Flagger came. Until then nobody answers: the version on trial is not given everybody.
"""

from __future__ import annotations

from typing import Any

from ...cluster.patch import Operation, add, pointer, replace
from ...workload.deployment import rollout
from . import route
from .drive import Drive, amend
from .metrics import PRIMARY

JSON = dict[str, Any]
REPLICAS = "replicas"  # in State.control["flagger"]: how many pods the primary had
OWNED_SECONDS = 15.0  # so long Kubernetes may take to begin with what the Canary owned
POLL_SECONDS = 0.5


def serve_again(drive: Drive) -> list[str] | None:
    """Let the workload serve itself; what to tell. None where the primary lives on without its Canary. Raises ClusterError."""
    if _primary_stays(drive):
        return None
    notes = _pods(drive)
    notes += _service(drive)
    where = drive.target.place
    if route.to_service(drive.session, where, drive.process.sleep):
        notes.append(f"{where} leads to Service {drive.target.service}")
    if where.kind and route.percent(drive.session, where) is None:
        notes.append(f"{where} went with the Canary: make it again, so that it leads to Service {drive.target.service}")
    drive.state.weight_percent = 0
    return notes


def _primary_stays(drive: Drive) -> bool:
    """Whether the primary is still there after the time that Kubernetes takes."""
    until = drive.process.clock() + OWNED_SECONDS
    while (found := drive.deployment(drive.target.primary)) is not None and not found["metadata"].get("deletionTimestamp"):
        if drive.process.clock() > until:
            return True
        drive.keep_lease()
        drive.process.sleep(POLL_SECONDS)
    return False


def _pods(drive: Drive) -> list[str]:
    """The earlier template and as many pods as the primary had, awaited until they are ready."""
    name, original = drive.target.workload, drive.target.original_template
    wanted = int((drive.state.control.get("flagger") or {}).get(REPLICAS) or 1)

    def change(found: JSON) -> list[Operation]:
        operations = [] if found["spec"]["template"] == original else [replace("/spec/template", original)]
        return operations + ([add("/spec/replicas", wanted)] if found["spec"].get("replicas", 1) < wanted else [])

    drive.amend_deployment(name, change)
    drive.live.say("scale", f"{name}: {wanted} pods of {drive.target.stable_image}, for {drive.target.primary} went with the Canary")
    end = drive.process.clock() + drive.spec.ready_timeout_seconds
    while (found := drive.deployment(name)) is not None and not rollout(found).complete:
        if drive.process.clock() > end:
            return [f"{name} is not ready after {drive.spec.ready_timeout_seconds:.0f} s"]
        drive.keep_lease()
        drive.process.sleep(POLL_SECONDS)
    return [f"{name} serves itself again with {wanted} pods" if found else f"there is no Deployment {name} either"]


def _service(drive: Drive) -> list[str]:
    """Take Flagger's suffix out of the selector of the Service."""
    name, namespace = drive.target.service, drive.target.namespace
    found = drive.session.find("Service", namespace, name)
    if found is None:
        return [f"Service {name} went with the Canary: make it again"]
    if not _suffixed(found):
        return []
    if not drive.session.allowed("patch", "Service", namespace):
        return [f"you may not patch Services here: take {PRIMARY} out of the selector of Service {name}, so that it leads to its pods"]
    amend(drive.session, "Service", namespace, name, _suffixed, sleep=drive.process.sleep)
    return [f"Service {name} leads to them"]


def _suffixed(found: JSON) -> list[Operation]:
    selector = found["spec"].get("selector") or {}
    return [replace(pointer("spec", "selector", key), value[: -len(PRIMARY)]) for key, value in selector.items() if value.endswith(PRIMARY)]
