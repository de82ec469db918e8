# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the objects of a release, or brings them up to date. What is asked of the API server first is a dry run of the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...cluster.errors import Conflict, Rejected
from ...cluster.kinds import api_version
from ...cluster.patch import Operation, as_read
from ...cluster.session import Session
from ...release.spec import Spec
from ...release.values import Problem
from ...workload.twin import SUFFIX
from . import build, routes
from .api import HASH, ROLLOUT
from .place import Change

JSON = dict[str, Any]
UPDATED = ("strategy", "progressDeadlineSeconds", "progressDeadlineAbort", "workloadRef")  # of a Rollout that is there: its size is its own


def changes_of(session: Session, spec: Spec, built: build.Built, service: JSON, problems: list[Problem]) -> list[Change]:
    """What is to be made or changed, in order, as the API server would store it. Adds to problems."""
    wanted: list[JSON] = [*_services(spec, service), *built.templates]
    found = [_change(session, one, problems) for one in wanted]
    found += [_route(session, built, ref, spec, problems) for ref in routes.refs_of(built.rollout)]
    found.append(_change(session, built.rollout, problems))
    return [one for one in found if one is not None]


def make(session: Session, change: Change) -> None:
    """Make one change. Raises Conflict when somebody was faster."""
    if change.before is None:
        session.create(change.after)
    else:
        meta = change.before["metadata"]
        session.patch(change.before["kind"], meta["namespace"], meta["name"], change.operations)


def _services(spec: Spec, service: JSON) -> list[JSON]:
    """The canary's Service; the controller adds its own label to the selector. Subsets and shares by pods need none."""
    if spec.subsets is not None or (not spec.meshed and spec.strategy != "blue_green"):
        return []
    selector = {key: value for key, value in service["spec"]["selector"].items() if key != HASH}
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in service["spec"]["ports"]]
    meta = {"name": service["metadata"]["name"] + SUFFIX, "namespace": spec.namespace, "labels": dict(build.OURS)}
    body = {
        "apiVersion": api_version("Service"),
        "kind": "Service",
        "metadata": meta,
        "spec": {"type": "ClusterIP", "selector": selector, "ports": ports},
    }
    return [body]


def _change(session: Session, wanted: JSON, problems: list[Problem]) -> Change | None:
    kind, meta = wanted["kind"], wanted["metadata"]
    before = session.find(kind, meta["namespace"], meta["name"])
    try:
        if before is None:
            session.create(wanted, dry_run=True)
            return Change(None, wanted)
        if not _is_ours(before):
            whose = f"{kind} {meta['name']} exists and is not ours; rename it, or delete it if nobody needs it"
            problems.append(Problem("release_workload", meta["name"], f"a workload whose names are free: {whose}"))
            return None
        operations = _updates(before, wanted)
        if not operations:
            return None
        after = session.patch(kind, meta["namespace"], meta["name"], operations, dry_run=True)
    except Rejected as error:
        allowed = f"a cluster that takes this {kind}; its custom resource definition may be older than Argo Rollouts 1.9: {error}"
        problems.append(Problem("release_engine", f"{kind} {meta['name']}", allowed))
        return None
    return Change({**before, "kind": kind}, after, tuple(operations))


def _updates(before: JSON, wanted: JSON) -> list[Operation]:
    """What differs of the fields that are ours; a Service is left as it is, for the controller writes its selector."""
    if wanted["kind"] == "Service":
        return []
    keys = UPDATED if wanted["kind"] == ROLLOUT else tuple(wanted["spec"])
    differing = [key for key in keys if not _says(before["spec"].get(key), wanted["spec"][key])]
    made = [{"op": "add", "path": f"/spec/{key}", "value": wanted["spec"][key]} for key in differing]
    return [as_read(before), *made] if made else []


def _says(found: Any, wanted: Any) -> bool:
    """Whether what is stored is what is wanted. The API server fills nothing in here but what a list or mapping leaves out."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and set(found) == set(wanted) and all(_says(found[key], value) for key, value in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_says, found, wanted))
    return bool(found == wanted)


def _is_ours(found: JSON) -> bool:
    return build.OURS.items() <= (found["metadata"].get("labels") or {}).items()


def _route(session: Session, built: build.Built, ref: routes.RouteRef, spec: Spec, problems: list[Problem]) -> Change | None:
    """The canary beside stable in the route, with weight 0."""
    before = session.get(ref.kind, ref.namespace, ref.name)
    rules_key = routes.RULES[ref.kind][0]
    rules = routes.leads(before, ref.kind, str(_stable_service(built.rollout) or spec.service or ref.stable), ref.namespace)
    named = [index for index in rules if not ref.rules or before["spec"][rules_key][index].get("name") in ref.rules]
    operations = routes.with_both(before, ref, named[0]) if named else []
    if not operations:
        return None
    try:
        after = session.patch(ref.kind, ref.namespace, ref.name, operations, dry_run=True)
    except (Rejected, Conflict) as error:
        problems.append(Problem("release_traffic", ref.where, f"a {ref.kind} that takes the canary's destination with weight 0: {error}"))
        return None
    return Change({**before, "kind": ref.kind}, after, tuple(operations))


def _stable_service(rollout: JSON) -> str | None:
    found: str | None = (rollout["spec"]["strategy"].get("canary") or {}).get("stableService")
    return found
