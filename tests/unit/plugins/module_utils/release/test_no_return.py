# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of no return: stable is asked whether it still works before anybody may need it, or somebody says why not."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Text
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, World

POD = {"template": {"spec": {"containers": [{"name": "migrate", "image": "shop:2"}]}}}
MIGRATE = {"name": "migrate", "job": {"spec": POD, "timeout_seconds": 30}, "point_of_no_return": True}
OLD = {"name": "old", "http": {"path": "/basket", "pause_seconds": 0}, "against": "stable"}
NEW = {"name": "new", "http": {"pause_seconds": 0}}
STABLE_PROXY = "/api/v1/namespaces/eu/services/shop:80/proxy/basket"


class MigratedWorld(World):
    """Jobs complete; stable answers what self.stable_says."""

    def __init__(self, stable_says=200):
        super().__init__()
        self.controllers.append(self._run_jobs)
        self.behind = lambda path: Text(stable_says if path == STABLE_PROXY else 200, {}, "no column price")

    def _run_jobs(self):
        for job in self._kind("Job"):
            job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}


def problems_of(**given):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, **given})
    return [(one.field, one.allowed) for one in caught.value.problems]


@pytest.mark.parametrize(
    "checks",
    [[MIGRATE], [OLD, MIGRATE], [MIGRATE, NEW], [MIGRATE, OLD, {**MIGRATE, "name": "again"}]],
    ids=["alone", "asked before", "asked the canary", "again after it"],
)
def test_without_a_later_question_to_stable_it_is_refused(checks):
    ((field, allowed),) = problems_of(release_checks=checks)
    last = max(index for index, one in enumerate(checks) if one.get("point_of_no_return"))
    assert field == f"release_checks[{last}].point_of_no_return"
    assert "against: stable" in allowed
    assert "release_no_way_back: <the reason" in allowed


def test_a_question_to_stable_or_a_reason_is_enough():
    assert parse({**GIVEN, "release_checks": [MIGRATE, NEW, OLD]}).no_way_back is None
    job = {"name": "old", "job": {"spec": POD}, "against": "stable"}
    assert parse({**GIVEN, "release_checks": [MIGRATE, job]}).checks[1].against == "stable"
    assert parse({**GIVEN, "release_checks": [MIGRATE], "release_no_way_back": "a new table"}).no_way_back == "a new table"


def test_a_reason_for_nothing_is_refused():
    ((field, allowed),) = problems_of(release_checks=[NEW], release_no_way_back="a new table")
    assert (field, allowed) == ("release_no_way_back", "nothing, unless a check is a point_of_no_return")


def test_stable_is_asked_at_its_own_service_after_the_migration():
    world = MigratedWorld()
    assert world.start(release_checks=[MIGRATE, OLD])["outcome"] == "promoted"
    assert world.asked == [STABLE_PROXY]
    said = "\n".join(world.lines)
    assert said.index("nothing was changed for good so far") < said.index("old passed: GET /basket of shop:80")
    assert "traffic goes back" not in said


def test_an_old_version_that_does_not_work_any_more_ends_the_release_and_says_what_stays():
    world = MigratedWorld(stable_says=500)
    result = world.start(release_checks=[MIGRATE, OLD])
    assert (result["outcome"], "it answered 500: no column price" in result["reason"]) == ("rolled_back", True)
    assert any("what check migrate has changed stays: stable works with it from now on" in line for line in world.lines)
    world.assert_home("shop:1")


def test_going_back_before_it_says_nothing_of_it():
    world = MigratedWorld()
    world.behind = lambda path: Text(500, {}, "no")
    assert world.start(release_checks=[NEW, MIGRATE, OLD])["outcome"] == "rolled_back"
    assert not any("stays" in line for line in world.lines)


def test_the_plan_and_the_record_have_it():
    world = MigratedWorld()
    given = {"release_checks": [MIGRATE, OLD]}
    native.start(world, parse({**GIVEN, **given}), world.caller, check_mode=True)
    said = [line.strip() for line in world.lines]
    assert "before it nothing is changed for good; after it a rollback returns traffic, not what check migrate has changed" in said
    assert "check old before any traffic: GET /basket answers 200 (of stable)" in said
    world.start(release_checks=[MIGRATE], release_no_way_back="a new table", release_stop_after="check-migrate")
    assert record.load(world, "eu", "shop").spec["no_way_back"] == "a new table"
