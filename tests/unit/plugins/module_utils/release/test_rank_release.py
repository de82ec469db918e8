# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole releases judged by ranks, by restarts and by combinations: what they hold, return, resume, and say."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import ScalarLook
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import gate_lines, preflight, record, runner
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Findings
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_judges import (
    BASE,
    ERRORS,
    RATE,
    Scraped,
    Serving,
)

CPU = {"name": "cpu", "cpu": {}, "samples": {"sample_seconds": 5, "min_samples": 30}}
RESTARTS = {"name": "restarts", "restarts": {"max": 2}}
QUEUE = {"name": "queue", "query": {"promql": "q", "max": 5}}


class Pods:
    """What a number of each pod would be: two of stable, one of the canary, which needs so many times as much."""

    def __init__(self, world):
        self._world = world
        self._reads = 0

    def read(self, gates, *, compare):
        self._reads += 1
        noise = 0.02 * (self._reads % 5)
        every = {
            "cpu": (("canary/c", self._world.times * (1 + noise)), ("stable/a", 1.06 - noise), ("stable/b", 1.0 + noise)),
            "restarts": (("canary/c", float(self._world.restarts)), ("stable/a", 0.0), ("stable/b", 0.0)),
            "queue": (),
        }
        if self._world.silent:
            return tuple(ScalarLook(gate, None, problem="no_data", detail="no series of canary's pods") for gate in sorted(gates))
        return tuple(ScalarLook(gate, self._world.queue, 1.0, values=every[gate]) for gate in sorted(gates))


@pytest.fixture
def world(monkeypatch):
    made = Serving()
    made.times, made.restarts, made.silent, made.queue = 1.0, 0, False, 1.0
    reading = MetricsPreflight({"errors": GateReading(9000, 0, RATE)}, "http", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda _session, spec, *_: Scraped(made, spec.counted) if spec.counted else None)
    monkeypatch.setattr(assemble, "_queries", lambda *_: Pods(made))
    return made


def given(*gates, **more):
    return {**BASE, "release_looks": None, "release_gates": list(gates), **more}


def test_a_good_version_waits_for_its_samples_at_the_last_weight_before_all_traffic(world):
    result = world.start(**given(ERRORS, CPU))
    assert (result["outcome"], world.weights()) == ("promoted", ["10", "20", "100"])
    numbers = result["evidence"]["judges"]["mann_whitney:cpu"]
    assert (numbers["samples"], numbers["judgement"], numbers["verdict"]) == (30, 3, "Pass")
    assert world.said("hold: cpu has 29 of 30 samples")
    world.assert_home("shop:2")


def test_a_version_that_needs_more_is_returned_at_the_first_occasion(world):
    world.times = 1.5
    result = world.start(**given(CPU))
    assert result["outcome"] == "rolled_back"
    assert "ratio 1.5" in result["reason"] and "millicores" in result["reason"] and "(judgement 1 of 3)" in result["reason"]
    assert (
        result["evidence"]["judges"]["mann_whitney:cpu"]["samples"] == 10
        if "judges" in result["evidence"]
        else result["evidence"]["samples"] == 10
    )
    world.assert_home("shop:1")


def test_a_rise_within_what_is_allowed_is_promoted(world):
    world.times = 1.1
    assert world.start(**given(CPU))["outcome"] == "promoted"


def test_silence_is_no_pass_and_people_decide(world):
    world.at["9 of 30 samples"] = lambda: setattr(world, "silent", True)
    result = world.start(**given(CPU, release_no_data_seconds=40))
    assert result["outcome"] == "rolled_back"
    assert "no sample for 40 s of at most 40 s: no series of canary's pods; release_on_inconclusive is roll_back" in result["reason"]


def test_a_run_that_resumes_goes_on_with_the_samples_that_were_taken(world, monkeypatch):
    def die():
        raise SystemError("killed")

    world.at["24 of 30 samples"] = die
    with monkeypatch.context() as dead:
        dead.setattr(runner, "_end_back", lambda *_: "")
        with pytest.raises(SystemError):
            world.start(**given(CPU))
    saved = record.load(world, "eu", "shop").state.judge["mann_whitney:cpu"]["state"]
    assert len(saved["canary"]) == len(saved["baseline"]) >= 23
    world.objects["Lease", "eu", "progressive-delivery-deployment-shop"]["spec"]["holderIdentity"] = ""
    began = world.clock()
    assert world.start(**given(CPU))["outcome"] == "promoted"
    assert world.clock() - began < 120, "six samples were left, not thirty"


def test_restarts_beyond_the_most_that_is_forgiven_return_traffic(world):
    world.at["  look "] = lambda: setattr(world, "restarts", 3)
    result = world.start(**given(RESTARTS))
    assert (result["outcome"], "100" in world.weights()) == ("rolled_back", False)
    assert "restarts: 3 restarts in " in result["reason"] and "at most 2 are forgiven" in result["reason"]
    world.assert_home("shop:1")
    world.restarts = 2
    assert world.start(**given(RESTARTS, release_image="shop:3"))["outcome"] == "promoted", "what was before the release is not its own"


def test_a_combination_lets_one_bad_gate_go_and_returns_traffic_when_both_are(world):
    either = {"name": "usable", "any": ["queue", "cpu"]}
    looks = {"release_looks": {"interval_seconds": 20}}
    world.times = 1.5
    result = world.start(**given(QUEUE, CPU, either, **looks))
    assert result["outcome"] == "promoted"
    world.queue = 9.0
    result = world.start(**given(QUEUE, CPU, either, **looks, release_image="shop:3"))
    assert result["outcome"] == "rolled_back"
    assert result["reason"].startswith("usable (queue or cpu): queue bad: failed look 2 of 1: queue 9, above 5; cpu bad: cpu ")


def test_the_plan_says_what_is_compared_when_it_is_judged_and_how_long_that_takes():
    every = given(ERRORS, CPU, RESTARTS, QUEUE, {"name": "usable", "any": ["queue", "restarts"]}, release_looks={"interval_seconds": 20})
    spec = parse({**GIVEN, **every})
    found = Findings(None, {}, [])
    said = [gate_lines._gate_line(spec, gate, found) for gate in spec.gates[1:]]
    assert said == [
        "cpu: each pod's number not higher than stable's beyond 1.2 of its mean; a sample every 5 s, judged at 10, 20, 30 with 99.33 % "
        "confidence each · judge mann_whitney",
        "restarts: no more often than stable's pods, 2 at most · judge restarts",
        "queue: a query, at most 5 · judge threshold",
        "usable: queue or restarts; these decide together, not each alone",
    ]
    assert gate_lines.samples_seconds(spec, spec.gates[1]) == 150.0
