# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the JSON lines of a release back: what a file of report.live says, and where it breaks off."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

JSON = dict[str, Any]


class LogError(Exception):
    """A file that is no log of a release; the message says what is wrong with it."""


def read_lines(path: str, begins: str, goes_on: Collection[str]) -> tuple[list[JSON], int]:
    """(the lines of a log, how many of them were cut short by a runner that died).

    A runner dies within the last line of a file, or within the last one before another runner's: the event ``begins`` comes before
    any that ``goes_on`` then. Raises LogError for any other line that is no JSON object, and for a file that cannot be read.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            texts = [(number, text) for number, text in enumerate(log, 1) if text.strip()]
    except OSError as error:
        raise LogError(error.strerror or str(error)) from error
    found: list[JSON] = []
    cut = broken = 0
    for number, text in texts:
        line = _parsed(text)
        if broken and (line is None or line.get("event") in goes_on):
            raise LogError(f"line {broken} is no JSON object")
        if line is None:
            broken, cut = number, cut + 1
            continue
        broken = 0 if line.get("event") == begins else broken
        found.append(line)
    return found, cut


def _parsed(text: str) -> Any:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, Mapping) else None
