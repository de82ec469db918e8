# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the error budget says before the start: how the release may go, in which steps, and what it may cost.

The answer is kept in the record's target, and the spec stays what the user wrote: a release that is resumed goes on as it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..analysis import budget
from ..analysis.budget import ASK, CAREFUL, NORMAL, REFUSE
from ..analysis.burn_rate import HOUR
from ..metrics.catalogue import Arms
from ..metrics.prometheus import BadQuery, MetricsError, Prometheus
from ..metrics.slo import NoData, Objective, SloReading
from ..metrics.sources import source_named
from .parts import StepSpec
from .slo_spec import FIELD, RAW, SloSpec
from .source_spec import OwnSource
from .spec import Spec
from .target import Findings, Target
from .values import Problem, spoken_seconds

LOOK_SECONDS = {"pods": 1.0}  # by source of counters; of those in Prometheus a usual scrape interval
USUAL_LOOK_SECONDS = 15.0
CAREFUL_FACTOR = 2  # times the requests
STEPPED = ("canary", "rolling")  # strategies whose rises can be made smaller


@dataclass(frozen=True)
class BudgetPlan:
    """How to go (normal or careful), why, what was overridden, and the failures beyond stable's that the release may cause.

    first_percent: the largest first weight at which a version that fails every request costs no more; None where that is no limit.
    """

    word: str
    why: str
    override: str | None = None
    allowed: float | None = None
    first_percent: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, as the record keeps it."""
        return asdict(self)


def budget_plan(spec: Spec, found: Findings, transport: Any, problems: list[Problem]) -> BudgetPlan | None:
    """What the budget lets the release do; None without release_slo. Adds to problems where it must not begin."""
    slo = spec.slo
    if slo is None:
        return None
    per_second = max((each.per_second for each in found.gates.values()), default=0.0)
    try:
        reading = Objective(Prometheus(transport), slo, arms_of(found.target, spec.own_source)).read(per_second)
    except BadQuery as error:
        problems.append(Problem(FIELD, slo.source, f"an objective that Prometheus answers with one number each: {error}"))
        return None
    except NoData as error:
        return _blind(slo, error, problems)
    except (MetricsError, ValueError) as error:
        where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
        problems.append(Problem("release_prometheus", where, f"a Prometheus that answers: {error}"))
        return None
    choice = budget.choose(reading.remaining, reading.long_burn, reading.short_burn)
    why = choice.why
    if slo.source == RAW and reading.known_seconds is not None and reading.known_seconds < 0.95 * slo.period_seconds:
        known = "less than an hour" if reading.known_seconds < HOUR else spoken_seconds(reading.known_seconds)
        why += f" (of the {spoken_seconds(slo.period_seconds)} Prometheus remembers {known})"
    if choice.word in (ASK, REFUSE) and slo.budget_override is None:
        problems.append(Problem(FIELD, why, _wanted(choice.word)))
        return None
    return _spending(spec, choice.word, why, reading=reading, per_second=per_second, source=found.target.metrics_source)


def arms_of(target: Target, own: OwnSource | None = None) -> Arms | None:
    """Whose counters in Prometheus are this release's; None where they are not there. own: where the user names them."""
    if target.metrics_source is None or source_named(target.metrics_source, own) is None:
        return None
    return Arms.of(
        target.metrics_source,
        namespace=target.namespace,
        workload=target.workload,
        service=target.service,
        revision=target.revision,
        canary=target.canary,
        kind=target.workload_kind,
        own=own,
    )


def _spending(spec: Spec, word: str, why: str, *, reading: SloReading, per_second: float, source: str | None) -> BudgetPlan | None:
    """What the release may cost, and at which weight it begins at most."""
    slo = spec.slo
    if slo is None:
        return None
    allowed = first = None
    if reading.requests is not None:
        allowed = budget.allowance(slo.allowance, reading.remaining, slo.budget, reading.requests)
        look = LOOK_SECONDS.get(source or "", USUAL_LOOK_SECONDS)
        largest = int(budget.largest_first_weight(allowed, per_second, look))
        first = max(1, largest) if spec.strategy == "canary" and largest < spec.steps[0].weight_percent else None
    overridden = slo.budget_override if word in (ASK, REFUSE) else None
    return BudgetPlan(NORMAL if word == NORMAL else CAREFUL, why, overridden, allowed, first)


def effective(spec: Spec, saved: Mapping[str, Any] | None) -> Spec:
    """The spec as the budget lets it go: smaller rises, more requests, a watch after the switch."""
    if spec.slo is None or saved is None:
        return spec
    found = BudgetPlan(**saved)
    steps = spec.steps
    if found.first_percent is not None and found.first_percent < steps[0].weight_percent:
        steps = (replace(steps[0], weight_percent=found.first_percent, approve=False), *steps)
    careful = found.word == CAREFUL
    if careful and spec.strategy in STEPPED:
        steps = _halved(steps)
    verify = max(spec.verify_seconds, spec.slo.watch_seconds)
    return replace(spec, steps=steps, verify_seconds=verify, requests_factor=CAREFUL_FACTOR if careful else 1)


def lines(spec: Spec, saved: Mapping[str, Any] | None) -> list[str]:
    """What the plan says of the budget."""
    if spec.slo is None or saved is None:
        return []
    found, slo = BudgetPlan(**saved), spec.slo
    period = spoken_seconds(slo.period_seconds)
    said = [f"  objective {100 * slo.objective:g} % over {period}, {slo.source}: {found.word}; {found.why}"]
    if found.override is not None:
        said.append(f"  the budget speaks against it; overridden: {found.override}")
    if found.allowed is not None:
        first = f", first weight {found.first_percent} %" if found.first_percent is not None else ""
        share = f"{100 * slo.allowance:g} % of what is left"
        said.append(f"  may cost {found.allowed:,.3g} failures beyond stable's ({share}){first}")
    if slo.watch_seconds:
        part = spoken_seconds(slo.watch_seconds / 12)
        said.append(f"  at 100 % traffic returns when {spoken_seconds(slo.watch_seconds)} and {part} burn 14.4 times too fast")
    return said


def _blind(slo: SloSpec, error: NoData, problems: list[Problem]) -> BudgetPlan | None:
    """Nobody knows what is left: no reason to believe that something is."""
    if slo.budget_override is None:
        allowed = f"an objective with data, or {FIELD}.budget_override with a reason, which the record keeps"
        problems.append(Problem(FIELD, str(error), allowed))
        return None
    return BudgetPlan(CAREFUL, f"nobody knows what is left of the error budget: {error}", slo.budget_override)


def _wanted(word: str) -> str:
    least = f"{100 * budget.SOME:g} % or more" if word == ASK else "something left, and no incident"
    return f"{least}; wait, or give {FIELD}.budget_override a reason, which the record keeps"


def _halved(steps: tuple[StepSpec, ...]) -> tuple[StepSpec, ...]:
    """Every rise in two; a new step bakes as long as the one it leads to, and needs no approval of its own."""
    made: list[StepSpec] = []
    for weight in budget.halved(tuple(step.weight_percent for step in steps)):
        following = next(step for step in steps if step.weight_percent >= weight)
        made.append(following if following.weight_percent == weight else replace(following, weight_percent=weight, approve=False))
    return tuple(made)
