"""The same recorded counters judged by several rules: how long each takes to find what is wrong, and whether it blames a healthy version.

A faulty version keeps half of the traffic for two and a half minutes while every look is recorded; afterwards the verb replay judges the
looks by the default rule, and by thresholds as Flagger and Argo Rollouts set them.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from pddemo.playbook import Playbooks
from pddemo.traffic import steady
from pdlab import cluster
from pdlab.shell import ask

from .prometheus import second_prometheus
from .support import CLUSTER, GATES, JSON, RunFailed, fresh_folder, host, image, keep, say, settings, target

RUNS = 3
TARGETS = 3
KEY = "detection"
REQUESTS_PER_SECOND = 60
WEIGHT = 50
RECORDED_SECONDS = 150
SCRAPES = "5s"
NOTHING_RETURNS = {"interval_seconds": 5, "threshold": 0}
_TALLY = Lock()


@dataclass(frozen=True)
class Fault:
    """What is wrong with the version: its environment, that of stable, and the limit of slow requests where stable has some."""

    canary: Mapping[str, str] = field(default_factory=dict)
    stable: Mapping[str, str] = field(default_factory=dict)
    slow_max: str = "1%"


SLOW = {"SLOW_MS": "600"}
FAULTS = {
    "nothing": Fault(),
    "nothing (both versions have 0.5 % errors)": Fault({"ERROR_SHARE": "0.005"}, {"ERROR_SHARE": "0.005"}),
    "2 % errors": Fault({"ERROR_SHARE": "0.02"}),
    "5 % errors": Fault({"ERROR_SHARE": "0.05"}),
    "20 % errors": Fault({"ERROR_SHARE": "0.2"}),
    "mean latency + 50 %": Fault({**SLOW, "SLOW_SHARE": "0.3"}, {**SLOW, "SLOW_SHARE": "0.2"}, slow_max="25%"),
}
# rule -> (judge of the gates, release_looks)
RULES: dict[str, tuple[str, JSON | None]] = {
    "ours": ("sequential", None),
    "threshold 1 at 10 s (Flagger's floor)": ("threshold", {"interval_seconds": 10, "threshold": 1}),
    "threshold 5 at 10 s (Flagger)": ("threshold", {"interval_seconds": 10, "threshold": 5}),
    "threshold 1 at 5 s (Argo Rollouts, failureLimit 0)": ("threshold", {"interval_seconds": 5, "threshold": 1}),
}


def measure(runs: int) -> None:
    """Record each fault `runs` times, several targets at once, and judge; writes detection."""
    found: dict[str, dict[str, list[float | None]]] = {fault: {rule: [] for rule in RULES} for fault in FAULTS}
    jobs = [(number, fault) for number in range(runs) for fault in FAULTS]
    with second_prometheus(SCRAPES) as service, ThreadPoolExecutor(TARGETS) as pool:
        for done in [
            pool.submit(_one, f"bench-detect-{index}", number, fault, service, found) for index, (number, fault) in enumerate(jobs)
        ]:
            done.result()


def _one(namespace: str, number: int, name: str, service: str, found: dict[str, dict[str, list[float | None]]]) -> None:
    folder = fresh_folder(KEY, f"{namespace}-{number}")
    log = _recorded(namespace, FAULTS[name], service, folder)
    seconds = {rule: _judged(log, FAULTS[name], rule) for rule in RULES}
    with _TALLY:
        for rule, value in seconds.items():
            found[name][rule].append(value)
        keep({KEY: {"faults": found, "recorded_seconds": RECORDED_SECONDS, "requests_per_second": REQUESTS_PER_SECOND, "weight": WEIGHT}})
        said = "; ".join(f"{rule}: {'never' if value is None else f'{value:.0f} s'}" for rule, value in seconds.items())
        say(f"{KEY}: {name}: {said}")


def gates_of(fault: Fault, judge: str) -> list[JSON]:
    """The usual gates by this judge."""
    errors, slow = GATES
    limit = {"slower_than": "500ms", "max": fault.slow_max}
    return [{**errors, "judge": judge}, {**slow, "judge": judge, "latency": limit}]


def _recorded(namespace: str, fault: Fault, service: str, folder: Path) -> Path:
    """The log of a release that keeps its share whatever its gates see, and is aborted afterwards."""
    deaf = [
        {"name": "errors", "error_rate": {"max": "99%"}, "judge": "threshold"},
        {"name": "slow", "latency": {"slower_than": "500ms", "max": "99%"}, "judge": "threshold"},
    ]
    variables = settings(
        namespace,
        name="recorded",
        image=image("1.1.0"),
        prometheus={"service": service},
        gates=deaf,
        looks=NOTHING_RETURNS,
        steps=[{"weight": WEIGHT, "bake_seconds": RECORDED_SECONDS}, 100],
        stop_after=f"bake-{WEIGHT}",
        template_patch=_environment(fault.canary) if fault.canary else None,
        log_dir=str(folder),
    )
    with target(namespace) as playbooks:
        if fault.stable:
            words = [f"{key}={value}" for key, value in fault.stable.items()]
            kubectl = [*cluster.kubectl(CLUSTER), "-n", namespace]
            ask([*kubectl, "set", "env", "deployment/shop", *words])
            ask([*kubectl, "rollout", "status", "deployment/shop", "--timeout=120s", "--request-timeout=0"], timeout=130)
        with steady(host(namespace), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
            load.new_records(20.0)  # Prometheus knows stable
            code = playbooks.play("release", namespace, variables, log=folder / "playbook.txt")
    logs = list(folder.glob("recorded-*.jsonl"))
    if code != 0 or not logs:
        raise RunFailed(f"the looks of {namespace} were not recorded; see {folder}")
    return logs[0]


def _environment(values: Mapping[str, str]) -> JSON:
    return {"spec": {"containers": [{"name": "shop", "env": [{"name": key, "value": value} for key, value in values.items()]}]}}


def _judged(log: Path, fault: Fault, rule: str) -> float | None:
    """Seconds from the shift to the look at which the rule returns the version, as the verb replay says; None: it never does."""
    judge, looks = RULES[rule]
    given: dict[str, Any] = {"release_log": str(log), "release_gates": gates_of(fault, judge)}
    if looks:
        given["release_looks"] = looks
    answer = Playbooks(CLUSTER).module("replay", "recorded", given)["what_if"]
    return float(answer["seconds"]) if answer["decision"] == "roll_back" else None
