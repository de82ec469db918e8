# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezes and denied digests while a release begins and runs. The clock of the double begins at 1970-01-12 13:46:40 UTC."""

import json
from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import engines, native
from ansible_collections.progressive.delivery.plugins.module_utils.release import freezes
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

NOW = {"name": "stocktaking", "from": "1970-01-12 12:00", "to": "1970-01-12 18:00", "timezone": "UTC"}
SOON = {**NOW, "name": "evening", "from": "1970-01-12 13:50", "to": "1970-01-12 14:30"}  # in 200 s
LONG = {"release_steps": [{"weight": 50, "bake_seconds": 600}, 100]}
DIGEST = "sha256:" + "a" * 64
ALLOWED = "a time outside of this freeze: it lasts until Mon 1970-01-12 18:00 UTC; wait, or override it"


@pytest.fixture
def world(monkeypatch):
    made = People()
    monkeypatch.setattr(native.time, "time", made.clock)
    return made


def refused(world, **given):
    before = json.dumps(world.writes())
    with pytest.raises(Refused) as caught:
        world.start(**given)
    assert json.dumps(world.writes()) == before
    assert world.names("ConfigMap") == []
    return {one.field: one.allowed for one in caught.value.problems}


def test_a_release_in_a_freeze_is_refused_before_anything_changes_and_says_until_when(world):
    assert refused(world, release_freezes=[NOW])["release_freezes"].startswith(ALLOWED)


@pytest.mark.parametrize("engine", ["flagger", "argo_rollouts"])
def test_so_is_one_that_another_engine_would_run(world, engine):
    before = json.dumps(world.writes())
    with pytest.raises(Refused) as caught:
        engines.start(world, parse({**GIVEN, "release_engine": engine, "release_freezes": [NOW]}), world.caller)
    assert caught.value.problems[0].allowed.startswith(ALLOWED)
    assert json.dumps(world.writes()) == before


def test_one_that_would_run_into_a_freeze_is_refused_and_one_that_is_over_before_is_not(world):
    said = refused(world, release_freezes=[SOON], **LONG)["release_freezes"]
    assert "it begins Mon 1970-01-12 13:50 UTC, and the release takes about 10 min by its plan" in said
    assert world.start(release_freezes=[SOON])["outcome"] == "promoted"


def test_an_override_lets_it_run_through_and_the_record_says_who_and_why(world):
    caller = replace(world.caller, by="mia")
    result = native.start(world, parse({**GIVEN, "release_freezes": [NOW], "release_freeze_override": "it burns"}), caller)
    assert result["outcome"] == "promoted"
    kept = native.status(world, "eu", "shop")[0]["freeze_override"]
    assert kept == {"freeze": "stocktaking", "until": "Mon 1970-01-12 18:00 UTC", "by": "mia", "reason": "it burns"}
    assert world.said("overridden: it burns")


def test_an_override_that_was_not_needed_is_not_recorded(world):
    assert world.start(release_freezes=[], release_freeze_override="in case")["outcome"] == "promoted"
    assert native.status(world, "eu", "shop")[0]["freeze_override"] is None


@pytest.mark.parametrize(("policy", "outcome"), [("go_on", "promoted"), ("park", "parked"), ("roll_back", "rolled_back")])
def test_a_freeze_that_begins_while_a_release_runs_follows_the_policy(world, tmp_path, policy, outcome):
    path = tmp_path / "freezes.yml"
    path.write_text("[]")
    world.at["600 s at 50 %"] = lambda: path.write_text(json.dumps([SOON]))
    result = world.start(release_freezes=[{"file": str(path)}], release_on_freeze=policy, **LONG)
    assert result["outcome"] == outcome
    assert len(world.said("freeze evening has begun, it lasts until Mon 1970-01-12 14:30 UTC")) == 1
    if policy == "roll_back":
        world.assert_home("shop:1")


def test_a_release_that_a_freeze_has_parked_goes_on_after_it_and_not_before(world, tmp_path):
    path = tmp_path / "freezes.yml"
    path.write_text("[]")
    given = {"release_freezes": [{"file": str(path)}], "release_on_freeze": "park", **LONG}
    world.at["600 s at 50 %"] = lambda: path.write_text(json.dumps([SOON]))
    assert world.start(**given)["outcome"] == "parked"
    again = world.start(**given)
    assert (again["changed"], "stays parked: freeze evening lasts until" in again["reason"]) == (False, True)
    world.sleep(3600)
    assert world.start(**given)["outcome"] == "promoted"


def test_a_calendar_that_becomes_unreadable_while_a_release_runs_is_told_and_no_reason_to_stop(world, tmp_path):
    path = tmp_path / "freezes.ics"
    path.write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    world.at["600 s at 50 %"] = path.unlink
    assert world.start(release_freezes=[{"ical": str(path)}], **LONG)["outcome"] == "promoted"
    assert len(world.said("whether a freeze has begun is not known")) == 1


@pytest.mark.parametrize("text", [None, "[{name: x}]", "{", "[{file: /etc/other.yml}]"])
def test_a_file_that_cannot_be_read_or_trusted_keeps_a_release_back(world, tmp_path, text):
    path = tmp_path / "freezes.yml"
    if text is not None:
        path.write_text(text)
    assert refused(world, release_freezes=[{"file": str(path)}])


def test_a_rollback_is_kept_back_by_no_freeze(world):
    assert world.start()["outcome"] == "promoted"
    assert world.start(release_image="shop:3", release_freezes=[SOON], release_freeze_override="x")["outcome"] == "promoted"
    world.sleep(400)
    assert world.tell("rollback")["outcome"] == "promoted"
    assert world.image == "shop:2"


def test_a_denied_digest_in_the_image_is_refused_before_anything_changes(world, tmp_path):
    path = tmp_path / "denied.yml"
    path.write_text(json.dumps([{"digest": DIGEST, "reason": "CVE-2026-1"}]))
    for denied in ({"digest": DIGEST, "reason": "CVE-2026-1"}, {"file": str(path)}):
        said = refused(world, release_image=f"shop@{DIGEST}", release_denied_digests=[denied])
        assert said == {"release_image": "a digest that release_denied_digests does not name: CVE-2026-1"}
    assert world.start(release_image="shop@sha256:" + "b" * 64, release_denied_digests=[{"file": str(path)}])["outcome"] == "promoted"


def test_a_tag_that_stands_for_a_denied_digest_gets_no_traffic(world, monkeypatch):
    monkeypatch.setattr("ansible_collections.progressive.delivery.plugins.module_utils.release.steps.image_digest", lambda *_: DIGEST)
    result = world.start(release_denied_digests=[{"digest": DIGEST, "reason": "CVE-2026-1"}])
    assert (result["outcome"], result["reason"]) == ("rolled_back", f"shop:2 is {DIGEST}, which release_denied_digests names: CVE-2026-1")
    assert world.weights == []
    world.assert_home("shop:1")


def test_a_digest_that_nobody_knows_is_said(world):
    assert world.start(release_denied_digests=[{"digest": DIGEST}])["outcome"] == "promoted"
    assert world.said("the digest of shop:2 is not known")


def test_the_plan_says_when_the_next_freeze_is(world):
    lines = []
    caller = replace(world.caller, live_emit=lines.append)
    spec = parse({**GIVEN, "release_freezes": [{**SOON, "from": "1970-01-16 17:00", "to": "1970-01-19", "timezone": "Europe/Berlin"}]})
    native.start(world, spec, caller, check_mode=True)
    assert "  freeze: none until Fri 1970-01-16 17:00 Europe/Berlin (Fri 1970-01-16 16:00 UTC) (evening)" in lines
    assert freezes.line(parse(GIVEN), world.clock()) == ""


def test_other_calendars_are_no_other_plan_when_a_release_is_taken_up_again(world):
    parked = {"release_steps": [{"weight": 50, "approve": True}, 100], "release_approval_seconds": 10}
    assert world.start(**parked)["outcome"] == "parked"
    world.tell("approve")
    assert world.start(**parked, release_freezes=[{**SOON, "from": "1970-02-01", "to": "1970-02-02"}])["outcome"] == "promoted"
