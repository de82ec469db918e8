# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ADVANCE = "advance"
HOLD = "hold"
ROLL_BACK = "roll_back"
INCONCLUSIVE = "inconclusive"

EVIDENCE_OF_HARM = "evidence_of_harm"
ONE_LOOK_EVIDENCE = "one_look_evidence"
CERTIFIED = "certified"
NEEDS_REQUESTS = "needs_requests"
WATCHING = "watching"
SHARED_INCIDENT = "shared_incident"
SHARED_INCIDENT_AFTER_RISE = "shared_incident_after_rise"
NO_DATA = "no_data"
TOO_LITTLE_DATA = "too_little_data"
BAD_QUERY = "bad_query"
MAX_HOLD = "max_hold"
MINIMUM_TIME = "minimum_time"
SHARE_MISSED = "share_missed"
WITHIN_LIMITS = "within_limits"
FAILED_LOOK = "failed_look"
THRESHOLD_REACHED = "threshold_reached"
NEEDS_LOOKS = "needs_looks"
NEEDS_SAMPLES = "needs_samples"
BUDGET_BURN = "budget_burn"
BUDGET_SPENT = "budget_spent"
ALERT = "alert"
COMPOSITE = "composite"

# causes of a hold with which a version is not left alone with all users: something is wrong, or has not been looked at
UNSETTLED = frozenset({WATCHING, NO_DATA, BAD_QUERY, "stale", SHARED_INCIDENT, TOO_LITTLE_DATA, FAILED_LOOK, NEEDS_LOOKS})


@dataclass(frozen=True)
class Verdict:
    """The decision, its cause as a machine word, one sentence with the numbers, and the numbers themselves (JSON-able)."""

    decision: str
    cause: str
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)
