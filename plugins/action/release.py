# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.release: runs one release in one target, in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import Caller
from ansible_collections.progressive.delivery.plugins.module_utils.engine.from_cluster import with_documents
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb


class ActionModule(Verb):
    """Spec, then session, then the engine."""

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: Caller) -> dict[str, Any]:
        spec = parse(with_documents(lambda: connect(connection), release))
        caller = replace(caller, next_status=caller.playbook("status", spec.name), next_abort=caller.playbook("abort", spec.name))
        session = connect(connection)
        result = engines.start(session, spec, caller, check_mode=self._task.check_mode)
        return {"release_name": spec.name, "next": {"status": caller.next_status, "abort": caller.next_abort}, **result}
