# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line a decision, aligned, the same in a terminal, in AWX and in a file; and JSON lines beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

BLOCKS = 10
COLUMNS = 120
CLIPPED = frozenset({"look", "advance"})  # their whole text is in the JSON lines and the record


class Live:
    """Writes the story of one release in one target. emit takes one line of text, heard its parts."""

    def __init__(
        self,
        emit: Callable[[str], None],
        target: str,
        *,
        clock: Callable[[], float],
        log_path: str | None = None,
        heard: Callable[[str, str, dict[str, Any]], None] | None = None,
    ) -> None:
        self._emit = emit
        self._heard = heard
        self.target = target
        self._clock = clock
        self._log_path = log_path
        self._glue = ""  # between what is there and the first line of ours
        if log_path:
            os.makedirs(os.path.dirname(log_path) or ".", exist_ok=True)
            self._glue = "\n" if _is_cut(log_path) else ""

    def say(self, word: str, text: str, **facts: Any) -> None:
        """One line: time, target, what it is, the sentence; facts go into the JSON lines only."""
        now = self._clock()
        stamp = datetime.fromtimestamp(now).strftime("%H:%M:%S")
        line = f"{stamp}  {self.target:<12}  {word:<9}  {text}".rstrip()
        self._emit(clip(line) if word in CLIPPED else line)
        if self._heard:
            self._heard(word, text, facts)
        self._log({"at": now, "target": self.target, "event": word, "text": text, **facts})

    def note(self, event: str, **facts: Any) -> None:
        """A line for the JSON lines alone."""
        self._log({"at": self._clock(), "target": self.target, "event": event, **facts})

    def _log(self, facts: dict[str, Any]) -> None:
        """A full disk must never keep traffic from returning: the log ends, the release goes on."""
        if not self._log_path:
            return
        try:
            with open(self._log_path, "a", encoding="utf-8") as log:
                log.write(self._glue + json.dumps(facts, sort_keys=True) + "\n")
            self._glue = ""
        except OSError as error:
            self._log_path = None
            self.say("warning", f"the log ends here: {error}")

    def steered(self, kind: str, percent: int, what: str, *, put_ms: float) -> None:
        """A traffic change: a weight with its bar, or what else was put."""
        shown = what or f"{percent:3d} %  {weight_bar(percent)}"
        self.say(kind, f"{shown}  put and read back in {put_ms:.0f} ms", weight_percent=percent, put_ms=put_ms)


def _is_cut(log_path: str) -> bool:
    """Whether the runner before this one died within a line."""
    try:
        with open(log_path, "rb") as log:
            log.seek(-1, os.SEEK_END)
            return log.read(1) != b"\n"
    except OSError:  # there is none, or it is empty
        return False


def weight_bar(percent: int) -> str:
    """A bar of ten blocks."""
    filled = round(percent / 10)
    return "▕" + "█" * filled + " " * (BLOCKS - filled) + "▏"


def clip(line: str) -> str:
    """The line, cut to the width of a terminal."""
    return line if len(line) <= COLUMNS else line[: COLUMNS - 1].rstrip() + "…"
