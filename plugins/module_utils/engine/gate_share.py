# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the canary gets while a task judges it: as the route says, or the task. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..cluster.errors import Unreachable
from ..cluster.session import Session
from ..release.values import Problem
from ..traffic.recover import Seen
from ..traffic.route import RouteError
from ..traffic.sight import Sight, again
from .gate_task import GateTask

JSON = dict[str, Any]


@dataclass(frozen=True)
class Share:
    """percent of the requests, or of copies of stable's. canary_expected: whether it must have requests at all times; stable_expected likewise."""

    percent: float
    next_percent: float | None
    canary_expected: bool = True
    stable_expected: bool = True
    copies: bool = False

    @property
    def absolute_only(self) -> bool:
        """Whether there is nobody to compare with: all traffic, or only requests that were chosen."""
        return not (self.canary_expected and self.stable_expected)

    def step(self) -> JSON:
        """What makes a step this step: evidence of another one goes on in a new step."""
        return {"percent": self.percent, "next": self.next_percent, "chosen": not self.canary_expected, "copies": self.copies}

    def __str__(self) -> str:
        if not self.canary_expected:
            return "chosen requests"
        return f"copies of {self.percent:g} %" if self.copies else f"{self.percent:g} %"


def share_of(task: GateTask, seen: Seen | None, problems: list[Problem]) -> Share | None:
    """What a route gives the canary; None with a problem when that is nothing, or not to be told. seen: None where the task says it."""
    following = task.next_weight
    percent = task.weight if seen is None else seen.percent
    if percent is None:
        problems.append(Problem("weight", None, "is required: the route's weights are no whole percent of the canary's"))
        return None
    if following is not None and following <= percent:
        problems.append(Problem("next_weight", following, f"more than the canary's weight now ({percent})"))
        return None
    if percent:
        return Share(percent, following, stable_expected=percent < 100)
    if seen is not None and seen.mirror_percent:
        return Share(seen.mirror_percent, following, copies=True)
    if seen is not None and seen.matches != ():
        return Share(0, following, canary_expected=False)
    allowed = f"a route that gives the canary something to be judged by: a weight, a match or a mirror (progressive.delivery.traffic); {_said(seen)}"
    problems.append(Problem("service", task.declared.service, allowed))
    return None


def moved(session: Session, sight: Sight) -> str:
    """How the route differs from what it was, as a sentence; empty while it does not, or nobody tells."""
    place = sight.router.place
    try:
        found = session.find(place.kind, sight.found["metadata"]["namespace"], place.name)
        now = again(sight, found).seen if found else None
    except Unreachable:
        return ""
    except RouteError as error:
        return f"the route was changed while the canary was judged: {error}"
    if now == sight.seen:
        return ""
    after = _said(now) if now else "it is gone"
    return f"the route was changed while the canary was judged: {_said(sight.seen)}, now {after}"


def _said(seen: Seen | None) -> str:
    if seen is None:
        return "0 %"
    words = ["weights that are no whole percent" if seen.percent is None else f"{seen.percent} %"]
    if seen.matches != ():
        words.append("chosen requests")
    if seen.mirror_percent != 0:
        words.append("copies of some" if seen.mirror_percent is None else f"copies of {seen.mirror_percent} %")
    return " and ".join(words)
