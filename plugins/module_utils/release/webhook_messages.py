# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What webhooks are sent: Flagger's message in Flagger's words, signed. And events, sent beside the release, which never waits for them."""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .ending import PASSED, PROMOTED
from .plan import plan
from .record import State
from .spec import Spec
from .target import Target
from .webhook_client import Post, Reply, post_patiently
from .webhooks_spec import CONFIRM_PROMOTION, CONFIRM_ROLLOUT, EVENT, WebhookSpec

JSON = dict[str, Any]
PROGRESSING, WAITING, WAITING_PROMOTION = "Progressing", "Waiting", "WaitingPromotion"
SUCCEEDED, FAILED = "Succeeded", "Failed"
# kind of step -> Flagger's word; all others are Progressing
PHASES = {"promote": "Promoting", "warm": "Promoting", "clean_up": "Finalising"}
WAITS = {CONFIRM_ROLLOUT: WAITING, CONFIRM_PROMOTION: WAITING_PROMOTION}
UNTOLD = frozenset({"look", "note"})  # words of live lines that are no events
WARNINGS = frozenset({"ROLL BACK", "PARK", "hold", "warning", "undo", "retry", "stopped"})
WAITING_EVENTS = 200  # more are dropped, and counted
FLUSH_SECONDS = 10.0  # how long an ending waits for events that are still to be sent


def of(spec: Spec, kind: str) -> list[WebhookSpec]:
    """The webhooks of a type that can be asked: those of a record have lost their secrets."""
    return [one for one in spec.webhooks if one.type == kind and not one.lost_secrets]


def phase_of(spec: Spec, state: State) -> str:
    """Where a release is, as Flagger calls it."""
    if state.phase == "parked":
        return WAITING
    steps = plan(spec)
    kind = steps[min(state.step, len(steps) - 1)].kind
    if state.webhooks.get("waiting") and state.phase == "running":
        return WAITS.get(kind, PROGRESSING)
    return PHASES.get(kind, PROGRESSING) if state.phase == "running" else PROGRESSING


def final_phase(outcome: str) -> str:
    """How it ended, as Flagger calls it."""
    return SUCCEEDED if outcome in (PROMOTED, PASSED) else FAILED


def checksum(target: Target) -> str:
    """What identifies this version in this target: the same for every question of a release and for its next attempt."""
    return hashlib.sha256(json.dumps(target.new_template, sort_keys=True).encode()).hexdigest()[:10]


def message(spec: Spec, target: Target, hook: WebhookSpec, phase: str, metadata: Mapping[str, str] | None = None) -> JSON:
    """The body: what Flagger sends, and nothing else, for receivers may be strict. metadata wins over the user's."""
    made: JSON = {"name": spec.name, "namespace": spec.namespace, "phase": phase, "checksum": checksum(target)}
    everything = {**dict(hook.metadata), **(metadata or {})}
    return {**made, "metadata": everything} if everything else made


def request(hook: WebhookSpec, release_id: str) -> Post:
    """The POST of a webhook. Its headers tell what Flagger's message has no field for."""
    return Post(
        url=hook.url,
        headers=(*hook.headers, ("X-Release-Id", release_id), ("X-Webhook-Type", hook.type)),
        timeout_seconds=hook.timeout_seconds,
        hmac_secret=hook.hmac_secret,
        hmac_header=hook.hmac_header,
        ca_cert=hook.ca_cert,
        client_cert=hook.client_cert,
        client_key=hook.client_key,
        validate_certs=hook.validate_certs,
        secrets=tuple(value for _name, value in hook.metadata),
    )


class Outbox:
    """The events of one webhook, in their order, sent by a thread of its own. What cannot be sent is counted."""

    def __init__(self, title: str, send: Callable[[JSON], Reply]) -> None:
        self._title = title
        self._send = send
        self._waiting: queue.Queue[JSON | None] = queue.Queue(WAITING_EVENTS)
        self._thread: threading.Thread | None = None
        self._sent = self._failed = self._dropped = 0
        self._last = ""

    def put(self, event: JSON) -> None:
        """Send it soon; never waits."""
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self._dropped += 1
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="events", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (event := self._waiting.get()) is not None:
            reply = self._send(event)
            self._sent += 1
            if not reply.agrees:
                self._failed, self._last = self._failed + 1, str(reply)

    def close(self, seconds: float) -> str:
        """Wait so long for what is still to be sent; what was in the way, if anything was."""
        if self._thread is None:
            return ""
        until = time.monotonic() + seconds
        while True:
            try:
                self._waiting.put_nowait(None)
                break
            except queue.Full:
                if time.monotonic() > until:
                    break
                time.sleep(0.05)
        self._thread.join(max(0.0, until - time.monotonic()))
        left = self._dropped + (self._waiting.qsize() if self._thread.is_alive() else 0)
        said = [f"{self._failed} of {self._sent} events were not taken, the last: {self._last}"] if self._failed else []
        said += [f"{left} events were not sent"] if left else []
        return f"{self._title}: {'; '.join(said)}" if said else ""


class Events:
    """Tells the webhooks of type event what the live lines say."""

    def __init__(self, spec: Spec, target: Target, state: State) -> None:
        self._spec, self._target, self._state = spec, target, state
        self._boxes = [(hook, Outbox(hook.title, self._sender(hook))) for hook in of(spec, EVENT)]

    def _sender(self, hook: WebhookSpec) -> Callable[[JSON], Reply]:
        return lambda event: post_patiently(request(hook, self._state.release_id), event, hook.retries)

    def heard(self, word: str, text: str, facts: Mapping[str, Any]) -> None:
        """A live line was said."""
        if self._boxes and word not in UNTOLD and not facts.get("muted"):
            self.tell(f"{word} {text}", phase=phase_of(self._spec, self._state), warning=word in WARNINGS)

    def tell(self, text: str, *, phase: str, warning: bool = False) -> None:
        """Tell what happened; never waits."""
        told = {
            "eventMessage": " ".join(text.split()),
            "eventType": "Warning" if warning else "Normal",
            "timestamp": str(round(time.time() * 1000)),
        }
        for hook, box in self._boxes:
            box.put(message(self._spec, self._target, hook, phase, told))

    def flush(self) -> list[str]:
        """At an ending: wait a little for what is still to be sent; what was in the way."""
        until = time.monotonic() + FLUSH_SECONDS
        troubles = [box.close(max(0.0, until - time.monotonic())) for _hook, box in self._boxes]
        return [trouble for trouble in troubles if trouble]
