"""Plays jobs of docs/examples/awx through ansible-runner, as AWX does, and what becomes of them. The stage is JSON on standard input.

Each story has a target of its own, and two jobs: one that is taken away at 25 %, and the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ansible_runner

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

import load_log
from await_metrics import await_metrics
from cluster import Cluster, leftovers

JSON = dict[str, Any]
CHECKOUT = Path(__file__).resolve().parents[3]
PROJECT = CHECKOUT / "docs" / "examples" / "awx"
GOOD = "localhost/lab/shop:1.1.0"
HOST, CONTEXT, WAVE = "eu_west_1", "prod-euw1", "wave_1"  # the first wave of the example's inventory
PATIENCE_SECONDS = 180.0
TIMEOUT_SECONDS = 100  # long after the start of a release, also on a busy machine, and long before its bake is over
RETURNED, STAYS = "[{weight: 25, bake_seconds: 300}, 100]", "[{weight: 25, bake_seconds: 20}, 100]"  # as text, as surveys give it


class Target:
    """A target of one story: the folders that AWX makes for its jobs, its load, and what the cluster says of it."""

    def __init__(self, stage: JSON, name: str) -> None:
        self.stage, self.name, self.namespace = stage, name, f"t-awx-{name.replace('_', '-')}"
        self.cluster = Cluster(Path(stage["kubeconfig"]))
        self.folder = Path(stage["folder"]) / name
        self.folder.mkdir()
        self.load_log = self.folder / "load.jsonl"

    def set_stage(self) -> subprocess.Popen[bytes]:
        """The old version, under load, counted by Prometheus."""
        lab = self.stage["lab"]
        subprocess.run([lab, "target", self.namespace, "--replicas", "2"], check=True, stdout=subprocess.DEVNULL)
        options = ["--host", f"{self.namespace}.example.com", "--rate", str(self.stage["load"]), "--duration", "15m"]
        load = subprocess.Popen([lab, "load", *options, "--out", str(self.load_log)], stdout=subprocess.DEVNULL)
        await_metrics(self.cluster, self.stage["prometheus"], self.namespace)
        return load

    def job(self, number: int, steps: str, *, cancel: Callable[[], bool] = lambda: False, timeout_seconds: int = 0) -> JSON:
        """Run the template "Release a wave" on one target, to its ending as AWX sees it."""
        private = self.folder / f"job-{number}"
        shutil.copytree(PROJECT, private / "project")
        told = ansible_runner.run(
            private_data_dir=str(private),
            ident=str(number),
            playbook="release.yml",
            inventory=str(private / "project" / "inventory.yml"),
            limit=WAVE,
            forks=50,
            extravars={"awx_job_id": number, "awx_user_name": "anna", "release_image": GOOD, "release_steps": steps, **self._lab()},
            envvars={
                "AWX_PRIVATE_DATA_DIR": str(private),
                "K8S_AUTH_KUBECONFIG": self.stage["contexts"],
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            },
            settings={"job_timeout": timeout_seconds, "pexpect_timeout": 1},
            cancel_callback=cancel,
            quiet=True,
        )
        return {"status": told.status, "code": told.rc, "ended": time.time(), "output": told.stdout.read()[-4000:]}

    def _lab(self) -> JSON:
        """What is different from the example: a route among others, few requests, somebody who waits. The guard has a scenario of its own."""
        return {
            "release_namespace": self.namespace,
            "release_traffic": {"provider": "istio", "service": "shop", "route": "primary"},
            "release_gates": [{"name": "errors", "error_rate": {"max": "5%"}}],
            "release_guard": None,
            "release_verify_seconds": 3,
            "release_drain_seconds": 3,
        }

    @property
    def record(self) -> JSON:
        """The record's state."""
        return self.cluster.record(self.namespace, "shop")

    def is_shared(self) -> bool:
        """Whether the canary has its 25 %."""
        return bool(self.record.get("weight_percent") == 25)

    def percent(self) -> int:
        """The canary's share, as the route says it."""
        spec = self.cluster.find("VirtualService", self.namespace, "shop")["spec"]
        routes = [one for rule in spec["http"] for one in rule["route"]]
        return sum(one.get("weight", 0) for one in routes if one["destination"]["host"].startswith("shop-canary"))

    def until_ended(self) -> None:
        """Wait until the release has its ending, by whoever brings it there. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.record.get("phase") != "ended":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.namespace}: {self.record}")
            time.sleep(0.1)

    def processes(self) -> list[int]:
        """Everything that runs for the jobs of this target."""
        mark, found = f"AWX_PRIVATE_DATA_DIR={self.folder}/".encode(), []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    found += [int(folder.name)] if mark in (folder / "environ").read_bytes() else []
                except OSError:
                    continue
        return found

    def facts(self) -> JSON:
        """The target after both jobs."""
        record = self.record
        stable = self.cluster.find("Deployment", self.namespace, "shop")
        return {
            "image": stable["spec"]["template"]["spec"]["containers"][0]["image"],
            "record": record,
            "percent": self.percent(),
            "leftovers": leftovers(self.cluster, self.namespace),
            "outlived_by": self.processes(),
            "load": load_log.summary(self.load_log, record),
        }


def cancelled(target: Target) -> JSON:
    """Somebody cancels the job at 25 %: its process group is killed. The worker returns traffic; the next job releases."""
    first = target.job(1, RETURNED, cancel=target.is_shared)
    target.until_ended()
    between = {"seconds": time.time() - first["ended"], "percent": target.percent(), "record": target.record}
    return {"first": first, "between": between, "second": target.job(2, STAYS)}


def timed_out(target: Target) -> JSON:
    """The job's time is over while it bakes at 25 %."""
    first = target.job(1, RETURNED, timeout_seconds=TIMEOUT_SECONDS)
    target.until_ended()
    between = {"seconds": time.time() - first["ended"], "percent": target.percent(), "record": target.record}
    return {"first": first, "between": between, "second": target.job(2, STAYS)}


def removed(target: Target) -> JSON:
    """The job's whole pod goes at 25 %, the worker with it: traffic stays where it is, and the next job goes on."""

    def gone() -> bool:
        if not target.is_shared():
            return False
        pids = target.processes()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
        return True

    first = target.job(1, STAYS, cancel=gone)
    time.sleep(5.0)
    between = {"percent": target.percent(), "record": target.record}
    return {"first": first, "between": between, "second": target.job(2, STAYS)}


STORIES = {one.__name__: one for one in (cancelled, timed_out, removed)}


def play(stage: JSON, name: str) -> JSON:
    """One story in its own target."""
    target = Target(stage, name)
    load = target.set_stage()
    try:
        time.sleep(stage["settle_seconds"])
        told = STORIES[name](target)
    finally:
        load.terminate()
        load.wait()
    return {**told, **target.facts()}


def main() -> None:
    """Play the stories that the stage names, side by side."""
    stage = json.load(sys.stdin)
    folder = Path(stage["folder"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stage["contexts"] = str(folder / "kubeconfig")
    context = ["--context", f"{CONTEXT}={stage['cluster']}", "--out", stage["contexts"]]
    subprocess.run([stage["lab"], "kubeconfig", *context], check=True, stdout=subprocess.DEVNULL)
    with ThreadPoolExecutor(len(STORIES)) as pool:
        played = {name: pool.submit(play, stage, name) for name in STORIES if name in stage["only"]}
        facts = {name: one.result() for name, one in played.items()}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
