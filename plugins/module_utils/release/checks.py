# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the canary, or somebody who may refuse, before any traffic moves. May be repeated, as every step."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..cluster.errors import SlowAnswer, error_for
from ..cluster.kinds import object_path
from ..cluster.session import Text
from ..traffic.route import Condition
from ..workload.twin import SUFFIX
from . import check_job
from .asking import aside
from .check_job import failed
from .checks_spec import CANARY, HttpCheck, JobCheck, WebhookCheck, expected
from .context import Context
from .plan import Step
from .watch import Watch
from .webhook_client import Post, post, quote

WEBHOOK_PAUSE_SECONDS = 1.0
# how the API server says that the pods behind a Service, not itself, are the trouble
BEHIND = ("error trying to reach service", "no endpoints available for service", "no service port")


def check(context: Context, step: Step, watch: Watch) -> None:
    """Run one check. Raises TurnBack with cause check when it fails: no traffic has moved by then."""
    one = next(one for one in context.spec.checks if one.step_name == step.name)
    watch.check()
    detail = one.detail
    if isinstance(detail, JobCheck):
        check_job.run(context, one, detail, watch)
    elif isinstance(detail, HttpCheck):
        asked = context.target.service + (SUFFIX if one.against == CANARY else "")
        port = detail.port or first_port(context.session.get("Service", context.namespace, asked))
        path = service_path(context.namespace, asked, port, detail.path)
        tries = Tries(f"GET {detail.path} of {asked}:{port}", detail.attempts, detail.pause_seconds, detail.timeout_seconds)
        _until_passed(context, one.name, watch, tries, lambda: _http(context, detail, path))
    else:
        tries = Tries(f"POST to {detail.shown}", detail.attempts, WEBHOOK_PAUSE_SECONDS, detail.timeout_seconds)
        _until_passed(context, one.name, watch, tries, lambda: _webhook(detail, _message(context)))


@dataclass(frozen=True)
class Tries:
    """What is tried, how often, with what pause between, and how long each may take."""

    what: str
    attempts: int
    pause_seconds: float
    timeout_seconds: float


def first_port(service: dict[str, Any]) -> str:
    """A Service's first port as the service proxy wants it: its name, or its number when it has none."""
    port = service["spec"]["ports"][0]
    return str(port.get("name") or port["port"])


def service_path(namespace: str, service: str, port: str, path: str) -> str:
    """Where the API server passes requests on to a Service: no other way into the cluster is needed."""
    return f"{object_path('Service', namespace, service)}:{port}/proxy{path}"


def _until_passed(context: Context, name: str, watch: Watch, tries: Tries, attempt: Callable[[], str | None]) -> None:
    """Try as often as the check may; attempt returns what was wrong, as 'was to answer 200, it answered 503: ...'."""
    for number in range(1, tries.attempts + 1):
        late: str | None = f"was to answer within {tries.timeout_seconds:g} s, it did not"
        trouble = aside(watch, attempt, seconds=tries.timeout_seconds, late=late)
        which = f"attempt {number} of {tries.attempts}"
        if trouble is None:
            context.live.say("check", f"{name} passed: {tries.what}, {which}")
            return
        if number == tries.attempts:
            raise failed(name, f"{tries.what} {trouble} ({which})")
        context.live.say("check", f"{name}: {tries.what} {trouble} ({which})")
        watch.linger(tries.pause_seconds)


def _http(context: Context, detail: HttpCheck, path: str) -> str | None:
    try:
        answer = context.session.raw(path, read_seconds=detail.timeout_seconds)
    except SlowAnswer:
        return f"was to answer within {detail.timeout_seconds:g} s, it did not"
    why_not = not_passed_on(answer, path)
    if why_not:
        return f"was to answer {expected(detail)}, nothing did: {why_not}"
    wrong = mismatch(detail, answer)
    return f"was to answer {expected(detail)}, it answered {wrong}" if wrong else None


def not_passed_on(answer: Text, path: str) -> str | None:
    """Why the API server could not pass a request on to the pods; None when the answer is theirs.

    Raises a ClusterError when the API server itself refuses, or has no time.
    """
    status: Any = None
    if answer.status >= 400:
        try:
            status = json.loads(answer.text)
        except ValueError:
            return None
    if not isinstance(status, dict) or (status.get("kind"), status.get("apiVersion")) != ("Status", "v1"):
        return None
    message = str(status.get("message") or "")
    if any(words in message for words in BEHIND):
        return quote(message)
    raise error_for(answer.status, str(status.get("reason") or ""), message, f"GET {path.partition('?')[0]}")


def mismatch(detail: HttpCheck, answer: Text) -> str | None:
    """What an answer was instead of what was expected; None when it is right."""
    if answer.status not in detail.statuses:
        return f"{answer.status}: {quote(answer.text)}"
    for condition in detail.headers:
        value = answer.headers.get(condition.name.lower())
        if value is None or not _holds(condition, value):
            return f"{answer.status} with {'no' if value is None else 'the'} header {condition.name}{'' if value is None else ' ' + repr(value)}"
    if detail.contains and detail.contains not in answer.text:
        return f"{answer.status} without that: {quote(answer.text)}"
    return None


def _holds(condition: Condition, value: str) -> bool:
    if condition.how == "regex":
        return re.fullmatch(condition.value, value) is not None
    return value.startswith(condition.value) if condition.how == "prefix" else value == condition.value


def _message(context: Context) -> dict[str, str]:
    return {
        "release_name": context.spec.name,
        "release_id": context.state.release_id,
        "namespace": context.namespace,
        "workload": f"Deployment/{context.target.workload}",
        "image": context.spec.image,
        "canary_service": context.target.service + SUFFIX,
        "phase": "pre-traffic",
    }


def _webhook(detail: WebhookCheck, message: dict[str, str]) -> str | None:
    """POST; what was wrong, without the secrets of url and headers wherever they may turn up again."""
    reply = post(Post(detail.url, detail.headers, detail.timeout_seconds), message)
    if reply.status is not None and 200 <= reply.status < 300:
        return None
    return f"was to answer 2xx, {reply}"
