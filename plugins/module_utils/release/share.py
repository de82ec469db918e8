# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds a weight that does not arrive: the canary's share of the requests is compared with what was asked of the route."""

from __future__ import annotations

from ..analysis import sample_ratio
from ..analysis.evidence import as_number
from ..analysis.look import Counts
from ..analysis.sample_ratio import SampleRatio
from ..analysis.verdict import ADVANCE, HOLD, INCONCLUSIVE, SHARE_MISSED, Verdict
from . import share_spec
from .plan import Step
from .situation import Situation

SETTLE_SECONDS = 5.0  # a block that began sooner after a shift has requests of the weight before, or of proxies that were late
MILLION = 1e6


class ArrivedShare:
    """The share that arrives while a weight between 0 and 100 stands. An alarm says nothing of the version: it only holds.

    While matches are active, matched and weighted requests share the counters: then it is told and holds nothing, as with
    release_share_check report. With off nothing is compared: clients that bypass the route make every comparison a miss.
    now is the time of the look, Unix time.
    """

    def __init__(self, context: Situation) -> None:
        self._context = context
        saved = context.state.sample_ratio
        self._state = SampleRatio.from_dict(saved) if saved else None
        self._counted_from = self._block_began = self._held_since = 0.0
        self._weight = 0
        gates = context.spec.counted
        self._dispersion = context.target.dispersion.get(gates[0].name, 1.0) if gates else 1.0

    def enter(self, step: Step, now: float) -> None:
        """A weight has just been put. What is known of the same weight stays: a runner that resumes enters its step again."""
        self._counted_from, self._block_began, self._held_since = now + SETTLE_SECONDS, now, now
        self._weight = step.weight_percent
        off = self._context.spec.share_check == share_spec.OFF
        if off or step.kind != "weight" or step.weight_percent == 100:  # nothing was asked of a route
            self._state = None
        else:
            self._follow()
        self._keep()

    def _follow(self) -> bool:
        """Whether the share that the weight is stands as it was; else what was counted is of another share, and forgotten."""
        real = self._context.real_percent(self._weight)
        if self._state is not None and self._state.weight_percent == real:
            return True
        self._state = SampleRatio(real)
        return False

    def block(self, canary: Counts | None, stable: Counts | None, now: float) -> None:
        """Take the counts of a closed block; say when an alarm begins or ends."""
        began, self._block_began = self._block_began, now
        before = self._state
        if before is None or canary is None or stable is None or began < self._counted_from or not self._follow():
            return
        self._state = sample_ratio.look(before, canary.requests, stable.requests, self._dispersion)
        self._keep()
        if self._state.alarm and not before.alarm:
            self._held_since = now
            word, effect = ("hold", "the weight is held") if self._holds else ("share", f"{self._why_free}: nothing is held")
            self._context.live.say(word, f"{_words(self._state, self._dispersion)}; {effect}", cause=SHARE_MISSED)
        if before.alarm and not self._state.alarm:
            self._context.live.say("share", f"{_words(self._state, self._dispersion)}: as asked again")

    def judge(self, verdict: Verdict, now: float) -> Verdict:
        """The verdict on the version, but no advance while the alarm stands; inconclusive when it stands for too long."""
        if not self._holds or self._state is None or verdict.decision != ADVANCE:
            return verdict
        words = _words(self._state, self._dispersion)
        evidence = {**verdict.evidence, "share": self._state.to_dict()}
        held = now - self._held_since
        if held >= self._context.spec.max_hold_seconds:
            return Verdict(INCONCLUSIVE, SHARE_MISSED, f"{words}; held for {held:.0f} s (release_max_hold_seconds)", evidence)
        return Verdict(HOLD, SHARE_MISSED, words, evidence)

    @property
    def _holds(self) -> bool:
        return self._state is not None and self._state.alarm and not self._why_free

    @property
    def _why_free(self) -> str:
        """Why a miss holds nothing; empty when it holds."""
        if self._context.route.matches:
            return "matched requests count too"
        return "release_share_check is report" if self._context.spec.share_check == share_spec.REPORT else ""

    def _keep(self) -> None:
        self._context.state.sample_ratio = self._state.to_dict() if self._state else None


def _words(state: SampleRatio, dispersion: float) -> str:
    """The asked and the arrived share with their numbers."""
    evidence = as_number(sample_ratio.log_evidence(state.canary, state.stable, state.asked, dispersion))
    certainty = f"evidence {evidence:,.0f}" if evidence < MILLION else "evidence above a million"
    counts = f"{state.canary:,} of {state.canary + state.stable:,} requests; {certainty}, alarm at {sample_ratio.ALARM_AT:,.0f}"
    return f"asked {state.weight_percent:g} %, arrived {100 * state.arrived:.3g} % ({counts})"
