# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user wrote to checked values. Pure: whether the cluster agrees is asked in preflight."""

from __future__ import annotations

import getpass
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from .values import Problem, Reader

# every variable of a release: name -> what it is when it is left out
DEFAULTS: dict[str, Any] = {
    "release_name": None,
    "release_namespace": None,
    "release_workload": None,
    "release_image": None,
    "release_container": None,
    "release_template_patch": None,
    "release_strategy": "canary",
    "release_traffic": None,
    "release_steps": [0, 10, 25, 50, 75, 100],
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    "release_skip_gates": [],
    "release_on_inconclusive": "roll_back",
    "release_prometheus": None,
    "release_metrics_source": "auto",
    "release_minimum_step_seconds": 0,
    "release_verify_seconds": 60,
    "release_no_data_seconds": 120,
    "release_max_hold_seconds": 1800,
    "release_ready_timeout_seconds": 300,
    "release_drain_seconds": 10,
    "release_deadline_seconds": 14400,
    "release_fix_forward": False,
    "release_stop_after": None,
    "release_log_dir": None,
}
# variables of later parts of the collection: known, so that a typing error can be told from them
RESERVED = frozenset(
    {
        "release_targets",
        "release_waves",
        "release_fleet_home",
        "release_business_hours",
        "release_copy_policies",
        "release_report_dir",
        "release_reason",
    }
)
STRATEGIES = ("canary",)
PROVIDERS = ("istio",)
SOURCES = ("auto", "istio_destination", "istio_source", "http")
IMAGE_PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
IMAGE = re.compile(rf"({IMAGE_PART}(:\d+)?/)?{IMAGE_PART}(/{IMAGE_PART})*(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?")
LONGEST_WORKLOAD = 56  # "-canary" must fit below 63 characters
MOST_STEPS = 50


class SpecError(Exception):
    """The arguments are wrong; problems says where, all of them at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class StepSpec:
    """One rise of the weight and how long it bakes at least before evidence may move it on."""

    weight_percent: int
    bake_seconds: float


@dataclass(frozen=True)
class GateSpec:
    """A metric and its limit. max_share: the share of requests that may fail, or be slower than slower_than_ms."""

    name: str
    kind: str  # error_rate or latency
    max_share: float
    slower_than_ms: float | None


@dataclass(frozen=True)
class Spec:
    """One release, checked: what stands here is of the right type and range."""

    name: str
    namespace: str
    workload: str
    image: str
    container: str | None
    template_patch: dict[str, Any] | None
    strategy: str
    provider: str
    service: str | None
    virtual_service: str | None
    route: str | None
    steps: tuple[StepSpec, ...]
    gates: tuple[GateSpec, ...]
    on_inconclusive: str
    prometheus_url: str | None
    prometheus_service: tuple[str, str, str] | None  # namespace, name, port
    metrics_source: str
    minimum_step_seconds: float
    verify_seconds: float
    no_data_seconds: float
    max_hold_seconds: float
    ready_timeout_seconds: float
    drain_seconds: float
    deadline_seconds: float
    fix_forward: bool
    stop_after: str | None

    def to_dict(self) -> dict[str, Any]:
        """What makes this release this release: compared when an unfinished one is met. stop_after may differ."""
        fields = asdict(self)
        fields.pop("stop_after")
        return fields


def unknown_variables(names: Mapping[str, Any]) -> list[Problem]:
    """Variables called release_... that look like a typing error of a known one."""
    known = [*DEFAULTS, *RESERVED]
    found = []
    for name in names:
        if name.startswith("release_") and name not in known:
            near = get_close_matches(name, known, 1, cutoff=0.87)
            if near:
                found.append(Problem(name, names[name], f"no such variable; did you mean {near[0]}?"))
    return found


def parse(given: Mapping[str, Any]) -> Spec:
    """Checked values from release_... variables; a missing or null one takes its default. Raises SpecError."""
    values = {name: given[name] if given.get(name) is not None else default for name, default in DEFAULTS.items()}
    read = Reader()
    read.problems += unknown_variables(given)
    for name in given:
        if name not in DEFAULTS and name not in RESERVED and not any(p.field == name for p in read.problems):
            read.refuse(name, given[name], f"no such option; known: {', '.join(DEFAULTS)}")
    fields: dict[str, Any] = {}
    fields.update(_identity(read, values))
    fields.update(_traffic(read, values["release_traffic"]))
    fields["steps"] = _steps(read, values["release_steps"])
    fields["gates"] = _gates(read, values["release_gates"], values["release_skip_gates"])
    fields.update(_prometheus(read, values["release_prometheus"], needed=bool(fields["gates"])))
    fields.update(_limits(read, values))
    if read.problems:
        raise SpecError(read.problems)
    return Spec(**fields)


def _identity(read: Reader, values: Mapping[str, Any]) -> dict[str, Any]:
    for field in ("release_name", "release_namespace", "release_workload", "release_image"):
        if values[field] is None:
            read.refuse(field, None, "is required")
    kind, _sep, workload = str(values["release_workload"] or "").partition("/")
    if values["release_workload"] is not None:
        if kind != "Deployment" or not workload:
            read.refuse("release_workload", values["release_workload"], "Deployment/<name>")
        else:
            read.name("release_workload", workload, longest=LONGEST_WORKLOAD)
    return {
        "name": read.name("release_name", values["release_name"], longest=40),
        "namespace": read.name("release_namespace", values["release_namespace"]),
        "workload": workload,
        "image": _image(read, values["release_image"]),
        "container": read.name("release_container", values["release_container"]),
        "template_patch": read.mapping("release_template_patch", values["release_template_patch"], ("metadata", "spec")),
        "strategy": read.choice("release_strategy", values["release_strategy"], STRATEGIES, "canary"),
    }


def _image(read: Reader, value: Any) -> str | None:
    image = read.text("release_image", value)
    if image is None:
        return None
    tagged = "@" in image or ":" in image.rpartition("/")[2]
    if not IMAGE.fullmatch(image) or not tagged:
        read.refuse(
            "release_image",
            value,
            "an image reference with a tag or a digest, such as registry.example/shop:2.4.0 or ...@sha256:<64 digits>",
        )
    return image


def _traffic(read: Reader, value: Any) -> dict[str, Any]:
    found = read.mapping("release_traffic", value, ("provider", "service", "virtual_service", "route")) or {}
    return {
        "provider": read.choice("release_traffic.provider", found.get("provider"), PROVIDERS, "istio"),
        "service": read.name("release_traffic.service", found.get("service"), longest=LONGEST_WORKLOAD),
        "virtual_service": read.text("release_traffic.virtual_service", found.get("virtual_service")),
        "route": read.text("release_traffic.route", found.get("route")),
    }


def _steps(read: Reader, value: Any) -> tuple[StepSpec, ...]:
    listed = read.sequence("release_steps", value)
    if listed is None:
        return ()
    steps: list[StepSpec] = []
    for index, item in enumerate(listed):
        field = f"release_steps[{index}]"
        share, bake = item, None
        if isinstance(item, dict):
            read.known_keys(field, item, ("weight", "bake_seconds"))
            share, bake = item.get("weight"), item.get("bake_seconds")
            field += ".weight"
        if share is None:
            read.refuse(field, None, "is required")
        weight = read.integer(field, share, least=0, most=100, default=-1)
        seconds = read.seconds(f"release_steps[{index}].bake_seconds", bake, least=0, most=7 * 86400, default=0)
        if weight >= 0:
            if steps and weight <= steps[-1].weight_percent:
                read.refuse(field, weight, f"more than the step before it ({steps[-1].weight_percent})")
            steps.append(StepSpec(weight, seconds))
    if not 0 < len(listed) <= MOST_STEPS:
        read.refuse("release_steps", value, f"1 to {MOST_STEPS} steps")
    elif steps and steps[-1].weight_percent != 100:
        read.refuse("release_steps", value, "a list that ends at 100")
    return tuple(step for step in steps if step.weight_percent > 0)


def _gates(read: Reader, value: Any, skip: Any) -> tuple[GateSpec, ...]:
    listed = read.sequence("release_gates", value) or []
    skipped = read.sequence("release_skip_gates", skip) or []
    gates: list[GateSpec] = []
    for index, item in enumerate(listed):
        field = f"release_gates[{index}]"
        gate = _gate(read, field, item)
        if gate is None:
            continue
        if gate.name in [other.name for other in gates]:
            read.refuse(f"{field}.name", gate.name, "a name that no other gate has")
        gates.append(gate)
    names = [gate.name for gate in gates]
    for name in skipped:
        if name not in names:
            read.refuse("release_skip_gates", name, f"names of release_gates: {', '.join(names) or 'there are none'}")
    return tuple(gate for gate in gates if gate.name not in skipped)


def _gate(read: Reader, field: str, item: Any) -> GateSpec | None:
    found = _required_mapping(read, field, item, ("name", "error_rate", "latency"))
    if found is None:
        return None
    kinds = [kind for kind in ("error_rate", "latency") if kind in found]
    name = read.name(f"{field}.name", found.get("name") or (kinds[0].replace("_", "-") if kinds else None))
    if len(kinds) != 1:
        read.refuse(field, found, "exactly one of error_rate: {max: 0.5%} and latency: {slower_than: 500ms, max: 1%}")
        return None
    kind = kinds[0]
    limits = _required_mapping(read, f"{field}.{kind}", found[kind], ("max",) if kind == "error_rate" else ("slower_than", "max"))
    if limits is None:
        return None
    most = read.share(f"{field}.{kind}.max", limits.get("max"))
    slower = None
    if kind == "latency":
        if limits.get("slower_than") is None:
            read.refuse(f"{field}.latency.slower_than", None, "is required: a duration such as 500ms")
        elif not re.search(r"[a-z]\s*$", str(limits["slower_than"])):
            read.refuse(f"{field}.latency.slower_than", limits["slower_than"], "a duration with its unit, such as 500ms or 1s")
        slower = round(1000 * read.seconds(f"{field}.latency.slower_than", limits.get("slower_than"), least=0.0005, most=600, default=0), 3)
    if name is None or most is None:
        return None
    return GateSpec(name, kind, most, slower)


def _required_mapping(read: Reader, field: str, value: Any, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """A dictionary that must be there: a gate that is left empty would otherwise be a gate that judges nothing."""
    if value is None:
        read.refuse(field, None, "is required")
    return read.mapping(field, value, keys)


def _prometheus(read: Reader, value: Any, *, needed: bool) -> dict[str, Any]:
    none = {"prometheus_url": None, "prometheus_service": None}
    found = read.mapping("release_prometheus", value, ("url", "service"))
    if found is None:
        if needed and value is None:
            read.refuse("release_prometheus", None, "is required by the gates: {url: https://...} or {service: namespace/name:port}")
        return none
    if len([key for key in ("url", "service") if found.get(key)]) != 1:
        read.refuse("release_prometheus", value, "exactly one of url and service")
        return none
    if found.get("url"):
        if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", str(found["url"])):
            read.refuse("release_prometheus.url", found["url"], "a URL that begins with http:// or https://")
        return {**none, "prometheus_url": found["url"]}
    matched = re.fullmatch(r"([a-z0-9-]+)/([a-z0-9-]+):([a-z0-9-]+)", str(found["service"]))
    if not matched:
        read.refuse("release_prometheus.service", found["service"], "namespace/name:port, such as monitoring/prometheus:9090")
        return none
    return {**none, "prometheus_service": matched.groups()}


def _limits(read: Reader, values: Mapping[str, Any]) -> dict[str, Any]:
    ranges = {
        "minimum_step_seconds": (0, 7 * 86400),
        "verify_seconds": (0, 7 * 86400),
        "no_data_seconds": (5, 86400),
        "max_hold_seconds": (10, 7 * 86400),
        "ready_timeout_seconds": (5, 7200),
        "drain_seconds": (0, 3600),
        "deadline_seconds": (30, 30 * 86400),
    }
    limits: dict[str, Any] = {
        name: read.seconds(f"release_{name}", values[f"release_{name}"], least=least, most=most, default=DEFAULTS[f"release_{name}"])
        for name, (least, most) in ranges.items()
    }
    fix_forward = values["release_fix_forward"]
    if isinstance(fix_forward, str) and fix_forward.lower() in ("true", "yes", "false", "no"):
        fix_forward = fix_forward.lower() in ("true", "yes")
    if not isinstance(fix_forward, bool):
        read.refuse("release_fix_forward", fix_forward, "true or false")
    limits["fix_forward"] = fix_forward
    limits["on_inconclusive"] = read.choice(
        "release_on_inconclusive", values["release_on_inconclusive"], ("roll_back", "promote", "ask"), "roll_back"
    )
    limits["metrics_source"] = read.choice("release_metrics_source", values["release_metrics_source"], SOURCES, "auto")
    limits["stop_after"] = read.text("release_stop_after", values["release_stop_after"])
    return limits


@dataclass(frozen=True)
class Reference:
    """Which release, or all of a namespace when name is None."""

    namespace: str
    name: str | None


@dataclass(frozen=True)
class Command:
    """A command to a release: who gives it and why."""

    command: str
    namespace: str
    name: str
    by: str
    reason: str


def parse_reference(given: Mapping[str, Any], *, name_is_required: bool) -> Reference:
    """The release that release_name and release_namespace name. Raises SpecError."""
    read = Reader()
    read.problems += unknown_variables(given)
    reference = _reference(read, given, name_is_required=name_is_required)
    if read.problems:
        raise SpecError(read.problems)
    return reference


def parse_command(given: Mapping[str, Any]) -> Command:
    """release_control's arguments. Raises SpecError."""
    read = Reader()
    reference = _reference(read, given, name_is_required=True)
    command = read.choice("command", given.get("command"), ("abort",), "abort")
    by = read.text("by", given.get("by"), getpass.getuser()) or ""
    reason = read.text("release_reason", given.get("release_reason"), "") or ""
    if read.problems:
        raise SpecError(read.problems)
    return Command(command, reference.namespace, str(reference.name), by, reason)


def _reference(read: Reader, given: Mapping[str, Any], *, name_is_required: bool) -> Reference:
    for field in ("release_name", "release_namespace"):
        if given.get(field) is None and (name_is_required or field == "release_namespace"):
            read.refuse(field, None, "is required")
    name = read.name("release_name", given.get("release_name"), longest=40)
    return Reference(read.name("release_namespace", given.get("release_namespace")) or "", name)
