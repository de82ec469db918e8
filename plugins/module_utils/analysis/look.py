# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look is: how many requests each arm had, and how many of them failed or were slow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Requests of one arm and how many of them were events (failed, or slower than the bound).

    Raises ValueError unless ``0 <= events <= requests``.
    """

    requests: int
    events: int

    def __post_init__(self) -> None:
        if not 0 <= self.events <= self.requests:
            raise ValueError(f"events must lie between 0 and requests: {self.events} of {self.requests}")

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.requests + other.requests, self.events + other.events)

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.requests - other.requests, self.events - other.events)

    def since(self, before: Counts) -> Counts:
        """What came since an earlier look at the same block; nothing where counts have shrunk."""
        requests = max(0, self.requests - before.requests)
        return Counts(requests, min(requests, max(0, self.events - before.events)))

    @property
    def rate(self) -> float:
        """Events per request, 0.0 without requests."""
        return self.events / self.requests if self.requests else 0.0


NO_COUNTS = Counts(0, 0)


@dataclass(frozen=True)
class MetricLook:
    """One gate's counts in one look. ``None``: this arm gave no data, which is not the same as zero requests.

    ``buckets``: the canary's requests up to each bound (milliseconds, growing, the last one infinite), for a gate on a quantile.
    """

    gate: str
    canary: Counts | None
    baseline: Counts | None
    buckets: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True)
class ScalarLook:
    """One gate's answers of its queries in one look. With ``problem`` (no_data, too_little_data, bad_query) no value may be used.

    ``values``: by name, where a gate asks for more than the canary's number and stable's (burn rates: a pair for each window).
    """

    gate: str
    canary: float | None
    baseline: float | None = None
    problem: str | None = None
    detail: str = ""
    values: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Look:
    """One reading of all gates at one time.

    ``metrics`` counts what happened since the block began. A block of looks closes (``closes_block``) when every pod has
    a new sample; a look inside an open block replaces the look before it, the look after a closing one starts from zero.
    ``problem`` is set when nothing in this look can be used: ``no_data``, ``stale`` or ``bad_query``.
    ``at_seconds`` is any clock that only grows; all times given to the engine are read on it.
    ``has_counts``: this look has counts, or the problem that there are none; else it has scalars alone.
    """

    number: int
    at_seconds: float
    weight_percent: float
    metrics: tuple[MetricLook, ...]
    closes_block: bool
    problem: str | None = None
    problem_detail: str = ""
    scalars: tuple[ScalarLook, ...] = ()
    has_counts: bool = True
