# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release train: several services with an order. It is a fleet whose waves are the levels of that order. Pure.

A host is one service in one region; release_train names services, which are groups or hosts of the inventory, and what comes after what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..release.spec import DEFAULTS as OF_A_RELEASE
from ..release.spec import SpecError
from ..release.values import Reader
from . import spec
from .spec import SKIP, TARGET, FleetSpec, Inventory, Service, Wave, release_name, slug
from .told import lines as plan_lines

JSON = dict[str, Any]
TRAIN = "release_train"
LONGEST_NAME = 40  # of a release
NAMED = 3  # so many services are in the name of a level
OF_A_SERVICE = ("service", "after", *(name for name in OF_A_RELEASE if name != "release_name"))


@dataclass(frozen=True)
class Entry:
    """One service as release_train has it, with its own variables of a release."""

    field: str
    name: str
    after: tuple[str, ...]
    variables: JSON


def parse(given: Mapping[str, Any], inventory: Inventory) -> FleetSpec:
    """The fleet that the variables describe, be it a train or not. Raises SpecError with all problems."""
    if given.get(TRAIN) is None:
        return spec.parse(given, inventory)
    read = Reader()
    listed = _entries(read, given[TRAIN])
    if not listed and not read.problems:
        read.refuse(TRAIN, given[TRAIN], "at least one service, such as [{service: catalog}, {service: cart, after: [catalog]}]")
    services = tuple(Service(one.name, one.after, _targets(read, one, inventory)) for one in listed)
    _names(read, listed, given.get("release_name"))
    _hosts(read, listed, services, inventory)
    _order(read, listed)
    whole = None if given.get("release_waves") else [{"group": "all"}]
    try:
        fleet = spec.parse({**given, "release_waves": whole or given["release_waves"]}, inventory)
    except SpecError as error:
        raise SpecError([*read.problems, *error.problems]) from error
    _policies(read, fleet)
    if read.problems:
        raise SpecError(read.problems)
    return replace(fleet, services=services, waves=_levels_of(fleet.waves, services, is_whole=whole is not None))


def for_target(given: Mapping[str, Any], target: str, groups: Mapping[str, Sequence[str]]) -> JSON:
    """The variables of a target's own release: with those of its service, and called after it. Raises SpecError.

    They stay as they are without a train, and for a host of none of its services.
    """
    if given.get(TRAIN) is None:
        return dict(given)
    read = Reader()
    listed = _entries(read, given[TRAIN])
    if read.problems:
        raise SpecError(read.problems)
    mine = next((one for one in listed if target in _members(one.name, groups)), None)
    if mine is None:
        return dict(given)
    name = given.get("release_name")
    named = {"release_name": release_name(name, mine.name)} if isinstance(name, str) and name else {}
    return {**given, **mine.variables, **named}


def levels(services: Sequence[Service]) -> list[tuple[str, ...]]:
    """The services by levels: each after all that it comes after, as early as can be. The order has no circle."""
    level: dict[str, int] = {}
    while len(level) < len(services):
        for one in services:
            if one.name not in level and all(other in level for other in one.after):
                level[one.name] = 1 + max((level[other] for other in one.after), default=-1)
    return [tuple(name for name, number in level.items() if number == wanted) for wanted in range(max(level.values()) + 1)]


def lines(fleet: FleetSpec, now: float) -> list[str]:
    """The plan of a fleet as people read it at a Unix time; of a train with its order and each service's release."""
    told = plan_lines(fleet, now)
    if not fleet.services:
        return told
    order = ", then ".join(" and ".join(level) for level in levels(fleet.services))
    told.insert(1, f"  a train of {len(fleet.services)} services: {order}; back in the reverse order")
    for one in fleet.services:
        after = f", after {' and '.join(one.after)}" if one.after else ""
        told.append(f"  {one.name}: release {release_name(fleet.name, one.name)} in {', '.join(one.targets)}{after}")
    return told


def _entries(read: Reader, value: Any) -> list[Entry]:
    """What release_train says, as far as it can be understood."""
    made: list[Entry] = []
    for index, item in enumerate(read.sequence(TRAIN, value) or []):
        field = f"{TRAIN}[{index}]"
        one = read.mapping(field, item)
        if one is None:
            continue
        _known(read, field, one)
        name = read.text(f"{field}.service", one.get("service"))
        if name is None:
            if one.get("service") is None:
                read.refuse(f"{field}.service", None, "is required: a group or a host of the inventory")
            continue
        if known := next((other for other in made if other.name == name), None):
            read.refuse(f"{field}.service", name, f"each service once; this one is {known.field} already")
            continue
        variables = {key: found for key, found in one.items() if key in OF_A_RELEASE}
        made.append(Entry(field, name, _after(read, f"{field}.after", one.get("after")), variables))
    return made


def _known(read: Reader, field: str, one: Mapping[str, Any]) -> None:
    for key in one:
        if key == "release_name":
            read.refuse(f"{field}.{key}", one[key], "nothing: a service's release is called after the train and the service")
        elif key not in OF_A_SERVICE:
            near = get_close_matches(str(key), OF_A_SERVICE, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            read.refuse(f"{field}.{key}", one[key], f"unknown; {meant}known: service, after, and the variables of a release")


def _after(read: Reader, field: str, value: Any) -> tuple[str, ...]:
    """One service or a list of them."""
    if value is None:
        return ()
    listed = [value] if isinstance(value, str) and not value.lstrip().startswith("[") else read.sequence(field, value)
    found = [read.text(field, one) for one in listed or []]
    return tuple(one for one in found if one is not None)


def _members(name: str, groups: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """The hosts of a service: those of the group of that name, else the host itself."""
    return groups.get(name, (name,))


def _targets(read: Reader, one: Entry, inventory: Inventory) -> tuple[str, ...]:
    field = f"{one.field}.service"
    if one.name not in inventory.groups and one.name not in inventory.every:
        known = sorted({*inventory.groups, *inventory.every} - {"all", "ungrouped"})
        read.refuse(field, one.name, f"a group or a host of the inventory; there is: {', '.join(known) or 'none'}")
        return ()
    members = _members(one.name, inventory.groups)
    targets = tuple(host for host in members if host in inventory.play)
    if not targets:
        has = ", ".join(members) or "no host"
        read.refuse(field, one.name, f"a service with a target of this play; it has {has} (release_targets or --limit may leave them out)")
    return targets


def _names(read: Reader, listed: Sequence[Entry], train: Any) -> None:
    """Each release has a name of its own, which no object's name and no other release's is."""
    slugs: dict[str, str] = {}
    for one in listed:
        ending = slug(one.name)
        if (other := slugs.setdefault(ending, one.name)) != one.name:
            read.refuse(f"{one.field}.service", one.name, f"a name that differs from {other} in letters or digits")
        if not ending:
            read.refuse(f"{one.field}.service", one.name, "a name with letters or digits")
        elif not isinstance(train, str):
            continue
        elif train.endswith(f"-{ending}"):
            read.refuse(
                "release_name", train, f"a name that does not end in the name of a service ({one.name}): releases are called after both"
            )
        elif len(train) + 1 + len(ending) > LONGEST_NAME:
            allowed = f"a name so short that {train}-{ending}, the release of {one.name}, has at most {LONGEST_NAME} characters"
            read.refuse("release_name", train, allowed)


def _hosts(read: Reader, listed: Sequence[Entry], services: Sequence[Service], inventory: Inventory) -> None:
    """Each host of the play runs one service."""
    seen: dict[str, str] = {}
    for entry, one in zip(listed, services):
        for target in one.targets:
            if (other := seen.setdefault(target, one.name)) != one.name:
                allowed = f"hosts of one service only, for a host is one service in one region; {target} is in {other} already"
                read.refuse(f"{entry.field}.service", one.name, allowed)
    left = [host for host in inventory.play if host not in seen]
    if left and services and all(one.targets for one in services):
        allowed = f"a service for each target of this play; of no service: {', '.join(left)} (add it, or name the train in release_targets)"
        read.refuse(TRAIN, [one.name for one in services], allowed)


def _order(read: Reader, listed: Sequence[Entry]) -> None:
    """Every service comes after services of the train, and none after itself."""
    by_name = {one.name: one for one in listed}
    for one in listed:
        if unknown := [other for other in one.after if other not in by_name]:
            read.refuse(f"{one.field}.after", ", ".join(unknown), f"services of the train: {', '.join(by_name)}")
    done: set[str] = set()
    for one in listed:
        if circle := _circle(by_name, one.name, (), done):
            allowed = f"services that can be released before it; {' after '.join(circle)} is a circle"
            read.refuse(f"{by_name[circle[0]].field}.after", ", ".join(by_name[circle[0]].after), allowed)
            return


def _circle(by_name: Mapping[str, Entry], name: str, way: tuple[str, ...], done: set[str]) -> tuple[str, ...]:
    """The first circle that is found from a service on; empty when there is none. done: services that lead into none."""
    if name in way:
        return (*way[way.index(name) :], name)
    if name in done or name not in by_name:
        return ()
    for other in by_name[name].after:
        if found := _circle(by_name, other, (*way, name), done):
            return found
    done.add(name)
    return ()


def _policies(read: Reader, fleet: FleetSpec) -> None:
    """What would leave a service behind that others came after."""
    allowed = "in a train: who comes after a service must not stay without it"
    if fleet.on_violation == TARGET:
        read.refuse("release_on_violation", TARGET, f"all or wave {allowed}")
    if fleet.failure_budget:
        read.refuse("release_failure_budget", fleet.failure_budget, f"0 {allowed}")
    if fleet.on_unreachable == SKIP:
        read.refuse("release_on_unreachable", SKIP, f"stop or wait {allowed}")


def _levels_of(waves: Sequence[Wave], services: Sequence[Service], *, is_whole: bool) -> tuple[Wave, ...]:
    """Each wave as its levels: hours and people are waited for before the first one; share and bake are reached with the last.

    is_whole: there is one wave.
    """
    made: list[Wave] = []
    for wave in waves:
        parts = [(level, _of_level(wave, level, services)) for level in levels(services)]
        parts = [(level, targets) for level, targets in parts if targets]
        for number, (level, targets) in enumerate(parts):
            name = "+".join(level) if len(level) <= NAMED else f"{level[0]}+{len(level) - 1}-more"
            is_first, is_last = number == 0, number == len(parts) - 1
            made.append(
                replace(
                    wave,
                    group=name if is_whole else f"{wave.group}/{name}",
                    targets=targets,
                    share_percent=wave.share_percent if is_last else None,
                    bake_seconds=wave.bake_seconds if is_last else 0.0,
                    bake_hours=wave.bake_hours if is_last else "",
                    approve=wave.approve if is_first else None,
                    begin=wave.begin if is_first else "",
                    part_of=wave.group,
                )
            )
    return tuple(made)


def _of_level(wave: Wave, level: Sequence[str], services: Sequence[Service]) -> tuple[str, ...]:
    return tuple(target for one in services if one.name in level for target in one.targets if target in wave.targets)
