# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A freeze between the waves of a fleet: waited for, foreseen, or where the fleet parks. The clocks begin on Monday, 1970-01-12, 13:46:40 UTC."""

import json
from datetime import UTC, datetime

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.fleet import calendars
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.people import people_spec
from ansible_collections.progressive.delivery.plugins.module_utils.release import record as releases
from ansible_collections.progressive.delivery.plugins.module_utils.release.calendar_spec import DEFAULTS, calendar
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Reader
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_fleet import LEASE, Regions

NEW = dict.fromkeys("abc", "shop:2")
OLD = dict.fromkeys("abc", "shop:1")
HALF_WAY = {**OLD, "a": "shop:2"}
WAVES = [{"group": "first", "bake": 60}, {"group": "second"}]
TEA = {"name": "tea", "from": "1970-01-12 13:30", "to": "1970-01-12 13:52", "timezone": "UTC"}
LONG = {**TEA, "name": "stocktaking", "to": "1970-01-12 13:58"}


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class InStep(Regions):
    """Their clocks are one when a wave begins, as clocks are."""

    def do(self, command, target=None, **options):
        result = super().do(command, target, **options)
        if command == "enter":
            for world in self.worlds.values():
                world.seconds = max(world.seconds, self.worlds[self.home].seconds)
        return result


@pytest.fixture
def regions():
    made = InStep()
    made.variables.update(release_waves=WAVES, release_freeze_seconds="5m")
    return made


@pytest.fixture
def calendar_file(tmp_path):
    """Empty when the fleet begins; freeze(...) writes into it."""

    class File:
        path = tmp_path / "freezes.yml"
        variables = {"release_freezes": [{"file": str(path)}]}

        def freeze(self, *found):
            self.path.write_text(json.dumps(found))

    File().freeze()
    return File()


def frozen(regions, target, *found, **more):
    regions.of_host[target] = {"release_freezes": list(found), **more}


def refusal(regions, **variables):
    with pytest.raises(Refused) as caught:
        regions.play(**variables)
    assert regions.images == OLD and LEASE not in regions.worlds["a"].objects
    return [(problem.field, problem.allowed) for problem in caught.value.problems]


class TestWaiting:
    def test_a_wave_begins_when_the_freeze_of_its_targets_is_over_and_who_has_the_version_is_watched_until_then(self, regions):
        frozen(regions, "c", TEA)
        ended = regions.play()
        assert (ended["outcome"], regions.images) == ("promoted", NEW)
        begun = releases.load(regions.worlds["c"], "eu", "shop").state.control["begun"]
        assert "1970-01-12T13:52:00Z" <= begun["crossing"]["at"] < "1970-01-12T13:53"
        assert begun["crossing"]["freeze"] == "freeze tea of c, until Mon 1970-01-12 13:52 UTC"
        assert any("second waits for freeze tea of c, until Mon 1970-01-12 13:52 UTC" in line for line in regions.lines)
        assert regions.worlds["a"].seconds >= unix("1970-01-12T13:52")

    def test_the_freeze_of_one_region_is_nothing_to_the_waves_before_it(self, regions):
        frozen(regions, "c", TEA)
        regions.play()
        assert releases.load(regions.worlds["a"], "eu", "shop").state.control["begun"]["crossing"]["at"] < "1970-01-12T13:50"

    def test_a_version_that_breaks_while_a_freeze_is_waited_for_goes_back_at_once(self, regions):
        frozen(regions, "c", TEA)
        regions.before["border", "second"] = lambda: regions.crash("a")
        regions.before["turn", "a"] = lambda: regions.heal("a")
        ended = regions.play()
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
        assert regions.worlds["a"].seconds < unix("1970-01-12T13:52")

    def test_one_that_begins_while_the_wave_before_bakes_is_waited_for_too(self, regions, calendar_file):
        regions.variables.update(calendar_file.variables)
        regions.before["bake", "first"] = lambda: calendar_file.freeze(TEA)
        ended = regions.play()
        assert (ended["outcome"], regions.images) == ("promoted", NEW)
        assert regions.worlds["a"].seconds >= unix("1970-01-12T13:52")

    def test_a_wave_whose_release_would_run_into_a_freeze_begins_behind_it(self, regions):
        soon = {**TEA, "from": "1970-01-12 13:49"}
        frozen(regions, "c", soon, release_steps=[{"weight": 50, "bake_seconds": 300}, 100])
        ended = regions.play()
        assert ended["outcome"] == "promoted" and regions.worlds["a"].seconds >= unix("1970-01-12T13:52")
        assert any("begins Mon 1970-01-12 13:49 UTC before a release of about 5 min would be over" in line for line in regions.lines)

    def test_people_are_waited_for_from_when_the_freeze_is_over(self, regions):
        frozen(regions, "c", TEA)
        waves = [{"group": "first"}, {"group": "second", "approve": True}]
        ended = regions.play(release_waves=waves, release_approval_seconds=60)
        assert ended["outcome"] == "parked" and "nobody agreed" in ended["reason"]
        assert unix("1970-01-12T13:53") <= regions.worlds["a"].seconds < unix("1970-01-12T13:56")

    def test_a_freeze_is_asked_for_when_the_hours_have_begun(self, regions):
        frozen(regions, "c", LONG)
        waves = [{"group": "first"}, {"group": "second", "begin": "Mon 13:54-14:30 UTC"}]
        ended = regions.play(release_waves=waves)
        assert ended["outcome"] == "promoted"
        assert regions.worlds["a"].seconds >= unix("1970-01-12T13:58")

    def test_the_status_says_which_freeze_is_waited_for(self, regions):
        frozen(regions, "c", TEA)
        told = []
        regions.worlds["a"].at["second waits for freeze"] = lambda: told.append(regions.do("status")["lines"][0])
        regions.play()
        assert "second waits for freeze tea of c, until Mon 1970-01-12 13:52 UTC" in told[0]
        assert not any("waits for freeze" in line for line in regions.do("status")["lines"][0])

    def test_an_override_lets_the_wave_begin_and_its_targets_keep_who_said_so(self, regions, monkeypatch):
        monkeypatch.setattr(native.time, "time", regions.worlds["c"].clock)
        frozen(regions, "c", LONG, release_freeze_override="it burns")
        assert regions.play()["outcome"] == "promoted"
        kept = native.status(regions.worlds["c"], "eu", "shop")[0]["freeze_override"]
        assert (kept["freeze"], kept["reason"]) == ("stocktaking", "it burns")

    def test_a_wave_that_has_the_version_already_waits_for_no_freeze(self, regions):
        for target in "bc":
            regions.worlds[target].start()
        frozen(regions, "c", LONG)
        ended = regions.play()
        assert ended["outcome"] == "promoted" and regions.worlds["a"].seconds < unix("1970-01-12T13:52")


class TestParking:
    def parked(self, regions, calendar_file, **variables):
        """A freeze that nobody knew when the fleet began."""
        regions.variables.update(calendar_file.variables)
        regions.before["bake", "first"] = lambda: calendar_file.freeze(LONG)
        return regions.play(**variables)

    @pytest.mark.parametrize("policy", ["go_on", "park"])
    def test_a_freeze_that_lasts_too_long_parks_the_fleet_and_the_next_run_behind_it_goes_on(self, regions, calendar_file, policy):
        ended = self.parked(regions, calendar_file, release_on_freeze=policy)
        assert (ended["outcome"], regions.images) == ("parked", HALF_WAY)
        assert "second does not begin in freeze stocktaking of b, c, until Mon 1970-01-12 13:58 UTC; that is longer than" in ended["reason"]
        assert regions.worlds["a"].seconds < unix("1970-01-12T13:52")
        home = regions.worlds["a"]
        again = regions.play()
        assert (again["outcome"], regions.images) == ("parked", HALF_WAY)
        home.seconds = unix("1970-01-12T13:58:01")
        regions.worlds["b"].seconds = regions.worlds["c"].seconds = home.seconds
        assert (regions.play()["outcome"], regions.images) == ("promoted", NEW)

    def test_a_parked_fleet_goes_on_by_an_override_of_the_next_run(self, regions, calendar_file):
        self.parked(regions, calendar_file)
        assert (regions.play(release_freeze_override="it burns")["outcome"], regions.images) == ("promoted", NEW)
        assert "freeze" not in regions.record.progress.waves[1]["crossing"]

    def test_everybody_goes_back_where_that_is_the_policy(self, regions, calendar_file):
        ended = self.parked(regions, calendar_file, release_on_freeze="roll_back")
        assert (ended["outcome"], regions.images) == ("rolled_back", OLD)
        assert ended["fleet"]["stopped"]["cause"] == "freeze" and "release_on_freeze is roll_back" in ended["reason"]

    def test_how_long_is_too_long_can_be_said(self, regions, calendar_file):
        ended = self.parked(regions, calendar_file, release_freeze_seconds="11m")
        assert ended["outcome"] == "promoted" and regions.worlds["a"].seconds >= unix("1970-01-12T13:58")

    def test_a_calendar_that_becomes_unreadable_parks_the_fleet(self, regions, calendar_file):
        regions.variables.update(calendar_file.variables)
        regions.before["bake", "first"] = lambda: calendar_file.path.write_text("{")
        ended = regions.play()
        assert (ended["outcome"], regions.images) == ("parked", HALF_WAY)
        assert "whether b, c is in a freeze is not known" in ended["reason"]

    def test_a_target_that_meets_a_freeze_behind_the_border_parks_and_is_no_failure(self, regions, calendar_file):
        regions.of_host["c"] = calendar_file.variables
        regions.before["release", "second"] = lambda: calendar_file.freeze(TEA)
        ended = regions.play()
        assert (ended["outcome"], regions.images) == ("parked", {**NEW, "c": "shop:1"})
        assert "parked in c" in ended["reason"] and not regions.entry("c").failed
        calendar_file.freeze()
        assert (regions.play()["outcome"], regions.images) == ("promoted", NEW)

    def test_a_run_that_dies_while_it_waits_leaves_nothing_that_keeps_the_next_one_waiting(self, regions):
        frozen(regions, "c", TEA)
        regions.worlds["a"].at["second waits for freeze"] = regions.die
        with pytest.raises(Killed):
            regions.play()
        regions.bury()
        for world in regions.worlds.values():
            world.seconds = unix("1970-01-12T13:52:01")
        assert (regions.play()["outcome"], regions.images) == ("promoted", NEW)
        assert regions.worlds["a"].seconds < unix("1970-01-12T13:56")


class TestForeseen:
    def test_a_first_wave_in_a_freeze_is_refused_before_anything_changes(self, regions):
        frozen(regions, "a", TEA)
        [(field, allowed)] = refusal(regions)
        assert field == "a: release_freezes" and "until Mon 1970-01-12 13:52 UTC; wait, or override it" in allowed

    def test_so_is_a_fleet_that_a_later_freeze_would_keep_half_way(self, regions):
        frozen(regions, "c", LONG)
        [(field, allowed)] = refusal(regions)
        assert field == "c: release_freezes" and "lets second begin" in allowed and "release_freeze_seconds (5 min)" in allowed

    @pytest.mark.parametrize(
        ("variables", "outcome"),
        [({"release_freeze_seconds": "11m"}, "promoted"), ({"release_on_freeze": "park"}, "parked"), ({"release_steps": [50, 100]}, None)],
    )
    def test_unless_it_may_wait_for_it_or_park_there(self, regions, variables, outcome):
        frozen(regions, "c", LONG)
        if outcome is None:
            assert refusal(regions, **variables)
        else:
            assert regions.play(**variables)["outcome"] == outcome

    def test_where_people_are_asked_before_nobody_knows_the_time_and_nothing_is_refused(self, regions):
        frozen(regions, "c", LONG)
        waves = [{"group": "first"}, {"group": "second", "approve": True}]
        assert regions.play(release_waves=waves)["outcome"] == "parked"

    def test_a_freeze_that_is_over_before_the_wave_comes_is_nobodys_concern(self, regions):
        frozen(regions, "c", {**TEA, "to": "1970-01-12 13:47"})
        assert regions.play()["outcome"] == "promoted"
        assert not any("waits for freeze" in line for line in regions.lines)

    def test_the_plan_says_what_would_be_waited_for(self, regions):
        frozen(regions, "c", TEA)
        regions.play()
        assert "  second       waits for freeze tea of c, until Mon 1970-01-12 13:52 UTC" in regions.lines

    def test_a_calendar_that_cannot_be_read_refuses_its_target(self, regions, tmp_path):
        frozen(regions, "c", {"file": str(tmp_path / "missing.yml")})
        [(field, allowed)] = refusal(regions)
        assert field == "c" and "missing.yml" in allowed


class TestCalendars:
    def spec(self, *found, **more):
        read = Reader()
        made = calendar(read, {**DEFAULTS, "release_freezes": list(found), **more})
        assert not read.problems
        return made.to_dict()

    def test_targets_that_share_a_calendar_are_read_once_with_the_longest_release(self):
        tea, night = self.spec(TEA), self.spec(LONG)
        told = {
            "a": {"calendar": tea, "seconds": 60.0},
            "b": {"calendar": night, "seconds": 5.0},
            "c": {"calendar": tea, "seconds": 90.0},
            "d": {"outcome": "promoted"},
        }
        found = calendars.read(json.loads(json.dumps(calendars.of_targets(["a", "b", "c", "d"], told))))
        assert [(one.targets, one.seconds) for one in found] == [(("a", "c"), 90.0), (("b",), 5.0)]

    def test_the_freeze_that_lasts_longest_is_told_with_the_policies_of_all(self):
        told = {
            "a": {"calendar": self.spec(LONG), "seconds": None},
            "b": {"calendar": self.spec(TEA, release_on_freeze="park"), "seconds": 1},
        }
        found = calendars.frozen(calendars.read(calendars.of_targets(["a", "b"], told)), unix("1970-01-12T13:50"))
        assert (found.name, found.until, found.policies) == ("stocktaking", unix("1970-01-12T13:58"), {"go_on", "park"})
        assert found.too_long(unix("1970-01-12T13:57"), 60) == "" and "(59 s)" in found.too_long(unix("1970-01-12T13:57"), 59)

    def test_many_targets_are_told_in_short(self):
        names = [f"r{number}" for number in range(30)]
        told = {name: {"calendar": self.spec(TEA), "seconds": 1} for name in names}
        found = calendars.frozen(calendars.read(calendars.of_targets(names, told)), unix("1970-01-12T13:50"))
        assert found.who == "r0, r1, r2 and 27 more"

    @pytest.mark.parametrize("value", [-1, "soon", "31d"])
    def test_how_long_a_freeze_is_waited_for_is_checked_before_anybody_waits(self, value):
        with pytest.raises(SpecError) as caught:
            people_spec({"release_freeze_seconds": value})
        assert [one.field for one in caught.value.problems] == ["release_freeze_seconds"]
