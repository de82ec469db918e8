# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From raw counters read at fixed times to exact counts per look. Pure.

A counter is read as it is, one series a pod, and compared with its own last value: no window, no extrapolation, no
first error lost (rate() and increase() cannot see a series that is born above zero). State is kept per pod, so that
pods may come, go and restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..analysis.look import Counts
from .catalogue import Arms

STABLE, CANARY = "stable", "canary"
FAILED = "failed"  # the code of a request that failed by another label than its status
Key = tuple[str, str]  # arm, pod


@dataclass
class PodCounters:
    """What one pod's series said last. values: counter name -> value; a counter is a code or a bucket bound."""

    at_seconds: float = 0.0
    values: dict[str, float] = field(default_factory=dict)


@dataclass
class Reading:
    """One answer of Prometheus, sorted by arm and pod."""

    now_seconds: float = 0.0  # the server's own time: ours may differ
    pods: dict[Key, PodCounters] = field(default_factory=dict)


def sort(arms: Arms, vector: Iterable[tuple[Mapping[str, str], float]]) -> Reading:
    """The look query's answer as a Reading; a value that is no count is refused with ValueError."""
    reading = Reading()
    native: dict[Key, dict[str, float]] = {}
    for labels, value in vector:
        if labels.get("kind") == "now":
            reading.now_seconds = value
            continue
        arm = arms.arm_of(labels)
        if arm is None:
            continue
        key = arm, labels.get("pod") or labels.get("instance") or ""
        pod = reading.pods.setdefault(key, PodCounters())
        if labels["kind"] == "time":
            pod.at_seconds = value
            continue
        if not 0 <= value < float("inf"):
            raise ValueError(f"{labels} has the value {value}, which is not a count")
        name = counter_of(arms, labels) if labels["kind"] == "requests" else "le:" + str(_bound_ms(arms, labels["le"]))
        into = native.setdefault(key, {}) if labels["kind"] == "native" else pod.values
        into[name] = into.get(name, 0.0) + value
    for key, buckets in native.items():
        if "le:inf" not in reading.pods[key].values:  # where both are kept, classic buckets are exact
            reading.pods[key].values.update(buckets)
    reading.pods = {key: pod for key, pod in reading.pods.items() if pod.at_seconds}
    return reading


def counter_of(arms: Arms, labels: Mapping[str, str]) -> str:
    """The counter of a series of requests: code:<status>, or code:failed and code:passed where the source knows better than its status."""
    code = next((labels[label] for label in arms.source.code_labels if labels.get(label)), "")
    failed = arms.source.is_failure(labels)
    if failed == _is_failure(code):
        return f"code:{code}"
    return f"code:{FAILED}" if failed else "code:passed"


def _is_failure(code: str) -> bool:
    return code.startswith("5") or code in ("0", FAILED)


def _bound_ms(arms: Arms, le: str) -> float:
    return float("inf") if le == "+Inf" else round(float(le) * arms.source.bound_unit_ms, 3)  # as the gate's bound is


@dataclass
class Block:
    """Counts since every pod last had a new sample: arm -> counter -> increase; fresh names the pods with a new sample.

    spans: the seconds between the samples that were compared, by pod; of a new pod nobody knows them.
    """

    increases: dict[str, dict[str, float]] = field(default_factory=lambda: {STABLE: {}, CANARY: {}})
    fresh: set[Key] = field(default_factory=set)
    spans: dict[Key, float] = field(default_factory=dict)

    def seconds(self, arm: str) -> float:
        """How long an arm was counted, by its pods' average; 0 when nobody knows."""
        known = [seconds for (one, _pod), seconds in self.spans.items() if one == arm]
        return sum(known) / len(known) if known else 0.0


class Counters:
    """Turns readings into the counts of the open block; a block closes when every live pod has a new sample."""

    def __init__(self) -> None:
        self._last: dict[Key, PodCounters] = {}
        self._gaps: dict[Key, float] = {}
        self._known_pods: set[str] = set()
        self.block = Block()
        self.added = 0  # pods with a new sample in the last reading

    @property
    def scrape_seconds(self) -> float | None:
        """The longest time between two samples of a live pod seen so far; None before the second sample."""
        return max(self._gaps.values(), default=None)

    def start(self, reading: Reading) -> None:
        """Take a reading as the zero of everything."""
        self._last = dict(reading.pods)
        self._known_pods = {pod for _arm, pod in reading.pods}
        self.block = Block()

    def add(self, reading: Reading) -> bool:
        """Add what is new in a reading to the open block; True when that closes it (read it, then call next_block)."""
        self.added = 0
        for key, pod in reading.pods.items():
            last = self._last.get(key)
            if last is not None and pod.at_seconds <= last.at_seconds:
                continue
            self._count(key, last, pod)
            if last is not None and last.at_seconds:
                self._gaps[key] = pod.at_seconds - last.at_seconds
                self.block.spans[key] = self.block.spans.get(key, 0.0) + self._gaps[key]
            self._last[key] = pod
            self.block.fresh.add(key)
            self.added += 1
        self._known_pods |= {pod for _arm, pod in reading.pods}
        live = {key for key in reading.pods if reading.now_seconds - self._last[key].at_seconds <= self.stale_after(key)}
        return bool(live) and live <= self.block.fresh

    def stale_after(self, key: Key) -> float:
        """Seconds without a new sample after which a pod counts as gone: 2.5 of its own scrape intervals, at least 8 s."""
        return max(8.0, 2.5 * self._gaps.get(key, 60.0))

    def newest(self, arm: str) -> float:
        """When an arm's newest sample was scraped (Unix time), 0 when there is none."""
        return max((pod.at_seconds for (one, _pod), pod in self._last.items() if one == arm), default=0.0)

    def next_block(self) -> None:
        """Begin a new block."""
        self.block = Block()

    def _count(self, key: Key, last: PodCounters | None, pod: PodCounters) -> None:
        arm, name = key
        if last is None and arm == STABLE and name not in self._known_pods:
            return  # an old pod that Prometheus has only now found: its past is not this look's
        into = self.block.increases[arm]
        shrunk = {counter for counter, value in pod.values.items() if last is not None and value < last.values.get(counter, 0.0)}
        blurred = _blurred(shrunk)
        restarted = bool(shrunk) and not blurred
        for counter, value in pod.values.items():
            before = last.values.get(counter, 0.0) if last else 0.0
            grown = value - before if value >= before else 0.0 if blurred else value
            into[counter] = into.get(counter, 0.0) + grown
        if last and not restarted:  # a series that is missing from one answer keeps its last value
            pod.values = {**last.values, **pod.values}


def _blurred(shrunk: set[str]) -> bool:
    """Whether only the insides of a histogram shrank: a native one was made coarser, and nothing began again from zero."""
    return bool(shrunk) and all(counter.startswith("le:") and counter != "le:inf" for counter in shrunk)


def errors(increases: Mapping[str, float]) -> Counts | None:
    """Requests and failed requests (5xx, 0: no answer at all, and what the source calls failed) of one arm; None when it has no counter."""
    codes = {name[5:]: value for name, value in increases.items() if name.startswith("code:")}
    if not codes:
        return None
    failed = sum(value for code, value in codes.items() if _is_failure(code))
    return Counts(requests=round(sum(codes.values())), events=round(failed))


def slow(increases: Mapping[str, float], bound_ms: float) -> Counts | None:
    """Requests, and those slower than a bucket bound, of one arm; None when it has no buckets."""
    every, fast = increases.get("le:inf"), increases.get(f"le:{bound_ms}")
    if every is None or fast is None:
        return None
    return Counts(requests=round(every), events=max(0, round(every - fast)))
