# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the checks of a release can run in its target. Reads, and asks the API server with dryRun=All; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..cluster.errors import Conflict, NotFound, Rejected
from ..cluster.session import Session
from ..workload import selectors, twin
from .checks_spec import CheckSpec, HttpCheck, JobCheck
from .job import MANAGED_BY, environment, job_body, job_name, template_of
from .spec import Spec
from .values import Problem

JSON = dict[str, Any]


def rights(checks: Iterable[CheckSpec]) -> list[tuple[str, str, str]]:
    """(verb, kind, subresource) that these checks need."""
    needed = []
    for check in checks:
        if isinstance(check.detail, HttpCheck):
            needed.append(("get", "Service", "proxy"))
        elif isinstance(check.detail, JobCheck):
            needed += [(verb, "Job", "") for verb in ("get", "create", "delete")]
            needed += [("get", "CronJob", "")] if check.detail.from_cronjob else []
    return list(dict.fromkeys(needed))


def problems(session: Session, spec: Spec, service: JSON, canary: twin.Canary) -> list[Problem]:
    """What keeps the checks from running against the Service's canary."""
    found: list[Problem] = []
    for index, check in enumerate(spec.checks):
        field = f"release_checks[{index}].{check.kind}"
        if isinstance(check.detail, HttpCheck):
            found += _port(field, check.detail, service)
        elif isinstance(check.detail, JobCheck):
            own = twin.canary_service(service, key=canary.key, release_id="preflight", value=canary.value)
            found += _job(session, spec, check, field, (service, own))
    return found


def _port(field: str, detail: HttpCheck, service: JSON) -> list[Problem]:
    ports = service["spec"].get("ports") or []
    if detail.port is None or any(detail.port in (port.get("name"), str(port["port"])) for port in ports):
        return []
    names = ", ".join(f"{port['name']} ({port['port']})" if port.get("name") else str(port["port"]) for port in ports)
    return [Problem(f"{field}.port", detail.port, f"a port of Service {service['metadata']['name']}: {names}")]


def _job(session: Session, spec: Spec, check: CheckSpec, field: str, pair: tuple[JSON, JSON]) -> list[Problem]:
    """pair: stable's Service and the canary's."""
    detail = check.detail
    if not isinstance(detail, JobCheck):
        raise TypeError(f"check {check.name} is no job")
    try:
        template = template_of(session, spec.namespace, detail)
    except NotFound:
        names = ", ".join(one["metadata"]["name"] for one in session.list("CronJob", spec.namespace)) or "none"
        allowed = f"a CronJob of namespace {spec.namespace}; there is: {names}"
        return [Problem(f"{field}.from_cronjob", detail.from_cronjob, allowed)]
    body = job_body(
        template,
        name=job_name(spec, check),
        namespace=spec.namespace,
        release_id="preflight",
        env=environment(service=pair[0]["metadata"]["name"], release_id="preflight", image=spec.image),
        timeout_seconds=detail.timeout_seconds,
    )
    found = _caught(session, spec, field, body, pair)
    try:
        session.create(body, dry_run=True)
    except Conflict:
        found += _taken(session, spec, field, body["metadata"]["name"])
    except Rejected as error:
        found.append(Problem(field, body["metadata"]["name"], f"a Job that the API server takes: {error}"))
    return found


def _caught(session: Session, spec: Spec, field: str, body: JSON, pair: tuple[JSON, JSON]) -> list[Problem]:
    """Services that would send traffic to the Job's pods."""
    labels = body["spec"]["template"].get("metadata", {}).get("labels") or {}
    services = [*session.list("Service", spec.namespace), pair[1]]
    names = [
        one["metadata"]["name"]
        for one in services
        if one["spec"].get("selector") and selectors.matches({"matchLabels": one["spec"]["selector"]}, labels)
    ]
    if not names:
        return []
    allowed = f"pod labels that no Service selects: Service {', '.join(names)} would send traffic to the Job's pods; give them labels of their own"
    return [Problem(field, labels, allowed)]


def _taken(session: Session, spec: Spec, field: str, name: str) -> list[Problem]:
    found = session.find("Job", spec.namespace, name)
    if found is None or MANAGED_BY.items() <= (found["metadata"].get("labels") or {}).items():
        return []  # left by an earlier release: its successor removes it
    command = f"kubectl -n {spec.namespace} delete job {name}"
    return [Problem(field, name, f"a free name: Job {name} exists and is not ours; if nobody needs it: {command}")]
