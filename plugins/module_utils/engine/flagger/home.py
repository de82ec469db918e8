# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings everybody back, whether Flagger's controller lives or not, so that it cannot undo it.

First it is held (spec.suspend: it reads that at each interval), then the route goes home, then what would send traffic away again is
put back: the primary's template, the workload's template and its pods, the Canary's phase. A look that the controller had begun before
may still write once, so all of it is looked at again before the Canary is let go.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from ...cluster.errors import ClusterError
from ...cluster.patch import Operation, add, replace
from ...release.ending import ABORTED, TurnBack
from ...workload.deployment import rollout
from . import orphaned, route
from .canary import FAILED, INITIALIZING, NEW, UNMADE, view
from .drive import PAUSED, SKIPS, Drive, annotate, put
from .target import image_in

JSON = dict[str, Any]
SETTLED_SECONDS = 3.0  # nothing changed for so long: no look of the controller is under way any more
MOST_SECONDS = 60.0
POLL_SECONDS = 0.5


def bring_home(drive: Drive, why: TurnBack) -> list[str]:
    """Return all traffic and make it last; what to tell beside. Raises ClusterError, with what was reached, when that is not possible."""
    state = drive.state
    state.phase, state.outcome, state.reason = "returning", why.outcome, why.reason
    state.evidence = {**state.evidence, **why.evidence}
    drive.write("return")
    drive.live.say("rollback", why.reason)
    if drive.canary() is None and (notes := orphaned.serve_again(drive)) is not None:
        return notes
    began = drive.process.clock()
    drive.amend(lambda found: put(found, "suspend", True))
    _settle(drive, first=True)
    took = (drive.process.clock() - began) * 1000
    drive.live.steered("route", 0, "", put_ms=took)
    state.weight_percent = 0
    drive.write("drain")
    drive.process.sleep(drive.spec.drain_seconds)
    _empty_target(drive)
    _mark_failed(drive, why)
    _until_settled(drive, why)
    if drive.view().under in (NEW, INITIALIZING):
        return _keep_suspended(drive)
    _await_primary(drive)
    drive.amend(
        lambda found: [*put(found, "suspend", False), *put(found, "skipAnalysis", _skipped_before(found)), *annotate(found, _NO_MARKS)]
    )
    return []


def _keep_suspended(drive: Drive) -> list[str]:
    """The target serves itself. A primary that does not get ready in time makes Flagger give it all traffic and take the target's pods:
    the Canary that we made stays suspended until the next release; what to tell of it."""
    ours = not drive.target.adopted
    drive.amend(
        lambda found: [
            *put(found, "suspend", ours),
            *put(found, "skipAnalysis", _skipped_before(found)),
            *annotate(found, {**_NO_MARKS, UNMADE: drive.state.release_id if ours else None}),
        ]
    )
    name = drive.target.canary
    return [f"{drive.target.workload} serves itself, and Canary {name} stays suspended until the next release"] if ours else []


_NO_MARKS: dict[str, str | None] = {PAUSED: None, SKIPS: None}


def _skipped_before(found: JSON) -> bool | None:
    """skipAnalysis without what we set ourselves."""
    ours = SKIPS in (found["metadata"].get("annotations") or {})
    return None if ours else found["spec"].get("skipAnalysis")


def _settle(drive: Drive, *, first: bool = False) -> bool:
    """Primary's template and route as they belong; whether anything had to be done."""
    changed = _undo_primary(drive)
    changed = route.put_home(drive.session, drive.target.place, drive.process.sleep) or changed
    if changed and not first:
        drive.live.say("route", "the controller's last look had moved it once more; all traffic is on the primary again")
    return changed


def _undo_primary(drive: Drive) -> bool:
    """Give the primary the template back that it had, where a promotion has begun to change it."""
    before = drive.target.primary_template
    if before is None:
        return False
    container = drive.target.container

    def change(found: JSON) -> list[Operation]:
        same = image_in(found["spec"]["template"], container) == image_in(before, container)
        return [] if same and not _promoted_ours(drive, found) else [replace("/spec/template", before)]

    changed = drive.amend_deployment(drive.target.primary, change)
    if changed:
        drive.live.say("undo", f"{drive.target.primary} gets its earlier template back")
    return changed


def _promoted_ours(drive: Drive, primary: JSON) -> bool:
    """Whether the primary has what a patch of the template changes beside the image."""
    if drive.spec.template_patch is None or drive.target.primary_template is None:
        return False
    return bool(primary["spec"]["template"]["spec"] != drive.target.primary_template["spec"])


def _empty_target(drive: Drive) -> None:
    """The workload gets its earlier template and no pods, as Flagger leaves it; one that serves itself keeps its pods."""
    serves_itself = drive.view().under in (NEW, INITIALIZING) or drive.deployment(drive.target.primary) is None

    def change(found: JSON) -> list[Operation]:
        spec, original = found["spec"], drive.target.original_template
        operations = [] if spec["template"] == original else [replace("/spec/template", original)]
        if not serves_itself and spec.get("replicas", 1) != 0:
            operations.append(add("/spec/replicas", 0))
        return operations

    drive.amend_deployment(drive.target.workload, change)


def _mark_failed(drive: Drive, why: TurnBack) -> None:
    """The phase in which Flagger does nothing until a new revision comes; the template that is there now counts as seen."""
    found = drive.canary()
    told = view(found)
    if found is None or told.under in (NEW, INITIALIZING) or _is_marked(found):
        return
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    word = "aborted" if why.outcome == ABORTED else "rolled back"
    condition = {
        "type": "Promoted",
        "status": "False",
        "reason": FAILED,
        "message": f"{word} by progressive.delivery: {why.reason}"[:500],
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    }
    drive.put_status(
        {
            "phase": FAILED,
            "canaryWeight": 0,
            "failedChecks": 0,
            "iterations": 0,
            "lastAppliedSpec": told.promoted or told.applied,
            "lastTransitionTime": now,
            "conditions": [condition],
        }
    )


def _is_marked(found: JSON) -> bool:
    status = found.get("status") or {}
    return bool(view(found).under == FAILED and not status.get("canaryWeight") and view(found).applied == view(found).promoted)


def _until_settled(drive: Drive, why: TurnBack) -> None:
    """Look until nothing has moved for a while. Raises ClusterError when something goes on moving it."""
    end = drive.process.clock() + MOST_SECONDS
    quiet_since = drive.process.clock()
    while drive.process.clock() - quiet_since < SETTLED_SECONDS:
        drive.process.sleep(POLL_SECONDS)
        drive.keep_lease()
        found = drive.canary()
        moved = _settle(drive)
        if found is not None and view(found).under not in (FAILED, NEW, INITIALIZING):
            _mark_failed(drive, why)
            moved = True
        if moved:
            quiet_since = drive.process.clock()
        if drive.process.clock() > end:
            raise ClusterError(f"traffic of Canary {drive.target.canary} is moved again and again; it is left suspended")


def _await_primary(drive: Drive) -> None:
    """Wait until the primary is whole; one that does not become so is told, for traffic has nowhere better to go."""
    end = drive.process.clock() + drive.spec.ready_timeout_seconds
    while drive.process.clock() < end:
        found = drive.deployment(drive.target.primary)
        if found is None:
            drive.live.say("warning", f"there is no Deployment {drive.target.primary}: {drive.target.workload} serves itself")
            return
        if rollout(found).complete:
            return
        drive.keep_lease()
        drive.process.sleep(POLL_SECONDS)
    drive.live.say("warning", f"{drive.target.primary} has all traffic and is not whole after {drive.spec.ready_timeout_seconds:.0f} s")
