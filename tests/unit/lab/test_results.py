"""Summaries of a load run: what is counted for whom, and when a version failed first and last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pdlab.results import NOBODY, read_records, record_of, summarize

SECOND = 1_000_000_000


def answer(at: float, version: str = "1.0.0", code: int = 200, latency: float = 0.0) -> dict[str, Any]:
    return {"time_ns": int(at * SECOND), "latency_ns": int(latency * SECOND), "code": code, "version": version, "pod": "p", "error": ""}


def test_bad_seconds_run_from_the_first_to_the_last_failed_answer_of_the_bad_version() -> None:
    records = [
        answer(1),
        answer(2, "1.6.0-broken"),
        answer(3, "1.6.0-broken", 500),
        answer(4, NOBODY, 503),
        answer(5, "1.6.0-broken", 500, latency=0.5),
        answer(9, "1.6.0-broken"),
    ]
    summary = summarize(records, "1.6.0-broken")
    assert (summary["total"], summary["failed"]) == (6, 3)
    assert (summary["bad_requests"], summary["bad_failed"], summary["other_failed"]) == (4, 2, 1)
    assert summary["bad_seconds"] == pytest.approx(2.5)
    assert summary["versions"]["1.0.0"] == {
        "requests": 1,
        "failed": 0,
        "first_ns": SECOND,
        "last_ns": SECOND,
        "first_failed_ns": None,
        "last_failed_ns": None,
    }


def test_records_may_come_in_any_order() -> None:
    records = [answer(at, "b", 500) for at in (3, 1, 2)]
    assert summarize(records, "b")["bad_seconds"] == summarize(sorted(records, key=lambda r: r["time_ns"]), "b")["bad_seconds"] == 2


def test_a_version_that_never_answered_did_no_harm() -> None:
    summary = summarize([answer(1)], "2.0.0")
    assert (summary["bad_requests"], summary["bad_failed"], summary["bad_seconds"], summary["other_failed"]) == (0, 0, 0, 0)


@pytest.mark.parametrize(("code", "failed"), [(0, 1), (200, 0), (302, 0), (404, 1), (500, 1), (503, 1)])
def test_what_counts_as_failed(code: int, failed: int) -> None:
    assert summarize([answer(1, code=code)])["failed"] == failed


def test_nothing_was_sent() -> None:
    assert summarize([]) == {"total": 0, "failed": 0, "versions": {}}


@pytest.mark.parametrize(
    ("timestamp", "nanoseconds"),
    [
        ("1970-01-01T00:00:01Z", SECOND),
        ("1970-01-01T00:00:01.5Z", 3 * SECOND // 2),
        ("1970-01-01T01:00:00.000000007+01:00", 7),
        ("2026-11-21T05:21:52.409898212Z", 1795238512409898212),
    ],
)
def test_record_keeps_nanoseconds(timestamp: str, nanoseconds: int) -> None:
    result = {"timestamp": timestamp, "latency": 5, "code": 200, "error": "", "headers": {"X-Version": ["1.0.0"], "X-Pod": ["p"]}}
    assert record_of(result) == {"time_ns": nanoseconds, "latency_ns": 5, "code": 200, "version": "1.0.0", "pod": "p", "error": ""}


def test_record_without_an_answer_is_nobodys_and_says_why() -> None:
    result = {"timestamp": "1970-01-01T00:00:00Z", "latency": 5, "code": 0, "error": "refused", "headers": None}
    assert record_of(result) == {"time_ns": 0, "latency_ns": 5, "code": 0, "version": NOBODY, "pod": "", "error": "refused"}


def test_a_line_that_was_cut_short_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "load.jsonl"
    file.write_text(json.dumps(answer(1)) + "\n" + json.dumps(answer(2))[:20])
    assert len(list(read_records(file))) == 1
