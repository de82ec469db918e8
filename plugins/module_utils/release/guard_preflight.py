# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guard may touch, and whether we may give it that right. Reads only."""

from __future__ import annotations

from typing import Any

from ..cluster.errors import ClusterError, Unreachable
from ..cluster.kinds import api_version
from ..cluster.lease import lease_name
from ..cluster.session import Session
from ..guard.orders import rules
from ..traffic.providers import REPLICAS
from ..traffic.route import Place
from .guard_spec import FIELD
from .record import record_name
from .spec import Spec
from .target import Target
from .values import Problem

JSON = dict[str, Any]
NEEDED = tuple((verb, kind) for kind in ("ServiceAccount", "Role", "RoleBinding", "Job", "ConfigMap") for verb in ("create", "delete"))


def fenced(target: Target) -> list[tuple[str, str]]:
    """(kind, name) of what a runner holds beside the route: the guard takes it from a runner that is only asleep."""
    others = [(one["kind"], one["name"]) for one in (*target.autoscalers, *target.held)]
    return [(target.workload_kind, target.workload), ("Deployment", target.identity.name), *others]


def rules_of(spec: Spec, target: Target, name: str) -> list[JSON]:
    """The rules of the guard's Role. name: of its own ConfigMap."""
    place = Place(**target.place)
    own = [("ConfigMap", record_name(spec.name)), ("ConfigMap", name), ("Lease", lease_name(target.workload_kind, target.workload))]
    return rules([*own, (place.kind, place.name), *fenced(target)], pods=place.provider == REPLICAS)


def inspect(session: Session, spec: Spec, target: Target, problems: list[Problem]) -> None:
    """Whether the objects of a guard can be made: nobody may give away rights that they do not have. Adds to problems."""
    if spec.guard is None:
        return
    missing = [f"{verb} {kind} objects" for verb, kind in NEEDED if not session.allowed(verb, kind, spec.namespace)]
    if missing:
        problems.append(Problem(FIELD, spec.guard.image, f"a namespace where you may {', '.join(missing)}; ask for that, or leave it out"))
        return
    meta = {"name": f"guard-{spec.name}", "namespace": spec.namespace}
    role = {"apiVersion": api_version("Role"), "kind": "Role", "metadata": meta, "rules": rules_of(spec, target, meta["name"])}
    try:
        session.create(role, dry_run=True)
    except Unreachable:
        raise
    except ClusterError as error:
        problems.append(Problem(FIELD, spec.guard.image, f"a Role for the guard that you may create: {error}"))
