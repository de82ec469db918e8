"""Cut-overs as clients see them: requests that fail, and how long the old version answers after the new one began.

Each strategy by each router that moves everybody at once or goes home after a promotion, and `kubectl set image` with the same
Deployment, the same probes and the same load, for comparison.
"""

from __future__ import annotations

import contextlib
import string
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pddemo.playbook import Playbooks
from pddemo.traffic import Record, seen, steady
from pdlab import cluster
from pdlab.paths import CHECKOUT
from pdlab.shell import ask
from pdlab.target import await_answer

from .support import CLUSTER, JSON, RunFailed, figures, fresh_folder, host, image, keep, results, say, settings, target

RUNS = 20
REQUESTS_PER_SECOND = 200
IDLE_SECONDS = 10.0
SETTLED_SECONDS = 10.0  # pods that were replaced answer for five seconds more
KEY = "cut_over"
PREFIX = "bench-cut"
RIVAL = "kubectl set image"
OBJECTS = CHECKOUT / "extensions" / "molecule" / "routers" / "objects"
STRATEGIES: dict[str, JSON] = {
    "blue_green": {"strategy": "blue_green"},
    "canary": {"strategy": "canary", "steps": [{"weight": 50, "bake_seconds": 2}, 100]},
}
TWIN = "shop-canary-"  # how the names of a twin's pods begin
_MS = 1e6


@dataclass(frozen=True)
class Router:
    """Where clients come in: the objects instead of the lab's VirtualService, and the release's variable."""

    traffic: JSON
    objects: Path | None = None


ROUTERS = {
    "istio": Router({"provider": "istio", "service": "shop", "route": "primary"}),
    "gateway_api": Router(
        {"provider": "gateway_api", "service": "shop", "http_route": "shop", "route": "primary"}, OBJECTS / "gateway.yml.tmpl"
    ),
    "service": Router({"provider": "service", "service": "shop"}, OBJECTS / "door.yml.tmpl"),
}
CASES = (
    ("blue_green", "istio"),
    ("blue_green", "gateway_api"),
    ("blue_green", "service"),
    ("canary", "istio"),
    ("canary", "gateway_api"),
)


def measure(runs: int) -> None:
    """All cases one after another, the rival among them; writes cut_over."""
    for strategy, router in CASES:
        _measure(f"{strategy} {router}", runs, ROUTERS[router], _release(strategy, ROUTERS[router]))
    _measure(RIVAL, runs, ROUTERS["istio"], _set_image)


@dataclass
class Tally:
    """What clients saw of one case so far. Requests of all runs count, times are of those that ended well."""

    case: str
    idle: list[Record]
    during: list[Record] = field(default_factory=list)
    times: dict[str, list[float]] = field(default_factory=lambda: {"there_ms": [], "home_ms": []})
    runs: int = 0
    otherwise: int = 0

    def add(self, records: list[Record], times: Mapping[str, float] | None) -> None:
        """Count one run; times is None when it ended otherwise."""
        self.during += records
        self.runs += times is not None
        self.otherwise += times is None
        for name, value in (times or {}).items():
            self.times[name].append(value)
        told = ", ".join(f"{name.removesuffix('_ms')} {value:.0f} ms" for name, value in (times or {}).items())
        say(f"{self.case}, run {self.runs}: {seen(records, None).failed_requests} of {len(records):,} requests failed; {told}")
        cases = results().get(KEY, {}).get("cases", {})
        keep({KEY: {"cases": {**cases, self.case: self.part()}}})

    def part(self) -> JSON:
        """As it stands in the bench file."""
        part: JSON = {name: vars(figures(values, 0)) for name, values in self.times.items() if values}
        part.update(runs=self.runs, ended_otherwise=self.otherwise)
        part.update(requests=len(self.during), failed=seen(self.during, None).failed_requests)
        part.update(idle_requests=len(self.idle), idle_failed=seen(self.idle, None).failed_requests)
        return part


def _measure(case: str, runs: int, router: Router, one: Callable[[Playbooks, str, str, Path], None]) -> None:
    """Versions in turns under one load; the same load without a release goes before."""
    namespace = f"{PREFIX}-{case}".replace(" ", "-").replace("_", "-")
    folder = fresh_folder(KEY, case.replace(" ", "-"))
    with _entered(namespace, router) as playbooks, steady(host(namespace), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
        load.new_records()
        tally = Tally(case, load.new_records(IDLE_SECONDS))
        old = "1.0.0"
        for number in range(runs):
            new = "1.2.0" if old == "1.1.0" else "1.1.0"
            try:
                one(playbooks, namespace, new, folder / f"run-{number}.txt")
            except RunFailed as error:
                say(f"{case}: {error}")
                playbooks.abort_unfinished(namespace, namespace)
                tally.add(load.new_records(SETTLED_SECONDS), None)
                continue
            records = load.new_records(SETTLED_SECONDS)
            tally.add(records, switch_times(records, old, new, gradual=case.startswith("canary")))
            old = new


def switch_times(records: Iterable[Record], old: str, new: str, *, gradual: bool) -> dict[str, float]:
    """Milliseconds from the first answer of who takes over to the last one of who is relieved, 0 where they did not overlap.

    there_ms: from the old version's pods to the new version's, unless they shared the traffic on purpose (gradual).
    home_ms: from the twin's pods to the promoted ones, where there was a twin. Times are those of the answers' arrival.
    """
    moments: dict[str, list[float]] = {"old": [], "twin": [], "home": []}
    for one in records:
        twin = one["pod"].startswith(TWIN)
        who = "old" if one["version"] == old else ("twin" if twin else "home") if one["version"] == new else ""
        if who:
            moments[who].append((one["time_ns"] + one["latency_ns"]) / _MS)
    found = {}
    first_new = moments["twin"] or moments["home"]
    if moments["old"] and first_new and not gradual:
        found["there_ms"] = max(0.0, max(moments["old"]) - min(first_new))
    if moments["twin"] and moments["home"]:
        found["home_ms"] = max(0.0, max(moments["twin"]) - min(moments["home"]))
    return found


@contextlib.contextmanager
def _entered(namespace: str, router: Router) -> Iterator[Playbooks]:
    """A target whose clients come by the router's own objects, in place of the lab's VirtualService."""
    kubectl = cluster.kubectl(CLUSTER)
    with target(namespace) as playbooks:
        if router.objects is None:
            yield playbooks
            return
        text = string.Template(router.objects.read_text()).substitute(namespace=namespace)
        ask([*kubectl, "-n", namespace, "delete", "virtualservice", "shop"])
        subprocess.run([*kubectl, "apply", "-f", "-"], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
        await_answer(cluster.gateway_port(CLUSTER), host(namespace), "1.0.0")
        try:
            yield playbooks
        finally:
            ask([*kubectl, "delete", "namespace", f"{namespace}-door", "--ignore-not-found", "--wait=false"])


def _release(strategy: str, router: Router) -> Callable[[Playbooks, str, str, Path], None]:
    def run(playbooks: Playbooks, namespace: str, version: str, log: Path) -> None:
        common = {"name": "healthy", "image": image(version), "gates": [], "verify_seconds": 2, "traffic": router.traffic}
        if playbooks.play("release", namespace, settings(namespace, **common, **STRATEGIES[strategy]), log=log) != 0:
            raise RunFailed(f"a healthy version was not promoted; see {log}")

    return run


def _set_image(_playbooks: Playbooks, namespace: str, version: str, _log: Path) -> None:
    kubectl = [*cluster.kubectl(CLUSTER), "-n", namespace]
    ask([*kubectl, "set", "image", "deployment/shop", f"shop={image(version)}"])
    ask([*kubectl, "rollout", "status", "deployment/shop", "--timeout=120s", "--request-timeout=0"], timeout=130)
