"""What a release costs the control node while it bakes: memory and CPU of its worker, and of one more worker."""

from __future__ import annotations

import os
import time
from pathlib import Path

from pddemo.traffic import steady

from .support import CLUSTER, events, fresh_folder, host, image, keep, moment, say, settings, target

RUNS = 1
NAMESPACE = "bench-wait"
WATCHED_SECONDS = 60.0
PATIENCE_SECONDS = 90.0
REQUESTS_PER_SECOND = 50


def measure(runs: int) -> None:
    """Watches a release that bakes at 10 % with both gates, once; writes waiting_release."""
    folder = fresh_folder("waiting_release")
    steps = [{"weight": 10, "bake_seconds": 3600}, 100]
    variables = settings(NAMESPACE, name="waiting", image=image("1.1.0"), steps=steps, log_dir=str(folder))
    with (
        target(NAMESPACE) as playbooks,
        steady(host(NAMESPACE), REQUESTS_PER_SECOND, CLUSTER, fresh_folder("waiting_release-load") / "load.jsonl") as load,
    ):
        time.sleep(15.0)
        with playbooks.started("release", NAMESPACE, variables, folder / "playbook.txt") as release:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while moment(events(folder), "bake") is None:
                if release.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the release does not bake; see {folder}")
                time.sleep(0.5)
            time.sleep(5.0)
            worker = _busiest_child(release.pid)
            before = _cpu_seconds(worker)
            time.sleep(WATCHED_SECONDS)
            cpu = 100 * (_cpu_seconds(worker) - before) / WATCHED_SECONDS
            memory = _memory_mb(worker)
            controller = _memory_mb(release.pid)
            load.new_records(0)
    part = {
        "rss_mb": memory["Rss"],
        "own_mb": memory["Private"],
        "cpu_percent": round(cpu, 2),
        "controller_rss_mb": controller["Rss"],
        "runs": runs,
    }
    say(f"waiting release: {part['rss_mb']} MB resident, of these {part['own_mb']} MB its own, {part['cpu_percent']} % of a core")
    keep({"waiting_release": part})


def _busiest_child(parent: int) -> int:
    """The worker: ansible-playbook's child that has used most CPU."""
    children = [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _parent_of(int(entry)) == parent]
    if not children:
        raise RuntimeError("ansible-playbook has no worker")
    return max(children, key=_cpu_seconds)


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", "-1", *["0"] * 20]


def _parent_of(pid: int) -> int:
    return int(_fields(pid)[1])


def _cpu_seconds(pid: int) -> float:
    """User and system time."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> dict[str, float]:
    """Resident, and what no other process shares (a worker is forked and shares most pages with its parent)."""
    found = {"Rss": 0, "Private": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        if name == "Rss" or name.startswith("Private_"):
            found["Rss" if name == "Rss" else "Private"] += int(value.split()[0])
    return {name: round(kilobytes / 1024, 1) for name, kilobytes in found.items()}
