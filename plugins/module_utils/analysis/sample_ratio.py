# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the share of the requests that arrived at the canary is the share that was asked for. Pure.

E = B(a + n_c, b + n_b) / (B(a, b) * w^n_c * (1 - w)^n_b) with a = k*w, b = k*(1 - w): a Beta mixture over the canary's share,
centred on the share w that was asked for. It may be looked at any number of times: while the share is w, the chance that it
ever reaches 1/alpha is at most alpha. Source: Lindon & Malek, NeurIPS 2022 (arXiv 2011.03567). Requests that come in clumps
(one connection, one retrying client) are allowed for by dividing the counts by the dispersion. A miss that is certain but
small is none: a proxy's weights are whole percents of its own connections.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

CONCENTRATION = 1000.0
"""k: how close to the asked share the mixture expects a wrong one."""
ALARM_AT = 1000.0
LARGEST_MISS = 0.1
"""Of the asked share."""
CLEARING_REQUESTS = 400.0
"""Canary requests to be expected before an alarm can be taken back: the share is known to 5 % of itself then."""


@dataclass(frozen=True)
class SampleRatio:
    """Requests of both arms while one weight stood, without those of blocks that began at another one.

    While an alarm stands, later_... are the requests since it was raised or last confirmed.
    """

    weight_percent: float
    canary: int = 0
    stable: int = 0
    alarm: bool = False
    later_canary: int = 0
    later_stable: int = 0

    @property
    def asked(self) -> float:
        """The share that was asked for, 0 to 1."""
        return self.weight_percent / 100

    @property
    def arrived(self) -> float:
        """The share that arrived, 0 to 1; the asked one while there were no requests."""
        return self.canary / (self.canary + self.stable) if self.canary + self.stable else self.asked

    def to_dict(self) -> dict[str, Any]:
        """As JSON; ``from_dict`` gives back an equal state."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> SampleRatio:
        """The state that ``to_dict`` wrote."""
        return cls(**saved)


def log_evidence(canary: int, stable: int, share: float, dispersion: float = 1.0) -> float:
    """ln E of so many requests against "the canary's share is share" (above 0 and below 1)."""
    a, b = CONCENTRATION * share, CONCENTRATION * (1.0 - share)
    n_c, n_b = canary / dispersion, stable / dispersion
    return _log_beta(a + n_c, b + n_b) - _log_beta(a, b) - n_c * math.log(share) - n_b * math.log1p(-share)


def relative_miss(canary: int, stable: int, share: float) -> float:
    """How far the canary's share is from the asked one, as a part of that; 0 without requests."""
    return abs(canary / (canary + stable) - share) / share if canary + stable else 0.0


def look(before: SampleRatio, canary: int, stable: int, dispersion: float = 1.0) -> SampleRatio:
    """The state after so many more requests of each arm.

    An alarm is raised by certainty and size together. It stands until enough later requests have the asked share; what came
    before is forgotten then, so that a long miss need not be outweighed by an even longer good time.
    """
    after = replace(before, canary=before.canary + canary, stable=before.stable + stable)
    if not before.alarm:
        is_certain = log_evidence(after.canary, after.stable, after.asked, dispersion) >= math.log(ALARM_AT)
        return replace(after, alarm=is_certain and relative_miss(after.canary, after.stable, after.asked) > LARGEST_MISS)
    later = replace(after, later_canary=before.later_canary + canary, later_stable=before.later_stable + stable)
    if (later.later_canary + later.later_stable) * later.asked < CLEARING_REQUESTS * dispersion:
        return later
    if relative_miss(later.later_canary, later.later_stable, later.asked) > LARGEST_MISS:
        return replace(later, later_canary=0, later_stable=0)
    return SampleRatio(later.weight_percent, later.later_canary, later.later_stable)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
