"""What the benchmark of cut-overs makes of the answers that clients got, and how it is told."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import tables
from benchmarks.cut_over import RIVAL, switch_times


def answer(at_ms: float, version: str, pod: str = "shop-5d9c-abcde", took_ms: float = 0.0) -> dict[str, Any]:
    return {"time_ns": int((at_ms - took_ms) * 1e6), "latency_ns": int(took_ms * 1e6), "version": version, "pod": pod}


TWIN = "shop-canary-77f-abcde"
RELEASE = [
    answer(0, "1"), answer(100, "2", TWIN), answer(130, "1", took_ms=90), answer(140, "2", TWIN), answer(900, "2"), answer(905, "2", TWIN), answer(999, "2"),
]  # fmt: skip


def test_times_are_from_the_first_answer_of_the_next_to_the_last_of_the_one_before_by_their_arrival() -> None:
    assert switch_times(RELEASE, "1", "2", gradual=False) == {"there_ms": 30.0, "home_ms": 5.0}
    assert switch_times(list(reversed(RELEASE)), "1", "2", gradual=False) == {"there_ms": 30.0, "home_ms": 5.0}
    assert switch_times(RELEASE, "1", "2", gradual=True) == {"home_ms": 5.0}


def test_without_a_twin_there_is_no_way_home_and_without_overlap_no_time() -> None:
    assert switch_times([answer(0, "1"), answer(10, "2"), answer(400, "1")], "1", "2", gradual=False) == {"there_ms": 390.0}
    assert switch_times([answer(0, "1"), answer(10, "2")], "1", "2", gradual=False) == {"there_ms": 0.0}
    assert switch_times([answer(0, "1"), answer(5, "nobody", "")], "1", "2", gradual=False) == {}


CASE = {"runs": 20, "ended_otherwise": 0, "requests": 150000, "failed": 0, "idle_requests": 2000, "idle_failed": 0}
PART = {
    "cases": {
        "blue_green istio": {**CASE, "there_ms": {"median": 12.0, "least": 3.0, "most": 40.0}, "home_ms": {"median": 9.0, "least": 1.0, "most": 20.0}},
        "canary istio": {**CASE, "runs": 18, "ended_otherwise": 2, "idle_failed": 1},
        RIVAL: {**CASE, "failed": 3, "there_ms": {"median": 9000.0, "least": 8000.0, "most": 9900.0}},
    }
}  # fmt: skip


def test_the_table_has_a_line_for_each_case_and_the_sum_leaves_the_rival_out() -> None:
    text = tables.cut_overs(PART)
    assert "| blue_green istio | 0 of 150,000 | 20 | median 12 ms (3–40) | median 9 ms (1–20) |" in text
    assert "| canary istio | 0 of 150,000 (2 more ended otherwise; 1 of 2,000 with no release) | 18 | – | – |" in text
    assert f"| {RIVAL} | 3 of 150,000 | 20 | median 9000 ms (8000–9900) | – |" in text
    row = next(row for row in tables.ROWS if row.key == "cut_over")
    assert row.text(PART) == "0 of 300,000 in 38 releases, at least 18 of each kind; `kubectl set image`: 3 of 150,000 in 20"
