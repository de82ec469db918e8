# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet as its user means it: which groups of the inventory are released one after another, and what stops them. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..release import business_hours
from ..release.approvals import ApprovalSpec, approval_from, approval_spec
from ..release.spec import SpecError, unknown_variables
from ..release.values import Problem, Reader

JSON = dict[str, Any]
DAY = 86400.0
ALL, WAVE, TARGET = "all", "wave", "target"  # who goes back when the fleet stops
STOP, SKIP, WAIT = "stop", "skip", "wait"  # what an unreachable target leads to
# every variable of a fleet -> what it is when it is left out
DEFAULTS: dict[str, Any] = {
    "release_waves": None,
    "release_fleet_home": None,
    "release_on_violation": ALL,
    "release_failure_budget": 0,
    "release_on_unreachable": STOP,
    "release_unreachable_seconds": 300,
    "release_max_concurrent": None,
}
OF_A_WAVE = ("group", "share", "begin", "bake", "approve")


@dataclass(frozen=True)
class Inventory:
    """What Ansible knows: groups and their hosts, the hosts of this play, and how many of them it works on at once."""

    groups: Mapping[str, Sequence[str]]
    play: Sequence[str]
    forks: int

    @property
    def every(self) -> Sequence[str]:
        """All hosts there are."""
        return self.groups.get("all") or self.play


@dataclass(frozen=True)
class Wave:
    """Targets that are released together. share_percent: of the world's traffic, with the waves before it; None: not told.

    begin: the hours in which alone it begins; bake_hours: those of which one whole opening is watched. Both as they are written, or empty.
    """

    group: str
    targets: tuple[str, ...]
    share_percent: float | None = None
    bake_seconds: float = 0.0
    approve: ApprovalSpec | None = None  # who has to agree before it begins
    begin: str = ""
    bake_hours: str = ""
    part_of: str = ""  # of a train: the wave of release_waves that it is a level of

    @property
    def waits(self) -> bool:
        """Whether something has to be waited for before it begins."""
        return self.approve is not None or bool(self.begin)

    @property
    def bakes(self) -> bool:
        """Whether who has the version is watched after it."""
        return self.bake_seconds > 0 or bool(self.bake_hours)

    def bake_until(self, since: float) -> float:
        """When its bake is over that begins at a moment; both are Unix times."""
        return business_hours.whole(business_hours.parse(self.bake_hours), since)[1] if self.bake_hours else since + self.bake_seconds


@dataclass(frozen=True)
class Service:
    """One service of a train. after: the services that serve their new version everywhere in the wave before this one begins."""

    name: str
    after: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True)
class FleetSpec:
    """One fleet, checked."""

    name: str
    home: str  # the target whose cluster keeps the fleet's record
    waves: tuple[Wave, ...]
    on_violation: str
    failure_budget: int  # targets that may fail without stopping the others
    on_unreachable: str
    unreachable_seconds: float
    max_concurrent: int | None  # releases at once in a wave; None: all of them
    services: tuple[Service, ...] = ()  # of a train (fleet.train); its waves are levels

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets, in the order of the waves."""
        return tuple(target for wave in self.waves for target in wave.targets)

    def wave_of(self, target: str) -> int:
        """The number of a target's wave, from 0. Raises KeyError."""
        for number, wave in enumerate(self.waves):
            if target in wave.targets:
                return number
        raise KeyError(target)

    def number_of(self, group: str) -> int:
        """The number of a wave, from 0. Raises KeyError."""
        for number, wave in enumerate(self.waves):
            if wave.group == group:
                return number
        raise KeyError(group)

    def asked(self, group: str) -> str:
        """The wave before which people are asked, by its name; of a train also by that of the wave which it is the first level of."""
        return next((wave.group for wave in self.waves if wave.approve and wave.part_of == group), group)

    def with_wave(self, number: int) -> list[int]:
        """The numbers of the waves that go back with one: of a train all levels of its wave."""
        mine = self.waves[number].part_of
        return [other for other, wave in enumerate(self.waves) if other == number or (mine and wave.part_of == mine)]

    def service_of(self, target: str) -> str:
        """The service that a target runs; empty where the fleet is no train."""
        return next((one.name for one in self.services if target in one.targets), "")

    def release_of(self, target: str) -> str:
        """The name of a target's release: the fleet's, or of a train that of its service."""
        return release_name(self.name, self.service_of(target)) if self.services else self.name

    def to_dict(self) -> JSON:
        """What makes this fleet this fleet, as JSON."""
        return asdict(self)


def fleet_from(saved: Mapping[str, Any]) -> FleetSpec:
    """The fleet that a record keeps."""
    waves = tuple(Wave(**{**one, "targets": tuple(one["targets"]), "approve": approval_from(one["approve"])}) for one in saved["waves"])
    services = tuple(Service(one["name"], tuple(one["after"]), tuple(one["targets"])) for one in saved.get("services") or ())
    return FleetSpec(**{**saved, "waves": waves, "services": services})


def parse(given: Mapping[str, Any], inventory: Inventory) -> FleetSpec:
    """The fleet of release_waves and its fellows; a missing or null one takes its default. Raises SpecError with all problems."""
    read = Reader()
    read.problems += unknown_variables(given)
    values = {name: given[name] if given.get(name) is not None else default for name, default in DEFAULTS.items()}
    if given.get("release_name") is None:
        read.refuse("release_name", None, "is required")
    waves = _waves(read, values["release_waves"], inventory)
    targets = [target for wave in waves for target in wave.targets]
    limit = values["release_max_concurrent"]
    found = FleetSpec(
        name=read.name("release_name", given.get("release_name"), longest=40) or "",
        home=_home(read, values["release_fleet_home"], targets, inventory),
        waves=waves,
        on_violation=read.choice("release_on_violation", values["release_on_violation"], (ALL, WAVE, TARGET), ALL),
        failure_budget=_budget(read, values["release_failure_budget"], len(targets)),
        on_unreachable=read.choice("release_on_unreachable", values["release_on_unreachable"], (STOP, SKIP, WAIT), STOP),
        unreachable_seconds=read.seconds(
            "release_unreachable_seconds", values["release_unreachable_seconds"], least=5, most=DAY, default=300
        ),
        max_concurrent=None if limit is None else read.integer("release_max_concurrent", limit, least=1, most=100_000, default=1),
    )
    if not read.problems:
        _fits(read, found, inventory)
    if read.problems:
        raise SpecError(read.problems)
    return found


def _waves(read: Reader, value: Any, inventory: Inventory) -> tuple[Wave, ...]:
    listed = read.sequence("release_waves", value) or []
    if not listed and not read.problems:
        read.refuse("release_waves", value, "at least one wave, such as [{group: wave_1, bake: 1h}, {group: rest}]")
    made: list[Wave] = []
    for index, item in enumerate(listed):
        field = f"release_waves[{index}]"
        one = read.mapping(field, item, OF_A_WAVE)
        if one is None:
            continue
        group = read.text(f"{field}.group", one.get("group"))
        if group is None:
            if one.get("group") is None:
                read.refuse(f"{field}.group", None, "is required: a group of the inventory")
            continue
        through = _hours(read, f"{field}.bake", one["bake"], lasts=True) if _is_hours(one.get("bake")) else ""
        made.append(
            Wave(
                group,
                _targets(read, f"{field}.group", group, inventory),
                _share(read, f"{field}.share", one.get("share"), made),
                0.0 if _is_hours(one.get("bake")) else _bake(read, f"{field}.bake", one.get("bake")),
                approval_spec(read, f"{field}.approve", one.get("approve")),
                _hours(read, f"{field}.begin", one.get("begin")),
                through,
            )
        )
    return tuple(made)


def _is_hours(value: Any) -> bool:
    """Whether a bake is written as hours of a week, which begin with a day, and not as a duration."""
    return isinstance(value, str) and value.strip()[:3].lower() in business_hours.DAYS


def _bake(read: Reader, field: str, value: Any) -> float:
    checked = Reader()
    found = checked.seconds(field, value, least=0, most=30 * DAY, default=0)
    read.problems += [
        Problem(one.field, one.value, f"{one.allowed}; or hours, {business_hours.EXAMPLE}: one whole opening is watched")
        for one in checked.problems
    ]
    return found


def _hours(read: Reader, field: str, value: Any, *, lasts: bool = False) -> str:
    """Hours of a week as they are written, empty where there are none; lasts: what is watched from their beginning to their end."""
    text = read.text(field, value, "") or ""
    if not text:
        return ""
    try:
        found = business_hours.parse(text)
    except ValueError as error:
        read.refuse(field, value, f"hours of a week with their time zone, {business_hours.EXAMPLE}: {error}")
        return ""
    if lasts and business_hours.never_closes(found):
        read.refuse(field, value, "hours that end now and then: one whole opening is watched; or a duration, such as 24h")
        return ""
    return text


def _targets(read: Reader, field: str, group: str, inventory: Inventory) -> tuple[str, ...]:
    if group not in inventory.groups:
        known = ", ".join(sorted(name for name in inventory.groups if name not in ("all", "ungrouped")))
        read.refuse(field, group, f"a group of the inventory; there is: {known or 'none'}")
        return ()
    targets = tuple(host for host in inventory.groups[group] if host in inventory.play)
    if not targets:
        what = ", ".join(inventory.groups[group]) or "no host"
        read.refuse(field, group, f"a group with a target of this play; it has {what} (release_targets or --limit may leave them out)")
    return targets


def _share(read: Reader, field: str, value: Any, before: list[Wave]) -> float | None:
    if value is None:
        return None
    found = value
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?\s*%?", value.strip()):
        found = float(value.strip().rstrip("% "))
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found <= 100:
        read.refuse(field, value, "a percentage above 0 and at most 100: the share of the world's traffic with the waves before it")
        return None
    told = [wave.share_percent for wave in before if wave.share_percent is not None]
    if told and found <= told[-1]:
        read.refuse(field, value, f"more than the wave before it ({told[-1]:g}): shares are cumulative")
    return float(found)


def _home(read: Reader, value: Any, targets: Sequence[str], inventory: Inventory) -> str:
    home = read.text("release_fleet_home", value, targets[0] if targets else "") or ""
    if home and home not in inventory.every:
        read.refuse("release_fleet_home", home, f"a host of the inventory; there is: {', '.join(inventory.every)}")
    return home


def _budget(read: Reader, value: Any, targets: int) -> int:
    """How many targets may fail, from a number or a percentage of all of them (rounded down)."""
    if isinstance(value, str) and (matched := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", value.strip())):
        percent = float(matched.group(1))
        if percent < 100:
            return math.floor(targets * percent / 100)
    elif isinstance(value, (int, str)):
        return read.integer("release_failure_budget", value, least=0, most=max(0, targets - 1), default=0)
    read.refuse("release_failure_budget", value, f"a number of targets from 0 to {max(0, targets - 1)}, or a percentage below 100%")
    return 0


def _fits(read: Reader, fleet: FleetSpec, inventory: Inventory) -> None:
    seen: dict[str, str] = {}
    for index, wave in enumerate(fleet.waves):
        for target in wave.targets:
            if target in seen:
                read.refuse(f"release_waves[{index}].group", wave.group, f"hosts of one wave only; {target} is in {seen[target]} already")
            seen[target] = wave.group
    left = [host for host in inventory.play if host not in seen]
    if left:
        read.refuse(
            "release_waves",
            [wave.group for wave in fleet.waves],
            f"a wave for each target of this play; of no wave: {', '.join(left)} (add their group, or name the fleet in release_targets)",
        )
    names: dict[str, str] = {}
    for target in seen:
        if (other := names.setdefault(slug(target), target)) != target:
            read.problems.append(Problem("inventory_hostname", target, f"a name that differs from {other} in letters or digits"))
    needed = forks_needed(fleet)
    if inventory.forks < needed:
        read.refuse(
            "forks",
            inventory.forks,
            f"at least {needed}, for that many targets are released or watched at once: ansible-playbook --forks {needed}, or forks = {needed} "
            "in ansible.cfg",
        )


def forks_needed(fleet: FleetSpec) -> int:
    """How many targets are at work at once: while a wave is released, and while it bakes, all waves before it are watched, too."""
    return len(fleet.targets)


def slug(target: str) -> str:
    """A host's name as part of an object's name."""
    return re.sub(r"[^a-z0-9]+", "-", target.lower()).strip("-")


def release_name(train: str, service: str) -> str:
    """The name of a service's release in a train. A name that is one already stays as it is: it is what our messages tell to type."""
    ending = f"-{slug(service)}"
    return train if train.endswith(ending) else train + ending
