# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users write of a train: read, or refused with the variable, its value and what is allowed."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.spec import Inventory, fleet_from
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.train import for_target, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.approvals import ANYBODY
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import RESERVED, SpecError

HOSTS = ["catalog_eu", "cart_eu", "front_eu", "catalog_us", "cart_us", "front_us"]
GROUPS = {
    "all": HOSTS,
    "ungrouped": [],
    "catalog": ["catalog_eu", "catalog_us"],
    "cart": ["cart_eu", "cart_us"],
    "front": ["front_eu", "front_us"],
    "eu": HOSTS[:3],
    "us": HOSTS[3:],
    "empty": [],
}
TRAIN = [{"service": "catalog"}, {"service": "cart", "after": ["catalog"]}, {"service": "front", "after": "catalog"}]
LEAST = {"release_name": "shop", "release_train": TRAIN}


def inventory(**changed):
    return Inventory(**{"groups": GROUPS, "play": HOSTS, "forks": 6, **changed})


def refused(given, **changed):
    with pytest.raises(SpecError) as caught:
        parse(given, inventory(**changed))
    return [(problem.field, problem.allowed) for problem in caught.value.problems]


def groups_of(found):
    return [(wave.group, wave.targets) for wave in found.waves]


def test_without_waves_the_levels_of_the_order_are_the_waves():
    found = parse(LEAST, inventory())
    assert groups_of(found) == [("catalog", ("catalog_eu", "catalog_us")), ("cart+front", ("cart_eu", "cart_us", "front_eu", "front_us"))]
    assert (found.service_of("cart_us"), found.release_of("cart_us")) == ("cart", "shop-cart")
    assert fleet_from(found.to_dict()) == found


def test_a_wave_begins_in_its_hours_with_the_first_level_and_bakes_through_hours_after_the_last():
    hours = {"begin": "Mon-Fri 06:00-08:30 UTC", "bake": "Mon-Fri 09:00-17:00 UTC"}
    found = parse({**LEAST, "release_waves": [{"group": "eu", **hours}, {"group": "us"}]}, inventory())
    assert [(wave.begin, wave.bake_hours) for wave in found.waves] == [(hours["begin"], ""), ("", hours["bake"]), ("", ""), ("", "")]


def test_each_wave_has_the_levels_and_asks_before_the_first_and_bakes_after_the_last():
    waves = [{"group": "eu", "share": 40, "bake": 60, "approve": True}, {"group": "us", "share": 100}]
    found = parse({**LEAST, "release_waves": waves}, inventory())
    assert groups_of(found) == [
        ("eu/catalog", ("catalog_eu",)),
        ("eu/cart+front", ("cart_eu", "front_eu")),
        ("us/catalog", ("catalog_us",)),
        ("us/cart+front", ("cart_us", "front_us")),
    ]
    assert [(wave.approve, wave.bake_seconds, wave.share_percent) for wave in found.waves] == [
        (ANYBODY, 0, None),
        (None, 60, 40),
        (None, 0, None),
        (None, 0, 100),
    ]
    assert found.with_wave(1) == [0, 1] and found.asked("eu") == "eu/catalog" and found.asked("us") == "us"


def test_a_service_is_released_as_early_as_its_order_lets_it_and_no_earlier():
    services = [
        {"service": "front", "after": ["cart", "search"]},
        {"service": "cart", "after": ["catalog"]},
        {"service": "search"},
        {"service": "catalog"},
    ]
    hosts = ["front", "cart", "search", "catalog"]
    found = parse({**LEAST, "release_train": services}, inventory(groups={"all": hosts}, play=hosts))
    assert groups_of(found) == [("search+catalog", ("search", "catalog")), ("cart", ("cart",)), ("front", ("front",))]


def test_a_level_of_many_services_has_a_short_name():
    hosts = [f"s{number}" for number in range(5)]
    found = parse({**LEAST, "release_train": [{"service": name} for name in hosts]}, inventory(groups={"all": hosts}, play=hosts))
    assert groups_of(found) == [("s0+4-more", tuple(hosts))]


def test_a_train_may_come_as_yaml_in_a_string_as_surveys_give_it():
    told = "[{service: catalog}, {service: cart, after: [catalog]}, {service: front, after: '[cart]'}]"
    found = parse({**LEAST, "release_train": told}, inventory())
    assert [wave.group for wave in found.waves] == ["catalog", "cart", "front"]


def test_a_wave_without_a_service_of_the_first_level_begins_with_the_next():
    play = ["cart_eu", "front_eu", "catalog_us"]
    found = parse({**LEAST, "release_waves": [{"group": "us"}, {"group": "eu"}]}, inventory(play=play))
    assert [wave.group for wave in found.waves] == ["us/catalog", "eu/cart+front"]


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"release_train": "soon"}, "release_train", "a list"),
        ({"release_train": []}, "release_train", "at least one service"),
        ({"release_train": ["catalog"]}, "release_train[0]", "a dictionary"),
        ({"release_train": [{"after": "cart"}]}, "release_train[0].service", "is required"),
        ({"release_train": [*TRAIN, {"service": "search"}]}, "release_train[3].service", "there is: cart, cart_eu"),
        ({"release_train": [*TRAIN, {"service": "cart"}]}, "release_train[3].service", "is release_train[1] already"),
        ({"release_train": [*TRAIN, {"service": "empty"}]}, "release_train[3].service", "it has no host"),
        ({"release_train": [*TRAIN, {"service": "cart_eu"}]}, "release_train[3].service", "cart_eu is in cart already"),
        ({"release_train": TRAIN[:2]}, "release_train", "of no service: front_eu, front_us"),
        ({"release_train": [*TRAIN[:2], {"service": "front", "after": "kart"}]}, "release_train[2].after", "catalog, cart, front"),
        ({"release_train": [*TRAIN[:2], {"service": "front", "after": [7]}]}, "release_train[2].after", "a non-empty string"),
        (
            {"release_train": [{"service": "catalog", "after": "front"}, *TRAIN[1:]]},
            "release_train[0].after",
            "catalog after front after catalog is a circle",
        ),
        (
            {"release_train": [*TRAIN[:2], {"service": "front", "after": "front"}]},
            "release_train[2].after",
            "front after front is a circle",
        ),
        ({"release_train": [*TRAIN[:2], {"service": "front", "afer": []}]}, "release_train[2].afer", "did you mean after?"),
        ({"release_train": [*TRAIN[:2], {"service": "front", "release_imag": 1}]}, "release_train[2].release_imag", "release_image?"),
        ({"release_train": [*TRAIN[:2], {"service": "front", "release_name": "x"}]}, "release_train[2].release_name", "after the train"),
        ({"release_name": None}, "release_name", "is required"),
        ({"release_name": "our-cart"}, "release_name", "does not end in the name of a service (cart)"),
        ({"release_name": "a" * 33}, "release_name", "the release of catalog, has at most 40 characters"),
        ({"release_on_violation": "target"}, "release_on_violation", "all or wave in a train"),
        ({"release_failure_budget": 1}, "release_failure_budget", "0 in a train"),
        ({"release_on_unreachable": "skip"}, "release_on_unreachable", "stop or wait in a train"),
        ({"release_waves": [{"group": "mars"}]}, "release_waves[0].group", "a group of the inventory"),
        ({"release_tran": TRAIN}, "release_tran", "did you mean release_train?"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(changed, field, words):
    found = refused({**LEAST, **changed})
    assert [allowed for name, allowed in found if name == field and words in allowed], found


def test_two_services_whose_releases_would_have_one_name_are_refused():
    hosts = ["a_b", "a-b"]
    services = [{"service": name} for name in hosts]
    found = refused({**LEAST, "release_train": services}, groups={"all": hosts}, play=hosts)
    assert ("release_train[1].service", "a name that differs from a_b in letters or digits") in found


def test_a_circle_is_told_once_and_a_diamond_is_none():
    services = [{"service": "catalog"}, {"service": "cart", "after": "catalog"}, {"service": "front", "after": ["cart", "catalog"]}]
    assert [wave.group for wave in parse({**LEAST, "release_train": services}, inventory()).waves] == ["catalog", "cart", "front"]
    services[0] = {"service": "catalog", "after": "front"}
    assert [field for field, _allowed in refused({**LEAST, "release_train": services})] == ["release_train[0].after"]


@pytest.mark.parametrize(("name", "called"), [("shop", "shop-cart"), ("shop-cart", "shop-cart"), (None, None)])
def test_a_service_brings_its_own_variables_which_win(name, called):
    train = [{"service": "cart", "release_image": "cart:2", "release_namespace": "carts"}]
    given = {"release_name": name, "release_image": "any:1", "release_train": train, "release_steps": [5, 100]}
    found = for_target(given, "cart_eu", GROUPS)
    assert (found["release_name"], found["release_image"], found["release_namespace"], found["release_steps"]) == (
        called,
        "cart:2",
        "carts",
        [5, 100],
    )


def test_a_host_of_no_service_and_a_release_without_a_train_stay_as_they_are():
    for given in ({"release_name": "shop"}, {"release_name": "shop", "release_train": TRAIN}):
        assert for_target(given, "db_eu", GROUPS) == given


def test_a_train_that_cannot_be_read_is_refused_by_every_verb():
    with pytest.raises(SpecError, match=r"release_train\[0\].service"):
        for_target({"release_train": [{}]}, "cart_eu", GROUPS)


def test_the_train_is_known_to_the_other_verbs():
    assert "release_train" in RESERVED
