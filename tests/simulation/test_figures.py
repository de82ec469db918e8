# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published figure of the decision rule, and what the rule promises where none was published, for the code as it is.

`pytest tests/simulation/test_figures.py -s` prints the tables; `tests/benchmarks/run decisions` runs them with as many runs as were
published and writes docs/decision-rule-figures.md.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from ansible_collections.progressive.delivery.tests.simulation.figures import as_markdown
from ansible_collections.progressive.delivery.tests.simulation.tables import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_table(name):
    table = TABLES[name]
    cells = list(table.simulate(table.runs, np.random.default_rng(zlib.crc32(name.encode()))))
    print("\n" + as_markdown(cells))
    assert cells
    assert not [miss for cell in cells for miss in cell.misses]
