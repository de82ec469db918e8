# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the guard of a release: its Job is there before traffic moves, its orders are right before each change, all goes at the ending."""

from __future__ import annotations

from typing import Any

from ..cluster.errors import Conflict, NotFound
from ..cluster.kinds import object_path
from ..cluster.patch import replace
from ..guard import objects, orders
from ..guard.in_cluster import WATCHING
from ..traffic.route import HOME, Route, RouteEdited
from ..workload.deployment import hopeless, not_ready
from .context import Context
from .ending import TurnBack
from .guard_preflight import fenced, rules_of
from .plan import Step
from .record import record_name
from .record_size import dump
from .rollback import KEEP
from .watch import Watch

JSON = dict[str, Any]
ENDING_SECONDS = 1800.0  # how much longer than its deadline a release may take to bring its traffic home


def begin(context: Context, step: Step, watch: Watch) -> None:
    """Make the guard of this runner, then remove those of runners before it: the release is never without one."""
    if context.spec.guard is None:
        return
    try:
        ways = context.router.ways_from_here()
    except RouteEdited:
        return  # the first look at the route tells, and returns it
    _create(context, ways)
    _remove(context, others_than=_name(context))
    context.router.before_change = lambda found, route: _rewrite(context, found, route)


def await_watching(context: Context, watch: Watch) -> None:
    """Until the guard has said that it watches: before that no traffic moves. Raises TurnBack when it does not start."""
    if context.spec.guard is None:
        return
    name = _name(context)

    def watching() -> bool:
        found = context.session.find("ConfigMap", context.namespace, name)
        if found is None or WATCHING in (found["metadata"].get("annotations") or {}):
            return True  # one that somebody has deleted is told at the change
        if why := hopeless(_pods(context, name)):
            raise TurnBack("guard", f"the guard does not start: {why}")
        return False

    watch.wait(
        watching,
        timeout_seconds=context.spec.ready_timeout_seconds,
        what=f"the guard (Job {name}) did not begin to watch",
        cause="guard",
        why=lambda: not_ready(_pods(context, name)),
    )


def remove(context: Context) -> None:
    """At an ending: every guard of this release goes, and all that belongs to it."""
    if context.spec.guard is not None:
        _remove(context, others_than="")


def orders_of(context: Context, ways: list[list[JSON]]) -> JSON:
    """What the guard is to do while one of these ways leads home."""
    spec, target, namespace = context.spec, context.target, context.namespace
    place, members = context.router.place, context.router.members_home()
    traffic = [orders.member_order(namespace, *members)] if members else []
    return {
        "release_id": context.state.release_id,
        "after_seconds": spec.guard.after_seconds if spec.guard else 0.0,
        "record": object_path("ConfigMap", namespace, record_name(spec.name)),
        "lease": object_path("Lease", namespace, context.lease.name),
        "stable": object_path(target.workload_kind, namespace, target.workload),
        "canary": object_path("Deployment", namespace, context.twin),
        "keep": spec.on_no_stable == KEEP,
        "fences": [object_path(kind, namespace, name) for kind, name in fenced(target)],
        "traffic": [*traffic, orders.route_order(place.kind, namespace, place.name, ways)],
        "floors": orders.floor_orders(namespace, context.state.floors),
    }


def _create(context: Context, ways: list[list[JSON]]) -> None:
    spec, name, release_id = context.spec, _name(context), context.state.release_id
    if spec.guard is None:
        return
    namespace, text = context.namespace, dump(orders_of(context, ways))
    record = context.session.get("ConfigMap", namespace, record_name(spec.name))
    own = _make(context, objects.orders_body(name, namespace, text, release_id=release_id, record=record))
    for body in objects.account_bodies(name, namespace, rules_of(spec, context.target, name), release_id=release_id, owner=own):
        _make(context, body)
    seconds = spec.deadline_seconds + spec.ready_timeout_seconds + spec.guard.after_seconds + ENDING_SECONDS
    _make(context, objects.job_body(name, namespace, spec.guard.image, release_id=release_id, owner=own, seconds=seconds))
    context.live.say("guard", f"Job {name} returns traffic when nobody gives a sign for {spec.guard.after_seconds:.0f} s")


def _make(context: Context, body: JSON) -> JSON:
    """Create an object; one of its name is ours already, for the name has the release's id and our epoch in it."""
    try:
        return context.session.create(body)
    except Conflict:
        return context.session.get(body["kind"], context.namespace, body["metadata"]["name"])


def _rewrite(context: Context, found: JSON, route: Route) -> None:
    """Before a change: orders that fit the route as it stands, and as it will be."""
    text = dump(orders_of(context, context.router.ways_home(found, route)))
    try:
        context.session.patch("ConfigMap", context.namespace, _name(context), [replace("/data/orders", text)])
    except NotFound:
        if route != HOME:
            context.live.say("warning", f"ConfigMap {_name(context)} was deleted: the release goes on without its guard")


def _remove(context: Context, *, others_than: str) -> None:
    """Delete guards' ConfigMaps: what belongs to them follows."""
    for one in context.session.list("ConfigMap", context.namespace, labels={objects.LABEL: context.state.release_id}):
        if one["metadata"]["name"] != others_than:
            context.session.delete("ConfigMap", context.namespace, one["metadata"]["name"])


def _name(context: Context) -> str:
    return objects.guard_name(context.state.release_id, context.lease.epoch)


def _pods(context: Context, name: str) -> list[JSON]:
    return context.session.list("Pod", context.namespace, labels={"job-name": name})
