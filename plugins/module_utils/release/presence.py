# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the canary that gets traffic is still there: somebody may delete or scale it, or empty its node."""

from __future__ import annotations

from ..workload.twin import SUFFIX
from .context import Context


def missing(context: Context) -> str | None:
    """Why requests to the canary would find nobody; None while its Service has a ready address.

    One read while all is well; what is gone is looked up only then.
    """
    if context.target.revision is not None:
        return None  # rolling: the Service selects old and new pods alike
    service = context.target.service + SUFFIX
    if context.ready_endpoints(service):
        return None
    if context.session.find("Service", context.namespace, service) is None:
        return f"Service {service} was deleted by somebody else"
    found = context.session.find("Deployment", context.namespace, context.twin)
    if found is None or found["metadata"].get("deletionTimestamp"):
        return f"Deployment {context.twin} was deleted by somebody else"
    if found["spec"].get("replicas", 1) == 0:
        return f"Deployment {context.twin} was scaled to 0 by somebody else"
    leaving = [pod["metadata"]["name"] for pod in context.twin_pods() if pod["metadata"].get("deletionTimestamp")]
    why = f": {', '.join(leaving)} deleted or evicted (a node that is drained does that)" if leaving else ""
    return f"the canary has no ready pod any more{why}"
