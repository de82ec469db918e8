"""What of a test run goes side by side."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

TESTING = Path(__file__).resolve().parents[3] / "tools" / "testing"
MEET = "touch {mine}; for _ in $(seq 200); do [ -e {other} ] && exit 0; sleep 0.1; done; exit 1"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(TESTING))
    for name in ("stages", "run"):
        sys.modules.pop(name, None)
    return importlib.import_module("stages"), importlib.import_module("run")


def test_stages_meet_unless_one_must_be_alone(modules: tuple[ModuleType, ModuleType], tmp_path: Path) -> None:
    stages, run = modules

    def stage(name: str, script: str, *, alone: bool = False, needs: tuple[str, ...] = ()):
        return stages.Stage(name, ["sh", "-c", script], stages.one, needs, alone=alone)

    a, b, running = tmp_path / "a", tmp_path / "b", tmp_path / "running"
    whole = run.Run(tmp_path)
    whole.all(
        [
            stage("a", MEET.format(mine=a, other=b)),
            stage("b", MEET.format(mine=b, other=a)),
            stage("busy", f"touch {running}; sleep 1; rm {running}"),
            stage("alone", f"[ ! -e {running} ] && touch {running} && sleep 1 && rm {running}", alone=True),
            stage("after", f"[ ! -e {running} ]"),
            stage("broken", "exit 3"),
            stage("lost", "true", needs=("broken",)),
        ]
    )
    assert {name: outcome.count.failed for name, outcome in whole.outcomes.items()} == {
        "a": 0, "b": 0, "busy": 0, "alone": 0, "after": 0, "broken": 1, "lost": 1,
    }  # fmt: skip
    assert whole.outcomes["lost"].note == "not run: broken failed"
    assert whole.close() == 1


def test_every_scenario_has_state_of_its_own_and_those_that_take_shared_things_away_come_last_and_alone(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    stages, _run = modules
    scenarios = [one for one in stages.standard() if one.name.startswith("scenario-")]
    assert len({one.command[1] for one in scenarios}) == len(scenarios)
    assert [one.name for one in scenarios if one.alone] == [one.name for one in scenarios][-len(stages.ALONE) :]


def test_two_that_wait_for_the_cluster_both_see_it_come(modules: tuple[ModuleType, ModuleType], tmp_path: Path) -> None:
    stages, run = modules
    whole = run.Run(tmp_path)
    whole.background = run.Job(stages.Stage("lab-up", ["sh", "-c", "sleep 2"], stages.one), tmp_path)
    needing = [stages.Stage(name, ["true"], stages.one, ("lab-up",)) for name in ("prometheus", "scenario")]
    threads = [threading.Thread(target=whole.all, args=([stage],)) for stage in needing]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: outcome.count for name, outcome in whole.outcomes.items()} == dict.fromkeys(
        ("lab-up", "prometheus", "scenario"), stages.Count(passed=1)
    )
