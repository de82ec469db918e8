"""The demo of a fleet: three clusters as three regions, each with its share of the world's traffic, released wave after wave.

First a version that is good everywhere. Then one that is good until the second region has it whole, and 40 % of the world with it: from then on
a tenth of its answers there are errors, and everybody goes back.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pdlab import several
from pdlab.cluster import DEFAULT, kubectl
from pdlab.errors import LabError
from pdlab.images import LAB_REPOSITORY
from pdlab.paths import CHECKOUT, LAB
from pdlab.progress import say
from pdlab.shell import ask
from pdlab.target import reset_target

from .playbook import Playbooks, shown
from .traffic import Load, seen, steady

INVENTORY = CHECKOUT / "docs" / "examples" / "three-regions.yml"
CONTEXTS = {"us_west_1": "prod-usw1", "us_east_1": "prod-use1", "eu_west_1": "prod-euw1"}  # as the inventory names them
TURNS_IN = "us_east_1"
NAMESPACE = "shop"
SETTINGS = LAB / "pddemo" / "fleet.yml"
FOLDER = CHECKOUT / "build" / "demo" / "fleet"
KUBECONFIG = FOLDER / "kubeconfig"
RESULT = FOLDER / "result.json"
REQUESTS_PER_SECOND = 40  # in each region
REPLICAS = 2
HISTORY_SECONDS = 12.0  # the gates need two scrapes of stable's counters
OLD, GOOD, TURNS = "1.0.0", "1.1.0", "1.8.0-turns"
LOOK = f"KUBECONFIG={KUBECONFIG.relative_to(CHECKOUT)} ANSIBLE_COLLECTIONS_PATH=$(tools/collection-link)"


def clusters() -> dict[str, str]:
    """Region → its cluster of the lab."""
    return dict(zip(CONTEXTS, several.names(DEFAULT, len(CONTEXTS)), strict=True))


def run(*, lab_is_up: bool) -> int:
    """The whole demo; 0 when everything ended as it should."""
    began = time.monotonic()
    print(f"Demo: a fleet of {len(CONTEXTS)} regions, each a cluster, under {REQUESTS_PER_SECOND} requests a second in each.", flush=True)
    up = [sys.executable, str(LAB / "lab"), "up", "--clusters", str(len(CONTEXTS))]
    if not lab_is_up and subprocess.run(up, check=False).returncode != 0:
        raise LabError("The lab is not up; see the lines above.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULT.unlink(missing_ok=True)
    several.write_kubeconfig(KUBECONFIG, {CONTEXTS[region]: cluster for region, cluster in clusters().items()})
    with ThreadPoolExecutor(len(CONTEXTS)) as pool:
        list(pool.map(lambda one: reset_target(one, NAMESPACE, f"{LAB_REPOSITORY}/shop:{OLD}", REPLICAS), clusters().values()))
    playbooks = Playbooks(DEFAULT, (SETTINGS,)).over(INVENTORY, KUBECONFIG, len(CONTEXTS))
    with contextlib.ExitStack() as stack:
        host = f"{NAMESPACE}.example.com"
        loads = {
            region: stack.enter_context(steady(host, REQUESTS_PER_SECOND, cluster, FOLDER / f"{region}.jsonl"))
            for region, cluster in clusters().items()
        }
        time.sleep(HISTORY_SECONDS)
        good = _release(playbooks, loads, GOOD, "a good version: every region takes it, wave after wave")
        with _turned_in_second_wave():
            bad = _release(playbooks, loads, TURNS, f"good until {TURNS_IN} has it whole, then 10 % errors there: everybody should go back")
    releases = [good, bad]
    problems = complaints(releases)
    RESULT.write_text(json.dumps({"releases": releases}, indent=1) + "\n")
    _tell(playbooks, releases, problems, time.monotonic() - began)
    return 1 if problems else 0


def complaints(releases: list[dict[str, Any]]) -> list[str]:
    """What did not end as the demo promises: one sentence each."""
    found = []
    for one, ends in zip(releases, (GOOD, GOOD), strict=True):
        wrong = {region: serves for region, serves in one["serves"].items() if serves != ends}
        if wrong:
            found.append(f"after {one['version']} {ends} should serve everywhere, but: {wrong}")
        if one["promoted"] != (one["version"] == GOOD):
            found.append(f"the job of {one['version']} ended with {one['code']}")
        lost = {region: counts["failed_by_tool"] for region, counts in one["regions"].items() if counts["failed_by_tool"]}
        if lost:
            found.append(f"requests failed during {one['version']} that it did not answer: {lost}")
    return found


def _release(playbooks: Playbooks, loads: dict[str, Load], version: str, what: str) -> dict[str, Any]:
    reports = FOLDER / "releases"
    variables = {"release_image": f"{LAB_REPOSITORY}/shop:{version}", "release_report_dir": str(reports.relative_to(CHECKOUT))}
    print(f"\n── shop {version}: {what}", flush=True)
    print(f"$ {LOOK} \\\n  {shown(playbooks.command('release', '', variables))}", flush=True)
    for load in loads.values():
        load.new_records(0.5)
    began = time.monotonic()
    code = playbooks.play("release", "", {**variables, "release_report_dir": str(reports)})
    bad_version = None if version == GOOD else version
    return {
        "version": version,
        "code": code,
        "promoted": code == 0,
        "seconds": round(time.monotonic() - began, 1),
        "serves": {region: _image(cluster).rpartition(":")[2] for region, cluster in clusters().items()},
        "regions": {region: vars(seen(load.new_records(), bad_version)) for region, load in loads.items()},
    }


def _image(cluster: str) -> str:
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    return ask([*kubectl(cluster), "-n", NAMESPACE, "get", "deployment", "shop", "-o", path]).strip()


@contextlib.contextmanager
def _turned_in_second_wave() -> Any:
    """Turns the pods of one region as soon as its wave bakes, while the block runs."""
    over = threading.Event()
    thread = threading.Thread(target=_turn_when_it_bakes, args=[over], daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _turn_when_it_bakes(over: threading.Event) -> None:
    home, there = (clusters()[region] for region in (next(iter(CONTEXTS)), TURNS_IN))
    while not over.wait(1.0):
        with contextlib.suppress(LabError):
            if _wave_bakes(home, 1):
                pods = ask([*kubectl(there), "-n", NAMESPACE, "get", "pods", "-l", "app=shop", "-o", "name"]).split()
                for pod in pods:
                    ask([*kubectl(there), "get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/{pod.replace('pod/', 'pods/')}:8080/proxy/turn"])
                say(f"demo: from now on a tenth of {TURNS}'s answers in {TURNS_IN} are errors")
                return


def _wave_bakes(home: str, number: int) -> bool:
    """Whether the fleet's record says that a wave bakes which has the version that turns."""
    found = ask([*kubectl(home), "-n", NAMESPACE, "get", "configmap", "fleet-shop", "-o", "jsonpath={.data.progress}"])
    progress = json.loads(found)
    return progress["image"].endswith(TURNS) and progress["waves"][number]["state"] == "baking"


def _tell(playbooks: Playbooks, releases: list[dict[str, Any]], problems: list[str], seconds: float) -> None:
    print(f"\n{'version':<12} {'region':<10} {'serves now':<12} {'requests':>9} {'failed':>7} {'by the tool':>12}")
    for one in releases:
        for region, counts in one["regions"].items():
            numbers = f"{counts['requests']:>9,} {counts['failed_requests']:>7,} {counts['failed_by_tool']:>12,}"
            print(f"{one['version']:<12} {region:<10} {one['serves'][region]:<12} {numbers}")
    print("failed: no answer or not 2xx · by the tool: of these, not answered by the version on trial itself")
    for one in releases:
        print(f"{one['version']} took {one['seconds'] / 60:.1f} minutes")
    for report in sorted((FOLDER / "releases").glob("*/report.html"), key=_age)[-len(releases) :]:
        print(f"report   {report.relative_to(CHECKOUT)}")
    print(f"result   {RESULT.relative_to(CHECKOUT)}")
    print(f"look     {LOOK} \\\n         $(tools/venv)/{shown(playbooks.command('fleet_status', ''))}")
    print(f"took     {seconds / 60:.1f} minutes; lab/lab stop --cluster NAME ends a cluster that is not needed now")
    for problem in problems:
        print(f"NOT AS IT SHOULD BE: {problem}", file=sys.stderr)


def _age(file: Path) -> float:
    return file.stat().st_mtime
