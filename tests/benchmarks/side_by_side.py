"""The same good and bad versions by each engine on one lab: ours, Flagger and Argo Rollouts, driven by the same playbook.

What clients see decides: how long bad answers last, what fails beside them, when the old version has answered for the last time. Beside
it stands what each controller costs while nothing is released and while something is, and what the playbook costs that watches.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pddemo.playbook import Playbooks
from pddemo.traffic import Load, Record, seen, steady
from pdlab import cluster
from pdlab.shell import ask

from . import controllers
from .processes import Watched
from .support import CLUSTER, GATES, JSON, RunFailed, figures, fresh_folder, host, image, keep, say, settings, target

RUNS = 5
KEY = "side_by_side"
REQUESTS_PER_SECOND = 150
OLD, GOOD, BAD = "1.0.0", ("1.1.0", "1.2.0"), "1.6.0-broken"
STEPS = [10, 20, 30, 40, 50, 100]
IDLE_SECONDS = 60.0
HISTORY_SECONDS = 15.0
SERVED_SECONDS = 3.0
LOOKS = {"interval_seconds": 10, "threshold": 1}
LIMITS = [{**gate, "judge": "threshold"} for gate in GATES]
PODS: JSON = {"prometheus": None, "metrics_source": "pods", "pods": {"family": "http"}}
_BILLION = 1e9


@dataclass(frozen=True)
class Engine:
    """The variables that choose it, and its controller as controllers knows it; None where there is none."""

    variables: JSON
    controller: str | None = None


ENGINES = {
    "native, Prometheus at 5 s": Engine({}),
    "native, counters from pods": Engine(PODS),
    "Flagger, 10 s": Engine({"engine": "flagger", "looks": LOOKS, "gates": LIMITS}, "flagger"),
    "Argo Rollouts, 10 s": Engine({"engine": "argo_rollouts", "looks": LOOKS, "gates": LIMITS}, "argo-rollouts"),
}


def measure(runs: int) -> None:
    """Each engine in a target of its own, one after the other, those with a controller first; writes side_by_side."""
    found: dict[str, JSON] = {}
    with controllers.installed():
        for number, name in enumerate(sorted(ENGINES, key=lambda one: ENGINES[one].controller is None)):
            found[name] = Bench(name, ENGINES[name], f"bench-side-{number}").measure(runs)
            told = {one: found[one] for one in ENGINES if one in found}
            keep({KEY: {"engines": told, "requests_per_second": REQUESTS_PER_SECOND, "steps": STEPS, "runs": runs}})


class Bench:
    """One engine in its target: good versions in turns, then the bad one again and again."""

    def __init__(self, name: str, engine: Engine, namespace: str) -> None:
        self.name, self.engine, self.namespace = name, engine, namespace
        self.folder = fresh_folder(KEY, namespace)
        self.stable = OLD
        self.done: list[JSON] = []

    def measure(self, runs: int) -> JSON:
        """All figures. Releases that ended otherwise than they should are counted, and give no time."""
        with target(self.namespace) as playbooks:
            _one_rule(self.namespace)
            if self.engine.controller:
                self._take_over(playbooks)
            idle = self._idle()
            for kind in ("good", "bad"):
                with steady(host(self.namespace), REQUESTS_PER_SECOND, CLUSTER, self.folder / f"{kind}.jsonl") as load:
                    load.new_records(HISTORY_SECONDS)
                    for number in range(runs):
                        version = BAD if kind == "bad" else next(one for one in GOOD if one != self.stable)
                        self.done.append(self._release(playbooks, load, kind, version, f"{kind}-{number}"))
                        say(f"{KEY}: {self.name}: {self.done[-1]}")
        return {**self._figures(), "idle": idle}

    def _take_over(self, playbooks: Playbooks) -> None:
        """The first release, in which a controller makes its objects, is none of the figures. Raises RunFailed where it made none."""
        with steady(host(self.namespace), REQUESTS_PER_SECOND, CLUSTER, self.folder / "first.jsonl") as load:
            load.new_records(HISTORY_SECONDS)
            code, _watched = self._play(playbooks, GOOD[0], "first", steps=[50, 100])
        log = self.folder / "first.txt"
        if code != 0 and "ROLLED_BACK" not in log.read_text():
            raise RunFailed(f"{self.name} could not take over the workload; see {log}")
        self.stable = GOOD[0] if code == 0 else OLD

    def _release(self, playbooks: Playbooks, load: Load, kind: str, version: str, label: str) -> JSON:
        """What clients saw of one release, and what it cost."""
        load.new_records(0)
        before, began = self._cost(), time.time()
        outcome, watched = self._play(playbooks, version, label)
        ended = time.time()
        records, after = load.new_records(SERVED_SECONDS), self._cost()
        counts = seen(records, version if kind == "bad" else None)
        found = {"kind": kind, "as_it_should": (outcome == 0) == (kind == "good"), "seconds": ended - began, "requests": len(records)}
        found |= {"failed_beside": counts.failed_by_tool, "playbook_cpu": watched.cpu_seconds, "playbook_mb": watched.most_mb}
        if after and before:
            found |= {"cpu": after.cpu_seconds - before.cpu_seconds, "mb": after.memory_bytes / 2**20}
        if outcome == 0:
            self.stable = version
        if kind == "good":
            return {**found, "promoted_seconds": _last_of_others(records, version) - began}
        return {**found, "bad_seconds": counts.bad_seconds, "bad_answers": counts.bad_answers}

    def _play(self, playbooks: Playbooks, version: str, label: str, **more: Any) -> tuple[int, Watched]:
        given = {
            "name": "side",
            "traffic": {"provider": "istio", "service": "shop"},
            "steps": STEPS,
            "verify_seconds": 0,
            **self.engine.variables,
            **more,
        }
        variables = settings(self.namespace, image=image(version), **given)
        log = self.folder / f"{label}.txt"
        with playbooks.started("release", self.namespace, variables, log) as process, Watched(process.pid) as watched:
            code = process.wait()
        return code, watched

    def _cost(self) -> controllers.Cost | None:
        return controllers.cost(self.engine.controller) if self.engine.controller else None

    def _idle(self) -> JSON | None:
        """What the controller costs while nothing is released."""
        before = self._cost()
        if before is None:
            return None
        time.sleep(IDLE_SECONDS)
        after = controllers.cost(self.engine.controller or "")
        cpu = 100 * (after.cpu_seconds - before.cpu_seconds) / IDLE_SECONDS
        return {"cpu_percent": round(cpu, 2), "mb": round(after.memory_bytes / 2**20, 1)}

    def _figures(self) -> JSON:
        """Spreads of the times of releases that ended as they should, sums of everything else."""
        good, bad = ([one for one in self.done if one["kind"] == kind] for kind in ("good", "bad"))
        seconds = sum(one["seconds"] for one in self.done)
        part: JSON = {
            "returned_good": sum(not one["as_it_should"] for one in good),
            "promoted_bad": sum(not one["as_it_should"] for one in bad),
            "failed_beside": sum(one["failed_beside"] for one in self.done),
            "requests": sum(one["requests"] for one in self.done),
            "playbook": {
                "cpu_percent": round(100 * sum(one["playbook_cpu"] for one in self.done) / seconds, 1),
                "mb": round(max(one["playbook_mb"] for one in self.done), 1),
            },
            "releasing": None,
        }
        if self.engine.controller:
            cpu = round(100 * sum(one["cpu"] for one in self.done) / seconds, 2)
            part["releasing"] = {"cpu_percent": cpu, "mb": round(max(one["mb"] for one in self.done), 1)}
        for name, digits in (("promoted_seconds", 1), ("bad_seconds", 2), ("bad_answers", 0)):
            values = [one[name] for one in self.done if name in one and one["as_it_should"]]
            part[name] = vars(figures(values, digits)) if values else None
        return part


def _one_rule(namespace: str) -> None:
    """Leave the target's route its own rule alone: Flagger would lose the other one, and refuses."""
    patch = '[{"op": "remove", "path": "/spec/http/0"}]'
    ask([*cluster.kubectl(CLUSTER), "-n", namespace, "patch", "virtualservice", "shop", "--type=json", "-p", patch])


def _last_of_others(records: Iterable[Record], version: str) -> float:
    """Unix time of the last answer of any version but this one."""
    return max((one["time_ns"] + one["latency_ns"]) / _BILLION for one in records if one["version"] != version)
