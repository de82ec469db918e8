# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A record holds every workload that is let in: long templates are compressed, those that do not fit even so are refused."""

import base64
import json
import random
import zlib

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.record import State
from ansible_collections.progressive.delivery.plugins.module_utils.release.record_size import (
    ENCODING,
    LARGEST_BYTES,
    PLAIN_BYTES,
    packed,
    unpacked,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import MortalWorld
from hypothesis import given
from hypothesis import strategies as st

WORDS = [{"name": f"SETTING_{number}", "value": f"https://service-{number}.example/{number * 7919}"} for number in range(900)]


def noise(size):
    return base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()


def world_with(env):
    world = MortalWorld()
    shop = world.stored("Deployment", "eu", "shop")
    shop["spec"]["template"]["spec"]["containers"][0]["env"] = env
    world.put(shop)
    return world


def data(world):
    return world.stored("ConfigMap", "eu", "release-shop")["data"]


def size(world):
    return sum(len(value.encode()) for value in data(world).values())


def test_a_long_template_travels_compressed_and_stays_below_the_limit_all_the_way():
    world = world_with(WORDS)
    sizes = []
    world.controllers.append(lambda: ("ConfigMap", "eu", "release-shop") in world.objects and sizes.append(size(world)))
    assert world.start()["outcome"] == "promoted"
    world.assert_home("shop:2")
    assert max(sizes) < LARGEST_BYTES
    assert data(world)["target"].startswith(ENCODING)
    assert 2 * len(json.dumps(WORDS)) > LARGEST_BYTES, "old and new template, as JSON"


@pytest.mark.parametrize("where", ["10 %", "verify", "promote"])
def test_a_release_resumes_from_a_compressed_record(where):
    world = world_with(WORDS)
    world.killed(where)
    assert world.start()["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_a_short_template_stays_readable():
    world = world_with([])
    assert world.start()["outcome"] == "promoted"
    assert json.loads(data(world)["target"])["workload"] == "shop"


def test_what_does_not_fit_even_so_is_refused_before_anything_changes():
    world = world_with([{"name": "BLOB", "value": noise(100_000)}])
    with pytest.raises(Refused) as caught:
        world.start()
    (problem,) = caught.value.problems
    assert (problem.field, problem.value) == ("release_workload", "shop")
    assert "a workload whose record fits into its ConfigMap of 64 KiB" in problem.allowed
    assert "may take 40 KiB of it compressed, these take" in problem.allowed
    assert "the pod template 98 KiB" in problem.allowed
    assert world.writes() == []


def test_a_blob_that_both_templates_have_is_stored_once():
    world = world_with([{"name": "BLOB", "value": noise(24_000)}])
    assert world.start()["outcome"] == "promoted"
    assert size(world) < 32_000


def test_a_long_history_makes_room_for_the_state_beside_a_large_target():
    world = world_with([{"name": "BLOB", "value": noise(26_000)}])
    world.killed("10 %")
    known = record.load(world, "eu", "shop")
    state = known.state
    state.history = [State("shop-1", reason="because " * 2000).ending() for _ending in range(5)]
    state.looks = [{"number": number, "counts": "x" * 900} for number in range(20)]
    record.Journal(world, "eu", "shop", known.fence).write(state)
    assert size(world) <= LARGEST_BYTES
    assert record.load(world, "eu", "shop").state.release_id == state.release_id


def test_what_people_read_outlives_what_the_judges_were_given():
    world = world_with([{"name": "BLOB", "value": noise(24_000)}])
    world.killed("10 %")
    known = record.load(world, "eu", "shop")
    state = known.state
    state.looks = [{"number": number, "counts": "x" * 900} for number in range(20)]
    state.proceedings = "x" * 40_000
    record.Journal(world, "eu", "shop", known.fence).write(state)
    kept = record.load(world, "eu", "shop").state
    assert (len(kept.looks), kept.proceedings) == (20, "")
    assert size(world) <= LARGEST_BYTES


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())), st.integers(0, 2 * PLAIN_BYTES))
def test_what_is_packed_is_unpacked_whole(value, more):
    whole = {**value, "more": "x" * more}
    text = packed(whole)
    assert unpacked(text) == whole
    assert text.startswith(ENCODING) is (len(json.dumps(whole, sort_keys=True, separators=(",", ":"))) > PLAIN_BYTES)


@pytest.mark.parametrize("text", [ENCODING + "???", ENCODING + base64.b64encode(b"plain").decode(), "{"])
def test_a_damaged_part_is_an_error_with_words(text):
    with pytest.raises(ValueError, match=r"cannot be read|Expecting"):
        unpacked(text)


def test_the_encoding_is_what_it_says():
    text = packed({"a": "b" * PLAIN_BYTES})
    assert json.loads(zlib.decompress(base64.b64decode(text.split(":")[1]))) == {"a": "b" * PLAIN_BYTES}
