# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits of a release's gates, as numbers that can be drawn. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

JSON = dict[str, Any]


def limits(gates: Sequence[Mapping[str, Any]]) -> list[JSON]:
    """For each gate of a saved spec its name, and what it may be: most and least, None where it has no such limit.

    is_share: they are shares of the requests; else they are numbers of unit.
    """
    return [_limits(gate) for gate in gates]


def _limits(gate: Mapping[str, Any]) -> JSON:
    quantile, query = gate.get("quantile"), gate.get("query")
    found: JSON = {"name": gate["name"], "most": None, "least": None, "unit": "", "is_share": False}
    if quantile:
        return {**found, "most": quantile["max_ms"], "unit": "ms"}
    if gate.get("min_per_second") is not None:
        return {**found, "least": gate["min_per_second"], "unit": "requests/s"}
    if query:
        return {**found, "most": query.get("most"), "least": query.get("least"), "unit": query.get("unit") or ""}
    if gate.get("kind") in ("error_rate", "latency"):
        return {**found, "most": gate["max_share"], "is_share": True}
    return found
