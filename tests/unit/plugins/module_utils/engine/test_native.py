# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's verbs: refuse with nothing changed, abort whoever is or is not there, tell how releases stand."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, STABLE, World


@pytest.fixture
def world():
    return World()


def refused(world, **changed):
    """field -> allowed of a start that is refused; nothing may have been written."""
    with pytest.raises(Refused) as caught:
        world.start(**changed)
    assert world.writes() == []
    return {problem.field: problem.allowed for problem in caught.value.problems}


def change(world, kind, edit):
    found = world.stored(kind, "eu", "shop")
    edit(found)
    world.put(found)


@pytest.mark.parametrize(
    ("kind", "edit", "field", "words"),
    [
        ("Deployment", lambda d: d["spec"].update(paused=True), "release_workload", "not paused"),
        ("Deployment", lambda d: d["spec"].update(replicas=0), "release_workload", "no stable version to compare with or to return to"),
        (
            "Deployment",
            lambda d: d["metadata"].update(annotations={"argocd.argoproj.io/tracking-id": "x"}),
            "release_workload",
            "Argo CD owns",
        ),
        ("VirtualService", lambda v: v["spec"]["http"][0]["route"].append(STABLE), "release_traffic.route", "one destination, stable's"),
        ("VirtualService", lambda v: v["spec"].update(http=[]), "release_traffic", "routes to Service shop"),
        ("Service", lambda s: s["spec"].update(selector={"app": "other"}), "release_traffic.service", "is required"),
    ],
    ids=["paused", "no pods", "GitOps", "two destinations", "no route", "no service"],
)
def test_a_target_where_a_release_cannot_work_is_refused_before_anything_changes(world, kind, edit, field, words):
    change(world, kind, edit)
    assert words in refused(world)[field]


def test_a_first_version_is_deployed_by_the_command_that_the_refusal_ends_with(world):
    change(world, "Deployment", lambda d: d["spec"].update(replicas=0))
    assert refused(world)["release_workload"].endswith(
        ": kubectl -n eu set image deployment/shop app=shop:2 && kubectl -n eu scale deployment/shop --replicas=1"
        " && kubectl -n eu rollout status deployment/shop"
    )


def test_pods_that_fail_are_no_first_version_but_somebody_must_look(world):
    world.controllers = []
    found = world.stored("Deployment", "eu", "shop")
    found["status"].update(readyReplicas=0)
    world.put(found)
    assert refused(world)["release_workload"].startswith(
        "a Deployment with ready pods: without them there is no stable version to return to"
    )


def test_missing_rights_are_all_named_at_once(world):
    world.denied = {("patch", "virtualservices"), ("create", "leases")}
    with pytest.raises(Refused) as caught:
        world.start()
    assert sorted(problem.allowed.split("may ")[1].split(" objects")[0] for problem in caught.value.problems) == [
        "create Lease",
        "patch VirtualService",
    ]


def test_check_mode_writes_nothing_and_shows_the_plan(world):
    result = native.start(world, parse(GIVEN), world.caller, check_mode=True)
    assert (world.writes(), result["outcome"]) == ([], None)
    assert [step["name"] for step in result["steps"]][:3] == ["validate", "deploy", "weight-10"]
    assert {one["after_header"].split(" ")[0] for one in result["diff"]} >= {
        "Deployment/shop-canary",
        "VirtualService/shop",
        "Deployment/shop",
    }


def test_an_abort_takes_over_from_a_runner_that_does_not_answer(world):
    world.start(release_stop_after="weight-50")
    result = native.abort(world, "eu", "shop", world.caller, by="mia", reason="support is burning")
    assert (result["outcome"], result["weight_percent"]) == ("aborted", 0)
    assert "aborted by mia: support is burning" in result["reason"]
    world.assert_home("shop:1")


def test_aborting_twice_is_harmless(world):
    world.start(release_stop_after="weight-50")
    native.abort(world, "eu", "shop", world.caller, by="mia", reason="")
    before = len(world.writes())
    again = native.abort(world, "eu", "shop", world.caller, by="tom", reason="")
    assert (again["changed"], again["outcome"], len(world.writes())) == (False, "aborted", before)


def test_aborting_what_does_not_exist_names_what_does(world):
    world.start()
    with pytest.raises(Refused, match="there is: shop"):
        native.abort(world, "eu", "cart", world.caller, by="mia", reason="")


def test_status_tells_how_each_release_stands(world):
    assert native.status(world, "eu") == []
    world.start(release_stop_after="weight-10")
    (found,) = native.status(world, "eu")
    assert (found["release_name"], found["phase"], found["weight_percent"], found["image"], found["stable_image"]) == (
        "shop",
        "running",
        10,
        "shop:2",
        "shop:1",
    )
    assert native.status(world, "eu", "cart") == []
