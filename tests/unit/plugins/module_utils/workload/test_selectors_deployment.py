# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who selects whom in a namespace, and what Deployments and pods say of their state."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload.deployment import (
    HOPELESS,
    Health,
    hopeless,
    image_digest,
    is_ready,
    rollout,
)
from ansible_collections.progressive.delivery.plugins.module_utils.workload.selectors import leaks, matches, missing_policies

STABLE, TWIN = {"app": "shop", "tier": "web"}, {"app": "shop-canary", "tier": "web"}


def expression(operator, *values, key="app"):
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False), ({}, True), ({"matchLabels": {"app": "shop"}}, True), ({"matchLabels": {"app": "shop", "x": "y"}}, False),
        (expression("In", "shop", "cart"), True), (expression("In", "cart"), False), (expression("In", "a", key="absent"), False),
        (expression("NotIn", "cart"), True), (expression("NotIn", "shop"), False), (expression("NotIn", "a", key="absent"), True),
        (expression("Exists"), True), (expression("Exists", key="absent"), False),
        (expression("DoesNotExist"), False), (expression("DoesNotExist", key="absent"), True),
        ({"matchLabels": {"tier": "web"}, **expression("NotIn", "shop")}, False),
    ],
)  # fmt: skip
def test_a_selector_selects_as_kubernetes_does(selector, selected):
    assert matches(selector, STABLE) is selected


def named(name, **spec):
    return {"metadata": {"name": name}, "spec": spec}


def test_whatever_would_catch_the_twins_pods_is_named_with_its_harm():
    found = leaks(
        TWIN,
        services=[
            named("shop", selector=STABLE),
            named("all-web", selector={"tier": "web"}),
            named("external"),
            named("empty", selector={}),
        ],
        deployments=[named("shop", selector={"matchLabels": STABLE}), named("greedy", selector={"matchLabels": {"tier": "web"}})],
        budgets=[named("everything", selector={}), named("nothing"), named("shop", selector={"matchLabels": STABLE})],
    )
    assert [sentence.split(" would ")[0].split(" selects ")[0] for sentence in found] == [
        "Service all-web", "Deployment greedy", "PodDisruptionBudget everything",
    ]  # fmt: skip
    assert "past the route" in found[0]


@pytest.mark.parametrize(
    ("kind", "spec", "missed"),
    [
        ("NetworkPolicy", {"podSelector": {"matchLabels": {"app": "shop"}}}, True),
        ("NetworkPolicy", {"podSelector": {"matchLabels": {"tier": "web"}}}, False),
        ("NetworkPolicy", {"podSelector": {}}, False),
        ("NetworkPolicy", {"podSelector": expression("In", "shop")}, True),
        ("NetworkPolicy", {"podSelector": expression("In", "shop", "shop-canary")}, False),
        ("AuthorizationPolicy", {"selector": {"matchLabels": {"app": "shop"}}}, True),
        ("AuthorizationPolicy", {}, False),
        ("PeerAuthentication", {"selector": {"matchLabels": {"app": "other"}}}, False),
        ("Sidecar", {"workloadSelector": {"labels": {"app": "shop"}}}, True),
        ("Sidecar", {"workloadSelector": {"labels": {"tier": "web"}}}, False),
    ],
)
def test_a_policy_that_covers_stable_alone_is_named(kind, spec, missed):
    assert missing_policies(STABLE, TWIN, {kind: [named("p", **spec)]}) == ([f"{kind} p"] if missed else [])


def deployment(generation=2, observed=2, replicas=3, conditions=(), **status):
    counts = {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3, **status}
    return {
        "metadata": {"generation": generation}, "spec": {"replicas": replicas},
        "status": {"observedGeneration": observed, "conditions": list(conditions), **counts},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "complete"),
    [
        (deployment(), True), (deployment(observed=1), False), (deployment(replicas=4), False),
        (deployment(updatedReplicas=2), False), (deployment(readyReplicas=2), False), (deployment(availableReplicas=2), False),
        ({"metadata": {"generation": 1}, "spec": {}}, False),
        ({"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}, True),
    ],
)  # fmt: skip
def test_a_rollout_is_complete_when_all_pods_are_new_and_available_and_no_old_one_is_left(found, complete):
    assert rollout(found).complete is complete


def test_an_old_pod_that_still_runs_keeps_a_rollout_incomplete():
    found = deployment()
    found["status"]["replicas"] = 4
    assert rollout(found).complete is False


@pytest.mark.parametrize(
    ("found", "complete"),
    [
        (deployment(replicas=3), True), (deployment(replicas=5, updatedReplicas=3), True), (deployment(replicas=5, readyReplicas=2), False),
        (deployment(replicas=2), False), (deployment(replicas=5, updatedReplicas=2), False), (deployment(replicas=5, observed=1), False),
    ],
)  # fmt: skip
def test_pods_that_an_autoscaler_asks_for_beyond_enough_need_not_be_there(found, complete):
    assert rollout(found, enough=3).complete is complete
    assert rollout(found, enough=3).wanted == min(3, found["spec"]["replicas"])


@pytest.mark.parametrize(
    ("condition", "failed"),
    [
        (
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
            "ProgressDeadlineExceeded: timed out",
        ),
        ({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}, "FailedCreate: quota"),
        ({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": ""}, None),
        ({"type": "ReplicaFailure", "status": "False", "reason": "x", "message": ""}, None),
    ],
)
def test_a_rollout_that_kubernetes_gave_up_says_why(condition, failed):
    assert rollout(deployment(conditions=[condition])).failed == failed
    assert rollout(deployment(observed=1, conditions=[condition])).failed is None, "the condition is of the generation before"


def pod(*, name="p", ready=True, restarts=0, state=None, last=None, uid=None, deleted=False, image_id=""):
    container = {"name": "app", "restartCount": restarts, "state": state or {"running": {}}, "lastState": last or {}, "imageID": image_id}
    meta = {"name": name, "uid": uid or name, **({"deletionTimestamp": "now"} if deleted else {})}
    return {
        "metadata": meta,
        "status": {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}], "containerStatuses": [container]},
    }


OUT_OF_MEMORY = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}


@pytest.mark.parametrize("reason", sorted(HOPELESS))
def test_a_pod_that_cannot_start_is_hopeless(reason):
    waiting = pod(ready=False, state={"waiting": {"reason": reason, "message": "no such tag"}})
    assert hopeless([pod(), waiting]) == f"pod p: {reason}: no such tag"


BUSY = {"reason": "CreateContainerConfigError", "message": "failed to sync configmap cache: timed out waiting for the condition"}


@pytest.mark.parametrize("state", [{"waiting": {"reason": "ContainerCreating"}}, {"running": {}}, {"waiting": {}}, {"waiting": BUSY}])
def test_a_pod_that_is_still_starting_is_not_hopeless(state):
    assert hopeless([pod(ready=False, state=state), {"metadata": {"name": "q"}}]) is None


def test_a_pod_that_crashes_tells_its_last_words():
    crashing = pod(state={"waiting": {"reason": "CrashLoopBackOff"}}, last=OUT_OF_MEMORY)
    assert hopeless([crashing]) == "pod p crashes: OOMKilled, exit code 137"


@pytest.mark.parametrize(
    ("before", "after", "trouble"),
    [
        (pod(), pod(), None),
        (pod(), pod(restarts=1, last=OUT_OF_MEMORY), "pod p restarted: OOMKilled, exit code 137"),
        (pod(restarts=2), pod(restarts=2), None),
        (pod(), pod(ready=False), "pod p is not ready any more"),
        (pod(ready=False), pod(ready=False), None),
        (pod(ready=False), pod(), None),
        (pod(), pod(ready=False, deleted=True), None),
        (pod(), pod(ready=False, uid="successor"), None),
        (pod(), pod(ready=False, state=OUT_OF_MEMORY), "pod p ended: OOMKilled, exit code 137"),
    ],
    ids=["well", "restarted", "old restarts", "unready", "never ready", "became ready", "being deleted", "another of the name", "ended"],
)
def test_under_traffic_what_was_ready_must_stay_so(before, after, trouble):
    health = Health()
    assert health.judge([before]) is None
    assert health.judge([after]) == trouble


def test_restarts_that_a_gate_counts_return_nothing_but_what_never_comes_back_does():
    health = Health(counted=True)
    down = pod(ready=False, state=OUT_OF_MEMORY)
    again = pod(restarts=1, ready=False, last=OUT_OF_MEMORY)
    assert [health.judge([one]) for one in (pod(), down, again, pod(restarts=1, last=OUT_OF_MEMORY))] == [None] * 4
    assert health.judge([pod(restarts=1, ready=False)]) == "pod p is not ready any more"


def test_readiness_is_the_ready_condition_and_its_absence_is_not():
    assert [is_ready(one) for one in (pod(), pod(ready=False), {"metadata": {}}, {"status": {"conditions": None}})] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        ("docker.io/shop@sha256:abc", "sha256:abc"),
        ("sha256:abc", "sha256:abc"),
        ("docker-pullable://shop@sha256:abc", "sha256:abc"),
        ("", None),
    ],
)
def test_the_digest_is_read_off_the_pod_that_runs(image_id, digest):
    assert image_digest([pod(image_id=image_id)], "app") == digest
    assert image_digest([pod(image_id=image_id)], "another") is None
