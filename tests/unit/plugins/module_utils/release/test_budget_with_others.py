# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error budget beside what else a release can do: webhooks, promotion by swap, records that are nearly full."""

from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import budget_plan, preflight
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Problem
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_hooks import HookedWorld, Receiver
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_swap import SWAP, SwapWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_budget_release import BASE, Prometheus
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_judges import RATE, Scraped, Serving


class HookedServing(HookedWorld, Serving):
    """Clients ask, and so do webhooks."""


class SwapServing(SwapWorld, Serving):
    """Clients ask shop-v1; after the swap all of them ask shop-v2 under the name of the Service."""

    def sleep(self, seconds):
        super().sleep(seconds)
        if self.route == [self.home("v2")] and self.served() == {"shop-v2": 4}:
            self.asked["stable"] -= RATE * seconds
            self.asked["canary"] += RATE * seconds
            self.failed += RATE * seconds * self.failing


@pytest.fixture
def made(monkeypatch):
    """Makes a world of a class whose Prometheus knows the objective."""

    def make(kind):
        world = kind()
        world.prometheus = Prometheus()
        reading = MetricsPreflight({"errors": GateReading(9000, 0, RATE)}, "pods", {"errors": 1.0}, True)
        monkeypatch.setattr(preflight, "inspect", lambda *args, **options: reading)
        monkeypatch.setattr(assemble, "source_of", lambda session, spec, *args: Scraped(world, spec.counted) if spec.counted else None)
        for module in (assemble, native):
            monkeypatch.setattr(module, "transport", lambda *args: world.prometheus)
        return world

    return make


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def test_webhooks_agree_to_each_of_the_smaller_rises(made, receiver):
    world = made(HookedServing)
    world.prometheus.left = 0.35
    hooks = [receiver.hook(kind) for kind in ("confirm-traffic-increase", "rollout")]
    assert world.release(*hooks, **BASE)["outcome"] == "promoted"
    names = [step["name"] for step in world.state["steps"]]
    assert [name for name in names if name.startswith("confirm-")] == [f"confirm-weight-{weight}" for weight in (10, 20, 60, 100)]
    assert [name for name in names if name.startswith("agree-weight")] == [f"agree-weight-{weight}" for weight in (20, 60, 100)]
    assert len(receiver.seen["confirm-traffic-increase/gate"]) == 4


def test_events_know_the_phase_of_the_plan_that_the_budget_made(made, receiver):
    world = made(HookedServing)
    world.prometheus.left = 0.35
    receiver.answers["confirm-promotion/gate"] = [(403, "not yet"), (200, "")]
    world.release(receiver.hook("confirm-promotion"), receiver.hook("event"), **BASE)
    phases = [one["phase"] for one in receiver.bodies("event/gate")]
    assert list(dict.fromkeys(phases)) == ["Progressing", "WaitingPromotion", "Promoting", "Finalising", "Succeeded"]
    waits = next(one for one in receiver.bodies("event/gate") if one["phase"] == "WaitingPromotion")
    assert "not yet" in waits["metadata"]["eventMessage"]


def test_the_budget_is_watched_while_the_old_deployment_is_warm(made):
    world = made(SwapServing)
    world.at["  warm  "] = lambda: setattr(world, "failing", 0.02)
    limit = [{"name": "errors", "error_rate": {"max": "5%"}, "judge": "threshold"}]
    swap = {**SWAP, "release_swap": {"workload": "shop-v2", "warm_seconds": 200}}
    result = world.start(**swap, **{**BASE, "release_gates": limit, "release_looks": {"interval_seconds": 20}})
    assert result["outcome"] == "rolled_back"
    assert result["reason"].startswith("since the switch the error budget burns")
    world.assert_returned()


def test_a_swap_with_a_half_spent_budget_goes_in_smaller_steps(made):
    world = made(SwapServing)
    world.prometheus.left = 0.35
    assert world.start(**SWAP, **BASE)["outcome"] == "promoted"
    assert world.weights()[:4] == ["10", "20", "60", "100"]
    world.assert_swapped()


def test_the_objective_counts_the_canary_that_has_a_name_of_its_own(made):
    world = made(SwapServing)
    target = preflight.examine(world, parse({**GIVEN, **SWAP, **BASE}), world.prometheus).target
    arms = budget_plan.arms_of(replace(target, metrics_source="istio_source"))
    assert [arms.arm_of({"destination_workload": name}) for name in ("shop-v1", "shop-v2")] == ["stable", "canary"]
    assert 'destination_workload=~"shop-v1|shop-v2"' in arms.selector.replace("\\", "")
    assert budget_plan.arms_of(replace(target, metrics_source="pods")) is None


def test_a_record_has_room_for_what_the_budget_says_too(made, monkeypatch):
    world = made(HookedServing)
    full = Problem("release_workload", "shop", "a smaller one")
    monkeypatch.setattr(preflight, "too_large", lambda workload, spec, target: [full] if target["budget"] else [])
    with pytest.raises(Refused, match="a smaller one"):
        world.release(**BASE)
    assert world.names("ConfigMap") == []
    assert world.release(**{**BASE, "release_slo": None})["outcome"] == "promoted"
