# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release that is one target's of a fleet has to do with the others. Who implements it is fleet.member."""

from __future__ import annotations

from typing import Protocol

from ..analysis.look import Look
from ..analysis.panel import Panel, PanelState
from .ending import TurnBack

STOPPED = "fleet_stopped"  # the cause of a way back that another target, or somebody, has asked for


class Fleet(Protocol):
    """None of these may wait for the fleet's home: a home that does not answer never delays what a target does for itself."""

    def check(self) -> None:
        """Obey the stop sign: raises TurnBack. Raises Superseded when another run of the fleet holds it."""

    def looked(self, panel: Panel, state: PanelState, look: Look) -> None:
        """Tell the others what was counted so far."""

    def turned_back(self, why: TurnBack) -> None:
        """This release goes back: tell the others why, before anything else is done."""

    def runs(self, image: str, digest: str) -> None:
        """The new pods run this digest, as far as is known: raises TurnBack when it is not the one that passed in the waves before."""
