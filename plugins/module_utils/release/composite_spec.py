# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates that are made of other gates: all, any, not. What users write, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..analysis.composite import NOT, WORDS, Combination
from .values import Reader

COMPOSITE = "composite"
MOST_DEPTH = 4


def combination(read: Reader, field: str, word: str, value: Any, depth: int = 1) -> Combination | None:
    """A combination: a list of names of gates and of {all: [...]}, {any: [...]}, {not: name}; not: one of these."""
    listed = [value] if word == NOT and not isinstance(value, list) else read.sequence(field, value)
    wanted = "the name of one gate, or one combination" if word == NOT else "at least two names of gates, or combinations"
    if listed is None or (len(listed) != 1 if word == NOT else len(listed) < 2) or depth > MOST_DEPTH:
        read.refuse(field, value, wanted if depth <= MOST_DEPTH else f"at most {MOST_DEPTH} combinations inside each other")
        return None
    parts = [_part(read, f"{field}[{index}]", one, depth) for index, one in enumerate(listed)]
    return None if None in parts else Combination(word, tuple(one for one in parts if one is not None))


def _part(read: Reader, field: str, value: Any, depth: int) -> str | Combination | None:
    if isinstance(value, str):
        return read.name(field, value)
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in WORDS:
        ((word, inner),) = value.items()
        return combination(read, f"{field}.{word}", word, inner, depth + 1)
    read.refuse(field, value, "the name of a gate, or one of {all: [...]}, {any: [...]} and {not: name}")
    return None


def check(read: Reader, composites: Mapping[str, Combination], plain: Sequence[str]) -> None:
    """Whether each name in them is a gate of its own and stands in one of them, once. composites: by the gate's field."""
    used: dict[str, str] = {}
    for field, one in composites.items():
        for name in one.names():
            if name not in plain:
                read.refuse(field, name, f"names of gates that are no combinations themselves: {', '.join(plain) or 'there are none'}")
            elif name in used:
                read.refuse(field, name, f"a gate that stands nowhere else; it stands in {used[name]} already")
            used.setdefault(name, field)


def skipped_with(skipped: Sequence[str], composites: Mapping[str, Combination]) -> list[str]:
    """The skipped gates with those of a skipped combination: without it they would decide alone. composites: by the gate's name."""
    return [*skipped, *(part for name in skipped if name in composites for part in composites[name].names())]


def keep_whole(read: Reader, skipped: Sequence[str], composites: Mapping[str, Combination]) -> None:
    """Refuse to skip a part of a combination that stays. composites: by the gate's name."""
    for name, one in composites.items():
        for part in one.names():
            if part in skipped and name not in skipped:
                read.refuse("release_skip_gates", part, f"nothing of the combination {name} alone; skip {name}, and its gates go with it")
