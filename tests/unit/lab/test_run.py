"""Which stages of a test run are begun beside each other."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools" / "testing"))

import run
from stages import Stage, one


def running(*names: str, starved: float = 1.0, alone: bool = False) -> Any:
    """Scenarios that run on a machine that is so starved."""
    jobs: Any = [SimpleNamespace(stage=stage(name, alone=alone)) for name in names]
    test_run: Any = SimpleNamespace(starvation=SimpleNamespace(lately=lambda: starved))
    return run.Running(test_run, jobs)


def stage(name: str, *, alone: bool = False, needs: tuple[str, ...] = ()) -> Stage:
    return Stage(name, ["true"], one, needs, alone=alone)


def test_two_scenarios_run_beside_each_other_where_the_machine_has_time() -> None:
    assert running("a").admits(stage("b"))
    assert not running("a", "b").admits(stage("c"))


@pytest.mark.parametrize(("starved", "begins"), [(4.9, True), (5.0, False)])
def test_a_starved_machine_plays_one_at_a_time(starved: float, begins: bool) -> None:
    assert running("a", starved=starved).admits(stage("b")) is begins
    assert running(starved=starved).admits(stage("b")), "the one is begun, however starved"


def test_nothing_runs_beside_what_wants_to_be_alone_or_is_needed() -> None:
    assert not running("a").admits(stage("b", alone=True))
    assert not running("a", alone=True).admits(stage("b"))
    assert not running("a").admits(stage("b", needs=("a",)))
