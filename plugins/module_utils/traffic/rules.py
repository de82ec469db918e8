# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers of objects that hold a list of rules, one of which leads to the service: VirtualService, HTTPRoute, GRPCRoute."""

from __future__ import annotations

import abc
import copy
from typing import Any

from ..cluster.patch import Operation, add, as_read, expect, pointer, remove, replace
from .route import CANARY, A, B, Condition, Match, Observed, Route, RouteEdited
from .router import Router, fence_of

JSON = dict[str, Any]


class RuleRouter(Router):
    """Changes the destinations and the mirrors of one rule; matched requests and groups get rules of their own just before it.

    Only these fields are written, so that timeouts, retries and filters may be edited by others meanwhile.
    """

    rules_key: str  # of the list of rules in spec
    targets_key: str  # of the list of destinations in a rule
    mirrors_key: str  # of the list that holds mirrors in a rule
    matches_key: str  # of the list of a rule's own matches
    unweighted: int  # what a destination without a weight weighs beside another one

    @abc.abstractmethod
    def leads_to(self, target: JSON, service: str) -> bool:
        """Whether a destination is a Service of the release's namespace, however it is spelt."""

    @abc.abstractmethod
    def canary_target(self, target: JSON) -> JSON:
        """The canary's destination made of stable's."""

    @abc.abstractmethod
    def mirror(self, canary: JSON, percent: int) -> JSON:
        """An item of the list of mirrors that copies percent of the requests to a destination."""

    @abc.abstractmethod
    def mirrored(self, item: JSON) -> tuple[JSON, int] | None:
        """(destination, percent) of an item of the list of mirrors; None for anything else that stands in it."""

    @abc.abstractmethod
    def match_rule(self, target: JSON, matches: tuple[Match, ...], suffix: str = CANARY) -> JSON:
        """The rule that sends what matches select to one destination: the original one, narrowed; its name ends with suffix."""

    @abc.abstractmethod
    def match_name(self, rule: JSON, suffix: str = CANARY) -> str | None:
        """What a rule of ours beside a rule is called; None when it has no name."""

    @abc.abstractmethod
    def setting(self, target: JSON, cookie: str) -> JSON:
        """A destination whose answers carry one more Set-Cookie header, after those of its owner."""

    @abc.abstractmethod
    def narrowed(self, match: JSON, conditions: tuple[Condition, ...]) -> JSON:
        """A match of a rule with further conditions."""

    @abc.abstractmethod
    def added(self, narrowed: JSON, match: JSON) -> tuple[Condition, ...]:
        """The conditions by which a match was narrowed: what narrowed did, undone."""

    def split(self, percent: int, *, sticky: bool = False, alone: bool = False) -> list[JSON]:
        """The destinations that send percent to the canary; at 0 they are the original ones, untouched."""
        original = self.place.original[self.targets_key]
        if percent == 0:
            return copy.deepcopy(original)
        if alone:
            return [self._canary()]
        stable, canary = {**copy.deepcopy(original[0]), "weight": 100 - percent}, {**self._canary(), "weight": percent}
        if self.sticky and sticky:
            return [self.setting(stable, self.sticky.header(A)), self.setting(canary, self.sticky.header(B))]
        return [stable, canary]

    def mirrors(self, rule: JSON, percent: int) -> list[JSON] | None:
        """A rule's list with ours at its end, or without it at 0; None when there is nothing to keep a list for."""
        theirs = [item for item in rule.get(self.mirrors_key) or [] if not self._is_ours(item)]
        if percent:
            return [*theirs, self.mirror(self._canary(), percent)]
        return theirs or ([] if self.place.original.get(self.mirrors_key) == [] else None)

    def observe(self, found: JSON) -> Observed:
        """The route that the object holds; None for one that this release cannot have written."""
        rules, index = self.steered(found)
        rule = rules[index]
        extra = self._extra(rules, index)
        found_rules = [rules[one] for one in extra]
        route = next((one for one in self._readings(rule) if self._own_rules(one) == found_rules), None)
        named = bool(extra) or any(self._is_canary(one) for one in [*self._targets(rule), *self._mirror_targets(rule)])
        return Observed(route, named, fence_of(found), str(rule.get(self.targets_key)))

    def operations(self, found: JSON, route: Route) -> list[Operation]:
        """What turns the object into one that holds route, with no other rule that leads to the canary."""
        rules, index = self.steered(found)
        return self.rewrite(found, index, route, extra=self._extra(rules, index))

    def at_home(self, found: JSON) -> list[Operation]:
        """The steered rule has its own destinations."""
        rules, index = self.steered(found)
        return [expect(pointer("spec", self.rules_key, index, self.targets_key), self._targets(rules[index]))]

    def rewrite(self, found: JSON, index: int, route: Route, *, extra: list[int]) -> list[Operation]:
        """Fields of the rule at index first, then the extra rules, which go, then the one that comes: indexes stay right."""
        rules = found["spec"][self.rules_key]
        here = ("spec", self.rules_key, index)
        made = _set(
            here, rules[index], self.targets_key, self.split(route.canary_percent, sticky=route.sticky is not None, alone=route.alone)
        )
        made += _set(here, rules[index], self.mirrors_key, self.mirrors(rules[index], route.mirror_percent))
        wanted = self._own_rules(route)
        if [rules[one] for one in extra] != wanted:
            for one in sorted(extra, reverse=True):
                path = pointer("spec", self.rules_key, one)
                made += [expect(path, rules[one]), remove(path)]
            before = index - sum(1 for one in extra if one < index)
            made += [add(pointer("spec", self.rules_key, before), rule) for rule in reversed(wanted)]
        return _guarded(found, made)

    def homeward(self, found: JSON) -> list[Operation]:
        """Take the canary out of every rule, even where the steered one was renamed, doubled or removed.

        The steered rule gets its destinations back, rules that only the canary has go, the others keep what else they have.
        """
        rules, steered = found["spec"].get(self.rules_key) or [], self._candidates(found)
        made: list[Operation] = []
        for index, rule in reversed(list(enumerate(rules))):
            here, targets = ("spec", self.rules_key, index), self._targets(rule)
            if self._is_of_group(rule):
                made += [expect(pointer(*here), rule), remove(pointer(*here))]
                continue
            theirs = [one for one in targets if not self._is_canary(one)]
            named, foreign = len(theirs) < len(targets), steered != [index]
            if named and foreign and (rule in self._own_rules(Route(0, self.matches)) or (not theirs and len(steered) == 1)):
                made += [expect(pointer(*here), rule), remove(pointer(*here))]
                continue
            if named:
                keeps_some = foreign and any(one.get("weight", 1) for one in theirs)
                made += _set(here, rule, self.targets_key, theirs if keeps_some else self.split(0))
            if any(map(self._is_ours, rule.get(self.mirrors_key) or [])):
                made += _set(here, rule, self.mirrors_key, self.mirrors(rule, 0))
        return _guarded(found, made)

    def _candidates(self, found: JSON) -> list[int]:
        """Indexes of the rules that the release may have steered: one, unless somebody changed names or destinations."""
        rules = found["spec"].get(self.rules_key) or []
        if self.place.rule is not None:
            return [index for index, rule in enumerate(rules) if rule.get("name") == self.place.rule]
        return [
            index
            for index, rule in enumerate(rules)
            if any(self.leads_to(one, self.place.service) for one in self._targets(rule)) and not self._is_of_group(rule)
        ]

    def steered(self, found: JSON) -> tuple[list[JSON], int]:
        """All rules of the object, and the index of the one that is steered. Raises RouteEdited when it is not there."""
        named = self._candidates(found)
        if len(named) != 1:
            raise RouteEdited(f"{self.where} has {len(named)} rules where this release steered one")
        return found["spec"][self.rules_key], named[0]

    def _readings(self, rule: JSON) -> list[Route]:
        """The routes of which the rule would be a part, whatever rules of ours stand beside it."""
        mirror_percent, targets = self._mirror_percent(rule), self._targets(rule)
        if mirror_percent is None:
            return []
        if self.place.subsets and targets == self.split(100, alone=True):
            return [Route(100, (), mirror_percent, alone=True)]
        percent = int(targets[-1].get("weight") or 0) if targets else 0
        shares: list[tuple[int, bool]] = [(0, False)] if targets == self.place.original[self.targets_key] else []
        if 0 < percent <= 100 and not shares:
            shares = [(percent, sticky) for sticky in (False, True) if targets == self.split(percent, sticky=sticky)]
        return [
            Route(share, matches, mirror_percent, self.sticky if sticky else None)
            for share, sticky in shares
            for matches in dict.fromkeys([(), self.matches])
        ]

    def _mirror_percent(self, rule: JSON) -> int | None:
        ours = [item for item in rule.get(self.mirrors_key) or [] if self._is_ours(item)]
        if not ours:
            return 0
        percent = (self.mirrored(ours[0]) or ({}, 0))[1]
        return percent if ours == [self.mirror(self._canary(), percent)] else None

    def _extra(self, rules: list[JSON], steered: int) -> list[int]:
        """Indexes of the other rules that are ours, or lead to the canary."""
        others = [index for index in range(len(rules)) if index != steered]
        return [one for one in others if self._is_of_group(rules[one]) or any(map(self._is_canary, self._targets(rules[one])))]

    def _own_rules(self, route: Route) -> list[JSON]:
        """The rules of ours that a route has: for matched requests, then for each group."""
        made = [self.match_rule(self._canary(), route.matches)] if route.matches else []
        if route.sticky:
            stable = copy.deepcopy(self.place.original[self.targets_key][0])
            made.append(self.match_rule(self._canary(), (route.sticky.match(B),), f"-group-{B}"))
            made.append(self.match_rule(stable, (route.sticky.match(A),), f"-group-{A}"))
        return made

    def _is_of_group(self, rule: JSON) -> bool:
        """Whether a rule is for members of a group of this experiment alone: their cookie is in each of its matches."""
        matches: list[JSON] = rule.get(self.matches_key) or []
        if self.sticky is None or not matches:
            return False
        ours = {condition for group in (A, B) for condition in self.sticky.match(group).conditions}
        return all(ours & set(self.added(one, {})) for one in matches)

    def _targets(self, rule: JSON) -> list[JSON]:
        return rule.get(self.targets_key) or []

    def _mirror_targets(self, rule: JSON) -> list[JSON]:
        return [found[0] for found in map(self.mirrored, rule.get(self.mirrors_key) or []) if found]

    def _canary(self) -> JSON:
        return self.canary_target(copy.deepcopy(self.place.original[self.targets_key][0]))

    def _is_canary(self, target: JSON) -> bool:
        return self.leads_to(target, self.place.canary)

    def _is_ours(self, item: JSON) -> bool:
        found = self.mirrored(item)
        return found is not None and self._is_canary(found[0])


def _guarded(found: JSON, operations: list[Operation]) -> list[Operation]:
    """A test cannot say that something is not there: what adds or removes tests the whole object's version."""
    if any(operation["op"] in ("add", "remove") for operation in operations):
        return [as_read(found), *operations]
    return operations


def _set(here: tuple[str | int, ...], rule: JSON, key: str, wanted: Any) -> list[Operation]:
    """Operations that give a field of a rule another value (None: no such field)."""
    path = pointer(*here, key)
    if key not in rule:
        return [] if wanted is None else [add(path, wanted)]
    if rule[key] == wanted:
        return []
    return [expect(path, rule[key]), remove(path) if wanted is None else replace(path, wanted)]
