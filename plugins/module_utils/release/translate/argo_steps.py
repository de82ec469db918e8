# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a Rollout's canary as steps of a release. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .argo_analysis import Moment, analysis
from .draft import Draft, shadow_steps
from .queries import seconds_of

JSON = dict[str, Any]
KINDS = ("setWeight", "pause", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "analysis", "experiment", "plugin")
SHADOW = (
    "a release of its own: run it with release_strategy: shadow, which copies requests and promotes nothing, then again without this step "
    "(release_from.leave_out)"
)


@dataclass
class _Walk:
    """What the steps so far have come to. weight None: none so far."""

    steps: list[JSON] = field(default_factory=list)
    matches: list[JSON] = field(default_factory=list)
    match_seconds: float = 0.0
    mirror_percent: int | None = None
    approve_first: bool = False

    @property
    def weight(self) -> int | None:
        """The share at this step."""
        return self.steps[-1]["weight"] if self.steps else None


def steps(draft: Draft, path: str) -> float:
    """Put the steps into the draft's options; gives back how many seconds they take at least."""
    listed = draft.at(path)
    if not listed:
        return 0.0
    if not isinstance(listed, list):
        draft.refuse(path, listed, "a list")
        return 0.0
    walk = _Walk()
    for index, step in enumerate(listed):
        if step is None:
            continue
        here = f"{path}[{index}]"
        kinds = [kind for kind in KINDS if isinstance(step, dict) and kind in step]
        if len(kinds) != 1:
            draft.refuse(here, step, f"exactly one of {', '.join(KINDS)}")
        elif kinds[0] in _STEPS and step[kinds[0]] is not None:
            _STEPS[kinds[0]](draft, f"{here}.{kinds[0]}", step[kinds[0]], walk)
    if draft.said.get("release_strategy") == "shadow":
        draft.options["release_steps"] = shadow_steps(draft, f"{path}.setMirrorRoute.percentage", walk.mirror_percent)
        return 0.0
    return _put(draft, path, walk)


def _put(draft: Draft, path: str, walk: _Walk) -> float:
    if walk.weight != 100:
        walk.steps.append({"weight": 100})
    draft.options["release_steps"] = [one if len(one) > 1 else one["weight"] for one in walk.steps]
    if walk.matches:
        draft.options.update(release_match=walk.matches, release_match_seconds=walk.match_seconds)
    if walk.approve_first:
        draft.options["release_approve"] = ["traffic"]
    if walk.approve_first or any(one.get("approve") for one in walk.steps):
        draft.note(
            f"{path}.pause",
            "an approval is waited for for an hour (release_approval_seconds), then the release is parked; the next run goes on with it",
        )
    return walk.match_seconds + sum(one.get("bake_seconds", 0.0) for one in walk.steps)


def _set_weight(draft: Draft, path: str, weight: Any, walk: _Walk) -> None:
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= 100:
        draft.refuse(path, weight, "a whole number from 0 to 100")
    elif walk.weight is not None and weight < walk.weight:
        draft.refuse(path, weight, f"more than the weight before it ({walk.weight}): a release does not go back by steps")
    elif weight and weight != walk.weight:
        walk.steps.append({"weight": weight})


def _pause(draft: Draft, path: str, pause: Any, walk: _Walk) -> None:
    duration = pause.get("duration") if isinstance(pause, dict) else None
    if not isinstance(pause, dict):
        draft.refuse(path, pause, "a dictionary, empty or with a duration")
        return
    if duration is None:
        _indefinite(draft, path, walk)
        return
    seconds = seconds_of(duration)
    if seconds is None or seconds <= 0:
        draft.refuse(f"{path}.duration", duration, "seconds, or a duration such as 30s, 5m or 1h")
    elif walk.steps:
        walk.steps[-1]["bake_seconds"] = walk.steps[-1].get("bake_seconds", 0.0) + seconds
    elif walk.matches:
        walk.match_seconds += seconds
    else:
        draft.note(path, "a wait before any traffic shows nothing; it is passed over")


def _indefinite(draft: Draft, path: str, walk: _Walk) -> None:
    if walk.steps:
        walk.steps[-1]["approve"] = True
    elif walk.matches:
        draft.refuse(path, {}, "a duration: matched requests alone are watched for a time, people agree at a weight")
    elif walk.mirror_percent is None:
        walk.approve_first = True


def _header_route(draft: Draft, path: str, route: Any, walk: _Walk) -> None:
    """Each item is an alternative. Without any the rule would go; ours stays until the version is everywhere."""
    listed = route.get("match") if isinstance(route, dict) else None
    if not listed:
        draft.note(path, "matched requests keep the canary until the version is everywhere, or traffic returns")
        return
    for index, item in enumerate(listed if isinstance(listed, list) else [None]):
        value = item.get("headerValue") if isinstance(item, dict) else None
        name = item.get("headerName") if isinstance(item, dict) else None
        if (
            not isinstance(value, dict)
            or len(value) != 1
            or next(iter(value)) not in ("exact", "prefix", "regex")
            or not isinstance(name, str)
        ):
            draft.refuse(f"{path}.match[{index}]", item, "headerName, and headerValue with one of exact, prefix and regex")
        else:
            walk.matches.append({"headers": {name: value}})
    if walk.steps:
        draft.note(path, "matched requests get the canary from the first traffic on, not only from this step")


def _mirror_route(draft: Draft, path: str, route: Any, walk: _Walk) -> None:
    percent = route.get("percentage") if isinstance(route, dict) else None
    if percent == 0 or (isinstance(route, dict) and set(route) <= {"name"} and walk.mirror_percent is not None):
        return  # it takes the mirror away again
    walk.mirror_percent = percent or 100
    if draft.said.get("release_strategy") != "shadow":
        draft.refuse(path, route, SHADOW)


def _analysis(draft: Draft, path: str, said: Any, walk: _Walk) -> None:
    """Before any weight its Jobs are checks; at a weight its metrics are gates, for which the weight waits."""
    if not walk.steps and not walk.matches:
        services = (draft.at("spec.strategy.canary.canaryService"),)
        analysis(draft, path, said, Moment("before", services=services))
        return
    if len(walk.steps) <= 1:
        baked = walk.match_seconds + (walk.steps[-1].get("bake_seconds", 0.0) if walk.steps else 0.0)
        seconds = analysis(draft, path, said, Moment("first", delay_seconds=baked))
        seconds = max(0.0, seconds - baked)
    else:
        seconds = analysis(draft, path, said, Moment("later"))
        draft.note(path, "its metrics are looked at from the first traffic on and until the end, and the weight waits for them here, too")
    if walk.steps and seconds:
        walk.steps[-1]["bake_seconds"] = walk.steps[-1].get("bake_seconds", 0.0) + seconds


_STEPS = {
    "setWeight": _set_weight,
    "pause": _pause,
    "setHeaderRoute": _header_route,
    "setMirrorRoute": _mirror_route,
    "analysis": _analysis,
}
