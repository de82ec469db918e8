# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Combinations as users write them: what they are made of, what is skipped with them, and who judges their gates."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.composite import Combination
from ansible_collections.progressive.delivery.plugins.module_utils.release.judges import panel_of
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_gates_spec import LEAST

ERRORS = {"name": "errors", "error_rate": {"max": "1%"}}
SLOW = {"name": "slow", "latency": {"slower_than": "500ms", "max": "1%"}}
QUEUE = {"name": "queue", "query": {"promql": "q", "max": 5}}
EITHER = {"name": "usable", "any": ["slow", {"not": "queue"}]}


def spec(*gates, **more):
    return parse({**LEAST, "release_gates": list(gates), **more})


def problems(*gates, **more):
    with pytest.raises(SpecError) as caught:
        spec(*gates, **more)
    return {one.field: one.allowed for one in caught.value.problems}


def test_a_combination_takes_its_gates_from_those_that_decide_alone_and_all_tests_share_alpha():
    made = spec(ERRORS, SLOW, QUEUE, EITHER)
    assert made.gates[3].composite == Combination("any", ("slow", Combination("not", ("queue",))))
    assert [gate.name for gate in made.counted] == ["errors", "slow"]
    panel = panel_of(made, {})
    assert set(panel.to_dict(panel.start())) == {"sequential", "composite:usable"}
    assert [judge._sequential.rule.alpha for judge in (panel._judges["sequential"], panel._judges["composite:usable"]._judges["slow"])] == [
        0.005
    ] * 2
    assert spec_from(json.loads(json.dumps(made.to_dict()))) == made


def test_a_combination_that_is_skipped_takes_its_gates_with_it():
    assert [gate.name for gate in spec(ERRORS, SLOW, QUEUE, EITHER, release_skip_gates=["usable"]).gates] == ["errors"]
    assert (
        "skip usable, and its gates go with it" in problems(ERRORS, SLOW, QUEUE, EITHER, release_skip_gates=["queue"])["release_skip_gates"]
    )


@pytest.mark.parametrize(
    ("item", "field", "says"),
    [
        ({"any": ["slow"]}, "any", "at least two names"),
        ({"any": "slow"}, "any", "at least two names"),
        ({"any": None}, "any", "at least two names"),
        ({"not": ["slow", "queue"]}, "not", "the name of one gate"),
        ({"any": ["slow", "fast"]}, "", "names of gates that are no combinations themselves: errors, slow, queue"),
        ({"any": ["slow", "usable"]}, "", "names of gates that are no combinations themselves"),
        ({"any": ["slow", {"all": ["slow", "queue"]}]}, "", "stands in release_gates[3] already"),
        ({"any": ["slow", {"none": ["queue"]}]}, "any[1]", "one of {all: [...]}, {any: [...]} and {not: name}"),
        ({"any": ["slow", 5]}, "any[1]", "the name of a gate"),
        ({"any": ["slow", {"all": ["queue"]}]}, "any[1].all", "at least two names"),
        ({"any": ["slow", "queue"], "all": ["slow", "queue"]}, "", "exactly one of"),
        ({"any": ["slow", "queue"], "judge": "threshold"}, "judge", "has the judges of its gates"),
        ({"any": ["slow", "queue"], "looks": {"threshold": 2}}, "looks", "has the judges of its gates"),
        ({"not": {"not": {"not": {"not": {"not": "slow"}}}}}, "not[0].not[0].not[0].not[0].not", "at most 4 combinations inside each other"),
    ],
    ids=str,
)  # fmt: skip
def test_a_combination_that_cannot_be_judged_is_refused(item, field, says):
    found = problems(ERRORS, SLOW, QUEUE, {"name": "usable", **item})
    assert says in found[f"release_gates[3]{'.' if field else ''}{field}"]
