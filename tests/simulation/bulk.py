# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sequential rule on thousands of runs at once: the arithmetic of analysis/sequential.py and analysis/incident.py on arrays.

Constants, thresholds and words are those of the code itself. test_bulk.py judges the same traffic look by look with the real classes
and asks for the same causes and the same evidence, so that a figure of this class is a figure of the code.
Left out, because no table needs it: an arm without requests or data, an error budget in a gate, fix_forward, no baseline at all.
Arrays have the gates first and the runs second; counts have requests and events last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import incident
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import verdict as words
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.doubt import BLOCKS
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.evidence import (
    EXCESSES,
    RATIOS,
    SHORTFALLS,
    WHOLE_RELEASE_SHARE,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import LARGEST_SCALED_RATE

Array = Any

CAUSES = (
    words.NEEDS_REQUESTS,
    words.MINIMUM_TIME,
    words.WATCHING,
    words.SHARED_INCIDENT,
    words.CERTIFIED,
    words.MAX_HOLD,
    words.SHARED_INCIDENT_AFTER_RISE,
    words.ONE_LOOK_EVIDENCE,
    words.EVIDENCE_OF_HARM,
)
NEEDS, MINIMUM, WATCHING, INCIDENT, CERTIFIED, MAX_HOLD, INCIDENT_BACK, ONE_LOOK, HARM = range(len(CAUSES))
ALL_RUNS = slice(None)
BINS = 64  # of five seconds each: more than the five minutes that incidents look back


class Bulk:
    """As many releases as there are runs, all with this rule; dispersion: one value a gate and run, instead of the gates' own."""

    def __init__(self, rule: Rule, runs: int, dispersion: Array | None = None) -> None:
        if any(gate.budget is not None for gate in rule.gates) or rule.fix_forward:
            raise ValueError("budgets of gates and fix_forward are not simulated here")
        gates = len(rule.gates)
        self.rule = rule
        self.runs = np.arange(runs)
        self.dispersion = np.array([[gate.dispersion] for gate in rule.gates]) * np.ones((gates, runs))
        if dispersion is not None:
            self.dispersion = np.array(dispersion, dtype=float).reshape(gates, runs)
        self._shares = np.log([[rule.weight_of(gate)] for gate in rule.gates])
        self._max_rate = np.array([[gate.max_rate] for gate in rule.gates])
        self._margin = np.array([[gate.margin] for gate in rule.gates])
        self._max_ratio = np.array([[gate.max_ratio] for gate in rule.gates])
        self._excess_steps = _bernoulli_steps(self._max_rate, EXCESSES)
        self.relative: Array = np.zeros((gates, runs, len(RATIOS)))
        self._relative_before: Array = np.zeros((gates, runs, len(RATIOS)))
        self.promote_ratio: Array = np.zeros((gates, runs, len(SHORTFALLS)))
        counts = [np.zeros((gates, runs, 2)) for _each in range(6)]
        self.canary, self.outside, self._outside_before, self._last_block, self._open_canary, self._open_baseline = counts
        # blocks that have ended since a sign of doubt was seen; nan: there is none
        self.ahead, self.trouble = np.full((gates, runs), math.nan), np.full((gates, runs), math.nan)
        self.steady = [np.zeros((gates, runs)) for _each in range(3)]  # evidence of harm (comparison, limit, one look) beyond doubt
        self._promote_steps = np.zeros((gates, runs, len(SHORTFALLS), 2))
        self._recent = np.zeros((BINS, gates, runs, 2))
        self._bin_starts = np.full(BINS, -math.inf)
        self._one_look_waits: Array = np.zeros((gates, runs), bool)  # one that would suffice alone has been in doubt since
        self.event_looks: Array = np.zeros((gates, runs), int)
        self.burning: Array = np.zeros((gates, runs), bool)
        self.steps: Array = np.zeros(runs, int)
        self.weight, self.watched, self.minimum = np.zeros(runs), np.zeros(runs), np.zeros(runs)
        self.risen_at = np.full(runs, math.nan)
        self.incident_since = np.full(runs, math.nan)
        self.last_at = np.zeros(runs)

    def keep(self, which: Array) -> None:
        """Go on with these runs only."""
        for name, value in vars(self).items():
            if name in ("runs", "steps", "weight", "watched", "minimum", "risen_at", "incident_since", "last_at"):
                setattr(self, name, value[which])
            elif name == "_recent":
                self._recent = value[:, :, which]
            elif name == "steady":
                self.steady = [each[:, which] for each in value]
            elif isinstance(value, np.ndarray) and value.ndim > 1 and name not in ("_shares", "_max_rate", "_margin", "_max_ratio"):
                setattr(self, name, value if name == "_excess_steps" else value[:, which])

    def enter_step(self, which: Array, at: float, weight: Array, scale: Array, minimum: float = 0.0) -> None:
        """A step begins for these runs (indices, or ALL_RUNS). scale: how much weaker the rise after it may be certified."""
        self._close(np.arange(len(self.runs))[which], at)
        weight = np.broadcast_to(weight, self.weight[which].shape)
        scale = np.broadcast_to(scale if self.rule.risk_scaled else 1.0, weight.shape)
        self._relative_before[:, which] = self.relative[:, which]
        self.outside[:, which] += self._last_block[:, which]
        self._last_block[:, which] = 0.0
        self._outside_before[:, which] = self.outside[:, which]
        self.burning[:, which] = False
        self.steps[which] += 1
        self.risen_at[which] = np.where(weight > self.weight[which], at, self.risen_at[which])
        self.weight[which], self.watched[which], self.minimum[which], self.last_at[which] = weight, 0.0, minimum, at
        limit = np.minimum(self._max_rate * scale, np.maximum(self._max_rate, LARGEST_SCALED_RATE))
        self._promote_steps[:, which] = _bernoulli_steps(limit, SHORTFALLS)

    def look(self, at: float, canary: Array, baseline: Array, closes: Array | bool = True) -> Array:
        """What each run's look leads to, as a place in CAUSES. Counts are those of the open block; closes: which blocks this ends."""
        canary, baseline = np.array(canary, float), np.array(baseline, float)
        new_events = canary[..., 1] - self._open_canary[..., 1]
        self.event_looks += new_events > 0
        self.burning = self._is_burning(at, baseline)
        self._doubt(new_events, baseline - self._open_baseline)
        self._open_canary, self._open_baseline = canary, baseline
        closing = np.broadcast_to(closes, self.runs.shape)
        if closing.any():
            self._close(ALL_RUNS if closing.all() else np.flatnonzero(closing), at)
        is_incident = self.burning.any(axis=0)
        self.watched += np.where(is_incident, 0.0, at - self.last_at)
        self.last_at[:] = at
        self.incident_since = np.where(is_incident, np.where(np.isnan(self.incident_since), at, self.incident_since), math.nan)
        one_look = (new_events >= self.rule.one_look_events) | self._one_look_waits
        self._one_look_waits = one_look & self._remember_steady()
        return self._decide(at, one_look)

    def _doubt(self, new_events: Array, new_stable: Array) -> None:
        """Signs that stable's pods have not told of what the canary's have, as analysis/doubt.py sees them."""
        ahead = np.where(np.isnan(self.ahead) & (new_events > 0), 0.0, self.ahead)
        self.ahead = np.where(new_stable[..., 0] > 0, math.nan, ahead)
        trouble = self.burning | ((self._side(new_stable) > 0) & (new_stable[..., 1] >= incident.LEAST_EVENTS))
        self.trouble = np.where(np.isnan(self.trouble) & trouble, 0.0, self.trouble)

    def _remember_steady(self) -> Array:
        """Takes in what is beyond doubt; which gates and runs are in doubt."""
        doubtful = (self.ahead < BLOCKS) | (self.trouble < BLOCKS)
        now = (self.log_relative(), self.log_absolute(), self.log_relative(self.dispersion * self.rule.one_look_dispersion))
        self.steady = [np.where(doubtful, np.minimum(each, before), each) for each, before in zip(now, self.steady, strict=True)]
        return doubtful

    def log_relative(self, dispersion: Array | None = None) -> Array:
        """Evidence against "no worse than stable" by gate and run."""
        spread = self.dispersion if dispersion is None else dispersion
        whole = self.relative + relative_log_ratios(self._open_canary, self._open_baseline, self._margin, RATIOS)
        return self._with_fresh_start(log_mixture(whole, spread), log_mixture(whole - self._relative_before, spread))

    def log_absolute(self) -> Array:
        """Evidence against "within max_rate" by gate and run."""
        whole = self._judged_by_rate()
        step = whole - self._outside_before
        both = (log_mixture(_rate_log_ratios(each, self._excess_steps), self.dispersion) for each in (whole, step))
        return self._with_fresh_start(*both)

    def log_promote(self) -> Array:
        """Evidence against "not within the limit": the better of both tests, by gate and run."""
        by_rate = log_mixture(_rate_log_ratios(self._judged_by_rate(), self._promote_steps), self.dispersion)
        sums = self.promote_ratio + relative_log_ratios(self._open_canary, self._open_baseline, self._max_ratio, SHORTFALLS)
        return np.maximum(by_rate, log_mixture(sums, self.dispersion))

    def _judged_by_rate(self) -> Array:
        return self.outside + np.where(np.isnan(self.trouble)[..., None], self._last_block + self._open_canary, 0.0)

    def _with_fresh_start(self, whole: Array, step: Array) -> Array:
        later = (1.0 - WHOLE_RELEASE_SHARE) / np.maximum(self.steps, 1)
        own = np.where(self.steps > 1, later / np.maximum(self.steps - 1, 1), 0.0)
        with np.errstate(divide="ignore"):
            return np.logaddexp(np.logaddexp(math.log(WHOLE_RELEASE_SHARE) + whole, np.log(own) + step), np.log(later))

    def _close(self, which: Array, at: float) -> None:
        canary, baseline = self._open_canary[:, which], self._open_baseline[:, which]
        self.relative[:, which] += relative_log_ratios(canary, baseline, self._margin, RATIOS)
        self.promote_ratio[:, which] += relative_log_ratios(canary, baseline, self._max_ratio, SHORTFALLS)
        self.canary[:, which] += canary
        counted = (canary + baseline)[..., 0] > 0  # a block without any request is none
        quiet = np.isnan(self.trouble[:, which])
        self.outside[:, which] += np.where((quiet & counted)[..., None], self._last_block[:, which], 0.0)
        self._last_block[:, which] = np.where(counted[..., None], np.where(quiet[..., None], canary, 0.0), self._last_block[:, which])
        for signs, stays in ((self.ahead, False), (self.trouble, self.burning[:, which])):
            more = signs[:, which] + counted
            signs[:, which] = np.where((more >= BLOCKS) & ~np.asarray(stays) & counted, math.nan, more)
        start = math.floor(at / incident.BIN_SECONDS) * incident.BIN_SECONDS
        place = int(start / incident.BIN_SECONDS) % BINS
        if self._bin_starts[place] != start:
            self._recent[place] = 0.0
            self._bin_starts[place] = start
        self._recent[place][:, which] += baseline
        self._open_canary[:, which] = self._open_baseline[:, which] = 0.0

    def _is_burning(self, at: float, block: Array) -> Array:
        burning: Array = np.zeros(self.burning.shape, bool)
        open_question: Array = np.ones(self.burning.shape, bool)
        for seconds in (0.0, *incident.WINDOWS_SECONDS):
            inside = (self._bin_starts > at - seconds) & (self._bin_starts <= at) & (seconds > 0.0)
            counts = block + self._recent[inside].sum(axis=0)
            side = self._side(counts)
            burning |= open_question & (side > 0) & (counts[..., 1] >= incident.LEAST_EVENTS)
            open_question &= side == 0
        return burning

    def _side(self, counts: Array) -> Array:
        requests, events = counts[..., 0], counts[..., 1]
        rate = events / np.maximum(requests, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            nats = np.where(events > 0, events * np.log(rate / self._max_rate), 0.0)
            clean = (requests - events) * (np.log1p(-rate) - np.log1p(-self._max_rate))
        nats = nats + np.where(rate < 1.0, clean, 0.0)
        certain = (nats >= incident.CERTAINTY_NATS * self.dispersion) & (requests > 0)
        return np.where(certain, np.where(rate > self._max_rate, 1, -1), 0)

    def _decide(self, at: float, one_look: Array) -> Array:
        rule = self.rule
        relative, absolute, _one_look = self.steady
        certified = (self.log_promote() >= math.log(rule.promote_threshold)).all(axis=0)
        watching = (np.maximum(self.log_relative(), self.log_absolute()) >= math.log(rule.hold_at)).any(axis=0)
        cause = np.where(self.watched < self.minimum, MINIMUM, CERTIFIED)
        cause = np.where(certified, cause, NEEDS)
        cause = np.where(watching, WATCHING, cause)
        waits = (cause == WATCHING) | (cause == NEEDS)
        cause = np.where(waits & (self.watched - self.minimum >= rule.max_hold_seconds), MAX_HOLD, cause)
        since = self.incident_since
        ours = (since - self.risen_at > 0.0) & (since - self.risen_at <= rule.incident_after_rise_seconds)
        cause = np.where(~np.isnan(since), np.where(ours & (at - since >= rule.incident_grace_seconds), INCIDENT_BACK, INCIDENT), cause)
        cause = np.where(self._reached(self.steady[2], one_look, rule.relative_threshold), ONE_LOOK, cause)
        so_far = self.canary[..., 1] + self._open_canary[..., 1]
        enough = (so_far >= rule.min_events) & (self.event_looks >= rule.min_looks)
        harm = self._reached(relative, enough, rule.relative_threshold) | self._reached(absolute, enough, rule.absolute_threshold)
        return np.where(harm, HARM, cause)

    def _reached(self, evidence: Array, counted: Array, threshold: float) -> Array:
        total = np.logaddexp.reduce(np.where(counted, self._shares + evidence, -math.inf), axis=0)
        return total >= math.log(threshold)


def relative_log_ratios(canary: Array, baseline: Array, null_ratio: Array, factors: Sequence[float]) -> Array:
    """evidence.relative_log_ratios on arrays of counts; null_ratio: one row a gate."""
    n_c, a, n_b, b = canary[..., 0], canary[..., 1], baseline[..., 0], baseline[..., 1]
    usable = (a + b > 0) & (n_c > 0) & (n_b > 0)
    split = (null_ratio * np.where(usable, n_c / np.maximum(n_b, 1.0), 0.0))[..., None]
    grid = np.array(factors)
    return np.where(usable[..., None], a[..., None] * np.log(grid) + (a + b)[..., None] * np.log((1.0 + split) / (1.0 + split * grid)), 0.0)


def log_mixture(log_ratios: Array, dispersion: Array) -> Array:
    """evidence.log_mixture on arrays, alternatives last."""
    scaled = log_ratios / dispersion[..., None]
    top = scaled.max(axis=-1)
    return top + np.log(np.exp(scaled - top[..., None]).sum(axis=-1) / scaled.shape[-1])


def _bernoulli_steps(null_rate: Array, factors: Sequence[float]) -> Array:
    """Per alternative what one event and one clean request add; shape (gates, runs or 1, alternatives, 2)."""
    null = np.asarray(null_rate)[..., None]
    rates = np.minimum(null * np.array(factors), (1.0 + null) / 2.0)
    return np.stack([np.log(rates / null), np.log1p(-rates) - np.log1p(-null)], axis=-1)


def _rate_log_ratios(counts: Array, steps: Array) -> Array:
    events = counts[..., 1]
    clean = counts[..., 0] - events
    return events[..., None] * steps[..., 0] + clean[..., None] * steps[..., 1]
