"""A weight shift as a task of a playbook: progressive.delivery.traffic against kubernetes.core.k8s, in turns in one playbook."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from pdlab import cluster
from pdlab.paths import kubeconfig
from pdlab.shell import ask

from .support import CLUSTER, JSON, figures, fresh_folder, keep, say, target

RUNS = 30
READY_SECONDS = 60.0
WARM_UP = 2  # pairs of tasks before those that count
NAMESPACE = "bench-shift-task"
OURS, THEIRS = "ours", "k8s"


def measure(runs: int) -> None:
    """Shifts to and fro; writes weight_shift_task."""
    with target(NAMESPACE):
        kubectl = [*cluster.kubectl(CLUSTER), "-n", NAMESPACE]
        _give_canary(kubectl)
        route = json.loads(ask([*kubectl, "get", "virtualservice", "shop", "-o", "json"]))
        book = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": _tasks(route, runs + WARM_UP)}]
        took = _milliseconds(_played(book))
    ours, theirs = (took[name][WARM_UP:] for name in (OURS, THEIRS))
    ratio = statistics.median(ours) / statistics.median(theirs)
    part = {"ratio": round(ratio, 3), "ours_ms": vars(figures(ours)), "k8s_ms": vars(figures(theirs)), "runs": runs}
    say(f"weight shift as a task: ours {part['ours_ms']}, kubernetes.core.k8s {part['k8s_ms']}, ratio {ratio:.3f}")
    keep({"weight_shift_task": part})


def _give_canary(kubectl: list[str]) -> None:
    """A Service shop-canary before the same pods: only the route is measured."""
    service = json.loads(ask([*kubectl, "get", "service", "shop", "-o", "json"]))
    spec = {key: service["spec"][key] for key in ("selector", "ports")}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop-canary"}, "spec": spec}
    subprocess.run([*kubectl, "apply", "-f", "-"], input=json.dumps(body), text=True, check=True, stdout=subprocess.DEVNULL)
    ready = [*kubectl, "get", "endpointslice", "-l", "kubernetes.io/service-name=shop-canary", "-o", "jsonpath={..conditions.ready}"]
    deadline = time.monotonic() + READY_SECONDS
    while "true" not in ask(ready):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Service shop-canary has no ready endpoints after {READY_SECONDS:.0f} s")
        time.sleep(0.5)


def _tasks(route: JSON, pairs: int) -> list[JSON]:
    """Tasks in turns, each to a weight that does not stand yet."""
    made: list[JSON] = []
    for number in range(pairs):
        weight = 10 if number % 2 else 20
        traffic = {"namespace": NAMESPACE, "service": "shop", "virtual_service": "shop", "route": "primary", "weight": weight}
        made.append({"name": OURS, "progressive.delivery.traffic": traffic})
        patch = {"state": "patched", "merge_type": ["merge"], "definition": _split(route, weight + 5)}
        made.append({"name": THEIRS, "kubernetes.core.k8s": patch})
    return made


def _split(route: JSON, percent: int) -> JSON:
    """What a merge patch has to carry for another weight: the whole list of rules."""
    http = json.loads(json.dumps(route["spec"]["http"]))
    rule = next(one for one in http if one.get("name") == "primary")
    stable = rule["route"][0]
    destination = {**stable["destination"], "host": stable["destination"]["host"].replace("shop.", "shop-canary.", 1)}
    rule["route"] = [{**stable, "weight": 100 - percent}, {**stable, "destination": destination, "weight": percent}]
    meta = {"name": "shop", "namespace": NAMESPACE}
    return {"apiVersion": route["apiVersion"], "kind": route["kind"], "metadata": meta, "spec": {"http": http}}


def _played(book: list[JSON]) -> list[JSON]:
    """The tasks of a playbook with their times, all of them changed something."""
    folder = fresh_folder("weight_shift_task")
    file = folder / "playbook.json"
    file.write_text(json.dumps(book))
    env = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "K8S_AUTH_KUBECONFIG": str(kubeconfig(CLUSTER)),
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [program, file, "-i", "localhost,"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    (folder / "output.json").write_text(done.stdout)
    tasks: list[JSON] = json.loads(done.stdout[done.stdout.index("{") :])["plays"][0]["tasks"] if "{" in done.stdout else []
    unchanged = [one["hosts"]["localhost"].get("msg", "nothing changed") for one in tasks if not one["hosts"]["localhost"].get("changed")]
    if done.returncode or unchanged or not tasks:
        raise RuntimeError(f"the playbook did not shift every time; see {folder}: {unchanged[:1] or done.stderr[-500:]}")
    return tasks


def _milliseconds(tasks: list[JSON]) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {OURS: [], THEIRS: []}
    for one in tasks:
        began, ended = (_moment(one["task"]["duration"][key]) for key in ("start", "end"))
        took[one["task"]["name"]].append(1000 * (ended - began))
    return took


def _moment(text: Any) -> float:
    return datetime.fromisoformat(text).timestamp()
