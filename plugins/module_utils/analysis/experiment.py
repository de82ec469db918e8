# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether two groups convert at different rates, looked at as often as one likes. Pure.

Two-sided use of the conditional test of the sequential rule (evidence.relative_log_ratios): given a conversion, it is B's with
probability q = ratio*n_b/(ratio*n_b + n_a), so that a rate that is common to both, however it moves over the day, cancels. Two
mixtures are kept, one of ratios above 1 and one of ratios below; half of the larger one is the evidence, and it reaches 1/alpha
with a chance of at most alpha when the rates are equal, however often it is read (Ville's inequality, twice). Counts may be of
Bernoulli trials (conservative) or of Poisson events, of which a request may have several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

from .evidence import as_number, log_mixture, relative_log_ratios

RISES = (1.01, 1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 6.0)
"""Alternatives, as ratios of the rates: what an experiment is made to find is small. Falls are their reciprocals."""
FALLS = tuple(1.0 / rise for rise in RISES)
LARGEST_RATIO = 1e4
HALVINGS = 40
SEQUENTIAL_FACTOR = 2.0
"""After how many times the requests of a test that is read once four of five experiments have found the effect: 1.7 to 2.1 in a
simulation (alpha 1 %, rates of 2 and 10 %, effects of 10 and 20 %, shares of 20 and 50 %)."""


@dataclass(frozen=True)
class Tally:
    """Requests (or visitors) of one group and their conversions; there may be more conversions than requests.

    Raises ValueError for a negative number.
    """

    requests: int = 0
    events: int = 0

    def __post_init__(self) -> None:
        if self.requests < 0 or self.events < 0:
            raise ValueError(f"counts are not negative: {self.events} of {self.requests}")

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.requests + other.requests, self.events + other.events)

    @property
    def rate(self) -> float:
        """Conversions by request, 0.0 without requests."""
        return self.events / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Experiment:
    """All that is remembered: the totals, the log-sums of each alternative look by look, the largest evidence so far."""

    a: Tally = Tally()
    b: Tally = Tally()
    rises: tuple[float, ...] = (0.0,) * len(RISES)
    falls: tuple[float, ...] = (0.0,) * len(FALLS)
    log_largest: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON; ``from_dict`` gives back an equal state."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Experiment:
        """The state that ``to_dict`` wrote."""
        return cls(Tally(**saved["a"]), Tally(**saved["b"]), tuple(saved["rises"]), tuple(saved["falls"]), log_largest=saved["log_largest"])


@dataclass(frozen=True)
class Comparison:
    """What the counts say at a confidence of 1 - alpha.

    ratio is B's rate by A's (None while A has none), difference B's minus A's; low and high bound the ratio at all times (high is
    None while nothing does). winner is "b", "a" or "none". evidence is the e-value now, p_value the anytime-valid p of all looks.
    """

    ratio: float | None
    difference: float
    low: float
    high: float | None
    winner: str
    evidence: float
    p_value: float

    @property
    def largest_difference(self) -> float | None:
        """No relative difference is larger than this, at the confidence of the interval; None while that is not bounded."""
        return None if self.high is None else max(self.high - 1.0, 1.0 - self.low, 0.0)

    def is_not_worse_than(self, share: float) -> bool:
        """Whether B converts, at the confidence of the interval, at least 1 - share times as often as A."""
        return self.low >= 1.0 - share


def look(before: Experiment, a: Tally, b: Tally, dispersion: float = 1.0) -> Experiment:
    """The state after so many more counts of each group. dispersion: how much more they vary than independent ones would."""
    after = replace(
        before,
        a=before.a + a,
        b=before.b + b,
        rises=_plus(before.rises, relative_log_ratios(b, a, 1.0, RISES)),
        falls=_plus(before.falls, relative_log_ratios(b, a, 1.0, FALLS)),
    )
    return replace(after, log_largest=max(before.log_largest, _log_evidence(after, dispersion)))


def compare(state: Experiment, alpha: float, dispersion: float = 1.0) -> Comparison:
    """The comparison at a confidence of 1 - alpha.

    The evidence is summed look by look; the interval is taken from the totals, which is the same as long as the groups' shares of
    the requests stand. Where the two differ by a rounding the test is right: the interval is cut or stretched to 1.
    Raises ValueError unless 0 < alpha < 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    log_evidence = _log_evidence(state, dispersion)
    low, high = interval(state.a, state.b, alpha, dispersion)
    winner = "none"
    if log_evidence >= math.log(1.0 / alpha):
        winner = "b" if log_mixture(state.rises, dispersion) > log_mixture(state.falls, dispersion) else "a"
    if winner == "b":
        low = max(low, 1.0)
    elif winner == "a":
        high = 1.0 if high is None else min(high, 1.0)
    else:
        low, high = min(low, 1.0), None if high is None else max(high, 1.0)
    return Comparison(
        ratio=state.b.rate / state.a.rate if state.a.events and state.b.requests else None,
        difference=state.b.rate - state.a.rate,
        low=low,
        high=high,
        winner=winner,
        evidence=as_number(log_evidence),
        p_value=min(1.0, math.exp(-state.log_largest)),
    )


def interval(a: Tally, b: Tally, alpha: float, dispersion: float = 1.0) -> tuple[float, float | None]:
    """Ratios of the rates that are not rejected: they hold the true one at all times with a chance of at least 1 - alpha.

    Each end is a one-sided test at alpha/2. The upper end is None while it is not bounded.
    """
    needed = math.log(2.0 / alpha)

    def rejects(log_ratio: float, factors: Sequence[float]) -> bool:
        return log_mixture(relative_log_ratios(b, a, math.exp(log_ratio), factors), dispersion) >= needed

    edge = math.log(LARGEST_RATIO)
    low = _boundary(lambda x: rejects(x, RISES), -edge, edge)
    high = _boundary(lambda x: rejects(x, FALLS), edge, -edge)
    return (0.0 if low is None else math.exp(low)), (None if high is None else math.exp(high))


def requests_for(rate: float, effect: float, *, share: float = 0.5, alpha: float = 0.05, power: float = 0.8) -> tuple[float, float]:
    """(A's, B's) requests after which a test that is read once finds B's rate to be rate*(1 + effect).

    n_b = (z_{1-alpha/2} + z_{power})^2 * (p_b(1-p_b) + p_a(1-p_a)/r) / (p_a - p_b)^2 with r = n_a/n_b = (1 - share)/share, share being
    B's part of the requests. Rates above 1 (several conversions by request) count as Poisson's, whose variance is the rate.
    Raises ValueError unless 0 < rate, 0 < share < 1, effect != 0 and effect > -1.
    """
    if rate <= 0.0 or not 0.0 < share < 1.0 or effect == 0.0 or effect <= -1.0:
        raise ValueError(f"no sample size for rate {rate}, effect {effect}, share {share}")
    other = rate * (1.0 + effect)
    normal = NormalDist()
    z = normal.inv_cdf(1.0 - alpha / 2.0) + normal.inv_cdf(power)
    times = (1.0 - share) / share
    needed = z * z * (_variance(other) + _variance(rate) / times) / (rate - other) ** 2
    return needed * times, needed


def seconds_for(rate: float, effect: float, per_second: float, *, share: float, alpha: float, dispersion: float = 1.0) -> float:
    """Seconds until four of five experiments that may be read at any time have found the effect; ``inf`` without traffic."""
    if per_second <= 0.0 or rate <= 0.0:
        return math.inf
    a, b = requests_for(rate, effect, share=share, alpha=alpha)
    return SEQUENTIAL_FACTOR * dispersion * (a + b) / per_second


def _variance(rate: float) -> float:
    return rate * (1.0 - rate) if rate < 1.0 else rate


def _log_evidence(state: Experiment, dispersion: float) -> float:
    return max(log_mixture(state.rises, dispersion), log_mixture(state.falls, dispersion)) - math.log(2.0)


def _plus(sums: tuple[float, ...], more: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(one + other for one, other in zip(sums, more))


def _boundary(rejects: Any, rejected_end: float, open_end: float) -> float | None:
    """Where rejection ends, searched from the end that should be rejected; None when that one is not."""
    if not rejects(rejected_end):
        return None
    outside, inside = rejected_end, open_end
    for _halving in range(HALVINGS):
        middle = (outside + inside) / 2.0
        if rejects(middle):
            outside = middle
        else:
            inside = middle
    return outside
