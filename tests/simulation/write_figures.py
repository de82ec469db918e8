# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Simulates every table as deep as published and writes docs/decision-rule-figures.md; run by `tests/benchmarks/run decisions`.

A table that is done is kept in build/decisions, for the same code and depth: a run that was broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import pathlib
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict

from ansible.plugins.loader import init_plugin_loader

REPOSITORY = pathlib.Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "decision-rule-figures.md"
KEPT = REPOSITORY / "build" / "decisions"
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
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    options = parser.parse_args()
    depth = options.depth
    collections = subprocess.run([REPOSITORY / "tools/collection-link"], check=True, capture_output=True, text=True).stdout.strip()
    init_plugin_loader([collections])
    from ansible_collections.progressive.delivery.tests.simulation.figures import as_markdown
    from ansible_collections.progressive.delivery.tests.simulation.tables import TABLES

    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("fork")) as workers:
        wanted = {workers.submit(_simulate, name, depth): name for name in TABLES}
        for done in as_completed(wanted):
            print(f"{wanted[done]}: {len(done.result())} cells", flush=True)
    cells = [cell for found in sorted(wanted, key=lambda one: list(TABLES).index(wanted[one])) for cell in found.result()]
    least = min(int(table.deep_runs * depth) for table in TABLES.values())
    PAGE.write_text(HEAD.format(runs=f"{least:,}") + as_markdown(cells).rstrip() + "\n")
    misses = [miss for cell in cells for miss in cell.misses]
    print("\n".join(misses) or f"all figures agree; written to {PAGE.relative_to(REPOSITORY)}")
    return 1 if misses else 0


def _simulate(name: str, depth: float) -> list:
    """The cells of a table, simulated or as they were kept."""
    import numpy as np
    from ansible_collections.progressive.delivery.tests.simulation.figures import Cell, Figure
    from ansible_collections.progressive.delivery.tests.simulation.tables import TABLES

    table = TABLES[name]
    kept = KEPT / f"{name}-{int(table.deep_runs * depth)}-{_code()}.json"
    if not kept.exists():
        cells = list(table.simulate(int(table.deep_runs * depth), np.random.default_rng([1, zlib.crc32(name.encode())])))
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.with_suffix(".part").write_text(json.dumps([asdict(cell) for cell in cells]))
        kept.with_suffix(".part").rename(kept)
    found = json.loads(kept.read_text())
    return [Cell(**{**cell, "figures": tuple(Figure(**figure) for figure in cell["figures"])}) for cell in found]


def _code() -> str:
    """What the figures depend on: the rule and its simulation."""
    sources = [*(REPOSITORY / "plugins/module_utils/analysis").glob("*.py"), *pathlib.Path(__file__).parent.glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources) if path.name != pathlib.Path(__file__).name)).hexdigest()[
        :12
    ]


if __name__ == "__main__":
    sys.exit(main())
