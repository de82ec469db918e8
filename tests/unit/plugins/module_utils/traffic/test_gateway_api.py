# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is Gateway API's own: how matches and mirrors are spelt, and which backends are the service's."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.gateway_api import rules_to
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Condition, Match, Route
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.traffic.meshes import (
    GRPC_ROUTE,
    HTTP,
    OURS,
    SLASH,
    Served,
    backend,
)

INSIDERS = (
    Match((Condition("header", "X-Cell", "exact", "staff"), Condition("query", "v", "prefix", "2."))),
    Match((Condition("header", "cookie", "regex", "beta"),)),
)
STAFF = [{"name": "X-Cell", "type": "Exact", "value": "staff"}]
BETA = [{"name": "cookie", "type": "RegularExpression", "value": "beta"}]


def test_matched_requests_are_spelt_as_an_http_route_does():
    api = Served(HTTP.object())
    HTTP.router(api, matches=INSIDERS).change(Route(25, INSIDERS), OURS)
    assert HTTP.stored(api)["spec"]["rules"][1] == {
        "name": "main-canary",
        "backendRefs": [backend("shop-canary")],
        "matches": [
            {**SLASH[0], "headers": STAFF, "queryParams": [{"name": "v", "type": "RegularExpression", "value": "2\\..*"}]},
            {**SLASH[0], "headers": BETA},
        ],
        "timeouts": {"request": "3s"},
    }


def test_matched_requests_of_a_grpc_route_keep_its_filters_and_methods():
    own = GRPC_ROUTE.object(matches=[{"method": {"service": "shop.Cart", "type": "Exact"}}, {"headers": [{"name": "x", "value": "1"}]}])
    api = Served(own)
    GRPC_ROUTE.router(api, matches=INSIDERS[1:], original=GRPC_ROUTE.steered_of(own)).change(Route(0, INSIDERS[1:]), OURS)
    made = GRPC_ROUTE.stored(api)["spec"]["rules"][1]
    assert made["matches"] == [
        {"method": {"service": "shop.Cart", "type": "Exact"}, "headers": BETA},
        {"headers": [{"name": "x", "value": "1"}, *BETA]},
    ]
    assert made["filters"] == GRPC_ROUTE.original["filters"]


@pytest.mark.parametrize("mesh", [HTTP, GRPC_ROUTE], ids=lambda mesh: mesh.name)
def test_a_mirror_is_a_filter_without_a_weight(mesh):
    api = Served(mesh.object())
    mesh.router(api).change(Route(0, (), 10), OURS)
    to = {"group": "", "kind": "Service", "name": "shop-canary", "port": 80}
    assert mesh.steered_of(mesh.stored(api))["filters"][-1] == {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": to, "percent": 10},
    }


@pytest.mark.parametrize(
    ("reference", "leads"),
    [
        ({"name": "shop"}, True),
        ({"name": "shop", "namespace": "eu"}, True),
        ({"name": "shop", "namespace": "us"}, False),
        ({"name": "shop", "kind": "ServiceImport", "group": "multicluster.x-k8s.io"}, False),
        ({"name": "shop-canary"}, False),
    ],
    ids=str,
)
def test_a_backend_is_the_service_by_kind_name_and_namespace(reference, leads):
    route = {"metadata": {"namespace": "eu"}, "spec": {"rules": [{"matches": SLASH}, {"backendRefs": [reference]}]}}
    assert rules_to(route, "shop", "eu") == ([1] if leads else [])
    assert HTTP.router(None, sleep=lambda seconds: None).leads_to(reference, "shop") is leads
