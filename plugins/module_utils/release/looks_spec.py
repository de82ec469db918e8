# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How gates of the judge threshold are looked at: what users write, checked. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from .values import Reader


@dataclass(frozen=True)
class LooksSpec:
    """How gates of the judge threshold are looked at. Times in seconds; limits as analysis.limits.ThresholdRule has them."""

    interval_seconds: float = 60.0
    threshold: int = 1
    consecutive: bool = False
    iterations: int = 0
    min_requests: int = 1
    initial_delay_seconds: float = 0.0
    count: int = 0
    consecutive_success_limit: int = 0
    inconclusive_limit: int | None = None
    consecutive_error_limit: int | None = None
    no_data: str = "hold"  # or fail


def looks_of(read: Reader, field: str, value: Any, base: LooksSpec) -> LooksSpec:
    """release_looks, or a gate's own looks over it."""
    found = read.mapping(field, value, [each.name for each in fields(LooksSpec)]) or {}
    defaults = asdict(base)

    def whole(name: str, most: int = 1_000_000) -> int:
        return read.integer(f"{field}.{name}", found.get(name), least=0, most=most, default=defaults[name])

    def limit(name: str) -> int | None:
        return defaults[name] if found.get(name) is None else whole(name)

    def seconds(name: str, least: float) -> float:
        return read.seconds(f"{field}.{name}", found.get(name), least=least, most=86400, default=defaults[name])

    return LooksSpec(
        interval_seconds=seconds("interval_seconds", 1),
        threshold=whole("threshold"),
        consecutive=read.truth(f"{field}.consecutive", found.get("consecutive", base.consecutive)),
        iterations=whole("iterations"),
        min_requests=whole("min_requests", 1_000_000_000),
        initial_delay_seconds=seconds("initial_delay_seconds", 0),
        count=whole("count"),
        consecutive_success_limit=whole("consecutive_success_limit"),
        inconclusive_limit=limit("inconclusive_limit"),
        consecutive_error_limit=limit("consecutive_error_limit"),
        no_data=read.choice(f"{field}.no_data", found.get("no_data"), ("hold", "fail"), defaults["no_data"]),
    )
