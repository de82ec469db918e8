# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server in memory under the real Session: only the HTTP request is replaced, so its mapping of errors is the tested one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Unreachable, error_for
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.kinds import CLUSTER_SCOPED, KINDS
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import PATCH_DID_NOT_APPLY, Session, Text

JSON = dict[str, Any]
BUDGET = "PodDisruptionBudget"
Key = tuple[str, str, str]  # kind, namespace, name
DOES_NOT_APPLY = f"{PATCH_DID_NOT_APPLY} ()"


@dataclass
class Request:
    """One request as the server understood it."""

    method: str
    kind: str
    namespace: str
    name: str
    body: Any
    dry_run: bool

    def __str__(self) -> str:
        return f"{self.method} {self.kind}/{self.name}" if self.name else f"{self.method} {self.kind}"


@dataclass
class Fault:
    """What goes wrong with requests that match: no answer (before or after the server did it), or somebody acting just before."""

    matches: Callable[[Request], bool]
    times: int
    applied: bool = False
    instead: Exception | None = None
    first: Callable[[], None] | None = None


class FakeApi(Session):
    """Objects with resourceVersion, generation and uid; real JSON Patch; faults on demand. Sleeping moves the clock."""

    def __init__(self) -> None:
        self.objects: dict[Key, JSON] = {}
        self.requests: list[Request] = []
        self.denied: set[tuple[str, str]] = set()  # (verb, plural) or (verb, plural/subresource) that access reviews refuse
        self.asked: list[str] = []  # paths of requests whose answer is text
        self.behind: Callable[[str], Text] = lambda path: Text(200, {}, "")  # what pods answer, and their logs
        self.seconds = 1_000_000.0
        self.controllers: list[Callable[[], None]] = []  # run after every write
        self._faults: list[Fault] = []
        self._version = 0

    def clock(self) -> float:
        """Unix time that only sleeping moves."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

    # -- what tests do to the server

    def put(self, obj: JSON) -> JSON:
        """Store an object behind everybody's back (no request, no fault), replacing what is there."""
        stored = copy.deepcopy(obj)
        key = _key(stored)
        before = self.objects.get(key)
        meta = stored["metadata"]
        meta["uid"] = before["metadata"]["uid"] if before else meta.get("uid", f"uid-{key[0]}-{key[2]}-{self._version}")
        self._store(key, stored, before)
        return copy.deepcopy(self.objects[key])

    def stored(self, kind: str, namespace: str, name: str) -> JSON | None:
        """What the server holds, without a request."""
        return copy.deepcopy(self.objects.get((kind, namespace, name)))

    def lose(self, method: str, kind: str, *, applied: bool, times: int = 1) -> None:
        """The next requests of that method and kind get no answer; applied says whether the server did them first."""
        self._faults.append(Fault(lambda one: (one.method, one.kind) == (method, kind), times, applied=applied))

    def silence(self, times: int) -> None:
        """The next requests, whatever they are, get no answer."""
        self._faults.append(Fault(lambda one: True, times))

    def refuse(self, method: str, kind: str, error: Exception, *, times: int = 1) -> None:
        """Answer the next such requests with an error of the caller's choice."""
        self._faults.append(Fault(lambda one: (one.method, one.kind) == (method, kind), times, instead=error))

    def just_before(self, method: str, kind: str, action: Callable[[], None], *, times: int = 1) -> None:
        """Do something when such a request arrives, before it is served: somebody else was faster."""
        self._faults.append(Fault(lambda one: (one.method, one.kind) == (method, kind), times, first=action))

    def writes(self) -> list[str]:
        """The requests that meant to change something, as 'METHOD Kind/name', without dry runs and reviews."""
        return [str(one) for one in self.requests if one.method != "GET" and not one.dry_run and one.kind != "SelfSubjectAccessReview"]

    # -- the server

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Any = None,
        body: Any = None,
        content_type: str = "application/json",
        headers: Any = None,
        read_seconds: float = 10.0,
    ) -> Any:
        """Serve one request, or fail it as the next matching fault says."""
        kind, namespace, name = _resource(path)
        one = Request(method, kind, namespace, name, copy.deepcopy(body), (query or {}).get("dryRun") == "All")
        self.requests.append(one)
        fault = self._fault(one)
        if fault and fault.first:
            fault.first()
        elif fault and fault.instead:
            raise fault.instead
        elif fault:
            if fault.applied:
                self._serve(one, query or {})
            raise Unreachable("connection reset by peer", call=f"{method} {path}")
        return json.loads(json.dumps(self._serve(one, query or {})))

    def raw(self, path: str, *, read_seconds: float = 10.0) -> Text:
        """What self.behind answers."""
        self.asked.append(path)
        return self.behind(path)

    def _fault(self, one: Request) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.matches(one):
                fault.times -= 1
                return fault
        return None

    def _serve(self, one: Request, query: JSON) -> Any:
        if one.kind == "SelfSubjectAccessReview":
            asked = one.body["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
            return {"status": {"allowed": (asked["verb"], resource) not in self.denied}}
        if isinstance(one.body, dict) and one.body.get("kind") == "Eviction":
            return self._evict(one)
        serve = {"GET": self._get, "POST": self._post, "PATCH": self._patch, "DELETE": self._delete}[one.method]
        return serve(one, query)

    def _get(self, one: Request, query: JSON) -> JSON:
        if one.name:
            return self._existing(one)
        wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair)
        items = [
            obj for (kind, namespace, _name), obj in sorted(self.objects.items()) if kind == one.kind and one.namespace in ("", namespace)
        ]
        return {"items": [obj for obj in items if wanted.items() <= (obj["metadata"].get("labels") or {}).items()]}

    def _post(self, one: Request, query: JSON) -> JSON:
        made = copy.deepcopy(one.body)
        key = _key(made)
        if key in self.objects:
            raise error_for(409, "AlreadyExists", f"{one.kind} {key[2]} already exists", str(one))
        made["metadata"]["uid"] = f"uid-{key[0]}-{key[2]}-{self._version}"
        if not one.dry_run:
            self._store(key, made, None)
        return made

    def _patch(self, one: Request, query: JSON) -> JSON:
        before = self._existing(one)
        after = apply_patch(before, one.body, str(one))
        if not one.dry_run:
            self._store(_key(before), after, before)
        return after

    def _delete(self, one: Request, query: JSON) -> JSON:
        found = self._existing(one)
        for field, wanted in ((one.body or {}).get("preconditions") or {}).items():
            if wanted != found["metadata"][field]:
                raise error_for(409, "Conflict", f"the {field} in the precondition ({wanted}) does not match", str(one))
        del self.objects[_key(found)]
        self._reconcile()
        return {"status": "Success"}

    def _evict(self, one: Request) -> JSON:
        """Delete a pod, unless a PodDisruptionBudget that selects it allows no disruption."""
        labels = self._existing(one)["metadata"].get("labels") or {}
        for budget in [obj for (kind, namespace, _name), obj in self.objects.items() if (kind, namespace) == (BUDGET, one.namespace)]:
            selected = budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
            if selected and not budget["status"]["disruptionsAllowed"]:
                message = "Cannot evict pod as it would violate the pod's disruption budget."
                raise error_for(429, "TooManyRequests", message, str(one))
        one.body = one.body["deleteOptions"]
        return self._delete(one, {})

    def _existing(self, one: Request) -> JSON:
        found = self.objects.get((one.kind, one.namespace, one.name))
        if found is None:
            raise error_for(404, "NotFound", f"{one.kind} {one.name} not found", str(one))
        return found

    def _store(self, key: Key, obj: JSON, before: JSON | None) -> None:
        self._version += 1
        meta = obj["metadata"]
        meta["resourceVersion"] = str(self._version)
        generation = (before or {"metadata": {}})["metadata"].get("generation", 0)
        meta["generation"] = generation + (1 if before is None or before.get("spec") != obj.get("spec") else 0)
        self.objects[key] = obj
        self._reconcile()

    def _reconcile(self) -> None:
        for controller in self.controllers:
            controller()


def apply_patch(obj: JSON, operations: list[JSON], call: str) -> JSON:
    """RFC 6902's test, add, replace and remove; any that does not apply refuses the whole patch as the API server does."""
    after = copy.deepcopy(obj)
    try:
        for operation in operations:
            _apply(after, operation)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise error_for(422, "Invalid", DOES_NOT_APPLY, call) from error
    return after


def _apply(document: Any, operation: JSON) -> None:
    *parents, last = [key.replace("~1", "/").replace("~0", "~") for key in operation["path"].split("/")[1:]]
    for key in parents:
        document = document[int(key)] if isinstance(document, list) else document[key]
    op, value = operation["op"], copy.deepcopy(operation.get("value"))
    if isinstance(document, list):
        _apply_to_list(document, op, last, value)
    elif op == "add":
        if not isinstance(document, dict):
            raise TypeError(f"{operation['path']} has no parent")
        document[last] = value
    elif op == "remove":
        del document[last]
    elif op == "replace":
        document[last], _must_exist = value, document[last]
    elif op == "test":
        _test(document[last], value)
    else:
        raise ValueError(op)


def _apply_to_list(document: list[Any], op: str, last: str, value: Any) -> None:
    if op == "add":
        document.insert(len(document) if last == "-" else int(last), value)
    elif op == "remove":
        del document[int(last)]
    elif op == "replace":
        document[int(last)] = value
    else:
        _test(document[int(last)], value)


def _test(found: Any, value: Any) -> None:
    if json.dumps(found, sort_keys=True) != json.dumps(value, sort_keys=True):
        raise ValueError(f"test failed: {found!r} is not {value!r}")


def _key(obj: JSON) -> Key:
    """Kinds of one name in several groups are told by the apiVersion, which may be left out for the first of them."""
    named = [kind for kind in KINDS if kind.partition(".")[0] == obj["kind"] and obj.get("apiVersion") in (None, KINDS[kind][0])]
    return (named or [obj["kind"]])[0], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _resource(path: str) -> Key:
    """(kind, namespace, name) of a request path; namespace and name are empty when it has none. An eviction is one of its pod, a status
    one of its object."""
    path = path.removesuffix("/eviction").removesuffix("/status")
    for kind, (version, plural) in KINDS.items():
        prefix = f"/apis/{version}/" if "/" in version else f"/api/{version}/"
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        namespace = ""
        if kind not in CLUSTER_SCOPED and len(parts) > 2 and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        if parts[0] == plural and len(parts) <= 2:
            return kind, namespace, parts[1] if len(parts) == 2 else ""
    raise AssertionError(f"the double does not know {path}")
