# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How traffic comes back: at once, after stable has its pods again, in steps; and what happens when stable has none."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.ending import PARKED, TurnBack
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import EPOCH
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import LEASE, MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN, STABLE

STEPPED = {"release_rollback": "stepped", "release_steps": [10, 25, 50, 100], "release_rollback_step_seconds": 7}
FIRST = {"release_rollback": "capacity_first", "release_ready_timeout_seconds": 60}
MIA, JON = ({"by": name, "reason": "", "at": name} for name in ("mia", "jon"))


class Returning(MortalWorld):
    """Notes each share that the canary gets, and when; stable's Service has no more ready addresses than ready_at_most."""

    ready_at_most = ready_of_canary = 99
    later = None  # a time, and what happens then

    def __init__(self):
        super().__init__()
        self.shares = []
        self.controllers.append(self._note)

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.later and self.seconds >= self.later[0]:
            self.later[1]()

    def _endpoints(self):
        super()._endpoints()
        for name, most in (("shop", self.ready_at_most), ("shop-canary", self.ready_of_canary)):
            found = self.objects.get(("EndpointSlice", "eu", name))
            if found:
                found["endpoints"] = found["endpoints"][:most]

    def _note(self):
        share = sum(one.get("weight", 0) for one in self.route if one["destination"]["host"] == "shop-canary")
        if not self.shares or self.shares[-1][0] != share:
            self.shares.append((share, self.seconds))

    @property
    def given_back(self):
        """The canary's shares from its largest one on."""
        shares = [share for share, _at in self.shares]
        return shares[shares.index(max(shares)) :]

    def set_ready(self, stable, canary=99):
        self.ready_at_most, self.ready_of_canary = stable, canary
        self._endpoints()

    def scale(self, replicas):
        found = self.stored("Deployment", "eu", "shop")
        found["spec"]["replicas"] = replicas
        self.put(found)

    def ask_abort(self, request):
        return lambda: record.ask_abort(self, record.load(self, "eu", "shop"), request)

    def last_patch(self, kind, part):
        """When the shop's object of a kind was last patched at a path with this part in it."""
        patches = [i for i, one in enumerate(self.requests) if (one.method, one.kind, one.name) == ("PATCH", kind, "shop")]
        return max(i for i in patches if any(part in operation["path"] for operation in self.requests[i].body))

    def told(self, words):
        return any(words in line for line in self.lines)


@pytest.fixture
def world():
    return Returning()


def raising(error):
    def act():
        raise error

    return act


GENTLE = {
    "abort": lambda world: world.ask_abort(MIA),
    "runner stopped": lambda world: lambda: setattr(world, "stop", "the parent is gone"),
    "deadline": lambda world: lambda: setattr(world, "seconds", world.seconds + 20_000),
    "inconclusive": lambda world: raising(TurnBack("max_hold", "nobody knows", gentle=True)),
}


@pytest.mark.parametrize("cause", GENTLE)
def test_when_nobody_is_hurt_traffic_comes_back_by_the_weights_of_the_release(world, cause):
    world.at["50 %"] = GENTLE[cause](world)
    assert world.start(**STEPPED)["outcome"] == ("aborted" if cause == "abort" else "rolled_back")
    assert world.given_back == [50, 25, 10, 0]
    first, second, third = (at for _share, at in world.shares[-3:])
    assert (second - first, third - second) == (7, 7)
    assert world.told("25 → 10 → 0 %, 7 s apart")
    world.assert_home("shop:1")


@pytest.mark.parametrize("cause", ["errors", "pods", "route_edited", "resumed", "shared_incident_after_rise"])
def test_when_users_are_hurt_it_comes_back_at_once(world, cause):
    world.at["50 %"] = raising(TurnBack(cause, "too many errors"))
    assert world.start(**STEPPED)["outcome"] == "rolled_back"
    assert world.given_back == [50, 0]
    assert world.told(f"at once: steps are for endings that hurt nobody, and this one is '{cause}'")


def test_parking_may_take_its_time_too_and_so_may_a_return_from_all_of_the_traffic(world):
    world.at["verify"] = raising(TurnBack("max_hold", "nobody knows", outcome=PARKED, gentle=True))
    assert world.start(**STEPPED)["outcome"] == "parked"
    assert world.given_back == [100, 50, 25, 10, 0]
    assert world.names("Deployment") == ["shop", "shop-canary"]


@pytest.mark.parametrize(
    ("given", "line"),
    [(STEPPED, "  traffic would come back stepped, 7 s apart unless users are hurt"), (FIRST, "  traffic would come back capacity first")],
)
def test_the_plan_tells_the_shape(world, given, line):
    native.start(world, parse({**GIVEN, **given}), world.caller, check_mode=True)
    assert line in world.lines


def test_instant_has_no_steps_whatever_the_cause(world):
    world.at["50 %"] = world.ask_abort(MIA)
    world.start(release_steps=[10, 25, 50, 100])
    assert world.given_back == [50, 0]


@pytest.mark.parametrize("cause", ["deadline", "abort"])
def test_an_abort_while_traffic_returns_returns_the_rest_at_once(world, cause):
    world.at["50 %"] = GENTLE[cause](world)
    world.at["return      25 %"] = world.ask_abort(JON)
    world.start(**STEPPED)
    assert world.given_back == [50, 25, 0]
    assert world.shares[-1][1] - world.shares[-2][1] <= 1
    assert world.told("at once now: jon asked for an abort while traffic was returning")
    world.assert_home("shop:1")


def canary_pod(ready):
    state = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    meta = {"name": "shop-canary-1", "namespace": "eu", "uid": "1", "labels": {"app": "shop-canary"}}
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": []}, "status": state}


def test_pods_that_fail_while_traffic_returns_return_the_rest_at_once(world):
    def fail_soon():
        world.put(canary_pod(True))
        world.later = (world.seconds + 3, lambda: world.put(canary_pod(False)))

    world.at["50 %"] = world.ask_abort(MIA)
    world.at["return      25 %"] = fail_soon
    world.start(**STEPPED)
    assert world.given_back == [50, 25, 0]
    assert world.told("at once now: canary pod shop-canary-1 is not ready any more")


def test_stable_that_loses_its_pods_while_traffic_returns_gets_no_more_of_it_until_it_has_some(world):
    def recover():
        world.set_ready(stable=99)

    world.at["50 %"] = world.ask_abort(MIA)
    world.at["return      25 %"] = lambda: world.set_ready(stable=0)
    world.at["the canary keeps the traffic"] = recover
    world.start(**STEPPED)
    assert world.given_back == [50, 25, 0]
    world.assert_home("shop:1")


def test_a_runner_that_is_killed_in_the_middle_is_followed_by_one_that_returns_the_rest_at_once(world):
    world.at["50 %"] = world.ask_abort(MIA)
    world.killed("return      25 %", **STEPPED)
    assert world.given_back == [50, 25]
    result = world.start(**STEPPED)
    assert (result["outcome"], world.given_back) == ("aborted", [50, 25, 0])
    world.assert_home("shop:1")


def test_a_runner_whose_lease_is_taken_in_the_middle_changes_nothing_any_more(world):
    def lose():
        world.objects[LEASE]["spec"]["holderIdentity"] = "somebody-else"
        for kind in ("VirtualService", "ConfigMap"):
            found = world.stored(kind, "eu", "shop" if kind == "VirtualService" else "release-shop")
            found["metadata"]["annotations"][EPOCH] += "0"
            world.put(found)
        world.at_loss = len(world.writes())

    world.at["50 %"] = world.ask_abort(MIA)
    world.at["return      25 %"] = lose
    world.start(**STEPPED)
    assert world.given_back == [50, 25]
    later = [write for write in world.writes()[world.at_loss :] if "Lease" not in write]
    assert [write for write in later if not write.startswith("PATCH ConfigMap")] == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()], ids=["Ctrl-C", "exit"])
def test_a_runner_that_is_told_to_end_in_the_middle_returns_the_rest_first(world, error):
    world.at["50 %"] = world.ask_abort(MIA)
    world.at["return      25 %"] = raising(error)
    with pytest.raises(type(error)):
        world.start(**STEPPED)
    assert world.given_back == [50, 25, 0]
    assert world.route == [STABLE]
    world.objects[LEASE]["spec"]["holderIdentity"] = ""
    world.start(**STEPPED)
    world.assert_home("shop:1")


def test_an_api_server_that_is_silent_in_the_middle_delays_the_return_and_no_more(world):
    world.at["50 %"] = world.ask_abort(MIA)
    world.at["return      25 %"] = lambda: world.silence(60)
    world.start(**STEPPED)
    assert world.given_back[0] == 50
    world.assert_home("shop:1")


def test_a_route_that_somebody_edits_in_the_middle_is_theirs(world):
    theirs = [{"destination": {"host": "maintenance"}}]

    def edit():
        found = world.stored("VirtualService", "eu", "shop")
        found["spec"]["http"][0]["route"] = theirs
        world.put(found)

    world.at["50 %"] = world.ask_abort(MIA)
    world.at["return      25 %"] = edit
    world.start(**STEPPED)
    assert world.route == theirs
    assert world.names("Deployment") == ["shop"]


@pytest.mark.parametrize("cause", ["errors", "aborted"])
def test_stable_gets_its_pods_back_before_its_traffic(world, cause):
    def shrink():
        world.scale(1)
        raise TurnBack(cause, "enough")

    world.at["50 %"] = shrink
    assert world.start(**FIRST)["outcome"] == "rolled_back"
    scaled, returned = (world.last_patch(*what) for what in (("Deployment", "/spec/replicas"), ("VirtualService", "/route")))
    assert scaled < returned
    assert world.stored("Deployment", "eu", "shop")["spec"]["replicas"] == 4
    assert world.told("when shop has 4 ready pods again, at most 60 s")
    world.assert_home("shop:1")


def test_traffic_waits_for_pods_that_come_and_no_longer_than_they_may_take(world):
    def shrink():
        world.set_ready(stable=1)
        world.began = world.seconds
        raise TurnBack("errors", "enough")

    world.at["50 %"] = shrink
    world.start(**FIRST)
    assert 60 <= world.shares[-1][1] - world.began <= 63
    assert world.told("at once now: 1 of 4 pods of shop are ready after 60 s")
    world.assert_home("shop:1")


def test_whole_stable_gets_its_traffic_at_once(world):
    world.at["50 %"] = raising(TurnBack("errors", "enough"))
    world.start(**FIRST)
    assert world.told("at once: shop has its 4 ready pods")
    assert world.shares[-1][1] - world.shares[-2][1] < 1


@pytest.mark.parametrize("hurry", ["abort", "no canary"])
def test_nobody_waits_for_capacity_when_there_is_no_time(world, hurry):
    def shrink():
        world.set_ready(stable=1)
        world.at["ready pods again"] = world.ask_abort(JON) if hurry == "abort" else lambda: world.set_ready(stable=1, canary=0)
        world.began = world.seconds
        raise TurnBack("errors", "enough")

    world.at["50 %"] = shrink
    world.start(**FIRST)
    assert world.shares[-1][1] - world.began <= 2
    assert world.told("jon asked" if hurry == "abort" else "the canary has no ready pod either")
    world.assert_home("shop:1")


def test_a_stable_that_cannot_be_scaled_gets_its_traffic_all_the_same(world):
    def shrink():
        world.scale(1)
        world.refuse("PATCH", "Deployment", Rejected("denied by admission"))
        raise TurnBack("errors", "enough")

    world.at["50 %"] = shrink
    assert world.start(**FIRST)["outcome"] == "rolled_back"
    assert world.told("shop was not brought to its size; returning at once (denied by admission)")
    world.assert_home("shop:1")


@pytest.mark.parametrize("policy", ["return", "keep"])
def test_without_stable_the_policy_says_who_serves(world, policy):
    def lose_stable():
        world.scale(0)
        world.began = world.seconds
        raise TurnBack("errors", "too many errors")

    world.at["50 %"] = lose_stable
    result = world.start(release_on_no_stable=policy)
    assert world.seconds - world.began >= 120
    if policy == "return":
        assert (result["outcome"], world.route) == ("rolled_back", [STABLE])
        assert world.told("(Deployment shop has replicas: 0); returning traffic to it all the same")
        return
    assert (result["outcome"], result["weight_percent"], world.given_back) == ("parked", 50, [50])
    for words in ("too many errors; but", "has replicas: 0", "kubectl -n eu scale deployment/shop --replicas=4", "then abort"):
        assert words in result["reason"]
    assert world.names("Lease") == []


def test_a_canary_that_was_kept_goes_when_stable_is_back_and_the_release_aborted(world):
    def lose_stable():
        world.scale(0)
        raise TurnBack("errors", "too many errors")

    world.at["50 %"] = lose_stable
    world.start(release_on_no_stable="keep")
    world.scale(4)
    result = native.abort(world, "eu", "shop", world.caller, by="mia", reason="")
    assert (result["outcome"], world.given_back) == ("aborted", [50, 0])
    world.assert_home("shop:1")


def test_a_canary_that_was_kept_goes_on_when_stable_is_back_and_the_release_runs_again(world):
    def lose_stable():
        world.scale(0)
        raise TurnBack("errors", "too many errors")

    world.at["50 %"] = lose_stable
    world.start(release_on_no_stable="keep")
    world.scale(4)
    assert world.start(release_on_no_stable="keep")["outcome"] == "promoted"
    world.assert_home("shop:2")


def test_a_canary_that_cannot_serve_either_is_not_kept(world):
    def lose_all():
        world.set_ready(stable=0, canary=0)
        raise TurnBack("errors", "too many errors")

    world.at["50 %"] = lose_all
    assert world.start(release_on_no_stable="keep")["outcome"] == "rolled_back"
    assert world.route == [STABLE]


def test_traffic_does_not_go_home_to_a_stable_that_was_scaled_to_nothing_before_promote(world):
    world.at["promote"] = lambda: world.scale(0)
    result = world.start(release_on_no_stable="keep", release_ready_timeout_seconds=30)
    assert (result["outcome"], world.given_back) == ("parked", [100])


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"release_rollback": "slowly"}, "release_rollback", "one of instant, capacity_first, stepped"),
        ({"release_on_no_stable": "stay"}, "release_on_no_stable", "one of return, keep"),
        ({"release_rollback": "stepped", "release_strategy": "blue_green", "release_steps": None}, "release_rollback", "no weights"),
        ({"release_rollback": "stepped", "release_strategy": "rolling"}, "release_rollback", "the old template"),
        ({"release_rollback": "capacity_first", "release_strategy": "rolling"}, "release_rollback", "the old template"),
        ({"release_on_no_stable": "keep", "release_strategy": "rolling"}, "release_on_no_stable", "return: strategy rolling"),
        ({"release_rollback": "capacity_first", "release_strategy": "shadow"}, "release_rollback", "no traffic that could return"),
        ({"release_rollback_step_seconds": 5}, "release_rollback_step_seconds", "unless release_rollback is stepped"),
        ({"release_rollback_step_seconds": 0, "release_rollback": "stepped"}, "release_rollback_step_seconds", "from 1 s to 600 s"),
    ],
    ids=str,
)
def test_a_shape_that_a_release_cannot_have_is_refused(given, field, says):
    with pytest.raises(SpecError) as caught:
        parse({**GIVEN, **given})
    assert says in {one.field: one.allowed for one in caught.value.problems}[field]


def test_blue_green_may_wait_for_capacity(world):
    def shrink():
        world.scale(1)
        raise TurnBack("errors", "enough")

    world.at["verify"] = shrink
    given = {name: value for name, value in {**GIVEN, **FIRST}.items() if name != "release_steps"}
    native.start(world, parse({**given, "release_strategy": "blue_green"}), world.caller)
    assert world.stored("Deployment", "eu", "shop")["spec"]["replicas"] == 4
    world.assert_home("shop:1")
