# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evictions: how a pod is asked to go so that disruption budgets are respected."""

from __future__ import annotations

from typing import Any

from .errors import Conflict, NotFound, Unreachable
from .kinds import object_path
from .session import Session

JSON = dict[str, Any]
TOO_MANY_REQUESTS = 429
BLOCKED = "disruption budget"  # how the API server's refusal differs from "too busy", which has the same status


def evict(session: Session, pod: JSON) -> bool:
    """Ask a pod to go: True when it goes or is gone already, False when a PodDisruptionBudget does not allow it.

    A pod of the same name that has come since stays. Raises ClusterError.
    """
    meta = pod["metadata"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "deleteOptions": {"preconditions": {"uid": meta["uid"]}},
    }
    try:
        session.request("POST", f"{object_path('Pod', meta['namespace'], meta['name'])}/eviction", body=body)
    except (NotFound, Conflict):
        return True
    except Unreachable as error:
        if error.status == TOO_MANY_REQUESTS and BLOCKED in str(error):
            return False
        raise
    return True
