# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulates every table as deep as published and writes docs/decision-rule-figures.md; run by `tests/benchmarks/run decisions`."""

from __future__ import annotations

import argparse
import multiprocessing
import pathlib
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor

from ansible.plugins.loader import init_plugin_loader

REPOSITORY = pathlib.Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "decision-rule-figures.md"
HEAD = """# Figures of the decision rule

Written by one command, `tests/benchmarks/run decisions` (it needs no cluster); `make test` checks the same tables with fewer runs. The
rule is the code's own (`plugins/module_utils/analysis`), its arithmetic on arrays for many runs at once, proven equal look by look by
`tests/simulation/test_bulk.py`, `test_rivals.py` and `test_scrapes.py`.

Each figure is ours ± one standard error. "Published" is the figure of the analysis that the rule was chosen by (20,000 runs a column, or
as said there); ours agrees when it lies within 3.9 standard errors of both simulations and the rounding of the published one, else it
says MISS. "At most" and "at least" are what the rule promises where nothing was published. A letter in brackets marks a figure that need
not agree, with the reason below the table. Unless said: stable fails 0.1 % of requests, Poisson arrivals, the limit is 1 %, {runs} runs
of each cell at the least. Uneven pods: one canary pod and nine of stable, each with a lognormal rate.

The rule that was published gave all of α to the release as a whole; the code keeps 1 % of it for a fresh start at each step. That moves
no figure by more than its sampling error. Retries, restarts and late scrapes were not part of the published runs.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depth", type=float, default=1.0, help="multiple of the published number of runs")
    depth = parser.parse_args().depth
    collections = subprocess.run([REPOSITORY / "tools/collection-link"], check=True, capture_output=True, text=True).stdout.strip()
    init_plugin_loader([collections])
    from ansible_collections.progressive.delivery.tests.simulation.figures import as_markdown
    from ansible_collections.progressive.delivery.tests.simulation.tables import TABLES

    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as workers:
        cells = []
        for name, found in zip(TABLES, workers.map(_simulate, TABLES, [depth] * len(TABLES)), strict=True):
            print(f"{name}: {len(found)} cells", flush=True)
            cells += found
    least = min(int(table.deep_runs * depth) for table in TABLES.values())
    PAGE.write_text(HEAD.format(runs=f"{least:,}") + as_markdown(cells).rstrip() + "\n")
    misses = [miss for cell in cells for miss in cell.misses]
    print("\n".join(misses) or f"all figures agree; written to {PAGE.relative_to(REPOSITORY)}")
    return 1 if misses else 0


def _simulate(name: str, depth: float) -> list:
    import numpy as np
    from ansible_collections.progressive.delivery.tests.simulation.tables import TABLES

    table = TABLES[name]
    return list(table.simulate(int(table.deep_runs * depth), np.random.default_rng([1, zlib.crc32(name.encode())])))


if __name__ == "__main__":
    sys.exit(main())
