# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only HTTP client of Alertmanager: silences are put, prolonged and removed, directly by URL or through the API server's service proxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

from ansible.module_utils.urls import open_url

from ..cluster.errors import ClusterError
from ..cluster.session import Session

TIMEOUT_SECONDS = 5.0
JSON = dict[str, Any]


ENDED = "expired"  # the state of a silence whose time is over, or that was removed
NOT_FOUND = 404


class AlertmanagerError(Exception):
    """Alertmanager did not do what it was asked for. status: of its answer, 0 where none came."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Alertmanager:
    """Alertmanager's API, version 2. url, or session with service (namespace, name, port)."""

    session: Session
    url: str | None
    service: tuple[str, str, str] | None

    def silence(self, labels: Mapping[str, str], *, never: tuple[str, str], until: float, by: str, why: str, now: float, known: str) -> str:
        """Silence alerts with all these labels that do not have the label never, until then (Unix times); the silence's id.

        known: the id of the silence to prolong, or an empty string; one that has ended is put anew. Raises AlertmanagerError.
        Alertmanager prolongs a silence only under the start that it knows; with another it ends the silence and makes a new one.
        """
        matchers = [_matcher(name, value, equal=True) for name, value in labels.items()]
        body = {
            "matchers": [*matchers, _matcher(*never, equal=False)],
            "startsAt": _rfc3339(now),
            "endsAt": _rfc3339(until),
            "createdBy": by,
            "comment": why,
        }
        began = self._began(known) if known else None
        return self._put({**body, "id": known, "startsAt": began} if began else body)

    def lift(self, silence_id: str) -> None:
        """Remove a silence; one that has ended already is none. Raises AlertmanagerError."""
        if self._began(silence_id):
            self._ask("DELETE", f"api/v2/silence/{silence_id}", None)

    def status(self) -> None:
        """Whether it answers, and nothing else. Raises AlertmanagerError."""
        self._ask("GET", "api/v2/status", None)

    def _began(self, silence_id: str) -> str | None:
        """When a silence began, in Alertmanager's own words; None for one that has ended or that nobody knows."""
        try:
            found = self._ask("GET", f"api/v2/silence/{silence_id}", None)
        except AlertmanagerError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        if not isinstance(found, dict) or not isinstance(found.get("startsAt"), str):
            raise AlertmanagerError(f"this is no silence: {found}")
        return None if (found.get("status") or {}).get("state") == ENDED else found["startsAt"]

    def _put(self, body: JSON) -> str:
        answer = self._ask("POST", "api/v2/silences", body)
        if not isinstance(answer, dict) or not isinstance(answer.get("silenceID"), str):
            raise AlertmanagerError(f"no silence was made: {answer}")
        return answer["silenceID"]

    def _ask(self, method: str, path: str, body: JSON | None) -> Any:
        if self.service is not None:
            namespace, name, port = self.service
            try:
                return self.session.request(
                    method,
                    f"/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/{path}",
                    body=body,
                    read_seconds=TIMEOUT_SECONDS,
                )
            except ClusterError as error:
                raise AlertmanagerError(str(error), status=error.status) from error
        try:
            with open_url(
                f"{(self.url or '').rstrip('/')}/{path}",
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
            ) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except HTTPError as error:
            raise AlertmanagerError(f"HTTP {error.code}: {error.read().decode('utf-8', 'replace')[:200]}", status=error.code) from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise AlertmanagerError(f"{self.url}: {error}") from error


def _matcher(name: str, value: str, *, equal: bool) -> JSON:
    return {"name": name, "value": value, "isRegex": False, "isEqual": equal}


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
