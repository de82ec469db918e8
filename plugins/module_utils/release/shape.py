# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of a rollback: what is done before the rest of the traffic goes back to stable in one patch.

Nothing in here keeps traffic from returning: whatever goes wrong ends the shape, and the caller returns the rest at once.
"""

from __future__ import annotations

import time

from ..cluster.errors import ClusterError, Superseded, Unmarked, Unreachable
from ..cluster.patch import add
from ..traffic.route import Route, RouteError
from ..workload.twin import SUFFIX
from .context import Context
from .ending import TurnBack
from .floors import raise_floors, stable_size
from .plan import Step
from .spec import SHAPES
from .watch import POLL_SECONDS, Watch

_INSTANT, CAPACITY_FIRST, STEPPED = SHAPES


def fill_stable(context: Context, why: TurnBack) -> None:
    """capacity_first: bring stable to the pods that it had at the start and wait for them, at most release_ready_timeout_seconds."""
    if context.spec.rollback != CAPACITY_FIRST or context.target.revision is not None:
        return
    try:
        _fill(context, why)
    except Superseded:
        raise
    except ClusterError as error:
        context.live.say("warning", f"{context.target.workload} was not brought to its size; returning at once ({error})")


def _fill(context: Context, why: TurnBack) -> None:
    name, wanted, timeout = context.target.workload, stable_size(context), context.spec.ready_timeout_seconds
    if context.stable_ready() >= wanted:
        context.live.say("return", f"at once: {name} has its {wanted} ready pods")
        return
    context.live.say("return", f"when {name} has {wanted} ready pods again, at most {timeout:.0f} s (release_rollback: capacity_first)")
    raise_floors(context)
    if context.session.get("Deployment", context.namespace, name)["spec"].get("replicas", 1) < wanted:
        context.write(f"capacity first: {name} to {wanted} pods")
        context.patch_deployment(name, [add("/spec/replicas", wanted)])
    until = context.process.clock() + timeout
    while (ready := context.stable_ready()) < wanted:
        late = context.process.clock() > until and f"{ready} of {wanted} pods of {name} are ready after {timeout:.0f} s"
        lost = context.ready_endpoints(context.target.service + SUFFIX) == 0 and "the canary has no ready pod either"
        if reason := late or lost or _hurried(context, why):
            context.live.say("return", f"at once now: {reason}")
            return
        context.pause(POLL_SECONDS)


def step_down(context: Context, why: TurnBack) -> bool:
    """stepped: give traffic back by the release's own weights, downwards, unless users are hurt while that lasts.

    Whether there was a step; it took time.
    """
    if context.spec.rollback != STEPPED:
        return False
    if not why.gentle:
        context.live.say("return", f"at once: steps are for endings that hurt nobody, and this one is '{why.cause}'")
        return False
    weights = [one.weight_percent for one in reversed(context.spec.steps) if one.weight_percent < context.route.canary_percent]
    if not weights:
        return False
    shares = " → ".join(map(str, [*weights, 0]))
    context.live.say("return", f"{shares} %, {context.spec.rollback_step_seconds:g} s apart (release_rollback: stepped)")
    try:
        watch = Watch(context)
        for weight in weights:
            _step(context, watch, weight)
            _linger(context, why, watch)
    except (TurnBack, RouteError, ClusterError) as error:
        if isinstance(error, Superseded) and not isinstance(error, Unmarked):
            raise
        context.live.say("return", f"at once now: {error}")
    return True


def _step(context: Context, watch: Watch, weight: int) -> None:
    route = Route(weight, context.route.matches, context.route.mirror_percent)
    context.write(f"returning traffic: {weight} %")
    began = time.perf_counter()
    context.router.change(route, context.token)
    context.state.hold(route)
    context.live.steered("return", weight, "", put_ms=1000 * (time.perf_counter() - began))
    watch.enter(Step("weight", f"return-{weight}", weight))


def _linger(context: Context, why: TurnBack, watch: Watch) -> None:
    """Let a step last. Raises TurnBack when there is no time for the others."""
    until = context.process.clock() + context.spec.rollback_step_seconds
    while (left := until - context.process.clock()) > 0:
        context.pause(min(POLL_SECONDS, left))
        if hurry := _hurried(context, why):
            raise TurnBack("aborted", hurry)
        if context.stable_ready() == 0:
            raise TurnBack("no_stable", f"{context.target.workload} has no ready pod any more")
        try:
            watch.harm()
        except TurnBack as harm:
            if not harm.gentle:
                raise


def _hurried(context: Context, why: TurnBack) -> str | None:
    """Who asked for an abort since this return began."""
    try:
        request = context.journal.poll()
    except Unreachable:
        return None
    if request is None or request == why.asked:
        return None
    return f"{request.get('by', 'somebody')} asked for an abort while traffic was returning"
