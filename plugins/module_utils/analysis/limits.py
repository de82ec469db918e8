# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a threshold judge asks of its gates: limits on one interval's counts or on a query's answer, and how many misses it forgives."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHARE, QUANTILE, RATE, SCALAR = "share", "quantile", "rate", "scalar"
PASSED, FAILED, UNCLEAR, ERROR = "passed", "failed", "unclear", "error"
HIGHER, LOWER, EITHER = "increase", "decrease", "either"


@dataclass(frozen=True)
class Limit:
    """What a value may be. Both ends are allowed values.

    ``fails_above``, ``fails_below``: where a miss begins when it does not begin at the limit; what lies between is neither.
    """

    least: float | None = None
    most: float | None = None
    fails_below: float | None = None
    fails_above: float | None = None

    def judge(self, value: float) -> str:
        """PASSED, FAILED or UNCLEAR."""
        above = self.most is not None and value > self.most
        below = self.least is not None and value < self.least
        if not above and not below:
            return PASSED
        edge = self.fails_above if above else self.fails_below
        if edge is None or (value > edge if above else value < edge):
            return FAILED
        return UNCLEAR


@dataclass(frozen=True)
class ThresholdGate:
    """One gate of the judge.

    ``kind``: the share of the canary's requests that are events, a quantile (milliseconds) of them, how many come in a second, or the
    answer of a query.
    ``tolerance``: with a baseline query, how far the canary may lie beyond it, relative to it, in the bad ``direction``; nothing is
    compared while stable has no requests of its own (all traffic on the canary, matched requests).
    ``unit`` and ``event_word`` are for sentences alone.
    """

    name: str
    kind: str
    limit: Limit
    quantile: float = 0.0
    tolerance: float | None = None
    direction: str = EITHER
    unit: str = ""
    event_word: str = "errors"

    def relative_limit(self, baseline: float) -> Limit:
        """What the canary may be when the baseline is this."""
        slack = abs(baseline) * (self.tolerance or 0.0)
        return Limit(
            least=baseline - slack if self.direction in (LOWER, EITHER) else None,
            most=baseline + slack if self.direction in (HIGHER, EITHER) else None,
        )


@dataclass(frozen=True)
class ThresholdRule:
    """The judge's knobs. Times are seconds on the looks' own clock.

    The gates of one rule are looked at together, each ``interval_seconds``: a look in which any of them fails is one failed look.
    ``threshold``: so many failed looks return traffic, of the whole release, or in a row (``consecutive``); 0: none do.
    ``iterations``: the least number of looks, passed or failed, in a whole release before all traffic.
    ``min_requests``: below it an interval's counts are neither passed nor failed.
    ``count``: after so many looks the gates are done for the release; 0: they never are. ``consecutive_successes``: after so many
    passed looks in a row they are; with it, a ``count`` that runs out is inconclusive, or a failure where ``threshold`` is 0.
    ``unclear_limit``: more looks that are neither passed nor failed are inconclusive. ``error_limit``: more errors in a row return
    traffic. None: no limit. ``no_data_fails``: an error (no data, a bad query) is a failed look.
    ``max_hold_seconds``: the longest time without a passed look, beyond one interval. ``no_data_seconds``: the longest without data.
    Raises ValueError for what could judge nothing.
    """

    gates: tuple[ThresholdGate, ...]
    interval_seconds: float = 60.0
    initial_delay_seconds: float = 0.0
    min_requests: int = 1
    threshold: int = 1
    consecutive: bool = False
    iterations: int = 0
    count: int = 0
    consecutive_successes: int = 0
    unclear_limit: int | None = None
    error_limit: int | None = None
    no_data_fails: bool = False
    minimum_seconds: float = 0.0
    max_hold_seconds: float = 1800.0
    no_data_seconds: float = 120.0

    def __post_init__(self) -> None:
        names = [gate.name for gate in self.gates]
        if not names or len(set(names)) != len(names):
            raise ValueError(f"a rule needs gates whose names differ: {', '.join(names) or 'none'}")
        if not 0.0 < self.interval_seconds < math.inf:
            raise ValueError(f"interval_seconds must be above 0, not {self.interval_seconds}")
        for word in ("threshold", "iterations", "count", "consecutive_successes", "min_requests"):
            if getattr(self, word) < 0:
                raise ValueError(f"{word} must be at least 0, not {getattr(self, word)}")

    @property
    def counted(self) -> tuple[ThresholdGate, ...]:
        """The gates that are judged by requests."""
        return tuple(gate for gate in self.gates if gate.kind != SCALAR)

    @property
    def asked(self) -> tuple[ThresholdGate, ...]:
        """The gates that are judged by a query's answer."""
        return tuple(gate for gate in self.gates if gate.kind == SCALAR)
