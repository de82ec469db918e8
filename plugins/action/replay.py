# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.replay: what a release's gates would have said of the past, or what they said of a release, recomputed."""

from __future__ import annotations

from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import Caller
from ansible_collections.progressive.delivery.plugins.module_utils.engine.recompute import is_asked, replay_release
from ansible_collections.progressive.delivery.plugins.module_utils.engine.replay import replay
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import Verb


class ActionModule(Verb):
    """Reads only, and writes a page where release_report_dir says."""

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: Caller) -> dict[str, Any]:
        if is_asked(release):
            return replay_release(lambda: connect(connection), release, caller)
        return replay(connect(connection), release, caller, check_mode=self._task.check_mode)
