# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to somebody outside that take their time: asked in a thread, so that an abort or a lost Lease is seen meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

POLL_SECONDS = 1.0
GRACE_SECONDS = 2.0  # beyond its own time, before a question that does not end is left alone
Answer = TypeVar("Answer")


class Checks(Protocol):
    """What is needed of the watch."""

    def check(self) -> None:
        """Check everything once; raises what ends the release."""


class Asking(Generic[Answer]):
    """One question in a thread of its own. seconds: how long it may take; a thread that takes longer is left alone."""

    def __init__(self, question: Callable[[], Answer], *, seconds: float) -> None:
        self._question = question
        self._answers: list[Answer] = []
        self._errors: list[BaseException] = []
        self._until = time.monotonic() + seconds + GRACE_SECONDS
        self._thread = threading.Thread(target=self._work, name="asking", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._answers.append(self._question())
        except BaseException as error:  # noqa: BLE001 - it is raised where it can be handled
            self._errors.append(error)

    def is_over(self, wait_seconds: float = 0.0) -> bool:
        """Whether there is an answer, or there will be none in time; waits that long for it."""
        self._thread.join(wait_seconds)
        return not self._thread.is_alive() or time.monotonic() > self._until

    def answer(self, late: Answer) -> Answer:
        """The answer of a question that is over; late when none came in time. Raises what the question raised."""
        if self._errors:
            raise self._errors[0]
        return self._answers[0] if self._answers else late


def aside(watch: Checks, question: Callable[[], Answer], *, seconds: float, late: Answer) -> Answer:
    """Ask beside the watch, which an answer that takes long must not keep from seeing an abort or a lost Lease."""
    return beside(watch, Asking(question, seconds=seconds), late=late)


def beside(watch: Checks, asking: Asking[Answer], *, late: Answer) -> Answer:
    """Wait for an answer while the watch goes on."""
    while not asking.is_over(POLL_SECONDS):
        watch.check()
    return asking.answer(late)
