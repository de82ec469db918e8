# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb report: what it reads, where it writes, what it says."""

import json
import pathlib
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.report import report
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, unknown_variables
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import (
    FIXTURES,
    REFUSED,
    fleet,
    lines_of,
    record_of,
)

PLAYBOOKS = pathlib.Path(__file__).parents[5] / "playbooks"
FILES = ["events.jsonl", "junit.xml", "report.html", "report.md"]


class World(People):
    """A cluster, and what the verb printed."""

    def report(self, *, check_mode=False, **given):
        self.printed = []
        caller = replace(self.caller, live_emit=self.printed.append)
        return report(lambda: self, given, caller, check_mode=check_mode)


@pytest.fixture
def world():
    return World()


def releases(*names):
    return {"eu": {"releases": [record_of(name) for name in names]}}


def files(path):
    return sorted(one.name for one in path.iterdir())


def test_all_files_are_in_the_folder_of_the_release_and_a_second_time_nothing_changes(world, tmp_path):
    said = world.report(releases=releases("bad"), release_report_dir=str(tmp_path))
    where = tmp_path / "shop-ab3aec"
    assert (said["changed"], said["written"], said["outcome"], said["folder"]) == (True, True, "rolled_back", str(where))
    assert files(where) == FILES
    assert said["paths"]["html"] == str(where / "report.html")
    assert world.printed == [f"report: {where / 'report.html'}"]
    assert said["summary"] == (where / "report.md").read_text()
    assert world.report(releases=releases("bad"), release_report_dir=str(tmp_path))["changed"] is False


def test_check_mode_writes_nothing_and_says_what_it_would(world, tmp_path):
    said = world.report(releases=releases("bad"), release_report_dir=str(tmp_path / "new"), check_mode=True)
    assert (said["changed"], said["written"], world.printed) == (True, False, [])
    assert list(tmp_path.iterdir()) == []


def test_only_the_formats_that_are_asked_for(world, tmp_path):
    said = world.report(releases=releases("bad"), release_report_dir=str(tmp_path), formats=["junit"])
    assert files(tmp_path / "shop-ab3aec") == ["junit.xml"] and list(said["paths"]) == ["junit"]


def test_the_lines_beside_the_runner_are_found_and_kept_as_they_are(world, tmp_path):
    text = (FIXTURES / "bad.jsonl").read_text()
    (tmp_path / "shop-ab3aec.jsonl").write_text(text)
    world.report(releases=releases("bad"), release_report_dir=str(tmp_path))
    assert (tmp_path / "shop-ab3aec" / "events.jsonl").read_text() == text
    assert "record alone" not in (tmp_path / "shop-ab3aec" / "report.html").read_text()


def test_lines_elsewhere_a_line_cut_short_and_a_file_that_is_none(world, tmp_path):
    log = tmp_path / "logs" / "shop-ab3aec.jsonl"
    log.parent.mkdir()
    log.write_text((FIXTURES / "bad.jsonl").read_text() + '{"at": 17952')
    given = {"releases": releases("bad"), "release_report_dir": str(tmp_path), "release_log_dir": str(log.parent), "formats": ["html"]}
    assert world.report(**given)["troubles"] == []
    assert "1 lines were cut short" in (tmp_path / "shop-ab3aec" / "report.html").read_text()
    log.write_text("no log\n" + (FIXTURES / "bad.jsonl").read_text().partition("\n")[2].replace('"event": "judges"', '"event": "step"'))
    (trouble,) = world.report(**given)["troubles"]
    assert "was left out" in trouble and "line 1" in trouble


def test_without_lines_the_events_are_those_of_the_record(world, tmp_path):
    world.report(releases=releases("good"), release_report_dir=str(tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "shop-341ba2" / "events.jsonl").read_text().splitlines()]
    assert {"approve", "advance", "ended"} <= {line["event"] for line in lines}
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_of_several_records_the_one_that_the_result_names(world, tmp_path):
    told = releases("good", "bad")
    assert world.report(releases=told, release_report_dir=str(tmp_path))["outcome"] == "promoted"
    result = {"outcome": "rolled_back", "release_id": "shop-ab3aec"}
    assert world.report(releases=told, results={"eu": result}, release_report_dir=str(tmp_path))["outcome"] == "rolled_back"


def test_a_refusal_is_reported_and_not_the_release_before_it(world, tmp_path):
    said = world.report(releases=releases("good"), results={"eu": REFUSED}, release_report_dir=str(tmp_path))
    assert said["outcome"] == "refused"
    assert said["folder"].startswith(str(tmp_path / "shop-refused-"))
    assert "a list that ends at 100" in (tmp_path / said["folder"] / "report.html").read_text()


def test_a_task_that_crashed_leaves_the_record_to_tell(world, tmp_path):
    said = world.report(releases=releases("bad"), results={"eu": {"failed": True, "msg": "boom"}}, release_report_dir=str(tmp_path))
    assert said["outcome"] == "rolled_back"


@pytest.mark.parametrize(
    "result", [{"outcome": "promoted", "release_id": "", "reason": "runs already"}, {"outcome": None, "changed": True}]
)
def test_who_had_nothing_to_do_leaves_no_report(world, tmp_path, result):
    said = world.report(releases={"eu": {"releases": []}}, results={"eu": result}, release_report_dir=str(tmp_path))
    assert (said["changed"], said["written"], said["paths"]) == (False, False, {})
    assert list(tmp_path.iterdir()) == []


def test_several_targets_share_one_folder_of_a_name_that_stays(world, tmp_path):
    told = {"eu": record_of("bad"), "us": record_of("good")}
    first = world.report(releases=told, release_report_dir=str(tmp_path))["folder"]
    assert first == world.report(releases=dict(reversed(told.items())), release_report_dir=str(tmp_path))["folder"]
    assert first.startswith(str(tmp_path / "shop-"))


def test_a_fleet_has_the_folder_of_its_own_id_whatever_is_in_it(world, tmp_path):
    told = {"eu-west-1": {"releases": [record_of("bad")]}}
    where = world.report(releases=told, fleet=fleet(release_id="../../shop/7c1"), release_report_dir=str(tmp_path))["folder"]
    assert where == str(tmp_path / "-..-shop-7c1")
    assert "wave_2" in (tmp_path / "-..-shop-7c1" / "report.md").read_text().replace("\\", "")


def test_a_record_is_read_here_when_nothing_is_given(world, tmp_path):
    world.start()
    said = world.report(release_name="shop", release_namespace="eu", release_report_dir=str(tmp_path))
    assert said["outcome"] == "promoted"
    assert "serves everybody" in said["said"]
    assert "ansible-playbook progressive.delivery.rollback -e release_name=shop" in said["summary"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"releases": "x: ["}, "releases"),
        ({"releases": {}, "formats": ["pdf"]}, "formats"),
        ({"releases": {}, "release_report_dir": ""}, "release_report_dir"),
        ({"fleet": {"waves": [{"targets": [{}]}]}}, "fleet.waves[0]"),
        ({"results": [1]}, "results"),
    ],
)
def test_what_is_wrong_is_named(world, given, field):
    with pytest.raises(SpecError) as wrong:
        world.report(**given)
    assert [problem.field for problem in wrong.value.problems] == [field]


def test_without_a_namespace_nobody_knows_what_to_read(world):
    with pytest.raises(SpecError, match="release_namespace"):
        world.report()


def test_a_folder_that_cannot_be_written_is_named(world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"release_report_dir.*can be written"):
        world.report(releases=releases("bad"), release_report_dir=str(tmp_path / "file"))


def test_lines_are_told_by_the_time_in_which_they_were_written(world, tmp_path):
    for name, release in (("bad", "shop-ab3aec"), ("good", "shop-341ba2")):
        (tmp_path / f"{release}.jsonl").write_text((FIXTURES / f"{name}.jsonl").read_text())
    told = {"eu": record_of("good"), "us": record_of("bad")}
    folder = world.report(releases=told, release_report_dir=str(tmp_path), formats=["jsonl"])["folder"]
    lines = [json.loads(line) for line in (tmp_path / folder / "events.jsonl").read_text().splitlines()]
    assert len(lines) == len(lines_of("good")) + len(lines_of("bad"))
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)


def test_a_target_of_a_fleet_that_had_no_turn_is_not_told_by_its_release_before(world, tmp_path):
    before = {**record_of("good"), "release_id": "shop-000000"}
    told = {"eu-west-1": {"releases": [record_of("bad")]}, "ap-south-1": {"releases": [before]}}
    said = world.report(releases=told, results={"ap-south-1": {}}, fleet=fleet(), release_report_dir=str(tmp_path))
    page = (tmp_path / "shop-7c1a2b" / "report.html").read_text()
    assert said["outcome"] == "rolled_back"
    assert "shop-ab3aec" in page and "shop-000000" not in page


def undone(name, **changed):
    """The record of the release that brought the old version back, which remembers the one of the fleet."""
    before = record_of(name)
    kept = {key: before[key] for key in ("release_id", "outcome", "reason", "image", "digest", "started_at", "updated_at")}
    back = {"release_id": "shop-ffffff", "image": before["stable_image"], "stable_image": before["image"], "outcome": "promoted"}
    return {**before, **back, "looks": [], "gates": [], "history": [kept], "updated_at": "2026-11-21T18:49:10Z", **changed}


def test_a_target_that_was_brought_back_is_told_by_the_fleets_release_and_not_by_the_one_that_undid_it(world, tmp_path):
    (tmp_path / "shop-341ba2.jsonl").write_text((FIXTURES / "good.jsonl").read_text())
    told = {"eu-west-1": {"releases": [record_of("bad")]}, "us-west-1": {"releases": [undone("good")]}}
    results = {"us-west-1": {"outcome": "promoted", "state": "promoted", "reason": "serves"}}
    world.report(releases=told, results=results, fleet=fleet(), release_report_dir=str(tmp_path))
    folder = tmp_path / "shop-7c1a2b"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    good = record_of("good")
    old, new = (good[key].rpartition(":")[2] for key in ("stable_image", "image"))
    [home] = [one for one in events if "by release shop-ffffff" in one.get("text", "")]
    assert home["text"] == f"100 % stable · {old} serves again, by release shop-ffffff"
    assert home["at"] == datetime(2026, 11, 21, 18, 49, 10, tzinfo=UTC).timestamp()
    summary = (folder / "report.md").read_text().replace("\\", "")
    assert f"back on {old}, the version before" in summary and f"back on {new}" not in summary
    assert "shop-341ba2" in (folder / "report.html").read_text()


def test_without_its_log_a_target_that_was_brought_back_still_had_all_traffic(world, tmp_path):
    told = {"us-west-1": {"releases": [undone("good")]}}
    said = world.report(releases=told, fleet=fleet(), release_report_dir=str(tmp_path))
    assert "us-west-1 | wave_1 | Rolled back | 100 %" in said["summary"].replace("\\", "")


def test_one_whose_way_back_has_not_ended_has_no_traffic_home(world, tmp_path):
    told = {"us-west-1": {"releases": [undone("good", outcome=None, phase="running")]}}
    world.report(releases=told, fleet=fleet(), release_report_dir=str(tmp_path))
    assert "serves again" not in (tmp_path / "shop-7c1a2b" / "events.jsonl").read_text()


def test_a_promoted_fleet_is_told_by_its_targets_records_whatever_its_last_tasks_returned(world, tmp_path):
    (tmp_path / "shop-341ba2.jsonl").write_text((FIXTURES / "good.jsonl").read_text())
    member = {"target": "eu", "state": "promoted", "outcome": "promoted", "reason": "serves", "failed": False, "release_id": "shop-341ba2"}
    wave = {"group": "wave_1", "share_percent": 100, "bake_seconds": 5, "state": "done", "targets": [member]}
    one_wave = fleet(outcome="promoted", reason="serves in 1 targets", stopped=None, waves=[wave])
    watched = {"outcome": "promoted", "state": "promoted", "reason": "serves", "changed": False}  # a watch has no release of its own
    said = world.report(releases=releases("good"), results={"eu": watched}, fleet=one_wave, release_report_dir=str(tmp_path))
    new = record_of("good")["image"].rpartition(":")[2]
    assert said["said"].startswith(f"shop {new} was promoted in eu") and "no JSON lines were found" not in said["summary"]
    assert "eu | wave_1 | Promoted | 100 %" in said["summary"].replace("\\", "")


def test_no_variable_of_the_playbooks_is_taken_for_a_typing_error_of_an_option():
    """In AWX they become variables of the workflow's next node, which may release."""
    texts = [(PLAYBOOKS / name).read_text() for name in ("report.yml", "tasks/report.yml")]
    names = {name for text in texts for name in re.findall(r"release_\w+", text)}
    assert {"release_report_paths", "release_summary", "release_written", "release_record"} <= names
    assert unknown_variables(dict.fromkeys(names)) == []


def test_a_refusal_that_names_nothing_is_told_by_the_names_that_were_asked_for(world, tmp_path):
    result = {name: value for name, value in REFUSED.items() if name != "release_name"}
    given = {"release_name": "checkout", "release_image": "registry.example/checkout:2.4.0", "release_report_dir": str(tmp_path)}
    said = world.report(releases={"eu": {"releases": []}}, results={"eu": result}, **given)
    assert said["folder"].startswith(str(tmp_path / "checkout-refused-"))
    assert said["said"] == "checkout 2.4.0 was refused in eu."
