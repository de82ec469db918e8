"""What releases cost the control node while they bake: memory and CPU of each target's worker, and of the playbook above them.

Workers are forked and share most pages with each other, so their memory is the proportional set size: a page counts with its share.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from pddemo.playbook import Playbooks
from pddemo.traffic import steady

from .processes import busiest_children, cpu_seconds, mean, memory_mb
from .support import CLUSTER, JSON, fresh_folder, host, image, keep, say, settings, target

RUNS = 1
TARGETS = 8
NAMESPACE = "bench-wait"
WATCHED_SECONDS = 60.0
PATIENCE_SECONDS = 180.0
REQUESTS_PER_SECOND = 15


def measure(runs: int) -> None:
    """Watches releases that bake at 10 % with both gates in several targets of one playbook, once; writes waiting_release."""
    names = [f"{NAMESPACE}-{number}" for number in range(TARGETS)]
    folder = fresh_folder("waiting_release")
    steps = [{"weight": 10, "bake_seconds": 3600}, 100]
    variables = settings("{{ inventory_hostname }}", name="waiting", image=image("1.1.0"), steps=steps, log_dir=str(folder))
    os.environ["ANSIBLE_FORKS"] = str(TARGETS)
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(target(name, replicas=1))
            stack.enter_context(steady(host(name), REQUESTS_PER_SECOND, CLUSTER, fresh_folder("waiting_release-load", name) / "load.jsonl"))
        time.sleep(15.0)
        with Playbooks(CLUSTER).started("release", ",".join(names), variables, folder / "playbook.txt") as release:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while _baking(folder) < TARGETS:
                if release.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{_baking(folder)} of {TARGETS} releases bake; see {folder}")
                time.sleep(0.5)
            time.sleep(5.0)
            keep({"waiting_release": _watched(release.pid, runs)})


def _watched(playbook: int, runs: int) -> JSON:
    workers = busiest_children(playbook, TARGETS)
    before = [cpu_seconds(worker) for worker in workers]
    time.sleep(WATCHED_SECONDS)
    cpu = [100 * (cpu_seconds(worker) - began) / WATCHED_SECONDS for worker, began in zip(workers, before, strict=True)]
    memory = [memory_mb(worker) for worker in workers]
    part = {
        "targets": len(workers),
        "mb": mean([one["Pss"] for one in memory]),
        "alone_mb": mean([one["Private"] for one in memory]),
        "rss_mb": mean([one["Rss"] for one in memory]),
        "cpu_percent": mean(cpu),
        "controller_mb": memory_mb(playbook)["Pss"],
        "runs": runs,
    }
    say(
        f"{part['targets']} waiting releases: {part['mb']} MB each ({part['alone_mb']} MB of them its own), {part['cpu_percent']} % of a core"
    )
    return part


def _baking(folder: Path) -> int:
    """How many of the releases bake, as their logs say."""
    lines = (line for log in folder.glob("*.jsonl") for line in log.read_text().splitlines() if line.endswith("}"))
    return sum(json.loads(line)["event"] == "bake" for line in lines)
