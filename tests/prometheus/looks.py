# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads looks as a release does, until what Prometheus has is counted."""

from __future__ import annotations

import time

from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import NO_COUNTS, Counts
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Answer, Source
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec
from ansible_collections.progressive.delivery.tests.prometheus.server import Lab, wait_for

ERRORS = GateSpec("errors", "error_rate", 0.01, None)
SLOW = GateSpec("slow", "latency", 0.01, 250.0)
PATIENCE_SECONDS = 60.0  # a loaded machine scrapes late


class Looks:
    """The looks of one release from its first on, and what all of them have counted: (canary, stable) of each gate."""

    def __init__(self, lab: Lab, arms: Arms, gates: tuple[GateSpec, ...] = (ERRORS, SLOW), *, pods: int = 1) -> None:
        self._source = Source(lab.client, arms, gates)
        wait_for(lambda: len(self._source.read().pods) >= pods, lambda: f"fewer than {pods} pods")  # a scrape may be late
        self._closed = {gate.name: (NO_COUNTS, NO_COUNTS) for gate in gates}
        self.counted = dict(self._closed)
        self.buckets: dict[str, dict[float, int]] = {}  # of the last look in which the canary had requests
        assert self.poll().new is False, "the first look is the zero"

    def poll(self) -> Answer:
        """One look."""
        answer = self._source.poll(canary_expected=True, stable_expected=True)
        self.buckets.update({gate: dict(pairs) for gate, pairs in answer.buckets.items() if any(count for _bound, count in pairs)})
        for gate, pair in answer.counts.items():
            canary, stable = (one or NO_COUNTS for one in pair)
            before = self._closed[gate]
            self.counted[gate] = (before[0] + canary, before[1] + stable)
        if answer.closes_block:
            self._closed = dict(self.counted)
        return answer

    def reach(self, **wanted: tuple[Counts, Counts]) -> None:
        """Look until this is counted, and once more: nothing may be counted twice."""
        end = time.monotonic() + PATIENCE_SECONDS
        while any(self.counted[gate] != pair for gate, pair in wanted.items()) and time.monotonic() < end:
            self.poll()
            time.sleep(0.1)
        answer = self.poll()
        found = {gate: self.counted[gate] for gate in wanted}
        assert found == wanted, f"{found}; {answer.problem}: {answer.detail}"
