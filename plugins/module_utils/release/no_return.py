# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of no return: checks whose Job changes what a rollback does not bring back, such as tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .checks_spec import STABLE, CheckSpec, JobCheck
from .values import Reader

OPTION = "release_no_way_back"


def is_final(check: CheckSpec) -> bool:
    """Whether what the check does stays."""
    return isinstance(check.detail, JobCheck) and check.detail.point_of_no_return


def fit(read: Reader, checks: tuple[CheckSpec, ...], reason: str | None) -> None:
    """A point of no return is followed by a check that asks stable whether it still works, or somebody says why not."""
    final = [index for index, check in enumerate(checks) if is_final(check)]
    if reason is not None and not final:
        read.refuse(OPTION, reason, "nothing, unless a check is a point_of_no_return")
    if not final or reason is not None:
        return
    last = final[-1]
    if not any(check.against == STABLE for check in checks[last + 1 :]):
        allowed = (
            f"a later check that asks stable whether it works with what check {checks[last].name} has changed "
            f"(against: stable), for traffic may go back to it; or {OPTION}: <the reason why that is not needed>"
        )
        read.refuse(f"release_checks[{last}].point_of_no_return", True, allowed)


def passed(checks: Iterable[CheckSpec], steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the points of no return that a release has begun; steps as its record has them."""
    begun = {step["name"] for step in steps}
    return [check.name for check in checks if is_final(check) and check.step_name in begun]


def lines(check: CheckSpec, reason: str | None) -> list[str]:
    """What the plan says of a point of no return."""
    if not is_final(check):
        return []
    said = [
        f"  point of no return: check {check.name}; what its Job has done stays, also when the release goes back",
        f"    before it nothing is changed for good; after it a rollback returns traffic, not what check {check.name} has changed",
    ]
    return said + ([f"    accepted without asking stable: {reason} ({OPTION})"] if reason else [])


def warning(names: list[str]) -> str:
    """What is said when a release goes back behind a point of no return."""
    return f"traffic goes back, what {' and '.join(f'check {name}' for name in names)} has changed stays: stable works with it from now on"
