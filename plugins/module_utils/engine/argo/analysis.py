# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AnalysisRuns have measured: as lines while they run, and as evidence when one has failed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = dict[str, Any]
EMPTY = "index out of range"
BAD = ("Failed", "Error", "Inconclusive")


@dataclass(frozen=True)
class Measurement:
    """One measurement of one metric of a run."""

    run: str
    metric: str
    number: int  # of the metric in this run, from 1
    phase: str  # Argo's word: Successful, Failed, Inconclusive, Error, Running
    value: str
    message: str
    condition: str
    at: str

    @property
    def line(self) -> str:
        """One line for people."""
        told = self.value or told_of(self.message) or "no value"
        return f"{self.metric}: {told} ({self.condition}) {self.phase.lower()}, measurement {self.number} of {self.run}"

    def to_dict(self) -> JSON:
        """As the record keeps it among the looks."""
        return {"at": self.at, "gate": self.metric, "value": self.value, "limit": self.condition, "verdict": self.phase, "run": self.run}


def measurements(run: Mapping[str, Any]) -> list[Measurement]:
    """The finished measurements that a run still tells of, oldest first in each metric."""
    found = []
    conditions = {one["name"]: condition_of(one) for one in run["spec"].get("metrics") or []}
    for result in (run.get("status") or {}).get("metricResults") or []:
        kept = [one for one in result.get("measurements") or [] if one.get("finishedAt")]
        total = max(len(kept), sum(result.get(key, 0) for key in ("successful", "failed", "inconclusive", "error")))
        for place, one in enumerate(kept):
            found.append(
                Measurement(
                    run=run["metadata"]["name"],
                    metric=result["name"],
                    number=total - len(kept) + place + 1,
                    phase=one.get("phase", ""),
                    value=_short(str(one.get("value", "")).strip("[]")),
                    message=one.get("message", ""),
                    condition=conditions.get(result["name"], ""),
                    at=one["finishedAt"],
                )
            )
    return found


def told_of(message: str) -> str:
    """Argo's message in words: an empty answer has no first result."""
    return "no data yet" if EMPTY in message else message


def _short(value: str) -> str:
    """A number as people read it; what is none as it is."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def condition_of(metric: Mapping[str, Any]) -> str:
    """What a metric must be, in Argo's words."""
    success, failure = metric.get("successCondition"), metric.get("failureCondition")
    return success or (f"not {failure}" if failure else "no condition")


def evidence(runs: Sequence[Mapping[str, Any]]) -> JSON:
    """The run, the metric, its value and its condition that ended a release, of the newest that failed; empty where none did."""
    for run in reversed(runs):
        status = run.get("status") or {}
        if status.get("phase") not in BAD:
            continue
        for result in status.get("metricResults") or []:
            if result.get("phase") not in BAD:
                continue
            own = [one for one in measurements(run) if one.metric == result["name"]]
            worst = [one for one in own if one.phase == result["phase"]] or own
            last = worst[-1] if worst else None
            return {
                "analysis_run": run["metadata"]["name"],
                "phase": status["phase"],
                "metric": result["name"],
                "value": last.value if last else "",
                "condition": last.condition if last else "",
                "message": told_of(last.message if last else "") or result.get("message", "") or status.get("message", ""),
                "failed": result.get("failed", 0),
                "errors": result.get("error", 0),
            }
        return {"analysis_run": run["metadata"]["name"], "phase": status["phase"], "message": status.get("message", "")}
    return {}


def sentence(found: Mapping[str, Any]) -> str:
    """Evidence in one sentence."""
    if not found.get("metric"):
        return f"AnalysisRun {found['analysis_run']} is {found['phase']}: {found.get('message', '')}".rstrip(": ")
    told = f"{found['metric']} is {found['value']}" if found["value"] else f"{found['metric']} has no value ({found['message']})"
    return f"{told}, allowed: {found['condition']} (AnalysisRun {found['analysis_run']}: {found['phase']})"


def unanswered(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics of runs at work whose last measurement is an error, with what was said; no data yet is none."""
    found = []
    for run in runs:
        if (run.get("status") or {}).get("phase") == "Running":
            last = {one.metric: one for one in measurements(run)}
            found += [f"{name}: {one.message}" for name, one in last.items() if one.phase == "Error" and EMPTY not in one.message]
    return sorted(set(found))


def brief(run: Mapping[str, Any]) -> JSON:
    """A run as status tells it."""
    status, last = run.get("status") or {}, {one.metric: one for one in measurements(run)}
    metrics = [
        {
            "metric": result["name"],
            "phase": result.get("phase", ""),
            "value": last[result["name"]].value if result["name"] in last else "",
            "condition": last[result["name"]].condition if result["name"] in last else "",
            **{key: result.get(key, 0) for key in ("successful", "failed", "inconclusive", "error")},
        }
        for result in status.get("metricResults") or []
    ]
    return {"name": run["metadata"]["name"], "phase": status.get("phase", ""), "message": status.get("message", ""), "metrics": metrics}
