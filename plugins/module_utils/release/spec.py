# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what a user wrote to checked values. Pure: whether the cluster agrees is asked in preflight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from ..traffic.route import Match, Sticky
from . import (
    ab_spec,
    alerts_spec,
    calendar_spec,
    checks_spec,
    config_spec,
    control_spec,
    engine_spec,
    gates_spec,
    guard_spec,
    no_return,
    parts,
    profile_spec,
    ratio_spec,
    share_spec,
    source_spec,
    swap_spec,
    webhooks_spec,
)
from .ab_spec import AbSpec
from .alerts_spec import AlertsSpec
from .calendar_spec import CalendarSpec
from .checks_spec import CheckSpec
from .config_spec import ConfigSpec
from .control_spec import ControlSpec
from .fits import asks_prometheus, fits_profile, fits_strategy, lasts, makes_experiment
from .gates_spec import GateSpec, LooksSpec
from .guard_spec import GuardSpec
from .manifests import Manifests, image_of, manifests
from .parts import PodsSpec, StepSpec
from .profile_spec import ProfileUse
from .prometheus_spec import Access, prometheus
from .reserved import RESERVED
from .slo_spec import SloSpec
from .source_spec import OwnSource
from .subsets_spec import SubsetsSpec
from .swap_spec import SwapSpec
from .translate.draft import Origin
from .translate.translate import blame, translate
from .values import Problem, Reader
from .webhooks_spec import WebhookSpec
from .workload_spec import fits_kind, rolling, workload

# every variable of a release: name -> what it is when it is left out
DEFAULTS: dict[str, Any] = {
    "release_name": None,
    "release_namespace": None,
    "release_workload": None,
    "release_image": None,
    "release_container": None,
    "release_template_patch": None,
    "release_manifests": None,
    "release_from": None,
    "release_engine": engine_spec.NATIVE,
    "release_adopt": False,
    "release_config": None,
    "release_profile": None,
    "release_profiles": None,
    "release_business_metric": None,
    "release_strategy": "canary",
    "release_promotion": "twin",
    "release_swap": None,
    "release_traffic": None,
    "release_rolling": None,
    "release_ab": None,
    "release_match": [],
    "release_match_seconds": 0,
    "release_steps": [0, 10, 25, 50, 75, 100],
    "release_checks": [],
    "release_webhooks": [],
    "release_no_way_back": None,
    "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
    "release_looks": None,
    "release_skip_gates": [],
    "release_slo": None,
    "release_alerts": None,
    "release_on_inconclusive": "roll_back",
    "release_rollback": "instant",
    "release_rollback_step_seconds": 5,
    "release_on_no_stable": "return",
    "release_prometheus": None,
    "release_metrics_source": "auto",
    "release_pods": None,
    "release_minimum_step_seconds": 0,
    "release_verify_seconds": 60,
    "release_no_data_seconds": 120,
    "release_max_hold_seconds": 1800,
    "release_ready_timeout_seconds": 300,
    "release_drain_seconds": 10,
    "release_deadline_seconds": 14400,
    "release_fix_forward": False,
    "release_share_check": "hold",
    "release_guard": None,
    "release_stop_after": None,
    "release_log_dir": None,
    **control_spec.DEFAULTS,
    **calendar_spec.DEFAULTS,
}
SHAPES = ("instant", "capacity_first", "stepped")  # how traffic comes back
STRATEGIES = ("canary", "blue_green", "ab_test", "shadow", "rolling")
IMAGE_PART = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
IMAGE = re.compile(rf"({IMAGE_PART}(:\d+)?/)?{IMAGE_PART}(/{IMAGE_PART})*(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?")


class SpecError(Exception):
    """The arguments are wrong; problems says where, all of them at once."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Spec:
    """One release, checked: what stands here is of the right type and range."""

    name: str
    namespace: str
    workload: str
    workload_kind: str  # one of workload.kinds.KINDS
    image: str
    container: str | None
    template_patch: dict[str, Any] | None
    manifests: Manifests | None  # the version as Kustomize or Helm renders it
    config: ConfigSpec | None
    strategy: str
    promotion: str
    swap: SwapSpec | None  # where promotion is swap
    provider: str
    service: str | None
    route_kind: str | None
    route_object: str | None
    route: str | None
    subsets: SubsetsSpec | None
    max_extra_pods: int | None  # weights by replicas alone
    rolling: dict[str, Any]  # Kubernetes' own names: maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds
    ab: AbSpec | None  # ab_test alone
    matches: tuple[Match, ...]
    match_seconds: float
    steps: tuple[StepSpec, ...]
    checks: tuple[CheckSpec, ...]
    webhooks: tuple[WebhookSpec, ...]
    no_way_back: str | None  # why nobody asks stable after a point of no return
    gates: tuple[GateSpec, ...]
    looks: LooksSpec  # of the gates whose judge is threshold
    slo: SloSpec | None
    alerts: AlertsSpec | None
    on_inconclusive: str
    rollback: str
    rollback_step_seconds: float
    on_no_stable: str
    prometheus_url: str | None
    prometheus_service: tuple[str, str, str] | None  # namespace, name, port
    prometheus_access: Access
    metrics_source: str
    own_source: OwnSource | None  # where metrics_source is own
    pods: PodsSpec | None  # where metrics_source is pods
    minimum_step_seconds: float
    verify_seconds: float
    no_data_seconds: float
    max_hold_seconds: float
    ready_timeout_seconds: float
    drain_seconds: float
    deadline_seconds: float
    fix_forward: bool
    guard: GuardSpec | None  # who returns traffic when nobody runs the release any more
    control: ControlSpec
    share_check: str  # hold, report or off
    stop_after: str | None
    calendar: CalendarSpec  # may differ when the release is taken up again
    profile: ProfileUse | None = None  # who said what; not what makes this release this release
    origin: Origin | None = None  # the manifest that said the rest, likewise
    engine: str = engine_spec.NATIVE  # who moves traffic
    adopt: bool = False  # the engine's own object is there already, and is left as it is
    requests_factor: int = 1  # how many times more requests its gates need: what the error budget has chosen (budget_plan)

    @property
    def counted(self) -> tuple[GateSpec, ...]:
        """The gates that are judged by requests: for them the requests of both versions are counted."""
        return tuple(gate for gate in self.gates if gate.counts)

    def judged_by(self, judge: str) -> tuple[GateSpec, ...]:
        """The gates that have this judge."""
        return tuple(gate for gate in self.gates if gate.judge == judge)

    @property
    def sticky(self) -> Sticky | None:
        """The random groups of an experiment."""
        return self.ab.sticky(self.name, self.image) if self.ab else None

    @property
    def meshed(self) -> bool:
        """Whether a mesh or a gateway carries the route; else a Service alone does."""
        return self.provider not in ("service", ratio_spec.REPLICAS)

    def to_dict(self) -> dict[str, Any]:
        """What makes this release this release: compared when an unfinished one is met. Who said it may differ, and stop_after."""
        fields = asdict(self)
        for name in ("stop_after", "profile", "origin", "requests_factor"):
            fields.pop(name)
        fields["checks"] = tuple(one.to_dict() for one in self.checks)
        fields["webhooks"] = tuple(one.to_dict() for one in self.webhooks)
        fields["config"] = self.config.to_dict() if self.config else None
        fields["control"] = self.control.to_dict()
        fields["prometheus_access"] = self.prometheus_access.to_dict()
        fields["manifests"] = self.manifests.to_dict() if self.manifests else None
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
    read = Reader()
    read.problems += unknown_variables(given)
    explicit = given
    given, origin = translate(read, given)
    if given.get("release_from") is not None:
        raise SpecError(read.problems)  # a manifest that could not be read: what it would have said is not to be asked for, too
    chosen = profile_spec.choose(read, given, DEFAULTS)
    given = chosen.values
    values = {name: given[name] if given.get(name) is not None else default for name, default in DEFAULTS.items()}
    values.update(engine_spec.adopted(values))
    for name in given:
        if name not in DEFAULTS and name not in RESERVED and not any(p.field == name for p in read.problems):
            read.refuse(name, given[name], f"no such option; known: {', '.join(DEFAULTS)}")
    fields: dict[str, Any] = {}
    fields.update(_identity(read, values))
    fields["manifests"] = _manifests(read, values, fields)
    fields["config"] = config_spec.config(read, values["release_config"])
    fields.update(parts.traffic(read, values["release_traffic"]))
    ratio_spec.fit(read, given, fields)
    fields["promotion"] = read.choice("release_promotion", values["release_promotion"], swap_spec.PROMOTIONS, "twin")
    fields["swap"] = swap_spec.swap(read, fields["promotion"], values["release_swap"], workload=fields["workload"])
    fields["rolling"] = rolling(read, values["release_rolling"], fields["workload_kind"])
    fields["matches"] = parts.matches(read, values["release_match"])
    fields["ab"] = (
        ab_spec.experiment(read, values["release_ab"], chosen=bool(given.get("release_match"))) if makes_experiment(fields) else None
    )
    fields["steps"] = parts.steps(read, values["release_steps"])
    fields["checks"] = checks_spec.checks(read, values["release_checks"], fields["name"])
    fields["no_way_back"] = read.text("release_no_way_back", values["release_no_way_back"])
    no_return.fit(read, fields["checks"], fields["no_way_back"])
    fields["webhooks"] = webhooks_spec.webhooks(read, values["release_webhooks"], strategy=fields["strategy"], ab=fields["ab"])
    fields["looks"] = gates_spec.looks_of(read, "release_looks", values["release_looks"], LooksSpec())
    fields["gates"] = gates_spec.gates(read, values["release_gates"], values["release_skip_gates"], fields["looks"], chosen.skippable)
    judged = bool(fields["gates"] or (fields["ab"] and fields["ab"].conversions)) or any(
        problem.field.startswith("release_gates") for problem in read.problems
    )
    fields.update(_limits(read, values))
    fields["pods"] = parts.pods(read, values["release_pods"], source=fields["metrics_source"])
    fields.update(alerts_spec.guards(read, values, fields))
    asks = (judged and asks_prometheus(fields)) or fields["slo"] or fields["alerts"]
    fields.update(engine_spec.engine(read, given, values))
    fields.update(prometheus(read, values["release_prometheus"], needed=bool(asks) and not fields["adopt"]))
    fits_strategy(read, given, fields)
    source_spec.fit(read, given, fields)
    fits_kind(read, given, fields)
    lasts(read, given, fields)
    late = given.get("release_deadline_seconds")
    fields["deadline_seconds"] = swap_spec.deadline(read, fields["swap"], fields["deadline_seconds"], given=late)
    fields["control"] = control_spec.control(read, values, fields)
    fields["calendar"] = calendar_spec.calendar(read, values)
    fields["guard"] = guard_spec.guard(read, values["release_guard"], fields)
    engine_spec.without_us(read, fields)
    if fields["strategy"] == "rolling":  # it steers no route: whatever the route is, the Service selects old and new pods alike
        fields.update(provider="service", route_kind=None, route_object=None, route=None, subsets=None)
    fits_profile(read, explicit, fields)
    if read.problems:
        raise SpecError(blame(profile_spec.blame(read.problems, chosen.use), origin))
    return Spec(**fields, profile=chosen.use, origin=origin)


def _identity(read: Reader, values: Mapping[str, Any]) -> dict[str, Any]:
    needed = ("release_name", "release_namespace", "release_workload", "release_image")
    for field in needed if values["release_manifests"] is None else needed[:-1]:
        if values[field] is None:
            read.refuse(field, None, "is required")
    kind, name = workload(read, values["release_workload"], engine_spec.WORKLOADS.get(str(values["release_engine"]), ()))
    return {
        "name": read.name("release_name", values["release_name"], longest=40),
        "namespace": read.name("release_namespace", values["release_namespace"]),
        "workload": name,
        "workload_kind": kind,
        "image": _image(read, values["release_image"]),
        "container": read.name("release_container", values["release_container"]),
        "template_patch": read.mapping("release_template_patch", values["release_template_patch"], ("metadata", "spec")),
        "strategy": read.choice("release_strategy", values["release_strategy"], STRATEGIES, "canary"),
    }


def _manifests(read: Reader, values: Mapping[str, Any], fields: dict[str, Any]) -> Manifests | None:
    """The version's manifests; the image, when it is not given beside them, is theirs."""
    found = manifests(read, values["release_manifests"], workload=fields["workload"], namespace=fields["namespace"])
    if found is None:
        return None
    if values["release_template_patch"]:
        read.refuse(
            "release_template_patch",
            values["release_template_patch"],
            "nothing: put it into release_manifests, which has the whole template",
        )
    if values["release_image"] is None:
        fields["image"] = _image(read, image_of(read, found, fields["container"]))
    return found


def _image(read: Reader, value: Any) -> str | None:
    image = read.text("release_image", value)
    if image is None:
        return None
    if not is_pinned_or_tagged(image):
        read.refuse(
            "release_image",
            value,
            "an image reference with a tag or a digest, such as registry.example/shop:2.4.0 or ...@sha256:<64 digits>",
        )
    return image


def is_pinned_or_tagged(image: str) -> bool:
    """Whether it is an image reference that says which version it means."""
    return bool(IMAGE.fullmatch(image)) and ("@" in image or ":" in image.rpartition("/")[2])


def _limits(read: Reader, values: Mapping[str, Any]) -> dict[str, Any]:
    ranges = {
        "match_seconds": (0, 7 * 86400),
        "minimum_step_seconds": (0, 7 * 86400),
        "verify_seconds": (0, 7 * 86400),
        "rollback_step_seconds": (1, 600),
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
    limits["fix_forward"] = read.truth("release_fix_forward", values["release_fix_forward"])
    limits["on_inconclusive"] = read.choice(
        "release_on_inconclusive", values["release_on_inconclusive"], ("roll_back", "promote", "ask"), "roll_back"
    )
    limits["rollback"] = read.choice("release_rollback", values["release_rollback"], SHAPES, "instant")
    limits["on_no_stable"] = read.choice("release_on_no_stable", values["release_on_no_stable"], ("return", "keep"), "return")
    limits["metrics_source"], limits["own_source"] = source_spec.source(read, values["release_metrics_source"])
    limits["share_check"] = share_spec.policy(read, values["release_share_check"])
    limits["stop_after"] = read.text("release_stop_after", values["release_stop_after"])
    return limits
