# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight finds of a workload that Flagger releases, and how it is kept in the record. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...release.spec import Spec
from ...workload import twin
from .metrics import PRIMARY
from .route import Place

JSON = dict[str, Any]


@dataclass(frozen=True)
class FlaggerTarget:
    """A workload, its Canary and its route. Kept in the record: a release is watched and returned from here."""

    cluster_uid: str
    namespace: str
    workload: str
    container: str
    stable_image: str  # of the primary, or of the workload where there is no primary yet
    original_template: JSON  # of the workload, with the stable image: what Flagger has promoted
    primary_template: JSON | None  # None where Flagger has made no primary yet
    service: str
    route_kind: str
    canary: str  # the Canary's name
    adopted: bool
    skips_analysis: bool  # a rollback: everybody gets the version at once
    written: JSON = field(default_factory=dict)  # spec of the Canary as we wrote it; empty where it is adopted
    metrics_source: str | None = None
    workload_kind: str = "Deployment"

    @property
    def primary(self) -> str:
        """The Deployment that serves while nothing is released."""
        return self.workload + PRIMARY

    @property
    def place(self) -> Place:
        """Where the route is kept."""
        return Place(self.route_kind, self.namespace, self.service)

    def new_template(self, spec: Spec) -> JSON:
        """The workload's template with the version."""
        return twin.with_version(self.original_template, container=self.container, image=spec.image, patch=spec.template_patch)

    def to_dict(self) -> JSON:
        """The target as JSON."""
        return asdict(self)


def image_in(template: JSON, container: str) -> str:
    """The image of a container of a pod template; empty where there is no such container."""
    return next((one["image"] for one in template["spec"]["containers"] if one["name"] == container), "")
