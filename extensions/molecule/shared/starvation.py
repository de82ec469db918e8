"""How much slower the machine was than one that has time, while stories were played: what bounds in seconds are multiplied by.

The ratio of the time that a small job took to the processor time that it used: 1 on a quiet machine, 8 where each core has eight jobs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time

JOB = [sys.executable, "-S", "-c", "sum(range(6_000_000))"]  # some 0.2 s
EVERY_SECONDS = 8.0
LATELY = 4  # measurements


class Starvation:
    """Measures from its making until asked; a thread, which ends with the process."""

    def __init__(self) -> None:
        self._ratios: list[float] = []
        threading.Thread(target=self._measure, daemon=True).start()

    def ratio(self) -> float:
        """The mean of what was seen, at least 1."""
        return round(max(1.0, statistics.fmean(self._ratios or [1.0])), 2)

    def lately(self) -> float:
        """The mean of the last half minute, at least 1."""
        return round(max(1.0, statistics.fmean(self._ratios[-LATELY:] or [1.0])), 2)

    def _measure(self) -> None:
        while True:
            began = time.monotonic()
            child = subprocess.Popen(JOB)
            _pid, _status, used = os.wait4(child.pid, 0)
            child.returncode = 0  # reaped here, for what it used
            self._ratios.append((time.monotonic() - began) / max(used.ru_utime + used.ru_stime, 0.01))
            time.sleep(EVERY_SECONDS)
