# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb replay, against a world in memory and a Prometheus with a scripted past."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import replay as engine
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

NOW = 100_000.0
PODS = [f"shop-7c9fbb4d5-{letter * 5}" for letter in "abc"]
GIVEN = {
    "release_namespace": "eu",
    "release_workload": "Deployment/shop",
    "release_prometheus": {"url": "http://p.example"},
    "replay_hours": 1,
}


class Past:
    """Three pods that serve 20 requests a second each; pod a fails 5 % of them for the last ten minutes when it is broken."""

    def __init__(self, *, broken=False, seconds=3600, gateway=False):
        self.broken, self.seconds, self.gateway = broken, seconds, gateway

    def get(self, path, query):
        if path == "api/v1/query":
            return {"status": "success", "data": {"result": [{"metric": {}, "value": [NOW, str(NOW)]}]}}
        start, end, step = (float(query[name]) for name in ("start", "end", "step"))
        times = [at for number in range(int((end - start) / step) + 1) if NOW - self.seconds <= (at := start + number * step) <= end]
        series = [self._series(pod, code, times) for pod in PODS for code in ("200", "500")]
        return {"status": "success", "data": {"result": [one for one in series if one["values"]]}}

    def _series(self, pod, code, times):
        def failed(at):
            return 1.0 * max(0.0, at - (NOW - 600)) if self.broken and pod == PODS[0] else 0.0

        values = [[at, str(round(failed(at) if code == "500" else 20 * (at - NOW + 4000) - failed(at)))] for at in times]
        labels = {"destination_service_name": "shop", "response_code": code} if self.gateway else {"pod": pod, "code": code}
        return {"metric": labels, "values": values}


@pytest.fixture
def shop(monkeypatch):
    world = World()

    def run(past, source="http", **given):
        monkeypatch.setattr(engine, "transport", lambda *_: past)
        monkeypatch.setattr(engine, "inspect", lambda *_: MetricsPreflight({}, source, {}, True))
        return engine.replay(world, {**GIVEN, **given}, world.caller)

    run.world = world
    return run


def test_a_quiet_hour_returns_nobody_and_harm_is_caught(shop):
    result = shop(Past())
    assert (result["changed"], result["split"], result["trials"], result["rolled_back"]) == (False, "by_pod", 18, 0)
    assert result["advanced"] == 18 and result["rate_percent"] == {"errors": 0.0}
    by_ratio = {one["ratio"]: one for one in result["detection"]}
    assert by_ratio[2]["rate_percent"] == pytest.approx({"errors": 0.2})  # twice a tenth of the limit of 1 %
    assert by_ratio[2]["rolled_back"] < by_ratio[10]["rolled_back"] == 18
    assert shop.world.writes() == []
    assert any("18 would have gone on" in line for line in shop.world.lines)


def test_a_false_rollback_is_told_with_its_time_and_pod(shop):
    result = shop(Past(broken=True), replay_ratios=[])
    assert result["rolled_back"] >= 1 and result["detection"] == []
    assert {one["canary"] for one in result["false_rollbacks"]} == {PODS[0]}
    assert all(one["events"]["errors"] >= 3 and one["at"].startswith("1970-01-02T03:") for one in result["false_rollbacks"])
    assert any("returned at 1970-01-02T03:" in line and PODS[0] in line for line in shop.world.lines)


def test_a_gateway_s_requests_are_dealt_at_random(shop):
    result = shop(Past(gateway=True), source="istio_source", replay_share_percent=20)
    assert (result["split"], result["trials"]) == ("at_random", 6)
    assert any("20 % of the requests, drawn at random" in line for line in shop.world.lines)
    assert shop(Past(gateway=True), source="istio_source", replay_share_percent=20) == result


def test_gates_of_another_judge_are_left_out_and_it_says_so(shop):
    gates = [{"name": "errors", "error_rate": {"max": "1%"}}, {"name": "paid", "query": {"promql": "paid", "min": 95}}]
    result = shop(Past(), release_gates=gates, replay_ratios=[])
    assert set(result["rate_percent"]) == {"errors"}
    assert any("left out: paid, whose judge is not sequential" in line for line in shop.world.lines)


def test_a_past_that_is_too_short_is_refused_with_what_there_is(shop):
    with pytest.raises(Refused, match=r"Prometheus has (5 min|300 s)"):
        shop(Past(seconds=300))


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"replay_hours": 0}, "replay_hours", "1 to 744"),
        ({"replay_window_seconds": "10s"}, "replay_window_seconds", "60 s"),
        ({"replay_window_seconds": 60, "replay_step_seconds": 30}, "replay_window_seconds", "four looks"),
        ({"replay_share_percent": 60}, "replay_share_percent", "1 to 50"),
        ({"replay_ratios": [1]}, "replay_ratios[0]", "2 to 1000"),
        ({"replay_ratio": [2]}, "replay_ratio", "no such option"),
        ({"release_gates": []}, "release_metrics_source", "a gate"),
        ({"release_gates": [{"error_rate": {"max": "1%"}, "judge": "threshold"}]}, "release_metrics_source", "whose judge is sequential"),
        ({"release_metrics_source": "pods"}, "release_metrics_source", "pods know nothing of their past"),
    ],
)
def test_wrong_options_are_refused(shop, given, field, says):
    with pytest.raises(SpecError) as caught:
        shop(Past(), **given)
    assert any(one.field == field and says in one.allowed for one in caught.value.problems)


def test_a_page_is_written_where_reports_go_and_only_there(shop, tmp_path):
    assert "page" not in shop(Past())
    where = tmp_path / "releases"
    result = shop(Past(), release_report_dir=str(where))
    assert result["changed"]
    assert "no worse than stable" in (where / "replay-eu.html").read_text()
    assert not shop(Past(), release_report_dir=str(where))["changed"]


def test_a_folder_that_cannot_be_written_is_refused(shop, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="release_report_dir"):
        shop(Past(), release_report_dir=str(tmp_path / "file"))
