# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provider service with weights: a canary by the number of replicas, and the options that only it has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import Reader

REPLICAS = "replicas"  # the router that provider service stands for where there are weights


def fit(read: Reader, given: Mapping[str, Any], fields: dict[str, Any]) -> None:
    """A canary by provider service shares by replicas: note that as its provider, and refuse what does not go with it."""
    by_replicas = fields["strategy"] == "canary" and fields["provider"] == "service"
    if by_replicas:
        fields["provider"] = REPLICAS
    elif fields["max_extra_pods"] is not None:
        read.refuse(
            "release_traffic.max_extra_pods",
            fields["max_extra_pods"],
            "nothing, unless strategy canary shares by replicas (provider service)",
        )
