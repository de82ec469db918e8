# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays of the simulation say look for look what the real classes say: same causes, same evidence, same dispersion, same judges."""

from __future__ import annotations

import numpy as np
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.dispersion import dispersion
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts, Look, MetricLook
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_size import certification_scale
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sequential import Sequential
from ansible_collections.progressive.delivery.tests.simulation import bulk
from ansible_collections.progressive.delivery.tests.simulation.traffic import Traffic, arm, measured_dispersion

RUNS, LOOKS = 8, 40
WEIGHTS = (10.0, 20.0, 40.0, 60.0, 80.0)
TRAFFIC = [
    Traffic(per_second=20.0),
    Traffic(per_second=150.0, canary_rate=0.004),
    Traffic(per_second=150.0, canary_rate=0.03, stable_rate=0.002),
    Traffic(per_second=300.0, canary_rate=0.5),
    Traffic(per_second=3.0, canary_rate=0.02, stable_rate=0.02),
    Traffic(per_second=100.0, canary_rate=0.012, stable_rate=0.009, cluster=5),
    Traffic(per_second=100.0, canary_rate=0.06, stable_rate=0.05),
]
RULES = [
    Rule((Gate("errors", 0.01),), max_hold_seconds=100.0),
    Rule((Gate("errors", 0.01, margin=1.25, dispersion=1.8), Gate("slow", 0.03, share=2.0)), risk_scaled=False, minimum_seconds=30.0),
]


@pytest.mark.parametrize("look_seconds", [2.0, 5.0, 60.0])
@pytest.mark.parametrize("rule", RULES, ids=["one gate", "two gates"])
def test_the_arrays_say_what_the_engine_says(rule, look_seconds):
    """Ramps that go on after every advance, with blocks that close at random looks; a burst of failures hits both arms."""
    random, seen = np.random.default_rng(3), set()
    for traffic in TRAFFIC:
        engine, many = Sequential(rule), bulk.Bulk(rule, RUNS)
        states = [engine.start() for _run in range(RUNS)]
        place = np.zeros(RUNS, int)
        _enter((engine, many), states, place, range(RUNS), 0.0)
        open_counts = np.zeros((2, len(rule.gates), RUNS, 2))
        for number in range(1, LOOKS + 1):
            at = number * look_seconds
            rates = (0.2, 0.2) if 15 <= number < 25 and traffic.cluster == 5 else (traffic.canary_rate, traffic.stable_rate)
            requests = traffic.per_second * look_seconds
            weight = np.array([WEIGHTS[one] for one in place]) / 100.0
            for index, (share, rate) in enumerate(zip((weight, 1.0 - weight), rates, strict=True)):
                open_counts[index] += [arm(random, requests * share, np.full(RUNS, rate), traffic.cluster) for _gate in rule.gates]
            closes = random.random(RUNS) < 0.6
            found = many.look(at, *open_counts, closes)
            for run in range(RUNS):
                metrics = tuple(
                    MetricLook(gate.name, *(Counts(*map(int, open_counts[side, index, run])) for side in (0, 1)))
                    for index, gate in enumerate(rule.gates)
                )
                look = Look(number, at, 100.0 * weight[run], metrics, bool(closes[run]))
                states[run], finding = engine.judge(states[run], look)
                assert bulk.CAUSES[found[run]] == finding.cause, (traffic, number, run)
            _same_evidence(many, states, finding)
            seen |= {bulk.CAUSES[one] for one in found}
            open_counts[:, :, closes] = 0.0
            rising = np.flatnonzero((found == bulk.CERTIFIED) & (place < len(WEIGHTS) - 1))
            place[rising] += 1
            _enter((engine, many), states, place, rising, at)
            open_counts[:, :, rising] = 0.0
    assert {"evidence_of_harm", "one_look_evidence", "certified", "needs_requests", "watching", "shared_incident"} <= seen


def _enter(judges, states, place, which, at):
    engine, many = judges
    which = np.array(which, int)
    if not len(which):
        return
    weights = [WEIGHTS[place[run]] for run in which]
    following = [(*WEIGHTS, None)[place[run] + 1] for run in which]
    for run, weight, after in zip(which, weights, following, strict=True):
        states[run] = engine.enter_step(states[run], weight_percent=weight, at_seconds=at, next_weight_percent=after)
    scale = np.array([certification_scale(after) for after in following])
    many.enter_step(which, at, np.array(weights), scale, engine.rule.minimum_seconds)


def _same_evidence(many, states, last_finding):
    for index, found in enumerate(last_finding.gates):
        assert many.log_relative()[index, -1] == pytest.approx(found.log_relative, rel=1e-9, abs=1e-9)
        assert many.log_absolute()[index, -1] == pytest.approx(found.log_absolute, rel=1e-9, abs=1e-9)
        assert many.log_promote()[index, -1] == pytest.approx(max(found.log_promote, found.log_promote_ratio), rel=1e-9, abs=1e-9)
        for run, state in enumerate(states):
            assert many.canary[index, run].tolist() == [state.gates[index].canary.requests, state.gates[index].canary.events]
            assert many.event_looks[index, run] == state.gates[index].event_looks
            np.testing.assert_allclose(many.relative[index, run], state.gates[index].relative, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("traffic", TRAFFIC)
def test_dispersion_of_many_hours_is_that_of_each(traffic):
    random = np.random.default_rng(5)
    hours = np.stack([arm(random, 60.0 * traffic.per_second, np.full(40, traffic.stable_rate), traffic.cluster) for _minute in range(60)])
    found = measured_dispersion(hours)
    for run in range(40):
        one = dispersion([Counts(*map(int, hours[minute, run])) for minute in range(60)])
        assert found[run] == pytest.approx(one.value, rel=1e-12)
