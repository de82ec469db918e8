# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody else has changed of an object that another controller follows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def edited(spec: Mapping[str, Any], written: Mapping[str, Any], *, path: str = "spec") -> list[str]:
    """The fields in which a spec differs from what was written; what the API server fills in does not count."""
    found = []
    for key, value in written.items():
        here = f"{path}.{key}"
        if isinstance(value, dict) and isinstance(spec.get(key), dict):
            found += edited(spec[key], value, path=here)
        elif spec.get(key) != value and not (value in (None, [], False) and not spec.get(key)):
            found.append(here)
    return found
