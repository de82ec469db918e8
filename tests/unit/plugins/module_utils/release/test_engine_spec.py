# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who moves traffic: the two options, and what an adopted object says itself."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.engine_spec import ENGINES, OWN_WORDS
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

LEAST = {
    "release_name": "shop",
    "release_namespace": "shop",
    "release_workload": "Deployment/shop",
    "release_image": "shop:2",
    "release_prometheus": {"url": "http://prometheus.example"},
}
SAID = {
    "release_strategy": "canary",
    "release_steps": [100],
    "release_gates": [],
    "release_traffic": {"provider": "istio"},
    "release_match": [{"headers": {"x": "1"}}],
    "release_checks": [],
    "release_webhooks": [],
    "release_profile": "development",
}


def refusals(**given):
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **given})
    return {one.field: one.allowed for one in caught.value.problems}


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_can_be_named_and_survives_the_record(name):
    spec = parse({**LEAST, "release_engine": name})
    assert spec.engine == name
    assert spec_from(spec.to_dict()).engine == name


def test_left_out_it_is_this_collection():
    spec = parse(LEAST)
    assert (spec.engine, spec.adopt) == ("native", False)


def test_another_engine_is_refused_with_those_that_there_are():
    assert refusals(release_engine="spinnaker") == {"release_engine": "one of native, flagger, argo_rollouts"}


def test_the_native_engine_adopts_nothing():
    assert "false where release_engine is native" in refusals(release_adopt=True)["release_adopt"]


@pytest.mark.parametrize("field", [one for one in OWN_WORDS if one != "release_from"])
def test_what_the_adopted_object_says_is_not_said_again(field):
    found = refusals(release_engine="flagger", release_adopt=True, **{field: SAID[field]})
    assert found[field].startswith("nothing where release_adopt is true")


def test_an_adopted_object_needs_nothing_but_the_version():
    least = {name: value for name, value in LEAST.items() if name != "release_prometheus"}
    spec = parse({**least, "release_engine": "flagger", "release_adopt": "true"})
    assert (spec.engine, spec.adopt, spec.image) == ("flagger", True, "shop:2")


ONLY_OURS = {
    "release_guard": {"image": "py:3"},
    "release_on_freeze": "park",
    "release_approval_sources": [{"file": "approvals.json"}],
}


@pytest.mark.parametrize("name", ENGINES[1:])
@pytest.mark.parametrize("field", ONLY_OURS)
def test_what_only_our_own_runner_can_do_is_refused_elsewhere(name, field):
    assert field in refusals(release_engine=name, **{field: ONLY_OURS[field]})


@pytest.mark.parametrize("name", ENGINES[1:])
def test_names_and_numbers_of_approvals_are_our_own_runners_too(name):
    assert "one approval, by anybody" in refusals(release_engine=name, release_approve=[{"promote": {"count": 2}}])["release_approve"]
    steps = [{"weight": 50, "approve": {"of": ["ana"]}}, 100]
    assert "one approval, by anybody" in refusals(release_engine=name, release_steps=steps)["release_steps.approve"]
    assert parse({**LEAST, "release_engine": name, "release_steps": [{"weight": 50, "approve": True}, 100]}).steps[0].approve


@pytest.mark.parametrize("name", ENGINES[1:])
def test_a_denied_digest_can_only_be_looked_up_where_the_image_has_one(name):
    denied = [{"digest": "sha256:" + "a" * 64, "reason": "leaks"}]
    assert "with its digest" in refusals(release_engine=name, release_denied_digests=denied)["release_image"]
    assert parse({**LEAST, "release_engine": name, "release_denied_digests": denied, "release_image": "shop:2@sha256:" + "b" * 64})
