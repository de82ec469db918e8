# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold of all judges together for any looks: no crash, the same to the last bit from JSON, and no matter in which order."""

from __future__ import annotations

import json
import math

from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook, ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.panel import StepEntry
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.plain import (
    canonical,
    entry_from_dict,
    entry_to_dict,
    look_from_dict,
    look_to_dict,
    verdict_to_dict,
)
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.verdict import ADVANCE, HOLD, INCONCLUSIVE, ROLL_BACK
from ansible_collections.progressive.delivery.plugins.module_utils.release.judges import panel_of
from ansible_collections.progressive.delivery.plugins.module_utils.release.recompute import Hearing, recompute
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN
from hypothesis import given, settings
from hypothesis import strategies as st

GATES = [
    {"name": "errors", "error_rate": {"max": "1%"}},
    {"name": "slow", "latency": {"slower_than": "500ms", "max": "5%"}},
    {"name": "limit", "error_rate": {"max": "2%"}, "judge": "threshold"},
    {"name": "p99", "latency": {"p99": {"max": "400ms"}}},
    {"name": "traffic", "request_rate": {"min": 5}, "looks": {"interval_seconds": 20, "threshold": 2}},
    {
        "name": "paid",
        "query": {"promql": "up", "baseline": "down", "min": 95, "fails_below": 90, "tolerance": "10%", "direction": "decrease"},
    },
    {"name": "burn", "burn_rate": {"over": ["1h", "6h"]}},
]
SPEC = parse(
    {
        **GIVEN,
        "release_gates": GATES,
        "release_looks": {"interval_seconds": 10, "threshold": 3, "inconclusive_limit": 4},
        "release_prometheus": {"url": "http://p"},
        "release_slo": {"objective": "99.9%", "source": "sloth", "labels": {"sloth_id": "shop"}},
    }
)
COUNTED = ("errors", "slow", "limit", "p99", "traffic")
WINDOWS = ("1h/long", "1h/short", "6h/long", "6h/short")
DISPERSION = {"errors": 1.7, "slow": 1.0}
DECISIONS = {ADVANCE, HOLD, INCONCLUSIVE, ROLL_BACK}
any_float = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def counts(draw):
    requests = draw(st.one_of(st.integers(0, 300), st.integers(0, 10**15)))
    return Counts(requests, draw(st.one_of(st.just(0), st.just(requests), st.integers(0, requests))))


@st.composite
def metrics(draw):
    found = []
    for name in draw(st.sets(st.sampled_from(COUNTED))):
        canary = draw(st.none() | counts())
        buckets = ()
        if name == "p99" and canary is not None:
            growing = sorted(draw(st.lists(st.integers(0, canary.requests), min_size=2, max_size=2)))
            buckets = draw(st.sampled_from([(), ((250.0, growing[0]), (500.0, growing[1]), (math.inf, canary.requests))]))
        found.append(MetricLook(name, canary, draw(st.none() | counts()), buckets))
    return tuple(found)


@st.composite
def scalars(draw):
    found = []
    problem = st.sampled_from([None, None, "no_data", "bad_query", "too_little_data"])
    if draw(st.booleans()):
        found.append(ScalarLook("paid", draw(st.none() | any_float), draw(st.none() | any_float), draw(problem), "2 series"))
    if draw(st.booleans()):
        what = draw(problem)
        values = () if what else tuple((name, draw(any_float)) for name in WINDOWS)
        found.append(ScalarLook("burn", None, problem=what, detail="no series" if what else "", values=values))
    return tuple(found)


event = st.one_of(
    st.tuples(st.just("look"), metrics(), scalars(), st.booleans(), st.sampled_from([None, None, None, "no_data", "stale"]), st.booleans()),
    st.tuples(st.just("look"), metrics(), scalars(), st.booleans(), st.none(), st.just(True)),
    st.tuples(st.just("step"), st.sampled_from([5.0, 33.3, 50.0, 100.0]), st.sampled_from([None, 20.0, 100.0])),
    st.tuples(st.just("people")),
)
stories = st.lists(st.tuples(st.floats(0.0, 400.0), event), max_size=10)


def play(story, spec):
    """What a release's runner would have written, and the judges' last state."""
    panel = panel_of(spec, DISPERSION)
    state = begun = panel.start()
    lines, at = [], 1.7e9
    for number, (seconds, (what, *told)) in enumerate(story, 1):
        at += seconds
        if what == "step":
            entry = StepEntry(told[0], at, told[1], told[0] == 100.0)
            state = panel.enter_step(state, entry)
            lines.append({"entry": entry_to_dict(entry)})
        elif what == "people":
            state = panel.after_people(state, at)
            lines.append({"people": at})
        else:
            counted, answered, closes, problem, has_counts = told
            look = Look(number, at, 10.0, counted, closes, problem, "why" if problem else "", answered, has_counts)
            state, verdict = panel.look(state, look)
            assert verdict.decision in DECISIONS and verdict.cause and verdict.reason
            lines.append({"look": look_to_dict(look), "verdict": verdict_to_dict(verdict)})
    return panel, begun, lines, state


def test_looks_and_steps_come_back_from_strict_json_as_they_were():
    values = tuple(zip(WINDOWS, (math.inf, -math.inf, 1e-320, 0.1), strict=True))
    look = Look(
        3, 1.7e9 + 1e-6, 33.3, (MetricLook("p99", Counts(2, 1), None, ((0.5, 1), (math.inf, 2))),), True, "stale", "since noon",
        (ScalarLook("paid", 0.1 + 0.2, -math.inf, "no_data", "none", values),), False,
    )  # fmt: skip
    assert look_from_dict(json.loads(json.dumps(look_to_dict(look), allow_nan=False))) == look
    entry = StepEntry(33.3, 1.7e9 + 1e-6, None, True)
    assert entry_from_dict(json.loads(json.dumps(entry_to_dict(entry), allow_nan=False))) == entry


@settings(deadline=None, max_examples=50)
@given(stories)
def test_whatever_the_judges_were_given_they_say_the_same_of_it_again(story):
    """Nothing crashes them, and what was written as JSON and read back gives equal verdicts and states to the last bit."""
    panel, begun, lines, last = play(story, SPEC)
    read = json.loads(json.dumps(lines))
    state = json.loads(canonical(panel.to_dict(begun)))
    hearing = Hearing(SPEC, DISPERSION, None, "1", state, None, read)
    made = recompute([hearing])
    assert (made.differing, made.rows) == (0, [])
    assert len(made.verdicts) == sum("look" in line for line in lines)
    assert canonical(panel.to_dict(panel.from_dict(json.loads(canonical(panel.to_dict(last)))))) == canonical(panel.to_dict(last))


@settings(deadline=None, max_examples=25)
@given(stories, st.integers(0, 10))
def test_a_second_runner_that_takes_over_anywhere_changes_nothing(story, cut):
    panel, begun, lines, _last = play(story, SPEC)
    first = play(story[:cut], SPEC)
    between = json.loads(canonical(panel.to_dict(first[3])))
    whole = json.loads(json.dumps(lines))
    parts = [(panel.to_dict(begun), whole[: len(first[2])]), (between, whole[len(first[2]) :])]
    made = recompute([Hearing(SPEC, DISPERSION, None, "1", json.loads(canonical(state)), None, part) for state, part in parts])
    assert (made.differing, made.rows) == (0, [])


@settings(deadline=None, max_examples=25)
@given(stories, st.permutations(GATES))
def test_the_order_of_gates_changes_no_decision_and_no_number(story, order):
    others = parse(
        {
            **GIVEN,
            "release_gates": order,
            "release_looks": {"interval_seconds": 10, "threshold": 3, "inconclusive_limit": 4},
            "release_prometheus": {"url": "http://p"},
            "release_slo": {"objective": "99.9%", "source": "sloth", "labels": {"sloth_id": "shop"}},
        }
    )
    found, again = ([line["verdict"] for line in play(story, spec)[2] if "verdict" in line] for spec in (SPEC, others))
    assert [one["decision"] for one in found] == [one["decision"] for one in again]
    for one, other in zip(found, again, strict=True):
        mine, same = one["evidence"], other["evidence"]
        assert canonical(mine.get("gates")) == canonical(same.get("gates"))
        assert [mine.get(name) for name in ("e_relative", "e_absolute")] == [same.get(name) for name in ("e_relative", "e_absolute")]
