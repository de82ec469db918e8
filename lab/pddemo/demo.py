"""The demo: the lab, a target, steady load, four releases, a table."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from pdlab.cache import locked
from pdlab.cluster import DEFAULT, kubectl
from pdlab.errors import LabError
from pdlab.images import LAB_REPOSITORY
from pdlab.paths import CHECKOUT, LAB
from pdlab.shell import succeeds
from pdlab.target import reset_target

from . import fleet
from .playbook import Playbooks, shown
from .traffic import Load, seen, steady

TARGET = "demo"
PROMOTED = "promoted"
REQUESTS_PER_SECOND = 100
FIRST_VERSION = "1.0.0"
SLOW_MS = 500.0  # as the gate `slow` of release.yml
SETTINGS = LAB / "pddemo" / "release.yml"
FOLDER = CHECKOUT / "build" / "demo"
RESULT = FOLDER / "result.json"
ENVIRONMENT = "KUBECONFIG=$(lab/lab kubeconfig) ANSIBLE_COLLECTIONS_PATH=$(tools/collection-link)"
HISTORY_SECONDS = 12.0  # the gates need two scrapes of stable's counters


@dataclass(frozen=True)
class Story:
    """One release of the demo: what it is called, which version it brings, what should become of it."""

    name: str
    version: str
    what: str
    ends: str = "rolled_back"
    variables: tuple[tuple[str, str], ...] = ()


STORIES = (
    Story("good", "1.1.0", "a good version: it should be promoted", ends=PROMOTED),
    Story("errors", "1.3.0-errors", "5 % of its answers are errors: it should be rolled back"),
    Story("slow", "1.4.0-slow", "30 % of its answers take 800 ms: the latency gate should roll it back"),
    Story(
        "never-ready",
        "1.5.0-unready",
        "its pods never become ready: it should get no traffic at all",
        variables=(("release_ready_timeout_seconds", "20"),),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="demo", description="Four releases on a real cluster under real load: one good version, three bad ones."
    )
    parser.add_argument("--no-up", action="store_true", help="take the lab as it is")
    parser.add_argument("--fleet", action="store_true", help="instead: three clusters as three regions, wave after wave")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started us with SIGINT ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with locked("demo"):
            return (fleet.run if options.fleet else run)(lab_is_up=options.no_up)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; the load has stopped, traffic is with stable. The next run begins anew.", file=sys.stderr)
        return 130


def run(*, lab_is_up: bool) -> int:
    """The whole demo; 0 when everything ended as it should."""
    began = time.monotonic()
    print(f"Demo: four releases of the shop (a small service of the lab) under {REQUESTS_PER_SECOND} requests a second.", flush=True)
    if not lab_is_up and subprocess.run([sys.executable, str(LAB / "lab"), "up"], check=False).returncode != 0:
        raise LabError("The lab is not up; see the lines above.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    RESULT.unlink(missing_ok=True)
    playbooks = Playbooks(DEFAULT, (SETTINGS,))
    _prepare(playbooks)
    releases = []
    try:
        with steady(f"{TARGET}.example.com", REQUESTS_PER_SECOND, DEFAULT, FOLDER / "load.jsonl") as load:
            print(f"Load flows through the gateway. The settings of all four releases: {SETTINGS.relative_to(CHECKOUT)}", flush=True)
            time.sleep(HISTORY_SECONDS)
            for number, story in enumerate(STORIES, start=1):
                releases.append(_release(playbooks, load, story, number))
    except BaseException:
        playbooks.abort_unfinished(TARGET, TARGET)
        raise
    RESULT.write_text(json.dumps({"releases": releases}, indent=1) + "\n")
    problems = complaints(releases)
    _tell(playbooks, releases, problems, time.monotonic() - began)
    return 1 if problems else 0


def complaints(releases: list[dict[str, Any]]) -> list[str]:
    """What did not end as the demo promises: one sentence each."""
    found = []
    for story, release in zip(STORIES, releases, strict=True):
        if release["outcome"] != story.ends:
            found.append(f"{story.version} was {release['outcome']} ({release['reason']}): {story.what}")
        if release["failed_by_tool"]:
            found.append(f"{release['failed_by_tool']} requests failed during {story.name} that {story.version} did not answer")
    return found


def _prepare(playbooks: Playbooks) -> None:
    """A pristine target, whatever an earlier run left: its release is ended the way a user would end it."""
    if succeeds([*kubectl(DEFAULT), "get", "namespace", TARGET]):
        for name in playbooks.abort_unfinished(TARGET, TARGET):
            print(f"Ended release {name}, which an earlier run left unfinished.", flush=True)
    reset_target(DEFAULT, TARGET, f"{LAB_REPOSITORY}/shop:{FIRST_VERSION}")


def _release(playbooks: Playbooks, load: Load, story: Story, number: int) -> dict[str, Any]:
    variables = {
        "release_name": story.name,
        "release_image": f"{LAB_REPOSITORY}/shop:{story.version}",
        "release_report_dir": "build/demo/releases",
        **dict(story.variables),
    }
    print(f"\n── {number} of {len(STORIES)} · shop {story.version}: {story.what}", flush=True)
    print(f"$ {shown(playbooks.command('release', TARGET, variables))}", flush=True)
    load.new_records()
    code = playbooks.play("release", TARGET, {**variables, "release_report_dir": str(FOLDER / "releases")})
    records = load.new_records()
    ended = next((one for one in playbooks.statuses(TARGET, TARGET) if one["release_name"] == story.name), None)
    outcome, reason = (ended["outcome"], ended["reason"]) if ended else ("refused", f"ansible-playbook ended with {code}; see above")
    counts = seen(records, None if story.ends == PROMOTED else story.version, SLOW_MS)
    return {
        "name": story.name,
        "version": story.version,
        "outcome": outcome,
        "reason": reason,
        "bad_seconds": round(counts.bad_seconds, 2),
        "failed_requests": counts.failed_requests,
        "failed_by_tool": counts.failed_by_tool,
        "requests": counts.requests,
        "requests_to_bad_version": counts.bad_version_requests,
        "bad_answers": counts.bad_answers,
        "release_id": ended["release_id"] if ended else "",
    }


def _tell(playbooks: Playbooks, releases: list[dict[str, Any]], problems: list[str], seconds: float) -> None:
    print(f"\n{'version':<14} {'outcome':<12} {'bad answers':>11} {'during':>8} {'failed':>7} {'by the tool':>11}  why")
    for one in releases:
        counts = f"{one['bad_answers']:>11,} {one['bad_seconds']:>6.1f} s {one['failed_requests']:>7,} {one['failed_by_tool']:>11,}"
        print(f"{one['version']:<14} {one['outcome']:<12} {counts}  {one['reason']}")
    print(
        "bad answers: errors of the bad version and its answers slower than 500 ms · during: from the first to the last of them\n"
        "failed: no answer or not 2xx · by the tool: of these, not answered by the bad version itself"
    )
    print(f"\nresult   {RESULT.relative_to(CHECKOUT)}")
    for one in releases:
        report = FOLDER / "releases" / one["release_id"] / "report.html"
        if one["release_id"] and report.exists():
            print(f"report   {report.relative_to(CHECKOUT)}   {one['version']} {one['outcome']}")
    print(f"look     {ENVIRONMENT} \\\n         $(tools/venv)/{shown(playbooks.command('status', TARGET))}")
    print(f"took     {seconds / 60:.1f} minutes")
    for problem in problems:
        print(f"NOT AS IT SHOULD BE: {problem}", file=sys.stderr)
