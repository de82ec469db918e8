# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.metric_gate: runs gates until a verdict, and may restore the route itself."""

from __future__ import annotations

import gc
import time
from typing import Any, ClassVar

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.progressive.delivery.plugins.module_utils.engine import gate_task, metric_gate
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.plugins.module_utils.release.stop_signs import StopSigns
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare
from ansible_collections.progressive.delivery.plugins.plugin_utils.small_verb import SmallVerb
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import emitter


class ActionModule(SmallVerb):
    """One function, here with a line for each decision, or in the module."""

    argument_spec: ClassVar[dict[str, Any]] = {**AUTH_ARG_SPEC, **declare.WHICH, **gate_task.OPTIONS}
    _target = "localhost"

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Whose lines they are is in the variables."""
        self._target = (task_vars or {}).get("inventory_hostname", self._target)
        return super().run(tmp, task_vars)

    def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        gc.freeze()  # a full collection would touch, and so copy, every page this worker shares with its parent
        signs = StopSigns()
        process = Process(clock=time.time, sleep=time.sleep, why_stop=signs.why)
        runner = metric_gate.Runner(emitter(signs), self._target, process)
        return metric_gate.metric_gate(arguments, runner, check_mode=self._task.check_mode)
