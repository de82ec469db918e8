# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all routers speak: the share of one service's traffic that goes to the canary. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

EPOCH = "progressive.delivery/epoch"  # the fence: every patch of ours tests that it still holds our token


@dataclass(frozen=True)
class Route:
    """The traffic state of one service as it was read.

    destinations is the router's own list, exactly as the API server holds it; canary_percent is None when it is not a
    split between stable and canary that we could have written.
    """

    destinations: list[dict[str, Any]]
    canary_percent: int | None
    fence: str | None


class RouteError(Exception):
    """The route cannot be found, is ambiguous, or is not what it should be. Messages say what to do."""


class RouteEdited(RouteError):
    """Somebody else changed the destinations that this release steers."""


def fence_token(release_id: str, epoch: int) -> str:
    """The fencing token of one holder of one release."""
    return f"{release_id}.{epoch}"
