# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each mesh calls its counters, and the one query that reads a whole look. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..workload.kinds import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from ..workload.twin import SUFFIX

POD_OF_A_DEPLOYMENT = "-[0-9a-z]{6,10}-[0-9a-z]{5}"  # the ReplicaSet's hash and the pod's own five letters
PODS = {DEPLOYMENT: POD_OF_A_DEPLOYMENT, STATEFUL_SET: "-[0-9]+", DAEMON_SET: "-[0-9a-z]{5}"}  # what follows the workload's name


@dataclass(frozen=True)
class Source:
    """Where requests are counted.

    requests and buckets are metric names; matchers select both arms ({namespace}, {stable}, {canary} are filled in);
    arm_label holds {stable} or {canary}; with arms_by_pod the arm is told from the pod's name instead.
    bound_unit is the number of milliseconds that one unit of le stands for.
    """

    name: str
    requests: str
    buckets: str
    matchers: str
    code_label: str
    arm_label: str
    bound_unit_ms: float
    arms_are: str  # "workload" or "service": whose name arm_label holds
    arms_by_pod: bool = False


SOURCES = {
    source.name: source
    for source in (
        Source(
            "istio_destination",
            "istio_requests_total",
            "istio_request_duration_milliseconds_bucket",
            'reporter="destination",destination_workload_namespace="{namespace}",destination_workload=~"{stable}|{canary}"',
            "response_code",
            "destination_workload",
            1.0,
            "workload",
        ),
        Source(
            "istio_source",
            "istio_requests_total",
            "istio_request_duration_milliseconds_bucket",
            'reporter="source",destination_service_namespace="{namespace}",destination_service_name=~"{stable}|{canary}"',
            "response_code",
            "destination_service_name",
            1.0,
            "service",
        ),
        Source(
            "http",
            "http_requests_total",
            "http_request_duration_seconds_bucket",
            'namespace="{namespace}",pod=~"({stable}|{canary}){pods}"',
            "code",
            "pod",
            1000.0,
            "workload",
            arms_by_pod=True,
        ),
    )
}
# the same counters, told apart by whose pods answered: where both versions answer for one Service
BY_WORKLOAD = {
    "istio_source": replace(
        SOURCES["istio_source"],
        matchers='reporter="source",destination_workload_namespace="{namespace}",destination_workload=~"{stable}|{canary}"',
        arm_label="destination_workload",
        arms_are="workload",
    )
}
AUTOMATIC = ("istio_destination", "istio_source")
PER_POD = ("istio_destination", "http")  # sources that tell one pod from another


def counter_source(metric: str, labels: Iterable[tuple[str, str]]) -> Source:
    """Any counter that pods export, told apart by its label pod; labels select its series."""
    quoted = (f'{name}="' + re.sub(r'(["\\\\])', r"\\\1", value).replace("\n", "\\n") + '"' for name, value in labels)
    wanted = "".join("," + one.replace("{", "{{").replace("}", "}}") for one in quoted)
    http = SOURCES["http"]
    return replace(http, name=metric, requests=metric, matchers=http.matchers + wanted)


@dataclass(frozen=True)
class Arms:
    """One source applied to one release: whose series are stable's and whose are the canary's."""

    source: Source
    namespace: str
    workload: str
    service: str
    revision: str | None = None  # the pod-template-hash of stable's pods, where the canary's are pods of the same workload
    canary_workload: str | None = None  # the canary's Deployment, where it takes stable's place or both answer for one Service
    kind: str = DEPLOYMENT

    @classmethod
    def of(
        cls,
        source: str,
        *,
        namespace: str,
        workload: str,
        service: str,
        revision: str | None = None,
        canary: str | None = None,
        kind: str = DEPLOYMENT,
    ) -> Arms:
        """The arms as a source of that name tells them."""
        found = BY_WORKLOAD.get(source, SOURCES[source]) if canary else SOURCES[source]
        return cls(found, namespace, workload, service, revision, canary or None, kind)

    @property
    def stable(self) -> str:
        """Stable's name in the source's arm label."""
        return self.workload if self.source.arms_are == "workload" else self.service

    @property
    def canary(self) -> str:
        """The canary's name there."""
        return self.canary_workload or self.stable + SUFFIX

    @property
    def selector(self) -> str:
        """The label matchers that select both arms."""
        names = {"stable": _quoted(self.stable), "canary": _quoted(self.canary), "pods": PODS[self.kind]}
        return self.source.matchers.format(namespace=self.namespace, **names)

    @property
    def stable_selector(self) -> str:
        """The label matchers that select stable alone."""
        if self.source.arms_by_pod:
            return f'namespace="{self.namespace}",pod=~"{_quoted(self.stable)}{PODS[self.kind]}"'
        return f'{self.selector},{self.source.arm_label}="{self.stable}"'

    def arm_of(self, labels: Mapping[str, str]) -> str | None:
        """stable, canary, or None for a series that belongs to neither."""
        value = labels.get(self.source.arm_label, "")
        if self.revision is not None:
            return self._arm_by_revision(labels.get("pod", ""), value)
        if self.source.arms_by_pod:
            if re.fullmatch(re.escape(self.canary) + PODS[self.kind], value):
                return "canary"
            return "stable" if re.fullmatch(re.escape(self.stable) + PODS[self.kind], value) else None
        return {self.stable: "stable", self.canary: "canary"}.get(value)

    def _arm_by_revision(self, pod: str, value: str) -> str | None:
        if not self.source.arms_by_pod and value != self.stable:
            return None
        if not re.fullmatch(re.escape(self.workload) + POD_OF_A_DEPLOYMENT, pod):
            return None
        return "stable" if pod.startswith(f"{self.workload}-{self.revision}-") else "canary"

    def look_query(self, bounds_ms: Iterable[float] | None) -> str:
        """One query for everything a look needs: counters by code, their sample times, and buckets at the bounds (None: at all of them)."""
        keys = ["pod", "instance"] if self.source.arms_by_pod else [self.source.arm_label, "pod", "instance"]
        by = ",".join(keys)
        requests = f"{self.source.requests}{{{self.selector}}}"
        parts = [
            _kind(f"sum by ({by},{self.source.code_label}) ({requests})", "requests"),
            _kind(f"max by ({by}) (timestamp({requests}))", "time"),
        ]
        wanted = [self.bound_pattern(bound) for bound in bounds_ms or ()]
        if bounds_ms is None:
            parts.append(_kind(f"sum by ({by},le) ({self.source.buckets}{{{self.selector}}})", "buckets"))
        if wanted:
            le = "|".join([*wanted, "\\\\+Inf"])
            parts.append(_kind(f'sum by ({by},le) ({self.source.buckets}{{{self.selector},le=~"{le}"}})', "buckets"))
        parts.append(_kind("vector(time())", "now"))
        return " or ".join(parts)

    def bounds_query(self) -> str:
        """The bucket bounds that stable's histogram has."""
        return f"count by (le) ({self.source.buckets}{{{self.selector}}})"

    def bound_pattern(self, bound_ms: float) -> str:
        """A pattern for le in both spellings that Prometheus uses: 250 and 250.0."""
        value = bound_ms / self.source.bound_unit_ms
        whole = f"{value:g}".replace(".", "\\\\.")
        return whole if "." in f"{value:g}" else f"{whole}(\\\\.0)?"

    def history_query(self, events: str, bound_ms: float | None) -> str:
        """Stable's total of requests or events ("requests", "errors", "slow") as one counter, for a range query."""
        matchers = self.stable_selector
        if events == "requests":
            return f"sum(increase({self.source.requests}{{{matchers}}}[1m]))"
        if events == "errors":
            return f'sum(increase({self.source.requests}{{{matchers},{self.source.code_label}=~"5.."}}[1m]))'
        le = self.bound_pattern(bound_ms or 0.0)
        every = f'sum(increase({self.source.buckets}{{{matchers},le="+Inf"}}[1m]))'
        return f'{every} - sum(increase({self.source.buckets}{{{matchers},le=~"{le}"}}[1m]))'


def _quoted(name: str) -> str:
    """A name as a pattern inside a PromQL string."""
    return re.escape(name).replace("\\", "\\\\")


def _kind(expression: str, kind: str) -> str:
    return f'label_replace({expression}, "kind", "{kind}", "", "")'
