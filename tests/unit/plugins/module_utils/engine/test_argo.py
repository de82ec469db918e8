# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release through Argo Rollouts on the double of the API server: its endings, its commands, and what goes wrong on the way."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import NotFound
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import control
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_argo import ArgoWorld, hash_of

APPROVED = {"release_steps": [{"weight": 50, "approve": True}, 100]}


@pytest.fixture
def world():
    return ArgoWorld()


def deployment(world):
    return world.stored("Deployment", "eu", "shop")


def image(world):
    return deployment(world)["spec"]["template"]["spec"]["containers"][0]["image"]


def weights(world):
    return [target.get("weight") for target in world.route]


def test_the_first_version_of_a_rollout_is_stables_and_the_new_one_takes_every_step(world):
    found = world.start()
    told = "\n".join(world.lines)
    assert (found["outcome"], found["weight_percent"], found["serves"]) == ("promoted", 0, "Rollout/shop")
    assert all(f" {weight} %  ▕" in told for weight in (10, 50, 100))
    assert world.rollout["status"]["stableRS"] == hash_of(deployment(world)["spec"]["template"])
    assert (image(world), deployment(world)["spec"]["replicas"]) == ("shop:2", 0)
    assert told.index("Rollout shop made") < told.index("shop:1 → shop:2; Argo Rollouts takes it")
    assert world.stored("Lease", "eu", "progressive-delivery-deployment-shop") is None


def test_the_same_image_again_changes_nothing_and_the_next_one_makes_no_object_anew(world):
    world.start()
    before = len(world.writes())
    again = world.start()
    assert (again["changed"], again["outcome"]) == (False, "promoted")
    assert len(world.writes()) == before
    world.start(release_image="shop:3")
    assert not [one for one in world.writes()[before:] if one.startswith("POST") and "Lease" not in one and "ConfigMap" not in one]
    assert image(world) == "shop:3"


def test_an_aborted_version_leaves_stables_template_and_the_measurement_that_ended_it(world):
    world.start()
    world.verdict = "Failed"
    world.put(rollout_with_analysis(world))
    found = world.start(release_image="shop:3", release_adopt=True, **dict.fromkeys(("release_steps", "release_traffic", "release_gates")))
    assert found["outcome"] == "rolled_back"
    assert found["evidence"]["metric"] == "errors"
    assert "errors is 0.5, allowed: result[0] <= 0.01" in found["reason"]
    assert (image(world), weights(world)) == ("shop:2", [100, 0])
    assert world.status()["rollout"]["phase"] == "healthy"


def rollout_with_analysis(world):
    found = world.rollout
    found["spec"]["strategy"]["canary"]["analysis"] = {"templates": [{"templateName": "mine"}]}
    return found


def test_the_next_version_waits_until_no_query_sees_the_one_that_came_back(world):
    world.start()
    nothing = dict.fromkeys(("release_steps", "release_traffic", "release_gates"))
    world.at[" 10 %  ▕"] = lambda: setattr(world, "stop", "told to stop")
    assert world.start(release_image="shop:3", release_adopt=True, **nothing)["outcome"] == "aborted"
    world.stop, before = None, world.seconds
    assert world.start(release_image="shop:4", release_adopt=True, **nothing)["outcome"] == "promoted"
    assert world.seconds - before > 45
    assert any("until no query sees shop:3 any more" in line for line in world.lines)


def test_an_adopted_rollout_is_driven_as_it_is(world):
    world.start()
    before = world.rollout["spec"]
    nothing = dict.fromkeys(("release_steps", "release_traffic", "release_gates"))
    found = world.start(release_image="shop:3", release_adopt=True, release_workload="Rollout/shop", **nothing)
    assert (found["outcome"], world.rollout["spec"], image(world)) == ("promoted", before, "shop:3")


def test_a_rollout_that_has_the_template_itself_gets_the_version_there(world):
    template = {"metadata": {"labels": {"app": "own"}}, "spec": {"containers": [{"name": "app", "image": "own:1"}]}}
    spec = {"replicas": 2, "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}, "template": template}
    world.put({"kind": "Rollout", "metadata": {"name": "own", "namespace": "eu"}, "spec": spec})
    world.at["waits for an approval"] = lambda: world.control("approve")
    nothing = dict.fromkeys(("release_steps", "release_traffic", "release_gates"))
    found = world.start(release_image="own:2", release_adopt=True, release_workload="Rollout/own", **nothing)
    assert (found["outcome"], found["serves"]) == ("promoted", "Rollout/own")
    assert world.stored("Rollout", "eu", "own")["spec"]["template"]["spec"]["containers"][0]["image"] == "own:2"
    assert world.status()["workload"] == "Rollout/own"


def test_a_rollout_of_somebody_else_is_refused_with_the_way_to_adopt_it(world):
    world.start()
    theirs = world.rollout
    theirs["metadata"]["labels"] = {}
    world.put(theirs)
    with pytest.raises(Refused, match="release_adopt: true"):
        world.start(release_image="shop:3")


def test_what_is_in_the_way_is_told_at_once_and_nothing_is_changed(world):
    scaler = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}}
    world.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "cpu", "namespace": "eu"}, "spec": scaler})
    world.alive = False  # whatever becomes of it
    other = {"workloadRef": {"kind": "Deployment", "name": "other"}, "strategy": {"canary": {"stableService": "shop"}}}
    world.put(
        {"kind": "Rollout", "metadata": {"name": "other", "namespace": "eu", "generation": 1}, "spec": other, "status": {"stableRS": "a"}}
    )
    with pytest.raises(Refused) as refused:
        world.start(release_image="shop:2", release_traffic={"provider": "istio", "service": "shop", "route": "nowhere"})
    told = {problem.field: problem.allowed for problem in refused.value.problems}
    assert "scaleTargetRef {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: shop}" in told["release_workload"]
    assert "Rollout other does" in told["release_traffic.service"]
    assert "shop/main" in told["release_traffic.route"]
    assert world.writes() == []


def test_rights_and_a_dead_controller_are_refused_before_anything_changes(world):
    world.denied |= {("patch", "rollouts/status"), ("create", "analysistemplates")}
    world.kill_controller()
    with pytest.raises(Refused) as refused:
        world.start()
    told = str(refused.value)
    assert "patch rollouts/status" in told
    assert "create AnalysisTemplate objects" in told
    assert "no" in told and "install_roles" in told
    assert world.writes() == []


def test_a_cluster_without_the_kinds_is_told_how_to_get_them(world):
    world.refuse("GET", "Rollout", NotFound("no such kind"), times=2)  # who runs it, and whether it is served
    with pytest.raises(Refused, match=r"Rollout is missing: ansible-playbook progressive\.delivery\.install"):
        world.start()


def test_gateway_api_without_its_plugin_is_refused(world):
    with pytest.raises(Refused, match="argo-rollouts-config names none in trafficRouterPlugins"):
        world.start(release_traffic={"provider": "gateway_api", "service": "shop"})


def test_each_verb_once_while_it_waits_for_an_approval(world):
    told = {}

    def meanwhile():
        told["promote"] = refusal(world, "promote")
        told["rollback"] = refusal(world, "rollback")
        told["pause"] = world.control("pause")["changed"], world.control("pause")["changed"]
        told["status"] = world.status()
        told["promote over it"] = refusal(world, "promote")
        told["resume"] = world.control("resume")["changed"], world.control("resume")["changed"]
        told["approve"] = world.control("approve", release_reason="fine")["changed"]

    world.at["waits for an approval"] = meanwhile
    found = world.start(**APPROVED)
    assert "approve it" in told["promote"] and "approve it" in told["promote over it"]
    assert "abort this one first" in told["rollback"]
    assert (told["pause"], told["resume"], told["approve"]) == ((True, False), (True, False), True)
    assert (told["status"]["rollout"]["phase"], told["status"]["next_commands"]) == ("paused_by_hand", ["resume", "abort"])
    assert found["outcome"] == "promoted"
    log = world.status()["commands"]
    assert [(one["command"], one["by"]) for one in log] == [("pause", "ann"), ("resume", "ann"), ("approve", "ann")]


def refusal(world, command, **options):
    with pytest.raises(Refused) as refused:
        world.control(command, **options)
    return str(refused.value)


def test_promote_full_passes_over_what_is_left(world):
    world.at["waits for an approval"] = lambda: world.control("promote", full=True)
    assert world.start(**APPROVED)["outcome"] == "promoted"
    assert world.control("promote", full=True)["changed"] is False


@pytest.mark.parametrize(("verb", "outcome"), [("abort", "aborted"), ("reject", "rolled_back")])
def test_an_abort_returns_traffic_then_the_template_and_twice_changes_nothing(world, verb, outcome):
    world.at["waits for an approval"] = lambda: ask(world, verb)
    found = world.start(**APPROVED)
    assert (found["outcome"], "by ann: too many complaints" in found["reason"]) == (outcome, True)
    assert (image(world), weights(world)) == ("shop:1", [100, 0])
    assert world.control("abort")["changed"] is False


def ask(world, verb):
    """The command's request as another process leaves it; its own wait for the ending is left out, for nobody else runs here."""
    waits, control._await_ending = control._await_ending, lambda order: order.known
    try:
        world.control(verb, release_reason="too many complaints")
    finally:
        control._await_ending = waits


def test_without_a_controller_the_route_is_returned_by_ourselves_and_status_tells_it(world):
    told = {}

    def dies():
        world.kill_controller()
        told.update(world.status())
        world.stop = "the runner was told to stop (SIGTERM)"

    world.at[" 50 %  ▕"] = dies
    found = world.start(release_steps=[10, 50, 100])
    assert told["rollout"]["controller"] == "not ready"
    assert any("no controller of Argo Rollouts is ready" in one for one in told["warnings"])
    assert (found["outcome"], weights(world), image(world)) == ("aborted", [100, 0], "shop:1")
    assert "this runner did: VirtualService shop" in found["reason"]
    assert world.rollout["status"]["abort"] is True


def test_another_version_that_somebody_puts_there_is_not_overwritten(world):
    def edit():
        found = deployment(world)
        found["spec"]["template"]["spec"]["containers"][0]["image"] = "shop:9"
        world.put(found)

    world.at[" 10 %  ▕"] = edit
    found = world.start()
    assert (found["outcome"], image(world)) == ("aborted", "shop:9")
    assert "names shop:9" in found["reason"]


def test_a_runner_that_died_is_followed_by_one_that_watches_on(world):
    world.killed(" 50 %  ▕")
    assert world.status()["phase"] == "running"
    found = world.start()
    assert (found["outcome"], any("resume" in line for line in world.lines)) == ("promoted", True)


@pytest.mark.parametrize("lives", [True, False])
def test_a_runner_on_another_host_is_watched_before_its_release_is_retried(world, monkeypatch, lives):
    world.killed(" 50 %  ▕")
    world.bury("elsewhere/1/1")
    (name,) = world.names("Lease")
    pass_time = world.sleep

    def renewing(seconds):
        pass_time(seconds)
        if lives:
            world.objects["Lease", "eu", name]["spec"]["renewTime"] = str(world.clock())

    monkeypatch.setattr(world, "sleep", renewing)
    found = world.control("retry")
    assert (found["changed"], found["outcome"]) == ((False, None) if lives else (True, "promoted"))


def test_another_plan_is_refused_on_resume(world):
    def another():
        with pytest.raises(Refused, match="changed: steps"):
            world.start(release_steps=[20, 100])

    world.at[" 50 %  ▕"] = another
    assert world.start()["outcome"] == "promoted"


def test_rollback_is_a_release_of_its_own_that_is_fully_promoted(world):
    world.start()
    found = world.control("rollback")
    assert (found["outcome"], image(world)) == ("promoted", "shop:1")
    assert any("waits for no step" in line for line in world.lines)
    assert world.control("rollback")["changed"] is False
    assert world.control("rollback", to="shop:7")["outcome"] == "promoted"


def test_retry_runs_an_aborted_release_again_and_cleanup_forgets_it(world):
    world.at[" 10 %  ▕"] = lambda: setattr(world, "stop", "told to stop")
    assert world.start()["outcome"] == "aborted"
    world.stop = None
    assert world.control("retry")["outcome"] == "promoted"
    assert world.control("retry")["changed"] is False
    assert world.control("cleanup")["changed"] is True
    assert world.stored("ConfigMap", "eu", "release-shop") is None
    assert world.rollout["status"]["phase"] == "Healthy"


def test_the_deadline_returns_what_waits_for_people(world):
    found = world.start(release_deadline_seconds=60, **APPROVED)
    assert (found["outcome"], weights(world), image(world)) == ("rolled_back", [100, 0], "shop:1")
    assert "release_deadline_seconds" in found["reason"]


def test_options_that_argo_has_no_word_for_are_refused_with_their_names(world):
    world.start()
    assert "for_seconds" in refusal(world, "pause", for_seconds=60)


def test_status_tells_kinds_that_are_gone_and_an_answer_that_does_not_come(world):
    world.start()
    world.refuse("GET", "Rollout", NotFound("no such kind"))
    assert "does not know Rollout any more" in world.status()["warnings"][0]
    world.lose("GET", "AnalysisRun", applied=False, times=20)
    found = world.status()
    assert (found["rollout"], "is not known" in found["warnings"][0], found["outcome"]) == (None, True, "promoted")
