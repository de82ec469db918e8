# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds in a target, and how it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..metrics.conversions import ConversionReading
from ..metrics.source import GateReading
from ..workload.twin import SUFFIX, Canary
from .values import Problem

JSON = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """What preflight found, and all that the runner needs of it. Kept in the record: a release resumes from here."""

    cluster_uid: str
    namespace: str
    workload: str
    container: str
    stable_image: str
    stable_replicas: int
    original_template: JSON
    new_template: JSON
    switch_label: str
    pod_labels: dict[str, str]  # of the twin
    service: str
    revision: str | None  # rolling: the pod-template-hash of stable's pods
    original_knobs: JSON  # rolling: of the Deployment's spec
    new_knobs: JSON
    place: JSON  # where the route is kept (traffic.route.Place)
    destination_rule: JSON | None  # of stable, to be copied
    metrics_source: str | None
    dispersion: dict[str, float]  # by gate; 1.0 without an hour of history
    history_known: bool
    autoscalers: Sequence[JSON] = ()  # kind and name of each that scales stable
    budget: JSON | None = None  # what the error budget lets the release do (release.budget_plan.BudgetPlan)
    workload_kind: str = "Deployment"
    own_labels: dict[str, str] = field(default_factory=dict)  # of a twin whose pods join stable's Service: they select it
    copies: Sequence[JSON] = ()  # config maps and secrets that travel (release.config_preflight.Copy)
    canary: str = ""  # the canary's Deployment, where it is not called after stable's (swap, subsets)
    switch_value: str = ""  # of its switch label, likewise
    held: Sequence[JSON] = ()  # kind and name of what else bears our fence: the Service of a swap, the DestinationRule of subsets
    subset: JSON | None = None  # the canary's subset, where the DestinationRule gets it from us

    @property
    def identity(self) -> Canary:
        """What the canary's Deployment is called and by what its pods are told."""
        return Canary(self.canary or self.workload + SUFFIX, self.switch_label, self.switch_value, self.own_labels)

    def to_dict(self) -> JSON:
        """The target as JSON."""
        return asdict(self)


class Refused(Exception):
    """The release cannot start here. Nothing was changed."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass
class Findings:
    """A target, how each gate reads now, and what to tell about guesses."""

    target: Target
    gates: dict[str, GateReading]
    notes: list[str]
    conversions: ConversionReading | None = None
