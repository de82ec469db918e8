# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/engine-flagger.md says what the code does."""

from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.engine.flagger.flagger_tables import PAGE, page


def test_the_tables_of_the_page_are_those_of_the_code():
    text = PAGE.read_text()
    assert text == page(text), "write them anew: see flagger_tables.py"
