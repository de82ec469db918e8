# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: runs in the cluster beside a release and returns its traffic when its runner is gone and nobody comes.

This file alone is mounted into an image that has Python 3; it needs nothing but the standard library. It knows no router: what
returns traffic it reads in its orders, a ConfigMap that the runner rewrites before each change (guard.orders). What it does:
watch the Lease, which a living runner renews; when it was not renewed for the whole limit take it over with a higher epoch, which
fences the runner off should it only be asleep; apply the orders; say so on the record, which the next run finishes.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import sys
import time
import urllib.parse
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from typing import Any

JSON = dict[str, Any]
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
EPOCH = "progressive.delivery/epoch"  # the fence on every object of a release
SAID = "progressive.delivery/guard"  # on the record: what the guard did, or left
WATCHING = "progressive.delivery/watching"  # on the orders: since when the guard watches
VERSION = "/metadata/resourceVersion"
POLL_SECONDS = 2.0
ANSWER_SECONDS = 10.0
ATTEMPTS = 8
STABLE_SECONDS = 120.0  # how long the canary keeps its traffic when stable has no ready pod and the canary has
LOAD_SECONDS = 90.0  # an autoscaler has seen the load that came home by then
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Silent(Exception):
    """The API server gave no answer, or none that says anything about the request."""


class Missing(Exception):
    """There is no such object."""


class Changed(Exception):
    """A test of a patch failed: the object is not what it was."""


class Fenced(Exception):
    """Somebody else holds the release by now, or the object."""


class Api:
    """Requests to the API server of the cluster that this pod runs in."""

    def __init__(self, base: str, account: str = ACCOUNT) -> None:
        self._base = base
        self._account = account
        self._tls = ssl.create_default_context(cafile=os.path.join(account, "ca.crt"))

    def request(self, method: str, path: str, body: Any = None) -> JSON:
        """One request; the decoded answer. Raises Silent, Missing or Changed."""
        with open(os.path.join(self._account, "token"), encoding="ascii") as token:
            headers = {"Authorization": "Bearer " + token.read().strip(), "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json-patch+json"
        data = None if body is None else json.dumps(body).encode()
        server = urllib.parse.urlsplit(self._base)
        connection = http.client.HTTPSConnection(server.hostname or "", server.port, timeout=ANSWER_SECONDS, context=self._tls)
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            found = json.loads(text) if answer.status < 400 else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Silent(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            said = f"{method} {path}: HTTP {answer.status} {text[:500].decode('utf-8', 'replace')}"
            raise {404: Missing, 409: Changed, 422: Changed}.get(answer.status, Silent)(said)
        return dict(found)


class Guard:
    """Watches over one release, held by one runner. orders is the path of its ConfigMap."""

    def __init__(
        self,
        api: Any,
        orders: str,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        say: Callable[[str], None],
    ) -> None:
        self._api, self._path, self._name = api, orders, name
        self._clock, self._sleep, self._say = clock, sleep, say
        self._epoch, self._release_id = 0, ""
        self._unready_since: float | None = None

    def watch(self) -> str:
        """Until the release is over, or until its traffic was returned. Raises Missing when the orders are gone: nobody needs us."""
        self._announce()
        seen: Any = self  # nothing that a Lease could hold
        since = self._clock()
        while True:
            self._sleep(POLL_SECONDS)
            try:
                orders = self._orders()
                lease = self._find(orders["lease"])
                renewed = lease and (lease["spec"].get("holderIdentity"), lease["spec"].get("renewTime"))
                if renewed != seen:
                    seen, since, self._unready_since = renewed, self._clock(), None
                elif self._clock() - since >= orders["after_seconds"]:
                    done = self._act(orders, lease)
                    if done:
                        return done
            except Changed as error:
                self._say(f"somebody was faster: {error}")
            except Silent as error:  # who cannot see the Lease cannot tell a dead runner from a living one
                self._say(f"the API server does not answer: {error}")
                seen, since = self, self._clock()

    def _announce(self) -> None:
        """Say on the orders that we can read and write: the runner moves no traffic before."""
        while True:
            try:
                orders = self._orders()
                self._find(orders["record"])
                self._find(orders["lease"])
                found = self._api.request("GET", self._path)
                self._patch(self._path, [_as_read(found), *_annotated(found, WATCHING, _now())])
                return self._say(f"watching: traffic returns when {orders['lease']} is not renewed for {orders['after_seconds']:g} s")
            except (Silent, Changed) as error:
                self._say(f"not watching yet: {error}")
                self._sleep(POLL_SECONDS)

    def _act(self, orders: JSON, lease: JSON | None) -> str:
        """The Lease is stale: return traffic, if that is safe. What was done; empty to go on watching."""
        record = self._find(orders["record"])
        state = json.loads(record["data"]["state"]) if record else {}
        if record is None or state["release_id"] != orders["release_id"] or state["phase"] not in ("running", "returning"):
            return "the release is over"
        if state["swapped"] or state["retiring"]:
            return self._leave(record, "another Deployment was taking stable's place: the next run goes on")
        if state["stable_changed"] and self._ready(orders["canary"]):
            return self._leave(record, "stable was taking the new template, and the canary serves everybody: the next run goes on")
        if not self._stable_can_serve(orders, record):
            return ""
        why = f"returned by the guard at {_now()}: its runner gave no sign for {orders['after_seconds']:g} s"
        self._take_the_lease(orders, lease, record)
        try:
            return self._bring_home(orders, why)
        except Fenced as error:
            return f"another runner has taken the release over: {error}"

    def _bring_home(self, orders: JSON, why: str) -> str:
        """Fences first, so that nobody undoes it; then traffic, the record, the Lease, and what only held stable large."""
        self._say(why)
        begun = {"phase": "returning", "outcome": "rolled_back", "reason": why, "doing": "the guard returns traffic"}
        self._until_done(lambda: self._write(orders["record"], begun))
        for path in orders["fences"]:
            self._until_done(partial(self._amend, path, [[]]))
        did = [self._until_done(partial(self._carry_out, one)) for one in orders["traffic"]]
        home = "edited" not in did
        self._until_done(lambda: self._note_home(orders, why, home))
        self._until_done(lambda: self._let_go(orders["lease"]))
        if orders["floors"] and home:
            self._sleep(LOAD_SECONDS)
            for one in orders["floors"]:
                self._until_done(partial(self._carry_out, one))
        return why if home else "left: the route was edited by somebody else"

    def _until_done(self, action: Callable[[], str]) -> str:
        """Do it, again while the API server does not answer or somebody is faster: nobody else does."""
        while True:
            try:
                return action()
            except (Silent, Changed) as error:
                self._say(f"again: {error}")
                self._sleep(1.0)

    # what it takes to return traffic

    def _take_the_lease(self, orders: JSON, lease: JSON | None, record: JSON) -> None:
        """Raise the epoch, on the Lease where there is one. Raises Changed when somebody was faster."""
        self._release_id = orders["release_id"]
        self._epoch = 1 + max(_epoch_of(_fence(record)), int((lease or {"spec": {}})["spec"].get("leaseTransitions") or 0))
        if lease is not None:
            taken = dict(lease["spec"], holderIdentity=self._name, leaseTransitions=self._epoch, acquireTime=_now(), renewTime=_now())
            self._patch(orders["lease"], [_as_read(lease), {"op": "replace", "path": "/spec", "value": taken}])

    def _carry_out(self, order: JSON) -> str:
        """One order, of an object or of each object that a path lists: returned, or edited when nothing fits any more."""
        if "each" not in order:
            return self._amend(order["path"], order["tries"])
        folder, _query, _labels = order["each"].partition("?")
        for one in self._api.request("GET", order["each"])["items"]:
            self._amend(f"{folder}/{one['metadata']['name']}", order["tries"])
        return "returned"

    def _amend(self, path: str, tries: list[list[JSON]]) -> str:
        """Put our fence on an object and do the first of some patches that applies. Raises Changed when the object does so all the time."""
        said: Exception = Changed(path)
        for _attempt in range(ATTEMPTS):
            found = self._find(path)
            if found is None:
                return "gone"
            ours = self._ours(path, found)
            for one in tries:
                try:
                    self._patch(path, [*ours, *one])
                    return "returned"
                except Changed as error:
                    said = error
            now = self._find(path)
            if now and now["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]:
                self._say(f"{path} was edited by somebody else, it is left as it is: {said}")
                return "edited"
        raise said

    def _ours(self, path: str, found: JSON) -> list[JSON]:
        """What begins every patch of an object as it was read: its version, and our fence. Raises Fenced."""
        fence = _fence(found)
        is_ours = not fence or fence.startswith(self._release_id + ".")
        if not is_ours or _epoch_of(fence) > self._epoch:
            raise Fenced(f"{path} is held by {fence}")
        return [_as_read(found), *_annotated(found, EPOCH, f"{self._release_id}.{self._epoch}")]

    def _stable_can_serve(self, orders: JSON, record: JSON) -> bool:
        """Whether stable has ready pods, or nobody has; when only the canary has, it keeps its traffic for a while."""
        if self._ready(orders["stable"]) or not self._ready(orders["canary"]):
            return True
        if self._unready_since is None:
            self._unready_since = self._clock()
            self._leave(record, "stable has no ready pod, and the canary has")
        return self._clock() - self._unready_since >= STABLE_SECONDS and not orders["keep"]

    def _ready(self, path: str) -> int:
        found = self._find(path)
        return int(((found or {}).get("status") or {}).get("readyReplicas") or 0)

    # what it says

    def _leave(self, record: JSON, why: str) -> str:
        """Note once that traffic stays where it is, and go on watching."""
        before = json.loads((record["metadata"].get("annotations") or {}).get(SAID) or "{}")
        if before.get("why") != why:
            self._say(f"traffic stays where it is: {why}")
            note = json.dumps({"did": "left", "at": _now(), "why": why}, sort_keys=True)
            self._patch(_path_of(record), [_as_read(record), *_annotated(record, SAID, note)])
        return ""

    def _note_home(self, orders: JSON, why: str, home: bool) -> str:
        at_home = {"weight_percent": 0, "matched": False, "mirror_percent": 0, "sticky": False, "alone": False, "doing": ""}
        words = why if home else "the route was edited by somebody else: look at it"
        note = json.dumps({"did": "returned" if home else "left", "at": _now(), "why": words}, sort_keys=True)
        return self._write(orders["record"], at_home if home else {}, note)

    def _write(self, path: str, changes: JSON, note: str = "") -> str:
        """Change the record's state, under our fence. Raises Fenced or Changed."""
        found = self._find(path)
        if found is None:
            return "gone"
        state = {**json.loads(found["data"]["state"]), **changes, "updated_at": _now()}
        text = json.dumps(state, sort_keys=True, separators=(",", ":"))
        marked = [*self._ours(path, found), *([{"op": "add", "path": _annotation(SAID), "value": note}] if note else [])]
        self._patch(path, [*marked, {"op": "replace", "path": "/data/state", "value": text}])
        return "noted"

    def _let_go(self, path: str) -> str:
        """Leave the Lease without a holder; its epoch stays, for a sleeping runner must find one that is not its own."""
        lease = self._find(path)
        if lease and lease["spec"].get("holderIdentity") == self._name:
            self._patch(path, [_as_read(lease), {"op": "replace", "path": "/spec/holderIdentity", "value": ""}])
        return "free"

    def _orders(self) -> JSON:
        return dict(json.loads(self._api.request("GET", self._path)["data"]["orders"]))

    def _find(self, path: str) -> JSON | None:
        try:
            return dict(self._api.request("GET", path))
        except Missing:
            return None

    def _patch(self, path: str, operations: list[JSON]) -> None:
        self._api.request("PATCH", path, operations)


def _fence(found: JSON) -> str:
    return str((found["metadata"].get("annotations") or {}).get(EPOCH) or "")


def _epoch_of(fence: str) -> int:
    number = fence.rpartition(".")[2]
    return int(number) if number.isdigit() else 0


def _as_read(found: JSON) -> JSON:
    return {"op": "test", "path": VERSION, "value": found["metadata"]["resourceVersion"]}


def _annotation(key: str) -> str:
    return "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")


def _annotated(found: JSON, key: str, value: str) -> list[JSON]:
    if found["metadata"].get("annotations"):
        return [{"op": "add", "path": _annotation(key), "value": value}]
    return [{"op": "add", "path": "/metadata/annotations", "value": {key: value}}]


def _path_of(record: JSON) -> str:
    meta = record["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/configmaps/{meta['name']}"


def _now() -> str:
    return datetime.now(timezone.utc).strftime(TIME_FORMAT)


def _tell(line: str) -> None:
    """A line of the pod's log."""
    sys.stdout.write(f"{_now()} {line}\n")
    sys.stdout.flush()


def _end(_number: int, _frame: Any) -> None:
    raise SystemExit(0)


def main() -> int:
    """The pod's only command."""
    signal.signal(signal.SIGTERM, _end)
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    api = Api(f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")
    guard = Guard(api, os.environ["GUARD_ORDERS"], f"guard/{os.environ['HOSTNAME']}", say=_tell)
    try:
        _tell(guard.watch())
    except Missing:
        _tell("nobody needs this guard any more")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
