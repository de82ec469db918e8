# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates of a release as metrics of a Canary: one number at each interval, and the range it must lie in. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...metrics.catalogue import POD_OF_A_DEPLOYMENT, Arms
from ...metrics.query_names import fill, names_of
from ...metrics.sources import AUTOMATIC, LINKERD
from ...release.gates_spec import SEQUENTIAL, THRESHOLD, GateSpec
from ...release.prometheus_spec import OPEN, Access
from ...release.spec import Spec
from ...release.values import Problem

JSON = dict[str, Any]
PRIMARY = "-primary"
WINDOW = "{{ interval }}"
LEAST_WINDOW_SECONDS = 30  # a rate needs two scrapes at least
EXPRESSIBLE = "error_rate, latency, request_rate, or a query with min or max"


@dataclass(frozen=True)
class Metric:
    """One gate as Flagger judges it: PromQL for the canary alone, and what the number may be."""

    name: str
    promql: str
    least: float | None
    most: float | None
    unit: str
    note: str

    def body(self, template: str, interval_seconds: float) -> JSON:
        """As it stands in spec.analysis.metrics. template: the MetricTemplate of its query."""
        limits = {key: value for key, value in (("min", self.least), ("max", self.most)) if value is not None}
        window = f"{max(LEAST_WINDOW_SECONDS, round(interval_seconds))}s"
        return {"name": self.name, "templateRef": {"name": template}, "interval": window, "thresholdRange": limits}


def sources(spec: Spec) -> tuple[str, ...]:
    """The sources whose counters are looked for."""
    if spec.metrics_source != "auto":
        return (spec.metrics_source,)
    return LINKERD if spec.provider == "linkerd" else (*AUTOMATIC, "http")


def arms(spec: Spec, service: str, source: str) -> Arms:
    """Whose series are whose: Flagger's canary is the Deployment itself, stable is its primary."""
    return Arms.of(
        source,
        namespace=spec.namespace,
        workload=spec.workload + PRIMARY,
        service=service,
        canary=spec.workload if not _by_service(spec, source) else None,
        own=spec.own_source,
    )


def _by_service(spec: Spec, source: str) -> bool:
    plain = Arms.of(source, namespace=spec.namespace, workload=spec.workload, service="-", own=spec.own_source)
    return plain.source.arms_are == "service"


def problems(spec: Spec) -> list[Problem]:
    """The gates that Flagger cannot judge, each with its field."""
    found = []
    for index, gate in enumerate(spec.gates):
        if why := _impossible(spec, gate):
            found.append(Problem(f"release_gates[{index}].{gate.kind}", gate.name, why))
    if any(gate.counts or gate.query for gate in spec.gates):
        found += _access(spec.prometheus_access)
    return found


def _impossible(spec: Spec, gate: GateSpec) -> str:
    if gate.looks is not None and gate.looks != spec.looks:
        return "no looks of its own: a Canary has one interval and one threshold, release_looks"
    if gate.counts and gate.judge in (SEQUENTIAL, THRESHOLD):
        if spec.strategy == "blue_green":
            return "a query: in a blue-green release Flagger judges before the canary has any request that could be counted"
        return ""
    if gate.query is None or gate.judge != THRESHOLD:
        return f"a gate that is one number with a limit ({EXPRESSIBLE}): Flagger judges nothing else"
    asked = gate.query
    if asked.baseline is not None or asked.fails_below is not None or asked.fails_above is not None:
        return "min or max alone: Flagger compares one number with a range, with no baseline and no range between good and bad"
    if asked.least is None and asked.most is None:
        return "min, max or both: Flagger compares the number with them"
    return ""


def _access(access: Access) -> list[Problem]:
    """Flagger reads Prometheus itself, and gets nothing from us that would let it in."""
    given = [name for name in ("token", "username", "password", "headers", "ca_cert", "client_cert", "client_key") if getattr(access, name)]
    allowed = "nothing: Flagger asks Prometheus itself, with a Secret of its own; adopt a Canary whose MetricTemplate has secretRef"
    return [Problem(f"release_prometheus.{name}", "(hidden)", allowed) for name in given]


def metrics(spec: Spec, service: str, source: str | None) -> list[Metric]:
    """The gates as metrics; source: where requests are counted, None where no gate counts any."""
    counted = arms(spec, service, source) if source else None
    return [_counted(gate, counted) if counted and gate.counts else _query(spec, gate, service) for gate in spec.gates]


def _counted(gate: GateSpec, counted: Arms) -> Metric:
    selector = [counted.canary_selector]
    every = counted.grown(WINDOW, selector, function="rate")
    if gate.kind == "request_rate":
        least = gate.min_per_second
        return Metric(gate.name, every, least, None, "/s", f"gate {gate.name}: at least {least:g} requests a second")
    if gate.kind == "error_rate":
        failed = counted.grown(WINDOW, selector, failed=True, function="rate")
        return _share(gate, f"100 * ({failed} or vector(0)) / {every}", "failed")
    unit, buckets = counted.source.bound_unit_ms, counted.source.buckets
    if gate.quantile:
        inner = f"sum by (le) (rate({buckets}{{{counted.canary_selector}}}[{WINDOW}]))"
        promql = f"{unit:g} * histogram_quantile({gate.quantile.quantile:g}, {inner})"
        most = gate.quantile.max_ms
        said = f"gate {gate.name}: p{gate.quantile.quantile * 100:g} at most {most:g} ms"
        return Metric(gate.name, promql, None, most, "ms", said)
    fast = f'sum(rate({buckets}{{{counted.canary_selector},le=~"{counted.bound_pattern(gate.slower_than_ms or 0.0)}"}}[{WINDOW}]))'
    whole = f'sum(rate({buckets}{{{counted.canary_selector},le="+Inf"}}[{WINDOW}]))'
    return _share(gate, f"100 * (1 - {fast} / {whole})", f"slower than {gate.slower_than_ms:g} ms")


def _share(gate: GateSpec, promql: str, what: str) -> Metric:
    most = round(gate.max_share * 100, 6)
    test = ", with no sequential test" if gate.judge == SEQUENTIAL else ""
    return Metric(gate.name, promql, None, most, "%", f"gate {gate.name}: at most {most:g} % {what} at each interval{test}")


def _query(spec: Spec, gate: GateSpec, service: str) -> Metric:
    if gate.query is None:
        raise ValueError(f"gate {gate.name} is no query")
    names = names_of(spec.namespace, spec.workload, service, spec.looks.interval_seconds, canary=spec.workload)
    names |= {"stable": spec.workload + PRIMARY, "stable_pods": spec.workload + PRIMARY + POD_OF_A_DEPLOYMENT}
    least, most = gate.query.least, gate.query.most
    limits = " and ".join([*([f"at least {least:g}"] if least is not None else []), *([f"at most {most:g}"] if most is not None else [])])
    return Metric(gate.name, fill(gate.query.promql, names), least, most, gate.query.unit, f"gate {gate.name}: its query {limits}")


def template_name(spec: Spec, gate_name: str) -> str:
    """What the MetricTemplate of a gate is called."""
    return f"{spec.name}-{gate_name}".replace("_", "-").lower()[:253]


def template(spec: Spec, metric: Metric, labels: dict[str, str]) -> JSON:
    """The MetricTemplate of a metric: where Prometheus is, and the query."""
    if spec.prometheus_service:
        namespace, name, port = spec.prometheus_service
        address = f"http://{name}.{namespace}:{port}"
    else:
        address = spec.prometheus_url or ""
    provider: JSON = {"type": "prometheus", "address": address.rstrip("/") + spec.prometheus_access.path}
    if spec.prometheus_access.validate_certs is not OPEN.validate_certs:
        provider["insecureSkipVerify"] = True
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "MetricTemplate",
        "metadata": {"name": template_name(spec, metric.name), "namespace": spec.namespace, "labels": labels},
        "spec": {"provider": provider, "query": metric.promql},
    }
