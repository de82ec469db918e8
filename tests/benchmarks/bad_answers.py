"""How long clients see bad answers: half of a bad version's answers are errors, it gets 10 % of 150 requests a second."""

from __future__ import annotations

import random
import time
from pathlib import Path

from pddemo.playbook import Playbooks
from pddemo.traffic import Load, Seen, seen, steady

from .prometheus import second_prometheus
from .support import CLUSTER, JSON, SPARE_RUNS, RunFailed, events, figures, fresh_folder, host, image, keep, moment, say, settings, target

RUNS = 30
BAD_VERSION = "1.6.0-broken"
REQUESTS_PER_SECOND = 150
RUNS_UNDER_ONE_LOAD = 10
HISTORY_SCRAPES = 3


def measure(runs: int) -> None:
    """At scrapes of 5 s; writes bad_answers."""
    with second_prometheus("5s") as service:
        _measure(runs, "bad_answers", "bench-bad", {"prometheus": {"service": service}}, 5.0)


def measure_15s(runs: int) -> None:
    """At scrapes of 15 s; writes bad_answers_15s."""
    with second_prometheus("15s") as service:
        _measure(runs, "bad_answers_15s", "bench-bad-15s", {"prometheus": {"service": service}}, 15.0)


def measure_pods(runs: int) -> None:
    """With counters straight from pods and no Prometheus; writes bad_answers_pods."""
    source = {"prometheus": None, "metrics_source": "pods", "pods": {"family": "http"}}
    _measure(runs, "bad_answers_pods", "bench-bad-pods", source, 1.0)


def _measure(runs: int, key: str, namespace: str, source: JSON, scrape_seconds: float) -> None:
    """source: the variables that say where requests are counted; scrape_seconds: how far apart two samples are."""
    done: list[tuple[Seen, float]] = []
    left_out = batch = 0
    with target(namespace) as playbooks:
        while len(done) < runs:
            folder = fresh_folder(key, f"batch-{batch}")
            batch += 1
            with steady(host(namespace), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
                time.sleep(HISTORY_SCRAPES * scrape_seconds)
                for number in range(min(RUNS_UNDER_ONE_LOAD, runs - len(done))):
                    time.sleep(random.uniform(0, scrape_seconds))  # the shift meets the scrapes at any phase
                    try:
                        done.append(_one(playbooks, load, namespace, source, folder / f"run-{number}"))
                    except RunFailed as error:
                        left_out += 1
                        say(f"{key}: a run is left out: {error}")
                        if left_out > SPARE_RUNS:
                            raise
                        continue
                    keep({key: {**_summary(done), "runs_left_out": left_out}})
                    say(f"{key} {len(done)} of {runs}: {done[-1][0].bad_answers} bad answers in {done[-1][0].bad_seconds:.1f} s")


def _one(playbooks: Playbooks, load: Load, namespace: str, source: JSON, folder: Path) -> tuple[Seen, float]:
    """One release of the broken version, and how long after the shift the rule decided."""
    folder.mkdir()
    load.new_records(0)
    variables = settings(namespace, name="bad", image=image(BAD_VERSION), steps=[10, 100], drain_seconds=1, **source)
    variables.update(release_log_dir=str(folder))
    playbooks.play("release", namespace, variables, log=folder / "playbook.txt")
    log = events(folder)
    shifted, decided = moment(log, "weight", weight_percent=10), moment(log, "ROLL BACK")
    if shifted is None or decided is None:
        raise RunFailed(f"the bad version was not rolled back; see {folder}")
    counts = seen(load.new_records(), BAD_VERSION)
    if counts.unconnected:
        raise RunFailed(f"nobody listened at the gateway's port for {counts.unconnected} requests")
    if not counts.bad_answers:
        raise RunFailed(f"the clients saw no bad answer; see {folder}")
    return counts, decided - shifted


def _summary(done: list[tuple[Seen, float]]) -> JSON:
    seconds = figures([counts.bad_seconds for counts, _ in done])
    return {
        "median_seconds": seconds.median,
        "min_seconds": seconds.least,
        "max_seconds": seconds.most,
        "count_median": figures([counts.bad_answers for counts, _ in done]).median,
        "count_max": max(counts.bad_answers for counts, _ in done),
        "other_failures": sum(counts.failed_by_tool for counts, _ in done),
        "decided_after_seconds": vars(figures([decided for _, decided in done])),
        "seconds_of_each_run": [round(counts.bad_seconds, 2) for counts, _ in done],
        "runs": len(done),
    }
