# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_alerts: which alerts return traffic. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .slo_spec import labels, slo
from .values import Reader

FIELD = "release_alerts"
ACTION = ("action", "rollback")  # the label of alerts that are meant to return traffic


@dataclass(frozen=True)
class AlertsSpec:
    """The labels, beside action=rollback, that an alert of this release has."""

    matchers: tuple[tuple[str, str], ...]

    @property
    def wanted(self) -> dict[str, str]:
        """All labels that an alert must have to return traffic."""
        return {**dict(self.matchers), ACTION[0]: ACTION[1]}

    def __str__(self) -> str:
        return ", ".join(f'{name}="{value}"' for name, value in (ACTION, *self.matchers))


def alerts_from(saved: Mapping[str, Any] | None) -> AlertsSpec | None:
    """release_alerts as a record keeps it."""
    return None if saved is None else AlertsSpec(tuple((name, value) for name, value in saved["matchers"]))


def alerts(read: Reader, value: Any, release_name: str | None) -> AlertsSpec | None:
    """release_alerts; without matchers an alert names the release by its label release."""
    found = read.mapping(FIELD, value, ("matchers",))
    if found is None:
        return None
    given = found.get("matchers")
    if given is None:
        return AlertsSpec((("release", release_name or ""),))
    made = labels(read, f"{FIELD}.matchers", given)
    if not made and given in ({}, ""):
        read.refuse(f"{FIELD}.matchers", given, "at least one label: alerts of everybody would return this release")
    return AlertsSpec(made)


def guards(read: Reader, values: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """slo and alerts of release_slo and release_alerts: what watches a release beside its gates."""
    from_pods = fields["metrics_source"] == "pods"
    return {
        "slo": slo(read, values["release_slo"], gates=fields["gates"], strategy=fields["strategy"], from_pods=from_pods),
        "alerts": alerts(read, values["release_alerts"], fields["name"]),
    }
