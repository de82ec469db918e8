"""Plays what happens between the waves of a fleet and leaves what came of each story in a file. The stage is JSON on standard input.

The stage is that of the scenario fleet, with an environment in each namespace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(CHECKOUT / folder) for folder in ("extensions/molecule/fleet", "extensions/molecule/shared", "lab")]

from cluster import Cluster
from pdlab.engine import find_engine
from runner import Runner
from stage import ENDING_SECONDS, GOOD, Stage

JSON = dict[str, Any]
MOVING = "localhost/lab/shop:borders"  # a tag that means another digest after a while
OTHER = "localhost/lab/shop:1.2.0"
DEV, STAGING, PRODUCTION = "dev_1", "staging_1", "production_1"


class Borders(Stage):
    """Three environments, each a wave of one target."""

    def inventory(self, story: str, **of_host: JSON) -> str:
        """Groups dev, staging and production."""
        groups = {}
        for name, region in self.regions.items():
            host = {"kubeconfig": region["kubeconfig"], "release_namespace": region["namespace"], **of_host.get(name, {})}
            groups[name.removesuffix("_1")] = {"hosts": {name: host}}
        path = self.folder / f"{story}.inventory.json"
        path.write_text(json.dumps({"all": {"children": groups, "vars": self.given["vars"]}}))
        return str(path)

    def begin(self, story: str, waves: list[JSON], *, image: str = GOOD, inventory: str = "", part: str = "", **more: Any) -> Runner:
        """Release over the waves."""
        said = json.dumps({"release_image": image, "release_waves": waves, "release_by": "tom", **more})
        return self.run(story, inventory or self.inventory(story), "-e", said, part=part)

    def command(self, story: str, verb: str, part: str, **more: Any) -> JSON:
        """One of the playbooks that give commands, to its end."""
        said = json.dumps({"release_name": "shop", **more})
        ran = self.run(story, str(self.folder / f"{story}.inventory.json"), "-e", said, playbook=verb, part=f"-{part}")
        return {**ran.finish(ENDING_SECONDS), "output": ran.output()[-4000:]}

    def crossings(self) -> JSON:
        """Who let each wave begin, as the targets of the waves know it."""
        found = {}
        for name, region in self.regions.items():
            path = f"/api/v1/namespaces/{region['namespace']}/configmaps/release-shop"
            data = Cluster(Path(region["kubeconfig"])).read(path)["body"].get("data") or {}
            state = json.loads(data.get("state") or "{}")
            found[name] = (state.get("control") or {}).get("begun", {}).get("crossing")
        return found


def _minutes_of(place: int) -> str:
    """One minute of each four of the next half hour, in UTC, every day: place 0 is the first of the four."""
    now = datetime.now(UTC)
    since = (now.hour * 60 + now.minute) // 4 * 4
    begins = [(since + 4 * number + place) % 1440 for number in range(8)]
    parts = [f"Mon-Sun {begin // 60:02}:{begin % 60:02}-{(begin + 1) // 60:02}:{(begin + 1) % 60:02}" for begin in begins]
    return f"{', '.join(parts)} UTC"


def hours(stage: Borders) -> JSON:
    """dev bakes through one whole opening, and staging begins in another one two minutes later, watched until then."""
    through, begins = _minutes_of(0), _minutes_of(3)
    run = stage.begin("hours", [{"group": "dev", "bake": through}, {"group": "staging", "begin": begins}, {"group": "production"}])
    stage.until(run, "dev is done")
    stage.until(run, "staging may begin")
    told = stage.told(run)
    watched = run.output().partition("TASK [Watch those who have the version until the wave may begin]")[2]
    watched = watched.partition("TASK [Watch those")[2].partition("TASK [Enter")[0]
    return {**told, "through": through, "begins": begins, "watched": watched, "lines": run.output()}


def people(stage: Borders) -> JSON:
    """Two of three people let production begin; the runner is killed between them."""
    waves = [{"group": "dev"}, {"group": "staging"}, {"group": "production", "approve": {"count": 2, "of": ["ana", "ben", "eva"]}}]
    first = stage.begin("people", waves, part="-first")
    stage.until(first, "production waits for an approval")
    by = {"stranger": "mia", "starter": "tom"}
    told = {f"by_{part}": stage.command("people", "approve", part, release_by=name) for part, name in by.items()}
    told["by_ana"] = stage.command("people", "approve", "ana", release_by="ana", release_reason="CHG-7")
    told["status"] = stage.command("people", "fleet_status", "status")
    first.kill()
    between = stage.standing()
    second = stage.begin("people", waves, part="-second")
    stage.until(second, "1 of 2 of ana, ben, eva; ana approved")
    told["by_ben"] = stage.command("people", "approve", "ben", release_by="ben", release_reason="looks good")
    return stage.told(second, **told, between=between) | {"crossings": stage.crossings()}


def environments(stage: Borders) -> JSON:
    """The tag means another version by the time production may have it."""
    _tag(stage, GOOD)
    waves = [{"group": "dev", "bake": 5}, {"group": "staging", "bake": 5}, {"group": "production", "approve": True}]
    run = stage.begin("environments", waves, image=MOVING)
    stage.until(run, "production waits for an approval")
    _tag(stage, OTHER)
    approved = stage.command("environments", "approve", "approve", release_by="ana")
    return stage.told(run, approved=approved)


def _tag(stage: Borders, image: str) -> None:
    """Let the tag mean an image, in the node that runs all of them."""
    command = ["docker", "exec", stage.given["node"], "ctr", "-n", "k8s.io", "images", "tag", "--force", image, MOVING]
    subprocess.run(command, env={**os.environ, **find_engine().env}, check=True, stdout=subprocess.DEVNULL)


def lost(stage: Borders) -> JSON:
    """A region falls silent while it bakes and never answers again: the fleet stays unfinished until somebody lets it go."""
    way, variables = stage.way_to(PRODUCTION)
    inventory = stage.inventory("lost", **{PRODUCTION: variables})
    waves = [{"group": "dev"}, {"group": "staging"}, {"group": "production", "bake": 120}]
    run = stage.begin("lost", waves, inventory=inventory, release_unreachable_seconds=10)
    stage.until_wave(run, 2, "baking")
    way.shut()
    try:
        told = {"first": stage.told(run, without=PRODUCTION)}
        told["without_reason"] = stage.command("lost", "let_go", "mute", release_let_go=PRODUCTION)
        told["let"] = stage.command(
            "lost", "let_go", "let-go", release_let_go=PRODUCTION, release_reason="the region is closed", release_by="mia"
        )
    finally:
        way.open()
    return {**told, **stage.standing()}


def frozen(stage: Borders) -> JSON:
    """A freeze that begins while dev bakes: staging waits for its end; production's lasts too long, and the next run goes on by an override."""
    calendars = {name: stage.folder / f"freezes-{name}.yml" for name in (STAGING, PRODUCTION)}
    for file in calendars.values():
        file.write_text("[]")
    inventory = stage.inventory("frozen", **{name: {"release_freezes": [{"file": str(file)}]} for name, file in calendars.items()})
    waves = [{"group": "dev", "bake": 5}, {"group": "staging"}, {"group": "production"}]
    first = stage.begin("frozen", waves, inventory=inventory, part="-first", release_freeze_seconds=120)
    stage.until_wave(first, 0, "baking")
    ends = {STAGING: datetime.now(UTC) + timedelta(seconds=60), PRODUCTION: datetime.now(UTC) + timedelta(days=1)}
    for name, file in calendars.items():
        window = {"name": "audit", "from": "2026-01-01", "to": f"{ends[name]:%Y-%m-%d %H:%M:%S}", "timezone": "UTC"}
        file.write_text(json.dumps([window]))
    stage.until(first, "staging waits for freeze")
    told = {
        "status": stage.command("frozen", "fleet_status", "status"),
        "first": stage.told(first),
        "ends": f"{ends[STAGING]:%Y-%m-%dT%H:%M:%SZ}",
    }
    told["waited"] = stage.crossings()[STAGING]
    second = stage.begin("frozen", waves, inventory=inventory, part="-second", release_freeze_override="it burns")
    return stage.told(second, **told)


STORIES = {one.__name__: one for one in (hours, people, environments, frozen, lost)}


if __name__ == "__main__":
    Borders(json.load(sys.stdin)).play(STORIES)
