# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps an autoscaler from shrinking stable while the canary takes its traffic: its floor is raised, and restored at the ending."""

from __future__ import annotations

from dataclasses import asdict, replace

from ..cluster.errors import ClusterError, Conflict, NotFound, Rejected
from ..workload.autoscaler import Floor, ceiling, floor, raising, restoring, stored_floor, would_shrink
from ..workload.kinds import wanted_pods
from .context import Context

ATTEMPTS = 8
PAUSE_SECONDS = 0.5
# an autoscaler has seen the load that came home by then: its metrics are up to a minute old, and it looks every 15 s
LOAD_SECONDS = 90.0


def stable_size(context: Context) -> int:
    """Pods that stable needs to serve everybody: those it had before, or more when an autoscaler has added some since."""
    return max([context.target.stable_replicas, *(one for saved in context.state.floors for one in saved["raised"])])


def present_size(context: Context) -> int:
    """The same, with what stable has at this moment."""
    return max(wanted_pods(context.target.workload_kind, context.workload()), stable_size(context))


def raise_floors(context: Context) -> None:
    """Before stable loses traffic: hold it at the pods that it has now."""
    for one in context.target.autoscalers:
        for _attempt in range(ATTEMPTS):
            try:
                _raise(context, one["kind"], one["name"])
                break
            except NotFound:
                break
            except Conflict:
                context.process.sleep(PAUSE_SECONDS)
        else:
            raise ClusterError(f"{one['kind']} {context.namespace}/{one['name']} could not be changed: it changes all the time")


def _raise(context: Context, kind: str, name: str) -> None:
    scaler = context.session.find(kind, context.namespace, name)
    if scaler is None:
        return  # nobody shrinks stable any more
    wanted = min(present_size(context), ceiling(kind, scaler))
    stored = stored_floor(kind, scaler)
    noted = _noted(context, kind, name) or Floor(kind, name, stored, [])
    if floor(kind, scaler) >= wanted or noted.theirs:
        return
    if not noted.knows(scaler):
        _note(context, replace(noted, theirs=True))
        words = f"was changed by somebody else to {_word(stored)}; stable may shrink below {wanted} pods"
        context.live.say("warning", f"{noted.field} of {kind} {name} {words}")
        return
    before, noted = context.state.floors, replace(noted, raised=sorted({*noted.raised, wanted}))
    _note(context, noted)
    context.write(f"raise {noted.field} of {kind} {name} to {wanted}")
    try:
        context.patch(kind, name, raising(kind, scaler, wanted))
    except Conflict:
        if not noted.knows(context.session.get(kind, context.namespace, name)):
            context.state.floors = before  # somebody was faster, and ours was never there
        raise
    context.live.say("floor", f"{noted.field} of {kind} {name} is {wanted} while the release runs (was {_word(noted.original)})")


def restore_floors(context: Context) -> None:
    """Give every raised floor its original value. Somebody else's value is theirs. Traffic must be home and stable whole."""
    for saved in list(context.state.floors):
        one = Floor(**saved)
        try:
            _restore(context, one)
        except NotFound:
            pass
        except Rejected as error:
            context.live.say("warning", f"{one.field} of {one.kind} {one.name} stays raised, set it back to {_word(one.original)}: {error}")
        context.state.floors.remove(saved)


def _restore(context: Context, one: Floor) -> None:
    began = context.process.clock()
    said = False
    while True:
        scaler = context.session.find(one.kind, context.namespace, one.name)
        if scaler is None or stored_floor(one.kind, scaler) == one.original:
            return
        if not one.knows(scaler):
            stored = _word(stored_floor(one.kind, scaler))
            if not one.theirs:
                context.live.say("warning", f"{one.field} of {one.kind} {one.name} was changed by somebody else to {stored}; it stays")
            return
        if would_shrink(one.kind, scaler) and context.process.clock() - began < LOAD_SECONDS:
            if not said:
                words = f"until {one.kind} {one.name} has seen the traffic that came home, at most {LOAD_SECONDS:.0f} s"
                context.live.say("hold", f"{one.field} stays raised {words}")
                said = True
            context.pause(2.0)
            continue
        try:
            context.patch(one.kind, one.name, restoring(one, scaler))
        except Conflict:
            context.pause(PAUSE_SECONDS)
            continue
        context.live.say("floor", f"{one.field} of {one.kind} {one.name} is {_word(one.original)} again")
        return


def _noted(context: Context, kind: str, name: str) -> Floor | None:
    return next((Floor(**saved) for saved in context.state.floors if (saved["kind"], saved["name"]) == (kind, name)), None)


def _note(context: Context, one: Floor) -> None:
    others = [saved for saved in context.state.floors if (saved["kind"], saved["name"]) != (one.kind, one.name)]
    context.state.floors = [*others, asdict(one)]


def _word(value: int | None) -> str:
    return "not set" if value is None else str(value)
