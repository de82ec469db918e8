# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling strategy: a workload replaces its own pods, stopped at each share until the evidence lets it go on.

There is no twin and no route to steer: a share of the pods is a share of the traffic. Going back is the old template.
How a kind of workload is made to stop at a share is its way: a Deployment is paused; sets have theirs in rolling_sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from ..cluster.errors import Conflict
from ..cluster.patch import Operation, add, expect, pointer, remove, replace
from ..workload.deployment import Rollout, hopeless, is_ready, not_ready
from ..workload.kinds import DAEMON_SET, DEPLOYMENT, SETS, STATEFUL_SET, observed, rollout, updated_pods, wanted_pods
from ..workload.revision import KNOBS, knobs_of
from ..workload.sets import standing
from . import config
from .context import Context
from .ending import TurnBack
from .plan import Step
from .rolling_sets import NodeByNode, Partitioned
from .room import rolling_words, tell_budgets
from .watch import Watch

JSON = dict[str, Any]
LOOK_SECONDS = 0.3  # pods come quickly, and a rollout is stopped between two of them


class Way(Protocol):
    """How a kind of workload is brought to a share of new pods, and kept there."""

    @property
    def waits_for(self) -> str:
        """What is in the way at present, but pods that are not ready yet; empty when nothing is."""

    def advance(self, found: JSON, new: list[JSON], percent: int, wanted: int) -> bool:
        """Do what is next to have so many new pods; True when they are there and no more will come. found: the workload."""


class Paused:
    """The way of a Deployment: it rolls by itself and is paused once it has made as many pods as the share asks for."""

    waits_for = ""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stopped = False

    def advance(self, found: JSON, new: list[JSON], percent: int, wanted: int) -> bool:
        """As Way says."""
        if percent == 100:
            return rollout(DEPLOYMENT, found).complete
        created = updated_pods(DEPLOYMENT, found) if observed(found) else 0
        if not self._stopped and created >= wanted:
            _set_paused(self._context, found, paused=True)
            self._stopped = True
        return self._stopped and ready_of(new) >= created


WAYS: dict[str, type[Paused] | type[Partitioned] | type[NodeByNode]] = {
    DEPLOYMENT: Paused,
    STATEFUL_SET: Partitioned,
    DAEMON_SET: NodeByNode,
}


def pods_for(percent: int, replicas: int) -> int:
    """New pods that make at least this share of them."""
    return math.ceil(replicas * percent / 100)


def ready_of(pods: list[JSON]) -> int:
    """How many of the pods are ready and stay."""
    return sum(1 for pod in pods if is_ready(pod) and not pod["metadata"].get("deletionTimestamp"))


def roll(context: Context, step: Step, watch: Watch) -> None:
    """Let new pods replace old ones until they are the step's share, and stop there; at 100 all are new."""
    config.copy(context)
    if not context.state.stable_changed:
        context.state.stable_changed = True
        context.write(f"roll: the {context.target.workload_kind} takes the new template")
    watch.check()  # who paused or aborted meanwhile wants no pod more
    watch.prepare()
    begin(context)
    way: Way = WAYS[context.target.workload_kind](context)
    entered, alone = context.state.weight_percent > 0, False
    most, timeout = 0, context.spec.ready_timeout_seconds
    deadline = context.process.clock() + timeout
    while True:
        found, new = context.workload(), context.twin_pods()
        state, ready = rollout(context.target.workload_kind, found), ready_of(new)
        wanted = pods_for(step.size_percent, state.wanted)
        why = hopeless(new) or state.failed
        if why:
            raise TurnBack("never_ready", f"the new pods do not become ready: {why}")
        if ready and not entered:
            watch.enter(step)
            entered = True
        if step.size_percent == 100 and entered and not alone and _no_old_ones(context, found):
            watch.enter(step)  # the last pod may take longer than stable may be silent
            alone = True
        if way.advance(found, new, step.size_percent, wanted):
            break
        if ready > most:  # one after the other: each has the whole time
            most, deadline = ready, context.process.clock() + timeout
        if context.process.clock() > deadline:
            blocked = f"; {way.waits_for}" if way.waits_for else not_ready(new)
            raise TurnBack("never_ready", f"{ready} of {wanted} new pods are ready after {timeout:.0f} s{blocked}")
        watch.poll(LOOK_SECONDS)
    context.state.weight_percent = step.size_percent
    _tell(context, state, ready, step)
    watch.enter(step)


def _no_old_ones(context: Context, found: JSON) -> bool:
    """Whether a set has no pod of the old template any more; a Deployment's old pods serve until its last new one is ready."""
    kind = context.target.workload_kind
    return kind in SETS and observed(found) and updated_pods(kind, found) >= wanted_pods(kind, found)


def _tell(context: Context, state: Rollout, ready: int, step: Step) -> None:
    every = sum(1 for pod in context.workload_pods() if is_ready(pod))
    context.live.say("roll", f"{ready} of {max(every, ready)} ready pods are new (asked for {step.size_percent} % of {state.wanted})")


def begin(context: Context) -> None:
    """Give the workload the new template and knobs: a Deployment rolls from then on, a set waits for its way. Repeatable."""
    target = context.target
    found = context.workload()
    if found["spec"]["template"] == target.new_template:
        if target.workload_kind == DEPLOYMENT:
            _set_paused(context, found, paused=False)
        return
    who = f"{target.workload_kind} {target.workload}"
    if found["spec"]["template"] != target.original_template:
        raise TurnBack("edited", f"the template of {who} was edited by somebody else during the release")
    knobs = dict(target.new_knobs)
    if target.workload_kind in SETS:
        if knobs_of(found, target.workload_kind) != target.original_knobs:
            raise TurnBack("edited", f"the updateStrategy or minReadySeconds of {who} was edited by somebody else during the release")
        before = target.original_knobs.get("updateStrategy")
        knobs["updateStrategy"] = standing(target.workload_kind, before, wanted_pods(target.workload_kind, found))
    if target.workload_kind == DEPLOYMENT:  # pods of sets are evicted, which asks the budgets
        rolled = {**found, "spec": {**found["spec"], **target.new_knobs}}
        tell_budgets(context, rolling_words(rolled), target.original_template["metadata"]["labels"])
    operations = [expect("/spec/template", target.original_template), replace("/spec/template", target.new_template)]
    operations += knob_operations(found, knobs, target.workload_kind)
    try:
        context.patch_workload(operations)
    except Conflict as error:  # also when the answer to our own patch was lost
        if context.workload()["spec"]["template"] != target.new_template:
            raise TurnBack("edited", f"{who} was edited by somebody else during the release") from error
    context.live.say("roll", f"{target.workload} takes {context.spec.image}, pod by pod")


def undo_operations(context: Context, found: JSON) -> list[Operation]:
    """What gives a Deployment its knobs back and lets it roll: a paused one would keep the new pods."""
    operations = knob_operations(found, context.target.original_knobs, DEPLOYMENT)
    return [*operations, *([remove("/spec/paused")] if "paused" in found["spec"] else [])]


def knob_operations(found: JSON, wanted: Mapping[str, Any], kind: str) -> list[Operation]:
    """What makes the knobs of a workload as it was read the wanted ones."""
    made = []
    for name in KNOBS[kind]:
        path = pointer("spec", name)
        if name in wanted and found["spec"].get(name) != wanted[name]:
            made.append(add(path, wanted[name]))
        elif name not in wanted and name in found["spec"]:
            made.append(remove(path))
    return made


def _set_paused(context: Context, found: JSON, *, paused: bool) -> None:
    if bool(found["spec"].get("paused")) != paused:
        context.patch_workload([add("/spec/paused", paused)])
