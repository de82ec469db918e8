# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each verb does in each phase of a Rollout, as data. control looks here what to do; the documentation is made from it. Pure."""

from __future__ import annotations

from ..table import Effect, Table, does, nothing, refused
from .phase import (
    ABORTED,
    DEGRADED,
    GONE,
    HEALTHY,
    INCONCLUSIVE,
    INVALID,
    PAUSED_APPROVAL,
    PAUSED_BY_HAND,
    PAUSED_STEP,
    PHASES,
    PROGRESSING,
    UNOBSERVED,
)

PAUSE, RESUME, SKIP, FULL, CLEAR, ABORT, END, RUN, BACK, FORGET = (
    "pause",
    "resume",
    "skip",
    "promote_full",
    "clear",
    "abort",
    "end",
    "run",
    "rollback",
    "forget",
)
VERBS = ("pause", "resume", "promote", "promote_full", "approve", "reject", "abort", "retry", "rollback", "cleanup")
UNDER_WAY = (PROGRESSING, PAUSED_STEP, PAUSED_APPROVAL, INCONCLUSIVE, PAUSED_BY_HAND, DEGRADED, INVALID, UNOBSERVED)
_OVER = refused("a release under way: the Rollout is healthy, nothing is being released")
_GONE = refused("a Rollout: it is gone. Run the release again, which makes it, or forget this one with cleanup")
_ABORTED = refused("a release under way: Argo has aborted this one; retry it, or finish its return with abort")
_ABORT_FIRST = refused("a release that has ended: abort this one first, which returns its traffic")
_NOT_WAITING = refused("a Rollout that waits for an approval: a pause without a duration")
_MEND = refused("a Rollout whose spec its controller accepts: mend what it says (status tells it), or abort")
_SKIPS = does(SKIP, "goes on with the next step")
_FULL = does(FULL, "promoted at once: steps, pauses and analyses are passed over")
_RETURNS = does(ABORT, "traffic returns to stable, and the template too")


def _row(**cells: Effect) -> dict[str, Effect]:
    """A row in the order of the phases; every phase must be there."""
    return {phase: cells[phase] for phase in PHASES}


def _under_way(effect: Effect, **others: Effect) -> dict[str, Effect]:
    """A row where most phases of a release under way have one effect."""
    cells = {**dict.fromkeys(UNDER_WAY, effect), HEALTHY: _OVER, ABORTED: _ABORTED, GONE: _GONE, **others}
    return _row(**cells)


TABLE: Table = {
    "pause": _under_way(
        does(PAUSE, "paused: spec.paused is true, the weight stays; running analyses still count"),
        **{PAUSED_BY_HAND: nothing("it is paused already"), INVALID: _MEND},
    ),
    "resume": _under_way(
        nothing("it is not paused by hand"),
        **{
            PAUSED_BY_HAND: does(RESUME, "goes on: spec.paused is false"),
            PAUSED_STEP: nothing("it is not paused by hand; this pause ends by its duration, or by promote"),
            PAUSED_APPROVAL: nothing("it is not paused by hand; it waits for an approval: approve or reject it"),
            INCONCLUSIVE: nothing(
                "it is not paused by hand; its analysis is inconclusive: approve or promote goes on, reject or abort returns"
            ),
            HEALTHY: nothing("it is not paused"),
        },
    ),
    "promote": _under_way(
        _SKIPS,
        **{
            PAUSED_APPROVAL: refused("nothing: it waits for an approval; approve it"),
            INVALID: _MEND,
            UNOBSERVED: refused(
                "a Rollout whose controller has seen its spec: which step it is at is not known; try again, or see its status"
            ),
        },
    ),
    "promote_full": _under_way(_FULL, **{INVALID: _MEND, HEALTHY: nothing("it is fully promoted already")}),
    "approve": _under_way(
        _NOT_WAITING,
        **{
            PAUSED_APPROVAL: does(CLEAR, "approved: the pause is over"),
            INCONCLUSIVE: does(SKIP, "approved in spite of an inconclusive analysis: goes on with the next step"),
        },
    ),
    "reject": _under_way(
        _NOT_WAITING,
        **{PAUSED_APPROVAL: does(ABORT, "rejected; traffic returns"), INCONCLUSIVE: does(ABORT, "rejected; traffic returns")},
    ),
    "abort": _under_way(
        _RETURNS,
        **{
            HEALTHY: does(END, "nothing of it is under way; its record is ended where it was not"),
            ABORTED: does(ABORT, "aborted already: the return is verified and finished"),
            GONE: does(END, "the Rollout is gone: its route is returned and the Deployment serves itself again, where that was not done"),
        },
    ),
    "retry": _under_way(
        does(RUN, "goes on with it, where nobody does"),
        **{
            HEALTHY: does(RUN, "released again, unless it was promoted"),
            ABORTED: does(RUN, "goes on from its first step: status.abort is false"),
            GONE: does(RUN, "released again, with a new Rollout; one that was under way is returned first"),
            INVALID: _MEND,
        },
    ),
    "rollback": _under_way(
        _ABORT_FIRST,
        **{
            HEALTHY: does(BACK, "released back, whole at once: the earlier version is fully promoted as soon as it is ready"),
            ABORTED: _ABORT_FIRST,
        },
    ),
    "cleanup": _under_way(
        _ABORT_FIRST,
        **{
            HEALTHY: does(FORGET, "the record is removed; the Rollout and its Services serve on"),
            ABORTED: _ABORT_FIRST,
            GONE: does(FORGET, "the record is removed"),
        },
    ),
}


def effect_of(verb: str, phase: str, *, full: bool = False) -> Effect:
    """What a verb does in a phase. full: promote to the end."""
    return TABLE["promote_full" if verb == "promote" and full else verb][phase]
