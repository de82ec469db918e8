# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What drops requests, each rule with a workload that has the fault and one that has not; fixes are read as what they are, commands."""

import copy
import json
import shlex

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload import drops

SOUND = {
    "metadata": {"name": "shop", "namespace": "eu"},
    "spec": {
        "replicas": 4,
        "selector": {"matchLabels": {"app": "shop"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "terminationGracePeriodSeconds": 40,
                "containers": [
                    {
                        "name": "app",
                        "ports": [{"containerPort": 80}],
                        "readinessProbe": {"httpGet": {}},
                        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
                    },
                    {"name": "log-shipper"},
                    {"name": "istio-proxy", "ports": [{"containerPort": 15090}]},
                ],
            },
        },
    },
}
BUDGET = {"metadata": {"name": "keeper", "namespace": "eu"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}, "maxUnavailable": 1}}


def changed(path, value, base=None):
    """base, or what is sound, with one field set; a value of None removes it."""
    found = copy.deepcopy(base or SOUND)
    *parents, last = path
    here = found
    for key in parents:
        here = here[key]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return found


def app(field, value):
    return changed(("spec", "template", "spec", "containers", 0, field), value)


def strategy(value):
    return changed(("spec", "strategy"), value)


def pod(field, value, base=None):
    return changed(("spec", "template", "spec", field), value, base)


def found(deployment=None, budgets=(), *, meshed=True, drain_seconds=10):
    """(check, severity) of all findings."""
    return [
        (one.check, one.severity)
        for one in drops.requests_dropped(deployment or SOUND, budgets, meshed=meshed, drain_seconds=drain_seconds)
    ]


def patch_in(finding):
    """The JSON that a finding's kubectl patch applies."""
    words = shlex.split(finding.fix)
    assert words[:4] == ["kubectl", "-n", "eu", "patch"]
    return json.loads(words[words.index("-p") + 1])


def test_a_sound_workload_has_no_findings():
    assert found(SOUND, [BUDGET]) == []


@pytest.mark.parametrize(
    ("deployment", "finding"),
    [
        (app("readinessProbe", None), ("readiness_probe", "error")),
        (app("lifecycle", None), ("pre_stop", "warning")),
        (pod("terminationGracePeriodSeconds", 5), ("grace_period", "error")),
        (pod("terminationGracePeriodSeconds", 8), ("grace_period", "warning")),
        (strategy({"type": "Recreate"}), ("rolling_update", "error")),
        (strategy({"rollingUpdate": {"maxUnavailable": 1}}), ("rolling_update", "warning")),
        (strategy({"rollingUpdate": {"maxUnavailable": "100%"}}), ("rolling_update", "error")),
        (strategy({}), ("rolling_update", "warning")),  # Kubernetes' default, 25%
        (changed(("spec", "replicas"), 1), ("single_replica", "warning")),
    ],
)
def test_each_fault_is_found_alone(deployment, finding):
    assert found(deployment) == [finding]


@pytest.mark.parametrize(
    ("deployment", "options"),
    [
        (app("lifecycle", None), {"meshed": False}),
        (pod("terminationGracePeriodSeconds", 8), {"drain_seconds": 8}),
        (pod("terminationGracePeriodSeconds", None), {"drain_seconds": 30}),  # 30 s is Kubernetes' default
        (strategy({"rollingUpdate": {"maxUnavailable": "20%"}}), {}),  # of 4 pods, rounded down: none
        (changed(("spec", "replicas"), 0), {}),
    ],
)
def test_what_only_looks_like_a_fault_is_none(deployment, options):
    assert found(deployment, **options) == []


def test_the_only_container_takes_requests_though_it_names_no_port():
    lone = pod("containers", [{"name": "app", "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}}}])
    assert found(lone) == [("readiness_probe", "error")]


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        ({"sleep": {"seconds": 7}}, 7),
        ({"exec": {"command": ["sleep", "12"]}}, 12),
        ({"exec": {"command": ["/bin/sh", "-c", "nginx -s quit; sleep 15"]}}, 15),
        ({"exec": {"command": ["/drain"]}}, 0),
        ({"httpGet": {"path": "/drain"}}, 0),
    ],
)
def test_how_long_a_prestop_hook_waits_is_read_where_it_can_be(hook, seconds):
    assert drops.seconds_of_prestop({"lifecycle": {"preStop": hook}}) == seconds
    assert drops.seconds_of_prestop({}) == 0


@pytest.mark.parametrize(
    ("limits", "blocks"),
    [
        ({"minAvailable": 4}, True),
        ({"minAvailable": 3}, False),
        ({"minAvailable": "100%"}, True),
        ({"minAvailable": "76%"}, True),  # 3.04 of 4 pods, rounded up
        ({"minAvailable": "75%"}, False),
        ({"maxUnavailable": 0}, True),
        ({"maxUnavailable": "0%"}, True),
        ({"maxUnavailable": "1%"}, False),  # rounded up: one pod
    ],
)
def test_a_budget_that_lets_no_pod_go_is_found(limits, blocks):
    budget = {**BUDGET, "spec": {"selector": BUDGET["spec"]["selector"], **limits}}
    assert found(SOUND, [budget]) == ([("disruption_budget", "warning")] if blocks else [])
    other = {**BUDGET, "spec": {"selector": {"matchLabels": {"app": "cart"}}, **limits}}
    assert found(SOUND, [other]) == []


@pytest.mark.parametrize(
    ("finding", "change"),
    [
        (drops.readiness(app("readinessProbe", None)), ("template", "containers")),
        (drops.prestop(app("lifecycle", None)), ("template", "containers")),
        (drops.rollout(strategy({"type": "Recreate"})), ("strategy", None)),
    ],
)
def test_a_fix_changes_the_part_that_is_wrong(finding, change):
    part, field = change
    spec = patch_in(finding[0])["spec"][part]
    if field:
        (container,) = spec["spec"][field]
        assert container["name"] == "app"
        assert container.get("readinessProbe", {"httpGet": {"port": 80}})["httpGet"]["port"] == 80
    else:
        assert spec == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_the_fix_of_a_grace_period_is_no_fault_itself():
    cut = pod("terminationGracePeriodSeconds", 5)
    (finding,) = drops.grace(cut, drain_seconds=10)
    wanted = patch_in(finding)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert drops.grace(pod("terminationGracePeriodSeconds", wanted), drain_seconds=10) == []


@pytest.mark.parametrize(
    ("spec", "proxy"),
    [
        ({"containers": [{"name": "app"}]}, None),
        ({"containers": [{"name": "app"}, {"name": "istio-proxy"}]}, "istio-proxy"),
        ({"containers": [{"name": "app"}], "initContainers": [{"name": "linkerd-proxy"}]}, "linkerd-proxy"),
    ],
)
def test_a_sidecar_is_known_as_container_and_as_init_container(spec, proxy):
    assert drops.proxy_of(spec) == proxy
