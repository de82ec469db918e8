# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of people on the approvals of one release: kept in its record, weighed by release.approvals. Pure.

Of State.control this is: started_by (the names of who began it), words (what the command line said, by step), outside (what the other
places said last, by step), approvals (what was decided, by step: by whom, why, when, and every word that counted).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from typing import Any

from .approvals import ANYBODY, Approval, ApprovalSpec, Standing, standing
from .plan import Step

JSON = dict[str, Any]
COMMAND_LINE = "the command line"
MOST_WORDS = 40  # of one step and origin: the newest; a record has little room
LONGEST_REASON = 200


def asked_at(steps: Sequence[Step], name: str) -> ApprovalSpec:
    """What the step asks for; anybody where it names nobody, as a parked release does."""
    found = next((step.approval for step in steps if step.kind == "approve" and step.name == name), None)
    return found or ANYBODY


def words_on(control: Mapping[str, Any], name: str) -> list[Approval]:
    """Everything that was said on a step, by whatever way."""
    return [Approval(**one) for origin in ("words", "outside") for one in (control.get(origin) or {}).get(name, [])]


def stands(control: Mapping[str, Any], steps: Sequence[Step], name: str, now: float) -> Standing:
    """Where the approval of a step stands. now is Unix time."""
    return standing(asked_at(steps, name), words_on(control, name), started_by=control.get("started_by") or (), now=now)


def with_word(control: Mapping[str, Any], name: str, word: Approval) -> JSON:
    """control with a word of the command line."""
    words = control.get("words") or {}
    return {**control, "words": {**words, name: [*words.get(name, []), _kept(word)][-MOST_WORDS:]}}


def with_outside(control: Mapping[str, Any], name: str, found: Iterable[Approval], now: float) -> JSON:
    """control with what the other places say now in place of what they said. A word without a time is as old as we know it."""
    before = {_who(one): one["at"] for one in (control.get("outside") or {}).get(name, [])}
    words = [_kept(one) for one in list(found)[-MOST_WORDS:]]
    dated = [one if one["at"] else {**one, "at": before.get(_who(one), now)} for one in words]
    outside = {key: value for key, value in (control.get("outside") or {}).items() if key != name}
    return {**control, "outside": {**outside, name: dated}} if dated or outside else {k: v for k, v in control.items() if k != "outside"}


def decided(control: Mapping[str, Any], name: str, found: Standing) -> JSON:
    """control with the step approved by those who count, when they are enough; else as it was."""
    if not found.enough or name in (control.get("approvals") or {}):
        return dict(control)
    last = max(found.counted, key=lambda one: one.at)
    made = {
        "by": ", ".join(one.by for one in found.counted),
        "reason": "; ".join(dict.fromkeys(one.reason for one in found.counted if one.reason)),
        "at": iso(last.at),
        "given": [asdict(one) for one in found.counted],
    }
    return {**control, "approvals": {**(control.get("approvals") or {}), name: made}}


def rejection(name: str, one: Approval) -> str:
    """Why a release goes back that somebody rejected."""
    return f"{name} was rejected by {one.by}: {one.reason or 'no reason given'} ({one.source})"


def is_stale(control: Mapping[str, Any], steps: Sequence[Step], name: str, now: float) -> bool:
    """Whether a step was approved before it was reached, and so long ago that the approvals have expired meanwhile."""
    given = ((control.get("approvals") or {}).get(name) or {}).get("given")
    asked = asked_at(steps, name)
    if not given or asked.expires_seconds is None:
        return False
    return sum(now < one["at"] + asked.expires_seconds for one in given) < asked.count


def told(control: Mapping[str, Any], steps: Sequence[Step], now: float) -> list[JSON]:
    """Every approval of a plan as release_info gives it: what is asked, where it stands, who counts and who does not, and why."""
    made = []
    for step in [one for one in steps if one.kind == "approve"]:
        asked, done = asked_at(steps, step.name), (control.get("approvals") or {}).get(step.name)
        found = stands(control, steps, step.name, now)
        counted = _given(done) if done else list(found.counted)
        made.append(
            {
                "step": step.name,
                "count": asked.count,
                "of": list(asked.of),
                "expires_seconds": asked.expires_seconds,
                "approved": bool(done),
                "said": f"approved by {done['by']}" if done else found.said,
                "missing": 0 if done else found.missing,
                "given": [_shown(one) for one in counted],
                "ignored": [{**_shown(one), "why": why} for one, why in found.ignored],
                "rejected": _shown(found.rejected) if found.rejected else None,
            }
        )
    return made


def _given(done: Mapping[str, Any]) -> list[Approval]:
    """Whose approvals made one; of another engine, or an earlier version, only the last one is known."""
    if "given" in done:
        return [Approval(**one) for one in done["given"]]
    return [Approval(done["by"], done["reason"], unix(done["at"]), COMMAND_LINE)]


def iso(moment: float) -> str:
    """A Unix time in UTC as the record writes times."""
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def unix(text: str) -> float:
    """A time in ISO 8601 as Unix time; one without a zone is UTC. Raises ValueError."""
    found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


def _kept(word: Approval) -> JSON:
    return asdict(replace(word, reason=word.reason[:LONGEST_REASON]))


def _who(one: Mapping[str, Any]) -> tuple[Any, ...]:
    return (one["by"], one["source"], one["reason"], one["rejects"])


def _shown(one: Approval) -> JSON:
    return {"by": one.by, "reason": one.reason, "at": iso(one.at), "source": one.source, "verified": one.verified}
