# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.release_info: what the records of a namespace say."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import Caller
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_reference
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb


class ActionModule(Verb):
    """Reads only."""

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: Caller) -> dict[str, Any]:
        reference = parse_reference(release, name_is_required=False)
        found = engines.status(connect(connection), reference.namespace, reference.name)
        for one in found:
            one["next"] = [caller.playbook(verb, one["release_name"]) for verb in one.pop("next_commands")]
        return {"changed": False, "releases": found}
