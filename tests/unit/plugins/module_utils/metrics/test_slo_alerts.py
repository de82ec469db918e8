# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an objective's numbers come from, and which alerts fire."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.alerts import firing
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES, Arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import BadQuery, Prometheus
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.slo import BurnReader, NoData, Objective, duration
from ansible_collections.progressive.delivery.plugins.module_utils.release.slo_spec import SloSpec

DAY = 86400.0
ARMS = Arms(SOURCES["istio_destination"], "eu", "shop", "shop")
SELECTED = ARMS.selector


class Answers:
    """Prometheus that knows the answers to some queries (None: no series) and refuses all others."""

    def __init__(self, **answers):
        self.answers = answers["answers"]

    def get(self, path, query):
        assert path == "api/v1/query"
        if query["query"] not in self.answers:
            raise BadQuery(f"unexpected: {query['query']}")
        value = self.answers[query["query"]]
        result = [] if value is None else [{"metric": {}, "value": [1, str(value)]}]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


def objective(slo, answers, arms=ARMS):
    return Objective(Prometheus(Answers(answers=answers)), slo, arms)


def increase(window, failed=False):
    ends = [f',{label}=~"{values}"' for label, values in ARMS.source.failed] if failed else [""]
    return "sum(" + " or ".join(f"increase(istio_requests_total{{{SELECTED}{end}}}[{window}])" for end in ends) + ")"


KNOWN = f"count_over_time(sum(rate(istio_requests_total{{{SELECTED}}}[1h]))[30d:1h])"
RAW = {
    increase("1h"): 360_000, increase("1h", True): 720, increase("5m"): 30_000, increase("5m", True): None,
    increase("30d"): 200_000_000, increase("30d", True): 60_000, KNOWN: 540,
}  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (300, "5m"),
        (3600, "1h"),
        (3840, "1h4m"),
        (86400, "1d"),
        (259200, "3d"),
        (28 * DAY, "4w"),
        (30 * DAY, "30d"),
        (90, "1m30s"),
        (0, "0s"),
    ],
)
def test_durations_are_written_as_the_names_of_series_have_them(seconds, said):
    assert duration(seconds) == said


def test_raw_counters_give_burn_budget_and_the_requests_of_a_whole_period():
    found = objective(SloSpec(0.999), RAW).read(per_second=100)
    assert (found.long_burn, found.short_burn) == pytest.approx((2.0, 0.0))
    assert found.remaining == pytest.approx(1 - 0.0003 / 0.001)
    assert found.known_seconds == 540 * 3600
    assert found.requests == pytest.approx(200_000_000 * 720 / 540)


@pytest.mark.parametrize("hours", [None, 0])
def test_without_an_hour_of_history_todays_traffic_stands_for_the_period(hours):
    found = objective(SloSpec(0.999), {**RAW, KNOWN: hours}).read(per_second=100)
    assert found.requests == pytest.approx(100 * 30 * DAY)
    assert found.known_seconds == 0


@pytest.mark.parametrize("window", ["1h", "5m", "30d"])
@pytest.mark.parametrize("nothing", [None, 0])
def test_no_requests_are_no_data_and_no_success(window, nothing):
    with pytest.raises(NoData, match="no requests"):
        objective(SloSpec(0.999), {**RAW, increase(window): nothing}).read(100)


def test_sloths_series_are_chosen_by_labels_and_counted_by_our_own_counters():
    slo = SloSpec(0.99, source="sloth", labels=(("sloth_service", "shop"), ("sloth_slo", "web")))
    labels = '{sloth_service="shop",sloth_slo="web"}'
    answers = {
        f"slo:sli_error:ratio_rate1h{labels}": 0.005,
        f"slo:sli_error:ratio_rate5m{labels}": 0.2,
        f"slo:period_error_budget_remaining:ratio{labels}": -0.25,
    }
    found = objective(slo, answers, arms=None).read(per_second=10)
    assert (found.long_burn, found.short_burn, found.remaining) == pytest.approx((0.5, 20, -0.25))
    assert (found.requests, found.known_seconds) == (pytest.approx(10 * 30 * DAY), None)
    with pytest.raises(NoData, match="no number: slo:sli_error:ratio_rate5m"):
        objective(slo, {**answers, f"slo:sli_error:ratio_rate5m{labels}": None}, arms=None).read(10)
    with pytest.raises(NoData, match="is nan"):
        objective(slo, {**answers, f"slo:sli_error:ratio_rate5m{labels}": "NaN"}, arms=None).read(10)


@pytest.mark.parametrize(("days", "long", "period"), [(28, "1h", "4w"), (30, "1h4m", "30d")])
def test_pyrras_series_have_windows_that_follow_the_period(days, long, period):
    slo = SloSpec(0.99, days * DAY, "pyrra", "http_requests", (("slo", "shop"),))
    answers = {
        f'http_requests:burnrate{long}{{slo="shop"}}': 0.01,
        'http_requests:burnrate5m{slo="shop"}': 0.0,
        f'sum(http_requests:increase{period}{{slo="shop",code=~"5.."}})': 400,
        f'sum(http_requests:increase{period}{{slo="shop"}})': 100_000,
    }
    found = objective(slo, answers, arms=None).read(0.0)
    assert (found.long_burn, found.short_burn, found.remaining) == pytest.approx((1, 0, 0.6))
    assert found.requests is None


def test_a_gate_reads_both_windows_of_each_pair():
    answers = {**RAW, increase("6h"): 1000, increase("6h", True): 3, increase("30m"): 100, increase("30m", True): 1}
    slo = SloSpec(0.999)
    found = BurnReader(objective(slo, answers), slo, {"slo": ("1h", "6h")}).read("slo")
    assert dict(found.values) == pytest.approx({"1h/long": 0.002, "1h/short": 0.0, "6h/long": 0.003, "6h/short": 0.01})
    assert (found.canary, found.problem) == (pytest.approx(2.0), None)


@pytest.mark.parametrize(("answers", "problem"), [({**RAW, increase("5m"): None}, "no_data"), ({}, "bad_query")])
def test_a_gate_says_why_there_is_no_number(answers, problem):
    slo = SloSpec(0.999)
    found = BurnReader(objective(slo, answers), slo, {"slo": ("1h",)}).read("slo")
    assert (found.canary, found.problem, found.values) == (None, problem, ())


def alert(state="firing", **labels):
    return {
        "labels": {"alertname": "ShopBurns", **labels},
        "state": state,
        "activeAt": "2026-11-21T12:00:00Z",
        "annotations": {"summary": "bad"},
    }


class Alerting:
    def __init__(self, data):
        self.data = data

    def get(self, path, query):
        assert path == "api/v1/alerts"
        return {"status": "success", "data": self.data}


WANTED = {"action": "rollback", "release": "shop"}


@pytest.mark.parametrize(
    ("alerts", "fires"),
    [
        ([], False),
        ([alert(action="rollback", release="shop", severity="page")], True),
        ([alert("pending", action="rollback", release="shop")], False),
        ([alert(action="rollback", release="cart")], False),
        ([alert(release="shop")], False),
        ([alert(action="page", release="shop"), alert(action="rollback", release="shop")], True),
    ],
)
def test_an_alert_returns_traffic_only_when_it_fires_with_every_label(alerts, fires):
    found = firing(Prometheus(Alerting({"alerts": alerts})), WANTED)
    assert bool(found) is fires
    if fires:
        assert str(found[0]) == "alert ShopBurns fires since 2026-11-21T12:00:00Z: bad"


@pytest.mark.parametrize("data", [{}, {"alerts": None}, {"alerts": [{"state": "firing"}]}])
def test_an_answer_that_is_no_list_of_alerts_is_not_an_empty_one(data):
    with pytest.raises(BadQuery):
        firing(Prometheus(Alerting(data)), WANTED)
