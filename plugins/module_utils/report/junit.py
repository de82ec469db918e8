# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report for a CI system: a suite for each region, a case for each step. Story → JUnit XML. Pure.

A step in which the release was returned or aborted has failed, one that was refused or could not be reached is in error, one that is parked or unfinished was
skipped: it is neither good nor bad yet. A region to which the release never came is one skipped case.
"""

from __future__ import annotations

from datetime import datetime, timezone

from . import story as words
from .markup import Markup, joined, tag
from .sentence import headline
from .story import Region, Step, Story

FAILED, ERROR, SKIPPED = "failure", "error", "skipped"
SORTS = {
    words.ROLLED_BACK: FAILED,
    words.ABORTED: FAILED,
    words.REFUSED: ERROR,
    words.PARKED: SKIPPED,
    words.RUNNING: SKIPPED,
    words.UNTOUCHED: SKIPPED,
    words.UNREACHABLE: ERROR,
}


def suites(told: Story) -> str:
    """The whole document."""
    made = [_suite(told, region) for region in told.regions]
    totals = {name: sum(counts[name] for _suite, counts, _took in made) for name in ("tests", "failures", "errors", "skipped")}
    took = sum(took for _suite, _counts, took in made)
    whole = tag("testsuites", *(suite for suite, _counts, _took in made), name=told.name, **totals, time=f"{took:.3f}")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n'


def _suite(told: Story, region: Region) -> tuple[Markup, dict[str, int], float]:
    """A suite, its counts, and how long its cases took."""
    sort = SORTS.get(region.outcome)
    steps = region.steps or (Step(region.outcome if sort is None else "release", None, None),)
    last = _where_it_ended(region, steps)
    cases = [_case(told, region, step, sort if step is last else None) for step in steps]
    took = sum(_seconds(step) for step in steps)
    counts = {
        "tests": len(cases),
        "failures": int(sort == FAILED),
        "errors": int(sort == ERROR),
        "skipped": int(sort == SKIPPED),
    }
    began = None if region.started_at is None else datetime.fromtimestamp(region.started_at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    known = {"release_id": region.release_id, "image": region.image, "digest": region.digest, "outcome": region.outcome}
    properties = [tag("property", name=name, value=value) for name, value in known.items() if value]
    whole = tag(
        "testsuite",
        tag("properties", *properties),
        *cases,
        name=f"{told.name} {region.target}",
        **counts,
        time=f"{took:.3f}",
        timestamp=began,
    )
    return whole, counts, took


def _where_it_ended(region: Region, steps: tuple[Step, ...]) -> Step:
    """The step that did not end, else the last one."""
    return next((step for step in reversed(steps) if step.ended_at is None), steps[-1])


def _case(told: Story, region: Region, step: Step, sort: str | None) -> Markup:
    name = step.name
    found = None
    if sort is not None:
        text = joined(
            headline(told),
            "\n",
            region.reason,
            *(f"\n{one.get('field')}: {one.get('value')}: {one.get('allowed')}" for one in region.problems),
        )
        about = {"message": region.reason or words.SPOKEN[region.outcome]}
        found = tag(SKIPPED, **about) if sort == SKIPPED else tag(sort, text, **about, type=region.outcome)
    return tag("testcase", found, name=name, classname=f"{told.name}.{region.target}", time=f"{_seconds(step):.3f}")


def _seconds(step: Step) -> float:
    return max(0.0, step.ended_at - step.started_at) if step.ended_at and step.started_at else 0.0
