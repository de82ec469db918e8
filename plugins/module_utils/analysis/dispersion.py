# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much more a service's counts vary than independent requests would, measured on the baseline's own history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .evidence import Counted

BLOCKS_OF_AN_HOUR = 60
BUSIEST_SHARE_DROPPED = 0.1


@dataclass(frozen=True)
class Dispersion:
    """``value`` is at least 1. ``measured`` is False when there was less than an hour of one-minute blocks (value 1.0)."""

    value: float
    measured: bool
    pairs: int


def dispersion(blocks: Sequence[Counted]) -> Dispersion:
    """phi from the baseline's one-minute blocks of the hour before, oldest first.

    For neighbouring blocks with events x, x' and requests n, n': s = x + x', q = n/(n + n'), and phi is the mean of
    (x - s*q)^2 / (s*q*(1 - q)), without the busiest tenth of the pairs (largest s: an outage is not noise) and without pairs
    that have no event or an empty block. Comparing neighbours lets the rate itself drift.
    """
    if len(blocks) < BLOCKS_OF_AN_HOUR:
        return Dispersion(1.0, False, 0)
    squares: list[tuple[int, float]] = []
    for first, second in zip(blocks, blocks[1:]):
        events = first.events + second.events
        if not (events and first.requests and second.requests):
            continue
        part = first.requests / (first.requests + second.requests)
        squares.append((events, (first.events - events * part) ** 2 / (events * part * (1.0 - part))))
    squares.sort(key=lambda pair: pair[0])
    kept = squares[: len(squares) - int(len(squares) * BUSIEST_SHARE_DROPPED)]
    if not kept:
        return Dispersion(1.0, True, 0)
    return Dispersion(max(1.0, sum(square for _events, square in kept) / len(kept)), True, len(kept))
