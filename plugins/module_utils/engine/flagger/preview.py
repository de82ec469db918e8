# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as people read it, and each object as it would become. Asks the API server with dryRun=All; nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...cluster.patch import Operation, expect, replace
from ...cluster.session import Session
from ...release.plan import plan
from ...release.record import Record
from ...release.spec import Spec
from . import route
from .preflight import Findings

JSON = dict[str, Any]


def show(session: Session, spec: Spec, found: Findings, emit: Callable[[str], None]) -> JSON:
    """Print the plan and return it with the objects as they would become."""
    for line in lines(spec, found):
        emit(line)
    return {
        "changed": True,
        "outcome": None,
        "reason": "check mode: this is the plan, nothing was changed",
        "weight_percent": 0,
        "release_id": "",
        "image": spec.image,
        "steps": [] if spec.adopt else [step.to_dict() for step in plan(spec)],
        "evidence": {},
        "engine": spec.engine,
        "diff": _differences(session, spec, found),
    }


def unfinished(session: Session, known: Record) -> JSON:
    """Check mode met a release that has begun: say where it stands."""
    state = known.state
    place = route.Place(known.target["route_kind"], known.namespace, known.target["service"])
    weight = route.percent(session, place)
    return {
        "changed": True,
        "outcome": None,
        "reason": f"release {state.release_id} is {state.phase} at {weight or 0} %; a run would go on with it",
        "weight_percent": weight or 0,
        "release_id": state.release_id,
        "image": state.image,
        "steps": state.steps,
        "evidence": state.evidence,
        "engine": known.spec.get("engine"),
    }


def lines(spec: Spec, found: Findings) -> list[str]:
    """The plan in lines."""
    target = found.target
    said = [f"{spec.name}: {target.stable_image} → {spec.image}", f"  Canary {target.canary} of Flagger, {target.place}"]
    return [*said, *(f"  {note}" for note in found.notes)]


def _differences(session: Session, spec: Spec, found: Findings) -> list[JSON]:
    """Metric templates, the Canary, and the workload whose template is what Flagger releases."""
    made = [_written(session, body) for body in [*found.templates, *([found.canary] if found.canary else [])]]
    target = found.target
    before = session.get("Deployment", spec.namespace, target.workload)
    template = before["spec"]["template"]
    operations: list[Operation] = [expect("/spec/template", template), replace("/spec/template", target.new_template(spec))]
    after = session.patch("Deployment", spec.namespace, target.workload, operations, dry_run=True)
    return [*made, _shown(before, after, f"Deployment/{target.workload}")]


def _written(session: Session, body: JSON) -> JSON:
    kind, meta = body["kind"], body["metadata"]
    before = session.find(kind, meta["namespace"], meta["name"])
    if before is None:
        return _shown(None, session.create(body, dry_run=True), f"{kind}/{meta['name']}")
    operations = [expect("/spec", before["spec"]), replace("/spec", body["spec"])]
    after = session.patch(kind, meta["namespace"], meta["name"], operations, dry_run=True)
    return _shown(before, after, f"{kind}/{meta['name']}")


def _shown(before: JSON | None, after: JSON, header: str) -> JSON:
    return {"before": _text(before), "after": _text(after), "before_header": header, "after_header": header}


def _text(obj: JSON | None) -> str:
    """What people compare: labels and spec."""
    if obj is None:
        return ""
    meta = obj["metadata"]
    kept = {"metadata": {"name": meta["name"], "labels": meta.get("labels") or {}}, "spec": obj.get("spec") or {}}
    return json.dumps(kept, indent=2, sort_keys=True) + "\n"
