# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways of a StatefulSet and a DaemonSet: how each comes to a share of new pods, how it comes back, and how it ends.

A StatefulSet is steered by its partition; Kubernetes replaces the pods. A DaemonSet stands still with OnDelete while the
release evicts its pods, node by node. The user's updateStrategy is in the record's target and comes back at every ending.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ..cluster.errors import Conflict, Superseded
from ..cluster.eviction import evict
from ..cluster.patch import Operation, add, expect, remove, replace
from ..traffic.route import EPOCH
from ..workload.deployment import is_ready
from ..workload.kinds import DAEMON_SET, STATEFUL_SET, available_pods, observed, ready_pods, rollout, updated_pods, wanted_pods
from ..workload.sets import blocking, most_away, partition_of, standing, stands
from .context import Context
from .ending import TurnBack

JSON = dict[str, Any]
STRATEGY = "/spec/updateStrategy"
LOOK_SECONDS = 0.5


class Partitioned:
    """The way of a StatefulSet: the partition is lowered to the share, and Kubernetes replaces the ordinals above, highest first."""

    waits_for = ""

    def __init__(self, context: Context) -> None:
        self._context = context

    def advance(self, found: JSON, new: list[JSON], percent: int, wanted: int) -> bool:
        """Lower the partition, never raise it; True when the pods are there, all available, and Kubernetes has seen the partition."""
        _still_steered(self._context, found)
        strategy = found["spec"]["updateStrategy"]
        partition = max(0, wanted_pods(STATEFUL_SET, found) - wanted)
        if partition < partition_of(strategy):
            lower = standing(STATEFUL_SET, strategy, partition)
            _patch(self._context, [expect(STRATEGY, strategy), replace(STRATEGY, lower)])
            return False
        return _is_there(STATEFUL_SET, found, new, percent, wanted)


class NodeByNode:
    """The way of a DaemonSet: old pods are evicted, no more at a time than may be missing, until the share is new."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._mover = Mover(context)

    @property
    def waits_for(self) -> str:
        """Whose budget blocks."""
        return self._mover.blocked

    def advance(self, found: JSON, new: list[JSON], percent: int, wanted: int) -> bool:
        """Evict what may go now; True when the share is there and all pods are available."""
        _still_steered(self._context, found)
        if _is_there(DAEMON_SET, found, new, percent, wanted):
            return True
        pods = _alive(self._context.workload_pods())
        ours = {pod["metadata"]["uid"] for pod in new}
        old = [pod for pod in pods if pod["metadata"]["uid"] not in ours]
        under_way = max(0, wanted_pods(DAEMON_SET, found) - len(pods))  # nodes whose next pod, a new one, is not there yet
        self._mover.replace(found, old, pods, most=wanted - (len(pods) - len(old)) - under_way)
        return False


class Mover:
    """Has pods of a set replaced by evicting them, within what may be missing. What blocks is said once and remembered."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.blocked = ""

    def replace(self, found: JSON, victims: list[JSON], pods: list[JSON], *, most: int, broken_at_once: bool = False) -> None:
        """Evict up to `most` victims: first those that are not ready, which nobody misses, then by node, while enough stay ready.

        pods: all of the workload that stay. broken_at_once: one that is not ready is deleted where a budget blocks its eviction:
        it is none of the healthy pods that a budget counts, and would block for ever.
        """
        _hold(self._context, found)
        target = self._context.target
        wanted = wanted_pods(DAEMON_SET, found)
        ready = sum(map(is_ready, pods))
        missing = max(wanted - ready, wanted - available_pods(DAEMON_SET, found))
        room = most_away(self._context.spec.rolling, target.original_knobs.get("updateStrategy"), wanted) - missing
        for pod in sorted(victims, key=lambda one: (is_ready(one), one["spec"].get("nodeName", ""), one["metadata"]["name"]))[
            : max(0, most)
        ]:
            if is_ready(pod):
                if room <= 0:
                    return
                room -= 1
            if not self.remove(pod, by_force=broken_at_once and not is_ready(pod)):
                return

    def remove(self, pod: JSON, *, by_force: bool = False) -> bool:
        """Evict a pod; False when a budget blocks it. by_force: delete it then, unless it has changed since it was read."""
        name = pod["metadata"]["name"]
        if evict(self._context.session, pod):
            self.blocked = ""
            self._context.live.say("roll", f"pod {name} goes{_place(pod)}")
            return True
        blocked = blocking(self._context.session.list("PodDisruptionBudget", self._context.namespace), pod)
        if by_force:
            meta = pod["metadata"]
            with contextlib.suppress(Conflict):  # it has changed just now, and is looked at again
                self._context.session.delete("Pod", meta["namespace"], name, uid=meta["uid"], version=meta["resourceVersion"])
            self._context.live.say("roll", f"pod {name} is not ready and goes{_place(pod)}, though its eviction was blocked ({blocked})")
            return True
        if not self.blocked:
            self._context.live.say("hold", f"pod {name} cannot be evicted: {blocked}; waiting for that")
        self.blocked = f"pod {name} cannot be evicted: {blocked}"
        return False


def undo(context: Context) -> None:
    """Bring every pod back to the old template, then give the set its updateStrategy back. Repeatable, by any runner."""
    target, kind = context.target, context.target.workload_kind
    found = context.session.find(kind, context.namespace, target.workload)
    if found is None:
        context.live.say("warning", f"{kind} {target.workload} is gone: there is nothing to bring back")
        return
    if found["spec"]["template"] != target.original_template:
        context.live.say("undo", f"{target.workload} back to {target.stable_image}")
        current = found["spec"]["template"]
        operations = [expect("/spec/template", current), replace("/spec/template", target.original_template)]
        context.patch_workload([*operations, *_ways_back(context, found), *_seconds(found, target.original_knobs)])
    _await_old_pods(context)
    _give_back(context, target.original_knobs)


def settle(context: Context) -> None:
    """At the end of a release that went well: the set keeps the version, and gets its updateStrategy back. Repeatable."""
    target = context.target
    if context.session.find(target.workload_kind, context.namespace, target.workload) is not None:
        _give_back(context, {**target.new_knobs, "updateStrategy": target.original_knobs.get("updateStrategy")})


def _ways_back(context: Context, found: JSON) -> list[Operation]:
    """A StatefulSet replaces all new pods when its partition is 0; a DaemonSet keeps OnDelete. Somebody else's is theirs."""
    before, strategy = context.target.original_knobs.get("updateStrategy"), found["spec"].get("updateStrategy")
    kind = context.target.workload_kind
    if kind == DAEMON_SET or not stands(kind, strategy, before):
        return []
    return [expect(STRATEGY, strategy), replace(STRATEGY, standing(kind, strategy, 0))]


def _await_old_pods(context: Context) -> None:
    """Wait until all pods are old ones and available; each that becomes so gives the next one the whole time again."""
    target, timeout = context.target, context.spec.ready_timeout_seconds
    mover, most = Mover(context), -1
    deadline = context.process.clock() + timeout
    while True:
        found, new = context.workload(), _alive(context.twin_pods())
        if not new and rollout(target.workload_kind, found).complete:
            return
        old = ready_pods(target.workload_kind, found) - sum(map(is_ready, new))
        if old > most:
            most, deadline = old, context.process.clock() + timeout
        if context.process.clock() > deadline:
            why = f"; {mover.blocked}" if mover.blocked else ""
            words = f"{target.workload} is not whole again after {timeout:.0f} s: {len(new)} pods are still new{why}"
            context.live.say("warning", words)
            return
        _move_back(context, mover, found, new)
        context.pause(LOOK_SECONDS)


def _move_back(context: Context, mover: Mover, found: JSON, new: list[JSON]) -> None:
    """What Kubernetes does not do by itself on the way back.

    A StatefulSet waits for a broken new pod for ever before it replaces it (the documented "forced rollback"): it must go.
    Of a DaemonSet with OnDelete all new pods must.
    """
    _hold(context, found)
    if context.target.workload_kind == DAEMON_SET:
        if stands(DAEMON_SET, found["spec"].get("updateStrategy"), None):
            mover.replace(found, new, _alive(context.workload_pods()), most=len(new), broken_at_once=True)
        return
    for pod in new:
        if not is_ready(pod) and observed(found):
            mover.remove(pod, by_force=True)


def _give_back(context: Context, knobs: JSON) -> None:
    """Give the set the knobs that it is to have after the release; an updateStrategy that is not the release's is somebody else's."""
    target = context.target
    for _attempt in range(5):
        found = context.workload()
        strategy, before = found["spec"].get("updateStrategy"), target.original_knobs.get("updateStrategy")
        operations = _seconds(found, knobs)
        if strategy != before and stands(target.workload_kind, strategy, before):
            operations += [expect(STRATEGY, strategy), add(STRATEGY, before) if before is not None else remove(STRATEGY)]
        elif strategy != before:
            who = f"{target.workload_kind} {target.workload}"
            context.live.say("warning", f"the updateStrategy of {who} was changed by somebody else; it stays")
        if not operations:
            return
        try:
            context.patch_workload(operations)
            return
        except Conflict:
            context.pause(0.2)


def _seconds(found: JSON, knobs: JSON) -> list[Operation]:
    """What gives a set the minReadySeconds of some knobs."""
    path, has, wanted = "/spec/minReadySeconds", found["spec"].get("minReadySeconds"), knobs.get("minReadySeconds")
    if has == wanted:
        return []
    return [remove(path)] if wanted is None else [add(path, wanted)]


def _still_steered(context: Context, found: JSON) -> None:
    """Raises TurnBack when somebody else has taken the updateStrategy over: the set could replace all of its pods then."""
    target = context.target
    if not stands(target.workload_kind, found["spec"].get("updateStrategy"), target.original_knobs.get("updateStrategy")):
        who = f"{target.workload_kind} {target.workload}"
        raise TurnBack("edited", f"the updateStrategy of {who} was edited by somebody else during the release")


def _is_there(kind: str, found: JSON, new: list[JSON], percent: int, wanted: int) -> bool:
    """Whether the share is new and ready, all pods are available, and the status is of the present spec."""
    if percent == 100:
        return rollout(kind, found).complete
    ready = sum(map(is_ready, _alive(new)))
    whole = available_pods(kind, found) >= wanted_pods(kind, found)
    return observed(found) and updated_pods(kind, found) >= wanted and ready >= wanted and whole


def _patch(context: Context, operations: list[Operation]) -> None:
    try:
        context.patch_workload(operations)
    except Conflict as error:
        who = f"{context.target.workload_kind} {context.target.workload}"
        raise TurnBack("edited", f"{who} was edited by somebody else during the release") from error


def _hold(context: Context, found: JSON) -> None:
    """Before a pod goes, which no patch can fence: is the workload, as just read, still ours? Raises Superseded."""
    if (found["metadata"].get("annotations") or {}).get(EPOCH) != context.token:
        raise Superseded(f"{context.target.workload_kind} {context.target.workload} is not held by {context.token} any more")


def _alive(pods: list[JSON]) -> list[JSON]:
    """Without the pods that are on their way out."""
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def _place(pod: JSON) -> str:
    node = pod["spec"].get("nodeName")
    return f" from node {node}" if node else ""
