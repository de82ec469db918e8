# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release asks of its gates: limits, certainty and patience."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS_NEVER = float("inf")


@dataclass(frozen=True)
class Gate:
    """One counted metric and its limits.

    ``max_rate``: events per request that are still acceptable (0 < max_rate < 1).
    ``share``: this gate's part of alpha; shares are normalised over the rule's gates.
    ``margin``: canary/baseline rate ratio up to which the canary is not called worse.
    ``max_ratio``: ratio that must be ruled out when the rate itself cannot be certified.
    ``dispersion``: how many times more the baseline's counts vary than Poisson counts (see ``dispersion.py``), at least 1.
    ``budget``: error budget (1 - SLO) as events per request; with it a baseline burning 14.4 times its budget over five
    minutes is a shared incident too.
    ``event_word``: what the operator calls an event, in the plural.
    Raises ValueError for values outside these ranges.
    """

    name: str
    max_rate: float
    share: float = 1.0
    margin: float = 1.5
    max_ratio: float = 2.0
    dispersion: float = 1.0
    budget: float | None = None
    event_word: str = "errors"

    def __post_init__(self) -> None:
        if not 0.0 < self.max_rate < 1.0:
            raise ValueError(f"gate {self.name}: max_rate must lie between 0 and 1, not {self.max_rate}")
        if not 0.0 < self.share < SECONDS_NEVER:
            raise ValueError(f"gate {self.name}: share must be positive, not {self.share}")
        if not 1.0 <= self.margin < SECONDS_NEVER:
            raise ValueError(f"gate {self.name}: margin must be at least 1, not {self.margin}")
        if not 1.0 < self.max_ratio < SECONDS_NEVER:
            raise ValueError(f"gate {self.name}: max_ratio must be above 1, not {self.max_ratio}")
        if not 1.0 <= self.dispersion < SECONDS_NEVER:
            raise ValueError(f"gate {self.name}: dispersion must be at least 1, not {self.dispersion}")
        if self.budget is not None and not 0.0 < self.budget < 1.0:
            raise ValueError(f"gate {self.name}: budget must lie between 0 and 1, not {self.budget}")


@dataclass(frozen=True)
class Rule:
    """The recommended rule's knobs. Times are seconds on the looks' own clock.

    ``alpha``: chance, per release, to roll a version back that is no worse than ``margin`` allows and within ``max_rate``;
    ``relative_share`` of it goes to the comparison with the baseline, the rest to the absolute limit (125 and 500 by default).
    ``beta``: chance to certify a version that is not within the limit.
    ``hold_at``: evidence at which the weight is held.
    ``min_events``, ``min_looks``: canary events, and looks that brought new ones, before harm is called.
    ``one_look_events``, ``one_look_dispersion``: a single look suffices with this many events when the evidence holds even
    with a dispersion so many times larger.
    ``minimum_seconds``: least time at a step. ``max_hold_seconds``: longest wait beyond it before ``inconclusive``.
    ``no_data_seconds``: longest time without usable data before ``inconclusive``.
    ``incident_grace_seconds``: longest shared incident that began after our own rise before traffic is returned.
    ``incident_after_rise_seconds``: an incident that begins later than this after our own last rise is somebody else's: it only holds.
    ``fix_forward``: the release is the cure of a running incident: judge by the ratio alone.
    ``risk_scaled``: rises to a weight below 50 % need proportionally weaker certification.
    """

    gates: tuple[Gate, ...]
    alpha: float = 0.01
    relative_share: float = 0.8
    beta: float = 0.05
    hold_at: float = 10.0
    min_events: int = 3
    min_looks: int = 2
    one_look_events: int = 10
    one_look_dispersion: float = 5.0
    minimum_seconds: float = 0.0
    max_hold_seconds: float = 1800.0
    no_data_seconds: float = 120.0
    incident_grace_seconds: float = 120.0
    incident_after_rise_seconds: float = 300.0
    fix_forward: bool = False
    risk_scaled: bool = True

    def __post_init__(self) -> None:
        names = [gate.name for gate in self.gates]
        if not names:
            raise ValueError("a rule needs at least one gate")
        if len(set(names)) != len(names):
            raise ValueError(f"gate names must differ: {', '.join(names)}")
        for word in ("alpha", "relative_share", "beta"):
            if not 0.0 < getattr(self, word) < 1.0:
                raise ValueError(f"{word} must lie between 0 and 1, not {getattr(self, word)}")
        if not self.hold_at > 1.0:
            raise ValueError(f"hold_at must be above 1, not {self.hold_at}")
        if not self.one_look_dispersion >= 1.0:
            raise ValueError(f"one_look_dispersion must be at least 1, not {self.one_look_dispersion}")

    @property
    def relative_threshold(self) -> float:
        """Evidence against "no worse than stable" that rolls back."""
        return 1.0 / (self.alpha * self.relative_share)

    @property
    def absolute_threshold(self) -> float:
        """Evidence against "within max_rate" that rolls back."""
        return 1.0 / (self.alpha * (1.0 - self.relative_share))

    @property
    def promote_threshold(self) -> float:
        """Evidence against "not within the limit" that lets the weight rise."""
        return 1.0 / self.beta

    def weight_of(self, gate: Gate) -> float:
        """The gate's normalised share of alpha."""
        return gate.share / sum(each.share for each in self.gates)
