# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a release ends."""

from __future__ import annotations

from typing import Any

PROMOTED, ROLLED_BACK, REFUSED, ABORTED, PARKED = "promoted", "rolled_back", "refused", "aborted", "parked"
PASSED = "passed"  # a shadow or an experiment is over; it changes nothing for users


SILENT = "api_server"  # cause of a release that went back because the target's API server did not answer for long


class TurnBack(Exception):
    """Stop going forward and return traffic.

    outcome is rolled_back, aborted, parked or passed; cause is a word, reason a sentence.

    gentle: nobody is hurt by the canary, as far as is known, so that traffic may take its time (release_rollback). asked is the
    abort request that was followed. weight_percent: the share that a parked canary keeps, at most.
    """

    def __init__(
        self,
        cause: str,
        reason: str,
        *,
        outcome: str = ROLLED_BACK,
        evidence: dict[str, Any] | None = None,
        gentle: bool = False,
        asked: dict[str, Any] | None = None,
        weight_percent: int = 0,
    ) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.outcome = outcome
        self.evidence = evidence or {}
        self.gentle = gentle
        self.asked = asked
        self.weight_percent = weight_percent


class StopHere(Exception):
    """The user asked to stop after this step; everything stays as it is and the next run goes on."""


class StepEnded(Exception):
    """A command ended the step that was waiting: it is not repeated before the runner has seen what comes next."""
