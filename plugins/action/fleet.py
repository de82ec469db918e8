# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.fleet: wave after wave, from one play."""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.lease import identity
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine import fleet
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import Caller
from ansible_collections.progressive.delivery.plugins.module_utils.engine.fleet_ask import Ask, Way
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.spec import Inventory
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.train import for_target
from ansible_collections.progressive.delivery.plugins.module_utils.release import arguments
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Problem, Reader
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb, refusal

OPTIONS = ("command", "wave", "home", "admissions", "freezes", "by", "lost")


class ActionModule(Verb):
    """Arguments and inventory, then the engine. The run that holds a fleet is ansible-playbook itself, the parent of this process."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The inventory is in the variables."""
        self._variables = task_vars or {}
        return super().run(tmp, task_vars)

    def of_target(self, release: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """As they are: the whole train is the fleet's to read."""
        return release

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: Caller) -> dict[str, Any]:
        options = {name: release.pop(name, None) for name in OPTIONS}
        read = Reader()
        command = read.choice("command", options["command"], fleet.COMMANDS, "status")
        if read.problems:
            raise SpecError(read.problems)
        variables = self._variables
        target = variables["inventory_hostname"]

        def way(host: str) -> Way:
            if host == target:
                return Way(connect(connection), str(self._of_host(host, release).get("release_namespace") or ""))
            return self._way(host, release)

        ask = Ask(
            command=command,
            given=release,
            inventory=Inventory(variables["groups"], variables["ansible_play_hosts_all"], int(variables.get("ansible_forks") or 5)),
            target=target,
            way=way,
            caller=caller,
            holder=identity(os.getppid()),
            check_mode=self._task.check_mode,
            options=options,
        )
        try:
            return fleet.run(ask)
        except Refused as error:
            if command not in fleet.ANSWERS:
                raise
            return {**refusal(error.problems), "found": True}  # it was for the fleet, and for none of its targets

    def _of_host(self, host: str, release: dict[str, Any]) -> dict[str, Any]:
        """The variables of a host's release."""
        return for_target(release, host, self._variables["groups"])

    def _way(self, host: str, release: dict[str, Any]) -> Way:
        """Another host's cluster: by what the task says of connections, and its own variables."""
        known = self._variables["hostvars"]
        if host not in known:
            raise SpecError([Problem("release_fleet_home", host, "a host of the inventory")])
        namespace = self._templar.template(known[host].get("release_namespace"))
        of_host = self._of_host(host, {"release_train": release.get("release_train"), "release_namespace": namespace})
        session = connect(arguments.connection(self._task.args, known[host], self._templar.template))
        return Way(session, str(of_host["release_namespace"] or ""))
