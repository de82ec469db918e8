# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source of the catalogue through a life of counters: born above zero, grown, restarted, not scraped, there again."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import NO_COUNTS, Counts
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import bounds, history
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.slo_rules import slo_rules
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec, QuantileSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.source_spec import NAMES, OWN
from ansible_collections.progressive.delivery.tests.prometheus.forms import CANARY, FORMS, OWN_GIVEN, STABLE, arms, exposed
from ansible_collections.progressive.delivery.tests.prometheus.looks import ERRORS, SLOW, Looks
from ansible_collections.progressive.delivery.tests.prometheus.server import wait_for

TAIL = GateSpec("tail", "latency", 0.0, None, "threshold", quantile=QuantileSpec(0.99, 250.0))
# moment -> arm -> (ok, failed, slow); None: the arm is not there; () : its target does not answer
LIFE = {
    "zero": {STABLE: (1000, 10, 7), CANARY: None},
    "born above zero": {STABLE: (1100, 20, 9), CANARY: (8, 3, 1)},
    "restarted": {STABLE: (30, 1, 2), CANARY: (5, None, 0)},
    "not scraped": {STABLE: (), CANARY: ()},
    "there again": {STABLE: (60, 3, 6), CANARY: (15, 4, 2)},
}
# what has been counted since zero: (canary, stable) of each gate
COUNTED = {
    "born above zero": {"errors": (Counts(11, 3), Counts(110, 10)), "slow": (Counts(11, 1), Counts(110, 2))},
    "restarted": {"errors": (Counts(16, 3), Counts(141, 11)), "slow": (Counts(16, 1), Counts(141, 4))},
    "not scraped": {"errors": (Counts(16, 3), Counts(141, 11)), "slow": (Counts(16, 1), Counts(141, 4))},
    "there again": {"errors": (Counts(30, 7), Counts(173, 13)), "slow": (Counts(30, 3), Counts(173, 8))},
}


@pytest.fixture(scope="module")
def lives(lab):
    """All sources live through the same moments at the same time; what each of them found: source -> moment -> counts or what went wrong."""
    targets = {name: {arm: lab.target() for arm in (STABLE, CANARY)} for name in FORMS}
    looks, found = {}, {name: {} for name in FORMS}
    found["began"] = lab.client.value("vector(time())")
    for moment, shown in LIFE.items():
        lab.show({targets[name][arm]: _body(name, arm, shown[arm]) for name in FORMS for arm in shown})
        for name in FORMS:
            if moment == "zero":
                looks[name] = Looks(lab, arms(name))
                continue
            try:
                looks[name].reach(**COUNTED[moment])
            except AssertionError as error:
                found[name][moment] = str(error)
    return found


def _body(name, arm, shown):
    if shown is None:
        return ""
    return exposed(name, arm, *shown) if shown else None


@pytest.mark.parametrize("moment", COUNTED)
@pytest.mark.parametrize("name", FORMS)
def test_counts_are_what_happened_whatever_the_counters_do(lives, name, moment):
    assert lives[name].get(moment) is None


def test_every_source_of_the_catalogue_is_here():
    assert set(FORMS) == {*NAMES, OWN}


@pytest.mark.parametrize("name", FORMS)
def test_the_bounds_of_a_histogram_are_told_in_milliseconds_and_others_are_refused_with_the_nearest(lab, lives, name):
    wait_for(lambda: bounds.classic(lab.client, arms(name)) == [100.0, 250.0, 500.0], lambda: "other bounds")
    problems = []
    assert bounds.check(lab.client, arms(name), (ERRORS, SLOW, TAIL), problems) == []
    assert problems == []
    bounds.check(lab.client, arms(name), (GateSpec("slow", "latency", 0.01, 300.0),), problems)
    (problem,) = problems
    assert problem.allowed == f"a bucket bound of {arms(name).source.histogram} (nearest: 250ms, 500ms)"


@pytest.mark.parametrize("name", FORMS)
def test_a_look_is_one_question_whatever_the_gates_ask(lab, lives, name):
    looks = Looks(lab, arms(name), (ERRORS, SLOW, TAIL))
    before = lab.asked
    looks.poll()
    assert lab.asked - before == 1


@pytest.mark.parametrize("name", FORMS)
def test_the_past_is_read_by_the_same_names(lab, lives, name):
    now = lab.client.value("vector(time())")
    read = history.read(lab.client, arms(name), (ERRORS, SLOW), start_seconds=lives["began"], end_seconds=now, step_seconds=1)
    counted = {gate: sum((count for one in read for count in one.counts[gate].values()), NO_COUNTS) for gate in ("errors", "slow")}
    assert counted == {"errors": Counts(173, 13), "slow": Counts(173, 8)}


@pytest.mark.parametrize("name", FORMS)
def test_every_question_is_promql(lab, name):
    of = arms(name)
    asked = [of.look_query(None, [250.0]), of.look_query([0.5, 250.0, 300.0], [250.0]), of.bounds_query()]
    asked += [of.history_query(events, 250.0) for events in ("requests", "errors", "slow")]
    asked += [
        of.grown("30d", of.selectors.values(), failed=failed, function=how) for failed in (True, False) for how in ("increase", "rate")
    ]
    asked += [f"count_over_time({of.grown('5m', of.selectors.values(), function='rate')}[30m:5m])"]
    lab.client.instant(" or ".join(f"({query})" for query in asked))
    lab.client.histogram(of.native_query())


@pytest.mark.parametrize("name", FORMS)
def test_every_rule_of_an_objective_is_promql(lab, name):
    source = OWN_GIVEN if name == OWN else name
    made = slo_rules({"namespace": "eu", "workload": "shop", "objective": "99.9%", "source": source})
    expressions = [rule["expr"] for group in made["groups"] for rule in group["rules"]]
    assert len(expressions) == 19
    lab.client.instant(" or ".join(f"({expression})" for expression in expressions))
