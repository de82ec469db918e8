# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What metric_gate reads before and while it judges: the canary's share, the two versions, counters and queries; what it refuses, and plans."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import gate_arms
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import MetricsPreflight
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_canary import ERRORS, Canary, after, refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import STABLE

MIRRORS = [{"destination": {"host": "shop-canary"}, "percentage": {"value": 20.0}}]


# -- what the canary gets


def test_chosen_requests_are_judged_by_the_limits_alone():
    world = Canary(weight=0)
    match = {
        "name": "main-canary",
        "match": [{"headers": {"x-team": {"exact": "qa"}}}],
        "route": [{"destination": {"host": "shop-canary"}}],
    }
    found = world.stored("VirtualService", "eu", "shop")
    world.put({**found, "spec": {"http": [match, {"name": "main", "route": [STABLE]}]}})
    world.share = 0.0
    assert world.run(timeout_seconds="30")["reason"] == "no look yet"
    world.chosen = 20.0
    result = world.run()
    assert (result["verdict"], result["weight_percent"]) == ("advance", 0)
    assert result["evidence"]["gates"]["errors"]["baseline"]["requests"] == 0


def test_with_all_traffic_there_is_nobody_to_compare_with():
    world = Canary(weight=100, failing=0.2)
    result = world.run()
    assert (result["verdict"], result["evidence"]["gates"]["errors"]["baseline"]["requests"]) == ("roll_back", 0)
    assert "above the limit of 1 %" in result["reason"]


def test_copies_of_a_mirror_are_judged():
    world = Canary(weight=0)
    world.shift(0, mirrors=MIRRORS)
    world.share = 0.2
    result = world.run()
    assert (result["verdict"], result["weight_percent"]) == ("advance", 20)


def test_a_share_that_the_task_says_needs_no_route():
    world = Canary(weight=0)
    world.share = 0.1
    del world.objects["VirtualService", "eu", "shop"]
    assert world.run(weight=10)["verdict"] == "advance"


def test_canary_pods_that_have_all_labels_of_stable_s_are_told_apart():
    world = Canary(failing=0.5, labels={"app": "shop", "track": "canary"})
    result = world.run()
    assert result["verdict"] == "roll_back"
    assert result["evidence"]["gates"]["errors"]["baseline"]["events"] == 0


def test_a_service_that_is_the_route_itself_is_judged_and_switched_back():
    world = Canary(weight=0, failing=0.5)
    world.share = 1.0
    found = world.stored("Service", "eu", "shop")
    world.put({**found, "spec": {**found["spec"], "selector": {"app": "shop-canary"}}})
    result = world.run(provider="service", on_violation="restore")
    assert (result["verdict"], result["restored"], result["weight_percent"]) == ("roll_back", True, 0)
    assert world.stored("Service", "eu", "shop")["spec"]["selector"] == {"app": "shop"}
    assert world.patched == ["PATCH Service/shop"]


# -- counters and queries in Prometheus


class Scraped:
    """A Prometheus that has just scraped the gateway; paid is what the query of a gate says of the canary."""

    def __init__(self, world, canary, paid=99.0):
        self.world, self.canary, self.paid, self.asked = world, canary, paid, []

    def get(self, path, query):
        self.asked.append(query["query"])
        return {"status": "success", "data": {"resultType": "vector", "result": list(self._series(query["query"]))}}

    def _series(self, query):
        now = self.world.seconds
        if query.startswith("paid"):
            yield {"metric": {}, "value": [now, str(self.paid)]}
            return
        yield {"metric": {"kind": "now"}, "value": [now, str(now)]}
        for name, counted, share in (("shop", "shop", 0.0), (self.canary, "shop-canary", self.world.failing)):
            labels = {"destination_service_name": name, "destination_workload": name, "pod": "gateway", "instance": "gateway"}
            yield {"metric": {"kind": "time", **labels}, "value": [now, str(now)]}
            for code, part in (("200", 1 - share), ("500", share)):
                value = str(round(self.world.asked_of[counted] * part))
                yield {"metric": {"kind": "requests", "response_code": code, **labels}, "value": [now, value]}


@pytest.fixture
def scraped(monkeypatch):
    """Run a task whose counters are in Prometheus."""

    def run(world, counted="shop-canary", paid=99.0, **changed):
        prometheus = Scraped(world, counted, paid)
        monkeypatch.setattr(gate_arms, "transport", lambda *_: prometheus)
        monkeypatch.setattr(gate_arms, "inspect", lambda *_, **__: MetricsPreflight({}, "istio_source", {"errors": 1.0}, True))
        where = {"metrics_source": None, "pods": None, "prometheus": {"service": "monitoring/prometheus:9090"}}
        result = world.run(**{**where, **changed})
        return result, prometheus

    return run


@pytest.mark.parametrize(("failing", "verdict"), [(0.0, "advance"), (0.5, "roll_back")])
def test_counters_in_prometheus_are_judged_alike(scraped, failing, verdict):
    result, prometheus = scraped(Canary(failing=failing))
    assert result["verdict"] == verdict
    assert 'destination_service_name=~"shop|shop\\\\-canary"' in prometheus.asked[0]


def test_a_canary_that_is_not_called_after_stable_is_known_by_its_workload(scraped):
    world = Canary(failing=0.5)
    for kind in ("Deployment", "Service"):
        found = world.stored(kind, "eu", "shop-canary")
        del world.objects[kind, "eu", "shop-canary"]
        world.put({**found, "metadata": {"name": "shop-next", "namespace": "eu"}})
    route = [{**STABLE, "weight": 90}, {"destination": {"host": "shop-next"}, "weight": 10}]
    world.put({**world.stored("VirtualService", "eu", "shop"), "spec": {"http": [{"name": "main", "route": route}]}})
    world.share = 0.1
    result, prometheus = scraped(world, "shop-next", canary="shop-next")
    assert result["verdict"] == "roll_back" and "destination_workload=~" in prometheus.asked[0]


@pytest.mark.parametrize(("paid", "verdict", "cause"), [(99.0, "advance", "within_limits"), (80.0, "roll_back", "threshold_reached")])
def test_a_query_is_judged_beside_the_counters(scraped, paid, verdict, cause):
    query = {"name": "paid", "query": {"promql": 'paid{pod=~"{canary_pods}"}', "min": 95, "unit": "%"}}
    result, prometheus = scraped(Canary(), paid=paid, gates=[query], looks={"interval_seconds": 10})
    assert (result["verdict"], result["cause"]) == (verdict, cause)
    assert any("shop-canary-[0-9a-z]" in asked for asked in prometheus.asked)
    assert 10 <= result["seconds"] < 13


# -- what is refused


def test_a_route_that_gives_the_canary_nothing_is_refused():
    assert "something to be judged by" in refused(Canary(weight=0))["service"]


def test_a_route_that_a_release_holds_can_be_judged_but_not_restored():
    world = Canary()
    world.share = 0.1
    given = {"release_name": "other", "release_gates": [], "release_stop_after": "deploy", "release_workload": "Deployment/shop"}
    world.shift(0)
    for kind in ("Deployment", "Service"):
        del world.objects[kind, "eu", "shop-canary"]
    world.start(**given)
    world.requests.clear()
    told = refused(world, weight=None, on_violation="restore")
    assert "no release holds" in told["virtual_service"]


def test_who_may_not_patch_the_route_may_not_promise_to_restore_it():
    world = Canary()
    world.denied.add(("patch", "virtualservices"))
    assert "where you may patch VirtualService" in refused(world, on_violation="restore")["on_violation"]
    assert world.run()["verdict"] == "advance"


def test_deployments_are_found_by_their_services_and_named_where_that_is_not_clear():
    world = Canary()
    for name, labels in (("extra", {"app": "shop", "own": "extra"}), ("odd", {"app": "shop-canary", "own": "odd"})):
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "shop:1"}]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"own": name}}, "template": pod}
        world.put({"kind": "Deployment", "metadata": {"name": name, "namespace": "eu"}, "spec": spec})
    told = refused(world)
    assert "shop-canary" in told["canary_workload"] and "odd" in told["canary_workload"]
    assert "extra, shop" in refused(world, canary_workload="Deployment/shop-canary")["workload"]
    named = {"workload": "Deployment/shop", "canary_workload": "Deployment/shop-canary"}
    assert world.run(**named)["verdict"] == "advance"
    assert "a Deployment of namespace eu" in refused(world, **{**named, "canary_workload": "Deployment/none"})["canary_workload"]
    assert "those whose pods" in refused(world, **{**named, "workload": "Deployment/none"})["workload"]


def test_pods_that_cannot_be_told_apart_are_refused():
    world = Canary()
    found = world.stored("Deployment", "eu", "shop-canary")
    found["spec"]["selector"] = {"matchLabels": {"app": "shop"}}
    world.put(found)
    assert "nobody could tell them apart" in refused(world)["canary_workload"]


def test_a_missing_canary_service_is_named():
    world = Canary()
    del world.objects["Service", "eu", "shop-canary"]
    assert "a Service of namespace eu, or say canary_workload" in refused(world)["canary"]


def test_pods_that_count_something_else_are_refused_in_the_task_s_own_words():
    told = refused(Canary(), pods={"family": "istio", "port": 8080})
    assert list(told) == ["pods.family"] or "release_pods.family" in told


# -- check mode


def test_check_mode_tells_what_each_gate_needs_and_judges_nothing():
    world = Canary(failing=0.5)
    looks = {"interval_seconds": 30, "threshold": 2}
    result = world.run(check_mode=True, gates=[ERRORS, {"name": "rate", "request_rate": {"min": 1}}], looks=looks)
    by_name = {one["name"]: one for one in result["gates"]}
    assert (result["changed"], result["verdict"], world.writes()) == (False, None, [])
    assert by_name["errors"]["stable_per_minute"] == pytest.approx(8100, rel=0.02)
    assert by_name["errors"]["canary_per_minute"] == pytest.approx(900, rel=0.02)
    assert by_name["errors"]["requests"] / 15 == pytest.approx(by_name["errors"]["seconds"], rel=0.05)
    assert (by_name["rate"]["seconds"], by_name["rate"]["judge"], by_name["rate"]["chances"]) == (30, "threshold", None)
    assert "at 10 % the gates need about" in result["reason"]
    assert any("plan" in line and "errors" in line for line in world.lines)


def test_check_mode_tells_how_probably_a_worse_version_is_found_meanwhile():
    world = Canary(stable_failing=0.005)
    gates = {one["name"]: one for one in world.run(check_mode=True, gates=[{"name": "errors", "error_rate": {"max": "2%"}}])["gates"]}
    chances = gates["errors"]["chances"]
    assert list(chances) == ["2", "5", "10"]
    assert 0.0 < chances["2"] < chances["5"] <= chances["10"] <= 1.0
    assert "in which 2, 5, 10 times stable's are found with a chance of" in gates["errors"]["says"]
    weak = Canary(stable_failing=0.005).run(check_mode=True, gates=[{"name": "errors", "error_rate": {"max": "1.2%"}}])["gates"][0]
    assert weak["seconds"] > gates["errors"]["seconds"], "a limit nearer to stable takes longer,"
    assert weak["chances"]["2"] > chances["2"], "in which more is found"


def test_check_mode_before_there_is_a_canary_still_reads_the_gates():
    world = Canary(weight=0)
    for kind in ("Deployment", "Service"):
        del world.objects[kind, "eu", "shop-canary"]
    world._run_pods()
    result = world.run(check_mode=True, on_violation="restore")
    assert "gives the canary nothing yet" in result["reason"]
    assert result["gates"][0]["requests"] > 100 and result["gates"][0]["seconds"] is None


def test_stable_beyond_its_own_limit_could_never_be_certified_and_check_mode_says_so():
    result = Canary(stable_failing=0.05).run(check_mode=True)
    assert result["gates"][0]["requests"] is None
    assert "nobody can tell how long errors would take" in result["reason"]


@pytest.mark.parametrize(("restarts", "verdict"), [(0, "advance"), (5, "roll_back")])
def test_restarts_of_the_canary_s_pods_are_judged_beside_its_requests(restarts, verdict):
    world = Canary()

    def restart():
        for number in range(2):
            pod = world.objects["Pod", "eu", f"shop-canary-{number}"]
            pod["status"]["containerStatuses"] = [{"name": "app", "restartCount": restarts, "ready": True}]

    after(world, 5, restart)
    result = world.run(gates=[ERRORS, {"name": "restarts", "restarts": {"max": 1}}])
    assert result["verdict"] == verdict
