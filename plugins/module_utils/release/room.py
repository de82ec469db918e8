# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before more pods are asked for: whether quota and nodes take them now, and what disruption budgets say. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cluster.errors import ClusterError, Unreachable
from ..workload import capacity
from ..workload.drops import count_of
from ..workload.selectors import matches
from .context import Context
from .ending import PARKED, TurnBack
from .watch import Watch

JSON = dict[str, Any]
LOOK_SECONDS = 5.0  # between two reads while room is missing
NODE_SECONDS = 60.0  # longest wait for room on nodes: a cluster autoscaler only adds some for pods that wait
MOST_NODES = 10  # of a larger cluster nobody reads all pods between two looks at the gates


@dataclass(frozen=True)
class Shortage:
    """What is missing and which command shows it. of_nodes: it may vanish only once pods wait for it."""

    words: str
    of_nodes: bool = False


def hold_for_room(context: Context, watch: Watch, pods: int, whose: str, also: Callable[[Context], None]) -> None:
    """Wait until there is room for so many more pods of whose. also is called at every poll.

    A shortage holds for release_max_hold_seconds, then release_on_inconclusive decides; one of nodes only for a minute.
    """
    if pods <= 0:
        return
    one, what = _need_of_one(context), f"{pods} more pod{'s' if pods > 1 else ''} of {whose}"
    began, said = context.process.clock(), ""
    while short := _shortage(context, pods, one):
        held = context.process.clock() - began
        if short.of_nodes and held >= NODE_SECONDS:
            context.live.say("room", f"still {short.words}; going on: a cluster autoscaler only adds nodes for pods that wait")
            return
        if held >= context.spec.max_hold_seconds and _goes_on(context, short, held, what):
            return
        if short.words != said:
            context.live.say("hold", f"no room for {what}: {short.words}", cause="no_room")
            said = short.words
        until = context.process.clock() + LOOK_SECONDS
        while context.process.clock() < until:
            watch.poll()
            also(context)
    if said:
        context.live.say("room", f"there is room for {what} now; going on")


def _goes_on(context: Context, short: Shortage, held: float, what: str) -> bool:
    """What release_on_inconclusive says of a shortage that lasts: True to go on all the same, else TurnBack."""
    policy = context.spec.on_inconclusive
    words = f"no room for {what}: {short.words}; held for {held:.0f} s (release_max_hold_seconds), release_on_inconclusive is {policy}"
    if policy == "promote":
        context.live.say("warning", words)
        return True
    raise TurnBack("no_room", words, outcome=PARKED if policy == "ask" else "rolled_back", gentle=True)


def _need_of_one(context: Context) -> capacity.Amounts:
    target = context.target
    deployment = context.session.get("Deployment", context.namespace, target.workload)
    pods = context.session.list("Pod", context.namespace, labels=deployment["spec"]["selector"].get("matchLabels") or {})
    return capacity.need_of_one(target.new_template, target.original_template, pods)


def _shortage(context: Context, pods: int, one: capacity.Amounts) -> Shortage | None:
    return _quota(context, pods, one) or _nodes(context, pods, one)


def _quota(context: Context, pods: int, one: capacity.Amounts) -> Shortage | None:
    if not context.session.allowed("list", "ResourceQuota", context.namespace):
        return None
    need = capacity.times(one, pods)
    for quota in context.session.list("ResourceQuota", context.namespace):
        short = capacity.shortages(quota, need, context.target.new_template, {})
        if short:
            name = quota["metadata"]["name"]
            return Shortage(f"ResourceQuota {name}: {', '.join(short)}; see kubectl -n {context.namespace} describe resourcequota {name}")
    return None


def _nodes(context: Context, pods: int, one: capacity.Amounts) -> Shortage | None:
    """Who may not see nodes and all pods, or has many nodes, learns of missing room from pods that wait."""
    if not all(context.session.allowed("list", kind, "") for kind in ("Node", "Pod")):
        return None
    try:
        nodes = context.session.list("Node")
        if len(nodes) > MOST_NODES:
            return None
        fits = capacity.fitting(nodes, context.session.each("Pod"), context.target.new_template, one)
    except Unreachable:
        raise
    except ClusterError:
        return None
    if fits is None or fits >= pods:
        return None
    each = ", ".join(f"{key} {capacity.shown(key, one['requests.' + key])}" for key in ("cpu", "memory") if one.get("requests." + key))
    words = f"the nodes take {fits} of {pods}" + (f", each {each}" if each else "") + "; see kubectl describe nodes"
    return Shortage(words, of_nodes=True)


def tell_budgets(context: Context, what: str, *labels: dict[str, str]) -> None:
    """Say which disruption budgets of pods with such labels allow no disruption now; neither a rolling update nor a deletion asks them."""
    if not context.session.allowed("list", "PodDisruptionBudget", context.namespace):
        return
    for budget in context.session.list("PodDisruptionBudget", context.namespace):
        status = budget.get("status") or {}
        if status.get("disruptionsAllowed", 1) > 0 or not any(matches(budget["spec"].get("selector"), one) for one in labels):
            continue
        name = budget["metadata"]["name"]
        counts = f"{status.get('currentHealthy', 0)} healthy, {status.get('desiredHealthy', 0)} needed"
        see = f"kubectl -n {context.namespace} get poddisruptionbudget {name}"
        context.live.say("budget", f"PodDisruptionBudget {name} allows no disruption now ({counts}): {what}; see {see}")


def rolling_words(deployment: JSON) -> str:
    """What the rolling update of a Deployment does to its pods."""
    name, wanted = deployment["metadata"]["name"], deployment["spec"].get("replicas", 1)
    strategy = deployment["spec"].get("strategy") or {}
    away = count_of((strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%"), wanted, up=False)
    away = wanted if strategy.get("type") == "Recreate" else away
    does = f"may take {away} of {wanted} pods away before new ones are ready" if away else "takes no pod away before a new one is ready"
    return f"the rolling update of {name} does not ask it and {does}; a node cannot be drained meanwhile"
