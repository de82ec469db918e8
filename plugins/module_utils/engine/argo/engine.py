# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""engine argo_rollouts: start and resume a release that Argo Rollouts moves."""

from __future__ import annotations

import contextlib
import json
from datetime import datetime
from typing import Any

from ...cluster.errors import ClusterError, Conflict, Superseded, Unreachable
from ...cluster.session import Session
from ...release import preview, record
from ...release.ending import ABORTED, PROMOTED, TurnBack
from ...release.record import Journal, Record, State
from ...release.saved import spec_from
from ...release.spec import Spec
from ...release.target import Refused
from ...release.translate.translate import with_route
from ...traffic.route import fence_token
from .. import native, people
from ..assemble import Caller, transport
from . import api, back, preflight, queries
from .held import STABLE_HASH, Held, hold, note_rollout, take_lease
from .objects import make
from .phase import HEALTHY, invalid_because, phase_of, step_name, steps_of
from .place import Findings, Place
from .watch import POLL_SECONDS, follow, signs, summary_of

JSON = dict[str, Any]
ROLLBACK = "rollback"


def start(session: Session, spec: Spec, caller: Caller, *, check_mode: bool = False, begun: JSON | None = None) -> JSON:
    """Run the release to its ending, or go on with the one that is unfinished. Raises Refused with nothing changed.

    begun: the command that began it, where that is not the release verb.
    """
    known = record.load(session, spec.namespace, spec.name)
    if known is not None and known.unfinished:
        native.same_plan(known, spec)
        return preview.unfinished(known) if check_mode else _resume(session, spec, known, caller)
    if runs := preflight.already_runs(session, spec):
        return {**_nothing(spec), "outcome": PROMOTED, "reason": f"{runs} already"}
    try:
        found = preflight.preflight(session, spec, transport(session, spec))
    except Refused as error:
        raise Refused(with_route(error.problems, spec.origin)) from error
    if check_mode:
        return {
            **_nothing(spec),
            "changed": True,
            "reason": "check mode: this is the plan, nothing was changed",
            **_preview(session, spec, found, caller),
        }
    return _begin(session, spec, found, known, caller, begun=begun)


def take_over(session: Session, known: Record, caller: Caller, *, by_force: bool = False) -> Held:
    """Raise the epoch of the Lease and of the record: whoever held them before writes no more. Raises Refused, Superseded."""
    spec, place = spec_from(known.spec), Place(**known.target)
    lease = take_lease(session, spec, place, caller, by_force=by_force)
    token = fence_token(known.state.release_id, lease.epoch)
    held = hold(session, spec, place, caller, state=known.state, lease=lease, token=token)
    held.journal.take_over(known.fence)
    return held


def run_on(held: Held, found: Findings | None) -> JSON:
    """To the ending; whatever is raised on the way returns traffic first."""
    try:
        _to_the_end(held, found)
    except Superseded as error:
        return _superseded(held, error)
    except ClusterError as error:
        advice = "" if held.state.phase == "ended" else "; the release is unfinished: run it again to go on, or abort it"
        return {**summary_of(held), "failed": True, "reason": f"{error}{advice}", "msg": f"{error}{advice}"}
    return dict(summary_of(held))


def _to_the_end(held: Held, found: Findings | None) -> None:
    try:
        _forward(held, found)
    except TurnBack as why:
        back.go_back(held, why)
    except Superseded:
        raise
    except BaseException as error:
        back.go_back(held, TurnBack("runner_failed", f"{type(error).__name__}: {error}"))
        raise
    else:
        held.state.weight_percent = 0
        back.finish(held, PROMOTED, f"Argo Rollouts promoted {held.spec.image}")


def _begin(session: Session, spec: Spec, found: Findings, known: Record | None, caller: Caller, *, begun: JSON | None) -> JSON:
    lease = take_lease(session, spec, found.place, caller)
    control: JSON = {**people.beginning(session, spec, people.least_seconds(spec), caller), **({"begun": begun} if begun else {})}
    digest = spec.image.partition("@")[2] or "unpinned"
    state = State(record.new_release_id(spec.name), image=spec.image, digest=digest, serves=found.place.rollout, control=control)
    token = fence_token(state.release_id, lease.epoch)
    try:
        Journal(session, spec.namespace, spec.name, token).create(spec.to_dict(), found.place.to_dict(), state, known)
        held = hold(session, spec, found.place, caller, state=state, lease=lease, token=token)
        for note in (*(spec.origin.notes if spec.origin else ()), *found.notes):
            held.live.say("note", note)
        held.live.say("start", f"{state.release_id}: {found.place.stable_image} → {spec.image}, by Argo Rollouts")
    except BaseException:
        lease.release()
        raise
    return run_on(held, found)


def _resume(session: Session, spec: Spec, known: Record, caller: Caller) -> JSON:
    """Go on from the record: watch, finish a return, or begin where nothing has changed yet."""
    held = take_over(session, known, caller)
    state = held.state
    held.live.say("resume", f"{state.release_id} at {state.weight_percent} %, was {state.phase}")
    why = _no_way_on(held)
    if why is not None:
        try:
            back.go_back(held, why)
        except Superseded as error:
            return _superseded(held, error)
        return dict(summary_of(held))
    found = None
    if held.rollout() is None:  # it is made last: when it is there, so is everything else
        try:
            found = preflight.preflight(session, spec, transport(session, spec))
        except Refused as error:
            back.go_back(held, TurnBack("resumed", f"it cannot go on: {error}"))
            return dict(summary_of(held))
    return run_on(held, found)


def _no_way_on(held: Held) -> TurnBack | None:
    """Why a release can only be returned: it was on its way back, or its Rollout is gone, and a new one would take the version for stable."""
    state = held.state
    if state.phase == "returning":
        return TurnBack("resumed", state.reason, outcome=state.outcome or "rolled_back", evidence=state.evidence)
    if STABLE_HASH in state.control and held.rollout() is None:
        return TurnBack("gone", f"Rollout {held.place.rollout} was deleted while no runner watched", outcome=ABORTED)
    return None


def _forward(held: Held, found: Findings | None) -> None:
    """The objects, stable's health, the version, and the watch."""
    for change in found.changes if found else ():
        meta, kind = change.after["metadata"], change.after["kind"] if change.before is None else change.before["kind"]
        try:
            make(held.session, change)
        except Conflict as error:
            raise TurnBack("conflict", f"{kind} {meta['name']} was changed by somebody else meanwhile: {error}") from error
        held.live.say("deploy", f"{kind} {meta['name']} {'made' if change.before is None else 'brought up to date'}")
    if STABLE_HASH not in held.state.control:
        held.state.control[STABLE_HASH] = _await_stable(held)
        note_rollout(held.state, held.rollout() or {"spec": {}})
        held.write("version")
    _let_old_counts_pass(held)
    _put_version(held)
    if (held.state.control.get("begun") or {}).get("command") == ROLLBACK:
        _whole_at_once(held)
    follow(held)


def _await_stable(held: Held) -> str:
    """Wait until the Rollout runs stable's version, healthy; its own name of that. Raises TurnBack."""
    until = held.process.clock() + held.spec.ready_timeout_seconds
    while True:
        rollout = held.rollout()
        phase = phase_of(rollout)
        if rollout is not None and phase == HEALTHY and (held.place.stable_hash or _taken_over(held)):
            return str(rollout["status"]["stableRS"])
        if rollout is not None and phase == "invalid_spec":
            raise TurnBack("invalid_spec", f"the controller refuses Rollout {held.place.rollout}: {invalid_because(rollout)}")
        if held.process.clock() > until:
            why = (rollout or {}).get("status", {}).get("message", "")
            raise TurnBack("not_ready", f"Rollout {held.place.rollout} is {phase} after {held.spec.ready_timeout_seconds:.0f} s: {why}")
        _watch_signs(held)
        held.process.sleep(POLL_SECONDS)


def _let_old_counts_pass(held: Held) -> None:
    """Wait until a version that came back just now is out of the queries: the canary's Service counted it, too. Raises TurnBack."""
    last = (held.state.history or [{}])[0]
    if (
        last.get("outcome") in (None, PROMOTED)
        or not (held.spec.gates or held.place.adopted)
        or held.image_of(held.holder()) == held.spec.image
    ):
        return
    ended = datetime.fromisoformat(str(last["updated_at"]).replace("Z", "+00:00")).timestamp()
    memory = queries.memory_seconds(held.spec)
    wait = min(memory, ended + memory - held.process.clock())
    if wait <= 0:
        return
    held.live.say("wait", f"{wait:.0f} s, until no query sees {last.get('image')} any more, which came back just now")
    until = held.process.clock() + wait
    while held.process.clock() < until:
        _watch_signs(held)
        held.process.sleep(POLL_SECONDS)


def _taken_over(held: Held) -> bool:
    """Whether the controller has scaled the Deployment down, so that its pods are those of the Rollout."""
    holder = held.holder()
    return held.place.workload_kind != "Deployment" or (holder is not None and holder["spec"].get("replicas") == 0)


def _put_version(held: Held) -> None:
    """Put the new version into the template, unless it is there already. Raises TurnBack."""
    holder, where = held.holder(), f"{held.place.workload_kind} {held.place.workload}"
    image = held.image_of(holder)
    if holder is None or image not in (held.place.stable_image, held.spec.image):
        raise TurnBack("edited", f"somebody else has changed the version: {where} names {image or 'nothing'}", outcome="aborted")
    if holder["spec"]["template"] == held.place.new_template:
        return
    if not held.put_template(holder, image, held.place.new_template):
        raise TurnBack("edited", f"somebody else changes {where} just now", outcome="aborted")
    held.live.say("deploy", f"{where}: {held.place.stable_image} → {held.spec.image}; Argo Rollouts takes it from here")


def _whole_at_once(held: Held) -> None:
    """A rollback passes over steps and analyses, as soon as the controller has seen the version. Raises TurnBack."""
    until = held.process.clock() + held.spec.ready_timeout_seconds
    while True:
        rollout = held.rollout()
        current = ((rollout or {}).get("status") or {}).get("currentPodHash")
        if rollout is not None and current and current != held.stable_hash:
            if rollout["status"].get("promoteFull") or rollout["status"].get("stableRS") == current:
                return
            try:
                api.patch_status(held.session, rollout, {"promoteFull": True})
            except Conflict:
                continue
            held.live.say("promote", "fully, as soon as its pods are ready: a rollback waits for no step and no analysis")
            return
        if held.process.clock() > until:
            raise TurnBack("not_ready", f"the controller has not seen the version for {held.spec.ready_timeout_seconds:.0f} s")
        _watch_signs(held)
        held.process.sleep(POLL_SECONDS / 2)


def _watch_signs(held: Held) -> None:
    """What asks this runner to stop; an API server that does not answer does not."""
    with contextlib.suppress(Unreachable):
        held.keep_lease()
        signs(held)


def _superseded(held: Held, error: Superseded) -> JSON:
    """Somebody took over: tell how that ended, as far as the record says by now."""
    held.live.say("stopped", f"another runner holds this release now; nothing was changed by this one ({error})")
    known = record.load(held.session, held.place.namespace, held.spec.name)
    if known is None:
        raise ClusterError(f"another runner took this release over and its record is gone: {error}")
    state = known.state
    return {
        **summary_of(held),
        "outcome": state.outcome or "aborted",
        "reason": state.reason or str(error),
        "weight_percent": state.weight_percent,
    }


def _nothing(spec: Spec) -> JSON:
    return {
        "changed": False,
        "outcome": None,
        "reason": "",
        "weight_percent": 0,
        "release_id": "",
        "image": spec.image,
        "steps": [],
        "evidence": {},
    }


def _preview(session: Session, spec: Spec, found: Findings, caller: Caller) -> JSON:
    """The plan in lines, its steps, and every object as it would become."""
    place = found.place
    rollout = found.built.rollout if found.built else found.rollout or {"spec": {"strategy": {}}}
    steps = [step_name(one) for one in steps_of(rollout)] or ["switch"]
    caller.live_emit(f"{spec.name}: {place.stable_image} → {spec.image}, by Argo Rollouts")
    caller.live_emit(f"  Rollout {place.rollout} in {place.namespace}: {' · '.join(steps)}")
    for note in found.notes:
        caller.live_emit(f"  {note}")
    shown = [_shown(one.before, one.after) for one in found.changes]
    holder = session.get(place.workload_kind, place.namespace, place.workload)
    template = {**holder, "kind": place.workload_kind}
    shown.append(_shown(template, {**template, "spec": {**holder["spec"], "template": place.new_template}}))
    return {"steps": [{"name": one} for one in steps], "diff": shown}


def _shown(before: JSON | None, after: JSON) -> JSON:
    def text(value: JSON | None) -> str:
        if value is None:
            return ""
        meta = {key: value["metadata"][key] for key in ("name", "namespace", "labels") if key in value["metadata"]}
        return json.dumps({"kind": value.get("kind"), "metadata": meta, "spec": value["spec"]}, indent=2, sort_keys=True) + "\n"

    header = f"{(before or after).get('kind')}/{after['metadata']['name']}"
    return {
        "before": text(before),
        "after": text({**after, "kind": (before or after).get("kind")}),
        "before_header": header,
        "after_header": header,
    }
