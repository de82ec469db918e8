# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release costs: pods beyond the usual ones, requests that failed meanwhile, and how long the switch to the new version took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Optional

from ..analysis.look import Counts

JSON = dict[str, Any]
Arms = tuple[Optional[Counts], Optional[Counts]]  # the canary's and stable's
ERRORS = "error_rate"


@dataclass(frozen=True)
class Costs:
    """extra_pod_seconds counts up to since (Unix time); from then on there are extra_pods. switch_ms: the write of the route to its read back.

    requests and failed are those of both versions, as the first gate on errors counted them; None: no gate counts errors.
    """

    extra_pods: int = 0
    since: float = 0.0
    extra_pod_seconds: float = 0.0
    switch_ms: float | None = None
    requests: int | None = None
    failed: int | None = None

    @staticmethod
    def of(saved: Mapping[str, Any]) -> Costs:
        """Costs as to_dict wrote them; of a release that has cost nothing yet: {}."""
        return Costs(**saved)

    def to_dict(self) -> JSON:
        """As the record keeps them."""
        return asdict(self)

    def sized(self, pods: int, now: float) -> Costs:
        """From now on there are so many pods that would not be there without the release."""
        spent = self.extra_pods * max(0.0, now - self.since)
        return replace(self, extra_pods=pods, since=now, extra_pod_seconds=self.extra_pod_seconds + spent)

    def switched(self, milliseconds: float) -> Costs:
        """All traffic was given to the new version; the first time counts."""
        return self if self.switch_ms is not None else replace(self, switch_ms=round(milliseconds, 1))

    def counted(self, arms: Iterable[Arms]) -> Costs:
        """With the requests of one block of looks, of the first gate that counts errors."""
        for pair in arms:
            found = [one for one in pair if one is not None]
            requests, failed = (sum(getattr(one, name) for one in found) for name in ("requests", "events"))
            return replace(self, requests=(self.requests or 0) + requests, failed=(self.failed or 0) + failed)
        return self

    def told(self) -> JSON:
        """As a verb returns them; of a release that runs the pod-seconds up to the last change of its size."""
        return {
            "switch_ms": self.switch_ms,
            "requests": self.requests,
            "failed_requests": self.failed,
            "extra_pod_seconds": round(self.extra_pod_seconds),
        }
