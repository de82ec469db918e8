"""What a load run says about each version: pure functions over the records that `lab load` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

NOBODY = "none"
"""Version of an answer that no shop gave, such as the gateway's own 503 or a broken connection."""

_NANO = 1e9


def record_of(result: dict[str, Any]) -> dict[str, Any]:
    """One line of `vegeta encode -to json` as the lab keeps it. `time_ns` is when the request was sent (UTC)."""
    headers = result.get("headers") or {}
    return {
        "time_ns": _nanoseconds(result["timestamp"]),
        "latency_ns": result["latency"],
        "code": result["code"],
        "version": (headers.get("X-Version") or [NOBODY])[0],
        "pod": (headers.get("X-Pod") or [""])[0],
        "error": result["error"] if result["code"] == 0 else "",
    }


def read_records(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a file; a last line that was cut short is left out."""
    with file.open() as lines:
        for line in lines:
            if line.endswith("\n"):
                yield json.loads(line)


def has_failed(record: dict[str, Any]) -> bool:
    """Whether a client would call this answer failed: no answer at all, or not 2xx and 3xx."""
    return not 200 <= record["code"] < 400


def summarize(records: Iterable[dict[str, Any]], bad_version: str | None = None) -> dict[str, Any]:
    """Counts and times by version.

    `versions` maps each version to requests, failed, and the first and last time (ns since 1970, when the answer
    arrived) of any answer and of a failed one. With `bad_version` also: `bad_requests`, `bad_failed`, `bad_seconds` (its
    first failed answer to its last) and `other_failed` (failures that the bad version did not cause).
    """
    versions: dict[str, dict[str, Any]] = {}
    for record in records:
        entry = versions.setdefault(record["version"], _empty())
        answered = record["time_ns"] + record["latency_ns"]
        _extend(entry, "ns", answered)
        entry["requests"] += 1
        if has_failed(record):
            entry["failed"] += 1
            _extend(entry, "failed_ns", answered)
    total = sum(entry["requests"] for entry in versions.values())
    failed = sum(entry["failed"] for entry in versions.values())
    summary: dict[str, Any] = {"total": total, "failed": failed, "versions": dict(sorted(versions.items()))}
    if bad_version is not None:
        bad = versions.get(bad_version, _empty())
        span = (bad["last_failed_ns"] or 0) - (bad["first_failed_ns"] or 0)
        summary.update(
            bad_requests=bad["requests"], bad_failed=bad["failed"], bad_seconds=span / _NANO, other_failed=failed - bad["failed"]
        )
    return summary


def _empty() -> dict[str, Any]:
    return {"requests": 0, "failed": 0, "first_ns": None, "last_ns": None, "first_failed_ns": None, "last_failed_ns": None}


def _extend(entry: dict[str, Any], what: str, moment: int) -> None:
    first, last = entry[f"first_{what}"], entry[f"last_{what}"]
    entry[f"first_{what}"] = moment if first is None else min(first, moment)
    entry[f"last_{what}"] = moment if last is None else max(last, moment)


def _nanoseconds(timestamp: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time with up to nine decimals."""
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", timestamp)
    if not parts:
        raise ValueError(f"not a time: {timestamp!r}")
    whole, decimals, zone = parts.groups()
    moment = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 1_000_000_000 + int((decimals or "").ljust(9, "0"))
