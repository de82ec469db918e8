# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a swap and subsets do, as the plan tells it (--check --diff). Asks the API server with dryRun=All; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from ..cluster.patch import add, expect, pointer, replace
from ..cluster.session import Session
from .spec import Spec
from .swap_objects import SCALED, SUBSETS
from .target import Target
from .values import spoken_seconds

JSON = dict[str, Any]
Change = tuple[JSON, Optional[JSON], str]  # before, after, what it is called


def lines(spec: Spec, target: Target) -> list[str]:
    """Who takes whose place, and for how long the old one stays; by which subsets both are told apart."""
    said, canary = [], target.identity
    if spec.subsets is not None:
        of = "added for the release" if target.subset else "there already"
        said.append(f"  by subsets of host {target.service}: {spec.subsets.stable} and {spec.subsets.canary} ({of})")
    if spec.swap is not None:
        end = "scaled to 0" if spec.swap.keep else "deleted"
        warm = f"after {spoken_seconds(spec.swap.warm_seconds)} and " if spec.swap.warm_seconds else "after "
        who = f"{canary.name} ({canary.key}={canary.value}) takes the place of {target.workload}"
        said.append(f"  promotion by swap: {who}, which is {end} {warm}its drain; until then the way back is one patch")
    return said


def added(session: Session, target: Target) -> Iterator[Change]:
    """The DestinationRule with the canary's subset."""
    for one in target.held:
        if one["kind"] == "DestinationRule" and target.subset:
            before = session.get(one["kind"], target.namespace, one["name"])
            after = session.patch(one["kind"], target.namespace, one["name"], [add(pointer(*SUBSETS, "-"), target.subset)], dry_run=True)
            yield before, after, f"DestinationRule/{one['name']} from the deployment on"


def promoted(session: Session, spec: Spec, target: Target) -> Iterator[Change]:
    """What promote changes: the Service's selector, what scales the workload, and the old Deployment's end."""
    canary = target.identity
    changes = [(one["kind"], one["name"], SCALED, target.workload, canary.name) for one in target.autoscalers]
    old = target.original_template["metadata"]["labels"][canary.key]
    if any(one["kind"] == "Service" for one in target.held):
        changes.insert(0, ("Service", target.service, ("spec", "selector", canary.key), old, canary.value))
    for kind, name, path, was, becomes in changes:
        before = session.get(kind, target.namespace, name)
        operations = [expect(pointer(*path), was), replace(pointer(*path), becomes)]
        yield before, session.patch(kind, target.namespace, name, operations, dry_run=True), f"{kind}/{name} when promoted"
    before = session.get("Deployment", target.namespace, target.workload)
    if spec.swap is not None and spec.swap.keep:
        after = session.patch("Deployment", target.namespace, target.workload, [add("/spec/replicas", 0)], dry_run=True)
        yield before, after, f"Deployment/{target.workload} at the end"
    else:
        yield before, None, f"Deployment/{target.workload} at the end"
