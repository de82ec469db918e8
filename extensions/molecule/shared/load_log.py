"""What the log of a load says: one line for each request that a client sent (see lab/pdlab/results.py)."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab"))

from pdlab.results import has_failed, read_records

JSON = dict[str, Any]
SLOW_SECONDS = 0.5


def summary(file: Path, record: JSON) -> JSON:
    """Requests, failed ones, what each version answered, and each version's share while a weight stood.

    Times are Unix times of the answers. bad_seconds: from a version's first answer that failed or took over half a second
    to the last. failed_while_shared: failed between the record's first weight and its ending.
    """
    answers = [_answer(one) for one in read_records(file)]
    weights = _weights(record)
    ending = _moment(record["updated_at"]) if record else 0.0
    return {
        "requests": len(answers),
        "failed": sum(one["failed"] for one in answers),
        "failed_while_shared": sum(one["failed"] for one in answers if weights and weights[0][1] <= one["at"] <= ending),
        "failures": [one for one in answers if one["failed"]][:20],
        "versions": {
            version: _version([one for one in answers if one["version"] == version])
            for version in sorted({one["version"] for one in answers})
        },
        "shares": {name: _shares(one for one in answers if began + 1 < one["sent"] < ended) for name, began, ended in weights},
    }


def _answer(one: JSON) -> JSON:
    sent, took = one["time_ns"] / 1e9, one["latency_ns"] / 1e9
    return {
        "sent": sent,
        "at": sent + took,
        "took": took,
        "version": one["version"],
        "failed": has_failed(one),
        "code": one["code"],
        "error": one["error"],
    }


def _version(answers: list[JSON]) -> JSON:
    bad = [one["at"] for one in answers if one["failed"] or one["took"] > SLOW_SECONDS]
    return {
        "answers": len(answers),
        "failed": sum(one["failed"] for one in answers),
        "first": min(one["at"] for one in answers),
        "last": max(one["at"] for one in answers),
        "bad_seconds": max(bad) - min(bad) if bad else 0.0,
    }


def _weights(record: JSON) -> list[tuple[str, float, float]]:
    """(percent, began, ended) of each weight that was reached: it lasts until the next weight, or promote, begins."""
    steps = [step for step in record.get("steps", []) if step["name"].startswith("weight-") and "ended_at" in step]
    limits = [
        _moment(step["started_at"]) for step in record.get("steps", []) if step["name"].startswith("weight-") or step["name"] == "promote"
    ]
    found = []
    for step in steps:
        began = _moment(step["ended_at"])
        later = [limit for limit in limits if limit > began]
        found.append((step["name"].removeprefix("weight-"), began, min(later, default=_moment(record["updated_at"]))))
    return found


def _shares(answers: Iterable[JSON]) -> JSON:
    """Each version's share of the requests, and how many there were: a share of few requests says little."""
    versions = [one["version"] for one in answers]
    return {"requests": len(versions), **{version: versions.count(version) / len(versions) for version in set(versions)}}


def _moment(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
