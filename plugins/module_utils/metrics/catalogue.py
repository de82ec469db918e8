# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source of counters applied to one release, and the one query that reads a whole look. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..release.source_spec import OwnSource
from ..workload.kinds import DAEMON_SET, DEPLOYMENT, STATEFUL_SET
from ..workload.twin import SUFFIX
from .sources import SOURCES, Source, in_promql, source_named

POD_OF_A_DEPLOYMENT = "-[0-9a-z]{6,10}-[0-9a-z]{5}"  # the ReplicaSet's hash and the pod's own five letters
PODS = {DEPLOYMENT: POD_OF_A_DEPLOYMENT, STATEFUL_SET: "-[0-9]+", DAEMON_SET: "-[0-9a-z]{5}"}  # what follows the workload's name
ARM = "arm"  # the label by which a query names the arm


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
        own: OwnSource | None = None,
    ) -> Arms:
        """The arms as a source of that name tells them; own: what the user says of a source of his own."""
        found = source_named(source, own, by_workload=bool(canary)) or SOURCES[source]
        return cls(found, namespace, workload, service, revision, canary or None, kind)

    @property
    def stable(self) -> str:
        """Stable's name, as the source tells it."""
        return self.workload if self.source.arms_are == "workload" else self.service

    @property
    def canary(self) -> str:
        """The canary's name, likewise."""
        return self.canary_workload or self.stable + SUFFIX

    @property
    def selector(self) -> str:
        """The label matchers that select both arms, or what both have in common where the query tells them apart."""
        return self._filled(self.source.matchers)

    @property
    def stable_selector(self) -> str:
        """The label matchers that select stable alone."""
        return self._selector_of(self.stable, self.source.stable)

    @property
    def canary_selector(self) -> str:
        """The label matchers that select the canary alone."""
        return self._selector_of(self.canary, self.source.canary)

    @property
    def selectors(self) -> dict[str, str]:
        """Arm -> the matchers of its series where the query tells the arms apart; else one pair, without an arm."""
        if self.source.stable:
            return {"stable": self.stable_selector, "canary": self.canary_selector}
        return {"": self.selector}

    def _selector_of(self, name: str, own: str) -> str:
        if own:
            return ",".join(part for part in (self.selector, self._filled(own)) if part)
        if self.source.arms_by_pod:  # the template with one name in the place of both
            return self._filled(self.source.matchers.replace("({stable}|{canary})", "{one}"), one=_quoted(name))
        return f'{self.selector},{self.source.arm_label}="{name}"'

    def _filled(self, template: str, **more: str) -> str:
        names = {
            "workload": self.workload,
            "stable": self.stable,
            "canary": self.canary,
            "service": self.service,
            "canary_service": self.service + SUFFIX,
        }
        pods = PODS[self.kind]
        quoted = {key: _quoted(name) for key, name in names.items()}
        tails = {"pods": pods, "stable_pods": quoted["stable"] + pods, "canary_pods": quoted["canary"] + pods}
        return template.format(namespace=self.namespace, **quoted, **tails, **more)

    def arm_of(self, labels: Mapping[str, str]) -> str | None:
        """stable, canary, or None for a series that belongs to neither."""
        if self.source.stable:
            return labels.get(ARM)
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

    @property
    def keys(self) -> tuple[str, ...]:
        """The labels that name an arm and a pod of it."""
        return tuple(dict.fromkeys(label for label in (self.source.arm_label, "pod") if label))

    def look_query(self, bounds_ms: Iterable[float] | None, native_ms: Iterable[float] = ()) -> str:
        """One query for everything a look needs: counters by code, their sample times, and buckets at the bounds (None: at all of them).

        native_ms: where to cut a histogram that is native and has no buckets by le.
        """
        bounds = None if bounds_ms is None else list(bounds_ms)
        cuts = list(native_ms)
        parts = [part for arm, selector in self.selectors.items() for part in self._look(arm, selector, bounds, cuts)]
        return " or ".join([*parts, _named("vector(time())", kind="now")])

    def _look(self, arm: str, selector: str, bounds: Sequence[float] | None, cuts: Sequence[float]) -> Iterator[str]:
        by = ",".join([*self.keys, "instance"])
        told = {ARM: arm} if arm else {}
        requests = f"{self.source.requests}{{{selector}}}"
        yield _named(f"sum by ({by},{','.join(self.source.code_labels)}) ({requests})", kind="requests", **told)
        yield _named(f"max by ({by}) (timestamp({requests}))", kind="time", **told)
        if bounds is None or bounds:
            le = "" if bounds is None else ',le=~"' + "|".join([*map(self.bound_pattern, bounds), "\\\\+Inf"]) + '"'
            yield _named(f"sum by ({by},le) ({self.source.buckets}{{{selector}{le}}})", kind="buckets", **told)
        for cut in (*cuts, float("inf")) if cuts else ():
            written = "+Inf" if cut == float("inf") else f"{cut / self.source.bound_unit_ms:.12g}"
            yield _named(self.native_up_to(cut, selector, by), kind="native", le=written, **told)

    def native_up_to(self, bound_ms: float, selector: str, by: str) -> str:
        """Requests up to a bound as a native histogram tells them; no series before its first request."""
        series = f"{self.source.histogram}{{{selector}}}"
        if bound_ms == float("inf"):
            return f"sum by ({by}) (histogram_count({series}))"
        share = f"histogram_fraction(-Inf, {bound_ms / self.source.bound_unit_ms:.12g}, {series})"
        return f"sum by ({by}) ({share} * histogram_count({series}) >= 0)"

    def bounds_query(self) -> str:
        """The bucket bounds that the histogram has."""
        return f"count by (le) ({' or '.join(f'{self.source.buckets}{{{one}}}' for one in self.selectors.values())})"

    def native_query(self) -> str:
        """The histogram itself, where it is native: stable's, summed."""
        return f"sum({self.source.histogram}{{{self.stable_selector}}})"

    def bound_pattern(self, bound_ms: float) -> str:
        """A pattern for le in both spellings that Prometheus uses: 250 and 250.0."""
        value = bound_ms / self.source.bound_unit_ms
        whole = f"{value:g}".replace(".", "\\\\.")
        return whole if "." in f"{value:g}" else f"{whole}(\\\\.0)?"

    def grown(self, window: str, selectors: Iterable[str], *, failed: bool = False, function: str = "increase") -> str:
        """Requests, or failed ones, over a window as one number: a series that fails in two ways counts once."""
        ends = [f',{label}=~"{in_promql(pattern)}"' for label, pattern in self.source.failed] if failed else [""]
        parts = [f"{function}({self.source.requests}{{{selector}{end}}}[{window}])" for selector in selectors for end in ends]
        return f"sum({' or '.join(parts)})"

    def history_query(self, events: str, bound_ms: float | None) -> str:
        """Stable's total of requests or events ("requests", "errors", "slow") as one counter, for a range query."""
        matchers = self.stable_selector
        if events != "slow":
            return self.grown("1m", [matchers], failed=events == "errors")
        le = self.bound_pattern(bound_ms or 0.0)
        every = f'sum(increase({self.source.buckets}{{{matchers},le="+Inf"}}[1m]))'
        grown = f"increase({self.source.histogram}{{{matchers}}}[1m])"
        fast = f"histogram_fraction(-Inf, {(bound_ms or 0.0) / self.source.bound_unit_ms:.12g}, {grown})"
        native = f"sum(histogram_count({grown}) * (1 - {fast}) >= 0)"
        return f'{every} - sum(increase({self.source.buckets}{{{matchers},le=~"{le}"}}[1m])) or {native}'


def _quoted(name: str) -> str:
    """A name as a pattern inside a PromQL string."""
    return in_promql(re.escape(name))


def _named(expression: str, **labels: str) -> str:
    """An expression whose series get these labels."""
    for label, value in labels.items():
        expression = f'label_replace({expression}, "{label}", "{value}", "", "")'
    return expression
