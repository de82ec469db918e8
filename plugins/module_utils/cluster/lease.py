# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lease of a workload: who may change its release, and the epoch that fences off everybody else."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .errors import ClusterError, Conflict, NotFound, Superseded
from .kinds import api_version, object_path
from .patch import as_read, expect, replace
from .session import Session

LEASE_SECONDS = 15
RENEW_SECONDS = 5.0
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class LeaseHeld(ClusterError):
    """Somebody else holds the Lease and is alive."""

    def __init__(self, name: str, spec: dict[str, Any]) -> None:
        super().__init__(f"Lease {name} is held by {held_by(spec)}")


def held_by(spec: dict[str, Any]) -> str:
    """Who holds a Lease, since when, and when that was renewed, in words; by the holder's own clock. Empty when nobody does."""
    holder, since, renewed = spec.get("holderIdentity") or "", spec.get("acquireTime") or "", spec.get("renewTime") or ""
    if not holder:
        return ""
    return holder + (f" since {_moment(since)}" if since else "") + (f", renewed {_moment(renewed)}" if renewed else "")


def _moment(text: str) -> str:
    """A time of a Lease to the second."""
    return f"{text[:10]} {text[11:19]} UTC"


def lease_name(kind: str, workload: str) -> str:
    """One Lease per workload, whatever its releases are called."""
    return f"progressive-delivery-{kind.lower()}-{workload}"


def process_start(pid: int) -> str | None:
    """When a process of this host began, in the kernel's own ticks; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def identity(pid: int) -> str:
    """host/pid/start: tells a restarted runner from the one before, and lets the same host see that a holder is dead."""
    return f"{socket.gethostname()}/{pid}/{process_start(pid) or 0}"


def own_identity() -> str:
    """The identity of this process."""
    return identity(os.getpid())


def is_dead(holder: str) -> bool:
    """Whether the holder is certainly gone: a process of this very host that does not run any more."""
    host, _sep, rest = holder.partition("/")
    pid, _sep, start = rest.partition("/")
    return host == socket.gethostname() and pid.isdigit() and process_start(int(pid)) != start


@dataclass
class Lease:
    """A Lease that we hold. epoch rises by one with every holder."""

    session: Session
    namespace: str
    name: str
    holder: str
    epoch: int
    uid: str

    def renew(self) -> None:
        """Say that we are alive. Raises Superseded when somebody took the Lease over."""
        operations = [
            expect("/spec/holderIdentity", self.holder),
            expect("/spec/leaseTransitions", self.epoch),
            replace("/spec/renewTime", _now()),
        ]
        try:
            self.session.patch("Lease", self.namespace, self.name, operations)
        except (Conflict, NotFound) as error:
            raise Superseded(f"Lease {self.name} is not ours any more") from error

    def release(self) -> None:
        """Give the Lease back. Nothing happens when it is not ours any more."""
        try:
            current = self.session.get("Lease", self.namespace, self.name)
            if current["metadata"]["uid"] == self.uid and current["spec"].get("leaseTransitions") == self.epoch:
                self.session.delete("Lease", self.namespace, self.name, uid=self.uid)
        except (NotFound, Conflict):
            return


def look(session: Session, namespace: str, name: str) -> dict[str, Any] | None:
    """The Lease as it stands, or None."""
    return session.find("Lease", namespace, name)


def is_held(session: Session, namespace: str, name: str, *, sleep: Callable[[float], None], emit: Callable[[str], None]) -> bool:
    """Whether somebody else holds the Lease and is alive. Of a holder elsewhere that takes until it renews, or its whole duration."""
    current = look(session, namespace, name)
    holder = (current or {"spec": {}})["spec"].get("holderIdentity") or ""
    if current is None or not holder or holder == own_identity() or is_dead(holder):
        return False
    try:
        _await_silence(session, namespace, name, current, sleep=sleep, emit=emit)
    except LeaseHeld:
        return True
    return False


def acquire(
    session: Session,
    namespace: str,
    name: str,
    *,
    sleep: Callable[[float], None],
    emit: Callable[[str], None],
    by_force: bool = False,
    me: str = "",
    seconds: int = LEASE_SECONDS,
) -> Lease:
    """Take the Lease: a free one, one whose holder is dead, or one that is not renewed for its whole duration.

    by_force takes it from a living holder (an abort that got no answer). me: whose it becomes, this process without it; seconds: how
    long others wait for a sign of life. Raises LeaseHeld.
    Liveness is watched with our own clock, never read off the holder's timestamps, so skewed clocks do no harm.
    """
    me = me or own_identity()
    current = look(session, namespace, name)
    if current is None:
        try:
            return _create(session, namespace, name, me, seconds)
        except Conflict:
            current = session.get("Lease", namespace, name)
    spec = current["spec"]
    holder = spec.get("holderIdentity") or ""
    if holder and not by_force and holder != me and not is_dead(holder):
        _await_silence(session, namespace, name, current, sleep=sleep, emit=emit)
    return _take(session, namespace, name, me, seconds)


def _await_silence(
    session: Session, namespace: str, name: str, current: dict[str, Any], *, sleep: Callable[[float], None], emit: Callable[[str], None]
) -> None:
    renewed, holder = current["spec"].get("renewTime"), current["spec"]["holderIdentity"]
    duration = int(current["spec"].get("leaseDurationSeconds") or LEASE_SECONDS)
    emit(f"waiting up to {duration} s to see whether {holder} is alive (Lease {name})")
    for _second in range(duration + 1):
        sleep(1.0)
        now = look(session, namespace, name)
        if now is None:
            return
        if now["spec"].get("renewTime") != renewed:
            raise LeaseHeld(name, now["spec"])


def _create(session: Session, namespace: str, name: str, holder: str, seconds: int) -> Lease:
    body = {
        "apiVersion": api_version("Lease"),
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "progressive.delivery"}},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "acquireTime": _now(),
            "renewTime": _now(),
            "leaseTransitions": 1,
        },
    }
    made = session.request("POST", object_path("Lease", namespace), body=body)
    return Lease(session, namespace, name, holder, 1, made["metadata"]["uid"])


def _take(session: Session, namespace: str, name: str, holder: str, seconds: int) -> Lease:
    current = look(session, namespace, name)
    if current is None:
        return _create(session, namespace, name, holder, seconds)
    epoch = int(current["spec"].get("leaseTransitions") or 0) + 1
    taken = dict(
        current["spec"],
        holderIdentity=holder,
        leaseDurationSeconds=seconds,
        acquireTime=_now(),
        renewTime=_now(),
        leaseTransitions=epoch,
    )
    version = as_read(current)
    session.patch("Lease", namespace, name, [version, replace("/spec", taken)])
    return Lease(session, namespace, name, holder, epoch, current["metadata"]["uid"])


def _now() -> str:
    return datetime.now(timezone.utc).strftime(TIME_FORMAT)
