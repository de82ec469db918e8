# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real Prometheus answers when pods come and go, histograms are native, and queries are wrong."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import bounds
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.query import Queries
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import inspect
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, QuantileSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.tests.prometheus.looks import ERRORS, SLOW, Looks
from ansible_collections.progressive.delivery.tests.prometheus.protobuf import counter, histogram
from ansible_collections.progressive.delivery.tests.prometheus.server import wait_for

TAIL = GateSpec("tail", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 250.0))
GIVEN = {
    "release_name": "shop",
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://prometheus.example"},
}


def pods(workload):
    """Names of pods of a workload: stable's a and b, the canary's c."""
    return {"a": f"{workload}-7d4b8c9f6-aaaaa", "b": f"{workload}-7d4b8c9f6-bbbbb", "c": f"{workload}-canary-5b9c7d8f4-ccccc"}


def plain(pod, ok, failed=None, namespace="eu"):
    lines = [
        f'http_requests_total{{namespace="{namespace}",pod="{pod}",code="{code}"}} {value}'
        for code, value in (("200", ok), ("500", failed))
        if value is not None
    ]
    return "\n".join(lines)


def arms_of(workload):
    return Arms.of("http", namespace="eu", workload=workload, service=workload)


@pytest.fixture(scope="module")
def falling_silent(lab):
    """A canary whose target stops to answer as this begins; the last test looks what was made of it."""
    named = pods("quiet")
    stable, canary = lab.target(), lab.target()
    lab.show({stable: plain(named["a"], 10), canary: plain(named["c"], 5)})
    looks = Looks(lab, arms_of("quiet"), (ERRORS,), pods=2)
    lab.show({stable: plain(named["a"], 20), canary: plain(named["c"], 6)})
    looks.reach(errors=(Counts(1, 0), Counts(10, 0)))
    lab.show({canary: None})
    return looks


def test_pods_come_and_go_and_nothing_is_counted_that_was_before(lab, falling_silent):
    named = pods("shifting")
    a, b, c = lab.target(), lab.target(), lab.target()
    lab.show({a: plain(named["a"], 100, 1), b: "", c: ""})
    looks = Looks(lab, arms_of("shifting"), (ERRORS,))
    lab.show({a: plain(named["a"], 110, 1), b: plain(named["b"], 9000, 50), c: plain(named["c"], 7, 3)})
    looks.reach(errors=(Counts(10, 3), Counts(10, 0)))  # b is old and only found now; c is new
    lab.show({a: "", b: plain(named["b"], 9005, 51), c: plain(named["c"], 9, 3)})
    looks.reach(errors=(Counts(12, 3), Counts(16, 1)))
    wait_for(lambda: looks.poll().problem is None, lambda: "a pod that is gone holds up the looks")
    lab.show({a: plain(named["a"], 115, 1), b: "", c: plain(named["c"], 10, 3)})
    looks.reach(errors=(Counts(13, 3), Counts(21, 1)))  # the same pod again, from where it was


def test_a_pod_that_is_gone_is_gone_at_the_next_scrape_and_not_after_five_minutes(lab):
    target = lab.target()
    pod = pods("leaving")["a"]
    lab.show({target: plain(pod, 5)})
    wait_for(lambda: lab.client.value(f'http_requests_total{{pod="{pod}"}}') == 5, lambda: "it was never there")
    lab.show({target: None})
    assert lab.client.value(f'http_requests_total{{pod="{pod}"}}') is None


def native(pod, ok, buckets):
    labels = (("namespace", "eu"), ("pod", pod))
    return counter("http_requests_total", {(*labels, ("code", "200")): ok}) + histogram("http_request_duration_seconds", labels, buckets)


def test_a_native_histogram_is_cut_where_the_gates_need_it(lab):
    """Buckets end at powers of two seconds: -2 is (125, 250] ms, -1 is (250, 500] ms, 2 is (2, 4] s."""
    named = pods("native")
    stable, canary = lab.target(), lab.target()
    lab.show({stable: native(named["a"], 100, {-3: 90, -1: 10}), canary: native(named["c"], 0, {})})
    of = arms_of("native")
    looks = Looks(lab, of, (ERRORS, SLOW, TAIL), pods=2)
    lab.show({stable: native(named["a"], 150, {-3: 130, -1: 20}), canary: native(named["c"], 20, {-2: 16, -1: 3, 2: 1})})
    looks.reach(errors=(Counts(20, 0), Counts(50, 0)), slow=(Counts(20, 4), Counts(50, 10)), tail=(Counts(20, 0), Counts(50, 0)))
    lab.show({stable: native(named["a"], 150, {-3: 130, -1: 20}), canary: native(named["c"], 5, {-1: 5})})
    looks.reach(slow=(Counts(25, 9), Counts(50, 10)))  # restarted
    assert bounds.classic(lab.client, of) == []
    wait_for(lambda: bounds.native(lab.client, of) == [(62.5, 125.0), (250.0, 500.0)], lambda: str(bounds.native(lab.client, of)))
    problems = []
    within = GateSpec("within", "latency", 0.01, 300.0)
    (note,) = bounds.check(lab.client, of, (SLOW, TAIL, within), problems)
    assert problems == []
    assert note.startswith(
        "gate within: 300ms lies inside a bucket of http_request_duration_seconds, a native histogram; between 250ms and 500ms"
    )


def test_a_quantile_of_a_native_histogram_has_buckets_on_both_sides_of_its_limit(lab):
    named = pods("tails")
    stable, canary = lab.target(), lab.target()
    lab.show({stable: native(named["a"], 1, {-3: 1}), canary: native(named["c"], 1, {-3: 1})})
    looks = Looks(lab, arms_of("tails"), (TAIL,), pods=2)
    lab.show({stable: native(named["a"], 2, {-3: 2}), canary: native(named["c"], 101, {-3: 91, -1: 6, 2: 4})})
    looks.reach(tail=(Counts(100, 0), Counts(1, 0)))
    found = looks.buckets["tail"]
    assert found[250.0] == 90 and found[500.0] == found[1000.0] == 96 and found[float("inf")] == 100


def test_a_histogram_that_prometheus_itself_made_native_keeps_its_bounds(lab):
    """convert_classic_histograms_to_nhcb: the buckets by le are gone, the bounds are not."""
    named = pods("made")

    def shown(*counted):
        lines, requests = ["# TYPE http_request_duration_seconds histogram"], []
        for pod, fast, slow in counted:
            labels, every = f'namespace="eu",pod="{pod}"', fast + slow
            bounds_ = (("0.1", 0), ("0.25", fast), ("0.5", every), ("+Inf", every))
            lines += [f'http_request_duration_seconds_bucket{{{labels},le="{le}"}} {count}' for le, count in bounds_]
            lines += [f"http_request_duration_seconds_sum{{{labels}}} 1", f"http_request_duration_seconds_count{{{labels}}} {every}"]
            requests.append(plain(pod, every))
        return "\n".join([*lines, "# TYPE http_requests_total counter", *requests])

    of = arms_of("made")
    lab.show({lab.custom: shown((named["a"], 50, 5), (named["c"], 0, 0))})
    looks = Looks(lab, of, pods=2)
    lab.show({lab.custom: shown((named["a"], 90, 15), (named["c"], 8, 2))})
    looks.reach(errors=(Counts(10, 0), Counts(50, 0)), slow=(Counts(10, 2), Counts(50, 10)))
    assert bounds.classic(lab.client, of) == []
    assert bounds.check(lab.client, of, (SLOW,), []) == []


def inspected(lab, workload, source="http", **more):
    """What preflight finds, and what it refuses: (found, allowed of each problem)."""
    problems = []
    spec = parse({**GIVEN, "release_workload": f"Deployment/{workload}", "release_metrics_source": source, **more})
    found = inspect(spec, workload, lab.client.transport, problems)
    return found, [problem.allowed for problem in problems]


def test_preflight_reads_a_native_histogram_and_refuses_a_histogram_that_is_not_there(lab):
    named = pods("checked")
    target = lab.target()
    gate = {"release_gates": [{"name": "slow", "latency": {"slower_than": "250ms", "max": "1%"}}]}
    lab.show({target: native(named["a"], 100, {-3: 90, -1: 10})})
    wait_for(lambda: inspected(lab, "checked", **gate)[1] == [], lambda: str(inspected(lab, "checked", **gate)))
    found, _problems = inspected(lab, "checked", **gate)
    assert found.notes == ()
    lab.show({target: plain(named["a"], 300)})
    refused = ["a bucket bound of http_request_duration_seconds (nearest: none)"]
    wait_for(lambda: inspected(lab, "checked", **gate)[1] == refused, lambda: str(inspected(lab, "checked", **gate)))


def test_the_past_of_a_native_histogram_is_read_too(lab):
    target = lab.target()
    pod = pods("past")["a"]
    of = arms_of("past")
    lab.show({target: native(pod, 100, {-3: 90, -1: 10})})
    lab.show({target: native(pod, 200, {-3: 170, -1: 30})})
    slow, requests = (of.history_query(events, 250.0) for events in ("slow", "requests"))
    # In one query: increase() extrapolates by the time since the last sample, which is another one a moment later.
    share = lambda: lab.client.value(f"({slow}) / ({requests})")  # noqa: E731
    wait_for(lambda: share() is not None, lambda: str(share()))
    assert 0.15 < share() < 0.25, "20 of 100"


def test_a_source_that_counts_nothing_of_the_workload_is_told(lab):
    for source in ("linkerd", "envoy", "ingress_nginx", "http"):
        found, (allowed,) = inspected(lab, "nobody", source)
        assert found.source is None
        assert allowed == f"a Prometheus with request counters of nobody; none found as {source}"


@pytest.mark.parametrize(
    ("asked", "problem", "says"),
    [
        (("sum(answers)",), None, ""),
        (("sum(answers{of='zero'})",), None, ""),
        (("answers",), "bad_query", "3 series where one is wanted"),
        (("sum(answers",), "bad_query", "parse error"),
        (("sum(nothing)",), "no_data", "the canary's query has no series"),
        (("sum(answers{of='zero'}) / sum(answers{of='zero'})",), "too_little_data", "is nan, as a division by zero is"),
        (("sum(answers) / 0",), "too_little_data", "is inf"),
        (("answers[1m]",), "bad_query", "a matrix where one number is wanted"),
        (("'word'",), "bad_query", "a string where one number is wanted"),
        (("sum(answers)", "sum(nothing)"), "no_data", "stable's query has no series"),
        (("sum(a_histogram)",), "bad_query", "a histogram where one number is wanted"),
        (("7",), None, ""),
    ],
)
def test_empty_zero_and_no_number_are_three_things(lab, answered, asked, problem, says):
    promql, *baseline = asked
    gate = {"name": "any", "query": {"promql": promql, "max": 1e9, **({"baseline": baseline[0], "tolerance": "10%"} if baseline else {})}}
    spec = parse({**GIVEN, "release_gates": [gate]})
    queries = Queries(lab.client, spec, service="shop")
    read = lambda: queries.read(["any"], compare=bool(baseline))[0]  # noqa: E731
    wait_for(lambda: read().problem == problem, lambda: str(read()))
    found = read()
    assert (found.canary is None, says in found.detail) == (problem is not None, True)
    if promql == "sum(answers{of='zero'})":
        assert found.canary == 0.0


@pytest.fixture(scope="module")
def answered(lab):
    """Three series, one of them 0, and a native histogram."""
    target, other = lab.target(), lab.target()
    lab.show({target: 'answers{of="zero"} 0\nanswers{of="one"} 1\nanswers{of="two"} 2', other: histogram("a_histogram", (), {0: 3})})


def test_values_that_are_no_counts_are_a_bad_query_and_never_counts(lab):
    pod = pods("odd")["a"]
    target = lab.target()
    lab.show({target: plain(pod, 5)})
    looks = Looks(lab, arms_of("odd"), (ERRORS,))
    lab.show({target: plain(pod, "NaN")})
    wait_for(lambda: looks.poll().problem == "bad_query", lambda: "NaN was a count")
    answer = looks.poll()
    assert (answer.problem, answer.counts) == ("bad_query", {})
    assert "not a count" in answer.detail


def test_a_canary_that_nobody_can_read_any_more_is_no_data(lab, falling_silent):
    wait_for(lambda: falling_silent.poll().problem is not None, lambda: "still not missed")
    answer = falling_silent.poll()
    assert (answer.problem, answer.counts) == ("no_data", {})
    assert answer.detail.startswith("no new sample of canary for ")
