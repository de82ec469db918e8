# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions of the small verbs share: the module's own function in the worker's process where that is the same, the module elsewhere."""

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar

from ansible import constants as C
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

DISCOVERED = ("auto", "auto_silent", "auto_legacy", "auto_legacy_silent")
INVENTORY_NAMES = ("kubeconfig", "context")  # connection options that an inventory gives a target


def is_this_python(path: str) -> bool:
    """Whether an interpreter is the one we run in, by any of its names there (python, python3); another virtualenv's is another one."""
    return os.path.dirname(path) == os.path.dirname(sys.executable) and os.path.realpath(path) == os.path.realpath(sys.executable)


class SmallVerb(ActionBase):
    """Base of the actions. A module costs a process and a transfer, a second of a busy machine; the function itself some milliseconds."""

    _supports_check_mode = True
    _supports_async = True
    TRANSFERS_FILES = False
    argument_spec: ClassVar[dict[str, Any]]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Here, when nothing would be different in a module; else the module, which words what is wrong with arguments, too."""
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = self._with_inventory(variables)
        if self.why_module(variables) is None:
            checked = ArgumentSpecValidator(self.argument_spec).validate(arguments)
            if not checked.error_messages:
                return {**result, **self.call(checked.validated_parameters)}
        background = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self._execute_module(module_args=arguments, task_vars=variables, wrap_async=background))
        if not background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def call(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The verb itself."""
        raise AssertionError(f"{type(self).__name__} has no call()")

    def why_module(self, variables: dict[str, Any]) -> str | None:
        """Why the task must run as a module, None when the worker's process is the same place."""
        if self._connection.transport != "local":
            return f"connection {self._connection.transport}"
        if self._connection.become:
            return "become"
        if self._task.async_val:
            return "async"
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        if environment:
            return "environment"
        delegated = variables.get("ansible_delegated_vars", {}).get(self._task.delegate_to)
        python = self._templar.template(C.config.get_config_value("INTERPRETER_PYTHON", variables=delegated or variables))
        return None if python in DISCOVERED or is_this_python(python) else f"interpreter {python}"

    def _with_inventory(self, variables: dict[str, Any]) -> dict[str, Any]:
        """The task's arguments, with what the inventory says of the target's cluster."""
        given = dict(self._task.args)
        for name in INVENTORY_NAMES:
            if given.get(name) is None and variables.get(name):
                given[name] = self._templar.template(variables[name])
        return given
