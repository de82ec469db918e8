# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions of both groups from raw counters, against a Prometheus that answers from a world."""

import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.experiment import Tally
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.conversions import Measure, arms_of, inspect
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import Prometheus, Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.sources import counter_source
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse

A, B = "shop-6c7d8f9b5d-abcde", "shop-canary-6c7d8f9b5d-fghij"
SPEC = {
    "release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2",
    "release_strategy": "ab_test", "release_prometheus": {"url": "http://p"},
}  # fmt: skip
AB = {"cookie": "ab", "conversions": {"metric": "sales_total", "labels": {"kind": 'b"{k}'}}, "of": {"metric": "visits_total"}}


class Counting:
    """Answers look and history queries from counters: metric -> pod -> (sampled at, value)."""

    def __init__(self):
        self.now = 100.0
        self.counters = {"visits_total": {A: (99.0, 1000.0), B: (99.0, 10.0)}, "sales_total": {A: (99.0, 50.0), B: (99.0, 1.0)}}
        self.history = {"visits_total": 600.0, "sales_total": 30.0}  # by minute, for an hour
        self.scraped_before = {metric: dict(pods) for metric, pods in self.counters.items()}
        self.meanwhile = None  # what happens after the next question
        self.queries = []
        self.down = False

    def count(self, metric, **grown):
        self.now += 0.0
        for name, more in grown.items():
            pod = {"a": A, "b": B}[name]
            self.scraped_before[metric][pod] = self.counters[metric].get(pod, (0, 0.0))
            self.counters[metric][pod] = (self.now, self.counters[metric].get(pod, (0, 0.0))[1] + more)

    def get(self, path, query):
        if self.down:
            raise Unavailable("down")
        promql = query["query"]
        self.queries.append(promql)
        metric = next((one for one in self.counters if one in promql), None)
        if path.endswith("query_range"):
            values = [[60.0 * minute, str(self.history[metric])] for minute in range(61)]
            return {"status": "success", "data": {"result": [{"metric": {}, "values": values}]}}
        asked = float(query.get("time", self.now))
        found = [({"kind": "now"}, asked)]
        for pod, newest in self.counters.get(metric, {}).items():
            at, value = newest if newest[0] <= asked else self.scraped_before[metric][pod]
            found += [({"kind": "requests", "pod": pod, "code": ""}, value), ({"kind": "time", "pod": pod}, at)]
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return {"status": "success", "data": {"result": [{"metric": labels, "value": [0, str(value)]} for labels, value in found]}}


@pytest.fixture
def world():
    return Counting()


@pytest.fixture
def measure(world):
    return Measure(Prometheus(world), *arms_of(parse({**SPEC, "release_ab": AB}), "shop", None))


def grow(world, **both):
    world.now += 5
    for metric in ("visits_total", "sales_total"):
        world.count(metric, **{name: pair[metric == "sales_total"] for name, pair in both.items()})


def counts(measure):
    found = measure.poll()
    return found.a, found.b


def test_what_grew_between_two_readings_of_every_pod_is_counted_by_group(world, measure):
    assert measure.poll() is None, "the first reading is the zero"
    grow(world, a=(80, 8), b=(20, 3))
    assert counts(measure) == (Tally(80, 8), Tally(20, 3))
    assert measure.poll() is None, "nothing is new"
    grow(world, a=(8, 0), b=(0, 0))
    assert counts(measure) == (Tally(8, 0), Tally(0, 0))


def test_a_scrape_between_the_two_questions_counts_for_both_the_next_time(world, measure):
    measure.poll()
    grow(world, a=(80, 80), b=(20, 20))
    world.meanwhile = lambda: grow(world, a=(40, 40), b=(10, 10))
    assert counts(measure) == (Tally(80, 80), Tally(20, 20))
    assert counts(measure) == (Tally(40, 40), Tally(10, 10))


def test_counts_wait_until_both_counters_of_both_groups_were_read_again(world, measure):
    measure.poll()
    world.now += 5
    world.count("visits_total", a=10, b=10)
    assert measure.poll() is None
    world.count("sales_total", a=1)
    assert measure.poll() is None
    world.count("sales_total", b=2)
    assert counts(measure) == (Tally(10, 1), Tally(10, 2))


def test_a_group_that_was_scraped_later_has_no_larger_share_of_the_requests(world, measure):
    measure.poll()
    grow(world, a=(100, 0), b=(100, 0))
    world.now += 5  # a starved Prometheus reads B's pod late, twenty requests a second later
    for metric in ("visits_total", "sales_total"):
        world.count(metric, b=100)
    found = measure.poll()
    assert (found.a.requests, found.b.requests) == (100, 200), "what was counted stays what was counted"
    assert (found.a_seconds, found.b_seconds) == (6.0, 11.0)
    a, b = found.requests_of_equal_time()
    assert a == 100
    assert b == pytest.approx(200 * 6 / 11, abs=1)


def test_a_group_of_unknown_age_is_compared_as_it_was_counted(world, measure):
    for metric in ("visits_total", "sales_total"):
        world.counters[metric].pop(B)
    measure.poll()
    grow(world, a=(5, 1), b=(7, 1))
    found = measure.poll()
    assert found.b_seconds == 0.0, "a pod that was born meanwhile"
    assert found.requests_of_equal_time() == (5, 7)


def test_a_group_without_a_counter_is_named_and_is_not_a_group_without_conversions(world, measure):
    world.counters["sales_total"].pop(B)
    measure.poll()
    grow(world, a=(5, 1), b=(5, 0))
    world.counters["sales_total"].pop(B)
    assert counts(measure) == (Tally(5, 1), Tally(5, 0))
    assert measure.missing() == "B"
    grow(world, a=(5, 1), b=(5, 2))
    assert counts(measure) == (Tally(5, 1), Tally(5, 2)), "a series born with its first conversions loses none of them"
    assert measure.missing() == ""


def test_a_prometheus_that_is_down_is_no_count_and_loses_none(world, measure):
    measure.poll()
    grow(world, a=(5, 1), b=(5, 1))
    world.down = True
    with pytest.raises(Unavailable):
        measure.poll()
    world.down = False
    grow(world, a=(5, 0), b=(5, 1))
    assert counts(measure) == (Tally(10, 1), Tally(10, 2))


def test_the_query_selects_the_pods_of_both_groups_and_the_labels_asked_for():
    arms = Arms(counter_source("sales_total", (("kind", 'b"{k}\\'),)), "eu", "shop", "shop")
    selector = re.search(r"\{namespace=.*?\}\)", arms.look_query([])).group(0)
    assert selector == ('{namespace="eu",pod=~"(shop|shop\\\\-canary)-[0-9a-z]{6,10}-[0-9a-z]{5}",kind="b\\"{k}\\\\"})')
    assert [arms.arm_of({"pod": pod}) for pod in (A, B, "shop-front-6c7d8f9b5d-abcde")] == ["stable", "canary", None]


def test_preflight_reads_how_people_convert_now(world):
    problems = []
    found = inspect(parse({**SPEC, "release_ab": AB}), "shop", world, None, problems)
    assert problems == []
    assert (found.reading.share, found.reading.per_second, found.dispersion) == (0.05, 10.0, 1.0)


@pytest.mark.parametrize(("metric", "field"), [("sales_total", "conversions"), ("visits_total", "of")])
def test_a_counter_that_stable_does_not_have_is_refused(world, metric, field):
    world.counters[metric] = {B: (99.0, 3.0)}
    problems = []
    assert inspect(parse({**SPEC, "release_ab": AB}), "shop", world, None, problems) is None
    assert [one.field for one in problems] == [f"release_ab.{field}"]


def test_without_conversions_nothing_is_asked(world):
    assert inspect(parse({**SPEC, "release_ab": {"cookie": "ab", "iterations": 1}}), "shop", world, "http", []) is None
    assert world.queries == []
