"""Plays the stories of a release train and leaves what came of each in a file. The stage is JSON on standard input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fleet"))

from stage import BAD, GOOD, JSON, Cluster, Runner, Stage


class Train(Stage):
    """Services in one namespace: each is a host of the inventory, with its own load."""

    def __init__(self, given: JSON) -> None:
        where = {"cluster": given["cluster"], "kubeconfig": given["kubeconfig"], "namespace": given["namespace"]}
        hosts = {name: {**where, "service": name, "host": f"{name}.{given['namespace']}.example.com"} for name in given["services"]}
        super().__init__({**given, "regions": hosts})

    def reset(self) -> None:
        """Every service has the old version again, and nothing is left of trains before."""
        command = [self.given["lab"], "target", self.given["namespace"], "--services", ",".join(self.regions), "--replicas", "2"]
        subprocess.run([*command, "--cluster", self.given["cluster"]], check=True, stdout=subprocess.DEVNULL)

    def release(self, story: str, after: dict[str, list[str]], *, part: str = "", **images: str) -> Runner:
        """Run the train; after: the order of its services, images: what is not the good version."""
        services = [
            {
                "service": name,
                "after": after.get(name, []),
                "release_workload": f"Deployment/{name}",
                "release_image": images.get(name, GOOD),
                "release_traffic": {"provider": "istio", "service": name, "route": "primary"},
            }
            for name in self.regions
        ]
        path = self.folder / f"{story}.inventory.json"
        variables = {
            **self.given["vars"],
            "kubeconfig": self.given["kubeconfig"],
            "release_namespace": self.given["namespace"],
            "release_train": services,
        }
        path.write_text(json.dumps({"all": {"hosts": {name: {} for name in self.regions}, "vars": variables}}))
        return self.run(story, str(path), part=part)

    def standing(self, without: str = "") -> JSON:
        """What the fleet's stage tells, and each service's own release; an earlier one of the same train stands in its history."""
        cluster = Cluster(Path(self.given["kubeconfig"]))
        releases: dict[str, Any] = {name: cluster.record(self.given["namespace"], f"shop-{name}") for name in self.regions}
        return {**super().standing(without), "releases": releases}


ONE_THEN_TWO = {"cart": ["catalog"], "front": ["catalog"]}
IN_LINE = {"cart": ["catalog"], "front": ["cart"]}


def good(train: Train) -> JSON:
    """A good version of each: catalog, then cart and front at once."""
    return train.told(train.release("good", ONE_THEN_TWO))


def bad_last(train: Train) -> JSON:
    """The last of three in line is bad: the two that serve the new version already go back in the reverse order."""
    return train.told(train.release("bad_last", IN_LINE, front=BAD))


def killed(train: Train) -> JSON:
    """The runner is killed when the first service has its new version; the next run goes on."""
    first = train.release("killed", ONE_THEN_TWO, part="-first")
    train.until(first, "catalog is done")
    first.kill()
    between = train.standing()
    return train.told(train.release("killed", ONE_THEN_TWO), between=between)


STORIES = {one.__name__: one for one in (good, bad_last, killed)}


if __name__ == "__main__":
    Train(json.load(sys.stdin)).play(STORIES)
