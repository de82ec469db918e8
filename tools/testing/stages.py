"""What a test run consists of, and how each stage's outcome is counted. Standard library only: it runs before the venv exists."""

from __future__ import annotations

import json
import pathlib
import xml.etree.ElementTree
from collections.abc import Callable
from dataclasses import dataclass

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "build" / "test"
DEEP_RESULTS = REPOSITORY / "build" / "deep"
# The cheapest first: a mistake that breaks all of them shows soonest. What is not named here follows by name.
LONG = (
    "awx",
    "borders",
    "controllers",
    "documentation",
    "engine_argo",
    "engine_flagger",
    "fleet",
    "guard",
    "install",
    "linkerd_role",
    "load_tester",
    "matrix",
    "outages",
    "people",
    "roles",
    "saturation",
    "sets",
    "slo",
    "swap",
    "train",
)  # scenarios of make test-deep alone; the others play a selection of the matrix's cells
SCENARIO_ORDER = ["bad_input", "canary_istio", "bad_versions", "control"]
# Nothing else is played beside scenarios that take away what all share (the API server, istiod, Prometheus, kinds), install it, or
# measure seconds.
ALONE = ("abort", "controllers", "engine_argo", "engine_flagger", "faults", "outages", "roles")
STATE = REPOSITORY / "build" / "molecule" / "state"  # each its own: molecule's usual place is that of all scenarios, and of other checkouts

# The steps of the scenarios' quick release at which a runner dies or an abort arrives; nothing is left to abort after promote.
DISTURBED_STEPS = ("deploy", "weight-50", "bake-50", "weight-100", "verify", "promote")


@dataclass(frozen=True)
class Count:
    """How many of a stage's checks passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


@dataclass(frozen=True)
class Stage:
    """One command. count turns its exit code into what passed and failed; needs names the stages that must pass before.

    aside: it needs no cluster, so it runs beside the scenarios, which mostly wait, at the lowest priority. alone: nothing else that
    needs the cluster runs meanwhile.
    """

    name: str
    command: list[str]
    count: Callable[[int], Count]
    needs: tuple[str, ...] = ()
    aside: bool = False
    alone: bool = True


def one(code: int) -> Count:
    """The command is one check."""
    return Count(passed=1) if code == 0 else Count(failed=1)


def preparation(code: int) -> Count:
    """The command checks nothing, but its failure is one."""
    return Count() if code == 0 else Count(failed=1)


def gates(code: int) -> Count:
    """Each gate is one check."""
    try:
        results = json.loads((REPOSITORY / "build" / "gates" / "results.json").read_text())
    except (OSError, ValueError):
        return one(code)
    failed = sum(not result["passed"] for result in results)
    return Count(len(results) - failed, max(failed, int(code != 0)))


def junit(path: pathlib.Path) -> Callable[[int], Count]:
    """Counts the cases of a JUnit file, or of those in a folder; a run that leaves none, or fails without a failed case, is one failure."""

    def count(code: int) -> Count:
        try:
            files = sorted(path.glob("*.xml")) if path.is_dir() else [path]
            cases = [case for file in files for case in xml.etree.ElementTree.parse(file).iter("testcase")]
        except (OSError, xml.etree.ElementTree.ParseError):
            return Count(failed=1)
        if not cases:
            return Count(failed=1)
        failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
        skipped = sum(case.find("skipped") is not None for case in cases)
        return Count(len(cases) - failed - skipped, max(failed, int(code != 0)), skipped)

    return count


def lab_up() -> Stage | None:
    """The cluster, started beside the static stages: a cold build takes half an hour."""
    if not (REPOSITORY / "lab" / "lab").exists():
        return None
    return Stage("lab-up", ["lab/lab", "up"], one)


def standard() -> list[Stage]:
    """The stages of `make test`, in order; a part that this checkout does not have is left out."""
    stages = [
        Stage("venv", ["tools/venv"], preparation),
        Stage("gates", ["tools/gates", "--without", "ansible-test-units"], gates, ("venv",)),
        units(),
        pytest("tests/unit/lab"),
    ]
    if lab_up():  # which builds the Prometheus that they start
        stages.append(pytest("tests/prometheus", workers=0, needs=("venv", "lab-up")))
    stages.append(pytest("tests/simulation"))
    return stages + [scenario(name) for name in scenario_names() if name not in LONG]


def units() -> Stage:
    """The unit tests of the collection, as ansible-test runs them: the longest of the gates, so it goes beside the scenarios."""
    reports = RESULTS / "ansible-test-units"
    command = ["env", f"PD_JUNIT={reports}", "tools/ansible-test", "units", "--num-workers", "2"]
    return Stage("ansible-test-units", command, junit(reports), ("venv",), aside=True)


def pytest(folder: str, workers: int = 2, needs: tuple[str, ...] = ("venv",)) -> Stage:
    """Plain pytest on one folder, with one worker a core; 0 workers: all in one process."""
    name = folder.removeprefix("tests/").replace("/", "-")
    report = RESULTS / f"{name}.xml"
    command = ["tools/with-environment", "pytest", "-q", "-n", str(workers), "-m", "not deep", f"--junit-xml={report}", folder]
    return Stage(name, command, junit(report), needs, aside=True)


def scenario_names() -> list[str]:
    """Every scenario but `default`, which only owns the cluster."""
    found = {path.parent.name for path in (REPOSITORY / "extensions" / "molecule").glob("*/molecule.yml")} - {"default"}
    first = [name for name in SCENARIO_ORDER if name in found]
    return first + sorted(found - {*first, *ALONE}) + [name for name in ALONE if name in found]


def scenario(name: str, *extra: str) -> Stage:
    """One molecule scenario on the lab's cluster; extra goes to ansible-playbook."""
    command = ["tools/with-environment", "molecule", "test", "--no-command-borders", "-s", name, *(["--", *extra] if extra else [])]
    own_state = ["env", f"MOLECULE_EPHEMERAL_DIRECTORY={STATE / name}"]
    return Stage(f"scenario-{name}", [*own_state, *command], one, ("venv", "lab-up"), alone=name in ALONE)


def deep() -> list[Stage]:
    """The stages of `make test-deep`: the tests marked deep, runners killed and releases aborted at every step, the whole matrix."""
    stages = [Stage("venv", ["tools/venv"], preparation)]
    for folder in ("tests/unit", "tests/simulation"):
        files = (REPOSITORY / folder).rglob("test_*.py")
        if any("mark.deep" in path.read_text() for path in files):
            name = folder.removeprefix("tests/")
            report = DEEP_RESULTS / f"{name}.xml"
            command = ["tools/with-environment", "pytest", "-n", "2", "-m", "deep", f"--junit-xml={report}", folder]
            stages.append(Stage(name, command, junit(report), ("venv",)))
    report = DEEP_RESULTS / "browser.xml"
    browser = ["tools/with-environment", "pytest", "-q", f"--junit-xml={report}", "tests/browser"]
    stages.append(Stage("browser", browser, junit(report), ("venv",), aside=True))
    shards: dict[str, dict[str, object]] = {
        "resume": {"resume_points": points(DISTURBED_STEPS)},
        "abort": {"abort_points": points(DISTURBED_STEPS[:-1])},
        "bad_input": {"bad_input_every": 1},
        **{name: {} for name in LONG},
        "engine_argo": {"engine_table": True},
        "engine_flagger": {"engine_table": True},
        "fleet": {"fleet_clusters": 3},
        "matrix": {"matrix_cells": ["all"], "matrix_folder": str(DEEP_RESULTS)},
    }
    stages += [scenario(name, "-e", json.dumps(variables)) for name, variables in shards.items() if name in scenario_names()]
    return [*stages, healthy_releases()]


def healthy_releases() -> Stage:
    """Healthy versions released 30 times on the lab; it fails when more of them are returned than chance explains."""
    command = ["tools/with-environment", "tests/benchmarks/run", "healthy_releases", "--no-document"]
    return Stage("healthy-releases", command, one, ("venv", "lab-up"))


def points(steps: tuple[str, ...]) -> list[dict[str, str]]:
    """The beginning and the end of each step, as the scenarios name a moment of a release."""
    return [{edge: step} for step in steps for edge in ("started", "ended")]
