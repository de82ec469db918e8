# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route that the API server would not store is refused before anything changes, not met in the middle of a release."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Conflict, Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

STAFF = {"release_match": [{"headers": {"x-cell": "staff"}}]}
TOO_MANY = Rejected("spec.rules: Too many: 17: must have at most 16 items", status=422, reason="Invalid")


def dry_runs(world):
    """Those of preflight: all before the release begins to write."""
    return [one for one in world.requests if one.method == "PATCH" and one.kind == "VirtualService" and one.dry_run]


@pytest.mark.parametrize(
    ("options", "field", "step"),
    [
        ({}, "release_traffic", "weight-10"),
        (STAFF, "release_match", "match"),
        ({"release_strategy": "blue_green", "release_steps": None}, "release_traffic", "switch"),
    ],
    ids=["weight", "match", "switch"],
)
def test_a_step_that_the_api_server_would_reject_is_refused_before_anything_changes(options, field, step):
    world = World()
    world.refuse("PATCH", "VirtualService", TOO_MANY)
    with pytest.raises(Refused) as raised:
        world.start(**options)
    (problem,) = raised.value.problems
    assert (problem.field, problem.value) == (field, "VirtualService eu/shop")
    assert f"takes the step {step} as the API server sees it" in problem.allowed
    assert "must have at most 16 items" in problem.allowed
    assert world.writes() == []
    assert len(dry_runs(world)) == 1


def test_each_kind_of_step_is_asked_for_once():
    world = World()
    assert world.start(**STAFF)["outcome"] == "promoted"
    matched, weighted = [one.body for one in dry_runs(world)]
    assert [operation["value"]["name"] for operation in matched if operation["op"] == "add"] == ["main-canary"]
    assert [one["weight"] for operation in weighted for one in operation["value"] if operation["op"] == "replace"] == [90, 10]


def test_a_route_that_somebody_writes_to_just_then_is_no_reason_to_refuse():
    world = World()
    world.refuse("PATCH", "VirtualService", Conflict("the object is not what it was when it was read"))
    assert world.start()["outcome"] == "promoted"
    assert world.image == "shop:2"
