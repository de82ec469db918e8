"""Plays the stories of a fleet of three regions and leaves what came of each in a file. The stage is JSON on standard input."""

from __future__ import annotations

import json
import sys
import time

from stage import BAD, ENDING_SECONDS, GOOD, JSON, Stage

AWAY_SECONDS = 300.0
WATCHED_SECONDS = 8.0


def refused(stage: Stage) -> JSON:
    """Too few forks, a group that there is not, and two hosts that are one place: each refused with nothing changed."""
    inventory = stage.inventory("refused")
    forks = stage.run("refused", inventory, "-e", f"release_image={GOOD}", "--forks", "2", part="-forks")
    group = json.dumps({"release_image": GOOD, "release_waves": [{"group": "wave_9"}]})
    unknown = stage.run("refused", inventory, "-e", group, part="-group")
    names = list(stage.regions)
    twice = {
        names[2]: {key: stage.regions[names[1]][here] for key, here in (("kubeconfig", "kubeconfig"), ("release_namespace", "namespace"))}
    }
    same = stage.run("refused", stage.inventory("refused-same", **twice), "-e", f"release_image={GOOD}", part="-same")
    told = {name: {**run.finish(ENDING_SECONDS), "output": run.output()[-3000:]} for name, run in (("forks", forks), ("group", unknown))}
    return {**stage.told(same), **told}


def good(stage: Stage) -> JSON:
    """All waves take a good version."""
    return stage.told(stage.run("good", stage.inventory("good"), "-e", f"release_image={GOOD}"))


def bad_region(stage: Stage) -> JSON:
    """The version is bad in one region of the second wave."""
    bad = list(stage.regions)[1]
    of_host = {name: {"release_image": BAD if name == bad else GOOD} for name in stage.regions}
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
    slow = {name: {"release_steps": [{"weight": 50, "bake_seconds": 90}, 100]} for name in list(stage.regions)[1:]}
    inventory = stage.inventory("aborted", **slow)
    run = stage.run("aborted", inventory, "-e", f"release_image={GOOD}")
    stage.until(run, "wave_2 begins")
    last = list(stage.regions)[2]
    stage.until(run, f"{last:<12}  weight")
    asked = time.time()
    abort = stage.run("aborted", inventory, "-e", "release_name=shop", "-e", "release_reason=incident", playbook="abort", part="-abort")
    told = abort.finish(ENDING_SECONDS)
    return stage.told(run, abort={**told, "took": time.time() - asked, "output": abort.output()[-4000:]})


def unreachable(stage: Stage) -> JSON:
    """A region cannot be reached while its wave bakes: the others go back at once, it does with the next run."""
    last = list(stage.regions)[2]
    way, variables = stage.way_to(last)
    inventory = stage.inventory("unreachable", **{last: variables})
    waves = [{"group": "wave_1"}, {"group": "wave_2", "bake": AWAY_SECONDS}]
    said = json.dumps({"release_image": GOOD, "release_waves": waves, "release_unreachable_seconds": 10})
    run = stage.run("unreachable", inventory, "-e", said, part="-first")
    stage.until_wave(run, 1, "baking")
    time.sleep(WATCHED_SECONDS)
    way.shut()
    shut = time.time()
    try:
        first = stage.told(run, without=last)
    finally:
        way.open()
    first = {**first, "away_seconds": time.time() - shut, "images": {**first["images"], last: stage.image(last)}}
    return stage.told(stage.run("unreachable", inventory, "-e", said), first=first, away=last)


STORIES = {one.__name__: one for one in (refused, good, bad_region, killed, aborted, unreachable)}


if __name__ == "__main__":
    Stage(json.load(sys.stdin)).play(STORIES, without_trace=("refused",))
