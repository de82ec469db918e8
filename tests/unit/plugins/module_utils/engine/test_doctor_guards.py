# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor on error budgets and alerts: what Prometheus and Alertmanager would not tell a release."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import doctor_guards
from ansible_collections.progressive.delivery.plugins.module_utils.metrics import alertmanager
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import ByUrl, Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse

GIVEN = {
    "release_name": "shop",
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://prometheus.example"},
}
SLOTH = {"objective": "99.9%", "source": "sloth", "labels": {"sloth_id": "shop"}}
SERIES = {"remaining": 0.9, "rate5m": 0.0004, "rate1h": 0.0004}


def rule(name, **labels):
    return {"name": name, "type": "alerting", "labels": labels}


class Watchers:
    """What Prometheus and Alertmanager answer."""

    def __init__(self):
        self.series, self.rules, self.alerts = dict(SERIES), [rule("Lost", action="rollback", release="shop")], []
        self.down, self.silenced = False, []

    def get(self, path, query):
        if self.down:
            raise Unavailable("connection refused")
        data = {"api/v1/alerts": {"alerts": self.alerts}, "api/v1/rules": {"groups": [{"name": "g", "rules": self.rules}]}}.get(path)
        if data is None:
            found = [str(value) for part, value in self.series.items() if part in query["query"]]
            data = {"resultType": "vector", "result": [{"metric": {}, "value": [0, value]} for value in found]}
        return {"status": "success", "data": data}


@pytest.fixture
def watchers(monkeypatch):
    made = Watchers()
    monkeypatch.setattr(ByUrl, "get", lambda _self, path, query: made.get(path, query))
    return made


def found(**more):
    return [(one.check, one.severity, one.object, one.problem) for one in doctor_guards.guards(None, parse({**GIVEN, **more}), None)]


def test_what_is_sound_is_no_finding(watchers):
    assert found(release_slo=SLOTH, release_alerts={}) == []
    assert found() == []
    watchers.down = True
    assert found() == [], "nobody is asked about what is not there"


def test_series_that_are_not_there_are_told_with_their_names(watchers):
    watchers.series = {}
    ((check, severity, where, problem),) = found(release_slo=SLOTH)
    assert (check, severity, where) == ("error_budget", "error", "release_slo")
    assert 'no number: slo:sli_error:ratio_rate1h{sloth_id="shop"}' in problem


def test_a_budget_that_would_refuse_is_told_unless_it_is_overridden(watchers):
    watchers.series["remaining"] = -0.2
    ((check, severity, _where, problem),) = found(release_slo=SLOTH)
    assert (check, severity) == ("error_budget", "error")
    assert "nothing is left to spend" in problem
    assert found(release_slo={**SLOTH, "budget_override": "the fix"}) == []
    watchers.series["remaining"] = 0.4
    assert found(release_slo=SLOTH) == [], "careful is no trouble"


def test_an_alert_that_fires_already_is_an_error(watchers):
    labels = {"alertname": "Lost", "action": "rollback", "release": "shop"}
    watchers.alerts = [{"state": "firing", "labels": labels, "activeAt": "then"}]
    assert found(release_alerts={}) == [
        ("alerts", "error", "alert Lost", "it would end the release with its first request: alert Lost fires since then")
    ]


@pytest.mark.parametrize(
    ("rules", "where", "says"),
    [
        ([], "release_alerts", 'no alert has action="rollback", release="shop": none returns traffic'),
        ([rule("Other", release="shop")], "release_alerts", 'no alert has action="rollback", release="shop"'),
        ([rule("Lost", action="rollback", release="another")], "release_alerts", 'no alert has action="rollback", release="shop"'),
        ([rule("Lost", action="rollback")], "alert Lost", 'no label release="shop"'),
        ([rule("Lost", action="rollback"), rule("Mine", action="rollback", release="shop")], None, ""),
        ([rule("Lost", action="rollback", release="{{ $labels.app }}")], None, ""),
    ],
)
def test_alerts_that_return_nobody_are_told(watchers, rules, where, says):
    watchers.rules = rules
    told = found(release_alerts={})
    assert [(check, severity, object_) for check, severity, object_, _problem in told] == ([("alerts", "warning", where)] if where else [])
    assert all(says in problem for *_others, problem in told)


def test_a_prometheus_that_does_not_answer_is_told_of_both(watchers):
    watchers.down = True
    assert [one[:3] for one in found(release_slo=SLOTH, release_alerts={})] == [
        ("error_budget", "error", "release_slo"),
        ("alerts", "error", "release_alerts"),
    ]


def test_an_alertmanager_that_does_not_answer_is_told(watchers, monkeypatch):
    silence = {"silence": {"url": "http://127.0.0.1:9"}}
    ((check, severity, where, problem),) = found(release_alerts=silence)
    assert (check, severity, where) == ("alertmanager", "warning", "release_alerts.silence")
    assert "would not silence its own alerts: http://127.0.0.1:9" in problem
    monkeypatch.setattr(alertmanager.Alertmanager, "_ask", lambda _self, method, path, _body: watchers.silenced.append((method, path)))
    assert found(release_alerts=silence) == []
    assert watchers.silenced == [("GET", "api/v2/status")], "a doctor puts no silence"
