# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_alerts: which alerts return traffic. Pure."""

from __future__ import annotations

import re
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
    silence_url: str | None = None  # of Alertmanager
    silence_service: tuple[str, str, str] | None = None  # namespace, name, port

    @property
    def wanted(self) -> dict[str, str]:
        """All labels that an alert must have to return traffic."""
        return {**dict(self.matchers), ACTION[0]: ACTION[1]}

    def __str__(self) -> str:
        return ", ".join(f'{name}="{value}"' for name, value in (ACTION, *self.matchers))


def alerts_from(saved: Mapping[str, Any] | None) -> AlertsSpec | None:
    """release_alerts as a record keeps it."""
    if saved is None:
        return None
    service = saved.get("silence_service")
    matchers = tuple((name, value) for name, value in saved["matchers"])
    return AlertsSpec(matchers, saved.get("silence_url"), tuple(service) if service else None)


def alerts(read: Reader, value: Any, release_name: str | None) -> AlertsSpec | None:
    """release_alerts; without matchers an alert names the release by its label release."""
    found = read.mapping(FIELD, value, ("matchers", "silence"))
    if found is None:
        return None
    given = found.get("matchers")
    where = _silence(read, found.get("silence"))
    if given is None:
        return AlertsSpec((("release", release_name or ""),), *where)
    made = labels(read, f"{FIELD}.matchers", given)
    if not made and given in ({}, ""):
        read.refuse(f"{FIELD}.matchers", given, "at least one label: alerts of everybody would return this release")
    return AlertsSpec(made, *where)


def _silence(read: Reader, value: Any) -> tuple[str | None, tuple[str, str, str] | None]:
    """Alertmanager's url or service."""
    field = f"{FIELD}.silence"
    found = read.mapping(field, value, ("url", "service"))
    if found is None:
        return None, None
    url, service = found.get("url"), found.get("service")
    if (url is None) == (service is None):
        read.refuse(field, sorted(found), "exactly one of url and service, of Alertmanager")
        return None, None
    if url is not None:
        if not isinstance(url, str) or not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", url):
            read.refuse(f"{field}.url", url, "a URL that begins with http:// or https://, without a password")
            return None, None
        return url, None
    matched = re.fullmatch(r"([a-z0-9-]+)/([a-z0-9-]+):([a-z0-9-]+)", str(service))
    if not matched:
        read.refuse(f"{field}.service", service, "namespace/name:port, such as monitoring/alertmanager:9093")
        return None, None
    namespace, name, port = matched.groups()
    return None, (namespace, name, port)


def guards(read: Reader, values: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """slo and alerts of release_slo and release_alerts: what watches a release beside its gates."""
    from_pods = fields["metrics_source"] == "pods"
    return {
        "slo": slo(read, values["release_slo"], gates=fields["gates"], strategy=fields["strategy"], from_pods=from_pods),
        "alerts": alerts(read, values["release_alerts"], fields["name"]),
    }
