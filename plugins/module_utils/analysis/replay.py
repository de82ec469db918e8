# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision rule on counts of the past: what it would have said, and how often of a version that was no worse. Pure.

In an A/A trial one part of stable plays the canary against the rest of it. Both run the same version, so every rollback is a false one:
the rate at which that happens on somebody's own data is what their data really cost, clusters of errors and all. A pod is the best
part to take, for whatever errs together stays together; where counters do not tell pods apart, requests are drawn at random,
and what comes in clusters is then spread more evenly than it is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from .dispersion import BLOCKS_OF_AN_HOUR, dispersion
from .look import NO_COUNTS, Counts, Look, MetricLook
from .rule import Rule
from .sequential import Sequential
from .verdict import ADVANCE, EVIDENCE_OF_HARM, HOLD, INCONCLUSIVE, ONE_LOOK_EVIDENCE, ROLL_BACK

MINUTE = 60.0
FALSE = (EVIDENCE_OF_HARM, ONE_LOOK_EVIDENCE)  # rollbacks that blame the version; those for a shared incident are counted apart
CANARY, STABLE = "canary", "stable"


@dataclass(frozen=True)
class Interval:
    """What was counted between the sample before and this one: gate -> part (a pod, or an arm) -> counts. at_seconds: Unix time."""

    at_seconds: float
    counts: Mapping[str, Mapping[str, Counts]]

    def of(self, gate: str, parts: Iterable[str]) -> Counts | None:
        """The counts of some parts together; None when none of them has any counter."""
        found = [self.counts[gate][part] for part in parts if part in self.counts.get(gate, {})]
        return sum(found, NO_COUNTS) if found else None

    def parts(self) -> set[str]:
        """Whoever counted something in this interval."""
        return {part for counts in self.counts.values() for part in counts}


@dataclass(frozen=True)
class Trial:
    """What the rule said of one window: decision and cause at its end or when it was certain, after how long, on what counts."""

    began_at: float
    canary: str
    decision: str
    cause: str
    seconds: float
    requests: int  # the canary's until then
    events: Mapping[str, int]  # the canary's, by gate


@dataclass(frozen=True)
class Summary:
    """Many trials. Shares are of all trials; the interval of a share holds with 95 % (Wilson)."""

    trials: int
    rolled_back: int
    incidents: int
    advanced: int
    undecided: int
    seconds_to_advance: float | None
    seconds_to_roll_back: float | None
    events_until_rolled_back: float | None

    @property
    def rolled_back_share(self) -> tuple[float, float, float]:
        """Share, lower and upper end."""
        return wilson(self.rolled_back, self.trials)


def trial(rule: Rule, window: Sequence[Interval], canary: str, others: frozenset[str]) -> Trial:
    """Give one part of the traffic to the rule as the canary's until it is certain or the window ends. Every interval is a closed look."""
    engine = Sequential(rule)
    share = _share(window, canary, others)
    began_at = window[0].at_seconds
    state = engine.enter_step(engine.start(), weight_percent=share, at_seconds=began_at, next_weight_percent=None)
    decision, cause, at, requests = HOLD, "", began_at, 0
    events = {gate.name: 0 for gate in rule.gates}
    for number, interval in enumerate(window[1:], 1):
        at = interval.at_seconds
        metrics = tuple(MetricLook(gate.name, interval.of(gate.name, [canary]), interval.of(gate.name, others)) for gate in rule.gates)
        state, finding = engine.judge(state, Look(number, at, share, metrics, closes_block=True))
        for one in metrics:
            events[one.gate] += one.canary.events if one.canary else 0
        requests += max((one.canary.requests for one in metrics if one.canary), default=0)
        decision, cause = finding.decision, finding.cause
        if decision in (ADVANCE, ROLL_BACK, INCONCLUSIVE):
            break
    return Trial(began_at, canary, decision, cause, at - began_at, requests, events)


def trials(
    rule_of: Callable[[Mapping[str, float]], Rule],
    intervals: Sequence[Interval],
    gates: Sequence[str],
    *,
    window_seconds: float,
    spoil: Callable[[Interval, str], Interval] | None = None,
) -> list[Trial]:
    """A trial for every part in every window of the past, one window after another.

    rule_of: gate -> dispersion in the hour before the window becomes the rule. spoil: makes the canary's counts worse.
    """
    made = []
    for first, window in windows(intervals, window_seconds):
        rule = rule_of(_dispersions(intervals[:first], gates, window[0].at_seconds))
        present = frozenset.intersection(*(frozenset(one.parts()) for one in window[1:]))
        for part in sorted(present):
            others = present - {part}
            if others:
                worse = [spoil(one, part) for one in window] if spoil else window
                made.append(trial(rule, worse, part, others))
    return made


def windows(intervals: Sequence[Interval], window_seconds: float) -> Iterable[tuple[int, Sequence[Interval]]]:
    """(index of its first interval, the intervals) of each whole window, side by side; a gap in the data ends one."""
    first = 0
    step = _step(intervals)
    for index in range(1, len(intervals)):
        if intervals[index].at_seconds - intervals[index - 1].at_seconds > 2.5 * step:
            first = index
        elif intervals[index].at_seconds - intervals[first].at_seconds >= window_seconds - 1e-6:
            yield first, intervals[first : index + 1]
            first = index


def summarise(made: Sequence[Trial]) -> Summary:
    """The trials counted by what came of them."""
    back = [one for one in made if one.decision == ROLL_BACK and one.cause in FALSE]
    incidents = [one for one in made if one.decision == ROLL_BACK and one.cause not in FALSE]
    onward = [one for one in made if one.decision == ADVANCE]
    return Summary(
        trials=len(made),
        rolled_back=len(back),
        incidents=len(incidents),
        advanced=len(onward),
        undecided=len(made) - len(back) - len(incidents) - len(onward),
        seconds_to_advance=median(one.seconds for one in onward) if onward else None,
        seconds_to_roll_back=median(one.seconds for one in back) if back else None,
        events_until_rolled_back=median(sum(one.events.values()) for one in back) if back else None,
    )


def split_at_random(intervals: Iterable[Interval], share: float, seed: int) -> list[Interval]:
    """Requests of all parts together, dealt to canary and stable at random: a share of each kind, as independent requests would fall."""
    draw = random.Random(seed)
    dealt = []
    for interval in intervals:
        counts = {}
        for gate, parts in interval.counts.items():
            whole = sum(parts.values(), NO_COUNTS)
            events = binomial(draw, whole.events, share)
            canary = Counts(events + binomial(draw, whole.requests - whole.events, share), events)
            counts[gate] = {CANARY: canary, STABLE: whole - canary}
        dealt.append(Interval(interval.at_seconds, counts))
    return dealt


def worsened(ratio: float, base: Mapping[str, float], seed: int) -> Callable[[Interval, str], Interval]:
    """What makes a part err ratio times as often as it did: of its good requests so many more become events. base: gate -> stable's rate."""
    draw = random.Random(seed)

    def spoil(interval: Interval, part: str) -> Interval:
        counts = {gate: dict(parts) for gate, parts in interval.counts.items()}
        for gate, parts in counts.items():
            if part in parts:
                good = parts[part].requests - parts[part].events
                extra = min(1.0, (ratio - 1.0) * base.get(gate, 0.0) / max(1e-12, 1.0 - base.get(gate, 0.0)))
                parts[part] = Counts(parts[part].requests, parts[part].events + binomial(draw, good, extra))
        return Interval(interval.at_seconds, counts)

    return spoil


def rate(intervals: Iterable[Interval], gate: str) -> float:
    """Events by request of all parts together."""
    found = [one for one in (interval.of(gate, interval.parts()) for interval in intervals) if one]
    return sum(found, NO_COUNTS).rate


def binomial(draw: random.Random, number: int, chance: float) -> int:
    """A draw from Binomial(number, chance): exact below 1,000 expected on either side, else its normal approximation."""
    if number <= 0 or chance <= 0.0:
        return 0
    if chance >= 1.0:
        return number
    if chance > 0.5:
        return number - binomial(draw, number, 1.0 - chance)
    expected = number * chance
    if expected > 1000.0:
        return min(number, max(0, round(draw.gauss(expected, math.sqrt(expected * (1.0 - chance))))))
    hits, at = 0, 0.0  # the gaps between hits are geometric: as many draws as hits
    log_miss = math.log1p(-chance)
    while True:
        at += math.floor(min(math.log(1.0 - draw.random()) / log_miss, number)) + 1
        if at > number:
            return hits
        hits += 1


def wilson(hits: int, of: int) -> tuple[float, float, float]:
    """A share and its 95 % interval (Wilson 1927); 0..1 without trials."""
    if not of:
        return 0.0, 0.0, 1.0
    z = NormalDist().inv_cdf(0.975)
    share, width = hits / of, z * z / of
    middle = (share + width / 2) / (1 + width)
    half = z * math.sqrt(share * (1 - share) / of + width / (4 * of)) / (1 + width)
    return share, max(0.0, middle - half), min(1.0, middle + half)


def _share(window: Sequence[Interval], canary: str, others: Iterable[str]) -> float:
    """The part's percentage of the requests, by the gate that counts most."""
    mine, rest = _most(window, [canary]), _most(window, list(others))
    return 100.0 * mine / (mine + rest) if mine + rest else 50.0


def _most(window: Sequence[Interval], parts: Sequence[str]) -> int:
    totals = [sum((one.of(gate, parts) or NO_COUNTS for one in window[1:]), NO_COUNTS).requests for gate in window[-1].counts]
    return max(totals, default=0)


def _dispersions(before: Sequence[Interval], gates: Iterable[str], at_seconds: float) -> dict[str, float]:
    """As a release measures it: from the one-minute blocks of the hour before; 1.0 with less than that."""
    hour = [one for one in before if one.at_seconds > at_seconds - MINUTE * BLOCKS_OF_AN_HOUR]
    found = {}
    for gate in gates:
        minutes: dict[int, Counts] = {}
        for one in hour:
            counts = one.of(gate, one.parts())
            if counts:
                minute = int(one.at_seconds // MINUTE)
                minutes[minute] = minutes.get(minute, NO_COUNTS) + counts
        found[gate] = dispersion([minutes[minute] for minute in sorted(minutes)]).value
    return found


def _step(intervals: Sequence[Interval]) -> float:
    gaps = [second.at_seconds - first.at_seconds for first, second in zip(intervals, intervals[1:])]
    return median(gaps) if gaps else math.inf
