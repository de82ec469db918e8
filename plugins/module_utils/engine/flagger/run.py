# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release driven by Flagger: begin it or go on with it, watch it, bring it back."""

from __future__ import annotations

import contextlib
from dataclasses import replace as replace_of
from typing import Any

from ...cluster.errors import ClusterError, Superseded
from ...cluster.patch import Operation, expect, replace
from ...cluster.session import Session
from ...release import record
from ...release.costs import Costs
from ...release.ending import ABORTED, PROMOTED, TurnBack
from ...release.record import Record, State
from ...release.spec import Spec
from ...traffic.route import fence_token
from .. import native, people
from ..assemble import Caller
from ..holding import parts
from . import canary as canaries
from . import preview
from .canary import FAILED, READY, UNMADE
from .drive import APPROVED, PAUSED, SKIPS, Drive, annotate, events_of, put
from .home import bring_home
from .orphaned import REPLICAS
from .preflight import Findings, preflight
from .target import FlaggerTarget
from .watch import Watch

JSON = dict[str, Any]
POLL_SECONDS = 1.0
DISPATCHED = "dispatched"


def start(session: Session, spec: Spec, caller: Caller, *, check_mode: bool = False, begun: JSON | None = None) -> JSON:
    """Run the release to its ending, or go on with the one that is unfinished. Raises Refused with nothing changed."""
    known = record.load(session, spec.namespace, spec.name)
    if known is not None and known.unfinished:
        native.same_plan(known, spec)
        return preview.unfinished(session, known) if check_mode else _resume(session, spec, known, caller)
    found = preflight(session, spec, skips_analysis=(begun or {}).get("command") == "rollback")
    if said := _already(session, spec, found):
        return {**_nothing(spec), "reason": said}
    if check_mode:
        native.free_lease(session, spec)
        return preview.show(session, spec, found, caller.live_emit)
    return _begin(session, spec, found, known, caller, begun=begun)


def _already(session: Session, spec: Spec, found: Findings) -> str:
    """That the primary, or the workload where there is none, has the version."""
    target = found.target
    if spec.template_patch or target.stable_image != spec.image:
        return ""
    return f"{target.primary if target.primary_template else target.workload} runs {spec.image} already"


def _nothing(spec: Spec) -> JSON:
    return {
        "changed": False,
        "outcome": PROMOTED,
        "weight_percent": 0,
        "release_id": "",
        "image": spec.image,
        "steps": [],
        "evidence": {},
        "engine": spec.engine,
    }


def _begin(session: Session, spec: Spec, found: Findings, known: Record | None, caller: Caller, *, begun: JSON | None) -> JSON:
    held = native.take_lease(session, spec, caller)
    control: JSON = {**people.beginning(session, spec, people.least_seconds(spec), caller), **({"begun": begun} if begun else {})}
    earlier = events_of(session, spec.namespace, found.target.canary)
    control["flagger"] = {"events_after": earlier[-1][0] if earlier else 0.0}
    state = State(record.new_release_id(spec.name), image=spec.image, serves=found.target.primary, control=control)
    token = fence_token(state.release_id, held.epoch)
    drive = _drive(session, spec, found.target, caller, state=state, held=held, token=token)
    try:
        drive.journal.create(spec.to_dict(), found.target.to_dict(), state, known)
        for note in (*(spec.origin.notes if spec.origin else ()), *found.notes):
            drive.live.say("note", note)
        drive.live.say("start", f"{state.release_id}: {found.target.stable_image} → {spec.image}, by Flagger")
    except BaseException:
        held.release()
        raise
    return _run(drive, found)


def _drive(session: Session, spec: Spec, target: FlaggerTarget, caller: Caller, *, state: State, held: Any, token: str) -> Drive:
    return Drive(target=target, **parts(session, spec, caller, state=state, lease=held, token=token))


def take_over(session: Session, spec: Spec, known: Record, caller: Caller, *, by_force: bool = False) -> Drive:
    """Raise the epoch of Lease and record; whoever held it before stops at its next look. Raises Refused, Superseded."""
    held = native.take_lease(session, spec, caller, by_force=by_force)
    token = fence_token(known.state.release_id, held.epoch)
    drive = _drive(session, spec, FlaggerTarget(**known.target), caller, state=known.state, held=held, token=token)
    drive.journal.take_over(known.fence)
    return drive


def _resume(session: Session, spec: Spec, known: Record, caller: Caller) -> JSON:
    state = known.state
    dispatched = (state.control.get("flagger") or {}).get(DISPATCHED) or state.phase == "returning"
    skips = FlaggerTarget(**known.target).skips_analysis
    found = None if dispatched else preflight(session, spec, skips_analysis=skips)
    drive = take_over(session, spec, known, caller)
    drive.live.say("resume", f"{state.release_id} at {state.weight_percent} %, was {state.phase}; Flagger went on meanwhile")
    if state.phase == "returning":
        return back(drive, TurnBack("resumed", state.reason, outcome=state.outcome or "rolled_back"))
    return _run(drive, found)


def _run(drive: Drive, found: Findings | None) -> JSON:
    """From where the record stands to an ending; whatever is raised on the way returns traffic first. found: None after the dispatch."""
    try:
        if found is not None:
            _prepare(drive, found)
            _dispatch(drive)
        ended = Watch(drive).to_the_end()
        return _finish(drive, ended.outcome, ended.reason, ended.evidence)
    except TurnBack as why:
        return back(drive, why)
    except Superseded as error:
        return _superseded(drive, error)
    except ClusterError as error:
        return back(drive, TurnBack("cluster", str(error)))
    except BaseException as error:
        back(drive, TurnBack("runner_failed", f"{type(error).__name__}: {error}"))
        raise


def _prepare(drive: Drive, found: Findings) -> None:
    """Metric templates, then the Canary, and wait until Flagger has made it ready."""
    drive.write("prepare")
    for body in found.templates:
        _put(drive, body)
    if found.canary is not None:
        _put(drive, found.canary)
    drive.amend(lambda one: annotate(one, {UNMADE: None}))
    let_go(drive)
    if found.canary is None:
        drive.live.say("note", f"Canary {drive.target.canary} stays as it is")
    end = drive.process.clock() + drive.spec.ready_timeout_seconds
    watch = Watch(drive)
    while (told := drive.view()).phase not in READY or not _has_seen(drive, end):
        drive.keep_lease()
        watch.stop_signs()
        watch.tell(told, drive.events())
        if drive.process.clock() > end:
            raise TurnBack("not_ready", _not_ready(drive), outcome=ABORTED)
        drive.process.sleep(POLL_SECONDS)


def _has_seen(drive: Drive, end: float) -> bool:
    """Whether Flagger knows the template that is there: after a failure it takes the next change for new only then."""
    told = drive.view()
    found = drive.deployment(drive.target.workload)
    if found is not None and found["spec"]["template"] != drive.target.original_template and drive.target.primary_template:
        drive.amend_deployment(drive.target.workload, lambda one: [replace("/spec/template", drive.target.original_template)])
        return False
    if told.phase != FAILED or told.applied == told.promoted:
        return True
    canary = drive.canary() or {"spec": {}}
    return drive.process.clock() > end - drive.spec.ready_timeout_seconds + 3 * canaries.interval_seconds(canary)


def _not_ready(drive: Drive) -> str:
    told, events = drive.view(), drive.events()
    last = events[-1][2] if events else "it has said nothing: is its controller running, and does it watch this namespace?"
    return f"Canary {drive.target.canary} is {told.phase or 'new'} after {drive.spec.ready_timeout_seconds:.0f} s; Flagger: {last}"


def _put(drive: Drive, body: JSON) -> None:
    """Create an object of ours, or give it the spec that it is to have."""
    kind, meta = body["kind"], body["metadata"]
    found = drive.session.find(kind, meta["namespace"], meta["name"])
    if found is None:
        drive.session.create(body)
        drive.live.say("create", f"{kind} {meta['name']}")
    elif found["spec"] != body["spec"]:
        drive.session.patch(kind, meta["namespace"], meta["name"], [expect("/spec", found["spec"]), replace("/spec", body["spec"])])
        drive.live.say("change", f"{kind} {meta['name']}")


def _dispatch(drive: Drive) -> None:
    """Change the workload's template: that is what Flagger releases. Written down before, so that the next runner knows."""
    told = drive.view()
    primary = drive.deployment(drive.target.primary)
    _remember_primary(drive, primary)
    serving = primary or drive.deployment(drive.target.workload) or {"spec": {}}
    noted = {"stamp": told.stamp, "dispatched_at": record.now(), DISPATCHED: True, REPLICAS: serving["spec"].get("replicas", 1)}
    drive.state.control["flagger"] |= noted
    drive.write("dispatch")
    if drive.target.skips_analysis:
        drive.amend(lambda one: [*put(one, "skipAnalysis", True), *annotate(one, {SKIPS: drive.state.release_id})])
    original, wanted = drive.target.original_template, drive.target.new_template(drive.spec)

    def change(found: JSON) -> list[Operation]:
        if found["spec"]["template"] == wanted:
            return []
        return [expect("/spec/template", original), replace("/spec/template", wanted)]

    drive.amend_deployment(drive.target.workload, change)
    drive.live.say("dispatch", f"{drive.target.workload} is to run {drive.spec.image}; Flagger sees it within an interval")


def _remember_primary(drive: Drive, primary: JSON | None) -> None:
    """The template to which a promotion that has begun can be undone; Flagger may have made the primary only just now."""
    if primary is None or drive.target.primary_template is not None:
        return
    drive.target = replace_of(drive.target, primary_template=primary["spec"]["template"])
    drive.journal.write_target(drive.target.to_dict())


def back(drive: Drive, why: TurnBack) -> JSON:
    """Return traffic and end. Where that fails the release stays unfinished, and says how far it came."""
    try:
        notes = bring_home(drive, why)
    except Superseded as error:
        return _superseded(drive, error)
    except ClusterError as error:
        reason = f"{why.reason}; not returned completely: {error}; run the release again or abort it"
        return {**result(drive), "failed": True, "reason": reason, "msg": reason}
    return _finish(drive, why.outcome, "; ".join([why.reason, *notes]), why.evidence)


def _finish(drive: Drive, outcome: str, reason: str, evidence: JSON) -> JSON:
    """The ending in the record; what we set for this release alone is taken back."""
    state = drive.state
    if outcome != PROMOTED:
        _tidy_target(drive)
    let_go(drive)
    percent = drive.percent()
    state.phase, state.outcome, state.reason = "ended", outcome, reason
    state.weight_percent = percent or 0
    state.evidence = {**state.evidence, **evidence}
    if state.steps and "ended_at" not in state.steps[-1]:
        state.steps[-1]["ended_at"] = record.now()
    for key in ("waiting", "pause"):
        state.control.pop(key, None)
    drive.live.say(outcome, reason)
    drive.write()
    drive.lease.release()
    return result(drive)


def _tidy_target(drive: Drive) -> None:
    """Flagger leaves the bad template in the workload, without pods: put the good one back, so that nobody starts it by accident."""

    def change(found: JSON) -> list[Operation]:
        same = found["spec"]["template"] == drive.target.original_template
        return [] if same else [replace("/spec/template", drive.target.original_template)]

    drive.amend_deployment(drive.target.workload, change)


def let_go(drive: Drive) -> None:
    """Take back skipAnalysis and marks that were set for one release."""

    def change(found: JSON) -> list[Operation]:
        skips = put(found, "skipAnalysis", None) if SKIPS in (found["metadata"].get("annotations") or {}) else []
        return [*skips, *annotate(found, {SKIPS: None, PAUSED: None, APPROVED: None})]

    with contextlib.suppress(ClusterError):
        drive.amend(change)


def _superseded(drive: Drive, error: Superseded) -> JSON:
    drive.live.say("stopped", f"another runner holds this release now; nothing was changed by this one ({error})")
    known = record.load(drive.session, drive.target.namespace, drive.spec.name)
    if known is None:
        raise ClusterError(f"another runner took this release over and its record is gone: {error}")
    outcome, reason = known.state.outcome or ABORTED, known.state.reason or str(error)
    return {**native.summary(known), "changed": True, "outcome": outcome, "reason": reason}


def result(drive: Drive) -> JSON:
    """What the verb release returns."""
    state = drive.state
    serving = drive.target.primary if drive.deployment(drive.target.primary) else drive.target.workload
    return {
        "changed": True,
        "outcome": state.outcome if state.phase == "ended" else "running",
        "reason": state.reason,
        "weight_percent": state.weight_percent,
        "release_id": state.release_id,
        "serves": f"Deployment/{serving}",
        "image": state.image,
        "digest": state.digest,
        "steps": state.steps,
        "costs": Costs.of(state.costs).told(),
        "evidence": state.evidence,
        "engine": drive.spec.engine,
    }
