# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each mesh, each gateway and plain applications call their counters. A new one is one entry here. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..release.gates_spec import PLACEHOLDER
from ..release.source_spec import OWN, Matchers, OwnSource

# an answer of the server's fault, or none at all (Istio's 0)
HTTP_FAILED = "5..|0"
# the statuses of gRPC that stand for 5xx, by number (Istio) and by name (Linkerd): what a client did wrong is no failure
GRPC_FAILED = "2|4|12|13|14|15|UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS"


@dataclass(frozen=True)
class Source:
    """Where requests are counted.

    requests and buckets are metric names; matchers select both arms ({namespace}, {stable}, {canary}, {pods} are filled in).
    failed: labels, and of each the values (a pattern) that make a request a failure; the first one is the answer's code.
    arm_label holds {stable} or {canary}; with arms_by_pod the arm is told from the pod's name instead; where stable and canary
    are given, they are matchers of one arm each, and the query itself names the arm.
    bound_unit_ms is the number of milliseconds that one unit of le stands for.
    own_pods: the label pod is that of the workload's own pod, and not of a client's, a gateway's or a waypoint's.
    """

    name: str
    requests: str
    buckets: str
    matchers: str
    failed: Matchers
    arm_label: str
    bound_unit_ms: float
    arms_are: str  # "workload" or "service": whose name arm_label, stable and canary hold
    arms_by_pod: bool = False
    own_pods: bool = False
    stable: str = ""
    canary: str = ""

    @property
    def code_labels(self) -> tuple[str, ...]:
        """The labels that tell how a request ended."""
        return tuple(label for label, _pattern in self.failed)

    @property
    def histogram(self) -> str:
        """What its buckets are called where they are one native histogram; empty where no latency is counted."""
        return self.buckets.removesuffix("_bucket")

    def is_failure(self, labels: Mapping[str, str]) -> bool:
        """Whether a series counts failed requests."""
        return any(re.fullmatch(pattern, labels.get(label, "")) for label, pattern in self.failed)


_ISTIO = Source(
    "istio_destination",
    "istio_requests_total",
    "istio_request_duration_milliseconds_bucket",
    'reporter="destination",destination_workload_namespace="{namespace}",destination_workload=~"{stable}|{canary}"',
    (("response_code", HTTP_FAILED), ("grpc_response_status", GRPC_FAILED)),
    "destination_workload",
    1.0,
    "workload",
    own_pods=True,
)
_ISTIO_SOURCE = replace(
    _ISTIO,
    name="istio_source",
    matchers='reporter="source",destination_service_namespace="{namespace}",destination_service_name=~"{stable}|{canary}"',
    arm_label="destination_service_name",
    arms_are="service",
    own_pods=False,
)
_LINKERD_ROUTE = Source(
    "linkerd_route",
    "outbound_http_route_backend_response_statuses_total",
    "outbound_http_route_backend_response_duration_seconds_bucket",
    'parent_namespace="{namespace}",parent_name=~"{stable}",backend_namespace="{namespace}",backend_name=~"{stable}|{canary}"',
    (("http_status", HTTP_FAILED), ("error", ".+")),
    "backend_name",
    1000.0,
    "service",
)
# how a cluster of Envoy is called after a Service: by Contour, by Kuma, by Gloo
_CLUSTER = "{{namespace}}_{arm}_[0-9]+|{arm}_{{namespace}}_svc_[0-9]+|{{namespace}}-{arm}-[0-9]+_.+"
SOURCES = {
    source.name: source
    for source in (
        _ISTIO,
        _ISTIO_SOURCE,
        replace(
            _ISTIO,
            name="istio_ambient",
            matchers='reporter="waypoint",destination_workload_namespace="{namespace}",destination_workload=~"{stable}|{canary}"',
            own_pods=False,
        ),
        Source(
            "linkerd",
            "response_total",
            "response_latency_ms_bucket",
            # neither what kubelet asks nor what is asked of the proxy itself
            'direction="inbound",target_port!="4191",route_name!="probe",namespace="{namespace}",pod=~"({stable}|{canary}){pods}"',
            (("classification", "failure"),),
            "pod",
            1.0,
            "workload",
            arms_by_pod=True,
            own_pods=True,
        ),
        _LINKERD_ROUTE,
        replace(
            _LINKERD_ROUTE,
            name="linkerd_grpc_route",
            requests="outbound_grpc_route_backend_response_statuses_total",
            buckets="outbound_grpc_route_backend_response_duration_seconds_bucket",
            failed=(("grpc_status", GRPC_FAILED), ("error", ".+")),
        ),
        Source(
            "envoy",
            "envoy_cluster_upstream_rq",
            "envoy_cluster_upstream_rq_time_bucket",
            "",
            (("envoy_response_code", HTTP_FAILED),),
            "",
            1.0,
            "service",
            stable=f'envoy_cluster_name=~"{_CLUSTER.format(arm="{stable}")}"',
            canary=f'envoy_cluster_name=~"{_CLUSTER.format(arm="{canary}")}"',
        ),
        Source(
            "ingress_nginx",
            "nginx_ingress_controller_requests",
            "nginx_ingress_controller_response_duration_seconds_bucket",
            'namespace="{namespace}",service=~"{stable}"',
            (("status", HTTP_FAILED),),
            "",
            1000.0,
            "service",
            stable='canary=""',
            canary='canary=~"{namespace}-{canary}-.+"',
        ),
        Source(
            "http",
            "http_requests_total",
            "http_request_duration_seconds_bucket",
            'namespace="{namespace}",pod=~"({stable}|{canary}){pods}"',
            (("code", HTTP_FAILED), ("status", HTTP_FAILED)),  # whichever of them an application has
            "pod",
            1000.0,
            "workload",
            arms_by_pod=True,
            own_pods=True,
        ),
    )
}
# the same counters, told apart by whose pods answered: where both versions answer for one Service
BY_WORKLOAD = {
    "istio_source": replace(
        _ISTIO_SOURCE,
        matchers='reporter="source",destination_workload_namespace="{namespace}",destination_workload=~"{stable}|{canary}"',
        arm_label="destination_workload",
        arms_are="workload",
    )
}
AUTOMATIC = ("istio_destination", "istio_source", "istio_ambient")
LINKERD = ("linkerd", "linkerd_route", "linkerd_grpc_route")
PER_POD = ("istio_destination", "http")  # sources that tell one pod from another


def source_named(name: str | None, own: OwnSource | None = None, *, by_workload: bool = False) -> Source | None:
    """The source of a name; None for pods, and where nothing counts."""
    if name == OWN and own is not None:
        return own_source(own)
    return {**SOURCES, **(BY_WORKLOAD if by_workload else {})}.get(name or "")


def own_source(own: OwnSource) -> Source:
    """The user's own counters as a source."""
    return Source(
        OWN,
        own.requests,
        f"{own.latency}_bucket" if own.latency else "",
        _template(own.labels),
        own.failed,
        "",
        own.unit_ms,
        "workload",
        stable=_template(own.stable),
        canary=_template(own.canary),
    )


def counter_source(metric: str, labels: Iterable[tuple[str, str]]) -> Source:
    """Any counter that pods export, told apart by its label pod; labels select its series."""
    quoted = (f'{name}="' + re.sub(r'(["\\\\])', r"\\\1", value).replace("\n", "\\n") + '"' for name, value in labels)
    wanted = "".join("," + one.replace("{", "{{").replace("}", "}}") for one in quoted)
    http = SOURCES["http"]
    return replace(http, name=metric, requests=metric, matchers=http.matchers + wanted)


def in_promql(pattern: str) -> str:
    """A pattern as it stands inside a string of PromQL."""
    return pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _template(matchers: Matchers) -> str:
    """Matchers whose placeholders are left to be filled in, and whose other braces are the pattern's own."""
    return ",".join(f'{label}=~"{_with_placeholders(pattern)}"' for label, pattern in matchers)


def _with_placeholders(pattern: str) -> str:
    made, end = "", 0
    for found in PLACEHOLDER.finditer(pattern):
        made += _literal(pattern[end : found.start()]) + found.group(0)
        end = found.end()
    return made + _literal(pattern[end:])


def _literal(text: str) -> str:
    return in_promql(text).replace("{", "{{").replace("}", "}}")
