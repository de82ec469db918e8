# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What those who have a word on a verdict (the arrived share, the budget, the alerts) need of a release, running or replayed."""

from __future__ import annotations

from typing import Any, Protocol

from ..report.live import Live
from ..traffic.route import Route
from .record import State
from .spec import Spec


class Measured(Protocol):
    """What preflight measured of stable and of the budget."""

    @property
    def dispersion(self) -> dict[str, float]:
        """By gate."""

    @property
    def budget(self) -> dict[str, Any] | None:
        """What the release may cost (release.budget_plan)."""


class Situation(Protocol):
    """A release as it stands."""

    @property
    def spec(self) -> Spec:
        """What the user asked for."""

    @property
    def target(self) -> Measured:
        """What preflight found."""

    @property
    def state(self) -> State:
        """What is remembered of it."""

    @property
    def live(self) -> Live:
        """Who is told."""

    @property
    def route(self) -> Route:
        """The route that was put."""

    def real_percent(self, weight: int) -> float:
        """The share that a weight is."""
