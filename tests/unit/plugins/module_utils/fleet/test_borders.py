# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens between the waves of a fleet: hours, people, the digest that goes on, and a target that is let go."""

import json
from datetime import UTC, datetime

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.release import approval_places
from ansible_collections.progressive.delivery.plugins.module_utils.release import record as releases
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.release.webhook_client import Reply
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_fleet import LEASE, Regions

NEW = dict.fromkeys("abc", "shop:2")
OLD = dict.fromkeys("abc", "shop:1")
TWO = {"count": 2, "of": ["ana", "ben", "eva"]}
ONE_OF_US = [{"group": "first"}, {"group": "second", "approve": {"of": ["ana", "ben"]}}]


def waves(**second):
    return [{"group": "first"}, {"group": "second", **second}]


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture
def regions():
    return Regions()  # their clocks begin on Monday, 1970-01-12, at 13:46:40 UTC


def crossing(regions, target):
    return releases.load(regions.worlds[target], "eu", "shop").state.control["begun"]["crossing"]


def people(regions, *given, before="border", group="second"):
    """These commands come before a task: (command, by)."""
    regions.before[before, group] = lambda: [regions.do(command, by=by) for command, by in given]


class TestHours:
    def test_a_wave_begins_when_its_hours_do_and_those_with_the_version_are_watched_until_then(self, regions):
        ended = regions.play(release_waves=waves(begin="Mon-Fri 14:00-16:00 UTC"))
        assert (ended["outcome"], regions.images) == ("promoted", NEW)
        assert crossing(regions, "b")["at"] >= "1970-01-12T14:00:00Z" and crossing(regions, "b")["hours"] == "Mon-Fri 14:00-16:00 UTC"
        assert any("second waits for its hours" in line and "Mon 1970-01-12 14:00 UTC" in line for line in regions.lines)

    def test_a_version_that_breaks_while_the_hours_are_waited_for_goes_back(self, regions):
        regions.before["border", "second"] = lambda: regions.crash("a")
        regions.before["turn", "a"] = lambda: regions.heal("a")
        ended = regions.play(release_waves=waves(begin="Tue 09:00-16:00 UTC"))
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
        assert regions.worlds["a"].seconds < unix("1970-01-12T14:00")

    def test_who_is_just_behind_the_hours_when_the_next_task_comes_may_begin(self, regions):
        def closes():
            regions.worlds["a"].seconds = unix("1970-01-12T14:01")

        regions.before["enter", "second"] = closes
        ended = regions.play(release_waves=waves(begin="Mon 13:00-14:00 UTC"))
        assert (ended["outcome"], regions.images) == ("promoted", NEW)
        assert regions.worlds["a"].seconds < unix("1970-01-12T15:00")

    def test_the_first_wave_waits_for_its_hours_too(self, regions):
        ended = regions.play(release_waves=[{"group": "first", "begin": "Mon 13:55-14:00 UTC"}, {"group": "second"}])
        assert ended["outcome"] == "promoted" and crossing(regions, "a")["at"].startswith("1970-01-12T13:55:0")

    def test_a_bake_through_hours_ends_with_the_first_whole_opening(self, regions):
        through = [{"group": "first", "bake": "Mon-Fri 13:50-13:55 UTC"}, {"group": "second"}]
        ended = regions.play(release_waves=through)
        assert ended["outcome"] == "promoted"
        assert regions.record.progress.waves[0]["baking"]["until"] == unix("1970-01-12T13:55")
        assert regions.worlds["a"].seconds >= unix("1970-01-12T13:55")

    @pytest.mark.parametrize(("renewed", "is_kept"), [(None, True), ("2020-01-01T00:00:00.000000Z", False)])
    def test_a_bake_goes_on_behind_a_runner_that_died_unless_nobody_watched_for_long(self, regions, renewed, is_kept):
        regions.killed("bake", "first")
        through = [{"group": "first", "bake": "Mon-Fri 13:50-13:55 UTC"}, {"group": "second"}]
        with pytest.raises(Killed):
            regions.play(release_waves=through)
        before = regions.record.progress.waves[0]["baking"]
        home = regions.worlds["a"]
        home.seconds = unix("1970-01-12T13:51")
        if renewed:
            home.objects[LEASE]["spec"]["renewTime"] = renewed
        regions.before["bake", "first"] = regions.die
        with pytest.raises(Killed):
            regions.play()
        regions.bury()
        after = regions.record.progress.waves[0]["baking"]
        assert after == before if is_kept else after["until"] == unix("1970-01-13T13:55")


class TestPeople:
    def test_two_of_three_let_a_wave_begin_and_every_target_of_it_knows_who_did(self, regions):
        people(regions, ("approve", "ana"), ("approve", "ben"))
        ended = regions.play(release_waves=waves(approve=TWO), release_reason="CHG-7")
        assert (ended["outcome"], regions.images) == ("promoted", NEW)
        for target in "bc":
            found = crossing(regions, target)
            assert (found["approved"]["by"], found["approved"]["reason"], found["wave"]) == ("ana, ben", "CHG-7", "second")
            assert [one["by"] for one in found["approved"]["given"]] == ["ana", "ben"]
            assert [(one["wave"], one["serve"]) for one in found["evidence"]] == [("first", ["a"])]
        assert ended["fleet"]["waves"][1]["crossing"] == crossing(regions, "b")
        assert crossing(regions, "a")["wave"] == "first" and "approved" not in crossing(regions, "a")

    def test_one_of_two_is_not_enough_and_the_fleet_parks_with_who_is_missing(self, regions):
        people(regions, ("approve", "ana"))
        ended = regions.play(release_waves=waves(approve=TWO), release_approval_seconds=5)
        assert (ended["outcome"], regions.images) == ("parked", {**OLD, "a": "shop:2"})
        assert "nobody agreed to second within 5 s (1 of 2 of ana, ben, eva; ana approved" in ended["reason"]
        regions.do("approve", by="eva")
        ended = regions.play()
        assert (ended["outcome"], crossing(regions, "c")["approved"]["by"]) == ("promoted", "ana, eva")

    @pytest.mark.parametrize(("by", "words"), [("mia", "mia is not among ana, ben"), ("ana", "ana started the release")])
    def test_who_is_not_asked_or_started_the_fleet_is_refused(self, regions, by, words):
        said = []

        def approve():
            with pytest.raises(Refused) as caught:
                regions.do("approve", by=by)
            said.append(str(caught.value))

        regions.starter = "ana"
        regions.before["border", "second"] = approve
        ended = regions.play(release_waves=ONE_OF_US, release_approval_seconds=5)
        assert ended["outcome"] == "parked" and words in said[0]
        assert "ana" in ended["fleet"]["started_by"]

    def test_an_approval_that_expired_before_its_wave_is_asked_for_again(self, regions):
        people(regions, ("approve", "ana"), before="bake", group="first")
        given = [{"group": "first", "bake": 60}, {"group": "second", "approve": {"of": ["ana"], "expires": 30}}]
        ended = regions.play(release_waves=given, release_approval_seconds=5)
        assert ended["outcome"] == "parked" and "(0 of 1 of ana)" in ended["reason"]

    def test_an_approval_that_was_given_ahead_counts(self, regions):
        people(regions, ("approve", "ana"), before="bake", group="first")
        given = [{"group": "first", "bake": 60}, {"group": "second", "approve": {"of": ["ana"]}}]
        assert regions.play(release_waves=given)["outcome"] == "promoted"

    def test_a_rejection_brings_everybody_back(self, regions):
        people(regions, ("approve", "ana"), ("reject", "ben"))
        ended = regions.play(release_waves=waves(approve=TWO), release_reason="the queue grows")
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
        assert ended["fleet"]["stopped"]["reason"] == "second was rejected by ben: the queue grows"

    def test_a_file_is_heard_while_the_wave_waits(self, regions, tmp_path):
        places = tmp_path / "approvals.yml"
        regions.worlds["a"].at["second waits for an approval"] = lambda: places.write_text(
            "[{by: ana, image: 'shop:2', reason: looks good}, {by: ben, image: 'shop:2', step: second}]"
        )
        ended = regions.play(release_waves=waves(approve=TWO), release_approval_sources=[{"file": str(places)}])
        assert ended["outcome"] == "promoted"
        given = crossing(regions, "b")["approved"]["given"]
        assert [(one["by"], one["source"]) for one in given] == [("ana", f"file {places}"), ("ben", f"file {places}")]

    def test_a_rejection_in_a_file_brings_everybody_back(self, regions, tmp_path):
        places = tmp_path / "approvals.yml"
        places.write_text("[{by: ana, image: 'shop:2', decision: reject, reason: too slow}]")
        ended = regions.play(release_waves=waves(approve=TWO), release_approval_sources=[{"file": str(places)}])
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)

    def test_a_webhook_is_asked_about_the_wave_until_it_has_enough_people(self, regions, monkeypatch):
        asked = []

        def answer(request, message, most_bytes):
            asked.append((message["step"], message["release_id"]))
            return Reply(200, "ok"), json.dumps({"approvals": [{"by": "ana"}, {"by": "ben"}][: len(asked) - 1]})

        monkeypatch.setattr(approval_places, "post_for_body", answer)
        hook = {"webhook": {"url": "http://tickets.example/secret-token", "interval": "5s"}}
        ended = regions.play(release_waves=waves(approve=TWO), release_approval_sources=[hook])
        assert (ended["outcome"], regions.images) == ("promoted", NEW)
        assert asked == [("second", ended["fleet"]["release_id"])] * 3
        given = crossing(regions, "b")["approved"]["given"]
        assert [(one["by"], one["source"]) for one in given] == [
            ("ana", "webhook http://tickets.example"),
            ("ben", "webhook http://tickets.example"),
        ]
        assert not any(
            "secret-token" in json.dumps(one) for (kind, *_name), one in regions.worlds["a"].objects.items() if kind == "ConfigMap"
        )

    def test_at_the_deadline_everybody_goes_back_where_that_is_the_policy(self, regions):
        ended = regions.play(release_waves=waves(approve=True), release_approval_seconds=5, release_on_no_approval="roll_back")
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
        assert "release_on_no_approval is roll_back" in ended["reason"]

    def test_the_deadline_survives_the_runner(self, regions):
        regions.worlds["a"].at["second waits for"] = regions.die
        with pytest.raises(Killed):
            regions.play(release_waves=waves(approve=True), release_approval_seconds=600)
        regions.bury()
        until = regions.record.people["waiting"]["until"]
        regions.worlds["a"].seconds = until - 40
        ended = regions.play()
        assert ended["outcome"] == "parked" and regions.worlds["a"].seconds < until + 60

    def test_people_are_waited_for_from_when_the_hours_have_begun(self, regions):
        ended = regions.play(release_waves=waves(approve=True, begin="Mon 14:00-16:00 UTC"), release_approval_seconds=60)
        assert ended["outcome"] == "parked"
        assert unix("1970-01-12T14:01") <= regions.worlds["a"].seconds < unix("1970-01-12T14:05")

    def test_the_status_says_what_a_wave_waits_for(self, regions):
        regions.play(release_waves=waves(approve=TWO), release_approval_seconds=5)
        [lines] = regions.do("status")["lines"]
        assert "second waits for an approval (0 of 2 of ana, ben, eva)" in lines


class TestDigest:
    def digests(self, regions, **of_target):
        """What the tag means in each cluster."""
        for target, digest in of_target.items():
            world = regions.worlds[target]

            def pods(world=world, digest=digest):
                for key in [key for key in world.objects if key[0] == "Pod"]:
                    del world.objects[key]
                for deployment in world._kind("Deployment"):
                    name = deployment["metadata"]["name"] + "-0"
                    meta = {"name": name, "namespace": "eu", "uid": f"{name}-{deployment['metadata']['generation']}"}
                    meta["labels"] = deployment["spec"]["template"]["metadata"]["labels"]
                    status = {"containerStatuses": [{"name": "app", "imageID": f"shop@sha256:{digest}"}]}
                    world.objects["Pod", "eu", name] = {"kind": "Pod", "metadata": meta, "spec": {}, "status": status}

            world.controllers.append(pods)

    def test_the_digest_that_passed_is_noted_and_goes_on(self, regions):
        self.digests(regions, a="1", b="1", c="1")
        ended = regions.play()
        assert ended["outcome"] == "promoted"
        assert [one["digest"] for wave in ended["fleet"]["waves"] for one in wave["targets"]] == ["sha256:1"] * 3
        assert crossing(regions, "c")["evidence"][0]["digests"] == ["sha256:1"]

    def test_a_tag_that_means_another_digest_gets_no_traffic(self, regions):
        self.digests(regions, a="1", b="1", c="2")
        ended = regions.play()
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
        assert "shop:2 is sha256:2 here, and not what passed in the waves before: sha256:1 in a" in ended["reason"]
        assert not any("  weight  " in line for line in regions.worlds["c"].lines)

    def test_a_registry_of_its_own_has_the_same_digest_to_keep(self, regions):
        self.digests(regions, a="1", b="1", c="2")
        regions.of_host = {"b": {"release_image": "prod.example/shop:2"}, "c": {"release_image": "prod.example/shop:2"}}
        ended = regions.play()
        assert ended["outcome"] == "rolled_back" and "prod.example/shop:2 is sha256:2 here" in ended["reason"]

    def test_a_digest_that_was_released_before_the_fleet_came_counts(self, regions):
        self.digests(regions, a="1", b="2", c="2")
        regions.worlds["a"].start()
        ended = regions.play()
        assert ended["outcome"] == "rolled_back" and "sha256:1 in a" in ended["reason"]
        assert regions.images == {**OLD, "a": "shop:2"}  # a had the version before, so the fleet takes it from nobody

    def test_a_digest_that_nobody_tells_is_warned_of(self, regions):
        self.digests(regions, a="1")
        ended = regions.play()
        assert ended["outcome"] == "promoted"
        assert any("the runtime does not tell which digest shop:2 is" in line for line in regions.lines)


class TestLetGo:
    def lost(self, regions):
        """c falls silent while it bakes, and never answers again."""
        away = regions.worlds["c"]
        regions.before["rest", "second"] = lambda: away.refuse("GET", "Deployment", Unreachable("gone"), times=100_000)
        regions.before["turn", "a"] = lambda: away.refuse("GET", "ConfigMap", Unreachable("gone"), times=100_000)
        assert "not returned yet: c" in regions.play()["reason"]
        regions.runs += 1

    def test_a_target_that_never_comes_back_is_let_go_with_a_reason_and_the_fleet_ends(self, regions):
        self.lost(regions)
        said = regions.do("let_go", lost="c", by="mia")
        assert (said["changed"], said["home"]) == (True, "a") and "-l c" in said["reason"]
        ended = regions.go_back(home="a")
        assert (ended["outcome"], ended["fleet"]["phase"], regions.states) == (
            "rolled_back",
            "ended",
            {"a": "returned", "b": "returned", "c": "let_go"},
        )
        assert ended["reason"].endswith("let go: c")
        assert "the region is closed (let go by mia, it was unreachable" in regions.entry("c").reason
        assert LEASE not in regions.worlds["a"].objects
        assert regions.do("let_go", lost="c")["found"] is False

    @pytest.fixture(autouse=True)
    def reason(self, regions):
        regions.variables["release_reason"] = "the region is closed"

    @pytest.mark.parametrize(
        ("target", "reason", "words"),
        [
            ("c", "", "release_reason: is required: why c never answers again"),
            ("a", "why not", "cannot end with; a is returned"),
            ("d", "why not", "a target of the fleet: a, b, c"),
        ],
    )
    def test_who_is_not_lost_or_has_no_reason_is_not_let_go(self, regions, target, reason, words):
        self.lost(regions)
        regions.variables["release_reason"] = reason
        with pytest.raises(Refused) as caught:
            regions.do("let_go", lost=target)
        assert words in str(caught.value) and regions.states["c"] == "unreachable"
