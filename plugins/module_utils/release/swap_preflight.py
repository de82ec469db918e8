# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the canary is where it is not stable's twin under a moved label: promotion by swap, and subsets of one host. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..cluster.session import Session
from ..traffic.place import reverted
from ..workload import selectors
from ..workload.twin import RELEASE_LABEL, SUFFIX, Canary
from .spec import Spec
from .subsets_preflight import Pair
from .values import Problem

JSON = dict[str, Any]
NUMBERED = re.compile(r"(.*?)(\d+)")
COLOURS = {"blue": "green", "green": "blue"}
LONGEST = 63


def identity(spec: Spec, deployment: JSON, service: JSON, pair: Pair | None, problems: list[Problem]) -> Canary | None:
    """The new Deployment and its label: what was given, or what follows from the old one's without doubt. Adds to problems.

    pair: where destinations are subsets; the Service must not select by the label then.
    """
    swap = spec.swap
    if swap is None:
        raise ValueError("a swap without release_swap")
    key = _label(spec, deployment, service, pair, problems)
    if key is None:
        return None
    old = deployment["spec"]["selector"]["matchLabels"][key]
    base = spec.workload.removesuffix(f"-{old}") if spec.workload.endswith(f"-{old}") else None
    value = swap.value or (pair.canary_value(key) if pair else None)
    if value is None and swap.workload and base and swap.workload.startswith(f"{base}-"):
        value = swap.workload.removeprefix(f"{base}-")
    if value is None and not swap.workload:
        value = _next(old)
    if value is None:
        allowed = f"is required: the value of label {key} in the new version's pods; {spec.workload}'s pods have {key}={old}"
        problems.append(Problem("release_swap.value", None, allowed))
        return None
    if value == old:
        problems.append(Problem("release_swap.value", value, f"another value than {spec.workload}'s pods have"))
        return None
    name = swap.workload or (f"{base}-{value}" if base else None)
    if name is None or len(name) > LONGEST:
        why = f"{spec.workload} does not end with -{old}, the value of its label {key}" if base is None else f"{name} is too long"
        problems.append(Problem("release_swap.workload", None, f"is required: the new Deployment's name; {why}"))
        return None
    return Canary(name, key, value)


def twin_of_subset(spec: Spec, deployment: JSON, service: JSON, pair: Pair, problems: list[Problem]) -> Canary | None:
    """A twin whose pods are the canary's subset. Adds to problems."""
    key = _label(spec, deployment, service, pair, problems)
    if key is None:
        return None
    old = deployment["spec"]["selector"]["matchLabels"][key]
    return Canary(spec.workload + SUFFIX, key, pair.canary_value(key) or old + SUFFIX)


def _label(spec: Spec, deployment: JSON, service: JSON, pair: Pair | None, problems: list[Problem]) -> str | None:
    """The label in which both versions differ: given, or the only one that could be meant."""
    by = labels_that_tell(deployment, service, pair.stable["labels"] if pair else None)
    given = spec.swap.label if spec.swap else None
    field = "release_swap.label" if spec.swap else "release_traffic.subsets"
    where = f"the selector of Deployment {spec.workload} and of " + (
        f"subset {pair.stable['name']}, and not of the Service" if pair else f"Service {service['metadata']['name']}"
    )
    if given is not None and given not in by:
        problems.append(Problem("release_swap.label", given, f"a label in {where}: {_words(by)}; add it to both, or choose another one"))
        return None
    meant = [given] if given else [key for key, value in by.items() if spec.workload.endswith(f"-{value}")]
    meant = meant or [key for key in by if key == "version"] or (list(by) if pair else [])
    if len(meant) == 1:
        return meant[0]
    allowed = f"is required: the label in which the versions' pods differ, in {where}: {_words(by)}"
    if not by:
        allowed = f"a label such as version: v1 in {where}; there is none, so the versions' pods could not be told apart"
    problems.append(Problem(field, None, allowed))
    return None


def labels_that_tell(deployment: JSON, service: JSON, subset: Mapping[str, str] | None) -> dict[str, str]:
    """The labels that could tell the versions' pods apart, with stable's values."""
    own = deployment["spec"]["selector"].get("matchLabels") or {}
    chosen = service["spec"].get("selector") or {}
    if subset is None:
        return {key: value for key, value in own.items() if chosen.get(key) == value}
    return {key: value for key, value in own.items() if subset.get(key) == value and key not in chosen}


def successor(session: Session, spec: Spec) -> JSON | None:
    """The Deployment that has taken the place of one that is retired, when it is named and is nobody's canary any more."""
    found = session.find("Deployment", spec.namespace, spec.swap.workload) if spec.swap and spec.swap.workload else None
    return None if found is None or RELEASE_LABEL in (found["metadata"].get("labels") or {}) else found


def _next(old: str) -> str | None:
    """v1 -> v2, blue -> green; None for anything else."""
    numbered = NUMBERED.fullmatch(old)
    if numbered and numbered[1] in ("v", ""):
        return f"{numbered[1]}{int(numbered[2]) + 1}"
    return COLOURS.get(old)


def left_behind(spec: Spec, canary: Canary, labels: Mapping[str, str], lists: Mapping[str, Iterable[JSON]], service: JSON) -> list[Problem]:
    """What follows the old Deployment's pods and would be left with none once it has gone; and a Service that others put back."""
    moved = {**labels, canary.key: canary.value}
    found = []
    for kind in ("Service", "PodDisruptionBudget"):
        for one in lists[kind]:
            name, selector = one["metadata"]["name"], one["spec"].get("selector")
            if kind == "Service":
                selector = {"matchLabels": selector} if selector else None
                if name in (service["metadata"]["name"], service["metadata"]["name"] + SUFFIX):
                    continue
            if selectors.matches(selector, labels) and not selectors.matches(selector, moved):
                what = "would lead nowhere" if kind == "Service" else "would protect nothing"
                allowed = f"a workload that nothing but its Service follows: {kind} {name} {what} once {spec.workload} has gone; "
                found.append(Problem("release_swap", canary.name, f"{allowed}select by a label that both versions have, or delete it"))
    return [*found, *(reverted(service, "Service") if spec.subsets is None else [])]


def _words(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "none"
