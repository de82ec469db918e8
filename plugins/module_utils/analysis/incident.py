# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is stable itself burning? Then the canary is not to blame for what both arms suffer."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .look import Counts

BIN_SECONDS = 5.0
LONGEST_SECONDS = 300.0
WINDOWS_SECONDS = (15.0, 60.0, LONGEST_SECONDS)
FAST_BURN = 14.4
CERTAINTY_NATS = math.log(100.0)
LEAST_EVENTS = 3


def remember(recent: Iterable[tuple[float, int, int]], at_seconds: float, counts: Counts) -> tuple[tuple[float, int, int], ...]:
    """The recent counts with one closed block added, in bins of five seconds, nothing older than five minutes."""
    start = math.floor(at_seconds / BIN_SECONDS) * BIN_SECONDS
    kept = [each for each in recent if start - LONGEST_SECONDS < each[0] <= start]
    if kept and kept[-1][0] == start:
        _start, requests, events = kept.pop()
        kept.append((start, requests + counts.requests, events + counts.events))
    else:
        kept.append((start, counts.requests, counts.events))
    return tuple(kept)


def is_burning(
    recent: Iterable[tuple[float, int, int]],
    block: Counts,
    at_seconds: float,
    *,
    max_rate: float,
    budget: float | None,
    dispersion: float,
) -> bool:
    """Whether the baseline's own rate is above max_rate, or above 14.4 times its budget over five minutes.

    Asked of this block, then of the last 15, 60 and 300 seconds: the shortest window that can tell with 99 % certainty
    (Chernoff's bound, n*KL/dispersion >= ln 100) decides, so that a single event never starts an incident and an ended one is
    soon over. When none can tell, the baseline is not burning. At least three events are needed.
    """
    bins = [each for each in recent if each[0] <= at_seconds]
    if block.events + sum(each[2] for each in bins) < LEAST_EVENTS:
        return False
    windows = [block]
    requests, events = block.requests, block.events
    bins.reverse()
    position = 0
    for seconds in WINDOWS_SECONDS:
        while position < len(bins) and bins[position][0] > at_seconds - seconds:
            requests += bins[position][1]
            events += bins[position][2]
            position += 1
        windows.append(Counts(requests, events))
    if budget is not None and _side(windows[-1], min(FAST_BURN * budget, 0.5), dispersion) > 0:
        return True
    for window in windows:
        side = _side(window, max_rate, dispersion)
        if side:
            return side > 0 and window.events >= LEAST_EVENTS
    return False


def is_above(counts: Counts, max_rate: float, dispersion: float) -> bool:
    """Whether these counts alone say with 99 % certainty that the rate is above max_rate; at least three events are needed."""
    return counts.events >= LEAST_EVENTS and _side(counts, max_rate, dispersion) > 0


def _side(counts: Counts, limit: float, dispersion: float) -> int:
    """1 when the rate is above the limit with 99 % certainty, -1 when below, 0 when these counts cannot tell."""
    if not counts.requests:
        return 0
    rate = counts.rate
    nats = 0.0
    if rate > 0.0:
        nats += counts.events * math.log(rate / limit)
    if rate < 1.0:
        nats += (counts.requests - counts.events) * (math.log1p(-rate) - math.log1p(-limit))
    if nats < CERTAINTY_NATS * dispersion:
        return 0
    return 1 if rate > limit else -1
