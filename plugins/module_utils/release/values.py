# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading single values out of what users write: numbers, durations, percentages, names. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

try:
    import yaml
except ImportError:  # only where a module runs on a target without PyYAML: strings of YAML are refused there
    yaml = None  # type: ignore[assignment]

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}  # as -e passes them
PERCENTAGE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


def spoken_seconds(seconds: float) -> str:
    """A duration as people say it: 90 s, 25 min, 3.5 h, 12.0 days."""
    if math.isinf(seconds) or math.isnan(seconds):
        return "no end in sight (no traffic)"
    for limit, unit, word in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:{'.1f' if word == 'h' else '.0f'}} {word}"
    return f"{seconds / 86400:.1f} days"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what stands there, what may stand there."""

    field: str
    value: Any
    allowed: str

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.field}: {self.allowed}"
        return f"{self.field}: {self.value!r} is not allowed; {self.allowed}"

    def to_dict(self) -> dict[str, Any]:
        """field, value and allowed, for the action's result."""
        return {"field": self.field, "value": self.value, "allowed": self.allowed}


class Reader:
    """Collects problems while values are read, so that a user sees all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, field: str, value: Any, allowed: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(field, value, allowed))

    def text(self, field: str, value: Any, default: str | None = None) -> str | None:
        """A non-empty string."""
        if value is None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.refuse(field, value, "a non-empty string")
            return default
        return value.strip()

    def name(self, field: str, value: Any, *, longest: int = 63) -> str | None:
        """A DNS label (RFC 1123), as Kubernetes names objects."""
        found = self.text(field, value)
        if found is not None and (len(found) > longest or not DNS_LABEL.fullmatch(found)):
            self.refuse(field, value, f"lower-case letters, digits and '-', at most {longest} characters, no '-' at either end")
            return None
        return found

    def choice(self, field: str, value: Any, choices: Iterable[str], default: str) -> str:
        """One word of a list."""
        if value is None:
            return default
        known = list(choices)
        if value not in known:
            self.refuse(field, value, f"one of {', '.join(known)}")
            return default
        return value

    def integer(self, field: str, value: Any, *, least: int, most: int, default: int) -> int:
        """A whole number in a range; a string of digits counts, a boolean does not."""
        if value is None:
            return default
        found: int | None = None
        if isinstance(value, int) and not isinstance(value, bool):
            found = value
        elif isinstance(value, str) and re.fullmatch(r"-?\d+", value.strip()):
            found = int(value)
        if found is None or not least <= found <= most:
            self.refuse(field, value, f"a whole number from {least} to {most}")
            return default
        return found

    def truth(self, field: str, value: Any) -> bool:
        """true or false, as YAML or as the words that -e passes; false when it is left out."""
        if value is None or isinstance(value, bool):
            return bool(value)
        if not isinstance(value, str) or value.lower() not in TRUTHS:
            self.refuse(field, value, "true or false")
            return False
        return TRUTHS[value.lower()]

    def seconds(self, field: str, value: Any, *, least: float, most: float, default: float) -> float:
        """A duration in seconds: a number, or a string such as 500ms, 30s, 10m, 1h."""
        if value is None:
            return default
        found: float | None = None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found = float(value)
        elif isinstance(value, str):
            text = value.strip()
            matched = DURATION.fullmatch(text)
            if matched:
                found = float(matched.group(1)) * UNIT_SECONDS[matched.group(2)]
            elif re.fullmatch(r"\d+(\.\d+)?", text):
                found = float(text)
        if found is None or not least <= found <= most:
            self.refuse(field, value, f"a duration from {least:g} s to {most:g} s, such as 500ms, 30s, 10m, 1h")
            return default
        return found

    def share(self, field: str, value: Any) -> float | None:
        """A percentage as a share of one: '0.5%' is 0.005. A bare number is refused: 0.5 could mean either."""
        matched = PERCENTAGE.fullmatch(value.strip()) if isinstance(value, str) else None
        found = float(matched.group(1)) / 100 if matched else None
        if found is None or not 0 < found < 1:
            self.refuse(field, value, "a percentage above 0% and below 100%, with its sign, such as 0.5%")
            return None
        return found

    def mapping(self, field: str, value: Any, keys: Iterable[str] | None = None) -> dict[str, Any] | None:
        """A dictionary, or a string of YAML that is one (AWX surveys); with keys, nothing else may be in it."""
        found = self._structure(field, value, dict, "a dictionary (or its YAML as a string)")
        if found is not None and keys is not None:
            self.known_keys(field, found, keys)
        return found

    def sequence(self, field: str, value: Any) -> list[Any] | None:
        """A list, or a string of YAML that is one."""
        return self._structure(field, value, list, "a list (or its YAML as a string)")

    def known_keys(self, field: str, found: Mapping[str, Any], keys: Iterable[str]) -> None:
        """Refuse keys outside a list, with the nearest known one."""
        known = list(keys)
        for key in found:
            if key not in known:
                near = get_close_matches(str(key), known, 1)
                self.refuse(
                    f"{field}.{key}", found[key], f"unknown; {'did you mean ' + near[0] + '? ' if near else ''}known: {', '.join(known)}"
                )

    def _structure(self, field: str, value: Any, kind: type, allowed: str) -> Any:
        if value is None:
            return None
        found = value
        if isinstance(value, str):
            found = _load(value)
        if not isinstance(found, kind):
            self.refuse(field, value, allowed)
            return None
        return found


def documents(value: Any) -> list[Any] | None:
    """A list, or the documents of a string of YAML without empty ones; None when it is neither."""
    if isinstance(value, str) and yaml is not None:
        try:
            loaded = [one for one in yaml.safe_load_all(value) if one is not None]
        except yaml.YAMLError:
            return None
        return loaded[0] if len(loaded) == 1 and isinstance(loaded[0], list) else loaded
    return list(value) if isinstance(value, (list, tuple)) else None


def _load(text: str) -> Any:
    """What a string of YAML says; None when it is no YAML."""
    if yaml is None:
        return None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None
