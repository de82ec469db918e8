# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the counters before a release, and reading looks during it, against a Prometheus that answers from a script."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES, Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import BadQuery, Prometheus, Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Source, inspect
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, QuantileSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse

ERRORS = GateSpec("errors", "error_rate", 0.01, None)
SLOW = GateSpec("slow", "latency", 0.01, 250.0)
ARMS = Arms(SOURCES["istio_destination"], "eu", "shop", "shop")
SPEC = {
    "release_name": "shop",
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://p.example"},
}


def vector(*series):
    return {"status": "success", "data": {"result": [{"metric": labels, "value": [0, str(value)]} for labels, value in series]}}


def look(now, **arms):
    """stable=(at, ok, failed, slow), canary=...: the look query's answer with one pod each."""
    found = [({"kind": "now"}, now)]
    for arm, (at, ok, failed, slow) in arms.items():
        labels = {"destination_workload": "shop" if arm == "stable" else "shop-canary", "pod": arm}
        found += [
            ({**labels, "kind": "requests", "response_code": "200"}, ok),
            ({**labels, "kind": "requests", "response_code": "500"}, failed),
            ({**labels, "kind": "buckets", "le": "250"}, ok + failed - slow),
            ({**labels, "kind": "buckets", "le": "+Inf"}, ok + failed),
            ({**labels, "kind": "time"}, at),
        ]
    return vector(*found)


class Script:
    """A transport that plays answers one after another; an exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def get(self, path, query):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def source(*answers, gates=(ERRORS, SLOW)):
    return Source(Prometheus(Script(*answers)), ARMS, gates)


def poll(one, canary=True, stable=True):
    return one.poll(canary_expected=canary, stable_expected=stable)


FIRST = look(100, stable=(99, 1000, 10, 5), canary=(98, 0, 0, 0))


def test_the_first_poll_is_the_zero_and_brings_no_counts():
    answer = poll(source(FIRST))
    assert (answer.counts, answer.closes_block, answer.problem, answer.new) == ({}, False, None, False)


def test_a_poll_brings_each_gates_counts_since_the_zero():
    one = source(FIRST, look(106, stable=(104, 1090, 20, 6), canary=(103, 9, 1, 2)))
    poll(one)
    answer = poll(one)
    assert answer.counts == {"errors": (Counts(10, 1), Counts(100, 10)), "slow": (Counts(10, 2), Counts(100, 1))}
    assert (answer.closes_block, answer.new, answer.problem) == (True, True, None)


def test_an_open_block_grows_and_the_next_one_begins_at_zero():
    half = look(106, stable=(104, 1090, 10, 5), canary=(98, 0, 0, 0))
    whole = look(108, stable=(104, 1090, 10, 5), canary=(107, 10, 0, 0))
    later = look(113, stable=(109, 1190, 10, 5), canary=(112, 20, 0, 0))
    one = source(FIRST, half, whole, later)
    answers = [poll(one) for _answer in range(4)]
    assert [answer.closes_block for answer in answers] == [False, False, True, True]
    assert [answer.counts["errors"][1].requests for answer in answers[1:]] == [90, 90, 100]


def test_a_poll_without_a_new_sample_says_so():
    one = source(FIRST, FIRST)
    poll(one)
    assert poll(one).new is False


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (Unavailable("HTTP 503"), "no_data"),
        (BadQuery("parse error"), "bad_query"),
        ({"status": "error", "error": "too many samples"}, "bad_query"),
        ({**FIRST, "warnings": ["store down"]}, "bad_query"),
        (look(106, stable=(104, float("nan"), 0, 0), canary=(104, 0, 0, 0)), "bad_query"),
    ],
    ids=["unavailable", "refused", "error", "partial", "NaN"],
)
def test_trouble_is_a_cause_and_never_counts(trouble, cause):
    one = source(FIRST, trouble)
    poll(one)
    answer = poll(one)
    assert (answer.problem, answer.counts, answer.closes_block) == (cause, {}, False)
    assert answer.detail


def test_a_look_of_all_kinds_of_gates_is_one_request():
    script = Script(FIRST, look(106, stable=(104, 1090, 20, 6), canary=(103, 9, 1, 2)))
    tail = GateSpec("tail", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 250.0))
    rate = GateSpec("rate", "request_rate", 0.0, None, "threshold", min_per_second=1.0)
    one = Source(Prometheus(script), ARMS, (ERRORS, SLOW, tail, rate))
    poll(one)
    assert len(script.answers) == 1
    assert set(poll(one).counts) == {"errors", "slow", "tail", "rate"}
    assert script.answers == []


@pytest.mark.parametrize("has", ["linkerd", "linkerd_route", "linkerd_grpc_route"])
def test_behind_linkerds_router_its_own_counters_are_looked_for(has):
    class Linkerd(Server):
        def get(self, path, query):
            source = self.sources[0]
            if source.requests in query["query"] and query["query"].startswith("label_replace"):
                name = "shop-7d4b8c9f6-x2x9k" if source.arm_label == "pod" else "shop"
                return vector(({"pod": "p", source.arm_label: name, "kind": "time"}, 99), ({"kind": "now"}, 100))
            return super().get(path, query)

    route = {"provider": "linkerd", "service": "shop"}
    found, problems = inspected(Linkerd(sources=(has,)), release_traffic=route)
    assert (found.source, problems) == (has, [])
    nothing, ((_field, allowed),) = inspected(Server(sources=()), release_traffic=route)
    assert nothing.source is None
    assert allowed.endswith("none found as linkerd, linkerd_route, linkerd_grpc_route")
    problems = []
    inspect(parse({**SPEC, "release_traffic": route}), "shop", Server(sources=()), problems, canary="shop-v2")
    assert "none found as linkerd, http that tell workload shop from others" in problems[0].allowed


def test_after_trouble_nothing_that_happened_meanwhile_is_lost():
    one = source(FIRST, Unavailable("down"), look(120, stable=(119, 1100, 10, 5), canary=(118, 20, 3, 0)))
    poll(one)
    poll(one)
    assert poll(one).counts["errors"] == (Counts(23, 3), Counts(100, 0))


def test_a_canary_that_nobody_counts_is_no_data():
    one = source(look(100, stable=(99, 1000, 10, 5)), look(106, stable=(104, 1100, 10, 5)))
    poll(one)
    found = poll(one)
    assert (found.problem, found.detail, found.counts) == ("no_data", "no counter of canary in istio_destination", {})


@pytest.mark.parametrize(("expected", "problem", "detail"), [(True, "no_data", "no new sample of stable for 16 s"), (False, None, "")])
def test_an_arm_that_falls_silent_is_no_data_only_while_it_should_have_traffic(expected, problem, detail):
    looks = [look(now, stable=(99, 1000, 10, 5), canary=(now, 10, 0, 0)) for now in (100, 105, 110, 115)]
    one = source(*looks)
    answers = [poll(one, stable=expected) for _look in looks]
    assert [answer.problem for answer in answers] == [None, None, None, problem]
    assert answers[-1].detail == detail


def test_a_new_weight_begins_a_new_block():
    half = look(106, stable=(104, 1090, 10, 5), canary=(98, 0, 0, 0))
    one = source(FIRST, half, look(108, stable=(107, 1100, 10, 5), canary=(107, 10, 0, 0)))
    poll(one)
    poll(one)
    one.begin_block()
    assert poll(one).counts["errors"] == (Counts(10, 0), Counts(10, 0))


class Server:
    """A Prometheus with some metrics: answers each kind of question that inspect asks."""

    def __init__(self, *, sources=("istio_destination",), bounds=("100", "250.0", "500", "+Inf"), per_minute=60.0, errors=0.0):
        self.sources = [SOURCES[name] for name in sources]
        self.bounds, self.per_minute, self.errors = bounds, per_minute, errors

    def get(self, path, query):
        text = query["query"]
        if path.endswith("query_range"):
            value = self.errors if "5.." in text or " - " in text else self.per_minute
            moments = [60.0 * minute for minute in range(1, 61)]
            return {"status": "success", "data": {"result": [{"metric": {}, "values": [[at, str(value)] for at in moments]}]}}
        if text == "vector(time())":
            return vector(({}, 3600))
        if text.startswith("count by (le)"):
            return vector(*(({"le": bound}, 3) for bound in self.bounds))
        for one in self.sources:
            if f'reporter="{one.name.removeprefix("istio_")}"' in text:
                return vector(({one.arm_label: "shop", "kind": "time", "pod": "a"}, 99), ({"kind": "now"}, 100))
        return vector(({"kind": "now"}, 100))


def inspected(transport, **changed):
    problems = []
    found = inspect(parse({**SPEC, **changed}), "shop", transport, problems)
    return found, [(problem.field, problem.allowed) for problem in problems]


LATENCY = {"release_gates": [{"name": "slow", "latency": {"slower_than": "300ms", "max": "1%"}}]}


def test_a_gate_with_data_is_read_over_the_last_minutes():
    found, problems = inspected(Server(errors=3.0))
    assert problems == []
    reading = found.gates["errors"]
    assert (reading.requests, reading.events, reading.per_second, reading.share) == (300, 15, 1.0, 0.05)
    assert found.source == "istio_destination"


def test_without_requests_there_is_no_share():
    found, problems = inspected(Server(per_minute=0.0))
    assert (problems, found.gates["errors"].share) == ([], None)


@pytest.mark.parametrize(
    ("has", "wanted", "chosen"),
    [
        (("istio_destination", "istio_source"), "auto", "istio_destination"),
        (("istio_source",), "auto", "istio_source"),
        ((), "auto", None),
        (("istio_destination",), "istio_source", None),
    ],
)
def test_the_first_source_that_has_data_is_taken(has, wanted, chosen):
    found, problems = inspected(Server(sources=has), release_metrics_source=wanted)
    assert found.source == chosen
    if chosen is None:
        looked = "istio_destination, istio_source, istio_ambient" if wanted == "auto" else wanted
        assert problems == [("release_prometheus", f"a Prometheus with request counters of shop; none found as {looked}")]


SWITCH = {"release_strategy": "blue_green", "release_traffic": {"provider": "service", "service": "shop"}}


@pytest.mark.parametrize("given", [{"release_strategy": "shadow"}, SWITCH], ids=["copies", "a switched Service"])
def test_counters_of_those_who_send_are_not_taken_where_they_cannot_see_the_canary(given):
    found, problems = inspected(Server(sources=("istio_source",)), **given)
    ((_field, allowed),) = problems
    assert found.source is None
    assert allowed.startswith("a Prometheus with request counters of shop; none found as istio_destination, http")
    assert inspected(Server(sources=("istio_destination", "istio_source")), **given)[0].source == "istio_destination"


@pytest.mark.parametrize(
    ("has", "chosen"),
    [(("istio_source", "istio_destination"), "istio_destination"), (("istio_source",), None)],
    ids=["counted by who gets them", "counted by who sends the originals"],
)
def test_a_shadow_reads_only_sources_that_count_copies(has, chosen):
    found, problems = inspected(Server(sources=has), release_strategy="shadow")
    assert found.source == chosen
    if chosen is None:
        ((field, allowed),) = problems
        assert field == "release_prometheus"
        assert "none found as istio_destination, http; copies are counted by who gets them" in allowed


@pytest.mark.parametrize(
    ("bounds", "near"),
    [(("100", "250", "500", "+Inf"), "250ms, 500ms"), (("100",), "100ms"), (("500",), "500ms"), (("+Inf",), "none"), ((), "none")],
)
def test_a_latency_limit_that_is_no_bound_names_the_nearest_ones(bounds, near):
    _found, problems = inspected(Server(bounds=bounds), **LATENCY)
    allowed = f"a bucket bound of istio_request_duration_milliseconds (nearest: {near})"
    assert problems == [("release_gates[0].latency.slower_than", allowed)]


def test_a_latency_limit_that_is_a_bound_in_either_spelling_is_accepted():
    found, problems = inspected(Server(bounds=("300.0", "+Inf"), errors=1.0), **LATENCY)
    assert (problems, found.gates["slow"].events) == ([], 5)


@pytest.mark.parametrize("trouble", [Unavailable("refused"), BadQuery("parse error")])
def test_a_prometheus_that_does_not_answer_is_a_problem_and_not_an_exception(trouble):
    found, problems = inspected(Script(trouble))
    assert (found.gates, found.source) == ({}, None)
    assert problems == [("release_prometheus", f"a Prometheus that answers: {trouble}")]


P99 = {"release_gates": [{"name": "tail", "latency": {"p99": {"max": "250ms"}}}]}


def test_a_quantile_brings_the_canarys_buckets_at_every_bound():
    tail = GateSpec("tail", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 250.0))
    one = source(FIRST, look(106, stable=(104, 1090, 20, 6), canary=(103, 9, 1, 2)), gates=(ERRORS, tail))
    assert "le=~" not in one._query
    poll(one)
    answer = poll(one)
    assert answer.buckets == {"tail": ((250.0, 8), (float("inf"), 10))}
    assert answer.counts == {"errors": (Counts(10, 1), Counts(100, 10)), "tail": (Counts(10, 0), Counts(100, 0))}


def test_a_quantile_whose_limit_is_a_bound_is_told_nothing_of():
    found, problems = inspected(Server(), **P99)
    assert (problems, found.notes, found.gates["tail"].requests) == ([], (), 300)


def test_a_quantile_whose_limit_lies_between_two_bounds_is_a_guess_and_the_plan_says_so():
    found, problems = inspected(Server(bounds=("100", "200", "500", "+Inf")), **P99)
    assert problems == []
    metric = "istio_request_duration_milliseconds"
    assert found.notes == (f"gate tail: 250ms is no bucket bound of {metric}; between 200ms, 500ms the p99 is a guess",)


@pytest.mark.parametrize(("bounds", "largest"), [(("100", "250", "+Inf"), "250ms"), (("100", "+Inf"), "100ms"), (("+Inf",), "none")])
def test_a_quantile_that_could_never_fail_is_refused(bounds, largest):
    _found, ((field, allowed),) = inspected(Server(bounds=bounds), **P99)
    assert field == "release_gates[0].latency.p99.max"
    assert allowed.startswith("a duration below the largest bucket bound of istio_request_duration_milliseconds")
    assert f"({largest})" in allowed
