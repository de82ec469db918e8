# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: what is written can be read back, stays small, and only its holder writes it."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Superseded
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.record import (
    KEPT_ENDINGS,
    KEPT_LOOKS,
    LARGEST_BYTES,
    Journal,
    State,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

TOKEN = "shop-a1b2c3.1"
SPEC, TARGET = {"name": "shop"}, {"workload": "shop"}


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def journal(api):
    made = Journal(api, "eu", "shop", TOKEN)
    made.create(SPEC, TARGET, State("shop-a1b2c3"), None)
    return made


def stored(api):
    return api.stored("ConfigMap", "eu", "release-shop")


def test_what_was_written_is_read_back_whole(api, journal):
    state = State("shop-a1b2c3", weight_percent=25, step=4, judge={"log": 1.5}, looks=[{"number": 1}], evidence={"e": 2.5}, image="shop:2")
    journal.write(state)
    found = record.load(api, "eu", "shop")
    assert (found.state, found.spec, found.target, found.fence, found.abort) == (state, SPEC, TARGET, TOKEN, None)
    assert found.unfinished
    assert [one.name for one in record.load_all(api, "eu")] == ["release-shop"]


def test_an_absent_record_is_none(api):
    assert record.load(api, "eu", "shop") is None


@pytest.mark.parametrize(("phase", "unfinished"), [("running", True), ("returning", True), ("parked", True), ("ended", False)])
def test_a_release_is_unfinished_until_it_has_ended(api, journal, phase, unfinished):
    journal.write(State("shop-a1b2c3", phase=phase))
    assert record.load(api, "eu", "shop").unfinished is unfinished


def test_only_the_last_looks_are_kept(api, journal):
    journal.write(State("shop-a1b2c3", looks=[{"number": number} for number in range(100)]))
    assert [look["number"] for look in record.load(api, "eu", "shop").state.looks] == list(range(100 - KEPT_LOOKS, 100))


def test_looks_make_room_so_that_a_record_stays_below_its_limit(api, journal):
    journal.write(State("shop-a1b2c3", looks=[{"number": number, "counts": "ü" * 2000} for number in range(20)]))
    data = stored(api)["data"]
    assert sum(len(value.encode()) for value in data.values()) < LARGEST_BYTES
    looks = json.loads(data["state"])["looks"]
    assert looks, "the last look is worth keeping"
    assert looks[-1]["number"] == 19


def test_a_new_release_of_the_name_remembers_the_last_endings(api, journal):
    for attempt in range(KEPT_ENDINGS + 2):
        before = record.load(api, "eu", "shop")
        before.state.reason = f"ending {attempt}"
        Journal(api, "eu", "shop", TOKEN).create(SPEC, TARGET, State(f"shop-{attempt}"), before)
    history = record.load(api, "eu", "shop").state.history
    assert [one["reason"] for one in history] == [f"ending {attempt}" for attempt in (6, 5, 4, 3, 2)]


def test_who_lost_the_record_writes_nothing(api, journal):
    Journal(api, "eu", "shop", "shop-a1b2c3.2").take_over(TOKEN)
    before = stored(api)
    with pytest.raises(Superseded):
        journal.write(State("shop-a1b2c3", weight_percent=50))
    with pytest.raises(Superseded):
        journal.poll()
    assert stored(api) == before


def test_a_take_over_from_somebody_else_than_was_read_is_refused(api, journal):
    with pytest.raises(Superseded):
        Journal(api, "eu", "shop", "shop-a1b2c3.3").take_over("shop-a1b2c3.2")
    assert record.load(api, "eu", "shop").fence == TOKEN


@pytest.mark.parametrize("applied", [True, False])
def test_lost_answers_are_repeated_until_the_state_is_there(api, journal, applied):
    api.lose("PATCH", "ConfigMap", applied=applied, times=2)
    journal.write(State("shop-a1b2c3", weight_percent=50))
    assert record.load(api, "eu", "shop").state.weight_percent == 50
    api.lose("PATCH", "ConfigMap", applied=applied)
    Journal(api, "eu", "shop", "shop-a1b2c3.2").take_over(TOKEN)
    assert record.load(api, "eu", "shop").fence == "shop-a1b2c3.2"


def test_an_abort_request_is_seen_at_the_next_poll(api, journal):
    assert journal.poll() is None
    record.ask_abort(api, record.load(api, "eu", "shop"), {"by": "mia"})
    assert journal.poll() == {"by": "mia"} == record.load(api, "eu", "shop").abort


def test_attempts_of_one_name_have_different_ids():
    ids = {record.new_release_id("shop") for _attempt in range(50)}
    assert len(ids) == 50
    assert all(one.startswith("shop-") for one in ids)
