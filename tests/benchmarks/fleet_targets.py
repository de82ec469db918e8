"""A fleet of many targets from one control node: how far apart a wave starts, what each target costs, how long it takes to bring all back.

A target is a namespace with one pod, in one of up to three clusters of this machine: it stands for a region. All of it, the clusters, the pods, the
requests and the control node, is on the same cores, so that the times are those of a machine that is too small, and upper bounds. Slow is what takes
five seconds: as soon as a hundred targets begin at once, both versions take more than half a second.
"""

from __future__ import annotations

import contextlib
import json
import string
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pddemo.playbook import Playbooks
from pdlab import several
from pdlab.cluster import answers, kubectl, recorded
from pdlab.engine import find_engine
from pdlab.paths import LAB, kubeconfig
from pdlab.shell import ask

from .processes import busiest_children, cpu_seconds, mean, memory_mb
from .support import CLUSTER, JSON, Figures, RunFailed, figures, fresh_folder, host, image, keep, results, say, settings

KEY = "fleet_targets"
GATES = [{"name": "errors", "error_rate": {"max": "1%"}}, {"name": "slow", "latency": {"slower_than": "5s", "max": "1%"}}]
TARGETS = 100  # what --targets (or --runs) sets
CLUSTERS = 3
PODS_OF_A_NODE, PODS_OF_A_TARGET, SPARE_PODS = 110, 2, 4
WATCHED_SECONDS = 60.0
PATIENCE_SECONDS = 1200.0
LABEL = "bench=fleet-targets"
MANIFEST = Path(__file__).parent / "fleet_target.manifest"
EVENTS_AT = "events"  # folder of the releases' JSON lines


def measure(targets: int) -> None:
    """Releases in so many targets at once, lets them bake at 10 %, aborts the fleet; adds what was measured to fleet_targets."""
    places = _places(targets)
    folder = fresh_folder(KEY)
    inventory = _inventory(folder, places)
    playbooks = Playbooks(CLUSTER).over(inventory, kubeconfig(CLUSTER), targets)
    with _targets(places), _load(places, folder):
        say(f"{targets} targets stand in {', '.join(sorted(set(places.values())))}")
        time.sleep(15.0)
        began = time.time()
        with playbooks.started("release", "", log=folder / "release.txt") as release:
            _until(lambda: len(_moments(folder, "bake")) >= targets or release.poll() is not None, f"{targets} releases bake")
            if release.poll() is not None:
                raise RunFailed(f"the fleet ended before all targets baked; see {folder}")
            part = {"targets": targets, "clusters": len(set(places.values())), **_starts(folder, began)}
            time.sleep(5.0)
            part |= _costs(release.pid, targets, sorted(set(places.values())))
            part |= _returned(playbooks, folder, targets, release)
    _keep(part)


def _places(targets: int) -> dict[str, str]:
    """Namespace → cluster, in turns over the clusters that run. Raises RunFailed when their nodes have no room for so many pods."""
    engine = find_engine()
    clusters = [name for name in several.names(CLUSTER, CLUSTERS) if name in recorded() and answers(engine, name)]
    room = {name: PODS_OF_A_NODE - SPARE_PODS - len(_pods(name)) for name in clusters}
    found: dict[str, str] = {}
    for number in range(targets):
        name = max(room, key=lambda one: room[one])
        room[name] -= PODS_OF_A_TARGET
        if room[name] < 0:
            raise RunFailed(
                f"{', '.join(clusters)} have room for {number} targets of {PODS_OF_A_TARGET} pods: lab/lab up --clusters {CLUSTERS}"
            )
        found[f"bench-fleet-{number:03d}"] = name
    return found


def _pods(cluster: str) -> list[str]:
    return ask([*kubectl(cluster), "get", "pods", "-A", "-o", "name"]).split()


def _inventory(folder: Path, places: dict[str, str]) -> Path:
    hosts = {name: {"kubeconfig": str(kubeconfig(cluster)), "release_namespace": name} for name, cluster in places.items()}
    variables = settings(
        "{{ inventory_hostname }}",
        name="fleet",
        image=image("1.1.0"),
        steps=[{"weight": 10, "bake_seconds": 7200}, 100],
        waves=[{"group": "wave_1"}],
        gates=GATES,
        log_dir=str(folder / EVENTS_AT),
        ready_timeout_seconds=600,
        max_hold_seconds=7200,
    )
    file = folder / "inventory.json"
    file.write_text(json.dumps({"all": {"children": {"wave_1": {"hosts": hosts}}, "vars": variables}}, indent=1))
    return file


@contextlib.contextmanager
def _targets(places: dict[str, str]) -> Iterator[None]:
    """The targets, each with its ready pod; removed afterwards."""
    clusters = sorted(set(places.values()))
    template = string.Template(MANIFEST.read_text())
    try:
        for cluster in clusters:
            text = "\n---\n".join(template.substitute(namespace=name, image=image("1.0.0")) for name, at in places.items() if at == cluster)
            subprocess.run([*kubectl(cluster), "apply", "-f", "-"], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
        for name, cluster in places.items():
            wait = ["rollout", "status", "deployment/shop", "--timeout=600s"]
            ask([*kubectl(cluster), "--request-timeout=0", "-n", name, *wait], timeout=620)
        yield
    finally:
        for cluster in clusters:
            gone = ["delete", "namespace", "-l", LABEL, "--timeout=600s"]
            ask([*kubectl(cluster), "--request-timeout=0", *gone], timeout=620)


@contextlib.contextmanager
def _load(places: dict[str, str], folder: Path) -> Iterator[None]:
    """One request a second to each target."""
    runs = []
    for cluster in sorted(set(places.values())):
        hosts = [word for name, at in places.items() if at == cluster for word in ("--host", host(name))]
        rate = ["--rate", str(len(hosts) // 2), "--duration", "30m", "--out", str(folder / f"{cluster}.load")]
        runs.append(subprocess.Popen([str(LAB / "lab"), "load", *hosts, *rate, "--cluster", cluster]))
    try:
        yield
    finally:
        for run in runs:
            run.terminate()
        for run in runs:
            run.wait()


def _until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise RunFailed(f"not within {PATIENCE_SECONDS:.0f} s: {what}")
        time.sleep(1.0)


def _moments(folder: Path, event: str, begins: str = "") -> list[float]:
    """Unix times of the first event with this word, and a text that begins so, in each target."""
    found: dict[str, float] = {}
    for log in (folder / EVENTS_AT).glob("*.jsonl"):
        for line in log.read_text().splitlines(keepends=True):
            one = json.loads(line) if line.endswith("\n") else {}
            if one.get("event") == event and str(one.get("text", "")).startswith(begins):
                found.setdefault(log.name, float(one["at"]))
    return sorted(found.values())


def _starts(folder: Path, began: float) -> JSON:
    """How far apart the first and the last release of the wave started, and when the last one baked, in seconds."""
    starts, bakes = _moments(folder, "start"), _moments(folder, "bake")
    return {
        "start_spread_seconds": round(starts[-1] - starts[0], 1),
        "first_start_seconds": round(starts[0] - began, 1),
        "all_bake_seconds": round(bakes[-1] - began, 1),
    }


def _costs(playbook: int, targets: int, clusters: list[str]) -> JSON:
    """Of each worker while all bake: memory, and share of a core; of the playbook above them and of each cluster's API server, too."""
    workers = busiest_children(playbook, targets)
    servers = {cluster: _api_server(cluster) for cluster in clusters}
    everybody = [*workers, playbook, *servers.values()]
    before = {pid: cpu_seconds(pid) for pid in everybody}
    time.sleep(WATCHED_SECONDS)
    percent = {pid: 100 * (cpu_seconds(pid) - before[pid]) / WATCHED_SECONDS for pid in everybody}
    memory = [memory_mb(pid) for pid in workers]
    return {
        "mb": mean([one["Pss"] for one in memory]),
        "alone_mb": mean([one["Private"] for one in memory]),
        "cpu_percent": mean([percent[pid] for pid in workers]),
        "playbook_mb": memory_mb(playbook)["Pss"],
        "playbook_cpu_percent": round(percent[playbook], 1),
        "api_servers_cpu_percent": {cluster: round(percent[pid], 1) for cluster, pid in servers.items()},
    }


def _api_server(cluster: str) -> int:
    top = ask(["docker", "top", f"{cluster}-control-plane", "-eo", "pid,comm"], env=find_engine().env)
    return next(int(line.split()[0]) for line in top.splitlines() if "kube-apiserver" in line)


def _returned(playbooks: Playbooks, folder: Path, targets: int, release: subprocess.Popen[bytes]) -> JSON:
    """How long after `ansible-playbook progressive.delivery.abort` was typed, and after the first target heard it, all traffic was home."""
    typed = time.time()
    extra = {"release_name": "fleet", "release_reason": "bench"}
    code = playbooks.play("abort", "", extra, log=folder / "abort.txt")
    took = time.time() - typed
    _until(lambda: release.poll() is not None, "the fleet ends")
    home = _moments(folder, "traffic", "100 % stable")
    if len(home) < targets:
        raise RunFailed(f"only {len(home)} of {targets} targets returned traffic; see {folder}")
    spread: Figures = figures([at - home[0] for at in home], 1)
    return {
        "return_first_seconds": round(home[0] - typed, 1),
        "return_all_seconds": round(home[-1] - typed, 1),
        "return_spread_seconds": spread.most,
        "return_spread_median_seconds": spread.median,
        "abort_seconds": round(took, 1),
        "abort_code": code,
    }


def _keep(part: JSON) -> None:
    """Add to the series, one entry for each number of targets; the figures of the largest stand for the benchmark."""
    series = {**results().get(KEY, {}).get("series", {}), str(part["targets"]): part}
    keep({KEY: {**series[max(series, key=int)], "series": series}})
    say(
        f"{part['targets']} targets: started within {part['start_spread_seconds']} s, {part['mb']} MB and {part['cpu_percent']} % of a core each; "
        f"all traffic home within {part['return_spread_seconds']} s of the first"
    )
