# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in a workload drops requests when its pods come and go. Pure: objects come in as they were read, findings come out."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from . import selectors
from .kinds import DAEMON_SET, DEPLOYMENT, SETS, wanted_pods

JSON = dict[str, Any]
ERROR, WARNING = "error", "warning"
PROXIES = ("istio-proxy", "linkerd-proxy")
DEFAULT_GRACE_SECONDS = 30
PRESTOP_SECONDS = 5  # proxies learn of a pod's end well within it
SLEEP = re.compile(r"\bsleep\s+(\d+)")


@dataclass(frozen=True)
class Finding:
    """One thing that would go wrong: check names the rule, object what it is about, fix a command or YAML that mends it."""

    check: str
    severity: str  # error or warning
    object: str
    problem: str
    fix: str

    def to_dict(self) -> JSON:
        """The finding as JSON."""
        return asdict(self)


def kubectl(namespace: str, *words: str) -> str:
    """A command line."""
    return shlex.join(["kubectl", "-n", namespace, *words])


def merge_patch(kind: str, obj: JSON, change: JSON) -> str:
    """The command that merges change into an object."""
    text = json.dumps(change, separators=(",", ":"))
    return kubectl(obj["metadata"]["namespace"], "patch", kind.lower(), obj["metadata"]["name"], "--type", "merge", "-p", text)


def requests_dropped(deployment: JSON, budgets: Iterable[JSON], *, meshed: bool, drain_seconds: float) -> list[Finding]:
    """Every rule of this file on a workload and the PodDisruptionBudgets of its namespace."""
    return [
        *readiness(deployment),
        *(prestop(deployment) if meshed else []),
        *grace(deployment, drain_seconds=drain_seconds),
        *rollout(deployment),
        *replicas(deployment),
        *blocked(deployment, budgets),
    ]


def readiness(deployment: JSON) -> list[Finding]:
    """Containers that take requests must say when they can; one without ports is a helper, unless it is the only one."""
    containers = _containers(deployment)
    return [
        Finding(
            "readiness_probe",
            ERROR,
            _name(deployment),
            f"container {one['name']} has no readiness probe: it gets requests before it can answer them",
            _pod_patch(deployment, {"containers": [{"name": one["name"], "readinessProbe": _probe(one)}]}),
        )
        for one in containers
        if not one.get("readinessProbe") and (one.get("ports") or len(containers) == 1)
    ]


def _probe(container: JSON) -> JSON:
    """A probe of the container's first port. The path is the most usual one: only its author knows the right one."""
    port = next((one.get("name") or one["containerPort"] for one in container.get("ports") or []), 8080)
    return {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 1}


def prestop(deployment: JSON) -> list[Finding]:
    """Behind proxies a pod must go on answering for a moment after it was told to end: they learn of it a little later."""
    containers = _containers(deployment)
    if any((one.get("lifecycle") or {}).get("preStop") for one in containers):
        return []
    name = next((one["name"] for one in containers if one.get("ports")), containers[0]["name"])
    wait = {"preStop": {"sleep": {"seconds": PRESTOP_SECONDS}}}
    return [
        Finding(
            "pre_stop",
            WARNING,
            _name(deployment),
            "no container has a preStop hook: unless the program itself goes on answering after SIGTERM, proxies that have not heard of its "
            "end yet get no answer",
            _pod_patch(deployment, {"containers": [{"name": name, "lifecycle": wait}]}),
        )
    ]


def grace(deployment: JSON, *, drain_seconds: float) -> list[Finding]:
    """A pod must not be killed while it still waits or answers."""
    allowed = deployment["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    waits = max((seconds_of_prestop(one) for one in _containers(deployment)), default=0)
    wanted = math.ceil(max(waits + PRESTOP_SECONDS if waits else 0, drain_seconds))
    fix = _pod_patch(deployment, {"terminationGracePeriodSeconds": wanted})
    if waits and allowed <= waits:
        problem = f"terminationGracePeriodSeconds {allowed} is over before the preStop hook ({waits} s) is: requests are cut off"
        return [Finding("grace_period", ERROR, _name(deployment), problem, fix)]
    if allowed < drain_seconds:
        problem = (
            f"terminationGracePeriodSeconds {allowed} is shorter than release_drain_seconds ({drain_seconds:g}): long requests are cut off"
        )
        return [Finding("grace_period", WARNING, _name(deployment), problem, fix)]
    return []


def seconds_of_prestop(container: JSON) -> int:
    """How long a preStop hook waits, as far as it can be read: a sleep, alone or in a command line."""
    hook = (container.get("lifecycle") or {}).get("preStop") or {}
    if hook.get("sleep"):
        return int(hook["sleep"].get("seconds", 0))
    found = SLEEP.search(" ".join((hook.get("exec") or {}).get("command") or []))
    return int(found.group(1)) if found else 0


def rollout(deployment: JSON) -> list[Finding]:
    """While stable takes the new version, those who still reach it need its pods. Sets are replaced by the release itself."""
    if _kind(deployment) in SETS:
        return []
    strategy = deployment["spec"].get("strategy") or {}
    wanted = deployment["spec"].get("replicas", 1)
    fix = merge_patch(
        "deployment", deployment, {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}
    )
    if strategy.get("type") == "Recreate":
        problem = "strategy Recreate ends all pods before it starts new ones"
        return [Finding("rolling_update", ERROR, _name(deployment), problem, fix)]
    away = count_of((strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%"), wanted, up=False)
    if not away or not wanted:
        return []
    severity = ERROR if away >= wanted else WARNING
    problem = f"maxUnavailable lets {away} of {wanted} pods be missing while it takes the new version"
    return [Finding("rolling_update", severity, _name(deployment), problem, fix)]


def replicas(deployment: JSON) -> list[Finding]:
    """One pod is none as soon as its node goes."""
    if _kind(deployment) == DAEMON_SET or deployment["spec"].get("replicas", 1) != 1:
        return []
    fix = kubectl(deployment["metadata"]["namespace"], "scale", _kind(deployment).lower(), deployment["metadata"]["name"], "--replicas=2")
    return [Finding("single_replica", WARNING, _name(deployment), "one pod: a node that is drained or fails takes all of it away", fix)]


def blocked(deployment: JSON, budgets: Iterable[JSON]) -> list[Finding]:
    """Budgets that allow no eviction at all: a node drain waits for ever, or is forced and then drops everything."""
    labels = deployment["spec"]["template"]["metadata"].get("labels") or {}
    wanted = wanted_pods(_kind(deployment), deployment)
    found = []
    for budget in budgets:
        spec = budget["spec"]
        if not selectors.matches(spec.get("selector"), labels):
            continue
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        none_may_go = (least is not None and count_of(least, wanted, up=True) >= wanted) or (
            most is not None and count_of(most, wanted, up=True) == 0
        )
        if none_may_go:
            how = f"minAvailable {least}" if least is not None else f"maxUnavailable {most}"
            fix = merge_patch("poddisruptionbudget", budget, {"spec": {"minAvailable": None, "maxUnavailable": 1}})
            problem = f"{how} of {wanted} pods lets none be evicted: a node cannot be drained while it stands"
            found.append(Finding("disruption_budget", WARNING, f"PodDisruptionBudget {budget['metadata']['name']}", problem, fix))
    return found


def count_of(value: int | str, total: int, *, up: bool) -> int:
    """A number of pods given as such or as a percentage of total, rounded as Kubernetes does it for that field."""
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    share = total * int(text[:-1]) / 100
    return math.ceil(share) if up else math.floor(share)


def proxy_of(pod_spec: Mapping[str, Any]) -> str | None:
    """The name of a pod's mesh sidecar (a container, or an init container that stays), or None."""
    names = [one["name"] for kind in ("containers", "initContainers") for one in pod_spec.get(kind) or []]
    return next((name for name in names if name in PROXIES), None)


def _containers(deployment: JSON) -> list[JSON]:
    return [one for one in deployment["spec"]["template"]["spec"]["containers"] if one["name"] not in PROXIES]


def _pod_patch(deployment: JSON, change: JSON) -> str:
    """The command that changes the pod template; lists merge by name in a strategic merge patch."""
    text = json.dumps({"spec": {"template": {"spec": change}}}, separators=(",", ":"))
    meta = deployment["metadata"]
    return kubectl(meta["namespace"], "patch", _kind(deployment).lower(), meta["name"], "-p", text)


def _name(deployment: JSON) -> str:
    return f"{_kind(deployment)} {deployment['metadata']['name']}"


def _kind(workload: JSON) -> str:
    """The kind of a workload as it was read; lists leave it out, and then it is a Deployment."""
    kind: str = workload.get("kind", DEPLOYMENT)
    return kind
