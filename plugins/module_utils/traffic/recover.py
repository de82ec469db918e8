# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a route as it stands, without a release's record, back to what it was made of. Pure.

What a router writes on a rule it can be asked to undo: two destinations of which the second is the first with the canary's
name, a mirror to the canary, a rule for matched requests before it. Anything else is somebody else's and stays as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .route import CANARY, TWIN, Match
from .rules import RuleRouter

JSON = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """The route of a service as it stands. None where something stands that no route could declare."""

    percent: int | None = 0
    matches: tuple[Match, ...] | None = ()
    mirror_percent: int | None = 0

    def to_dict(self) -> JSON:
        """weight_percent, matches and mirror_percent, as the verbs return them."""
        matches = None if self.matches is None else [spoken(match) for match in self.matches]
        return {"weight_percent": self.percent, "matches": matches, "mirror_percent": self.mirror_percent}


@dataclass(frozen=True)
class Recovered:
    """A rule as it would be with all traffic at home; the route that stands; where the rule for matched requests stands."""

    original: JSON
    seen: Seen
    match_index: int | None = None


def spoken(match: Match) -> JSON:
    """A match in the words of release_match: headers and query."""
    said: JSON = {}
    for one in match.conditions:
        said.setdefault("headers" if one.source == "header" else "query", {})[one.name] = {one.how: one.value}
    return said


def home_of(router: RuleRouter, rules: list[JSON], index: int) -> Recovered:
    """Undo what a router wrote on a rule; router says how its mesh words things, what its place's original is does not matter.

    The original's weight comes back only with a rule for matched requests, which carries it: of two destinations nobody can
    tell whether the only one had weight 100 or none. Istio and Gateway API send everything to an only destination either way.
    """
    rule, key = rules[index], router.targets_key
    targets: list[JSON] = rule.get(key) or []
    if not targets:
        return Recovered(rule, Seen())
    stable = _weightless(targets[0])
    canary = router.canary_target(copy.deepcopy(stable))
    at = _match_index(router, rules, index)
    original = copy.deepcopy(rule)
    percent: int | None = 0
    if len(targets) == 2 and _weightless(targets[1]) == canary:
        percent = _share(targets, router.unweighted)
        original[key] = [stable]
        if at is not None and "weight" in rules[at][key][0]:
            original[key] = [{**stable, "weight": rules[at][key][0]["weight"]}]
    mirror_percent = _unmirror(router, original)
    if at is None:
        return Recovered(original, Seen(percent, (), mirror_percent))
    return Recovered(original, Seen(percent, matches_of(router, original, rules[at]), mirror_percent), at)


def matches_of(router: RuleRouter, original: JSON, narrow: JSON) -> tuple[Match, ...] | None:
    """What the rule for matched requests asks beyond the original; None when it is no narrowing of that one."""
    own = original.get(router.matches_key) or [{}]
    found: list[JSON] = narrow.get(router.matches_key) or []
    matches = tuple(Match(router.added(one, own[0])) for one in found[:: len(own)])
    if not all(match.conditions for match in matches):
        return None
    again = [router.narrowed(one, match.conditions) for match in matches for one in own]
    return matches if matches and found == again else None


def at_home(router: RuleRouter, found: JSON) -> JSON:
    """An object in which every rule is as it would be with all traffic at home; rules keep their indexes."""
    rules = found["spec"].get(router.rules_key) or []
    made = [home_of(router, rules, index).original for index in range(len(rules))]
    return {**found, "spec": {**found["spec"], router.rules_key: made}} if rules else found


def _match_index(router: RuleRouter, rules: list[JSON], index: int) -> int | None:
    """The rule for matched requests: by its name, or, where rules have none, the narrowing just before."""
    name = router.match_name(rules[index])
    for at in range(index) if name else range(max(0, index - 1), index):
        rule = rules[at]
        targets = rule.get(router.targets_key) or []
        if rule.get("name") != name or [router.leads_to(one, router.place.canary) for one in targets] != [True]:
            continue
        if name or matches_of(router, rules[index], rule):
            return at
    return None


def _unmirror(router: RuleRouter, rule: JSON) -> int | None:
    """Take the mirror to the canary out of a rule and say its percent; 0 without one, None when there are several."""
    items: list[JSON] = rule.get(router.mirrors_key) or []
    read = [router.mirrored(item) for item in items]
    ours = [one[1] if one and router.leads_to(one[0], router.place.canary) else None for one in read]
    percents = [percent for percent in ours if percent is not None]
    if not percents:
        return 0
    rest = [item for item, percent in zip(items, ours) if percent is None]
    if rest:
        rule[router.mirrors_key] = rest
    else:
        del rule[router.mirrors_key]
    return percents[0] if len(percents) == 1 else None


def _share(targets: list[JSON], unweighted: int) -> int | None:
    """The second destination's percent of the weights; None when that is no whole number."""
    first, second = (int(one.get("weight", unweighted)) for one in targets)
    return 100 * second // (first + second) if first + second and not 100 * second % (first + second) else None


def _weightless(target: JSON) -> JSON:
    return {key: value for key, value in target.items() if key != "weight"}


@dataclass(frozen=True)
class Selected:
    """A Service's selector with all traffic at home, the label in which the canary's differs, and the canary's percent."""

    home: dict[str, str]
    label: str | None  # None: the canary's Service cannot be switched to
    percent: int


class Unclear(Exception):
    """Nobody can tell stable's selector from the canary's. The message says what to do."""


def home_selector(selector: Mapping[str, str], canary: Mapping[str, str] | None) -> Selected:
    """Undo a switch: the canary's selector is stable's but for one label, whose value ends with -canary.

    canary is the selector of the canary's Service, None when there is no such Service. Raises Unclear.
    """
    if TWIN in selector:
        raise Unclear(f"it selects the canary of a release alone ({_words(selector)}), which must end first")
    marked = [label for label, value in selector.items() if value.endswith(CANARY)]
    if canary is None:
        if marked:
            raise Unclear(f"it selects {_words(selector)}, and there is no canary Service that tells whether that is the canary")
        return Selected(dict(selector), None, 0)
    if dict(selector) == dict(canary):
        if len(marked) != 1:
            raise Unclear(f"it selects what the canary Service selects, {_words(selector)}; stable's is not to be told from it")
        return Selected({**selector, marked[0]: selector[marked[0]].removesuffix(CANARY)}, marked[0], 100)
    differing = [label for label in {*selector, *canary} if selector.get(label) != canary.get(label)]
    fits = len(differing) == 1 and canary.get(differing[0]) == f"{selector.get(differing[0])}{CANARY}"
    return Selected(dict(selector), differing[0] if fits else None, 0)


def _words(selector: Mapping[str, str]) -> str:
    return ",".join(f"{label}={value}" for label, value in sorted(selector.items()))
