# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/engine-flagger.md, from those that the code goes by. Run as a program it writes them into the page.

PYTHONPATH=$(tools/collection-link) tools/with-environment python tests/unit/plugins/module_utils/engine/flagger/flagger_tables.py
"""

from pathlib import Path

from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger.fields import LIMITS
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger.table import ENDED, TABLE
from ansible_collections.progressive.delivery.plugins.module_utils.engine.table import REFUSED

PAGE = Path(__file__).resolve().parents[6] / "docs" / "engine-flagger.md"


def refused():
    """The options that must be left as they are."""
    return "\n".join(["| option | what it may be |", "|---|---|", *(f"| `{one.option}` | {_sentence(one.allowed)} |" for one in LIMITS)])


def verbs():
    """For each verb, what is done in which phases."""
    return _effects(TABLE)


def ended():
    """The same of a release that has ended."""
    return _effects(ENDED)


def _effects(table):
    rows = ["| verb | in | |", "|---|---|---|"]
    for verb, row in table.items():
        said = {}
        for phase, effect in row.items():
            text = f"refused: {effect.said}" if effect.kind == REFUSED else effect.said
            said.setdefault(text, []).append(phase or "(new)")
        rows += [f"| `{verb}` | {', '.join(phases)} | {_sentence(text)} |" for text, phases in said.items()]
    return "\n".join(rows)


def _sentence(text):
    return (text[0].upper() + text[1:]).replace("|", "\\|")


def page(text):
    """The page with its tables anew."""
    for name, table in (("refused", refused), ("verbs", verbs), ("ended", ended)):
        before, begin, rest = text.partition(f"<!-- begin {name} -->\n")
        _old, end, after = rest.partition(f"<!-- end {name} -->")
        if not end:
            raise ValueError(f"{PAGE.name} has no place for the table {name}")
        text = f"{before}{begin}{table()}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
