# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write of a fleet: read, or refused with the variable, its value and what is allowed."""

import json
import pathlib
import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.people import people_spec
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.spec import DEFAULTS, Inventory, fleet_from, parse
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.told import lines
from ansible_collections.progressive.delivery.plugins.module_utils.release import spec as releases
from ansible_collections.progressive.delivery.plugins.module_utils.release.approvals import ANYBODY, ApprovalSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import RESERVED, SpecError, unknown_variables

GROUPS = {
    "all": ["us_west_1", "us_east_1", "eu_west_1", "ap_south_1"],
    "ungrouped": [],
    "wave_1": ["us_west_1"],
    "wave_2": ["us_east_1"],
    "rest": ["eu_west_1", "ap_south_1"],
    "west": ["us_west_1", "eu_west_1"],
    "dev": [],
}
WAVES = [
    {"group": "wave_1", "share": 5, "bake": "1h"},
    {"group": "wave_2", "share": "40%", "approve": True},
    {"group": "rest", "share": 100},
]
LEAST = {"release_name": "shop", "release_waves": WAVES}


def inventory(**changed):
    return Inventory(**{"groups": GROUPS, "play": GROUPS["all"], "forks": 4, **changed})


def refused(given, **changed):
    with pytest.raises(SpecError) as caught:
        parse(given, inventory(**changed))
    return [(problem.field, problem.allowed) for problem in caught.value.problems]


def test_waves_are_groups_of_the_inventory_and_the_home_is_the_first_target():
    found = parse(LEAST, inventory())
    assert [(wave.group, wave.targets, wave.share_percent, wave.bake_seconds, wave.approve) for wave in found.waves] == [
        ("wave_1", ("us_west_1",), 5.0, 3600.0, None),
        ("wave_2", ("us_east_1",), 40.0, 0.0, ANYBODY),
        ("rest", ("eu_west_1", "ap_south_1"), 100.0, 0.0, None),
    ]
    assert (found.home, found.on_violation, found.failure_budget, found.on_unreachable, found.max_concurrent) == (
        "us_west_1",
        "all",
        0,
        "stop",
        None,
    )
    assert fleet_from(found.to_dict()) == found


def test_waves_may_come_as_yaml_in_a_string_as_surveys_give_them():
    assert [
        wave.group
        for wave in parse({**LEAST, "release_waves": "[{group: west}, {group: wave_2}]"}, inventory(play=GROUPS["all"][:3])).waves
    ] == [
        "west",
        "wave_2",
    ]


def test_hosts_that_are_not_of_this_play_are_left_out():
    found = parse(LEAST, inventory(play=["us_west_1", "us_east_1", "ap_south_1"], forks=3))
    assert found.waves[2].targets == ("ap_south_1",)


@pytest.mark.parametrize(("budget", "targets"), [(1, 1), ("2", 2), ("25%", 1), ("49 %", 1), ("0%", 0)])
def test_a_failure_budget_is_a_number_of_targets(budget, targets):
    assert parse({**LEAST, "release_failure_budget": budget}, inventory()).failure_budget == targets


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"release_name": None}, "release_name", "is required"),
        ({"release_waves": "{}"}, "release_waves", "a list"),
        ({"release_waves": [{"group": "wave_9"}]}, "release_waves[0].group", "there is: dev, rest, wave_1, wave_2, west"),
        ({"release_waves": [{"group": "dev"}]}, "release_waves[0].group", "with a target of this play; it has no host"),
        ({"release_waves": [{"bake": 5}]}, "release_waves[0].group", "is required"),
        ({"release_waves": [{"grup": "rest"}]}, "release_waves[0].grup", "did you mean group?"),
        ({"release_waves": [*WAVES, {"group": "west"}]}, "release_waves[3].group", "us_west_1 is in wave_1 already"),
        ({"release_waves": WAVES[:2]}, "release_waves", "of no wave: eu_west_1, ap_south_1"),
        ({"release_waves": [*WAVES[:2], {"group": "rest", "share": 40}]}, "release_waves[2].share", "more than the wave before it (40)"),
        ({"release_waves": [{"group": "rest", "share": 101}]}, "release_waves[0].share", "at most 100"),
        ({"release_waves": [{"group": "rest", "share": True}]}, "release_waves[0].share", "a percentage"),
        ({"release_waves": [{"group": "rest", "bake": "soon"}]}, "release_waves[0].bake", "1h; or hours, such as 'Mon-Fri 08:00-18:00"),
        ({"release_waves": [{"group": "rest", "bake": "Mon-Sun 00:00-24:00 UTC"}]}, "release_waves[0].bake", "hours that end now and then"),
        ({"release_waves": [{"group": "rest", "bake": "Mon 9-17 UTC"}]}, "release_waves[0].bake", "'Mon 9-17' is not read"),
        ({"release_waves": [{"group": "rest", "begin": "1h"}]}, "release_waves[0].begin", "hours of a week with their time zone"),
        ({"release_waves": [{"group": "rest", "begin": "Mon-Fri 09:00-17:00"}]}, "release_waves[0].begin", "is no IANA time zone"),
        ({"release_waves": [{"group": "rest", "begin": 9}]}, "release_waves[0].begin", "a non-empty string"),
        ({"release_waves": [{"group": "rest", "approve": {"count": 2, "of": ["ana"]}}]}, "release_waves[0].approve.count", "at most 1"),
        ({"release_waves": [{"group": "rest", "approve": {"who": "ana"}}]}, "release_waves[0].approve.who", "unknown"),
        ({"release_waves": [{"group": "rest", "approve": "maybe"}]}, "release_waves[0].approve", "true or false"),
        ({"release_fleet_home": "moon"}, "release_fleet_home", "a host of the inventory; there is: us_west_1"),
        ({"release_on_violation": "some"}, "release_on_violation", "one of all, wave, target"),
        ({"release_failure_budget": 4}, "release_failure_budget", "from 0 to 3"),
        ({"release_failure_budget": "100%"}, "release_failure_budget", "below 100%"),
        ({"release_failure_budget": [1]}, "release_failure_budget", "a number of targets"),
        ({"release_on_unreachable": "ignore"}, "release_on_unreachable", "one of stop, skip, wait"),
        ({"release_unreachable_seconds": 1}, "release_unreachable_seconds", "from 5 s"),
        ({"release_max_concurrent": 0}, "release_max_concurrent", "from 1"),
        ({"release_max_concurent": 1}, "release_max_concurent", "did you mean release_max_concurrent?"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(changed, field, words):
    found = refused({**LEAST, **changed})
    assert [allowed for name, allowed in found if name == field and words in allowed], found


def test_too_few_forks_are_refused_with_the_number_to_set():
    [(field, allowed)] = refused(LEAST, forks=3)
    assert field == "forks" and "ansible-playbook --forks 4" in allowed


def test_two_names_that_would_share_one_record_are_refused():
    groups = {**GROUPS, "all": ["a_1", "a-1"], "one": ["a_1", "a-1"]}
    [(field, allowed)] = refused({**LEAST, "release_waves": [{"group": "one"}]}, groups=groups, play=groups["all"])
    assert field == "inventory_hostname" and "differs from a_1" in allowed


def test_no_variable_of_our_own_playbooks_looks_like_a_typing_error():
    playbooks = pathlib.Path(releases.__file__).parents[3] / "playbooks"
    words = {word for file in playbooks.rglob("*.yml") for word in re.findall(r"\brelease_[a-z_]+", file.read_text())}
    assert "release_turn" in words and unknown_variables(dict.fromkeys(words)) == []


def test_every_option_of_a_fleet_is_known_to_the_other_verbs():
    assert set(DEFAULTS) <= RESERVED


def test_the_plan_tells_waves_shares_and_policies():
    told = lines(parse({**LEAST, "release_failure_budget": 1, "release_on_violation": "wave"}, inventory()), 0.0)
    assert told[0] == "shop: 3 waves, 4 targets; the record is kept with us_west_1"
    assert "wave_1       us_west_1 (5 % of the world, bakes 3600 s)" in told[1]
    assert "after an approval" in told[2]
    assert "once more than 1 have failed; its wave goes back" in told[-1]


def test_hours_and_approvals_of_a_wave_survive_the_record():
    waves = [{"group": "wave_1", "approve": {"count": 2, "of": ["ana", "ben"], "expires": "4h"}}, {"group": "wave_2"}]
    rest = {"group": "rest", "begin": "Mon-Fri 06:00-08:30 Europe/Dublin", "bake": "Mon-Fri 09:00-17:00 Europe/Dublin"}
    found = parse({**LEAST, "release_waves": [*waves, rest]}, inventory())
    assert (found.waves[2].begin, found.waves[2].bake_hours, found.waves[2].bake_seconds) == (rest["begin"], rest["bake"], 0.0)
    assert found.waves[0].approve == ApprovalSpec(2, ("ana", "ben"), 4 * 3600.0)
    assert fleet_from(json.loads(json.dumps(found.to_dict()))) == found


def test_the_plan_foretells_when_what_waits_for_hours_begins_and_has_baked():
    rest = {"group": "rest", "begin": "Mon-Fri 06:00-08:30 UTC", "bake": "Mon-Fri 09:00-17:00 UTC"}
    waves = [{"group": "wave_1", "bake": "2h"}, {"group": "wave_2", "approve": {"count": 2, "of": ["ana", "ben"], "expires": "4h"}}, rest]
    told = lines(parse({**LEAST, "release_waves": waves}, inventory()), 1_000_000.0)  # Mon 1970-01-12 13:46 UTC
    assert "after approvals by 2 of ana, ben, each for 14400 s, not who started it" in told[2]
    assert "(begins in Mon-Fri 06:00-08:30 UTC, bakes through Mon-Fri 09:00-17:00 UTC)" in told[3]
    assert told[4] == "  rest         at the earliest begins Tue 1970-01-13 06:00 UTC, has baked Tue 1970-01-13 17:00 UTC"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"release_on_no_approval": "abort"}, "release_on_no_approval"),
        ({"release_approval_seconds": 0}, "release_approval_seconds"),
        ({"release_approval_sources": [{"file": "approvals.yml"}]}, "release_approval_sources[0].file"),
    ],
)
def test_how_people_are_waited_for_is_checked_before_anybody_is_asked(given, field):
    with pytest.raises(SpecError) as caught:
        people_spec({**LEAST, **given})
    assert [problem.field for problem in caught.value.problems] == [field]
