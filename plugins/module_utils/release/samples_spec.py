# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates that compare the pods of both versions, and how the rank judge takes its samples: what users write, checked. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Callable, Optional

from ..analysis.mann_whitney import samples_needed
from ..analysis.mann_whitney_options import INCREASE, Options, Wrong
from ..analysis.rank_judge import confidence_of_one
from .values import Reader

CPU, MEMORY, PER_POD, RESTARTS = "cpu", "memory", "per_pod", "restarts"
RESOURCES = (CPU, MEMORY)
MOST_SAMPLES = 400  # of all gates together: the record keeps them
LEAST_WINDOW_SECONDS = 60.0  # of a rate: shorter than two scrapes it has no value
POD, REQUEST = "pod", "request"
# a change that is smaller than this is none, where the user says nothing else: pods of one version differ, too
RESOURCE_DEFAULTS = {"direction": INCREASE, "allowed_increase": 1.2, "allowed_decrease": 0.8}
# options of the filter that only a score of several metrics asks for, or that the gate says itself
NOT_OF_A_GATE = ("label", "unit", "critical_increase", "critical_decrease")
OPTIONS = tuple(one.name for one in fields(Options) if one.name not in NOT_OF_A_GATE)
OWN = ("min_samples", "sample_seconds", "judgements", "initial_delay_seconds")
Promql = Callable[[Reader, str, Any], Optional[str]]


@dataclass(frozen=True)
class SamplesSpec:
    """How the rank judge takes samples, how many, how often it judges them, and by which options."""

    options: Options = field(default_factory=Options)
    min_samples: int = 50
    sample_seconds: float = 60.0
    judgements: int = 3
    initial_delay_seconds: float = 0.0


@dataclass(frozen=True)
class PerPodSpec:
    """PromQL with a series for each pod; per: whether its number counts as it is, or by the pod's requests a second."""

    promql: str
    unit: str = ""
    per: str = POD


def samples_from(saved: Mapping[str, Any]) -> SamplesSpec:
    """Samples as a record keeps them."""
    return SamplesSpec(**{**saved, "options": Options(**saved["options"])})


def samples(read: Reader, name: str, value: Any, *, kind: str, label: str, unit: str, every: float) -> SamplesSpec:
    """A gate's samples. every: seconds between two of them where it does not say."""
    found = read.mapping(name, value, (*OWN, *OPTIONS)) or {}
    given = {key: _option(read, f"{name}.{key}", found[key]) for key in OPTIONS if found.get(key) is not None}
    defaults: dict[str, Any] = {**(RESOURCE_DEFAULTS if kind in RESOURCES else {})}
    if given.get("effect_size") is not None:
        defaults = {"direction": defaults.get("direction", "either")}
    options = Options()
    try:
        options = Options(**{**defaults, **given, "label": label, "unit": unit})
    except Wrong as wrong:
        read.refuse(f"{name}.{wrong.field}", wrong.value, wrong.allowed)
    return SamplesSpec(
        options,
        min_samples=read.integer(f"{name}.min_samples", found.get("min_samples"), least=5, most=200, default=50),
        sample_seconds=read.seconds(f"{name}.sample_seconds", found.get("sample_seconds"), least=1, most=3600, default=every),
        judgements=read.integer(f"{name}.judgements", found.get("judgements"), least=1, most=10, default=3),
        initial_delay_seconds=read.seconds(
            f"{name}.initial_delay_seconds", found.get("initial_delay_seconds"), least=0, most=86400, default=0.0
        ),
    )


def suffice(read: Reader, listed: Mapping[str, SamplesSpec]) -> None:
    """Whether the first judgement of each gate can find anything, and the record can keep all samples. listed: by the gate's field."""
    for name, one in listed.items():
        first = math.ceil(one.min_samples / one.judgements)
        needed = samples_needed(confidence_of_one(one.options, one.judgements, len(listed)))
        if first < needed and not one.options.kayenta_compatible:
            allowed = (
                f"at least {needed * one.judgements}: {one.judgements} judgements, the first one at {first} samples, which needs {needed}"
            )
            read.refuse(f"{name}.min_samples", one.min_samples, allowed)
    total = sum(one.min_samples for one in listed.values())
    if total > MOST_SAMPLES:
        allowed = f"at most {MOST_SAMPLES} samples of all gates together, so that the record can keep them"
        read.refuse("release_gates", f"{total} samples", allowed)


def resource(read: Reader, name: str, value: Any, kind: str) -> PerPodSpec | None:
    """cpu or memory, from what the kubelet's cAdvisor counts."""
    found = _required(read, name, value, ("per", "container"))
    if found is None:
        return None
    container = read.name(f"{name}.container", found.get("container"))
    per = read.choice(f"{name}.per", found.get("per"), (POD, REQUEST) if kind == CPU else (POD,), POD)
    which = f'container="{container}"' if container else 'container!="",container!="POD"'
    chosen = '{namespace="{namespace}",pod=~"({stable}|{canary})-.+",' + which + "}"
    if kind == MEMORY:
        return PerPodSpec(f"sum by (pod) (container_memory_working_set_bytes{chosen}) / 1048576", "MiB")
    rate = f"sum by (pod) (rate(container_cpu_usage_seconds_total{chosen}[{{interval}}]))"
    return PerPodSpec(f"1000 * {rate}", "millicores" if per == POD else "ms of CPU per request", per)


def per_pod(read: Reader, name: str, value: Any, promql: Promql) -> PerPodSpec | None:
    """Any gauge with a series for each pod."""
    found = _required(read, name, value, ("promql", "unit", "per"))
    if found is None:
        return None
    if found.get("promql") is None:
        read.refuse(f"{name}.promql", None, "is required: PromQL with a series for each pod, such as max by (pod) (queue_length)")
    text = promql(read, f"{name}.promql", found.get("promql"))
    per = read.choice(f"{name}.per", found.get("per"), (POD, REQUEST), POD)
    unit = read.text(f"{name}.unit", found.get("unit")) or ""
    return None if text is None else PerPodSpec(text, f"{unit} per request/s".strip() if per == REQUEST else unit, per)


def restarts(read: Reader, name: str, value: Any) -> int | None:
    """How many restarts of the canary's pods are forgiven, whatever stable's do."""
    found = _required(read, name, value, ("max",))
    return None if found is None else read.integer(f"{name}.max", found.get("max"), least=0, most=1000, default=10)


def _option(read: Reader, name: str, value: Any) -> Any:
    """An option's value; numbers and truths may be strings, as -e and surveys pass them."""
    key = name.rpartition(".")[2]
    if key in ("critical", "must_have_data", "kayenta_compatible"):
        return read.truth(name, value)
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return float(value)
    return value


def _required(read: Reader, name: str, value: Any, keys: tuple[str, ...]) -> dict[str, Any] | None:
    if value is None:
        read.refuse(name, None, "is required: a dictionary, {} for what is usual")
    return read.mapping(name, value, keys)
