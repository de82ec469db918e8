# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates of a release: a metric, its limits, and who judges it. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis.composite import WORDS, Combination, combination_from
from . import composite_spec, samples_spec
from .composite_spec import COMPOSITE
from .looks_spec import LooksSpec, looks_of
from .samples_spec import CPU, MEMORY, PER_POD, RESTARTS, PerPodSpec, SamplesSpec
from .values import PERCENTAGE, Reader

SEQUENTIAL, THRESHOLD, BURN_RATE, MANN_WHITNEY = "sequential", "threshold", "burn_rate", "mann_whitney"
# metric -> who may judge it, the default first
JUDGES = {
    "error_rate": (SEQUENTIAL, THRESHOLD),
    "latency": (SEQUENTIAL, THRESHOLD),
    "quantile": (THRESHOLD,),
    "request_rate": (THRESHOLD,),
    "query": (THRESHOLD, MANN_WHITNEY),
    "burn_rate": (BURN_RATE,),
    CPU: (MANN_WHITNEY,),
    MEMORY: (MANN_WHITNEY,),
    PER_POD: (MANN_WHITNEY,),
    RESTARTS: (RESTARTS,),
}
COUNTED = ("error_rate", "latency", "request_rate")
KINDS = (*COUNTED, "query", "burn_rate", CPU, MEMORY, PER_POD, RESTARTS, *WORDS)
BURN_WINDOWS = ("1h", "6h", "1d", "3d")
GATE_SHAPES = (
    "exactly one of error_rate: {max: 0.5%}, latency: {slower_than: 500ms, max: 1%}, latency: {p99: {max: 500ms}}, "
    "request_rate: {min: 5}, query: {promql: ..., max: ...}, burn_rate: {over: [1h]}, cpu: {}, memory: {}, "
    "per_pod: {promql: ...}, restarts: {}, all: [...], any: [...] and not: name"
)
DIRECTIONS = ("increase", "decrease", "either")
QUANTILE_NAME = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)")
PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")  # nothing that PromQL itself could have
PLACEHOLDERS = {
    "namespace": "the target's namespace",
    "workload": "the Deployment's name",
    "stable": "the name of stable's Deployment",
    "canary": "the name of the canary's Deployment",
    "service": "the Service that clients use",
    "canary_service": "the canary's own Service",
    "stable_pods": "a pattern that stable's pod names match",
    "canary_pods": "a pattern that the canary's pod names match",
    "interval": "the time between two looks, such as 60s",
}


@dataclass(frozen=True)
class QuantileSpec:
    """A quantile of the latency (0.99) and what it may be, in milliseconds."""

    quantile: float
    max_ms: float


@dataclass(frozen=True)
class QuerySpec:
    """PromQL with placeholders, one number for the canary and perhaps one for stable; what the number may be."""

    promql: str
    baseline: str | None = None
    least: float | None = None
    most: float | None = None
    fails_below: float | None = None
    fails_above: float | None = None
    unit: str = ""
    tolerance: float | None = None  # how far the canary may lie beyond the baseline, relative to it
    direction: str = "either"  # which way is bad

    @property
    def asked(self) -> tuple[str, ...]:
        """Both queries, or the one."""
        return (self.promql, *((self.baseline,) if self.baseline else ()))


@dataclass(frozen=True)
class GateSpec:
    """A metric and its limit. max_share: the share of requests that may fail, or be slower than slower_than_ms.

    A gate on a quantile, a rate or a query has its limit there; its max_share is 0 and means nothing.
    """

    name: str
    kind: str  # one of KINDS; composite for all, any and not
    max_share: float
    slower_than_ms: float | None
    judge: str = SEQUENTIAL
    quantile: QuantileSpec | None = None
    min_per_second: float | None = None  # requests of the canary
    query: QuerySpec | None = None
    looks: LooksSpec | None = None  # of its own, where the gate is looked at apart from the others
    burn_over: tuple[str, ...] = ()  # burn_rate: the windows of release_slo that must not burn
    samples: SamplesSpec | None = None  # where ranks judge it
    per_pod: PerPodSpec | None = None  # a number of each pod
    most_restarts: int | None = None  # restarts: of the canary's pods
    composite: Combination | None = None  # of other gates, whose judges decide

    @property
    def counts(self) -> bool:
        """Whether the gate is judged by requests, and not by a query's answer or by pods."""
        return self.kind in COUNTED

    @property
    def asks(self) -> bool:
        """Whether only Prometheus can answer it."""
        return not self.counts and self.kind not in (RESTARTS, COMPOSITE)

    @property
    def interval_seconds(self) -> float | None:
        """What {interval} stands for in its queries, where it is not the interval of release_looks."""
        if self.samples is not None:
            return max(self.samples.sample_seconds, samples_spec.LEAST_WINDOW_SECONDS if self.per_pod else 1.0)
        return self.looks.interval_seconds if self.looks else None


def gate_from(saved: Mapping[str, Any]) -> GateSpec:
    """A gate as a record keeps it."""
    made: dict[str, type] = {"quantile": QuantileSpec, "query": QuerySpec, "looks": LooksSpec, "per_pod": PerPodSpec}
    gate = {key: made[key](**value) if key in made and value is not None else value for key, value in saved.items()}
    if gate.get("samples") is not None:
        gate["samples"] = samples_spec.samples_from(gate["samples"])
    if gate.get("composite") is not None:
        gate["composite"] = combination_from(gate["composite"])
    return GateSpec(**{**gate, "burn_over": tuple(gate.get("burn_over") or ())})


def gates(read: Reader, value: Any, skip: Any, looks: LooksSpec, also_skippable: tuple[str, ...] = ()) -> tuple[GateSpec, ...]:
    """The gates of release_gates without those of release_skip_gates. also_skippable: what else may be named there."""
    listed = read.sequence("release_gates", value) or []
    skipped = read.sequence("release_skip_gates", skip) or []
    made: dict[str, GateSpec] = {}  # by field
    for index, item in enumerate(listed):
        field = f"release_gates[{index}]"
        gate = _gate(read, field, item, looks)
        if gate is None:
            continue
        if gate.name in [other.name for other in made.values()]:
            read.refuse(f"{field}.name", gate.name, "a name that no other gate has")
        made[field] = gate
    names = list(dict.fromkeys([*(gate.name for gate in made.values()), *also_skippable]))
    for name in skipped:
        if name not in names:
            read.refuse("release_skip_gates", name, f"names of release_gates: {', '.join(names) or 'there are none'}")
    plain = [gate.name for gate in made.values() if gate.composite is None]
    composite_spec.check(read, {field: gate.composite for field, gate in made.items() if gate.composite}, plain)
    composites = {gate.name: gate.composite for gate in made.values() if gate.composite}
    composite_spec.keep_whole(read, skipped, composites)
    skipped = composite_spec.skipped_with(skipped, composites)
    kept = {field: gate for field, gate in made.items() if gate.name not in skipped}
    samples_spec.suffice(read, {f"{field}.samples": gate.samples for field, gate in kept.items() if gate.samples})
    return tuple(kept.values())


def _gate(read: Reader, field: str, item: Any, looks: LooksSpec) -> GateSpec | None:
    found = _required_mapping(read, field, item, ("name", *KINDS, "judge", "looks", "samples"))
    if found is None:
        return None
    kinds = [kind for kind in KINDS if kind in found]
    name = read.name(f"{field}.name", found.get("name") or (kinds[0].replace("_", "-") if kinds else None))
    if len(kinds) != 1:
        read.refuse(field, found, GATE_SHAPES)
        return None
    if kinds[0] in WORDS:
        return _composite(read, field, found, kinds[0], name)
    ranked = found.get("judge") == MANN_WHITNEY
    reader = _pair if kinds == ["query"] and ranked else _METRICS[kinds[0]]
    metric = reader(read, f"{field}.{kinds[0]}", found[kinds[0]])
    choices = JUDGES["quantile" if metric and metric.get("quantile") else kinds[0]]
    judge = read.choice(f"{field}.judge", found.get("judge"), choices, choices[0])
    own = None
    if found.get("looks") is not None:
        if judge != THRESHOLD:
            read.refuse(f"{field}.looks", found["looks"], f"nothing, unless its judge is {THRESHOLD}")
        else:
            own = looks_of(read, f"{field}.looks", found["looks"], looks)
    if found.get("samples") is not None and judge != MANN_WHITNEY:
        read.refuse(f"{field}.samples", found["samples"], f"nothing, unless its judge is {MANN_WHITNEY}")
    if name is None or metric is None:
        return None
    if judge == MANN_WHITNEY:
        unit = (metric.get("query") or metric["per_pod"]).unit
        metric["samples"] = samples_spec.samples(
            read, f"{field}.samples", found.get("samples"), kind=kinds[0], label=name, unit=unit, every=looks.interval_seconds
        )
    return GateSpec(name, kinds[0], **{"max_share": 0.0, "slower_than_ms": None, **metric}, judge=judge, looks=own)


def _composite(read: Reader, field: str, found: Mapping[str, Any], word: str, name: str | None) -> GateSpec | None:
    for key in ("judge", "looks", "samples"):
        if found.get(key) is not None:
            read.refuse(f"{field}.{key}", found[key], "nothing: a combination has the judges of its gates")
    made = composite_spec.combination(read, f"{field}.{word}", word, found[word])
    return GateSpec(name, COMPOSITE, 0.0, None, COMPOSITE, composite=made) if name and made else None


def _error_rate(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    limits = _required_mapping(read, field, value, ("max",))
    most = read.share(f"{field}.max", limits.get("max")) if limits is not None else None
    return None if most is None else {"max_share": most}


def _latency(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    named = [key for key in value if QUANTILE_NAME.fullmatch(str(key))] if isinstance(value, dict) else []
    limits = _required_mapping(read, field, value, named or ("slower_than", "max"))
    if limits is None:
        return None
    if named:
        if len(named) > 1:
            read.refuse(field, value, "one quantile; write a gate for each")
        return _quantile(read, f"{field}.{named[0]}", named[0], limits[named[0]])
    most = read.share(f"{field}.max", limits.get("max"))
    slower = _milliseconds(read, f"{field}.slower_than", limits.get("slower_than"))
    return None if most is None else {"max_share": most, "slower_than_ms": slower}


def _quantile(read: Reader, field: str, name: str, value: Any) -> dict[str, Any] | None:
    limits = _required_mapping(read, field, value, ("max",))
    if limits is None:
        return None
    share = float(name[1:]) / 100
    if share <= 0.0:
        read.refuse(field, value, "a quantile above p0, such as p50, p99 or p99.9")
    most = _milliseconds(read, f"{field}.max", limits.get("max"))
    return {"quantile": QuantileSpec(share, most)}


def _milliseconds(read: Reader, field: str, value: Any) -> float:
    if value is None:
        read.refuse(field, None, "is required: a duration such as 500ms")
    elif not re.search(r"[a-z]\s*$", str(value)):
        read.refuse(field, value, "a duration with its unit, such as 500ms or 1s")
    return round(1000 * read.seconds(field, value, least=0.0005, most=600, default=0), 3)


def _request_rate(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    limits = _required_mapping(read, field, value, ("min",))
    if limits is None:
        return None
    least = _number(read, f"{field}.min", limits.get("min"))
    if least is None or least <= 0.0:
        read.refuse(f"{field}.min", limits.get("min"), "requests a second of the canary, a number above 0")
        return None
    return {"min_per_second": least}


def _query(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    keys = ("promql", "baseline", "min", "max", "fails_below", "fails_above", "unit", "tolerance", "direction")
    found = _required_mapping(read, field, value, keys)
    if found is None:
        return None
    before = len(read.problems)
    numbers = {key: _number(read, f"{field}.{key}", found.get(key)) for key in ("min", "max", "fails_below", "fails_above")}
    least, most, below, above = numbers.values()
    if found.get("promql") is None:
        read.refuse(f"{field}.promql", None, "is required: PromQL that gives one number for the canary")
    promql, baseline = (_promql(read, f"{field}.{key}", found.get(key)) for key in ("promql", "baseline"))
    if not {"min", "max", "baseline"} & {key for key, given in found.items() if given is not None}:
        read.refuse(field, found, "a limit: min, max, or a baseline with its tolerance")
    for key, edge, limit, lies in (("fails_below", below, least, "below min"), ("fails_above", above, most, "above max")):
        if edge is not None and (limit is None or (edge >= limit if key == "fails_below" else edge <= limit)):
            read.refuse(f"{field}.{key}", edge, f"a number {lies}: what lies between is neither passed nor failed")
    if least is not None and most is not None and least > most:
        read.refuse(f"{field}.min", least, f"at most max ({most:g})")
    tolerance = _tolerance(read, field, found)
    direction = read.choice(f"{field}.direction", found.get("direction"), DIRECTIONS, "either")
    unit = read.text(f"{field}.unit", found.get("unit")) or ""
    if len(read.problems) > before or promql is None:
        return None
    return {"query": QuerySpec(promql, baseline, least, most, below, above, unit, tolerance, direction)}


def _pair(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    """A query that ranks judge: a number of each version, and no limit of its own."""
    found = _required_mapping(read, field, value, ("promql", "baseline", "unit"))
    if found is None:
        return None
    for key, whose in (("promql", "the canary"), ("baseline", "stable")):
        if found.get(key) is None:
            read.refuse(f"{field}.{key}", None, f"is required by the judge {MANN_WHITNEY}: PromQL that gives one number for {whose}")
    promql, baseline = (_promql(read, f"{field}.{key}", found.get(key)) for key in ("promql", "baseline"))
    unit = read.text(f"{field}.unit", found.get("unit")) or ""
    return {"query": QuerySpec(promql, baseline, unit=unit)} if promql and baseline else None


def _burn_rate(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    found = _required_mapping(read, field, value, ("over",))
    if found is None:
        return None
    listed = read.sequence(f"{field}.over", found.get("over")) or []
    wrong = [one for one in listed if one not in BURN_WINDOWS]
    if wrong or not listed:
        read.refuse(f"{field}.over", found.get("over"), f"a list of windows among {', '.join(BURN_WINDOWS)}")
        return None
    return {"burn_over": tuple(dict.fromkeys(listed))}


def _tolerance(read: Reader, field: str, found: Mapping[str, Any]) -> float | None:
    given = found.get("tolerance")
    if found.get("baseline") is None:
        for key in ("tolerance", "direction"):
            if found.get(key) is not None:
                read.refuse(f"{field}.{key}", found[key], "nothing, unless baseline says what stable's number is")
        return None
    matched = PERCENTAGE.fullmatch(given.strip()) if isinstance(given, str) else None
    if matched is None:
        read.refuse(f"{field}.tolerance", given, "a percentage of stable's number, such as 10%: so far the canary's may lie beyond it")
        return None
    return float(matched.group(1)) / 100


def _promql(read: Reader, field: str, value: Any) -> str | None:
    text = read.text(field, value)
    for name in PLACEHOLDER.findall(text or ""):
        if name not in PLACEHOLDERS:
            read.refuse(field, "{" + name + "}", f"one of {', '.join('{' + known + '}' for known in PLACEHOLDERS)}")
    return text


def _number(read: Reader, field: str, value: Any) -> float | None:
    if value is None:
        return None
    plain = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if plain or (isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value.strip())):
        return float(value)
    read.refuse(field, value, "a number in the query's own unit, without a sign such as %")
    return None


def _required_mapping(read: Reader, field: str, value: Any, keys: Any) -> dict[str, Any] | None:
    """A dictionary that must be there: a gate that is left empty would otherwise be a gate that judges nothing."""
    if value is None:
        read.refuse(field, None, "is required")
    return read.mapping(field, value, keys)


def _resource(kind: str) -> Callable[[Reader, str, Any], dict[str, Any] | None]:
    def read_it(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
        found = samples_spec.resource(read, field, value, kind)
        return None if found is None else {"per_pod": found}

    return read_it


def _per_pod(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    found = samples_spec.per_pod(read, field, value, _promql)
    return None if found is None else {"per_pod": found}


def _restarts(read: Reader, field: str, value: Any) -> dict[str, Any] | None:
    most = samples_spec.restarts(read, field, value)
    return None if most is None else {"most_restarts": most}


_METRICS: dict[str, Callable[[Reader, str, Any], dict[str, Any] | None]] = {
    "error_rate": _error_rate,
    "latency": _latency,
    "request_rate": _request_rate,
    "query": _query,
    "burn_rate": _burn_rate,
    CPU: _resource(CPU),
    MEMORY: _resource(MEMORY),
    PER_POD: _per_pod,
    RESTARTS: _restarts,
}
