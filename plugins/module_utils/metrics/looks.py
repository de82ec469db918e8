# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what the sources have answered to the look that judges get, and its counts as people read them. Pure."""

from __future__ import annotations

from ..analysis.look import Counts, Look, MetricLook, ScalarLook
from .source import Answer


def look_of(answer: Answer, scalars: tuple[ScalarLook, ...], *, number: int, at_seconds: float, weight_percent: float) -> Look:
    """One look of both sources. number: of the look, or of the next one while nothing in it is final."""
    return Look(
        number=number,
        at_seconds=at_seconds,
        weight_percent=weight_percent,
        metrics=tuple(MetricLook(gate, *both, answer.buckets.get(gate, ())) for gate, both in answer.counts.items()),
        closes_block=answer.closes_block,
        problem=answer.problem,
        problem_detail=answer.detail,
        scalars=scalars,
        has_counts=answer.new or bool(answer.problem),
    )


def counts_of(look: Look) -> str:
    """The counts of the gates that count events, and the answers of queries; those of a quantile are in the verdict's sentence."""
    counted = [f"{one.gate} {_versus(one.canary, one.baseline)}" for one in look.metrics if not one.buckets]
    return " · ".join([*counted, *map(_answered, look.scalars)])


def _versus(canary: Counts | None, stable: Counts | None) -> str:
    def one(counts: Counts | None) -> str:
        return "no data" if counts is None else f"{counts.events:,}/{counts.requests:,}"

    return one(canary) if stable is None else f"{one(canary)} vs {one(stable)}"


def _answered(scalar: ScalarLook) -> str:
    def one(value: float | None) -> str:
        return "no data" if value is None else f"{value:.4g}"

    return f"{scalar.gate} {one(scalar.canary)}" + ("" if scalar.baseline is None else f" vs {one(scalar.baseline)}")
