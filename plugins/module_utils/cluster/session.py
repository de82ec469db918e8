# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one door to Kubernetes: one connection to one API server, typed errors, retries by class of error."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .errors import ClusterError, Conflict, NotFound, SlowAnswer, Unreachable, error_for
from .kinds import api_group, api_version, object_path, plural
from .patch import FIELD_MANAGER

try:
    import urllib3
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import (
        _create_auth_spec,
        _create_configuration,
        _create_headers,
    )
    from kubernetes.client import ApiClient

    IMPORT_ERROR: Exception | None = None
except ImportError as error:  # reported by connect(), where a user can read it
    IMPORT_ERROR = error

JSON = dict[str, Any]
JSON_PATCH = "application/json-patch+json"
PATCH_DID_NOT_APPLY = "the server rejected our request due to an error in our request"  # all the API server says of a failed test
CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
LARGEST_TEXT_BYTES = 1024 * 1024
# Where this is imported, a playbook's process forks its workers afterwards: what OpenSSL sets up for its first context is theirs together.
SHARED_BY_FORKS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
RETRY_PAUSES_SECONDS = (0.1, 0.3, 0.6, 1.0, 1.0, 1.0, 1.0)


def connect(options: Mapping[str, Any]) -> Session:
    """A session from kubernetes.core's connection options (kubeconfig, context, host, api_key, ...; K8S_AUTH_* as there).

    Raises ClusterError when the client library is missing or the options name no usable cluster.
    """
    if IMPORT_ERROR is not None:
        raise ClusterError(f"the Python package kubernetes and the collection kubernetes.core are needed: {IMPORT_ERROR}")
    given = {name: value for name, value in options.items() if value is not None}
    try:
        configuration = _create_configuration(_create_auth_spec(None, **given))
        headers = _create_headers(None, **given)
        client = ApiClient(configuration)
    except Exception as error:
        raise ClusterError(f"the Kubernetes connection options do not work: {error}") from error
    return Session(client, headers)


@dataclass(frozen=True)
class Text:
    """An answer as it came, whatever its status: from a pod behind the API server, or a log. At most a mebibyte of it."""

    status: int
    headers: dict[str, str]  # names in lower case
    text: str


class Session:
    """Requests to one API server. Thread-safe for reads; one runner uses one session. on_silence: for each read or patch without answer."""

    on_silence: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, client: Any, headers: Mapping[str, Any], *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._pool = client.rest_client.pool_manager
        self._configuration = client.configuration
        self._headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": "progressive.delivery"})
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self._headers.add(name, one)
        self.sleep = sleep
        self.host: str = client.configuration.host

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> Any:
        """One HTTP request, no retry; the decoded JSON answer. Raises a ClusterError of the answer's class."""
        url = self.host + path + ("?" + urlencode(query) if query else "")
        call = f"{method} {path}"
        payload = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(
                method,
                url,
                body=payload,
                headers=self._headers_with({**(headers or {}), **({} if body is None else {"Content-Type": content_type})}),
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                retries=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(str(error), call=call) from error
        text = answer.data.decode("utf-8", "replace")
        try:
            decoded = json.loads(text)
        except ValueError:
            decoded = {"message": text[:500]}
        if answer.status >= 400:
            status = decoded if isinstance(decoded, dict) else {}
            message = status.get("message") or status.get("error") or text[:500] or f"HTTP {answer.status}"
            raise error_for(answer.status, status.get("reason", ""), str(message), call)
        return decoded

    def raw(self, path: str, *, read_seconds: float = READ_SECONDS) -> Text:
        """One GET whose answer is text, not an object of the API: no retry, no redirect, an error status is an answer too.

        Raises SlowAnswer when nothing comes for read_seconds, Unreachable when the API server itself cannot be asked.
        """
        call = f"GET {path.partition('?')[0]}"
        try:
            answer = self._pool.request(
                "GET",
                self.host + path,
                headers=self._headers_with({"Accept": "*/*"}),
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
            )
            with answer:
                text = answer.read(LARGEST_TEXT_BYTES, decode_content=True).decode("utf-8", "replace")
        except urllib3.exceptions.ReadTimeoutError as error:
            raise SlowAnswer(f"no answer within {read_seconds:g} s", call=call) from error
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(str(error), call=call) from error
        return Text(answer.status, {name.lower(): value for name, value in answer.headers.items()}, text)

    def _headers_with(self, more: Mapping[str, str]) -> Any:
        headers = self._headers.copy()
        for setting in self._configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                headers[setting["key"]] = setting["value"]
        for name, value in more.items():
            headers[name] = value
        return headers

    def read(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """GET that outlives an API server's restart: Unreachable is retried for about five seconds."""
        for pause in RETRY_PAUSES_SECONDS:
            try:
                return self.request("GET", path, query=query)
            except Unreachable:
                self.on_silence()
                self.sleep(pause)
        return self.request("GET", path, query=query)

    def get(self, kind: str, namespace: str | None, name: str) -> JSON:
        """One object. Raises NotFound."""
        return self.read(object_path(kind, namespace, name))

    def find(self, kind: str, namespace: str | None, name: str) -> JSON | None:
        """One object, or None when it does not exist. A failed call is never None."""
        try:
            return self.get(kind, namespace, name)
        except NotFound:
            return None

    def list(self, kind: str, namespace: str | None = None, *, labels: Mapping[str, str] | None = None) -> list[JSON]:
        """All objects of a kind, of one namespace when given; a kind the cluster does not know has none."""
        query = {"labelSelector": ",".join(f"{k}={v}" for k, v in labels.items())} if labels else None
        try:
            answer = self.read(object_path(kind, namespace), query)
        except NotFound:
            return []
        return answer["items"]

    def each(self, kind: str, *, page: int = 100) -> Iterator[JSON]:
        """All objects of a kind in the whole cluster, page by page: a large cluster needs no more memory than a small one."""
        query = {"limit": str(page)}
        while True:
            answer = self.read(object_path(kind), query)
            yield from answer["items"]
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return
            query = {"limit": str(page), "continue": following}

    def create(self, obj: JSON, *, dry_run: bool = False) -> JSON:
        """Create an object as given; its kind and namespace are read from it."""
        return self.request("POST", object_path(obj["kind"], obj["metadata"].get("namespace")), query=_write(dry_run), body=obj)

    def patch(self, kind: str, namespace: str | None, name: str, operations: Iterable[JSON], *, dry_run: bool = False) -> JSON:
        """Apply a JSON Patch. A failed test raises Conflict, like a changed resourceVersion does."""
        try:
            return self.request(
                "PATCH", object_path(kind, namespace, name), query=_write(dry_run), body=list(operations), content_type=JSON_PATCH
            )
        except Unreachable:
            self.on_silence()
            raise
        except ClusterError as error:
            if error.status == 422 and PATCH_DID_NOT_APPLY in str(error):
                raise Conflict(
                    "the object is not what it was when it was read", status=409, reason="TestFailed", call=error.call
                ) from error
            raise

    def delete(self, kind: str, namespace: str, name: str, *, uid: str | None = None, version: str | None = None) -> bool:
        """Delete one object in the background; True when there was one. With uid: only if it is still that object.

        With version (a resourceVersion): only if nobody has changed it since. Else raises Conflict.
        """
        body: JSON = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if conditions := {key: value for key, value in (("uid", uid), ("resourceVersion", version)) if value}:
            body["preconditions"] = conditions
        try:
            self.request("DELETE", object_path(kind, namespace, name), body=body)
        except NotFound:
            return False
        return True

    def allowed(self, verb: str, kind: str, namespace: str, *, subresource: str = "") -> bool:
        """Whether we may do verb on kind (or on a subresource of it) in namespace (SelfSubjectAccessReview)."""
        attributes = {"verb": verb, "group": api_group(kind), "resource": plural(kind), "namespace": namespace}
        if subresource:
            attributes["subresource"] = subresource
        answer = self.request(
            "POST",
            object_path("SelfSubjectAccessReview"),
            body={
                "apiVersion": api_version("SelfSubjectAccessReview"),
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
        )
        return bool(answer["status"].get("allowed"))

    def user(self) -> str:
        """The name by which the API server knows us (SelfSubjectReview)."""
        kind = "SelfSubjectReview"
        answer = self.request("POST", object_path(kind), body={"apiVersion": api_version(kind), "kind": kind})
        return answer["status"]["userInfo"]["username"]

    def cluster_uid(self) -> str:
        """What identifies the cluster: the UID of its kube-system namespace."""
        return self.get("Namespace", None, "kube-system")["metadata"]["uid"]


def _write(dry_run: bool) -> dict[str, str]:
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    if dry_run:
        query["dryRun"] = "All"
    return query
