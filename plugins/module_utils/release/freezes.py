# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the calendars mean for one release: before it begins, while it runs, and in its plan."""

from __future__ import annotations

import math
from typing import Any

from ..workload.deployment import image_digest
from .calendar_files import Unreadable, denied, rules
from .calendar_spec import DENIED, FREEZES, GO_ON, CalendarSpec
from .commands import TOO_LATE
from .context import Context
from .control_spec import PARK
from .ending import PARKED, ROLLED_BACK, TurnBack
from .freeze import Window, next_freeze
from .plan import plan
from .spec import Spec
from .values import Problem, spoken_seconds

JSON = dict[str, Any]
CHECK_SECONDS = 30.0
OVERRIDE = "override it with -e release_freeze_override='why it cannot wait'; the record keeps who said so"


def coming(spec: CalendarSpec, now: float) -> Window | None:
    """The freeze that lasts now, or else the next one. Raises Unreadable."""
    return next_freeze(rules(spec), now) if spec.freezes else None


def blocking(spec: CalendarSpec, now: float, seconds: float) -> Window | None:
    """The freeze that lasts now, or begins before what takes so many seconds would be over (infinite: nobody knows). Raises Unreadable."""
    freeze = None if spec.override else coming(spec, now)
    if freeze is None or freeze.begin <= now:
        return freeze
    return freeze if not math.isinf(seconds) and freeze.begin < now + seconds else None


def problems(spec: Spec, now: float, seconds: float) -> list[Problem]:
    """Why a release is not to begin now: a freeze, one that it would run into, a denied digest, or a calendar that nobody can read.

    seconds: how long it takes by its plan at least; without an end in sight (infinite) only what lasts now counts.
    """
    found = _of_digest(spec.calendar, spec.image) if "@" in spec.image else []
    try:
        freeze = blocking(spec.calendar, now, seconds)
    except Unreadable as error:
        return [*found, *error.problems]
    if freeze is None:
        return found
    if freeze.begin <= now:
        found.append(Problem(FREEZES, freeze.name, f"a time outside of this freeze: it lasts until {freeze.until()}; wait, or {OVERRIDE}"))
    else:
        allowed = (
            f"an end before this freeze: it begins {freeze.since()}, and the release takes about {spoken_seconds(seconds)} by its plan; "
            f"the freeze lasts until {freeze.until()}; wait, shorten release_steps, or {OVERRIDE}"
        )
        found.append(Problem(FREEZES, freeze.name, allowed))
    return found


def _of_digest(spec: CalendarSpec, image: str) -> list[Problem]:
    try:
        why = denied(spec, image)
    except Unreadable as error:
        return error.problems
    return [] if why is None else [Problem("release_image", image, f"a digest that {DENIED} does not name: {why}")]


def refuse_denied(context: Context) -> None:
    """The canary's pods have told what the tag stands for: it may be denied, or not what passed in the waves of a fleet before.

    Raises TurnBack before it gets traffic.
    """
    digest = context.state.digest
    if context.fleet is not None:
        context.fleet.runs(context.spec.image, digest)
    if not context.spec.calendar.denied:
        return
    if not digest.startswith("sha256:"):
        context.live.say("warning", f"the digest of {context.spec.image} is not known, so that {DENIED} could not be asked")
        return
    try:
        why = denied(context.spec.calendar, digest)
    except Unreadable as error:
        raise TurnBack("denied", f"{DENIED} cannot be read: {error}", gentle=True) from error
    if why is not None:
        raise TurnBack("denied", f"{context.spec.image} is {digest}, which {DENIED} names: {why}", gentle=True)


def line(spec: Spec, now: float) -> str:
    """What the plan says of freezes; empty where none is asked for. Raises Unreadable."""
    if not spec.calendar.freezes:
        return ""
    freeze = coming(spec.calendar, now)
    if freeze is None:
        return "freeze: none in the next 400 days"
    if freeze.begin > now:
        return f"freeze: none until {freeze.since()} ({freeze.name})"
    overridden = f", overridden: {spec.calendar.override}" if spec.calendar.override else ""
    return f"freeze: {freeze.name} until {freeze.until()}{overridden}"


def overridden(spec: Spec, now: float, seconds: float, by: str) -> JSON | None:
    """What the record keeps of an override that was needed: the freeze, who said so and why. None when none was. Raises Unreadable."""
    freeze = coming(spec.calendar, now) if spec.calendar.override else None
    if freeze is None or freeze.begin >= now + (0.0 if math.isinf(seconds) else seconds):
        return None
    return {"freeze": freeze.name, "until": freeze.until(), "by": by, "reason": spec.calendar.override}


class CalendarWatch:
    """Looks whether a freeze has begun while the release runs, and follows release_on_freeze; and what a rolling workload's pods run."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next_at = 0.0
        self._told = ""
        self._knows_digest = context.target.revision is None  # others are asked for it before they get traffic

    def check(self) -> None:
        """Raises TurnBack."""
        self._digest()
        self._freeze()

    def _digest(self) -> None:
        """New pods of a workload that rolls get traffic as soon as they are ready: all that can be done is to go back at once."""
        context = self._context
        asked = context.spec.calendar.denied or context.fleet is not None
        if self._knows_digest or not asked or not context.state.stable_changed:
            return
        digest = image_digest(context.twin_pods(), context.target.container)
        if digest:
            self._knows_digest, context.state.digest = True, digest
            refuse_denied(context)

    def _freeze(self) -> None:
        """Raises TurnBack where the policy says so; says once that a freeze has begun, or that a calendar cannot be read any more."""
        context, calendar = self._context, self._context.spec.calendar
        now = context.process.clock()
        if not calendar.freezes or calendar.override or now < self._next_at:
            return
        self._next_at = now + CHECK_SECONDS
        try:
            freeze = coming(calendar, now)
        except Unreadable as error:
            self._tell("warning", f"whether a freeze has begun is not known: {error}")
            return
        if freeze is None or freeze.begin > now:
            return
        words = f"freeze {freeze.name} has begun, it lasts until {freeze.until()}"
        steps = plan(context.spec)
        if calendar.on_freeze == GO_ON or steps[min(context.state.step, len(steps) - 1)].kind in TOO_LATE:
            self._tell("freeze", f"{words}; the release goes on (release_on_freeze)")
            return
        outcome = PARKED if calendar.on_freeze == PARK else ROLLED_BACK
        raise TurnBack("freeze", f"{words}; release_on_freeze is {calendar.on_freeze}", outcome=outcome, gentle=True)

    def _tell(self, word: str, words: str) -> None:
        if words != self._told:
            self._told = words
            self._context.live.say(word, words)
