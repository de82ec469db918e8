# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_from: a Canary of Flagger or a Rollout of Argo as the variables of a release. What the user says wins over it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..values import Problem, Reader
from .argo import rollout
from .documents import FIELD, manifests, reference
from .draft import Draft, Origin
from .flagger import canary

JSON = dict[str, Any]
# what belongs to the manifest's own strategy: a user who says another one does not want it
SHAPE = ("release_steps", "release_match", "release_match_seconds", "release_rolling", "release_deadline_seconds")
TRANSLATORS = {"Canary": canary, "Rollout": rollout}


def translate(read: Reader, given: Mapping[str, Any]) -> tuple[JSON, Origin | None]:
    """(variables of a release, where they come from). With problems noted they are those that were given, release_from among them."""
    value = given.get(FIELD)
    said = {name: one for name, one in given.items() if one is not None and name != FIELD}
    if value is None:
        return dict(given), None
    if reference(Reader(), value) is not None:
        read.refuse(FIELD, value, "documents here: no cluster was asked for the object")
        return dict(given), None
    before = len(read.problems)
    found = manifests(read, value)
    if found is None:
        return dict(given), None
    draft = Draft(read, said, found)
    draft.check(found.main)
    if len(read.problems) > before:
        return dict(given), None
    TRANSLATORS[found.main["kind"]](draft)
    if len(read.problems) > before:
        return dict(given), None
    shape = SHAPE if said.get("release_strategy") not in (None, "shadow", draft.options.get("release_strategy")) else ()
    options = {name: one for name, one in draft.options.items() if name not in said and name not in shape}
    both = [name for name in ("release_traffic", "release_looks") if name in said and name in draft.options]
    merged: JSON = {name: _merged(read, name, draft.options[name], said[name]) for name in both}
    return {**options, **said, **merged}, Origin(draft.title, tuple(options), tuple(draft.notes), draft.route)


def _merged(read: Reader, name: str, translated: JSON, said: Any) -> Any:
    """A dictionary of both, key by key; one with another provider is the user's alone."""
    own = read.mapping(name, said)
    if own is None or own.get("provider", translated.get("provider")) != translated.get("provider"):
        return said
    return {**translated, **own}


def blame(problems: list[Problem], origin: Origin | None) -> list[Problem]:
    """The problems, with a word where a value is the manifest's and not the user's own."""
    if origin is None:
        return problems
    return [
        replace(one, allowed=f"{one.allowed} (the value is of {origin.title} in {FIELD})")
        if one.field.partition("[")[0].partition(".")[0] in origin.variables
        else one
        for one in problems
    ]


def with_route(problems: list[Problem], origin: Origin | None) -> list[Problem]:
    """The problems; one of a route that is not there says how to make the one that the manifest describes."""
    if origin is None or not origin.route:
        return problems
    return [
        replace(one, allowed=f"{one.allowed}; Flagger would have made it of {origin.title}. Make it once: {origin.route}")
        if one.field == "release_traffic" and one.allowed.startswith("no ")
        else one
        for one in problems
    ]
