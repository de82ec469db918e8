# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rolling strategy: the Deployment replaces its own pods, stopped at each share until the evidence lets it go on.

There is no twin and no route to steer: a share of the pods is a share of the traffic. Going back is the old template.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..cluster.errors import Conflict
from ..cluster.patch import Operation, add, expect, pointer, remove, replace
from ..workload.deployment import Rollout, hopeless, is_ready, not_ready, rollout
from ..workload.revision import KNOBS
from . import config
from .context import Context
from .ending import TurnBack
from .plan import Step
from .room import rolling_words, tell_budgets
from .watch import Watch

JSON = dict[str, Any]
LOOK_SECONDS = 0.3  # pods come quickly, and a rollout is stopped between two of them


def pods_for(percent: int, replicas: int) -> int:
    """New pods that make at least this share of them."""
    return math.ceil(replicas * percent / 100)


def roll(context: Context, step: Step, watch: Watch) -> None:
    """Let new pods replace old ones until they are the step's share, and stop there; at 100 all are new."""
    config.copy(context)
    if not context.state.stable_changed:
        context.state.stable_changed = True
        context.write("roll: the Deployment takes the new template")
    watch.prepare()
    begin(context)
    entered = context.state.weight_percent > 0
    deadline = context.process.clock() + context.spec.ready_timeout_seconds
    stopped = False
    while True:
        deployment = context.session.get("Deployment", context.namespace, context.target.workload)
        state, new = rollout(deployment), context.twin_pods()
        ready = sum(1 for pod in new if is_ready(pod) and not pod["metadata"].get("deletionTimestamp"))
        wanted = pods_for(step.size_percent, state.wanted)
        why = hopeless(new) or state.failed
        if why:
            raise TurnBack("never_ready", f"the new pods do not become ready: {why}")
        if ready and not entered:
            watch.enter(step)
            entered = True
        if step.size_percent < 100 and not stopped and _created(deployment) >= wanted:
            _set_paused(context, deployment, paused=True)
            stopped = True
        if state.complete if step.size_percent == 100 else stopped and ready >= _created(deployment):
            break
        if context.process.clock() > deadline:
            raise TurnBack(
                "never_ready", f"{ready} of {wanted} new pods are ready after {context.spec.ready_timeout_seconds:.0f} s{not_ready(new)}"
            )
        watch.poll(LOOK_SECONDS)
    context.state.weight_percent = step.size_percent
    _tell(context, state, ready, step)
    watch.enter(step)


def _tell(context: Context, state: Rollout, ready: int, step: Step) -> None:
    every = sum(1 for pod in context.workload_pods() if is_ready(pod))
    context.live.say("roll", f"{ready} of {max(every, ready)} ready pods are new (asked for {step.size_percent} % of {state.wanted})")


def _created(deployment: JSON) -> int:
    """New pods that the Deployment has made so far, as far as its status follows its spec."""
    status = deployment.get("status") or {}
    return status.get("updatedReplicas", 0) if status.get("observedGeneration", 0) >= deployment["metadata"]["generation"] else 0


def begin(context: Context) -> None:
    """Give the Deployment the new template and knobs, and let it roll. Repeatable."""
    target = context.target
    found = context.session.get("Deployment", context.namespace, target.workload)
    if found["spec"]["template"] == target.new_template:
        _set_paused(context, found, paused=False)
        return
    if found["spec"]["template"] != target.original_template:
        raise TurnBack("edited", f"the template of Deployment {target.workload} was edited by somebody else during the release")
    rolled = {**found, "spec": {**found["spec"], **target.new_knobs}}
    tell_budgets(context, rolling_words(rolled), target.original_template["metadata"]["labels"])
    operations = [expect("/spec/template", target.original_template), replace("/spec/template", target.new_template)]
    operations += _knob_operations(found, target.new_knobs)
    try:
        context.patch_deployment(target.workload, operations)
    except Conflict as error:  # also when the answer to our own patch was lost
        if context.session.get("Deployment", context.namespace, target.workload)["spec"]["template"] != target.new_template:
            raise TurnBack("edited", f"Deployment {target.workload} was edited by somebody else during the release") from error
    context.live.say("roll", f"{target.workload} takes {context.spec.image}, pod by pod")


def undo_operations(context: Context, found: JSON) -> list[Operation]:
    """What gives a Deployment its knobs back and lets it roll: a paused one would keep the new pods."""
    operations = _knob_operations(found, context.target.original_knobs)
    return [*operations, *([remove("/spec/paused")] if "paused" in found["spec"] else [])]


def _knob_operations(found: JSON, wanted: Mapping[str, Any]) -> list[Operation]:
    made = []
    for name in KNOBS:
        path = pointer("spec", name)
        if name in wanted and found["spec"].get(name) != wanted[name]:
            made.append(add(path, wanted[name]))
        elif name not in wanted and name in found["spec"]:
            made.append(remove(path))
    return made


def _set_paused(context: Context, found: JSON, *, paused: bool) -> None:
    if bool(found["spec"].get("paused")) != paused:
        context.patch_deployment(context.target.workload, [add("/spec/paused", paused)])
