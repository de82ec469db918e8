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
    alone = [f"scenario-{name}" for name in stages.ALONE if name not in stages.LONG]
    assert [one.name for one in scenarios if one.alone] == [one.name for one in scenarios][-len(alone) :] == alone


def test_every_scenario_is_played_by_one_of_the_two_and_what_is_short_in_one_is_whole_in_the_other(
    modules: tuple[ModuleType, ModuleType],
) -> None:
    stages, _run = modules
    short, deep = ({one.name: one for one in made if one.name.startswith("scenario-")} for made in (stages.standard(), stages.deep()))
    assert {*short, *deep} == {f"scenario-{name}" for name in stages.scenario_names()}
    assert {name for name in short if name in deep} == {"scenario-abort", "scenario-bad_input", "scenario-resume"}
    assert deep["scenario-bad_input"].command[-1] == '{"bad_input_every": 1}'
    tables = {name for name, one in deep.items() if one.command[-1] == '{"engine_table": true}'}
    assert tables == {"scenario-engine_argo", "scenario-engine_flagger"}


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


def test_a_failure_without_a_known_word_shows_the_end_of_its_log(modules: tuple[ModuleType, ModuleType], tmp_path: Path) -> None:
    stages, run = modules
    job = run.Job(stages.Stage("quiet", ["sh", "-c", "seq 1 100; echo 'gate importer FAILED'; exit 1"], stages.one), tmp_path)
    assert job.outcome().count.failed == 1
    assert job.excerpt().splitlines() == [*(str(number) for number in range(62, 101)), "gate importer FAILED"]


def test_the_end_of_the_output_says_why_a_stage_failed(
    modules: tuple[ModuleType, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages, run = modules
    log = "TASK [Play] ****\nok: [localhost]\nTASK [No request failed] ****\nfatal: [localhost]: FAILED! => {\n  failed: 3\n}\n"
    told = f"printf '{log}'; seq 1 100; exit 1"
    whole = run.Run(tmp_path)
    job = run.Job(stages.Stage("scenario", ["sh", "-c", told], stages.one), tmp_path)
    whole.jobs.append(job)
    whole.note(job)
    assert whole.close() == 1
    closing = capsys.readouterr().out.splitlines()[-3:]
    assert closing[0].startswith("FAILED scenario: TASK [No request failed] fatal: [localhost]: FAILED! => { failed: 3 } 1 2")
    assert closing[2] == "0 passed, 1 failed"


def test_the_deep_run_ends_with_healthy_releases_alone_on_the_lab(modules: tuple[ModuleType, ModuleType]) -> None:
    stages, _run = modules
    last = stages.deep()[-1]
    assert (last.name, last.alone, last.needs, last.count(1).failed) == ("healthy-releases", True, ("venv", "lab-up"), 1)
    assert "healthy-releases" not in {stage.name for stage in stages.standard()}
