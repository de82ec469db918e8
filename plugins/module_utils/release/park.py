# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that is parked waits for people with nobody looking after it: it has a deadline, a policy and a stated share."""

from __future__ import annotations

import time
from typing import Any

from ..cluster.errors import ClusterError, Superseded
from ..traffic.route import Route, RouteError
from .budget_plan import effective
from .commands import PARKED_STEP, Moment, clock_time, foreseen
from .context import Context
from .ending import PARKED, TurnBack
from .plan import plan
from .record import Record
from .saved import spec_from

JSON = dict[str, Any]


def park(context: Context) -> None:
    """Note that the release is parked, and until when that may last."""
    began = context.process.clock()
    context.state.phase = "parked"
    context.state.control["parked"] = {"since": began, "until": began + context.spec.control.parked_seconds}


def unpark(control: JSON) -> None:
    """It runs again: what it waited for is waited for anew, unless it was given."""
    for key in ("parked", "waiting", "pause", "zeroed", "stopped"):
        control.pop(key, None)


def park_with_share(context: Context, why: TurnBack) -> bool:
    """Park with a share of the traffic on the canary, as release_parked_weight says. False: all of it has to return."""
    share = min(why.weight_percent, context.route.canary_percent)
    if why.outcome != PARKED or not share or context.state.stable_changed or context.state.swapped:
        return False
    route = Route(share, context.route.matches)
    began = time.perf_counter()
    try:
        context.write(f"parking at {share} %")
        context.router.change(route, context.token)
        context.state.hold(route)
        park(context)
        context.write()
    except Superseded:
        raise
    except (RouteError, ClusterError) as error:
        context.live.say("warning", f"cannot park at {share} %: {error}; all traffic returns")
        context.state.phase = "returning"
        return False
    context.live.steered("park", share, "", put_ms=1000 * (time.perf_counter() - began))
    return True


def moment(known: Record, now: float) -> Moment:
    """Where a release is, as its record says."""
    spec = spec_from(known.spec)
    return Moment(
        known.state.phase,
        plan(effective(spec, known.target.get("budget"))),
        known.state.step,
        now,
        spec.control.pause_seconds,
        spec.control.on_pause_end,
    )


def waits_for(known: Record, now: float) -> str:
    """The approval that a parked release waits for; empty when it may go on."""
    control = foreseen(known.state.control, known.commands, moment(known, now))
    step = (control.get("waiting") or {}).get("step", "")
    return "" if step in (control.get("approvals") or {}) else step


def is_too_late(known: Record, now: float) -> str:
    """Why a parked release has to go back: nobody took it up in time. Empty when there is time, or it was approved."""
    control = foreseen(known.state.control, known.commands, moment(known, now))
    parked = control.get("parked") or {}
    meant = (control.get("waiting") or {}).get("step", PARKED_STEP)
    if not parked or now < parked["until"] or meant in (control.get("approvals") or {}):
        return ""
    return f"parked until {clock_time(parked['until'])} (release_parked_seconds), and nobody took it up: {known.state.reason}"
