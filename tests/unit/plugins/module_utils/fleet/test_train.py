# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A train of three services: in its order, back in the reverse order, from the records alone after a death."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Sequential
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.fleet_target import AtWork
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.train import for_target
from ansible_collections.progressive.delivery.plugins.module_utils.release import record as releases
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import Killed
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_train import SERVICES, Train, WideTrain, entry

OLD = {name: f"{name}:1" for name in SERVICES}
NEW = {name: f"{name}:2" for name in SERVICES}


@pytest.fixture
def train():
    return Train()


@pytest.fixture
def wide():
    return WideTrain()


def refusal(train, **variables):
    with pytest.raises(Refused) as caught:
        train.play(**variables)
    return [(problem.field, problem.allowed) for problem in caught.value.problems]


def crash(train, service):
    """The service has no ready pod any more."""
    world = train.worlds["catalog"]

    def empty():
        world.objects["EndpointSlice", "eu", service]["endpoints"] = []

    world.controllers.append(empty)
    empty()


def release_of(train, service):
    return releases.load(train.worlds[service], "eu", f"shop-{service}")


def test_each_service_has_its_own_release_in_one_fleet_in_the_order_of_the_graph(train):
    ended = train.play()
    assert (ended["outcome"], train.images) == ("promoted", NEW)
    waves = ended["fleet"]["waves"]
    assert [(wave["group"], [one["target"] for one in wave["targets"]]) for wave in waves] == [
        ("catalog", ["catalog"]),
        ("cart+front", ["cart", "front"]),
    ]
    assert waves[0]["ended_at"] <= waves[1]["started_at"]
    begun = [release_of(train, name).state.control["begun"]["fleet"] for name in SERVICES]
    assert begun == [ended["fleet"]["release_id"]] * 3
    assert ended["fleet"]["image"] == "catalog:2, cart:2, front:2"


def test_the_plan_prints_the_order_and_each_service(train):
    train.do("plan")
    assert "  a train of 3 services: catalog, then cart and front; back in the reverse order" in train.lines
    assert "  cart: release shop-cart in cart, after catalog" in train.lines


def test_check_mode_prints_each_services_own_plan(train):
    train.do("admit", "cart")
    assert any(line.startswith("shop-cart: cart:1 → cart:2") for line in train.lines)
    assert train.worlds["cart"].writes() == []


def test_a_bad_last_service_brings_the_others_back_in_the_reverse_order(train):
    train.variables["release_train"][2] = entry("front", "cart")
    no = Rejected("admission says no", status=403)
    train.before["enter", "front"] = lambda: train.worlds["front"].refuse("POST", "Deployment", no)
    ended = train.play()
    assert (ended["outcome"], train.images) == ("rolled_back", OLD)
    assert train.returned == ["cart", "catalog"]
    assert set(train.states.values()) == {"returned"}
    assert ended["fleet"]["stopped"]["by"] == "front"


def test_a_service_that_breaks_while_a_later_one_is_released_stops_the_train(train):
    def breaks():
        crash(train, "catalog")
        train.do("release", "catalog", wave="cart+front")

    train.before["enter", "cart+front"] = lambda: train.worlds["cart"].at.update(weight=breaks)
    train.before["turn", "catalog"] = train.worlds["catalog"].controllers.pop
    ended = train.play()
    assert (ended["outcome"], train.images) == ("rolled_back", OLD)
    assert train.returned == ["catalog"] and train.entry("cart").outcome == "aborted"
    assert ended["fleet"]["stopped"]["reason"] == "Service catalog has no ready endpoint"


@pytest.mark.parametrize("task", [("enter", "cart+front"), ("rest", "cart+front"), ("end", "catalog")])
def test_a_train_whose_run_dies_is_gone_on_with(train, task):
    train.killed(*task)
    with pytest.raises(Killed):
        train.play()
    train.bury()
    fleet = train.record.progress.release_id
    ended = train.play()
    assert (ended["outcome"], train.images, ended["fleet"]["release_id"]) == ("promoted", NEW, fleet)


def test_a_changed_order_is_refused_while_the_train_has_not_ended(train):
    train.killed("enter", "cart+front")
    with pytest.raises(Killed):
        train.play()
    train.bury()
    services = [entry("catalog"), entry("cart", "catalog"), entry("front", "cart")]
    [(field, allowed)] = refusal(train, release_train=services)
    assert field == "release_name" and "services" in allowed
    [(field, allowed)] = refusal(
        train, release_train=[entry("catalog"), entry("cart", "catalog"), {**entry("front", "catalog"), "release_image": "front:3"}]
    )
    assert field == "release_name" and "front: image front:2 -> front:3" in allowed


def test_an_abort_is_answered_once_though_all_services_share_the_namespace(train):
    train.killed("enter", "cart+front")
    with pytest.raises(Killed):
        train.play()
    train.runs += 1
    train.bury()
    assert [train.do("stop", name)["found"] for name in SERVICES] == [True, False, False]
    ended = train.go_back(home="catalog")
    assert (ended["outcome"], train.images) == ("aborted", OLD)
    assert [len(train.do("status", name)["fleets"]) for name in SERVICES] == [1, 0, 0]


def test_the_same_train_once_more_changes_nothing(train):
    train.play()
    before = len(train.worlds["catalog"].writes())
    again = train.play()
    assert (again["outcome"], again["changed"]) == ("promoted", False)
    assert len(train.worlds["catalog"].writes()) == before


def test_one_workload_of_two_services_is_refused(train):
    services = [entry("catalog"), entry("cart", "catalog"), {**entry("front", "catalog"), "release_workload": "Deployment/cart"}]
    services[2]["release_traffic"] = services[1]["release_traffic"]
    [(field, allowed)] = refusal(train, release_train=services)
    assert field == "front: release_workload" and "another workload than cart's (cart)" in allowed


def test_services_that_share_the_object_of_their_route_are_released_one_after_another(train):
    world = train.worlds["cart"]
    shared = world.objects["VirtualService", "eu", "cart"]
    shared["spec"]["http"].append({"name": "front", "route": [{"destination": {"host": "front"}}]})
    shared["spec"]["http"][0]["name"] = "cart"
    del world.objects["VirtualService", "eu", "front"]
    services = [
        entry("catalog"),
        *(
            {**entry(name, "catalog"), "release_traffic": {"provider": "istio", "service": name, "route": name, "virtual_service": "cart"}}
            for name in ("cart", "front")
        ),
    ]
    [(field, allowed)] = refusal(train, release_train=services)
    assert field == "front: release_traffic" and "let front come after cart" in allowed
    services[2]["after"] = ["cart"]
    assert train.play(release_train=services)["outcome"] == "promoted"


def test_one_service_twice_in_one_place_is_refused(wide):
    wide.variables["release_waves"][0].pop("approve")
    wide.worlds = dict.fromkeys(wide.worlds, wide.worlds["catalog_1"])
    found = dict(refusal(wide))
    assert "than catalog_1's of catalog: both are namespace eu" in found["catalog_2: release_namespace"]


def test_a_train_through_regions_is_a_wave_of_levels_in_each(wide):
    wide.before["enter", "region_1/catalog"] = lambda: wide.do("approve", wave="region_1")
    ended = wide.play()
    assert ended["outcome"] == "promoted"
    assert set(wide.images.values()) == set(NEW.values())
    waves = [(wave["group"], wave["share_percent"], wave["bake_seconds"]) for wave in ended["fleet"]["waves"]]
    assert waves == [
        ("region_1/catalog", None, 0),
        ("region_1/cart+front", 5, 5),
        ("region_2/catalog", None, 0),
        ("region_2/cart+front", 100, 0),
    ]


def test_a_policy_for_the_wave_means_all_services_of_the_region(wide):
    wide.variables["release_waves"][0].pop("approve")
    no = Rejected("admission says no", status=403)
    wide.before["enter", "region_2/cart+front"] = lambda: wide.worlds["cart_2"].refuse("POST", "Deployment", no)
    ended = wide.play(release_on_violation="wave")
    assert ended["outcome"] == "rolled_back"
    assert {name: image[-1] for name, image in wide.images.items()} == {name: "2" if name.endswith("_1") else "1" for name in wide.worlds}


class Judged:
    """A panel whose sequential judge has seen a version that fails somewhat more often than stable."""

    rule = Rule(gates=(Gate("errors", max_rate=0.01),))

    def sequential(self, _state):
        judge = Sequential(self.rule)
        known = judge.enter_step(judge.start(), weight_percent=10, at_seconds=0)
        for number in (1, 2):
            metric = MetricLook("errors", Counts(200, 5), Counts(1800, 1))
            look = Look(number=number, at_seconds=5.0 * number, weight_percent=10, metrics=(metric,), closes_block=True)
            known, _found = judge.judge(known, look)
        return self.rule, known


def test_evidence_is_pooled_over_the_regions_of_a_service_and_never_over_services(wide):
    del wide.variables["release_waves"]
    wide.killed("enter", "catalog")
    with pytest.raises(Killed):
        wide.play()

    def look_at(target):
        member = AtWork(wide.ask("release", target)).member("release:1")
        member.looked(Judged(), None, Look(number=2, at_seconds=10.0, weight_percent=10, metrics=(), closes_block=True))
        member.turn()
        return wide.record.stop

    assert [look_at("cart_1"), look_at("front_1"), look_at("front_1")] == [None, None, None]
    stop = look_at("cart_2")
    assert stop["cause"] == "pooled_ratio" and "in 2 targets" in stop["reason"]


def test_a_digest_is_compared_with_that_of_the_same_service(train):
    """Two services may have images of one name and tag."""
    train.variables["release_train"] = [{**entry(name), "release_image": f"{name}/app:2"} for name in SERVICES]
    train.variables["release_train"][1]["after"] = ["catalog"]
    world = train.worlds["cart"]

    def pods():
        for key in [key for key in world.objects if key[0] == "Pod"]:
            del world.objects[key]
        for one in [one for key, one in world.objects.items() if key[0] == "Deployment"]:
            name, service = one["metadata"]["name"] + "-0", one["metadata"]["name"].partition("-")[0]
            meta = {"name": name, "namespace": "eu", "uid": f"{name}-{one['metadata']['generation']}"}
            meta["labels"] = one["spec"]["template"]["metadata"]["labels"]
            status = {"containerStatuses": [{"name": "app", "imageID": f"app@sha256:{service}"}]}
            world.objects["Pod", "eu", name] = {"kind": "Pod", "metadata": meta, "spec": {}, "status": status}

    world.controllers.append(pods)
    ended = train.play()
    assert ended["outcome"] == "promoted"
    digests = {one["target"]: one["digest"] for wave in ended["fleet"]["waves"] for one in wave["targets"]}
    assert digests == {name: f"sha256:{name}" for name in SERVICES}


def test_commands_reach_a_services_release_by_the_trains_name_and_by_its_own(train):
    train.play()
    for name in ("shop", "shop-cart"):
        given = for_target({**train.variables, "release_name": name}, "cart", {"all": SERVICES})
        assert given["release_image"] == "cart:2"
        assert native.status(train.worlds["cart"], "eu", given["release_name"])[0]["workload"] == "Deployment/cart"


def test_a_service_in_a_freeze_keeps_its_level_waiting_while_those_before_it_are_watched(train):
    train.of_host["cart"] = {"release_freezes": [{"name": "tea", "from": "1970-01-12 13:30", "to": "1970-01-12 14:10", "timezone": "UTC"}]}
    ended = train.play(release_freeze_seconds="1h")
    assert (ended["outcome"], train.images) == ("promoted", NEW)
    begun = {name: release_of(train, name).state.control["begun"]["crossing"]["at"] for name in SERVICES}
    assert begun["catalog"] < "1970-01-12T13:50"
    assert all("1970-01-12T14:10" <= begun[name] < "1970-01-12T14:12" for name in ("cart", "front"))
    assert any("cart+front waits for freeze tea of cart" in line for line in train.lines)


def test_a_freeze_that_a_train_could_not_wait_for_is_refused_before_its_first_service(train):
    train.of_host["cart"] = {"release_freezes": [{"name": "tea", "from": "1970-01-12 13:30", "to": "1970-01-12 14:10", "timezone": "UTC"}]}
    ((field, allowed),) = refusal(train, release_freeze_seconds="5m")
    assert field == "cart: release_freezes"
    assert "a calendar that lets cart+front begin" in allowed
    assert train.images == OLD
