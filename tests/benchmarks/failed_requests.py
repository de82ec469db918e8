"""Requests that fail while healthy versions are promoted, and while they are returned at some weight."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from pddemo.playbook import Playbooks
from pddemo.traffic import Record, seen, steady

from .support import CLUSTER, JSON, RunFailed, events, fresh_folder, host, image, keep, moment, results, say, settings, target

RUNS = 20
REQUESTS_PER_SECOND = 200
IDLE_SECONDS = 30.0
WEIGHTS = (5, 25, 50, 75, 100)
PATIENCE_SECONDS = 90.0


def measure(runs: int) -> None:
    """Promotions, then rollbacks; writes failed_requests."""
    _measure("promotions", runs, _promote)
    _measure("rollbacks", runs, _abort)


def _measure(kind: str, runs: int, one: Callable[[Playbooks, str, int, Path], None]) -> None:
    """All requests of all runs count, those of a run that ended otherwise too. idle: the same load with no release."""
    namespace = f"bench-{kind}"
    folder = fresh_folder("failed_requests", kind)
    during: list[Record] = []
    otherwise = 0
    with target(namespace) as playbooks, steady(host(namespace), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
        load.new_records()
        idle = load.new_records(IDLE_SECONDS)
        for number in range(runs):
            try:
                one(playbooks, namespace, number, fresh_folder("failed_requests", kind, f"run-{number}"))
            except RunFailed as error:
                otherwise += 1
                say(f"{kind}: {error}")
                playbooks.abort_unfinished(namespace, namespace)
            records = load.new_records()
            during += records
            say(f"{kind} {number + 1} of {runs}: {seen(records, None).failed_requests} of {len(records):,} requests failed")
            part: JSON = {kind: seen(during, None).failed_requests, f"{kind}_runs": number + 1, f"{kind}_requests": len(during)}
            part.update({f"{kind}_failed_codes": _codes(during), f"{kind}_ended_otherwise": otherwise})
            part.update({f"{kind}_idle_failed": seen(idle, None).failed_requests, f"{kind}_idle_requests": len(idle)})
            keep({"failed_requests": {**results().get("failed_requests", {}), **part}})


def _codes(records: Iterable[Record]) -> dict[str, int]:
    return dict(Counter(str(one["code"]) for one in records if not 200 <= one["code"] < 300))


def _promote(playbooks: Playbooks, namespace: str, number: int, folder: Path) -> None:
    steps = [{"weight": 10, "bake_seconds": 2}, {"weight": 50, "bake_seconds": 2}, 100]
    version = "1.2.0" if number % 2 else "1.1.0"
    variables = settings(namespace, name="healthy", image=image(version), gates=[], steps=steps, verify_seconds=2, log_dir=str(folder))
    if playbooks.play("release", namespace, variables, log=folder / "playbook.txt") != 0:
        raise RunFailed(f"a healthy version was not promoted; see {folder}")


def _abort(playbooks: Playbooks, namespace: str, number: int, folder: Path) -> None:
    """Abort a healthy release that waits at one of the weights."""
    weight = WEIGHTS[number % len(WEIGHTS)]
    steps = [100] if weight == 100 else [{"weight": weight, "bake_seconds": 600}, 100]
    variables = settings(namespace, name="healthy", image=image("1.1.0"), gates=[], steps=steps, verify_seconds=600, log_dir=str(folder))
    with playbooks.started("release", namespace, variables, folder / "playbook.txt") as release:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while moment(events(folder), "weight", weight_percent=weight) is None:
            if release.poll() is not None or time.monotonic() > deadline:
                raise RunFailed(f"the release did not reach {weight} %; see {folder}")
            time.sleep(0.2)
        time.sleep(2.0)
        playbooks.play("abort", namespace, {"release_namespace": namespace, "release_name": "healthy"}, log=folder / "abort.txt")
        release.wait(PATIENCE_SECONDS)
    if moment(events(folder), "traffic") is None:
        raise RunFailed(f"the abort did not return traffic; see {folder}")
