# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release spends of an error budget while it runs: failures beyond stable's, and the burn after the switch. Pure.

``Excess`` adds up, look by look, the canary's failures beyond those that stable's rate of the same look explains, so that an incident
that both share costs the release nothing. ``Burning`` watches everybody's requests once the canary has all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .burn_rate import FAST, SHORT_PART, burn, too_fast
from .evidence import EXCESSES, as_number, log_mixture, relative_log_ratios
from .look import Counts

CERTAIN_AT = 10.0  # evidence that the canary fails more often than stable at all
LEAST_FAILURES = 5  # fewer, after the switch, are chance
PARTS = 48  # of a watch: its short window has four of them, and the record stays small
JSON = dict[str, Any]


@dataclass(frozen=True)
class Excess:
    """Failures beyond stable's since the release began, and log-likelihood ratios of "fails more often" before dispersion."""

    failures: float = 0.0
    log_ratios: tuple[float, ...] = (0.0,) * len(EXCESSES)

    def add(self, canary: Counts, stable: Counts) -> Excess:
        """With the counts of one closed block; one without requests of both says nothing."""
        if not (canary.requests and stable.requests):
            return self
        more = relative_log_ratios(canary, stable, 1.0, EXCESSES)
        log_ratios = tuple(one + other for one, other in zip(self.log_ratios, more))
        return Excess(self.failures + canary.events - canary.requests * stable.rate, log_ratios)

    def evidence(self, dispersion: float) -> float:
        """Evidence that the canary fails more often than stable; dispersion as analysis.dispersion measures it."""
        return as_number(log_mixture(self.log_ratios, dispersion))

    def is_over(self, allowed: float, dispersion: float) -> bool:
        """Whether the release has cost more than allowed, and not by chance."""
        return self.failures > allowed and self.evidence(dispersion) >= CERTAIN_AT

    def to_dict(self) -> JSON:
        """Plain JSON."""
        return {"failures": self.failures, "log_ratios": list(self.log_ratios)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Excess:
        """The state that ``to_dict`` wrote."""
        return cls(plain["failures"], tuple(plain["log_ratios"]))


@dataclass(frozen=True)
class Burning:
    """The requests since the canary got all of them, in parts of the watch: when each ended, requests and failures; nothing of before."""

    since: float
    parts: tuple[tuple[float, int, int], ...] = ()
    failed_looks: int = 0

    def add(self, at_seconds: float, canary: Counts, watch_seconds: float) -> Burning:
        """With a closed block; what is older than the watch is forgotten."""
        width = watch_seconds / PARTS
        kept = [one for one in self.parts if one[0] > at_seconds - watch_seconds]
        requests, events = canary.requests, canary.events
        if kept and int((kept[-1][0] - self.since) / width) == int((at_seconds - self.since) / width):
            _at, more, failed = kept.pop()
            requests, events = requests + more, events + failed
        return Burning(self.since, (*kept, (at_seconds, requests, events)), self.failed_looks + bool(canary.events))

    def over(self, seconds: float) -> Counts:
        """The counts of the last seconds, as far as they are after the switch."""
        last = self.parts[-1][0] if self.parts else 0.0
        kept = [one for one in self.parts if one[0] > last - seconds]
        return Counts(sum(one[1] for one in kept), sum(one[2] for one in kept))

    def rates(self, watch_seconds: float, budget: float) -> tuple[float, float]:
        """The burn over the watch and over its twelfth."""
        long, short = self.over(watch_seconds), self.over(watch_seconds / SHORT_PART)
        return burn(long.rate, budget), burn(short.rate, budget)

    def is_too_fast(self, watch_seconds: float, budget: float) -> bool:
        """Whether both windows burn 14.4 times too fast, with failures in more than one look and more of them than chance makes."""
        enough = self.failed_looks > 1 and self.over(watch_seconds).events >= LEAST_FAILURES
        return enough and too_fast(FAST, *self.rates(watch_seconds, budget))

    def to_dict(self) -> JSON:
        """Plain JSON."""
        return {"since": self.since, "parts": [list(one) for one in self.parts], "failed_looks": self.failed_looks}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Burning:
        """The state that ``to_dict`` wrote."""
        return cls(plain["since"], tuple((at, requests, events) for at, requests, events in plain["parts"]), plain["failed_looks"])
