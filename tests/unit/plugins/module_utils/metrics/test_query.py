# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queries of gates: names filled in, one number or the reason why there is none, before and during a release."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import query
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import BadQuery, Prometheus, Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import PLACEHOLDERS
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse

NAMES = query.names_of("eu", "shop", "front", 30.0)


def vector(*values, **more):
    result = [{"metric": {"pod": f"p{index}"}, "value": [0, str(value)]} for index, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


class Script:
    """A transport that answers by the query; what it was asked is kept."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def get(self, path, parameters):
        self.asked.append(parameters["query"])
        answer = self.answers[parameters["query"]]
        if isinstance(answer, Exception):
            raise answer
        return answer


def spec(**asked):
    gate = {"name": "paid", "query": {"promql": "canary", "max": 9, **asked}}
    return parse({
        "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
        "release_prometheus": {"url": "http://p.example"}, "release_gates": [gate],
    })  # fmt: skip


def read(canary, **more):
    script = Script(canary=canary, **more)
    made = query.Queries(Prometheus(script), spec(**({"baseline": "stable", "tolerance": "5%"} if more else {})), service="front")
    return made.read(["paid"], compare=True)[0]


def test_every_placeholder_is_filled_in():
    assert set(NAMES) == set(PLACEHOLDERS)
    text = 'a{n="{namespace}",d="{canary}",p=~"{canary_pods}",s="{service}"}[{interval}] {x="1"}'
    pods = "shop-canary-[0-9a-z]{6,10}-[0-9a-z]{5}"
    assert query.fill(text, NAMES) == f'a{{n="eu",d="shop-canary",p=~"{pods}",s="front"}}[30s] {{x="1"}}'


@pytest.mark.parametrize("answer", [vector(3.5), {"status": "success", "data": {"resultType": "scalar", "result": [0, "3.5"]}}])
def test_one_series_or_a_scalar_is_a_number(answer):
    assert read(answer) == ScalarLook("paid", 3.5)


def test_a_baseline_is_read_beside_it_only_while_there_is_one():
    assert read(vector(3.5), stable=vector(4)) == ScalarLook("paid", 3.5, 4.0)
    script = Script(canary=vector(3.5), stable=vector("NaN"))
    alone = query.Queries(Prometheus(script), spec(baseline="stable", tolerance="5%"), service="front").read(["paid"], compare=False)
    assert (alone, script.asked) == ((ScalarLook("paid", 3.5),), ["canary"])


@pytest.mark.parametrize(
    ("answer", "cause", "says"),
    [
        (vector(), "no_data", "has no series"),
        (vector(1, 2), "bad_query", "2 series where one is wanted"),
        (vector("NaN"), "too_little_data", "is nan, as a division by zero is"),
        (vector("+Inf"), "too_little_data", "is inf"),
        (vector(1, warnings=["a store is down"]), "bad_query", "only in part: a store is down"),
        (BadQuery("parse error: unexpected }"), "bad_query", "parse error"),
        (Unavailable("HTTP 503"), "no_data", "HTTP 503"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "bad_query", "a matrix where one number"),
        ({"status": "success", "data": {"resultType": "string", "result": [0, "x"]}}, "bad_query", "a string where one number"),
        ({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "histogram": [0, {}]}]}}, "bad_query", "histogram"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_no_number_is_a_cause_and_never_a_value(answer, cause, says):
    found = read(answer)
    assert (found.canary, found.problem, found.detail.startswith("the canary's query")) == (None, cause, True)
    assert says in found.detail
    beside = read(vector(1), stable=answer)
    assert (beside.canary, beside.problem, beside.detail.startswith("stable's query")) == (None, cause, True)


@pytest.mark.parametrize("answer", [vector(5), vector(), vector("NaN")])
def test_before_a_release_one_series_or_none_yet_will_do(answer):
    problems = []
    query.inspect(spec(), "front", Script(canary=answer), problems)
    assert problems == []


@pytest.mark.parametrize(
    ("answer", "field", "says"),
    [
        (vector(1, 2), "release_gates[0].query.baseline", "2 series where one is wanted ({'pod': 'p0'}, {'pod': 'p1'})"),
        (BadQuery("parse error"), "release_gates[0].query.baseline", "a query that Prometheus answers with one number: parse error"),
        (Unavailable("HTTP 503"), "release_prometheus", "a Prometheus that answers: HTTP 503"),
    ],
)
def test_before_a_release_a_query_that_cannot_work_is_refused(answer, field, says):
    problems = []
    query.inspect(spec(baseline="stable", tolerance="5%"), "front", Script(canary=vector(1), stable=answer), problems)
    (found,) = problems
    assert (found.field, says in found.allowed) == (field, True)


def test_a_release_asks_for_itself_and_only_when_a_gate_has_a_query(monkeypatch):
    script = Script(**{"up{d='shop-canary',s='front'}[60s]": vector(2)})
    monkeypatch.setattr(assemble, "transport", lambda *_: script)
    target = SimpleNamespace(namespace="eu", workload="shop", service="front", canary="")
    queries = assemble._queries(None, spec(promql="up{d='{canary}',s='{service}'}[{interval}]"), target)
    assert queries.read(["paid"], compare=True) == (ScalarLook("paid", 2.0),)
    counted = replace(spec(), gates=())
    assert assemble._queries(None, counted, target) is None
