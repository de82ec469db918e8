# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roll back: traffic first, then everything else. Also how a release that went well tidies up."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..cluster.errors import ClusterError, Conflict, Rejected, Superseded, Unmarked, Unreachable
from ..cluster.patch import expect, replace
from ..metrics.counters import CANARY
from ..metrics.prometheus import MetricsError
from ..metrics.source import Silence
from ..traffic.route import HOME, Observed, RouteError
from ..workload.deployment import rollout
from ..workload.kinds import SETS
from ..workload.twin import SUFFIX
from . import check_job, config, no_return, rolling_sets, shape, swap_objects
from .context import Context
from .ending import PARKED, PASSED, TurnBack
from .floors import stable_size
from .park import park, park_with_share
from .presence import missing
from .rolling import undo_operations
from .room import tell_budgets
from .settle import blind_drain

PATIENCE_SECONDS = 900.0
STABLE_READY_SECONDS = 120.0
LEAST_DRAIN_SECONDS = 1.0
KEEP = "keep"  # release_on_no_stable: rather the canary than nobody
Result = TypeVar("Result")
SILENCE_SECONDS = 120.0  # longest wait for counters that stand still, beyond the drain


def turn_back(context: Context, why: TurnBack) -> str:
    """Return traffic to stable, then remove the canary; the outcome, parked when the canary had to keep the traffic.

    Journals the ending; raises Superseded when another runner holds the release.
    """
    context.live.say(
        {PARKED: "PARK", PASSED: "END"}.get(why.outcome, "ROLL BACK"),
        f"at {context.route}: {why.reason}",
        cause=why.cause,
        evidence=why.evidence,
    )
    if names := no_return.passed(context.spec.checks, context.state.steps):
        context.live.say("warning", no_return.warning(names))
    context.state.phase, context.state.outcome, context.state.reason = "returning", why.outcome, why.reason
    context.state.cause = why.cause
    context.state.evidence = why.evidence or context.state.evidence
    _best_effort_journal(context, f"returning traffic: {why.cause}")
    if context.state.stable_changed:
        patiently(context, lambda: _rescue(context))
        patiently(context, lambda: _undo_template(context))
    if park_with_share(context, why):
        return PARKED
    try:
        shape.fill_stable(context, why)
        if not patiently(context, lambda: _stable_can_serve(context)):
            return _keep(context, why)
        stepped = shape.step_down(context, why)
    except Superseded:
        raise
    except BaseException:
        patiently(context, lambda: _return_traffic(context))
        raise
    if stepped and not patiently(context, lambda: _stable_can_serve(context)):
        return _keep(context, why)
    patiently(context, lambda: _return_traffic(context))
    if why.outcome == PARKED:
        park(context)
        patiently(context, context.write)
    else:
        patiently(context, lambda: remove_canary(context))
        config.tidy(context, every=False)
    return why.outcome


def _keep(context: Context, why: TurnBack) -> str:
    """Leave the canary serving, for nobody else could: release_on_no_stable is keep."""
    target, state = context.target, context.state
    scale = f"kubectl -n {context.namespace} scale deployment/{target.workload} --replicas={target.stable_replicas}"
    state.reason = (
        f"{why.reason}; but {_no_stable(context)}, so the canary keeps its {context.route} (release_on_no_stable is keep). "
        f"Bring stable back ({scale}), then abort the release, or run it again to go on"
    )
    state.phase, state.outcome = "parked", PARKED
    context.live.say("PARK", state.reason)
    patiently(context, context.write)
    return PARKED


def _no_stable(context: Context) -> str:
    """That stable has no ready pod, and whether it was scaled to none."""
    kind = context.target.workload_kind
    found = context.session.find(kind, context.namespace, context.target.workload)
    why = " is gone" if found is None else " has replicas: 0" if found["spec"].get("replicas", 1) == 0 else ""
    return f"Service {context.target.service} has no ready endpoint" + (f" ({kind} {context.target.workload}{why})" if why else "")


def _rescue(context: Context) -> None:
    """While stable is undone the canary serves everybody. When it cannot any more, stable's ready pods do, whichever version they are."""
    if context.route != HOME and (gone := missing(context)) and context.stable_ready():
        context.live.say("warning", f"{gone}; traffic returns to the ready pods of {context.target.workload} before all are undone")
        _return_traffic(context)


def _return_traffic(context: Context) -> None:
    began = time.perf_counter()
    if context.state.swapped:
        swap_objects.select_stable(context)
    try:
        after = _give_back(context)
        took = f"returned in {1000 * (time.perf_counter() - began):.0f} ms"
        if after.route is None:
            took = "the route was edited by somebody else and does not name the canary: left as it is"
    except RouteError as error:
        took = f"nothing to return: {error}"
    context.state.hold(HOME)
    context.live.say("traffic", f"100 % stable · {took}")
    if context.state.swapped:
        swap_objects.go_back(context)
    _best_effort_journal(context, "removing the canary")


def _give_back(context: Context) -> Observed:
    """Take the canary out of the route, also where somebody has replaced the object, and our mark with it."""
    try:
        return context.router.give_back(context.token)
    except Unmarked:
        context.still_ours()
        context.router.claim(context.token, may_replace=lambda fence: False)
        return context.router.give_back(context.token)


def _stable_can_serve(context: Context) -> bool:
    """Traffic returns only to ready pods. If stable has none and the canary has, wait a while for it: the lesser evil.

    False when the canary is to keep the traffic; True all the same when it could not either, or release_on_no_stable says so.
    """
    deadline = context.process.clock() + STABLE_READY_SECONDS
    said = False
    while context.stable_ready() == 0:
        serves = context.ready_endpoints(context.target.service + SUFFIX) > 0
        if serves and context.state.swapped and not context.session.find("Deployment", context.namespace, context.target.workload):
            return False  # somebody has deleted what traffic would return to
        if serves and context.spec.on_no_stable == KEEP and context.process.clock() > deadline:
            return False
        if not serves or context.process.clock() > deadline:
            context.live.say("warning", f"{_no_stable(context)}; returning traffic to it all the same")
            return True
        if not said:
            service = context.target.service
            words = f"{service} has no ready endpoint; the canary keeps the traffic for up to {STABLE_READY_SECONDS:.0f} s"
            context.live.say("hold", words)
            said = True
        context.pause(1.0)
    return True


def _undo_template(context: Context) -> None:
    """Give stable its old template back and wait until it is whole, while the twin carries the traffic."""
    target = context.target
    if target.workload_kind in SETS:
        rolling_sets.undo(context)
        context.state.stable_changed = False
        return
    found = context.workload()
    current = found["spec"]["template"]
    if current != target.original_template:
        context.live.say("undo", f"{target.workload} back to {target.stable_image}")
        operations = [expect("/spec/template", current), replace("/spec/template", target.original_template)]
        try:
            context.patch_deployment(target.workload, [*operations, *(undo_operations(context, found) if target.revision else [])])
        except Conflict as error:
            context.live.say("warning", f"stable's template changed while it was being undone; left as it is ({error})")
    deadline = context.process.clock() + context.spec.ready_timeout_seconds
    while not rollout(context.workload(), enough=stable_size(context)).complete:
        if context.process.clock() > deadline:
            context.live.say("warning", f"{target.workload} is not whole again after {context.spec.ready_timeout_seconds:.0f} s")
            break
        context.pause(0.5)
        _rescue(context)
    context.state.stable_changed = False


def remove_canary(context: Context) -> None:
    """End the checks' Jobs, drain, then delete the twin, its Service and its DestinationRule. Nothing refers to them any more."""
    if context.target.revision is not None:
        return  # a workload that is rolled has no canary
    check_job.remove_all(context)
    names = {"Deployment": context.twin, "Service": context.target.service + SUFFIX, "DestinationRule": context.target.service + SUFFIX}
    found = context.session.find("Deployment", context.namespace, context.twin)
    if found and _ours(found):
        context.claim_deployment(context.twin)
        _tell_budgets(context)
        _drain(context)
    swap_objects.remove_subset(context)
    if remove_ours(context, names):
        context.has_extra_pods(0)
        context.live.say("clean up", "canary removed")


def remove_ours(context: Context, names: Mapping[str, str]) -> bool:
    """Delete what is called so (by kind) and was made by a release; whether there was any."""
    present = {kind: context.session.find(kind, context.namespace, name) for kind, name in names.items()}
    ours = {kind: found for kind, found in present.items() if found and _ours(found)}
    for kind, found in ours.items():
        context.session.delete(kind, context.namespace, found["metadata"]["name"], uid=found["metadata"]["uid"])
    return bool(ours)


def _tell_budgets(context: Context) -> None:
    """Stable's, whose spare capacity the canary was, and the canary's own."""
    what = f"{context.twin} goes all the same: it serves nobody, and a Deployment that is deleted asks no budget"
    with contextlib.suppress(Rejected):
        tell_budgets(context, what, context.target.original_template["metadata"]["labels"], context.target.pod_labels)


def _drain(context: Context) -> None:
    """Keep the twin until its drain is over and, as far as counters tell, no proxy sends it anything any more."""
    if context.source is None:
        blind_drain(context)
        return
    began = context.process.clock()
    silence = Silence(context.source, CANARY)
    said = False
    while True:
        passed = context.process.clock() - began
        drained = passed >= max(LEAST_DRAIN_SECONDS, context.spec.drain_seconds)
        if is_silent(silence) and drained:
            return
        if passed > context.spec.drain_seconds + SILENCE_SECONDS:
            context.live.say(
                "warning", f"the canary still gets requests, or its counters cannot be read, after {passed:.0f} s; removing it all the same"
            )
            return
        if drained and not said:
            context.live.say("drain", "waiting until the counters show that no proxy sends the canary anything any more")
            said = True
        context.pause(1.0)


def is_silent(silence: Silence | None) -> bool:
    """Whether an arm gets no more requests, as far as its counters can be read; without any it does not."""
    if silence is None:
        return True
    try:
        return silence.reached()
    except (MetricsError, ValueError):
        return False


def _ours(found: dict[str, Any]) -> bool:
    return (found["metadata"].get("labels") or {}).get("app.kubernetes.io/managed-by") == "progressive.delivery"


def patiently(context: Context, action: Callable[[], Result]) -> Result:
    """Do it, again and again while the API server does not answer, for a quarter of an hour: there is nobody else to do it."""
    deadline = context.process.clock() + PATIENCE_SECONDS
    said = False
    while True:
        try:
            return action()
        except Superseded:
            raise
        except (Unreachable, Conflict) as error:
            if context.process.clock() > deadline:
                raise
            if not said:
                context.live.say("retry", f"the API server does not answer; trying again until it does ({error})")
                said = True
            context.process.sleep(0.5)


def _best_effort_journal(context: Context, doing: str) -> None:
    """The return of traffic never waits for the journal."""
    try:
        context.write(doing)
    except Superseded:
        raise
    except ClusterError as error:
        context.live.say("warning", f"the record could not be written: {error}")
