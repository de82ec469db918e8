# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only HTTP client of Prometheus: directly by URL, or through the API server's service proxy."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from ..cluster.errors import ClusterError
from ..cluster.session import Session
from ..release.prometheus_spec import OPEN, Access
from .kept_tls import open_url

PAUSE_SECONDS = 0.3
HISTOGRAM = "a histogram where one number is wanted; use histogram_quantile or histogram_fraction"
BRIEF = (429, 502, 503, 504)  # statuses of servers, and of what stands before them, that may be over the next moment


class MetricsError(Exception):
    """A question Prometheus did not answer. cause is one of no_data, bad_query."""

    cause = "no_data"


class Unavailable(MetricsError):
    """No answer: Prometheus is down, unreachable, or not ready. brief: it may be there the next moment."""

    def __init__(self, message: str, *, brief: bool = False) -> None:
        super().__init__(message)
        self.brief = brief


class BadQuery(MetricsError):
    """Prometheus refuses the query, or answers it only in part: its value must not be used."""

    cause = "bad_query"


class Denied(MetricsError):
    """Prometheus does not let us in. Asking again helps nobody before somebody mends the credentials."""

    cause = "bad_query"


class Transport(Protocol):
    """One GET below Prometheus' API: a decoded answer, or Unavailable / BadQuery."""

    def get(self, path: str, query: Mapping[str, str]) -> Any: ...


@dataclass(frozen=True)
class ByUrl:
    """Prometheus at a URL that this machine reaches. What may be only a moment's trouble is tried once more."""

    url: str
    access: Access = OPEN

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The decoded answer below the URL. Raises Unavailable, Denied and BadQuery."""
        try:
            return self._get(path, query)
        except Unavailable as error:
            if not error.brief:
                raise
        time.sleep(PAUSE_SECONDS)
        return self._get(path, query)

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        access = self.access
        headers = dict(access.headers)
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        try:
            with open_url(
                f"{self.url.rstrip('/')}{access.path}/{path}?{urlencode(query)}",
                timeout=access.timeout_seconds,
                headers=headers,
                url_username=access.username,
                url_password=access.password,
                force_basic_auth=access.username is not None,
                ca_path=access.ca_cert,
                client_cert=access.client_cert,
                client_key=access.client_key,
                validate_certs=access.validate_certs,
            ) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            raise _http_error(error.code, error.read().decode("utf-8", "replace")) from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            raise Unavailable(f"{self.url}: {error}", brief=not isinstance(error, TimeoutError)) from error


@dataclass(frozen=True)
class ByService:
    """Prometheus behind a Service, reached through the API server: a region needs no other way in."""

    session: Session
    namespace: str
    service: str
    port: str
    access: Access = OPEN

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """The decoded answer of the Service. Raises Unavailable and BadQuery."""
        proxy = f"/api/v1/namespaces/{self.namespace}/services/{self.service}:{self.port}/proxy{self.access.path}/{path}"
        try:
            return self.session.request(
                "GET", proxy, query=query, headers=dict(self.access.headers), read_seconds=self.access.timeout_seconds
            )
        except ClusterError as error:
            if error.status in (400, 422):
                raise BadQuery(str(error)) from error
            raise Unavailable(str(error)) from error


@dataclass(frozen=True)
class Prometheus:
    """PromQL at one fixed time. Every answer is complete or an error."""

    transport: Transport

    def instant(self, query: str, *, at_seconds: float | None = None) -> list[tuple[dict[str, str], float]]:
        """An instant vector: (labels, value) of each series at at_seconds (Unix time; default: the server's now). Raises BadQuery."""
        parameters = {"query": query}
        if at_seconds is not None:
            parameters["time"] = f"{at_seconds:.3f}"
        found = self._ask("api/v1/query", parameters)
        if any("value" not in series for series in found):
            raise BadQuery(f"{HISTOGRAM}: {query}")
        return [(series["metric"], float(series["value"][1])) for series in found]

    def histogram(self, query: str) -> list[tuple[float, float]] | None:
        """The (lower, upper) bounds of the buckets of the one native histogram that a query gives now; None when it gives none."""
        found = [series["histogram"][1] for series in self._ask("api/v1/query", {"query": query}) if "histogram" in series]
        return [(float(lower), float(upper)) for _rule, lower, upper, _count in found[0].get("buckets") or ()] if found else None

    def range(
        self, query: str, *, start_seconds: float, end_seconds: float, step_seconds: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Each series' (time, value) pairs from start to end (Unix times), one every step."""
        parameters = {"query": query, "start": f"{start_seconds:.3f}", "end": f"{end_seconds:.3f}", "step": f"{step_seconds:g}"}
        return [
            (series["metric"], [(float(t), float(v)) for t, v in series["values"]])
            for series in self._ask("api/v1/query_range", parameters)
        ]

    def value(self, query: str) -> float | None:
        """The one number that a query gives now, None when it gives no series. Raises BadQuery for several, or for what is no number."""
        data = self._data("api/v1/query", {"query": query})
        kind, result = data.get("resultType", "vector"), data["result"]
        if kind == "scalar":
            return float(result[1])
        if kind != "vector":
            raise BadQuery(f"a {kind} where one number is wanted")
        if len(result) > 1:
            shown = ", ".join(str(series["metric"]) for series in result[:3])
            raise BadQuery(f"{len(result)} series where one is wanted ({shown}{', ...' if len(result) > 3 else ''}); sum or average them")
        if result and "value" not in result[0]:
            raise BadQuery(HISTOGRAM)
        return float(result[0]["value"][1]) if result else None

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or fire now, as Prometheus has them, whatever Alertmanager does with them."""
        found = self._data("api/v1/alerts", {}).get("alerts")
        if not isinstance(found, list):
            raise BadQuery("no list of alerts")
        return found

    def alert_rules(self) -> list[dict[str, Any]]:
        """The rules of alerts, whether they fire or not: name, labels and more, as Prometheus has them."""
        groups = self._data("api/v1/rules", {"type": "alert"}).get("groups")
        if not isinstance(groups, list):
            raise BadQuery("no list of groups of rules")
        return [rule for group in groups for rule in group["rules"]]

    def _ask(self, path: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        return self._data(path, parameters)["result"]

    def _data(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = self.transport.get(path, parameters)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            error = answer.get("error") or answer.get("message") if isinstance(answer, dict) else answer
            raise BadQuery(f"Prometheus: {error}")
        if answer.get("warnings"):
            raise BadQuery(f"Prometheus answered only in part: {'; '.join(answer['warnings'])}")
        return answer["data"]


def _http_error(status: int, text: str) -> MetricsError:
    try:
        message = json.loads(text)["error"]
    except (ValueError, TypeError, KeyError):
        message = text[:200]
    if status in (400, 422):
        return BadQuery(message)
    if status in (401, 403):
        return Denied(
            f"HTTP {status}, it does not let us in: {message}; see token, username, client_cert and headers of release_prometheus"
        )
    return Unavailable(f"HTTP {status}: {message}", brief=status in BRIEF)
