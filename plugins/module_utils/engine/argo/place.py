# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release through Argo Rollouts finds in a target, and keeps in its record. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .build import Built

JSON = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """All that a runner needs of the target; a release resumes from here."""

    cluster_uid: str
    namespace: str
    workload: str  # of the object that holds the template
    workload_kind: str  # Deployment or Rollout
    rollout: str
    service: str
    container: str
    stable_image: str
    stable_hash: str  # of the Rollout before; empty where there was none
    original_template: JSON
    new_template: JSON
    adopted: bool

    def to_dict(self) -> JSON:
        """The place as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """An object that is made (before is None), or patched by operations as it was read."""

    before: JSON | None
    after: JSON
    operations: tuple[JSON, ...] = ()


@dataclass
class Findings:
    """A place, what must be made there, and what to tell."""

    place: Place
    rollout: JSON | None
    built: Built | None
    changes: list[Change]  # before the template changes, in this order
    notes: list[str]
