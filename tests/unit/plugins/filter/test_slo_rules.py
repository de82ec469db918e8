# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of an objective: what is recorded, what alerts, and that the documentation says what the filter takes."""

import pathlib

import pytest
import yaml
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.progressive.delivery.plugins.filter import slo_rules as rules_filter
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.catalogue import SOURCES
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.slo_rules import OPTIONS

LEAST = {"namespace": "eu", "workload": "shop", "objective": "99.9%"}


def made(**more):
    groups = rules_filter.slo_rules({**LEAST, **more})["groups"]
    assert [group["name"] for group in groups] == [f"eu-shop-availability-{part}" for part in ("ratios", "budget", "alerts", "canary")]
    return {group["name"].rpartition("-")[2]: group["rules"] for group in groups}


def test_ansible_finds_the_filter():
    templar = Templar(DataLoader(), {"given": LEAST})
    found = templar.template(trust_as_template("{{ given | progressive.delivery.slo_rules }}"))
    assert len(found["groups"]) == 4
    with pytest.raises(AnsibleError, match="did you mean objective"):
        templar.template(trust_as_template("{{ {'objectiv': '99%'} | progressive.delivery.slo_rules }}"))


def test_every_window_of_the_alerts_is_recorded_under_sloths_name():
    found = made()
    names = [rule["record"] for rule in found["ratios"]]
    assert names == [f"slo:sli_error:ratio_rate{window}" for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")]
    assert found["ratios"][0]["labels"] == {
        "sloth_id": "eu-shop-availability", "sloth_service": "shop", "sloth_slo": "availability", "sloth_window": "5m",
    }  # fmt: skip
    assert "sum_over_time(slo:sli_error:ratio_rate5m{" in found["ratios"][-1]["expr"]
    recorded = {rule["record"] for rule in found["ratios"] + found["budget"]}
    assert "slo:period_error_budget_remaining:ratio" in recorded
    for alert in found["alerts"]:
        assert sum(f"{name}{{" in alert["expr"] for name in recorded) == 2, "a long and a short window, both recorded"


def test_both_versions_count_for_the_objective_and_no_error_is_none():
    expression = made()["ratios"][0]["expr"]
    assert 'destination_workload=~"shop|shop\\\\-canary"' in expression
    assert expression.count("or vector(0)") == 1, "for the errors, never for the total"
    assert expression.endswith("> 0))"), "no requests give no value"


@pytest.mark.parametrize(
    ("period", "limits"), [("30d", ["0.0144", "0.006", "0.003", "0.001"]), ("28d", ["0.01344", "0.0056", "0.0028", None])]
)
def test_limits_follow_from_objective_and_period(period, limits):
    alerts = made(period=period)["alerts"]
    assert [alert["labels"]["severity"] for alert in alerts] == ["page", "page", "ticket", "ticket"]
    for alert, limit in zip(alerts, limits, strict=True):
        assert limit is None or alert["expr"].count(f"> {limit})") == 2


def test_the_alert_on_a_canary_names_its_release_and_returns_traffic_unless_told_not_to():
    (alert,) = made(release="spring")["canary"]
    assert alert["labels"] == {"severity": "ticket", "release": "spring", "action": "rollback"}
    assert "> 1.5 * (" in alert["expr"]
    assert 'destination_workload="shop-canary"' in alert["expr"] and ">= 10)" in alert["expr"]
    (quiet,) = made(canary_action="none", canary_ratio=3, labels={"team": "shop"})["canary"]
    assert quiet["labels"] == {"severity": "ticket", "release": "shop", "team": "shop"}
    assert "> 3 * (" in quiet["expr"]


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_selects_two_arms_that_have_no_series_in_common(source):
    canary = made(source=source)["canary"][0]["expr"]
    assert SOURCES[source].requests in canary
    assert "shop-canary" in canary.replace("\\\\", "") and canary.count("sum(rate(") == 4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"objective": 99.9}, "objective: 99.9 is not allowed; a percentage"),
        ({"objective": None}, "objective: is required"),
        ({"workload": None}, "workload: is required"),
        ({"namespace": 'x"}'}, "namespace: "),
        ({"period": "1h"}, "period: "),
        ({"source": "pods"}, "source: 'pods' is not allowed; one of istio_destination"),
        ({"canary_ratio": 1}, "canary_ratio: 1 is not allowed; a number above 1"),
        ({"canary_action": "abort"}, "one of rollback, none"),
        ({"labels": {"team": 5}}, "labels.team: 5 is not allowed; a string"),
        ({"windows": []}, "slo_rules.windows"),
    ],
    ids=str,
)
def test_wrong_options_are_refused_with_what_is_allowed(wrong, says):
    with pytest.raises(AnsibleFilterError) as caught:
        rules_filter.slo_rules({**LEAST, **wrong})
    assert says in str(caught.value)


def test_the_documentation_names_every_option_with_its_default():
    documented = yaml.safe_load(pathlib.Path(rules_filter.__file__).with_suffix(".yml").read_text())["DOCUMENTATION"]
    options = documented["options"]["_input"]["suboptions"]
    assert set(options) == set(OPTIONS)
    defaults = {name: option["default"] for name, option in options.items() if "default" in option}
    assert made(**defaults) == made()
