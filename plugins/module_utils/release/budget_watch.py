# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches what a release spends of the error budget: failures beyond stable's on the way up, the burn once it has all traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..analysis.look import Counts
from ..analysis.spending import CERTAIN_AT, Burning, Excess
from ..analysis.verdict import BUDGET_BURN, BUDGET_SPENT, ROLL_BACK, Verdict
from .plan import Step
from .situation import Situation
from .values import spoken_seconds


class BudgetWatch:
    """Returns traffic when a release costs more than it may. Without release_slo it does nothing.

    Only a weight is compared with stable: who is matched or mirrored is no random sample, and a mirror's answers reach nobody.
    now is the time of the look, Unix time.
    """

    def __init__(self, context: Situation) -> None:
        self._context = context
        self._slo = context.spec.slo
        saved: Mapping[str, Any] = context.state.budget or {}
        self._excess = Excess.from_dict(saved["excess"]) if saved.get("excess") else Excess()
        self._burning = Burning.from_dict(saved["burning"]) if saved.get("burning") else None
        self._compares = False
        gate = next((one for one in context.spec.counted if one.kind == "error_rate"), None)
        self._gate = gate.name if gate else ""
        self._dispersion = context.target.dispersion.get(self._gate, 1.0)
        self._allowed: float | None = (context.target.budget or {}).get("allowed")

    def enter(self, step: Step, now: float) -> None:
        """The canary's share has just changed."""
        self._compares = 0 < step.weight_percent < 100 and step.kind in ("weight", "ab", "roll") and not self._context.spec.matches
        if step.weight_percent < 100:
            self._burning = None
        elif self._burning is None:
            self._burning = Burning(now)

    def block(self, counts: Mapping[str, tuple[Counts | None, Counts | None]], now: float) -> None:
        """Take the counts of a closed block."""
        canary, stable = counts.get(self._gate, (None, None))
        if self._slo is None or canary is None:
            return
        if self._compares and stable is not None:
            self._excess = self._excess.add(canary, stable)
        if self._burning is not None:
            self._burning = self._burning.add(now, canary, self._slo.watch_seconds or 1.0)
        burning = self._burning.to_dict() if self._burning else None
        self._context.state.budget = {"excess": self._excess.to_dict(), "burning": burning}

    def judge(self, verdict: Verdict) -> Verdict:
        """The verdict on the version, unless the release has cost too much."""
        if self._slo is None or verdict.decision == ROLL_BACK:
            return verdict
        if self._allowed is not None and self._compares and self._excess.is_over(self._allowed, self._dispersion):
            return Verdict(ROLL_BACK, BUDGET_SPENT, self._cost(), {**verdict.evidence, "budget": self._evidence()})
        watch, budget = self._slo.watch_seconds, self._slo.budget
        if watch and self._burning is not None and self._burning.is_too_fast(watch, budget):
            long, short = self._burning.rates(watch, budget)
            counts = self._burning.over(watch)
            words = (
                f"since the switch the error budget burns {long:.3g} times ({counts.events:,} of {counts.requests:,} requests failed), "
                f"{short:.3g} times over the last {spoken_seconds(watch / 12)}; at 14.4 in both traffic returns"
            )
            return Verdict(ROLL_BACK, BUDGET_BURN, words, {**verdict.evidence, "budget": self._evidence()})
        return verdict

    def _cost(self) -> str:
        evidence = self._excess.evidence(self._dispersion)
        return (
            f"{self._excess.failures:,.3g} failures beyond stable's, {self._allowed or 0.0:,.3g} were allowed (release_slo.allowance); "
            f"evidence that the canary fails more often {evidence:,.3g}, {CERTAIN_AT:g} is enough"
        )

    def _evidence(self) -> dict[str, Any]:
        return {"failures_beyond_stable": self._excess.failures, "allowed": self._allowed, "dispersion": self._dispersion}
