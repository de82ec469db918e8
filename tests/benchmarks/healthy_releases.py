"""Healthy versions released again and again, looked at every second: how many are returned although nothing is wrong with them.

The rates themselves come from simulation (docs/decision-rule-figures.md); this shows that nothing of the real world adds to them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from pddemo.playbook import Playbooks
from pddemo.traffic import seen, steady

from .support import CLUSTER, JSON, RunFailed, events, fresh_folder, host, image, keep, say, settings, target

RUNS = 30
TARGETS = 3
REQUESTS_PER_SECOND = 60
KEY = "healthy_releases"
MOST_RETURNED = 2  # of 30: more has a chance below 0.4 % where one in a hundred is returned
SOURCE: JSON = {"prometheus": None, "metrics_source": "pods", "pods": {"family": "http"}}
_TALLY = Lock()


def measure(runs: int) -> None:
    """Releases in several targets at once; writes healthy_releases. Raises RunFailed when too many healthy versions were returned."""
    tally: JSON = {"runs": 0, "promoted": 0, "returned": 0, "otherwise": 0, "looks": 0, "requests": 0, "failed": 0, "reasons": []}
    shares = [runs // TARGETS + (number < runs % TARGETS) for number in range(TARGETS)]
    with ThreadPoolExecutor(TARGETS) as pool:
        for done in [
            pool.submit(_one_after_another, f"bench-healthy-{number}", share, tally) for number, share in enumerate(shares) if share
        ]:
            done.result()
    judge(tally, runs)


def judge(tally: JSON, runs: int) -> None:
    """Raises RunFailed when more healthy versions were returned than chance explains, or when one of the runs ended otherwise or not at all."""
    if tally["returned"] > MOST_RETURNED * max(1, runs // RUNS) or tally["otherwise"] or tally["runs"] < runs:
        raise RunFailed(
            f"{tally['returned']} of {tally['runs']} healthy versions were returned, {tally['otherwise']} ended otherwise; {runs} were wanted"
        )


def _one_after_another(namespace: str, runs: int, tally: JSON) -> None:
    folder = fresh_folder(KEY, namespace)
    with target(namespace) as playbooks, steady(host(namespace), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
        for number in range(runs):
            one = _release(playbooks, namespace, image("1.1.0" if number % 2 == 0 else "1.2.0"), folder / f"run-{number}")
            counts = seen(load.new_records(), None)
            with _TALLY:
                tally["runs"] += 1
                tally[one["ended"]] += 1
                tally["looks"] += one["looks"]
                tally["requests"] += counts.requests
                tally["failed"] += counts.failed_requests
                tally["reasons"] += [one["reason"]] if one["ended"] != "promoted" else []
                keep({KEY: tally})
                say(f"{KEY} {tally['runs']}: {one['ended']} after {one['looks']} looks{one['reason'] and ': ' + one['reason']}")


def _release(playbooks: Playbooks, namespace: str, version: str, folder: Path) -> JSON:
    """How one release ended, and its looks."""
    folder.mkdir()
    variables = settings(namespace, name="healthy", image=version, steps=[20, 50, 100], verify_seconds=5, drain_seconds=2, **SOURCE)
    code = playbooks.play("release", namespace, {**variables, "release_log_dir": str(folder)}, log=folder / "playbook.txt")
    log = events(folder)
    back = next((one for one in log if one["event"] == "ROLL BACK"), None)
    ended = "promoted" if code == 0 else "returned" if back else "otherwise"
    return {"ended": ended, "looks": sum(one["event"] == "look" for one in log), "reason": back["text"] if back else ""}
