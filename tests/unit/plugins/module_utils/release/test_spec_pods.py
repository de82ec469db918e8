# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pods are read: the defaults of each family, and every way of getting it wrong."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.parts import PodsSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

LEAST = {
    "release_name": "shop",
    "release_namespace": "shop",
    "release_workload": "Deployment/shop",
    "release_image": "registry.example/shop:2.4.0",
}


def problems(**given):
    """field -> allowed of everything that is wrong."""
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **given})
    return {one.field: one.allowed for one in caught.value.problems}


@pytest.mark.parametrize(
    ("family", "where"),
    [
        (None, PodsSpec("istio", "15090", "/stats/prometheus", "http")),
        ("istio", PodsSpec("istio", "15090", "/stats/prometheus", "http")),
        ("envoy", PodsSpec("envoy", "15090", "/stats/prometheus", "http")),
        ("http", PodsSpec("http", None, "/metrics", "http")),
    ],
)
def test_pods_are_read_where_their_family_keeps_its_counters_and_need_no_prometheus(family, where):
    spec = parse({**LEAST, "release_metrics_source": "pods", "release_pods": {"family": family} if family else None})
    assert (spec.pods, spec.prometheus_url, spec.prometheus_service) == (where, None, None)


@pytest.mark.parametrize("port", [8080, "8080", "http", "http-metrics", 65535])
def test_a_port_is_a_number_or_a_name(port):
    spec = parse({**LEAST, "release_metrics_source": "pods", "release_pods": {"port": port}})
    assert spec.pods.port == str(port)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"family": "linkerd"}, "release_pods.family"),
        ({"port": 0}, "release_pods.port"),
        ({"port": 65536}, "release_pods.port"),
        ({"port": "HTTP"}, "release_pods.port"),
        ({"port": True}, "release_pods.port"),
        ({"port": "a-name-of-16-chars"}, "release_pods.port"),
        ({"path": "metrics"}, "release_pods.path"),
        ({"path": "/metrics?a=b"}, "release_pods.path"),
        ({"path": 5}, "release_pods.path"),
        ({"path": "/../../secrets"}, "release_pods.path"),
        ({"path": "/%2e%2e/secrets"}, "release_pods.path"),
        ({"scheme": "ftp"}, "release_pods.scheme"),
        ({"prt": 80}, "release_pods.prt"),
        ("metrics", "release_pods"),
    ],
    ids=str,
)
def test_pods_that_cannot_be_read_so_are_refused(value, field):
    assert list(problems(release_metrics_source="pods", release_pods=value)) == [field]


def test_where_pods_are_read_is_refused_while_they_are_not_the_source():
    assert problems(release_pods={"port": 80}, release_gates=[]) == {"release_pods": "nothing, unless release_metrics_source is pods"}


def test_only_gates_that_ask_a_prometheus_need_one():
    assert parse({**LEAST, "release_gates": []}).prometheus_url is None
    assert problems()["release_prometheus"].startswith("is required by the gates")
    assert problems(release_metrics_source="http")["release_prometheus"].startswith("is required by the gates")
