# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of Flagger's kinds a cluster serves, in the version that we speak."""

from __future__ import annotations

from ...cluster.errors import NotFound
from ...cluster.kinds import KINDS, api_group
from ...cluster.session import Session

VERSION = KINDS["Canary"][0]
GROUP = api_group("Canary")


def versions(session: Session) -> list[str]:
    """The versions of the group; none where the cluster does not know it. Raises ClusterError."""
    try:
        return [one["groupVersion"] for one in session.read(f"/apis/{GROUP}")["versions"]]
    except NotFound:
        return []


def served(session: Session) -> set[str]:
    """The resources of our version, such as canaries: one kind can be gone while the others stay. Raises ClusterError."""
    try:
        return {one["name"] for one in session.read(f"/apis/{VERSION}")["resources"]}
    except NotFound:
        return set()
