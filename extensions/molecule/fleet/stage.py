"""The regions of a fleet, the load on them, and playbooks over them.

A region is a namespace in a cluster: three of one cluster, or one in each of three, as the stage's regions say.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

from await_metrics import await_metrics
from away import Door, Node, door_of
from cluster import Cluster
from load_log import has_failed, read_records
from runner import Runner

JSON = dict[str, Any]
ENDING_SECONDS = 600.0
LOAD = "25m"
GOOD, BAD, OLD = "localhost/lab/shop:1.1.0", "localhost/lab/shop:1.6.0-broken", "localhost/lab/shop:1.0.0"
BAD_VERSION = BAD.rpartition(":")[2]


class Stage:
    """The regions, their load, and the playbook over them."""

    def __init__(self, given: JSON) -> None:
        self.given = given
        self.folder = Path(given["folder"])
        self.regions: dict[str, JSON] = given["regions"]
        self.are_clusters = len({one["cluster"] for one in self.regions.values()}) == len(self.regions)

    def play(self, stories: Mapping[str, Callable[[Any], JSON]], *, without_trace: tuple[str, ...] = ()) -> None:
        """Play the stories that are asked for, each where the old version serves; the file facts.json tells what came of each."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        facts: JSON = {}
        is_fresh = False
        for name in [name for name in stories if name in self.given["only"]]:
            began = time.time()
            if not is_fresh:
                self.reset()
            with self.load(name):
                time.sleep(self.given["settle_seconds"])
                told = stories[name](self)
            facts[name] = {**told, "load": self.heard(name), "story_seconds": time.time() - began}
            (self.folder / "facts.json").write_text(json.dumps(facts, indent=1))
            print(f"{name}: {time.time() - began:.0f} s", flush=True)
            is_fresh = name in without_trace

    def reset(self) -> None:
        """Every region serves the old version again, and nothing is left of fleets before."""
        with ThreadPoolExecutor(len(self.regions)) as pool:
            list(pool.map(self._reset, self.regions.values()))

    def _reset(self, region: JSON) -> None:
        command = [self.given["lab"], "target", region["namespace"], "--cluster", region["cluster"], "--replicas", "2"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    @contextlib.contextmanager
    def load(self, story: str) -> Iterator[None]:
        """Requests to every region while a story lasts, counted by its Prometheus when the block begins."""
        runs = []
        for name, region in self.regions.items():
            host = region.get("host", f"{region['namespace']}.example.com")
            command = [self.given["lab"], "load", "--host", host, "--rate", str(self.given["load"]), "--duration", LOAD]
            command += ["--out", str(self._log(story, name)), "--cluster", region["cluster"]]
            runs.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        try:
            for region in self.regions.values():
                await_metrics(Cluster(Path(region["kubeconfig"])), self.given["prometheus"], region["namespace"])
            yield
        finally:
            for run in runs:
                run.terminate()
                run.wait()

    def _log(self, story: str, region: str) -> Path:
        return self.folder / f"{story}-{region}.load"

    def heard(self, story: str) -> JSON:
        """What the clients of each region got meanwhile: requests, failed ones, and those of them that no bad version answered."""
        told = {}
        for name in self.regions:
            sent = list(read_records(self._log(story, name)))
            failed = [one for one in sent if has_failed(one)]
            others = [one for one in failed if one["version"] != BAD_VERSION]
            told[name] = {"requests": len(sent), "failed": len(failed), "by_others": len(others), "examples": others[:5]}
        return told

    def inventory(self, story: str, **of_host: JSON) -> str:
        """The inventory of a story; what is different in a region stands in of_host."""
        hosts = {
            name: {"kubeconfig": region["kubeconfig"], "release_namespace": region["namespace"], **of_host.get(name, {})}
            for name, region in self.regions.items()
        }
        first, *others = hosts
        groups = {"wave_1": {"hosts": {first: hosts[first]}}, "wave_2": {"hosts": {name: hosts[name] for name in others}}}
        path = self.folder / f"{story}.inventory.json"
        path.write_text(json.dumps({"all": {"children": groups, "vars": self.given["vars"]}}))
        return str(path)

    def run(self, story: str, inventory: str, *extra: str, playbook: str = "release", part: str = "") -> Runner:
        """Begin a playbook over an inventory."""
        log = self.folder / f"{story}{part}.log"
        return Runner(["-i", inventory, f"progressive.delivery.{playbook}", *extra], log)

    def until(self, runner: Runner, words: str) -> None:
        """Wait until a run has printed some words. Raises TimeoutError, also where the run has ended without them."""
        deadline = time.monotonic() + ENDING_SECONDS
        while words not in runner.output():
            if time.monotonic() > deadline or runner.has_ended():
                raise TimeoutError(f"{words!r} is not in {runner.log}")
            time.sleep(0.2)

    def until_wave(self, runner: Runner, number: int, state: str) -> None:
        """Wait until the fleet's record says that a wave is in a state. Raises TimeoutError, also where the run has ended before."""
        deadline = time.monotonic() + ENDING_SECONDS
        while self._wave(number) != state:
            if time.monotonic() > deadline or runner.has_ended():
                raise TimeoutError(f"wave {number} was never {state}, see {runner.log}")
            time.sleep(0.5)

    def _wave(self, number: int) -> str:
        home = next(iter(self.regions.values()))
        found = Cluster(Path(home["kubeconfig"])).find("ConfigMap", home["namespace"], "fleet-shop")
        return str(json.loads(found["data"]["progress"])["waves"][number]["state"]) if found else ""

    def told(self, runner: Runner, *, without: str = "", **more: Any) -> JSON:
        """How a run has ended: its code, its recap, the fleet's record, and which version serves where (without a region that is away)."""
        ended = runner.finish(ENDING_SECONDS)
        return {**ended, "output": runner.output()[-4000:], **self.standing(without), **more}

    def standing(self, without: str = "") -> JSON:
        """The fleet's record, and which version serves where."""
        home = next(iter(self.regions.values()))
        maps = Cluster(Path(home["kubeconfig"])).read(f"/api/v1/namespaces/{home['namespace']}/configmaps")["body"]["items"]
        data = {one["metadata"]["name"]: one["data"] for one in maps}
        progress = json.loads(data["fleet-shop"]["progress"]) if "fleet-shop" in data else {}
        entries = [json.loads(one["entry"]) for name, one in data.items() if name.startswith("fleet-shop.")]
        images = {name: self.image(name) for name in self.regions if name != without}
        return {"progress": progress, "states": {one["target"]: one["state"] for one in entries}, "images": images}

    def image(self, name: str) -> str:
        """The image that a region's Deployment has."""
        region = self.regions[name]
        found = Cluster(Path(region["kubeconfig"])).find("Deployment", region["namespace"], region.get("service", "shop"))
        assert found is not None
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def way_to(self, name: str) -> tuple[Node | Door, JSON]:
        """What can be shut between a region and who releases in it, and the variables of who goes this way."""
        region = self.regions[name]
        if self.are_clusters:
            return Node(region["cluster"]), {}
        through = self.folder / f"{name}.kubeconfig"
        return door_of(Path(region["kubeconfig"]), through), {"kubeconfig": str(through)}
