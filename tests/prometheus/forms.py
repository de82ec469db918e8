# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How each source of the catalogue looks where it is exposed: names, labels, ways to fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import Arms
from ansible_collections.progressive.delivery.plugins.module_utils.release.source_spec import OWN, source
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Reader

STABLE, CANARY = "stable", "canary"
PODS = {STABLE: "shop-7d4b8c9f6-x2x9k", CANARY: "shop-canary-5b9c7d8f4-q7w2e"}
BOUNDS = {"ms": ("100", "250", "500", "+Inf"), "s": ("0.1", "0.25", "0.5", "+Inf")}
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """One source as it is exposed. common: labels of both arms; arms: of one each; ok and failed: how a request may end.

    strangers: labels of series that must not be counted. gateway: one proxy counts both arms.
    """

    arms: Mapping[str, Labels]
    ok: Labels
    failed: tuple[Labels, ...]
    unit: str
    common: Labels
    strangers: tuple[Labels, ...]
    gateway: bool = False


OWN_GIVEN = {
    "requests": "orders_total",
    "failed": {"outcome": "error|time_?out"},
    "latency": "order_seconds",
    "labels": {"env": "{namespace}-[0-9]{2}"},
    "stable": {"app": "{stable}", "track": "stable"},
    "canary": {"app": "{canary}", "track": "next|canary"},
}
GRPC_UNAVAILABLE = {"response_code": "200", "grpc_response_status": "14"}
_ISTIO = {
    "ok": {"response_code": "200", "grpc_response_status": ""},
    "failed": ({"response_code": "503", "grpc_response_status": ""}, GRPC_UNAVAILABLE, {"response_code": "0", "grpc_response_status": ""}),
    "unit": "ms",
}
_ROUTE = {"parent_namespace": "eu", "parent_name": "shop", "backend_namespace": "eu", "pod": "web-6c7d8e9f5-aaaaa"}
_BACKENDS = {STABLE: {"backend_name": "shop"}, CANARY: {"backend_name": "shop-canary"}}
_BY_WORKLOAD = {arm: {"destination_workload": name, "pod": PODS[arm]} for arm, name in ((STABLE, "shop"), (CANARY, "shop-canary"))}
_OTHER_ROUTES = ({"parent_name": "cart"}, {"backend_name": "shop-canary-2"}, {"backend_namespace": "us"})
FORMS = {
    "istio_destination": Form(
        arms=_BY_WORKLOAD,
        common={"reporter": "destination", "destination_workload_namespace": "eu"},
        strangers=({"reporter": "source"}, {"destination_workload_namespace": "us"}, {"destination_workload": "shop-canary-2"}),
        **_ISTIO,
    ),
    "istio_source": Form(
        arms={STABLE: {"destination_service_name": "shop"}, CANARY: {"destination_service_name": "shop-canary"}},
        common={"reporter": "source", "destination_service_namespace": "eu", "pod": "gateway-5d6f7c8b9-bbbbb"},
        strangers=({"reporter": "destination"}, {"destination_service_name": "shopping"}),
        gateway=True,
        **_ISTIO,
    ),
    "istio_ambient": Form(
        arms={STABLE: {"destination_workload": "shop"}, CANARY: {"destination_workload": "shop-canary"}},
        common={"reporter": "waypoint", "destination_workload_namespace": "eu", "pod": "waypoint-5d6f7c8b9-ccccc"},
        strangers=({"reporter": "source"}, {"destination_workload": "cart"}),
        gateway=True,
        **_ISTIO,
    ),
    "linkerd": Form(
        arms={arm: {"pod": pod} for arm, pod in PODS.items()},
        ok={"classification": "success", "status_code": "200", "grpc_status": ""},
        failed=(
            {"classification": "failure", "status_code": "503", "grpc_status": ""},
            {"classification": "failure", "status_code": "200", "grpc_status": "14"},
        ),
        unit="ms",
        common={"direction": "inbound", "namespace": "eu", "target_port": "8080", "route_name": "default"},
        strangers=({"direction": "outbound"}, {"target_port": "4191"}, {"route_name": "probe"}, {"pod": "shop-api-7d4b8c9f6-x2x9k"}),
    ),
    "linkerd_route": Form(
        arms=_BACKENDS,
        ok={"http_status": "200", "error": ""},
        failed=({"http_status": "503", "error": ""}, {"http_status": "", "error": "FAIL_FAST"}),
        unit="s",
        common={**_ROUTE, "route_kind": "HTTPRoute", "route_name": "shop"},
        strangers=_OTHER_ROUTES,
        gateway=True,
    ),
    "linkerd_grpc_route": Form(
        arms=_BACKENDS,
        ok={"grpc_status": "OK", "error": ""},
        failed=({"grpc_status": "UNAVAILABLE", "error": ""}, {"grpc_status": "UNKNOWN", "error": "RESPONSE_HEADERS_TIMEOUT"}),
        unit="s",
        common={**_ROUTE, "route_kind": "GRPCRoute", "route_name": "shop"},
        strangers=_OTHER_ROUTES,
        gateway=True,
    ),
    "envoy": Form(
        arms={STABLE: {"envoy_cluster_name": "eu_shop_8080"}, CANARY: {"envoy_cluster_name": "eu_shop-canary_8080"}},
        ok={"envoy_response_code": "200"},
        failed=({"envoy_response_code": "503"}, {"envoy_response_code": "504"}),
        unit="ms",
        common={"pod": "envoy-kx7tq"},
        strangers=({"envoy_cluster_name": "us_shop_8080"}, {"envoy_cluster_name": "eu_shop-api_8080"}, {"envoy_cluster_name": "admin"}),
        gateway=True,
    ),
    "ingress_nginx": Form(
        arms={STABLE: {"canary": ""}, CANARY: {"canary": "eu-shop-canary-http"}},
        ok={"status": "200"},
        failed=({"status": "502"}, {"status": "500"}),
        unit="s",
        common={"namespace": "eu", "service": "shop", "ingress": "shop", "controller_pod": "ingress-5d6f7c8b9-ddddd"},
        strangers=({"service": "cart"}, {"namespace": "us"}, {"canary": "eu-other-80"}),
        gateway=True,
    ),
    "http": Form(
        arms={arm: {"pod": pod} for arm, pod in PODS.items()},
        ok={"status": "200"},  # the label code is the lab's shop's; this is podinfo's
        failed=({"status": "500"}, {"status": "503"}),
        unit="s",
        common={"namespace": "eu"},
        strangers=({"namespace": "us"}, {"pod": "workshop-7d4b8c9f6-x2x9k"}, {"pod": "shop-api-7d4b8c9f6-x2x9k"}),
    ),
    OWN: Form(
        arms={STABLE: {"app": "shop", "track": "stable"}, CANARY: {"app": "shop-canary", "track": "next"}},
        ok={"outcome": "ok"},
        failed=({"outcome": "error"}, {"outcome": "timeout"}),
        unit="s",
        common={"env": "eu-01", "pod": "orders-0"},
        strangers=({"env": "us-01"}, {"env": "eu-012"}, {"track": "old"}),
        gateway=True,
    ),
}


def arms(name: str) -> Arms:
    """The arms of release shop in namespace eu as a source tells them."""
    _name, own = source(Reader(), OWN_GIVEN if name == OWN else name)
    return Arms.of(name, namespace="eu", workload="shop", service="shop", own=own)


def exposed(name: str, arm: str, ok: float, failed: float | None, slow: float) -> str:
    """What one proxy shows of one arm: failed requests spread over the ways to fail (None: no such series), slow ones above 250 ms."""
    form, counted = FORMS[name], arms(name).source
    own = {**form.common, **form.arms[arm]}
    lines = [_line(counted.requests, {**own, **form.ok}, ok)]
    ways = form.failed
    if failed is not None:
        each = 1.0 if failed >= len(ways) else 0.0
        counts = [failed - each * (len(ways) - 1), *[each] * (len(ways) - 1)]
        lines += [_line(counted.requests, {**own, **way}, count) for way, count in zip(ways, counts, strict=True)]
    every = ok + (failed or 0.0)
    buckets = zip(BOUNDS[form.unit], (0.0, every - slow, every - slow, every), strict=True)
    lines += [_line(counted.buckets, {**own, "le": le}, count) for le, count in buckets]
    for stranger in form.strangers if arm == STABLE else ():
        lines += [_line(counted.requests, {**own, **stranger, **end}, 1e6 + 7 * ok) for end in (form.ok, form.failed[0])]
    return "\n".join(lines)


def _line(name: str, labels: Labels, value: float) -> str:
    written = ",".join(f'{label}="{text}"' for label, text in labels.items())
    return f"{name}{{{written}}} {value:g}"
