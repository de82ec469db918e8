"""Runs the named benchmarks, or all, one after another; says what was measured."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable

from pdlab.cache import locked
from pdlab.errors import LabError
from pdlab.paths import CHECKOUT, LAB

from . import (
    bad_answers,
    cut_over,
    decisions,
    detection,
    failed_requests,
    fleet_targets,
    good_release,
    healthy_releases,
    look,
    pod_reads,
    side_by_side,
    tables,
    waiting_release,
    weight_shift_in_release,
    weight_shift_task,
)
from .support import CLUSTER, RunFailed, results, say

QUICK_RUNS = 2
BENCHMARKS: dict[str, tuple[Callable[[int], None], int]] = {
    "weight_shift_in_release": (weight_shift_in_release.measure, weight_shift_in_release.RUNS),
    "weight_shift_task": (weight_shift_task.measure, weight_shift_task.RUNS),
    "good_release": (good_release.measure, good_release.RUNS),
    "waiting_release": (waiting_release.measure, waiting_release.RUNS),
    "bad_answers": (bad_answers.measure, bad_answers.RUNS),
    "bad_answers_pods": (bad_answers.measure_pods, bad_answers.RUNS),
    "failed_requests": (failed_requests.measure, failed_requests.RUNS),
    "cut_over": (cut_over.measure, cut_over.RUNS),
    "bad_answers_15s": (bad_answers.measure_15s, bad_answers.RUNS),
    "fleet_targets": (fleet_targets.measure, fleet_targets.TARGETS),
    "healthy_releases": (healthy_releases.measure, healthy_releases.RUNS),
    "detection": (detection.measure, detection.RUNS),
    "look": (look.measure, look.RUNS),
    "pod_reads": (pod_reads.measure, pod_reads.RUNS),
    "side_by_side": (side_by_side.measure, side_by_side.RUNS),
    "decisions": (decisions.measure, decisions.RUNS),
}
WITHOUT_LAB = {"decisions", "look", "pod_reads"}
OWN_DOCUMENT = {"decisions"}


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell started us with SIGINT ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.table:
        tables.show(results())
        return 0
    up = [sys.executable, str(LAB / "lab"), "up", "--cluster", CLUSTER]
    needs_lab = not options.name or not WITHOUT_LAB.issuperset(options.name)
    has_rows = not options.name or not OWN_DOCUMENT.issuperset(options.name)
    if needs_lab and not options.no_up and subprocess.run(up, check=False).returncode != 0:
        return 1
    failed = [name for name in options.name or BENCHMARKS if not _ran(name, options)]
    if has_rows:
        tables.show(results())
    if has_rows and not options.quick and not options.no_document:
        tables.write_document(results(), CHECKOUT / "docs" / "benchmarks.md")
    for name in failed:
        print(f"{name}: not finished; see above", file=sys.stderr)
    return 1 if failed else 0


def _ran(name: str, options: argparse.Namespace) -> bool:
    measure, usual = BENCHMARKS[name]
    runs = options.runs or (QUICK_RUNS if options.quick else usual)
    say(f"Benchmark {name}: {runs} runs")
    try:
        with locked(f"bench-{name}"):
            measure(runs)
    except (LabError, RunFailed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        traceback.print_exc()
        say(f"Benchmark {name} ended early: {error}")
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/benchmarks/run", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[[], *BENCHMARKS], help="benchmarks to run; without a name: all")
    parser.add_argument(
        "--runs",
        "--targets",
        type=int,
        metavar="N",
        help="instead of as many as the goals are stated for; of fleet_targets: so many targets",
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs each; the document stays as it is")
    parser.add_argument("--no-document", action="store_true", help="the document stays as it is")
    parser.add_argument("--no-up", action="store_true", help="take the lab as it is")
    parser.add_argument("--table", action="store_true", help="only print what was measured before")
    return parser


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(130)
