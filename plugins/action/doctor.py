# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.doctor: what would go wrong with a release, before there is one."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.doctor import diagnose, told
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb


class ActionModule(Verb):
    """Reads only; prints each finding with its fix as it can be pasted."""

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: native.Caller) -> dict[str, Any]:
        result = diagnose(connect(connection), release)
        for line in told(result["findings"]):
            caller.live_emit(f"{caller.target_name}  {line}")
        return result
