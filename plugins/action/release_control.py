# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.release_control: commands to a release that runs elsewhere."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import Caller
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_command
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb


class ActionModule(Verb):
    """Arguments, then session, then the engine."""

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: Caller) -> dict[str, Any]:
        command = parse_command(release)
        result = engines.control(connect(connection), command, caller, check_mode=self._task.check_mode)
        verbs = result.pop("next_commands", [])
        return {**result, "next": [caller.playbook(verb, command.name) for verb in verbs]}
