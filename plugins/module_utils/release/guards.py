# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has a word on the panel's verdict before it counts: the arrived share, the alerts, the error budget; in this order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from ..analysis.look import Counts
from ..analysis.verdict import Verdict
from .alert_watch import Silence
from .budget_watch import BudgetWatch
from .plan import Step
from .share import ArrivedShare
from .situation import Situation

BothCounts = Mapping[str, tuple[Optional[Counts], Optional[Counts]]]


class Guards:
    """They count what the judges count, and remember it in the release's state. now: the time of the look, Unix time."""

    def __init__(self, situation: Situation) -> None:
        self._arrived, self._budget = ArrivedShare(situation), BudgetWatch(situation)
        counted = situation.spec.counted
        self._first_gate = counted[0].name if counted else ""

    def enter(self, step: Step, now: float) -> None:
        """The canary's share has just changed."""
        self._arrived.enter(step, now)
        self._budget.enter(step, now)

    def block(self, counts: BothCounts, now: float) -> None:
        """Take the counts of a closed block, by gate."""
        self._arrived.block(*counts[self._first_gate], now)
        self._budget.block(counts, now)

    def judge(self, verdict: Verdict, silence: Silence | None, now: float) -> Verdict:
        """What the panel's verdict comes to. silence: the alerts cannot be read."""
        verdict = self._arrived.judge(verdict, now)
        return self._budget.judge(silence.judge(verdict) if silence else verdict)
