"""The engines side by side: what the kubelet's figures, a process' family and the releases of one engine become."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import controllers, processes, side_by_side, tables

KUBELET = """
# HELP container_cpu_usage_seconds_total cpu
container_cpu_usage_seconds_total{container="flagger",namespace="flagger-system",pod="flagger-5d4f7c9b8-abcde"} 1.5e+01 1763760000000
container_cpu_usage_seconds_total{container="loadtester",namespace="flagger-system",pod="flagger-loadtester-5d4f7c9b8-fghij"} 99 1763760000000
container_memory_working_set_bytes{container="flagger",namespace="flagger-system",pod="flagger-5d4f7c9b8-abcde"} 2.097152e+07 1763760000000
container_memory_working_set_bytes{container="flagger",namespace="other",pod="flagger-5d4f7c9b8-abcde"} 1 1763760000000
"""


def test_a_controllers_cost_is_that_of_its_own_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controllers, "ask", lambda _command: KUBELET)
    assert controllers.cost("flagger") == controllers.Cost(15.0, 20 * 2**20)
    with pytest.raises(controllers.RunFailed, match="argo-rollouts"):
        controllers.cost("argo-rollouts")


def test_a_family_is_the_process_and_all_below_it() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        while len(family := processes.family_of(child.pid)) < 2:
            assert child.poll() is None
        assert family[0] == child.pid
        assert processes.parent_of(family[1]) == child.pid
        assert set(family) < set(processes.family_of(os.getpid()))
        child.communicate(b"\n")


def bench(*releases: dict[str, Any]) -> side_by_side.Bench:
    found = object.__new__(side_by_side.Bench)
    found.engine, found.done = side_by_side.ENGINES["Flagger, 10 s"], list(releases)
    return found


def release(kind: str, as_it_should: bool, **more: float) -> dict[str, Any]:
    common = {"seconds": 50.0, "requests": 100, "failed_beside": 1, "playbook_cpu": 5.0, "playbook_mb": 90.0, "cpu": 0.5, "mb": 60.0}
    times = {"promoted_seconds": 40.0} if kind == "good" else {"bad_seconds": 12.345, "bad_answers": 30}
    return {**common, **times, "kind": kind, "as_it_should": as_it_should, **more}


def test_a_release_that_ended_otherwise_is_counted_and_gives_no_time() -> None:
    found = bench(release("good", True), release("good", False, promoted_seconds=1.0), release("bad", True))._figures()
    assert (found["returned_good"], found["promoted_bad"]) == (1, 0)
    assert found["promoted_seconds"] == {"median": 40.0, "least": 40.0, "most": 40.0}
    assert (found["failed_beside"], found["requests"]) == (3, 300)
    assert (found["playbook"]["cpu_percent"], found["releasing"]) == (10.0, {"cpu_percent": 1.0, "mb": 60.0})


def test_the_table_says_where_there_is_no_figure() -> None:
    found = {**bench(release("good", False), release("bad", True))._figures(), "idle": None}
    text = tables.engines({"engines": {"ours": found}, "requests_per_second": 150, "steps": [10, 100], "runs": 1})
    row = text.splitlines()[-1]
    assert row.startswith("| ours | 12.35 s (12.35–12.35) | 30")
    assert "1 good returned, 0 bad promoted | – | none runs | 1.0 % of a core, 60.0 MB" in row
