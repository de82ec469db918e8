# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods need and what quotas and nodes have left, with Kubernetes' own rules of counting."""

from decimal import Decimal

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload import capacity

MI = 2**20


def container(cpu=None, memory=None, limits=None, **more):
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"name": "app", "resources": {"requests": requests, **({"limits": limits} if limits else {})}, **more}


def template(*containers, **spec):
    return {"spec": {"containers": list(containers), **spec}}


@pytest.mark.parametrize(
    ("written", "number"),
    [("250m", "0.25"), ("2", "2"), (3, "3"), ("1.5", "1.5"), ("1Gi", 2**30), ("1G", 10**9), ("128974848", 128974848), ("1e3", 1000),
     ("12E2", 1200), ("1E", 10**18), ("100n", "1e-7")],
)  # fmt: skip
def test_quantities_are_read_as_kubernetes_does(written, number):
    assert capacity.quantity(written) == Decimal(number)


@pytest.mark.parametrize("written", ["", "a lot", "1.2.3", "5 Gi", "1KiB"])
def test_what_is_no_quantity_is_refused(written):
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        capacity.quantity(written)


def test_a_pod_needs_its_containers_or_what_starting_up_needs_if_that_is_more():
    sidecar = container("100m", "64Mi", restartPolicy="Always")
    pod = template(container("200m", "100Mi"), container("50m"), initContainers=[container("1", "10Mi"), sidecar, container("300m")])
    needs = capacity.needs_of({**pod["spec"], "overhead": {"cpu": "10m"}}, "requests")
    assert needs == {"cpu": Decimal("1.01"), "memory": 164 * MI}


def test_a_container_requests_what_it_limits_and_the_pods_own_resources_win():
    spec = template(container(limits={"cpu": "2", "memory": "1Gi"}, cpu="1"))["spec"]
    assert capacity.needs_of(spec, "requests") == {"cpu": 1, "memory": 2**30}
    assert capacity.needs_of({**spec, "resources": {"requests": {"cpu": "3"}}}, "requests")["cpu"] == 3


def test_what_admission_adds_to_present_pods_it_adds_to_new_ones():
    old, new = template(container("100m")), template(container("300m"))
    injected = template(container("100m"), container("50m", "128Mi", limits={"memory": "1Gi"}))
    assert capacity.need_of_one(new, old, [injected]) == {
        "requests.cpu": Decimal("0.35"), "requests.memory": 128 * MI, "limits.memory": 2**30,
    }  # fmt: skip
    assert capacity.need_of_one(new, old, []) == {"requests.cpu": Decimal("0.3")}


@pytest.mark.parametrize(
    ("strategy", "pods"),
    [(None, 2), ({"rollingUpdate": {"maxSurge": 3}}, 3), ({"rollingUpdate": {"maxSurge": "10%"}}, 1), ({"type": "Recreate"}, 0)],
)
def test_a_rolling_update_starts_so_many_pods_first(strategy, pods):
    assert capacity.surge({"spec": {"replicas": 5, **({"strategy": strategy} if strategy else {})}}) == pods


def quota(hard, used, **spec):
    return {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}, "status": {"used": used}}


NEED = capacity.times({"requests.cpu": Decimal("0.5"), "requests.memory": Decimal(256 * MI)}, 4)


@pytest.mark.parametrize(
    ("hard", "used", "short"),
    [
        ({"requests.cpu": "4"}, {"requests.cpu": "2"}, []),
        ({"requests.cpu": "4"}, {"requests.cpu": "2001m"}, ["requests.cpu 2 more on top of 2001m used, 4 allowed (1m missing)"]),
        ({"cpu": "1"}, {}, ["cpu 2 more on top of 0 used, 1 allowed (1 missing)"]),
        ({"memory": "2Gi"}, {"memory": "1025Mi"}, ["memory 1024Mi more on top of 1025Mi used, 2048Mi allowed (1Mi missing)"]),
        ({"pods": "7"}, {"pods": "4"}, ["pods 4 more on top of 4 used, 7 allowed (1 missing)"]),
        (
            {"count/pods": "8", "services": "2"},
            {"count/pods": "4", "services": "2"},
            ["services 1 more on top of 2 used, 2 allowed (1 missing)"],
        ),
        ({"limits.cpu": "1", "requests.nvidia.com/gpu": "0", "persistentvolumeclaims": "0"}, {}, []),
    ],
)
def test_a_quota_is_short_of_what_it_cannot_take(hard, used, short):
    assert capacity.shortages(quota(hard, used), NEED, template()) == short


@pytest.mark.parametrize(
    ("spec", "binds"),
    [
        ({"scopes": ["NotTerminating"]}, True), ({"scopes": ["Terminating"]}, False), ({"scopes": ["BestEffort"]}, False),
        ({"scopes": ["NotBestEffort"]}, True), ({"scopes": ["CrossNamespacePodAffinity"]}, False),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}, True),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["low"]}]}}, False),
    ],
)  # fmt: skip
def test_a_quota_binds_only_the_pods_of_its_scope(spec, binds):
    found = capacity.shortages(quota({"pods": "1"}, {}, **spec), NEED, template(priorityClassName="high"))
    assert bool(found) is binds


def node(name, cpu="2", ready="True", **spec):
    status = {"allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "10"}, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name, "labels": {"zone": name}}, "spec": spec, "status": status}


def running(where, cpu, phase="Running"):
    return {"spec": {"nodeName": where, **template(container(cpu))["spec"]}, "status": {"phase": phase}}


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def test_the_room_is_what_is_left_where_the_pods_may_run():
    nodes = [node("a"), node("b"), node("down", ready="False"), node("cordoned", unschedulable=True), node("tainted", taints=[TAINT])]
    pods = [running("a", "500m"), running("a", "1", "Succeeded"), running("b", "3"), running("down", "1"), running(None, "1")]
    assert capacity.free_on(nodes, pods, template()) == {"cpu": Decimal("1.5"), "memory": 8 * 2**30, "pods": 18}
    assert capacity.free_on(nodes, [], template(nodeSelector={"zone": "b"}))["cpu"] == 2
    for toleration in (
        {"operator": "Exists"},
        {"key": "gpu", "value": "yes"},
        {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
    ):
        assert capacity.free_on(nodes, [], template(tolerations=[toleration]))["cpu"] == 6
    assert capacity.free_on(nodes, [], template(tolerations=[{"key": "gpu", "value": "no"}]))["cpu"] == 4


def test_what_is_lacking_is_told_with_both_numbers_and_unknown_room_is_not_told():
    assert capacity.lacking({"cpu": Decimal(1), "memory": Decimal(2**40), "pods": Decimal(4)}, NEED) == ["cpu 1 free of 2 needed"]
    assert capacity.lacking({}, NEED) == []


@pytest.mark.parametrize(
    ("sizes", "one", "fits"),
    [
        (["1500m", "900m"], {"requests.cpu": "500m"}, 3),
        (["1500m", "900m"], {"requests.cpu": "1"}, 1),
        (["1500m", "900m"], {"requests.cpu": "2"}, 0),
        (["1500m", "900m"], {"requests.cpu": "500m", "requests.memory": "3Gi"}, 2),
        (["1500m", "900m"], {}, 8),
        ([], {"requests.cpu": "1m"}, None),
    ],
)
def test_pods_are_fitted_into_single_nodes_not_into_their_sum(sizes, one, fits):
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    nodes = [
        {"metadata": {"name": cpu}, "spec": {}, "status": {**ready, "allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "5"}}}
        for cpu in sizes
    ]
    busy = {"containers": [{"resources": {"requests": {"cpu": "10m"}}}]}
    pods = [{"spec": {"nodeName": "1500m", **busy}}, {"spec": {"nodeName": "1500m", **busy}}]
    need = {key: capacity.quantity(value) for key, value in one.items()}
    assert capacity.fitting(nodes, pods, template(), need) == fits
