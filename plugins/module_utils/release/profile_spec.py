# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which profile a release has, what it says, and what it needs of the user. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from .profiles import APPROVAL, BUSINESS, PROFILES, Profile
from .values import Problem, Reader

NEVER = ("release_profile", "release_profiles", "release_name", "release_image")  # what makes one release of many: no profile's to say


@dataclass(frozen=True)
class ProfileUse:
    """The profile of a release, and who said what: names of variables."""

    name: str
    from_profile: tuple[str, ...]
    from_user: tuple[str, ...]  # though the profile says something, too


@dataclass(frozen=True)
class Chosen:
    """What was asked for, with a profile's values where the user says nothing; of release_looks, where the user says nothing in it.

    skippable: needs that release_skip_gates may name.
    """

    values: dict[str, Any]
    use: ProfileUse | None = None
    skippable: tuple[str, ...] = ()


def choose(read: Reader, given: Mapping[str, Any], known: Iterable[str]) -> Chosen:
    """The variables of a release under its profile. known: the names that a profile may set."""
    said = {name: value for name, value in given.items() if value is not None}
    profiles = {**PROFILES, **_own(read, said.get("release_profiles"), known)}
    name = read.choice("release_profile", said.get("release_profile"), profiles, "")
    if not name:
        return Chosen(dict(given))
    profile = profiles[name]
    skipped = [str(one) for one in read.sequence("release_skip_gates", said.get("release_skip_gates")) or []]
    values, skippable = _needed(read, name, profile, said, skipped)
    use = ProfileUse(name, tuple(one for one in values if one not in said), tuple(one for one in values if one in said))
    looks, own = values.get("release_looks"), read.mapping("release_looks", said.get("release_looks"))
    if isinstance(looks, dict) and own is not None:
        said["release_looks"] = {**looks, **own}
    return Chosen({**values, **said}, use, skippable)


def blame(problems: list[Problem], use: ProfileUse | None) -> list[Problem]:
    """The problems, with a word where a value is the profile's and not the user's own."""
    if use is None:
        return problems
    return [
        replace(one, allowed=f"{one.allowed} (the value is of profile {use.name})") if _variable(one.field) in use.from_profile else one
        for one in problems
    ]


def profile_line(use: ProfileUse) -> str:
    """Who said what, for the plan."""
    own = f"; yours over it: {', '.join(use.from_user)}" if use.from_user else ""
    return f"  profile {use.name}: {', '.join(use.from_profile) or 'nothing is left of it'}{own}"


def _needed(
    read: Reader, name: str, profile: Profile, said: Mapping[str, Any], skipped: list[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The profile's values with what the user must add to them. Refuses what is neither given nor skipped."""
    values = dict(profile.values)
    needs = [*profile.checks]
    if "release_approve" in values:
        needs.append(APPROVAL)
        if APPROVAL in skipped:
            del values["release_approve"]
    gates = values.get("release_gates")
    if isinstance(gates, list) and any(_is_business(gate) for gate in gates):
        needs.append(BUSINESS)
        values["release_gates"] = [one for gate in gates for one in _business(read, name, gate, said, skipped)]
    listed = read.sequence("release_checks", said.get("release_checks")) or []
    have = [one.get("name") for one in listed if isinstance(one, dict)]
    for check in profile.checks:
        if check not in have and check not in skipped:
            allowed = f"a check named {check}, which profile {name} needs (http, job or webhook), or leave it out with release_skip_gates: [{check}]"
            read.refuse("release_checks", said.get("release_checks"), allowed)
    return values, tuple(needs)


def _is_business(gate: Any) -> bool:
    return isinstance(gate, dict) and gate.get("name") == BUSINESS and "promql" not in (gate.get("query") or {})


def _business(read: Reader, name: str, gate: Any, said: Mapping[str, Any], skipped: list[str]) -> list[Any]:
    """The gate with its query filled in; none where it is skipped or cannot be."""
    if not _is_business(gate):
        return [gate]
    promql = said.get("release_business_metric")
    if BUSINESS in skipped or said.get("release_gates") is not None:
        return []
    if promql is None:
        least = f"{gate['query'].get('min')} {gate['query'].get('unit', '')}".strip()
        allowed = (
            f"is needed by profile {name}: PromQL that gives one number for the canary, at least {least}, "
            f"or leave it out with release_skip_gates: [{BUSINESS}]"
        )
        read.refuse("release_business_metric", None, allowed)
        return []
    return [{**gate, "query": {**gate["query"], "promql": promql}}]


def _own(read: Reader, value: Any, known: Iterable[str]) -> dict[str, Profile]:
    """The user's own profiles."""
    allowed = [name for name in known if name not in NEVER]
    made = {}
    for name, variables in (read.mapping("release_profiles", value) or {}).items():
        field = f"release_profiles.{name}"
        if name in PROFILES:
            read.refuse(field, variables, f"a name that no profile of the collection has: {', '.join(PROFILES)}")
            continue
        found = read.mapping(field, variables)
        for variable in found or {}:
            if variable not in allowed:
                near = get_close_matches(str(variable), allowed, 1)
                hint = (
                    f"did you mean {near[0]}?" if near else "it sets variables of a release, but not its name, its image or another profile"
                )
                read.refuse(f"{field}.{variable}", (found or {})[variable], f"no variable that a profile may set; {hint}")
        if found is not None:
            made[str(name)] = Profile({key: one for key, one in found.items() if one is not None and key in allowed})
    return made


def _variable(field: str) -> str:
    """The variable that a problem's field is in."""
    return field.partition("[")[0].partition(".")[0]
