"""One weight shift inside a release against the bare PATCH and GET it consists of, in turns on one connection."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import urllib3
from pdlab.paths import kubeconfig

from .support import CLUSTER, JSON, figures, keep, say, target

RUNS = 200
NAMESPACE = "bench-shift"
TOKEN = "bench-shift.1"
JSON_PATCH = "application/json-patch+json"
_MS = 1000


def measure(runs: int) -> None:
    """Shifts to and fro; writes weight_shift_in_release."""
    with target(NAMESPACE):
        change, raw, router = _both_ways()
        router.claim(TOKEN, may_replace=lambda _fence: True)
        ours: list[float] = []
        bare: list[float] = []
        for number in range(runs + 5):
            weight = 10 if number % 2 else 20
            took_ours = _seconds(partial(change, weight))
            took_bare = _seconds(partial(raw, weight + 5))
            if number >= 5:  # the first ones open the connection and warm up
                ours.append(took_ours * _MS)
                bare.append(took_bare * _MS)
        router.unclaim(TOKEN)
    ratio = statistics.median(ours) / statistics.median(bare)
    part = {"ratio": round(ratio, 2), "ours_ms": vars(figures(ours)), "raw_ms": vars(figures(bare)), "runs": runs}
    say(f"weight shift: ours {part['ours_ms']}, bare PATCH and GET {part['raw_ms']}, ratio {ratio:.2f}")
    keep({"weight_shift_in_release": part})


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _both_ways() -> tuple[Callable[[int], None], Callable[[int], None], Any]:
    """Our router's change and a function that does the same with urllib3 alone; both use one pool of one kept connection. And the router."""
    from ansible.plugins.loader import init_plugin_loader
    from pdlab.paths import CHECKOUT

    init_plugin_loader([str(CHECKOUT / "build" / "collections")])
    from ansible_collections.progressive.delivery.plugins.module_utils.cluster.kinds import object_path
    from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
    from ansible_collections.progressive.delivery.plugins.module_utils.traffic.istio import IstioRouter, find
    from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Asked
    from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Route

    session = connect({"kubeconfig": str(kubeconfig(CLUSTER))})
    place = find(session, Asked(NAMESPACE, "shop", object_name="shop", rule="primary"))
    rules = session.get("VirtualService", NAMESPACE, "shop")["spec"]["http"]
    index = next(index for index, rule in enumerate(rules) if rule.get("name") == "primary")
    router = IstioRouter(session, NAMESPACE, place, matches=(), sleep=time.sleep)
    pool: urllib3.PoolManager = session._pool
    url = session.host + object_path("VirtualService", NAMESPACE, "shop")

    def raw(weight: int) -> None:
        body = [{"op": "replace", "path": f"/spec/http/{index}/route", "value": router.split(weight)}]
        _answered(pool.request("PATCH", url, body=json.dumps(body), headers={"Content-Type": JSON_PATCH}))
        _answered(pool.request("GET", url))

    return lambda weight: router.change(Route(weight), TOKEN), raw, router


def _answered(answer: Any) -> JSON:
    if answer.status != 200:
        raise RuntimeError(f"the API server answered {answer.status}: {answer.data[:300]!r}")
    return json.loads(answer.data)
