# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of a story: all that a report tells of a release, whatever it was read from. Times are Unix time, shares are of 1. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
PROMOTED, PASSED, ROLLED_BACK, ABORTED, REFUSED, PARKED, RUNNING = (
    "promoted",
    "passed",
    "rolled_back",
    "aborted",
    "refused",
    "parked",
    "running",
)
UNTOUCHED = "untouched"  # a target of a later wave, to which the release never came
UNREACHABLE = "unreachable"  # a target that did not answer when its turn came
GOOD = (PROMOTED, PASSED)
WORST_FIRST = (RUNNING, PARKED, ROLLED_BACK, ABORTED, REFUSED, UNREACHABLE, UNTOUCHED, PASSED, PROMOTED)
SPOKEN = {
    PROMOTED: "Promoted",
    PASSED: "Passed",
    ROLLED_BACK: "Rolled back",
    ABORTED: "Aborted",
    REFUSED: "Refused",
    PARKED: "Parked",
    RUNNING: "Unfinished",
    UNTOUCHED: "Untouched",
    UNREACHABLE: "Unreachable",
}


@dataclass(frozen=True)
class Count:
    """Requests of a version and how many of them a gate minds."""

    requests: int
    events: int

    @property
    def share(self) -> float | None:
        """Of the requests; None without any."""
        return self.events / self.requests if self.requests else None

    def __add__(self, other: Count) -> Count:
        return Count(self.requests + other.requests, self.events + other.events)


@dataclass(frozen=True)
class Gate:
    """What a gate asks. most and least are its limits: shares where it counts requests (is_share), else numbers of unit."""

    name: str
    most: float | None = None
    least: float | None = None
    unit: str = ""
    is_share: bool = True


@dataclass(frozen=True)
class Reading:
    """A gate in one look: counts of both versions in this look alone and so far, or the answers of a query."""

    canary: float | None = None
    stable: float | None = None
    canary_so_far: Count | None = None
    stable_so_far: Count | None = None


@dataclass(frozen=True)
class Look:
    """One look of all gates and what it led to. weight is a percentage."""

    number: int
    at: float
    weight: float
    counts: str
    decision: str
    cause: str = ""
    reason: str = ""
    readings: Mapping[str, Reading] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """Something that was said or decided. mark: its number among the decisions, 0 for what decides nothing."""

    at: float
    word: str
    text: str
    mark: int = 0


@dataclass(frozen=True)
class Step:
    """A step of the plan that has begun."""

    name: str
    started_at: float | None
    ended_at: float | None
    note: str = ""


@dataclass(frozen=True)
class Told:
    """What a person commanded, approved, overrode or froze. what: the command."""

    at: float | None
    what: str
    by: str
    reason: str
    said: str = ""


@dataclass(frozen=True)
class Region:
    """A release in one target. weights: (time, percentage of the users with the new version), as it changed."""

    target: str
    outcome: str
    reason: str = ""
    release_id: str = ""
    release_name: str = ""
    namespace: str = ""
    workload: str = ""
    strategy: str = ""
    image: str = ""
    digest: str = ""
    stable_image: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    updated_at: float | None = None
    open_until: float | None = None  # until when a parked release may be taken up again
    weight_percent: float = 0
    highest_percent: float = 0
    gates: tuple[Gate, ...] = ()
    looks: tuple[Look, ...] = ()
    weights: tuple[tuple[float, float], ...] = ()
    events: tuple[Event, ...] = ()
    steps: tuple[Step, ...] = ()
    people: tuple[Told, ...] = ()
    costs: JSON = field(default_factory=dict)
    webhooks: tuple[Event, ...] = ()
    history: tuple[JSON, ...] = ()
    problems: tuple[JSON, ...] = ()
    next: tuple[str, ...] = ()
    followed: bool = False  # it was returned because another one of its fleet was
    lines: int = 0  # of its log; without any the story is the record's alone
    cut_lines: int = 0

    @property
    def decisions(self) -> tuple[Event, ...]:
        """What was decided, numbered."""
        return tuple(event for event in self.events if event.mark)

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end, or to the last sign of it."""
        end = self.ended_at or self.updated_at
        return None if self.started_at is None or end is None else end - self.started_at


@dataclass(frozen=True)
class Wave:
    """Targets released together. share_percent: of the world's traffic, with the waves before."""

    group: str
    state: str
    targets: tuple[str, ...]
    share_percent: float | None = None
    bake_seconds: float | None = None
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(frozen=True)
class Story:
    """One release everywhere. A release of one target is one wave of it."""

    name: str
    release_id: str
    outcome: str
    reason: str
    regions: tuple[Region, ...]
    waves: tuple[Wave, ...] = ()
    started_at: float | None = None
    ended_at: float | None = None
    stopped: Told | None = None
    is_fleet: bool = False

    @property
    def lead(self) -> Region:
        """The region that explains the ending: the first of those that ended as the release did."""
        same = [region for region in self.regions if region.outcome == self.outcome]
        return min(same or self.regions, key=lambda region: (region.followed, region.ended_at or float("inf")))

    @property
    def image(self) -> str:
        """The new version."""
        return self.lead.image or next((region.image for region in self.regions if region.image), "")

    @property
    def seconds(self) -> float | None:
        """From its beginning to its end, in all targets."""
        ends = [end for region in self.regions if (end := region.ended_at or region.updated_at)]
        begins = [region.started_at for region in self.regions if region.started_at]
        begin = self.started_at or min(begins, default=None)
        end = self.ended_at or max(ends, default=None)
        return None if begin is None or end is None else end - begin
