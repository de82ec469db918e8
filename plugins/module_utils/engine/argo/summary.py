# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a release that Argo Rollouts moves stands: the record, and over it what the Rollout and its route say now. Reads only."""

from __future__ import annotations

from typing import Any

from ...cluster.errors import ClusterError
from ...cluster.session import Session
from ...release.engine_spec import ARGO_ROLLOUTS
from ...release.record import Record
from .. import native
from . import analysis, api, routes
from .held import edits_of
from .phase import (
    ABORTED,
    DEGRADED,
    GONE,
    HEALTHY,
    INCONCLUSIVE,
    INVALID,
    PAUSED_APPROVAL,
    PAUSED_BY_HAND,
    PAUSED_STEP,
    PROGRESSING,
    UNOBSERVED,
    canary_weight,
    invalid_because,
    observed,
    phase_of,
    step_index,
    step_name,
    steps_of,
)

JSON = dict[str, Any]
NEXT = {  # phase -> the verbs that make sense while a release is under way
    HEALTHY: ["abort"],
    PROGRESSING: ["pause", "promote", "abort"],
    PAUSED_STEP: ["pause", "promote", "abort"],
    DEGRADED: ["abort"],
    PAUSED_APPROVAL: ["approve", "reject", "abort"],
    INCONCLUSIVE: ["approve", "reject", "abort"],
    PAUSED_BY_HAND: ["resume", "abort"],
    ABORTED: ["abort", "retry"],
    INVALID: ["abort"],
    GONE: ["abort", "cleanup"],
    UNOBSERVED: ["abort"],
}


def summary(session: Session, known: Record) -> JSON:
    """The keys of native.summary, and engine, rollout and warnings. What cannot be read is told as such, and never as nothing."""
    told = {**native.summary(known), "engine": ARGO_ROLLOUTS, "serves": f"Rollout/{known.target['rollout']}"}
    try:
        return {**told, **_now(session, known)}
    except ClusterError as error:
        return {**told, "rollout": None, "warnings": [f"what the Rollout says is not known: {error}"]}


def _now(session: Session, known: Record) -> JSON:
    """What the cluster says over the record. Raises ClusterError."""
    missing = api.served(session, known.namespace)
    if missing:
        gone = (
            f"the cluster does not know {', '.join(missing)} any more: nothing moves, and no Rollout can be read; its pods serve on as long as "
            "they live"
        )
        return {"rollout": None, "warnings": [gone]}
    rollout = session.find(api.ROLLOUT, known.namespace, known.target["rollout"])
    live = _live(session, rollout, known)
    told: JSON = {"rollout": live, "warnings": _warnings(session, known, rollout, live)}
    if known.unfinished and known.state.phase == "running" and live["phase"] in NEXT:
        told["next_commands"] = NEXT[live["phase"]]
    if rollout is not None and known.unfinished:
        told["weight_percent"] = live["weight_percent"]
    return told


def _live(session: Session, rollout: JSON | None, known: Record) -> JSON:
    """The Rollout in words of its own."""
    if rollout is None:
        return {
            "name": known.target["rollout"],
            "phase": GONE,
            "message": "there is no such Rollout",
            "weight_percent": 0,
            "analysis_runs": [],
        }
    status, index, steps = rollout.get("status") or {}, step_index(rollout), steps_of(rollout)
    return {
        "name": rollout["metadata"]["name"],
        "phase": phase_of(rollout),
        "says": status.get("phase", ""),
        "message": invalid_because(rollout) or status.get("message", ""),
        "weight_percent": canary_weight(rollout),
        "step": index,
        "steps": len(steps),
        "step_name": step_name(steps[index]) if index is not None and index < len(steps) else "",
        "pause_reasons": [one.get("reason") for one in status.get("pauseConditions") or []],
        "aborted": bool(status.get("abort")),
        "observed": observed(rollout),
        "controller": {True: "ready", False: "not ready", None: "not known"}[api.alive(session)],
        "analysis_runs": [analysis.brief(run) for run in api.runs_of(session, rollout)],
    }


def _warnings(session: Session, known: Record, rollout: JSON | None, live: JSON) -> list[str]:
    """What does not fit together: a controller that is gone, objects that somebody else has changed."""
    found = []
    if live.get("controller") == "not ready":
        moves = "nothing moves and no analysis watches" if known.unfinished else "nothing would move"
        found.append(
            f"no controller of Argo Rollouts is ready: {moves}; what its status says may be old. Abort returns traffic all the same"
        )
    if rollout is None:
        return found + (
            [f"Rollout {known.target['rollout']} is gone, while its release is {known.state.phase}"] if known.unfinished else []
        )
    if not live["observed"]:
        found.append("the controller has not seen the Rollout as it is now: what its status says is older than its spec")
    if known.unfinished:
        found += _edited(session, known, rollout, live)
        silent = analysis.unanswered(api.runs_of(session, rollout))
        found += [f"Argo Rollouts gets no answer for the metric {one}; it asks again, and aborts when it never gets one" for one in silent]
    return found


def _edited(session: Session, known: Record, rollout: JSON, live: JSON) -> list[str]:
    """Whether somebody else writes to the Rollout, to the route or to the template."""
    found = []
    if changed := edits_of(known.state, rollout):
        found.append(
            f"somebody else changed Rollout {known.target['rollout']}: {', '.join(changed)}; Argo Rollouts follows what is there now"
        )
    for ref in routes.refs_of(rollout):
        share = routes.share(session, ref)
        if share is None:
            found.append(f"{ref.where} is gone, or its rule")
        elif share != live["weight_percent"]:
            found.append(
                f"{ref.where} gives the canary {share} %, and the Rollout says {live['weight_percent']} %: it moves just now, or somebody else writes it"
            )
    kind, name = known.target["workload_kind"], known.target["workload"]
    holder = session.find(kind, known.namespace, name)
    containers = holder["spec"]["template"]["spec"]["containers"] if holder else []
    image = next((one["image"] for one in containers if one["name"] == known.target["container"]), None)
    if image not in (known.state.image, known.target["stable_image"]):
        found.append(f"{kind} {name} names {image or 'nothing'} by now, which this release has not put there")
    return found
