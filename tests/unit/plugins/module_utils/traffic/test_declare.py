# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs traffic and traffic_info against a server in memory: the whole state is declared, or nothing is changed."""

import copy

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_shop import (
    HOME,
    ISTIO_RULES,
    OBJECTS,
    QA,
    QA_READ,
    STATES,
    Shop,
)


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    """connect() gives the server that was made last."""
    made = []
    before = Shop.__init__

    def remember(self, *args, **named):
        made.append(self)
        before(self, *args, **named)

    monkeypatch.setattr(Shop, "__init__", remember)
    monkeypatch.setattr(declare, "connect", lambda options: made[-1])


CASES = [(provider, state) for provider, states in STATES.items() for state in states]


@pytest.mark.parametrize(("provider", "state"), CASES)
def test_a_state_is_declared_once_and_left_home_again_as_it_was(provider, state):
    api = Shop(provider)
    wanted = {"weight_percent": state.get("weight", 0), "matches": QA_READ * ("match" in state), "mirror_percent": state.get("mirror", 0)}
    first = api.traffic(**state)
    assert (first["changed"], first["before"], first["route"]) == (True, HOME, wanted)
    assert first["object"] == {"kind": api.kind.partition(".")[0], "name": "shop"}
    assert first["put_ms"] >= 0
    assert api.info()["route"] == wanted
    assert api.writes() == [f"PATCH {api.kind}/shop"]

    second = api.traffic(**state)
    assert (second["changed"], second["before"], second["route"], second["put_ms"]) == (False, wanted, wanted, None)
    assert len(api.writes()) == 1

    back = api.traffic()
    assert (back["changed"], back["before"], back["route"]) == (True, wanted, HOME)
    assert without_default_weights(api.spec) == without_default_weights(api.original)
    assert EPOCH not in (api.stored(api.kind, "eu", "shop")["metadata"].get("annotations") or {})


def without_default_weights(spec):
    """The API server puts weight 1 on every backend of a Gateway API route; the double does not."""
    found = copy.deepcopy(spec)
    for rule in found.get("rules", []):
        for backend in rule["backendRefs"]:
            assert backend.pop("weight", 1) == 1
    return found


@pytest.mark.parametrize("provider", ["istio", "gateway_api", "linkerd"])
def test_what_is_left_out_of_the_next_task_is_taken_away(provider):
    api = Shop(provider)
    api.traffic(weight=20, match=QA)
    assert api.traffic(weight=30)["route"] == {**HOME, "weight_percent": 30}
    assert api.traffic(match=[{"query": {"beta": "1"}}])["route"] == {**HOME, "matches": [{"query": {"beta": {"exact": "1"}}}]}


def test_what_info_says_can_be_declared():
    api = Shop("istio")
    api.traffic(match=[{"cookies": {"canary": {"prefix": "y"}}, "user_agent": ".*Test.*"}, {"query": {"q": {"prefix": "a"}}}])
    said = api.info()["route"]["matches"]
    assert api.traffic(match=said)["changed"] is False


@pytest.mark.parametrize("provider", list(OBJECTS))
def test_check_mode_changes_nothing_and_shows_what_would_stand(provider):
    api = Shop(provider)
    before = api.stored(api.kind, "eu", "shop")
    result = api.traffic(weight=100, check_mode=True, diff=True)
    assert (result["changed"], result["route"]["weight_percent"]) == (True, 100)
    assert api.stored(api.kind, "eu", "shop") == before
    assert api.writes() == []
    assert [one.dry_run for one in api.requests if one.method == "PATCH"] == [True]
    (shown,) = result["diff"]
    assert shown["before"]["spec"] == api.original != shown["after"]["spec"]
    assert "status" not in shown["after"] and "resourceVersion" not in shown["after"]["metadata"]


def test_a_diff_is_given_only_when_asked_for():
    assert "diff" not in Shop("istio").traffic(weight=5)
    assert Shop("istio").traffic(weight=5, diff=True)["diff"][0]["after_header"] == "VirtualService shop"


def test_other_rules_to_the_canary_stay():
    preview = {
        "name": "preview",
        "match": [{"headers": {"x-preview": {"exact": "1"}}}],
        "route": [{"destination": {"host": "shop-canary"}}],
    }
    api = Shop("istio")
    api.edit(http=[preview, *ISTIO_RULES])
    api.traffic(weight=10, match=QA)
    assert [rule["name"] for rule in api.spec["http"]] == ["preview", "admin", "main-canary", "main"]
    api.traffic()
    assert api.spec["http"] == [preview, *ISTIO_RULES]


def test_two_rules_of_one_service_are_steered_apart():
    api = Shop("istio")
    api.edit(http=[*ISTIO_RULES, {"name": "beta", "route": [{"destination": {"host": "shop"}}]}])
    api.traffic(weight=10, match=QA, route="main")
    api.traffic(weight=70, match=QA, route="beta")
    assert api.info(route="main")["route"] == {"weight_percent": 10, "matches": QA_READ, "mirror_percent": 0}
    assert [rule["name"] for rule in api.spec["http"]] == ["admin", "main-canary", "main", "beta-canary", "beta"]
    api.traffic(route="main")
    assert api.info(route="beta")["route"] == {"weight_percent": 70, "matches": QA_READ, "mirror_percent": 0}


def test_another_canary_service_is_named():
    api = Shop("istio")
    api.put_service("blue", {"app": "blue"})
    api.traffic(weight=10, canary="blue")
    assert [one["destination"]["host"] for one in api.spec["http"][1]["route"]] == ["shop", "blue"]
    assert api.info(canary="blue")["route"]["weight_percent"] == 10
    assert "one destination" in api.info()["problems"][0]["allowed"]  # the default canary's name is not in it


def test_a_match_rule_follows_an_edit_of_the_rule_it_was_made_of():
    api = Shop("istio")
    api.traffic(match=QA)
    rules = api.spec["http"]
    rules[2]["timeout"] = "9s"
    api.edit(http=rules)
    assert api.traffic(match=QA)["changed"] is True
    assert [rule.get("timeout") for rule in api.spec["http"]] == [None, "9s", "9s"]


def test_weights_in_other_words_are_left_as_they_are():
    written = [{"destination": {"host": "shop"}, "weight": 100}, {"destination": {"host": "shop-canary"}, "weight": 0}]
    api = Shop("istio")
    api.edit(http=[ISTIO_RULES[0], {**ISTIO_RULES[1], "route": written}])
    assert api.traffic()["changed"] is False
    api.traffic(mirror=5)
    assert api.spec["http"][1]["route"] == written


# -- refusals: nothing is changed, the message names the field, the value and what is allowed

REFUSED = [
    ("istio", {"weight": 101}, "weight", "0 to 100"), ("istio", {"mirror": -1}, "mirror", "0 to 100"),
    ("istio", {"match": [{"header": {}}]}, "match[0].header", "did you mean headers"), ("istio", {"http_route": "x"}, "http_route", "virtual_service"),
    ("istio", {"canary": "shop"}, "canary", "another Service"), ("istio", {"virtual_service": "x"}, "virtual_service", "called x"),
    ("istio", {"weight": 1, "canary": "blue"}, "canary", "there is: shop, shop-canary"),
    ("linkerd", {"mirror": 10}, "mirror", "istio, gateway_api"), ("service", {"weight": 10}, "weight", "istio, gateway_api, linkerd"),
    ("service", {"match": QA}, "match", "istio, gateway_api, linkerd"), ("service", {"mirror": 1}, "mirror", "istio, gateway_api"),
    ("service", {"weight": 100, "canary": "blue"}, "canary", "there is: shop, shop-canary"),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "state", "field", "words"), REFUSED)
def test_a_wrong_state_is_refused(provider, state, field, words):
    api = Shop(provider)
    result = api.traffic(**state)
    assert (result["failed"], result["changed"], [one["field"] for one in result["problems"]]) == (True, False, [field])
    assert words in result["msg"] and result["msg"].endswith("Nothing was changed.")
    assert api.writes() == []


@pytest.mark.parametrize("state", [{"weight": 5}, {"match": QA}, {"mirror": 5}])
def test_a_canary_without_ready_endpoints_gets_nothing_and_can_be_left(state):
    api = Shop("gateway_api")
    api.traffic(weight=50)
    api.put_service("shop-canary", {"app": "shop-canary"}, ready=0)
    assert "no" in api.traffic(**state)["problems"][0]["allowed"] and len(api.writes()) == 1
    api.objects.pop(("Service", "eu", "shop-canary"))
    assert api.traffic()["route"] == HOME


@pytest.mark.parametrize("state", [{}, {"weight": 5}])
@pytest.mark.parametrize("phase", ["running", "returning", "parked"])
def test_a_route_that_a_release_holds_is_refused(phase, state):
    api = Shop("istio", annotations={EPOCH: "shop-a1b2c3.4"})
    api.put_release(phase)
    result = api.traffic(**state)
    assert result["problems"][0]["field"] == "virtual_service"
    assert f"shop-a1b2c3 ({phase})" in result["msg"] and "progressive.delivery.abort -e release_name=shop" in result["msg"]
    assert (api.info()["fence"], api.writes()) == ("shop-a1b2c3", [])


def test_a_fence_that_was_left_behind_binds_nobody():
    api = Shop("istio", annotations={EPOCH: "shop-a1b2c3.4"})
    api.put_release("ended")
    assert api.traffic(weight=5)["changed"] is True
    assert api.info()["fence"] is None


def test_a_release_that_claims_the_route_between_reading_and_writing_wins():
    api = Shop("istio")

    def claim():
        api.put_release("running")
        found = api.stored("VirtualService", "eu", "shop")
        found["metadata"]["annotations"] = {EPOCH: "shop-a1b2c3.1"}
        api.put(found)

    api.just_before("PATCH", "VirtualService", claim)
    assert "shop-a1b2c3 (running)" in api.traffic(weight=5)["msg"]
    assert api.spec == api.original


@pytest.mark.parametrize(
    "mark", [{"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, {"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}]
)
@pytest.mark.parametrize("provider", list(OBJECTS))
def test_an_object_that_gitops_reverts_is_refused_except_to_go_home(provider, mark):
    api = Shop(provider, **mark)
    assert "GitOps" in api.traffic(weight=100)["msg"]
    assert "failed" not in api.traffic()
    assert api.info()["route"] == HOME


@pytest.mark.parametrize("provider", ["istio", "gateway_api"])
def test_destinations_that_no_router_writes_are_refused(provider):
    api = Shop(provider)
    rules = copy.deepcopy(api.spec["http" if provider == "istio" else "rules"])
    targets = rules[1]["route" if provider == "istio" else "backendRefs"]
    targets.append({"destination": {"host": "other"}} if provider == "istio" else {"name": "other", "port": 80, "weight": 1})
    api.edit(**{"http" if provider == "istio" else "rules": rules})
    before = api.spec
    result = api.traffic()
    assert result["problems"][0]["field"] == "route" and "shop, other" in result["msg"]
    assert api.spec == before


def test_info_of_several_routes_lists_them_and_is_no_failure():
    api = Shop("istio")
    api.edit(http=[*ISTIO_RULES, {"route": [{"destination": {"host": "shop"}}]}])
    found = api.info()
    assert (found["route"], found["object"], "failed" in found) == (None, None, False)
    assert "main" in found["problems"][0]["allowed"]
    assert found["candidates"] == [
        {"kind": "VirtualService", "name": "shop", "route": "main"},
        {"kind": "VirtualService", "name": "shop", "route": None},
    ]
    assert "2 rules lead to Service shop" in api.traffic(weight=5)["msg"]


@pytest.mark.parametrize("provider", list(OBJECTS))
def test_info_of_nothing_says_so(provider):
    api = Shop(provider)
    found = api.info(service="zzz")
    assert (found["route"], found["candidates"], len(found["problems"])) == (None, [], 1)


def test_a_service_route_without_its_canary_service_is_refused_when_it_may_be_switched():
    api = Shop("service")
    api.traffic(weight=100)
    api.objects.pop(("Service", "eu", "shop-canary"))
    assert "kubectl -n eu set selector service shop" in api.traffic()["msg"]
    assert api.spec["selector"] == {"app": "shop-canary"}


def test_a_canary_service_that_selects_by_other_labels_cannot_be_switched_to():
    api = Shop("service")
    api.put_service("shop-canary", {"version": "v2"})
    assert "whose value ends with -canary" in api.traffic(weight=100)["msg"]
    assert api.traffic()["changed"] is False


# -- a server that does not answer, and one that answers late


def test_a_lost_answer_of_a_change_that_was_made_is_a_change():
    api = Shop("istio")
    api.lose("PATCH", "VirtualService", applied=True)
    result = api.traffic(weight=5)
    assert (result["changed"], result["before"]["weight_percent"], result["route"]["weight_percent"]) == (True, 0, 5)
    assert len(api.writes()) == 1


def test_a_lost_request_is_sent_again():
    api = Shop("istio")
    api.lose("PATCH", "VirtualService", applied=False)
    assert api.traffic(weight=5)["changed"] is True
    assert api.info()["route"]["weight_percent"] == 5


def test_an_edit_of_somebody_else_meanwhile_is_kept():
    api = Shop("istio")
    api.just_before("PATCH", "VirtualService", lambda: api.edit(http=[ISTIO_RULES[0], {**ISTIO_RULES[1], "timeout": "7s"}]))
    assert api.traffic(weight=5)["changed"] is True
    assert api.spec["http"][1]["timeout"] == "7s"


def test_nobody_knows_what_became_of_a_change_whose_answer_was_lost_for_good():
    api = Shop("istio")
    api.lose("PATCH", "VirtualService", applied=True)
    api.controllers.append(lambda: api.silence(1000))
    result = api.traffic(weight=5)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "its answer was lost" in result["msg"]


def test_an_api_server_that_is_silent_from_the_start_has_changed_nothing():
    api = Shop("istio")
    api.silence(1000)
    assert {"failed": True, "changed": False}.items() <= api.traffic(weight=5).items()


def test_a_route_that_is_not_accepted_is_refused_and_one_that_is_not_any_more_is_a_failed_change():
    api = Shop("gateway_api")
    api.served = False
    result = api.traffic(weight=5)  # its status is of this generation, so it is accepted until it is changed
    assert (result["failed"], result["changed"]) == (True, True)
    assert "has not seen generation" in result["msg"]
    assert "has not seen generation" in api.info()["unserved"]
    assert api.traffic(weight=6)["problems"][0]["field"] == "http_route"
    assert api.spec["rules"][1]["backendRefs"][1]["weight"] == 5


def test_a_webhook_that_stores_something_else_is_told():
    api = Shop("istio")

    def revert():
        api.objects["VirtualService", "eu", "shop"]["spec"] = copy.deepcopy(api.original)

    api.controllers.append(revert)
    result = api.traffic(weight=5)
    assert (result["failed"], result["changed"]) == (True, True)
    assert "stored otherwise" in result["msg"]
