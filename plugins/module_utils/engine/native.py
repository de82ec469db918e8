# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The native engine: start, resume, abort and status of a release, by this collection alone."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ..cluster import lease as leases
from ..cluster.errors import ClusterError, Conflict, NotFound, Superseded, Unreachable
from ..cluster.lease import LeaseHeld
from ..cluster.session import Session
from ..release import park, preview, record, runner
from ..release.budget_plan import effective
from ..release.budget_plan import lines as budget_lines
from ..release.context import Context, Process
from ..release.costs import Costs
from ..release.ending import ABORTED, PROMOTED, REFUSED, TurnBack
from ..release.gate_odds import with_time_notes
from ..release.gates_spec import SEQUENTIAL
from ..release.plan import TRAFFIC, difference, plan
from ..release.preflight import already_running, preflight
from ..release.record import Journal, Record, State
from ..release.saved import spec_from
from ..release.spec import Spec
from ..release.standing import standing
from ..release.target import Findings, Refused, Target
from ..release.translate.translate import with_route
from ..release.values import Problem
from ..report.limits import limits
from ..traffic.route import RouteError, fence_token
from . import people
from .assemble import Caller, context_of, router_of, transport

JSON = dict[str, Any]
ACKNOWLEDGE_SECONDS = 5.0
ABORT_SECONDS = 600.0
TAKE_OVER_SECONDS = 60.0


def start(session: Session, spec: Spec, caller: Caller, *, check_mode: bool = False, begun: JSON | None = None) -> JSON:
    """Run the release to its ending, or go on with the one that is unfinished. Raises Refused with nothing changed.

    begun: the command that began it, where that is not the release verb.
    """
    known = record.load(session, spec.namespace, spec.name)
    if known is not None and known.unfinished:
        same_plan(known, spec)
        return _resume(session, spec, known, caller) if not check_mode else preview.unfinished(known)
    if runs := already_running(session, spec):
        return {
            "changed": False,
            "outcome": PROMOTED,
            "reason": f"{runs} already",
            "weight_percent": 0,
            "release_id": "",
            "image": spec.image,
            "steps": [],
            "evidence": {},
        }
    try:
        found = with_time_notes(spec, people.before(session, spec, preflight(session, spec, transport(session, spec)), caller))
    except Refused as error:
        # A release of another name that runs here may be what preflight stumbles over: say who it is, too.
        raise Refused([*with_route(error.problems, spec.origin), *_held_by_another(session, spec)]) from error
    if check_mode:
        free_lease(session, spec)
        spec = effective(spec, found.target.budget)
        return preview.show(session, spec, found, router_of(session, spec, found.target, caller.process), caller.live_emit)
    return _begin(session, spec, found, known, caller, begun=begun)


def abort(session: Session, namespace: str, release_name: str, caller: Caller, *, by: str, reason: str) -> JSON:
    """Return traffic now. The runner is asked first; after five seconds without an answer its Lease is taken over."""
    known = known_release(session, namespace, release_name)
    if not known.unfinished:
        return {**summary(known), "changed": False}
    request = {"by": by, "reason": reason, "at": record.now()}
    record.ask_abort(session, known, request)
    why = TurnBack("aborted", f"aborted by {by}: {reason or 'no reason given'} (the runner did not answer)", outcome=ABORTED)
    return bring_back(session, known, caller, why)


def known_release(session: Session, namespace: str, release_name: str) -> Record:
    """The record of a release. Raises Refused with the names that there are."""
    known = record.load(session, namespace, release_name)
    if known is None:
        names = ", ".join(one.name.removeprefix("release-") for one in record.load_all(session, namespace)) or "none"
        raise Refused([Problem("release_name", release_name, f"a release of namespace {namespace}; there is: {names}")])
    return known


def bring_back(session: Session, known: Record, caller: Caller, why: TurnBack) -> JSON:
    """Wait for the ending that a runner was asked for; when it has not begun to return traffic after five seconds, do it from here."""
    ended = await_ending(session, known.namespace, known.name.removeprefix("release-"), caller.process)
    if ended is not None:
        return {**summary(ended), "changed": True}
    spec = spec_from(known.spec)
    context = take_over(session, spec, known, caller, by_force=True)
    steps = plan(context.spec)
    if steps[min(known.state.step, len(steps) - 1)].kind == "clean_up":
        return _run(context)  # the version serves everybody already: only tidying is left
    runner.go_back(context, why)
    return {**_result(context), "changed": True}


def status(session: Session, namespace: str, release_name: str | None = None) -> list[JSON]:
    """What the records of a namespace say, newest first; of one release when it is named."""
    found = record.load_all(session, namespace)
    if release_name is not None:
        found = [one for one in found if one.name == record.record_name(release_name)]
    return [summary(one) for one in sorted(found, key=lambda one: one.state.started_at, reverse=True)]


def summary(known: Record) -> JSON:
    """A record as a verb returns it."""
    state = known.state
    return {
        "release_name": known.name.removeprefix("release-"),
        "release_id": state.release_id,
        "phase": state.phase,
        "outcome": state.outcome,
        "reason": state.reason,
        "weight_percent": state.weight_percent,
        "workload": f"{known.target.get('workload_kind', 'Deployment')}/{known.target['workload']}",
        "serves": f"{known.target.get('workload_kind', 'Deployment')}/{state.serves or known.target['workload']}",
        "namespace": known.namespace,
        "image": state.image,
        "digest": state.digest,
        "stable_image": known.target["stable_image"],
        "strategy": known.spec.get("strategy", ""),
        "gates": limits(known.spec.get("gates") or ()),
        "started_at": state.started_at,
        "updated_at": state.updated_at,
        "steps": state.steps,
        "costs": Costs.of(state.costs).told(),
        "looks": state.looks,
        "evidence": state.evidence,
        "history": state.history,
        "webhooks": state.webhooks.get("answers", []),
        "abort_requested": known.abort,
        "guard": known.guard,
        **standing(known, time.time()),
    }


def same_plan(known: Record, spec: Spec) -> None:
    """Raises Refused where an unfinished release was begun with another plan."""
    saved = spec_from(known.spec).to_dict()
    changed = difference(saved, spec.to_dict())
    if changed:
        allowed = f"the plan that release {known.state.release_id} began with, or abort it first; changed: {'; '.join(changed)}"
        raise Refused([Problem("release_name", spec.name, allowed)])


def free_lease(session: Session, spec: Spec) -> None:
    """Raises Refused where another release holds the workload's Lease; takes nothing."""
    held = _held_by_another(session, spec)
    if held:
        raise Refused(held)


def _held_by_another(session: Session, spec: Spec) -> list[Problem]:
    name = leases.lease_name(spec.workload_kind, spec.workload)
    with contextlib.suppress(ClusterError):
        held = (leases.look(session, spec.namespace, name) or {}).get("spec", {})
        if held.get("holderIdentity") and not leases.is_dead(held["holderIdentity"]):
            allowed = f"a workload that no other release holds; Lease {name} is held by {leases.held_by(held)}"
            return [Problem("release_workload", spec.workload, allowed)]
    return []


def _begin(session: Session, spec: Spec, found: Findings, known: Record | None, caller: Caller, *, begun: JSON | None = None) -> JSON:
    held = take_lease(session, spec, caller)
    control: JSON = {**people.beginning(session, spec, people.seconds_of(spec, found), caller), **({"begun": begun} if begun else {})}
    state = State(record.new_release_id(spec.name), image=spec.image, serves=spec.workload, control=control)
    token = fence_token(state.release_id, held.epoch)
    journal = Journal(session, spec.namespace, spec.name, token)
    try:
        journal.create(spec.to_dict(), found.target.to_dict(), state, known)
        context = context_of(session, spec, found.target, caller, state=state, held=held, token=token)
        for note in (*(spec.origin.notes if spec.origin else ()), *found.notes):
            context.live.say("note", note)
        if spec.judged_by(SEQUENTIAL) and not found.target.history_known:
            context.live.say("note", "less than an hour of history: errors are taken to be independent (dispersion 1)")
        for line in budget_lines(context.spec, found.target.budget):
            context.live.say("budget", line.strip())
        context.live.say("start", f"{state.release_id}: {found.target.stable_image} → {spec.image}")
    except BaseException:
        held.release()
        raise
    try:
        context.router.claim(token, may_replace=lambda fence: _is_stale(session, spec, fence))
    except (RouteError, ClusterError) as error:
        session.delete("ConfigMap", spec.namespace, record.record_name(spec.name))
        held.release()
        if isinstance(error, ClusterError):
            raise
        allowed = f"a route that no other release holds: {error}"
        raise Refused([Problem("release_traffic", context.router.where, allowed)]) from error
    return _run(context)


def _is_stale(session: Session, spec: Spec, fence: str) -> bool:
    """Whether a fence on the route was left by a release that has ended or is gone: then it binds nobody."""
    return record.holder(session, spec.namespace, fence) is None


def take_lease(session: Session, spec: Spec, caller: Caller, *, by_force: bool = False, holder: str = "") -> leases.Lease:
    """The Lease of the workload; holder: Kind/name of what has its template where that is another object. Raises Refused: it is held."""
    kind, _slash, workload = (holder or f"{spec.workload_kind}/{spec.workload}").partition("/")
    name = leases.lease_name(kind, workload)
    try:
        return leases.acquire(session, spec.namespace, name, sleep=caller.process.sleep, emit=caller.live_emit, by_force=by_force)
    except (LeaseHeld, Conflict) as error:
        allowed = f"a workload that no other release holds: {error}; see it with: {caller.next_status}, or end it with: {caller.next_abort}"
        raise Refused([Problem("release_workload", workload, allowed)]) from error


def _resume(session: Session, spec: Spec, known: Record, caller: Caller) -> JSON:
    parked = known.state.phase == "parked"
    if parked and (rejected := people.hear(session, spec, known, caller)):
        context = take_over(session, spec, known, caller)
        runner.go_back(context, TurnBack("rejected", rejected))
        return _result(context)
    if parked and not park.is_too_late(known, caller.process.clock()) and (waiting := park.waits_for(known, caller.process.clock())):
        reason = f"waits for an approval of {waiting} ({known.state.reason}); approve or reject it, then run the release again"
        return {**summary(known), "changed": False, "reason": reason}
    if parked and not park.is_too_late(known, caller.process.clock()) and (frozen := people.frozen(spec, caller.process.clock())):
        return {**summary(known), "changed": False, "reason": f"{frozen} ({known.state.reason})"}
    context = take_over(session, spec, known, caller)
    if parked and (late := park.is_too_late(known, caller.process.clock())):
        runner.go_back(context, TurnBack("parked", late))
        return _result(context)
    context.live.say(
        "resume", f"{known.state.release_id} at {known.state.weight_percent} %, step {known.state.step + 1}, was {known.state.phase}"
    )
    if known.state.phase == "returning":
        runner.go_back(context, TurnBack("resumed", known.state.reason, outcome=known.state.outcome or "rolled_back"))
        return _result(context)
    if known.state.phase == "parked":
        _unpark(context)
    return _run(context)


def _unpark(context: Context) -> None:
    """A parked release has no traffic: go back to the step that gives it its share again."""
    steps = plan(context.spec)
    weights = [index for index, step in enumerate(steps) if step.kind in TRAFFIC and index <= context.state.step]
    context.state.phase, context.state.outcome = "running", None
    park.unpark(context.state.control)
    context.state.step = weights[-1] if weights else context.state.step


def take_over(session: Session, spec: Spec, known: Record, caller: Caller, *, by_force: bool = False) -> Context:
    """Take over; an API server that is just restarting is asked again for a minute, for nobody else looks after this release."""
    until = caller.process.clock() + TAKE_OVER_SECONDS
    while True:
        try:
            return _take_over(session, spec, known, caller, by_force=by_force)
        except Unreachable:
            if caller.process.clock() > until:
                raise
            caller.process.sleep(1.0)
            with contextlib.suppress(Unreachable):
                known = record.load(session, spec.namespace, spec.name) or known


def _take_over(session: Session, spec: Spec, known: Record, caller: Caller, *, by_force: bool = False) -> Context:
    """Raise the epoch everywhere: Lease, record, route, Deployments. Whoever held it before can change nothing any more."""
    held = take_lease(session, spec, caller, by_force=by_force)
    token = fence_token(known.state.release_id, held.epoch)
    target = Target(**known.target)
    context = context_of(session, spec, target, caller, state=known.state, held=held, token=token)
    context.journal.take_over(known.fence)
    try:
        context.router.claim(token, may_replace=lambda fence: fence.startswith(known.state.release_id + "."))
    except RouteError as error:
        context.live.say("warning", str(error))
    context.claim_workload()
    if target.revision is None:  # a workload that is rolled has no twin
        context.claim_deployment(context.twin)
    return context


def _run(context: Context) -> JSON:
    try:
        runner.run(context, plan(context.spec))
    except Superseded as error:
        return _superseded(context, error)
    except ClusterError as error:
        advice = "" if context.state.phase == "ended" else "; the release is unfinished: run it again to go on, or abort it"
        return {**_result(context), "failed": True, "reason": f"{error}{advice}", "msg": f"{error}{advice}"}
    return _result(context)


def _superseded(context: Context, error: Superseded) -> JSON:
    """Somebody took over: tell how that ended, as far as the record says by now."""
    context.live.say("stopped", f"another runner holds this release now; nothing was changed by this one ({error})")
    known = record.load(context.session, context.namespace, context.spec.name)
    if known is None:
        raise ClusterError(f"another runner took this release over and its record is gone: {error}")
    return {**summary(known), "changed": True, "outcome": known.state.outcome or ABORTED, "reason": known.state.reason or str(error)}


def _result(context: Context) -> JSON:
    state = context.state
    return {
        "changed": True,
        "outcome": state.outcome if state.phase in ("ended", "parked") else "running",
        "reason": state.reason,
        "cause": state.cause,
        "weight_percent": state.weight_percent,
        "release_id": state.release_id,
        "serves": f"{context.target.workload_kind}/{state.serves or context.target.workload}",
        "image": state.image,
        "digest": state.digest,
        "steps": state.steps,
        "costs": Costs.of(state.costs).told(),
        "evidence": state.evidence,
    }


def await_ending(session: Session, namespace: str, release_name: str, process: Process) -> Record | None:
    """The ended record; None when the runner has not even begun to return traffic after five seconds."""
    began = process.clock()
    while process.clock() - began < ABORT_SECONDS:
        known = record.load(session, namespace, release_name)
        if known is None or not known.unfinished:
            return known
        if known.state.phase == "running" and process.clock() - began > ACKNOWLEDGE_SECONDS:
            return None
        if known.state.phase != "running" and runner_is_dead(session, known):
            return None
        process.sleep(0.25)
    return None


def runner_is_dead(session: Session, known: Record) -> bool:
    try:
        name = leases.lease_name(known.target.get("workload_kind", "Deployment"), known.target["workload"])
        found = session.get("Lease", known.namespace, name)
    except NotFound:
        return True
    holder = found["spec"].get("holderIdentity") or ""
    return not holder or leases.is_dead(holder)


def runner_lives(session: Session, known: Record, caller: Caller) -> bool:
    """Whether somebody else runs the release; one on another host, of whom nothing is certain, is watched until it renews its Lease."""
    name = leases.lease_name(known.target.get("workload_kind", "Deployment"), known.target["workload"])
    return leases.is_held(session, known.namespace, name, sleep=caller.process.sleep, emit=caller.live_emit)


__all__ = ["REFUSED", "Caller", "abort", "start", "status", "summary"]
