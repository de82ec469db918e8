# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back of a release whose Rollout was deleted, alone or with its kind: Kubernetes deletes the pods of both versions with it.

The Deployment that it referred to has had no pods since then. It gets stable's template (back does that) and its pods again, and the
route and the Service lead to them.
"""

from __future__ import annotations

from typing import Any

from ...cluster.errors import ClusterError, Conflict
from ...cluster.patch import Operation, as_read, expect, pointer, remove, replace
from ...workload.deployment import rollout as progress
from . import api, routes
from .held import Held, noted

JSON = dict[str, Any]
ATTEMPTS = 8
POLL_SECONDS = 0.5
OWNED_SECONDS = 15.0  # so long Kubernetes may take to begin with the pods


def route_home(held: Held) -> list[str]:
    """Give stable all requests of the routes that the Rollout steered; what to tell. Raises ClusterError where one does not stay."""
    said = f"Rollout {held.place.rollout} is gone"
    refs = routes.refs_of({"metadata": {"namespace": held.place.namespace}, "spec": noted(held.state)})
    done = [ref.where for ref in refs if routes.share(held.session, ref) and _home(held, ref)]
    held.state.weight_percent = 0
    return [f"{said}; this runner returned {', '.join(done)}"] if done else [said]


def _home(held: Held, ref: routes.RouteRef) -> bool:
    for _attempt in range(ATTEMPTS):
        try:
            return routes.home(held.session, ref)
        except Conflict:
            held.process.sleep(POLL_SECONDS / 5)
    raise ClusterError(f"{ref.where} changes all the time; traffic is not home")


def serve_again(held: Held) -> list[str]:
    """Let the Deployment serve itself; what to tell. Nothing where the Rollout is there, or held the template itself."""
    place = held.place
    if held.rollout() is not None:
        return []
    if place.workload_kind != "Deployment":
        return [f"the template was in Rollout {place.rollout}: make it again, nothing else has it; its last one: {place.stable_image}"]
    if held.holder() is None:
        return []
    return [*_pods(held), *_service(held)]


def _pods(held: Held) -> list[str]:
    """The pods that the Rollout had, by the Deployment: awaited until they are ready."""
    place, wanted = held.place, int(noted(held.state).get("replicas") or 1)
    where, notes = f"Deployment {place.workload}", []
    if (held.holder() or {"spec": {}})["spec"].get("replicas", 1) == 0:
        held.session.patch("Deployment", place.namespace, place.workload, [expect("/spec/replicas", 0), replace("/spec/replicas", wanted)])
        held.live.say("scale", f"{where}: {wanted} pods, for those of the Rollout go with it")
        notes.append(f"{where} has its {wanted} pods again")
    until = held.process.clock() + held.spec.ready_timeout_seconds
    while (found := held.holder()) is not None and not progress(found).complete:
        if held.process.clock() > until:
            return [*notes, f"{where} is not ready after {held.spec.ready_timeout_seconds:.0f} s"]
        held.keep_lease()
        held.process.sleep(POLL_SECONDS)
    return notes


def _service(held: Held) -> list[str]:
    """Take the Rollout's label out of the selector of stable's Service, unless pods of that label live on without their Rollout."""
    place, strategy = held.place, noted(held.state).get("strategy") or {}
    name = (strategy.get("canary") or {}).get("stableService") or (strategy.get("blueGreen") or {}).get("activeService") or place.service
    found = held.session.find("Service", place.namespace, name) if name else None
    if found is None or api.HASH not in (found["spec"].get("selector") or {}):
        return []
    by_hand = f"take {api.HASH} out of the selector of Service {name}, so that it leads to the pods of Deployment {place.workload}"
    if not (held.session.allowed("patch", "Service", place.namespace) and held.session.allowed("list", "Pod", place.namespace)):
        return [f"you may not list Pods and patch Services here: {by_hand}"]
    if _live_on(held, found["spec"]["selector"][api.HASH]):
        return [f"the pods of Rollout {place.rollout} live on without it, and Service {name} leads to them. When they go: {by_hand}"]
    for _attempt in range(ATTEMPTS):
        found = held.session.get("Service", place.namespace, name)
        operations: list[Operation] = [remove(pointer("spec", "selector", api.HASH))] if api.HASH in found["spec"]["selector"] else []
        try:
            if operations:
                held.session.patch("Service", place.namespace, name, [as_read(found), *operations])
            return [f"Service {name} leads to the pods of Deployment {place.workload}"]
        except Conflict:
            held.process.sleep(POLL_SECONDS / 5)
    raise Conflict(f"Service {name} changes all the time: {by_hand}")


def _live_on(held: Held, version: str) -> bool:
    """Whether pods of a version stay: Kubernetes has some seconds to begin to delete them."""
    until = held.process.clock() + OWNED_SECONDS
    while any(
        not one["metadata"].get("deletionTimestamp") for one in held.session.list("Pod", held.place.namespace, labels={api.HASH: version})
    ):
        if held.process.clock() > until:
            return True
        held.keep_lease()
        held.process.sleep(POLL_SECONDS)
    return False
