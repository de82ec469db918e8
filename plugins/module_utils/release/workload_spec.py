# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_workload and release_rolling: which kind of workload, and what may be said of its rolling update. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..workload.kinds import DAEMON_SET, DEPLOYMENT, KINDS, SETS, STATEFUL_SET
from .parts import LONGEST_WORKLOAD
from .values import Reader

WHO = "Deployment/<name>, or, with release_strategy rolling, StatefulSet/<name> or DaemonSet/<name>"
# option of release_rolling -> what Kubernetes calls it
COUNTS = {"max_surge": "maxSurge", "max_unavailable": "maxUnavailable"}
SECONDS = {"min_ready_seconds": "minReadySeconds", "progress_deadline_seconds": "progressDeadlineSeconds"}
# kind -> option that it has no use for -> why
NO_USE = {
    DEPLOYMENT: {},
    STATEFUL_SET: {
        "max_surge": "a pod of a StatefulSet must be gone before its successor, which has its name, can come",
        "max_unavailable": "a StatefulSet replaces one pod after the other, from the highest ordinal down",
        "progress_deadline_seconds": "a StatefulSet knows no deadline; release_ready_timeout_seconds is the release's own",
    },
    DAEMON_SET: {
        "max_surge": "the release replaces a DaemonSet's pods itself, node by node, and a node has one of them",
        "progress_deadline_seconds": "a DaemonSet knows no deadline; release_ready_timeout_seconds is the release's own",
    },
}


def workload(read: Reader, value: Any, also: tuple[str, ...] = ()) -> tuple[str, str]:
    """Kind and name of release_workload; a Deployment where it is wrong, so that no other option is refused for that.

    also: further kinds, which the engine of the release knows.
    """
    kind, _sep, name = str(value or "").partition("/")
    if value is None:
        return DEPLOYMENT, ""
    if kind not in (*KINDS, *also) or not name:
        read.refuse("release_workload", value, WHO)
        return DEPLOYMENT, name
    read.name("release_workload", name, longest=LONGEST_WORKLOAD)
    return kind, name


def fits_kind(read: Reader, given: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """A StatefulSet and a DaemonSet can only be rolled, and only their pods tell which version they are."""
    kind, strategy = fields["workload_kind"], fields["strategy"]
    if kind not in SETS:
        return
    if strategy != "rolling":
        why = f"strategy {strategy} runs both versions beside each other, and nobody can make a second {kind} of the same pods"
        read.refuse("release_workload", given["release_workload"], f"Deployment/<name>: {why}; use release_strategy: rolling")
        return
    if fields["gates"] and fields["metrics_source"] != "pods":
        what = "a pod keeps its name when it is replaced" if kind == STATEFUL_SET else "the names of its pods do not tell their version"
        allowed = f"pods, with release_pods: of a {kind} {what}, so counters in Prometheus cannot tell old from new"
        read.refuse("release_metrics_source", fields["metrics_source"], allowed)


def rolling(read: Reader, value: Any, kind: str) -> dict[str, Any]:
    """The knobs of release_rolling under the names that Kubernetes has for them."""
    found = read.mapping("release_rolling", value, (*COUNTS, *SECONDS)) or {}
    for option, why in NO_USE.get(kind, {}).items():
        if found.get(option) is not None:
            read.refuse(f"release_rolling.{option}", found[option], f"nothing: {why}")
    knobs: dict[str, Any] = {}
    for option, name in COUNTS.items():
        if found.get(option) is not None:
            knobs[name] = _pods(read, f"release_rolling.{option}", found[option])
    for option, name in SECONDS.items():
        if found.get(option) is not None:
            most = 3600 if name == "minReadySeconds" else 86400
            knobs[name] = read.integer(f"release_rolling.{option}", found[option], least=0, most=most, default=0)
    if kind == DAEMON_SET and str(found.get("max_unavailable")).replace(" ", "") in ("0", "0%"):
        read.refuse(
            "release_rolling.max_unavailable", found["max_unavailable"], "at least 1: a node has no room for two of a DaemonSet's pods"
        )
    elif {knobs.get("maxSurge", 1), knobs.get("maxUnavailable", 1)} <= {0, "0%"}:
        read.refuse("release_rolling", found, "max_surge or max_unavailable above 0: with both 0 no pod could ever be replaced")
    deadline, ready = knobs.get("progressDeadlineSeconds", 600), knobs.get("minReadySeconds", 0)
    if kind == DEPLOYMENT and isinstance(deadline, int) and deadline <= ready:
        read.refuse("release_rolling.progress_deadline_seconds", deadline, f"more than min_ready_seconds ({ready})")
    return knobs


def _pods(read: Reader, field: str, value: Any) -> int | str:
    """A number of pods, or a percentage of them as Kubernetes writes it."""
    matched = re.fullmatch(r"(\d{1,3})\s*%", value) if isinstance(value, str) else None
    if matched and int(matched.group(1)) <= 100:
        return f"{matched.group(1)}%"
    return read.integer(field, value, least=0, most=10000, default=0) if not matched else _refused(read, field, value)


def _refused(read: Reader, field: str, value: Any) -> int:
    read.refuse(field, value, "a number of pods, or a percentage up to 100%")
    return 0
