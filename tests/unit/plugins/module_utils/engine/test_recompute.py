# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What whole releases decided, recomputed from their JSON lines and from their records to the last bit, and judged by other gates."""

import json
from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.recompute import is_asked, replay_release
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import GIVEN
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_judges import (
    BASE,
    ERRORS,
    LIMIT,
    ORDERS,
    P99,
    RATE,
    Asked,
    Scraped,
    Serving,
)


class Logged(Serving):
    """A world whose releases write their JSON lines into a folder."""

    folder = None

    @property
    def caller(self):
        return replace(super().caller, log_dir=str(self.folder))

    def ship(self, *gates, **more):
        base = {name: value for name, value in BASE.items() if name != "release_looks" or list(gates) != [ERRORS]}
        return self.start(**{**base, "release_gates": list(gates), **more})

    def again(self, **given):
        """Replay what the only log of the folder says, or what is given."""
        logs = [] if "replay_record" in given else [str(path) for path in sorted(self.folder.iterdir())]
        return replay_release(lambda: self, {**({"release_log": logs} if logs else {}), **given}, self.caller)

    def of_record(self, **given):
        return self.again(replay_record=True, release_name="shop", release_namespace="eu", **given)


@pytest.fixture
def world(monkeypatch, tmp_path):
    made = Logged()
    made.folder = tmp_path
    names = ["errors", "limit", "p99", "orders"]
    reading = MetricsPreflight({name: GateReading(9000, 0, RATE) for name in names}, "http", {"errors": 1.7, "limit": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "_source", lambda _session, spec, *_: Scraped(made, spec.counted) if spec.counted else None)
    monkeypatch.setattr(assemble, "_queries", lambda _session, spec, *_: Asked(made) if len(spec.counted) < len(spec.gates) else None)
    return made


def assert_same(result, world):
    """Nothing differs, and the last verdict is the one that the release ended with."""
    assert (result["differing"], result["differs"], result["changed"]) == (0, [], False)
    state = record.load(world, "eu", "shop").state
    looked = {"look": result["final"]["evidence"]["look"]}  # between two answers of a query looks come to the same and are not recorded
    assert result["final"]["evidence"] == {**json.loads(json.dumps(state.evidence)), **looked}
    assert result["recomputed"] == len(result["verdicts"]) > 0
    assert result["release_id"] == state.release_id


@pytest.mark.parametrize("gates", [[ERRORS], [LIMIT], [P99], [ORDERS], [ERRORS, LIMIT, P99, ORDERS]], ids=lambda gates: str(len(gates)))
@pytest.mark.parametrize("bad", [False, True])
def test_every_judge_says_the_same_again_from_the_log_and_from_the_record(world, gates, bad):
    if bad:
        world.failing, world.slow, world.orders = 0.5, 0.5, 10.0
    ended = world.ship(*gates)
    assert ended["outcome"] == ("rolled_back" if bad else "promoted")
    result = world.again()
    assert_same(result, world)
    assert result["final"]["decision"] == ("roll_back" if bad else "advance")
    assert result["final"]["reason"] == (ended["reason"] if bad else result["verdicts"][-1]["reason"])
    of_record = world.of_record()
    assert_same(of_record, world)
    assert of_record["verdicts"] == result["verdicts"][-of_record["recomputed"] :]
    assert of_record["recomputed"] >= min(10, result["recomputed"])
    assert any(f"{result['recomputed']:,} looks recomputed from its log, 0 differ" in line for line in world.lines)
