# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of the verb metric_gate says: the route and its two versions, in a release's words the gates, and how long they are asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis.verdict import HOLD, INCONCLUSIVE, ROLL_BACK
from ..release.prometheus_spec import OPTIONS as PROMETHEUS
from ..release.spec import Spec, SpecError
from ..release.spec import parse as parse_release
from ..release.values import Problem, Reader
from ..traffic import declare
from ..traffic.place import Unusable
from ..traffic.route import CANARY
from ..traffic.sight import Declared
from .doctor import completed

JSON = dict[str, Any]
REPORT, RESTORE = "report", "restore"
FAILING = (ROLL_BACK, INCONCLUSIVE, HOLD)  # verdicts that fail_on may name
SECRET = ("headers", "token", "password")
# option -> what a release calls it
IN_A_RELEASE = {
    "namespace": "release_namespace",
    "gates": "release_gates",
    "looks": "release_looks",
    "slo": "release_slo",
    "prometheus": "release_prometheus",
    "metrics_source": "release_metrics_source",
    "pods": "release_pods",
    "min_seconds": "release_minimum_step_seconds",
    "max_hold_seconds": "release_max_hold_seconds",
    "no_data_seconds": "release_no_data_seconds",
    "fix_forward": "release_fix_forward",
}
OF_A_GATE = {release: option for option, release in IN_A_RELEASE.items()}
# what is no string among the options of prometheus, and what must not be shown; client_key is a path
PROMETHEUS_SPEC: dict[str, JSON] = {
    **{name: {"type": "str"} for name in PROMETHEUS},
    "headers": {"type": "dict"},
    "validate_certs": {"type": "bool"},
    "client_key": {"type": "str", "no_log": False},
}
# options beside kubernetes.core's connection options and those that say which route
OPTIONS: dict[str, JSON] = {
    "workload": {"type": "str"},
    "canary_workload": {"type": "str"},
    "weight": {"type": "int"},
    "next_weight": {"type": "int"},
    "gates": {"type": "list", "elements": "dict", "required": True},
    "looks": {"type": "dict"},
    "slo": {"type": "dict"},
    "prometheus": {
        "type": "dict",
        "options": {name: {**spec, "no_log": True} if name in SECRET else spec for name, spec in PROMETHEUS_SPEC.items()},
    },
    "metrics_source": {"type": "raw", "default": "auto"},
    "pods": {"type": "dict"},
    "interval_seconds": {"type": "str", "default": "1"},
    "min_seconds": {"type": "str", "default": "0"},
    "max_hold_seconds": {"type": "str", "default": "1800"},
    "no_data_seconds": {"type": "str", "default": "120"},
    "timeout_seconds": {"type": "str"},
    "fix_forward": {"type": "bool", "default": False},
    "on_violation": {"type": "str", "choices": [REPORT, RESTORE], "default": REPORT},
    "fail_on": {"type": "list", "elements": "str", "choices": list(FAILING), "default": []},
    "evidence_state": {"type": "dict"},
}


@dataclass(frozen=True)
class GateTask:
    """One task, checked. Times in seconds; shares in percent.

    spec: gates, judges and where requests are counted, as a release has them; its workload is only known once the cluster was asked.
    """

    declared: Declared  # the route, and its state with all traffic at home
    spec: Spec
    workload: str | None  # None: the Deployment that the Service selects
    canary_workload: str | None
    weight: int | None  # None: what the route says
    next_weight: int | None
    interval_seconds: float
    timeout_seconds: float | None  # None: until the gates have decided
    restores: bool
    fail_on: tuple[str, ...]
    evidence_state: JSON | None
    connection: JSON  # which cluster, for the command that is told


def parse(given: Mapping[str, Any]) -> GateTask:
    """Checked arguments. Raises Unusable with all problems, in the words of the options."""
    read = Reader()
    declared: Declared | None = None
    try:
        declared = declare.parse({name: given.get(name) for name in declare.WHICH})
    except Unusable as error:
        read.problems += error.problems
    workload = _deployment(read, "workload", given.get("workload"))
    canary = _deployment(read, "canary_workload", given.get("canary_workload"))
    weight, following = (_percent(read, name, given.get(name)) for name in ("weight", "next_weight"))
    if weight is not None and following is not None and following <= weight:
        read.refuse("next_weight", following, f"more than weight ({weight}): where an advance leads to")
    restores = read.choice("on_violation", given.get("on_violation"), (REPORT, RESTORE), REPORT) == RESTORE
    if restores and weight is not None:
        allowed = f"{REPORT} where weight says what the share is: the route is not this task's to restore then"
        read.refuse("on_violation", RESTORE, allowed)
    interval = read.seconds("interval_seconds", given.get("interval_seconds"), least=0.5, most=60, default=1)
    timeout = read.seconds("timeout_seconds", given.get("timeout_seconds"), least=1, most=7 * 86400, default=0) or None
    fail_on = [read.choice("fail_on", one, FAILING, ROLL_BACK) for one in read.sequence("fail_on", given.get("fail_on")) or []]
    evidence = read.mapping("evidence_state", given.get("evidence_state"))
    if not given.get("gates"):
        read.refuse("gates", given.get("gates"), "at least one gate")
    spec = _spec(read, given, declared, workload)
    if spec and declared:
        _placeholders(read, spec, declared)
    if read.problems or spec is None or declared is None:
        raise Unusable(in_our_words(read.problems))
    return GateTask(
        declared=declared,
        spec=spec,
        workload=workload,
        canary_workload=canary,
        weight=weight,
        next_weight=following,
        interval_seconds=interval,
        timeout_seconds=timeout,
        restores=restores,
        fail_on=tuple(dict.fromkeys(fail_on)),
        evidence_state=evidence or None,
        connection={name: given[name] for name in ("kubeconfig", "context") if given.get(name)},
    )


def in_our_words(problems: list[Problem]) -> list[Problem]:
    """Problems of a release's variables as those of the task's own options, each once."""
    told = (Problem(_spoken(one.field), one.value, _spoken(one.allowed)) for one in problems)
    return list({str(one): one for one in told}.values())


def _spoken(text: str) -> str:
    text = re.sub(r"release_traffic\.", "", text)
    return re.sub(r"\brelease_[a-z_]+", lambda found: OF_A_GATE.get(found[0], found[0].removeprefix("release_")), text)


def _spec(read: Reader, given: Mapping[str, Any], declared: Declared | None, workload: str | None) -> Spec | None:
    """The gates and where they read, checked as a release's; None with problems."""
    said: JSON = {release: given[option] for option, release in IN_A_RELEASE.items() if given.get(option) is not None}
    if isinstance(said.get("release_prometheus"), dict):
        said["release_prometheus"] = {name: value for name, value in said["release_prometheus"].items() if value is not None}
    service = declared.service if declared else "service"
    traffic = {"provider": declared.provider if declared else "istio", "service": service}
    try:
        return parse_release(completed({**said, "release_workload": f"Deployment/{workload or service}", "release_traffic": traffic}))
    except SpecError as error:
        read.problems += error.problems
        return None


def _deployment(read: Reader, field: str, value: Any) -> str | None:
    """The name in Deployment/name."""
    if value is None:
        return None
    kind, _sep, name = str(value).partition("/")
    if kind != "Deployment" or not name:
        read.refuse(field, value, "Deployment/<name>: only Deployments' pods are told apart by version")
        return None
    return read.name(field, name)


def _percent(read: Reader, field: str, value: Any) -> int | None:
    return None if value is None else read.integer(field, value, least=1, most=100, default=100)


def _placeholders(read: Reader, spec: Spec, declared: Declared) -> None:
    if declared.canary == declared.service + CANARY:
        return
    for index, gate in enumerate(spec.gates):
        if gate.query and any("{canary_service}" in promql for promql in gate.query.asked):
            allowed = f"its name, {declared.canary}: the placeholder stands for {declared.service}{CANARY}"
            read.refuse(f"gates[{index}].query", "{canary_service}", allowed)
