# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Promotion by swap: the new Deployment takes the old one's place; the old one stays whole while it is warm, then it goes.

Until clean_up has noted that the old Deployment goes, the way back is one patch, and nothing of that Deployment was changed.
"""

from __future__ import annotations

from typing import Any

from ..cluster.endpoints import ready_pods
from ..cluster.errors import Conflict, NotFound, Rejected, Superseded
from ..cluster.patch import Operation, add, pointer, remove
from ..metrics.counters import STABLE
from ..metrics.source import Silence
from ..traffic.route import EPOCH, HOME, Route
from ..workload.twin import RELEASE_LABEL, SUFFIX
from . import check_job, config, swap_objects
from .context import Context
from .ending import TurnBack
from .floors import present_size
from .plan import Step
from .rollback import LEAST_DRAIN_SECONDS, SILENCE_SECONDS, is_silent, remove_ours
from .room import hold_for_room
from .settle import BLIND_DRAIN_SECONDS, late, settle
from .steps import await_twin, quiet, route_is_ours, shift
from .watch import Watch

ATTEMPTS = 8
MARKS = (RELEASE_LABEL, "app.kubernetes.io/managed-by")  # what says that the new Deployment is a release's and not its owner's


def promote(context: Context, step: Step, watch: Watch) -> None:
    """The new Deployment takes the old one's size, its place in the Service or the route, and its autoscaler."""
    target, state = context.target, context.state
    watch.enter(step)
    _grow(context, watch)
    if not state.swapped:
        state.swapped = True
        context.write(f"promote: {context.twin} takes the place of {target.workload}")
    if swap_objects.switched_by_us(context):
        _switch(context, watch)
    context.write("promote: traffic goes home")
    took = shift(context, home(context))
    state.serves = context.twin
    context.live.say("traffic", f"100 % {context.twin} at {context.spec.image} · put and read back in {took:.0f} ms")
    context.write(f"promote: what scales {target.workload} scales {context.twin}")
    swap_objects.retarget(context, target.workload, context.twin)


def warm(context: Context, step: Step, watch: Watch) -> None:
    """The watch after the swap: the old Deployment is whole, and no proxy sends it anything by the end."""
    old = context.target.workload
    watch.enter(step)
    least = LEAST_DRAIN_SECONDS if context.source else BLIND_DRAIN_SECONDS
    seconds = max(step.seconds, context.spec.drain_seconds, least)
    context.live.say("warm", f"{seconds:.0f} s with all traffic on {context.twin}; {old} stays whole, the way back is one patch")
    until = context.process.clock() + seconds
    while context.process.clock() < until or (context.spec.gates and not quiet(watch)):
        _poll(context, watch)
    while context.source is None and late(context) > 0:  # nothing counts what proxies that are late still send to the old one
        _poll(context, watch)
    silence = Silence(context.source, STABLE) if context.source else None
    while not is_silent(silence):
        if context.process.clock() > until + SILENCE_SECONDS:
            context.live.say("warning", f"{old} still gets requests, or its counters cannot be read; it goes all the same")
            return
        _poll(context, watch)


def retire(context: Context, step: Step, watch: Watch) -> None:
    """The old Deployment goes, what was there for the release only goes, the new Deployment is its owner's. No way back from here."""
    state = context.state
    if not state.retiring:
        _is_placed(context)  # people may have held the release since the last look
        state.retiring = True
        context.write(f"retiring {context.target.workload}")
    finish(context)


def finish(context: Context) -> None:
    """All of clean_up that changes the cluster; what cannot be done is said and left. Raises Superseded and Unreachable."""
    done = {
        f"{context.target.workload} could not be retired": _retire_old,
        "not all that was there for the release could be removed": _remove_temporary,
        f"{context.twin} still bears marks of the release": _hand_over,
    }
    for trouble, action in done.items():
        try:
            action(context)
        except Superseded:
            raise
        except (Conflict, NotFound, Rejected) as error:
            context.live.say("warning", f"{trouble}: {error}")
    context.has_extra_pods(0)
    context.state.hold(HOME)


def tidy(context: Context) -> None:
    """After a swap that has ended: what was there for the release only goes; neither Deployment is changed, but for our marks."""
    _remove_temporary(context)
    _hand_over(context)


def home(context: Context) -> Route:
    """Where traffic is at home after the swap: the Service has changed, or the route names what it did not before."""
    if context.target.place.get("subsets"):
        return Route(100, alone=True)
    return Route(100) if context.router.reselects else HOME


def _grow(context: Context, watch: Watch) -> None:
    """As many pods as the old Deployment has now, all ready."""
    wanted = present_size(context)
    current = context.session.get("Deployment", context.namespace, context.twin)["spec"].get("replicas", 1)
    if current < wanted:
        hold_for_room(context, watch, wanted - current, context.twin, route_is_ours)
        context.scale_twin(wanted)
    await_twin(context, watch)


def _switch(context: Context, watch: Watch) -> None:
    """The Service selects the new pods, which are ready; then until its endpoints are those and no others."""
    service = context.target.service
    try:
        swap_objects.select_canary(context)
    except Conflict as error:
        raise TurnBack("edited", f"the selector of Service {service} was edited by somebody else during the release") from error

    def follows() -> bool:
        there = ready_pods(context.session, context.namespace, service)
        return bool(there) and there == ready_pods(context.session, context.namespace, service + SUFFIX)

    timeout = context.spec.ready_timeout_seconds
    watch.wait(follows, timeout_seconds=timeout, what=f"the endpoints of Service {service} did not follow its selector", cause="promote")
    settle(context, watch)


def _poll(context: Context, watch: Watch) -> None:
    watch.poll()
    _is_placed(context)


def _is_placed(context: Context) -> None:
    """Whether the route and the Service still lead to the new Deployment. Raises TurnBack."""
    route_is_ours(context)
    if not swap_objects.switched_by_us(context):
        return
    try:
        value = swap_objects.selected(context)
    except NotFound:
        value = "nothing: it is gone"
    if value != context.target.switch_value:
        words = f"Service {context.target.service} was edited by somebody else: it selects {context.target.switch_label}={value}"
        raise TurnBack("edited", words)


def _retire_old(context: Context) -> None:
    """Scale the old Deployment to 0, or delete it; what only it owns goes with it. It bears our fence, or it is not touched."""
    name = context.target.workload
    config.hand_over(context)
    if context.spec.swap is not None and context.spec.swap.keep:
        if context.session.find("Deployment", context.namespace, name):
            context.patch_deployment(name, [add("/spec/replicas", 0)])
            context.live.say("retired", f"{name} is scaled to 0")
        return
    for attempt in range(ATTEMPTS):
        found = context.session.find("Deployment", context.namespace, name)
        if found is None:
            return
        meta = found["metadata"]
        holder = (meta.get("annotations") or {}).get(EPOCH)
        if holder is None:  # somebody has replaced it
            context.still_ours()
            context.claim_deployment(name)
            continue
        if holder != context.token:
            raise Superseded(f"Deployment {name} is not held by {context.token} any more")
        try:
            context.session.delete("Deployment", context.namespace, name, uid=meta["uid"], version=meta["resourceVersion"])
            context.live.say("retired", f"{name} is deleted")
            return
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            context.process.sleep(0.2)


def _remove_temporary(context: Context) -> None:
    check_job.remove_all(context)
    remove_ours(context, {"Service": context.target.service + SUFFIX, "DestinationRule": context.target.service + SUFFIX})
    config.tidy(context, every=True)


def _hand_over(context: Context) -> None:
    """The new Deployment is its owner's from now on: our labels and our fence go."""
    found: dict[str, Any] | None = context.session.find("Deployment", context.namespace, context.twin)
    if found is None:
        context.live.say("warning", f"Deployment {context.twin} is gone: somebody has deleted it")
        return
    labels = found["metadata"].get("labels") or {}
    made: list[Operation] = [remove(pointer("metadata", "labels", mark)) for mark in MARKS if mark in labels]
    if made or EPOCH in (found["metadata"].get("annotations") or {}):
        context.patch_deployment(context.twin, [*made, remove(pointer("metadata", "annotations", EPOCH))])


HANDLERS = {"promote": promote, "warm": warm, "clean_up": retire}
