# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_guard as users write it, every way of getting it wrong, and what the plan says of it."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.guard_spec import GuardSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_guard import GUARD
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

IMAGE = "registry.example/python:3.12"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"image": IMAGE}, GuardSpec(IMAGE, 120.0)),
        (f"{{image: '{IMAGE}', after_seconds: 5m}}", GuardSpec(IMAGE, 300.0)),
        (None, None),
    ],
)
def test_it_is_read_and_kept_in_the_record(given, read):
    spec = parse({**GIVEN, "release_guard": given})
    assert spec.guard == read
    assert spec_from(spec.to_dict()).guard == read


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({}, "release_guard.image", "is required: an image that has python3"),
        ({"image": 3}, "release_guard.image", "a non-empty string"),
        ({"image": IMAGE, "after_seconds": 29}, "release_guard.after_seconds", "from 30 s"),
        ({"image": IMAGE, "after": 60}, "release_guard.after", "known: image, after_seconds"),
        ("python", "release_guard", "a dictionary"),
    ],
)
def test_what_cannot_be_is_refused(given, field, says):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, "release_guard": given})
    assert [says in one.allowed for one in caught.value.problems if one.field == field] == [True]


def test_a_limit_that_a_living_runner_may_pass_by_is_refused():
    slow = {"release_prometheus": {"url": "http://p.example", "timeout_seconds": 20}}
    with pytest.raises(SpecError, match="at least 80 s"):
        parse({**GIVEN, **slow, "release_guard": {"image": IMAGE, "after_seconds": 60}})
    assert parse({**GIVEN, **slow, "release_guard": {"image": IMAGE, "after_seconds": 80}}).guard == GuardSpec(IMAGE, 80.0)


def test_rolling_has_no_route_that_could_be_returned():
    with pytest.raises(SpecError, match="strategy rolling moves no route"):
        parse({**GIVEN, "release_strategy": "rolling", "release_steps": None, "release_guard": {"image": IMAGE}})


def planned(**more):
    world = World()
    native.start(world, parse({**GIVEN, **more}), world.caller, check_mode=True)
    return [line.strip() for line in world.lines if "guard" in line]


def test_the_plan_says_that_there_is_one_and_that_there_is_none():
    assert planned() == ["no guard: should this runner die and nobody run it again, traffic stays where it is (release_guard)"]
    (line,) = planned(**GUARD)
    assert line.startswith("guard: a Job in the cluster returns traffic when no runner gave a sign for 30 s")


def test_rights_that_we_cannot_give_away_are_told_before_anything_changes():
    world = World()
    world.refuse("POST", "Role", Rejected("attempting to grant RBAC permissions not currently held"))
    with pytest.raises(native.Refused, match="a Role for the guard that you may create: attempting to grant"):
        world.start(**GUARD)
    assert world.writes() == []
