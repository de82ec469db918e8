# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a release driven by Flagger waits for people, without anybody who would answer a webhook. Pure.

A gate of Flagger is a webhook; one that nobody answers is closed. So a Canary that waits has a closed gate before its promotion and
weights that end where the next approval is asked for: Flagger cannot pass it even when we are dead, and judges on while it waits. An
approval puts the weights up to the next one, and the last one takes the gate away.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...release.plan import plan
from ...release.spec import Spec

JSON = dict[str, Any]
CLOSED_URL = "http://127.0.0.1:9"  # the discard port of Flagger's own pod: nobody listens, so that the gate is closed
TRAFFIC, PROMOTE, REPORT = "approve-traffic", "approve-promote", "report"
FIELDS = ("spec.analysis.stepWeights", "spec.analysis.webhooks")  # what approvals change of a Canary
GATE_NAMES = {"confirm-rollout": "approval-before-traffic", "confirm-promotion": "approval"}


def asked(spec: Spec) -> list[str]:
    """The approvals of a release in their order, as the plan calls them."""
    return [step.name for step in plan(spec) if step.kind == "approve"] if not spec.adopt else []


def open_ones(spec: Spec, approved: Collection[str]) -> list[str]:
    """Those that nobody has given yet."""
    return [name for name in asked(spec) if name not in approved]


def weights(spec: Spec) -> list[int]:
    """The canary's shares as Flagger takes them; its analysis begins at 0 by itself."""
    return [step.weight_percent for step in spec.steps if step.weight_percent > 0]


def analysis(spec: Spec, approved: Collection[str]) -> JSON:
    """stepWeights and webhooks of spec.analysis while these approvals are given."""
    waits = open_ones(spec, approved)
    later = [name for name in waits if name != TRAFFIC]
    gates = [_closed("confirm-rollout")] if TRAFFIC in waits else []
    gates += [_closed("confirm-promotion")] if later or only_reports(spec) else []
    found: JSON = {"webhooks": gates} if gates else {}
    if spec.strategy == "canary" and not spec.matches:
        every = weights(spec)
        most = _weight_of(later[0]) if later else None
        found["stepWeights"] = [one for one in every if most is None or one <= most]
    return found


def waiting(spec: Spec, phase: str, weight_percent: int, approved: Collection[str]) -> str:
    """The approval that Flagger waits for just now; empty when there is none."""
    waits = open_ones(spec, approved)
    if phase == "Waiting":
        return TRAFFIC if TRAFFIC in waits else ""
    later = [name for name in waits if name != TRAFFIC]
    if phase != "WaitingPromotion" or not later:
        return ""
    if spec.strategy != "canary" or spec.matches:
        return later[0]
    return later[0] if weight_percent >= (_weight_of(later[0]) or weights(spec)[-1]) else ""


def only_reports(spec: Spec) -> bool:
    """Whether the release ends by returning traffic: an A/B test that promotes nothing."""
    return spec.strategy == "ab_test"


def _weight_of(name: str) -> int | None:
    number = name.rpartition("-")[2]
    return int(number) if number.isdigit() else None


def _closed(kind: str) -> JSON:
    return {"name": GATE_NAMES[kind], "type": kind, "url": CLOSED_URL, "timeout": "1s", "muteAlert": True}
