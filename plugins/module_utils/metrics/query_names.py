# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the placeholders of a gate's queries stand for in one release. Pure."""

from __future__ import annotations

from ..release.gates_spec import PLACEHOLDER
from ..release.spec import Spec
from ..workload.twin import SUFFIX
from .catalogue import POD_OF_A_DEPLOYMENT


def names_of(namespace: str, workload: str, service: str, interval_seconds: float, *, canary: str = "") -> dict[str, str]:
    """What the placeholders of a query stand for in one release. canary: its Deployment, where it is not called after stable's."""
    canary = canary or workload + SUFFIX
    return {
        "namespace": namespace,
        "workload": workload,
        "stable": workload,
        "canary": canary,
        "service": service,
        "canary_service": service + SUFFIX,
        "stable_pods": workload + POD_OF_A_DEPLOYMENT,
        "canary_pods": canary + POD_OF_A_DEPLOYMENT,
        "interval": f"{max(1, round(interval_seconds))}s",
    }


def names_by_gate(spec: Spec, service: str, *, canary: str = "") -> dict[str, dict[str, str]]:
    """Gate -> what the placeholders of its queries stand for, of the gates that are not judged by requests."""
    return {
        gate.name: names_of(spec.namespace, spec.workload, service, gate.interval_seconds or spec.looks.interval_seconds, canary=canary)
        for gate in spec.gates
        if not gate.counts
    }


def fill(promql: str, names: dict[str, str]) -> str:
    """The query with its placeholders filled in."""
    return PLACEHOLDER.sub(lambda found: names[found.group(1)], promql)
