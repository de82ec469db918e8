"""What the lab is doing right now, for the person who waits."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

_STARTED = time.monotonic()
_REMIND_SECONDS = 60.0
_running: dict[str, float] = {}
_lock = threading.Lock()


def say(message: str) -> None:
    """One line with the time since the command began."""
    minutes, seconds = divmod(int(time.monotonic() - _STARTED), 60)
    print(f"[{minutes:2d}:{seconds:02d}] {message}", flush=True)


@contextlib.contextmanager
def step(what: str, usually: str = "") -> Iterator[None]:
    """Says when `what` begins and how long it took; `usually` is what to expect, in words."""
    say(f"{what}{f' (usually {usually})' if usually else ''} ...")
    began = time.monotonic()
    with _lock:
        _running[what] = began
    try:
        yield
    finally:
        with _lock:
            _running.pop(what, None)
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def _remind() -> None:
    while True:
        time.sleep(_REMIND_SECONDS)
        now = time.monotonic()
        with _lock:
            slow = [f"{what} ({now - began:.0f} s)" for what, began in _running.items() if now - began > _REMIND_SECONDS / 2]
        if slow:
            say("still at it: " + ", ".join(slow))


threading.Thread(target=_remind, daemon=True, name="progress").start()
