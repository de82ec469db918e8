# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/manifests.md, from those that the code reads manifests by. Run as a program it writes them into the page.

PYTHONPATH=$(tools/collection-link) tools/with-environment python tests/unit/plugins/module_utils/release/manifest_tables.py
"""

from pathlib import Path

from ansible_collections.progressive.delivery.plugins.module_utils.release.translate.documents import TABLES

PAGE = Path(__file__).resolve().parents[5] / "docs" / "manifests.md"
SAME = {"ClusterAnalysisTemplate": "AnalysisTemplate"}  # kinds whose table is another's


def rendered(kind):
    """The table of a kind in Markdown."""
    rows = [
        f"| `{row.path}` | {row.how} | {row.what[0].upper() + row.what[1:]} |".replace("release_from.leave_out", "`leave_out`")
        for row in TABLES[kind].rows
    ]
    return "\n".join(["| field | | what becomes of it |", "|---|---|---|", *rows])


def page(text):
    """The page with all of its tables anew."""
    for kind in TABLES:
        if kind not in SAME:
            begin, end = f"<!-- begin {kind} -->\n", f"<!-- end {kind} -->"
            before, _begin, rest = text.partition(begin)
            _table, found, after = rest.partition(end)
            if not found:
                raise ValueError(f"{PAGE.name} has no place for the table of {kind}")
            text = f"{before}{begin}{rendered(kind)}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
