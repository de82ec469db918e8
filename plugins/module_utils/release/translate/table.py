# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each field of a foreign manifest: a table, and the walk that holds a manifest against it. Pure.

A row stands for its field and all below it that has no row of its own. The tables make docs/manifests.md, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

EQUAL, BETTER, REFUSED = "equal", "better", "refused"
TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "text": ((str,), "a string"),
    "whole": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "truth": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "map": ((dict,), "a dictionary"),
}


@dataclass(frozen=True)
class Row:
    """One field. what: what it becomes; what is done instead, and why; why it is refused, and what to do.

    path: names joined by dots, [] after a list's. told: said in the plan when the field is there (of better ones).
    of: a word of TYPES.
    """

    path: str
    how: str
    what: str
    told: bool = False
    of: str = ""


@dataclass(frozen=True)
class Leaf:
    """A value of a manifest: where it is, the names that a table has for that, the value."""

    path: str
    names: tuple[str, ...]
    value: Any


def leaves(value: Any, path: str = "", names: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """All values below value that are set: null is none, and a dictionary or list without any is one itself."""
    below: list[Leaf] = []
    if isinstance(value, Mapping):
        for key, one in value.items():
            below += leaves(one, f"{path}.{key}" if path else str(key), (*names, str(key)))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            below += leaves(one, f"{path}[{index}]", (*names[:-1], names[-1] + "[]"))
    if below:
        yield from below
    elif value is not None and names:
        yield Leaf(path, names, type(value)() if isinstance(value, (dict, list)) else value)


class Table:
    """The rows of one kind."""

    def __init__(self, kind: str, versions: tuple[str, ...], rows: tuple[Row, ...]) -> None:
        self.kind, self.versions, self.rows = kind, versions, rows
        self._rows = {tuple(row.path.split(".")): row for row in rows}

    def row(self, names: tuple[str, ...]) -> Row | None:
        """The row that speaks of a field: the longest one of which it is a part. A row stands for the items of its list, too."""
        for end in range(len(names), 0, -1):
            for prefix in (names[:end], (*names[: end - 1], names[end - 1].removesuffix("[]"))):
                if prefix in self._rows:
                    return self._rows[prefix]
        return None

    def check(self, manifest: Mapping[str, Any]) -> tuple[list[tuple[str, Any, str]], list[tuple[str, str]]]:
        """(what is refused: path, value and why; what is to be said: path and sentence). Each row once for each of its fields."""
        wrong: dict[str, tuple[str, Any, str]] = {}
        said: dict[str, tuple[str, str]] = {}
        for leaf in leaves(dict(manifest)):
            row = self.row(leaf.names)
            if row is None:
                why = self._why_unknown(leaf)
                if why:
                    wrong[leaf.path] = (leaf.path, leaf.value, why)
                continue
            deep = len(row.path.split("."))
            path, is_field = ".".join(leaf.path.split(".")[:deep]), ".".join(leaf.names) == row.path
            if row.how == REFUSED:
                path = path if row.path.endswith("[]") or not path.endswith("]") else path.rpartition("[")[0]
                wrong.setdefault(path, (path, leaf.value if is_field else "(given)", row.what))
            elif row.of and (not _is_a(leaf.value, row.of) if is_field else row.of not in ("list", "map")):
                wrong.setdefault(path, (path, leaf.value if is_field else "(more than one value)", TYPES[row.of][1]))
            elif row.told and leaf.value is not False:
                said.setdefault(row.path, (path, row.what))
        return list(wrong.values()), list(said.values())

    def _why_unknown(self, leaf: Leaf) -> str | None:
        """Why a field without a row is refused; None for an empty value above rows."""
        below = [row for row in self._rows if row[: len(leaf.names)] == leaf.names]
        if below:
            return None if leaf.value in ({}, []) else f"a dictionary of {', '.join(sorted({row[len(leaf.names)] for row in below}))}"
        for depth in range(len(leaf.names), 0, -1):
            known = sorted({row[depth - 1] for row in self._rows if len(row) >= depth and row[: depth - 1] == leaf.names[: depth - 1]})
            if known:
                near = get_close_matches(leaf.names[depth - 1], known, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                return f"no field of {self.kind} {self.versions[0]} that is known here{hint} Known: {', '.join(known)}"
        return "unknown"


def _is_a(value: Any, of: str) -> bool:
    kinds, _words = TYPES[of]
    return isinstance(value, kinds) and (of == "truth" or not isinstance(value, bool))
