# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows when the share of the requests that arrives is not the weight. Pure."""

from __future__ import annotations

from typing import Any

from .values import Reader

HOLD, REPORT, OFF = POLICIES = ("hold", "report", "off")


def policy(read: Reader, value: Any) -> str:
    """release_share_check. YAML reads an unquoted off as false, which means the same."""
    return str(read.choice("release_share_check", OFF if value is False else value, POLICIES, HOLD))
