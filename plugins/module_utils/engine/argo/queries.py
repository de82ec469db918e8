# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates of a release as metrics of an AnalysisTemplate. Pure."""

from __future__ import annotations

from typing import Any

from ...metrics.catalogue import POD_OF_A_DEPLOYMENT, Arms
from ...metrics.query_names import fill, names_of
from ...metrics.sources import SOURCES
from ...release.gates_spec import SEQUENTIAL, THRESHOLD, GateSpec
from ...release.looks_spec import LooksSpec
from ...release.spec import Spec
from ...release.values import Problem

JSON = dict[str, Any]
RETRY_SECONDS = 10.0  # after an error Argo measures again so late
LEAST_WINDOW_SECONDS = 30.0  # of an increase: two scrapes of 15 s
SCRAPE_SECONDS = 15.0
CANARY_HASH, STABLE_HASH = "canary-hash", "stable-hash"
ARGUMENTS = {CANARY_HASH: "Latest", STABLE_HASH: "Stable"}
SPEAK = ("error_rate", "latency", "request_rate", "query")
FIELDS = {  # of a gate's looks: what Argo has no word for -> why
    "consecutive": "Argo counts failures of the whole run",
    "iterations": "Argo moves by its steps; give them bake_seconds",
}


def sources(spec: Spec) -> tuple[str, ...]:
    """Where requests may be counted so that both versions are told apart by their Services."""
    known = tuple(name for name, one in SOURCES.items() if one.arms_are == "service" and name != "ingress_nginx")
    if spec.metrics_source != "auto":
        return tuple(name for name in known if name == spec.metrics_source)
    return ("istio_source",) if spec.provider == "istio" else tuple(name for name in known if name != "istio_source")


def refusals(spec: Spec) -> list[Problem]:
    """What of the gates an AnalysisTemplate cannot say."""
    found = []
    for index, gate in enumerate(spec.gates):
        field = f"release_gates[{index}]"
        if gate.kind not in SPEAK:
            found.append(
                Problem(f"{field}.{gate.kind}", gate.name, f"one of {', '.join(SPEAK)}: an AnalysisRun compares one number with limits")
            )
            continue
        if gate.judge not in (SEQUENTIAL, THRESHOLD):
            found.append(Problem(f"{field}.judge", gate.judge, f"{THRESHOLD}: an AnalysisRun compares one number with limits"))
        found += _looks(f"{field}.looks" if gate.looks else "release_looks", _looks_of(gate, spec))
        if gate.query is not None:
            found += _query(f"{field}.query", gate)
        if gate.counts and not _told_apart(spec):
            found.append(Problem(f"{field}.{gate.kind}", gate.name, _BY_PODS))
    if any(gate.counts for gate in spec.gates) and _told_apart(spec) and not sources(spec):
        allowed = (
            f"auto, or one that tells both Services apart: {', '.join(name for name, one in SOURCES.items() if one.arms_are == 'service')}"
        )
        found.append(Problem("release_metrics_source", spec.metrics_source, f"{allowed}; or gates with a query of {{canary_pods}}"))
    return found


_BY_PODS = "a gate with query and {canary_pods}: here both versions answer for one Service, and only their pods' names tell them apart"


def metric(gate: GateSpec, spec: Spec, service: str, source: str | None) -> JSON:
    """One metric. source: the name of what counts requests, where the gate is judged by them."""
    looks = _looks_of(gate, spec)
    query, success, failure = _asked(gate, spec, service, source)
    errors = looks.consecutive_error_limit
    made: JSON = {
        "name": gate.name,
        "interval": f"{max(1, round(looks.interval_seconds))}s",
        "successCondition": success,
        "failureLimit": looks.threshold - 1,
        "consecutiveErrorLimit": max(0, round(spec.no_data_seconds / RETRY_SECONDS) - 1) if errors is None else errors,
        "provider": {"prometheus": {"address": address(spec), "query": query}},
    }
    optional = {
        "failureCondition": failure,
        "initialDelay": f"{round(looks.initial_delay_seconds)}s" if looks.initial_delay_seconds else None,
        "inconclusiveLimit": looks.inconclusive_limit,
        "consecutiveSuccessLimit": looks.consecutive_success_limit or None,
    }
    return {**made, **{key: value for key, value in optional.items() if value is not None}}


def arguments(metrics: list[JSON]) -> list[str]:
    """Which pod hashes the queries name."""
    text = " ".join(one["provider"]["prometheus"]["query"] for one in metrics)
    return [name for name in ARGUMENTS if "{{args." + name + "}}" in text]


def probe(query: str) -> str:
    """The query as Prometheus can be asked before there is any version."""
    for name in ARGUMENTS:
        query = query.replace("{{args." + name + "}}", "none")
    return query


def address(spec: Spec) -> str:
    """Where the controller asks Prometheus: the Service by its name in the cluster, or the URL as it is given."""
    if spec.prometheus_service:
        namespace, name, port = spec.prometheus_service
        return f"http://{name}.{namespace}.svc:{port}{spec.prometheus_access.path}"
    return f"{(spec.prometheus_url or '').rstrip('/')}{spec.prometheus_access.path}"


def interval_seconds(spec: Spec) -> float:
    """The longest time between two looks of a gate; 0 without gates."""
    return max((_looks_of(gate, spec).interval_seconds for gate in spec.gates), default=0.0)


def memory_seconds(spec: Spec) -> float:
    """How long the counts of a version that came back may still be seen by the queries of the next one."""
    return max(LEAST_WINDOW_SECONDS, interval_seconds(spec)) + SCRAPE_SECONDS


def _asked(gate: GateSpec, spec: Spec, service: str, source: str | None) -> tuple[str, str, str | None]:
    """Query, success and failure condition. A query that is no number has no result: an error, which is never a success."""
    if gate.query is not None:
        found = gate.query
        ends = [
            f"result[0] >= {found.least:g}" if found.least is not None else "",
            f"result[0] <= {found.most:g}" if found.most is not None else "",
        ]
        fails = [f"result[0] < {found.fails_below:g}" if found.fails_below is not None else ""]
        fails += [f"result[0] > {found.fails_above:g}" if found.fails_above is not None else ""]
        filled = fill(found.promql, _names(gate, spec, service))
        return f"({filled}) >= -Inf", " && ".join(filter(None, ends)), " || ".join(filter(None, fails)) or None
    arms = Arms.of(str(source), namespace=spec.namespace, workload=spec.workload, service=service)
    looks = _looks_of(gate, spec)
    window = f"{round(max(LEAST_WINDOW_SECONDS, looks.interval_seconds))}s"
    canary = [arms.canary_selector]
    requests = f"{arms.grown(window, canary)} >= {max(1, looks.min_requests)}"
    if gate.kind == "request_rate":
        return f"{arms.grown(window, canary, function='rate')} or vector(0)", f"result[0] >= {gate.min_per_second:g}", None
    if gate.quantile is not None:
        buckets = f"sum by (le) (increase({arms.source.buckets}{{{arms.canary_selector}}}[{window}]))"
        scaled = f"histogram_quantile({gate.quantile.quantile:g}, {buckets}) * {arms.source.bound_unit_ms:g} >= 0"
        return f"({scaled}) and on() ({requests})", f"result[0] <= {gate.quantile.max_ms:g}", None
    if gate.kind == "latency":
        le = arms.bound_pattern(gate.slower_than_ms or 0.0)
        fast = f'sum(increase({arms.source.buckets}{{{arms.canary_selector},le=~"{le}"}}[{window}]))'
        every = f'sum(increase({arms.source.buckets}{{{arms.canary_selector},le="+Inf"}}[{window}]))'
        return f"1 - {fast} / ({every} >= {max(1, looks.min_requests)})", f"result[0] <= {gate.max_share:g}", None
    failed = arms.grown(window, canary, failed=True)
    return f"({failed} or vector(0)) / ({requests})", f"result[0] <= {gate.max_share:g}", None


def _names(gate: GateSpec, spec: Spec, service: str) -> dict[str, str]:
    names = names_of(spec.namespace, spec.workload, service, _looks_of(gate, spec).interval_seconds)
    hashed = {
        key: f"{spec.workload}-{{{{args.{name}}}}}-[0-9a-z]{{5}}"
        for key, name in (("canary_pods", CANARY_HASH), ("stable_pods", STABLE_HASH))
    }
    return {**names, "workload": spec.workload, "pods": POD_OF_A_DEPLOYMENT, **hashed}


def _looks_of(gate: GateSpec, spec: Spec) -> LooksSpec:
    return gate.looks or spec.looks


def _told_apart(spec: Spec) -> bool:
    """Whether each version has a Service of its own."""
    return spec.meshed and spec.subsets is None


def _looks(field: str, looks: LooksSpec) -> list[Problem]:
    return [Problem(f"{field}.{name}", getattr(looks, name), f"nothing: {why}") for name, why in FIELDS.items() if getattr(looks, name)]


def _query(field: str, gate: GateSpec) -> list[Problem]:
    found: list[Problem] = []
    query = gate.query
    if query is None:
        return found
    if query.baseline is not None:
        found.append(
            Problem(f"{field}.baseline", query.baseline, "nothing: an AnalysisRun has no second query; divide by stable's in promql")
        )
    for name in ("{canary}", "{stable}"):
        if name in query.promql:
            allowed = "{canary_pods} or {canary_service}: both versions are ReplicaSets of one Rollout, and have no other name of their own"
            found.append(Problem(f"{field}.promql", name, allowed))
    if query.fails_below is None and query.fails_above is None and query.least is None and query.most is None:
        found.append(Problem(field, gate.name, "min or max"))
    return found
