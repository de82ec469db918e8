"""The decision rule's figures with as many runs as were published: no lab, two processes; writes docs/decision-rule-figures.md."""

from __future__ import annotations

import subprocess
import sys

from pdlab.paths import CHECKOUT

RUNS = 1  # a multiple of what tests/simulation/tables.py says


def measure(runs: int) -> None:
    """Simulate every table, `runs` times as deep as published. Raises CalledProcessError when a figure does not agree."""
    command = [sys.executable, str(CHECKOUT / "tests/simulation/write_figures.py"), "--depth", str(runs)]
    subprocess.run(command, check=True)
