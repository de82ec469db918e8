# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_ab as people write it: what it means, what it becomes, and what is refused."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.ab_spec import AbSpec, Counter
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

LEAST = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_strategy": "ab_test", "release_prometheus": {"url": "http://p"},
}  # fmt: skip
SALES = {"metric": "sales_total"}
DRAWN = {"cookie": "ab", "conversions": SALES}
FIXED = {"cookie": "ab", "iterations": 3, "iteration_seconds": "20s"}
GIVEN_AB = {"cookie": "shop-ab", "share": "30", "conversions": {"metric": "sales", "labels": {"kind": "book"}}}
READ_AB = AbSpec(
    cookie="shop-ab", share_percent=30, max_age_seconds=2592000, seconds=None, at_least_seconds=86400.0, at_most_seconds=1209600.0,
    conversions=Counter("sales", (("kind", "book"),)), of=None, promotes=False, not_worse_than=None, confidence=0.99, effect=0.1,
)  # fmt: skip
STAFF = [{"headers": {"x-cell": "staff"}}]


def spec(ab, **more):
    return parse({**LEAST, "release_ab": ab, **more})


def ab(found) -> AbSpec:
    assert found.ab is not None
    return found.ab


def refused(ab_given, **more):
    with pytest.raises(SpecError) as caught:
        spec(ab_given, **more)
    return {one.field: one.allowed for one in caught.value.problems}


def names(*given, **more):
    return " ".join(f"{step.name}@{step.weight_percent}" for step in plan(spec(*given, **more)))


def test_the_steps_read_as_the_story_of_the_experiment():
    assert names(DRAWN) == "validate@0 deploy@0 ab@20 experiment@20 clean_up@0"
    assert names({**DRAWN, "share": 50, "winner": "promote"}) == (
        "validate@0 deploy@0 ab@50 experiment@50 switch@100 verify@100 promote@100 clean_up@0"
    )
    chosen = {"iterations": 2, "share": 40}
    assert names(chosen, release_match=STAFF) == "validate@0 deploy@0 ab@0 experiment@0 clean_up@0"
    assert [step.size_percent for step in plan(spec(chosen, release_match=STAFF))][1:3] == [40, 40]


def test_the_length_is_a_number_of_iterations_or_what_the_evidence_needs():
    fixed, open_end = ab(spec(FIXED)), ab(spec({**DRAWN, "at_least": "1h", "at_most": "2d"}))
    assert (fixed.seconds, fixed.longest_seconds) == (60.0, 60.0)
    assert (open_end.seconds, open_end.at_least_seconds, open_end.longest_seconds) == (None, 3600.0, 172800.0)
    assert ab(spec({**DRAWN, "at_least": "20d"})).at_most_seconds == 20 * 86400.0


def test_the_deadline_follows_the_experiment():
    assert spec(DRAWN).deadline_seconds > 14 * 86400
    assert spec(FIXED).deadline_seconds == 14400
    assert "more than the experiment may take" in refused(DRAWN, release_deadline_seconds="1d")["release_deadline_seconds"]


def test_the_groups_are_those_of_this_version_in_every_target_and_of_no_other():
    here, there = spec(DRAWN).sticky, spec(DRAWN, release_namespace="us").sticky
    other = spec(DRAWN, release_image="shop:3").sticky
    assert here == there
    assert (here.cookie, here.max_age_seconds) == ("ab", 2592000)
    assert here.salt != other.salt
    assert spec({"iterations": 1}, release_match=STAFF).sticky is None


def test_an_experiment_survives_the_record():
    given = {**DRAWN, "of": {"metric": "visitors", "labels": {"kind": "new", "area": "eu"}}, "winner": "promote", "not_worse_than": "2%"}
    found = spec(given)
    assert spec_from(json.loads(json.dumps(found.to_dict()))) == found


def test_an_experiment_may_come_as_yaml_from_a_survey():
    assert spec("{cookie: ab, iterations: 3, iteration_seconds: 20s}").ab == spec(FIXED).ab


@pytest.mark.parametrize(
    ("given", "more", "field", "says"),
    [
        (None, {}, "release_ab.cookie", "who shall get the new version"),
        (DRAWN, {"release_match": STAFF}, "release_ab.cookie", "one of them"),
        ({**DRAWN, "cookie": "a b"}, {}, "release_ab.cookie", "a name of at most 64"),
        ({**DRAWN, "cookei": "ab"}, {}, "release_ab.cookei", "did you mean cookie?"),
        ({**DRAWN, "share": 0}, {}, "release_ab.share", "from 1 to 99"),
        ({**DRAWN, "share": 100}, {}, "release_ab.share", "from 1 to 99"),
        ({**DRAWN, "share": "20%"}, {}, "release_ab.share", "from 1 to 99"),
        ({**DRAWN, "max_age": "1d"}, {}, "release_ab.max_age", "at least as long as the experiment may take (1209600 s)"),
        ({"iterations": 1, "max_age": "1d"}, {"release_match": STAFF}, "release_ab.max_age", "need no cookie"),
        ({"cookie": "ab"}, {}, "release_ab", "iterations (how long), or conversions"),
        ({**FIXED, "iterations": 0}, {}, "release_ab.iterations", "from 1 to"),
        ({**FIXED, "iterations": 9999, "iteration_seconds": "1d"}, {}, "release_ab.iterations", "at most 28 days"),
        ({**FIXED, "iteration_seconds": "soon"}, {}, "release_ab.iteration_seconds", "a duration"),
        ({**DRAWN, "iteration_seconds": 60}, {}, "release_ab.iteration_seconds", "nothing without"),
        ({**FIXED, "at_least": "1h"}, {}, "release_ab.at_least", "release_ab.iterations says how long"),
        ({**FIXED, "until": "significant"}, {}, "release_ab.until", "release_ab.iterations says how long"),
        ({**DRAWN, "until": "bored"}, {}, "release_ab.until", "one of significant"),
        ({**DRAWN, "at_least": "2d", "at_most": "1d"}, {}, "release_ab.at_most", "at least release_ab.at_least"),
        ({**DRAWN, "at_most": "60d"}, {}, "release_ab.at_most", "a duration"),
        ({**DRAWN, "winner": "ship"}, {}, "release_ab.winner", "one of report, promote"),
        ({**FIXED, "winner": "promote"}, {}, "release_ab.winner", "by what B wins"),
        ({"conversions": SALES, "winner": "promote"}, {"release_match": STAFF}, "release_ab.winner", "no fair comparison"),
        ({**DRAWN, "not_worse_than": "2%"}, {}, "release_ab.not_worse_than", "unless release_ab.winner is promote"),
        ({**DRAWN, "winner": "promote", "not_worse_than": 0.02}, {}, "release_ab.not_worse_than", "a percentage"),
        ({**DRAWN, "confidence": 0.99}, {}, "release_ab.confidence", "a percentage"),
        ({**DRAWN, "effect": "100%"}, {}, "release_ab.effect", "a percentage"),
        ({**FIXED, "of": SALES}, {}, "release_ab.of", "unless release_ab.conversions"),
        ({**DRAWN, "conversions": "sales"}, {}, "release_ab.conversions", "a dictionary"),
        ({**DRAWN, "conversions": {}}, {}, "release_ab.conversions.metric", "the name of a counter"),
        ({**DRAWN, "conversions": {"metric": "rate(sales[1m])"}}, {}, "release_ab.conversions.metric", "the name of a counter"),
        ({**DRAWN, "conversions": {**SALES, "labels": {"pod": "x"}}}, {}, "release_ab.conversions.labels.pod", "tell the groups"),
        ({**DRAWN, "conversions": {**SALES, "labels": {"code": 200}}}, {}, "release_ab.conversions.labels.code", "a string"),
        (DRAWN, {"release_steps": [10, 100]}, "release_steps", "has one share, release_ab.share"),
        (FIXED, {"release_match_seconds": 10}, "release_match_seconds", "use strategy canary"),
        (FIXED, {"release_strategy": "canary"}, "release_ab", "use strategy ab_test"),
        (DRAWN, {"release_prometheus": None, "release_gates": []}, "release_prometheus", "is required"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_no_experiment_is_refused(given, more, field, says):
    assert says in refused(given, **more)[field]
