# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Deployment and its pods say of their state. Pure: the objects come in as they were read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
HOPELESS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
# a busy kubelet waits a second for a config map or secret that is new, says this, and tries again
NOT_YET = ("failed to sync configmap cache", "failed to sync secret cache")


@dataclass(frozen=True)
class Rollout:
    """How far a Deployment is: complete, or why not; wanted pods must be ready; failed when Kubernetes itself has given up."""

    complete: bool
    ready: int
    wanted: int
    failed: str | None


def rollout(deployment: JSON, *, enough: int | None = None) -> Rollout:
    """Complete means: this generation observed, no pod of the old template left, all available.

    enough says how many available pods suffice when there are to be more: an autoscaler may ask for more at any time, and
    those need not find room.
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    wanted = spec.get("replicas", 1) if enough is None else min(spec.get("replicas", 1), enough)
    ready = status.get("readyReplicas", 0)
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return Rollout(False, ready, wanted, None)
    failed = None
    for condition in status.get("conditions") or []:
        if condition["type"] == "Progressing" and condition["status"] == "False":
            failed = f"{condition.get('reason')}: {condition.get('message')}"
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            failed = f"{condition.get('reason')}: {condition.get('message')}"
    every, new, available = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
    surplus = every > spec.get("replicas", 1)
    return Rollout(every == new and not surplus and min(ready, available) >= wanted, ready, wanted, failed)


def hopeless(pods: Iterable[JSON]) -> str | None:
    """Why these pods will never become ready, when that is certain: the image cannot be had, the container cannot start."""
    for pod in pods:
        for container in _containers(pod):
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in HOPELESS and not (waiting.get("message") or "").startswith(NOT_YET):
                return f"pod {pod['metadata']['name']}: {waiting['reason']}: {waiting.get('message', '')}".strip()
            if waiting.get("reason") == "CrashLoopBackOff":
                return f"pod {pod['metadata']['name']} crashes: {_last_words(container)}"
    return None


def not_ready(pods: Iterable[JSON]) -> str:
    """What the first pod that is not ready says of itself, in brackets; empty when none says anything."""
    for pod in pods:
        conditions = {one["type"]: one for one in (pod.get("status") or {}).get("conditions") or []}
        if conditions.get("Ready", {}).get("status") == "True":
            continue
        for kind in ("PodScheduled", "Initialized", "ContainersReady"):
            condition = conditions.get(kind, {})
            if condition.get("status") == "False":
                return f" (pod {pod['metadata']['name']}: {condition.get('reason')}: {condition.get('message')})"
    return ""


@dataclass
class Health:
    """Watches the twin's pods under traffic: what was ready must stay ready, and nothing may restart.

    counted: restarts are, by a gate of their own. Then a pod that restarts may take its time to become ready again.
    """

    counted: bool = False
    ready_once: set[str] = field(default_factory=set)
    restarts: dict[str, int] = field(default_factory=dict)

    def judge(self, pods: Iterable[JSON]) -> str | None:
        """Why traffic must leave these pods at once, or None. Pods that are being deleted do not count."""
        for pod in pods:
            if pod["metadata"].get("deletionTimestamp"):
                continue
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            count = sum(container.get("restartCount", 0) for container in _containers(pod))
            before = self.restarts.setdefault(uid, count)
            if count > before and self.counted:
                self.restarts[uid] = count
                self.ready_once.discard(uid)
            elif count > before:
                worst = next(c for c in _containers(pod) if c.get("restartCount", 0))
                return f"pod {name} restarted: {_last_words(worst)}"
            for container in _containers(pod):
                ended = (container.get("state") or {}).get("terminated")
                if ended and uid in self.ready_once and not self.counted:
                    return f"pod {name} ended: {_words(ended)}"
            if is_ready(pod):
                self.ready_once.add(uid)
            elif uid in self.ready_once and not (self.counted and _restarts(pod)):
                return f"pod {name} is not ready any more"
        return None


def _restarts(pod: JSON) -> bool:
    """Whether a container has ended and waits to be started again."""
    return any("running" not in (one.get("state") or {}) for one in _containers(pod))


def is_ready(pod: JSON) -> bool:
    """Whether the pod's Ready condition is True."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def image_digest(pods: Iterable[JSON], container: str) -> str | None:
    """The digest the first pod runs, from its imageID; None when the runtime does not say."""
    for pod in pods:
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            _name, sep, digest = status.get("imageID", "").rpartition("sha256:")
            if status["name"] == container and sep:
                return f"sha256:{digest}"
    return None


def _containers(pod: JSON) -> list[JSON]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _last_words(container: JSON) -> str:
    ended = (container.get("lastState") or {}).get("terminated") or (container.get("state") or {}).get("terminated") or {}
    return _words(ended)


def _words(ended: JSON) -> str:
    return f"{ended.get('reason', 'unknown reason')}, exit code {ended.get('exitCode', '?')}"
