# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phase a Rollout is in, as its status says it; and whether the controller has seen what stands there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JSON = dict[str, Any]
PHASES = (
    HEALTHY,
    PROGRESSING,
    PAUSED_STEP,
    PAUSED_APPROVAL,
    INCONCLUSIVE,
    PAUSED_BY_HAND,
    ABORTED,
    DEGRADED,
    INVALID,
    UNOBSERVED,
    GONE,
) = (
    "healthy",
    "progressing",
    "paused_step",
    "paused_approval",
    "paused_inconclusive",
    "paused_by_hand",
    "aborted",
    "degraded",
    "invalid_spec",
    "unobserved",
    "gone",
)
INCONCLUSIVE_REASON = "InconclusiveAnalysisRun"  # of a pause that an analysis has made
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"


def phase_of(rollout: Mapping[str, Any] | None) -> str:
    """One of PHASES. What the controller has not seen yet is unobserved, unless it was aborted: an abort needs no new generation."""
    if rollout is None:
        return GONE
    status, spec = rollout.get("status") or {}, rollout["spec"]
    if status.get("abort"):
        return ABORTED
    if not observed(rollout):
        return UNOBSERVED
    conditions = status.get("conditions") or []
    if any(one.get("type") == "InvalidSpec" for one in conditions):
        return INVALID
    if spec.get("paused"):
        return PAUSED_BY_HAND
    reasons = [one.get("reason") for one in status.get("pauseConditions") or []]
    if INCONCLUSIVE_REASON in reasons:
        return INCONCLUSIVE
    if reasons:
        return PAUSED_STEP if _has_duration(rollout) else PAUSED_APPROVAL
    return {"Healthy": HEALTHY, "Degraded": DEGRADED}.get(status.get("phase", ""), PROGRESSING)


def observed(rollout: Mapping[str, Any]) -> bool:
    """Whether the status follows the spec, and the template of the Deployment that it refers to, as the annotation tells it."""
    meta, status = rollout["metadata"], rollout.get("status") or {}
    seen = str(status.get("observedGeneration", "0"))
    if not seen.isdigit() or int(seen) < meta.get("generation", 0):
        return False
    wanted = (meta.get("annotations") or {}).get(WORKLOAD_GENERATION)
    return wanted is None or str(status.get("workloadObservedGeneration", wanted)) == wanted


def seen_workload(rollout: Mapping[str, Any], deployment: Mapping[str, Any] | None) -> bool:
    """Whether the controller has seen this generation of the Deployment that the Rollout refers to."""
    if deployment is None:
        return True
    noted = (rollout["metadata"].get("annotations") or {}).get(WORKLOAD_GENERATION, "0")
    return noted.isdigit() and int(noted) >= deployment["metadata"].get("generation", 0)


def fully_promoted(rollout: Mapping[str, Any]) -> bool:
    """Whether the version of the template is the stable one."""
    status = rollout.get("status") or {}
    return bool(status.get("stableRS")) and status.get("stableRS") == status.get("currentPodHash")


def canary_weight(rollout: Mapping[str, Any]) -> int:
    """The share of the new version in percent, as the status tells it; 0 when nothing is under way."""
    status = rollout.get("status") or {}
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        return int((weights.get("canary") or {}).get("weight", 0))
    if "blueGreen" in rollout["spec"].get("strategy", {}):
        active = (status.get("blueGreen") or {}).get("activeSelector")
        return 100 if active and active != status.get("stableRS") else 0
    if fully_promoted(rollout) or status.get("abort"):
        return 0
    return _last_weight(rollout, int(status.get("currentStepIndex") or 0))


def steps_of(rollout: Mapping[str, Any]) -> list[JSON]:
    """The steps of its canary; empty for blue-green."""
    return (rollout["spec"].get("strategy", {}).get("canary") or {}).get("steps") or []


def step_index(rollout: Mapping[str, Any]) -> int | None:
    """The step it is at; None where it has none."""
    found = (rollout.get("status") or {}).get("currentStepIndex")
    return None if found is None or not steps_of(rollout) else int(found)


def step_name(step: Mapping[str, Any]) -> str:
    """A step in words."""
    if "setWeight" in step:
        return f"weight {step['setWeight']} %"
    if "pause" in step:
        duration = (step["pause"] or {}).get("duration")
        return f"bake {duration}" if duration is not None else "approval"
    if "analysis" in step:
        return "evidence"
    return next(iter(step), "step")


def invalid_because(rollout: Mapping[str, Any]) -> str:
    """What the controller says of a spec that it refuses; else the status' own message."""
    status = rollout.get("status") or {}
    found = [one.get("message", "") for one in status.get("conditions") or [] if one.get("type") == "InvalidSpec"]
    return (found or [status.get("message", "")])[0]


def _has_duration(rollout: Mapping[str, Any]) -> bool:
    if "blueGreen" in rollout["spec"].get("strategy", {}):
        return rollout["spec"]["strategy"]["blueGreen"].get("autoPromotionEnabled", True) is not False
    steps, index = steps_of(rollout), step_index(rollout)
    if index is None or index >= len(steps):
        return False
    return (steps[index].get("pause") or {}).get("duration") is not None


def _last_weight(rollout: Mapping[str, Any], index: int) -> int:
    found = [step["setWeight"] for step in steps_of(rollout)[: index + 1] if "setWeight" in step]
    return int(found[-1]) if found else 0
