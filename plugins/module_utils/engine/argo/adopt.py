# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Rollout has its template: in itself, or in the Deployment that it refers to."""

from __future__ import annotations

from typing import Any

from ...cluster.session import Session
from .api import ROLLOUT

JSON = dict[str, Any]


def template_of(session: Session, rollout: JSON) -> tuple[str, JSON | None]:
    """(kind, object) that holds the pod template; None where a Rollout refers to what is not there, or to no Deployment."""
    found = rollout["spec"].get("workloadRef")
    if not found:
        return ROLLOUT, rollout
    if found.get("kind") != "Deployment":
        return str(found.get("kind")), None
    return "Deployment", session.find("Deployment", rollout["metadata"]["namespace"], found["name"])
