"""What a look costs us: processor time of a release's own work from the question to the verdict that is written down, and its requests.

A release runs against a real Prometheus of its own, with an API server in memory and two gates over twenty pods. Rivals in the same run:
the same question asked with urllib and decoded, nothing else; and `promtool query instant`, as a script asks it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pdlab.cache import artifact_path
from pdlab.gobuild import PROGRAMS, key_of_program
from pdlab.paths import CHECKOUT

from .support import GATES, RunFailed, figures, fresh_folder, keep, say

RUNS = 100
PODS = 10  # of each version
MOST_MS = 20.0
MOST_REQUESTS = 2
KEY = "look"
_MS = 1000
_POLL_SECONDS = 0.25


def measure(runs: int) -> None:
    """So many looks of one release; writes look. Raises RunFailed when a look costs more than its goal."""
    folder = fresh_folder(KEY)
    programs = artifact_path("go-prometheus", key_of_program(PROGRAMS["prometheus"]))
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(CHECKOUT / "build" / "collections")])
    from ansible_collections.progressive.delivery.tests.prometheus.server import Lab

    with Lab(programs / "prometheus", folder) as lab, _traffic(lab):
        ours, requests = _looks(lab, runs)
        question = _question()
        url = f"{lab.url}/api/v1/query?{urllib.parse.urlencode({'query': question})}"
        bare = [_thread_ms(lambda: json.loads(urllib.request.urlopen(url, timeout=10).read())) for _number in range(runs)]
        promtool = [_children_ms([programs / "promtool", "query", "instant", lab.url, question]) for _number in range(min(runs, 20))]
    part = {
        "ours_ms": vars(figures(ours)),
        "bare_ms": vars(figures(bare)),
        "promtool_ms": vars(figures(promtool)),
        "requests": requests,
        "pods": 2 * PODS,
        "runs": len(ours),
    }
    part["ratio"] = round(part["ours_ms"]["median"] / part["bare_ms"]["median"], 2)
    part["promtool_ratio"] = round(part["ours_ms"]["median"] / part["promtool_ms"]["median"], 2)
    say(f"a look: ours {part['ours_ms']}, the same by urllib {part['bare_ms']}, by promtool {part['promtool_ms']}; {requests} requests")
    keep({KEY: part})
    if part["ours_ms"]["median"] > MOST_MS or requests > MOST_REQUESTS:
        raise RunFailed(f"a look took {part['ours_ms']['median']} ms and {requests} requests")


def _looks(lab: Any, runs: int) -> tuple[list[float], float]:
    """Milliseconds of our own time of each poll that became a look, and the requests of each poll, of a release that is then returned."""
    from ansible_collections.progressive.delivery.plugins.module_utils.release import watch
    from ansible_collections.progressive.delivery.tests.prometheus.world import Asking

    world = Asking(lab, enough=runs, pause_seconds=_POLL_SECONDS)
    spent: list[float] = []
    whole = watch.Watch.harm

    def timed(self: Any) -> None:
        before = world.looks()
        took = _thread_ms(lambda: whole(self))
        if world.looks() > before:
            spent.append(took)

    watch.Watch.harm = timed
    try:
        world.start(release_gates=GATES, release_metrics_source="http", **Asking.BAKING)
    finally:
        watch.Watch.harm = whole
    if len(spent) < runs:
        raise RunFailed(f"{len(spent)} looks: {world.lines[-1] if world.lines else 'nothing was said'}")
    return spent, round(world.requests_a_poll, 2)


def _question() -> str:
    """The PromQL of a look of these gates."""
    from ansible_collections.progressive.delivery.plugins.module_utils.metrics import bounds
    from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import Arms
    from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec

    gates = (GateSpec("errors", "error_rate", 0.01, None), GateSpec("slow", "latency", 0.01, 500.0))
    arms = Arms.of("http", namespace="eu", workload="shop", service="shop")
    return arms.look_query(bounds.wanted(gates), bounds.cuts(gates))


@contextmanager
def _traffic(lab: Any) -> Iterator[None]:
    """Pods of both versions whose counters grow, each scraped by itself."""
    from ansible_collections.progressive.delivery.tests.prometheus.world import growing

    def shown(name: str, requests: int) -> str:
        own = f'namespace="eu",pod="{name}"'
        counted = [f'http_requests_total{{{own},code="200"}} {requests}']
        return "\n".join(
            counted + [f'http_request_duration_seconds_bucket{{{own},le="{le}"}} {requests}' for le in ("0.25", "0.5", "+Inf")]
        )

    def pod(name: str) -> Callable[[int], str]:
        return lambda requests: shown(name, requests)

    names = [f"{workload}-7d4b8c9f6-{number:05d}" for workload in ("shop", "shop-canary") for number in range(PODS)]
    with growing(lab, [pod(name) for name in names]):
        yield


def _thread_ms(work: Callable[[], Any]) -> float:
    """Processor time of this thread alone: waiting for an answer costs nothing."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * _MS


def _children_ms(command: list[str | Path]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * _MS
