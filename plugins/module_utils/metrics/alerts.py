# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts that fire in Prometheus now. Not Alertmanager's: a silence there hides nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .prometheus import BadQuery, Prometheus


@dataclass(frozen=True)
class Alert:
    """A firing alert: its name, its labels, since when as Prometheus writes it, and its summary, where it has one."""

    name: str
    labels: Mapping[str, str]
    since: str
    summary: str = ""

    def __str__(self) -> str:
        return f"alert {self.name} fires since {self.since}" + (f": {self.summary}" if self.summary else "")


def firing(client: Prometheus, wanted: Mapping[str, str]) -> list[Alert]:
    """The firing alerts that have all these labels. Raises MetricsError."""
    found = []
    for one in client.alerts():
        labels = one.get("labels")
        if not isinstance(labels, dict):
            raise BadQuery(f"an alert without labels: {one}")
        if one.get("state") == "firing" and all(labels.get(name) == value for name, value in wanted.items()):
            summary = (one.get("annotations") or {}).get("summary", "")
            found.append(Alert(labels.get("alertname", "?"), labels, one.get("activeAt", "an unknown time"), summary))
    return found
