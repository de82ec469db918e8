# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands to a release from outside: from another process, to a runner that lives, sleeps or is dead.

retry and rollback run a release in this very process, by the same function as the verb release: the plan is in the record, so
that nobody has to find the variables again, and a rollback needs other ones than the release that it undoes.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ..cluster.errors import NotFound
from ..cluster.session import Session
from ..release import park, record, runner, swap
from ..release.approval_sources_spec import lost
from ..release.approval_words import iso
from ..release.command import Command
from ..release.commands import ask, effect, foreseen, unobeyed
from ..release.ending import ABORTED, PASSED, PROMOTED, TurnBack
from ..release.floors import restore_floors
from ..release.parts import StepSpec
from ..release.ratio_spec import REPLICAS
from ..release.record import Record
from ..release.rollback import patiently, remove_canary
from ..release.saved import spec_from
from ..release.spec import Spec, is_pinned_or_tagged
from ..release.target import Refused, Target
from ..release.values import Problem
from ..traffic.route import RouteEdited
from . import native
from .assemble import Caller, router_of

JSON = dict[str, Any]
POLL_SECONDS = 0.25
PREVIOUS = "previous"
REFUSED_WORD = "refused: "


def control(session: Session, command: Command, caller: Caller, *, check_mode: bool = False) -> JSON:
    """Give a release a command. Raises Refused when it is impossible, with nothing changed."""
    if command.command == "abort":
        if check_mode:
            known = native.status(session, command.namespace, command.name)
            return {"changed": any(one["phase"] != "ended" for one in known), "releases": known}
        return native.abort(session, command.namespace, command.name, caller, by=command.by, reason=command.reason)
    does = {"retry": _retry, "rollback": _rollback, "cleanup": _cleanup}.get(command.command, _ask)
    return does(session, command, caller, check_mode)


def _ask(session: Session, command: Command, caller: Caller, check_mode: bool) -> JSON:
    """Leave the command on the record, and wait until its runner has obeyed."""
    known = native.known_release(session, command.namespace, command.name)
    if known.unfinished and known.abort:
        raise Refused([_problem(command, f"nothing but abort: {known.abort.get('by')} is aborting release {known.state.release_id}")])
    moment = park.moment(known, caller.process.clock())
    body = command.asked(iso(caller.process.clock()))
    found = effect(foreseen(known.state.control, known.commands, moment), body, moment)
    if found.refused:
        raise Refused([_problem(command, found.refused)])
    result = {**native.summary(known), "said": found.said, "acknowledged": not unobeyed(known.state.control, known.commands)}
    if not found.changed or check_mode:
        return {**result, "changed": found.changed}
    if found.step:
        body["step"] = found.step
    number = ask(session, known, body)
    if found.rejected:
        return {**native.bring_back(session, known, caller, TurnBack("rejected", found.rejected)), "said": found.said, "acknowledged": True}
    return _answer(session, known, number, command, caller)


def _answer(session: Session, known: Record, number: int, command: Command, caller: Caller) -> JSON:
    """What the runner made of a command, after five seconds at the latest; nobody waits for one that cannot answer."""
    until = caller.process.clock() + native.ACKNOWLEDGE_SECONDS
    while known.state.phase == "running" and known.state.control.get("obeyed", 0) < number and caller.process.clock() < until:
        caller.process.sleep(POLL_SECONDS)
        known = native.known_release(session, command.namespace, command.name)
    entry = next((one for one in known.state.control.get("log") or [] if one["number"] == number), None)
    if entry is None:
        return {**native.summary(known), "changed": True, "acknowledged": False, **_unanswered(session, known)}
    if entry["said"].startswith(REFUSED_WORD):
        raise Refused([_problem(command, entry["said"].removeprefix(REFUSED_WORD))])
    return {**native.summary(known), "changed": True, "acknowledged": True, "said": entry["said"]}


def _unanswered(session: Session, known: Record) -> JSON:
    """What to tell of a command that still lies on the record, and what to type then where that is known."""
    if known.state.phase == "parked":
        return {"said": "noted: the release is parked; run it again, or retry it, to go on"}
    if known.state.phase != "running":
        return {"said": f"too late: the release is {known.state.phase}"}
    if native.runner_is_dead(session, known):
        return {"said": "noted: its runner is dead; who runs the release again, or retries it, obeys", "next_commands": ["retry", "abort"]}
    return {"said": f"noted: its runner did not answer within {native.ACKNOWLEDGE_SECONDS:.0f} s; it obeys as soon as it looks"}


def _retry(session: Session, command: Command, caller: Caller, check_mode: bool) -> JSON:
    """Run a release that did not end well again, or go on with one that nobody runs any more, from its record."""
    known = native.known_release(session, command.namespace, command.name)
    if known.state.phase == "ended" and known.state.outcome in (PROMOTED, PASSED):
        return {**native.summary(known), "changed": False, "said": f"it was {known.state.outcome}: there is nothing to retry"}
    spec = spec_from(known.spec)
    if hashed := _hashed(spec):
        raise Refused(
            [_problem(command, f"a release whose record holds all that it needs; of {hashed} it holds hashes: run your playbook again")]
        )
    return native.start(session, spec, caller, check_mode=check_mode, begun=_begun(command))


def _hashed(spec: Spec) -> str:
    """What a record keeps only hashes of, so that nothing can be released by it alone; empty when there is none."""
    if spec.webhooks or any(check.kind == "webhook" for check in spec.checks):
        return "a webhook's url and headers"
    if spec.manifests is not None:
        return "release_manifests"
    if lost(spec.control.sources):
        return "the url of a webhook of release_approval_sources"
    asks = spec.gates or spec.slo or spec.alerts
    return "what lets us into Prometheus" if asks and spec.prometheus_access.lost_secrets else ""


def _rollback(session: Session, command: Command, caller: Caller, check_mode: bool) -> JSON:
    return roll_back(session, command, caller, check_mode=check_mode)


def roll_back(
    session: Session,
    command: Command,
    caller: Caller,
    *,
    check_mode: bool = False,
    verify_seconds: float = math.inf,
    mark: JSON | None = None,
) -> JSON:
    """Release an earlier version: whole and warm first, then all traffic at once, watched by its pods alone.

    verify_seconds: at most so long, with all traffic there; mark: what the record keeps of it beside the command. Raises Refused.
    """
    known = native.known_release(session, command.namespace, command.name)
    if known.unfinished:
        raise Refused([_problem(command, f"a release that has ended; this one is {known.state.phase}: abort returns its traffic")])
    begun, to = known.state.control.get("begun") or {}, command.to or PREVIOUS
    spec = spec_from(known.spec)
    if to == PREVIOUS and (known.state.outcome != PROMOTED or begun.get("command") == "rollback"):
        serves = known.state.image if known.state.outcome == PROMOTED else known.target["stable_image"]
        return {**native.summary(known), "changed": False, "said": f"{serves} serves already: the release was {known.state.outcome}"}
    image = known.target["stable_image"] if to == PREVIOUS else to
    if known.state.swapped:
        raise Refused([_problem(command, _after_swap(known, image))])
    if to == PREVIOUS and (spec.template_patch or spec.config or spec.manifests):
        allowed = f"an image: this release changed more than that, so release {known.target['stable_image']} with its own configuration"
        raise Refused([Problem("to", PREVIOUS, allowed)])
    if not is_pinned_or_tagged(image):
        raise Refused([Problem("to", to, "previous, or an image reference with a tag or a digest")])
    caller.live_emit(f"rollback of {spec.name} from {known.state.image} to {image}, as a release of its own")
    way = backward(spec, image)
    way = replace(way, verify_seconds=min(way.verify_seconds, verify_seconds))
    begun = {**_begun(command), "from": known.state.image, **(mark or {})}
    return native.start(session, way, caller, check_mode=check_mode, begun=begun)


def _after_swap(known: Record, image: str) -> str:
    """What to do where the workload of a release has lost its place to the Deployment that it made."""
    serves = known.state.serves
    return (
        f"a release whose workload still serves: Deployment {serves} has taken the place of {known.target['workload']}. Release {image} "
        f"from there, with release_workload: Deployment/{serves} and release_swap naming the next Deployment, or with release_promotion: twin"
    )


def backward(spec: Spec, image: str) -> Spec:
    """The plan of a rollback: no shares, checks or approvals, and no gates: the comparison is with what is to be undone.

    No budget, no alert and no freeze keeps it back either: they may be what it is for. A denied digest does.
    """
    rolling = spec.strategy == "rolling"
    return replace(
        spec,
        image=image,
        strategy="rolling" if rolling else "blue_green",
        provider="service" if spec.provider == REPLICAS else spec.provider,
        max_extra_pods=None,
        steps=(StepSpec(100, 0.0),),
        ab=None,
        matches=(),
        match_seconds=0.0,
        checks=(),
        webhooks=(),
        gates=(),
        slo=None,
        alerts=None,
        template_patch=None,
        manifests=None,
        config=None,
        rollback="instant" if spec.rollback == "stepped" else spec.rollback,
        control=replace(spec.control, approve=(), asked={}, parked_weight=0),
        calendar=replace(spec.calendar, freezes=()),
    )


def _begun(command: Command) -> JSON:
    return {"command": command.command, "by": command.by, "reason": command.reason}


def _cleanup(session: Session, command: Command, caller: Caller, check_mode: bool) -> JSON:
    """Remove what is left of a release that nobody runs, and its record. Refused while its canary has traffic."""
    known = record.load(session, command.namespace, command.name)
    if known is None:
        return {"changed": False, "outcome": None, "said": f"there is no record of release {command.name} in {command.namespace}"}
    _is_safe(session, known, command, caller)
    if check_mode:
        return {**native.summary(known), "changed": True, "said": f"would remove what is left of {known.state.release_id} and its record"}
    context = native.take_over(session, spec_from(known.spec), known, caller)
    if known.unfinished:
        runner.go_back(context, TurnBack("cleanup", f"cleaned up by {command.by}: {command.reason or 'no reason given'}", outcome=ABORTED))
    else:
        patiently(context, lambda: swap.tidy(context) if known.state.swapped else remove_canary(context))
        patiently(context, lambda: restore_floors(context))
        runner.let_go(context)
    try:
        session.delete("ConfigMap", known.namespace, known.name)
    except NotFound:
        context.live.say("warning", f"ConfigMap {known.name} was gone already")
    said = f"removed what was left of {known.state.release_id}, and its record"
    return {**native.summary(known), "changed": True, "outcome": context.state.outcome, "said": said, "next_commands": []}


def _is_safe(session: Session, known: Record, command: Command, caller: Caller) -> None:
    """Raises Refused while anything of the release matters to somebody."""
    workload = known.target["workload"]
    others = [one for one in record.load_all(session, known.namespace) if one.unfinished and one.name != known.name]
    names = [one.name.removeprefix("release-") for one in others if one.target["workload"] == workload]
    if names:
        raise Refused([_problem(command, f"a workload that no other release is at work on; {workload} has {', '.join(names)}")])
    if not known.unfinished:
        return
    allowed = f"a release whose traffic is home: abort it first ({caller.next_abort})"
    if known.state.stable_changed:
        raise Refused([_problem(command, f"{allowed}; {workload} was taking the new template")])
    if known.state.swapped:
        raise Refused([_problem(command, f"{allowed}; another Deployment was taking the place of {workload}")])
    router = router_of(session, spec_from(known.spec), Target(**known.target), caller.process)
    try:
        if router.read().names_canary:
            raise Refused([_problem(command, f"{allowed}; {router.where} names the canary")])
    except RouteEdited:
        return


def _problem(command: Command, allowed: str) -> Problem:
    return Problem("command", command.command, allowed)
