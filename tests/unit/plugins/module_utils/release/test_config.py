# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration that travels with a version, through whole releases against a world in memory."""

import copy
import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import Rejected
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release.ending import TurnBack
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.workload import config
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

ENV_FROM = [{"configMapRef": {"name": "env"}}, {"secretRef": {"name": "keys"}}]
PASSWORD = "c2VzYW1lLW9wZW4="  # base64, as the API server keeps it
NEW = {"data": {"env": {"LIMIT": "9"}}}


def name_of(kind, data, **more):
    name = "env" if kind == "ConfigMap" else "keys"
    return f"{name}-{config.content_hash({'kind': kind, 'data': data, **more})}"


OLD_COPY, NEW_COPY = name_of("ConfigMap", {"LIMIT": "5"}), name_of("ConfigMap", {"LIMIT": "9"})
SECRET_COPY = name_of("Secret", {"password": PASSWORD}, type="Opaque")


class Configured(MortalWorld):
    """A shop that takes its environment from a config map and a secret; a replaced template stays as a ReplicaSet."""

    def __init__(self):
        super().__init__()
        meta = {"namespace": "eu"}
        self.put({"kind": "ConfigMap", "metadata": {"name": "env", **meta}, "data": {"LIMIT": "5"}})
        self.put({"kind": "Secret", "metadata": {"name": "keys", **meta}, "type": "Opaque", "data": {"password": PASSWORD}})
        self.refer(ENV_FROM)

    def refer(self, env_from, name="shop"):
        found = self.stored("Deployment", "eu", name)
        found["spec"]["template"]["spec"]["containers"][0]["envFrom"] = env_from
        self.put(found)

    def used(self, name="shop"):
        return {one for _kind, one in config.references(self.stored("Deployment", "eu", name)["spec"]["template"])}

    def copies(self, kind="ConfigMap"):
        return sorted(one["metadata"]["name"] for one in self._kind(kind) if config.is_copy(one))

    def keep_revision(self, name, env_from):
        template = copy.deepcopy(self.stored("Deployment", "eu", "shop")["spec"]["template"])
        template["spec"]["containers"][0]["envFrom"] = env_from
        self.put({"kind": "ReplicaSet", "metadata": {"name": name, "namespace": "eu"}, "spec": {"replicas": 0, "template": template}})

    def change(self, limit):
        self.put({"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": limit}})


@pytest.fixture
def world():
    return Configured()


def raising(error):
    def act():
        raise error

    return act


def refusals(world, given, **changed):
    before = len(world.writes())
    with pytest.raises(Refused) as caught:
        world.start(release_config=given, **changed)
    assert len(world.writes()) == before
    return {one.field: f"{one.value} {one.allowed}" for one in caught.value.problems}


def test_the_canary_runs_with_the_copy_while_stable_keeps_what_it_has_until_it_is_promoted(world):
    seen = {}
    world.at["50 %"] = lambda: seen.update(stable=world.used(), canary=world.used("shop-canary"))
    assert world.start(release_config=NEW)["outcome"] == "promoted"
    assert seen == {"stable": {"env", "keys"}, "canary": {NEW_COPY, "keys"}}
    assert world.used() == {NEW_COPY, "keys"}
    made = world.stored("ConfigMap", "eu", NEW_COPY)
    assert (made["data"], made["immutable"]) == ({"LIMIT": "9"}, True)
    assert made["metadata"]["ownerReferences"][0]["uid"] == world.stored("Deployment", "eu", "shop")["metadata"]["uid"]
    assert world.stored("ConfigMap", "eu", "env")["data"] == {"LIMIT": "5"}
    world.assert_home("shop:2")


def test_the_copy_is_journaled_and_there_before_the_canary(world):
    world.start(release_config={})
    writes = world.writes()
    made = writes.index("POST ConfigMap", writes.index("POST ConfigMap") + 1)  # the first one is the record
    assert writes[made - 1] == "PATCH ConfigMap/release-shop"
    assert made < writes.index("POST Deployment")


def test_without_release_config_nothing_is_copied_and_no_secret_is_read(world):
    world.start()
    assert (world.copies(), [one for one in world.requests if one.kind == "Secret"]) == ([], [])


def test_a_secret_travels_when_it_is_asked_for_and_is_never_told(world):
    result = world.start(release_config={"secrets": True})
    assert world.copies("Secret") == [SECRET_COPY]
    assert world.used() == {OLD_COPY, SECRET_COPY}
    assert world.stored("Secret", "eu", SECRET_COPY)["data"] == {"password": PASSWORD}
    told = json.dumps([world.lines, result, world.stored("ConfigMap", "eu", "release-shop")])
    assert PASSWORD not in told
    assert "sesame" not in told


def test_check_mode_shows_config_maps_whole_and_secrets_by_their_keys_and_stores_nothing(world):
    shown = native.start(world, parse({**GIVEN, "release_config": {**NEW, "secrets": True}}), world.caller, check_mode=True)
    headers = {one["after_header"]: one for one in shown["diff"]}
    assert '"LIMIT": "5"' in headers[f"ConfigMap/{NEW_COPY}"]["before"]
    assert '"LIMIT": "9"' in headers[f"ConfigMap/{NEW_COPY}"]["after"]
    assert '"password": "(hidden)"' in headers[f"Secret/{SECRET_COPY}"]["after"]
    assert PASSWORD not in json.dumps([shown, world.lines])
    assert f"  travels with the version: ConfigMap env as {NEW_COPY}" in world.lines
    assert world.writes() == []


@pytest.mark.parametrize("where", ["10 %", "verify", "takes shop:2 while"])
def test_a_release_that_goes_back_takes_its_copies_with_it(world, where):
    world.at[where] = raising(TurnBack("test", "enough"))
    assert world.start(release_config={**NEW, "secrets": ["keys"]})["outcome"] == "rolled_back"
    assert (world.used(), world.copies(), world.copies("Secret")) == ({"env", "keys"}, [], [])
    world.assert_home("shop:1")


def test_going_back_leaves_the_copies_that_stable_runs_with(world):
    world.start(release_config={})
    world.at["50 %"] = raising(TurnBack("test", "enough"))
    world.start(release_config=NEW, release_image="shop:3")
    assert (world.used(), world.copies()) == ({OLD_COPY, "keys"}, [OLD_COPY])


def test_a_copy_that_a_kept_revision_refers_to_stays_and_goes_with_the_next_release_that_finds_it_alone(world):
    world.start(release_config={})
    world.keep_revision("shop-old", [{"configMapRef": {"name": OLD_COPY}}])
    world.start(release_config=NEW, release_image="shop:3")
    assert world.copies() == sorted([OLD_COPY, NEW_COPY])
    del world.objects["ReplicaSet", "eu", "shop-old"]
    world.start(release_config={"data": {"env": {"LIMIT": "10"}}}, release_image="shop:4")
    assert world.copies() == [name_of("ConfigMap", {"LIMIT": "10"})]


def test_what_only_the_canary_had_is_not_kept_by_its_pods_on_their_way_out(world):
    labels = {"app": "shop-canary"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": NEW_COPY}}]}]},
    }
    world.put({"kind": "Pod", "metadata": {"name": "late", "namespace": "eu", "labels": labels, "uid": "1"}, "spec": template["spec"]})
    world.put({"kind": "ReplicaSet", "metadata": {"name": "late", "namespace": "eu"}, "spec": {"template": template}})
    world.at["50 %"] = raising(TurnBack("test", "enough"))
    world.start(release_config=NEW)
    assert world.copies() == []


def test_a_pod_of_somebody_else_keeps_a_copy(world):
    spec = {"containers": [{"name": "job", "envFrom": [{"configMapRef": {"name": OLD_COPY}}]}]}
    world.put({"kind": "Pod", "metadata": {"name": "job", "namespace": "eu"}, "spec": spec})
    world.start(release_config={})
    world.start(release_config=NEW, release_image="shop:3")
    assert world.copies() == sorted([OLD_COPY, NEW_COPY])


def test_workloads_that_use_the_same_config_map_share_its_copy_and_leave_it_to_each_other(world):
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart", "uid": "cart-uid"}
    made = config.copy_of(
        {"kind": "ConfigMap", "metadata": {"name": "env", "namespace": "eu"}, "data": {"LIMIT": "5"}}, {}, release_id="cart-1", owner=None
    )
    made["metadata"]["ownerReferences"] = [other]
    world.put(made)
    world.start(release_config={})
    owners = world.stored("ConfigMap", "eu", OLD_COPY)["metadata"]["ownerReferences"]
    assert [one["name"] for one in owners] == ["cart", "shop"]
    world.start(release_config=NEW, release_image="shop:3")
    assert world.stored("ConfigMap", "eu", OLD_COPY)["metadata"]["ownerReferences"] == [other]


def test_the_next_release_copies_from_the_source_again(world):
    world.start(release_config=NEW)
    world.change("7")
    world.start(release_config={}, release_image="shop:3")
    assert world.used() == {name_of("ConfigMap", {"LIMIT": "7"}), "keys"}


def test_the_same_image_with_other_configuration_is_a_release_and_with_the_same_one_is_none(world):
    assert world.start(release_config={}, release_image="shop:1")["outcome"] == "promoted"
    assert world.used() == {OLD_COPY, "keys"}
    before = world.writes()
    assert world.start(release_config={}, release_image="shop:1")["changed"] is False
    assert world.writes() == before
    assert world.start(release_config=NEW, release_image="shop:1")["changed"] is True
    assert world.used() == {NEW_COPY, "keys"}


def test_without_release_config_later_stable_keeps_its_copies(world):
    world.start(release_config=NEW)
    world.start(release_image="shop:3")
    assert (world.used(), world.copies()) == ({NEW_COPY, "keys"}, [NEW_COPY])


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"config_maps": ["settings"]}, "release_config.config_maps", "settings a ConfigMap that the new pod template uses"),
        ({"config_maps": ["settings"]}, "release_config.config_maps", "it uses: env"),
        ({"secrets": ["env"]}, "release_config.secrets", "it uses: keys"),
        ({"data": {"settings": {"A": "1"}}}, "release_config.data", "settings a ConfigMap"),
    ],
)
def test_a_name_that_the_template_does_not_use_is_refused(world, given, field, says):
    assert says in refusals(world, given)[field]


def test_a_source_that_does_not_exist_is_refused_by_name(world):
    del world.objects["ConfigMap", "eu", "env"]
    assert "env does not" in refusals(world, {})["release_config"]


def test_one_that_is_optional_may_be_missing_unless_it_is_named(world):
    del world.objects["ConfigMap", "eu", "env"]
    world.refer([{"configMapRef": {"name": "env", "optional": True}}])
    assert "env does not" in refusals(world, {"config_maps": ["env"]})["release_config"]
    assert world.start(release_config={})["outcome"] == "promoted"
    assert any("says that it is optional" in line for line in world.lines)


def test_a_token_of_a_service_account_is_refused_by_name_and_else_left_alone(world):
    found = world.stored("Secret", "eu", "keys")
    world.put({**found, "type": config.TOKEN})
    assert "no tokens" in refusals(world, {"secrets": ["keys"]})["release_config.secrets"]
    world.start(release_config={"secrets": True})
    assert world.used() == {OLD_COPY, "keys"}


def test_a_root_certificate_that_controllers_exchange_is_not_frozen(world):
    world.put({"kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt", "namespace": "eu"}, "data": {"ca.crt": "x"}})
    world.refer([{"configMapRef": {"name": "kube-root-ca.crt"}}])
    world.start(release_config={})
    assert world.used() == {"kube-root-ca.crt"}


def test_a_taken_name_is_refused_with_the_command_that_frees_it(world):
    world.put({"kind": "ConfigMap", "metadata": {"name": OLD_COPY, "namespace": "eu"}, "data": {"LIMIT": "5"}})
    assert f"kubectl -n eu delete configmap {OLD_COPY}" in refusals(world, {})["release_config"]


def test_a_copy_that_the_api_server_would_not_take_is_refused_and_a_secret_is_not_quoted(world):
    world.refuse("POST", "ConfigMap", Rejected("no room for LIMIT"))
    assert "no room for LIMIT" in refusals(world, {})["release_config"]
    world.refuse("POST", "Secret", Rejected(f"{PASSWORD} is too short", reason="Invalid"))
    said = refusals(world, {"secrets": True})["release_config"]
    assert "Invalid" in said
    assert PASSWORD not in said


@pytest.mark.parametrize(("verb", "plural"), [("list", "configmaps"), ("create", "secrets"), ("list", "replicasets")])
@pytest.mark.parametrize("image", ["shop:1", "shop:2"])
def test_a_missing_right_is_named(world, verb, plural, image):
    world.denied.add((verb, plural))
    assert f"may {verb}" in refusals(world, {"secrets": True}, release_image=image)["release_namespace"]


@pytest.mark.parametrize("applied", [True, False])
def test_a_copy_whose_answer_was_lost_is_made_once(world, applied):
    world.at["start"] = lambda: world.lose("POST", "ConfigMap", applied=applied)
    assert world.start(release_config=NEW)["outcome"] == "promoted"
    assert any("trying again for" in line for line in world.lines)
    assert world.copies() == [NEW_COPY]


@pytest.mark.parametrize("word", ["made from env", "50 %", "promote", "clean up"])
def test_a_runner_that_is_killed_is_followed_by_one_that_ends_with_the_same_copies(world, word):
    world.killed(word, release_config=NEW)
    assert world.start(release_config=NEW)["outcome"] == "promoted"
    assert (world.used(), world.copies()) == ({NEW_COPY, "keys"}, [NEW_COPY])


def test_a_source_that_changes_after_the_plan_ends_the_release_before_any_traffic_moves(world):
    world.at["start"] = lambda: world.change("6")
    result = world.start(release_config=NEW | {"data": {"env": {"OTHER": "1"}}})
    assert (result["outcome"], result["reason"]) == ("rolled_back", "ConfigMap env was changed since the release began")
    assert world.copies() == []
    assert not any("10 %" in line for line in world.lines)


def test_a_release_that_was_started_with_one_configuration_does_not_go_on_with_another(world):
    world.killed("50 %", release_config=NEW)
    with pytest.raises(Refused, match="config"):
        world.start(release_config={})


def test_an_abort_by_somebody_who_knows_only_the_record_removes_the_copies(world):
    world.killed("50 %", release_config=NEW)
    native.abort(world, "eu", "shop", world.caller, by="mia", reason="")
    assert (world.used(), world.copies()) == ({"env", "keys"}, [])


def test_a_release_that_was_taken_over_leaves_the_copy_to_who_has_it_now(world):
    def taken_over():
        found = world.stored("ConfigMap", "eu", "release-shop")
        found["metadata"]["annotations"]["progressive.delivery/epoch"] += "0"
        world.put(found)

    world.at["start"] = lambda: world.just_before("POST", "ConfigMap", taken_over)
    world.start(release_config=NEW)
    assert world.copies() == [NEW_COPY]
    assert world.names("Deployment") == ["shop"]


def test_a_copy_that_cannot_be_removed_is_told_and_undoes_nothing(world):
    world.start(release_config={})
    world.at["canary removed"] = lambda: world.refuse("DELETE", "ConfigMap", Rejected("forbidden by policy"))
    assert world.start(release_config=NEW, release_image="shop:3")["outcome"] == "promoted"
    assert any("may be left behind" in line for line in world.lines)
    assert world.copies() == sorted([OLD_COPY, NEW_COPY])
