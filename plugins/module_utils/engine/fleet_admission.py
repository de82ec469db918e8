# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of all targets say together: whether a fleet may begin, and with which versions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..fleet.spec import FleetSpec
from ..release.ending import REFUSED
from ..release.values import Problem

JSON = dict[str, Any]


def images(admissions: Mapping[str, JSON]) -> str:
    """The version, or those of a train, in the order of its targets."""
    return ", ".join(dict.fromkeys(one["image"] for one in admissions.values() if one.get("image")))


def not_admitted(fleet: FleetSpec, admissions: Mapping[str, JSON]) -> list[Problem]:
    """What keeps the fleet from beginning, with the target's name."""
    problems: list[Problem] = []
    seen: dict[tuple[str, ...], str] = {}
    for target in fleet.targets:
        one = admissions.get(target)
        if one is None:
            problems.append(Problem(target, None, "was not checked: its task failed; see above"))
        elif not one["reachable"]:
            if fleet.on_unreachable != "skip":
                without = "" if fleet.services else "; or release_on_unreachable: skip, to go on without it"
                problems.append(Problem(target, "unreachable", f"a cluster that answers ({one['reason']}){without}"))
        elif one["outcome"] == REFUSED:
            problems += [Problem(target, None, each) for each in one["problems"]]
        elif problem := _same_place(fleet, target, one, seen):
            problems.append(problem)
    if not any(one["reachable"] for one in admissions.values()):
        problems.append(Problem("release_waves", [wave.group for wave in fleet.waves], "at least one target that answers"))
    return problems


def _same_place(fleet: FleetSpec, target: str, one: JSON, seen: dict[tuple[str, ...], str]) -> Problem | None:
    """What a target has in common with one before it that two targets cannot have: of a fleet the namespace, of a train a workload in it."""
    uid, namespace = one["cluster_uid"], one["namespace"]
    here = f"both are namespace {namespace} of the cluster with UID {uid}"
    for what, value in one["places"].items():
        # one object holds one release at a time: services of one level, which are released at once, cannot share their route's
        place = (what, uid, namespace, value, str(fleet.wave_of(target)) if what == "route" else "")
        if (other := seen.setdefault(place, target)) == target:
            continue
        if not fleet.services:
            return Problem(f"{target}: release_namespace", namespace, f"another cluster or namespace than {other}'s: {here}")
        service, others = fleet.service_of(target), fleet.service_of(other)
        if what == "release":
            return Problem(f"{target}: release_namespace", namespace, f"another cluster or namespace than {other}'s of {service}: {here}")
        if what == "workload":
            return Problem(f"{target}: release_workload", value, f"another workload than {other}'s ({others}): {here}")
        allowed = f"a route in an object that {other} ({others}) does not release at the same moment: let {service} come after {others}"
        return Problem(f"{target}: release_traffic", value, f"{allowed}, or give it an object of its own")
    return None
