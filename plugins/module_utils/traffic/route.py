# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all routers speak: who of one service's clients gets the canary. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

CANARY = "-canary"  # what the names of the canary's objects end with
TWIN = "progressive.delivery/twin"  # the label of canary pods that may have all labels of stable's, too
EPOCH = "progressive.delivery/epoch"  # the fence: every patch of ours tests that it still holds our token


@dataclass(frozen=True)
class Condition:
    """One thing a request shows: a header or query parameter, compared exactly, by prefix or by a regular expression (RE2)."""

    source: str  # "header" or "query"
    name: str
    how: str  # "exact", "prefix" or "regex" (of the whole value)
    value: str

    def __str__(self) -> str:
        return f"{self.source} {self.name} {self.how} {self.value!r}"


@dataclass(frozen=True)
class Match:
    """Requests that show all of these conditions get the canary, whatever the weights say."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))


A, B = "a", "b"  # the groups of an experiment: who keeps to stable, and who to the canary


@dataclass(frozen=True)
class Sticky:
    """Random groups that last: a cookie tells the group a client was drawn into. The salt keeps one experiment from another."""

    cookie: str
    salt: str
    max_age_seconds: int

    def value(self, group: str) -> str:
        """What the cookie of a group says."""
        return f"{self.salt}-{group}"

    def header(self, group: str) -> str:
        """The Set-Cookie header that puts a newcomer into a group."""
        return f"{self.cookie}={self.value(group)}; Path=/; Max-Age={self.max_age_seconds}"

    def match(self, group: str) -> Match:
        """The requests of a group's members."""
        pattern = f"(.*;\\s*)?{re.escape(self.cookie)}={re.escape(self.value(group))}(;.*)?"
        return Match((Condition("header", "cookie", "regex", pattern),))

    def __str__(self) -> str:
        return f"cookie {self.cookie}"


@dataclass(frozen=True)
class Route:
    """The traffic state of one service: matched requests first, then the weights; copies of stable's requests beside them.

    With sticky the weights are those of newcomers: who has been drawn into a group stays in it. alone: at 100 % the canary's
    destination stands where stable's stood, the only one: it is the canary's home from now on.
    """

    canary_percent: int = 0
    matches: tuple[Match, ...] = ()  # any of them
    mirror_percent: int = 0  # copies whose answers nobody sees
    sticky: Sticky | None = None
    alone: bool = False

    def __str__(self) -> str:
        said = [f"{self.canary_percent} % of newcomers by {self.sticky}" if self.sticky else f"{self.canary_percent} %"]
        said += [f"requests with {match}" for match in self.matches]
        said += [f"copies of {self.mirror_percent} %"] if self.mirror_percent else []
        return ", ".join(said)


HOME = Route()


@dataclass(frozen=True)
class Observed:
    """A route as it was read.

    route is None when it is nothing that this release could have written; names_canary tells whether anything in it
    still leads to the canary; found is what stands there, for messages.
    """

    route: Route | None
    names_canary: bool
    fence: str | None
    found: str


@dataclass(frozen=True)
class Place:
    """Where a service's route is kept, as it was before the release. Part of the record: a release resumes from it."""

    provider: str
    kind: str
    name: str
    rule: str | None  # the rule's name, when it has one
    original: dict[str, Any]  # the rule (or selector) before the release
    service: str
    canary: str  # the canary Service
    canary_value: str = ""  # a Service's selector: the switch label's value in the canary's pods; empty: stable's and "-canary"
    subsets: dict[str, str] | None = None  # Istio: stable and canary are subsets of one host

    def to_dict(self) -> dict[str, Any]:
        """The place as JSON."""
        return asdict(self)


class RouteError(Exception):
    """The route cannot be found, is ambiguous, or is not what it should be. Messages say what to do."""


class RouteEdited(RouteError):
    """Somebody else changed what this release steers."""


def canary_host_of(stable_host: str, service: str, canary: str | None = None) -> str:
    """The canary Service's host in the same form as stable's: shop.ns.svc -> shop-canary.ns.svc."""
    return f"{canary or service + CANARY}{stable_host[len(service) :]}"


def fence_token(release_id: str, epoch: int) -> str:
    """The fencing token of one holder of one release."""
    return f"{release_id}.{epoch}"


def matches_from(saved: list[Mapping[str, Any]]) -> tuple[Match, ...]:
    """Matches as asdict wrote them."""
    return tuple(Match(tuple(Condition(**one) for one in match["conditions"])) for match in saved)
