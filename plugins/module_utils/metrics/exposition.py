# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text that a pod answers with, as counters of a look: which names are counted, and how little is asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from .counters import FAILED
from .sources import GRPC_FAILED

try:
    from prometheus_client.parser import text_string_to_metric_families

    IMPORT_ERROR: Exception | None = None
except ImportError as error:  # reported by preflight, where a user can read it
    IMPORT_ERROR = error

INSTALL = "pip install prometheus-client"
NAMES_SHOWN = 8


@dataclass(frozen=True)
class Family:
    """What a pod's own proxy, or its application, calls the requests that reached it.

    own_labels: the label (whichever of these is there) whose value must begin with own_prefix; without them every series counts.
    code_labels: whichever of these is there holds the status code; a series without one is no request of its own.
    bound_unit_ms is the number of milliseconds that one unit of le stands for. only is what Envoy is asked to leave in its answer.
    """

    name: str
    requests: str
    buckets: str
    code_labels: tuple[str, ...]
    bound_unit_ms: float
    port: str | None  # None: the application's first one
    path: str
    own_labels: tuple[str, ...] = ()
    own_prefix: str = ""
    only: str = ""
    grpc_label: str = ""  # the status of gRPC: its failures are answered with 200

    def counters(self, text: str, bounds_ms: Collection[float] | None) -> dict[str, float]:
        """Counter -> value as in metrics.counters: code:<status> and le:<bound in ms>. Raises ValueError for what is no count.

        bounds_ms: the bounds that are wanted; None: every one that is there.
        """
        bounds = {float(bound) for bound in bounds_ms or ()} | ({float("inf")} if bounds_ms else set())
        found: dict[str, float] = {}
        for name, labels, value in self._series(text, None if bounds_ms is None else _spellings(bounds, self.bound_unit_ms)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}{labels} has the value {value}, which is not a count")
            if name == self.requests:
                code = next((labels[label] for label in self.code_labels if label in labels), None)
                if code is not None and re.fullmatch(GRPC_FAILED, labels.get(self.grpc_label, "")):
                    code = FAILED
                counter = None if code is None else f"code:{code}"
            else:
                bound = self._bound_ms(labels)
                counter = f"le:{bound}" if bounds_ms is None or bound in bounds else None
            if counter is not None:
                found[counter] = found.get(counter, 0.0) + value
        return found

    def bounds_ms(self, text: str) -> list[float]:
        """The finite bucket bounds of the histogram, in milliseconds, growing."""
        found = {self._bound_ms(labels) for name, labels, _value in self._series(text, None) if name == self.buckets}
        return sorted(found - {float("inf")})

    def _bound_ms(self, labels: dict[str, str]) -> float:
        le = labels.get("le", "")
        return float("inf") if le == "+Inf" else round(float(le) * self.bound_unit_ms, 3)  # as the gate's bound is

    def _series(self, text: str, bounds: tuple[str, ...] | None) -> Iterator[tuple[str, dict[str, str], float]]:
        """The family's own series; of the buckets only those at the bounds, all of them without. Only their lines are parsed."""
        if IMPORT_ERROR is not None:  # preflight was on another control node
            raise ValueError(f"the Python package prometheus-client is needed to read it: {INSTALL}")
        if text and not text.endswith("\n"):
            raise ValueError("the answer was cut off")
        needle = f'="{self.own_prefix}' if self.own_prefix else ""
        lines = [line for line in text.splitlines() if needle in line and self._wanted(line, bounds)]
        if not lines:
            return
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                own = next((sample.labels[label] for label in self.own_labels if label in sample.labels), "")
                if sample.name in (self.requests, self.buckets) and own.startswith(self.own_prefix):
                    yield sample.name, sample.labels, sample.value

    def _wanted(self, line: str, bounds: tuple[str, ...] | None) -> bool:
        if line.startswith(self.buckets + "{"):
            return bounds is None or any(bound in line for bound in bounds)
        return line.startswith((self.requests + "{", self.requests + " "))


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "istio",
            "istio_requests_total",
            "istio_request_duration_milliseconds_bucket",
            ("response_code",),
            1.0,
            "15090",
            "/stats/prometheus",
            own_labels=("reporter",),
            own_prefix="destination",
            only="istio_requests_total|istio_request_duration_milliseconds",
            grpc_label="grpc_response_status",
        ),
        Family(
            "envoy",
            "envoy_cluster_upstream_rq",
            "envoy_cluster_upstream_rq_time_bucket",
            ("response_code", "envoy_response_code"),  # Istio's bootstrap and Envoy itself name the tag differently
            1.0,
            "15090",
            "/stats/prometheus",
            own_labels=("cluster_name", "envoy_cluster_name"),
            own_prefix="inbound",
            only=r"^cluster\.inbound.*\.upstream_rq_([0-9]+|time)$",
        ),
        Family("http", "http_requests_total", "http_request_duration_seconds_bucket", ("code",), 1000.0, None, "/metrics"),
    )
}


def names_like_requests(text: str) -> list[str]:
    """Names of metrics in a text that may be what somebody meant, at most a few."""
    names = dict.fromkeys(re.findall(r"^([A-Za-z_:][\w:]*(?:request|_rq|response)[\w:]*)", text, re.MULTILINE))
    return list(names)[:NAMES_SHOWN]


def _spellings(bounds_ms: Iterable[float], unit_ms: float) -> tuple[str, ...]:
    """How le may write these bounds: 250, 250.0, +Inf."""
    found = []
    for bound in bounds_ms:
        value = bound / unit_ms
        found += ['le="+Inf"'] if bound == float("inf") else [f'le="{value:g}"', f'le="{value}"']
    return tuple(dict.fromkeys(found))
