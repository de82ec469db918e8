# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The error ratios of an objective: from the release's own raw counters, or from the series that Sloth or Pyrra records."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from ..analysis import budget
from ..analysis.burn_rate import HOUR, burn
from ..analysis.look import ScalarLook
from ..analysis.verdict import NO_DATA, TOO_LITTLE_DATA
from ..release.slo_spec import PYRRA, SLOTH, SloSpec
from .catalogue import Arms
from .prometheus import BadQuery, MetricsError, Prometheus

POINTS = 720  # into so many parts the period is cut to see how much of it Prometheus remembers


class NoData(MetricsError):
    """The objective's series say nothing: no requests, or no series of that name and labels."""


@dataclass(frozen=True)
class SloReading:
    """How an objective stands: the share of its budget that is left, how it burns, and the requests of a period.

    known_seconds: how much of the period Prometheus remembers; None where the source does not tell.
    """

    remaining: float
    long_burn: float
    short_burn: float
    requests: float | None
    known_seconds: float | None = None


class Objective:
    """Asks Prometheus about one objective. arms: the release's own counters, where there are any."""

    def __init__(self, client: Prometheus, slo: SloSpec, arms: Arms | None) -> None:
        self._client, self._slo, self._arms = client, slo, arms

    def read(self, per_second: float) -> SloReading:
        """How it stands now. per_second: today's requests, for where no period of them is known. Raises MetricsError."""
        slo = self._slo
        long, short = (self.ratio(seconds) for seconds in self._fast())
        requests, known = self._requests(per_second)
        return SloReading(self._remaining(), burn(long, slo.budget), burn(short, slo.budget), requests, known)

    def ratio(self, seconds: float) -> float:
        """The share of failed requests over the last seconds. Raises NoData, and MetricsError for other trouble."""
        slo = self._slo
        if slo.source == SLOTH:
            return self._one(f"slo:sli_error:ratio_rate{duration(seconds)}{{{_matchers(slo)}}}")
        if slo.source == PYRRA:
            return self._one(f"{slo.series}:burnrate{duration(seconds)}{{{_matchers(slo)}}}")
        arms = self._counters()
        window, selectors = duration(seconds), arms.selectors.values()
        return self._part(arms.grown(window, selectors, failed=True), arms.grown(window, selectors))

    def _remaining(self) -> float:
        slo = self._slo
        if slo.source == SLOTH:
            return self._one(f"slo:period_error_budget_remaining:ratio{{{_matchers(slo)}}}")
        if slo.source == PYRRA:
            series = f"{slo.series}:increase{duration(slo.period_seconds)}"
            ratio = self._part(f"sum({series}{{{_matchers(slo)},{slo.errors}}})", f"sum({series}{{{_matchers(slo)}}})")
            return budget.remaining(ratio, slo.budget)
        return budget.remaining(self.ratio(slo.period_seconds), slo.budget)

    def _requests(self, per_second: float) -> tuple[float | None, float | None]:
        """The requests of a whole period, and how much of it they were counted over; what is missing is taken to be like the rest."""
        period = self._slo.period_seconds
        by_rate = per_second * period if per_second > 0 else None
        if self._arms is None:
            return by_rate, None
        selectors = self._arms.selectors.values()
        step = period / POINTS
        part = duration(step)
        there = self._client.value(f"count_over_time({self._arms.grown(part, selectors, function='rate')}[{duration(period)}:{part}])")
        total = self._client.value(self._arms.grown(duration(period), selectors))
        known = min(period, (there or 0.0) * step)
        if not total or known < HOUR:
            return by_rate, known
        return total * period / known, known

    def _fast(self) -> tuple[float, float]:
        """The pair of windows that tells an incident: one hour and five minutes, or what the source has for them."""
        first = next(iter(self._slo.windows.values()))
        return first.long_seconds, first.short_seconds

    def _counters(self) -> Arms:
        if self._arms is None:
            raise NoData("no counters of the service's requests")
        return self._arms

    def _part(self, failed: str, every: str) -> float:
        """Failed of all requests; no failed series is none failed, no requests is no data."""
        total = self._client.value(every)
        if total is None or not total > 0:
            raise NoData(f"no requests: {every}")
        return (self._client.value(failed) or 0.0) / total

    def _one(self, query: str) -> float:
        found = self._client.value(query)
        if found is None or not math.isfinite(found):
            raise NoData(f"no number: {query}" + ("" if found is None else f" is {found}"))
        return found


class BurnReader:
    """Reads the pairs of windows of the gates on the burn rate."""

    def __init__(self, objective: Objective, slo: SloSpec, gates: dict[str, tuple[str, ...]]) -> None:
        self._objective, self._slo, self._gates = objective, slo, gates

    @property
    def gates(self) -> Collection[str]:
        """The names of its gates."""
        return self._gates

    def read(self, gate: str) -> ScalarLook:
        """A gate's error ratios now; its number, to be shown, is the burn over the first of its long windows."""
        values: list[tuple[str, float]] = []
        try:
            for name in self._gates[gate]:
                window = self._slo.windows[name]
                for which, seconds in (("long", window.long_seconds), ("short", window.short_seconds)):
                    values.append((f"{name}/{which}", self._objective.ratio(seconds)))
        except NoData as error:
            return ScalarLook(gate, None, problem=NO_DATA, detail=str(error))
        except (MetricsError, ValueError) as error:
            return ScalarLook(gate, None, problem=getattr(error, "cause", BadQuery.cause), detail=str(error))
        if not all(math.isfinite(value) for _name, value in values):
            return ScalarLook(gate, None, problem=TOO_LITTLE_DATA, detail="a ratio is no number, as a division by zero is")
        return ScalarLook(gate, burn(values[0][1], self._slo.budget), values=tuple(values))


def duration(seconds: float) -> str:
    """Whole seconds as Prometheus writes them in the names of series: 5m, 1h4m, 30d, 4w."""
    left, said = round(seconds), ""
    for unit, name, exact in ((31_536_000, "y", True), (604_800, "w", True), (86_400, "d", False), (3600, "h", False), (60, "m", False)):
        if left >= unit and not (exact and left % unit):
            said += f"{left // unit}{name}"
            left %= unit
    return said + (f"{left}s" if left or not said else "")


def _matchers(slo: SloSpec) -> str:
    return ",".join(f'{name}="{value}"' for name, value in slo.labels)
