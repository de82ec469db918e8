# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_slo, release_alerts and gates on the burn rate as users write them, and every way of getting them wrong."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.alerts_spec import AlertsSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.slo_spec import SloSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

LEAST = {
    "release_name": "shop",
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://p.example"},
}
GIVEN = "{objective: 99.5%, period: 28d, source: pyrra, series: http, labels: {slo: shop}, allowance: 1%, watch: 15m}"
READ = SloSpec(0.995, 28 * 86400.0, "pyrra", "http", (("slo", "shop"),), allowance=0.01, watch_seconds=900.0)
GIVEN_ALERTS = {"matchers": {"team": "shop", "service": "cart"}}
READ_ALERTS = AlertsSpec((("service", "cart"), ("team", "shop")))
SLO = {"objective": "99.9%"}
SLOTH = {**SLO, "source": "sloth", "labels": {"sloth_id": "shop-requests"}}
PYRRA = {**SLO, "source": "pyrra", "series": "http_requests", "labels": {"slo": "shop"}}


def problems(**given):
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **given})
    return {one.field: one.allowed for one in caught.value.problems}


def test_an_objective_alone_is_thirty_days_of_raw_counters():
    found = parse({**LEAST, "release_slo": SLO}).slo
    assert found == SloSpec(0.999, 30 * 86400.0, "raw", None, (), allowance=0.001, watch_seconds=3600.0)
    assert found.budget == 0.001
    assert [window.factor for window in found.windows.values()] == pytest.approx([14.4, 6, 3, 1])


@pytest.mark.parametrize("slo", [SLO, SLOTH, {**PYRRA, "errors": 'code!~"2.."', "budget_override": "the fix of an outage"}])
def test_a_record_gives_the_same_spec_back(slo):
    burns = {"name": "slo", "burn_rate": {"over": ["1h", "6h"]}}
    given = {"release_slo": slo, "release_alerts": {"matchers": {"app": "shop"}, "silence": {"service": "monitoring/alerts:9093"}}}
    spec = parse({**LEAST, **given, "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}, burns]})
    assert spec_from(json.loads(json.dumps(spec.to_dict()))).to_dict() == spec.to_dict()
    assert spec.gates[1] == GateSpec("slo", "burn_rate", 0.0, None, "burn_rate", burn_over=("1h", "6h"))
    assert not spec.gates[1].counts


def test_an_alert_names_the_release_unless_matchers_say_otherwise():
    assert parse({**LEAST, "release_alerts": {}}).alerts == AlertsSpec((("release", "shop"),))
    found = parse({**LEAST, "release_alerts": "matchers: {app: cart}"}).alerts
    assert found.wanted == {"app": "cart", "action": "rollback"}
    assert str(found) == 'action="rollback", app="cart"'


@pytest.mark.parametrize(
    ("slo", "field", "allowed"),
    [
        ({}, "release_slo.objective", "a percentage above 0%"),
        ({"objective": 99.9}, "release_slo.objective", "with its sign"),
        ({"objective": "100%"}, "release_slo.objective", "below 100%"),
        ({**SLO, "period": "1h"}, "release_slo.period", "from 86400 s"),
        ({**SLO, "source": "nobl9"}, "release_slo.source", "one of raw, sloth, pyrra"),
        ({**SLO, "labels": {"a": "b"}}, "release_slo.labels", "nothing with source raw"),
        ({**SLO, "series": "x"}, "release_slo.series", "nothing with source raw"),
        ({**SLO, "errors": 'code="500"'}, "release_slo.errors", "unless source is pyrra"),
        ({**SLOTH, "labels": None}, "release_slo.labels", "choose one objective of sloth"),
        ({**SLOTH, "labels": {"sloth_id": 5}}, "release_slo.labels.sloth_id", "quote numbers"),
        ({**SLOTH, "labels": {"sloth_id": 'a"} or up{x="'}}, "release_slo.labels.sloth_id", "without quotes"),
        ({**SLOTH, "series": "x"}, "release_slo.series", "choose them by labels"),
        ({**PYRRA, "series": None}, "release_slo.series", "such as http_requests"),
        ({**PYRRA, "series": "http{}"}, "release_slo.series", "such as http_requests"),
        ({**PYRRA, "errors": 'code=~"5.."} or up{'}, "release_slo.errors", "one matcher"),
        ({**SLO, "allowance": 0.1}, "release_slo.allowance", "with its sign"),
        ({**SLO, "watch": "8d"}, "release_slo.watch", "a duration"),
        ({**SLO, "budget_override": True}, "release_slo.budget_override", "a non-empty string"),
        ({**SLO, "budget_override": " "}, "release_slo.budget_override", "a non-empty string"),
        ({**SLO, "objectives": 1}, "release_slo.objectives", "did you mean objective?"),
        ("99.9%", "release_slo", "a dictionary"),
    ],
    ids=str,
)
def test_a_wrong_objective_is_refused_with_what_is_allowed(slo, field, allowed):
    assert allowed in problems(release_slo=slo)[field]


@pytest.mark.parametrize(
    ("more", "field", "allowed"),
    [
        ({"release_gates": []}, "release_slo", "a gate on error_rate"),
        ({"release_strategy": "shadow"}, "release_slo", "a shadow gives the canary no traffic"),
        ({"release_metrics_source": "pods"}, "release_slo.source", "pods know nothing of the period"),
        ({"release_prometheus": None}, "release_prometheus", "is required by the gates, release_slo or release_alerts"),
    ],
)
def test_an_objective_that_the_release_has_no_use_for_is_refused(more, field, allowed):
    assert allowed in problems(release_slo=SLO, **more)[field]


@pytest.mark.parametrize(
    ("alerts", "field", "allowed"),
    [
        ({"matchers": {}}, "release_alerts.matchers", "at least one label"),
        ({"matchers": {"release": 1}}, "release_alerts.matchers.release", "a non-empty string"),
        ({"matchers": {"re-lease": "shop"}}, "release_alerts.matchers.re-lease", "a label's name"),
        ({"labels": {}}, "release_alerts.labels", "known: matchers, silence"),
    ],
)
def test_wrong_alerts_are_refused(alerts, field, allowed):
    assert allowed in problems(release_alerts=alerts)[field]


@pytest.mark.parametrize(
    ("burn", "field", "allowed"),
    [
        ({"over": ["1h", "2h"]}, "release_gates[1].burn_rate.over", "among 1h, 6h, 1d, 3d"),
        ({"over": []}, "release_gates[1].burn_rate.over", "a list of windows"),
        ({}, "release_gates[1].burn_rate.over", "a list of windows"),
        (None, "release_gates[1].burn_rate", "is required"),
        ({"max": 14.4}, "release_gates[1].burn_rate.max", "unknown"),
    ],
)
def test_wrong_burn_rates_are_refused(burn, field, allowed):
    gates = [{"name": "errors", "error_rate": {"max": "1%"}}, {"name": "slo", "burn_rate": burn}]
    assert allowed in problems(release_slo=SLO, release_gates=gates)[field]


def test_a_gate_on_the_burn_rate_needs_an_objective_and_has_one_judge():
    gate = {"name": "slo", "burn_rate": {"over": ["1h"]}}
    assert "is required by gate slo" in problems(release_gates=[gate])["release_slo"]
    assert "one of burn_rate" in problems(release_gates=[{**gate, "judge": "threshold"}])["release_gates[0].judge"]
