# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which object and which rule of it carry a service: what the user asked for against what the cluster has. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..release.values import Problem
from .route import B, Match, Sticky

JSON = dict[str, Any]
GITOPS_MARKS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


@dataclass
class Asked:
    """What a release says of its route, and what it will do with it. notes takes what was guessed."""

    namespace: str
    service: str
    object_kind: str | None = None
    object_name: str | None = None
    rule: str | None = None
    matches: tuple[Match, ...] = ()
    mirrors: bool = False
    sticky: Sticky | None = None
    switch_label: str = ""  # the label in which the canary's pods differ
    canary_value: str = ""  # its value there, where it is not stable's and "-canary"
    subsets: dict[str, str] | None = None  # stable and canary, where the destinations are subsets of one host
    workload: str = ""
    most_extra_pods: int | None = None  # canary pods beside stable's; None: as many as stable has
    steers: bool = True  # False: the route is only looked at or returned, so that who serves or reverts it does not matter
    notes: list[str] = field(default_factory=list)

    @property
    def narrowing(self) -> list[tuple[str, Match]]:
        """(option, match) of every match by which a rule of ours would narrow the user's."""
        return [*(("release_match", one) for one in self.matches), *([("release_ab.cookie", self.sticky.match(B))] if self.sticky else [])]


class Unusable(Exception):
    """No route that a release could steer. problems says why; nothing was changed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def choose(
    candidates: list[JSON], asked: Asked, *, kind: str, rules_key: str, rules_to: Callable[[JSON, str, str], list[int]]
) -> tuple[JSON, int]:
    """The object and the index of its rule that carry the service.

    rules_to gives the indexes of an object's rules that lead to a Service of a namespace. What was asked narrows the choice;
    without it there must be exactly one. Raises Unusable naming the choices.
    """
    found = leading(candidates, asked, rules_key=rules_key, rules_to=rules_to)
    if len(found) == 1:
        return found[0]
    given = {key: value for key, value in (("object", asked.object_name), ("route", asked.rule)) if value} or None
    if found:
        choices = ", ".join(rule_name(one, index, rules_key, unnamed=" (unnamed)") for one, index in found)
        allowed = f"one route: {len(found)} rules lead to Service {asked.service}: {choices}; name the {kind} and its route"
    else:
        called = " ".join(
            filter(None, [asked.object_name and f"called {asked.object_name}", asked.rule and f"with a rule named {asked.rule}"])
        )
        allowed = f"no {kind} {called + ' ' if called else ''}in namespace {asked.namespace} routes to Service {asked.service}"
    raise Unusable([Problem("release_traffic", given, allowed)])


def leading(
    candidates: list[JSON], asked: Asked, *, rules_key: str, rules_to: Callable[[JSON, str, str], list[int]]
) -> list[tuple[JSON, int]]:
    """Every object and index of a rule that lead to the service and are called as asked."""
    return [
        (one, index)
        for one in candidates
        if asked.object_name in (None, one["metadata"]["name"])
        for index in rules_to(one, asked.service, asked.namespace)
        if asked.rule in (None, one["spec"][rules_key][index].get("name"))
    ]


def rule_name(found: JSON, index: int, rules_key: str, unnamed: str = "") -> str:
    """A rule as messages name it: shop/main, or shop/http[0]."""
    return f"{found['metadata']['name']}/{found['spec'][rules_key][index].get('name', f'{rules_key}[{index}]{unnamed}')}"


def reverted(found: Mapping[str, Any], kind: str) -> list[Problem]:
    """A problem for each GitOps controller that would put the object back to what it was."""
    meta = found["metadata"]
    marks = {**(meta.get("annotations") or {}), **(meta.get("labels") or {})}
    return [
        Problem("release_traffic", meta["name"], f"a {kind} that no GitOps controller reverts; {owner} owns this one ({mark})")
        for mark, owner in GITOPS_MARKS.items()
        if mark in marks
    ]
