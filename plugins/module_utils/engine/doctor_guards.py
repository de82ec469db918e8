# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor finds at an error budget and at alerts: series that are missing, a budget that is spent, alerts that name nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..analysis import budget
from ..cluster.session import Session
from ..metrics.alertmanager import AlertmanagerError
from ..metrics.alerts import firing
from ..metrics.catalogue import Arms
from ..metrics.prometheus import MetricsError, Prometheus
from ..metrics.slo import NoData, Objective
from ..release import alerts_spec, slo_spec
from ..release.alerts_spec import ACTION, AlertsSpec
from ..release.slo_spec import RAW
from ..release.spec import Spec
from ..workload.drops import ERROR, WARNING, Finding
from .assemble import alertmanager, transport

BUDGET, ALERTS, SILENCES = "error_budget", "alerts", "alertmanager"  # the names of the checks
JSON = dict[str, Any]


def guards(session: Session, spec: Spec, arms: Arms | None) -> list[Finding]:
    """Findings about release_slo and release_alerts. arms: the release's own counters, where there are any. Reads only."""
    way = transport(session, spec)
    if way is None:
        return []
    return [*_of_budget(Prometheus(way), spec, arms), *_of_alerts(Prometheus(way), spec), *_of_silences(session, spec)]


def _of_budget(client: Prometheus, spec: Spec, arms: Arms | None) -> list[Finding]:
    slo = spec.slo
    if slo is None or (slo.source == RAW and arms is None):  # that its counters are missing is said of the gates
        return []
    override = f"{slo_spec.FIELD}.budget_override: why it must be, or wait"
    try:
        reading = Objective(client, slo, arms).read(0.0)
    except NoData as error:
        fix = override if slo.source == RAW else f"{slo_spec.FIELD}: labels and period of an objective that {slo.source} records there"
        return [Finding(BUDGET, ERROR, slo_spec.FIELD, f"nobody knows what is left of the error budget: {error}", fix)]
    except (MetricsError, ValueError) as error:
        return [_unread(BUDGET, slo_spec.FIELD, error)]
    choice = budget.choose(reading.remaining, reading.long_burn, reading.short_burn)
    if choice.word not in (budget.ASK, budget.REFUSE) or slo.budget_override is not None:
        return []
    return [Finding(BUDGET, ERROR, slo_spec.FIELD, choice.why, override)]


def _of_alerts(client: Prometheus, spec: Spec) -> list[Finding]:
    alerts = spec.alerts
    if alerts is None:
        return []
    try:
        fire, known = firing(client, alerts.wanted), client.alert_rules()
    except (MetricsError, ValueError) as error:
        return [_unread(ALERTS, alerts_spec.FIELD, error)]
    fix = f"mend it, or leave {alerts_spec.FIELD} out for this release"
    found = [Finding(ALERTS, ERROR, f"alert {one.name}", f"it would end the release with its first request: {one}", fix) for one in fire]
    return [*found, *unnamed(alerts, known)]


def unnamed(alerts: AlertsSpec, rules: Iterable[JSON]) -> list[Finding]:
    """Where no rule of an alert names the release: those that are meant to return traffic and lack a label for it. Pure."""
    meant = [rule for rule in rules if _has(rule.get("labels") or {}, ACTION)]
    if any(all(_has(rule["labels"], label) for label in alerts.matchers) for rule in meant):
        return []
    fix = f"labels: {dict(alerts.wanted)}   # of an alert"
    found = []
    for rule in meant:
        lacks = {name: value for name, value in alerts.matchers if name not in rule["labels"]}
        if lacks:
            said = ", ".join(f'{name}="{value}"' for name, value in lacks.items())
            problem = f"it is meant to return traffic, and its rule has no label {said}: unless its series bring that, it does not return this release"
            found.append(Finding(ALERTS, WARNING, f"alert {rule.get('name', '?')}", problem, fix))
    return found or [Finding(ALERTS, WARNING, alerts_spec.FIELD, f"no alert has {alerts}: none returns traffic", fix)]


def _has(labels: Mapping[str, Any], label: tuple[str, str]) -> bool:
    """Whether a rule gives its alert this label; a template may."""
    value = str(labels.get(label[0], ""))
    return value == label[1] or "{{" in value


def _of_silences(session: Session, spec: Spec) -> list[Finding]:
    client = alertmanager(session, spec)
    if client is None:
        return []
    try:
        client.status()
    except AlertmanagerError as error:
        fix = f"{alerts_spec.FIELD}.silence: the url or service of an Alertmanager that answers"
        return [Finding(SILENCES, WARNING, f"{alerts_spec.FIELD}.silence", f"a release would not silence its own alerts: {error}", fix)]
    return []


def _unread(check: str, field: str, error: Exception) -> Finding:
    return Finding(check, ERROR, field, f"Prometheus does not tell: {error}", "release_prometheus: a Prometheus that answers, and whole")
