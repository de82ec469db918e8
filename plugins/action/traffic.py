# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.traffic: declares the traffic state of one service."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare
from ansible_collections.progressive.delivery.plugins.plugin_utils.small_verb import SmallVerb


class ActionModule(SmallVerb):
    """One function, here or in the module."""

    argument_spec: ClassVar[dict[str, Any]] = {**AUTH_ARG_SPEC, **declare.WHICH, **declare.STATE}

    def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return declare.traffic(arguments, check_mode=self._task.check_mode, diff=self._task.diff)
