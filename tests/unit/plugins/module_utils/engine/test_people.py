# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approvals of n people of m while a release waits: from the command line, a ConfigMap, a file and a webhook, and in the record."""

import json
from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import ClusterError, NotFound
from ansible_collections.progressive.delivery.plugins.module_utils.engine import native
from ansible_collections.progressive.delivery.plugins.module_utils.release import approval_places, approvals_policy
from ansible_collections.progressive.delivery.plugins.module_utils.release.approval_words import iso
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.release.webhook_client import Reply
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN

TWO = {"count": 2, "of": ["ana", "ben", "eva"], "expires": "10m"}
ASKED = {"release_steps": [10, {"weight": 50, "approve": TWO}, 100]}
MAP = {**ASKED, "release_approval_sources": [{"configmap": "approvals-shop"}]}
WAITS = "approve-50 waits"


class Crowd(People):
    """Started by mia, who is kubernetes-admin for the API server."""

    starter = "mia"

    @property
    def caller(self):
        return replace(super().caller, by=self.starter)

    def approve(self, by, **options):
        return self.tell("approve", by=by, **options)

    def install_policy(self, age_seconds=3600.0):
        for made in (approvals_policy.policy(), approvals_policy.binding()):
            made["metadata"] = {**made["metadata"], "creationTimestamp": iso(self.seconds - age_seconds)}
            self.objects[made["kind"], "", approvals_policy.NAME] = made

    def write(self, *entries, age_seconds=0.0):
        """The ConfigMap of approvals as people wrote it."""
        meta = {"name": "approvals-shop", "namespace": "eu", "creationTimestamp": iso(self.seconds - age_seconds)}
        self.put({"kind": "ConfigMap", "metadata": meta, "data": {f"entry-{number}": text for number, text in enumerate(entries)}})

    def entry(self, by, *lines, step="approve-50"):
        return "\n".join([f"by: {by}", f"release: {self.state.release_id}", f"step: {step}", *lines])

    @property
    def approvals(self):
        """As release_info gives them."""
        return {one["step"]: one for one in native.status(self, "eu", "shop")[0]["approvals"]}


@pytest.fixture
def world(monkeypatch):
    made = Crowd()
    monkeypatch.setattr(native.time, "time", made.clock)
    return made


def test_two_of_three_from_the_command_line_move_the_release_on_and_the_record_says_who(world):
    runner = world.beside(**ASKED)
    runner.until("approve-50 waits at 50 %")
    first = world.approve("ana", sleep=runner.turn, release_reason="looks good")
    assert (first["changed"], first["said"][:43]) == (True, "approve-50 has 1 of 2 of ana, ben, eva; ana")
    assert (world.approvals["approve-50"]["missing"], world.state.step) == (1, world.state.step)
    again = world.approve("ana", sleep=runner.turn)
    assert (again["changed"], "already" in again["said"]) == (False, True)
    assert world.approve("eva", sleep=runner.turn)["said"] == "approve-50 is approved"
    assert runner.end()["outcome"] == "promoted"
    told = world.approvals["approve-50"]
    assert (told["approved"], told["missing"], told["said"]) == (True, 0, "approved by ana, eva")
    assert [(one["by"], one["reason"], one["source"]) for one in told["given"]] == [
        ("ana", "looks good", "the command line"),
        ("eva", "why not", "the command line"),
    ]


@pytest.mark.parametrize(("by", "why"), [("mia", "mia started the release"), ("dan", "dan is not among ana, ben, eva, mia")])
def test_who_started_it_and_who_is_not_asked_are_refused_with_nothing_changed(world, by, why):
    runner = world.beside(release_steps=[10, {"weight": 50, "approve": {**TWO, "of": ["ana", "ben", "eva", "mia"]}}, 100])
    runner.until(WAITS)
    with pytest.raises(Refused) as caught:
        world.approve(by, sleep=runner.turn)
    assert why in caught.value.problems[0].allowed
    assert world.state.control.get("words") is None
    assert not world.log


def test_the_starter_is_known_by_the_name_that_the_api_server_has_for_the_runner_too(world):
    world.who, world.starter = "ana", "mia"
    runner = world.beside(**ASKED)
    runner.until(WAITS)
    assert world.state.control["started_by"] == ["mia", "ana"]
    with pytest.raises(Refused):
        world.approve("ana", sleep=runner.turn)


def test_an_api_server_that_does_not_tell_our_name_is_no_reason_not_to_release(world):
    world.refuse("POST", "SelfSubjectReview", NotFound("no such kind"))
    world.when(WAITS, "approve", by="ana")
    world.at["1 of 2"] = lambda: world.approve("ben")
    assert world.start(**ASKED)["outcome"] == "promoted"
    assert world.state.control["started_by"] == ["mia"]


def test_nobody_is_asked_for_the_name_where_anybody_may_approve(world):
    world.when(WAITS, "approve", by="mia")
    assert world.start(release_steps=[10, {"weight": 50, "approve": True}, 100])["outcome"] == "promoted"
    assert not [one for one in world.requests if one.kind == "SelfSubjectReview"]


def test_an_approval_expires_while_the_second_is_waited_for(world):
    world.when(WAITS, "approve", by="ana")
    result = world.start(**ASKED, release_approval_seconds="20m", release_on_no_approval="roll_back")
    assert (result["outcome"], "0 of 2 of ana, ben, eva" in result["reason"]) == ("rolled_back", True)
    assert world.said("approve-50 has 0 of 2")
    world.assert_home("shop:1")


def test_a_no_of_one_who_is_asked_returns_traffic_and_of_somebody_else_is_refused(world):
    runner = world.beside(**ASKED)
    runner.until(WAITS)
    world.approve("ana", sleep=runner.turn)
    with pytest.raises(Refused) as caught:
        world.tell("reject", by="dan", sleep=runner.turn)
    assert "dan is not asked, but may abort" in caught.value.problems[0].allowed
    world.tell("reject", by="ben", sleep=runner.turn, release_reason="not today")
    result = runner.end()
    assert (result["outcome"], result["reason"]) == ("rolled_back", "approve-50 was rejected by ben: not today")
    world.assert_home("shop:1")


def test_an_approval_given_before_its_step_expires_before_it_too(world):
    world.when("10 %", "approve", by="ana", step="approve-50")
    steps = [{"weight": 10, "bake_seconds": 900}, {"weight": 50, "approve": {"of": ["ana"], "expires": "10m"}}, 100]
    result = world.start(release_steps=steps, release_approval_seconds=60, release_on_no_approval="roll_back")
    assert world.said("approve-50 was approved by ana; that has expired meanwhile")
    assert "nobody approved approve-50" in result["reason"]


@pytest.mark.parametrize("moment", ["traffic", "promote"])
def test_a_moment_may_ask_for_people_as_a_step_does(world, moment):
    world.when(f"approve-{moment} waits", "approve", by="ana")
    world.at["1 of 2"] = lambda: world.approve("eva")
    assert world.start(release_approve=[{moment: TWO}])["outcome"] == "promoted"
    assert world.approvals[f"approve-{moment}"]["of"] == ["ana", "ben", "eva"]


def test_a_config_map_and_the_command_line_count_together_under_the_policy(world):
    world.install_policy()
    world.when(WAITS, "approve", by="ana")
    world.at["1 of 2"] = lambda: world.write(world.entry("ben", "reason: saw the graphs"))
    assert world.start(**MAP)["outcome"] == "promoted"
    given = world.approvals["approve-50"]["given"]
    assert [(one["by"], one["source"], one["verified"]) for one in given] == [
        ("ana", "the command line", True),
        ("ben", "ConfigMap approvals-shop", True),
    ]


def weaker(world):
    found = json.loads(json.dumps(world.objects["ValidatingAdmissionPolicy", "", approvals_policy.NAME]))
    found["spec"]["validations"].pop()
    world.objects["ValidatingAdmissionPolicy", "", approvals_policy.NAME] = found


def changed_since(world):
    world.objects["ValidatingAdmissionPolicyBinding", "", approvals_policy.NAME]["metadata"]["generation"] = 2


def only_warns(world):
    world.objects["ValidatingAdmissionPolicyBinding", "", approvals_policy.NAME]["spec"] = {
        **approvals_policy.BINDING_SPEC,
        "validationActions": ["Warn"],
    }


WRONG_POLICIES = {
    "none": (
        lambda world: world.objects.pop(("ValidatingAdmissionPolicy", "", approvals_policy.NAME)),
        "there is no ValidatingAdmissionPolicy ",
    ),
    "not bound": (
        lambda world: world.objects.pop(("ValidatingAdmissionPolicyBinding", "", approvals_policy.NAME)),
        "there is no Validating",
    ),
    "another": (weaker, "is not the one that this version of the collection ships"),
    "only warns": (only_warns, "is not the one that this version"),
    "changed": (changed_since, "was changed since it was created"),
    "younger": (lambda world: world.install_policy(age_seconds=-30), "is older than the admission policy"),
    "unreadable": (
        lambda world: world.refuse("GET", "ValidatingAdmissionPolicy", ClusterError("may not"), times=1000),
        "cannot be read: may not",
    ),
}


@pytest.mark.parametrize("case", WRONG_POLICIES)
def test_without_the_policy_in_force_a_config_map_proves_nothing_and_says_so(world, case):
    break_it, why = WRONG_POLICIES[case]
    world.install_policy()
    break_it(world)
    world.at[WAITS] = lambda: world.write(world.entry("ana"), world.entry("ben"))
    result = world.start(**MAP, release_approval_seconds=60, release_on_no_approval="roll_back")
    assert result["outcome"] == "rolled_back"
    assert len([line for line in world.said("are unverified and do not count") if why in line]) == 1
    assert len(world.said("ana's word from ConfigMap approvals-shop does not count: unverified")) == 1
    ignored = world.approvals["approve-50"]["ignored"]
    assert [(one["by"], one["verified"], one["why"][:10]) for one in ignored] == [
        ("ana", False, "unverified"),
        ("ben", False, "unverified"),
    ]


def test_words_about_another_release_step_or_image_and_unreadable_ones_do_not_count(world):
    world.install_policy()
    good = "by: ana\nimage: shop:2"
    wrong = [
        "by: ben\nrelease: shop-000000",
        "by: ben\nimage: shop:3",
        "by: ben\nstep: approve-50",
        "BY: ben\nimage: shop:2",
        "by: dan\nby: ben\nimage: shop:2",
        "by: ben\nimage: shop:2\nstep: approve-promote",
        "by: ben\nimage: shop:2\nuntil: never",
        "by: ben\nimage: shop:2\ndecision: perhaps",
        "by: ben\nimage: shop:2\nat: yesterday",
        "by: ben \nimage: shop:2",
    ]
    world.at[WAITS] = lambda: world.write(good, *wrong)
    world.start(**MAP, release_approval_seconds=60, release_on_no_approval="roll_back")
    assert world.said("approve-50 has 1 of 2 of ana, ben, eva; ana")
    assert not world.said("2 of 2")
    assert len(world.said("ConfigMap approvals-shop, entry")) == 6
    assert world.said("it does not say what ben approves: release: shop-")


def test_a_no_in_a_config_map_returns_traffic(world):
    world.install_policy()
    world.at[WAITS] = lambda: world.write(world.entry("eva", "decision: reject", "reason: red"))
    result = world.start(**MAP)
    assert result["reason"] == "approve-50 was rejected by eva: red (ConfigMap approvals-shop)"


def test_a_file_on_the_control_node_is_read_again_and_again(world, tmp_path):
    path = tmp_path / "approvals.yml"

    def write():
        path.write_text(json.dumps([{"by": "ana", "image": "shop:2"}, {"by": "ben", "release": world.state.release_id, "reason": "CHG-7"}]))

    world.at[WAITS] = write
    assert world.start(**ASKED, release_approval_sources=[{"file": str(path)}])["outcome"] == "promoted"
    assert [one["source"] for one in world.approvals["approve-50"]["given"]] == [f"file {path}"] * 2


@pytest.mark.parametrize(("text", "why"), [("by: [", "it is no YAML"), ("{ana: true}", "it is no list"), ("[7]", "not a dictionary")])
def test_a_file_that_cannot_be_read_is_said_once_and_counts_for_nothing(world, tmp_path, text, why):
    path = tmp_path / "approvals.yml"
    path.write_text(text)
    result = world.start(
        **ASKED, release_approval_sources=[{"file": str(path)}], release_approval_seconds=60, release_on_no_approval="roll_back"
    )
    assert (result["outcome"], len(world.said(why))) == ("rolled_back", 1)


def test_a_webhook_is_asked_about_the_step_and_its_secrets_stay_out_of_the_record(world, monkeypatch):
    asked = []

    def answer(request, message, most_bytes):
        asked.append((request.url, message))
        said = {"approvals": [{"by": "ana"}, {"by": "eva", "at": iso(world.clock())}] if len(asked) > 2 else []}
        return Reply(200, "ok"), json.dumps(said)

    monkeypatch.setattr(approval_places, "post_for_body", answer)
    hook = {"webhook": {"url": "http://tickets.example/secret-token", "interval": "30s"}}
    assert world.start(**ASKED, release_approval_sources=[hook])["outcome"] == "promoted"
    assert asked[0][1]["step"] == "approve-50"
    assert asked[0][1]["release_id"] == world.state.release_id
    assert "secret-token" not in json.dumps([one for key, one in world.objects.items() if key[0] == "ConfigMap"])
    assert [one["source"] for one in world.approvals["approve-50"]["given"]] == ["webhook http://tickets.example"] * 2


def test_a_webhook_that_does_not_answer_is_said_once(world, monkeypatch):
    monkeypatch.setattr(approval_places, "post_for_body", lambda *_: (Reply(None, "refused"), ""))
    hook = {"webhook": {"url": "http://tickets.example/"}}
    result = world.start(**ASKED, release_approval_sources=[hook], release_approval_seconds=90, release_on_no_approval="roll_back")
    assert (result["outcome"], len(world.said("could not be asked for approvals"))) == ("rolled_back", 1)


def test_a_parked_release_goes_on_when_its_config_map_says_so_by_then(world):
    world.install_policy()
    parked = world.start(**MAP, release_approval_seconds=60)
    assert parked["outcome"] == "parked"
    world.write(world.entry("ana"))
    waits = world.start(**MAP, release_approval_seconds=60)
    assert (waits["changed"], "waits for an approval" in waits["reason"]) == (False, True)
    world.write(world.entry("ana"), world.entry("ben"))
    assert world.start(**MAP, release_approval_seconds=60)["outcome"] == "promoted"


def test_a_parked_release_goes_back_when_somebody_said_no_meanwhile(world):
    world.install_policy()
    assert world.start(**MAP, release_approval_seconds=60)["outcome"] == "parked"
    world.write(world.entry("ana", "decision: reject"))
    result = world.start(**MAP, release_approval_seconds=60)
    assert (result["outcome"], "rejected by ana" in result["reason"]) == ("rolled_back", True)
    world.assert_home("shop:1")


def test_who_is_asked_comes_back_from_the_record_as_it_was_given(world):
    given = {**GIVEN, **MAP, "release_approve": {"promote": TWO}, "release_approval_sources": [{"webhook": {"url": "http://t.example/x"}}]}
    spec = parse(given)
    saved = native.spec_from(json.loads(json.dumps(spec.to_dict())))
    assert (saved.steps, saved.control.asked, saved.control.approve) == (spec.steps, spec.control.asked, ("promote",))
    assert saved.to_dict() == spec.to_dict()
    assert saved.control.sources[0].webhook.lost_secrets
