# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of the verb fleet knows: its arguments, the inventory, its target's cluster, and the way to the fleet's home."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster import lease as leases
from ..cluster.errors import Superseded
from ..cluster.session import Session
from ..fleet import record as records
from ..fleet.member import Home
from ..fleet.record import FleetRecord
from ..fleet.spec import FleetSpec, Inventory
from ..fleet.train import for_target, parse
from ..release.spec import SpecError
from ..release.values import Problem
from .assemble import Caller

JSON = dict[str, Any]
LEASE_SECONDS = 30  # a run of many targets is silent for some seconds between two tasks


@dataclass(frozen=True)
class Way:
    """How to reach a host of the inventory: a session with its cluster, and the namespace of its release."""

    session: Session
    namespace: str


@dataclass(frozen=True)
class Ask:
    """One task of the verb. holder: the identity of the run (ansible-playbook), which outlives its tasks."""

    command: str
    given: Mapping[str, Any]
    inventory: Inventory
    target: str
    way: Callable[[str], Way]  # of a host
    caller: Caller
    holder: str
    check_mode: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)  # wave, home, admissions, freezes, by, lost
    aside: bool = True  # the home is asked by a thread of its own; else at every look

    @property
    def name(self) -> str:
        """The fleet's name: its release's. Raises SpecError."""
        found = self.given.get("release_name")
        if not isinstance(found, str) or not found:
            raise SpecError([Problem("release_name", found, "is required")])
        return found

    @property
    def by(self) -> str:
        """Who gives the command."""
        return str(self.options.get("by") or getpass.getuser())

    @property
    def reason(self) -> str:
        """Why, empty when nobody said."""
        return str(self.given.get("release_reason") or "")

    def fleet(self) -> FleetSpec:
        """The fleet as the variables have it. Raises SpecError."""
        return parse(self.given, self.inventory)

    def release(self) -> dict[str, Any]:
        """The variables of this target's own release. Raises SpecError."""
        return for_target(self.given, self.target, self.inventory.groups)

    def where(self) -> str:
        """The host whose cluster keeps the record."""
        return str(self.options.get("home") or self.fleet().home)

    def wave(self, record: FleetRecord) -> int:
        """The number of the wave that the task names. Raises SpecError."""
        group = self.options.get("wave")
        try:
            return record.fleet.number_of(str(group))
        except KeyError:
            groups = ", ".join(wave.group for wave in record.fleet.waves)
            raise SpecError([Problem("wave", group, f"a wave of the fleet: {groups}")]) from None

    def home(self) -> tuple[Home, FleetRecord]:
        """The fleet's home and record, where this run holds it. Raises Superseded when it does not."""
        way = self.way(self.where())
        record = records.load(way.session, way.namespace, self.name)
        if record is None:
            raise Superseded(f"there is no record of fleet {self.name} in {way.namespace} of {self.where()}: begin it first")
        lease = leases.look(way.session, way.namespace, records.lease_name(self.name))
        holder = ((lease or {}).get("spec") or {}).get("holderIdentity")
        if holder != self.holder:
            raise Superseded(f"fleet {self.name} is held by {holder or 'nobody'}, not by this run ({self.holder})")
        return Home(way.session, way.namespace, self.name, record.token, self.holder), record


def is_mine(ask: Ask, record: FleetRecord) -> bool:
    """Whether this target speaks for the fleet: of the services of a train that share the namespace of its record the home does."""
    home = record.fleet.home
    return home == ask.target or home not in ask.inventory.play


def holder_of(way: Way, name: str) -> JSON | None:
    """Who holds a fleet's Lease: its identity, since when, when it was renewed, in words, and whether it is certainly dead; None: nobody."""
    found = leases.look(way.session, way.namespace, records.lease_name(name))
    spec = (found or {}).get("spec") or {}
    identity = spec.get("holderIdentity")
    if not identity:
        return None
    return {
        "identity": identity,
        "since": spec.get("acquireTime"),
        "renewed_at": spec.get("renewTime"),
        "said": leases.held_by(spec),
        "is_dead": leases.is_dead(identity),
    }


def is_alive(way: Way, name: str, sleep: Callable[[float], None], *, seconds: float) -> bool:
    """Whether somebody runs the fleet: its Lease is renewed within some seconds."""
    before = holder_of(way, name)
    if before is None or before["is_dead"]:
        return False
    for _second in range(int(seconds)):
        sleep(1.0)
        now = holder_of(way, name)
        if now is None or now["is_dead"]:
            return False
        if now["renewed_at"] != before["renewed_at"]:
            return True
    return False
