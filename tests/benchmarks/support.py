"""What all benchmarks share: the bench file, figures, targets of the lab, and what a release's log tells."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pddemo.playbook import Playbooks
from pdlab.cache import locked, write_atomically
from pdlab.cluster import DEFAULT
from pdlab.images import LAB_REPOSITORY
from pdlab.paths import CHECKOUT
from pdlab.progress import say
from pdlab.target import remove_target, reset_target

FOLDER = CHECKOUT / "build" / "bench"
RESULT = CHECKOUT / "build" / "bench.json"
CLUSTER = DEFAULT
PROMETHEUS = {"service": "monitoring/prometheus:9090"}
GATES = [{"name": "errors", "error_rate": {"max": "1%"}}, {"name": "slow", "latency": {"slower_than": "500ms", "max": "1%"}}]
JSON = dict[str, Any]


SPARE_RUNS = 10


class RunFailed(Exception):
    """One run gave no figure, for a reason that its log tells; the benchmark goes on without it."""


def image(version: str) -> str:
    """Reference of a version of the shop."""
    return f"{LAB_REPOSITORY}/shop:{version}"


def host(namespace: str) -> str:
    """The name that the gateway knows a target by."""
    return f"{namespace}.example.com"


def settings(namespace: str, **more: Any) -> JSON:
    """Variables of a release in a target; more replaces and adds, without the prefix release_; None removes."""
    common = {
        "namespace": namespace,
        "workload": "Deployment/shop",
        "traffic": {"provider": "istio", "service": "shop", "route": "primary"},
        "prometheus": PROMETHEUS,
        "gates": GATES,
        "drain_seconds": 5,
    }
    return {f"release_{key}": value for key, value in {**common, **more}.items() if value is not None}


@contextlib.contextmanager
def target(namespace: str, replicas: int = 3) -> Iterator[Playbooks]:
    """A pristine target for one benchmark, removed afterwards, and the playbooks for it."""
    playbooks = Playbooks(CLUSTER)
    try:
        reset_target(CLUSTER, namespace, replicas=replicas)
        yield playbooks
    finally:
        try:
            playbooks.abort_unfinished(namespace, namespace)
        finally:
            remove_target(CLUSTER, namespace)


def fresh_folder(*parts: str) -> Path:
    """An empty folder for one run's files."""
    folder = FOLDER.joinpath(*parts)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def events(folder: Path) -> list[JSON]:
    """The events that the only release with its log in this folder has written so far."""
    logs = list(folder.glob("*.jsonl"))
    if not logs:
        return []
    return [json.loads(line) for line in logs[0].read_text().splitlines(keepends=True) if line.endswith("\n")]


def moment(log: Sequence[JSON], event: str, **facts: Any) -> float | None:
    """Unix time of the first event with this word and these facts."""
    return next((one["at"] for one in log if one["event"] == event and all(one.get(key) == value for key, value in facts.items())), None)


@dataclass(frozen=True)
class Figures:
    """Median, least and most of what was measured."""

    median: float
    least: float
    most: float


def figures(values: Sequence[float], digits: int = 2) -> Figures:
    """Figures of at least one value."""
    return Figures(round(statistics.median(values), digits), round(min(values), digits), round(max(values), digits))


def stamp() -> JSON:
    """When and where a figure was measured; the load of other work on the machine belongs to it."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def results() -> JSON:
    """Everything measured so far."""
    return json.loads(RESULT.read_text()) if RESULT.exists() else {}


def keep(parts: Mapping[str, JSON]) -> None:
    """Put figures into the bench file; those of other benchmarks stay."""
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    with locked("bench-result"):
        merged = {**results(), **{name: {**part, **stamp()} for name, part in parts.items()}}
        write_atomically(RESULT, json.dumps(merged, indent=1, sort_keys=True) + "\n")


__all__ = [
    "CLUSTER",
    "FOLDER",
    "JSON",
    "SPARE_RUNS",
    "Figures",
    "RunFailed",
    "events",
    "figures",
    "fresh_folder",
    "host",
    "image",
    "keep",
    "moment",
    "results",
    "say",
    "settings",
    "target",
]
