# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of value: what is accepted, what it becomes, and what the user reads when it is not."""

import math

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import DNS_LABEL, Problem, Reader
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture
def reader():
    return Reader()


def refusal(reader):
    """The one problem that was noted."""
    (problem,) = reader.problems
    return problem


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (30, 30.0),
        (0, 0.0),
        (1.5, 1.5),
        ("45", 45.0),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("10m", 600.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        (" 1.5 h ", 5400.0),
    ],
)
def test_durations_are_numbers_of_seconds_or_carry_a_unit(reader, value, seconds):
    assert reader.seconds("f", value, least=0, most=86400, default=-1) == pytest.approx(seconds)
    assert not reader.problems


@pytest.mark.parametrize("value", [True, "soon", "10 minutes", "-5s", -1, 86401, "2d", math.nan, math.inf, [], "", "1h30m", "1e3"])
def test_a_wrong_duration_is_refused_with_the_range_and_examples(reader, value):
    assert reader.seconds("f", value, least=0, most=86400, default=7) == 7
    assert refusal(reader).field == "f"
    assert refusal(reader).allowed == "a duration from 0 s to 86400 s, such as 500ms, 30s, 10m, 1h"


@given(st.integers(0, 86_400_000))
def test_a_duration_means_the_same_in_every_unit(milliseconds):
    reader = Reader()
    spellings = [f"{milliseconds}ms", f"{milliseconds / 1000:.3f}s", f"{milliseconds / 1000:.3f}", milliseconds / 1000]
    read = [reader.seconds("f", one, least=0, most=86400, default=-1) for one in spellings]
    assert read == pytest.approx([milliseconds / 1000] * len(spellings), abs=1e-6)


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("5", 5), (" 5 ", 5), (None, 3), (0, 0), (100, 100)])
def test_whole_numbers_may_be_strings_of_digits(reader, value, number):
    assert reader.integer("f", value, least=0, most=100, default=3) == number
    assert not reader.problems


@pytest.mark.parametrize("value", [True, False, 5.0, "5.0", "five", 101, -1, "-1", [], {}])
def test_what_is_no_whole_number_in_range_is_refused(reader, value):
    assert reader.integer("f", value, least=0, most=100, default=3) == 3
    assert refusal(reader) == Problem("f", value, "a whole number from 0 to 100")


@pytest.mark.parametrize(("value", "share"), [("0.5%", 0.005), ("1%", 0.01), ("1 %", 0.01), (" 99.9% ", 0.999)])
def test_percentages_become_shares(reader, value, share):
    assert reader.share("f", value) == pytest.approx(share)


@pytest.mark.parametrize("value", [0.5, 1, "0.5", "0%", "100%", "120%", "-1%", "%", None, True, "1%%"])
def test_a_share_needs_its_sign_and_lies_strictly_between_none_and_all(reader, value):
    assert reader.share("f", value) is None
    assert "above 0% and below 100%" in refusal(reader).allowed


@given(st.floats(0.001, 99.999))
def test_any_percentage_is_read_back(percent):
    assert Reader().share("f", f"{percent:.6f}%") == pytest.approx(percent / 100, abs=1e-8)


@pytest.mark.parametrize("value", ["Shop", "-shop", "shop-", "a_b", "a.b", "x" * 64, "shop shop", "shöp"])
def test_names_that_kubernetes_would_refuse_are_refused(reader, value):
    assert reader.name("f", value) is None
    assert "lower-case letters, digits and '-'" in refusal(reader).allowed


def test_a_name_may_be_as_long_as_its_field_allows(reader):
    assert reader.name("f", "x" * 40, longest=40) == "x" * 40
    assert reader.name("f", "x" * 41, longest=40) is None


@given(st.text(alphabet="abz019-", min_size=1, max_size=63))
def test_a_name_is_accepted_exactly_when_it_is_a_dns_label(text):
    wanted = text if not text.startswith("-") and not text.endswith("-") else None
    assert Reader().name("f", text) == wanted
    assert bool(DNS_LABEL.fullmatch(text)) == (wanted is not None)


@pytest.mark.parametrize(("value", "text"), [("x", "x"), ("  x ", "x"), (None, "d")])
def test_text_is_stripped_and_has_a_default(reader, value, text):
    assert reader.text("f", value, "d") == text


@pytest.mark.parametrize("value", ["", "   ", 5, True, ["x"]])
def test_text_that_is_empty_or_no_text_is_refused(reader, value):
    assert reader.text("f", value) is None
    assert refusal(reader).allowed == "a non-empty string"


def test_a_choice_names_all_the_choices_when_it_refuses(reader):
    assert reader.choice("f", "b", ("a", "b"), "a") == "b"
    assert reader.choice("f", None, ("a", "b"), "a") == "a"
    assert reader.choice("f", ["a"], ("a", "b"), "a") == "a"
    assert refusal(reader).allowed == "one of a, b"


def test_an_unknown_key_is_refused_with_the_nearest_known_one(reader):
    reader.mapping("f", {"weight": 1, "bake_second": 2, "zzz": 3}, ("weight", "bake_seconds"))
    assert [(one.field, one.value) for one in reader.problems] == [("f.bake_second", 2), ("f.zzz", 3)]
    assert "did you mean bake_seconds?" in reader.problems[0].allowed
    assert "did you mean" not in reader.problems[1].allowed
    assert "known: weight, bake_seconds" in reader.problems[1].allowed


@pytest.mark.parametrize("text", ["[1", "just words", "5", "", "{a: 1}"])
def test_a_string_that_is_no_yaml_list_is_refused_as_a_list(reader, text):
    assert reader.sequence("f", text) is None
    assert refusal(reader) == Problem("f", text, "a list (or its YAML as a string)")


@given(st.dictionaries(st.text("abc", min_size=1), st.integers() | st.booleans() | st.none() | st.lists(st.integers())))
def test_a_dictionary_survives_being_sent_as_its_yaml(value):
    assert Reader().mapping("f", yaml.safe_dump(value)) == Reader().mapping("f", value) == value


@given(st.lists(st.integers() | st.text()))
def test_a_list_survives_being_sent_as_its_yaml(value):
    assert Reader().sequence("f", yaml.safe_dump(value)) == value


def test_yaml_that_would_build_objects_is_refused(reader):
    assert reader.mapping("f", "!!python/object/apply:os.getcwd []") is None
    assert refusal(reader).field == "f"


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [(Problem("f", None, "is required"), "f: is required"), (Problem("f", "x", "one of a, b"), "f: 'x' is not allowed; one of a, b")],
)
def test_a_problem_reads_as_a_sentence(problem, sentence):
    assert str(problem) == sentence
    assert problem.to_dict() == {"field": "f", "value": problem.value, "allowed": problem.allowed}
