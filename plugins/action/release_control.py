# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.release_control: commands to a release that runs elsewhere."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_command
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb


class ActionModule(Verb):
    """Abort; the other commands come with later versions."""

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: native.Caller) -> dict[str, Any]:
        command = parse_command(release)
        session = connect(connection)
        if self._task.check_mode:
            known = native.status(session, command.namespace, command.name)
            return {"changed": any(one["phase"] != "ended" for one in known), "releases": known}
        return native.abort(session, command.namespace, command.name, caller, by=command.by, reason=command.reason)
