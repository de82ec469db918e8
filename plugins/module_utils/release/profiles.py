# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profiles that come with the collection: defaults under what a user says. Data alone; docs/profiles.md has them as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BUSINESS = "business"  # the gate that release_business_metric makes
APPROVAL = "approval"  # what release_approve asks for


@dataclass(frozen=True)
class Profile:
    """values: variables and what they are unless the user says otherwise. checks: names that release_checks must have.

    What is needed is demanded by name, or left out by that name in release_skip_gates.
    """

    values: dict[str, Any]
    checks: tuple[str, ...] = field(default=())


PROFILES = {
    "production": Profile(
        {
            "release_approve": ["traffic"],
            "release_steps": [5, 10, 15, 20, 100],
            "release_looks": {"interval_seconds": 60, "iterations": 10, "threshold": 10},
            "release_gates": [
                {"name": "errors", "error_rate": {"max": "0.5%"}, "judge": "threshold"},  # success of at least 99.5 %
                {"name": "p99", "latency": {"p99": {"max": "500ms"}}},
                {"name": BUSINESS, "query": {"min": 95, "unit": "%"}},  # its promql is release_business_metric
            ],
        },
        checks=("configuration", "load-test"),
    ),
    "development": Profile(
        {
            "release_steps": [10, 20, 30, 40, 50, 100],
            "release_looks": {"interval_seconds": 30, "iterations": 5, "threshold": 5},
            "release_gates": [
                {"name": "errors", "error_rate": {"max": "5%"}, "judge": "threshold"},  # success of at least 95 %
                {"name": "p99", "latency": {"p99": {"max": "1000ms"}}},
            ],
        }
    ),
    "staged": Profile(
        {
            "release_steps": [
                {"weight": 5, "bake_seconds": "5m"},
                {"weight": 25, "bake_seconds": "10m"},
                {"weight": 50, "approve": True},
                100,
            ],
        }
    ),
}
