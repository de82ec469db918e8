"""What the scenarios read from the cluster. Reads only; a failed call is an error, never an empty answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import config

JSON = dict[str, Any]
FENCE = "progressive.delivery/epoch"
OURS = "app.kubernetes.io/managed-by"
PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "VirtualService": "/apis/networking.istio.io/v1/namespaces/{}/virtualservices",
    "DestinationRule": "/apis/networking.istio.io/v1/namespaces/{}/destinationrules",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
    "GRPCRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/grpcroutes",
    "LinkerdHTTPRoute": "/apis/policy.linkerd.io/v1beta3/namespaces/{}/httproutes",
    "AuthorizationPolicy": "/apis/security.istio.io/v1/namespaces/{}/authorizationpolicies",
    "PeerAuthentication": "/apis/security.istio.io/v1/namespaces/{}/peerauthentications",
}
PATIENCE_SECONDS = 60.0


class Cluster:
    """One API server, through the kubeconfig that the lab wrote."""

    def __init__(self, kubeconfig: Path) -> None:
        self._client = config.new_client_from_config(str(kubeconfig))

    def read(self, path: str) -> JSON:
        """GET; an API server that restarts is asked again for a minute."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.rest_client.pool_manager.request(
                    "GET", self._client.configuration.host + path, timeout=urllib3.Timeout(connect=2.0, read=10.0), retries=False
                )
            except urllib3.exceptions.HTTPError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status < 500 and answer.status not in (401, 403, 429):
                    # of a kind that is not served the 404 is plain text
                    return {"status": answer.status, "body": {} if answer.status == 404 else json.loads(answer.data)}
                if time.monotonic() > deadline:
                    raise RuntimeError(f"GET {path}: {answer.status} {answer.data[:200]!r}")
            time.sleep(0.2)

    def lines(self, path: str, read_seconds: float) -> Iterator[JSON]:
        """The events of a watch, until it ends. Raises urllib3's HTTPError when it breaks."""
        timeout = urllib3.Timeout(connect=2.0, read=read_seconds)
        with self._client.rest_client.pool_manager.request(
            "GET", self._client.configuration.host + path, timeout=timeout, retries=False, preload_content=False
        ) as answer:
            rest = b""
            for part in answer.stream(65536):
                *whole, rest = (rest + part).split(b"\n")
                yield from (json.loads(line) for line in whole if line)

    def find(self, kind: str, namespace: str, name: str) -> JSON | None:
        """One object, or None when there is none."""
        answer = self.read(f"{PATHS[kind].format(namespace)}/{name}")
        return None if answer["status"] == 404 else answer["body"]

    def list(self, kind: str, namespace: str) -> list[JSON]:
        """All objects of a kind; a kind that the cluster does not know has none."""
        answer = self.read(PATHS[kind].format(namespace))
        return [] if answer["status"] == 404 else answer["body"]["items"]

    def record(self, namespace: str, release: str) -> JSON:
        """The state in a release's record; empty when there is no record."""
        found = self.find("ConfigMap", namespace, f"release-{release}")
        return json.loads(found["data"]["state"]) if found else {}

    def snapshot(self, namespace: str) -> dict[str, str]:
        """Every object that a release may touch, as Kind/name -> what would differ had somebody changed it.

        Status is left out: pods come and go by themselves. A Lease or a record counts with its resourceVersion.
        """
        return {f"{kind}/{one['metadata']['name']}": essence(kind, one) for kind in PATHS for one in self.list(kind, namespace)}

    def proxy_image(self) -> str:
        """The image of the ingress gateway's proxy, which is in the node for sure."""
        gateways = self.read("/api/v1/namespaces/istio-ingress/pods?labelSelector=istio%3Dingressgateway")["body"]["items"]
        return str(gateways[0]["spec"]["containers"][0]["image"])

    def prometheus(self, service: str, query: str) -> list[JSON]:
        """An instant vector; empty while Prometheus does not answer."""
        namespace, _sep, rest = service.partition("/")
        path = f"/api/v1/namespaces/{namespace}/services/{rest}/proxy/api/v1/query?{urlencode({'query': query})}"
        answer = self._client.rest_client.pool_manager.request("GET", self._client.configuration.host + path, retries=False)
        return json.loads(answer.data)["data"]["result"] if answer.status == 200 else []


def essence(kind: str, one: JSON) -> str:
    """What would differ had somebody changed the object."""
    meta = one["metadata"]
    if kind in ("ConfigMap", "Lease"):
        return f"{meta['uid']} {meta['resourceVersion']}"
    written = {field: meta.get(field) for field in ("uid", "labels", "annotations", "generation")}
    if kind == "Deployment":
        written["annotations"] = {k: v for k, v in (meta.get("annotations") or {}).items() if k != "deployment.kubernetes.io/revision"}
    return json.dumps([written, one.get("spec"), one.get("data")], sort_keys=True)


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What came, went or changed between two snapshots."""
    came = [f"{name} was created" for name in sorted(after.keys() - before.keys())]
    went = [f"{name} was deleted" for name in sorted(before.keys() - after.keys())]
    return came + went + [f"{name} was changed" for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]


def leftovers(cluster: Cluster, namespace: str) -> list[str]:
    """What a release left behind: objects of ours but the record, Leases, and fences on objects of the user."""
    found = []
    for kind in PATHS:
        for one in cluster.list(kind, namespace):
            meta = one["metadata"]
            name = f"{kind}/{meta['name']}"
            if kind == "Lease" or ((meta.get("labels") or {}).get(OURS) == "progressive.delivery" and kind != "ConfigMap"):
                found.append(name)
            elif kind != "ConfigMap":
                found += [f"{mark} on {name}" for mark in (meta.get("annotations") or {}) if mark.startswith("progressive.delivery/")]
    return found
