# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many canary pods beside stable's make a share of the traffic, where every ready pod gets as much as any other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

CLOSE = Fraction(1, 10)  # of the share that is wanted: a miss up to it is no coarser than what is taken for an arrived share
MOST_STABLE = 1000


@dataclass(frozen=True)
class Mix:
    """Canary pods and stable pods behind one Service."""

    canary: int
    stable: int

    @property
    def share(self) -> Fraction:
        """The canary's share of the pods, and so of new connections: 0 to 1."""
        return Fraction(self.canary, self.canary + self.stable)

    @property
    def percent(self) -> float:
        """The same in percent."""
        return float(100 * self.share)

    def __str__(self) -> str:
        return f"{self.canary} of {self.canary + self.stable} pods, {self.percent:.3g} %"


def nearest(weight_percent: int, stable: int, most: int) -> Mix:
    """The 1 to most canary pods whose share beside so many stable pods is nearest to a weight between 0 and 100; of two the fewer.

    Stable stays as it is. Raises ValueError where no such pods can be: stable and most must be at least 1.
    """
    if not 0 < weight_percent < 100 or stable < 1 or most < 1:
        raise ValueError(f"no share of {weight_percent} % with {stable} stable and at most {most} canary pods")
    wanted = Fraction(weight_percent, 100)
    below = int(wanted * stable / (1 - wanted))  # exactly it would be c = s * w / (1 - w)
    counts = {min(max(count, 1), most) for count in (below, below + 1)}
    return min((Mix(count, stable) for count in counts), key=lambda mix: (abs(mix.share - wanted), mix.canary))


def most_of(limit: int | None, stable: int) -> int:
    """The most canary pods beside stable's: what the user allows, else as many as stable has."""
    return stable if limit is None else limit


def is_close(weight_percent: int, mix: Mix) -> bool:
    """Whether a share misses a weight by at most a tenth of it."""
    wanted = Fraction(weight_percent, 100)
    return abs(mix.share - wanted) <= CLOSE * wanted


def stable_needed(weight_percent: int, stable: int) -> int | None:
    """The fewest stable pods, from those there are, beside which some canary pods come close to a weight; None above a thousand."""
    wanted = (count for count in range(stable, MOST_STABLE + 1) if is_close(weight_percent, nearest(weight_percent, count, 100 * count)))
    return next(wanted, None)
