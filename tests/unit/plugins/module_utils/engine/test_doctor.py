# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on a namespace in memory: sound, and with one fault after the other."""

import json
import shlex

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine.doctor import diagnose, told
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import ByUrl
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading
from ansible_collections.progressive.delivery.plugins.module_utils.release import doctor as rules
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Problem
from ansible_collections.progressive.delivery.plugins.module_utils.release.workload_spec import WHO
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

GIVEN = {"release_namespace": "eu", "release_workload": "Deployment/shop", "release_gates": []}
META = {"namespace": "eu"}
SELECTS_ALL = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}


class Clinic(World):
    """The shop, as sound as a doctor can wish."""

    def __init__(self):
        super().__init__()
        self.edit("Deployment", "shop", self._sound)

    @staticmethod
    def _sound(deployment):
        deployment["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 0}}
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        container.update(readinessProbe={"httpGet": {}}, lifecycle={"preStop": {"sleep": {"seconds": 5}}})

    def edit(self, kind, name, change):
        found = self.stored(kind, "eu", name)
        change(found)
        self.put(found)

    def add(self, kind, name, spec, **more):
        self.put({"kind": kind, "metadata": {"name": name, **META}, "spec": spec, **more})

    def diagnose(self, **changed):
        result = diagnose(self, {**GIVEN, **changed})
        assert result["changed"] is False
        assert self.writes() == []
        assert result["healthy"] == ("error" not in [one["severity"] for one in result["findings"]])
        return result["findings"]

    def only(self, **changed):
        """The one finding there is."""
        (finding,) = self.diagnose(**changed)
        return finding


@pytest.fixture
def clinic():
    return Clinic()


def pod(name, *containers, owner=None, phase="Running"):
    owners = [{"kind": owner[0], "name": owner[1]}] if owner else []
    meta = {"name": name, "labels": {"app": name}, "ownerReferences": owners, **META}
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": one} for one in containers]}, "status": {"phase": phase}}


def test_a_sound_target_is_healthy_without_a_name_or_an_image(clinic):
    assert diagnose(clinic, GIVEN) == {"changed": False, "findings": [], "healthy": True}


def test_wrong_arguments_and_a_missing_namespace_are_findings_too(clinic):
    (wrong,) = diagnose(clinic, {**GIVEN, "release_workload": "shop"})["findings"]
    assert (wrong["check"], wrong["severity"], wrong["fix"]) == ("preflight", "error", f"release_workload: {WHO}")
    assert "a namespace that exists" in clinic.only(release_namespace="us")["problem"]


def test_missing_rights_are_told_for_each_resource_with_the_role_that_gives_them(clinic):
    clinic.denied = {("patch", "virtualservices"), ("create", "leases"), ("delete", "leases"), ("list", "networkpolicies")}
    found = {one["problem"].split(",")[-2 if "create" in one["problem"] else 0]: one for one in clinic.diagnose()}
    assert {one["check"] for one in found.values()} == {"rights"}
    fixes = [one["fix"] for one in found.values()]
    assert any("--verb=create,delete --resource=leases.coordination.k8s.io && kubectl -n eu create rolebinding" in fix for fix in fixes)
    assert any("--verb=patch --resource=virtualservices.networking.istio.io" in fix for fix in fixes)
    assert any("--verb=list --resource=networkpolicies.networking.k8s.io" in fix for fix in fixes)


def test_what_a_release_refuses_is_an_error_and_the_command_in_it_is_the_fix(clinic):
    clinic.edit("Deployment", "shop", lambda one: one["spec"].update(paused=True))
    found = clinic.only()
    assert (found["check"], found["severity"], found["object"]) == ("preflight", "error", "Deployment shop")
    assert found["fix"] == "kubectl -n eu rollout resume deployment/shop"


@pytest.mark.parametrize(
    ("kind", "spec", "fix"),
    [
        ("Service", {"selector": {"tier": "web"}, "ports": [{"port": 80}]}, {"spec": {"selector": {"app": "shop"}}}),
        ("PodDisruptionBudget", {"selector": SELECTS_ALL, "maxUnavailable": 1}, {"spec": {"selector": {"matchLabels": {"app": "shop"}}}}),
    ],
)
def test_who_would_catch_the_canary_is_told_once_with_a_selector_that_does_not(clinic, kind, spec, fix):
    clinic.edit("Deployment", "shop", lambda one: one["spec"]["template"]["metadata"]["labels"].update(tier="web"))
    clinic.add(kind, "monitor", spec)
    found = clinic.only(release_traffic={"service": "shop"})
    assert (found["check"], found["severity"], found["object"]) == ("canary_caught", "error", f"{kind} monitor")
    assert json.loads(shlex.split(found["fix"])[-1]) == fix


def test_a_deployment_that_would_adopt_the_canary_must_be_made_again(clinic):
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": []}}
    clinic.add("Deployment", "greedy", {"replicas": 1, "selector": SELECTS_ALL, "template": template})
    found = clinic.only()
    assert found["object"] == "Deployment greedy"
    assert found["fix"].startswith("kubectl -n eu delete deployment greedy --cascade=orphan")


def test_a_network_policy_that_would_miss_the_canary_is_widened_by_its_fix(clinic):
    clinic.add("NetworkPolicy", "wall", {"podSelector": {"matchLabels": {"app": "shop"}}})
    found = clinic.only()
    assert (found["check"], found["object"]) == ("policy_misses_canary", "NetworkPolicy wall")
    selector = json.loads(shlex.split(found["fix"])[-1])["spec"]["podSelector"]
    assert selector == {
        "matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "shop-canary"]}],
        "matchLabels": {"app": None},
    }
    clinic.edit("NetworkPolicy", "wall", lambda one: one["spec"].update(podSelector={"matchExpressions": selector["matchExpressions"]}))
    assert clinic.diagnose() == []


@pytest.mark.parametrize(
    ("kind", "field", "names"),
    [
        ("AuthorizationPolicy", "selector", "matchLabels"),
        ("PeerAuthentication", "selector", "matchLabels"),
        ("Sidecar", "workloadSelector", "labels"),
    ],
)
def test_a_policy_of_the_mesh_that_would_miss_the_canary_gets_a_label_that_both_share(clinic, kind, field, names):
    clinic.add(kind, "guard", {field: {names: {"app": "shop"}}, "action": "ALLOW"})
    found = clinic.only()
    assert (found["check"], found["object"]) == ("policy_misses_canary", f"{kind} guard")
    first, second, third = (shlex.split(command) for command in found["fix"].split(" && "))
    assert second == ["kubectl", "-n", "eu", "rollout", "status", "deployment/shop"]
    labels = json.loads(first[-1])["spec"]["template"]["metadata"]["labels"]
    assert json.loads(third[-1]) == {"spec": {field: {names: {"app": None, **labels}}}}
    clinic.edit("Deployment", "shop", lambda one: one["spec"]["template"]["metadata"]["labels"].update(labels))
    clinic.edit(kind, "guard", lambda one: one["spec"].update({field: {names: labels}}))
    assert clinic.diagnose() == []


@pytest.mark.parametrize(
    ("kind", "marks", "fix"),
    [
        (
            "Deployment",
            {"annotations": {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:eu/shop"}},
            ["-n argocd patch application web", "-n eu annotate deployment shop argocd.argoproj.io/tracking-id-"],
        ),
        (
            "VirtualService",
            {"labels": {"kustomize.toolkit.fluxcd.io/name": "web"}},
            ["flux suspend kustomization web", "-n eu label virtualservice shop kustomize.toolkit.fluxcd.io/name-"],
        ),
        ("Deployment", {"labels": {"helm.toolkit.fluxcd.io/name": "web"}}, ["flux suspend helmrelease web"]),
    ],
)
def test_what_gitops_would_revert_is_found_with_how_to_pause_it(clinic, kind, marks, fix):
    clinic.edit(kind, "shop", lambda one: one["metadata"].update(marks))
    found = clinic.only()
    assert (found["check"], found["severity"], found["object"]) == ("gitops", "error", f"{kind} shop")
    for words in fix:
        assert words in found["fix"]


def test_requests_that_pods_drop_are_found(clinic):
    clinic.edit("Deployment", "shop", lambda one: one["spec"].update(strategy={"type": "Recreate"}))
    assert clinic.only()["check"] == "rolling_update"


@pytest.mark.parametrize(("kind", "found"), [("NodePort", 1), ("LoadBalancer", 1), ("ClusterIP", 0)])
def test_services_that_lead_past_the_route_are_found(clinic, kind, found):
    clinic.add("Service", "side-door", {"type": kind, "selector": {"app": "shop"}, "ports": [{"port": 80}]})
    findings = clinic.diagnose(release_traffic={"service": "shop"})
    assert [one["object"] for one in findings] == ["Service side-door"] * found


def test_a_service_that_is_the_route_itself_is_no_way_past_it(clinic):
    clinic.edit("Service", "shop", lambda one: one["spec"].update(type="LoadBalancer"))
    assert clinic.only()["check"] == "mesh_bypass"
    assert clinic.diagnose(release_strategy="blue_green", release_traffic={"provider": "service", "service": "shop"}) == []


def test_pods_without_a_sidecar_are_found_where_the_workload_has_one(clinic):
    others = [
        pod("cart", "app", owner=("ReplicaSet", "cart-5d9f")),
        pod("db", "db", owner=("StatefulSet", "db")),
        pod("lone", "app"),
        pod("meshed", "app", "istio-proxy"),
        pod("done", "job", phase="Succeeded"),
    ]
    for one in [*others, pod("shop", "app")]:
        clinic.put(one)
    assert clinic.diagnose() == []
    clinic.put(pod("shop", "app", "istio-proxy"))
    findings = {one["object"]: one for one in clinic.diagnose()}
    assert set(findings) == {"Deployment cart", "StatefulSet db", "Pod lone"}
    assert {one["check"] for one in findings.values()} == {"mesh_bypass"}
    change = json.loads(shlex.split(findings["Deployment cart"]["fix"])[-1])
    assert change == {"spec": {"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "true"}}}}}


def scaler(current, conditions=(), target="shop"):
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": target}, "maxReplicas": 4}
    meta = {"name": "grow", **META}
    return {"metadata": meta, "spec": spec, "status": {"currentReplicas": current, "conditions": list(conditions)}}


def test_an_autoscaler_at_its_limit_or_that_does_not_work_is_found():
    (limit,) = rules.scalers("shop", [scaler(4)])
    assert (limit.check, limit.severity) == ("autoscaler", "warning")
    assert json.loads(shlex.split(limit.fix)[-1]) == {"spec": {"maxReplicas": 8}}
    (blind,) = rules.scalers("shop", [scaler(2, [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"}])])
    assert "FailedGetResourceMetric" in blind.problem
    off = {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"}
    assert rules.scalers("shop", [scaler(3), scaler(4, target="cart"), scaler(0, [off])]) == []


def test_gates_that_cannot_be_asked_or_count_nothing_are_found(clinic, monkeypatch):
    gates = {"release_gates": None, "release_prometheus": {"url": "http://127.0.0.1:9"}}
    found = clinic.only(**gates)
    assert (found["check"], found["severity"]) == ("gate_without_data", "error")
    assert "a Prometheus that answers" in found["problem"]

    def answer(self, path, query):
        if query["query"] == "vector(time())":
            return {"status": "success", "data": {"result": [{"metric": {}, "value": [0, "7200"]}]}}
        return {"status": "success", "data": {"result": []}}

    monkeypatch.setattr(ByUrl, "get", answer)
    assert "request counters of shop; none found" in clinic.only(**gates)["problem"]
    (silent,) = rules.silent_gates({"errors": GateReading(0, 0, 0.0), "slow": GateReading(10, 0, 1.0)})
    assert (silent.object, silent.severity) == ("gate errors", "warning")


def test_all_faults_are_found_at_once_errors_first(clinic):
    clinic.denied = {("patch", "virtualservices")}
    clinic.add("NetworkPolicy", "wall", {"podSelector": {"matchLabels": {"app": "shop"}}})
    clinic.edit("Deployment", "shop", lambda one: one["spec"].update(paused=True, strategy={}))
    clinic.edit("VirtualService", "shop", lambda one: one["spec"].update(http=[]))
    findings = clinic.diagnose()
    assert [one["severity"] for one in findings] == sorted(one["severity"] for one in findings)
    assert {one["check"] for one in findings} == {"rights", "policy_misses_canary", "preflight", "rolling_update"}
    assert sum(one["check"] == "preflight" for one in findings) == 2


def test_a_fix_is_what_the_problem_says_when_it_names_no_command():
    found = rules.of_problem(Problem("release_traffic.route", "a", "a route with one destination"), "eu", "shop")
    assert (found.object, found.fix) == ("release_traffic.route", "release_traffic.route: a route with one destination")
    named = Problem("release_workload", "shop", "free names; if nobody needs it: kubectl -n us delete service shop-canary")
    assert rules.of_problem(named, "eu", "shop").fix == "kubectl -n us delete service shop-canary"


def test_findings_are_told_a_line_each_with_a_fix_that_can_be_pasted(clinic):
    clinic.edit("Deployment", "shop", lambda one: one["spec"].update(paused=True))
    finding, fix = told(clinic.diagnose())
    assert finding.startswith("error    Deployment shop: release_workload: 'shop' is not allowed; a Deployment that is not paused")
    assert (finding.endswith("(preflight)"), fix) == (True, "  fix: kubectl -n eu rollout resume deployment/shop")


def test_what_preflight_may_not_read_keeps_nothing_else_from_being_found(clinic):
    clinic.edit("Deployment", "shop", lambda one: one["metadata"].update(labels={"kustomize.toolkit.fluxcd.io/name": "web"}))
    clinic.denied = {("list", "sidecars")}
    clinic.refuse("GET", "Sidecar", Rejected("forbidden"), times=99)
    found = {one["check"]: one["problem"] for one in clinic.diagnose()}
    assert set(found) == {"rights", "preflight", "gitops"}
    assert "list sidecars" in found["rights"]
    assert "could not be read" in found["preflight"]
