# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_metrics_source: who counts the requests, by name, or counters of one's own. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from .gates_spec import PLACEHOLDER, PLACEHOLDERS, GateSpec
from .values import Reader

FIELD = "release_metrics_source"
OWN = "own"  # the name of a source that the user describes
OWN_PODS = ("istio_destination", "linkerd", "http")  # they tell one pod of the workload from another
BY_WORKLOAD = ("istio_ambient",)
BY_SERVICE = ("istio_source", "linkerd_route", "linkerd_grpc_route", "envoy", "ingress_nginx")  # they tell versions by their Service
NAMES = (
    "istio_destination",
    "istio_source",
    "istio_ambient",
    "linkerd",
    "linkerd_route",
    "linkerd_grpc_route",
    "envoy",
    "ingress_nginx",
    "http",
)
CHOICES = ("auto", *NAMES, "pods")
UNROUTED = ("ingress_nginx",)  # no router of ours moves the weights that these tell apart
UNITS_MS = {"s": 1000.0, "ms": 1.0}
METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KNOWN = tuple(name for name in PLACEHOLDERS if name != "interval")
Matchers = tuple[tuple[str, str], ...]  # label and the pattern that its whole value must match


@dataclass(frozen=True)
class OwnSource:
    """Counters that the user names. failed: of which label which values are failures; labels select both arms, stable and canary one each.

    latency: the histogram without _bucket, None where there is none; unit_ms: milliseconds that one unit of its bounds stands for.
    """

    requests: str
    failed: Matchers
    latency: str | None
    unit_ms: float
    labels: Matchers
    stable: Matchers
    canary: Matchers


def own_from(saved: Mapping[str, Any] | None) -> OwnSource | None:
    """A source as a record keeps it."""
    if saved is None:
        return None
    made = {name: tuple((label, pattern) for label, pattern in saved[name]) for name in ("failed", "labels", "stable", "canary")}
    return OwnSource(**{**saved, **made})


def source(
    read: Reader, value: Any, *, field: str = FIELD, names: Sequence[str] = CHOICES, default: str = "auto"
) -> tuple[str, OwnSource | None]:
    """The source's name, and what the user says of it where it is OWN."""
    if isinstance(value, Mapping) or (isinstance(value, str) and ":" in value):
        return OWN, _own(read, field, value)
    if value is None or value in names:
        return value or default, None
    near = get_close_matches(str(value), names, 1) or [name for name in names if isinstance(value, str) and value and value in name]
    listed = f"one of {', '.join(names)}, or a dictionary with counters of your own"
    read.refuse(field, value, listed + (f"; did you mean {near[0]}?" if near else ""))
    return default, None


def fit(read: Reader, given: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Refuse a source that cannot tell the versions of this release apart, or has no latency where a gate asks for it."""
    name, allowed = fields["metrics_source"], None
    if not fields["gates"] and fields["ab"] is None:
        return  # nobody counts
    if fields["strategy"] == "rolling" and name in (*BY_WORKLOAD, *BY_SERVICE, OWN):
        allowed = f"a source that tells one pod from another, {_either('pods', *OWN_PODS)}: rolling gives old and new pods one name"
    elif fields["provider"] in ("service", "replicas") and name in BY_SERVICE:
        allowed = f"a source that tells one pod from another: {_either('pods', *OWN_PODS)}; behind one Service this one counts both alike"
    elif (fields["promotion"] == "swap" or fields["subsets"]) and name in BY_SERVICE and name != "istio_source":
        other = _either(*OWN_PODS, *BY_WORKLOAD, "istio_source")
        allowed = f"a source that tells workloads apart, {other}: both versions answer for one Service here"
    if allowed:
        read.refuse(FIELD, given.get(FIELD), allowed)
    own = fields["own_source"]
    if own is not None and own.latency is None:
        _no_latency(read, fields["gates"])


def _no_latency(read: Reader, gates: Sequence[GateSpec]) -> None:
    for index, gate in enumerate(gates):
        if gate.kind == "latency":
            read.refuse(f"release_gates[{index}].latency", gate.name, f"a histogram to judge it by: {FIELD}.latency names none")


def _either(*names: str) -> str:
    return ", ".join(names[:-1]) + f" or {names[-1]}"


def _own(read: Reader, field: str, value: Any) -> OwnSource | None:
    found = read.mapping(field, value, ("requests", "failed", "latency", "unit", "labels", "stable", "canary"))
    if found is None:
        return None
    before = len(read.problems)
    requests = _metric(read, f"{field}.requests", found.get("requests"))
    if found.get("requests") is None:
        read.refuse(f"{field}.requests", None, "is required: the name of a counter of requests, such as shop_requests_total")
    latency = _metric(read, f"{field}.latency", found.get("latency"))
    unit = read.choice(f"{field}.unit", found.get("unit"), tuple(UNITS_MS), "s")
    if found.get("unit") is not None and latency is None:
        read.refuse(f"{field}.unit", found["unit"], "nothing, unless latency names a histogram: it is the unit of its bounds")
    failed = _matchers(read, f"{field}.failed", found.get("failed")) or (("code", "5..|0"),)
    labels, stable, canary = (_matchers(read, f"{field}.{name}", found.get(name)) for name in ("labels", "stable", "canary"))
    for name, matchers in (("stable", stable), ("canary", canary)):
        if not matchers and not found.get(name):
            read.refuse(f"{field}.{name}", found.get(name), f"labels that only {name}'s series have, such as {{workload: '{{{name}}}'}}")
    if stable and stable == canary:
        read.refuse(f"{field}.canary", found["canary"], "other labels than stable's: the versions could not be told apart")
    if len(read.problems) > before or requests is None:
        return None
    return OwnSource(requests, failed, latency and latency.removesuffix("_bucket"), UNITS_MS[unit], labels, stable, canary)


def _metric(read: Reader, field: str, value: Any) -> str | None:
    text = read.text(field, value)
    if text is not None and not METRIC.fullmatch(text):
        read.refuse(field, value, "a metric's name without labels; those go into labels, stable and canary")
        return None
    return text


def _matchers(read: Reader, field: str, value: Any) -> Matchers:
    made = []
    for label, pattern in (read.mapping(field, value) or {}).items():
        here = f"{field}.{label}"
        if not LABEL.fullmatch(str(label)):
            read.refuse(here, pattern, "the name of a label: letters, digits and _")
        elif not isinstance(pattern, str) or not _is_pattern(pattern):
            read.refuse(here, pattern, "a regular expression (RE2) that the label's whole value matches (quote numbers)")
        elif unknown := [name for name in PLACEHOLDER.findall(pattern) if name not in KNOWN]:
            read.refuse(here, "{" + unknown[0] + "}", f"one of {', '.join('{' + known + '}' for known in KNOWN)}")
        else:
            made.append((str(label), pattern))
    return tuple(made)


def _is_pattern(text: str) -> bool:
    """Whether it can be compiled, and has nothing that RE2 lacks: look-around and back-references."""
    try:
        re.compile(PLACEHOLDER.sub("x", text))
    except re.error:
        return False
    return not re.search(r"\(\?(=|!|<=|<!|P=)|\\[1-9]", text)
