# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in real time whose gates ask a real Prometheus, while its API server is in memory; and counters that grow for it."""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.prometheus.server import PATIENCE_SECONDS, Lab
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

GROWS_EVERY_SECONDS = 0.5
GROWS_BY = 50


class Asking(World):
    """Returned after some looks; knows what it asked from its first look to its last."""

    BAKING = {"release_steps": [{"weight": 10, "bake_seconds": 3600}, 100], "release_share_check": "report"}

    def __init__(self, lab: Lab, *, enough: int, pause_seconds: float | None = None) -> None:
        super().__init__()
        self._lab, self._enough, self._pause = lab, enough, pause_seconds
        self._questions_before = 0.0
        self.polls = 0  # from the one of the first look on
        self.questions = 0.0  # what these polls asked, as the server counts it

    def clock(self) -> float:
        """The real one."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """At most as long as a poll may take here."""
        time.sleep(seconds if self._pause is None else min(seconds, self._pause))

    @property
    def caller(self) -> native.Caller:
        """Who stops when enough was seen."""
        process = Process(clock=self.clock, sleep=self.sleep, why_stop=self._why_stop)
        return native.Caller(self.emit, "eu", None, process, "status", "abort")

    def start(self, **changed: Any) -> Any:
        """The release, to its end; it is refused while a scrape is late."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return super().start(release_prometheus={"url": self._lab.url}, **changed)
            except Refused:
                if time.monotonic() > end:
                    raise
            time.sleep(0.1)

    def looks(self) -> int:
        """How many were told."""
        return sum(" look " in line for line in self.lines)

    @property
    def requests_a_poll(self) -> float:
        """Requests to Prometheus for each poll."""
        return self.questions / self.polls

    def _why_stop(self) -> str | None:
        if not self.looks():
            self._questions_before, self.polls = _answered(self._lab), 1
            return None
        if self.looks() <= self._enough:
            self.polls += 1
            return None
        self.questions = self.questions or _answered(self._lab) - self._questions_before
        return "enough was seen"


def _answered(lab: Lab) -> float:
    """How many requests to its API the server has answered, by its own count."""
    with urllib.request.urlopen(f"{lab.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("prometheus_http_requests_total") and 'handler="/api/v1/' in line]
    return sum(float(line.rpartition(" ")[2]) for line in found)


@contextlib.contextmanager
def growing(lab: Lab, bodies: list[Callable[[int], str]]) -> Iterator[None]:
    """Targets that show each body with a number that grows; first they are scraped once."""
    targets = [(lab.target(), body) for body in bodies]
    requests = 1000
    lab.show({target: body(requests) for target, body in targets})
    over = threading.Event()

    def grow() -> None:
        shown = requests
        while not over.wait(GROWS_EVERY_SECONDS):
            shown += GROWS_BY
            for target, body in targets:
                target.body = body(shown) + "\n"

    thread = threading.Thread(target=grow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
