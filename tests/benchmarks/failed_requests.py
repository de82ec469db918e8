"""Requests that fail while healthy versions are promoted, and while they are returned at some weight."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pddemo.playbook import Playbooks
from pddemo.traffic import seen, steady

from .support import CLUSTER, JSON, events, fresh_folder, host, image, keep, moment, results, say, settings, target

RUNS = 20
REQUESTS_PER_SECOND = 200
RUNS_UNDER_ONE_LOAD = 20
WEIGHTS = (5, 25, 50, 75, 100)
PATIENCE_SECONDS = 90.0


def measure(runs: int) -> None:
    """Promotions, then rollbacks; writes failed_requests."""
    _measure("promotions", runs, _promote)
    _measure("rollbacks", runs, _abort)


def _measure(kind: str, runs: int, one: Callable[[Playbooks, str, int, Path], None]) -> None:
    namespace = f"bench-{kind}"
    folder = fresh_folder("failed_requests", kind)
    requests = failed = done = 0
    with target(namespace) as playbooks:
        while done < runs:
            with steady(host(namespace), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
                for _ in range(min(RUNS_UNDER_ONE_LOAD, runs - done)):
                    run = fresh_folder("failed_requests", kind, f"run-{done}")
                    load.new_records(0)
                    one(playbooks, namespace, done, run)
                    counts = seen(load.new_records(), None)
                    requests, failed, done = requests + counts.requests, failed + counts.failed_requests, done + 1
                    say(f"{kind} {done} of {runs}: {counts.failed_requests} of {counts.requests:,} requests failed")
                    before: JSON = results().get("failed_requests", {})
                    keep({"failed_requests": {**before, kind: failed, f"{kind}_runs": done, f"{kind}_requests": requests}})


def _promote(playbooks: Playbooks, namespace: str, number: int, folder: Path) -> None:
    steps = [{"weight": 10, "bake_seconds": 2}, {"weight": 50, "bake_seconds": 2}, 100]
    version = "1.2.0" if number % 2 else "1.1.0"
    variables = settings(namespace, name="healthy", image=image(version), gates=[], steps=steps, verify_seconds=2, log_dir=str(folder))
    if playbooks.play("release", namespace, variables, log=folder / "playbook.txt") != 0:
        raise RuntimeError(f"a healthy version was not promoted; see {folder}")


def _abort(playbooks: Playbooks, namespace: str, number: int, folder: Path) -> None:
    """Abort a healthy release that waits at one of the weights."""
    weight = WEIGHTS[number % len(WEIGHTS)]
    steps = [100] if weight == 100 else [{"weight": weight, "bake_seconds": 600}, 100]
    variables = settings(namespace, name="healthy", image=image("1.1.0"), gates=[], steps=steps, verify_seconds=600, log_dir=str(folder))
    with playbooks.started("release", namespace, variables, folder / "playbook.txt") as release:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while moment(events(folder), "weight", weight_percent=weight) is None:
            if release.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the release did not reach {weight} %; see {folder}")
            time.sleep(0.2)
        time.sleep(2.0)
        playbooks.play("abort", namespace, {"release_namespace": namespace, "release_name": "healthy"}, log=folder / "abort.txt")
        release.wait(PATIENCE_SECONDS)
    if moment(events(folder), "traffic") is None:
        raise RuntimeError(f"the abort did not return traffic; see {folder}")
