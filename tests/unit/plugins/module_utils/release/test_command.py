# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the verbs that speak of a release that exists."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_command, parse_reference
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError


def test_a_reference_needs_a_namespace_and_a_name_only_where_one_is_meant():
    assert parse_reference({"release_namespace": "shop"}, name_is_required=False).name is None
    assert parse_reference({"release_namespace": "shop", "release_name": "a"}, name_is_required=True).name == "a"
    for given_values, required in (({"release_namespace": "shop"}, True), ({"release_name": "a"}, False)):
        with pytest.raises(SpecError, match="is required"):
            parse_reference(given_values, name_is_required=required)


def test_a_command_names_who_gave_it_and_why():
    target = {"release_name": "a", "release_namespace": "shop"}
    command = parse_command({**target, "command": "abort", "by": "mia", "release_reason": "errors at checkout"})
    assert (command.command, command.namespace, command.name, command.by, command.reason) == (
        "abort",
        "shop",
        "a",
        "mia",
        "errors at checkout",
    )
    assert parse_command(target).by
    with pytest.raises(SpecError, match="one of abort, pause, resume, promote, approve, reject, retry, rollback, cleanup"):
        parse_command({**target, "command": "stop"})


def test_a_command_lies_on_the_record_with_its_own_options_alone():
    given = {"release_name": "a", "release_namespace": "shop", "command": "pause", "by": "mia", "for_seconds": "10m", "weight_percent": "0"}
    assert parse_command(given).asked("now") == {
        "command": "pause",
        "by": "mia",
        "reason": "",
        "at": "now",
        "for_seconds": 600.0,
        "weight_percent": 0,
    }


@pytest.mark.parametrize(
    ("command", "option", "value", "words"),
    [
        ("promote", "for_seconds", 5, "is an option of pause"),
        ("pause", "full", True, "is an option of promote"),
        ("pause", "weight_percent", 10, "a whole number from 0 to 0"),
        ("pause", "then", "abort", "one of resume, park, roll_back"),
        ("pause", "for_seconds", "soon", "a duration"),
        ("approve", "to", "shop:1", "is an option of rollback"),
        ("promote", "full", "maybe", "true or false"),
    ],
)
def test_an_option_that_a_command_does_not_know_is_refused(command, option, value, words):
    with pytest.raises(SpecError, match=words):
        parse_command({"release_name": "a", "release_namespace": "shop", "command": command, option: value})
