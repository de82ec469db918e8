# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts together what a release needs while it runs: its router, its source of counters, its record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..cluster import lease as leases
from ..cluster.session import Session
from ..metrics import conversions
from ..metrics.alertmanager import Alertmanager
from ..metrics.catalogue import Arms
from ..metrics.conversions import Measure
from ..metrics.pod_numbers import PodNumbers
from ..metrics.pod_source import PodSource, arms_of
from ..metrics.prometheus import ByService, ByUrl, Prometheus
from ..metrics.query import Queries
from ..metrics.query_names import names_by_gate
from ..metrics.slo import BurnReader, Objective
from ..metrics.source import Looks, Source
from ..release import budget_plan
from ..release.context import Context, Process
from ..release.fleet_hook import Fleet
from ..release.record import Journal, State
from ..release.samples_spec import RESTARTS
from ..release.spec import Spec
from ..release.target import Target
from ..release.webhook_messages import Events
from ..report.live import Live
from ..traffic.providers import router
from ..traffic.route import Place
from ..traffic.router import Router


@dataclass(frozen=True)
class Caller:
    """Who runs a verb: how to print, what the target is called, where JSON lines go, its process, and the person's name where it is known."""

    live_emit: Any
    target_name: str
    log_dir: str | None
    process: Process
    next_status: str
    next_abort: str
    by: str = ""
    fleet: Fleet | None = None  # where the release is one of a fleet's

    def playbook(self, verb: str, release_name: str) -> str:
        """The command that runs one of our playbooks for a release of this target."""
        return f"ansible-playbook progressive.delivery.{verb} -e release_name={release_name} -l {self.target_name}"


def context_of(session: Session, spec: Spec, target: Target, caller: Caller, *, state: State, held: leases.Lease, token: str) -> Context:
    """All that a runner holds while a release runs."""
    spec = budget_plan.effective(spec, target.budget)
    log_path = os.path.join(caller.log_dir, f"{state.release_id}.jsonl") if caller.log_dir else None
    events = Events(spec, target, state)
    context = Context(
        session=session,
        spec=spec,
        target=target,
        state=state,
        lease=held,
        token=token,
        journal=Journal(session, spec.namespace, spec.name, token),
        router=router_of(session, spec, target, caller.process),
        source=source_of(session, spec, target, caller.process),
        measure=_measure(session, spec, target),
        live=Live(caller.live_emit, caller.target_name, clock=caller.process.clock, log_path=log_path, heard=events.heard),
        process=caller.process,
        queries=_queries(session, spec, target),
        alerts=_alerts(session, spec),
        alertmanager=alertmanager(session, spec),
        deadline_at=caller.process.clock() + spec.deadline_seconds,
        events=events,
        fleet=caller.fleet,
    )
    session.on_silence = context.is_silent
    return context


def router_of(session: Session, spec: Spec, target: Target, process: Process) -> Router:
    """The router of a target's route."""
    return router(session, spec.namespace, Place(**target.place), matches=spec.matches, sleep=process.sleep, sticky=spec.sticky)


def transport(session: Session, spec: Spec) -> ByUrl | ByService | None:
    """How Prometheus is reached; None when a release needs none, or when only a record, which keeps no secrets, knows how."""
    access = spec.prometheus_access
    if spec.prometheus_url and not access.lost_secrets:
        return ByUrl(spec.prometheus_url, access)
    return ByService(session, *spec.prometheus_service, access) if spec.prometheus_service and not access.lost_secrets else None


def source_of(session: Session, spec: Spec, target: Target, process: Process) -> Looks | None:
    """Who counts the requests of both versions; None where no gate is judged by them."""
    if spec.counted and spec.pods is not None:
        return PodSource(session, arms_of(target), spec.pods, spec.counted, clock=process.clock)
    way = transport(session, spec)
    if not spec.counted or target.metrics_source is None or way is None:
        return None
    arms = Arms.of(
        target.metrics_source,
        namespace=spec.namespace,
        workload=target.workload,
        service=target.service,
        revision=target.revision,
        canary=target.canary,
        own=spec.own_source,
    )
    return Source(Prometheus(way), arms, spec.counted)


def _queries(session: Session, spec: Spec, target: Target) -> Queries | None:
    """Who answers the queries of the gates; None where there is none."""
    way = transport(session, spec)
    if len(spec.counted) == len(spec.gates) or (way is None and any(gate.asks for gate in spec.gates)):
        return None
    client = Prometheus(way) if way else None
    burns = _burns(client, spec, target) if client else None
    return Queries(client, spec, service=target.service, canary=target.canary, burns=burns, pods=_pods(session, client, spec, target))


def _pods(session: Session, client: Prometheus | None, spec: Spec, target: Target) -> PodNumbers | None:
    """Who reads a number of each pod; None where no gate has one."""
    names = names_by_gate(spec, target.service, canary=target.canary)
    wanted = {gate.name: names[gate.name] for gate in spec.gates if gate.per_pod or gate.kind == RESTARTS}
    return PodNumbers(session, arms_of(target), client, wanted, spec) if wanted else None


def _burns(client: Prometheus, spec: Spec, target: Target) -> BurnReader | None:
    """Who reads the objective of the gates on the burn rate; None where there is none."""
    gates = {gate.name: gate.burn_over for gate in spec.gates if gate.burn_over}
    if spec.slo is None or not gates:
        return None
    return BurnReader(Objective(client, spec.slo, budget_plan.arms_of(target, spec.own_source)), spec.slo, gates)


def alertmanager(session: Session, spec: Spec) -> Alertmanager | None:
    """Who silences the release's own alerts; None where nobody is asked to."""
    if spec.alerts is None or not (spec.alerts.silence_url or spec.alerts.silence_service):
        return None
    return Alertmanager(session, spec.alerts.silence_url, spec.alerts.silence_service)


def _alerts(session: Session, spec: Spec) -> Prometheus | None:
    """Who tells the alerts that return traffic; None where nobody is asked."""
    way = transport(session, spec)
    return Prometheus(way) if spec.alerts is not None and way is not None else None


def _measure(session: Session, spec: Spec, target: Target) -> Measure | None:
    """What counts an experiment's conversions, or at least its requests; None where nothing does."""
    way = transport(session, spec)
    requests, converted = conversions.arms_of(spec, target.service, target.metrics_source, target.canary)
    return Measure(Prometheus(way), requests, converted) if requests and way else None
