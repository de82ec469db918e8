# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A check that is a Job: made from a CronJob or from its spec, awaited, and removed when the release ends."""

from __future__ import annotations

import contextlib
from typing import Any

from ..cluster.errors import ClusterError, Conflict, NotFound, Rejected, Superseded
from ..cluster.kinds import object_path
from ..workload.deployment import hopeless
from ..workload.twin import RELEASE_LABEL
from .checks_spec import CheckSpec, JobCheck
from .context import Context
from .ending import TurnBack
from .job import MANAGED_BY, environment, job_body, job_name, template_of
from .watch import Watch

JSON = dict[str, Any]
LOG_LINES = 5
LOG_CHARACTERS = 400
GONE_SECONDS = 120.0


def failed(name: str, what: str) -> TurnBack:
    """The ending of a release whose check failed."""
    return TurnBack("check", f"nothing was switched: check {name}: {what}")


def run(context: Context, check: CheckSpec, detail: JobCheck, watch: Watch) -> None:
    """Create the Job, or adopt the one this release has made before, and await it. Raises TurnBack when it fails.

    It stays until the release ends (remove_all), so that a runner that takes over does not run it a second time.
    """
    name = job_name(context.spec, check)
    if not _is_there(context, check, name, watch):
        if detail.point_of_no_return:
            words = f"nothing was changed for good so far; what Job {name} does stays, also when the release goes back"
            context.live.say("check", f"{check.name}: point of no return: {words}")
        _create(context, check, detail, name)
    context.live.say("check", f"{check.name}: Job {name} runs, at most {detail.timeout_seconds:.0f} s")
    watch.wait(
        lambda: _complete(context, check, name),
        timeout_seconds=detail.timeout_seconds,
        what=f"nothing was switched: check {check.name}: Job {name} was to complete, it did not",
        cause="check",
        why=lambda: _why_late(context, name),
    )
    context.live.say("check", f"{check.name} passed: Job {name} completed")


def remove_all(context: Context) -> None:
    """Remove what is left of this release's Jobs; those of others stay."""
    for check in context.spec.checks:
        if isinstance(check.detail, JobCheck):
            try:
                _remove(context, job_name(context.spec, check))
            except Rejected as error:
                context.live.say("warning", f"Job {job_name(context.spec, check)} could not be removed: {error}")


def _is_there(context: Context, check: CheckSpec, name: str, watch: Watch) -> bool:
    """Whether this release's Job exists. One that an earlier release left behind is removed first, anybody else's is not."""
    found = context.session.find("Job", context.namespace, name)
    if found is None:
        return False
    labels = found["metadata"].get("labels") or {}
    if labels.get(RELEASE_LABEL) == context.state.release_id and not found["metadata"].get("deletionTimestamp"):
        return True
    if not MANAGED_BY.items() <= labels.items():
        raise failed(check.name, f"Job {name} exists and is not of this collection; delete or rename it")
    context.live.say("check", f"{check.name}: removing Job {name} of release {labels.get(RELEASE_LABEL)} first")
    context.session.delete("Job", context.namespace, name, uid=found["metadata"]["uid"])
    watch.wait(
        lambda: context.session.find("Job", context.namespace, name) is None,
        timeout_seconds=GONE_SECONDS,
        what=f"nothing was switched: check {check.name}: Job {name} of an earlier release did not go",
        cause="check",
    )
    return False


def _create(context: Context, check: CheckSpec, detail: JobCheck, name: str) -> None:
    release_id, target = context.state.release_id, context.target
    try:
        template = template_of(context.session, context.namespace, detail)
    except NotFound as error:
        raise failed(check.name, f"CronJob {detail.from_cronjob} does not exist any more") from error
    body = job_body(
        template,
        name=name,
        namespace=context.namespace,
        release_id=release_id,
        env=environment(service=target.service, release_id=release_id, image=context.spec.image),
        timeout_seconds=detail.timeout_seconds,
    )
    try:
        made = context.session.create(body)
    except Conflict:
        found = context.session.get("Job", context.namespace, name)
        if (found["metadata"].get("labels") or {}).get(RELEASE_LABEL) == release_id:
            return  # ours: the answer to an earlier create was lost
        raise failed(check.name, f"Job {name} was made by somebody else") from None
    try:
        context.journal.poll()
    except Superseded:
        context.session.delete("Job", context.namespace, name, uid=made["metadata"]["uid"])
        raise


def _complete(context: Context, check: CheckSpec, name: str) -> bool:
    found = context.session.find("Job", context.namespace, name)
    if found is None:
        raise failed(check.name, f"Job {name} was to complete, it was deleted by somebody else")
    conditions = {one["type"]: one for one in (found.get("status") or {}).get("conditions") or [] if one["status"] == "True"}
    if "Complete" in conditions:
        return True
    if "Failed" in conditions:
        why = conditions["Failed"]
        words = f"Job {name} was to complete, it failed ({why.get('reason')}: {why.get('message')}){_last_words(context, name)}"
        raise failed(check.name, words)
    if found["spec"]["template"]["spec"].get("restartPolicy") == "Never":
        stuck = hopeless(_pods(context, name))
        if stuck:
            raise failed(check.name, f"Job {name} cannot run: {stuck}")
    return False


def _pods(context: Context, name: str) -> list[JSON]:
    return context.session.list("Pod", context.namespace, labels={"job-name": name})


def _why_late(context: Context, name: str) -> str:
    """What still runs in the Job's pods and what it said last, best effort."""
    with contextlib.suppress(ClusterError):
        pods = _pods(context, name)
        running = [
            one["name"]
            for pod in pods
            for one in (pod.get("status") or {}).get("containerStatuses") or []
            if "running" in (one.get("state") or {})
        ]
        what = f"; still running: {', '.join(running)}" if running else "; no container of it runs" if pods else "; it has no pod"
        return what + _last_words(context, name)
    return ""


def _last_words(context: Context, name: str) -> str:
    """The failed container of the newest pod, how it ended and the last lines of its log, best effort."""
    with contextlib.suppress(ClusterError):
        pods = sorted(_pods(context, name), key=lambda pod: pod["metadata"].get("creationTimestamp", ""))
        for pod in reversed(pods):
            return _words_of(context, pod)
    return ""


def _words_of(context: Context, pod: JSON) -> str:
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    ended = {one["name"]: (one.get("state") or {}).get("terminated") for one in containers}
    bad = [name for name, how in ended.items() if how and how.get("exitCode")] or list(ended)[-1:]
    if not bad:
        return f"; pod {pod['metadata']['name']} never started"
    how = ended[bad[0]]
    said = f"; container {bad[0]} of pod {pod['metadata']['name']}"
    said += f" ended with exit code {how.get('exitCode')} ({how.get('reason')})" if how else ""
    path = f"{object_path('Pod', context.namespace, pod['metadata']['name'])}/log?container={bad[0]}&tailLines={LOG_LINES}"
    answer = context.session.raw(path)
    lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
    if answer.status != 200:
        return said + "; its log cannot be read"
    return said + ("; its last words: " + " / ".join(lines)[-LOG_CHARACTERS:] if lines else "; its log is empty")


def _remove(context: Context, name: str) -> None:
    """Delete this release's Job with its pods; a Job of that name that is not ours stays."""
    found = context.session.find("Job", context.namespace, name)
    if found and (found["metadata"].get("labels") or {}).get(RELEASE_LABEL) == context.state.release_id:
        with contextlib.suppress(Conflict):
            context.session.delete("Job", context.namespace, name, uid=found["metadata"]["uid"])
