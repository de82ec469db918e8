"""Plays the stories of a fleet of three regions and leaves what came of each in a file. The stage is JSON on standard input.

A region is a namespace in a cluster: three of one cluster, or one in each of three, as the stage's regions say.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "shared"))

from cluster import Cluster
from runner import Runner

JSON = dict[str, Any]
ENDING_SECONDS = 600.0
GOOD, BAD, OLD = "localhost/lab/shop:1.1.0", "localhost/lab/shop:1.6.0-broken", "localhost/lab/shop:1.0.0"


class Door:
    """A way to an API server that can be shut: what a region is behind when its network is gone."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address, self._open = address, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def shut(self) -> None:
        """Nobody comes in, and who is in is thrown out."""
        self._open = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def open(self) -> None:
        """Everybody may come in again."""
        self._ends, self._open = [], True

    def _serve(self) -> None:
        while True:
            client, _address = self._listener.accept()
            if not self._open:
                client.close()
                continue
            server = socket.create_connection(self._address)
            self._ends += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_pipe, args=pair, daemon=True).start()


def _pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_RDWR)


class Stage:
    """The regions, their load, and the playbook over them."""

    def __init__(self, given: JSON) -> None:
        self.given = given
        self.folder = Path(given["folder"])
        self.regions: dict[str, JSON] = given["regions"]

    def lab(self, *arguments: str) -> None:
        """One command of the lab."""
        subprocess.run([self.given["lab"], *arguments], check=True, stdout=subprocess.DEVNULL)

    def reset(self) -> None:
        """Every region serves the old version again, and nothing is left of fleets before."""
        for region in self.regions.values():
            self.lab("target", region["namespace"], "--remove", "--cluster", region["cluster"])
            self.lab("target", region["namespace"], "--cluster", region["cluster"], "--replicas", "2")

    @contextlib.contextmanager
    def load(self, story: str) -> Iterator[None]:
        """Requests to every region while a story lasts."""
        runs = []
        for name, region in self.regions.items():
            log = self.folder / f"{story}-{name}.load"
            host = f"{region['namespace']}.example.com"
            command = [self.given["lab"], "load", "--host", host, "--rate", str(self.given["load"]), "--duration", "20m", "--out", str(log)]
            runs.append(subprocess.Popen([*command, "--cluster", region["cluster"]], stdout=subprocess.DEVNULL))
        try:
            yield
        finally:
            for run in runs:
                run.terminate()
                run.wait()

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
        """Wait until a run has printed some words."""
        deadline = time.monotonic() + ENDING_SECONDS
        while words not in runner.output():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{words!r} is not in {runner.log}")
            time.sleep(0.2)

    def told(self, runner: Runner, **more: Any) -> JSON:
        """How a run has ended: its code, its recap, the fleet's record, and which version serves where."""
        ended = runner.finish(ENDING_SECONDS)
        return {**ended, "output": runner.output()[-4000:], **self.standing(), **more}

    def standing(self) -> JSON:
        """The fleet's record, and which version serves where."""
        home = next(iter(self.regions.values()))
        maps = Cluster(Path(home["kubeconfig"])).read(f"/api/v1/namespaces/{home['namespace']}/configmaps")["body"]["items"]
        data = {one["metadata"]["name"]: one["data"] for one in maps}
        progress = json.loads(data["fleet-shop"]["progress"]) if "fleet-shop" in data else {}
        entries = [json.loads(one["entry"]) for name, one in data.items() if name.startswith("fleet-shop.")]
        images = {}
        for name, region in self.regions.items():
            path = f"/apis/apps/v1/namespaces/{region['namespace']}/deployments/shop"
            found = Cluster(Path(region["kubeconfig"])).read(path)["body"]
            images[name] = found["spec"]["template"]["spec"]["containers"][0]["image"]
        return {"progress": progress, "states": {one["target"]: one["state"] for one in entries}, "images": images}


def good(stage: Stage) -> JSON:
    """All waves take a good version."""
    return stage.told(stage.run("good", stage.inventory("good"), "-e", f"release_image={GOOD}"))


def bad_region(stage: Stage) -> JSON:
    """The version is bad in one region of the second wave."""
    last = list(stage.regions)[1]
    of_host = {name: {"release_image": BAD if name == last else GOOD} for name in stage.regions}
    return stage.told(stage.run("bad_region", stage.inventory("bad_region", **of_host)))


def killed(stage: Stage) -> JSON:
    """The runner is killed between two waves; the next run goes on."""
    inventory = stage.inventory("killed")
    first = stage.run("killed", inventory, "-e", f"release_image={GOOD}", part="-first")
    stage.until(first, "wave_1 is done")
    first.kill()
    between = stage.standing()
    return stage.told(stage.run("killed", inventory, "-e", f"release_image={GOOD}"), between=between)


def aborted(stage: Stage) -> JSON:
    """Somebody aborts from another process while the second wave is released."""
    inventory = stage.inventory("aborted")
    slow = json.dumps({"release_image": GOOD, "release_steps": [{"weight": 50, "bake_seconds": 90}, 100]})
    run = stage.run("aborted", inventory, "-e", slow)
    stage.until(run, "wave_2 begins")
    last = list(stage.regions)[2]
    stage.until(run, f"{last:<12}  weight")
    abort = stage.run("aborted", inventory, "-e", "release_name=shop", "-e", "release_reason=incident", playbook="abort", part="-abort")
    told = abort.finish(ENDING_SECONDS)
    return stage.told(run, abort={**told, "output": abort.output()[-4000:]})


def unreachable(stage: Stage) -> JSON:
    """A region cannot be reached while its wave bakes: the others go back at once, it does with the next run."""
    last = list(stage.regions)[2]
    kubeconfig = Path(stage.regions[last]["kubeconfig"]).read_text()
    server = next(line.split("//")[1].strip() for line in kubeconfig.splitlines() if "server:" in line)
    host, _colon, port = server.rpartition(":")
    door = Door((host, int(port)))
    through = stage.folder / "unreachable.kubeconfig"
    through.write_text(kubeconfig.replace(server, f"127.0.0.1:{door.port}"))
    inventory = stage.inventory("unreachable", **{last: {"kubeconfig": str(through)}})
    waves = [{"group": "wave_1"}, {"group": "wave_2", "bake": 120}]
    said = json.dumps({"release_image": GOOD, "release_waves": waves, "release_unreachable_seconds": 10})
    run = stage.run("unreachable", inventory, "-e", said, part="-first")
    bake = "TASK [Bake]"
    deadline = time.monotonic() + ENDING_SECONDS
    while not (run.output().count(bake) == 1 and run.output().rpartition(bake)[2].count("watch") >= 1):
        if time.monotonic() > deadline:
            raise TimeoutError("the second wave does not bake")
        time.sleep(0.2)
    door.shut()
    first = stage.told(run)
    door.open()
    return stage.told(stage.run("unreachable", inventory, "-e", said), first=first)


def refused(stage: Stage) -> JSON:
    """Too few forks, a group that there is not, and two hosts that are one place: each refused with nothing changed."""
    inventory = stage.inventory("refused")
    forks = stage.run("refused", inventory, "-e", f"release_image={GOOD}", "--forks", "2", part="-forks")
    told = {"forks": {**forks.finish(ENDING_SECONDS), "output": forks.output()[-3000:]}}
    group = json.dumps({"release_image": GOOD, "release_waves": [{"group": "wave_9"}]})
    unknown = stage.run("refused", inventory, "-e", group, part="-group")
    told["group"] = {**unknown.finish(ENDING_SECONDS), "output": unknown.output()[-3000:]}
    names = list(stage.regions)
    twice = {
        names[2]: {key: stage.regions[names[1]][here] for key, here in (("kubeconfig", "kubeconfig"), ("release_namespace", "namespace"))}
    }
    same = stage.run("refused", stage.inventory("refused-same", **twice), "-e", f"release_image={GOOD}", part="-same")
    return {**stage.told(same), **told}


STORIES = {one.__name__: one for one in (refused, good, bad_region, killed, aborted, unreachable)}


def main() -> None:
    """Play the stories that the stage names, each in fresh regions."""
    given = json.load(sys.stdin)
    stage = Stage(given)
    shutil.rmtree(stage.folder, ignore_errors=True)
    stage.folder.mkdir(parents=True)
    facts = {}
    for name, story in STORIES.items():
        if name in given["only"]:
            stage.reset()
            with stage.load(name):
                time.sleep(given["settle_seconds"])
                facts[name] = story(stage)
    (stage.folder / "facts.json").write_text(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
