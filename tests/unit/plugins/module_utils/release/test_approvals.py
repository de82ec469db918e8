# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""n of m people: who counts, who does not and why, and what is said of it."""

import time
from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.approvals import (
    ANYBODY,
    Approval,
    ApprovalSpec,
    approval_from,
    approval_spec,
    standing,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Reader
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
TWO_OF_THREE = ApprovalSpec(2, ("ana", "ben", "eva"), expires_seconds=3600.0)


def yes(by, at=NOON, **more):
    return Approval(by, "looks good", at, "the command line", **more)


def no(by, at=NOON):
    return yes(by, at, rejects=True)


def stands(*words, asked=TWO_OF_THREE, started_by=("mia",), now=NOON + 60):
    return standing(asked, words, started_by=started_by, now=now)


def whys(found):
    return [why for _one, why in found.ignored]


def test_two_people_of_three_are_enough_and_one_is_not():
    one, two = stands(yes("ana")), stands(yes("ana"), yes("eva"))
    assert (one.enough, one.missing, one.said) == (False, 1, "1 of 2 of ana, ben, eva; ana approved 12:00")
    assert (two.enough, two.missing, [each.by for each in two.counted]) == (True, 0, ["ana", "eva"])


def test_nobody_yet_and_anybody():
    assert stands().said == "0 of 2 of ana, ben, eva"
    assert stands(asked=ANYBODY).said == "0 of 1"
    assert stands(yes("mia"), asked=ANYBODY).enough  # approve: true never asked who started it


def test_one_person_who_approves_twice_counts_once_by_the_later_word():
    found = stands(yes("ana"), yes("ana", NOON + 30))
    assert (found.enough, [one.at for one in found.counted]) == (False, [NOON + 30])
    assert "counts once" in whys(found)[0]


def test_a_later_word_of_the_same_person_renews_an_expired_one():
    assert stands(yes("ana"), yes("ana", NOON + 3000), yes("ben", NOON + 3000), now=NOON + 4000).enough


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (yes("dan"), "dan is not among ana, ben, eva"),
        (yes("ana", verified=False), "unverified"),
        (yes("ana", NOON - 3600), "expired 12:00"),
        (yes("ana", NOON + 3600), "dated in the future"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_does_not_count_says_why(word, why):
    found = stands(word, yes("ben"), now=NOON)
    assert (found.enough, [one.by for one in found.counted]) == (False, ["ben"])
    assert why in whys(found)[0]


def test_who_started_it_cannot_approve_it_unless_allowed_under_any_of_the_starters_names():
    words, names = [yes("ana"), yes("ben")], ("ana@laptop", "ana")
    assert "ana started the release" in whys(stands(*words, started_by=names))[0]
    assert not stands(*words, started_by=names).enough
    assert stands(*words, asked=replace(TWO_OF_THREE, starter_may=True), started_by=names).enough


@pytest.mark.parametrize("words", [[no("eva")], [yes("ana"), yes("ben"), no("eva")], [yes("ana"), yes("ben"), no("mia")]], ids=len)
def test_a_no_of_anyone_who_is_asked_outweighs_every_yes(words):
    found = stands(*words, started_by=("eva",), asked=ApprovalSpec(2, ("ana", "ben", "eva", "mia")))
    assert not found.enough
    assert found.rejected == words[-1]


def test_a_no_of_somebody_who_is_not_asked_or_not_proven_is_ignored():
    found = stands(yes("ana"), yes("ben"), no("dan"), replace(no("eva"), verified=False))
    assert (found.enough, found.rejected) == (True, None)


def test_people_may_change_their_minds():
    assert stands(no("ana"), yes("ana", NOON + 10), yes("ben")).enough
    assert stands(yes("ana"), no("ana", NOON + 10), yes("ben")).rejected == no("ana", NOON + 10)


WORDS = st.lists(
    st.builds(
        Approval,
        by=st.sampled_from(["ana", "ben", "eva", "mia", "dan"]),
        reason=st.just(""),
        at=st.integers(-8000, 200).map(lambda offset: NOON + offset),
        source=st.just("a file"),
        verified=st.booleans(),
        rejects=st.booleans(),
    ),
    max_size=12,
)


@given(WORDS, st.booleans())
@settings(deadline=None, max_examples=150)
def test_never_enough_by_fewer_people_or_by_one_who_may_not(words, starter_may):
    asked = ApprovalSpec(2, ("ana", "ben", "mia"), 3600.0, starter_may)
    found = stands(*words, asked=asked, now=NOON)
    people = [one.by for one in found.counted]
    assert len(people) == len(set(people))
    assert found.enough == (len(people) >= 2 and found.rejected is None)
    assert set(people) <= ({"ana", "ben", "mia"} if starter_may else {"ana", "ben"})
    assert all(one.verified and not one.rejects and NOON - 3600 < one.at <= NOON + 60 for one in found.counted)
    assert len(found.counted) + len(found.ignored) + sum(one.rejects for one in words) >= len(words)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (True, ANYBODY),
        ("yes", ANYBODY),
        (False, None),
        (None, None),
        ({"count": 2}, ApprovalSpec(2)),
        ({"count": 2, "of": ["ana", "ben"], "expires": "4h"}, ApprovalSpec(2, ("ana", "ben"), 14400.0)),
        ("{of: [ana], starter_may: true}", ApprovalSpec(1, ("ana",), None, True)),
    ],
    ids=str,
)
def test_what_is_written_is_read_and_comes_back_from_a_record(written, meant):
    read = Reader()
    found = approval_spec(read, "approve", written)
    assert (found, read.problems) == (meant, [])
    assert approval_from(None if found is None else {**vars(found), "of": list(found.of)}) == meant


@pytest.mark.parametrize(
    ("written", "field", "allowed"),
    [
        ("perhaps", "approve", "true or false"),
        (2, "approve", "a dictionary"),
        ({"count": 0}, "approve.count", "from 1 to 50"),
        ({"count": 3, "of": ["ana", "ben"]}, "approve.count", "at most 2: so many are named in of"),
        ({"of": []}, "approve.of", "anybody may approve"),
        ({"of": ["ana", "ana"]}, "approve.of", "each name once"),
        ({"of": ["ana", 7]}, "approve.of[1]", "a non-empty string"),
        ({"of": "ana"}, "approve.of", "a list"),
        ({"expires": "soon"}, "approve.expires", "a duration"),
        ({"expire": "4h"}, "approve.expire", "did you mean expires?"),
        ({"starter_may": "sure"}, "approve.starter_may", "true or false"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(written, field, allowed):
    read = Reader()
    approval_spec(read, "approve", written)
    assert [problem.field for problem in read.problems] == [field]
    assert allowed in read.problems[0].allowed
