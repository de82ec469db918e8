# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What StatefulSets and DaemonSets say of themselves, and how it is seen that a release holds one."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload.kinds import rollout, wanted_pods
from ansible_collections.progressive.delivery.plugins.module_utils.workload.sets import blocking, most_away, standing, stands

REVISIONS = {"currentRevision": "shop-b", "updateRevision": "shop-b"}
STATEFUL = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, **REVISIONS}
DAEMON = {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3, "numberAvailable": 3}


def workload(**status):
    return {"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}


@pytest.mark.parametrize(
    ("kind", "status", "lacks"),
    [
        ("StatefulSet", STATEFUL, ["observedGeneration", "updatedReplicas", "readyReplicas", "availableReplicas", "currentRevision"]),
        ("DaemonSet", DAEMON, ["observedGeneration", "updatedNumberScheduled", "numberReady", "numberAvailable"]),
    ],
)
def test_a_set_is_complete_when_nothing_is_left_to_come(kind, status, lacks):
    assert rollout(kind, workload(**status)).complete
    assert wanted_pods(kind, workload(**status)) == 3
    for field in lacks:
        behind = {**status, field: status[field] - 1 if isinstance(status[field], int) else "shop-a"}
        assert not rollout(kind, workload(**behind)).complete, field


def test_a_stateful_set_with_a_pod_too_many_is_not_complete():
    assert not rollout("StatefulSet", workload(**{**STATEFUL, "replicas": 4})).complete


@pytest.mark.parametrize("before", [None, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}}, {"type": "OnDelete"}])
@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_a_strategy_of_ours_is_known_whatever_its_partition_is(kind, before):
    for partition in (0, 2):
        assert stands(kind, standing(kind, before, partition), before)
    other = {"type": "OnDelete"} if kind == "StatefulSet" else {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    assert not stands(kind, other, before)
    assert not stands(kind, None, before)


def test_what_somebody_else_changes_in_a_strategy_beside_the_partition_is_seen():
    before = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 0}}
    theirs = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 3, "partition": 1}}
    assert not stands("StatefulSet", theirs, before)
    ours = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "partition": 1}}
    assert stands("StatefulSet", ours, before)


@pytest.mark.parametrize(
    ("wanted", "before", "nodes", "away"),
    [
        ({}, None, 10, 1),
        ({}, {"rollingUpdate": {"maxUnavailable": 3}}, 10, 3),
        ({}, {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, 10, 1),
        ({"maxUnavailable": "25%"}, {"rollingUpdate": {"maxUnavailable": 3}}, 10, 3),
        ({"maxUnavailable": "1%"}, None, 10, 1),
    ],
)
def test_how_many_pods_of_a_daemon_set_may_be_missing(wanted, before, nodes, away):
    assert most_away(wanted, before, nodes) == away


def test_whose_budget_blocks_is_said_with_its_numbers():
    pod = {"metadata": {"labels": {"app": "shop"}}}
    mine = {"metadata": {"name": "keep"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}}}
    status = {"disruptionsAllowed": 0, "desiredHealthy": 3, "currentHealthy": 3}
    failed = {"type": "DisruptionAllowed", "reason": "SyncFailed", "message": "found no controllers"}
    other = {**mine, "metadata": {"name": "other"}, "spec": {"selector": {"matchLabels": {"app": "cart"}}}, "status": status}
    assert blocking([{**mine, "status": status}, other], pod) == "PodDisruptionBudget keep wants 3 healthy pods and has 3"
    assert "found no controllers" in blocking([{**mine, "status": {**status, "conditions": [failed]}}], pod)
    assert blocking([{**mine, "status": {**status, "disruptionsAllowed": 1}}, other], pod).startswith("a PodDisruptionBudget that is gone")
