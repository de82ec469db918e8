"""examples.py DOCUMENT FOLDER: write the marked playbooks of a document as they stand; print the stories that run them, as JSON.

A block of yaml is a whole playbook when its first line is a comment with a file name. The only thing that differs when it is run is
that no time in it is longer than a few seconds.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

JSON = dict[str, Any]
FENCED = re.compile(r"^```yaml\n(?P<text># (?P<file>[a-z_]+\.yml)\n.*?)^```$", re.MULTILINE | re.DOTALL)
LONGEST_SECONDS = 5
EXPERIMENT_SECONDS = 30
PODS_SECONDS = 15  # until the pods' own counters have been read twice
LOAD, MOST_LOAD = 80, 200  # requests a second
LEAST_PER_SECOND = 2  # requests of the new version, at its smallest share
PLANNED = "plan as it stands"
COLLECTION = "progressive.delivery"
FOLDER = Path(__file__).resolve().parent
LAB = str(FOLDER.parents[2] / "lab" / "lab")
# of the shared stage; the playbooks say all of it themselves
UNSAID = {f"release_{name}": None for name in ("workload", "image", "traffic", "gates", "steps", "verify_seconds", "ready_timeout_seconds")}


def playbooks(document: str) -> dict[str, str]:
    """File name -> text, of each marked block. Raises ValueError for a name that stands twice."""
    found: dict[str, str] = {}
    for block in FENCED.finditer(document):
        if block["file"] in found:
            raise ValueError(f"two playbooks are called {block['file']}")
        found[block["file"]] = block["text"]
    return found


def variables(text: str) -> JSON:
    """The variables of a playbook that imports one of the collection's."""
    (play,) = yaml.safe_load(text)
    imported = play["ansible.builtin.import_playbook"]
    strategy = imported.removeprefix(f"{COLLECTION}.")
    return {"release_strategy": strategy, **play["vars"]} if strategy != "release" else dict(play["vars"])


def quicker(said: Mapping[str, Any]) -> JSON:
    """The variables whose times are long, with short ones."""
    found: JSON = {"release_verify_seconds": LONGEST_SECONDS}
    if any(isinstance(step, dict) for step in said.get("release_steps", [])):
        found["release_steps"] = [_brief(step) if isinstance(step, dict) else step for step in said["release_steps"]]
    if said.get("release_match_seconds"):
        found["release_match_seconds"] = LONGEST_SECONDS
    if "release_ab" in said:
        ab = dict(said["release_ab"])
        if "iterations" in ab:
            ab["iteration_seconds"] = EXPERIMENT_SECONDS / ab["iterations"]
        else:
            ab.update(at_least=f"{EXPERIMENT_SECONDS}s", at_most=f"{EXPERIMENT_SECONDS}s")
        found["release_ab"] = ab
    return found


def _brief(step: Mapping[str, Any]) -> JSON:
    return {**step, "bake_seconds": LONGEST_SECONDS} if "bake_seconds" in step else dict(step)


def chosen_requests(said: Mapping[str, Any]) -> str | None:
    """A header that the first match wants exactly, as lab load takes it."""
    for match in said.get("release_match", []):
        for name, value in match.get("headers", {}).items():
            if isinstance(value, str):
                return f"{name}: {value}"
    return None


def smallest_percent(said: Mapping[str, Any]) -> int:
    """The smallest share that the new version gets, of steps that say one."""
    return min((step["weight"] if isinstance(step, dict) else step for step in said.get("release_steps", [])), default=100)


def story(file: Path, text: str) -> JSON:
    """Plan the playbook as it stands, then run it with short times; see shared/story.py."""
    said = variables(text)
    name = file.stem.replace("_", "-")
    target = f"t-docs-{name}"
    acts: list[JSON] = [
        {"pause": PODS_SECONDS},
        {"plan": "plan", "playbook": str(file), "label": PLANNED},
        {"start": "release", "playbook": str(file), "extra": quicker(said)},
    ]
    if "release_ab" in said and (header := chosen_requests(said)):
        log = file.with_suffix(".chosen.load")
        load = [LAB, "load", "--host", f"{target}.example.com", "--header", header, "--rate", "20", "--duration", f"{EXPERIMENT_SECONDS}s"]
        acts += [{"until": {"started": "experiment"}}, {"run": [*load, "--out", str(log)], "label": "chosen"}]
    return {
        "name": name,
        "targets": {target: {}},
        "load": min(MOST_LOAD, max(LOAD, 100 * LEAST_PER_SECOND // smallest_percent(said))),
        "vars": {**UNSAID, "release_name": said["release_name"]},
        "service": said["release_traffic"]["service"] if "release_traffic" in said else said["release_workload"].partition("/")[2],
        "stable": "1.0.0",
        "routes": str(FOLDER / "objects" / "checkout.yml.tmpl"),
        "acts": [*acts, {"finish": "release"}],
    }


def main(document: str, folder: str) -> int:
    """Write and print."""
    stories: list[tuple[int, JSON]] = []
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, text in playbooks(Path(document).read_text()).items():
        file = Path(folder) / name
        file.write_text(text)
        stories.append((smallest_percent(variables(text)), story(file, text)))
    stories.sort(key=lambda one: one[0])  # those with small shares last longest, so they begin
    print(json.dumps([one for _percent, one in stories]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
