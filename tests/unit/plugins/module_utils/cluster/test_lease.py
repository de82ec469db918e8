# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may change a release: one at a time, dead and silent holders give way, and who was replaced notices."""

import os
import socket

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster import lease
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Superseded, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.lease import (
    LEASE_SECONDS,
    LeaseHeld,
    acquire,
    is_dead,
    lease_name,
)
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.lease import held_by as held_by_in_words
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import FakeApi

NAME = "progressive-delivery-deployment-shop"
ELSEWHERE = "another-host/17/123"


@pytest.fixture
def api():
    return FakeApi()


def held_by(api, holder, epoch=4, renewed="t0"):
    spec = {"holderIdentity": holder, "leaseTransitions": epoch, "renewTime": renewed, "leaseDurationSeconds": LEASE_SECONDS}
    return api.put({"kind": "Lease", "metadata": {"name": NAME, "namespace": "shop"}, "spec": spec})


def take(api, **options):
    said = []
    found = acquire(api, "shop", NAME, sleep=api.sleep, emit=said.append, **options)
    return found, said


def spec(api):
    return api.stored("Lease", "shop", NAME)["spec"]


def test_one_lease_per_workload_whatever_the_release_is_called():
    assert lease_name("Deployment", "shop") == NAME


def test_a_free_lease_is_created_with_epoch_1(api):
    held, said = take(api)
    assert (held.epoch, spec(api)["leaseTransitions"], spec(api)["holderIdentity"]) == (1, 1, held.holder)
    assert said == []


def test_a_dead_holder_of_this_host_is_replaced_at_once(api):
    held_by(api, f"{socket.gethostname()}/4194999/1")
    began = api.clock()
    held, _said = take(api)
    assert (held.epoch, api.clock()) == (5, began)


def test_a_holder_that_renews_keeps_its_lease(api):
    held_by(api, ELSEWHERE)
    ticks = []
    original = api.sleep
    api.sleep = lambda seconds: (original(seconds), ticks.append(1), held_by(api, ELSEWHERE, renewed="t1") if len(ticks) == 5 else None)
    with pytest.raises(LeaseHeld, match=f"held by {ELSEWHERE}"):
        take(api)
    assert (spec(api)["holderIdentity"], spec(api)["leaseTransitions"]) == (ELSEWHERE, 4)


def test_who_holds_a_lease_is_said_with_since_when():
    times = {"acquireTime": "2026-11-22T02:11:05.123456Z", "renewTime": "2026-11-22T02:20:01.000001Z"}
    said = f"{ELSEWHERE} since 2026-11-22 02:11:05 UTC, renewed 2026-11-22 02:20:01 UTC"
    assert held_by_in_words({"holderIdentity": ELSEWHERE, **times}) == said
    assert str(LeaseHeld("progressive-delivery-shop", {"holderIdentity": ELSEWHERE, **times})).endswith(f"is held by {said}")
    assert (held_by_in_words({"holderIdentity": ELSEWHERE}), held_by_in_words(times)) == (ELSEWHERE, "")


def test_a_silent_holder_is_replaced_only_after_its_whole_duration(api):
    held_by(api, ELSEWHERE)
    began = api.clock()
    held, said = take(api)
    assert held.epoch == 5
    assert api.clock() - began >= LEASE_SECONDS
    assert ELSEWHERE in said[0]


def test_a_lease_that_is_given_back_while_we_wait_is_taken_at_once(api):
    held_by(api, ELSEWHERE)
    api.controllers = []
    original = api.sleep
    api.sleep = lambda seconds: (original(seconds), api.objects.pop(("Lease", "shop", NAME), None))
    began = api.clock()
    held, _said = take(api)
    assert (held.epoch, api.clock() - began) == (1, 1.0)


def test_force_takes_it_from_a_living_holder_without_waiting(api):
    held_by(api, ELSEWHERE)
    began = api.clock()
    held, _said = take(api, by_force=True)
    assert (held.epoch, api.clock()) == (5, began)


def test_a_lease_without_a_holder_is_free(api):
    held_by(api, "")
    began = api.clock()
    assert take(api)[0].epoch == 5
    assert api.clock() == began


def test_of_two_that_create_at_once_the_slower_waits_for_the_faster(api):
    api.just_before("POST", "Lease", lambda: held_by(api, ELSEWHERE, epoch=1))
    held, said = take(api)
    assert held.epoch == 2
    assert said


def test_of_two_that_take_over_at_once_only_one_wins(api):
    held_by(api, ELSEWHERE)
    api.just_before("PATCH", "Lease", lambda: held_by(api, "third-host/1/1", epoch=5))
    with pytest.raises(lease.Conflict):
        take(api, by_force=True)
    assert spec(api)["holderIdentity"] == "third-host/1/1"


def test_renewing_changes_the_time_alone(api):
    held, _said = take(api)
    api.put({**api.stored("Lease", "shop", NAME), "spec": {**spec(api), "renewTime": "long ago"}})
    before = spec(api)
    held.renew()
    assert spec(api)["renewTime"] != "long ago"
    assert {**spec(api), "renewTime": ""} == {**before, "renewTime": ""}


def test_who_was_replaced_learns_it_when_renewing_and_changes_nothing(api):
    first, _said = take(api)
    second, _said = take(api, by_force=True)
    assert first.holder == second.holder
    before = spec(api)
    with pytest.raises(Superseded):
        first.renew()
    assert spec(api) == before


def test_a_deleted_lease_is_no_lease(api):
    held, _said = take(api)
    api.delete("Lease", "shop", NAME)
    with pytest.raises(Superseded):
        held.renew()


def test_an_api_server_that_does_not_answer_has_not_superseded_anybody(api):
    held, _said = take(api)
    api.lose("PATCH", "Lease", applied=False)
    with pytest.raises(Unreachable):
        held.renew()


def test_only_ones_own_lease_is_given_back(api):
    first, _said = take(api)
    second, _said = take(api, by_force=True)
    first.release()
    assert spec(api)["leaseTransitions"] == 2
    second.release()
    second.release()
    assert api.stored("Lease", "shop", NAME) is None


def test_a_lease_of_the_same_name_made_later_is_not_given_back(api):
    first, _said = take(api)
    api.delete("Lease", "shop", NAME)
    take(api)
    first.release()
    assert api.stored("Lease", "shop", NAME) is not None


OWN = f"{socket.gethostname()}/{os.getpid()}"


@pytest.mark.parametrize(
    ("holder", "dead"),
    [
        (lease.own_identity(), False), (f"{OWN}/1", True), (f"{socket.gethostname()}/4194999/1", True),
        (ELSEWHERE, False), ("", False), ("somebody", False), (f"{socket.gethostname()}/x/1", False),
    ],
    ids=["ourselves", "our number reused", "no such process", "another host", "nobody", "no number", "not a number"],
)  # fmt: skip
def test_only_a_process_of_this_host_that_is_gone_is_certainly_dead(holder, dead):
    assert is_dead(holder) is dead
