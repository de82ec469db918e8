"""Run each static gate, go on after a failure, and end with a table of gate, seconds and result."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
LOGS = REPOSITORY / "build" / "gates"
SHOWN_LINES = 40

# The slowest first: with two at a time the whole run then ends soonest.
GATES = {
    "sanity": "tools/ansible-test sanity",
    "importer": "tools/testing/importer",
    "ansible-test-units": "tools/ansible-test units --num-workers 2",
    "ansible-lint": "ansible-lint --offline --profile production --strict",
    "mypy": "tools/testing/types",
    "docs": "tools/testing/docs",
    "ruff": "ruff check .",
    "format": "ruff format --check .",
    "yamllint": "yamllint --strict .",
    "changelog": "antsibull-changelog lint",
    "role-arguments": "python tests/gates/role_arguments.py",
    "size": "python tests/gates/size.py",
    "machine-names": "python tests/gates/machine_names.py",
}


@dataclass
class Result:
    """What one gate said."""

    gate: str
    passed: bool
    seconds: float


def run(gate: str) -> Result:
    """Run one gate with its output in build/gates/GATE.log."""
    started = time.monotonic()
    with (LOGS / f"{gate}.log").open("w") as log:
        code = subprocess.run(GATES[gate].split(), cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
    return Result(gate, code == 0, round(time.monotonic() - started, 1))


def show_failure(gate: str) -> None:
    """Print the end of a failed gate's log and how to run that gate alone."""
    lines = (LOGS / f"{gate}.log").read_text(errors="replace").splitlines()
    print(f"\n--- {gate}: {GATES[gate]}  (last lines of build/gates/{gate}.log; alone: tools/gates {gate})")
    print("\n".join(lines[-SHOWN_LINES:]) + "\n", flush=True)


def main() -> int:
    """Run the chosen gates; 0 when all passed."""
    parser = argparse.ArgumentParser(prog="tools/gates", description=__doc__)
    parser.add_argument("gates", nargs="*", metavar="GATE", help=f"of: {', '.join(GATES)}")
    parser.add_argument("--without", action="append", default=[], metavar="GATE", choices=GATES, help="leave one out")
    parser.add_argument("--list", action="store_true", help="print the gates and their commands")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{gate:20}{command}" for gate, command in GATES.items()))
        return 0
    if unknown := set(options.gates) - set(GATES):
        parser.error(f"no such gate: {', '.join(sorted(unknown))}")

    LOGS.mkdir(parents=True, exist_ok=True)
    (LOGS / "results.json").unlink(missing_ok=True)  # a run that dies must not be counted by its last one
    results = []
    with ThreadPoolExecutor(options.jobs) as pool:
        chosen = [gate for gate in options.gates or GATES if gate not in options.without]
        for future in as_completed([pool.submit(run, gate) for gate in chosen]):
            result = future.result()
            results.append(result)
            print(f"gate {result.gate:20}{result.seconds:7.1f} s  {'ok' if result.passed else 'FAILED'}", flush=True)
            if not result.passed:
                show_failure(result.gate)

    (LOGS / "results.json").write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    failed = [result for result in results if not result.passed]
    print("\n" + "\n".join(f"{result.gate:20}{result.seconds:7.1f} s  {'ok' if result.passed else 'FAILED'}" for result in results))
    print(f"{len(results) - len(failed)} gates passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
