# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries by replicas, whole releases: which endpoints the Service has at every moment, whoever dies or interferes on the way."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.ending import PARKED, TurnBack
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.replicas import WEIGHT
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import TWIN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_replicas import RATIO, ReplicaWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN


@pytest.fixture
def world():
    return ReplicaWorld()


def test_a_good_version_joins_pod_by_pod_serves_alone_and_is_promoted(world):
    assert world.ratio()["outcome"] == "promoted"
    weights = [line.partition("put and")[0] for line in world.lines if "  weight " in line]
    assert ["1 of 5 pods, 20 % (20 % asked)" in weights[0], "4 of 8 pods, 50 % (50 % asked)" in weights[1], "100 %" in weights[2]] == [
        True
    ] * 3
    alone = world.shares.index((4, 0))
    assert (1, 4) in world.shares[:alone]
    assert world.shares[alone - 1] == (4, 4), "nobody leaves before the selector is switched"
    assert all(stable in (0, 4) for _canary, stable in world.shares), "stable is never scaled"
    assert all(canary + stable for canary, stable in world.shares), "there is always somebody who serves"
    world.assert_whole_and_home("shop:2")


@pytest.mark.parametrize("where", ["1 of 5 pods", "4 of 8 pods", "  verify  ", "takes shop:2 while"])
def test_a_stop_makes_the_canary_leave_before_its_pods_go(world, where):
    world.at[where] = lambda: setattr(world, "stop", "told to stop")
    at_home = []
    world.at["100 % stable"] = lambda: at_home.append((world.share, world.selector))
    assert world.ratio()["outcome"] == "rolled_back"
    assert at_home == [((0, 4), {"app": "shop"})], "while its pods still run"
    left = next(index for index, line in enumerate(world.lines) if "100 % stable" in line)
    gone = next(index for index, line in enumerate(world.lines) if "canary removed" in line)
    assert left < gone
    world.assert_whole_and_home("shop:1")


def test_the_way_back_from_all_traffic_is_one_patch(world):
    before = []

    def stop():
        before.append(len(world.writes()))
        world.stop = "told to stop"

    world.at["  verify  "] = stop
    world.ratio()
    since = world.writes()[before[0] :]
    moving = [one for one in since if one.startswith("PATCH") and ("Pod/" in one or one == "PATCH Service/shop")]
    assert moving[0] == "PATCH Service/shop"
    assert not [one for one in moving if "Pod/" in one]


WRITES = ("PATCH Pod", "PATCH Service", "POST Deployment", "PATCH Deployment", "PATCH ConfigMap", "DELETE Deployment")


@pytest.mark.parametrize("after", [True, False], ids=["after it", "before it"])
@pytest.mark.parametrize("goes_on", [True, False], ids=["resumed", "aborted"])
def test_a_runner_that_dies_at_any_write_is_resumed_or_brought_back(after, goes_on):
    counted = ReplicaWorld()
    counted.ratio()
    kills = [number for number, one in enumerate(counted.writes()) if one.startswith(WRITES)]
    assert len(kills) > 30
    settled = 0
    for number in kills:
        world = ReplicaWorld()
        _die_at(world, number, after=after)
        with pytest.raises(Killed):
            world.ratio()
        world.dead = False
        known = record.load(world, "eu", "shop")
        if known is None or not known.unfinished:
            continue
        world.bury()
        result = world.ratio() if goes_on else native.abort(world, "eu", "shop", world.caller, by="mia", reason="enough")
        image = {"promoted": "shop:2", "aborted": "shop:1"}[result["outcome"]]
        assert result["outcome"] == "promoted" or not goes_on, number
        world.assert_whole_and_home(image)
        settled += 1
    assert settled > 25


def _die_at(world, number, *, after):
    """The runner dies before or after its so many-th write."""
    serve = world._serve

    def mortal(one, query):
        writes = one.method != "GET" and not one.dry_run and one.kind != "SelfSubjectAccessReview"
        last = writes and len(world.writes()) == number + 1
        if last:
            world._serve = serve
            if after:
                serve(one, query)
            world.die()
        return serve(one, query)

    world._serve = mortal


def test_a_canary_pod_that_is_replaced_joins_in_its_place(world):
    seen = []
    world.at["1 of 5 pods"] = world.evict
    world.at["100 %"] = lambda: seen.extend(world.shares)
    assert world.ratio(release_steps=[{"weight": 20, "bake_seconds": 10}, 100])["outcome"] == "promoted"
    assert [one for one in seen if one[1] == 4] == [(0, 4), (1, 4), (0, 4), (1, 4)]


def taken_over(world):
    known = record.load(world, "eu", "shop")
    return native._take_over(world, spec_from(known.spec), known, world.caller)


def test_a_runner_that_wakes_up_after_another_took_over_makes_nobody_a_member(world):
    assert world.ratio(release_stop_after="deploy")["outcome"] == "running"
    world.bury()
    from_before = taken_over(world)
    stale = from_before.router
    pods = stale._pods()
    world.bury()
    taken_over(world)
    assert stale._admit(pods, 1, from_before.token) is False
    assert world.share == (0, 4)


def test_a_selector_that_somebody_edits_is_left_theirs_and_the_canary_leaves(world):
    def edit():
        found = world.stored("Service", "eu", "shop")
        found["spec"]["selector"] = {"app": "maintenance"}
        world.put(found)

    world.at["1 of 5 pods"] = edit
    result = world.ratio()
    assert (result["outcome"], "edited" in result["reason"]) == ("rolled_back", True)
    assert world.selector == {"app": "maintenance"}
    assert world.share == (0, 0)
    assert world.names("Deployment") == ["shop"]


def test_steps_down_leave_pod_by_pod_without_scaling_the_canary(world):
    from_here = []

    def stop():
        from_here.append(len(world.shares))
        world.stop = "told to stop"

    world.at["4 of 8 pods"] = stop
    world.ratio(release_rollback="stepped")
    assert [one for one in world.shares[from_here[0] - 1 :] if one[0] in (0, 1, 4)] == [(4, 4), (1, 4), (0, 4)]
    world.assert_whole_and_home("shop:1")


def test_the_plan_says_how_coarse_each_weight_is_and_what_would_help(world):
    spec = parse({**GIVEN, **RATIO, "release_steps": [10, 20, 75, 100]})
    result = native.start(world, spec, world.caller, check_mode=True)
    shown = "\n".join(world.lines)
    assert (
        "weight 10 is 1 of 5 pods, 20 %\n    the nearest that 4 stable and up to 4 canary pods can give; 10 % needs 9 stable pods" in shown
    )
    assert "weight 20 is 1 of 5 pods, 20 %: the same pods as the weight before it, nobody moves" in shown
    assert "weight 75 is 4 of 8 pods, 50 %\n    the nearest that 4 stable and up to 4 canary pods can give; " in shown
    assert "75 % needs release_traffic.max_extra_pods: 12" in shown
    after = next(one["after"] for one in result["diff"] if one["after_header"].startswith("Service/shop at"))
    assert f'"{WEIGHT}": "10"' in after
    assert world.writes() == []


def test_more_extra_pods_come_closer_and_are_what_the_quota_must_have_room_for(world):
    more = {"release_traffic": {**RATIO["release_traffic"], "max_extra_pods": 12}, "release_steps": [75, 100]}
    meta = {"name": "team", "namespace": "eu"}
    world.put({"kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "16"}}, "status": {"used": {"pods": "4"}}})
    with pytest.raises(Refused, match="room for 12 pods of the canary and 1 of the rolling update"):
        world.ratio(**more)
    world.objects.pop(("ResourceQuota", "eu", "team"))
    assert world.ratio(**more)["outcome"] == "promoted"
    assert (12, 4) in world.shares


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"sessionAffinity": "ClientIP"}, "set sessionAffinity: None"),
        ({"externalTrafficPolicy": "Local"}, "externalTrafficPolicy Local a node asks its own pods alone"),
        ({"internalTrafficPolicy": "Local"}, "internalTrafficPolicy Local"),
        ({"trafficDistribution": "PreferClose"}, "trafficDistribution PreferClose near ones come first"),
    ],
)
def test_a_service_whose_pods_get_unequal_parts_is_refused(world, spec, words):
    found = world.stored("Service", "eu", "shop")
    found["spec"].update(spec)
    world.put(found)
    with pytest.raises(Refused, match=words):
        world.ratio()
    assert world.writes() == []


def test_fewer_extra_pods_than_stable_has_are_refused(world):
    with pytest.raises(Refused, match="at least 4: at 100 % the canary serves alone"):
        world.ratio(release_traffic={**RATIO["release_traffic"], "max_extra_pods": 3})


def test_who_else_counts_the_canary_is_told(world):
    meta = {"namespace": "eu"}
    world.put(
        {"kind": "PodDisruptionBudget", "metadata": {**meta, "name": "guard"}, "spec": {"selector": {"matchLabels": {"app": "shop"}}}}
    )
    world.put(
        {"kind": "Service", "metadata": {**meta, "name": "shop-metrics"}, "spec": {"selector": {"app": "shop"}, "ports": [{"port": 9}]}}
    )
    native.start(world, parse({**GIVEN, **RATIO}), world.caller, check_mode=True)
    shown = "\n".join(world.lines)
    assert "Service shop-metrics selects shop's pods, too: below 100 % its clients share as well" in shown
    assert "PodDisruptionBudget guard counts the canary's pods while they share the Service" in shown


def test_the_right_to_patch_pods_is_asked_for_first(world):
    world.denied.add(("patch", "pods"))
    with pytest.raises(Refused, match="patch Pod objects"):
        world.ratio()


def test_its_pods_and_those_of_its_service_are_told_by_a_label_of_their_own(world):
    seen = []
    world.at["1 of 5 pods"] = lambda: seen.append(
        (world.stored("Deployment", "eu", "shop-canary"), world.stored("Service", "eu", "shop-canary"))
    )
    world.ratio()
    ((deployment, service),) = seen
    own = {TWIN: "shop-canary"}
    assert deployment["spec"]["selector"] == {"matchLabels": own}
    assert deployment["spec"]["template"]["metadata"]["labels"] == {"app": "shop-canary", **own}
    assert service["spec"]["selector"] == own


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"release_traffic": {"provider": "istio", "max_extra_pods": 4}}, "release_traffic.max_extra_pods", "unless strategy canary"),
        ({"release_traffic": {"provider": "service", "max_extra_pods": 0}}, "release_traffic.max_extra_pods", "from 1 to 1000"),
        (
            {
                "release_traffic": {"provider": "service"},
                "release_metrics_source": "istio_source",
                "release_gates": [{"name": "errors", "error_rate": {"max": "1%"}}],
                "release_prometheus": {"url": "https://prometheus.example.org"},
            },
            "release_metrics_source",
            "counts both alike",
        ),
    ],
)
def test_options_that_do_not_go_with_it_are_refused(changed, field, words):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, **changed})
    assert [(one.field, words in one.allowed) for one in caught.value.problems] == [(field, True)]


def test_a_parked_release_has_no_member_and_goes_on_at_its_weight(world):
    def nobody_knows():
        raise TurnBack("max_hold", "nobody knows", outcome=PARKED)

    world.at["4 of 8 pods"] = nobody_knows
    assert world.ratio()["outcome"] == "parked"
    assert (world.share, world.names("Deployment")) == ((0, 4), ["shop", "shop-canary"])
    assert world.ratio()["outcome"] == "promoted"
    world.assert_whole_and_home("shop:2")


def test_stable_that_an_autoscaler_grows_keeps_its_pods_and_the_next_weight_follows_them(world):
    def grow():
        found = world.stored("Deployment", "eu", "shop")
        found["spec"]["replicas"] = 6
        world.put(found)

    world.at["1 of 5 pods"] = grow
    assert world.ratio()["outcome"] == "promoted"
    assert {(1, 6), (6, 6), (6, 0)} <= set(world.shares)
    assert world.share == (0, 6)
