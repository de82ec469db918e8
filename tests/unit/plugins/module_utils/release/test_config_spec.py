# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_config as users write it: what is refused and how, and that the record holds no values."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.config_spec import MOST_KEYS, config_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import difference
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN


def read(given):
    return parse({**GIVEN, "release_config": given})


@pytest.mark.parametrize(
    ("given", "field", "allowed"),
    [
        ("env", "release_config", "a dictionary"),
        ({"configmaps": True}, "release_config.configmaps", "did you mean config_maps?"),
        ({"config_maps": 3}, "release_config.config_maps", "true, false, or a list of names"),
        ({"config_maps": "env"}, "release_config.config_maps", "a list"),
        ({"config_maps": ["Env"]}, "release_config.config_maps[0]", "lower-case letters"),
        ({"config_maps": [None]}, "release_config.config_maps[0]", "a name"),
        ({"config_maps": ["e" * 243]}, "release_config.config_maps[0]", "at most 242 characters"),
        ({"secrets": {"tls": True}}, "release_config.secrets", "true, false, or a list of names"),
        ({"data": [1]}, "release_config.data", "a dictionary"),
        ({"data": {"env": None}}, "release_config.data.env", "is required"),
        ({"data": {"Env": {"A": "1"}}}, "release_config.data.Env", "lower-case letters"),
        ({"data": {"env": {"A B": "1"}}}, "release_config.data.env", "keys of letters"),
        ({"data": {"env": {"A": 1}}}, "release_config.data.env.A", "quote numbers"),
        ({"data": {"env": {"A": "1"}}, "config_maps": False, "secrets": True}, "release_config.data.env", "config_maps: true"),
        ({"data": {"env": {"A": "1"}}, "config_maps": ["other"]}, "release_config.data.env", "put its name into config_maps"),
        ({"data": {"env": {f"K{n}": "" for n in range(MOST_KEYS + 1)}}}, "release_config.data", f"at most {MOST_KEYS}"),
    ],
    ids=str,
)
def test_what_would_not_travel_as_meant_is_refused(given, field, allowed):
    with pytest.raises(SpecError) as caught:
        read(given)
    assert allowed in {one.field: one.allowed for one in caught.value.problems}[field]


def test_config_maps_travel_and_secrets_only_when_they_are_asked_for():
    asked = read({})
    assert asked.config is not None
    assert [asked.config.wants(kind, "x") for kind in ("ConfigMap", "Secret")] == [True, False]
    named = read({"config_maps": "[env, env]", "secrets": "yes"}).config
    assert (named.config_maps, named.secrets, named.wants("ConfigMap", "other")) == (("env",), True, False)


def test_nothing_that_travels_is_as_good_as_leaving_it_out():
    assert read({"config_maps": False}) == parse(GIVEN)


def test_the_record_knows_whether_data_are_the_same_and_not_what_they_are():
    given = {"secrets": ["tls"], "data": {"env": {"LIMIT": "five-and-twenty", "OLD": None}}}
    kept = json.loads(json.dumps(read(given).to_dict()))
    assert "five" not in json.dumps(kept)
    assert config_from(kept["config"]).to_dict() == read(given).config.to_dict()
    other = read({**given, "data": {"env": {"LIMIT": "six", "OLD": None}}})
    assert len(difference(read(given).to_dict(), other.to_dict())) == 1
