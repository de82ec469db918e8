# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a checked spec to steps. A plan is data: it can be printed, compared and replayed. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..traffic.route import HOME, Route
from .approvals import ApprovalSpec
from .ending import PASSED, PROMOTED
from .parts import StepSpec
from .spec import Spec
from .webhooks_spec import CONFIRM_INCREASE, CONFIRM_PROMOTION, CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT


@dataclass(frozen=True)
class Step:
    """One step. weight_percent and mirror_percent are the canary's shares while it lasts; seconds its least time (bake, verify)."""

    # validate, deploy, check, match, ab, mirror, weight, bake, analyze, approve, experiment, switch, verify, promote, warm, clean_up
    # or the type of the webhooks that are asked
    kind: str
    name: str
    weight_percent: int = 0
    seconds: float = 0.0
    next_weight_percent: int | None = None  # weight, mirror, analyze: where an advance leads
    mirror_percent: int = 0
    size_percent: int = 0  # deploy, weight, mirror, switch: how much of stable's size the canary needs
    approval: ApprovalSpec | None = None  # approve: who has to; None: anybody may

    def to_dict(self) -> dict[str, Any]:
        """The step as JSON; approval only where somebody is named."""
        made = asdict(self)
        return {key: value for key, value in made.items() if key != "approval" or value}


def canary_steps(spec: Spec) -> list[Step]:
    """Matched requests first, then for each weight: shift, bake, judge; at 100 watch the twin, then promote and clean up."""
    shares = [one.weight_percent for one in spec.steps]
    steps = [Step("validate", "validate"), Step("deploy", "deploy", size_percent=shares[0])]
    if spec.matches:
        steps.append(Step("match", "match"))
        steps += [Step("bake", "bake-match", 0, spec.match_seconds)] if spec.match_seconds else []
    for one, following in zip(spec.steps, [*shares[1:], None]):
        steps += _weight(one, following, judged=bool(spec.gates))
    steps.append(Step("verify", "verify", 100, max(spec.verify_seconds, spec.steps[-1].bake_seconds)))
    return steps + home_again(spec)


def blue_green_steps(spec: Spec) -> list[Step]:
    """Green at full size, all traffic at once, a watch while blue is whole and warm, then promote and clean up."""
    return [
        Step("validate", "validate"),
        Step("deploy", "deploy", size_percent=100),
        Step("switch", "switch", 100, size_percent=100),
        Step("verify", "verify", 100, spec.verify_seconds),
        *home_again(spec),
    ]


def ab_test_steps(spec: Spec) -> list[Step]:
    """B gets its group of the requests and is compared; then it goes, or, where it may win, gets everybody."""
    ab = spec.ab
    if ab is None:
        raise ValueError("an experiment without release_ab")
    share = ab.share_percent if ab.cookie else 0  # how many requests match is not ours to say
    steps = [
        Step("validate", "validate"),
        Step("deploy", "deploy", size_percent=ab.share_percent),
        Step("ab", "ab", share, size_percent=ab.share_percent),
        Step("experiment", "experiment", share, ab.seconds or ab.at_least_seconds),
    ]
    if not ab.promotes:
        return [*steps, Step("clean_up", "clean_up")]
    return [*steps, Step("switch", "switch", 100, size_percent=100), Step("verify", "verify", 100, spec.verify_seconds), *home_again(spec)]


def shadow_steps(spec: Spec) -> list[Step]:
    """For each share: copy that many requests to the canary, bake, judge. Its answers never reach anybody."""
    shares = [one.weight_percent for one in spec.steps]
    steps = [Step("validate", "validate"), Step("deploy", "deploy", size_percent=shares[0])]
    for one, following in zip(spec.steps, [*shares[1:], None]):
        share = one.weight_percent
        steps.append(Step("mirror", f"mirror-{share}", 0, 0.0, following, share, share))
        steps += [Step("bake", f"bake-{share}", 0, one.bake_seconds, None, share)] if one.bake_seconds else []
        steps.append(Step("analyze", f"analyze-{share}", 0, 0.0, following, share))
        steps += _approval(one)
    return [*steps, Step("clean_up", "clean_up")]


def rolling_steps(spec: Spec) -> list[Step]:
    """For each share of the pods: replace, bake, judge; then the watch with all of them new."""
    shares = [one.weight_percent for one in spec.steps]
    steps = [Step("validate", "validate")]
    for one, following in zip(spec.steps, [*shares[1:], None]):
        share = one.weight_percent
        steps.append(Step("roll", f"roll-{share}", share, 0.0, following, size_percent=share))
        if following is not None:
            steps += [Step("bake", f"bake-{share}", share, one.bake_seconds)] if one.bake_seconds else []
            steps += [Step("analyze", f"analyze-{share}", share, 0.0, following)] if spec.gates else []
            steps += _approval(one)
    return [*steps, Step("verify", "verify", 100, max(spec.verify_seconds, spec.steps[-1].bake_seconds)), Step("clean_up", "clean_up")]


def _weight(one: StepSpec, following: int | None, *, judged: bool) -> list[Step]:
    weight = one.weight_percent
    steps = [Step("weight", f"weight-{weight}", weight, 0.0, following, size_percent=weight)]
    if following is None:
        return steps  # the watch at 100 is the step verify
    if one.bake_seconds:
        steps.append(Step("bake", f"bake-{weight}", weight, one.bake_seconds))
    if judged:
        steps.append(Step("analyze", f"analyze-{weight}", weight, 0.0, following))
    return steps + _approval(one)


def _approval(one: StepSpec) -> list[Step]:
    return [Step("approve", f"approve-{one.weight_percent}", one.weight_percent, approval=one.approval)] if one.approve else []


def home_again(spec: Spec) -> list[Step]:
    """Stable takes the version and the twin goes; or the new Deployment takes the old one's place, which goes after its warm time."""
    warm = [Step("warm", "warm", 100, spec.swap.warm_seconds)] if spec.swap else []
    return [Step("promote", "promote", 100), *warm, Step("clean_up", "clean_up")]


ROUTED = ("match", "ab", "mirror", "weight", "switch")  # kinds of step that put a route
TRAFFIC = (*ROUTED, "roll")  # kinds of step that give the canary its share
STRATEGIES = {
    "canary": canary_steps,
    "blue_green": blue_green_steps,
    "ab_test": ab_test_steps,
    "shadow": shadow_steps,
    "rolling": rolling_steps,
}
# what a strategy asks of a router
NEEDS = {"canary": "weight", "blue_green": "switch", "ab_test": "match", "shadow": "mirror", "rolling": "switch"}


def plan(spec: Spec) -> list[Step]:
    """The steps of the spec's strategy, with its checks after the canary is there and before it gets traffic.

    Approvals of release_approve stand after the checks, and after the watch at 100 %, where the last step's own stands, too.
    """
    steps = STRATEGIES[spec.strategy](spec)
    there = 1 + next((index for index, step in enumerate(steps) if step.kind == "deploy"), 0)
    before = [Step("check", check.step_name) for check in spec.checks]
    asked = spec.control.asked
    before += [Step("approve", "approve-traffic", approval=asked.get("traffic"))] if "traffic" in spec.control.approve else []
    steps = [*steps[:there], *before, *steps[there:]]
    if "promote" in spec.control.approve or (spec.steps and spec.steps[-1].approve and spec.strategy in ("canary", "rolling")):
        over = 1 + next(index for index, step in enumerate(steps) if step.kind == "verify")
        last = spec.steps[-1].approval if spec.steps else None
        steps.insert(over, Step("approve", "approve-promote", 100, approval=asked.get("promote") or last))
    return _with_webhooks(steps, {one.type for one in spec.webhooks})


def _with_webhooks(steps: list[Step], types: set[str]) -> list[Step]:
    """The steps with those that ask webhooks: before anything, before the first requests, before each rise, before the promotion."""
    made: list[Step] = []
    has_requests = False

    def ask(kind: str, name: str, weight_percent: int = 0) -> None:
        if kind in types:
            made.append(Step(kind, name, weight_percent))

    share = 0
    for step in steps:
        if step.kind in TRAFFIC:
            if has_requests:
                ask(ROLLOUT, f"agree-{step.name}", share)
            else:
                ask(PRE_ROLLOUT, PRE_ROLLOUT)
            if step.kind != "mirror":  # copies are no rise
                ask(CONFIRM_INCREASE, f"confirm-{step.name}", share)
            has_requests, share = True, step.weight_percent
        made.append(step)
        if step.kind == "validate":
            ask(CONFIRM_ROLLOUT, CONFIRM_ROLLOUT)
        elif step.kind == "verify":
            ask(ROLLOUT, "agree-promotion", 100)
            ask(CONFIRM_PROMOTION, CONFIRM_PROMOTION, 100)
    return made


def promotes(spec: Spec) -> bool:
    """Whether stable takes the version at the end, if all goes well."""
    return any(step.kind in ("promote", "roll") for step in plan(spec))


def route_of(spec: Spec, step: Step) -> Route:
    """The route that a step which gives the canary its share asks for."""
    if spec.strategy == "rolling":
        return HOME  # the Service selects old and new pods alike
    return Route(step.weight_percent, spec.matches, step.mirror_percent, spec.sticky if step.kind == "ab" else None)


def ending(spec: Spec, sentence: str = "") -> tuple[str, str]:
    """How a release ends whose steps were all done: outcome and reason. sentence: what an experiment has shown."""
    if not promotes(spec) and spec.ab is not None:
        return PASSED, f"{sentence}; stable serves all traffic"
    if spec.strategy == "shadow":
        return PASSED, f"{spec.image} stood {spec.steps[-1].weight_percent} % of the requests as copies; stable serves all traffic"
    return PROMOTED, f"{spec.image} serves all traffic"


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changed between two specs, field by field, as 'field: old -> new'. Calendars may change while a release is under way."""
    keys = sorted({*before, *after} - {"calendar"})
    return [f"{key}: {before.get(key)!r} -> {after.get(key)!r}" for key in keys if before.get(key) != after.get(key)]
