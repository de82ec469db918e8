# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds we speak of and where the API server keeps them. Known paths need no discovery requests."""

from __future__ import annotations

KINDS: dict[str, tuple[str, str]] = {
    # kind: (apiVersion, plural)
    "ConfigMap": ("v1", "configmaps"),
    "Endpoints": ("v1", "endpoints"),
    "Event": ("v1", "events"),
    "Namespace": ("v1", "namespaces"),
    "Node": ("v1", "nodes"),
    "Pod": ("v1", "pods"),
    "ResourceQuota": ("v1", "resourcequotas"),
    "Secret": ("v1", "secrets"),
    "ServiceAccount": ("v1", "serviceaccounts"),
    "Service": ("v1", "services"),
    "Deployment": ("apps/v1", "deployments"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "DaemonSet": ("apps/v1", "daemonsets"),
    "ControllerRevision": ("apps/v1", "controllerrevisions"),
    "CronJob": ("batch/v1", "cronjobs"),
    "Job": ("batch/v1", "jobs"),
    "Lease": ("coordination.k8s.io/v1", "leases"),
    "EndpointSlice": ("discovery.k8s.io/v1", "endpointslices"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": ("policy/v1", "poddisruptionbudgets"),
    "Role": ("rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io/v1", "rolebindings"),
    "SelfSubjectAccessReview": ("authorization.k8s.io/v1", "selfsubjectaccessreviews"),
    "SelfSubjectReview": ("authentication.k8s.io/v1", "selfsubjectreviews"),
    "ValidatingAdmissionPolicy": ("admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": ("admissionregistration.k8s.io/v1", "validatingadmissionpolicybindings"),
    "VirtualService": ("networking.istio.io/v1", "virtualservices"),
    "DestinationRule": ("networking.istio.io/v1", "destinationrules"),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", "httproutes"),
    "GRPCRoute": ("gateway.networking.k8s.io/v1", "grpcroutes"),
    "HTTPRoute.v1beta3.policy.linkerd.io": ("policy.linkerd.io/v1beta3", "httproutes"),
    "HTTPRoute.v1beta2.policy.linkerd.io": ("policy.linkerd.io/v1beta2", "httproutes"),
    "Sidecar": ("networking.istio.io/v1", "sidecars"),
    "AuthorizationPolicy": ("security.istio.io/v1", "authorizationpolicies"),
    "PeerAuthentication": ("security.istio.io/v1", "peerauthentications"),
    "ScaledObject": ("keda.sh/v1alpha1", "scaledobjects"),
    "Canary": ("flagger.app/v1beta1", "canaries"),
    "MetricTemplate": ("flagger.app/v1beta1", "metrictemplates"),
    "Rollout": ("argoproj.io/v1alpha1", "rollouts"),
    "AnalysisTemplate": ("argoproj.io/v1alpha1", "analysistemplates"),
    "AnalysisRun": ("argoproj.io/v1alpha1", "analysisruns"),
    "ClusterAnalysisTemplate": ("argoproj.io/v1alpha1", "clusteranalysistemplates"),
}
CLUSTER_SCOPED = frozenset(
    {
        "Namespace",
        "Node",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ClusterAnalysisTemplate",
    }
)


def api_version(kind: str) -> str:
    """The apiVersion we use for a kind."""
    return KINDS[kind][0]


def api_group(kind: str) -> str:
    """The API group of a kind, empty for the core group."""
    version = KINDS[kind][0]
    return version.rpartition("/")[0]


def plural(kind: str) -> str:
    """The resource name of a kind, as access reviews and paths want it."""
    return KINDS[kind][1]


def object_path(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """The request path of a collection, or of one object when name is given."""
    version, resource = KINDS[kind]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    parts = [prefix]
    if kind not in CLUSTER_SCOPED and namespace:
        parts.append(f"namespaces/{namespace}")
    parts.append(resource)
    if name:
        parts.append(name)
    return "/".join(parts)
