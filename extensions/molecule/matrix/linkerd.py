"""linkerd.py KUBECONFIG STOP: what Linkerd would do with its HTTPRoutes, done by the mesh that runs in the lab; in the background.

No Linkerd can be had from the registries. So each HTTPRoute of policy.linkerd.io whose parent is a Service is written again, rule by rule, as
one of gateway.networking.k8s.io, which Istio's proxies follow, and accepted in Linkerd's words. It ends when the file STOP is there, and by itself
after LIFETIME_SECONDS.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client, config

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

from background import stays_behind

JSON = dict[str, Any]
LINKERD = ("policy.linkerd.io", "v1beta3", "httproutes")
GATEWAY_API = ("gateway.networking.k8s.io", "v1", "httproutes")
NAMESPACES = "t-matrix-"
MADE_OF = "linkerd-stand-in"  # label of what is written again
LIFETIME_SECONDS = 5400.0
POLL_SECONDS = 0.1


def written_again(route: JSON) -> JSON:
    """The same rules for another controller: both APIs have one shape, but for how the parent's group is written."""
    meta, parents = route["metadata"], route["spec"]["parentRefs"]
    return {
        "apiVersion": "/".join(GATEWAY_API[:2]),
        "kind": "HTTPRoute",
        "metadata": {"name": f"{meta['name']}-of-linkerd", "namespace": meta["namespace"], "labels": {MADE_OF: meta["name"]}},
        "spec": {
            "parentRefs": [{**one, "group": ""} for one in parents],
            "rules": [{**rule, "backendRefs": [{**one, "group": ""} for one in rule["backendRefs"]]} for rule in route["spec"]["rules"]],
        },
    }


def accepted(route: JSON) -> JSON:
    """The status that Linkerd's policy controller writes: the namespace filled in, no observedGeneration."""
    meta = route["metadata"]
    words = {"lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "message": "", "status": "True"}
    conditions = [{**words, "type": kind, "reason": kind} for kind in ("Accepted", "ResolvedRefs")]
    parents = [
        {"controllerName": "linkerd.io/policy-controller", "parentRef": {**one, "namespace": meta["namespace"]}, "conditions": conditions}
        for one in route["spec"]["parentRefs"]
    ]
    return {"status": {"parents": parents}}


class StandIn:
    """What was written again so far."""

    def __init__(self, kubeconfig: str) -> None:
        self._api = client.CustomObjectsApi(config.new_client_from_config(kubeconfig))
        self._seen: dict[tuple[str, str], int] = {}  # namespace and name -> generation

    def look(self) -> None:
        """Write again what has changed, remove what is of no route any more."""
        routes = [one for one in self._api.list_cluster_custom_object(*LINKERD)["items"] if self._is_ours(one)]
        for route in routes:
            where = (route["metadata"]["namespace"], route["metadata"]["name"])
            if self._seen.get(where) != route["metadata"]["generation"]:
                self._write(route)
                self._seen[where] = route["metadata"]["generation"]
        for gone in set(self._seen) - {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in routes}:
            del self._seen[gone]
            with contextlib.suppress(client.ApiException):
                self._api.delete_namespaced_custom_object(*GATEWAY_API[:2], gone[0], GATEWAY_API[2], f"{gone[1]}-of-linkerd")

    def _is_ours(self, route: JSON) -> bool:
        return route["metadata"]["namespace"].startswith(NAMESPACES)

    def _write(self, route: JSON) -> None:
        made, meta = written_again(route), route["metadata"]
        at = (*GATEWAY_API[:2], meta["namespace"], GATEWAY_API[2])
        try:
            there = self._api.get_namespaced_custom_object(*at, made["metadata"]["name"])
            made["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"]
            self._api.replace_namespaced_custom_object(*at, made["metadata"]["name"], made)
        except client.ApiException as error:
            if error.status != 404:
                raise
            self._api.create_namespaced_custom_object(*at, made)
        if not (route.get("status") or {}).get("parents"):
            self._api.patch_namespaced_custom_object_status(*LINKERD[:2], meta["namespace"], LINKERD[2], meta["name"], accepted(route))


def main(kubeconfig: str, stop: str) -> int:
    """Look again and again, in the background."""
    Path(stop).unlink(missing_ok=True)
    if not stays_behind():
        return 0
    stand_in, until = StandIn(kubeconfig), time.monotonic() + LIFETIME_SECONDS
    while time.monotonic() < until and not Path(stop).exists():
        with contextlib.suppress(client.ApiException, urllib3.exceptions.HTTPError):  # of an object that goes, of a server that restarts
            stand_in.look()
        time.sleep(POLL_SECONDS)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
