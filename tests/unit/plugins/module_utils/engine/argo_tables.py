# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages' tables of engine argo_rollouts, from those that the code goes by. Run as a program it writes them into the page.

PYTHONPATH=$(tools/collection-link) tools/with-environment python tests/unit/plugins/module_utils/engine/argo_tables.py
"""

from pathlib import Path

from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import fields, phase, table

PAGE = Path(__file__).resolve().parents[5] / "docs" / "engine-argo-rollouts.md"
SIGNS = {"does": "", "nothing": "nothing: ", "refused": "refused: "}


def verbs():
    """Verb by phase: cells that say the same stand in one row."""
    rows = []
    for verb in table.VERBS:
        said = {}
        for name in phase.PHASES:
            effect = table.TABLE[verb][name]
            said.setdefault((effect.kind, effect.said), []).append(name)
        rows += [f"| `{verb}` | {', '.join(names)} | {SIGNS[kind]}{text} |" for (kind, text), names in said.items()]
    return "\n".join(["| verb | phase of the Rollout | what comes of it |", "|---|---|---|", *rows])


def options():
    """Option by option."""
    rows = [f"| `{name}` | {text} |" for name, text in fields.BECOMES.items()]
    rows += [
        f"| `{name}` | only {', '.join(f'`{one}`' for one in known if one != 'replicas')}: {why} |"
        for name, (_f, known, why) in fields.ONLY.items()
    ]
    rows += [f"| `{name}` | refused: {why} |" for name, (_field, why) in fields.CANNOT.items()]
    rows += [f"| `{name}` | says nothing to this engine |" for name in fields.NATIVE_ALONE]
    return "\n".join(["| option | what becomes of it |", "|---|---|", *rows])


def page(text):
    """The page with its tables anew."""
    for name, made in (("verbs", verbs()), ("options", options())):
        before, _begin, rest = text.partition(f"<!-- begin {name} -->\n")
        _table, found, after = rest.partition(f"<!-- end {name} -->")
        if not found:
            raise ValueError(f"{PAGE.name} has no place for {name}")
        text = f"{before}<!-- begin {name} -->\n{made}\n<!-- end {name} -->{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
