# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: Argo's abort first, the route seen home, and by ourselves where nobody else does it; then the template."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from ...cluster.errors import ClusterError, Conflict, NotFound, Unreachable
from ...cluster.patch import as_read, replace
from ...cluster.session import Session
from ...release.ending import PROMOTED, TurnBack
from . import api, orphaned, routes
from .held import Held
from .phase import HEALTHY, canary_weight, fully_promoted, phase_of

JSON = dict[str, Any]
T = TypeVar("T")
ATTEMPTS = 8
RETURN_SECONDS = 10.0  # so long a living controller has to return the route
SETTLE_SECONDS = 60.0
PATIENCE_SECONDS = 180.0
POLL_SECONDS = 0.5


def go_back(held: Held, why: TurnBack) -> str:
    """Return traffic, then the template, and end the record; the outcome. Raises ClusterError with the record unfinished."""
    state, live = held.state, held.live
    state.phase, state.outcome, state.reason = "returning", why.outcome, why.reason
    state.evidence = why.evidence or state.evidence
    live.say("return", why.reason)
    _patiently(held, lambda: _note(held, "returning"))
    if _patiently(held, lambda: too_late(held)):
        return finish(held, PROMOTED, f"promoted before it could be returned ({why.reason}); roll it back with rollback")
    _patiently(held, lambda: abort(held.session, held.rollout()))
    notes = _patiently(held, lambda: return_route(held))
    notes += _patiently(held, lambda: _template_back(held))
    notes += _patiently(held, lambda: orphaned.serve_again(held))
    notes += _settle(held)
    for note in notes:
        live.say("note", note)
    return finish(held, why.outcome, "; ".join([why.reason, *notes]))


def finish(held: Held, outcome: str, reason: str) -> str:
    """End the record and give the Lease back."""
    state = held.state
    state.phase, state.outcome, state.reason = "ended", outcome, reason
    state.control = {key: value for key, value in state.control.items() if key != "waiting"}
    _patiently(held, lambda: _note(held, ""))
    held.live.say(outcome, f"{state.release_id}: {reason}", weight_percent=state.weight_percent)
    held.lease.release()
    return outcome


def too_late(held: Held) -> bool:
    """Whether the new version is everywhere, so that there is nothing to abort."""
    rollout = held.rollout()
    if rollout is None or phase_of(rollout) != HEALTHY or not held.stable_hash:
        return False
    return fully_promoted(rollout) and rollout["status"]["stableRS"] != held.stable_hash and held.image_of(held.holder()) == held.spec.image


def abort(session: Session, rollout: JSON | None) -> bool:
    """Set status.abort and take off a pause by hand, which would keep blue-green from returning; whether anything was to be done."""
    changed = False
    for _attempt in range(ATTEMPTS):
        if rollout is None or not _is_begun(rollout) or (fully_promoted(rollout) and not rollout["spec"].get("paused")):
            return changed
        meta = rollout["metadata"]
        try:
            if rollout["spec"].get("paused"):
                rollout, changed = api.patch_spec(session, rollout, {"paused": False}), True
            if not fully_promoted(rollout) and not (rollout.get("status") or {}).get("abort"):
                api.patch_status(session, rollout, {"abort": True})
                changed = True
            return changed
        except Conflict:
            session.sleep(POLL_SECONDS / 5)
            rollout = session.find(api.ROLLOUT, meta["namespace"], meta["name"])
    raise ClusterError(f"Rollout {rollout['metadata']['name'] if rollout else ''} could not be aborted: it changes all the time")


def _is_begun(rollout: JSON) -> bool:
    """Whether there is a stable version that an abort could return to: the first version of a Rollout has none."""
    return bool((rollout.get("status") or {}).get("stableRS"))


def return_route(held: Held) -> list[str]:
    """See every route at home; after ten seconds, or at once where no controller lives, put it there. What to tell of it."""
    rollout = held.rollout()
    if rollout is None:
        return orphaned.route_home(held)
    refs, notes = routes.refs_of(rollout), []
    until = held.process.clock() + (0.0 if api.alive(held.session) is False else RETURN_SECONDS)
    while (away := _away(held, rollout, refs)) and held.process.clock() < until:
        _keep(held)
        held.process.sleep(POLL_SECONDS)
        rollout = held.rollout() or rollout
    if not refs and "canary" in rollout["spec"]["strategy"] and api.alive(held.session) is False:
        return [_only_pods(held, rollout)]
    if away:
        notes.append(f"the controller did not return the traffic; {_by_hand(held, rollout, refs)}")
        if _away(held, rollout, refs):
            raise ClusterError(f"traffic is not home: {', '.join(_away(held, rollout, refs))}")
    held.state.weight_percent = 0
    if refs:
        held.live.say("weight", f"  0 %  {', '.join(ref.where for ref in refs)} read back: stable has all requests", weight_percent=0)
    return notes


def _only_pods(held: Held, rollout: JSON) -> str:
    """What to tell where no route is known that could be returned, and no controller scales the pods."""
    status, name = rollout.get("status") or {}, rollout["metadata"]["name"]
    kubectl = f"kubectl -n {held.place.namespace} scale rs"
    new, old = f"{name}-{status.get('currentPodHash')}", f"{name}-{status.get('stableRS')}"
    return (
        f"the new version keeps its pods, and with them its share, until a controller is there: Rollout {name} shares by pods alone, and only its "
        f"controller scales them. By hand: {kubectl}/{old} --replicas={rollout['spec'].get('replicas', 1)}, then {kubectl}/{new} --replicas=0"
    )


def _away(held: Held, rollout: JSON, refs: list[routes.RouteRef]) -> list[str]:
    """Where the new version still has users."""
    shares = {ref.where: routes.share(held.session, ref) for ref in refs}
    found = [f"{where} gives the canary {share} %" for where, share in shares.items() if share]
    active = _active(held, rollout)
    if active is not None and active != held.stable_hash and held.stable_hash:
        found.append(f"Service {rollout['spec']['strategy']['blueGreen']['activeService']} selects {active}")
    return found


def _active(held: Held, rollout: JSON) -> str | None:
    """The version that a blue-green's active Service selects; None for a canary."""
    green = rollout["spec"]["strategy"].get("blueGreen")
    if not green:
        return None
    service = held.session.find("Service", held.place.namespace, green["activeService"])
    return ((service or {"spec": {}})["spec"].get("selector") or {}).get(api.HASH, held.stable_hash)


def _by_hand(held: Held, rollout: JSON, refs: list[routes.RouteRef]) -> str:
    """Return routes ourselves, in the controller's own shape: with status.abort it asks for the same when it comes back."""
    done = []
    for ref in refs:
        for _attempt in range(ATTEMPTS):
            with contextlib.suppress(Conflict):
                if routes.home(held.session, ref):
                    done.append(ref.where)
                break
            held.process.sleep(POLL_SECONDS / 5)
    active = _active(held, rollout)
    if active is not None and active != held.stable_hash:
        name = rollout["spec"]["strategy"]["blueGreen"]["activeService"]
        service = held.session.get("Service", held.place.namespace, name)
        path = f"/spec/selector/{api.HASH}"
        held.session.patch("Service", held.place.namespace, name, [as_read(service), replace(path, held.stable_hash)])
        done.append(f"Service {name}")
    return f"this runner did: {', '.join(done)}" if done else "nothing of it is here to return"


def _template_back(held: Held) -> list[str]:
    """Stable's template again, so that nothing tries the version anew by accident."""
    place = held.place
    holder = held.holder()
    if holder is None:
        return [f"{place.workload_kind} {place.workload} is gone"]
    image = held.image_of(holder)
    where = f"{place.workload_kind} {place.workload}"
    if image == place.stable_image and holder["spec"]["template"] == place.original_template:
        return []
    if image != held.spec.image:
        return [f"{where} names {image}, which this release has not put there: left as it is"]
    for _attempt in range(ATTEMPTS):
        if held.put_template(holder, held.spec.image, place.original_template):
            return [f"{where} names {place.stable_image} again"]
        held.process.sleep(POLL_SECONDS / 5)
        holder = held.holder() or holder
        if held.image_of(holder) != held.spec.image:
            return [f"{where} was changed by somebody meanwhile: left as it is"]
    raise Conflict(f"{where} changes all the time")


def _settle(held: Held) -> list[str]:
    """Wait until the controller has seen all that; without one, say what it will find."""
    until = held.process.clock() + SETTLE_SECONDS
    rollout = held.rollout()
    while rollout is not None and phase_of(rollout) != HEALTHY and held.process.clock() < until:
        if api.alive(held.session) is False:
            return ["no controller is there: when it comes back it finds stable's template and the route at home"]
        _keep(held)
        held.process.sleep(2 * POLL_SECONDS)
        rollout = held.rollout()
    if rollout is not None and (phase_of(rollout) != HEALTHY or canary_weight(rollout)):
        return [f"Rollout {held.place.rollout} is {phase_of(rollout)} still"]
    return []


def _note(held: Held, doing: str) -> None:
    """Journal the state; a record that somebody has deleted keeps nobody from returning traffic."""
    try:
        held.write(doing)
    except NotFound as error:
        held.live.say("warning", f"the record is gone, so nothing can be noted: {error}")


def _keep(held: Held) -> None:
    """Keep the Lease; an API server that does not answer is no reason to stop."""
    with contextlib.suppress(Unreachable):
        held.keep_lease()


def _patiently(held: Held, action: Callable[[], T]) -> T:
    """Do it, again while the API server does not answer. Raises Superseded, and what is left after three minutes."""
    until = held.process.clock() + PATIENCE_SECONDS
    while True:
        try:
            return action()
        except Unreachable:
            if held.process.clock() > until:
                raise
            held.process.sleep(1.0)
