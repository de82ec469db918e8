# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner holds while Argo Rollouts moves the traffic of one release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...cluster.errors import Conflict
from ...cluster.lease import Lease
from ...cluster.patch import Operation, expect, replace
from ...cluster.session import Session
from ...release.context import Process
from ...release.record import Journal, State
from ...release.spec import Spec
from ...report.live import Live
from .. import native
from ..assemble import Caller
from ..edits import edited
from ..holding import Holding, parts
from .api import ROLLOUT
from .place import Place

JSON = dict[str, Any]
STABLE_HASH = "stable_hash"  # in State.control: the Rollout's own name of the version before
ROLLOUT_SPEC = "rollout_spec"  # in State.control: what the Rollout said when the version was put there, but for what verbs change
CHANGING = ("paused", "template", "restartAt")


@dataclass
class Held(Holding):
    """One release in one target, held by one runner. token fences the record."""

    session: Session
    spec: Spec
    place: Place
    state: State
    lease: Lease
    journal: Journal
    live: Live
    process: Process
    deadline_at: float  # Unix time
    renewed_at: float = 0.0

    def rollout(self) -> JSON | None:
        """The Rollout as it is now."""
        return self.session.find(ROLLOUT, self.place.namespace, self.place.rollout)

    def holder(self) -> JSON | None:
        """The object that has the template: the Deployment, or the Rollout."""
        return self.session.find(self.place.workload_kind, self.place.namespace, self.place.workload)

    @property
    def stable_hash(self) -> str:
        """The Rollout's own name of the version before; empty while it is not known."""
        return self.state.control.get(STABLE_HASH) or self.place.stable_hash

    def image_of(self, holder: JSON | None) -> str:
        """The image that the template names now; empty where it is gone."""
        containers = holder["spec"]["template"]["spec"]["containers"] if holder else []
        return next((one["image"] for one in containers if one["name"] == self.place.container), "")

    def put_template(self, holder: JSON, before: str, template: JSON) -> bool:
        """Replace the template where it still names the image before; False where somebody has changed it."""
        index = next(
            number for number, one in enumerate(holder["spec"]["template"]["spec"]["containers"]) if one["name"] == self.place.container
        )
        operations: list[Operation] = [
            expect(f"/spec/template/spec/containers/{index}/image", before),
            expect("/spec/template", holder["spec"]["template"]),
            replace("/spec/template", template),
        ]
        try:
            self.session.patch(self.place.workload_kind, self.place.namespace, self.place.workload, operations)
        except Conflict:
            return False
        return True


def note_rollout(state: State, rollout: JSON) -> None:
    """Remember what a Rollout says of steps, route and pods: to tell what others change of it, and how to serve without it."""
    state.control[ROLLOUT_SPEC] = {key: value for key, value in rollout["spec"].items() if key not in CHANGING}


def noted(state: State) -> JSON:
    """What note_rollout has left; empty in a record that had not come so far."""
    found: JSON = state.control.get(ROLLOUT_SPEC) or {}
    return found


def edits_of(state: State, rollout: JSON) -> list[str]:
    """The fields of a Rollout that somebody else has changed since; how many pods it has is its autoscaler's business."""
    return edited(rollout["spec"], {key: value for key, value in noted(state).items() if key != "replicas"})


def take_lease(session: Session, spec: Spec, place: Place, caller: Caller, *, by_force: bool = False) -> Lease:
    """The Lease of what has the template. Raises Refused while somebody else holds it."""
    return native.take_lease(session, spec, caller, by_force=by_force, holder=f"{place.workload_kind}/{place.workload}")


def hold(session: Session, spec: Spec, place: Place, caller: Caller, *, state: State, lease: Lease, token: str) -> Held:
    """All that a runner holds."""
    return Held(place=place, **parts(session, spec, caller, state=state, lease=lease, token=token))
