# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_checks: what the canary is asked before it gets traffic, from what a user wrote to checked values. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Union

from ..traffic.route import Condition
from . import parts, secrets
from .secrets import HIDDEN, hashed
from .values import Problem, Reader

JSON = dict[str, Any]
KINDS = ("http", "job", "webhook")
CANARY, STABLE = ARMS = ("canary", "stable")
MOST_CHECKS = 20
LONGEST_NAME = 63  # of a Job, which its pods bear as a label
LARGEST_JOB_BYTES = 8 * 1024  # all of a release's record is 64 KiB
PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")  # RFC 3986: path and query
UPWARDS = re.compile(r"(?i)(\.|%2e){2}(/|%2f|$)")
OPEN_WEBHOOK_FIELDS = (".timeout_seconds", ".attempts")  # those that hold no secret


@dataclass(frozen=True)
class HttpCheck:
    """A GET to the canary's Service, sent through the API server, and what must come back."""

    path: str
    port: str | None  # name or number; None: the Service's first
    statuses: tuple[int, ...]
    contains: str | None
    headers: tuple[Condition, ...]
    timeout_seconds: float
    attempts: int
    pause_seconds: float


@dataclass(frozen=True)
class JobCheck:
    """A Job beside the canary that must complete: a copy of a CronJob's, or its spec."""

    from_cronjob: str | None
    spec: JSON | None
    timeout_seconds: float
    point_of_no_return: bool


@dataclass(frozen=True)
class WebhookCheck:
    """A POST to somebody outside the cluster who may refuse. url and headers may hold secrets and are never printed."""

    url: str
    headers: tuple[tuple[str, str], ...]
    timeout_seconds: float
    attempts: int

    @property
    def shown(self) -> str:
        """The url as far as it may be printed: paths and queries of webhooks often are the secret."""
        return secrets.shown_url(self.url)


Detail = Union[HttpCheck, JobCheck, WebhookCheck]


@dataclass(frozen=True)
class CheckSpec:
    """One check of the canary before it gets traffic."""

    name: str
    kind: str
    detail: Detail
    against: str = CANARY  # whose Service is asked

    @property
    def step_name(self) -> str:
        """What the plan calls it."""
        return f"check-{self.name}"

    def to_dict(self) -> JSON:
        """The check as the record keeps it: secrets only as hashes, which is enough to see that they are the same."""
        detail = self.detail
        if isinstance(detail, WebhookCheck):
            detail = replace(detail, url=hashed(detail.url), headers=secrets.hashed_pairs(detail.headers))
        return {"name": self.name, "kind": self.kind, "detail": asdict(detail), "against": self.against}


def checks_from(saved: Iterable[Mapping[str, Any]]) -> tuple[CheckSpec, ...]:
    """Checks as to_dict wrote them. Those of webhooks cannot be run: their secrets are hashes."""
    return tuple(
        CheckSpec(one["name"], one["kind"], _detail_from(one["kind"], dict(one["detail"])), one.get("against", CANARY)) for one in saved
    )


def _detail_from(kind: str, fields: JSON) -> Detail:
    if kind == "http":
        headers = tuple(Condition(**one) for one in fields.pop("headers"))
        return HttpCheck(**{**fields, "statuses": tuple(fields["statuses"])}, headers=headers)
    if kind == "job":
        return JobCheck(**fields)
    return WebhookCheck(**{**fields, "headers": tuple((name, value) for name, value in fields["headers"])})


def expected(detail: HttpCheck) -> str:
    """What an answer must be, in words."""
    said = [" or ".join(map(str, detail.statuses))]
    said += [f"with {condition}" for condition in detail.headers]
    said += [f"with {detail.contains!r} in it"] if detail.contains else []
    return " ".join(said)


def checks(source: Reader, value: Any, release_name: str | None) -> tuple[CheckSpec, ...]:
    """The checks of release_checks, in their order. What a webhook's url and headers are is never put into a problem."""
    read = Reader()
    listed = read.sequence("release_checks", value) or []
    if len(listed) > MOST_CHECKS:
        read.refuse("release_checks", f"{len(listed)} checks", f"at most {MOST_CHECKS}")
    made: list[CheckSpec] = []
    for index, item in enumerate(listed):
        field = f"release_checks[{index}]"
        check = _check(read, field, item)
        if check is None:
            continue
        if check.name in [other.name for other in made]:
            read.refuse(f"{field}.name", check.name, "a name that no other check has")
        if check.kind == "job" and release_name and len(f"{release_name}-{check.step_name}") > LONGEST_NAME:
            most = LONGEST_NAME - len(f"{release_name}-check-")
            read.refuse(f"{field}.name", check.name, f"at most {most} characters: the Job is called {release_name}-check-<name>")
        made.append(check)
    source.problems += [_masked(problem) for problem in read.problems]
    return tuple(made)


def _check(read: Reader, field: str, item: Any) -> CheckSpec | None:
    found = _required(read, field, item, ("name", *KINDS, "against", "point_of_no_return"))
    if found is None:
        return None
    if found.get("name") is None:
        read.refuse(f"{field}.name", None, "is required: the step is called check-<name>")
    name = read.name(f"{field}.name", found.get("name"), longest=40)
    kinds = [kind for kind in KINDS if kind in found]
    if len(kinds) != 1:
        allowed = "exactly one of http: {path: /healthz}, job: {from_cronjob: migrate} and webhook: {url: https://...}"
        read.refuse(field, ", ".join(kinds) or "none of them", allowed)
        return None
    kind = kinds[0]
    final = read.truth(f"{field}.point_of_no_return", found.get("point_of_no_return"))
    if final and kind != "job":
        read.refuse(f"{field}.point_of_no_return", True, f"nothing: only a job can be one, this is a check of kind {kind}")
    against = read.choice(f"{field}.against", found.get("against"), ARMS, CANARY)
    if kind == "webhook" and found.get("against") is not None:
        read.refuse(f"{field}.against", found["against"], "nothing: a webhook asks neither version")
    here = f"{field}.{kind}"
    detail: Detail | None
    if kind == "http":
        detail = _http(read, here, found[kind])
    elif kind == "job":
        detail = _job(read, here, found[kind], final=final)
    else:
        detail = _webhook(read, here, found[kind])
    return CheckSpec(name, kind, detail, against) if name and detail else None


def _http(read: Reader, field: str, value: Any) -> HttpCheck | None:
    keys = ("path", "port", "status", "contains", "header", "timeout_seconds", "attempts", "pause_seconds")
    found = read.mapping(field, {} if value is None else value, keys)
    if found is None:
        return None
    path = read.text(f"{field}.path", found.get("path"), "/") or "/"
    if not PATH.fullmatch(path):
        read.refuse(f"{field}.path", path, "a path that begins with /, with its query if it has one; other signs percent-encoded")
    elif UPWARDS.search(path):
        read.refuse(f"{field}.path", path, "a path without ..")
    return HttpCheck(
        path=path,
        port=_port(read, f"{field}.port", found.get("port")),
        statuses=_statuses(read, f"{field}.status", found.get("status")),
        contains=read.text(f"{field}.contains", found.get("contains")),
        headers=tuple(parts.conditions(read, f"{field}.header", "header", found.get("header"))),
        timeout_seconds=read.seconds(f"{field}.timeout_seconds", found.get("timeout_seconds"), least=0.1, most=300, default=10),
        attempts=read.integer(f"{field}.attempts", found.get("attempts"), least=1, most=1000, default=3),
        pause_seconds=read.seconds(f"{field}.pause_seconds", found.get("pause_seconds"), least=0, most=300, default=1),
    )


def _port(read: Reader, field: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, int) or str(value).isdigit():
        number = read.integer(field, value, least=1, most=65535, default=0)
        return str(number) if number else None
    return read.name(field, value, longest=63)


def _statuses(read: Reader, field: str, value: Any) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [200 if value is None else value]
    if not listed:
        read.refuse(field, value, "an HTTP status, or a list of them")
    return tuple(read.integer(field, one, least=100, most=599, default=200) for one in listed)


def _job(read: Reader, field: str, value: Any, *, final: bool) -> JobCheck | None:
    found = _required(read, field, value, ("from_cronjob", "spec", "timeout_seconds"))
    if found is None:
        return None
    if len([key for key in ("from_cronjob", "spec") if found.get(key) is not None]) != 1:
        read.refuse(field, ", ".join(found) or None, "exactly one of from_cronjob: <name> and spec: {template: ...} (of a batch/v1 Job)")
        return None
    spec = read.mapping(f"{field}.spec", found.get("spec"))
    if spec is not None:
        _job_spec(read, f"{field}.spec", spec)
    return JobCheck(
        from_cronjob=read.name(f"{field}.from_cronjob", found.get("from_cronjob"), longest=52),
        spec=spec,
        timeout_seconds=read.seconds(f"{field}.timeout_seconds", found.get("timeout_seconds"), least=1, most=86400, default=600),
        point_of_no_return=final,
    )


def _job_spec(read: Reader, field: str, spec: JSON) -> None:
    """As much of a Job as our own code reads; the rest is for the API server to say (dryRun, in preflight)."""
    pod: Any = spec.get("template")
    pod = pod.get("spec") if isinstance(pod, dict) else None
    containers = pod.get("containers") if isinstance(pod, dict) else None
    if not isinstance(containers, list) or not containers or not all(isinstance(one, dict) for one in containers):
        read.refuse(f"{field}.template.spec.containers", None, "is required: a list of containers, as a batch/v1 Job has it")
    elif len(json.dumps(spec, default=str)) > LARGEST_JOB_BYTES:
        allowed = (
            f"at most {LARGEST_JOB_BYTES // 1024} KiB, for it is kept in the record; put it into a suspended CronJob and use from_cronjob"
        )
        read.refuse(field, f"{len(json.dumps(spec, default=str))} bytes", allowed)


def _webhook(read: Reader, field: str, value: Any) -> WebhookCheck | None:
    found = _required(read, field, value, ("url", "headers", "timeout_seconds", "attempts"))
    if found is None:
        return None
    return WebhookCheck(
        url=secrets.url(read, f"{field}.url", found.get("url")) or "",
        headers=secrets.headers(read, f"{field}.headers", found.get("headers")),
        timeout_seconds=read.seconds(f"{field}.timeout_seconds", found.get("timeout_seconds"), least=0.1, most=300, default=10),
        attempts=read.integer(f"{field}.attempts", found.get("attempts"), least=1, most=1000, default=3),
    )


def _required(read: Reader, field: str, value: Any, keys: tuple[str, ...]) -> JSON | None:
    """A dictionary that must be there: a check that is left empty would check nothing."""
    if value is None:
        read.refuse(field, None, "is required")
    return read.mapping(field, value, keys)


def _masked(problem: Problem) -> Problem:
    """The problem without what could be a secret: whatever stands in a webhook, URLs, and structures that could hold one."""
    value = problem.value
    _before, within, key = problem.field.partition(".webhook")
    in_webhook = within and key not in OPEN_WEBHOOK_FIELDS
    could_hold = isinstance(value, (dict, list)) or (isinstance(value, str) and ("webhook" in value or "://" in value))
    return Problem(problem.field, HIDDEN, problem.allowed) if value is not None and (in_webhook or could_hold) else problem
