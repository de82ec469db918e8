# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every verb's action shares: reading arguments, printing while it runs, noticing that it should stop."""

from __future__ import annotations

import gc
import getpass
import time
from collections.abc import Callable
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import ClusterError
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import Caller
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.train import for_target
from ansible_collections.progressive.delivery.plugins.module_utils.release import arguments
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.release.stop_signs import StopSigns
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Problem
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import RouteError

display = Display()


class Verb(ActionBase):
    """Base of the actions: no connection is opened, nothing is copied, check mode works."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Read the arguments, call the verb, turn what it raises into a readable result."""
        super().run(tmp, task_vars)
        gc.freeze()  # a full collection would touch, and so copy, every page this worker shares with its parent: 18 MB a target
        variables = task_vars or {}
        release, connection = arguments.split(self._task.args, variables, self._templar.template)
        signs = StopSigns()
        try:
            release = self.of_target(release, variables)
            caller = self._caller(signs, variables, release)
            return self.call(release, connection, caller)
        except (SpecError, Refused) as error:
            return refusal(error.problems)
        except (ClusterError, RouteError) as error:
            return {"failed": True, "changed": False, "outcome": "refused", "reason": str(error), "msg": str(error)}

    def of_target(self, release: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """The arguments as they are meant for this host: of a train its service's. Raises SpecError."""
        return for_target(release, variables.get("inventory_hostname", "localhost"), variables.get("groups") or {})

    def call(self, release: dict[str, Any], connection: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """The verb itself."""
        raise AssertionError(f"{type(self).__name__} has no call()")

    def _caller(self, signs: StopSigns, variables: dict[str, Any], release: dict[str, Any]) -> Caller:
        host = variables.get("inventory_hostname", "localhost")
        said = release.get("by") or release.get("release_by") or variables.get("awx_user_name") or variables.get("tower_user_name")
        example = f"-e release_name={release.get('release_name')} -l {host}"
        return Caller(
            live_emit=emitter(signs),
            target_name=host,
            log_dir=release.get("release_log_dir") or release.get("release_report_dir"),  # which tells more with them
            process=Process(clock=time.time, sleep=time.sleep, why_stop=signs.why),
            next_status=f"ansible-playbook progressive.delivery.status {example}",
            next_abort=f"ansible-playbook progressive.delivery.abort {example}",
            by=str(said or getpass.getuser()),
        )


def refusal(problems: list[Problem]) -> dict[str, Any]:
    """The result of bad input: all problems at once, and that nothing was changed."""
    lines = [str(problem) for problem in problems]
    word = "problem" if len(lines) == 1 else "problems"
    return {
        "failed": True,
        "changed": False,
        "outcome": "refused",
        "reason": "; ".join(lines),
        "problems": [problem.to_dict() for problem in problems],
        "msg": "\n".join([*lines, f"{len(lines)} {word}. Nothing was changed."]),
    }


def emitter(signs: StopSigns) -> Callable[[str], None]:
    """Prints a line at once; silent when nobody is left to read it (writing to a dead parent's pipe would block or raise)."""

    def emit(line: str) -> None:
        if not signs.parent_is_gone():
            display.display(line)

    return emit
