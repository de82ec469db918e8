# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole simulated releases under the sequential rule: at one weight, or up a ramp of weights. Many runs at once, in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_size import certification_scale
from ansible_collections.progressive.delivery.tests.simulation.bulk import (
    ALL_RUNS,
    CERTIFIED,
    HARM,
    INCIDENT_BACK,
    MAX_HOLD,
    ONE_LOOK,
    Bulk,
)
from ansible_collections.progressive.delivery.tests.simulation.traffic import Service, Traffic, measured_dispersion

Array = Any
BATCH = 2000
NEVER = 1e-12  # a share of alpha for a test that is left out
NO_END = -1

MAX_RATE = 0.01
RECOMMENDED = Rule((Gate("errors", MAX_RATE),), max_hold_seconds=1e9)
MARGIN_125 = Rule((Gate("errors", MAX_RATE, margin=1.25),), max_hold_seconds=1e9)


def relative_alone(margin: float, alpha: float, **changes: Any) -> Rule:
    """The comparison with stable alone at this alpha: no test by the rate, no look that suffices alone."""
    gate = Gate("errors", MAX_RATE, margin=margin)
    return Rule(
        (gate,), alpha=alpha + NEVER, relative_share=alpha / (alpha + NEVER), one_look_events=10**9, max_hold_seconds=1e9, **changes
    )


PLAIN = relative_alone(1.0, 0.01, min_events=1, min_looks=1)


@dataclass
class Ended:
    """How each run ended: a place in bulk.CAUSES (NO_END: it did not), when, after how many canary requests and failures beyond stable's."""

    cause: Array
    seconds: Array
    requests: Array
    beyond: Array

    @classmethod
    def none(cls, runs: int) -> Ended:
        """Nothing has ended yet."""
        return cls(np.full(runs, NO_END), np.zeros(runs), np.zeros(runs), np.zeros(runs))

    @property
    def returned(self) -> Array:
        """Runs that evidence rolled back."""
        return (self.cause == HARM) | (self.cause == ONE_LOOK)

    @property
    def advanced(self) -> Array:
        """Runs that came to the end of the ramp, or past the one weight."""
        return self.cause == CERTIFIED


def in_batches(one: Callable[[int], Ended], runs: int) -> Ended:
    """So many runs, BATCH at a time."""
    parts = [one(min(BATCH, runs - start)) for start in range(0, runs, BATCH)]
    return Ended(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Ended)))


class _Runs:
    """The runs that go on, and how those ended that do not."""

    def __init__(self, many: Bulk, service: Service, runs: int) -> None:
        self.many, self.service = many, service
        self.ended = Ended.none(runs)
        self.going: Array = np.ones(runs, bool)  # of the runs that the arrays still hold

    def count(self, canary: Array, stable_rate: float) -> None:
        """What the canary had in this look."""
        now = self.many.runs[self.going]
        self.ended.requests[now] += canary[self.going, 0]
        self.ended.beyond[now] += canary[self.going, 1] - canary[self.going, 0] * stable_rate

    def end(self, which: Array, cause: Array, at: float) -> None:
        """These runs are over; arrays shrink when many are."""
        which = which & self.going
        self.ended.cause[self.many.runs[which]] = cause[which]
        self.ended.seconds[self.many.runs[which]] = at
        self.going &= ~which

    def shrunk(self) -> Array | None:
        """Which runs the arrays still hold, when a fifth of them was dropped just now."""
        if self.going.mean() > 0.8:
            return None
        kept = np.flatnonzero(self.going)
        self.many.keep(kept)
        self.service.keep(kept)
        self.going = self.going[kept]
        return kept


def start(traffic: Traffic, rule: Rule, runs: int, random: np.random.Generator, *, history: bool) -> tuple[Service, Bulk]:
    """A service and its judge. history: dispersion is measured on the hour before, else it is 1."""
    service = Service(traffic, runs, random)
    return service, Bulk(rule, runs, measured_dispersion(service.hour()) if history else None)


def fixed(
    traffic: Traffic, rule: Rule, runs: int, random: np.random.Generator, *, history: bool = True, until_advance: bool = False
) -> Ended:
    """Looks at one weight until evidence rolls back; advances are passed over unless until_advance."""

    def one(size: int) -> Ended:
        service, many = start(traffic, rule, size, random, history=history)
        many.enter_step(ALL_RUNS, 0.0, 100.0 * traffic.weight, 1.0)
        runs_now = _Runs(many, service, size)
        for number in range(1, traffic.looks + 1):
            at = number * traffic.look_seconds
            canary, stable = service.look(at)
            runs_now.count(canary, traffic.stable_rate)
            cause = many.look(at, canary[None], stable[None])
            runs_now.end((cause >= ONE_LOOK) | (until_advance & (cause == CERTIFIED)), cause, at)
            if not runs_now.going.any():
                break
            runs_now.shrunk()
        return runs_now.ended

    return in_batches(one, runs)


def ramp(
    traffic: Traffic,
    rule: Rule,
    runs: int,
    random: np.random.Generator,
    *,
    weights: tuple[float, ...] = (10.0, 20.0, 30.0, 40.0, 50.0),
    history: bool = False,
    minimum_seconds: float = 0.0,
) -> Ended:
    """Up a ramp (percent), then past its end; every verdict counts, returning traffic in an incident and max_hold too."""
    steps = np.array(weights)
    scales = np.array([certification_scale(following) for following in (*weights[1:], 100.0)])

    def one(size: int) -> Ended:
        service, many = start(traffic, rule, size, random, history=history)
        place: Array = np.zeros(size, int)
        many.enter_step(ALL_RUNS, 0.0, steps[place], scales[place], minimum_seconds)
        runs_now = _Runs(many, service, size)
        for number in range(1, traffic.looks + 1):
            at = number * traffic.look_seconds
            canary, stable = service.look(at, steps[place] / 100.0)
            runs_now.count(canary, traffic.stable_rate)
            cause = many.look(at, canary[None], stable[None])
            advancing = cause == CERTIFIED
            last = place == len(steps) - 1
            runs_now.end((cause >= INCIDENT_BACK) | (cause == MAX_HOLD) | (advancing & last), cause, at)
            if not runs_now.going.any():
                break
            rising = np.flatnonzero(advancing & ~last & runs_now.going)
            place[rising] += 1
            many.enter_step(rising, at, steps[place[rising]], scales[place[rising]], minimum_seconds)
            kept = runs_now.shrunk()
            place = place if kept is None else place[kept]
        return runs_now.ended

    return in_batches(one, runs)
