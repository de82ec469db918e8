# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a process that steers or judges traffic should stop: nobody is left who asked for it, or it was told to."""

from __future__ import annotations

import os
import signal
from typing import Any


class StopSigns:
    """Says why the runner should stop: its parent is gone (a killed or cancelled job), or it was signalled.

    ansible-playbook and ansible-runner end a job with SIGINT, SIGTERM or SIGKILL; none of these runs Python's finally in a
    worker, and a worker outlives a parent that was killed. So signals are only noted, and the parent is compared.
    """

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._signal: str | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: Any) -> None:
        self._signal = self._signal or signal.Signals(number).name

    def parent_is_gone(self) -> bool:
        """Whether the process that started us has ended."""
        return os.getppid() != self._parent

    def why(self) -> str | None:
        """A sentence, or None."""
        if self._signal:
            return f"the runner was told to stop ({self._signal})"
        return "the process that started the runner is gone (job killed or cancelled)" if self.parent_is_gone() else None
