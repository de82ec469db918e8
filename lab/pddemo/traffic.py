"""Steady load beside a release, and what its clients saw."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdlab.errors import LabError
from pdlab.paths import LAB

Record = dict[str, Any]
LONGEST_MINUTES = 30
_FIRST_ANSWER_SECONDS = 20.0
_ARRIVAL_SECONDS = 1.5
_STOP_SECONDS = 30.0
_MILLION, _BILLION = 1e6, 1e9


class Load:
    """A `lab load` that runs; new_records gives what arrived since the last call."""

    def __init__(self, process: subprocess.Popen[bytes], file: Path) -> None:
        self._process = process
        self._file = file
        self._position = 0

    def new_records(self, wait_seconds: float = _ARRIVAL_SECONDS) -> list[Record]:
        """The records that were written since the last call, after a moment for the last answers to arrive."""
        time.sleep(wait_seconds)
        if self._process.poll() is not None:
            raise LabError(f"The load ended with {self._process.returncode} before the releases did.")
        with self._file.open("rb") as file:
            file.seek(self._position)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._position += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


@contextlib.contextmanager
def steady(host: str, rate: int, cluster: str, file: Path) -> Iterator[Load]:
    """Load on a host of the gateway until the block ends; it flows when the block begins."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    limits = ["--rate", str(rate), "--duration", f"{LONGEST_MINUTES}m", "--cluster", cluster]
    command = [sys.executable, str(LAB / "lab"), "load", "--host", host, *limits, "--out", str(file)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        load, deadline = Load(process, file), time.monotonic() + _FIRST_ANSWER_SECONDS
        while not any(_succeeded(record) for record in load.new_records(0.5)):
            if time.monotonic() > deadline:
                raise LabError(f"{host} gives no good answer under load after {_FIRST_ANSWER_SECONDS:.0f} s.")
        yield load
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass(frozen=True)
class Seen:
    """What clients saw of one release. Bad answers are those of the bad version that failed or came too late."""

    requests: int
    bad_version_requests: int
    bad_answers: int
    bad_seconds: float  # first bad answer to the last, as the client received them
    failed_requests: int  # no answer, or not 2xx
    failed_by_tool: int  # of these, not answered by the bad version
    unconnected: int  # of these, never sent: nobody listened at the gateway's port


def seen(records: Iterable[Record], bad_version: str | None, slow_ms: float | None = None) -> Seen:
    """Counts over records; slow_ms: from when on an answer of the bad version is bad although it succeeded."""
    requests = answers = bad = failed = by_tool = unconnected = 0
    first = last = 0.0
    for record in records:
        requests += 1
        of_bad_version = bad_version is not None and record["version"] == bad_version
        succeeded = _succeeded(record)
        answers += of_bad_version
        failed += not succeeded
        unconnected += record["code"] == 0 and "connection refused" in record["error"]
        by_tool += not succeeded and not of_bad_version
        too_late = slow_ms is not None and record["latency_ns"] > slow_ms * _MILLION
        if of_bad_version and (not succeeded or too_late):
            arrived = (record["time_ns"] + record["latency_ns"]) / _BILLION
            first, last = (min(first, arrived), max(last, arrived)) if bad else (arrived, arrived)
            bad += 1
    return Seen(requests, answers, bad, last - first, failed, by_tool, unconnected)


def _succeeded(record: Record) -> bool:
    return 200 <= record["code"] < 300
