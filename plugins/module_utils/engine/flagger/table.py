# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each verb does in each phase of a Canary of Flagger: to a release under way (TABLE), and to one that has ended (ENDED). Data alone.

Read out of Flagger 1.44 (pkg/controller/scheduler.go, pkg/canary): a suspended Canary is skipped at every interval; skipAnalysis sends
all traffic to the primary, copies the template and ends; a new template restarts the analysis, the promoted one does not start any.
"""

from __future__ import annotations

from ..table import Effect, Table, does, nothing, refused
from .canary import (
    FAILED,
    FINALISING,
    GOING,
    GONE,
    INITIALIZED,
    INITIALIZING,
    NEW,
    PHASES,
    PROGRESSING,
    PROMOTING,
    SUCCEEDED,
    SUSPENDED,
    TERMINATED,
    TERMINATING,
    WAITING,
    WAITING_PROMOTION,
)

# acts of engine.flagger.control
SUSPEND, UNSUSPEND, SKIP, APPROVE, RETURN, START, BACK, FORGET = (
    "suspend",
    "unsuspend",
    "skip_analysis",
    "approve",
    "return_traffic",
    "start",
    "release_earlier",
    "forget",
)
STARTING = (NEW, INITIALIZING)
_MISSING = "a Canary: it was deleted, and with it what it owned (the primary Deployment and its Services); run the release again"
_LEAVING = "a Canary that stays: this one is being deleted, and Flagger gives its route back"
_STILL = "a release at work: Flagger waits for a new revision"
_EARLY = "a Canary that Flagger has made ready: it makes the primary just now; abort ends the release before it begins"
_LATE = "nothing any more: the primary takes the version already; let it end, or abort"
_UNNOTED = "a release whose ending is noted: Flagger ended this one while no runner watched; retry notes that, then roll it back"
_OVER = "a release that is running; this one has ended"
_BUSY = "a Canary that waits for a new revision: somebody else releases through this one just now"


def _row(own: dict[str, Effect]) -> dict[str, Effect]:
    """A row: what is said of phases that all verbs treat alike, with this verb's own words over it."""
    row = dict.fromkeys(GOING, refused(_LEAVING)) | {GONE: refused(_MISSING)} | own
    return {phase: row[phase] for phase in PHASES}


def _each(effect: Effect, *names: str) -> dict[str, Effect]:
    return dict.fromkeys(names, effect)


_RETURNS = does(RETURN, "all traffic goes to the primary, the target gets its earlier template and no pods, the Canary is marked Failed")
_GOES_ON = does(START, "goes on with the release from its record, where no runner does")

TABLE: Table = {
    "abort": _row(
        _each(does(RETURN, "ends the release; the target serves itself, and the Canary stays suspended until the next release"), *STARTING)
        | {INITIALIZED: does(RETURN, "ends the release; the target's template was not changed yet, or gets its earlier one")}
        | _each(_RETURNS, WAITING, PROGRESSING, WAITING_PROMOTION, SUSPENDED, FAILED)
        | {
            PROMOTING: does(
                RETURN, "the primary gets its earlier template and all traffic, the target no pods, the Canary is marked Failed"
            )
        }
        | {FINALISING: does(RETURN, "the primary, which has all traffic, gets its earlier template, the target no pods; marked Failed")}
        | {
            SUCCEEDED: refused(
                "a release that Flagger has not promoted yet; retry notes that it is, then rollback brings the earlier version back"
            )
        }
        | {GONE: does(RETURN, "the Canary is gone, and the primary with it: the target serves itself again, with its earlier template")}
    ),
    "pause": _row(
        _each(refused(_STILL), INITIALIZED, SUCCEEDED, FAILED)
        | _each(refused(_EARLY), *STARTING)
        | _each(does(SUSPEND, "suspended where it is: its weight stays, and Flagger judges nothing until resume"), WAITING, PROGRESSING)
        | _each(refused(_LATE), PROMOTING, FINALISING)
        | {WAITING_PROMOTION: does(SUSPEND, "suspended where it is: its weight stays, and Flagger judges nothing until resume")}
        | {SUSPENDED: nothing("it is paused already")}
    ),
    "resume": _row(
        _each(nothing("it is not paused"), *STARTING, INITIALIZED, WAITING, PROGRESSING, WAITING_PROMOTION)
        | _each(nothing("it is not paused"), PROMOTING, FINALISING, SUCCEEDED, FAILED)
        | {SUSPENDED: does(UNSUSPEND, "goes on at Flagger's next interval")}
    ),
    "promote": _row(
        _each(refused(_STILL), INITIALIZED, FAILED)
        | _each(refused(_EARLY), *STARTING)
        | _each(nothing("it is being promoted already"), PROMOTING, FINALISING)
        | {WAITING: refused("nothing: it waits for an approval before any traffic; approve it")}
        | {PROGRESSING: does(SKIP, "Flagger skips its analysis at the next interval: the primary gets the version and keeps all traffic")}
        | {WAITING_PROMOTION: does(SKIP, "Flagger skips its analysis and its gates: the primary gets the version and keeps all traffic")}
        | {SUSPENDED: does(SKIP, "goes on and skips its analysis: the primary gets the version and keeps all traffic")}
        | {SUCCEEDED: nothing("it is promoted")}
    ),
    "approve": _row(
        _each(refused(_STILL), INITIALIZED, SUCCEEDED, FAILED)
        | _each(does(APPROVE, "approved before it is asked for"), *STARTING, PROGRESSING)
        | _each(does(APPROVE, "approved; Flagger goes on at its next interval"), WAITING, WAITING_PROMOTION)
        | _each(refused("an approval that is asked for: there is none any more"), PROMOTING, FINALISING)
        | {SUSPENDED: does(APPROVE, "approved; it stays paused until resume")}
    ),
    "reject": _row(
        _each(refused(_STILL), INITIALIZED, SUCCEEDED, FAILED)
        | _each(does(RETURN, "rejected; ends the release before it begins"), *STARTING)
        | _each(does(RETURN, "rejected; all traffic goes to the primary"), WAITING, PROGRESSING, WAITING_PROMOTION, SUSPENDED)
        | _each(refused("an approval that is asked for: there is none any more; abort returns traffic"), PROMOTING, FINALISING),
    ),
    "retry": _row(
        _each(_GOES_ON, *STARTING, INITIALIZED, WAITING, PROGRESSING, WAITING_PROMOTION, PROMOTING, FINALISING)
        | {SUSPENDED: does(START, "goes on watching, where no runner does; it stays paused until resume")}
        | {SUCCEEDED: does(START, "notes that Flagger has promoted it")}
        | {FAILED: does(START, "notes that Flagger has returned its traffic, and tidies up; retry it then to release it again")}
        | {GONE: does(START, "returns the release, for its Canary is gone; retry it then to make the Canary anew")}
    ),
    "rollback": _row(
        _each(refused("a release that has ended; abort returns its traffic"), *STARTING, INITIALIZED, WAITING, PROGRESSING)
        | _each(refused("a release that has ended; abort returns its traffic"), WAITING_PROMOTION, PROMOTING, FINALISING, SUSPENDED, GONE)
        | _each(refused(_UNNOTED), SUCCEEDED, FAILED),
    ),
    "cleanup": _row(
        _each(refused("a release whose traffic is home: abort it first"), INITIALIZED, WAITING, PROGRESSING, WAITING_PROMOTION, SUSPENDED)
        | _each(refused("a release whose traffic is home: abort it first, or let it end"), PROMOTING, FINALISING)
        | _each(does(FORGET, "removes the record; the Canary stays, and Flagger makes it ready when it runs"), *STARTING)
        | _each(does(FORGET, "removes the record; the Canary stays, for it owns the primary that serves"), SUCCEEDED, FAILED)
        | {GONE: refused("a release whose target serves: abort it first, for the Canary is gone, and the primary with it")}
    ),
}
_AGAIN = "releases the version again, unless it was promoted"

ENDED: Table = {
    "abort": dict.fromkeys(PHASES, nothing("it has ended")),
    **{verb: dict.fromkeys(PHASES, refused(_OVER)) for verb in ("pause", "resume", "promote", "approve", "reject")},
    "retry": _row(
        _each(does(START, _AGAIN), *STARTING, INITIALIZED, SUCCEEDED, FAILED)
        | _each(refused(_BUSY), WAITING, PROGRESSING, WAITING_PROMOTION, PROMOTING, FINALISING, SUSPENDED)
        | {GONE: does(START, "makes the Canary anew, then releases the version")}
    ),
    "rollback": _row(
        _each(does(BACK, "releases the earlier version with skipAnalysis, in two intervals"), INITIALIZED, SUCCEEDED, FAILED)
        | _each(refused(_EARLY), *STARTING)
        | _each(refused(_BUSY), WAITING, PROGRESSING, WAITING_PROMOTION, PROMOTING, FINALISING, SUSPENDED)
    ),
    "cleanup": _row(
        _each(does(FORGET, "removes the record; the Canary stays, for it owns the primary that serves"), INITIALIZED, SUCCEEDED, FAILED)
        | _each(does(FORGET, "removes the record; the Canary stays as it is"), *STARTING)
        | _each(does(FORGET, "removes the record; the Canary stays, and who releases through it"), WAITING, PROGRESSING, WAITING_PROMOTION)
        | _each(does(FORGET, "removes the record; the Canary stays, and who releases through it"), PROMOTING, FINALISING, SUSPENDED)
        | _each(does(FORGET, "removes the record"), TERMINATING, TERMINATED, GONE)
    ),
}


def effect_of(verb: str, phase: str, *, ended: bool = False) -> Effect:
    """What a verb does in a phase. ended: the record has ended, whatever its Canary says."""
    return (ENDED if ended else TABLE)[verb][phase]
