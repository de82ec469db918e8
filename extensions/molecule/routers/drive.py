"""drive.py KUBECONFIG NAMESPACE FACTS: drive the routers themselves through every kind of route on the real API server.

Each object of objects/contract.yml.j2 is found, claimed, driven through everything that its router can, and let go. What was asked, what
was read back and what else changed on the way is written to FACTS as JSON. It judges nothing: verify.yml does.

No Linkerd runs in the lab: where its controller would answer in a route's status, this driver does, in Linkerd's words.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":"))

from ansible_collections.progressive.delivery.plugins.module_utils.cluster import errors, patch, session
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.kinds import object_path
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import gateway_api, linkerd, providers
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Asked, Unusable
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH, HOME, Condition, Match, Place, Route

JSON = dict[str, Any]
TOKEN = "drive.1"
STAFF = (Match((Condition("header", "x-staff", "exact", "yes"), Condition("header", "cookie", "regex", "(.*;\\s*)?beta=1(;.*)?"))),)
STEPS = [
    ("0", HOME, "weight"), ("10", Route(10), "weight"), ("50", Route(50), "weight"), ("100", Route(100), "switch"),
    ("match", Route(0, STAFF), "match"), ("match at 50", Route(50, STAFF), "match"), ("mirror", Route(0, (), 20), "mirror"),
    ("home", HOME, "switch"),
]  # fmt: skip
# label: provider, kind, object; the order in which they are driven
ROUTES = {
    "istio": ("istio", "VirtualService", "shop"),
    "http_route_of_a_gateway": ("gateway_api", "HTTPRoute", "by-gateway"),
    "http_route_of_a_service": ("gateway_api", "HTTPRoute", "by-service"),
    "grpc_route": ("gateway_api", "GRPCRoute", "by-gateway"),
    "linkerd_v1beta3": ("linkerd", linkerd.KINDS[0], "shop"),
    "linkerd_v1beta2": ("linkerd", linkerd.KINDS[1], "shop"),
    "service": ("service", "Service", "shop"),
}
UNSERVED = ("unaccepted", "unresolved")
SERVED_SECONDS = 30.0


class Driver:
    """One namespace of one cluster."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.api = session.connect({"kubeconfig": kubeconfig})
        self.namespace = namespace

    def drive(self, provider: str, kind: str, name: str) -> JSON:
        """One object through all of it."""
        if provider == "linkerd":
            self._answer_as_linkerd(kind, name)
        place = self._find(provider, kind, name)
        router = providers.router(self.api, self.namespace, place, matches=STAFF, sleep=time.sleep)
        before = self.api.get(kind, self.namespace, name)
        router.claim(TOKEN, may_replace=lambda fence: True)
        steps = [self._step(router, before, label, route) for label, route, ability in STEPS if ability in router.can]
        facts = {"steps": steps, "stale": self._stale(router), "returned": self._returned(router)}
        router.unclaim(TOKEN)
        after = self.api.get(kind, self.namespace, name)
        return {**facts, "as_before": written(after) == written(before)}

    def refusal(self, name: str) -> str:
        """Why an HTTPRoute that is not served cannot be steered, once Istio has answered for it."""
        asked = Asked(self.namespace, "shop", object_kind="HTTPRoute", object_name=name)
        said = "nothing"
        for _attempt in range(int(SERVED_SECONDS)):
            try:
                gateway_api.find(self.api, asked)
                return "nothing"
            except Unusable as error:
                said = str(error)
            if "no controller has answered" not in said:
                return said
            time.sleep(1)
        return said

    def _find(self, provider: str, kind: str, name: str) -> Place:
        """As a release finds it; a controller that has not answered yet is given its time."""
        asked = Asked(self.namespace, "shop", object_kind=kind, object_name=name, switch_label="app")
        deadline = time.monotonic() + SERVED_SECONDS
        while True:
            try:
                if kind == linkerd.KINDS[1]:  # find takes the newer version where there are both
                    return gateway_api.place(provider, kind, self.api.list(kind, self.namespace), asked)
                return providers.PROVIDERS[provider].find(self.api, asked)
            except Unusable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def _step(self, router: Any, before: JSON, label: str, route: Route) -> JSON:
        began = time.perf_counter()
        router.change(route, TOKEN)
        took = 1000 * (time.perf_counter() - began)
        found = self.api.get(router.place.kind, self.namespace, router.place.name)
        return {
            "step": label,
            "read_back": router.read().route == route,
            "canary_percent": canary_percent(found, router),
            "rules_of_ours": len(rules_of(found, router)) - len(rules_of(before, router)),
            "mirrors_of_ours": json.dumps(found["spec"]).count('"shop-canary"') if label == "mirror" else 0,
            "served": router.unserved(found) is None,
            "foreign_untouched": foreign(found, router) == foreign(before, router),
            "as_before": text(found["spec"]) == text(before["spec"]),
            "put_and_served_ms": round(took, 1),
        }

    def _stale(self, router: Any) -> str:
        """What the API server makes of a write by somebody who lost the fence."""
        fence = patch.pointer("metadata", "annotations", EPOCH)
        operations = [patch.expect(fence, "somebody.9"), patch.replace(fence, "somebody.9")]
        try:
            self.api.patch(router.place.kind, self.namespace, router.place.name, operations)
        except errors.ClusterError as error:
            return type(error).__name__
        return "done"

    def _returned(self, router: Any) -> bool:
        """Whether give_back brings everybody home from the last thing that the router can."""
        labels = [route for _label, route, ability in STEPS if ability in router.can and route != HOME]
        router.change(labels[-1], TOKEN)
        return router.give_back(TOKEN).route == HOME

    def _answer_as_linkerd(self, kind: str, name: str) -> None:
        """Accept a route as Linkerd's policy controller does: the namespace filled in, no observedGeneration."""
        route = self.api.get(kind, self.namespace, name)
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        words = {"lastTransitionTime": when, "message": "", "status": "True"}
        conditions = [{**words, "type": "Accepted", "reason": "Accepted"}, {**words, "type": "ResolvedRefs", "reason": "ResolvedRefs"}]
        parents = [
            {
                "controllerName": "linkerd.io/policy-controller",
                "parentRef": {**one, "namespace": self.namespace},
                "conditions": conditions,
            }
            for one in route["spec"]["parentRefs"]
        ]
        self.api.request(
            "PATCH",
            f"{object_path(kind, self.namespace, name)}/status",
            body={"status": {"parents": parents}},
            content_type="application/merge-patch+json",
        )


def text(value: Any) -> str:
    """As bytes: the API server writes keys in one order."""
    return json.dumps(value)


def written(found: JSON) -> str:
    """What owners write: spec, labels and annotations."""
    return text([found["spec"], found["metadata"].get("labels"), found["metadata"].get("annotations")])


def rules_of(found: JSON, router: Any) -> list[JSON]:
    """The rules of an object; a Service has none."""
    return found["spec"][router.rules_key] if hasattr(router, "rules_key") else []


def canary_percent(found: JSON, router: Any) -> int:
    """The canary's share as the steered rule or the selector says it, read without the router."""
    if not hasattr(router, "rules_key"):
        return 100 if found["spec"]["selector"]["app"] == "shop-canary" else 0
    split = [rule[router.targets_key] for rule in rules_of(found, router) if '"shop"' in text(rule.get(router.targets_key))]
    return sum(one["weight"] for one in split[0] if '"shop-canary"' in text(one))


def foreign(found: JSON, router: Any) -> str:
    """Everything in spec that is not the release's: without rules of ours, and without what stands in the steered fields."""
    spec = copy.deepcopy(found["spec"])
    if not hasattr(router, "rules_key"):
        del spec["selector"]
        return text(spec)
    kept = []
    for rule in spec[router.rules_key]:
        named = text(rule.get(router.targets_key))
        if '"shop"' in named:
            del rule[router.targets_key]
            theirs = [one for one in rule.pop(router.mirrors_key, []) if '"shop-canary"' not in text(one)]
            rule["theirs"] = theirs
        if '"shop"' in named or '"shop-canary"' not in named:
            kept.append(rule)
    return text({**spec, router.rules_key: kept})


def main(kubeconfig: str, namespace: str, facts: str) -> int:
    """Drive all; a route that breaks off is a fact, too."""
    driver, told = Driver(kubeconfig, namespace), {}
    for label, (provider, kind, name) in ROUTES.items():
        try:
            told[label] = driver.drive(provider, kind, name)
        except Exception as error:  # noqa: BLE001 - whatever it was, verify.yml shows it
            told[label] = {"error": f"{type(error).__name__}: {error}"}
    refusals = {name: driver.refusal(name) for name in UNSERVED}
    Path(facts).write_text(json.dumps({"routes": told, "refusals": refusals}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
