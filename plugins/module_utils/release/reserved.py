# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables called release_... that are not options of the release itself: known, so that a typing error can be told from them. Pure."""

from __future__ import annotations

RESERVED = frozenset(
    {
        "release_targets",
        # of a fleet (fleet.spec)
        "release_waves",
        "release_fleet_home",
        "release_on_violation",
        "release_failure_budget",
        "release_on_unreachable",
        "release_unreachable_seconds",
        "release_max_concurrent",
        "release_freeze_seconds",
        "release_train",
        "release_copy_policies",
        "release_report_dir",
        "release_reason",
        "release_log",  # of replay
        # of the playbooks themselves: those that look like typing errors
        "release_commanded",
        "release_returned",
        "release_stops",
        "release_turn",
        "release_turned",
        # of the playbooks that give commands
        "release_by",
        "release_command",
        "release_for_seconds",
        "release_full",
        "release_then",
        "release_to",
        "release_at_weight",
        "release_at_step",
        "release_at_wave",
        "release_let_go",
    }
)
