# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters with one shop each, and the tasks of the playbook wave_after_wave.yml in their order, one target after another."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.progressive.delivery.plugins.module_utils.engine import fleet
from ansible_collections.progressive.delivery.plugins.module_utils.engine.fleet_ask import Ask, Way
from ansible_collections.progressive.delivery.plugins.module_utils.fleet import record as records
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.spec import Inventory
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed, MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

WAVES = [{"group": "first", "share": 5, "bake": 20}, {"group": "second", "share": 100, "bake": 10}]
LEASE = ("Lease", "eu", "progressive-delivery-fleet-shop")
STOP = {"scope": "all", "reason": "incident", "cause": "abort", "by": "mia", "at": "now", "target": None, "wave": None}


def in_cluster(world, uid):
    """The world as the cluster with that UID."""
    world.objects["Namespace", "", "kube-system"]["metadata"]["uid"] = uid
    return world


class Regions:
    """Targets a, b and c: a is the first wave, b and c the second; each in a cluster of its own. The record is kept with a."""

    groups = {"first": ["a"], "second": ["b", "c"]}
    home = "a"

    def __init__(self):
        self.worlds = self.build()
        self.variables = {**GIVEN, "release_waves": WAVES, "release_unreachable_seconds": 5}
        self.of_host = {}
        self.runs = 0
        self.starter = "tom"
        self.forks = 10
        self.log_dir = None
        self.lines = []
        self.pending = []  # the targets of the wave that have not had their turn
        self.before = {}  # command -> what happens before it
        self.waved = None

    def build(self):
        """By target: its cluster."""
        return {name: in_cluster(MortalWorld(), f"uid-{name}") for name in ("a", "b", "c")}

    # -- one task

    def ask(self, command, target, **options):
        world = self.worlds[target]
        caller = replace(world.caller, live_emit=self._emit(world), target_name=target, log_dir=self.log_dir)
        process = Process(world.clock, self._sleep(target), lambda: world.stop)
        groups = {**self.groups, "all": list(self.worlds)}
        return Ask(
            command=command,
            given={**self.variables, **self.of_host.get(target, {})},
            inventory=Inventory(groups, groups["all"], self.forks),
            target=target,
            way=lambda host: Way(self.worlds[host], "eu"),
            caller=replace(caller, process=process),
            holder=f"run-{self.runs}",
            options={"by": self.starter, **options},
            aside=False,
        )

    def _emit(self, world):
        def emit(line):
            self.lines.append(line)
            world.emit(line)

        return emit

    def _sleep(self, target):
        """One task sleeps: the others of its wave get their turn as soon as it has the version."""

        def sleep(seconds):
            self.worlds[target].sleep(seconds)
            if self.pending and self.entry(target).state == records.PROMOTED:
                self._release(self.pending.pop(0))

        return sleep

    def do(self, command, target=None, **options):
        target = target or self.home
        if action := self.before.pop((command, options.get("wave") or target), None):
            action()
        return fleet.run(self.ask(command, target, **options))

    def _release(self, target):
        self.results[target] = self.do("release", target, wave=self.waved)

    # -- the playbook

    def play(self, **variables):
        """The ending, as the last task gets it."""
        self.runs += 1
        self.variables.update(variables)
        self.do("plan")
        begun = self.do("begin", admissions=[self.do("admit", target) for target in self.worlds])
        if not begun["runs"]:
            return begun
        for wave in begun["waves"]:
            self._wave(**wave)
        return self.go_back()

    def _wave(self, group, *, waits, freezes):
        if waits:
            for target in self.worlds:
                self.do("border", target, wave=group, freezes=freezes)
        entered = self.do("enter", wave=group, freezes=freezes)
        if not entered["enters"]:
            return
        self.results, self.waved = {}, group
        self.pending = list(entered["targets"])
        while self.pending:
            self._release(self.pending.pop(0))
        if self.do("rest", wave=group)["bakes"]:
            for target in entered["at_work"]:
                self.do("bake", target, wave=group)
        self.do("leave", wave=group)

    def go_back(self, **options):
        for wave in self.do("turn", **options)["returns"]:
            for target in wave["targets"]:
                self.do("return", target, **options)
        return self.do("end", **options)

    def killed(self, command, which):
        """The run dies before a task: nothing of it goes on."""

        def die():
            raise Killed

        self.before[command, which] = die

    def die(self):
        """The run dies in the middle of a task: no cluster hears of it any more."""
        for world in self.worlds.values():
            world.dead = True
        raise Killed

    def bury(self):
        """The dead run's Lease is one that a later run may take."""
        for world in self.worlds.values():
            world.dead = False
            for key, lease in world.objects.items():
                if key[0] == "Lease":
                    lease["spec"]["holderIdentity"] = ""

    def crash(self, target):
        """The target's service has no ready pod any more, until its pods are well again."""
        world = self.worlds[target]
        world.controllers.append(lambda: world.objects["EndpointSlice", "eu", "shop"].update(endpoints=[]))
        self.settle(world)

    def heal(self, target):
        self.worlds[target].controllers.pop()
        self.settle(self.worlds[target])

    @staticmethod
    def settle(world):
        for controller in world.controllers:
            controller()

    # -- what came of it

    @property
    def record(self):
        return records.load(self.worlds[self.home], "eu", "shop")

    def entry(self, target):
        return records.entries(self.worlds[self.home], self.record)[target]

    @property
    def states(self):
        return {target: entry.state for target, entry in records.entries(self.worlds[self.home], self.record).items()}

    @property
    def images(self):
        return {target: world.image for target, world in self.worlds.items()}
