# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a swap changes besides the route, there and back: the Service's selector, the autoscaler's target, the DestinationRule's subsets.

Every patch bears our fence and tests the old value; every function may be repeated.
"""

from __future__ import annotations

from typing import Any

from ..cluster.errors import NotFound, Rejected, Superseded
from ..cluster.patch import Operation, add, as_read, expect, pointer, remove, replace
from .context import Context

JSON = dict[str, Any]
SCALED = ("spec", "scaleTargetRef", "name")
SUBSETS = ("spec", "subsets")


def switched_by_us(context: Context) -> bool:
    """Whether a swap changes the Service's selector beside the route: not where that is the route, nor where the route names subsets."""
    return any(one["kind"] == "Service" for one in context.target.held)


def selected(context: Context) -> str | None:
    """The switch label's value that the Service selects. Raises NotFound."""
    service = context.session.get("Service", context.namespace, context.target.service)
    return (service["spec"].get("selector") or {}).get(context.target.switch_label)


def select_canary(context: Context) -> None:
    """Let the Service select the new version's pods. Raises Conflict when it selects neither these nor the old one's."""
    _select(context, _old_value(context), context.target.switch_value)


def select_stable(context: Context) -> None:
    """Let the Service select the old version's pods again; what somebody else made of it stays."""
    if not switched_by_us(context):
        return
    try:
        if selected(context) == context.target.switch_value:
            _select(context, context.target.switch_value, _old_value(context))
    except NotFound:
        context.live.say("warning", f"Service {context.target.service} is gone")


def retarget(context: Context, before: str, after: str) -> None:
    """Let what scales one Deployment scale the other one; nothing else of it changes."""

    def scale_after(found: JSON) -> list[Operation]:
        scales_before = found["spec"]["scaleTargetRef"].get("name") == before
        return [expect(pointer(*SCALED), before), replace(pointer(*SCALED), after)] if scales_before else []

    for one in context.target.autoscalers:
        if context.amend(one["kind"], one["name"], scale_after):
            context.live.say("scaling", f"{one['kind']} {one['name']} scales {after}")


def add_subset(context: Context) -> None:
    """Give the DestinationRule the canary's subset, before any route names it. One of that name that is not ours stays."""
    rule, wanted = _rule(context), context.target.subset
    if rule is None or wanted is None:
        return

    def given(found: JSON) -> list[Operation]:
        return [] if _named(found, wanted["name"]) is not None else [as_read(found), add(pointer(*SUBSETS, "-"), wanted)]

    if not context.amend("DestinationRule", rule, given):
        context.session.get(
            "DestinationRule", context.namespace, rule
        )  # raises NotFound where it is gone: no route may name the subset then


def remove_subset(context: Context) -> None:
    """Take the canary's subset away again, if it is the one that we added and as we added it. No route may name it any more."""
    rule, ours = _rule(context), context.target.subset
    if rule is None or ours is None:
        return

    def taken(found: JSON) -> list[Operation]:
        index = _named(found, ours["name"])
        if index is None or found["spec"]["subsets"][index] != ours:
            return []
        path = pointer(*SUBSETS, index)
        return [as_read(found), expect(path, ours), remove(path)]

    context.amend("DestinationRule", rule, taken)


def go_back(context: Context) -> None:
    """After traffic has returned: the autoscaler scales the old Deployment again, which serves."""
    try:
        retarget(context, context.twin, context.target.workload)
    except Superseded:
        raise
    except (Rejected, NotFound) as error:
        context.live.say("warning", f"the autoscaler of {context.target.workload} must be set back by hand: {error}")
    context.state.swapped, context.state.serves = False, context.target.workload


def _select(context: Context, before: str, after: str) -> None:
    path = pointer("spec", "selector", context.target.switch_label)
    if selected(context) != after:
        context.patch("Service", context.target.service, [expect(path, before), replace(path, after)])
        context.live.say("switch", f"Service {context.target.service} selects {context.target.switch_label}={after}")


def _old_value(context: Context) -> str:
    return str(context.target.original_template["metadata"]["labels"][context.target.switch_label])


def _rule(context: Context) -> str | None:
    return next((one["name"] for one in context.target.held if one["kind"] == "DestinationRule"), None)


def _named(rule: JSON, name: str) -> int | None:
    return next((index for index, one in enumerate(rule["spec"].get("subsets") or []) if one["name"] == name), None)
