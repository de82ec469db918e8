# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that the threshold judge remembers: how its looks went, and what the open interval has counted. JSON-able."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Optional

Buckets = tuple[tuple[Optional[float], int], ...]  # (bound in ms, requests up to it); None: the infinite bound, which JSON has not


@dataclass(frozen=True)
class ThresholdState:
    """Counters over the whole release, and the open interval. Times are on the looks' clock.

    ``last``: how the last look of this step went (passed, failed, unclear, error; empty: none yet), ``cause`` and ``words`` say why.
    ``passed_at``: when the last look passed, or the step began. ``done``: the gates are judged for good.
    """

    passed: int = 0
    failed: int = 0
    unclear: int = 0
    passed_in_row: int = 0
    failed_in_row: int = 0
    errors_in_row: int = 0
    done: bool = False
    last: str = ""
    cause: str = ""
    words: str = ""
    begun: bool = False
    entered_at: float = 0.0
    passed_at: float = 0.0
    interval_at: float = 0.0
    minimum_seconds: float = 0.0
    before_all: bool = False
    absolute_only: bool = False
    no_counts_since: float | None = None
    no_answer_since: float | None = None
    problem: str = ""
    problem_words: str = ""
    counts: tuple[tuple[str, int, int], ...] = ()
    buckets: tuple[tuple[str, Buckets], ...] = ()

    @property
    def judged(self) -> int:
        """Looks that passed or failed."""
        return self.passed + self.failed

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings; ``from_dict`` gives back an equal state."""
        plain = asdict(self)
        plain["counts"] = [list(one) for one in self.counts]
        plain["buckets"] = [[name, [list(pair) for pair in pairs]] for name, pairs in self.buckets]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> ThresholdState:
        """The state that ``to_dict`` wrote."""
        values = {each.name: plain[each.name] for each in fields(cls)}
        values["counts"] = tuple((name, requests, events) for name, requests, events in values["counts"])
        values["buckets"] = tuple((name, tuple((bound, count) for bound, count in pairs)) for name, pairs in values["buckets"])
        return cls(**values)
